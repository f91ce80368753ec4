/*
 * key_value_wasi.c: what wasi:keyvalue@0.2.0-draft2 has beyond Spin's own contracts: pages of keys, numbers,
 * comparisons, and many keys at once.
 */
#include "host/key_value.h"
#include "host/values.h"

#include <stdlib.h>

enum { PAGE_KEYS = 1000 };

static void fail_for_memory(weir_host_call_t *own_call)
{
    weir_answer_error(own_call, "other", "memory ran out");
}

/* ---- Buckets ----------------------------------------------------------------------------------------------------- */

static void open_bucket(
    void *context, void *instance, weir_host_call_t *own_call, const weir_value_t *arguments, size_t count)
{
    weir_key_value_open(own_call, context, instance, arguments, count, "other");
}

static void answer_page(const weir_key_value_call_t *waiting, const weir_kv_answer_t *answer)
{
    weir_value_t *keys = weir_key_value_keys(answer);
    if (keys == NULL) {
        fail_for_memory(waiting->call);
        return;
    }
    weir_value_t cursor = {.kind = WEIR_VALUE_NONE};
    if (answer->has_more && answer->key_count > 0) {
        cursor = weir_value_text(answer->keys[answer->key_count - 1]);
    }
    weir_value_t parts[2] = {weir_value_list(keys, answer->key_count), cursor};
    weir_value_t page = weir_value_list(parts, 2);
    weir_answer_ok(waiting->call, &page);
    free(keys);
}

/* A cursor is the last key of the page before. */
static void list_keys(
    void *context, void *instance, weir_host_call_t *own_call, const weir_value_t *arguments, size_t count)
{
    (void)context;
    weir_kv_request_t request = {.operation = WEIR_KV_LIST, .most = PAGE_KEYS};
    const weir_granted_store_t *store = count == 2 ? weir_key_value_store(instance, &arguments[0]) : NULL;
    if (store != NULL && arguments[1].kind != WEIR_VALUE_NONE) {
        request.after.is_some = weir_value_take_text(&arguments[1], &request.after.bytes);
        store = request.after.is_some ? store : NULL;
    }
    if (store == NULL) {
        weir_answer_of_another_type(own_call);
        return;
    }
    weir_key_value_ask(
        store, &request, &(weir_key_value_call_t){.call = own_call, .instance = instance, .answer = answer_page});
}

/* ---- Numbers and comparisons ------------------------------------------------------------------------------------- */

static void answer_number(const weir_key_value_call_t *waiting, const weir_kv_answer_t *answer)
{
    weir_value_t number = weir_value_integer(answer->number);
    weir_answer_ok(waiting->call, &number);
}

static void increment(
    void *context, void *instance, weir_host_call_t *own_call, const weir_value_t *arguments, size_t count)
{
    weir_bytes_t key;
    weir_kv_request_t request = {.operation = WEIR_KV_INCREMENT, .keys = &key, .key_count = 1};
    (void)context;
    const weir_granted_store_t *store = count == 3 ? weir_key_value_store(instance, &arguments[0]) : NULL;
    if (store == NULL || !weir_value_take_text(&arguments[1], &key) ||
        !weir_value_take_integer(&arguments[2], &request.delta)) {
        weir_answer_of_another_type(own_call);
        return;
    }
    weir_key_value_ask(
        store, &request, &(weir_key_value_call_t){.call = own_call, .instance = instance, .answer = answer_number});
}

/* A comparison knows what its key had when it was made. */
static void take_first_value(void *context, const weir_kv_answer_t *answer)
{
    weir_key_value_call_t *waiting = context;
    const char *why = answer->status == WEIR_KV_FAILED
                          ? answer->message
                          : weir_host_instance_remember(waiting->instance, waiting->number, &answer->values[0]);
    if (why != NULL) {
        weir_host_instance_forget(waiting->instance, waiting->number);
        weir_answer_error(waiting->call, "other", why);
    } else {
        weir_value_t handle = weir_value_integer(waiting->number);
        weir_answer_ok(waiting->call, &handle);
    }
    weir_host_instance_release(waiting->instance);
    free(waiting);
}

