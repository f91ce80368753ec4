/*
 * lines.h: reads a text of /proc or /sys piece by piece (lines, or strings that NUL bytes end), however long it is, in
 * constant memory.
 */
#ifndef WEIR_ALLOCATOR_LINES_H
#define WEIR_ALLOCATOR_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WEIR_LINE_BYTES = 8192 };

/* What is being read. The members are this file's own. */
typedef struct weir_lines {
    int descriptor;   /* -1: a text in memory, or nothing left */
    const char *text; /* borrowed */
    size_t text_left;
    uint64_t bytes_left; /* a file may have; more is a failure */
    size_t begin;        /* of what is in the buffer and not yet handed out */
    size_t end;
    char separator;
    bool skipping; /* the rest of a line that was too long */
    bool failed;
    char buffer[WEIR_LINE_BYTES];
} weir_lines_t;

/* One piece, without its separator. It lasts until the next one is asked for. */
typedef struct weir_line {
    const char *text; /* terminated */
    size_t length;
    bool cut; /* it was longer than WEIR_LINE_BYTES - 1: this is its beginning */
} weir_line_t;

/*
 * Open `root` followed by `path`, of which at most `bytes_max` are read. Returns false, with nothing to close, when it
 * cannot be opened. It waits for nobody and allocates nothing.
 */
bool weir_lines_open(weir_lines_t *lines, const char *root, const char *path, char separator, uint64_t bytes_max);

/* Read a text in memory instead, which is borrowed until weir_lines_close. */
void weir_lines_open_text(weir_lines_t *lines, const char *text, size_t length, char separator);

/* The next piece. False at the end and after a failure, which weir_lines_close tells apart. */
bool weir_lines_next(weir_lines_t *lines, weir_line_t *ret_line);

/* End reading. Returns false when reading had failed. */
bool weir_lines_close(weir_lines_t *lines);

#endif
