/*
 * adapt.c: a reading each second, and what the policy makes of it.
 */
#include "cli/adapt.h"

#include "allocator/translate.h"
#include "cli/memory_reading.h"
#include "cli/pressure_policy.h"
#include "cli/serving.h"
#include "observe/log.h"
#include "observe/thread.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

enum {
    LEVELS_MAX = 32,              /* each but the first halves the slots */
    STACK_BYTES = 2 * 1024 * 1024 /* Wasmtime loads code on it */
};

struct weir_adapt {
    weir_adapt_settings_t settings;
    weir_server_t *server;
    weir_memory_reader_t *reader;
    pthread_t thread;
    bool started;

    /* The thread's own. */
    weir_pressure_policy_t policy;
    weir_choice_t *lower[LEVELS_MAX]; /* own; lower[i] is level i + 1 */
    unsigned level;
    bool told; /* that nothing lower can be had */
    bool trim; /* the old engine is on its way out */

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    bool stop;
    uint32_t refusals;
    char refused[256]; /* of the last one: component and what there was no more of */
};

weir_adapt_t *weir_adapt_new(const weir_adapt_settings_t *settings)
{
    weir_adapt_t *adapt = calloc(1, sizeof(*adapt));
    weir_memory_reader_t *reader = weir_memory_reader_new();
    if (adapt == NULL || reader == NULL) {
        free(adapt);
        weir_memory_reader_free(reader);
        return NULL;
    }
    adapt->settings = *settings;
    adapt->reader = reader;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&adapt->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&adapt->lock, NULL);
    return adapt;
}

void weir_adapt_free(weir_adapt_t *own_adapt)
{
    if (own_adapt == NULL) {
        return;
    }
    for (unsigned i = 0; i < own_adapt->level; i++) {
        weir_choice_free(own_adapt->lower[i]);
    }
    weir_memory_reader_free(own_adapt->reader);
    pthread_cond_destroy(&own_adapt->changed);
    pthread_mutex_destroy(&own_adapt->lock);
    free(own_adapt);
}

void weir_adapt_refused(void *adapt, const char *component, const char *what)
{
    weir_adapt_t *its = adapt;
    pthread_mutex_lock(&its->lock);
    its->refusals++;
    snprintf(its->refused, sizeof(its->refused), "%s: %s", component, what);
    pthread_cond_signal(&its->changed);
    pthread_mutex_unlock(&its->lock);
}

/* ---- Words ------------------------------------------------------------------------------------------------------- */

typedef struct words {
    char text[512];
} words_t;

typedef struct amount {
    char text[32];
} amount_t;

static amount_t bytes_in_words(uint64_t bytes)
{
    amount_t words;
    const char *unit = "KiB";
    uint64_t count = bytes >> 10;
    if (bytes >= UINT64_C(10) << 30) {
        unit = "GiB";
        count = bytes >> 30;
    } else if (bytes >= UINT64_C(1) << 20) {
        unit = "MiB";
        count = bytes >> 20;
    }
    snprintf(words.text, sizeof(words.text), "%llu %s", (unsigned long long)count, unit);
    return words;
}

static words_t rung_in_words(const weir_rung_t *rung)
{
    words_t words;
    if (rung->tier == WEIR_TIER_ONDEMAND) {
        snprintf(
            words.text, sizeof(words.text), weir_translate("no pool, %u instances at once"), (unsigned)rung->slots);
    } else if (rung->memory_keep_resident_bytes == 0) {
        snprintf(words.text, sizeof(words.text), weir_translate("%s pool, %u slots, nothing kept in unused ones"),
            weir_translate(weir_tier_name(rung->tier)), (unsigned)rung->slots);
    } else {
        snprintf(words.text, sizeof(words.text),
            weir_translate("%s pool, %u slots, up to %s kept in each of %u unused ones"),
            weir_translate(weir_tier_name(rung->tier)), (unsigned)rung->slots,
            bytes_in_words(rung->memory_keep_resident_bytes).text, (unsigned)rung->warm_slots);
    }
    return words;
}

static words_t choice_in_words(const weir_choice_t *choice)
{
    words_t words = rung_in_words(weir_choice_rung(choice));
    const weir_rung_t *apart = weir_choice_rung_apart(choice);
    if (apart != NULL) {
        size_t length = strlen(words.text);
        snprintf(words.text + length, sizeof(words.text) - length,
            weir_translate(", and %u instances at once of the components placed apart"), (unsigned)apart->slots);
    }
    return words;
}