static void compare(
    void *context, void *instance, weir_host_call_t *own_call, const weir_value_t *arguments, size_t count)
{
    weir_bytes_t key;
    (void)context;
    const weir_granted_store_t *store = count == 2 ? weir_key_value_store(instance, &arguments[0]) : NULL;
    if (store == NULL || !weir_value_take_text(&arguments[1], &key)) {
        weir_answer_of_another_type(own_call);
        return;
    }
    weir_key_value_call_t *waiting = malloc(sizeof *waiting);
    int number = waiting == NULL ? -1 : weir_host_instance_compare(instance, store, key);
    if (number < 0) {
        free(waiting);
        weir_answer_error(own_call, "other", "256 of them are there already, or memory ran out");
        return;
    }
    *waiting = (weir_key_value_call_t){
        .call = own_call, .instance = weir_host_instance_hold(instance), .number = (uint32_t)number};
    weir_kv_request_t request = {.operation = WEIR_KV_GET, .label = store->label, .keys = &key, .key_count = 1};
    weir_kv_submit(store->store, &request, take_first_value, waiting);
}

static const weir_comparison_t *comparison_of(void *instance, const weir_value_t *argument, uint32_t *ret_number)
{
    int64_t number;
    const weir_comparison_t *comparison =
        weir_value_take_integer(argument, &number) ? weir_host_instance_comparison(instance, number) : NULL;
    if (comparison != NULL) {
        *ret_number = (uint32_t)number;
    }
    return comparison;
}

static void current(
    void *context, void *instance, weir_host_call_t *own_call, const weir_value_t *arguments, size_t count)
{
    uint32_t number;
    (void)context;
    const weir_comparison_t *comparison = count == 1 ? comparison_of(instance, &arguments[0], &number) : NULL;
    if (comparison == NULL) {
        weir_answer_of_another_type(own_call);
        return;
    }
    weir_value_t value = {.kind = WEIR_VALUE_NONE};
    if (comparison->is_some) {
        value = weir_value_bytes((weir_bytes_t){comparison->value, comparison->value_size});
    }
    weir_answer_ok(own_call, &value);
}

static void answer_swap_error(weir_host_call_t *own_call, const char *words)
{
    weir_value_t text = weir_value_text(weir_bytes_of(words));
    weir_value_t inner = weir_value_case("other", &text);
    weir_value_t outer = weir_value_case("store-error", &inner);
    weir_value_t result = {.kind = WEIR_VALUE_ERROR, .items = &outer, .count = 1};
    weir_host_call_answer(own_call, &result);
}

/* A comparison that failed is given back, with what its key has now; else it is used up. */
static void take_swap(void *context, const weir_kv_answer_t *answer)
{
    weir_key_value_call_t *waiting = context;
    const char *why = answer->message;
    if (answer->status == WEIR_KV_CHANGED) {
        why = weir_host_instance_remember(waiting->instance, waiting->number, &answer->values[0]);
    }
    if (answer->status == WEIR_KV_CHANGED && why == NULL) {
        weir_value_t handle = weir_value_integer(waiting->number);
        weir_value_t error = weir_value_case("cas-failed", &handle);
        weir_value_t result = {.kind = WEIR_VALUE_ERROR, .items = &error, .count = 1};
        weir_host_call_answer(waiting->call, &result);
    } else {
        weir_host_instance_forget(waiting->instance, waiting->number);
        if (answer->status == WEIR_KV_DONE) {
            weir_answer_ok(waiting->call, NULL);
        } else {
            answer_swap_error(waiting->call, why);
        }
    }
    weir_host_instance_release(waiting->instance);
    free(waiting);
}

