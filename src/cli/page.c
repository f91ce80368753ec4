/*
 * page.c: lays out text for a person.
 */
#include "cli/page.h"

#include "observe/escape.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { WIDTH_LEAST = 60, WIDTH_USUAL = 80, WIDTH_MOST = 100 };

void weir_page_init(weir_page_t *page)
{
    const char *no_color = getenv("NO_COLOR"); /* no-color.org: only when it is not empty */
    const char *term = getenv("TERM");
    struct winsize window = {.ws_col = 0};
    bool terminal = isatty(STDOUT_FILENO) == 1;
    unsigned width =
        terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 0 ? window.ws_col : WIDTH_USUAL;
    width = width < WIDTH_LEAST ? WIDTH_LEAST : width;
    page->stream = stdout;
    page->width = width > WIDTH_MOST ? WIDTH_MOST : width;
    page->colour = terminal && (no_color == NULL || no_color[0] == '\0') && (term == NULL || strcmp(term, "dumb") != 0);
}

static void switch_on(const weir_page_t *page, weir_ink_t ink)
{
    static const char *const codes[] = {
        [WEIR_INK_PLAIN] = "",
        [WEIR_INK_BOLD] = "\x1b[1m",
        [WEIR_INK_GOOD] = "\x1b[32m",
        [WEIR_INK_WARNING] = "\x1b[33m",
        [WEIR_INK_BAD] = "\x1b[31m",
    };
    if (page->colour) {
        fputs(codes[ink], page->stream);
    }
}

static void switch_off(const weir_page_t *page, weir_ink_t ink)
{
    if (page->colour && ink != WEIR_INK_PLAIN) {
        fputs("\x1b[0m", page->stream);
    }
}

/* ---- Width ------------------------------------------------------------------------------------------------------- */

/* East Asian wide and full-width characters (UAX #11), as far as the catalogues have them. */
static bool is_wide(uint32_t code_point)
{
    return (code_point >= 0x1100 && code_point <= 0x115f) || (code_point >= 0x2e80 && code_point <= 0xa4cf) ||
           (code_point >= 0xac00 && code_point <= 0xd7a3) || (code_point >= 0xf900 && code_point <= 0xfaff) ||
           (code_point >= 0xfe30 && code_point <= 0xfe6f) || (code_point >= 0xff01 && code_point <= 0xff60) ||
           (code_point >= 0xffe0 && code_point <= 0xffe6) || (code_point >= 0x20000 && code_point <= 0x3fffd);
}

/* The character at `text`, which is not its end, and its size; what is no UTF-8 is taken byte by byte. */
static size_t take(const char *text, uint32_t *ret_code_point)
{
    size_t size = weir_utf8_character(text, strnlen(text, 4), ret_code_point);
    if (size == 0) {
        *ret_code_point = 0xfffd;
        return 1;
    }
    return size;
}

unsigned weir_page_columns(const char *text)
{
    unsigned columns = 0;
    while (*text != '\0') {
        uint32_t code_point;
        text += take(text, &code_point);
        columns += is_wide(code_point) ? 2 : 1;
    }
    return columns;
}

void weir_page_pad(char *buffer, size_t size, unsigned columns)
{
    size_t end = strlen(buffer);
    for (unsigned at = weir_page_columns(buffer); at < columns && end + 1 < size; at++) {
        buffer[end++] = ' ';
        buffer[end] = '\0';
    }
}

/* ---- Lines ------------------------------------------------------------------------------------------------------- */

/* No line begins with one of these, */
static bool ends_words(uint32_t code_point)
{
    static const uint32_t characters[] = {
        0x3001, 0x3002, 0xff0c, 0xff1b, 0xff1a, 0xff09, 0x300d, 0x300f, 0x201d, 0xff01};
    for (size_t i = 0; i < sizeof characters / sizeof characters[0]; i++) {
        if (characters[i] == code_point) {
            return true;
        }
    }
    return false;
}

/* and none ends with one of these. */
static bool begins_words(uint32_t code_point)
{
    return code_point == 0xff08 || code_point == 0x300c || code_point == 0x300e || code_point == 0x201c;
}

/* Whether a blank stands between a number and its unit. */
static bool is_before_unit(const char *blank, uint32_t before)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "bytes", "us", "ms", "s", "bits"};
    for (size_t i = 0; before >= '0' && before <= '9' && i < sizeof units / sizeof units[0]; i++) {
        size_t size = strlen(units[i]);
        if (strncmp(blank + 1, units[i], size) == 0 && isalpha((unsigned char)blank[1 + size]) == 0) {
            return true;
        }
    }
    return false;
}

/* Where a line that begins at `text` ends when it has so many columns, and where the next begins. */
static const char *find_line_end(const char *text, unsigned columns, const char **ret_next)
{
    const char *end = NULL; /* the last place where it may end */
    const char *next = NULL;
    unsigned used = 0;
    bool quoted = false;
    uint32_t before = ' ';
    for (const char *at = text;;) {
        if (*at == '\0' || *at == '\n') {
            *ret_next = *at == '\n' ? at + 1 : at;
            return at;
        }
        uint32_t code_point;
        size_t size = take(at, &code_point);
        bool was_quoted = quoted;
        if (code_point == '\'') {
            /* What is no opening quote is a closing one, or an apostrophe. */
            quoted = !quoted && (before == ' ' || before == '(' || before >= 0x2e80);
        }
        bool between = at > text && !was_quoted && (is_wide(code_point) || is_wide(before)) &&
                       !ends_words(code_point) && !begins_words(before) && before != ' ' && code_point != ' ';
        if (!quoted && code_point == ' ' && !is_before_unit(at, before)) {
            end = at;
            next = at + 1;
        } else if (between && used <= columns) {
            end = at;
            next = at;
        }
        used += is_wide(code_point) ? 2 : 1;
        if (used > columns && end != NULL && code_point != ' ') {
            *ret_next = next;
            return end;
        }
        before = code_point;
        at += size;
    }
}

void weir_page_heading(const weir_page_t *page, const char *text)
{
    fputc('\n', page->stream);
    switch_on(page, WEIR_INK_BOLD);
    fputs(text, page->stream);
    switch_off(page, WEIR_INK_BOLD);
    fputc('\n', page->stream);
}

void weir_page_text(const weir_page_t *page, unsigned indent, const char *lead, weir_ink_t ink, const char *text)
{
    unsigned room = page->width > indent + 20 ? page->width - indent : 20;
    const char *next;
    switch_on(page, ink);
    fputs(lead, page->stream);
    for (unsigned at = weir_page_columns(lead); at < indent; at++) {
        fputc(' ', page->stream);
    }
    for (bool first = true; first || *text != '\0'; first = false) {
        if (!first) {
            fprintf(page->stream, "%*s", (int)indent, "");
        }
        const char *end = find_line_end(text, room, &next);
        fwrite(text, 1, (size_t)(end - text), page->stream);
        if (*next == '\0') {
            switch_off(page, ink);
        }
        fputc('\n', page->stream);
        text = next;
    }
}
