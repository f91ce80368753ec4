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

/* Bounds that every store keeps; what goes beyond is answered with WEIR_KV_FAILED and words that name the bound. */
enum {
    WEIR_KV_KEY_BYTES_MAX = 64 * 1024,
    WEIR_KV_VALUE_BYTES_MAX = 64 * 1024 * 1024,
    WEIR_KV_REQUEST_BYTES_MAX = 128 * 1024 * 1024, /* one request with all that it points to */
    WEIR_KV_ANSWER_BYTES_MAX = 128 * 1024 * 1024,  /* keys and values of one answer, and what points to them */
};

/* A store; counted. */
typedef struct weir_kv_store weir_kv_store_t;

typedef enum weir_kv_operation {
    WEIR_KV_GET = 1,   /* the values of `keys`, each or none */
    WEIR_KV_SET,       /* `values` for `keys`, all or none of them */
    WEIR_KV_DELETE,    /* `keys`; those that are not there are no error */
    WEIR_KV_EXISTS,    /* whether the one key is there */
    WEIR_KV_LIST,      /* all keys, sorted by their bytes; after `after` and at most `most`, where they are given */
    WEIR_KV_INCREMENT, /* the number at the one key, by `delta`; absent: 0. How it is kept is the store's affair */
    WEIR_KV_SWAP,      /* the one value for the one key, if it still has the value `expected` */
} weir_kv_operation_t;

typedef struct weir_optional_bytes {
    bool is_some;
    weir_bytes_t bytes;
} weir_optional_bytes_t;

typedef enum weir_kv_status {
    WEIR_KV_DONE = 0,
    WEIR_KV_CHANGED = 1, /* WEIR_KV_SWAP: it has another value, the only one of the answer's values */
    WEIR_KV_FAILED = 2,  /* `message` says why */
} weir_kv_status_t;

/* What came of a request. What it points to lives until the call that hands it over returns. */
typedef struct weir_kv_answer {
    weir_kv_status_t status;
    const char *message;                 /* one line; NULL unless it failed */
    const weir_optional_bytes_t *values; /* of GET: as many as keys were asked for, in their order; of SWAP: one */
    size_t value_count;
    const weir_bytes_t *keys; /* of LIST */
    size_t key_count;
    bool has_more;  /* LIST: there are keys after the last of these, which `most` or the answer's bound left out */
    bool exists;    /* EXISTS */
    int64_t number; /* INCREMENT: the new one */
} weir_kv_answer_t;

/* Takes the answer: on any thread, even before weir_kv_submit returns. It does not block, and may release stores. */
typedef void (*weir_kv_done_t)(void *context, const weir_kv_answer_t *answer);

typedef struct weir_kv_request {
    weir_kv_operation_t operation;
    const char *label;        /* the store's name: keys of others are out of reach. UTF-8, terminated */
    const weir_bytes_t *keys; /* UTF-8 that may hold NUL */
    size_t key_count;
    const weir_bytes_t *values;     /* SET: as many as keys; SWAP: one */
    weir_optional_bytes_t expected; /* SWAP: what the key is to have; none: it is to be absent */
    int64_t delta;
    weir_optional_bytes_t after; /* LIST */
    uint32_t most;               /* LIST; 0: all, or WEIR_KV_FAILED where an answer does not hold them */
} weir_kv_request_t;

/*
 * Ask something of a store. The request is copied, with all that it points to. `done(context, answer)` is called once,
 * whatever happens: where memory runs out, or too much waits for the store already, at once. What writes is answered
 * when it is on the disk. Requests are carried out in the order in which they come. Any thread; it does not block.
 */
void weir_kv_submit(weir_kv_store_t *store, const weir_kv_request_t *request, weir_kv_done_t done, void *context);

/* What keeps it, for people: "SQLite, /srv/app/.spin/sqlite_key_value.db". Lives as long as the store. */
const char *weir_kv_summary(const weir_kv_store_t *store);

/*
 * One holder more, and one less: with the last one, what was submitted is answered, and the store is closed. The last
 * release waits for that, unless it is called from within the store's own `done`. Any thread.
 */
weir_kv_store_t *weir_kv_hold(weir_kv_store_t *store);
void weir_kv_release(weir_kv_store_t *store);

/*
 * A store in a file of SQLite, which is made when it is missing, with the directories that it is in; NULL: in memory,
 * gone with the store. Several processes may have the same file open. Nothing is opened before the first request, nor
 * is a file that cannot be used an error before that: it is answered with WEIR_KV_FAILED, and the next request tries
 * again. On failure returns false and a one-line message to be freed with free(3), NULL when memory ran out. It can be
 * made on any thread.
 *
 * The file is as Spin's own (crates/key-value-spin/src/store.rs), so one that Spin has written is taken over, and the
 * other way round. Numbers, too, are what Spin keeps there: 8 bytes, two's complement, the lowest byte first. What has
 * another size was not written by WEIR_KV_INCREMENT, and that says so instead of changing it.
 */
bool weir_kv_new_sqlite(const char *path, weir_kv_store_t **ret_store, char **ret_message);

#endif
