/*
 * endpoint.h: addresses of clients with their ports, and networks of them, as texts and in comparison. Pure functions;
 * any thread.
 */
#ifndef WEIR_HTTP_ENDPOINT_H
#define WEIR_HTTP_ENDPOINT_H

#include "weir_bridge.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

enum { WEIR_ENDPOINT_TEXT_BYTES = 56 }; /* "[", an IPv6 address, "]:", a port and the end */

/* An address, in the order of the network; IPv4 is held as IPv6 (RFC 4291, section 2.5.5.2), so each has one form. */
typedef struct weir_endpoint {
    bool known;    /* else nothing is known of it, and the rest is zero */
    bool is_ipv6;  /* how it is written */
    uint16_t port; /* 0: not known */
    uint8_t ip[16];
} weir_endpoint_t;

/* The addresses whose first `prefix` bits, of 128, are those of `ip`. */
typedef struct weir_peers {
    uint8_t ip[16];
    uint8_t prefix;
} weir_peers_t;

/* That of a socket; not known when it is neither IPv4 nor IPv6. */
weir_endpoint_t weir_endpoint_of(const struct sockaddr *address, socklen_t size);

/* One from the bytes of an IPv4 address, 4, or of an IPv6 address, 16. */
weir_endpoint_t weir_endpoint_make(const void *ip, bool is_ipv6, uint16_t port);

/*
 * Read "192.0.2.1", "192.0.2.1:80", "[2001:db8::1]", "[2001:db8::1]:80" or "2001:db8::1". A port that is none of 0 to
 * 65535 in digits makes it none. False, and nothing stored, when it is none of these.
 */
bool weir_endpoint_parse(weir_bytes_t text, weir_endpoint_t *ret_endpoint);

/* Write its address, "0.0.0.0" when it is not known. */
void weir_endpoint_write_ip(const weir_endpoint_t *endpoint, char ret_text[WEIR_ENDPOINT_TEXT_BYTES]);

/* Write address and port, with IPv6 in brackets: "0.0.0.0:0" when it is not known. */
void weir_endpoint_write(const weir_endpoint_t *endpoint, char ret_text[WEIR_ENDPOINT_TEXT_BYTES]);

/* Whether both have the same address, whatever their ports. Those that are not known are the same. */
bool weir_endpoint_is_same_host(const weir_endpoint_t *left, const weir_endpoint_t *right);

/* Read an address, or a network such as "10.0.0.0/8" or "fc00::/7", of which what stands behind the prefix is ignored.
 * False, and nothing stored, when it is neither. */
bool weir_peers_parse(const char *text, weir_peers_t *ret_peers);

/* Whether it is a network of which what stands behind the prefix is not 0: then the address without that, and the
 * prefix as it was written, are stored. */
bool weir_peers_has_host_bits(const char *text, weir_endpoint_t *ret_network, unsigned *ret_prefix);

/* Whether an endpoint is among them; one that is not known is not. */
bool weir_peers_have(const weir_peers_t *peers, const weir_endpoint_t *endpoint);

#endif
