/*
 * serving.c: engines, guests, generation, one after the other; what was made is freed where the next step fails.
 */
#include "cli/serving.h"

#include <stdio.h>
#include <stdlib.h>

typedef weir_status_t (*configure_t)(const weir_choice_t *choice, wasm_config_t *config);

static bool make_engine(const weir_application_t *application, const weir_choice_t *choice, configure_t configure,
    wasm_engine_t **ret_engine, weir_shown_bytes_t *ret_refusal)
{
    wasm_config_t *config = weir_application_config_new(application);
    if (config == NULL || configure(choice, config) != WEIR_OK) {
        if (config != NULL) {
            wasm_config_delete(config);
        }
        snprintf(ret_refusal->text, sizeof(ret_refusal->text), "out of memory");
        return false;
    }
    wasmtime_error_t *error = weir_engine_new(config, ret_engine, NULL);
    if (error != NULL) {
        *ret_refusal = weir_show_error(error);
    }
    return error == NULL;
}

bool weir_engines_make(const weir_application_t *application, const weir_choice_t *choice, weir_engines_t *ret_engines,
    weir_shown_bytes_t *ret_refusal)
{
    weir_engines_t engines = {NULL, NULL};
    if (!make_engine(application, choice, weir_choice_configure, &engines.pool, ret_refusal)) {
        return false;
    }
    if (weir_choice_rung_apart(choice) != NULL &&
        !make_engine(application, choice, weir_choice_configure_apart, &engines.apart, ret_refusal)) {
        weir_engines_free(&engines);
        return false;
    }
    *ret_engines = engines;
    return true;
}

void weir_engines_free(weir_engines_t *engines)
{
    if (engines->pool != NULL) {
        weir_engine_delete(engines->pool);
    }
    if (engines->apart != NULL) {
        weir_engine_delete(engines->apart);
    }
    *engines = (weir_engines_t){NULL, NULL};
}

static uint32_t count_calls(const weir_rung_t *rung, uint32_t max_concurrency)
{
    uint32_t calls = rung->slots == 0 ? 1 : rung->slots;
    return max_concurrency > 0 && max_concurrency < calls ? max_concurrency : calls;
}

/* Hand engines and guests over to a generation. */
static weir_generation_t *put_together(const weir_application_t *application, const weir_choice_t *choice,
    const weir_engines_t *engines, uint32_t max_concurrency, weir_guest_t *const *guests)
{
    enum { POOL, APART };
    size_t count = application->manifest.component_count;
    weir_generation_guest_t *placed = calloc(count + 1, sizeof(*placed));
    if (placed == NULL) {
        return NULL;
    }
    weir_generation_engine_t bounded[2] = {
        [POOL] = {engines->pool, count_calls(weir_choice_rung(choice), max_concurrency)}};
    if (engines->apart != NULL) {
        bounded[APART] =
            (weir_generation_engine_t){engines->apart, count_calls(weir_choice_rung_apart(choice), max_concurrency)};
    }
    for (size_t i = 0; i < count; i++) {
        placed[i] = (weir_generation_guest_t){guests[i], application->apart[i] ? APART : POOL};
    }
    weir_generation_parts_t parts = {.routes = application->routes,
        .manifest = &application->manifest,
        .name = application->manifest.name,
        .version = application->manifest.version,
        .engines = bounded,
        .engine_count = engines->apart != NULL ? 2 : 1,
        .guests = placed,
        .guest_count = count};
    weir_generation_t *generation = weir_generation_new(&parts);
    free(placed);
    return generation;
}

weir_generation_t *weir_serving_make(const weir_application_t *application, const weir_choice_t *choice,
    weir_engines_t *take_engines, uint32_t max_concurrency, char **ret_message)
{
    weir_generation_t *generation = NULL;
    size_t count = application->manifest.component_count;
    weir_guest_t **guests = calloc(count + 1, sizeof(weir_guest_t *));
    *ret_message = NULL;
    if (guests != NULL && weir_application_link(application, take_engines->pool, take_engines->apart,
                              WEIR_GUEST_OUTPUT_LOGGED, guests, ret_message)) {
        generation = put_together(application, choice, take_engines, max_concurrency, guests);
        for (size_t i = 0; generation == NULL && i < count; i++) {
            weir_guest_free(guests[i]);
        }
    }
    free(guests);
    if (generation == NULL) {
        weir_engines_free(take_engines);
    }
    *take_engines = (weir_engines_t){NULL, NULL};
    return generation;
}
