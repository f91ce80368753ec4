/*
 * target.h: what a request line and a Host header say, checked before anything else looks at them. Pure functions.
 */
#ifndef WEIR_SERVE_TARGET_H
#define WEIR_SERVE_TARGET_H

#include "weir_bridge.h"

#include <stdbool.h>
#include <stddef.h>

/* A request's target (RFC 9112, section 3.2) in its parts; they point into what was parsed. */
typedef struct weir_target {
    weir_bytes_t authority; /* of an absolute-form target; size 0 otherwise */
    weir_bytes_t target;    /* path and query; begins with "/" */
    weir_bytes_t path;
    weir_bytes_t query; /* without "?"; size 0 when there is none */
    bool secure;        /* absolute form, of https */
    bool asterisk;      /* it is "*": the server as a whole; path and query are empty */
} weir_target_t;

/*
 * Parse a target in origin form ("/a?b"), absolute form ("http://host/a?b") or asterisk form ("*"). Returns 0 and fills
 * `*ret_target`, or the status to answer with, leaving it untouched: 400 for everything that is no target.
 */
unsigned weir_target_parse(const char *text, size_t size, weir_target_t *ret_target);

/*
 * Whether the text is an authority as a Host header may hold it: a name or an address, with or without a port, and no
 * user information; not empty.
 */
bool weir_authority_is_valid(weir_bytes_t authority);

/* Whether two authorities are the same; the case of letters is ignored. */
bool weir_authority_equals(weir_bytes_t left, weir_bytes_t right);

/* Whether an authority is one of the names that Spin keeps for chaining services, "<component>.spin.internal[:port]",
 * with or without a dot behind the name. */
bool weir_authority_is_internal(weir_bytes_t authority);

#endif
