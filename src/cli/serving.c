/*
 * serving.c: engines, guests, generation, one after the other; what was made is freed where the next step fails.
 */
#include "cli/serving.h"

#include "allocator/configure.h"
#include "guest/trial.h"
#include "serve/ticker.h"
#include "weir/engine.h"

#include <stdio.h>
#include <stdlib.h>

enum { PROOF_MILLISECONDS = 2000 }; /* for an instance of one component */

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

wasmtime_error_t *weir_engine_without_pool(const weir_rung_t *rung, bool needs_concurrency, wasm_engine_t **ret_engine)
{
    weir_rung_t without = *rung;
    without.tier = WEIR_TIER_ONDEMAND;
    wasm_config_t *config = weir_config_new(needs_concurrency);
    if (config == NULL || weir_rung_configure(&without, config) != WEIR_OK) {
        if (config != NULL) {
            wasm_config_delete(config);
        }
        return wasmtime_error_new("memory ran out");
    }
    return weir_engine_new(config, ret_engine, NULL);
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

/* ---- Proving ----------------------------------------------------------------------------------------------------- */

static void tick(void *context)
{
    const weir_engines_t *engines = context;
    wasmtime_engine_increment_epoch(engines->pool);
    if (engines->apart != NULL) {
        wasmtime_engine_increment_epoch(engines->apart);
    }
}

/* Whether there can be an instance of each guest. */
static bool prove(
    const weir_application_t *application, weir_engines_t *engines, weir_guest_t *const *guests, char **ret_message)
{
    bool proved = true;
    weir_ticker_t *ticker = weir_ticker_new(1, WEIR_TICK_MILLISECONDS, tick, engines);
    if (ticker == NULL) {
        return false;
    }
    weir_ticker_begin(ticker, 0); /* so that one that spins gives this thread back */
    for (size_t i = 0; proved && i < application->manifest.component_count; i++) {
        char *reason = NULL;
        if (guests[i] != NULL && !weir_guest_prove_instance(guests[i], PROOF_MILLISECONDS, &reason)) {
            const weir_component_t *component = &application->manifest.components[i];
            *ret_message = weir_component_message(&application->manifest, component,
                "no instance of it can be made: %s", reason == NULL ? "memory ran out" : reason);
            free(reason);
            proved = false;
        }
    }
    weir_ticker_end(ticker, 0);
    weir_ticker_free(ticker);
    return proved;
}

/* ---- The generation ---------------------------------------------------------------------------------------------- */

/* The limits of the server that come with an application. */
static weir_limits_t changing_limits(const weir_application_t *application)
{
    weir_limits_t limits = weir_application_limits(application, WEIR_NO_COMPONENT);
    for (unsigned i = 0; i < WEIR_SERVING_COUNT; i++) {
        limits.are_set[i] = !weir_limit_is_kept((weir_serving_limit_t)i);
    }
    return limits;
}

/* Hand engines and guests over to a generation. */
static weir_generation_t *put_together(
    const weir_serving_t *serving, const weir_engines_t *engines, weir_guest_t *const *guests)
{
    enum { POOL, APART };
    const weir_application_t *application = serving->application;
    const weir_choice_t *choice = serving->choice;
    size_t count = application->manifest.component_count;
    weir_generation_guest_t *placed = calloc(count + 1, sizeof(*placed));
    if (placed == NULL) {
        return NULL;
    }
    weir_generation_engine_t bounded[2] = {
        [POOL] = {engines->pool, count_calls(weir_choice_rung(choice), serving->max_concurrency)}};
    if (engines->apart != NULL) {
        bounded[APART] = (weir_generation_engine_t){
            engines->apart, count_calls(weir_choice_rung_apart(choice), serving->max_concurrency)};
    }
    for (size_t i = 0; i < count; i++) {
        placed[i] = (weir_generation_guest_t){
            guests[i], application->apart[i] ? APART : POOL, weir_application_limits(application, i)};
    }
    weir_generation_parts_t parts = {.routes = application->routes,
        .manifest = &application->manifest,
        .name = application->manifest.name,
        .version = application->manifest.version,
        .engines = bounded,
        .engine_count = engines->apart != NULL ? 2 : 1,
        .limits = changing_limits(application),
        .guests = placed,
        .guest_count = count,
        .release = serving->release,
        .context = serving->context};
    weir_generation_t *generation = weir_generation_new(&parts);
    free(placed);
    return generation;
}

weir_generation_t *weir_serving_make(const weir_serving_t *serving, weir_engines_t *take_engines, char **ret_message)
{
    weir_generation_t *generation = NULL;
    size_t count = serving->application->manifest.component_count;
    weir_guest_t **guests = calloc(count + 1, sizeof(weir_guest_t *));
    *ret_message = NULL;
    weir_guest_engine_t pool = {
        take_engines->pool, count_calls(weir_choice_rung(serving->choice), serving->max_concurrency)};
    weir_guest_engine_t apart = {NULL, 0};
    if (take_engines->apart != NULL) {
        apart = (weir_guest_engine_t){
            take_engines->apart, count_calls(weir_choice_rung_apart(serving->choice), serving->max_concurrency)};
    }
    if (guests != NULL &&
        weir_application_link(serving->application, pool, apart, WEIR_GUEST_OUTPUT_LOGGED, guests, ret_message)) {
        if (!serving->proved || prove(serving->application, take_engines, guests, ret_message)) {
            generation = put_together(serving, take_engines, guests);
        }
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
