/*
 * store_answer.c: an answer as it is gathered. Keys and values are copied one after the other into memory that grows
 * and moves meanwhile, so what points to them is filled in at the end.
 */
#include "host/store_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Make room for `wanted` items. False: memory ran out, and all is as before. */
static bool reserve(void *array, size_t item_size, size_t *capacity, size_t wanted)
{
    if (wanted <= *capacity)
        return true;
    /* Twice as much as there is, so that it does not move often; the first time just what is wanted, mostly all. */
    size_t larger = wanted > 2 * *capacity ? wanted : 2 * *capacity;
    void *memory;
    memcpy(&memory, array, sizeof memory);
    memory = realloc(memory, larger * item_size);
    if (memory == NULL)
        return false;
    memcpy(array, &memory, sizeof memory);
    *capacity = larger;
    return true;
}

static weir_kv_added_t add_content(weir_kv_job_t *job, weir_bytes_t bytes, size_t item_size)
{
    size_t left = WEIR_KV_ANSWER_BYTES_MAX - job->answer_bytes;
    if (item_size > left || bytes.size > left - item_size)
        return WEIR_KV_FULL;
    if (!reserve(&job->content, 1, &job->content_capacity, job->content_size + bytes.size))
        return WEIR_KV_NO_MEMORY;
    if (bytes.size > 0)
        memcpy(job->content + job->content_size, bytes.data, bytes.size);
    job->content_size += bytes.size;
    job->answer_bytes += item_size + bytes.size;
    return WEIR_KV_ADDED;
}

weir_kv_added_t weir_kv_job_add_value(weir_kv_job_t *job, weir_optional_bytes_t value)
{
    size_t *count = &job->answer.value_count;
    if (!value.is_some)
        value.bytes = (weir_bytes_t){NULL, 0};
    if (!reserve(&job->values, sizeof job->values[0], &job->values_capacity, *count + 1))
        return WEIR_KV_NO_MEMORY;
    weir_kv_added_t added = add_content(job, value.bytes, sizeof job->values[0]);
    if (added == WEIR_KV_ADDED)
        job->values[(*count)++] = (weir_optional_bytes_t){value.is_some, {NULL, value.bytes.size}};
    return added;
}

weir_kv_added_t weir_kv_job_add_key(weir_kv_job_t *job, weir_bytes_t key)
{
    size_t *count = &job->answer.key_count;
    if (!reserve(&job->keys, sizeof job->keys[0], &job->keys_capacity, *count + 1))
        return WEIR_KV_NO_MEMORY;
    weir_kv_added_t added = add_content(job, key, sizeof job->keys[0]);
    if (added == WEIR_KV_ADDED)
        job->keys[(*count)++] = (weir_bytes_t){NULL, key.size};
    return added;
}

void weir_kv_job_reset(weir_kv_job_t *job)
{
    free(job->values);
    free(job->keys);
    free(job->content);
    free(job->message);
    job->values = NULL;
    job->keys = NULL;
    job->content = job->message = NULL;
    job->values_capacity = job->keys_capacity = job->content_capacity = 0;
    job->content_size = job->answer_bytes = 0;
    job->answer = (weir_kv_answer_t){.status = WEIR_KV_DONE};
}

void weir_kv_job_fail_with(weir_kv_job_t *job, const char *message)
{
    weir_kv_job_reset(job);
    job->answer.status = WEIR_KV_FAILED;
    job->answer.message = message == NULL ? "memory ran out" : message;
}

void weir_kv_job_fail(weir_kv_job_t *job, const char *format, ...)
{
    char *message = NULL;
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&message, format, arguments) < 0)
        message = NULL;
    va_end(arguments);
    weir_kv_job_fail_with(job, message);
    job->message = message;
}

void weir_kv_job_fail_to_add(weir_kv_job_t *job, weir_kv_added_t added)
{
    weir_kv_job_fail_with(job, added != WEIR_KV_FULL ? NULL
                               : job->request.operation == WEIR_KV_LIST
                                   ? "all keys together are larger than the 128 MiB that an answer of a key-value "
                                     "store holds: list them in parts"
                                   : "these values together are larger than the 128 MiB that an answer of a "
                                     "key-value store holds: ask for fewer at once");
}

void weir_kv_job_answer(weir_kv_job_t *own_job)
{
    const char *at = own_job->content == NULL ? "" : own_job->content;
    for (size_t i = 0; i < own_job->answer.value_count; i++) {
        own_job->values[i].bytes.data = at;
        at += own_job->values[i].bytes.size;
    }
    for (size_t i = 0; i < own_job->answer.key_count; i++) {
        own_job->keys[i].data = at;
        at += own_job->keys[i].size;
    }
    own_job->answer.values = own_job->values;
    own_job->answer.keys = own_job->keys;
    own_job->done(own_job->context, &own_job->answer);
    weir_kv_job_reset(own_job);
    free(own_job);
}
