/*
 * store.c: what every store does with a request: check its bounds, copy it, and hand it to the kind of store.
 */
#include "host/store.h"

#include "host/store_internal.h"

#include <stdlib.h>
#include <string.h>

bool weir_kv_writes(weir_kv_operation_t operation)
{
    switch (operation) {
    case WEIR_KV_SET:
    case WEIR_KV_DELETE:
    case WEIR_KV_INCREMENT:
    case WEIR_KV_SWAP:
        return true;
    case WEIR_KV_GET:
    case WEIR_KV_EXISTS:
    case WEIR_KV_LIST:
        break;
    }
    return false;
}

/* ---- Bounds ------------------------------------------------------------------------------------------------------ */

/* Adds up what a request takes, and keeps the first complaint. */
typedef struct sum {
    size_t bytes;
    const char *complaint;
} sum_t;

static void add(sum_t *sum, size_t size, size_t most, const char *complaint)
{
    if (sum->complaint == NULL && size > most)
        sum->complaint = complaint;
    if (sum->complaint == NULL && size > WEIR_KV_REQUEST_BYTES_MAX - sum->bytes)
        sum->complaint = "the request is larger than the 128 MiB that a key-value store takes: ask in several parts";
    if (sum->complaint == NULL)
        sum->bytes += size;
}

static const char key_is_large[] = "a key is larger than the 64 KiB that a key-value store takes: use a shorter one";
static const char value_is_large[] =
    "a value is larger than the 64 MiB that a key-value store takes: split it among several keys";
_Static_assert(WEIR_KV_KEY_BYTES_MAX == 64 << 10 && WEIR_KV_VALUE_BYTES_MAX == 64 << 20 &&
                   WEIR_KV_REQUEST_BYTES_MAX == 128 << 20 && WEIR_KV_ANSWER_BYTES_MAX == 128 << 20,
    "the bounds are what the messages say");

/* How many values a request has: the operation says it. */
static size_t value_count_of(const weir_kv_request_t *request)
{
    if (request->operation == WEIR_KV_SET)
        return request->key_count;
    return request->operation == WEIR_KV_SWAP ? 1 : 0;
}

/* Why a request's shape is none that its operation has, or NULL. */
static const char *misshape_of(const weir_kv_request_t *request)
{
    switch (request->operation) {
    case WEIR_KV_GET:
    case WEIR_KV_SET:
    case WEIR_KV_DELETE:
        return NULL;
    case WEIR_KV_LIST:
        return request->key_count == 0 ? NULL : "a key-value store's keys are listed without naming any";
    case WEIR_KV_EXISTS:
    case WEIR_KV_INCREMENT:
    case WEIR_KV_SWAP:
        return request->key_count == 1 ? NULL
                                       : "this request of a key-value store is for one key, and has another number";
    }
    return "this request of a key-value store is none that there is";
}

/* Add up what a copy of the request takes beside its structure. */
static sum_t measure(const weir_kv_request_t *request)
{
    sum_t sum = {.bytes = sizeof(weir_kv_job_t), .complaint = misshape_of(request)};
    if (sum.complaint != NULL)
        return sum;
    const size_t most = WEIR_KV_REQUEST_BYTES_MAX;
    const size_t most_items = most / sizeof(weir_bytes_t) + 1; /* is too large already, and does not overflow */
    size_t key_count = request->key_count < most_items ? request->key_count : most_items;
    size_t value_count = value_count_of(request) < most_items ? value_count_of(request) : most_items;
    add(&sum, key_count * sizeof(weir_bytes_t), most, NULL);
    add(&sum, value_count * sizeof(weir_bytes_t), most, NULL);
    add(&sum, strlen(request->label) + 1, (size_t)WEIR_KV_KEY_BYTES_MAX + 1,
        "a key-value store's name is larger than 64 KiB: use a shorter one");
    for (size_t i = 0; i < key_count && sum.complaint == NULL; i++)
        add(&sum, request->keys[i].size, WEIR_KV_KEY_BYTES_MAX, key_is_large);
    for (size_t i = 0; i < value_count && sum.complaint == NULL; i++)
        add(&sum, request->values[i].size, WEIR_KV_VALUE_BYTES_MAX, value_is_large);
    if (request->expected.is_some)
        add(&sum, request->expected.bytes.size, WEIR_KV_VALUE_BYTES_MAX, value_is_large);
    if (request->after.is_some)
        add(&sum, request->after.bytes.size, WEIR_KV_KEY_BYTES_MAX, key_is_large);
    return sum;
}

/* ---- Copying ----------------------------------------------------------------------------------------------------- */

static const char *copy_bytes(char **at, const char *bytes, size_t size)
{
    char *copy = *at;
    if (size > 0)
        memcpy(copy, bytes, size);
    *at += size;
    return copy;
}

static void copy_all(char **at, weir_bytes_t *copies, const weir_bytes_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        copies[i] = (weir_bytes_t){copy_bytes(at, bytes[i].data, bytes[i].size), bytes[i].size};
}

/* A copy in one allocation of `bytes`: the job, the arrays, and then what has no alignment. NULL: memory ran out. */
static weir_kv_job_t *make_job(const weir_kv_request_t *request, size_t bytes, weir_kv_done_t done, void *context)
{
    weir_kv_job_t *job = malloc(bytes);
    if (job == NULL)
        return NULL;
    *job = (weir_kv_job_t){.request = *request, .bytes = bytes, .done = done, .context = context};
    size_t value_count = value_count_of(request);
    weir_bytes_t *keys = (weir_bytes_t *)(job + 1);
    weir_bytes_t *values = keys + request->key_count;
    char *at = (char *)(values + value_count);
    copy_all(&at, keys, request->keys, request->key_count);
    copy_all(&at, values, request->values, value_count);
    job->request.keys = keys;
    job->request.values = values;
    job->request.label = copy_bytes(&at, request->label, strlen(request->label) + 1);
    weir_bytes_t *expected = &job->request.expected.bytes;
    weir_bytes_t *after = &job->request.after.bytes;
    if (request->expected.is_some)
        expected->data = copy_bytes(&at, expected->data, expected->size);
    if (request->after.is_some)
        after->data = copy_bytes(&at, after->data, after->size);
    return job;
}

_Static_assert(_Alignof(weir_kv_job_t) >= _Alignof(weir_bytes_t), "arrays may follow a job");

/* ---- Stores ------------------------------------------------------------------------------------------------------ */

void weir_kv_submit(weir_kv_store_t *store, const weir_kv_request_t *request, weir_kv_done_t done, void *context)
{
    sum_t sum = measure(request);
    if (sum.complaint != NULL) {
        done(context, &(weir_kv_answer_t){.status = WEIR_KV_FAILED, .message = sum.complaint});
        return;
    }
    weir_kv_job_t *job = make_job(request, sum.bytes, done, context);
    if (job == NULL) {
        done(context, &(weir_kv_answer_t){.status = WEIR_KV_FAILED, .message = "memory ran out"});
        return;
    }
    store->kind->submit(store, job);
}

const char *weir_kv_summary(const weir_kv_store_t *store)
{
    return store->summary;
}

weir_kv_store_t *weir_kv_hold(weir_kv_store_t *store)
{
    atomic_fetch_add_explicit(&store->holders, 1, memory_order_relaxed);
    return store;
}

void weir_kv_release(weir_kv_store_t *store)
{
    if (store != NULL && atomic_fetch_sub_explicit(&store->holders, 1, memory_order_acq_rel) == 1)
        store->kind->close(store);
}
