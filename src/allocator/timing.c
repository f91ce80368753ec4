/*
 * timing.c: times several things against each other, interleaved.
 *
 * Each round gives each of them one batch of cycles, as long as the others' in time. All threads begin a batch
 * together; its time is from there until the last has finished. The result is the lower quartile of the rounds:
 * whatever else the machine does makes a batch longer, never shorter.
 */
#include "allocator/timing.h"

#include "allocator/child.h"
#include "allocator/gang.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/prctl.h>

enum { WARM_CYCLES = 2, ROUNDS_LEAST = 3, ROUNDS_MOST = 9, BATCH_CYCLES_MOST = 4096 };

typedef struct schedule {
    weir_timed_t *timed;
    size_t count;
    double milliseconds;
    unsigned rounds;                       /* set by thread 0, as are the next two */
    unsigned batch_cycles[WEIR_TIMED_MAX]; /* on each thread */
    double results[WEIR_TIMED_MAX][ROUNDS_MOST];
    atomic_bool failed[WEIR_TIMED_MAX];
} schedule_t;

static int compare_doubles(const void *first, const void *second)
{
    double a = *(const double *)first;
    double b = *(const double *)second;
    return a < b ? -1 : a > b ? 1 : 0;
}

/* This library has taken them away, and nobody else: only then they are given back. */
static atomic_bool huge_pages_taken;

void weir_huge_pages_set(bool off)
{
#ifdef PR_SET_THP_DISABLE
    if (off && prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 0 && prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0) {
        atomic_store(&huge_pages_taken, true);
    } else if (!off && atomic_exchange(&huge_pages_taken, false)) {
        prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
    }
#else
    (void)off;
#endif
}

/* So many cycles of one thing on this thread. */
static void run_cycles(schedule_t *schedule, size_t index, unsigned cycles, unsigned thread)
{
    weir_timed_t *timed = &schedule->timed[index];
    for (unsigned i = 0; i < cycles && !atomic_load_explicit(&schedule->failed[index], memory_order_relaxed); i++) {
        if (!timed->cycle(timed->context, thread)) {
            atomic_store(&schedule->failed[index], true);
        }
    }
}

/* A batch on all threads. Returns its milliseconds, on thread 0. */
static double run_batch(weir_gang_t *gang, schedule_t *schedule, size_t index, unsigned cycles, unsigned thread)
{
    bool switched = thread == 0 && schedule->timed[index].huge_pages_off;
    if (switched) {
        weir_huge_pages_set(true);
    }
    weir_gang_meet(gang);
    double began = weir_clock_milliseconds();
    run_cycles(schedule, index, cycles, thread);
    weir_gang_meet(gang);
    double milliseconds = weir_clock_milliseconds() - began;
    if (switched) {
        weir_huge_pages_set(false);
    }
    return milliseconds;
}

/* How many cycles each thing has in a batch, from the time that one took. */
static void plan_batches(schedule_t *schedule, const double *cycle_milliseconds)
{
    double least = 0;
    for (size_t i = 0; i < schedule->count; i++) {
        least += cycle_milliseconds[i];
    }
    double rounds = least > 0 ? schedule->milliseconds / least : ROUNDS_MOST;
    schedule->rounds = rounds >= ROUNDS_MOST ? ROUNDS_MOST : rounds <= ROUNDS_LEAST ? ROUNDS_LEAST : (unsigned)rounds;
    for (size_t i = 0; i < schedule->count; i++) {
        double share = schedule->milliseconds / (double)schedule->count / schedule->rounds;
        double cycles = cycle_milliseconds[i] > 0 ? share / cycle_milliseconds[i] : 1;
        schedule->batch_cycles[i] = cycles < 1 ? 1 : cycles > BATCH_CYCLES_MOST ? BATCH_CYCLES_MOST : (unsigned)cycles;
    }
}

static void follow_schedule(weir_gang_t *gang, unsigned thread, void *context)
{
    schedule_t *schedule = context;
    double cycle_milliseconds[WEIR_TIMED_MAX];
    for (size_t i = 0; i < schedule->count; i++) {
        run_batch(gang, schedule, i, WARM_CYCLES, thread);
        cycle_milliseconds[i] = run_batch(gang, schedule, i, 1, thread);
    }
    if (thread == 0) {
        plan_batches(schedule, cycle_milliseconds);
    }
    weir_gang_meet(gang);
    for (unsigned round = 0; round < schedule->rounds; round++) {
        for (size_t i = 0; i < schedule->count; i++) {
            double milliseconds = run_batch(gang, schedule, i, schedule->batch_cycles[i], thread);
            if (thread == 0) {
                schedule->results[i][round] = milliseconds * 1e3 / schedule->batch_cycles[i];
            }
        }
    }
}

unsigned weir_timing_run(weir_timed_t *timed, size_t count, unsigned threads, double milliseconds)
{
    schedule_t schedule = {.timed = timed, .count = count, .milliseconds = milliseconds};
    unsigned size = weir_gang_run(threads, follow_schedule, &schedule);
    for (size_t i = 0; i < count; i++) {
        qsort(schedule.results[i], schedule.rounds, sizeof schedule.results[i][0], compare_doubles);
        bool failed = atomic_load(&schedule.failed[i]);
        timed[i].microseconds = failed ? 0 : schedule.results[i][schedule.rounds / 4];
        timed[i].least_microseconds = failed ? 0 : schedule.results[i][0];
    }
    return size;
}
