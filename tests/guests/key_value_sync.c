/*
 * Calls the functions of fermyon:spin/key-value@2.0.0 ("spin-get") and of wasi:keyvalue@0.2.0-draft2 ("get") with the
 * texts that it is given: the store's label, the key, and what else there is. Answers "ok" and what was got, "none", or
 * the error's case and words.
 */
#include "key_value.h"
#include "sync.h"

typedef fermyon_spin_key_value_error_t spin_error_t;
typedef wasi_keyvalue_store_error_t error_t;

static sync_string_t string_at(size_t index)
{
    return (sync_string_t){.ptr = texts[index].bytes, .len = texts[index].size};
}

static sync_list_u8_t list_at(size_t index)
{
    return (sync_list_u8_t){.ptr = texts[index].bytes, .len = texts[index].size};
}

static long long number_at(size_t index)
{
    char digits[32] = "";
    memcpy(digits, texts[index].bytes, texts[index].size < sizeof digits ? texts[index].size : sizeof digits - 1);
    return strtoll(digits, NULL, 10);
}

static void say_optional(const sync_option_list_u8_t *value)
{
    say_text(value->is_some ? "ok" : "none");
    if (value->is_some)
        say(value->val.ptr, value->val.len);
}

static void say_done(bool done)
{
    if (done)
        say_text("ok");
}

/* ---- Spin's ------------------------------------------------------------------------------------------------------ */

static bool say_spin_error(const spin_error_t *error)
{
    static const char *const cases[] = {"store-table-full", "no-such-store", "access-denied", "other"};
    say_text(cases[error->tag]);
    if (error->tag == FERMYON_SPIN_KEY_VALUE_ERROR_OTHER)
        say(error->val.other.ptr, error->val.other.len);
    return false;
}

static void spin(const char *function)
{
    fermyon_spin_key_value_own_store_t own;
    spin_error_t error;
    sync_string_t label = string_at(0);
    sync_string_t key = string_at(1);
    sync_list_u8_t value = list_at(2);
    if (strcmp(function, "open-many") == 0) {
        int count = 0;
        while (fermyon_spin_key_value_static_store_open(&label, &own, &error))
            count++;
        say_number(count);
        say_spin_error(&error);
        return;
    }
    if (!fermyon_spin_key_value_static_store_open(&label, &own, &error)) {
        say_spin_error(&error);
        return;
    }
    fermyon_spin_key_value_borrow_store_t store = fermyon_spin_key_value_borrow_store(own);
    if (strcmp(function, "get") == 0) {
        sync_option_list_u8_t got;
        if (fermyon_spin_key_value_method_store_get(store, &key, &got, &error))
            say_optional(&got);
        else
            say_spin_error(&error);
    } else if (strcmp(function, "set") == 0) {
        say_done(fermyon_spin_key_value_method_store_set(store, &key, &value, &error) || say_spin_error(&error));
    } else if (strcmp(function, "delete") == 0) {
        say_done(fermyon_spin_key_value_method_store_delete(store, &key, &error) || say_spin_error(&error));
    } else if (strcmp(function, "exists") == 0) {
        bool exists;
        if (fermyon_spin_key_value_method_store_exists(store, &key, &exists, &error))
            say_text(exists ? "true" : "false");
        else
            say_spin_error(&error);
    } else if (strcmp(function, "get-keys") == 0) {
        sync_list_string_t keys;
        if (fermyon_spin_key_value_method_store_get_keys(store, &keys, &error)) {
            say_text("ok");
            for (size_t i = 0; i < keys.len; i++)
                say(keys.ptr[i].ptr, keys.ptr[i].len);
        } else {
            say_spin_error(&error);
        }
    }
    fermyon_spin_key_value_store_drop_own(own);
}

/* ---- WASI's ------------------------------------------------------------------------------------------------------ */

static bool say_error(const error_t *error)
{
    static const char *const cases[] = {"no-such-store", "access-denied", "other"};
    say_text(cases[error->tag]);
    if (error->tag == WASI_KEYVALUE_STORE_ERROR_OTHER)
        say(error->val.other.ptr, error->val.other.len);
    return false;
}

static void list_keys(wasi_keyvalue_store_borrow_bucket_t bucket)
{
    wasi_keyvalue_store_key_response_t page;
    error_t error;
    sync_string_t cursor = string_at(1);
    if (!wasi_keyvalue_store_method_bucket_list_keys(bucket, text_count > 1 ? &cursor : NULL, &page, &error)) {
        say_error(&error);
        return;
    }
    say_text("ok");
    say(page.cursor.val.ptr, page.cursor.is_some ? page.cursor.val.len : 0);
    for (size_t i = 0; i < page.keys.len; i++)
        say(page.keys.ptr[i].ptr, page.keys.ptr[i].len);
}

