/*
 * manifest_reader.h: what the parts that read a manifest share: failing with a place, warning, and checking a table
 * against the keys that Spin knows. Private to this room.
 */
#ifndef WEIR_APP_MANIFEST_READER_H
#define WEIR_APP_MANIFEST_READER_H

#include "app/manifest.h"
#include "app/near.h"
#include "app/text.h"
#include "app/toml.h"

/* Bounds, so that a hostile manifest costs little. */
enum {
    WEIR_MANIFEST_BYTES_MAX = 1 << 20,
    WEIR_COMPONENTS_MAX = 1024,
    WEIR_TRIGGERS_MAX = 4096,
    WEIR_ENVIRONMENT_MAX = 1024, /* variables for each component */
};

/* A manifest that is being read. */
typedef struct weir_reader {
    char *path; /* own: escaped, as messages begin */
    weir_manifest_t manifest;
    char *message; /* own: what was wrong, or NULL when memory ran out */
} weir_reader_t;

/* Note what is wrong at `place` (none when its line is 0). Always false. To be called once. */
__attribute__((format(printf, 3, 4))) bool weir_reader_fail(
    weir_reader_t *reader, weir_place_t place, const char *format, ...);

/* Add a warning to the manifest. False when memory ran out. */
__attribute__((format(printf, 3, 4))) bool weir_reader_warn(
    weir_reader_t *reader, weir_place_t place, const char *format, ...);

/* What a value must look like. */
typedef enum weir_shape {
    WEIR_SHAPE_STRING = 1,
    WEIR_SHAPE_BOOLEAN,
    WEIR_SHAPE_TABLE,
    WEIR_SHAPE_TABLE_OF_TABLES,
    WEIR_SHAPE_TABLE_OF_STRINGS,
    WEIR_SHAPE_STRINGS,           /* an array of strings */
    WEIR_SHAPE_STRINGS_OR_TABLES, /* an array of either */
    WEIR_SHAPE_STRING_OR_STRINGS,
    WEIR_SHAPE_STRING_OR_TABLE,
    WEIR_SHAPE_ANY, /* checked by its reader */
} weir_shape_t;

/* What becomes of a value. Empty strings, arrays and tables are let pass by all but WEIR_KEY_REFUSED. */
typedef enum weir_key_use {
    WEIR_KEY_READ = 1,    /* read by its reader */
    WEIR_KEY_IGNORED,     /* for tools; changes nothing that a guest sees */
    WEIR_KEY_WARNED,      /* what it grants is refused to the guest, which says so itself */
    WEIR_KEY_UNSUPPORTED, /* without it a guest would see something else, silently: an error */
    WEIR_KEY_REFUSED,     /* an error even when it is empty */
} weir_key_use_t;

/* A key that a table may have. */
typedef struct weir_key_rule {
    const char *name;
    weir_shape_t shape;
    weir_key_use_t use;
    const char *text; /* READ: what to write instead of another type, or NULL; otherwise: what will be different */
} weir_key_rule_t;

/*
 * Check the members of `table`, in the order of the text, against `rules`. `where` names the table for people:
 * "[component.hello]".
 */
bool weir_reader_check(weir_reader_t *reader, const weir_toml_t *table, const char *where, const weir_key_rule_t *rules,
    size_t rule_count);

/* Fail because `table` lacks `key`; `remedy` says what to add. Always false. */
bool weir_reader_fail_missing(
    weir_reader_t *reader, const weir_toml_t *table, const char *where, const char *key, const char *remedy);

/* Copy a member of `table` that is a string or absent; an absent or empty one leaves `*ret_copy` untouched. */
bool weir_reader_copy(const weir_toml_t *table, const char *key, char **ret_copy);

/*
 * What is wrong with an identifier (Spin's crates/serde/src/id.rs): words of ASCII letters and digits that begin with
 * a letter, each all lower or all upper case, separated by `delimiter` ("-" kebab-case, "_" snake_case). An empty text:
 * nothing.
 */
weir_quote_t weir_identifier_fault(const char *identifier, char delimiter);

/* Fail because the component id `id` is not kebab-case; true when it is. `what` says what it is: "component id". */
bool weir_reader_check_component_id(weir_reader_t *reader, weir_place_t place, const char *what, const char *id);

/* The directory that a file is in, to be freed with free(3): "." for a lone name. NULL when memory ran out. */
char *weir_directory_of(const char *path);

/* ---- The parts (manifest_component.c, manifest_trigger.c) ---------------------------------------------------------
 */

/*
 * Read a component's table into the manifest, whose `components` has room. Its id, which must be a valid one, is
 * copied. `where` names the table for people.
 */
bool weir_reader_add_component(weir_reader_t *reader, const weir_toml_t *table, const char *id, const char *where);

/* Read [component] of the document into the manifest. Leaves room in `components` for `more` further ones. */
bool weir_reader_components(weir_reader_t *reader, const weir_toml_t *root, size_t more);

/* The [[trigger.http]] array of the document, or NULL when it has none. */
const weir_toml_t *weir_reader_http_triggers(const weir_toml_t *root);

/* Read [trigger] into the manifest; components first. */
bool weir_reader_triggers(weir_reader_t *reader, const weir_toml_t *root);

/* Check [application.trigger]. */
bool weir_reader_trigger_settings(weir_reader_t *reader, const weir_toml_t *application);

#endif
