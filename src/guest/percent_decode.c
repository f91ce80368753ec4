/*
 * percent_decode.c: the decoding behind PATH_TRANSLATED, to the byte as Rust's
 * percent_decode_str(..).decode_utf8_lossy().
 */
#include "guest/cgi_request.h"

#include <stdbool.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* A "%" that is not followed by two hexadecimal digits stays. */
static size_t decode(weir_bytes_t text, unsigned char *ret_bytes)
{
    size_t size = 0;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (c == '%' && text.size - i > 2) {
            int high = hex_digit(text.data[i + 1]);
            int low = hex_digit(text.data[i + 2]);
            if (high >= 0 && low >= 0) {
                c = (char)(unsigned char)(high * 16 + low);
                i += 2;
            }
        }
        ret_bytes[size++] = (unsigned char)c;
    }
    return size;
}

/*
 * The size of the character that `bytes` begins with, or of the longest beginning of one, which is at least 1 byte
 * (Unicode 15, section 3.9, "maximal subpart").
 */
static size_t character(const unsigned char *bytes, size_t size, bool *ret_whole)
{
    unsigned char first = bytes[0];
    unsigned char lowest = 0x80;
    unsigned char highest = 0xbf;
    size_t wanted = 1;
    *ret_whole = true;
    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first <= 0xdf) {
        wanted = 2;
    } else if (first >= 0xe0 && first <= 0xef) {
        wanted = 3;
        lowest = first == 0xe0 ? 0xa0 : 0x80;
        highest = first == 0xed ? 0x9f : 0xbf;
    } else if (first >= 0xf0 && first <= 0xf4) {
        wanted = 4;
        lowest = first == 0xf0 ? 0x90 : 0x80;
        highest = first == 0xf4 ? 0x8f : 0xbf;
    }
    size_t found = 1;
    while (found < wanted && found < size && bytes[found] >= lowest && bytes[found] <= highest) {
        found++;
        lowest = 0x80;
        highest = 0xbf;
    }
    *ret_whole = wanted > 1 && found == wanted;
    return found;
}

size_t weir_percent_decode(weir_bytes_t text, char *ret_text)
{
    /* Decoded into the last third of the room and then written from its start: what is written never overtakes. */
    unsigned char *decoded = (unsigned char *)ret_text + 2 * text.size;
    size_t decoded_size = decode(text, decoded);
    size_t size = 0;
    for (size_t i = 0; i < decoded_size;) {
        bool whole;
        size_t taken = character(decoded + i, decoded_size - i, &whole);
        if (whole) {
            for (size_t k = 0; k < taken; k++)
                ret_text[size++] = (char)decoded[i + k];
        } else {
            ret_text[size++] = (char)0xef;
            ret_text[size++] = (char)0xbf;
            ret_text[size++] = (char)0xbd;
        }
        i += taken;
    }
    return size;
}
