/*
 * store_sqlite.c: stores in files of SQLite. A thread of each store owns its connection. It takes all that waits,
 * carries it out in one transaction, and answers once that is on the disk: so all that wait share one fsync(2), and the
 * more wait, the more is done in a second. Requests that fail do so alone; where the transaction fails as a whole, all
 * that writes in it does, and what reads is carried out again without it.
 */
#include "app/text.h"
#include "host/sqlite_file.h"
#include "observe/thread.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    STACK_BYTES = 1 << 19,
    PENDING_MAX = 16384, /* requests that are not answered yet, and their bytes */
    PENDING_BYTES_MAX = 256 * 1024 * 1024,
    BATCH_MAX = 1024,                      /* in a transaction: more gains little, and the first of them waits for it */
    BATCH_ANSWER_BYTES = 32 * 1024 * 1024, /* a transaction ends with the answer that reaches this */
};

typedef struct weir_sqlite_store {
    weir_kv_store_t base;
    char *path; /* NULL: in memory */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    weir_kv_job_t *first; /* that wait; under the mutex, as all up to the thread */
    weir_kv_job_t *last;
    size_t pending; /* those that wait, and those in the thread's hands */
    size_t pending_bytes;
    bool has_thread;
    bool is_ending;
    bool frees_itself; /* the thread, for nobody waits for its end */
    pthread_t thread;
    weir_sqlite_file_t file; /* of the thread alone */
} weir_sqlite_store_t;

/* The store is what the structure begins with. */
static weir_sqlite_store_t *of(weir_kv_store_t *store)
{
    return (weir_sqlite_store_t *)store;
}

static void free_store(weir_sqlite_store_t *own_store)
{
    pthread_mutex_destroy(&own_store->mutex);
    pthread_cond_destroy(&own_store->changed);
    free(own_store->base.summary);
    free(own_store->path);
    free(own_store);
}

/* ---- Transactions ------------------------------------------------------------------------------------------------ */

/* Answer a list of jobs up to `end`. There is room for as many others before they are told. */
static void answer(weir_sqlite_store_t *store, weir_kv_job_t *own_first, const weir_kv_job_t *end)
{
    size_t count = 0;
    size_t bytes = 0;
    for (const weir_kv_job_t *job = own_first; job != end; job = job->next) {
        count++;
        bytes += job->bytes;
    }
    pthread_mutex_lock(&store->mutex);
    store->pending -= count;
    store->pending_bytes -= bytes;
    pthread_mutex_unlock(&store->mutex);
    while (own_first != end) {
        weir_kv_job_t *job = own_first;
        own_first = job->next;
        weir_kv_job_answer(job);
    }
}

static bool any_writes(const weir_kv_job_t *first)
{
    for (; first != NULL; first = first->next) {
        if (weir_kv_writes(first->request.operation))
            return true;
    }
    return false;
}

/* Carry jobs out from the first on, up to `*ret_end`, and commit that. On failure nothing of it has happened. */
static bool transact(weir_sqlite_store_t *store, weir_kv_job_t *first, weir_kv_job_t **ret_end, char **ret_message)
{
    weir_sqlite_file_t *file = &store->file;
    bool writes = any_writes(first);
    if (!weir_sqlite_open(file, writes, ret_message))
        return false;
    int code = weir_sqlite_do(file, writes ? WEIR_SQLITE_BEGIN_WRITING : WEIR_SQLITE_BEGIN);
    weir_kv_job_t *job = first;
    for (size_t bytes = 0; code == SQLITE_OK && job != NULL && bytes < BATCH_ANSWER_BYTES; job = job->next) {
        weir_kv_job_reset(job); /* it may have been carried out in a transaction that failed */
        code = weir_sqlite_run(file, job);
        bytes += job->answer_bytes;
    }
    if (code == SQLITE_OK)
        code = weir_sqlite_do(file, WEIR_SQLITE_COMMIT);
    if (code == SQLITE_OK) {
        *ret_end = job;
        return true;
    }
    *ret_message = weir_sqlite_explain(file, code);
    if (sqlite3_get_autocommit(file->connection) == 0 && weir_sqlite_do(file, WEIR_SQLITE_ROLLBACK) != SQLITE_OK)
        file->is_suspect = true;
    return false;
}

/* Answer with a failure all jobs that write, or all if none does; returns the others. */
static weir_kv_job_t *fail(weir_sqlite_store_t *store, weir_kv_job_t *own_first, const char *message)
{
    weir_kv_job_t *lists[2] = {NULL, NULL}; /* that fail, and that are left */
    weir_kv_job_t **ends[2] = {&lists[0], &lists[1]};
    bool writes = any_writes(own_first);
    for (weir_kv_job_t *job = own_first; job != NULL; job = job->next) {
        int which = writes && !weir_kv_writes(job->request.operation) ? 1 : 0;
        if (which == 0)
            weir_kv_job_fail_with(job, message);
        *ends[which] = job;
        ends[which] = &job->next;
    }
    *ends[0] = NULL;
    *ends[1] = NULL;
    answer(store, lists[0], NULL);
    return lists[1];
}

