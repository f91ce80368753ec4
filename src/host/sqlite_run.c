/*
 * sqlite_run.c: each request of a store as statements of SQLite. A statement is carried out as a whole or not at all; a
 * request that changes several keys has a savepoint for that.
 */
#include "app/text.h"
#include "host/sqlite_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_BYTES = 8 };

/* ---- Statements -------------------------------------------------------------------------------------------------- */

/* SQLite takes NULL for no value at all, and nothing for an empty one. */
static const char *data_of(weir_bytes_t bytes)
{
    return bytes.size == 0 ? "" : bytes.data;
}

/* Bind the store's name, and a key if there is one. What is bound has to outlive the step. */
static int bind(weir_sqlite_file_t *file, weir_sqlite_statement_t statement, const char *label, const weir_bytes_t *key)
{
    sqlite3_stmt *prepared = file->statements[statement];
    int code = sqlite3_bind_text(prepared, 1, label, -1, SQLITE_STATIC);
    if (code == SQLITE_OK && key != NULL)
        code = sqlite3_bind_text(prepared, 2, data_of(*key), (int)key->size, SQLITE_STATIC);
    return code;
}

/* Have it ready for the next time, and hold nothing of the request. */
static void put_back(weir_sqlite_file_t *file, weir_sqlite_statement_t statement)
{
    sqlite3_reset(file->statements[statement]);
    sqlite3_clear_bindings(file->statements[statement]);
}

/* SQLITE_ROW, SQLITE_DONE or an error; to be put back in any case. */
static int start(
    weir_sqlite_file_t *file, weir_sqlite_statement_t statement, const char *label, const weir_bytes_t *key)
{
    int code = bind(file, statement, label, key);
    return code == SQLITE_OK ? sqlite3_step(file->statements[statement]) : code;
}

/* The first column of a row, which lives until the next step. */
static int read_column(weir_sqlite_file_t *file, weir_sqlite_statement_t statement, weir_bytes_t *ret_bytes)
{
    sqlite3_stmt *prepared = file->statements[statement];
    const void *data = sqlite3_column_blob(prepared, 0);
    int size = sqlite3_column_bytes(prepared, 0);
    if (data == NULL && sqlite3_errcode(file->connection) == SQLITE_NOMEM)
        return SQLITE_NOMEM;
    *ret_bytes = (weir_bytes_t){data, data == NULL ? 0 : (size_t)size};
    return SQLITE_OK;
}

/* The value of a key, which lives until WEIR_SQLITE_GET is put back, which is to be done in any case. */
static int look_up(
    weir_sqlite_file_t *file, const weir_kv_job_t *job, const weir_bytes_t *key, weir_optional_bytes_t *ret_value)
{
    *ret_value = (weir_optional_bytes_t){.is_some = false};
    int code = start(file, WEIR_SQLITE_GET, job->request.label, key);
    if (code != SQLITE_ROW)
        return code == SQLITE_DONE ? SQLITE_OK : code;
    ret_value->is_some = true;
    return read_column(file, WEIR_SQLITE_GET, &ret_value->bytes);
}