/* Why, as a sentence. */
static words_t cause_in_words(weir_adapt_t *adapt, const weir_pressure_verdict_t *verdict)
{
    words_t words = {""};
    amount_t value = bytes_in_words(verdict->value);
    amount_t bound = bytes_in_words(verdict->bound);
    char *text = words.text;
    size_t size = sizeof(words.text);
    switch (verdict->cause) {
    case WEIR_CAUSE_REFUSAL:
        pthread_mutex_lock(&adapt->lock);
        snprintf(text, size, weir_translate("instances were refused (%llu), the last of component %s"),
            (unsigned long long)verdict->value, adapt->refused);
        pthread_mutex_unlock(&adapt->lock);
        break;
    case WEIR_CAUSE_GROUP_LEFT:
        snprintf(text, size, weir_translate("%s are left below the control group's memory limit, and %s should be"),
            value.text, bound.text);
        break;
    case WEIR_CAUSE_AVAILABLE:
        snprintf(text, size, weir_translate("%s of this machine's memory are available, and %s should be"), value.text,
            bound.text);
        break;
    case WEIR_CAUSE_SWAPPING:
        snprintf(text, size, weir_translate("%s were written to swap within a second"), value.text);
        break;
    case WEIR_CAUSE_GROUP_STALL:
    case WEIR_CAUSE_STALL:
        snprintf(text, size, weir_translate("tasks %s waited for memory for %llu %% of the last ten seconds"),
            verdict->cause == WEIR_CAUSE_GROUP_STALL ? weir_translate("of the control group")
                                                     : weir_translate("of this machine"),
            (unsigned long long)verdict->value / 100);
        break;
    case WEIR_CAUSE_NONE:
        break;
    }
    return words;
}

/* ---- Changing the rung ------------------------------------------------------------------------------------------- */

static weir_choice_t *choice_at(const weir_adapt_t *adapt, unsigned level)
{
    return level == 0 ? adapt->settings.choice : adapt->lower[level - 1];
}

/* Serve with a choice from now on. Returns false, and says why at this level, when that cannot be. */
static bool serve_with(weir_adapt_t *adapt, const weir_choice_t *choice)
{
    weir_engines_t engines;
    weir_shown_bytes_t refusal;
    char *message = NULL;
    if (!weir_engines_make(adapt->settings.application, choice, &engines, &refusal)) {
        weir_log(WEIR_LOG_DEBUG, "an engine with %s was refused: %s", choice_in_words(choice).text, refusal.text);
        return false;
    }
    weir_generation_t *generation =
        weir_serving_make(adapt->settings.application, choice, &engines, adapt->settings.max_concurrency, &message);
    if (generation == NULL || !weir_server_swap(adapt->server, generation)) {
        weir_log(WEIR_LOG_DEBUG, "the guests of a new engine could not be made: %s",
            message != NULL ? message : "out of memory");
        free(message);
        weir_generation_free(generation);
        return false;
    }
    adapt->trim = true;
    return true;
}

static bool has_pool(const weir_choice_t *choice)
{
    return weir_choice_rung(choice)->tier != WEIR_TIER_ONDEMAND;
}

/*
 * The next candidate, where no engine could be had for this one beside the one in use. When half of its slots are still
 * too many, address space is what there is no more of: then rather as many instances without a pool than a handful in
 * one, which would stand in the way of the larger pool later on.
 */
static weir_status_t pass_over(weir_adapt_t *adapt, const weir_choice_t *candidate, weir_choice_t **ret_next)
{
    const weir_choice_t *used = choice_at(adapt, adapt->level);
    weir_trial_server_t *server = adapt->settings.trial_server;
    bool fewer = weir_choice_rung(candidate)->slots < weir_choice_rung(used)->slots;
    if (fewer && has_pool(candidate) && weir_choice_lower_ondemand(used, server, ret_next) == WEIR_OK) {
        return WEIR_OK;
    }
    return weir_choice_lower(candidate, server, ret_next);
}

/* Find a lower choice that is proved and whose engine can be had, too, beside the one that is in use. */
static bool find_lower(weir_adapt_t *adapt, weir_choice_t **ret_lower)
{
    weir_choice_t *candidate = NULL;
    if (weir_choice_lower(choice_at(adapt, adapt->level), adapt->settings.trial_server, &candidate) != WEIR_OK) {
        return false;
    }
    while (!serve_with(adapt, candidate)) {
        weir_choice_t *next = NULL;
        weir_status_t status = pass_over(adapt, candidate, &next);
        weir_choice_free(candidate);
        if (status != WEIR_OK) {
            return false;
        }
        candidate = next;
    }
    *ret_lower = candidate;
    return true;
}

