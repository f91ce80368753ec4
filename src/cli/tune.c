/*
 * tune.c: what runs in the child of a trial in place of a made-up module: an application's own components.
 *
 * All code is compiled and sealed before the first guest runs, so no guest has anything to do with what the parent
 * loads afterwards.
 */
#include "cli/tune.h"

#include "allocator/budget.h"
#include "allocator/child.h"
#include "allocator/choice.h"
#include "allocator/translate.h"
#include "cli/status_line.h"
#include "guest/trial.h"
#include "observe/log.h"
#include "serve/ticker.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    THREADS_MAX = 256,                          /* that the ticker tells apart */
    REQUEST_MILLISECONDS = 250,                 /* one guest on one request: then it is ended */
    REQUEST_MILLISECONDS_EMULATED = 10 * 250,   /* the same, in an emulator */
    FIRST_MAY_TAKE = 4,                         /* times as long as a later request: its memory is all new */
    ROUND_SHARE = 10,                           /* all guests on requests: this part of the above */
    DEADLINE_MILLISECONDS = 10 * 1000,          /* for all that is run, natively */
    DEADLINE_MILLISECONDS_EMULATED = 30 * 1000, /* the same, in an emulator, on one slow processor */
    COMPILE_MILLISECONDS = 60 * 1000, /* for each MiB that is to be compiled; where they pass, it is compiled again */
    DEADLINE_MILLISECONDS_MAX = 30 * 60 * 1000, /* beyond anything that was seen: 13 MB take 10 s natively */
};

struct weir_application_work {
    const weir_application_t *application;
    uint32_t request_milliseconds;
    pthread_mutex_t mutex; /* held while guests are judged */
    atomic_bool judged;
    unsigned char *instance_only; /* one a component: it is not run on requests; within the same block */
};

/* The guests of one engine. */
typedef struct prepared {
    weir_application_work_t *work;
    weir_guest_t **guests;       /* one a component, or NULL */
    const weir_route_t **routes; /* the first of each, or NULL */
    weir_ticker_t *ticker;       /* so that a guest that spins gives its thread back */
} prepared_t;

weir_application_work_t *weir_application_work_new(
    const weir_application_t *application, bool requests, uint32_t request_milliseconds)
{
    size_t count = application->manifest.component_count;
    weir_application_work_t *work = calloc(1, sizeof(*work) + count);
    if (work == NULL) {
        return NULL;
    }
    work->application = application;
    work->request_milliseconds = request_milliseconds;
    work->instance_only = (unsigned char *)(work + 1);
    memset(work->instance_only, requests ? 0 : 1, count);
    pthread_mutex_init(&work->mutex, NULL);
    atomic_init(&work->judged, !requests);
    return work;
}

/* ---- The work ---------------------------------------------------------------------------------------------------- */

static wasm_config_t *new_config(void *context)
{
    const weir_application_work_t *work = context;
    return weir_application_config_new(work->application);
}

static void tick(void *context)
{
    wasmtime_engine_increment_epoch(context);
}

static const weir_route_t *first_route(const weir_application_t *application, size_t component)
{
    for (size_t i = 0; i < weir_routes_count(application->routes); i++) {
        const weir_route_t *route = weir_routes_at(application->routes, i);
        if (route->trigger->component == component) {
            return route;
        }
    }
    return NULL; /* it is private, or its routes all lost against others of the same meaning */
}

static weir_guest_trial_t run_guest(const prepared_t *prepared, size_t component, uint32_t milliseconds)
{
    const weir_guest_t *guest = prepared->guests[component];
    return prepared->work->instance_only[component] != 0 || prepared->routes[component] == NULL
               ? weir_guest_try_instance(guest, milliseconds)
               : weir_guest_try_request(guest, prepared->routes[component], milliseconds);
}

/* Whether a guest answers a request that is not its first within `milliseconds`, and then takes that off them. */
static bool answers_within(const prepared_t *prepared, size_t component, double *milliseconds)
{
    double took = 0;
    for (int i = 0; i < 2; i++) {
        double began = weir_clock_milliseconds();
        weir_guest_trial_t result = run_guest(prepared, component, (uint32_t)(*milliseconds * FIRST_MAY_TAKE) + 1);
        took = weir_clock_milliseconds() - began;
        if (result == WEIR_GUEST_TRIAL_LATE || result == WEIR_GUEST_TRIAL_NO_REQUEST) {
            return false;
        }
    }
    if (took > *milliseconds) {
        return false;
    }
    *milliseconds -= took;
    return true;
}

