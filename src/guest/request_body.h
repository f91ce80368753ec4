/*
 * request_body.h: a request's body that must be known as a whole before the guest starts, because CGI wants its length
 * first and the client sends it in chunks. Bounded for one request and for all of them together.
 */
#ifndef WEIR_GUEST_REQUEST_BODY_H
#define WEIR_GUEST_REQUEST_BODY_H

#include "weir_bridge.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    WEIR_REQUEST_BODY_MAX_BYTES = 16 * 1024 * 1024,
    WEIR_REQUEST_BODIES_MAX_BYTES = 64 * 1024 * 1024, /* over all requests that are being collected or fed */
};

/* Zero it to begin. */
typedef struct weir_request_body {
    char *bytes; /* own */
    size_t size;
    size_t capacity; /* counted against the bound for all */
    size_t fed;      /* how many the guest's call has taken */
} weir_request_body_t;

typedef enum weir_request_body_result {
    WEIR_REQUEST_BODY_TAKEN = 0,
    WEIR_REQUEST_BODY_TOO_LARGE = 1, /* this request is over its bound: 413 */
    WEIR_REQUEST_BODY_NO_ROOM = 2,   /* all together are over theirs, or memory ran out: 503 */
} weir_request_body_result_t;

/* Append bytes, copying them. Except for WEIR_REQUEST_BODY_TAKEN nothing changes. Any thread, one at a time for a body.
 */
weir_request_body_result_t weir_request_body_append(weir_request_body_t *body, weir_bytes_t bytes);

/* The bytes that have not been fed yet. */
weir_bytes_t weir_request_body_rest(const weir_request_body_t *body);

/* Free what a body owns and zero it. */
void weir_request_body_free(weir_request_body_t *body);

#endif