static void swap(void *context, void *instance, weir_host_call_t *own_call, const weir_value_t *arguments, size_t count)
{
    weir_bytes_t value;
    uint32_t number = 0;
    (void)context;
    const weir_comparison_t *comparison = count == 2 ? comparison_of(instance, &arguments[0], &number) : NULL;
    if (comparison == NULL || !weir_value_take_bytes(&arguments[1], &value)) {
        weir_answer_of_another_type(own_call);
        return;
    }
    weir_key_value_call_t *waiting = malloc(sizeof *waiting);
    if (waiting == NULL) {
        weir_host_instance_forget(instance, number);
        answer_swap_error(own_call, "memory ran out");
        return;
    }
    *waiting =
        (weir_key_value_call_t){.call = own_call, .instance = weir_host_instance_hold(instance), .number = number};
    weir_bytes_t key = {comparison->key, comparison->key_size};
    weir_kv_request_t request = {.operation = WEIR_KV_SWAP,
        .label = comparison->store->label,
        .keys = &key,
        .key_count = 1,
        .values = &value,
        .expected = {comparison->is_some, {comparison->value, comparison->value_size}}};
    weir_kv_submit(comparison->store->store, &request, take_swap, waiting);
}

void weir_wasi_drop_comparison(void *instance, uint32_t number)
{
    weir_host_instance_forget(instance, number);
}

/* ---- Many keys --------------------------------------------------------------------------------------------------- */

/* Keys of a list of strings, to be freed with free(3); NULL for another list, or when memory ran out. */
static weir_bytes_t *read_keys(const weir_value_t *list)
{
    bool is_list = list->kind == WEIR_VALUE_LIST;
    weir_bytes_t *keys = is_list ? malloc((list->count + 1) * sizeof *keys) : NULL;
    for (size_t i = 0; keys != NULL && i < list->count; i++) {
        if (!weir_value_take_text(&list->items[i], &keys[i])) {
            free(keys);
            return NULL;
        }
    }
    return keys;
}

/* The keys that were asked for come back with their values, so they have to be kept until then. */
typedef struct many {
    weir_host_call_t *call;
    size_t count;
    weir_bytes_t *keys; /* within the same allocation, and what they point to */
} many_t;

static many_t *keep_keys(weir_host_call_t *call, const weir_bytes_t *keys, size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        bytes += keys[i].size;
    }
    many_t *many = malloc(sizeof *many + count * sizeof keys[0] + bytes);
    if (many == NULL) {
        return NULL;
    }
    *many = (many_t){call, count, (weir_bytes_t *)(many + 1)};
    char *text = (char *)(many->keys + count);
    for (size_t i = 0; i < count; i++) {
        many->keys[i] = (weir_bytes_t){text, keys[i].size};
        if (keys[i].size > 0) {
            memcpy(text, keys[i].data, keys[i].size);
        }
        text += keys[i].size;
    }
    return many;
}

static void answer_many(const many_t *many, const weir_kv_answer_t *answer)
{
    weir_value_t *values = calloc(3 * many->count + 1, sizeof *values);
    if (values == NULL) {
        fail_for_memory(many->call);
        return;
    }
    weir_value_t *parts = values + many->count;
    for (size_t i = 0; i < many->count; i++) {
        parts[2 * i] = weir_value_text(many->keys[i]);
        if (answer->values[i].is_some) {
            parts[2 * i + 1] = weir_value_bytes(answer->values[i].bytes);
        }
        values[i] = weir_value_list(&parts[2 * i], 2);
    }
    weir_value_t list = weir_value_list(values, many->count);
    weir_answer_ok(many->call, &list);
    free(values);
}

static void take_many(void *context, const weir_kv_answer_t *answer)
{
    many_t *many = context;
    if (answer->status == WEIR_KV_FAILED) {
        weir_answer_error(many->call, "other", answer->message);
    } else {
        answer_many(many, answer);
    }
    free(many);
}

static void get_many(
    void *context, void *instance, weir_host_call_t *own_call, const weir_value_t *arguments, size_t count)
{
    (void)context;
    const weir_granted_store_t *store = count == 2 ? weir_key_value_store(instance, &arguments[0]) : NULL;
    weir_bytes_t *keys = store == NULL ? NULL : read_keys(&arguments[1]);
    if (keys == NULL) {
        weir_answer_of_another_type(own_call);
        return;
    }
    many_t *many = keep_keys(own_call, keys, arguments[1].count);
    if (many == NULL) {
        fail_for_memory(own_call);
    } else {
        weir_kv_request_t request = {
            .operation = WEIR_KV_GET, .label = store->label, .keys = keys, .key_count = many->count};
        weir_kv_submit(store->store, &request, take_many, many);
    }
    free(keys);
}

