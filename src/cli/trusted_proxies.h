/*
 * trusted_proxies.h: the values of --trusted-proxy.
 */
#ifndef WEIR_CLI_TRUSTED_PROXIES_H
#define WEIR_CLI_TRUSTED_PROXIES_H

#include "http/endpoint.h"

#include <stdbool.h>
#include <stddef.h>

/* Zero it to begin. */
typedef struct weir_trusted_proxies {
    weir_peers_t *peers; /* own */
    size_t count;
} weir_trusted_proxies_t;

/*
 * Add an address, a network such as 10.0.0.0/8, or "loopback": this machine itself. False, and nothing added, when it
 * is none of these (`*ret_valid` is false then), or memory ran out.
 */
bool weir_trusted_proxies_add(weir_trusted_proxies_t *proxies, const char *text, bool *ret_valid);

/* Free what it owns, and zero it. */
void weir_trusted_proxies_free(weir_trusted_proxies_t *proxies);

#endif
