/*
 * key_value.c: Spin's own contracts for key-value stores, and what WASI's has in common with them. A label that the
 * manifest does not grant is "access-denied", whether or not there is such a store
 * (Spin: crates/factor-key-value/src/host.rs).
 */
#include "host/key_value.h"

#include "host/values.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void take_answer(void *context, const weir_kv_answer_t *answer)
{
    weir_key_value_call_t *waiting = context;
    if (answer->status == WEIR_KV_FAILED) {
        weir_answer_error(waiting->call, "other", answer->message);
    } else {
        waiting->answer(waiting, answer);
    }
    weir_host_instance_release(waiting->instance);
    free(waiting);
}

void weir_key_value_ask(
    const weir_granted_store_t *store, weir_kv_request_t *request, const weir_key_value_call_t *waiting)
{
    weir_key_value_call_t *copy = malloc(sizeof *copy);
    if (copy == NULL) {
        weir_answer_error(waiting->call, "other", "memory ran out");
        return;
    }
    *copy = *waiting;
    weir_host_instance_hold(copy->instance);
    request->label = store->label;
    weir_kv_submit(store->store, request, take_answer, copy);
}

const weir_granted_store_t *weir_key_value_store(void *instance, const weir_value_t *argument)
{
    int64_t number;
    return weir_value_take_integer(argument, &number) ? weir_host_instance_store(instance, number) : NULL;
}

/* ---- What is asked ----------------------------------------------------------------------------------------------- */

void weir_key_value_open(weir_host_call_t *own_call, const weir_host_context_t *context, weir_host_instance_t *instance,
    const weir_value_t *arguments, size_t count, const char *full)
{
    weir_bytes_t label;
    if (count != 1 || !weir_value_take_text(&arguments[0], &label)) {
        weir_answer_of_another_type(own_call);
        return;
    }
    for (size_t i = 0; i < context->store_count; i++) {
        const weir_granted_store_t *store = &context->stores[i];
        if (strlen(store->label) == label.size && memcmp(store->label, label.data, label.size) == 0) {
            int number = weir_host_instance_open(instance, store);
            weir_value_t handle = weir_value_integer(number);
            if (number < 0) {
                weir_answer_error(own_call, full, strcmp(full, "other") == 0 ? "256 buckets are open already" : NULL);
            } else {
                weir_answer_ok(own_call, &handle);
            }
            return;
        }
    }
    weir_answer_error(own_call, "access-denied", NULL);
}

static void open_store(
    void *context, void *instance, weir_host_call_t *own_call, const weir_value_t *arguments, size_t count)
{
    weir_key_value_open(own_call, context, instance, arguments, count, "store-table-full");
}

/* Ask for something that is about one key. `value_count` is how many arguments come after the key. */
static bool read_key(void *instance, const weir_value_t *arguments, size_t count, size_t value_count,
    const weir_granted_store_t **ret_store, weir_bytes_t *ret_key)
{
    if (count != 2 + value_count || !weir_value_take_text(&arguments[1], ret_key)) {
        return false;
    }
    *ret_store = weir_key_value_store(instance, &arguments[0]);
    return *ret_store != NULL;
}

static void ask_about_key(void *instance, weir_host_call_t *own_call, const weir_value_t *arguments, size_t count,
    weir_kv_operation_t operation, void (*answer)(const weir_key_value_call_t *waiting, const weir_kv_answer_t *answer))
{
    const weir_granted_store_t *store;
    weir_bytes_t key;
    if (!read_key(instance, arguments, count, 0, &store, &key)) {
        weir_answer_of_another_type(own_call);
        return;
    }
    weir_kv_request_t request = {.operation = operation, .keys = &key, .key_count = 1};
    weir_key_value_ask(
        store, &request, &(weir_key_value_call_t){.call = own_call, .instance = instance, .answer = answer});
}

static void answer_value(const weir_key_value_call_t *waiting, const weir_kv_answer_t *answer)
{
    weir_value_t value = {.kind = WEIR_VALUE_NONE};
    if (answer->values[0].is_some) {
        value = weir_value_bytes(answer->values[0].bytes);
    }
    weir_answer_ok(waiting->call, &value);
}

