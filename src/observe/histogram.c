/*
 * histogram.c: the buckets and what can be read from them.
 */
#include "observe/histogram.h"

#define US UINT64_C(1000)
#define MS UINT64_C(1000000)
#define S UINT64_C(1000000000)

const uint64_t weir_histogram_bounds[WEIR_HISTOGRAM_BOUNDS] = {
    50 * US,
    100 * US,
    150 * US,
    200 * US,
    300 * US,
    500 * US,
    700 * US, /* */
    1 * MS,
    3 * MS / 2,
    2 * MS,
    3 * MS,
    5 * MS,
    7 * MS, /* */
    10 * MS,
    15 * MS,
    20 * MS,
    30 * MS,
    50 * MS,
    70 * MS, /* */
    100 * MS,
    150 * MS,
    200 * MS,
    300 * MS,
    500 * MS,
    700 * MS, /* */
    1 * S,
    3 * S / 2,
    2 * S,
    3 * S,
    5 * S,
    7 * S, /* */
    10 * S,
    15 * S,
    20 * S,
    30 * S,
    60 * S,
};

void weir_histogram_note(weir_histogram_t *histogram, uint64_t nanoseconds)
{
    size_t at = 0;
    while (at < WEIR_HISTOGRAM_BOUNDS && nanoseconds > weir_histogram_bounds[at]) {
        at++;
    }
    /* One thread writes: no addition has to be atomic. */
    uint64_t count = atomic_load_explicit(&histogram->buckets[at], memory_order_relaxed);
    uint64_t sum = atomic_load_explicit(&histogram->sum, memory_order_relaxed);
    atomic_store_explicit(&histogram->buckets[at], count + 1, memory_order_relaxed);
    atomic_store_explicit(&histogram->sum, sum + nanoseconds, memory_order_relaxed);
}

void weir_histogram_read(const weir_histogram_t *histogram, weir_distribution_t *distribution)
{
    for (size_t i = 0; i <= WEIR_HISTOGRAM_BOUNDS; i++) {
        uint64_t count = atomic_load_explicit(&histogram->buckets[i], memory_order_relaxed);
        distribution->buckets[i] += count;
        distribution->count += count;
    }
    distribution->sum += atomic_load_explicit(&histogram->sum, memory_order_relaxed);
}

uint64_t weir_distribution_quantile(const weir_distribution_t *distribution, double share)
{
    double wanted = share * (double)distribution->count;
    double below = 0;
    for (size_t i = 0; i < WEIR_HISTOGRAM_BOUNDS; i++) {
        double within = (double)distribution->buckets[i];
        if (within > 0 && below + within >= wanted) {
            uint64_t low = i == 0 ? 0 : weir_histogram_bounds[i - 1];
            double part = wanted <= below ? 0 : (wanted - below) / within;
            return low + (uint64_t)(part * (double)(weir_histogram_bounds[i] - low));
        }
        below += within;
    }
    return distribution->count == 0 ? 0 : weir_histogram_bounds[WEIR_HISTOGRAM_BOUNDS - 1];
}