static void set_many(
    void *context, void *instance, weir_host_call_t *own_call, const weir_value_t *arguments, size_t count)
{
    (void)context;
    const weir_granted_store_t *store = count == 2 ? weir_key_value_store(instance, &arguments[0]) : NULL;
    const weir_value_t *pairs = store != NULL && arguments[1].kind == WEIR_VALUE_LIST ? &arguments[1] : NULL;
    weir_bytes_t *keys = pairs == NULL ? NULL : malloc((2 * pairs->count + 1) * sizeof *keys);
    bool fine = keys != NULL;
    for (size_t i = 0; fine && i < pairs->count; i++) {
        const weir_value_t *pair = &pairs->items[i];
        fine = pair->kind == WEIR_VALUE_LIST && pair->count == 2 && weir_value_take_text(&pair->items[0], &keys[i]) &&
               weir_value_take_bytes(&pair->items[1], &keys[pairs->count + i]);
    }
    if (!fine) {
        weir_answer_of_another_type(own_call);
        free(keys);
        return;
    }
    weir_kv_request_t request = {
        .operation = WEIR_KV_SET, .keys = keys, .key_count = pairs->count, .values = keys + pairs->count};
    weir_key_value_ask(store, &request,
        &(weir_key_value_call_t){.call = own_call, .instance = instance, .answer = weir_key_value_answer_nothing});
    free(keys);
}

static void delete_many(
    void *context, void *instance, weir_host_call_t *own_call, const weir_value_t *arguments, size_t count)
{
    (void)context;
    const weir_granted_store_t *store = count == 2 ? weir_key_value_store(instance, &arguments[0]) : NULL;
    weir_bytes_t *keys = store == NULL ? NULL : read_keys(&arguments[1]);
    if (keys == NULL) {
        weir_answer_of_another_type(own_call);
        return;
    }
    weir_kv_request_t request = {.operation = WEIR_KV_DELETE, .keys = keys, .key_count = arguments[1].count};
    weir_key_value_ask(store, &request,
        &(weir_key_value_call_t){.call = own_call, .instance = instance, .answer = weir_key_value_answer_nothing});
    free(keys);
}

/* ---- Interfaces -------------------------------------------------------------------------------------------------- */

const weir_host_function_t weir_wasi_store_functions[WEIR_WASI_STORE_FUNCTIONS] = {
    {"open", false, open_bucket, WEIR_HOST_SHAPE_ANY},
    {"[method]bucket.get", false, weir_key_value_get, WEIR_HOST_SHAPE_GET_BYTES},
    {"[method]bucket.set", false, weir_key_value_set, WEIR_HOST_SHAPE_SET_BYTES},
    {"[method]bucket.delete", false, weir_key_value_delete, WEIR_HOST_SHAPE_ANY},
    {"[method]bucket.exists", false, weir_key_value_exists, WEIR_HOST_SHAPE_ANY},
    {"[method]bucket.list-keys", false, list_keys, WEIR_HOST_SHAPE_ANY},
};

const weir_host_function_t weir_wasi_atomics_functions[WEIR_WASI_ATOMICS_FUNCTIONS] = {
    {"increment", false, increment, WEIR_HOST_SHAPE_ANY},
    {"[static]cas.new", false, compare, WEIR_HOST_SHAPE_ANY},
    {"[method]cas.current", false, current, WEIR_HOST_SHAPE_ANY},
    {"swap", false, swap, WEIR_HOST_SHAPE_ANY},
};

const weir_host_function_t weir_wasi_batch_functions[WEIR_WASI_BATCH_FUNCTIONS] = {
    {"get-many", false, get_many, WEIR_HOST_SHAPE_ANY},
    {"set-many", false, set_many, WEIR_HOST_SHAPE_ANY},
    {"delete-many", false, delete_many, WEIR_HOST_SHAPE_ANY},
};
