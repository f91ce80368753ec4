/*
 * escape.c: decodes UTF-8 strictly and spells out what must not reach a terminal as it is.
 */
#include "observe/escape.h"

#include <stdio.h>
#include <string.h>

size_t weir_utf8_character(const char *bytes, size_t size, uint32_t *ret_code_point)
{
    if (size == 0)
        return 0;
    unsigned char first = (unsigned char)bytes[0];
    size_t length;
    uint32_t code_point;
    uint32_t lowest; /* below it the encoding is overlong */
    if (first < 0x80) {
        *ret_code_point = first;
        return 1;
    } else if (first >= 0xC2 && first <= 0xDF) {
        length = 2, code_point = first & 0x1Fu, lowest = 0x80;
    } else if (first >= 0xE0 && first <= 0xEF) {
        length = 3, code_point = first & 0x0Fu, lowest = 0x800;
    } else if (first >= 0xF0 && first <= 0xF4) {
        length = 4, code_point = first & 0x07u, lowest = 0x10000;
    } else {
        return 0;
    }
    if (size < length)
        return 0;
    for (size_t i = 1; i < length; i++) {
        unsigned char next = (unsigned char)bytes[i];
        if ((next & 0xC0) != 0x80)
            return 0;
        code_point = code_point << 6 | (next & 0x3Fu);
    }
    if (code_point < lowest || code_point > 0x10FFFF || (code_point >= 0xD800 && code_point <= 0xDFFF))
        return 0;
    *ret_code_point = code_point;
    return length;
}

bool weir_utf8_is_valid(const char *text, size_t size)
{
    size_t i = 0;
    while (i < size) {
        uint32_t code_point;
        size_t taken = weir_utf8_character(text + i, size - i, &code_point);
        if (taken == 0)
            return false;
        i += taken;
    }
    return true;
}

/* Control characters (C0, DEL, C1), line and paragraph separators, and everything that reorders text (UAX #9). */
static bool must_be_escaped(uint32_t code_point)
{
    return code_point < 0x20 || (code_point >= 0x7F && code_point < 0xA0) || code_point == 0x061C ||
           code_point == 0x200E || code_point == 0x200F || (code_point >= 0x2028 && code_point <= 0x202E) ||
           (code_point >= 0x2066 && code_point <= 0x2069) || code_point == 0xFEFF;
}

size_t weir_escape_next(const char *bytes, size_t size, char ret_shown[WEIR_ESCAPE_MAX], size_t *ret_shown_size)
{
    uint32_t code_point = 0;
    size_t taken = weir_utf8_character(bytes, size, &code_point);
    char shown[WEIR_ESCAPE_MAX + 1];
    if (taken > 0 && !must_be_escaped(code_point)) {
        memcpy(ret_shown, bytes, taken);
        *ret_shown_size = taken;
        return taken;
    }
    int length;
    if (taken == 0) {
        length = snprintf(shown, sizeof shown, "\\x%02x", (unsigned)(unsigned char)bytes[0]);
        taken = 1;
    } else if (code_point == '\n' || code_point == '\r' || code_point == '\t') {
        length = snprintf(shown, sizeof shown, "\\%c", code_point == '\n' ? 'n' : code_point == '\r' ? 'r' : 't');
    } else if (code_point < 0x80) {
        length = snprintf(shown, sizeof shown, "\\x%02x", (unsigned)code_point);
    } else {
        length = snprintf(shown, sizeof shown, "\\u%04x", (unsigned)(code_point & 0xFFFF));
    }
    memcpy(ret_shown, shown, (size_t)length);
    *ret_shown_size = (size_t)length;
    return taken;
}

/* Whether it stands in a JSON string as it is, whatever comes before and after it. */
static bool is_plain(char c)
{
    return c >= 0x20 && c < 0x7F && c != '"' && c != '\\';
}

size_t weir_escape_json(const char *text, size_t size, char *ret_escaped)
{
    static const char digits[] = "0123456789abcdef";
    char *end = ret_escaped;
    size_t i = 0;
    while (i < size) {
        if (is_plain(text[i])) {
            *end++ = text[i++];
            continue;
        }
        uint32_t code_point = 0xFFFD;
        size_t taken = weir_utf8_character(text + i, size - i, &code_point);
        if (taken > 1 && !must_be_escaped(code_point)) {
            memcpy(end, text + i, taken);
            end += taken;
        } else if (code_point == '"' || code_point == '\\' || code_point == '\n' || code_point == '\r' ||
                   code_point == '\t') {
            *end++ = '\\';
            *end++ = code_point == '\n' ? 'n' : code_point == '\r' ? 'r' : code_point == '\t' ? 't' : (char)code_point;
        } else if (taken == 0) {
            memcpy(end, "\xef\xbf\xbd", 3);
            end += 3;
        } else { /* none of them is above U+FFFF */
            *end++ = '\\';
            *end++ = 'u';
            for (int shift = 12; shift >= 0; shift -= 4)
                *end++ = digits[code_point >> shift & 0xF];
        }
        i += taken == 0 ? 1 : taken;
    }
    return (size_t)(end - ret_escaped);
}
