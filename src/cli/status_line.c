/*
 * status_line.c: one line of the terminal, written over with the next text, or with blanks.
 */
#include "cli/status_line.h"

#include "cli/page.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { TEXT_MAX = 320, WIDTH_USUAL = 80 };

static unsigned shown; /* columns that are not blank */

static unsigned terminal_width(void)
{
    struct winsize window = {.ws_col = 0};
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 1 ? window.ws_col : WIDTH_USUAL;
}

/* Take whole characters off the end. */
static void cut(char *text, unsigned columns)
{
    size_t size = strlen(text);
    while (size > 0 && weir_page_columns(text) > columns) {
        do {
            size--;
        } while (size > 0 && ((unsigned char)text[size] & 0xc0) == 0x80);
        text[size] = '\0';
    }
}

void weir_status_show(const char *format, ...)
{
    char text[TEXT_MAX];
    if (isatty(STDERR_FILENO) != 1) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    cut(text, terminal_width() - 1); /* in the last column some terminals begin another line */
    unsigned columns = weir_page_columns(text);
    unsigned left = shown > columns ? shown - columns : 0;
    fprintf(stderr, "\r%s%*s", text, (int)left, "");
    shown = columns;
}

void weir_status_clear(void)
{
    if (shown > 0) {
        fprintf(stderr, "\r%*s\r", (int)shown, "");
        shown = 0;
    }
}
