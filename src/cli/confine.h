/*
 * confine.h: what `weir up` gives up: root's rights for a user's at the start, and once it has all that it needs,
 * system calls and places to write (src/sandbox).
 */
#ifndef WEIR_CLI_CONFINE_H
#define WEIR_CLI_CONFINE_H

#include "admin/admin.h"
#include "cli/application.h"
#include "cli/inputs.h"
#include "sandbox/sandbox.h"
#include "weir/allocator.h"

#include <stdbool.h>

/*
 * Become the user of --user, if that was given; root makes directories that options name and that are not there, for
 * that user, and gives it the socket of `admin`, unless that is NULL. After ports are bound and files read that only
 * root may; before anything else is opened or made, while the process has one thread. On failure returns false and
 * stores a one-line message to be freed with free(3), NULL when memory ran out.
 */
bool weir_confine_user(const weir_inputs_t *inputs, const weir_admin_t *admin, char **ret_message);

/* Confine the process for trials: it calls this before its first one. */
void weir_confine_trials(const weir_up_options_t *options);

/*
 * Make in advance what weir_confine_server makes otherwise, where there is time for it: this takes about a millisecond,
 * and changes nothing. `trial_server` as there, and in the same process. While the process has one thread.
 */
void weir_confine_prepare(const weir_inputs_t *inputs, const weir_trial_server_t *trial_server);

/*
 * Confine the server, unless --no-sandbox was given; warn of what was refused, and go on. Once the allocator was chosen
 * and the engines are there, while the process has one thread. `trial_server` may be NULL.
 */
void weir_confine_server(
    const weir_inputs_t *inputs, const weir_application_t *application, const weir_trial_server_t *trial_server);

/* What became of that; of this process, all zero before. Any thread, after weir_confine_server. */
const weir_sandbox_t *weir_confine_state(void);

#endif
