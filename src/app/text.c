/*
 * text.c: growing text with a sticky failure, so that building a message needs one check at its end.
 */
#include "app/text.h"

#include "observe/escape.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What was built so far is of no use any more. */
static bool give_up(weir_text_t *text)
{
    free(text->bytes);
    *text = (weir_text_t){.failed = true};
    return false;
}

/* Make room for `size` more bytes and a terminator. */
static bool reserve(weir_text_t *text, size_t size)
{
    if (text->failed)
        return false;
    if (text->bytes != NULL && text->capacity - text->size > size)
        return true;
    size_t wanted = text->size + size + 1;
    if (wanted < size)
        return give_up(text);
    size_t capacity = text->capacity < 64 ? 64 : text->capacity;
    while (capacity < wanted)
        capacity = capacity > SIZE_MAX / 2 ? wanted : capacity * 2;
    char *bytes = realloc(text->bytes, capacity);
    if (bytes == NULL)
        return give_up(text);
    text->bytes = bytes;
    text->capacity = capacity;
    return true;
}

void weir_text_add(weir_text_t *text, const char *bytes, size_t size)
{
    if (!reserve(text, size))
        return;
    if (size > 0)
        memcpy(text->bytes + text->size, bytes, size);
    text->size += size;
    text->bytes[text->size] = '\0';
}

void weir_text_add_escaped(weir_text_t *text, const char *bytes, size_t size)
{
    weir_text_add(text, "", 0);
    while (size > 0) {
        char shown[WEIR_ESCAPE_MAX];
        size_t shown_size;
        size_t taken = weir_escape_next(bytes, size, shown, &shown_size);
        weir_text_add(text, shown, shown_size);
        bytes += taken;
        size -= taken;
    }
}

void weir_text_format_list(weir_text_t *text, const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    int size = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (size < 0) {
        give_up(text);
        return;
    }
    if (!reserve(text, (size_t)size))
        return;
    vsnprintf(text->bytes + text->size, (size_t)size + 1, format, arguments);
    text->size += (size_t)size;
}

void weir_text_format(weir_text_t *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    weir_text_format_list(text, format, arguments);
    va_end(arguments);
}

void weir_text_truncate(weir_text_t *text, size_t size)
{
    if (text->bytes == NULL || size > text->size)
        return;
    text->size = size;
    text->bytes[size] = '\0';
}

char *weir_text_take(weir_text_t *text)
{
    if (text->bytes == NULL)
        weir_text_add(text, "", 0);
    char *bytes = text->bytes;
    *text = (weir_text_t){0};
    return bytes;
}

void weir_text_free(weir_text_t *text)
{
    free(text->bytes);
    *text = (weir_text_t){0};
}

char *weir_text_copy(const char *string)
{
    size_t size = strlen(string) + 1;
    char *copy = malloc(size);
    if (copy != NULL)
        memcpy(copy, string, size);
    return copy;
}

/* Put the escaped string between `mark` and `mark`, both of which may be empty. */
static weir_quote_t show(const char *string, const char *mark)
{
    static const char ELLIPSIS[] = "\xe2\x80\xa6";
    weir_quote_t quote;
    size_t mark_size = strlen(mark);
    size_t size = mark_size;
    memcpy(quote.text, mark, mark_size);
    size_t left = strlen(string);
    size_t limit = sizeof quote.text - (sizeof ELLIPSIS - 1) - mark_size - 1;
    while (left > 0) {
        char shown[WEIR_ESCAPE_MAX];
        size_t shown_size;
        size_t taken = weir_escape_next(string, left, shown, &shown_size);
        bool quoted = mark_size > 0 && (string[0] == '"' || string[0] == '\\');
        if (size + shown_size + (quoted ? 1 : 0) > limit) {
            memcpy(quote.text + size, ELLIPSIS, sizeof ELLIPSIS - 1);
            size += sizeof ELLIPSIS - 1;
            break;
        }
        if (quoted)
            quote.text[size++] = '\\';
        memcpy(quote.text + size, shown, shown_size);
        size += shown_size;
        string += taken;
        left -= taken;
    }
    memcpy(quote.text + size, mark, mark_size + 1);
    return quote;
}

weir_quote_t weir_quote(const char *string)
{
    return show(string, "\"");
}

weir_quote_t weir_shown(const char *string)
{
    return show(string, "");
}
