/*
 * metrics.h: what is counted while weir serves. Each loop has counters of its own, in cache lines of its own, that its
 * thread alone writes; what is rare is counted for the process. Whoever reads adds them up.
 *
 * To count something more, add it to one of the enumerations here and to its table in metrics_table.c: with that it is
 * in /metrics.
 */
#ifndef WEIR_OBSERVE_METRICS_H
#define WEIR_OBSERVE_METRICS_H

#include "observe/histogram.h"
#include "observe/record.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of a loop. Those called gauges go up and down. */
typedef enum weir_loop_counter {
    WEIR_LOOP_CONNECTIONS_ACCEPTED,
    WEIR_LOOP_CONNECTIONS_FAILED, /* that could not be taken: no memory */
    WEIR_LOOP_ACCEPT_PAUSES,
    WEIR_LOOP_CONNECTIONS_REFUSED,   /* closed at once: too many of their address */
    WEIR_LOOP_TLS_FAILED,            /* connections on which TLS failed before anything came through it */
    WEIR_LOOP_PROXY_HEADERS_REFUSED, /* connections without a header of the PROXY protocol that counts */
    WEIR_LOOP_RECEIVED_BYTES,
    WEIR_LOOP_SENT_BYTES,
    WEIR_LOOP_BUSY_NANOSECONDS,
    WEIR_LOOP_COUNTERS,
} weir_loop_counter_t;

typedef enum weir_loop_gauge {
    WEIR_LOOP_WAITING, /* requests that wait for an instance */
    WEIR_LOOP_TURN_AT, /* when its turn began, in nanoseconds of CLOCK_MONOTONIC; 0: it sleeps, or does not run */
    WEIR_LOOP_GAUGES,
} weir_loop_gauge_t;

/* Of a component on a loop, besides its requests by method and status, their outcomes and times. */
typedef enum weir_component_counter {
    WEIR_COMPONENT_TRAPS,
    WEIR_COMPONENT_INSTANCES_MADE,    /* each for one request, of a client or of another guest */
    WEIR_COMPONENT_INSTANCES_REFUSED, /* no instance could be had; its request waits, or fails */
    WEIR_COMPONENT_CHAINED,           /* requests of other guests, within the application */
    WEIR_COMPONENT_CPU_NANOSECONDS,
    WEIR_COMPONENT_CPU_OVER,  /* guests that were ended because they computed for too long, also after their response */
    WEIR_COMPONENT_OVERTIMES, /* and because they went on for too long after it */
    WEIR_COMPONENT_COUNTERS,
} weir_component_counter_t;

typedef enum weir_component_gauge {
    WEIR_COMPONENT_IN_FLIGHT, /* requests of clients that have begun and are not over */
    WEIR_COMPONENT_WAITING,   /* those among them that wait for an instance */
    WEIR_COMPONENT_INSTANCES, /* that there are, or are being made */
    WEIR_COMPONENT_GAUGES,
} weir_component_gauge_t;

/* Of the process: what happens rarely, on any thread. */
typedef enum weir_process_counter {
    WEIR_PROCESS_RELOADS_DONE,
    WEIR_PROCESS_RELOADS_REFUSED,  /* the new application was not served; the one before goes on */
    WEIR_PROCESS_TLS_RELOADS_DONE, /* of certificate and key */
    WEIR_PROCESS_TLS_RELOADS_REFUSED,
    /* The allocator was changed while weir serves: the pool disabled, or reduced, each for one of six causes, in the
     * order of weir_metrics_cause_t; or raised again. */
    WEIR_PROCESS_ALLOCATOR_FALLBACKS,
    WEIR_PROCESS_ALLOCATOR_REDUCTIONS = WEIR_PROCESS_ALLOCATOR_FALLBACKS + 6,
    WEIR_PROCESS_ALLOCATOR_RAISES = WEIR_PROCESS_ALLOCATOR_REDUCTIONS + 6,
    WEIR_PROCESS_ACCESS_LINES_WRITTEN,
    WEIR_PROCESS_ACCESS_LINES_LOST, /* there was no room for them, or nobody took them */
    WEIR_PROCESS_SPANS_EXPORTED,    /* of requests, that a collector took */
    WEIR_PROCESS_SPANS_LOST,
    WEIR_PROCESS_COUNTERS,
} weir_process_counter_t;

typedef enum weir_metrics_cause {
    WEIR_METRICS_REFUSAL = 0,
    WEIR_METRICS_GROUP_LEFT = 1,
    WEIR_METRICS_AVAILABLE = 2,
    WEIR_METRICS_SWAPPING = 3,
    WEIR_METRICS_GROUP_STALL = 4,
    WEIR_METRICS_STALL = 5,
} weir_metrics_cause_t;

/* How a counter or gauge is told: Prometheus' name of it, the label that tells it from the others of that name, which
 * stand beside it, if there are any, and what it is. What is counted in nanoseconds is told in seconds. */
typedef struct weir_metric {
    const char *name;
    const char *label;
    const char *value;
    const char *help;
    bool nanoseconds;
} weir_metric_t;