void weir_key_value_answer_nothing(const weir_key_value_call_t *waiting, const weir_kv_answer_t *answer)
{
    (void)answer;
    weir_answer_ok(waiting->call, NULL);
}

static void answer_exists(const weir_key_value_call_t *waiting, const weir_kv_answer_t *answer)
{
    weir_value_t value = {.kind = WEIR_VALUE_BOOL, .integer = answer->exists};
    weir_answer_ok(waiting->call, &value);
}

void weir_key_value_get(
    void *context, void *instance, weir_host_call_t *own_call, const weir_value_t *arguments, size_t count)
{
    (void)context;
    ask_about_key(instance, own_call, arguments, count, WEIR_KV_GET, answer_value);
}

void weir_key_value_delete(
    void *context, void *instance, weir_host_call_t *own_call, const weir_value_t *arguments, size_t count)
{
    (void)context;
    ask_about_key(instance, own_call, arguments, count, WEIR_KV_DELETE, weir_key_value_answer_nothing);
}

void weir_key_value_exists(
    void *context, void *instance, weir_host_call_t *own_call, const weir_value_t *arguments, size_t count)
{
    (void)context;
    ask_about_key(instance, own_call, arguments, count, WEIR_KV_EXISTS, answer_exists);
}

void weir_key_value_set(
    void *context, void *instance, weir_host_call_t *own_call, const weir_value_t *arguments, size_t count)
{
    const weir_granted_store_t *store;
    weir_bytes_t key;
    weir_bytes_t value;
    (void)context;
    if (!read_key(instance, arguments, count, 1, &store, &key) || !weir_value_take_bytes(&arguments[2], &value)) {
        weir_answer_of_another_type(own_call);
        return;
    }
    weir_kv_request_t request = {.operation = WEIR_KV_SET, .keys = &key, .key_count = 1, .values = &value};
    weir_key_value_ask(store, &request,
        &(weir_key_value_call_t){.call = own_call, .instance = instance, .answer = weir_key_value_answer_nothing});
}

void weir_key_value_close(void *instance, uint32_t number)
{
    weir_host_instance_close(instance, number);
}

/* ---- Keys -------------------------------------------------------------------------------------------------------- */

weir_value_t *weir_key_value_keys(const weir_kv_answer_t *answer)
{
    weir_value_t *keys = malloc((answer->key_count + 1) * sizeof *keys);
    for (size_t i = 0; keys != NULL && i < answer->key_count; i++) {
        keys[i] = weir_value_text(answer->keys[i]);
    }
    return keys;
}

static void answer_keys(const weir_key_value_call_t *waiting, const weir_kv_answer_t *answer)
{
    weir_value_t *keys = weir_key_value_keys(answer);
    if (keys == NULL) {
        weir_answer_error(waiting->call, "other", "memory ran out");
        return;
    }
    weir_value_t list = weir_value_list(keys, answer->key_count);
    weir_answer_ok(waiting->call, &list);
    free(keys);
}

static void get_keys(
    void *context, void *instance, weir_host_call_t *own_call, const weir_value_t *arguments, size_t count)
{
    (void)context;
    const weir_granted_store_t *store = count == 1 ? weir_key_value_store(instance, &arguments[0]) : NULL;
    if (store == NULL) {
        weir_answer_of_another_type(own_call);
        return;
    }
    weir_kv_request_t request = {.operation = WEIR_KV_LIST};
    weir_key_value_ask(
        store, &request, &(weir_key_value_call_t){.call = own_call, .instance = instance, .answer = answer_keys});
}

/* A stream of keys and, for what comes after them, a result. Its error is the second, beside an empty stream. */
static void answer_stream(weir_host_call_t *own_call, const weir_value_t *keys, size_t count, const char *failure)
{
    weir_value_t words = weir_value_text(weir_bytes_of(failure == NULL ? "" : failure));
    weir_value_t error = weir_value_case("other", &words);
    weir_value_t parts[2] = {weir_value_list(keys, count), {.kind = failure == NULL ? WEIR_VALUE_OK : WEIR_VALUE_ERROR,
                                                               .items = &error,
                                                               .count = failure == NULL ? 0 : 1}};
    weir_value_t pair = weir_value_list(parts, COUNT(parts));
    weir_host_call_answer(own_call, &pair);
}

