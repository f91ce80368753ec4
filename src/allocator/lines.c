/*
 * lines.c: reads a text piece by piece in constant memory.
 */
#include "allocator/lines.h"

#include "allocator/procfs.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static void start(weir_lines_t *lines, char separator)
{
    lines->descriptor = -1;
    lines->text = NULL;
    lines->text_left = 0;
    lines->bytes_left = 0;
    lines->begin = 0;
    lines->end = 0;
    lines->separator = separator;
    lines->skipping = false;
    lines->failed = false;
}

bool weir_lines_open(weir_lines_t *lines, const char *root, const char *path, char separator, uint64_t bytes_max)
{
    start(lines, separator);
    lines->bytes_left = bytes_max;
    lines->descriptor = weir_procfs_open(root, path);
    return lines->descriptor >= 0;
}

void weir_lines_open_text(weir_lines_t *lines, const char *text, size_t length, char separator)
{
    start(lines, separator);
    lines->text = text;
    lines->text_left = length;
}

/* Into the buffer behind `end`: how many bytes; 0 at the end and after a failure. */
static size_t refill(weir_lines_t *lines)
{
    char *to = lines->buffer + lines->end;
    size_t space = sizeof lines->buffer - 1 - lines->end;
    if (lines->text != NULL) {
        size_t count = lines->text_left < space ? lines->text_left : space;
        memcpy(to, lines->text, count);
        lines->text += count;
        lines->text_left -= count;
        return count;
    }
    ssize_t got;
    do {
        got = lines->failed ? 0 : read(lines->descriptor, to, space);
    } while (got < 0 && errno == EINTR);
    if (got < 0 || (uint64_t)got > lines->bytes_left) {
        lines->failed = true;
        return 0;
    }
    lines->bytes_left -= (uint64_t)got;
    return (size_t)got;
}

/* Hand out `length` bytes of the buffer, and go on behind them and `more`. */
static void hand_out(weir_lines_t *lines, size_t length, size_t more, bool cut, weir_line_t *ret_line)
{
    char *text = lines->buffer + lines->begin;
    text[length] = '\0';
    *ret_line = (weir_line_t){text, length, cut};
    lines->begin += length + more;
}

bool weir_lines_next(weir_lines_t *lines, weir_line_t *ret_line)
{
    size_t searched = 0; /* of what is in the buffer: without a separator */
    while (!lines->failed) {
        char *text = lines->buffer + lines->begin;
        size_t there = lines->end - lines->begin;
        char *separator = memchr(text + searched, lines->separator, there - searched);
        if (separator != NULL && lines->skipping) {
            lines->begin += (size_t)(separator - text) + 1;
            lines->skipping = false;
            searched = 0;
            continue;
        }
        if (separator != NULL) {
            hand_out(lines, (size_t)(separator - text), 1, false, ret_line);
            return true;
        }
        if (lines->skipping) {
            lines->begin = lines->end;
            there = 0;
        }
        memmove(lines->buffer, lines->buffer + lines->begin, there);
        lines->begin = 0;
        lines->end = there;
        if (there == sizeof lines->buffer - 1) {
            lines->skipping = true;
            hand_out(lines, there, 0, true, ret_line);
            return true;
        }
        searched = there;
        size_t got = refill(lines);
        lines->end += got;
        if (got == 0) {
            /* The last one may end without a separator. */
            if (lines->failed || there == 0) {
                return false;
            }
            hand_out(lines, there, 0, false, ret_line);
            return true;
        }
    }
    return false;
}

bool weir_lines_close(weir_lines_t *lines)
{
    if (lines->descriptor >= 0) {
        close(lines->descriptor);
        lines->descriptor = -1;
    }
    return !lines->failed;
}