extern const weir_metric_t weir_loop_counter_metrics[WEIR_LOOP_COUNTERS];
extern const weir_metric_t weir_component_counter_metrics[WEIR_COMPONENT_COUNTERS];
extern const weir_metric_t weir_component_gauge_metrics[WEIR_COMPONENT_GAUGES];
extern const weir_metric_t weir_process_counter_metrics[WEIR_PROCESS_COUNTERS];

enum {
    /* Components in all of a process's life; those beyond are counted as one, called "". */
    WEIR_METRICS_COMPONENTS_MAX = 512,
    /* Pairs of method and status, for a component on a loop; those beyond are counted as one: other, 0. */
    WEIR_METRICS_STATUSES = 48,
    WEIR_METRICS_STATUS_BITS = 12, /* of their keys; what is above is the method */
};

/* Methods that are told apart (RFC 9110, section 9; RFC 5789). */
typedef enum weir_method {
    WEIR_METHOD_OTHER = 0,
    WEIR_METHOD_GET = 1,
    WEIR_METHOD_HEAD = 2,
    WEIR_METHOD_POST = 3,
    WEIR_METHOD_PUT = 4,
    WEIR_METHOD_DELETE = 5,
    WEIR_METHOD_PATCH = 6,
    WEIR_METHOD_OPTIONS = 7,
    WEIR_METHOD_CONNECT = 8,
    WEIR_METHOD_TRACE = 9,
    WEIR_METHOD_COUNT = 10,
} weir_method_t;

/* The method with this name, which need not end; the case counts. And its name: "other" where there is none. */
weir_method_t weir_method_of(const char *name, size_t size);
const char *weir_method_name(weir_method_t method);

/* What one loop has counted. */
typedef struct weir_loop_metrics {
    _Alignas(128) _Atomic(uint64_t) counters[WEIR_LOOP_COUNTERS];
    _Atomic(uint64_t) gauges[WEIR_LOOP_GAUGES];
} weir_loop_metrics_t;

/* What one loop has counted of one component. */
typedef struct weir_component_metrics {
    _Alignas(128) _Atomic(uint64_t) counters[WEIR_COMPONENT_COUNTERS];
    _Atomic(uint64_t) gauges[WEIR_COMPONENT_GAUGES];
    _Atomic(uint64_t) outcomes[WEIR_REQUEST_OUTCOMES];
    _Atomic(uint16_t) keys[WEIR_METRICS_STATUSES]; /* 0xFFFF: not used yet */
    _Atomic(uint64_t) requests[WEIR_METRICS_STATUSES];
    weir_histogram_t to_head; /* from the request's head to that of the response */
    weir_histogram_t whole;   /* to the end of the response */
    weir_histogram_t queued;  /* what those that waited for an instance have waited */
} weir_component_metrics_t;

/* A component as it is counted; it lives as long as the metrics. Its id is NULL for what no component answers. */
typedef struct weir_counted {
    char *id;                        /* own */
    weir_component_metrics_t *loops; /* own */
} weir_counted_t;

typedef struct weir_metrics weir_metrics_t;

/* Make counters for so many loops. NULL: memory ran out. */
weir_metrics_t *weir_metrics_new(unsigned loops);

/* Free them; nobody counts any more. NULL is allowed. */
void weir_metrics_free(weir_metrics_t *own_metrics);

/* How many loops they are for. */
unsigned weir_metrics_loops(const weir_metrics_t *metrics);

/* What a loop counts in. */
weir_loop_metrics_t *weir_metrics_of_loop(weir_metrics_t *metrics, unsigned loop);

/*
 * Where a component with this id (NULL: no component) is counted: the same for each generation that has it. Where
 * memory ran out, or there are too many, that is where requests are counted that no component answers. Any thread.
 */
const weir_counted_t *weir_metrics_of_component(weir_metrics_t *metrics, const char *id);

/* How many places there are, and one of them; the first is for what no component answers. Any thread. */
size_t weir_metrics_component_count(const weir_metrics_t *metrics);
const weir_counted_t *weir_metrics_component(const weir_metrics_t *metrics, size_t index);

/* Count something of the process, or read how often it was. Any thread. */
void weir_metrics_count(weir_metrics_t *metrics, weir_process_counter_t counter, uint64_t count);
uint64_t weir_metrics_read(const weir_metrics_t *metrics, weir_process_counter_t counter);

/* Add to a counter that this thread alone writes. */
static inline void weir_count(_Atomic(uint64_t) *counter, uint64_t count)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + count, memory_order_relaxed);
}

/* Let a gauge go up by one, or down. */
static inline void weir_gauge_move(_Atomic(uint64_t) *gauge, bool up)
{
    uint64_t now = atomic_load_explicit(gauge, memory_order_relaxed);
    atomic_store_explicit(gauge, up ? now + 1 : now - 1, memory_order_relaxed);
}

/* Set a gauge that this thread alone writes. */
static inline void weir_gauge_set(_Atomic(uint64_t) *gauge, uint64_t value)
{
    atomic_store_explicit(gauge, value, memory_order_relaxed);
}

static inline uint64_t weir_counter_read(const _Atomic(uint64_t) *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* Count a request that is over. The thread of the loop that these are of. */
void weir_metrics_note_request(
    weir_component_metrics_t *metrics, weir_method_t method, const weir_request_record_t *record, bool waited);

#endif
