/*
 * address.c: parsing of listen addresses.
 */
#include "serve/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

static bool parse_port(const char *text, uint16_t *ret_port)
{
    unsigned port = 0;
    size_t size = strlen(text);
    if (size == 0 || size > 5) {
        return false;
    }
    for (const char *at = text; *at != '\0'; at++) {
        if (*at < '0' || *at > '9') {
            return false;
        }
        port = port * 10 + (unsigned)(*at - '0');
    }
    if (port > 65535) {
        return false;
    }
    *ret_port = (uint16_t)port;
    return true;
}

static bool make_ipv4(const char *host, uint16_t port, weir_address_t *ret_address)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1) {
        return false;
    }
    memset(ret_address, 0, sizeof(*ret_address));
    memcpy(&ret_address->socket, &address, sizeof(address));
    ret_address->size = sizeof(address);
    return true;
}

static bool make_ipv6(const char *host, uint16_t port, weir_address_t *ret_address)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    if (inet_pton(AF_INET6, host, &address.sin6_addr) != 1) {
        return false;
    }
    memset(ret_address, 0, sizeof(*ret_address));
    memcpy(&ret_address->socket, &address, sizeof(address));
    ret_address->size = sizeof(address);
    return true;
}

bool weir_address_has_high_port(const char *text)
{
    const char *colon = strrchr(text, ':');
    const char *digits = colon == NULL ? "" : colon + 1;
    uint16_t port;
    return digits[0] != '\0' && digits[strspn(digits, "0123456789")] == '\0' && !parse_port(digits, &port);
}

size_t weir_address_parse(const char *text, weir_address_t ret_addresses[2])
{
    const char *colon = strrchr(text, ':');
    uint16_t port;
    if (colon == NULL || !parse_port(colon + 1, &port)) {
        return 0;
    }
    size_t size = (size_t)(colon - text);
    char host[INET6_ADDRSTRLEN + 2];
    if (size == 0 || size >= sizeof(host)) {
        return 0;
    }
    memcpy(host, text, size);
    host[size] = '\0';
    if (strcasecmp(host, "localhost") == 0) {
        make_ipv4("127.0.0.1", port, &ret_addresses[0]);
        make_ipv6("::1", port, &ret_addresses[1]);
        return 2;
    }
    if (host[0] == '[' && host[size - 1] == ']') {
        host[size - 1] = '\0';
        return make_ipv6(host + 1, port, &ret_addresses[0]) ? 1 : 0;
    }
    return make_ipv4(host, port, &ret_addresses[0]) ? 1 : 0;
}
