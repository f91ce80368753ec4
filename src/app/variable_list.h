/*
 * variable_list.h: names and values from outside the manifest, in the order in which they came; the last one of a name
 * counts.
 */
#ifndef WEIR_APP_VARIABLE_LIST_H
#define WEIR_APP_VARIABLE_LIST_H

#include "app/manifest.h"

enum {
    WEIR_VARIABLE_LIST_MAX = 4096,          /* variables */
    WEIR_VARIABLE_FILE_BYTES_MAX = 1 << 20, /* of a file that holds a value, or several */
};

/* Zero it to begin. */
typedef struct weir_variable_list {
    weir_variable_t *variables; /* own */
    size_t count;
} weir_variable_list_t;

/* Add copies of a name and a value. False, with the list as it was, when it is full or memory ran out. */
bool weir_variable_list_add(
    weir_variable_list_t *list, const char *name, size_t name_size, const char *value, size_t value_size);

/* The last value of that name, or NULL. Borrows the list. Any thread. */
const char *weir_variable_list_find(const weir_variable_list_t *list, const char *name, size_t name_size);

/* Free what the list owns, and zero it. */
void weir_variable_list_free(weir_variable_list_t *list);

/*
 * Add what one --variable says (Spin's crates/variables-static/src/source.rs): "NAME=VALUE", "NAME=@FILE" (the content
 * of a file, whole), "@FILE.json" or "@FILE.toml" (an object or a table of strings). On failure returns false, leaves
 * the list as it was and stores a one-line message in `*ret_message`, to be freed with free(3); NULL when memory ran
 * out. No message holds a value.
 */
bool weir_variable_list_add_argument(weir_variable_list_t *list, const char *argument, char **ret_message);

#endif
