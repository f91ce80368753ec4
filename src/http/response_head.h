/*
 * response_head.h: writes the head of a response, and decides how its body is framed. One thread at a time for a text.
 */
#ifndef WEIR_HTTP_RESPONSE_HEAD_H
#define WEIR_HTTP_RESPONSE_HEAD_H

#include "weir_bridge.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How the end of a body is told. */
typedef enum weir_framing {
    WEIR_FRAMING_NONE = 0,   /* there is no body, whatever the head says of its length */
    WEIR_FRAMING_LENGTH = 1, /* by Content-Length */
    WEIR_FRAMING_CHUNKS = 2,
    WEIR_FRAMING_CLOSE = 3, /* by the connection's end */
} weir_framing_t;

/* What a response's framing depends on. */
typedef struct weir_response_form {
    unsigned status;
    unsigned minor; /* of the request's version */
    bool head_only; /* the request's method is HEAD */
    int64_t length; /* of the body, or -1: it is not known */
    bool keeps;     /* the connection may be used again */
    bool has_date;  /* the fields have one already */
} weir_response_form_t;

/* The interim response that asks for a request's body (RFC 9110, section 15.2.1): all of it. */
extern const weir_bytes_t weir_continue_head;

/* Whether a response with this status has no body (RFC 9110, section 6.4.1). */
bool weir_status_is_bodiless(unsigned status);

/* How its body is framed (RFC 9112, section 6.3). Pure. */
weir_framing_t weir_framing_of(const weir_response_form_t *form);

/* The date in the form of RFC 9110, section 5.6.7, made anew once a second. Zero it to begin. */
typedef struct weir_date {
    int64_t second;
    char text[40]; /* a whole field, with CR LF */
    size_t size;
} weir_date_t;

/* A text that grows. Zero it to begin; its memory is kept when it is emptied. */
typedef struct weir_text {
    char *data; /* own */
    size_t size;
    size_t capacity;
    bool failed; /* memory ran out: it is not complete */
} weir_head_text_t;

/* Append bytes. */
void weir_head_text_add(weir_head_text_t *text, const void *bytes, size_t size);

/* Free what it owns, and zero it. */
void weir_head_text_free(weir_head_text_t *text);

/* Begin with the line of the status. What the text held before stays before it. */
void weir_response_head_begin(weir_head_text_t *text, unsigned status);

/* A field. One whose name or value has a line break or a NUL is left out: it could pass for others. */
void weir_response_head_add(weir_head_text_t *text, weir_pair_t field);

/*
 * What is the server's own to say, and the empty line: Date at the time `now` (seconds since 1970), Content-Length or
 * Transfer-Encoding, Connection.
 */
void weir_response_head_end(weir_head_text_t *text, const weir_response_form_t *form, weir_date_t *date, int64_t now);

enum { WEIR_CHUNK_FRAME_BYTES = 20 };

/* Write the line before a chunk of so many bytes, which is not terminated. Returns its size. */
size_t weir_chunk_begin(char ret_frame[WEIR_CHUNK_FRAME_BYTES], size_t size);

#endif
