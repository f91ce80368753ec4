/*
 * block_networks.h: addresses that no component may reach, whatever its allowed_outbound_hosts say: Spin's
 * [outbound_networking] block_networks (crates/outbound-networking-config/src/blocked_networks.rs). To be asked about
 * addresses that names resolved to, right before a connection is made, so that no name can be rebound past it.
 */
#ifndef WEIR_APP_BLOCK_NETWORKS_H
#define WEIR_APP_BLOCK_NETWORKS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

enum { WEIR_BLOCK_NETWORKS_MAX = 1024 };

typedef struct weir_block_networks {
    bool block_private;
    struct weir_network *networks; /* own */
    size_t count;
} weir_block_networks_t;

/*
 * Read texts: "private" or a network as "192.0.2.0/24" or "2001:db8::/32". On success returns true and fills
 * `*ret_networks`, to be freed with weir_block_networks_free. On failure returns false, leaves it untouched and stores
 * a one-line message in `*ret_message`, to be freed with free(3); NULL when memory ran out. Any thread.
 */
bool weir_block_networks_parse(
    const char *const *texts, size_t text_count, weir_block_networks_t *ret_networks, char **ret_message);

/* Free what it owns, and zero it. */
void weir_block_networks_free(weir_block_networks_t *networks);

/*
 * Whether an address is blocked: "private" blocks all that is not globally reachable (RFC 6890: private, loopback,
 * link-local, carrier-grade NAT, unique local, documentation, benchmarking, reserved, unspecified; IPv6 multicast of a
 * scope below global). An IPv6 address that carries one of IPv4 (mapped, compatible, NAT64, 6to4, Teredo) is blocked
 * when that is. What is neither IPv4 nor IPv6 is blocked as soon as anything is. A zeroed `networks` blocks nothing.
 * Allocates nothing. Any thread.
 */
bool weir_block_networks_blocks(const weir_block_networks_t *networks, const struct sockaddr *address, socklen_t size);

#endif
