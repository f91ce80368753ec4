/*
 * timing.c: times several things against each other, interleaved.
 *
 * Each round gives each of them one batch of cycles, as long as the others' in time. All threads begin a batch
 * together; its time is that of the thread which takes longest, without what that has waited for a processor: other
 * work on the machine must not decide. The result is the lower quartile of the rounds: whatever else the machine does
 * makes a batch longer, never shorter.
 */
#include "allocator/timing.h"

#include "allocator/child.h"
#include "allocator/gang.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { WARM_CYCLES = 2, ROUNDS_LEAST = 3, ROUNDS_MOST = 9, BATCH_CYCLES_MOST = 4096 };

typedef struct schedule {
    weir_timed_t *timed;
    size_t count;
    double milliseconds;
    unsigned rounds;                       /* set by thread 0, as are the next two */
    unsigned batch_cycles[WEIR_TIMED_MAX]; /* on each thread */
    double results[WEIR_TIMED_MAX][ROUNDS_MOST];
    double batch_milliseconds[WEIR_GANG_MOST]; /* of the present batch, on each thread */
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

/* A thread, as far as it is timed. */
typedef struct stopwatch {
    int statistics; /* of its scheduling, or -1 */
    double began;
    double waited;
} stopwatch_t;

/*
 * How many milliseconds this thread has been ready to run and waited for a processor, in all: the second figure of
 * schedstat (kernel document scheduler/sched-stats). 0 where the system does not tell.
 */
static double waited_milliseconds(const stopwatch_t *watch)
{
    char text[96];
    ssize_t size = watch->statistics < 0 ? 0 : pread(watch->statistics, text, sizeof text - 1, 0);
    text[size > 0 ? size : 0] = '\0';
    const char *second = strchr(text, ' ');
    return second == NULL ? 0 : (double)strtoull(second, NULL, 10) * 1e-6;
}

static void start(stopwatch_t *watch)
{
    watch->waited = waited_milliseconds(watch);
    watch->began = weir_clock_milliseconds();
}

static double stop(const stopwatch_t *watch)
{
    double elapsed = weir_clock_milliseconds() - watch->began;
    double waited = waited_milliseconds(watch) - watch->waited;
    return waited > 0 && waited < elapsed ? elapsed - waited : elapsed;
}

/* A batch on all threads. Returns its milliseconds, on thread 0. */
static double run_batch(
    weir_gang_t *gang, schedule_t *schedule, stopwatch_t *watch, size_t index, unsigned cycles, unsigned thread)
{
    bool switched = thread == 0 && schedule->timed[index].huge_pages_off;
    if (switched) {
        weir_huge_pages_set(true);
    }
    weir_gang_meet(gang);
    start(watch);
    run_cycles(schedule, index, cycles, thread);
    schedule->batch_milliseconds[thread] = stop(watch);
    weir_gang_meet(gang);
    double longest = 0;
    for (unsigned i = 0; thread == 0 && i < weir_gang_size(gang); i++) {
        double milliseconds = schedule->batch_milliseconds[i];
        longest = milliseconds > longest ? milliseconds : longest;
    }
    if (switched) {
        weir_huge_pages_set(false);
    }
    return longest;
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
    stopwatch_t watch = {.statistics = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC)};
    for (size_t i = 0; i < schedule->count; i++) {
        run_batch(gang, schedule, &watch, i, WARM_CYCLES, thread);
        cycle_milliseconds[i] = run_batch(gang, schedule, &watch, i, 1, thread);
    }
    if (thread == 0) {
        plan_batches(schedule, cycle_milliseconds);
    }
    weir_gang_meet(gang);
    for (unsigned round = 0; round < schedule->rounds; round++) {
        for (size_t i = 0; i < schedule->count; i++) {
            double milliseconds = run_batch(gang, schedule, &watch, i, schedule->batch_cycles[i], thread);
            if (thread == 0) {
                schedule->results[i][round] = milliseconds * 1e3 / schedule->batch_cycles[i];
            }
        }
    }
    if (watch.statistics >= 0) {
        close(watch.statistics);
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
