/*
 * handler_mirror.c: a guest for wasi:http/handler@0.3. It answers with what it was sent: the request's body as it
 * comes, or a greeting where there is none; in the header "target" the path and query, in the header "requests" how
 * many its instance has been given so far, in "together" how many of them are not answered yet. By the end of its path
 * it fails: /trap before its response, /trap-after its head, /error with an error in place of a response, /wait after
 * half a second, /pause after as long, but others may run on the instance meanwhile, /spin never to return.
 */
#include "bindings.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef wasi_http_types_result_void_error_code_t outcome_t;
typedef wasi_http_types_result_option_own_trailers_error_code_t trailers_t;

static unsigned unanswered;

/* The status of an operation on a stream or future, once it is over. */
static bindings_waitable_status_t await(bindings_waitable_status_t status, uint32_t waitable)
{
    if (status != BINDINGS_WAITABLE_STATUS_BLOCKED) {
        return status;
    }
    bindings_event_t event;
    bindings_waitable_set_t set = bindings_waitable_set_new();
    bindings_waitable_join(waitable, set);
    bindings_waitable_set_wait(set, &event);
    bindings_waitable_join(waitable, 0);
    bindings_waitable_set_drop(set);
    return event.code;
}

/* Write all of it; false when nobody reads any more. */
static bool write_all(wasi_http_types_stream_u8_writer_t writer, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        bindings_waitable_status_t status =
            await(wasi_http_types_stream_u8_write(writer, bytes, size), (uint32_t)writer);
        size_t count = BINDINGS_WAITABLE_COUNT(status);
        bytes += count;
        size -= count;
        if (BINDINGS_WAITABLE_STATE(status) != BINDINGS_WAITABLE_COMPLETED) {
            return false;
        }
    }
    return true;
}

static void mirror(wasi_http_types_stream_u8_t reader, wasi_http_types_stream_u8_writer_t writer)
{
    static const char greeting[] = "Hello from 0.3!\n";
    uint8_t buffer[4096];
    bool any = false;
    for (;;) {
        bindings_waitable_status_t status =
            await(wasi_http_types_stream_u8_read(reader, buffer, sizeof buffer), (uint32_t)reader);
        size_t count = BINDINGS_WAITABLE_COUNT(status);
        any = any || count > 0;
        if (!write_all(writer, buffer, count)) {
            return;
        }
        if (BINDINGS_WAITABLE_STATE(status) != BINDINGS_WAITABLE_COMPLETED) {
            break;
        }
    }
    if (!any) {
        write_all(writer, (const uint8_t *)greeting, sizeof greeting - 1);
    }
}

static bool ends_with(const bindings_string_t *text, const char *end)
{
    size_t size = strlen(end);
    return text->len >= size && memcmp(text->ptr + text->len - size, end, size) == 0;
}

static void wait_half_a_second(void)
{
    bindings_subtask_status_t status = wasi_clocks_monotonic_clock_wait_for(500000000);
    if (BINDINGS_SUBTASK_STATE(status) == BINDINGS_SUBTASK_RETURNED) {
        return;
    }
    bindings_subtask_t subtask = BINDINGS_SUBTASK_HANDLE(status);
    while (BINDINGS_SUBTASK_STATE(status) != BINDINGS_SUBTASK_RETURNED) {
        status = await(BINDINGS_WAITABLE_STATUS_BLOCKED, subtask);
    }
    bindings_subtask_drop(subtask);
}

/* What the path asks for before there is a response; true where that was an error in its place. */
static bool fail_early(const bindings_string_t *target)
{
    if (ends_with(target, "/trap")) {
        __builtin_trap();
    }
    if (ends_with(target, "/spin")) {
        for (volatile int i = 0;; i++) {
        }
    }
    if (ends_with(target, "/wait")) {
        wait_half_a_second();
    }
    if (ends_with(target, "/error")) {
        exports_wasi_http_handler_result_own_response_error_code_t answer = {
            .is_err = true, .val.err.tag = WASI_HTTP_TYPES_ERROR_CODE_HTTP_REQUEST_DENIED};
        exports_wasi_http_handler_handle_return(answer);
        unanswered--;
        return true;
    }
    return false;
}

static void append(wasi_http_types_own_fields_t fields, const char *name, const uint8_t *value, size_t size)
{
    bindings_string_t name_text = {(uint8_t *)name, strlen(name)};
    wasi_http_types_field_value_t field = {(uint8_t *)value, size};
    wasi_http_types_header_error_t error;
    wasi_http_types_method_fields_append(wasi_http_types_borrow_fields(fields), &name_text, &field, &error);
}

static void append_number(wasi_http_types_own_fields_t fields, const char *name, unsigned number)
{
    char digits[16];
    int size = snprintf(digits, sizeof digits, "%u", number);
    append(fields, name, (const uint8_t *)digits, (size_t)size);
}

