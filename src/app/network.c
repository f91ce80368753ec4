/*
 * network.c: reads addresses and networks as Spin does, which uses Rust's std::net and the crate ip_network (its
 * from_str_truncate).
 */
#include "app/network.h"

#include <arpa/inet.h>
#include <string.h>

bool weir_number_parse(const char *text, size_t size, uint32_t most, uint32_t *ret_number)
{
    uint64_t number = 0;
    size_t at = size > 0 && text[0] == '+' ? 1 : 0;
    if (at == size)
        return false;
    for (; at < size; at++) {
        if (text[at] < '0' || text[at] > '9')
            return false;
        number = number * 10 + (uint64_t)(text[at] - '0');
        if (number > most)
            return false;
    }
    *ret_number = (uint32_t)number;
    return true;
}

bool weir_ip_address_parse(const char *text, size_t size, bool is_ipv6, weir_ip_address_t *ret_address)
{
    char copy[INET6_ADDRSTRLEN];
    if (size >= sizeof copy || memchr(text, '\0', size) != NULL)
        return false;
    if (size > 0)
        memcpy(copy, text, size);
    copy[size] = '\0';
    weir_ip_address_t address = {.is_ipv6 = is_ipv6};
    if (inet_pton(is_ipv6 ? AF_INET6 : AF_INET, copy, address.bytes) != 1)
        return false;
    *ret_address = address;
    return true;
}

bool weir_network_parse(const char *text, size_t size, weir_network_t *ret_network)
{
    const char *slash = size == 0 ? NULL : memchr(text, '/', size);
    if (slash == NULL)
        return false;
    size_t address_size = (size_t)(slash - text);
    weir_network_t network;
    bool is_ipv6 = memchr(text, ':', address_size) != NULL;
    uint32_t prefix, bits = is_ipv6 ? 128 : 32;
    if (!weir_ip_address_parse(text, address_size, is_ipv6, &network.address) ||
        !weir_number_parse(slash + 1, size - address_size - 1, bits, &prefix))
        return false;
    network.prefix = (uint8_t)prefix;
    for (uint32_t bit = prefix; bit < bits; bit++)
        network.address.bytes[bit / 8] &= (uint8_t)~(0x80U >> bit % 8);
    *ret_network = network;
    return true;
}

bool weir_network_contains(const weir_network_t *network, const weir_ip_address_t *address)
{
    if (network->address.is_ipv6 != address->is_ipv6)
        return false;
    size_t whole = network->prefix / 8;
    if (memcmp(network->address.bytes, address->bytes, whole) != 0)
        return false;
    if (network->prefix % 8 == 0)
        return true;
    uint8_t mask = (uint8_t)(0xFF00U >> network->prefix % 8);
    return ((network->address.bytes[whole] ^ address->bytes[whole]) & mask) == 0;
}