static void carry_out(weir_sqlite_store_t *store, weir_kv_job_t *own_first)
{
    while (own_first != NULL) {
        weir_kv_job_t *end;
        char *message = NULL;
        if (transact(store, own_first, &end, &message)) {
            answer(store, own_first, end);
            own_first = end;
        } else {
            own_first = fail(store, own_first, message);
            free(message);
        }
    }
}

/* ---- The thread -------------------------------------------------------------------------------------------------- */

/* Take over what waits, or as much as a transaction holds; NULL: nothing does. The mutex is held. */
static weir_kv_job_t *take(weir_sqlite_store_t *store)
{
    weir_kv_job_t *taken = store->first;
    weir_kv_job_t **end = &taken;
    for (size_t count = 0; *end != NULL && count < BATCH_MAX; count++)
        end = &(*end)->next;
    store->first = *end;
    *end = NULL;
    return taken;
}

static void *serve(void *context)
{
    weir_sqlite_store_t *store = context;
    pthread_mutex_lock(&store->mutex);
    for (;;) {
        while (store->first == NULL && !store->is_ending)
            pthread_cond_wait(&store->changed, &store->mutex);
        weir_kv_job_t *jobs = take(store);
        if (jobs == NULL)
            break;
        pthread_mutex_unlock(&store->mutex);
        carry_out(store, jobs);
        pthread_mutex_lock(&store->mutex);
    }
    bool frees_itself = store->frees_itself;
    pthread_mutex_unlock(&store->mutex);
    weir_sqlite_close(&store->file);
    if (frees_itself)
        free_store(store);
    return NULL;
}

/* ---- The store --------------------------------------------------------------------------------------------------- */

/* Append a job to those that wait, and see that there is a thread. The mutex is held. False: the job has failed. */
static bool enqueue(weir_sqlite_store_t *store, weir_kv_job_t *job)
{
    if (store->pending >= PENDING_MAX || job->bytes > PENDING_BYTES_MAX - store->pending_bytes) {
        weir_kv_job_fail(job,
            "too many requests wait for the key-value store %s (%d at most, with %d MiB): ask for less at once, or put "
            "it on a faster disk",
            store->path == NULL ? "in memory" : weir_shown(store->path).text, PENDING_MAX, PENDING_BYTES_MAX >> 20);
        return false;
    }
    if (!store->has_thread) {
        int error = weir_thread_start_unsignalled(&store->thread, STACK_BYTES, serve, store);
        store->has_thread = error == 0;
        if (error != 0) {
            char reason[128];
            weir_kv_job_fail(job, "cannot start a thread for a key-value store: %s: raise the limit on threads",
                strerror_r(error, reason, sizeof reason));
            return false;
        }
    }
    if (store->first == NULL)
        store->first = job;
    else
        store->last->next = job;
    store->last = job;
    store->pending++;
    store->pending_bytes += job->bytes;
    return true;
}

static void submit(weir_kv_store_t *base, weir_kv_job_t *own_job)
{
    weir_sqlite_store_t *store = of(base);
    pthread_mutex_lock(&store->mutex);
    bool is_taken = enqueue(store, own_job);
    if (is_taken && store->first == own_job)
        pthread_cond_signal(&store->changed);
    pthread_mutex_unlock(&store->mutex);
    if (!is_taken)
        weir_kv_job_answer(own_job);
}

static void close_store(weir_kv_store_t *own_base)
{
    weir_sqlite_store_t *store = of(own_base);
    pthread_mutex_lock(&store->mutex);
    bool has_thread = store->has_thread;
    bool is_its_own = has_thread && pthread_equal(store->thread, pthread_self()) != 0;
    pthread_t thread = store->thread;
    store->is_ending = true;
    store->frees_itself = is_its_own;
    pthread_cond_signal(&store->changed);
    pthread_mutex_unlock(&store->mutex);
    if (is_its_own) {
        pthread_detach(thread);
        return;
    }
    if (has_thread)
        pthread_join(thread, NULL);
    free_store(store);
}

static const weir_kv_kind_t kind = {submit, close_store};

bool weir_kv_new_sqlite(const char *path, weir_kv_store_t **ret_store, char **ret_message)
{
    if (path != NULL && path[0] == '\0') {
        *ret_message = weir_text_copy("the path of a key-value store is empty: name a file");
        return false;
    }
    weir_sqlite_store_t *store = calloc(1, sizeof *store);
    if (store == NULL) {
        *ret_message = NULL;
        return false;
    }
    store->path = path == NULL ? NULL : weir_text_copy(path);
    bool made = path == NULL || store->path != NULL;
    if (made && asprintf(&store->base.summary, "SQLite, %s", path == NULL ? "in memory" : path) < 0) {
        store->base.summary = NULL;
        made = false;
    }
    pthread_mutex_init(&store->mutex, NULL); /* neither of these fails on Linux */
    pthread_cond_init(&store->changed, NULL);
    if (!made) {
        free_store(store);
        *ret_message = NULL;
        return false;
    }
    store->base.kind = &kind;
    atomic_init(&store->base.holders, 1);
    store->file.path = store->path;
    *ret_store = &store->base;
    return true;
}