static void respond(
    exports_wasi_http_handler_own_request_t request, wasi_http_types_own_fields_t fields, bool traps_later)
{
    wasi_http_types_future_result_void_error_code_writer_t consumed;
    wasi_http_types_tuple2_stream_u8_future_result_option_own_trailers_error_code_t body;
    wasi_http_types_static_request_consume_body(
        request, wasi_http_types_future_result_void_error_code_new(&consumed), &body);

    wasi_http_types_stream_u8_writer_t writer;
    wasi_http_types_stream_u8_t contents = wasi_http_types_stream_u8_new(&writer);
    wasi_http_types_future_result_option_own_trailers_error_code_writer_t trailers_writer;
    wasi_http_types_tuple2_own_response_future_result_void_error_code_t response;
    wasi_http_types_static_response_new(fields, &contents,
        wasi_http_types_future_result_option_own_trailers_error_code_new(&trailers_writer), &response);
    exports_wasi_http_handler_result_own_response_error_code_t answer = {.is_err = false, .val.ok = response.f0};
    exports_wasi_http_handler_handle_return(answer);
    unanswered--;

    mirror(body.f0, writer);
    if (traps_later) {
        __builtin_trap();
    }
    wasi_http_types_stream_u8_drop_readable(body.f0);
    wasi_http_types_future_result_option_own_trailers_error_code_drop_readable(body.f1);
    wasi_http_types_stream_u8_drop_writable(writer);
    const trailers_t none = {.is_err = false, .val.ok.is_some = false};
    await(wasi_http_types_future_result_option_own_trailers_error_code_write(trailers_writer, &none),
        (uint32_t)trailers_writer);
    wasi_http_types_future_result_option_own_trailers_error_code_drop_writable(trailers_writer);
    const outcome_t fine = {.is_err = false};
    await(wasi_http_types_future_result_void_error_code_write(consumed, &fine), (uint32_t)consumed);
    wasi_http_types_future_result_void_error_code_drop_writable(consumed);
    wasi_http_types_future_result_void_error_code_drop_readable(response.f1);
}

/* A request whose guest waits without holding up others on its instance. */
typedef struct paused {
    exports_wasi_http_handler_own_request_t request;
    wasi_http_types_own_fields_t fields;
    bindings_subtask_t subtask;
    bindings_waitable_set_t set;
} paused_t;

static bindings_callback_code_t pause_half_a_second(
    exports_wasi_http_handler_own_request_t request, wasi_http_types_own_fields_t fields)
{
    bindings_subtask_status_t status = wasi_clocks_monotonic_clock_wait_for(500000000);
    if (BINDINGS_SUBTASK_STATE(status) == BINDINGS_SUBTASK_RETURNED) {
        respond(request, fields, false);
        return BINDINGS_CALLBACK_CODE_EXIT;
    }
    paused_t *paused = malloc(sizeof *paused);
    *paused = (paused_t){request, fields, BINDINGS_SUBTASK_HANDLE(status), bindings_waitable_set_new()};
    bindings_waitable_join(paused->subtask, paused->set);
    bindings_context_set_0(paused);
    return BINDINGS_CALLBACK_CODE_WAIT(paused->set);
}

bindings_callback_code_t exports_wasi_http_handler_handle(exports_wasi_http_handler_own_request_t request)
{
    static unsigned requests;
    wasi_http_types_own_fields_t fields = wasi_http_types_constructor_fields();
    bindings_string_t target;
    bool traps_later = false;
    bool pauses = false;
    append_number(fields, "requests", ++requests);
    append_number(fields, "together", ++unanswered);
    if (wasi_http_types_method_request_get_path_with_query(wasi_http_types_borrow_request(request), &target)) {
        traps_later = ends_with(&target, "/trap-after");
        pauses = ends_with(&target, "/pause");
        if (fail_early(&target)) {
            return BINDINGS_CALLBACK_CODE_EXIT;
        }
        append(fields, "target", target.ptr, target.len);
        bindings_string_free(&target);
    }
    if (pauses) {
        return pause_half_a_second(request, fields);
    }
    respond(request, fields, traps_later);
    return BINDINGS_CALLBACK_CODE_EXIT;
}

bindings_callback_code_t exports_wasi_http_handler_handle_callback(bindings_event_t *event)
{
    paused_t *paused = bindings_context_get_0();
    if (event->event != BINDINGS_EVENT_SUBTASK || event->code != BINDINGS_SUBTASK_RETURNED) {
        return BINDINGS_CALLBACK_CODE_WAIT(paused->set);
    }
    bindings_waitable_join(paused->subtask, 0);
    bindings_subtask_drop(paused->subtask);
    bindings_waitable_set_drop(paused->set);
    respond(paused->request, paused->fields, false);
    free(paused);
    return BINDINGS_CALLBACK_CODE_EXIT;
}
