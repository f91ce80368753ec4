/*
 * toml.h: a TOML document as a tree in which everything knows its place. Private to this room.
 */
#ifndef WEIR_APP_TOML_H
#define WEIR_APP_TOML_H

#include "app/manifest.h"

typedef enum weir_toml_type {
    WEIR_TOML_STRING = 1, /* dates and times too */
    WEIR_TOML_INTEGER,
    WEIR_TOML_FLOAT,
    WEIR_TOML_BOOLEAN,
    WEIR_TOML_ARRAY,
    WEIR_TOML_TABLE,
} weir_toml_type_t;

/* A value. Its strings are terminated UTF-8 and live as long as the document. */
typedef struct weir_toml {
    weir_toml_type_t type;
    const char *key; /* of a table's member, otherwise NULL; without NUL characters */
    size_t key_size;
    weir_place_t key_place; /* of an element: as `place` */
    weir_place_t place;     /* {0, 0} when it is unknown */
    const char *string;     /* for WEIR_TOML_STRING; without NUL characters */
    size_t string_size;
    int64_t integer;
    bool boolean;
    struct weir_toml *children; /* of arrays; and of tables, in the order of the text */
    size_t child_count;
} weir_toml_t;

typedef struct weir_toml_document {
    weir_toml_t root; /* a table */
    char *text;       /* own: the strings stand in it */
} weir_toml_document_t;

/* Whether a message may quote the text. */
typedef enum weir_toml_content {
    WEIR_TOML_OPEN,   /* yes, unless the word "secret" stands in it */
    WEIR_TOML_PRIVATE /* no: it may hold passwords */
} weir_toml_content_t;

/*
 * Parse a text. `path` is for messages and is shown as it is. On success fills `*ret_document`, to be freed with
 * weir_toml_free. On failure returns false and stores a message to be freed with free(3), NULL when memory ran out.
 */
bool weir_toml_parse(const char *path, const char *text, size_t text_size, weir_toml_content_t content,
    weir_toml_document_t *ret_document, char **ret_message);

/* Free what a document owns, and zero it. */
void weir_toml_free(weir_toml_document_t *document);

/* A table's member, or NULL. */
const weir_toml_t *weir_toml_member(const weir_toml_t *table, const char *key);

/* The type for people, with its article: "a string". */
const char *weir_toml_type_name(weir_toml_type_t type);

#endif