/* A round must not take long, because a start has many. Once for all engines, so that all run the same. */
static void judge_guests(weir_application_work_t *work, const prepared_t *prepared)
{
    pthread_mutex_lock(&work->mutex);
    double left = (double)work->request_milliseconds / ROUND_SHARE;
    for (size_t i = 0; i < work->application->manifest.component_count && !atomic_load(&work->judged); i++) {
        if (prepared->guests[i] != NULL && !answers_within(prepared, i, &left)) {
            work->instance_only[i] = 1;
        }
    }
    atomic_store(&work->judged, true);
    pthread_mutex_unlock(&work->mutex);
}

/* A whole round, because guests differ: a cycle costs the same each time. */
static bool cycle(void *context, unsigned thread)
{
    const prepared_t *prepared = context;
    weir_application_work_t *work = prepared->work;
    bool succeeded = true;
    weir_ticker_begin(prepared->ticker, thread % THREADS_MAX);
    if (!atomic_load(&work->judged)) {
        judge_guests(work, prepared);
    }
    for (size_t i = 0; i < work->application->manifest.component_count && succeeded; i++) {
        if (prepared->guests[i] != NULL) {
            weir_guest_trial_t result = run_guest(prepared, i, work->request_milliseconds);
            succeeded = result == WEIR_GUEST_TRIAL_DONE || result == WEIR_GUEST_TRIAL_LATE;
        }
    }
    weir_ticker_end(prepared->ticker, thread % THREADS_MAX);
    return succeeded;
}

static void release(void *own_prepared)
{
    prepared_t *prepared = own_prepared;
    weir_ticker_free(prepared->ticker);
    for (size_t i = 0; prepared->guests != NULL && i < prepared->work->application->manifest.component_count; i++) {
        weir_guest_free(prepared->guests[i]);
    }
    free(prepared->guests);
    free(prepared->routes);
    free(prepared);
}

static wasmtime_error_t *fill(prepared_t *prepared, wasm_engine_t *engine)
{
    const weir_application_t *application = prepared->work->application;
    size_t count = application->manifest.component_count;
    prepared->guests = calloc(count + 1, sizeof(weir_guest_t *));
    prepared->routes = calloc(count + 1, sizeof(weir_route_t *));
    if (prepared->guests == NULL || prepared->routes == NULL) {
        return wasmtime_error_new("memory ran out");
    }
    char *message = NULL;
    if (!weir_application_compile(application, engine, &message) ||
        !weir_application_link(application, (weir_guest_engine_t){engine, 0}, (weir_guest_engine_t){NULL, 0},
            WEIR_GUEST_OUTPUT_DISCARDED, prepared->guests, &message)) {
        wasmtime_error_t *error = wasmtime_error_new(message != NULL ? message : "memory ran out");
        free(message);
        return error;
    }
    for (size_t i = 0; i < count; i++) {
        prepared->routes[i] = first_route(application, i);
    }
    prepared->ticker = weir_ticker_new(THREADS_MAX, WEIR_TICK_MILLISECONDS, tick, engine);
    return prepared->ticker == NULL ? wasmtime_error_new("there is no thread to be had") : NULL;
}

static wasmtime_error_t *prepare(void *context, wasm_engine_t *engine, void **ret_prepared)
{
    prepared_t *prepared = calloc(1, sizeof(*prepared));
    if (prepared == NULL) {
        return wasmtime_error_new("memory ran out");
    }
    prepared->work = context;
    wasmtime_error_t *error = fill(prepared, engine);
    if (error != NULL) {
        release(prepared);
        return error;
    }
    *ret_prepared = prepared;
    return NULL;
}

/* ---- What it stands for ------------------------------------------------------------------------------------------ */

static void mix_word(uint64_t *hash, uint64_t word)
{
    *hash = (*hash ^ word) * 0x9e3779b97f4a7c15U;
    *hash ^= *hash >> 29;
}

