/*
 * timing.h: times several things against each other, interleaved, on several threads, so that what disturbs the machine
 * meanwhile disturbs them all alike.
 */
#ifndef WEIR_ALLOCATOR_TIMING_H
#define WEIR_ALLOCATOR_TIMING_H

#include <stdbool.h>
#include <stddef.h>

/* One of the things. */
typedef struct weir_timed {
    /* Once through; from several threads at once, numbered from 0. False: it failed, and is timed no more. */
    bool (*cycle)(void *context, unsigned thread);
    void *context;
    bool huge_pages_off; /* the process does without transparent huge pages meanwhile */
    /* The results, of one cycle on one thread while the others do the same: the lower quartile over rounds, and the
     * least, which is what it may have been without whatever else the machine did meanwhile. 0 when it failed. */
    double microseconds;
    double least_microseconds;
} weir_timed_t;

enum { WEIR_TIMED_MAX = 16 };

/*
 * Time at most WEIR_TIMED_MAX things, for about `milliseconds` in all, though at least a few cycles of each. Returns on
 * how many threads it was done: `threads`, or fewer where the system refuses them.
 */
unsigned weir_timing_run(weir_timed_t *timed, size_t count, unsigned threads, double milliseconds);

/*
 * Whether the process does without transparent huge pages from now on: prctl(2), PR_SET_THP_DISABLE. Gives back only
 * what it has taken away itself: who started the program may have decided, too.
 */
void weir_huge_pages_set(bool off);

#endif
