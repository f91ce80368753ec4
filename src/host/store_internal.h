/*
 * store_internal.h: what all kinds of stores have in common: a request that was taken, and how its answer is gathered.
 * Private to this room.
 */
#ifndef WEIR_HOST_STORE_INTERNAL_H
#define WEIR_HOST_STORE_INTERNAL_H

#include "host/store.h"

#include <stdarg.h>
#include <stdatomic.h>

/* A request that was taken, in one allocation with all that it points to, and what has been gathered to answer it. */
typedef struct weir_kv_job {
    struct weir_kv_job *next; /* for the kind of store to use */
    weir_kv_request_t request;
    size_t bytes; /* of the allocation */
    weir_kv_done_t done;
    void *context;
    weir_kv_answer_t answer; /* `values` and `keys` are filled in by weir_kv_job_answer */
    size_t answer_bytes;     /* what counts for WEIR_KV_ANSWER_BYTES_MAX */
    weir_optional_bytes_t *values;
    size_t values_capacity;
    weir_bytes_t *keys;
    size_t keys_capacity;
    char *content; /* of all of them, one after the other */
    size_t content_size;
    size_t content_capacity;
    char *message;
} weir_kv_job_t;

/* A kind of store. Its functions are called through those of store.h. */
typedef struct weir_kv_kind {
    /* Have the job answered (weir_kv_job_answer), once. The request is within its bounds. Any thread. */
    void (*submit)(weir_kv_store_t *store, weir_kv_job_t *own_job);
    /* The last holder is gone: answer what was submitted, and free all of it. Any thread, its own ones included. */
    void (*close)(weir_kv_store_t *own_store);
} weir_kv_kind_t;

/* What each kind's own structure begins with. */
struct weir_kv_store {
    const weir_kv_kind_t *kind;
    atomic_size_t holders;
    char *summary;
};

typedef enum weir_kv_added {
    WEIR_KV_ADDED = 0,
    WEIR_KV_FULL, /* the answer would be larger than WEIR_KV_ANSWER_BYTES_MAX */
    WEIR_KV_NO_MEMORY,
} weir_kv_added_t;

/* Whether an operation may change the store. */
bool weir_kv_writes(weir_kv_operation_t operation);

/* Add a copy of a value, or that there is none, to the answer; the same for a key. */
weir_kv_added_t weir_kv_job_add_value(weir_kv_job_t *job, weir_optional_bytes_t value);
weir_kv_added_t weir_kv_job_add_key(weir_kv_job_t *job, weir_bytes_t key);

/* Drop what was gathered: it is an answer again that has nothing, and WEIR_KV_DONE. */
void weir_kv_job_reset(weir_kv_job_t *job);

/* The answer is to be WEIR_KV_FAILED with this message, whatever was gathered before. */
__attribute__((format(printf, 2, 3))) void weir_kv_job_fail(weir_kv_job_t *job, const char *format, ...);

/* The same with a message that stays the caller's, and has to live until the job is answered; NULL: memory ran out. */
void weir_kv_job_fail_with(weir_kv_job_t *job, const char *message);

/* What did not fit into an answer, as the reason of a failure. */
void weir_kv_job_fail_to_add(weir_kv_job_t *job, weir_kv_added_t added);

/* Hand the answer over, and free the job. */
void weir_kv_job_answer(weir_kv_job_t *own_job);

#endif
