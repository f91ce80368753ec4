/*
 * write.c: printf into a text that grows, and what JSON adds to that.
 */
#include "admin/write.h"

#include "observe/escape.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void weir_write(weir_head_text_t *text, const char *format, ...)
{
    char place[512];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(place, sizeof(place), format, arguments);
    va_end(arguments);
    if (size >= 0 && (size_t)size < sizeof(place)) {
        weir_head_text_add(text, place, (size_t)size);
        return;
    }
    char *longer = NULL;
    va_start(arguments, format);
    size = vasprintf(&longer, format, arguments);
    va_end(arguments);
    if (size < 0) {
        text->failed = true;
        return;
    }
    weir_head_text_add(text, longer, (size_t)size);
    free(longer);
}

/* In quotes; backslashes and quotes are escaped, and by `escape` what is neither. What is not UTF-8 becomes U+FFFD. */
static void write_in_quotes(
    weir_head_text_t *text, const char *value, bool (*escape)(weir_head_text_t *text, uint32_t point))
{
    size_t left = strlen(value);
    weir_head_text_add(text, "\"", 1);
    while (left > 0) {
        uint32_t point = 0;
        size_t size = weir_utf8_character(value, left, &point);
        if (size == 0) {
            weir_head_text_add(text, "\xEF\xBF\xBD", 3);
            size = 1;
        } else if (point == '"' || point == '\\') {
            weir_write(text, "\\%c", (int)point);
        } else if (!escape(text, point)) {
            weir_head_text_add(text, value, size);
        }
        value += size;
        left -= size;
    }
    weir_head_text_add(text, "\"", 1);
}

static bool escape_control(weir_head_text_t *text, uint32_t point)
{
    bool is_control = point < 0x20 || (point >= 0x7F && point < 0xA0);
    if (is_control) {
        weir_write(text, "\\u%04x", (unsigned)point);
    }
    return is_control;
}

static bool escape_newline(weir_head_text_t *text, uint32_t point)
{
    if (point == '\n') {
        weir_head_text_add(text, "\\n", 2);
    }
    return point == '\n';
}

void weir_write_quoted(weir_head_text_t *text, const char *value)
{
    write_in_quotes(text, value, escape_control);
}

void weir_write_label_value(weir_head_text_t *text, const char *value)
{
    write_in_quotes(text, value, escape_newline);
}

/* What comes before a member. */
static void begin(weir_json_t *json, const char *name)
{
    if (json->any) {
        weir_head_text_add(json->text, ",", 1);
    }
    json->any = true;
    if (name != NULL) {
        weir_write_quoted(json->text, name);
        weir_head_text_add(json->text, ":", 1);
    }
}

void weir_json_open(weir_json_t *json, const char *name, char bracket)
{
    begin(json, name);
    weir_head_text_add(json->text, &bracket, 1);
    json->any = false;
}

void weir_json_close(weir_json_t *json, char bracket)
{
    weir_head_text_add(json->text, &bracket, 1);
    json->any = true;
}

void weir_json_string(weir_json_t *json, const char *name, const char *value)
{
    if (value == NULL) {
        weir_json_null(json, name);
        return;
    }
    begin(json, name);
    weir_write_quoted(json->text, value);
}

void weir_json_count(weir_json_t *json, const char *name, uint64_t value)
{
    begin(json, name);
    weir_write(json->text, "%" PRIu64, value);
}

void weir_json_real(weir_json_t *json, const char *name, double value)
{
    if (!isfinite(value)) {
        weir_json_null(json, name);
        return;
    }
    begin(json, name);
    weir_write(json->text, "%.12g", value);
}

void weir_json_bool(weir_json_t *json, const char *name, bool value)
{
    begin(json, name);
    weir_write(json->text, "%s", value ? "true" : "false");
}

void weir_json_null(weir_json_t *json, const char *name)
{
    begin(json, name);
    weir_write(json->text, "null");
}
