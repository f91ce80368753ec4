/*
 * request_body.c: one growing buffer, and one counter that all threads share.
 */
#include "guest/request_body.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    SMALLEST = 4096,
};

static atomic_size_t held_by_all;

static bool reserve(size_t bytes)
{
    size_t held = atomic_load_explicit(&held_by_all, memory_order_relaxed);
    do {
        if (bytes > WEIR_REQUEST_BODIES_MAX_BYTES - held)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(
        &held_by_all, &held, held + bytes, memory_order_relaxed, memory_order_relaxed));
    return true;
}

static void release(size_t bytes)
{
    atomic_fetch_sub_explicit(&held_by_all, bytes, memory_order_relaxed);
}

static bool grow(weir_request_body_t *body, size_t wanted)
{
    size_t capacity = body->capacity > 0 ? body->capacity : SMALLEST;
    while (capacity < wanted)
        capacity *= 2;
    size_t more = capacity - body->capacity;
    if (!reserve(more))
        return false;
    char *bytes = realloc(body->bytes, capacity);
    if (bytes == NULL) {
        release(more);
        return false;
    }
    body->bytes = bytes;
    body->capacity = capacity;
    return true;
}

weir_request_body_result_t weir_request_body_append(weir_request_body_t *body, weir_bytes_t bytes)
{
    if (bytes.size > WEIR_REQUEST_BODY_MAX_BYTES - body->size)
        return WEIR_REQUEST_BODY_TOO_LARGE;
    if (bytes.size == 0)
        return WEIR_REQUEST_BODY_TAKEN;
    size_t wanted = body->size + bytes.size;
    if (wanted > body->capacity && !grow(body, wanted))
        return WEIR_REQUEST_BODY_NO_ROOM;
    memcpy(body->bytes + body->size, bytes.data, bytes.size);
    body->size = wanted;
    return WEIR_REQUEST_BODY_TAKEN;
}

weir_bytes_t weir_request_body_rest(const weir_request_body_t *body)
{
    return (weir_bytes_t){body->bytes != NULL ? body->bytes + body->fed : NULL, body->size - body->fed};
}

void weir_request_body_free(weir_request_body_t *body)
{
    free(body->bytes);
    release(body->capacity);
    *body = (weir_request_body_t){0};
}
