/*
 * deciding.h: how `weir up` comes to its allocator and engines: from what earlier starts decided, or by trials.
 */
#ifndef WEIR_CLI_DECIDING_H
#define WEIR_CLI_DECIDING_H

#include "cli/application.h"
#include "cli/inputs.h"
#include "cli/serving.h"
#include "weir/allocator.h"

/*
 * Choose, tune and make the engines to serve with, while the process has one thread: trials and compiling are forks.
 * What passed its trial can be refused a moment later: then it is chosen once more, and after that what asks for least
 * is taken, of which `inputs->strategy` tells then. `*choice` is replaced, and `*ret_engines` the caller's to free on
 * success. Logs why it failed. Returns the exit status of weir: 0, 1, or 2 where a component is no WebAssembly that
 * Wasmtime takes.
 *
 * `trial_server`, which may be NULL, is the one that the server will be confined with: that is prepared while a trial
 * runs.
 */
int weir_deciding_run(weir_inputs_t *inputs, weir_application_t *application, const weir_trial_server_t *trial_server,
    weir_choice_t **choice, weir_engines_t *ret_engines);

#endif
