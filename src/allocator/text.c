/*
 * text.c: sizes and sentences for people, built in fixed buffers.
 */
#include "allocator/text.h"

#include "allocator/translate.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

weir_size_text_t weir_size_text(uint64_t bytes)
{
    static const char *const units[] = {WEIR_TRANSLATABLE("bytes"), "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    weir_size_text_t result;
    unsigned unit = 0;
    uint64_t whole = bytes;
    uint64_t rest = 0;
    while (whole >= 1024) {
        rest |= (whole & 1023) << (10 * unit);
        whole >>= 10;
        unit++;
    }
    if (rest == 0) {
        snprintf(result.text, sizeof result.text, "%" PRIu64 " %s", whole, weir_translate(units[unit]));
    } else {
        double value = (double)bytes / (double)(UINT64_C(1) << (10 * unit));
        snprintf(result.text, sizeof result.text, "%.1f %s", value, units[unit]);
    }
    return result;
}

/* What was cut within a character (UTF-8, RFC 3629) is cut before it. */
static void cut_to_character(char *buffer, size_t size)
{
    size_t end = strnlen(buffer, size);
    size_t start = end;
    while (start > 0 && ((unsigned char)buffer[start - 1] & 0xc0) == 0x80) {
        start--;
    }
    if (start > 0 && (unsigned char)buffer[start - 1] >= 0xc0) {
        start--;
        unsigned char lead = (unsigned char)buffer[start];
        size_t whole = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
        if (start + whole > end) {
            buffer[start] = '\0';
        }
    }
}

bool weir_text_append(char *buffer, size_t size, const char *format, ...)
{
    size_t used = size == 0 ? 0 : strnlen(buffer, size);
    if (used >= size) {
        return false;
    }
    va_list arguments;
    va_start(arguments, format);
    int written = vsnprintf(buffer + used, size - used, format, arguments);
    va_end(arguments);
    if (written >= 0 && (size_t)written < size - used) {
        return true;
    }
    cut_to_character(buffer, size);
    return false;
}

void weir_text_one_line(char *buffer, size_t size, const char *from, size_t length)
{
    size_t used = 0;
    bool blank = false;
    for (size_t i = 0; i < length && from[i] != '\0'; i++) {
        unsigned char byte = (unsigned char)from[i];
        if (byte <= ' ') {
            blank = used > 0;
            continue;
        }
        if (byte >= 127) {
            continue;
        }
        if (used + 1 + (blank ? 1 : 0) >= size) {
            break;
        }
        if (blank) {
            buffer[used++] = ' ';
            blank = false;
        }
        buffer[used++] = (char)byte;
    }
    buffer[used] = '\0';
}
