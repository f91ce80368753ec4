/*
 * ticker.c: one counter a thread says whether it runs guest code (odd) and whether it has (it changed); the ticker's
 * thread looks at them at each tick and goes to sleep when nothing has run for a while.
 */
#include "serve/ticker.h"

#include "observe/clock.h"
#include "observe/thread.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

enum {
    CACHE_LINE = 64,         /* keeps the threads' counters apart; too small a figure costs speed only */
    IDLE_MILLISECONDS = 100, /* without guest code before it sleeps: a trickle of requests must not wake it each time */
    STACK_BYTES = 1 << 18    /* it calls little; the least that sanitizers are content with */
};

typedef struct slot {
    _Alignas(CACHE_LINE) atomic_uint changes;
    unsigned seen; /* by the ticker's thread */
} slot_t;

struct weir_ticker {
    void (*tick)(void *context);
    void *context;
    uint32_t milliseconds;
    pthread_t thread;     /* unless it never ticks */
    pthread_mutex_t lock; /* guards `stop` and the change of `asleep` to false */
    pthread_cond_t changed;
    bool stop;
    atomic_bool asleep;
    atomic_uint count;
    unsigned slot_count;
    slot_t *slots;
};

/* Whether a thread runs guest code now, and whether any has done so since the last look. */
static void look(weir_ticker_t *ticker, bool *ret_runs, bool *ret_ran)
{
    bool runs = false;
    bool ran = false;
    for (unsigned i = 0; i < ticker->slot_count; i++) {
        unsigned changes = atomic_load(&ticker->slots[i].changes);
        runs = runs || (changes & 1) != 0;
        ran = ran || changes != ticker->slots[i].seen;
        ticker->slots[i].seen = changes;
    }
    *ret_runs = runs;
    *ret_ran = ran || runs;
}

/* Wait until a thread begins. Returns false when the ticker is to stop. */
static bool sleep_until_needed(weir_ticker_t *ticker)
{
    bool runs;
    bool ran;
    pthread_mutex_lock(&ticker->lock);
    /*
     * First say so, then look once more; a thread that begins does it the other way round. One of the two notices the
     * other, because all four operations are sequentially consistent.
     */
    atomic_store(&ticker->asleep, true);
    look(ticker, &runs, &ran);
    while (!ran && !ticker->stop && atomic_load(&ticker->asleep)) {
        pthread_cond_wait(&ticker->changed, &ticker->lock);
    }
    atomic_store(&ticker->asleep, false);
    bool stop = ticker->stop;
    pthread_mutex_unlock(&ticker->lock);
    return !stop;
}

/* Wait for one period. Returns false when the ticker is to stop. */
static bool wait_a_period(weir_ticker_t *ticker)
{
    const struct timespec until = weir_monotonic_after((uint64_t)ticker->milliseconds * 1000000);
    pthread_mutex_lock(&ticker->lock);
    int error = 0;
    while (!ticker->stop && error != ETIMEDOUT) {
        error = pthread_cond_timedwait(&ticker->changed, &ticker->lock, &until);
    }
    bool stop = ticker->stop;
    pthread_mutex_unlock(&ticker->lock);
    return !stop;
}

static void *ticker_main(void *argument)
{
    weir_ticker_t *ticker = argument;
    unsigned idle = UINT_MAX;
    for (;;) {
        if (idle > IDLE_MILLISECONDS / ticker->milliseconds) {
            if (!sleep_until_needed(ticker)) {
                return NULL;
            }
            idle = 0;
        }
        if (!wait_a_period(ticker)) {
            return NULL;
        }
        bool runs;
        bool ran;
        look(ticker, &runs, &ran);
        if (runs) {
            atomic_fetch_add_explicit(&ticker->count, 1, memory_order_relaxed);
            ticker->tick(ticker->context);
        }
        idle = ran ? 0 : idle + 1;
    }
}

/* Its waits are counted on the clock that is never set. */
static int init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    int error = pthread_condattr_init(&attributes);
    if (error != 0) {
        return error;
    }
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    error = pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
    return error;
}

static bool start_thread(weir_ticker_t *ticker)
{
    errno = weir_thread_start(&ticker->thread, STACK_BYTES, ticker_main, ticker);
    return errno == 0;
}

weir_ticker_t *weir_ticker_new(unsigned threads, uint32_t milliseconds, void (*tick)(void *context), void *context)
{
    weir_ticker_t *ticker = calloc(1, sizeof(*ticker));
    if (ticker == NULL) {
        return NULL;
    }
    ticker->slots = aligned_alloc(CACHE_LINE, sizeof(slot_t) * (threads == 0 ? 1 : threads));
    if (ticker->slots == NULL) {
        free(ticker);
        errno = ENOMEM;
        return NULL;
    }
    ticker->tick = tick;
    ticker->context = context;
    ticker->milliseconds = milliseconds;
    ticker->slot_count = threads;
    for (unsigned i = 0; i < threads; i++) {
        atomic_init(&ticker->slots[i].changes, 0);
        ticker->slots[i].seen = 0;
    }
    atomic_init(&ticker->asleep, false);
    atomic_init(&ticker->count, 0);
    int error = init_condition(&ticker->changed);
    if (error != 0) {
        free(ticker->slots);
        free(ticker);
        errno = error;
        return NULL;
    }
    pthread_mutex_init(&ticker->lock, NULL);
    if (milliseconds != WEIR_TICK_NEVER && !start_thread(ticker)) {
        error = errno;
        pthread_cond_destroy(&ticker->changed);
        pthread_mutex_destroy(&ticker->lock);
        free(ticker->slots);
        free(ticker);
        errno = error;
        return NULL;
    }
    return ticker;
}

void weir_ticker_free(weir_ticker_t *own_ticker)
{
    if (own_ticker == NULL) {
        return;
    }
    pthread_mutex_lock(&own_ticker->lock);
    own_ticker->stop = true;
    pthread_cond_signal(&own_ticker->changed);
    pthread_mutex_unlock(&own_ticker->lock);
    if (own_ticker->milliseconds != WEIR_TICK_NEVER) {
        pthread_join(own_ticker->thread, NULL);
    }
    pthread_cond_destroy(&own_ticker->changed);
    pthread_mutex_destroy(&own_ticker->lock);
    free(own_ticker->slots);
    free(own_ticker);
}

void weir_ticker_begin(weir_ticker_t *ticker, unsigned thread)
{
    atomic_fetch_add(&ticker->slots[thread].changes, 1);
    if (atomic_load(&ticker->asleep)) {
        pthread_mutex_lock(&ticker->lock);
        atomic_store(&ticker->asleep, false);
        pthread_cond_signal(&ticker->changed);
        pthread_mutex_unlock(&ticker->lock);
    }
}

void weir_ticker_end(weir_ticker_t *ticker, unsigned thread)
{
    atomic_fetch_add_explicit(&ticker->slots[thread].changes, 1, memory_order_release);
}

uint32_t weir_ticker_count(const weir_ticker_t *ticker)
{
    return atomic_load_explicit(&ticker->count, memory_order_relaxed);
}
