/*
 * provisions.h: what guests are given besides their code: the values of their variables, their files, and whom they
 * may reach.
 */
#ifndef WEIR_CLI_PROVISIONS_H
#define WEIR_CLI_PROVISIONS_H

#include "app/block_networks.h"
#include "app/files.h"
#include "app/outbound_hosts.h"
#include "app/runtime_config.h"
#include "app/variables.h"
#include "cli/key_value_stores.h"
#include "cli/options.h"
#include "weir_bridge.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct weir_provisions {
    weir_variables_t variables;
    weir_outbound_hosts_t *hosts; /* own, one a component */
    size_t component_count;
    weir_files_prepared_t files;
    weir_mount_t **mounts;                /* own, one array a component: its directories in `files` */
    weir_block_networks_t block_networks; /* for all of them */
    weir_key_value_stores_t stores;
} weir_provisions_t;

/*
 * Prepare what the components of a manifest are given, which must stay where it is. `environment` is as environ(7).
 * `cache_directory` is where compiled code is kept, NULL: where it is by default. On failure (a required variable
 * without a value, a template, a host or a network that is none, files that cannot be given) returns false, leaves
 * `*ret_provisions` untouched and stores a one-line message to be freed with free(3), NULL when memory ran out. No
 * message holds a variable's value.
 */
bool weir_provisions_prepare(const weir_manifest_t *manifest, const weir_runtime_config_t *config,
    const weir_up_options_t *options, const char *cache_directory, char *const *environment,
    weir_provisions_t *ret_provisions, char **ret_message);

/* Remove what was copied, free what it owns, and zero it. Guests that may write have ended. */
void weir_provisions_free(weir_provisions_t *provisions);

#endif
