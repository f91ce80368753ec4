/*
 * write.h: writing text, and JSON, into memory that grows. Where memory runs out nothing more is written, and the text
 * says so. (jansson is no help here: its allocator is the process's, and the thread that reads manifests has it.)
 */
#ifndef WEIR_ADMIN_WRITE_H
#define WEIR_ADMIN_WRITE_H

#include "http/response_head.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Append text as printf(3) has it. */
__attribute__((format(printf, 2, 3))) void weir_write(weir_head_text_t *text, const char *format, ...);

/* Append a text in quotes, as JSON: what is not UTF-8 becomes U+FFFD. */
void weir_write_quoted(weir_head_text_t *text, const char *value);

/* The same as the value of a label in Prometheus' text format, which escapes backslashes, quotes and newlines alone. */
void weir_write_label_value(weir_head_text_t *text, const char *value);

/* A JSON document on its way. Zero it, and set `text`, to begin. */
typedef struct weir_json {
    weir_head_text_t *text;
    bool any; /* the object or array that is open has a member */
} weir_json_t;

/* Open an object ('{') or an array ('['), as a member with this name, or, with NULL, of an array or of nothing; and
 * close what was opened last ('}' or ']'). */
void weir_json_open(weir_json_t *json, const char *name, char bracket);
void weir_json_close(weir_json_t *json, char bracket);

/* A member, or, where `name` is NULL, an element of an array. A text that is NULL, or a number that is none, is null.
 */
void weir_json_string(weir_json_t *json, const char *name, const char *value);
void weir_json_count(weir_json_t *json, const char *name, uint64_t value);
void weir_json_real(weir_json_t *json, const char *name, double value);
void weir_json_bool(weir_json_t *json, const char *name, bool value);
void weir_json_null(weir_json_t *json, const char *name);

#endif
