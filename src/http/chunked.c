/*
 * chunked.c: a machine of states that sees each byte of the frames once, and none of the data.
 */
#include "http/chunked.h"

#include <stdlib.h>
#include <string.h>

enum {
    SIZE = 0, /* of a chunk, in hexadecimal */
    EXTENSION,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER_START, /* of a line: a field, or the end */
    TRAILER,
    TRAILER_LF,
    END_LF,
    ENDED,
    WRONG
};

enum {
    DIGITS_MAX = 16,
    TRAILERS_FIRST_BYTES = 512 /* of the room for them */
};

static int digit_of(char byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    if (byte >= 'a' && byte <= 'f') {
        return byte - 'a' + 10;
    }
    return byte >= 'A' && byte <= 'F' ? byte - 'A' + 10 : -1;
}

static int take_size(weir_chunked_t *chunked, char byte)
{
    int digit = digit_of(byte);
    if (digit >= 0) {
        chunked->left = chunked->left << 4 | (unsigned)digit;
        return ++chunked->digits <= DIGITS_MAX && chunked->left <= INT64_MAX ? SIZE : WRONG;
    }
    if (chunked->digits == 0) {
        return WRONG;
    }
    return byte == '\r' ? SIZE_LF : byte == ';' ? EXTENSION : WRONG;
}

static int take_extension(weir_chunked_t *chunked, char byte)
{
    if (byte == '\r') {
        return SIZE_LF;
    }
    bool allowed = byte == '\t' || (unsigned char)byte >= 0x80 || (byte >= ' ' && byte != 0x7f);
    return allowed && ++chunked->extensions <= WEIR_CHUNK_EXTENSIONS_MAX_BYTES ? EXTENSION : WRONG;
}

static bool keep(weir_chunked_t *chunked, char byte)
{
    size_t size = chunked->trailer_size;
    if (size >= WEIR_TRAILERS_MAX_BYTES) {
        return false;
    }
    /* The room is a power of two, and grows when it is full. */
    if (size == 0 || (size >= TRAILERS_FIRST_BYTES && (size & (size - 1)) == 0)) {
        char *larger = realloc(chunked->trailers, size == 0 ? TRAILERS_FIRST_BYTES : 2 * size);
        if (larger == NULL) {
            return false;
        }
        chunked->trailers = larger;
    }
    chunked->trailers[chunked->trailer_size++] = byte;
    return true;
}

/* The next byte of what comes after the last chunk. */
static int take_trailer(weir_chunked_t *chunked, char byte)
{
    bool ends = chunked->state == TRAILER_START && byte == '\r';
    if (ends && chunked->trailer_size == 0) {
        return END_LF;
    }
    if (!keep(chunked, byte)) {
        return WRONG;
    }
    switch (chunked->state) {
    case TRAILER_START:
        return ends ? END_LF : byte == '\n' ? WRONG : TRAILER;
    case TRAILER:
        return byte == '\r' ? TRAILER_LF : byte == '\n' ? WRONG : TRAILER;
    default:
        return byte == '\n' ? TRAILER_START : WRONG;
    }
}

/* The next byte, which is none of the data. */
static int take(weir_chunked_t *chunked, char byte)
{
    switch (chunked->state) {
    case SIZE:
        return take_size(chunked, byte);
    case EXTENSION:
        return take_extension(chunked, byte);
    case SIZE_LF:
        chunked->digits = 0;
        return byte != '\n' ? WRONG : chunked->left > 0 ? DATA : TRAILER_START;
    case DATA_CR:
        return byte == '\r' ? DATA_LF : WRONG;
    case DATA_LF:
        return byte == '\n' ? SIZE : WRONG;
    case TRAILER_START:
    case TRAILER:
    case TRAILER_LF:
        return take_trailer(chunked, byte);
    case END_LF:
        if (byte != '\n' || (chunked->trailer_size > 0 && !keep(chunked, byte))) {
            return WRONG;
        }
        return ENDED;
    default:
        return WRONG;
    }
}

weir_chunked_state_t weir_chunked_next(
    weir_chunked_t *chunked, const char *piece, size_t size, size_t *ret_taken, size_t *ret_data)
{
    size_t at = 0;
    *ret_data = 0;
    while (at < size && chunked->state != DATA && chunked->state != ENDED && chunked->state != WRONG) {
        chunked->state = take(chunked, piece[at]);
        at++;
    }
    *ret_taken = at;
    switch (chunked->state) {
    case DATA:
        if (at == size) {
            return WEIR_CHUNKED_MORE;
        }
        *ret_data = chunked->left < size - at ? (size_t)chunked->left : size - at;
        return WEIR_CHUNKED_DATA;
    case ENDED:
        return WEIR_CHUNKED_ENDED;
    case WRONG:
        return WEIR_CHUNKED_WRONG;
    default:
        return WEIR_CHUNKED_MORE;
    }
}

void weir_chunked_take(weir_chunked_t *chunked, size_t used)
{
    chunked->left -= used;
    if (chunked->left == 0) {
        chunked->state = DATA_CR;
    }
}

weir_bytes_t weir_chunked_trailers(const weir_chunked_t *chunked)
{
    return (weir_bytes_t){chunked->trailers, chunked->trailer_size};
}

void weir_chunked_free(weir_chunked_t *chunked)
{
    free(chunked->trailers);
    *chunked = (weir_chunked_t){.state = SIZE};
}
