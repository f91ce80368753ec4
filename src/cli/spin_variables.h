/*
 * spin_variables.h: the environment variables by which Spin's allocator is set up: which weir follows, and which have
 * no meaning where the allocator finds its settings by trial.
 */
#ifndef WEIR_CLI_SPIN_VARIABLES_H
#define WEIR_CLI_SPIN_VARIABLES_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Read them; `environment` is as environ(7). `*ret_instances` is how many instances there may be at once, or 0 when
 * none says so. `*ret_note` names those that are set and have no meaning here, one line to be freed with free(3), or is
 * NULL. On failure, a value that is no number, returns false, stores nothing there and a one-line message, NULL when
 * memory ran out (Spin panics: crates/core/src/lib.rs). Any thread.
 */
bool weir_spin_variables_read(char *const *environment, uint32_t *ret_instances, char **ret_note, char **ret_message);

#endif
