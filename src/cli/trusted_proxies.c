/*
 * trusted_proxies.c: a list that grows.
 */
#include "cli/trusted_proxies.h"

#include <stdlib.h>
#include <string.h>

static bool add(weir_trusted_proxies_t *proxies, const weir_peers_t *peers)
{
    weir_peers_t *larger = reallocarray(proxies->peers, proxies->count + 1, sizeof(*larger));
    if (larger == NULL) {
        return false;
    }
    larger[proxies->count++] = *peers;
    proxies->peers = larger;
    return true;
}

bool weir_trusted_proxies_add(weir_trusted_proxies_t *proxies, const char *text, bool *ret_valid)
{
    static const char *const loopback[] = {"127.0.0.0/8", "::1"};
    weir_peers_t peers;
    *ret_valid = true;
    if (strcmp(text, "loopback") == 0) {
        return weir_peers_parse(loopback[0], &peers) && add(proxies, &peers) && weir_peers_parse(loopback[1], &peers) &&
               add(proxies, &peers);
    }
    *ret_valid = weir_peers_parse(text, &peers);
    return *ret_valid && add(proxies, &peers);
}

void weir_trusted_proxies_free(weir_trusted_proxies_t *proxies)
{
    free(proxies->peers);
    *proxies = (weir_trusted_proxies_t){.peers = NULL};
}
