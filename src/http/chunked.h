/*
 * chunked.h: takes a body apart that comes in chunks (RFC 9112, section 7.1), as it comes: any piece of it may end
 * anywhere. Strict and bounded: no sender may make it hold, or skip, more than is stated here.
 */
#ifndef WEIR_HTTP_CHUNKED_H
#define WEIR_HTTP_CHUNKED_H

#include "weir_bridge.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    WEIR_CHUNK_EXTENSIONS_MAX_BYTES = 16 * 1024, /* of one body together; they are skipped */
    WEIR_TRAILERS_MAX_BYTES = 8 * 1024,
};

/* Where in a body the decoder is. Zero it to begin. */
typedef struct weir_chunked {
    int state; /* private, as is the rest */
    unsigned digits;
    uint64_t left;
    size_t extensions;
    char *trailers; /* own: the lines after the last chunk */
    size_t trailer_size;
} weir_chunked_t;

typedef enum weir_chunked_state {
    WEIR_CHUNKED_MORE = 0,  /* all of the piece was taken */
    WEIR_CHUNKED_DATA = 1,  /* bytes of the body come next */
    WEIR_CHUNKED_ENDED = 2, /* the body is complete: what is left of the piece comes after it */
    WEIR_CHUNKED_WRONG = 3, /* that is no chunked body, or it goes beyond the bounds: nothing after it can be read */
} weir_chunked_state_t;

/*
 * Take apart the next piece. Returns at the first bytes of the body, with `*ret_taken` bytes of the piece before them,
 * and how many of them follow at once in `*ret_data` (0 unless WEIR_CHUNKED_DATA): of these say with weir_chunked_take
 * how many were used, before the next call.
 */
weir_chunked_state_t weir_chunked_next(
    weir_chunked_t *chunked, const char *piece, size_t size, size_t *ret_taken, size_t *ret_data);
void weir_chunked_take(weir_chunked_t *chunked, size_t used);

/* The lines after the last chunk, with the empty one, for weir_trailers_parse; size 0 when there are none. */
weir_bytes_t weir_chunked_trailers(const weir_chunked_t *chunked);

/* Free what it owns, and zero it. */
void weir_chunked_free(weir_chunked_t *chunked);

#endif
