/*
 * overrides.h: what the command line changes in a manifest, after it was loaded and before anything is made of it.
 */
#ifndef WEIR_CLI_OVERRIDES_H
#define WEIR_CLI_OVERRIDES_H

#include "app/manifest.h"
#include "cli/arguments.h"

#include <stdbool.h>

/*
 * Keep the components with these ids and their triggers, and nothing else; all when there are no ids (Spin,
 * crates/app/src/lib.rs, retain_components). It is an error when an id is unknown, when nothing reaches the component,
 * and when one that is kept is allowed to call one that is not, or any of them. On failure returns
 * false, leaves the manifest as it is and stores a one-line message to be freed with free(3), NULL when memory ran out.
 */
bool weir_overrides_keep(weir_manifest_t *manifest, const weir_texts_t *ids, char **ret_message);

/* Set environment variables, "NAME=VALUE", of every component. False when memory ran out. */
bool weir_overrides_environment(weir_manifest_t *manifest, const weir_texts_t *environment);

/*
 * Whether each of the ids is one of a component; else stores a message that names `option` and lists the components.
 */
bool weir_overrides_known(
    const weir_manifest_t *manifest, const char *option, const weir_texts_t *ids, char **ret_message);

#endif
