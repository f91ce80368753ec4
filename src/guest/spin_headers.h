/*
 * spin_headers.h: the headers that a wasi:http guest sees: the client's, and those that Spin adds to them
 * (crates/trigger-http/src/headers.rs).
 */
#ifndef WEIR_GUEST_SPIN_HEADERS_H
#define WEIR_GUEST_SPIN_HEADERS_H

#include "guest/guest.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    WEIR_SPIN_HEADER_COUNT = 7, /* without those of a route's parameters */
    WEIR_SPIN_HEADERS_INLINE = 40,
    WEIR_SPIN_HEADERS_INLINE_TEXT = 512,
};

/* Headers for a call. The names and values belong to the request, the route or this structure; it must not be moved. */
typedef struct weir_spin_headers {
    weir_pair_t *pairs; /* own unless it is inline_pairs */
    size_t count;
    char *text; /* own unless it is inline_text */
    weir_pair_t inline_pairs[WEIR_SPIN_HEADERS_INLINE];
    char inline_text[WEIR_SPIN_HEADERS_INLINE_TEXT];
} weir_spin_headers_t;

/*
 * The value of spin-full-url and X_FULL_URL: "{scheme}://{Host header or localhost}{target}". Its size is at most
 * weir_full_url_size; returns what was really written.
 */
size_t weir_full_url_size(const weir_request_t *request);
size_t weir_full_url_write(const weir_request_t *request, char *ret_text);

/*
 * Put together the headers of a request: the client's in their order, without those of the connection, those named
 * spin-* or spin_* (a guest must be able to trust them) and those that are no HTTP; then Spin's seven, and one for
 * each parameter of the route. On success
 * returns NULL and fills `ret_headers`, to be freed with weir_spin_headers_free and used no longer than `request` and
 * `match`. On failure returns why (a constant string: a value that is not UTF-8, or memory ran out) and leaves nothing
 * to free.
 */
const char *weir_spin_headers_prepare(
    const weir_request_t *request, const weir_route_match_t *match, weir_spin_headers_t *ret_headers);

/* Free what `headers` owns. */
void weir_spin_headers_free(weir_spin_headers_t *headers);

#endif
