/*
 * cgi_request.h: a request as a WAGI guest sees it: arguments and environment, as Spin makes them
 * (crates/trigger-http/src/wagi.rs, crates/http/src/wagi/mod.rs).
 */
#ifndef WEIR_GUEST_CGI_REQUEST_H
#define WEIR_GUEST_CGI_REQUEST_H

#include "guest/guest.h"

#include <stddef.h>
#include <stdint.h>

enum {
    WEIR_CGI_ARGUMENTS_MAX_BYTES = 128 * 1024, /* of all arguments, with the spaces between them */
    WEIR_CGI_CONTENT_LENGTH_MAX = 20,          /* digits of a 64-bit number */
};

/* The arguments and the environment, and the one block of memory that both live in. */
typedef struct weir_cgi_request {
    weir_bytes_t *arguments;
    size_t argument_count;
    weir_pair_t *environment; /* every name once */
    size_t environment_count;
    size_t content_length_index; /* of CONTENT_LENGTH in the environment */
    char *own_block;
} weir_cgi_request_t;

/*
 * Prepare a request for a guest. `argv_template` is the executor's `argv`; ${SCRIPT_NAME} in it becomes the whole path
 * and ${ARGS} the query with "&" as space, in this order; then it is split at every single space, so that arguments
 * can be empty. `content_length` is that of the body without its transfer coding.
 *
 * As in Spin, and on purpose: SERVER_NAME and SERVER_PORT come from the Host header split at its first ":", also for
 * an IPv6 address; without a Host header they are "default_host" and 80; a header whose value is not printable ASCII
 * is "CORRUPT VALUE"; of a repeated header the last one counts.
 * Other than in Spin, and on purpose:
 * - CONTENT_TYPE has the Content-Type header (Spin looks for a header named "content_type", so that it is always
 * empty);
 * - the header Proxy is left out: as HTTP_PROXY it would redirect a guest's own requests (CVE-2016-5385);
 * - headers named spin-* are left out, as for wasi:http guests;
 * - a header written with "_" never replaces the one of the same name with "-" (X_Forwarded_For, X-Forwarded-For).
 *
 * Everything is copied: the result does not depend on `request`, but on the route that matched. On success returns
 * NULL and fills `*ret_cgi`, to be freed with weir_cgi_request_free. On failure returns why (a constant string: a Host
 * header that is not UTF-8, too long arguments, or memory ran out) and leaves `*ret_cgi` untouched. `request->target`
 * must be UTF-8. Any thread.
 */
const char *weir_cgi_request_prepare(const weir_request_t *request, const weir_route_match_t *match,
    const char *argv_template, uint64_t content_length, weir_cgi_request_t *ret_cgi);

/* Put in another CONTENT_LENGTH, when it is known only after the body has been read. */
void weir_cgi_request_set_content_length(weir_cgi_request_t *cgi, uint64_t content_length);

/* Free what `cgi` owns and zero it. */
void weir_cgi_request_free(weir_cgi_request_t *cgi);

/*
 * Decode %XX and make the result UTF-8: each run of bytes that is none becomes U+FFFD, cut as Rust's from_utf8_lossy
 * cuts. `ret_text` must have room for three times `text.size`; returns the size of the result.
 */
size_t weir_percent_decode(weir_bytes_t text, char *ret_text);

#endif
