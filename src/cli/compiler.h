/*
 * compiler.h: compiling while there are threads: in a process that the trial server forks, which has none. What the
 * compiler takes, or breaks, is of no concern to the server, and requests go first.
 */
#ifndef WEIR_CLI_COMPILER_H
#define WEIR_CLI_COMPILER_H

#include "cli/application.h"
#include "weir/allocator.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct weir_compiler weir_compiler_t;

/*
 * Start one. `server` may be NULL. Never fails but for want of memory (NULL): where no process can be had, components
 * are compiled on the thread that asks for it, which has a low priority from then on.
 */
weir_compiler_t *weir_compiler_new(weir_trial_server_t *server);

/* End it: what is being compiled is given up, and weir_compiler_run fails. Any thread, at any time until it is freed.
 */
void weir_compiler_stop(weir_compiler_t *compiler);

/* End its process, and free it. NULL is allowed. */
void weir_compiler_free(weir_compiler_t *own_compiler);

/*
 * Compile what code of an application is not there yet, for the rungs of this choice, one component after the other,
 * and log how long each took. Stores how many were compiled. On failure returns false and stores a one-line message to
 * be freed with free(3), or NULL when memory ran out or the compiler was stopped. One thread at a time.
 */
bool weir_compiler_run(weir_compiler_t *compiler, const weir_application_t *application, const weir_choice_t *choice,
    uint32_t *ret_count, char **ret_message);

#endif