static bool lower(weir_adapt_t *adapt, const weir_pressure_verdict_t *verdict)
{
    words_t cause = cause_in_words(adapt, verdict);
    const weir_choice_t *used = choice_at(adapt, adapt->level);
    words_t before = choice_in_words(used);
    weir_choice_t *found;
    if (adapt->level == LEVELS_MAX || !find_lower(adapt, &found)) {
        if (!adapt->told) {
            weir_log(WEIR_LOG_WARNING,
                weir_translate("memory is short: %s; the allocator stays as it is, for nothing lower can be had now: "
                               "%s"),
                cause.text, before.text);
        }
        adapt->told = true;
        return false;
    }
    adapt->lower[adapt->level++] = found;
    weir_log(WEIR_LOG_WARNING,
        has_pool(used) && !has_pool(found)
            ? weir_translate("memory is short: %s; the pooling allocator was disabled automatically, and requests go "
                             "on: %s, instead of %s")
            : weir_translate("memory is short: %s; the allocator was reduced automatically, and requests go on: %s, "
                             "instead of %s"),
        cause.text, choice_in_words(found).text, before.text);
    return true;
}

static bool raise_again(weir_adapt_t *adapt, const weir_pressure_verdict_t *verdict)
{
    weir_choice_t *higher = choice_at(adapt, adapt->level - 1);
    words_t before = choice_in_words(choice_at(adapt, adapt->level));
    if (weir_choice_prove(higher, adapt->settings.trial_server) != WEIR_OK || !serve_with(adapt, higher)) {
        return false;
    }
    adapt->level--;
    weir_choice_free(adapt->lower[adapt->level]);
    adapt->lower[adapt->level] = NULL;
    adapt->told = false;
    weir_log(WEIR_LOG_INFO,
        weir_translate("memory has not been short for %u s; the allocator was raised again%s: %s, instead of %s"),
        (unsigned)verdict->seconds, adapt->level == 0 ? weir_translate(", to what it was at first") : "",
        choice_in_words(higher).text, before.text);
    return true;
}

/* ---- The thread -------------------------------------------------------------------------------------------------- */

/* Wait for a second, or for a refusal. Returns false at the end; `*ret_refusals` came since the last time. */
static bool wait_a_second(weir_adapt_t *adapt, uint32_t *ret_refusals)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec++;
    pthread_mutex_lock(&adapt->lock);
    int error = 0;
    while (!adapt->stop && error != ETIMEDOUT && (adapt->refusals == 0 || adapt->policy.deaf > 0)) {
        error = pthread_cond_timedwait(&adapt->changed, &adapt->lock, &until);
    }
    bool stop = adapt->stop;
    *ret_refusals = adapt->refusals;
    adapt->refusals = 0;
    pthread_mutex_unlock(&adapt->lock);
    return !stop;
}

/* What the old engine's guests had allocated is of no use to the new ones where it lies. */
static void trim(weir_adapt_t *adapt)
{
    if (adapt->trim && weir_server_generations(adapt->server) == 1) {
        adapt->trim = false;
#ifdef __GLIBC__
        malloc_trim(0);
#endif
    }
}

static void *adapt_main(void *argument)
{
    weir_adapt_t *adapt = argument;
    uint32_t refusals;
    while (wait_a_second(adapt, &refusals)) {
        weir_memory_reading_t reading;
        weir_memory_reader_read(adapt->reader, &reading);
        reading.refusals = refusals;
        weir_pressure_verdict_t verdict = weir_pressure_policy_step(&adapt->policy, &reading);
        if (verdict.decision != WEIR_PRESSURE_STAY) {
            bool done = verdict.decision == WEIR_PRESSURE_LOWER ? lower(adapt, &verdict) : raise_again(adapt, &verdict);
            weir_pressure_policy_done(&adapt->policy, verdict.decision, done);
        }
        trim(adapt);
    }
    return NULL;
}

bool weir_adapt_start(weir_adapt_t *adapt, weir_server_t *server)
{
    adapt->server = server;
    int error = weir_thread_start(&adapt->thread, STACK_BYTES, adapt_main, adapt);
    adapt->started = error == 0;
    errno = error;
    return adapt->started;
}

void weir_adapt_stop(weir_adapt_t *adapt)
{
    if (!adapt->started) {
        return;
    }
    pthread_mutex_lock(&adapt->lock);
    adapt->stop = true;
    pthread_cond_signal(&adapt->changed);
    pthread_mutex_unlock(&adapt->lock);
    pthread_join(adapt->thread, NULL);
    adapt->started = false;
}
