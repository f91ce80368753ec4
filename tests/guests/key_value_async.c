/*
 * Calls the functions of spin:key-value/key-value@3.0.0 with the texts that it is given, with the sync lowering of
 * async functions: the store's label, the key, and what else there is. Answers as key_value_sync.c.
 */
#include "key_value.h"
#include "streams.h"

typedef spin_key_value_key_value_error_t error_t;

static streams_string_t string_at(size_t index)
{
    return (streams_string_t){.ptr = texts[index].bytes, .len = texts[index].size};
}

static bool say_error(const error_t *error)
{
    static const char *const cases[] = {"store-table-full", "no-such-store", "access-denied", "other"};
    say_text(cases[error->tag]);
    if (error->tag == SPIN_KEY_VALUE_KEY_VALUE_ERROR_OTHER)
        say(error->val.other.ptr, error->val.other.len);
    return false;
}

/* The status of an operation on a stream or future, once it is over. */
static streams_waitable_status_t await(streams_waitable_status_t status, uint32_t waitable)
{
    if (status != STREAMS_WAITABLE_STATUS_BLOCKED)
        return status;
    streams_waitable_set_t set = streams_waitable_set_new();
    streams_event_t event;
    streams_waitable_join(waitable, set);
    streams_waitable_set_wait(set, &event);
    streams_waitable_join(waitable, 0);
    streams_waitable_set_drop(set);
    return event.code;
}

static void get_keys(spin_key_value_key_value_borrow_store_t store)
{
    spin_key_value_key_value_tuple2_stream_string_future_result_void_error_t keys;
    spin_key_value_key_value_result_void_error_t result;
    spin_key_value_key_value_method_store_get_keys(store, &keys);
    for (;;) {
        streams_string_t some[7];
        streams_waitable_status_t status =
            await(spin_key_value_key_value_stream_string_read(keys.f0, some, 7), keys.f0);
        for (uint32_t i = 0; i < STREAMS_WAITABLE_COUNT(status); i++)
            say(some[i].ptr, some[i].len);
        if (STREAMS_WAITABLE_STATE(status) != STREAMS_WAITABLE_COMPLETED)
            break;
    }
    await(spin_key_value_key_value_future_result_void_error_read(keys.f1, &result), keys.f1);
    if (result.is_err)
        say_error(&result.val.err);
    else
        say_text("ok");
}

static void call(const char *function)
{
    spin_key_value_key_value_own_store_t own;
    error_t error;
    streams_string_t label = string_at(0);
    streams_string_t key = string_at(1);
    streams_list_u8_t value = {.ptr = texts[2].bytes, .len = texts[2].size};
    if (!spin_key_value_key_value_static_store_open(&label, &own, &error)) {
        say_error(&error);
        return;
    }
    spin_key_value_key_value_borrow_store_t store = spin_key_value_key_value_borrow_store(own);
    if (strcmp(function, "get") == 0) {
        streams_option_list_u8_t got;
        if (spin_key_value_key_value_method_store_get(store, &key, &got, &error)) {
            say_text(got.is_some ? "ok" : "none");
            if (got.is_some)
                say(got.val.ptr, got.val.len);
        } else {
            say_error(&error);
        }
    } else if (strcmp(function, "set") == 0) {
        if (spin_key_value_key_value_method_store_set(store, &key, &value, &error) || say_error(&error))
            say_text("ok");
    } else if (strcmp(function, "delete") == 0) {
        if (spin_key_value_key_value_method_store_delete(store, &key, &error) || say_error(&error))
            say_text("ok");
    } else if (strcmp(function, "exists") == 0) {
        bool exists;
        if (spin_key_value_key_value_method_store_exists(store, &key, &exists, &error))
            say_text(exists ? "true" : "false");
        else
            say_error(&error);
    } else if (strcmp(function, "get-keys") == 0) {
        get_keys(store);
    }
    spin_key_value_key_value_store_drop_own(own);
}

/* ---- The request ------------------------------------------------------------------------------------------------- */

static void read_body(wasi_http_types_stream_u8_t reader)
{
    enum { PIECE = 65536 };
    for (;;) {
        uint8_t *piece = input_room(PIECE);
        streams_waitable_status_t status = await(wasi_http_types_stream_u8_read(reader, piece, PIECE), reader);
        input_size += STREAMS_WAITABLE_COUNT(status);
        if (STREAMS_WAITABLE_STATE(status) != STREAMS_WAITABLE_COMPLETED)
            break;
    }
}

static void write_body(wasi_http_types_stream_u8_writer_t writer)
{
    size_t done = 0;
    while (done < output_size) {
        streams_waitable_status_t status =
            await(wasi_http_types_stream_u8_write(writer, output + done, output_size - done), writer);
        done += STREAMS_WAITABLE_COUNT(status);
        if (STREAMS_WAITABLE_STATE(status) != STREAMS_WAITABLE_COMPLETED)
            return;
    }
}

streams_callback_code_t exports_wasi_http_handler_handle(exports_wasi_http_handler_own_request_t request)
{
    static char path[256];
    streams_string_t target;
    size_t size = 0;
    if (wasi_http_types_method_request_get_path_with_query(wasi_http_types_borrow_request(request), &target)) {
        size = target.len < sizeof path - 1 ? target.len : sizeof path - 1;
        memcpy(path, target.ptr, size);
    }
    path[size] = '\0';

    wasi_http_types_future_result_void_error_code_writer_t consumed;
    wasi_http_types_tuple2_stream_u8_future_result_option_own_trailers_error_code_t body;
    wasi_http_types_static_request_consume_body(
        request, wasi_http_types_future_result_void_error_code_new(&consumed), &body);
    begin_texts();
    read_body(body.f0);
    read_texts();
    call(strrchr(path, '?') + 1);

    wasi_http_types_stream_u8_writer_t writer;
    wasi_http_types_stream_u8_t contents = wasi_http_types_stream_u8_new(&writer);
    wasi_http_types_future_result_option_own_trailers_error_code_writer_t trailers;
    wasi_http_types_tuple2_own_response_future_result_void_error_code_t response;
    wasi_http_types_static_response_new(wasi_http_types_constructor_fields(), &contents,
        wasi_http_types_future_result_option_own_trailers_error_code_new(&trailers), &response);
    exports_wasi_http_handler_result_own_response_error_code_t answer = {.is_err = false, .val.ok = response.f0};
    exports_wasi_http_handler_handle_return(answer);
    write_body(writer);

    wasi_http_types_stream_u8_drop_readable(body.f0);
    wasi_http_types_future_result_option_own_trailers_error_code_drop_readable(body.f1);
    wasi_http_types_stream_u8_drop_writable(writer);
    const wasi_http_types_result_option_own_trailers_error_code_t none = {.is_err = false};
    await(wasi_http_types_future_result_option_own_trailers_error_code_write(trailers, &none), trailers);
    wasi_http_types_future_result_option_own_trailers_error_code_drop_writable(trailers);
    const wasi_http_types_result_void_error_code_t fine = {.is_err = false};
    await(wasi_http_types_future_result_void_error_code_write(consumed, &fine), consumed);
    wasi_http_types_future_result_void_error_code_drop_writable(consumed);
    wasi_http_types_future_result_void_error_code_drop_readable(response.f1);
    return STREAMS_CALLBACK_CODE_EXIT;
}

/* Nothing here waits but where it calls. */
streams_callback_code_t exports_wasi_http_handler_handle_callback(streams_event_t *event)
{
    (void)event;
    __builtin_trap();
}