/* Eight bytes at a time: files are large, and nobody gains by two that collide. */
static void mix(uint64_t *hash, const void *bytes, size_t size)
{
    mix_word(hash, size);
    for (size_t at = 0; at < size; at += sizeof(uint64_t)) {
        uint64_t word = 0;
        memcpy(&word, (const char *)bytes + at, size - at < sizeof(word) ? size - at : sizeof(word));
        mix_word(hash, word);
    }
}

static uint64_t fingerprint(const weir_application_work_t *work)
{
    const weir_application_t *application = work->application;
    const weir_manifest_t *manifest = &application->manifest;
    uint64_t hash = 1;
    for (size_t i = 0; i < manifest->component_count; i++) {
        const weir_component_t *component = &manifest->components[i];
        const weir_route_t *route = first_route(application, i);
        if (application->codes[i] == NULL) {
            continue;
        }
        mix(&hash, &application->digests[i], sizeof(application->digests[i]));
        mix(&hash, &work->instance_only[i], sizeof(work->instance_only[i]));
        if (route != NULL) {
            mix(&hash, &route->trigger->executor, sizeof(route->trigger->executor));
            mix(&hash, route->base, strlen(route->base));
        }
        for (size_t k = 0; k < component->environment_count; k++) {
            const weir_variable_t *variable = &component->environment[k];
            mix(&hash, variable->name, strlen(variable->name));
            mix(&hash, variable->value, strlen(variable->value));
        }
    }
    return hash == 0 ? 1 : hash;
}

weir_workload_t weir_application_workload(weir_application_work_t *work)
{
    return (weir_workload_t){.size = sizeof(weir_workload_t),
        .context = work,
        .config_new = new_config,
        .prepare = prepare,
        .cycle = cycle,
        .release = release,
        .fingerprint = fingerprint(work)};
}

/* ---- The tuning -------------------------------------------------------------------------------------------------- */

static bool is_emulated(const weir_choice_t *choice)
{
    return weir_fact_is(weir_choice_facts(choice)->emulated, 1);
}

static uint32_t deadline(const weir_application_t *application, const weir_choice_t *choice)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < application->manifest.component_count; i++) {
        bytes += weir_application_lacks_code(application, i) ? application->files[i].size : 0;
    }
    uint64_t each = is_emulated(choice) ? DEADLINE_MILLISECONDS_EMULATED : DEADLINE_MILLISECONDS;
    uint64_t milliseconds = each + (bytes * COMPILE_MILLISECONDS >> 20);
    return milliseconds < DEADLINE_MILLISECONDS_MAX ? (uint32_t)milliseconds : DEADLINE_MILLISECONDS_MAX;
}

static weir_application_work_t *new_work(
    const weir_application_t *application, const weir_choice_t *choice, bool requests)
{
    return weir_application_work_new(
        application, requests, is_emulated(choice) ? REQUEST_MILLISECONDS_EMULATED : REQUEST_MILLISECONDS);
}

bool weir_application_is_tuned(const weir_application_t *application, const weir_choice_t *choice, bool requests)
{
    weir_application_work_t *work = new_work(application, choice, requests);
    bool is_tuned = work != NULL && weir_choice_is_tuned(choice, fingerprint(work));
    free(work);
    return is_tuned;
}

weir_status_t weir_application_tune(weir_application_t *application, weir_choice_t *choice, bool requests)
{
    weir_application_work_t *work = new_work(application, choice, requests);
    if (work == NULL) {
        return WEIR_ERROR_MEMORY;
    }
    weir_application_keep_standard_error(application);
    const weir_workload_t workload = weir_application_workload(work);
    weir_status_t status = weir_choice_tune(choice, &workload, deadline(application, choice));
    weir_choice_prepare_process(choice); /* the setting may be another than it was */
    weir_application_drop_standard_error(application);
    free(work);
    return status;
}

void weir_application_tell_untimed(const weir_choice_t *choice)
{
    if (choice->tune_note[0] != '\0') {
        weir_status_clear();
        weir_log(WEIR_LOG_INFO,
            weir_translate("the application's own components could not be timed, so what a made-up guest costs "
                           "decides: %s"),
            choice->tune_note);
    }
}
