/*
 * endpoint.c: inet_pton and inet_ntop, which are strict, around one form for both kinds of addresses.
 */
#include "http/endpoint.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

weir_endpoint_t weir_endpoint_make(const void *ip, bool is_ipv6, uint16_t port)
{
    weir_endpoint_t endpoint = {.known = true, .is_ipv6 = is_ipv6, .port = port};
    if (is_ipv6) {
        memcpy(endpoint.ip, ip, 16);
    } else {
        memcpy(endpoint.ip, mapped, sizeof(mapped));
        memcpy(endpoint.ip + sizeof(mapped), ip, 4);
    }
    return endpoint;
}

weir_endpoint_t weir_endpoint_of(const struct sockaddr *address, socklen_t size)
{
    if (size >= sizeof(struct sockaddr_in) && address->sa_family == AF_INET) {
        struct sockaddr_in ipv4;
        memcpy(&ipv4, address, sizeof(ipv4));
        return weir_endpoint_make(&ipv4.sin_addr, false, ntohs(ipv4.sin_port));
    }
    if (size >= sizeof(struct sockaddr_in6) && address->sa_family == AF_INET6) {
        struct sockaddr_in6 ipv6;
        memcpy(&ipv6, address, sizeof(ipv6));
        return weir_endpoint_make(&ipv6.sin6_addr, true, ntohs(ipv6.sin6_port));
    }
    return (weir_endpoint_t){.known = false};
}

static bool parse_ip(weir_bytes_t text, bool is_ipv6, uint16_t port, weir_endpoint_t *ret_endpoint)
{
    char copy[INET6_ADDRSTRLEN];
    unsigned char ip[16];
    if (text.size == 0 || text.size >= sizeof(copy) || memchr(text.data, '\0', text.size) != NULL) {
        return false;
    }
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    if (inet_pton(is_ipv6 ? AF_INET6 : AF_INET, copy, ip) != 1) {
        return false;
    }
    *ret_endpoint = weir_endpoint_make(ip, is_ipv6, port);
    return true;
}

static bool parse_port(weir_bytes_t text, uint16_t *ret_port)
{
    unsigned port = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || i == 5) {
            return false;
        }
        port = port * 10 + (unsigned)(text.data[i] - '0');
    }
    if (text.size == 0 || port > UINT16_MAX) {
        return false;
    }
    *ret_port = (uint16_t)port;
    return true;
}

bool weir_endpoint_parse(weir_bytes_t text, weir_endpoint_t *ret_endpoint)
{
    uint16_t port = 0;
    weir_bytes_t host = text;
    if (text.size == 0) {
        return false;
    }
    if (text.data[0] == '[') {
        const char *bracket = memchr(text.data, ']', text.size);
        if (bracket == NULL) {
            return false;
        }
        host = (weir_bytes_t){text.data + 1, (size_t)(bracket - text.data) - 1};
        weir_bytes_t rest = {bracket + 1, text.size - host.size - 2};
        if (rest.size > 0 &&
            (rest.data[0] != ':' || !parse_port((weir_bytes_t){rest.data + 1, rest.size - 1}, &port))) {
            return false;
        }
        return parse_ip(host, true, port, ret_endpoint);
    }
    const char *colon = memchr(text.data, ':', text.size);
    if (colon == NULL) {
        return parse_ip(text, false, 0, ret_endpoint);
    }
    host.size = (size_t)(colon - text.data);
    weir_bytes_t rest = {colon + 1, text.size - host.size - 1};
    if (rest.size > 0 && memchr(rest.data, ':', rest.size) != NULL) {
        return parse_ip(text, true, 0, ret_endpoint);
    }
    return parse_port(rest, &port) && parse_ip(host, false, port, ret_endpoint);
}

void weir_endpoint_write_ip(const weir_endpoint_t *endpoint, char ret_text[WEIR_ENDPOINT_TEXT_BYTES])
{
    const uint8_t *ipv4 = endpoint->ip + sizeof(mapped);
    if (endpoint->is_ipv6) {
        inet_ntop(AF_INET6, endpoint->ip, ret_text, WEIR_ENDPOINT_TEXT_BYTES);
    } else {
        inet_ntop(AF_INET, ipv4, ret_text, WEIR_ENDPOINT_TEXT_BYTES);
    }
}

void weir_endpoint_write(const weir_endpoint_t *endpoint, char ret_text[WEIR_ENDPOINT_TEXT_BYTES])
{
    char ip[WEIR_ENDPOINT_TEXT_BYTES];
    weir_endpoint_write_ip(endpoint, ip);
    snprintf(ret_text, WEIR_ENDPOINT_TEXT_BYTES, endpoint->is_ipv6 ? "[%.45s]:%u" : "%.45s:%u", ip,
        (unsigned)endpoint->port);
}

bool weir_endpoint_is_same_host(const weir_endpoint_t *left, const weir_endpoint_t *right)
{
    return left->known == right->known && memcmp(left->ip, right->ip, sizeof(left->ip)) == 0;
}

bool weir_peers_parse(const char *text, weir_peers_t *ret_peers)
{
    const char *slash = strchr(text, '/');
    size_t size = slash == NULL ? strlen(text) : (size_t)(slash - text);
    bool is_ipv6 = memchr(text, ':', size) != NULL;
    uint16_t bits = is_ipv6 ? 128 : 32;
    uint16_t prefix = bits;
    weir_endpoint_t endpoint;
    if (slash != NULL && (!parse_port((weir_bytes_t){slash + 1, strlen(slash + 1)}, &prefix) || prefix > bits)) {
        return false;
    }
    if (!parse_ip((weir_bytes_t){text, size}, is_ipv6, 0, &endpoint)) {
        return false;
    }
    ret_peers->prefix = (uint8_t)(prefix + 128 - bits);
    memcpy(ret_peers->ip, endpoint.ip, sizeof(ret_peers->ip));
    return true;
}

bool weir_peers_has_host_bits(const char *text, weir_endpoint_t *ret_network, unsigned *ret_prefix)
{
    weir_peers_t peers;
    if (!weir_peers_parse(text, &peers)) {
        return false;
    }
    bool is_ipv6 = strchr(text, ':') != NULL;
    bool has_bits = false;
    for (unsigned bit = peers.prefix; bit < 128; bit++) {
        uint8_t mask = (uint8_t)(0x80U >> bit % 8);
        has_bits = has_bits || (peers.ip[bit / 8] & mask) != 0;
        peers.ip[bit / 8] &= (uint8_t)~mask;
    }
    if (has_bits) {
        *ret_network = weir_endpoint_make(is_ipv6 ? peers.ip : peers.ip + sizeof(mapped), is_ipv6, 0);
        *ret_prefix = is_ipv6 ? peers.prefix : peers.prefix - 96U;
    }
    return has_bits;
}

bool weir_peers_have(const weir_peers_t *peers, const weir_endpoint_t *endpoint)
{
    size_t whole = peers->prefix / 8;
    if (!endpoint->known || memcmp(peers->ip, endpoint->ip, whole) != 0) {
        return false;
    }
    uint8_t mask = (uint8_t)(0xFF00U >> peers->prefix % 8);
    return peers->prefix % 8 == 0 || ((peers->ip[whole] ^ endpoint->ip[whole]) & mask) == 0;
}
