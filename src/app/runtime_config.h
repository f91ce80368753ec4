/*
 * runtime_config.h: Spin's runtime configuration file, as far as weir serves it: what the one who runs an application
 * sets, in difference to who wrote it.
 */
#ifndef WEIR_APP_RUNTIME_CONFIG_H
#define WEIR_APP_RUNTIME_CONFIG_H

#include "app/manifest.h"

/* A bound that may be left out; 0 allows nothing. */
typedef struct weir_optional_bound {
    bool is_set;
    uint32_t most;
} weir_optional_bound_t;

/* A key-value store that is kept elsewhere than by default: [key_value_store.LABEL]. */
typedef struct weir_key_value_config {
    char *label;
    char *path; /* of a file of SQLite, from the directory of the runtime configuration; NULL: in memory */
    weir_place_t place;
} weir_key_value_config_t;

/* All own; zeroed when there is no file. */
typedef struct weir_runtime_config {
    char *path;                         /* of the file, as given */
    char *state_dir;                    /* or NULL; "": none */
    char *log_dir;                      /* or NULL; "": none */
    uint64_t max_instance_memory;       /* bytes, from 65,536 to 4,294,967,296; 0: none */
    weir_placed_text_t *block_networks; /* as written: a network such as "10.0.0.0/8", or "private" */
    size_t block_network_count;
    weir_optional_bound_t http_connections; /* of guests' requests, at once */
    bool no_connection_pooling;             /* each of them has a connection of its own */
    weir_optional_bound_t sockets;          /* of guests, at once */
    weir_key_value_config_t *key_value_stores;
    size_t key_value_store_count;
    char **warnings; /* each "path:line:column: text", for settings that weir does not serve */
    size_t warning_count;
} weir_runtime_config_t;

/*
 * Read a file of at most 1 MiB. Strict as Spin's (crates/runtime-config/src/lib.rs): a key that Spin does not know is
 * an error; one that it knows and weir does not serve is a warning, or an error where going on without it would give
 * guests something else than was asked for. On success fills `*ret_config`, to be freed with weir_runtime_config_free.
 * On failure returns false, leaves it untouched and stores a one-line message "path:line:column: what is wrong, what to
 * do", to be freed with free(3); NULL when memory ran out. Any thread.
 */
bool weir_runtime_config_load(const char *path, weir_runtime_config_t *ret_config, char **ret_message);

/* The same for a text in memory, as if it stood in the file `path`. */
bool weir_runtime_config_parse(
    const char *path, const char *text, size_t text_size, weir_runtime_config_t *ret_config, char **ret_message);

/* Free what it owns, and zero it. */
void weir_runtime_config_free(weir_runtime_config_t *config);

#endif
