/*
 * gather.h: adding up what the loops have counted, and reading what the system says of the process.
 */
#ifndef WEIR_ADMIN_GATHER_H
#define WEIR_ADMIN_GATHER_H

#include "observe/metrics.h"

#include <stddef.h>
#include <stdint.h>

enum { WEIR_SUMS_STATUSES = 128 };

/* Of one component, or of all, over all loops. */
typedef struct weir_sums {
    const char *id; /* NULL: of what no component answers, or of all */
    uint64_t requests;
    uint64_t counters[WEIR_COMPONENT_COUNTERS];
    uint64_t gauges[WEIR_COMPONENT_GAUGES];
    uint64_t outcomes[WEIR_REQUEST_OUTCOMES];
    size_t status_count;
    struct {
        weir_method_t method;
        unsigned status; /* 0: there was none, or it is one of many */
        uint64_t count;
    } statuses[WEIR_SUMS_STATUSES];
    weir_distribution_t to_head;
    weir_distribution_t whole;
    weir_distribution_t queued;
} weir_sums_t;

/* Add a component's figures to sums that were zeroed, or hold others'. */
void weir_sums_add(weir_sums_t *sums, const weir_metrics_t *metrics, size_t component);

/* Those with a status from `low` to `high`. */
uint64_t weir_sums_count_statuses(const weir_sums_t *sums, unsigned low, unsigned high);

/* A counter over all loops. */
uint64_t weir_gather_loops(weir_metrics_t *metrics, weir_loop_counter_t counter);

/* The process; 0 where the system does not tell. */
typedef struct weir_process_reading {
    uint64_t resident_bytes;
    uint64_t virtual_bytes;
    double cpu_seconds;
    double started_at; /* seconds since 1970 */
    uint64_t open_descriptors;
    uint64_t max_descriptors;
} weir_process_reading_t;

void weir_gather_process(weir_process_reading_t *ret_reading);

/* The resident bytes alone. */
uint64_t weir_gather_resident_bytes(void);

#endif
