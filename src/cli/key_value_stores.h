/*
 * key_value_stores.h: which key-value stores components have, and where those are kept.
 */
#ifndef WEIR_CLI_KEY_VALUE_STORES_H
#define WEIR_CLI_KEY_VALUE_STORES_H

#include "app/runtime_config.h"
#include "cli/options.h"
#include "host/host.h"

#include <stdbool.h>
#include <stddef.h>

/* The stores that one component may open. */
typedef struct weir_component_stores {
    weir_granted_store_t *items; /* own; labels are the manifest's */
    size_t count;
} weir_component_stores_t;

typedef struct weir_key_value_stores {
    struct weir_key_value_place *places; /* own, one for each store */
    size_t place_count;
    weir_component_stores_t *components; /* own, one a component */
    size_t component_count;
} weir_key_value_stores_t;

/*
 * Find the stores that a manifest's components name, and the default one where --key-value sets something in it.
 * Nothing is opened yet. The manifest must stay where it is. On failure (a label that is defined nowhere) returns
 * false, leaves
 * `*ret_stores` untouched and stores a one-line message to be freed with free(3), NULL when memory ran out.
 */
bool weir_key_value_stores_make(const weir_manifest_t *manifest, const weir_runtime_config_t *config,
    const weir_up_options_t *options, weir_key_value_stores_t *ret_stores, char **ret_message);

/* Set what --key-value says in the default store, and wait for it. Returns false and a message likewise. */
bool weir_key_value_stores_set(
    const weir_key_value_stores_t *stores, const weir_up_options_t *options, char **ret_message);

/* The file of a store, or NULL for one in memory. `index` is below place_count. */
const char *weir_key_value_stores_file(const weir_key_value_stores_t *stores, size_t index);

/* Free what it owns, and zero it. Guests hold what they use. */
void weir_key_value_stores_free(weir_key_value_stores_t *stores);

#endif
