/*
 * cgi_response.h: the CGI document that a WAGI guest writes to its standard output: a head, an empty line, a body. The
 * head is taken byte by byte as it comes and understood as Spin does (crates/http/src/wagi/mod.rs, compose_response).
 */
#ifndef WEIR_GUEST_CGI_RESPONSE_H
#define WEIR_GUEST_CGI_RESPONSE_H

#include "weir_bridge.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    WEIR_CGI_HEAD_MAX_BYTES = 64 * 1024, /* with every CR and the empty line */
    WEIR_CGI_HEAD_MAX_HEADERS = 256,
    WEIR_CGI_HEAD_INLINE_BYTES = 512,
    WEIR_CGI_HEAD_INLINE_HEADERS = 12,
};

/* What Spin answers, with status 500, to a head that has none of the three headers of which CGI wants one. */
#define WEIR_CGI_INSUFFICIENT_TEXT "Exactly one of 'location' or 'content-type' must be specified"

typedef enum weir_cgi_progress {
    WEIR_CGI_MORE = 0,     /* all bytes were taken, and the head is not complete */
    WEIR_CGI_COMPLETE = 1, /* the head is complete; the bytes not taken are the body's first */
    WEIR_CGI_TOO_LONG = 2, /* the head is longer than weir takes */
    WEIR_CGI_NO_MEMORY = 3,
} weir_cgi_progress_t;

typedef enum weir_cgi_verdict {
    WEIR_CGI_GOOD = 0,         /* status, headers and length are there */
    WEIR_CGI_INSUFFICIENT = 1, /* no Content-Type, Status or Location */
    WEIR_CGI_NOT_UTF8 = 2,
    WEIR_CGI_BAD_LENGTH = 3, /* the Content-Length is no number, or there are two that differ */
    WEIR_CGI_TOO_MANY = 4,   /* more headers than weir takes */
    WEIR_CGI_OUT_OF_MEMORY = 5,
    WEIR_CGI_BAD_VALUE = 6, /* a header with a control character in its value */
} weir_cgi_verdict_t;

/* The parser and, after weir_cgi_response_understand, what it found. Its pointers are its own: it must not be moved. */
typedef struct weir_cgi_response {
    char *text; /* own unless it is inline_text: the head without CRs */
    size_t size;
    size_t capacity;
    size_t seen; /* bytes of the guest's output so far, up to the end of the head */
    bool complete;

    uint16_t status;        /* 200 by default, 302 with a Location alone, 502 when the guest's own is no status */
    bool bad_status;        /* the last */
    int64_t content_length; /* or -1 */
    weir_pair_t *headers;   /* own unless it is inline_headers; names in lower case, each once, without Status,
                               Content-Length and those of the connection */
    size_t header_count;
    size_t skipped_lines;   /* without a ":" */
    size_t dropped_headers; /* with a name that HTTP does not allow */

    char inline_text[WEIR_CGI_HEAD_INLINE_BYTES];
    weir_pair_t inline_headers[WEIR_CGI_HEAD_INLINE_HEADERS];
} weir_cgi_response_t;

/* Make a parser ready. Nothing to free until the first weir_cgi_response_feed. */
void weir_cgi_response_init(weir_cgi_response_t *response);

/*
 * Take bytes of the guest's output until the head is complete: up to and with the first LF that follows an LF, where
 * CRs do not count. Stores how many were taken.
 */
weir_cgi_progress_t weir_cgi_response_feed(weir_cgi_response_t *response, weir_bytes_t bytes, size_t *ret_taken);

/*
 * Understand a complete head. As in Spin: lines without ":" are skipped; of a repeated header the last one counts;
 * an explicit Status wins over the 302 of Location; a Status of which the first word is no status is 502; a header with
 * an invalid name is left out, and one with a control character in its value fails the request, unless a later one of
 * just its name takes its place. Other than in Spin: of "A: 1" and "a: 2" the last one counts (in Spin it is left to
 * chance).
 */
weir_cgi_verdict_t weir_cgi_response_understand(weir_cgi_response_t *response);

/* Free what the parser owns. */
void weir_cgi_response_free(weir_cgi_response_t *response);

#endif
