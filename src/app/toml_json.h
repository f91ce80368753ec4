/*
 * toml_json.h: reads the JSON into which the bridge turns TOML, and that of people. Private to this room.
 *
 * It is not jansson that reads it: version 2.14's lexer ignores that its buffer could not grow and then reads and
 * writes beyond it, and this text is read where memory may be limited on purpose. Strings stay in the text, unescaped
 * in place.
 */
#ifndef WEIR_APP_TOML_JSON_H
#define WEIR_APP_TOML_JSON_H

#include "app/toml.h"

/* Where the value at a JSON pointer stands. */
typedef struct weir_json_position {
    const char *pointer;
    size_t pointer_size;
    weir_place_t key_place;
    weir_place_t place;
} weir_json_position_t;

typedef struct weir_json {
    weir_toml_t document;            /* without places */
    weir_json_position_t *positions; /* sorted by pointer */
    size_t position_count;
} weir_json_t;

typedef enum weir_json_result {
    WEIR_JSON_OK = 0,
    WEIR_JSON_OUT_OF_MEMORY,
    WEIR_JSON_MALFORMED, /* not what weir_toml_to_json promises */
} weir_json_result_t;

/*
 * Read a terminated text, which is changed and must outlive what comes of it. On WEIR_JSON_OK fills `*ret_json`, to be
 * freed with weir_json_free; any other result leaves it untouched.
 */
weir_json_result_t weir_json_read(char *text, weir_json_t *ret_json);

/*
 * Read any JSON value from a terminated text, which is changed and must outlive the value. On WEIR_JSON_OK fills
 * `*ret_value`, whose children are to be freed with weir_json_free_children; any other result leaves it untouched.
 * WEIR_JSON_MALFORMED stores where in `*ret_place`.
 */
weir_json_result_t weir_json_read_document(char *text, weir_toml_t *ret_value, weir_place_t *ret_place);

/* The position of a pointer, or NULL. */
const weir_json_position_t *weir_json_find(const weir_json_t *json, const char *pointer, size_t pointer_size);

/* Free what `json` owns, and zero it. */
void weir_json_free(weir_json_t *json);

/* Free the children of a value, and theirs. */
void weir_json_free_children(weir_toml_t *value);

#endif