/* Swap twice with one comparison, which does not suit the second time: that gives another, which does. */
static void swap(wasi_keyvalue_store_borrow_bucket_t bucket)
{
    wasi_keyvalue_atomics_own_cas_t first, second;
    wasi_keyvalue_atomics_cas_error_t failed;
    sync_option_list_u8_t before;
    error_t error;
    sync_string_t key = string_at(1);
    sync_list_u8_t value = list_at(2);
    if (!wasi_keyvalue_atomics_static_cas_new(bucket, &key, &first, &error) ||
        !wasi_keyvalue_atomics_static_cas_new(bucket, &key, &second, &error) ||
        !wasi_keyvalue_atomics_method_cas_current(wasi_keyvalue_atomics_borrow_cas(first), &before, &error)) {
        say_error(&error);
        return;
    }
    say_optional(&before);
    if (!wasi_keyvalue_atomics_swap(first, &value, &failed)) {
        say_text("refused");
        return;
    }
    say_text("swapped");
    value = list_at(3);
    if (wasi_keyvalue_atomics_swap(second, &value, &failed) ||
        failed.tag != WASI_KEYVALUE_ATOMICS_CAS_ERROR_CAS_FAILED) {
        say_text("not refused");
        return;
    }
    sync_option_list_u8_t now;
    if (wasi_keyvalue_atomics_method_cas_current(wasi_keyvalue_atomics_borrow_cas(failed.val.cas_failed), &now, &error))
        say_optional(&now);
    say_text(wasi_keyvalue_atomics_swap(failed.val.cas_failed, &value, &failed) ? "swapped" : "refused");
}

static void many(const char *function, wasi_keyvalue_store_borrow_bucket_t bucket)
{
    error_t error;
    static sync_string_t keys[TEXTS_MAX];
    static sync_tuple2_string_list_u8_t pairs[TEXTS_MAX / 2];
    size_t count = text_count - 1;
    for (size_t i = 0; i < count; i++)
        keys[i] = string_at(i + 1);
    sync_list_string_t list = {.ptr = keys, .len = count};
    if (strcmp(function, "set-many") == 0) {
        for (size_t i = 0; i < count / 2; i++)
            pairs[i] = (sync_tuple2_string_list_u8_t){string_at(1 + 2 * i), list_at(2 + 2 * i)};
        sync_list_tuple2_string_list_u8_t all = {.ptr = pairs, .len = count / 2};
        say_done(wasi_keyvalue_batch_set_many(bucket, &all, &error) || say_error(&error));
    } else if (strcmp(function, "delete-many") == 0) {
        say_done(wasi_keyvalue_batch_delete_many(bucket, &list, &error) || say_error(&error));
    } else {
        sync_list_tuple2_string_option_list_u8_t got;
        if (!wasi_keyvalue_batch_get_many(bucket, &list, &got, &error)) {
            say_error(&error);
            return;
        }
        for (size_t i = 0; i < got.len; i++) {
            say(got.ptr[i].f0.ptr, got.ptr[i].f0.len);
            say_optional(&got.ptr[i].f1);
        }
    }
}

static void wasi(const char *function)
{
    wasi_keyvalue_store_own_bucket_t own;
    error_t error;
    sync_string_t label = string_at(0);
    sync_string_t key = string_at(1);
    sync_list_u8_t value = list_at(2);
    if (!wasi_keyvalue_store_open(&label, &own, &error)) {
        say_error(&error);
        return;
    }
    wasi_keyvalue_store_borrow_bucket_t bucket = wasi_keyvalue_store_borrow_bucket(own);
    if (strcmp(function, "get") == 0) {
        sync_option_list_u8_t got;
        if (wasi_keyvalue_store_method_bucket_get(bucket, &key, &got, &error))
            say_optional(&got);
        else
            say_error(&error);
    } else if (strcmp(function, "set") == 0) {
        say_done(wasi_keyvalue_store_method_bucket_set(bucket, &key, &value, &error) || say_error(&error));
    } else if (strcmp(function, "delete") == 0) {
        say_done(wasi_keyvalue_store_method_bucket_delete(bucket, &key, &error) || say_error(&error));
    } else if (strcmp(function, "exists") == 0) {
        bool exists;
        if (wasi_keyvalue_store_method_bucket_exists(bucket, &key, &exists, &error))
            say_text(exists ? "true" : "false");
        else
            say_error(&error);
    } else if (strcmp(function, "list-keys") == 0) {
        list_keys(bucket);
    } else if (strcmp(function, "increment") == 0) {
        int64_t number;
        if (wasi_keyvalue_atomics_increment(bucket, &key, number_at(2), &number, &error))
            say_number(number);
        else
            say_error(&error);
    } else if (strcmp(function, "swap") == 0) {
        swap(bucket);
    } else {
        many(function, bucket);
    }
    wasi_keyvalue_store_bucket_drop_own(own);
}

bool exports_wasi_cli_0_2_3_run_run(void)
{
    const char *function = getenv("QUERY_STRING");
    size_t size;
    while ((size = fread(input_room(65536), 1, 65536, stdin)) > 0)
        input_size += size;
    read_texts();
    if (strncmp(function, "spin-", 5) == 0)
        spin(function + 5);
    else
        wasi(function);
    printf("content-type: application/octet-stream\n\n");
    fwrite(output, 1, output_size, stdout);
    fflush(stdout);
    return true;
}