static void take_stream(void *context, const weir_kv_answer_t *answer)
{
    weir_host_call_t *call = context;
    weir_value_t *keys = answer->status == WEIR_KV_FAILED ? NULL : weir_key_value_keys(answer);
    if (keys == NULL) {
        answer_stream(call, NULL, 0, answer->status == WEIR_KV_FAILED ? answer->message : "memory ran out");
    } else {
        answer_stream(call, keys, answer->key_count, NULL);
    }
    free(keys);
}

static void stream_keys(
    void *context, void *instance, weir_host_call_t *own_call, const weir_value_t *arguments, size_t count)
{
    (void)context;
    const weir_granted_store_t *store = count == 1 ? weir_key_value_store(instance, &arguments[0]) : NULL;
    if (store == NULL) {
        weir_answer_of_another_type(own_call);
        return;
    }
    weir_kv_request_t request = {.operation = WEIR_KV_LIST, .label = store->label};
    weir_kv_submit(store->store, &request, take_stream, own_call);
}

/* ---- Interfaces -------------------------------------------------------------------------------------------------- */

static const weir_host_resource_t store_resource = {"store", weir_key_value_close};
static const weir_host_resource_t bucket_resource = {"bucket", weir_key_value_close};
static const weir_host_resource_t comparison_resource = {"cas", weir_wasi_drop_comparison};

static const weir_host_function_t spin_functions[] = {
    {"[static]store.open", false, open_store, WEIR_HOST_SHAPE_ANY},
    {"[method]store.get", false, weir_key_value_get, WEIR_HOST_SHAPE_GET_BYTES},
    {"[method]store.set", false, weir_key_value_set, WEIR_HOST_SHAPE_SET_BYTES},
    {"[method]store.delete", false, weir_key_value_delete, WEIR_HOST_SHAPE_ANY},
    {"[method]store.exists", false, weir_key_value_exists, WEIR_HOST_SHAPE_ANY},
    {"[method]store.get-keys", false, get_keys, WEIR_HOST_SHAPE_ANY},
};

static const weir_host_function_t async_functions[] = {
    {"[static]store.open", true, open_store, WEIR_HOST_SHAPE_ANY},
    {"[method]store.get", true, weir_key_value_get, WEIR_HOST_SHAPE_GET_BYTES},
    {"[method]store.set", true, weir_key_value_set, WEIR_HOST_SHAPE_SET_BYTES},
    {"[method]store.delete", true, weir_key_value_delete, WEIR_HOST_SHAPE_ANY},
    {"[method]store.exists", true, weir_key_value_exists, WEIR_HOST_SHAPE_ANY},
    {"[method]store.get-keys", true, stream_keys, WEIR_HOST_SHAPE_ANY},
};

const weir_host_interface_t weir_key_value_interfaces[] = {
    {"fermyon:spin/key-value@2.0.0", spin_functions, COUNT(spin_functions), &store_resource, 1},
    {"spin:key-value/key-value@3.0.0", async_functions, COUNT(async_functions), &store_resource, 1},
    {"wasi:keyvalue/store@0.2.0-draft2", weir_wasi_store_functions, WEIR_WASI_STORE_FUNCTIONS, &bucket_resource, 1},
    {"wasi:keyvalue/atomics@0.2.0-draft2", weir_wasi_atomics_functions, WEIR_WASI_ATOMICS_FUNCTIONS,
        &comparison_resource, 1},
    {"wasi:keyvalue/batch@0.2.0-draft2", weir_wasi_batch_functions, WEIR_WASI_BATCH_FUNCTIONS, NULL, 0},
};

const size_t weir_key_value_interface_count = COUNT(weir_key_value_interfaces);
