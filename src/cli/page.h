/*
 * page.h: text for a person on standard output: wrapped to the terminal's width, in columns, with colours on a terminal
 * and without NO_COLOR. Text is UTF-8; Chinese characters are two columns wide, and lines may end between them.
 */
#ifndef WEIR_CLI_PAGE_H
#define WEIR_CLI_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

typedef enum weir_ink {
    WEIR_INK_PLAIN,
    WEIR_INK_BOLD,
    WEIR_INK_GOOD,
    WEIR_INK_WARNING,
    WEIR_INK_BAD,
} weir_ink_t;

typedef struct weir_page {
    FILE *stream;
    unsigned width; /* in columns */
    bool colour;
} weir_page_t;

/* A page on standard output: as wide as the terminal, from 60 to 100 columns; 80 when it is none. */
void weir_page_init(weir_page_t *page);

/* An empty line and a heading. */
void weir_page_heading(const weir_page_t *page, const char *text);

/*
 * Wrapped text: its first line after `lead` (which may be ""), in `ink`, the others `indent` columns in. What stands
 * between single quotes, such as a command, is kept on one line.
 */
void weir_page_text(const weir_page_t *page, unsigned indent, const char *lead, weir_ink_t ink, const char *text);

/* Columns that a text takes. */
unsigned weir_page_columns(const char *text);

/* Append blanks to a terminated text in a buffer of `size` bytes until it takes so many columns. */
void weir_page_pad(char *buffer, size_t size, unsigned columns);

#endif