static int set_one(weir_sqlite_file_t *file, const weir_kv_job_t *job, const weir_bytes_t *key, weir_bytes_t value)
{
    int code = sqlite3_bind_blob(file->statements[WEIR_SQLITE_SET], 3, data_of(value), (int)value.size, SQLITE_STATIC);
    if (code == SQLITE_OK)
        code = start(file, WEIR_SQLITE_SET, job->request.label, key);
    put_back(file, WEIR_SQLITE_SET);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

static int delete_one(weir_sqlite_file_t *file, const weir_kv_job_t *job, const weir_bytes_t *key)
{
    int code = start(file, WEIR_SQLITE_DELETE, job->request.label, key);
    put_back(file, WEIR_SQLITE_DELETE);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

/* ---- Requests ---------------------------------------------------------------------------------------------------- */

/* Each of them returns SQLite's code, and gathers the answer, which may be that it failed for a reason of its own. */

static int get(weir_sqlite_file_t *file, weir_kv_job_t *job)
{
    int code = SQLITE_OK;
    weir_kv_added_t added = WEIR_KV_ADDED;
    for (size_t i = 0; i < job->request.key_count && code == SQLITE_OK && added == WEIR_KV_ADDED; i++) {
        weir_optional_bytes_t value;
        code = look_up(file, job, &job->request.keys[i], &value);
        if (code == SQLITE_OK)
            added = weir_kv_job_add_value(job, value);
        put_back(file, WEIR_SQLITE_GET);
    }
    if (added != WEIR_KV_ADDED)
        weir_kv_job_fail_to_add(job, added);
    return code;
}

static int set(weir_sqlite_file_t *file, weir_kv_job_t *job)
{
    int code = SQLITE_OK;
    for (size_t i = 0; i < job->request.key_count && code == SQLITE_OK; i++)
        code = set_one(file, job, &job->request.keys[i], job->request.values[i]);
    return code;
}

static int delete(weir_sqlite_file_t *file, weir_kv_job_t *job)
{
    int code = SQLITE_OK;
    for (size_t i = 0; i < job->request.key_count && code == SQLITE_OK; i++)
        code = delete_one(file, job, &job->request.keys[i]);
    return code;
}

static int exists(weir_sqlite_file_t *file, weir_kv_job_t *job)
{
    int code = start(file, WEIR_SQLITE_EXISTS, job->request.label, job->request.keys);
    put_back(file, WEIR_SQLITE_EXISTS);
    job->answer.exists = code == SQLITE_ROW;
    return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

/* Gather the keys that a statement yields, which has been started. */
static int list_rows(weir_sqlite_file_t *file, weir_kv_job_t *job, weir_sqlite_statement_t statement, int code)
{
    uint32_t most = job->request.most;
    weir_kv_added_t added = WEIR_KV_ADDED;
    for (; code == SQLITE_ROW; code = sqlite3_step(file->statements[statement])) {
        weir_bytes_t key;
        if (most != 0 && job->answer.key_count == most) {
            job->answer.has_more = true;
            return SQLITE_OK;
        }
        int read = read_column(file, statement, &key);
        if (read != SQLITE_OK)
            return read;
        added = weir_kv_job_add_key(job, key);
        if (added == WEIR_KV_FULL && most != 0 && job->answer.key_count > 0) {
            job->answer.has_more = true;
            return SQLITE_OK;
        }
        if (added != WEIR_KV_ADDED) {
            weir_kv_job_fail_to_add(job, added);
            return SQLITE_OK;
        }
    }
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

static int list(weir_sqlite_file_t *file, weir_kv_job_t *job)
{
    const weir_optional_bytes_t *after = &job->request.after;
    weir_sqlite_statement_t statement = after->is_some ? WEIR_SQLITE_LIST_AFTER : WEIR_SQLITE_LIST;
    int code = start(file, statement, job->request.label, after->is_some ? &after->bytes : NULL);
    code = list_rows(file, job, statement, code);
    put_back(file, statement);
    return code;
}

/* The beginning of a key, for a message. */
static weir_quote_t quote(weir_bytes_t key)
{
    char start_of_key[128];
    snprintf(start_of_key, sizeof start_of_key, "%.*s", (int)key.size, data_of(key));
    return weir_quote(start_of_key);
}

/* The number that a value is; none: 0. False: the job has failed. */
static bool number_of(weir_kv_job_t *job, weir_optional_bytes_t value, int64_t *ret_number)
{
    uint64_t number = 0;
    if (value.is_some && value.bytes.size != NUMBER_BYTES) {
        weir_kv_job_fail(job,
            "the value of key %s is no number to increment: it has %zu bytes, and a number has %d, as an increment "
            "writes it: use another key, or delete this one first",
            quote(job->request.keys[0]).text, value.bytes.size, NUMBER_BYTES);
        return false;
    }
    for (int i = 0; value.is_some && i < NUMBER_BYTES; i++)
        number |= (uint64_t)(unsigned char)value.bytes.data[i] << (8 * i);
    *ret_number = (int64_t)number;
    return true;
}

static int increment(weir_sqlite_file_t *file, weir_kv_job_t *job)
{
    weir_optional_bytes_t value;
    int64_t number = 0;
    int code = look_up(file, job, job->request.keys, &value);
    bool is_number = code == SQLITE_OK && number_of(job, value, &number);
    put_back(file, WEIR_SQLITE_GET);
    if (!is_number)
        return code;
    if (__builtin_add_overflow(number, job->request.delta, &job->answer.number)) {
        weir_kv_job_fail(job, "the number of key %s, %jd, and %jd more do not fit into 64 bits: set it anew",
            quote(job->request.keys[0]).text, (intmax_t)number, (intmax_t)job->request.delta);
        return SQLITE_OK;
    }
    char bytes[NUMBER_BYTES];
    for (int i = 0; i < NUMBER_BYTES; i++)
        bytes[i] = (char)((uint64_t)job->answer.number >> (8 * i) & 0xff);
    return set_one(file, job, job->request.keys, (weir_bytes_t){bytes, sizeof bytes});
}

static bool is_as_expected(weir_optional_bytes_t value, weir_optional_bytes_t expected)
{
    if (!value.is_some || !expected.is_some)
        return value.is_some == expected.is_some;
    return value.bytes.size == expected.bytes.size &&
           (value.bytes.size == 0 || memcmp(value.bytes.data, expected.bytes.data, value.bytes.size) == 0);
}

static int swap(weir_sqlite_file_t *file, weir_kv_job_t *job)
{
    weir_optional_bytes_t value;
    int code = look_up(file, job, job->request.keys, &value);
    bool is_expected = code == SQLITE_OK && is_as_expected(value, job->request.expected);
    weir_kv_added_t added = WEIR_KV_ADDED;
    if (code == SQLITE_OK && !is_expected) {
        job->answer.status = WEIR_KV_CHANGED;
        added = weir_kv_job_add_value(job, value);
    }
    put_back(file, WEIR_SQLITE_GET);
    if (added != WEIR_KV_ADDED)
        weir_kv_job_fail_to_add(job, added);
    return is_expected ? set_one(file, job, job->request.keys, job->request.values[0]) : code;
}

static int run(weir_sqlite_file_t *file, weir_kv_job_t *job)
{
    switch (job->request.operation) {
    case WEIR_KV_GET:
        return get(file, job);
    case WEIR_KV_SET:
        return set(file, job);
    case WEIR_KV_DELETE:
        return delete (file, job);
    case WEIR_KV_EXISTS:
        return exists(file, job);
    case WEIR_KV_LIST:
        return list(file, job);
    case WEIR_KV_INCREMENT:
        return increment(file, job);
    case WEIR_KV_SWAP:
        return swap(file, job);
    }
    return SQLITE_MISUSE;
}

/* Whether an error is one that each further statement would meet, perhaps after a wait. */
static bool concerns_all(weir_sqlite_file_t *file, int code)
{
    int primary = code & 0xff;
    return primary == SQLITE_BUSY || primary == SQLITE_LOCKED || primary == SQLITE_PROTOCOL ||
           sqlite3_get_autocommit(file->connection) != 0; /* SQLite has rolled all back */
}

int weir_sqlite_run(weir_sqlite_file_t *file, weir_kv_job_t *job)
{
    bool has_savepoint = weir_kv_writes(job->request.operation) && job->request.key_count > 1;
    int code = has_savepoint ? weir_sqlite_do(file, WEIR_SQLITE_SAVE) : SQLITE_OK;
    if (code != SQLITE_OK)
        return code;
    code = run(file, job);
    if (code == SQLITE_OK)
        return has_savepoint ? weir_sqlite_do(file, WEIR_SQLITE_FORGET_SAVED) : SQLITE_OK;
    if (concerns_all(file, code))
        return code;
    char *message = weir_sqlite_explain(file, code);
    weir_kv_job_fail_with(job, message);
    job->message = message;
    code = has_savepoint ? weir_sqlite_do(file, WEIR_SQLITE_BACK_TO_SAVED) : SQLITE_OK;
    return code == SQLITE_OK && has_savepoint ? weir_sqlite_do(file, WEIR_SQLITE_FORGET_SAVED) : code;
}
