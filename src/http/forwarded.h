/*
 * forwarded.h: what proxies say of those for whom they forward a request: Forwarded (RFC 7239), and the fields that
 * came before it, X-Forwarded-For and -Proto. X-Forwarded-Host is not read: many proxies do not set it, and so pass on
 * what a client has made up. Whether a proxy is believed is not decided here. Pure functions; any thread.
 */
#ifndef WEIR_HTTP_FORWARDED_H
#define WEIR_HTTP_FORWARDED_H

#include "http/endpoint.h"

#include <stddef.h>

enum { WEIR_HOPS_MAX = 32 }; /* so many proxies at most are gone back over */

/* What one proxy has said of who connected to it. */
typedef struct weir_hop {
    weir_endpoint_t client; /* not known when it has a name that hides it, or is not said */
    weir_bytes_t scheme;    /* as it stands there; size 0: it is not said */
    weir_bytes_t host;      /* likewise */
} weir_hop_t;

/* The last proxy, the one that has connected to us, first. */
typedef struct weir_hops {
    bool is_there;
    size_t count;
    weir_hop_t hops[WEIR_HOPS_MAX];
} weir_hops_t;

/*
 * Read all fields that are called Forwarded; `fields` are a request's. Returns false when one of them is malformed: it
 * is not certain then where what a proxy has added begins. A value with a backslash in its quotes, which none of these
 * needs, counts as not said.
 */
bool weir_forwarded_parse(const weir_pair_t *fields, size_t count, weir_hops_t *ret_hops);

/*
 * The same of X-Forwarded-For and X-Forwarded-Proto, which have no grammar: an entry that is no address counts as one
 * that is not known. A scheme that is said once goes for all hops; of several, each for one, counted from the last.
 */
void weir_x_forwarded_parse(const weir_pair_t *fields, size_t count, weir_hops_t *ret_hops);

/*
 * Who has sent the request: the walk goes back from `connected`, who has connected to us, over proxies that `trusts`
 * says are to be believed, to the first that is not one, or of whom nothing is known; then it is the proxy before that.
 * What that proxy has said of scheme and host is stored too.
 */
weir_hop_t weir_hops_walk(const weir_hops_t *hops, const weir_endpoint_t *connected,
    bool (*trusts)(const void *context, const weir_endpoint_t *endpoint), const void *context);

#endif
