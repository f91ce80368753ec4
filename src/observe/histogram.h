/*
 * histogram.h: how often a time was how long. One thread writes; any thread may read meanwhile, and sees each figure as
 * it was at some moment.
 */
#ifndef WEIR_OBSERVE_HISTOGRAM_H
#define WEIR_OBSERVE_HISTOGRAM_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* Six bounds for each power of ten from 50 microseconds to a minute: a figure between two of them is known to within a
 * half. */
enum { WEIR_HISTOGRAM_BOUNDS = 36 };

/* The bounds in nanoseconds, each of them still within its bucket; the last bucket has none. */
extern const uint64_t weir_histogram_bounds[WEIR_HISTOGRAM_BOUNDS];

typedef struct weir_histogram {
    _Atomic(uint64_t) buckets[WEIR_HISTOGRAM_BOUNDS + 1];
    _Atomic(uint64_t) sum; /* nanoseconds */
} weir_histogram_t;

/* Figures of one or several histograms, for whoever reads. */
typedef struct weir_distribution {
    uint64_t buckets[WEIR_HISTOGRAM_BOUNDS + 1];
    uint64_t sum;
    uint64_t count;
} weir_distribution_t;

/* Add one time. The histogram's own thread. */
void weir_histogram_note(weir_histogram_t *histogram, uint64_t nanoseconds);

/* Add what a histogram has to a distribution. Any thread. */
void weir_histogram_read(const weir_histogram_t *histogram, weir_distribution_t *distribution);

/*
 * The time in nanoseconds that this share of all (0 to 1) did not exceed, between the bounds of a bucket as if its
 * times were spread evenly; in the last bucket its lower bound. 0 when there are none.
 */
uint64_t weir_distribution_quantile(const weir_distribution_t *distribution, double share);

#endif
