/*
 * store_support.h: a key-value store asked, and waited for.
 */
#ifndef TESTS_UNIT_STORE_SUPPORT_H
#define TESTS_UNIT_STORE_SUPPORT_H

#include "host/store.h"

#include <semaphore.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* cmocka.h wants the others before it. */
/* clang-format off */
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

/* An answer that was copied, for what it points to does not last. */
typedef struct reply {
    sem_t given;
    weir_kv_status_t status;
    bool has_more;
    bool exists;
    int64_t number;
    size_t count; /* of values or keys */
    char *message;
    char *text; /* values or keys: "[a][-][b]", where "-" is none, and NUL is shown as "\0" */
} reply_t;

/* clang-format off: initializers, not blocks */
#define BYTES(literal) {"" literal, sizeof(literal) - 1}
#define SOME(literal) {true, BYTES(literal)}
#define NONE {false, {NULL, 0}}
/* clang-format on */

static inline void reply_add(FILE *to, weir_bytes_t bytes)
{
    fputc('[', to);
    for (size_t i = 0; i < bytes.size; i++) {
        if (bytes.data[i] == '\0')
            fputs("\\0", to);
        else
            fputc(bytes.data[i], to);
    }
    fputc(']', to);
}

static inline void take_reply(void *context, const weir_kv_answer_t *answer)
{
    reply_t *reply = context;
    size_t size;
    FILE *to = open_memstream(&reply->text, &size);
    for (size_t i = 0; i < answer->value_count; i++) {
        if (answer->values[i].is_some)
            reply_add(to, answer->values[i].bytes);
        else
            fputs("[-]", to);
    }
    for (size_t i = 0; i < answer->key_count; i++)
        reply_add(to, answer->keys[i]);
    fclose(to);
    reply->status = answer->status;
    reply->has_more = answer->has_more;
    reply->exists = answer->exists;
    reply->number = answer->number;
    reply->count = answer->value_count + answer->key_count;
    reply->message = answer->message == NULL ? NULL : strdup(answer->message);
    sem_post(&reply->given);
}

static inline void reply_begin(reply_t *reply)
{
    memset(reply, 0, sizeof *reply);
    sem_init(&reply->given, 0, 0);
}

static inline void reply_wait(reply_t *reply)
{
    while (sem_wait(&reply->given) != 0) {
    }
}

static inline void reply_end(reply_t *reply)
{
    free(reply->message);
    free(reply->text);
    sem_destroy(&reply->given);
}

/* To be ended. */
static inline reply_t ask(weir_kv_store_t *store, weir_kv_request_t request)
{
    reply_t reply;
    reply_begin(&reply);
    if (request.label == NULL)
        request.label = "default";
    weir_kv_submit(store, &request, take_reply, &reply);
    reply_wait(&reply);
    return reply;
}

static inline weir_kv_store_t *new_store(const char *path)
{
    weir_kv_store_t *store;
    char *message = NULL;
    if (!weir_kv_new_sqlite(path, &store, &message))
        fail_msg("no store: %s", message);
    return store;
}

static inline weir_kv_status_t set_text(weir_kv_store_t *store, const char *key, const char *value)
{
    weir_bytes_t bytes[2] = {{key, strlen(key)}, {value, strlen(value)}};
    reply_t reply = ask(
        store, (weir_kv_request_t){.operation = WEIR_KV_SET, .keys = &bytes[0], .key_count = 1, .values = &bytes[1]});
    weir_kv_status_t status = reply.status;
    reply_end(&reply);
    return status;
}

/* As take_reply writes it, to be freed. */
static inline char *get_text(weir_kv_store_t *store, const char *key)
{
    weir_bytes_t bytes = {key, strlen(key)};
    reply_t reply = ask(store, (weir_kv_request_t){.operation = WEIR_KV_GET, .keys = &bytes, .key_count = 1});
    char *text = reply.text;
    reply.text = NULL;
    reply_end(&reply);
    return text;
}

static inline void expect_text(weir_kv_store_t *store, const char *key, const char *expected)
{
    char *text = get_text(store, key);
    assert_string_equal(text, expected);
    free(text);
}

#endif
