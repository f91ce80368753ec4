/*
 * serving.h: from an allocator's choice to a generation that a server serves with: engines, and the guests on them.
 */
#ifndef WEIR_CLI_SERVING_H
#define WEIR_CLI_SERVING_H

#include "cli/application.h"
#include "guest/message.h"
#include "serve/generation.h"
#include "weir/allocator.h"

#include <stdbool.h>
#include <stdint.h>

/* The engines of a choice. */
typedef struct weir_engines {
    wasm_engine_t *pool;  /* own: of most guests; also where there is no pool */
    wasm_engine_t *apart; /* own: of those that are placed apart, or NULL */
} weir_engines_t;

/*
 * Make the engines for guests of an application. On failure returns false, leaves `*ret_engines` untouched and says
 * what was refused. Any thread.
 */
bool weir_engines_make(const weir_application_t *application, const weir_choice_t *choice, weir_engines_t *ret_engines,
    weir_shown_bytes_t *ret_refusal);

/* Delete them, and zero the structure. */
void weir_engines_free(weir_engines_t *engines);

/*
 * Make the guests of an application for engines of this choice, from the code that is there or from their files, and a
 * generation of all that. Takes the engines in every case. `max_concurrency` bounds the calls further; 0: it does not.
 * On failure returns NULL and stores a one-line message to be freed with free(3), or NULL when memory ran out. The
 * application must outlive the generation. Any thread, one at a time for an application.
 */
weir_generation_t *weir_serving_make(const weir_application_t *application, const weir_choice_t *choice,
    weir_engines_t *take_engines, uint32_t max_concurrency, char **ret_message);

#endif
