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

/*
 * An engine for which code is compiled as for this rung's, but that has no pool. On success stores it, to be deleted
 * with weir_engine_delete, and returns NULL. Any thread.
 */
wasmtime_error_t *weir_engine_without_pool(const weir_rung_t *rung, bool needs_concurrency, wasm_engine_t **ret_engine);

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

/* What a generation is made from. Borrowed, until `release` is called. */
typedef struct weir_serving {
    const weir_application_t *application;
    const weir_choice_t *choice;    /* is needed no longer than until the generation is there */
    uint32_t max_concurrency;       /* bounds the calls further; 0: it does not */
    bool proved;                    /* an instance of each guest is made, and dropped, first */
    void (*release)(void *context); /* as a generation's; or NULL */
    void *context;
} weir_serving_t;

/*
 * Make the guests of an application for engines of this choice, from the code that is there or from their files, and a
 * generation of all that. Takes the engines in every case. On failure returns NULL and stores a one-line message to be
 * freed with free(3), or NULL when memory ran out; `release` is not called. Any thread, one at a time for an
 * application.
 */
weir_generation_t *weir_serving_make(const weir_serving_t *serving, weir_engines_t *take_engines, char **ret_message);

#endif
