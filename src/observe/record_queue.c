/*
 * record_queue.c: a ring of entries, each in one piece: where one does not fit before the end of the ring, what is left
 * there is skipped. Its two counts of bytes only grow.
 */
#include "observe/record_queue.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    LEAST_BYTES = 64 * 1024,
    CACHE_LINE = 64,
};

/* An entry, and the texts behind it. */
typedef struct entry {
    size_t size;     /* of all of it */
    bool is_skipped; /* it is no record */
    weir_request_record_t record;
    char texts[];
} entry_t;

struct weir_record_queue {
    _Alignas(CACHE_LINE) atomic_size_t put; /* bytes, by the thread that puts */
    size_t taken_seen;                      /* what it last saw of the other one */
    _Alignas(CACHE_LINE) atomic_size_t taken;
    _Alignas(CACHE_LINE) size_t capacity;
    char *bytes; /* own */
};

weir_record_queue_t *weir_record_queue_new(size_t bytes)
{
    size_t capacity = LEAST_BYTES;
    while (capacity < bytes)
        capacity *= 2;
    weir_record_queue_t *queue = aligned_alloc(CACHE_LINE, sizeof *queue);
    char *ring = malloc(capacity);
    if (queue == NULL || ring == NULL) {
        free(queue);
        free(ring);
        return NULL;
    }
    memset(queue, 0, sizeof *queue);
    queue->capacity = capacity;
    queue->bytes = ring;
    return queue;
}

void weir_record_queue_free(weir_record_queue_t *own_queue)
{
    if (own_queue != NULL)
        free(own_queue->bytes);
    free(own_queue);
}

static entry_t *entry_at(const weir_record_queue_t *queue, size_t count)
{
    return (entry_t *)(void *)(queue->bytes + (count & (queue->capacity - 1)));
}

/* Copy a text behind an entry, and have the record point there. */
static void keep(const char **text, char **end)
{
    if (*text == NULL)
        return;
    size_t size = strlen(*text) + 1;
    memcpy(*end, *text, size);
    *text = *end;
    *end += size;
}

static size_t size_of(const char *text)
{
    return text == NULL ? 0 : strlen(text) + 1;
}

bool weir_record_queue_put(weir_record_queue_t *queue, const weir_request_record_t *record)
{
    size_t size = sizeof(entry_t) + size_of(record->component) + size_of(record->route) + size_of(record->method) +
                  size_of(record->target) + size_of(record->host) + size_of(record->client);
    size = (size + _Alignof(entry_t) - 1) / _Alignof(entry_t) * _Alignof(entry_t);
    size_t put = atomic_load_explicit(&queue->put, memory_order_relaxed);
    size_t left = queue->capacity - (put & (queue->capacity - 1));
    /* Whatever is left must hold the beginning of an entry that is skipped, so the next one always begins in bounds. */
    bool skips = left < size + sizeof(entry_t) && left != size;
    size_t needed = skips ? left + size : size;
    if (queue->capacity - (put - queue->taken_seen) < needed) {
        queue->taken_seen = atomic_load_explicit(&queue->taken, memory_order_acquire);
        if (queue->capacity - (put - queue->taken_seen) < needed)
            return false;
    }
    if (skips) {
        entry_t *skipped = entry_at(queue, put);
        skipped->size = left;
        skipped->is_skipped = true;
    }
    entry_t *entry = entry_at(queue, put + (needed - size));
    char *end = entry->texts;
    entry->size = size;
    entry->is_skipped = false;
    entry->record = *record;
    keep(&entry->record.component, &end);
    keep(&entry->record.route, &end);
    keep(&entry->record.method, &end);
    keep(&entry->record.target, &end);
    keep(&entry->record.host, &end);
    keep(&entry->record.client, &end);
    atomic_store(&queue->put, put + needed);
    return true;
}

const weir_request_record_t *weir_record_queue_first(weir_record_queue_t *queue)
{
    size_t taken = atomic_load_explicit(&queue->taken, memory_order_relaxed);
    if (taken == atomic_load(&queue->put))
        return NULL;
    const entry_t *entry = entry_at(queue, taken);
    if (entry->is_skipped) {
        taken += entry->size;
        atomic_store_explicit(&queue->taken, taken, memory_order_release);
        entry = entry_at(queue, taken);
    }
    return &entry->record;
}

void weir_record_queue_drop(weir_record_queue_t *queue)
{
    size_t taken = atomic_load_explicit(&queue->taken, memory_order_relaxed);
    atomic_store_explicit(&queue->taken, taken + entry_at(queue, taken)->size, memory_order_release);
}

bool weir_record_queue_is_half_full(const weir_record_queue_t *queue)
{
    size_t put = atomic_load_explicit(&queue->put, memory_order_relaxed);
    return put - atomic_load_explicit(&queue->taken, memory_order_relaxed) > queue->capacity / 2;
}
