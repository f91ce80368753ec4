/*
 * text.h: sizes and sentences for people, built in fixed buffers. A text that does not fit is cut, never overrun.
 */
#ifndef WEIR_ALLOCATOR_TEXT_H
#define WEIR_ALLOCATOR_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A size in words. */
typedef struct weir_size_text {
    char text[24];
} weir_size_text_t;

/* "64 MiB", "4.1 TiB", "17 bytes": exact where it is whole, else one decimal. Any thread; "bytes" in the language in
 * use. */
weir_size_text_t weir_size_text(uint64_t bytes);

/*
 * Append to a terminated text in a buffer of `size` bytes, as snprintf does. Returns false when it was cut, which it is
 * between characters of UTF-8.
 * A buffer of size 0 is left alone.
 */
bool weir_text_append(char *buffer, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

/*
 * Copy at most `length` bytes of `from` as one line: runs of white space and control characters become one blank,
 * those at the ends vanish, and so do bytes that are not printable ASCII. `size` is the buffer's and not 0.
 */
void weir_text_one_line(char *buffer, size_t size, const char *from, size_t length);

#endif
