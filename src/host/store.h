/*
 * store.h: key-value stores, whatever keeps them: each takes requests from any thread and answers each of them once, on
 * a thread of its own. What is asked of a store, and what comes of it, is in one kind of request for all contracts.
 */
#ifndef WEIR_HOST_STORE_H
#define WEIR_HOST_STORE_H

#include "weir_bridge.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bounds that every store keeps; what goes beyond is answered with WEIR_STORE_FAILED and words that name the bound. */
enum {
    WEIR_STORE_KEY_BYTES_MAX = 64 * 1024,
    WEIR_STORE_VALUE_BYTES_MAX = 64 * 1024 * 1024,
    WEIR_STORE_ANSWER_BYTES_MAX = 128 * 1024 * 1024, /* keys and values of one answer together */
};

/* A store; counted. */
typedef struct weir_store weir_store_t;

typedef enum weir_store_operation {
    WEIR_STORE_GET = 1,  /* the values of `keys`, each or none */
    WEIR_STORE_SET,      /* `values` for `keys`, all or none of them */
    WEIR_STORE_DELETE,   /* `keys`; those that are not there are no error */
    WEIR_STORE_EXISTS,   /* whether the one key is there */
    WEIR_STORE_LIST,     /* all keys, sorted by their bytes; after `after` and at most `most`, where they are given */
    WEIR_STORE_INCREMENT, /* the number at the one key, by `delta`; absent: 0. Values are decimal text, as Redis's */
    WEIR_STORE_SWAP,     /* the one value for the one key, if it still has the value `expected` */
} weir_store_operation_t;

typedef struct weir_optional_bytes {
    bool is_some;
    weir_bytes_t bytes;
} weir_optional_bytes_t;

typedef enum weir_store_status {
    WEIR_STORE_DONE = 0,
    WEIR_STORE_CHANGED = 1, /* WEIR_STORE_SWAP: it has another value, the only one of the answer's values */
    WEIR_STORE_FAILED = 2,  /* `message` says why */
} weir_store_status_t;

/* What came of a request. What it points to lives until the call that hands it over returns. */
typedef struct weir_store_answer {
    weir_store_status_t status;
    const char *message;                 /* one line; NULL unless it failed */
    const weir_optional_bytes_t *values; /* of GET: as many as keys were asked for, in their order; of SWAP: one */
    size_t value_count;
    const weir_bytes_t *keys; /* of LIST */
    size_t key_count;
    bool has_more;   /* LIST: there are keys after the last of these */
    bool exists;     /* EXISTS */
    int64_t number;  /* INCREMENT: the new one */
} weir_store_answer_t;

/* Takes the answer: on any thread, even before weir_store_submit returns. It does not block. */
typedef void (*weir_store_done_t)(void *context, const weir_store_answer_t *answer);

typedef struct weir_store_request {
    weir_store_operation_t operation;
    const char *label;        /* the store's name: keys of others are out of reach. UTF-8, terminated */
    const weir_bytes_t *keys; /* UTF-8 that may hold NUL */
    size_t key_count;
    const weir_bytes_t *values; /* SET: as many as keys; SWAP: one */
    weir_optional_bytes_t expected; /* SWAP: what the key is to have; none: it is to be absent */
    int64_t delta;
    weir_optional_bytes_t after; /* LIST */
    uint32_t most;               /* LIST; 0: all */
} weir_store_request_t;

/*
 * Ask something of a store. The request is copied, with all that it points to. `done(context, answer)` is called once,
 * whatever happens. Any thread; it does not block.
 */
void weir_store_submit(
    weir_store_t *store, const weir_store_request_t *request, weir_store_done_t done, void *context);

/* What keeps it, for people: "SQLite, /srv/app/.spin/sqlite_key_value.db". Lives as long as the store. */
const char *weir_store_summary(const weir_store_t *store);

/* One holder more, and one less: with the last one, what was submitted is answered, and the store is closed. */
weir_store_t *weir_store_hold(weir_store_t *store);
void weir_store_release(weir_store_t *store);

/*
 * A store in a file of SQLite, which is made when it is missing, with the directory that it is in; NULL: in memory, gone
 * with the store. Several processes may have the same file open. Nothing is opened before the first request. On failure
 * returns false and a one-line message to be freed with free(3), NULL when memory ran out.
 */
bool weir_store_new_sqlite(const char *path, weir_store_t **ret_store, char **ret_message);

#endif
