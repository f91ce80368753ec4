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
    WEIR_VARIABLES_MAX = 1024,   /* of the application, and of each component */
    WEIR_TEXTS_MAX = 1024,       /* in each array of texts, or of files */
    WEIR_STATIC_HEADERS_MAX = 64,
    WEIR_STATIC_HEAD_BYTES_MAX = 8192, /* names and values of a static response's headers */
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
    WEIR_SHAPE_SECRET, /* a string that no message shows */
    WEIR_SHAPE_INTEGER,
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

/* Check one member against the rule for its key. */
bool weir_reader_check_member(
    weir_reader_t *reader, const weir_toml_t *member, const char *where, const weir_key_rule_t *rule);

/* Check the table `key` within the one that `where` names: "\"build\" of [component.hello]". */
bool weir_reader_check_inner(weir_reader_t *reader, const weir_toml_t *table, const char *where, const char *key,
    const weir_key_rule_t *rules, size_t rule_count);

/* Fail when `value`, the member `key`, has more than `most` elements. */
bool weir_reader_check_count(
    weir_reader_t *reader, const weir_toml_t *value, const char *where, const char *key, size_t most);

/* Fail because `table` lacks `key`; `remedy` says what to add. Always false. */
bool weir_reader_fail_missing(
    weir_reader_t *reader, const weir_toml_t *table, const char *where, const char *key, const char *remedy);

/* Copy a member of `table` that is a string or absent; an absent or empty one leaves `*ret_copy` untouched. */
bool weir_reader_copy(const weir_toml_t *table, const char *key, char **ret_copy);

/*
 * Copy the strings of an array, which has been checked, with their places. What was copied before memory ran out is
 * counted, and the manifest's to free.
 */
bool weir_reader_copy_texts(const weir_toml_t *array, weir_placed_text_t **ret_texts, size_t *ret_count);

/*
 * What is wrong with an identifier (Spin's crates/serde/src/id.rs): words of ASCII letters and digits that begin with
 * a letter, each all lower or all upper case (`lower`: none upper), separated by `delimiter` ("-" kebab-case, "_"
 * snake_case). An empty text: nothing.
 */
weir_quote_t weir_identifier_fault(const char *identifier, char delimiter, bool lower);

/* Fail because the component id `id` is not kebab-case; true when it is. `what` says what it is: "component id". */
bool weir_reader_check_component_id(weir_reader_t *reader, weir_place_t place, const char *what, const char *id);

/* Fail because the name of a variable is not in lower-case snake_case; true when it is. */
bool weir_reader_check_variable_name(weir_reader_t *reader, const weir_toml_t *variable, const char *where);

/*
 * What the author of an identifier most probably meant: lower case, separated by `delimiter`. An empty text: no idea.
 */
weir_quote_t weir_identifier_proposal(const char *identifier, char delimiter);

/* The directory that a file is in, to be freed with free(3): "." for a lone name. NULL when memory ran out. */
char *weir_directory_of(const char *path);

/* ---- The parts ---------------------------------------------------------------------------------------------------
 */

/* Check that the document is of version 2, before anything else in it. */
bool weir_reader_check_version(weir_reader_t *reader, const weir_toml_t *root);

/* Read [variables] of the document. */
bool weir_reader_variables(weir_reader_t *reader, const weir_toml_t *root);

/* Read "variables" of a component. */
bool weir_reader_component_variables(
    weir_reader_t *reader, const weir_toml_t *table, const char *where, weir_component_t *component);

/* Read "files" and "exclude_files" of a component. */
bool weir_reader_files(weir_reader_t *reader, const weir_toml_t *table, const char *where, weir_component_t *component);

/* Read "allowed_outbound_hosts" and "allowed_http_hosts" of a component. */
bool weir_reader_hosts(weir_reader_t *reader, const weir_toml_t *table, const char *where, weir_component_t *component);

/* Read "source" of a component. */
bool weir_reader_source(
    weir_reader_t *reader, const weir_toml_t *table, const char *where, weir_component_t *component);

/* Read "build" of a component, and check what else is for tools. */
bool weir_reader_build(weir_reader_t *reader, const weir_toml_t *table, const char *where, weir_component_t *component);

/*
 * Read the limits in "tool.weir" of a component, or of the application, into `*ret_limits`, which is zeroed; other
 * tools' tables are left alone.
 */
bool weir_reader_limits(
    weir_reader_t *reader, const weir_toml_t *table, const char *where, bool of_component, weir_limits_t *ret_limits);

/* Check an array of target environments. */
bool weir_reader_check_targets(weir_reader_t *reader, const weir_toml_t *table, const char *where);

/* Read "static_response" of a trigger. */
bool weir_reader_static_response(weir_reader_t *reader, const weir_toml_t *table, weir_http_trigger_t *trigger);

/*
 * Read a component's table into the manifest, whose `components` has room. Its id, which must be a valid one, is
 * copied. `where` names the table for people.
 */
bool weir_reader_add_component(weir_reader_t *reader, const weir_toml_t *table, const char *id, const char *where);

/* Read [component] of the document into the manifest. Leaves room in `components` for `more` further ones. */
bool weir_reader_components(weir_reader_t *reader, const weir_toml_t *root, size_t more);

/* The [[trigger.http]] array of the document, or NULL when it has none. */
const weir_toml_t *weir_reader_http_triggers(const weir_toml_t *root);

/*
 * When the TOML parser has stumbled over a second table of triggers because one stands in single brackets,
 * "[trigger.T]", have the message say that, at that line. To be called when the text could not be parsed; changes
 * nothing otherwise.
 */
void weir_reader_explain_brackets(weir_reader_t *reader, const char *text, size_t size);

/* Read [trigger] into the manifest; components first. */
bool weir_reader_triggers(weir_reader_t *reader, const weir_toml_t *root);

/* Check [application.trigger]. */
bool weir_reader_trigger_settings(weir_reader_t *reader, const weir_toml_t *application);

#endif
