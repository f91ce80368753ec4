/*
 * text.h: text that grows, and names from outside quoted for a message.
 */
#ifndef WEIR_APP_TEXT_H
#define WEIR_APP_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/* Zero it to begin. When memory runs out it lets go of what it held, remembers that, and takes nothing more. */
typedef struct weir_text {
    char *bytes; /* terminated, or NULL while it is empty */
    size_t size;
    size_t capacity;
    bool failed;
} weir_text_t;

/* Append bytes as they are. */
void weir_text_add(weir_text_t *text, const char *bytes, size_t size);

/* Append bytes, spelling out what must not be shown as it is (see observe/escape.h). */
void weir_text_add_escaped(weir_text_t *text, const char *bytes, size_t size);

/* Append as printf does. */
__attribute__((format(printf, 2, 3))) void weir_text_format(weir_text_t *text, const char *format, ...);
__attribute__((format(printf, 2, 0))) void weir_text_format_list(
    weir_text_t *text, const char *format, va_list arguments);

/* Drop what stands behind the first `size` bytes. */
void weir_text_truncate(weir_text_t *text, size_t size);

/* The text, to be freed with free(3), or NULL when memory ran out. `text` is empty afterwards. */
char *weir_text_take(weir_text_t *text);

/* Free what `text` owns, and zero it. */
void weir_text_free(weir_text_t *text);

/* A copy of a string, to be freed with free(3), or NULL when memory ran out. */
char *weir_text_copy(const char *string);

/* Text in double quotes, escaped, and shortened ("…") when it is long. */
typedef struct weir_quote {
    char text[128];
} weir_quote_t;

/* Quote a terminated string for a message: weir_quote(name).text lives until the end of the full expression. */
weir_quote_t weir_quote(const char *string);

/* The same without the quotes. */
weir_quote_t weir_shown(const char *string);

#endif
