/*
 * chunked.c: a machine of states that sees each byte of the frames once, and none of the data.
 */
#include "http/chunked.h"

#include <stdlib.h>
#include <string.h>

enum {
    SIZE = 0,   /* of a chunk, in hexadecimal */
    NAME_START, /* of an extension (section 7.1.1), after ";" */
    NAME,
    NAME_END, /* white space behind it */
    VALUE_START,
    VALUE,
    QUOTED,
    ESCAPED,   /* after a backslash in quotes */
    VALUE_END, /* white space, or what else may follow */
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
    return byte == '\r' ? SIZE_LF : byte == ';' ? NAME_START : WRONG;
}

/* RFC 9110, section 5.6.2 */
static bool is_token(char byte)
{
    bool alphanumeric = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9');
    return alphanumeric || (byte != '\0' && strchr("!#$%&'*+-.^_`|~", byte) != NULL);
}

static bool is_space(char byte)
{
    return byte == ' ' || byte == '\t';
}

/* RFC 9110, section 5.6.4: what may stand in quotes, and behind a backslash there. */
static bool is_text(char byte)
{
    return byte == '\t' || (unsigned char)byte >= 0x80 || (byte >= ' ' && byte != 0x7f);
}

/* What may come behind a name or a value that is complete. */
static int end_extension(char byte, int space)
{
    return byte == ';' ? NAME_START : byte == '\r' ? SIZE_LF : is_space(byte) ? space : WRONG;
}

/*
 * The next byte of the extensions. They are skipped, but only such as the grammar has: where a line that holds others
 * ends, in quotes or with white space, programs do not agree.
 */
static int take_extension(weir_chunked_t *chunked, char byte)
{
    if (byte != '\r' && ++chunked->extensions > WEIR_CHUNK_EXTENSIONS_MAX_BYTES) {
        return WRONG;
    }
    switch (chunked->state) {
    case NAME_START:
        return is_token(byte) ? NAME : is_space(byte) ? NAME_START : WRONG;
    case NAME:
    case NAME_END:
        if (chunked->state == NAME && is_token(byte)) {
            return NAME;
        }
        return byte == '=' ? VALUE_START : end_extension(byte, NAME_END);
    case VALUE_START:
        return byte == '"' ? QUOTED : is_token(byte) ? VALUE : is_space(byte) ? VALUE_START : WRONG;
    case QUOTED:
        return byte == '"' ? VALUE_END : byte == '\\' ? ESCAPED : is_text(byte) ? QUOTED : WRONG;
    case ESCAPED:
        return is_text(byte) ? QUOTED : WRONG;
    default:
        if (chunked->state == VALUE && is_token(byte)) {
            return VALUE;
        }
        return end_extension(byte, VALUE_END);
    }
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
    case NAME_START:
    case NAME:
    case NAME_END:
    case VALUE_START:
    case VALUE:
    case QUOTED:
    case ESCAPED:
    case VALUE_END:
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
