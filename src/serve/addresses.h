/*
 * addresses.h: how many connections each client address has: an IPv4 address, or the /64 of an IPv6 address, which is
 * what a client has at least. Any thread; asked once a connection, and only where there is a limit.
 */
#ifndef WEIR_SERVE_ADDRESSES_H
#define WEIR_SERVE_ADDRESSES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

typedef struct weir_addresses weir_addresses_t;

/* The key of who is not counted; no client has the address that it would be (RFC 4291, section 2.7). */
#define WEIR_ADDRESSES_UNCOUNTED UINT64_MAX

/* Room for so many connections at once, of which each address may have `most`. NULL: memory ran out. */
weir_addresses_t *weir_addresses_new(uint32_t connections, uint32_t most);

/* NULL is allowed. */
void weir_addresses_free(weir_addresses_t *own_addresses);

/* What an address is counted as. */
uint64_t weir_addresses_key(const struct sockaddr *address);

/* Count a connection. Returns false, and counts nothing, when there are as many as there may be. NULL: there is no
 * limit. */
bool weir_addresses_enter(weir_addresses_t *addresses, uint64_t key);

/* One that was counted is over. NULL is allowed. */
void weir_addresses_leave(weir_addresses_t *addresses, uint64_t key);

#endif
