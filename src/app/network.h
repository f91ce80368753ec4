/*
 * network.h: IP addresses and networks (CIDR, RFC 4632 and RFC 4291), as texts and in comparison. Private to this room.
 */
#ifndef WEIR_APP_NETWORK_H
#define WEIR_APP_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An address, in the order of the network. */
typedef struct weir_ip_address {
    bool is_ipv6;
    uint8_t bytes[16]; /* the first 4 of them for IPv4 */
} weir_ip_address_t;

/* The addresses whose first `prefix` bits are those of `address`, whose other bits are 0. */
typedef struct weir_network {
    weir_ip_address_t address;
    uint8_t prefix;
} weir_network_t;

/*
 * A whole number of decimal digits, as Rust's parse reads it: one "+" may stand before it, and zeros. False when it is
 * none or over `most`; `*ret_number` is then untouched.
 */
bool weir_number_parse(const char *text, size_t size, uint32_t most, uint32_t *ret_number);

/* Read "192.0.2.1" or "2001:db8::1" (without brackets). False when it is neither. Any thread. */
bool weir_ip_address_parse(const char *text, size_t size, bool is_ipv6, weir_ip_address_t *ret_address);

/* Read "10.0.0.0/8" or "fc00::/7"; what stands behind the prefix is cleared. False when it is neither. Any thread. */
bool weir_network_parse(const char *text, size_t size, weir_network_t *ret_network);

/* Whether an address is in a network; IPv4 is never in a network of IPv6, and the other way round. Any thread. */
bool weir_network_contains(const weir_network_t *network, const weir_ip_address_t *address);

#endif
