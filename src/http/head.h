/*
 * head.h: the heads of requests, and trailers: parsed, and checked so that no two programs can read them differently.
 * What frames the body is decided here, once. Pure functions; any thread.
 */
#ifndef WEIR_HTTP_HEAD_H
#define WEIR_HTTP_HEAD_H

#include "weir_bridge.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A request's head. The texts are parts of what was parsed. */
typedef struct weir_head {
    size_t size; /* what comes after so many bytes is the body, or the next request */
    weir_bytes_t method;
    weir_bytes_t target;
    unsigned minor;         /* HTTP/1.0 or HTTP/1.1 */
    weir_bytes_t host;      /* the field; size 0 when HTTP/1.0 came without it, or it is empty */
    int64_t content_length; /* of the body; 0: there is none; -1: it comes in chunks */
    bool keeps;             /* the connection may be used again after the response */
    bool expects_continue;
    bool takes_trailers; /* TE: trailers */
    size_t field_count;
} weir_head_t;

typedef enum weir_head_state {
    WEIR_HEAD_WHOLE = 0,
    WEIR_HEAD_PARTIAL = 1,
    WEIR_HEAD_REFUSED = 2,
} weir_head_state_t;

/*
 * Parse a request's head at the start of a text (RFC 9112, sections 2 to 7). Stricter than httparse: lines end in CR
 * LF; Content-Length, Transfer-Encoding and Host come at most once, and not Content-Length with Transfer-Encoding; a
 * length is digits alone; the only coding is chunked, and not in HTTP/1.0; HTTP/1.1 has a Host, and expects nothing
 * but 100-continue.
 *
 * Whole: stores head and fields, for which `ret_fields` has room for WEIR_HEAD_FIELDS_MAX. Partial: more is needed.
 * Refused: stores in `*ret_status` what to answer; where the request ends is not known then.
 */
weir_head_state_t weir_head_parse(
    weir_bytes_t text, weir_head_t *ret_head, weir_pair_t *ret_fields, unsigned *ret_status);

/*
 * What to answer to a head that goes beyond the bound for heads, of which the text is so much as the bound allows: 431,
 * or where not even its first line ends within that 414, and 501 where that has a method alone (RFC 9112, section 3).
 */
unsigned weir_head_status_of_too_long(weir_bytes_t text);

/*
 * Parse the trailers after a chunked body, from the first line to the empty one; the text is all of it. Those that say
 * how a message is framed, routed or allowed are left out (RFC 9110, section 6.5.1). Returns false when they are
 * malformed.
 */
bool weir_trailers_parse(weir_bytes_t text, weir_pair_t *ret_fields, size_t *ret_count);

/* Whether a field with this name, in any case, may be a trailer. */
bool weir_trailer_is_allowed(weir_bytes_t name);

/* Whether two texts are the same but for the case of ASCII letters; `word` is in lower case. */
bool weir_text_is(weir_bytes_t text, const char *word);

/* A text without the blanks (spaces and tabs) at both its ends. */
weir_bytes_t weir_text_trim(weir_bytes_t text);

/* Take what comes before the first separator, and that, off a text, or all of it. Returns what came before, trimmed. */
weir_bytes_t weir_text_split(weir_bytes_t *text, char separator);

/* Whether a list of tokens with commas between them, such as Connection's, has this one, which is in lower case. */
bool weir_list_has(weir_bytes_t list, const char *word);

#endif
