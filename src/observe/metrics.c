/*
 * metrics.c: making and finding counters, and counting requests.
 */
#include "observe/metrics.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { UNUSED_KEY = 0xFFFF };

struct weir_metrics {
    unsigned loop_count;
    weir_loop_metrics_t *loops; /* own */
    pthread_mutex_t lock;       /* for adding components */
    atomic_size_t component_count;
    weir_counted_t components[WEIR_METRICS_COMPONENTS_MAX + 1]; /* constant below the count */
    _Atomic(uint64_t) counters[WEIR_PROCESS_COUNTERS];
};

/* ---- Making and freeing ------------------------------------------------------------------------------------------ */

/* An array for the loops, each with cache lines of its own. */
static void *allocate(unsigned loops, size_t size)
{
    void *array = aligned_alloc(128, loops * size);
    if (array != NULL) {
        memset(array, 0, loops * size);
    }
    return array;
}

static bool add_component(weir_metrics_t *metrics, const char *id)
{
    weir_counted_t counted = {
        .id = id == NULL ? NULL : strdup(id), .loops = allocate(metrics->loop_count, sizeof(weir_component_metrics_t))};
    if (counted.loops == NULL || (id != NULL && counted.id == NULL)) {
        free(counted.id);
        free(counted.loops);
        return false;
    }
    for (unsigned loop = 0; loop < metrics->loop_count; loop++) {
        for (size_t i = 0; i < WEIR_METRICS_STATUSES; i++) {
            atomic_init(&counted.loops[loop].keys[i], UNUSED_KEY);
        }
    }
    size_t count = atomic_load_explicit(&metrics->component_count, memory_order_relaxed);
    metrics->components[count] = counted;
    atomic_store_explicit(&metrics->component_count, count + 1, memory_order_release);
    return true;
}

weir_metrics_t *weir_metrics_new(unsigned loops)
{
    weir_metrics_t *metrics = calloc(1, sizeof(*metrics));
    if (metrics == NULL) {
        return NULL;
    }
    metrics->loop_count = loops;
    pthread_mutex_init(&metrics->lock, NULL);
    metrics->loops = allocate(loops, sizeof(*metrics->loops));
    if (metrics->loops == NULL || !add_component(metrics, NULL)) {
        weir_metrics_free(metrics);
        return NULL;
    }
    return metrics;
}

void weir_metrics_free(weir_metrics_t *own_metrics)
{
    if (own_metrics == NULL) {
        return;
    }
    for (size_t i = 0; i < weir_metrics_component_count(own_metrics); i++) {
        free(own_metrics->components[i].id);
        free(own_metrics->components[i].loops);
    }
    free(own_metrics->loops);
    pthread_mutex_destroy(&own_metrics->lock);
    free(own_metrics);
}

/* ---- Finding ----------------------------------------------------------------------------------------------------- */

unsigned weir_metrics_loops(const weir_metrics_t *metrics)
{
    return metrics->loop_count;
}

weir_loop_metrics_t *weir_metrics_of_loop(weir_metrics_t *metrics, unsigned loop)
{
    return &metrics->loops[loop];
}

static const weir_counted_t *find(const weir_metrics_t *metrics, const char *id)
{
    size_t count = weir_metrics_component_count(metrics);
    for (size_t i = 1; id != NULL && i < count; i++) {
        if (strcmp(metrics->components[i].id, id) == 0) {
            return &metrics->components[i];
        }
    }
    return id == NULL ? &metrics->components[0] : NULL;
}

const weir_counted_t *weir_metrics_of_component(weir_metrics_t *metrics, const char *id)
{
    pthread_mutex_lock(&metrics->lock);
    const weir_counted_t *found = find(metrics, id);
    if (found == NULL && weir_metrics_component_count(metrics) <= WEIR_METRICS_COMPONENTS_MAX &&
        add_component(metrics, id)) {
        found = find(metrics, id);
    }
    pthread_mutex_unlock(&metrics->lock);
    return found == NULL ? &metrics->components[0] : found;
}

size_t weir_metrics_component_count(const weir_metrics_t *metrics)
{
    return atomic_load_explicit(&metrics->component_count, memory_order_acquire);
}

const weir_counted_t *weir_metrics_component(const weir_metrics_t *metrics, size_t index)
{
    return &metrics->components[index];
}

/* ---- Counting ---------------------------------------------------------------------------------------------------- */

void weir_metrics_count(weir_metrics_t *metrics, weir_process_counter_t counter, uint64_t count)
{
    atomic_fetch_add_explicit(&metrics->counters[counter], count, memory_order_relaxed);
}

uint64_t weir_metrics_read(const weir_metrics_t *metrics, weir_process_counter_t counter)
{
    return weir_counter_read(&metrics->counters[counter]);
}

static const char *const method_names[WEIR_METHOD_COUNT] = {
    "other", "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE"};

weir_method_t weir_method_of(const char *name, size_t size)
{
    for (unsigned i = 1; i < WEIR_METHOD_COUNT; i++) {
        if (size == strlen(method_names[i]) && memcmp(name, method_names[i], size) == 0) {
            return (weir_method_t)i;
        }
    }
    return WEIR_METHOD_OTHER;
}

const char *weir_method_name(weir_method_t method)
{
    return method_names[method];
}

/* The place of a key: most requests have the first one's. The last place is for what finds none. */
static size_t place_of(weir_component_metrics_t *metrics, uint16_t key)
{
    for (size_t i = 0; i < WEIR_METRICS_STATUSES - 1; i++) {
        uint16_t other = atomic_load_explicit(&metrics->keys[i], memory_order_relaxed);
        if (other == key) {
            return i;
        }
        if (other == UNUSED_KEY) {
            atomic_store_explicit(&metrics->keys[i], key, memory_order_relaxed);
            return i;
        }
    }
    atomic_store_explicit(
        &metrics->keys[WEIR_METRICS_STATUSES - 1], WEIR_METHOD_OTHER << WEIR_METRICS_STATUS_BITS, memory_order_relaxed);
    return WEIR_METRICS_STATUSES - 1;
}

void weir_metrics_note_request(
    weir_component_metrics_t *metrics, weir_method_t method, const weir_request_record_t *record, bool waited)
{
    uint16_t key = (uint16_t)((unsigned)method << WEIR_METRICS_STATUS_BITS |
                              (record->status & ((1U << WEIR_METRICS_STATUS_BITS) - 1)));
    weir_count(&metrics->requests[place_of(metrics, key)], 1);
    weir_count(&metrics->outcomes[record->outcome], 1);
    if (record->head_at != 0) {
        weir_histogram_note(&metrics->to_head, record->head_at - record->begun_at);
    }
    weir_histogram_note(&metrics->whole, record->ended_at - record->begun_at);
    if (waited) {
        uint64_t until = record->admitted_at == 0 ? record->ended_at : record->admitted_at;
        weir_histogram_note(&metrics->queued, until - record->begun_at);
    }
}
