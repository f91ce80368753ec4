/*
 * adapt.c: a reading each second, and what the policy makes of it.
 */
#include "cli/adapt.h"

#include "allocator/translate.h"
#include "cli/memory_reading.h"
#include "cli/overseeing.h"
#include "cli/pressure_policy.h"
#include "cli/serving.h"
#include "observe/clock.h"
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
    STACK_BYTES = 2 * 1024 * 1024 /* Wasmtime loads code on it */
};

struct weir_adapt {
    weir_current_t *current;
    weir_server_t *server;
    weir_admin_t *admin; /* or NULL */
    weir_memory_reader_t *reader;
    pthread_t thread;
    bool started;

    /* The thread's own. */
    weir_pressure_policy_t policy;
    bool told;        /* that nothing lower can be had */
    bool trim;        /* the old engine is on its way out */
    uint64_t reloads; /* when it was looked last */

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    bool stop;
    uint32_t refusals;
    char refused[256]; /* of the last one: component and what there was no more of */
};

weir_adapt_t *weir_adapt_new(weir_current_t *current)
{
    weir_adapt_t *adapt = calloc(1, sizeof(*adapt));
    weir_memory_reader_t *reader = weir_memory_reader_new();
    if (adapt == NULL || reader == NULL) {
        free(adapt);
        weir_memory_reader_free(reader);
        return NULL;
    }
    adapt->current = current;
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

static bool has_pool(const weir_choice_t *choice)
{
    return weir_choice_rung(choice)->tier != WEIR_TIER_ONDEMAND;
}

_Static_assert(
    (int)WEIR_CAUSE_REFUSAL - 1 == (int)WEIR_METRICS_REFUSAL && (int)WEIR_CAUSE_STALL - 1 == (int)WEIR_METRICS_STALL,
    "causes are counted as they are numbered");

/* Have it counted, and shown. */
static void tell_lower(
    weir_adapt_t *adapt, const weir_pressure_verdict_t *verdict, bool fallback, const char *before, const char *cause)
{
    unsigned kind = fallback ? WEIR_PROCESS_ALLOCATOR_FALLBACKS : WEIR_PROCESS_ALLOCATOR_REDUCTIONS;
    weir_process_counter_t counter = (weir_process_counter_t)(kind + (unsigned)verdict->cause - 1);
    weir_metrics_count(weir_server_metrics(adapt->server), counter, 1);
    weir_oversee_change(adapt->admin, before, choice_in_words(weir_current_choice(adapt->current)).text, cause);
}

static bool lower(weir_adapt_t *adapt, const weir_pressure_verdict_t *verdict)
{
    weir_current_t *current = adapt->current;
    words_t cause = cause_in_words(adapt, verdict);
    bool had_pool = has_pool(weir_current_choice(current));
    words_t before = choice_in_words(weir_current_choice(current));
    if (!weir_current_lower(current)) {
        if (!adapt->told) {
            weir_log(WEIR_LOG_WARNING,
                weir_translate("memory is short: %s; the allocator stays as it is, for nothing lower can be had now: "
                               "%s"),
                cause.text, before.text);
        }
        adapt->told = true;
        return false;
    }
    adapt->trim = true;
    bool fallback = had_pool && !has_pool(weir_current_choice(current));
    tell_lower(adapt, verdict, fallback, before.text, cause.text);
    weir_log(WEIR_LOG_WARNING,
        fallback
            ? weir_translate("memory is short: %s; the pooling allocator was disabled automatically, and requests go "
                             "on: %s, instead of %s")
            : weir_translate("memory is short: %s; the allocator was reduced automatically, and requests go on: %s, "
                             "instead of %s"),
        cause.text, choice_in_words(weir_current_choice(current)).text, before.text);
    return true;
}

static bool raise_again(weir_adapt_t *adapt, const weir_pressure_verdict_t *verdict)
{
    weir_current_t *current = adapt->current;
    words_t before = choice_in_words(weir_current_choice(current));
    if (!weir_current_raise(current)) {
        return false;
    }
    adapt->trim = true;
    adapt->told = false;
    weir_metrics_count(weir_server_metrics(adapt->server), WEIR_PROCESS_ALLOCATOR_RAISES, 1);
    weir_oversee_change(adapt->admin, before.text, choice_in_words(weir_current_choice(current)).text,
        weir_translate("memory is no longer short"));
    weir_log(WEIR_LOG_INFO,
        weir_translate("memory has not been short for %u s; the allocator was raised again%s: %s, instead of %s"),
        (unsigned)verdict->seconds, weir_current_level(current) == 0 ? weir_translate(", to what it was at first") : "",
        choice_in_words(weir_current_choice(current)).text, before.text);
    return true;
}

/* Go back to what a reload found no room for, now that what was served before is gone. */
static void make_room(weir_adapt_t *adapt)
{
    weir_current_t *current = adapt->current;
    while (weir_current_was_cramped(current) && weir_current_raise(current)) {
        adapt->trim = true;
        weir_log(WEIR_LOG_INFO,
            weir_translate("what was served before the reload is gone; the allocator was raised again: %s"),
            choice_in_words(weir_current_choice(current)).text);
    }
}

/* ---- The thread -------------------------------------------------------------------------------------------------- */

/* Wait for a second, or for a refusal. Returns false at the end; `*ret_refusals` came since the last time. */
static bool wait_a_second(weir_adapt_t *adapt, uint32_t *ret_refusals)
{
    const struct timespec until = weir_monotonic_after(1000000000);
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
    uint64_t reloads = weir_metrics_read(weir_server_metrics(adapt->server), WEIR_PROCESS_RELOADS_DONE);
    adapt->trim = adapt->trim || reloads != adapt->reloads;
    adapt->reloads = reloads;
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
        weir_current_lock(adapt->current);
        make_room(adapt);
        adapt->policy.level = weir_current_level(adapt->current); /* a reload may have changed it */
        weir_pressure_verdict_t verdict = weir_pressure_policy_step(&adapt->policy, &reading);
        if (verdict.decision != WEIR_PRESSURE_STAY) {
            bool done = verdict.decision == WEIR_PRESSURE_LOWER ? lower(adapt, &verdict) : raise_again(adapt, &verdict);
            weir_pressure_policy_done(&adapt->policy, verdict.decision, done);
        }
        weir_current_unlock(adapt->current);
        trim(adapt);
    }
    return NULL;
}

bool weir_adapt_start(weir_adapt_t *adapt, weir_server_t *server, weir_admin_t *admin)
{
    adapt->admin = admin;
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
