/*
 * http_guest.h: what the wasi:http test guests share: reading the request's head, writing a response piece by piece.
 * A call that the host refuses where the guest does not expect it ends in a trap, so that no test passes by accident.
 */
#ifndef HTTP_GUEST_H
#define HTTP_GUEST_H

#include "bindings.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef exports_wasi_http_incoming_handler_own_incoming_request_t http_request_t;
typedef exports_wasi_http_incoming_handler_own_response_outparam_t http_outparam_t;

/* A response whose head has been sent, and the way for its body. */
typedef struct http_reply {
    wasi_http_types_own_outgoing_body_t body;
    wasi_io_streams_own_output_stream_t stream;
} http_reply_t;

static inline void http_require(bool condition)
{
    if (!condition)
        __builtin_trap();
}

/* Standard error, unbuffered. */
static inline void http_log(const char *text)
{
    http_require(write(STDERR_FILENO, text, strlen(text)) == (ssize_t)strlen(text));
}

static inline bindings_string_t http_string(const char *text)
{
    return (bindings_string_t){.ptr = (uint8_t *)(uintptr_t)text, .len = strlen(text)};
}

/* The first value of a header, terminated and cut to `size`; "" and false when it is not there. */
static inline bool http_header(http_request_t request, const char *name, char *value, size_t size)
{
    wasi_http_types_own_headers_t headers =
        wasi_http_types_method_incoming_request_headers(wasi_http_types_borrow_incoming_request(request));
    wasi_http_types_field_name_t key = http_string(name);
    wasi_http_types_list_field_value_t values;
    wasi_http_types_method_fields_get(wasi_http_types_borrow_fields(headers), &key, &values);
    size_t length = 0;
    if (values.len > 0) {
        length = values.ptr[0].len < size - 1 ? values.ptr[0].len : size - 1;
        memcpy(value, values.ptr[0].ptr, length);
    }
    value[length] = '\0';
    bool had = values.len > 0;
    wasi_http_types_list_field_value_free(&values);
    wasi_http_types_fields_drop_own(headers);
    return had;
}

/* What a trailing wildcard of the route matched, as Spin tells the guest. Other hosts, with which weir is compared,
 * tell nothing, and have no routes: the path and query then. */
static inline void http_path_info(http_request_t request, char *value, size_t size)
{
    bindings_string_t target;
    if (http_header(request, "spin-path-info", value, size) ||
        !wasi_http_types_method_incoming_request_path_with_query(
            wasi_http_types_borrow_incoming_request(request), &target))
        return;
    size_t length = target.len < size - 1 ? target.len : size - 1;
    memcpy(value, target.ptr, length);
    value[length] = '\0';
    bindings_string_free(&target);
}

/* False when the host does not accept the header. */
static inline bool http_append(wasi_http_types_own_headers_t headers, const char *name, const char *value, size_t size)
{
    wasi_http_types_field_name_t key = http_string(name);
    wasi_http_types_field_value_t bytes = {.ptr = (uint8_t *)(uintptr_t)value, .len = size};
    wasi_http_types_header_error_t error;
    return wasi_http_types_method_fields_append(wasi_http_types_borrow_fields(headers), &key, &bytes, &error);
}

/* Send the head. Takes the headers. */
static inline http_reply_t http_begin(http_outparam_t out, uint16_t status, wasi_http_types_own_headers_t headers)
{
    http_reply_t reply;
    wasi_http_types_own_outgoing_response_t response = wasi_http_types_constructor_outgoing_response(headers);
    wasi_http_types_borrow_outgoing_response_t borrowed = wasi_http_types_borrow_outgoing_response(response);
    http_require(wasi_http_types_method_outgoing_response_set_status_code(borrowed, status));
    http_require(wasi_http_types_method_outgoing_response_body(borrowed, &reply.body));
    wasi_http_types_result_own_outgoing_response_error_code_t result = {.is_err = false, .val = {.ok = response}};
    wasi_http_types_static_response_outparam_set(out, &result);
    http_require(
        wasi_http_types_method_outgoing_body_write(wasi_http_types_borrow_outgoing_body(reply.body), &reply.stream));
    return reply;
}

/* The head of an ordinary text. */
static inline http_reply_t http_begin_text(http_outparam_t out)
{
    wasi_http_types_own_headers_t headers = wasi_http_types_constructor_fields();
    http_require(http_append(headers, "content-type", "text/plain", strlen("text/plain")));
    return http_begin(out, 200, headers);
}

/* Write all of it, as the host takes it. False when the client is gone. */
static inline bool http_write(http_reply_t reply, const void *bytes, size_t size)
{
    wasi_io_streams_borrow_output_stream_t stream = wasi_io_streams_borrow_output_stream(reply.stream);
    wasi_io_streams_own_pollable_t writable = wasi_io_streams_method_output_stream_subscribe(stream);
    uint8_t *next = (uint8_t *)(uintptr_t)bytes;
    bool well = true;
    while (well && size > 0) {
        wasi_io_streams_stream_error_t error;
        uint64_t space = 0;
        well = wasi_io_streams_method_output_stream_check_write(stream, &space, &error);
        if (well && space == 0) {
            wasi_io_poll_method_pollable_block(wasi_io_poll_borrow_pollable(writable));
        } else if (well) {
            bindings_list_u8_t piece = {.ptr = next, .len = space < size ? (size_t)space : size};
            well = wasi_io_streams_method_output_stream_write(stream, &piece, &error);
            next += piece.len;
            size -= piece.len;
        }
    }
    wasi_io_poll_pollable_drop_own(writable);
    return well;
}

/* Have what was written sent now. False when the client is gone. */
static inline bool http_flush(http_reply_t reply)
{
    wasi_io_streams_stream_error_t error;
    return wasi_io_streams_method_output_stream_blocking_flush(
        wasi_io_streams_borrow_output_stream(reply.stream), &error);
}

static inline bool http_write_text(http_reply_t reply, const char *text)
{
    return http_write(reply, text, strlen(text));
}

/* Complete the body. False when the host finds that it does not fit the head. */
static inline bool http_end(http_reply_t reply)
{
    wasi_http_types_error_code_t error;
    wasi_io_streams_output_stream_drop_own(reply.stream);
    return wasi_http_types_static_outgoing_body_finish(reply.body, NULL, &error);
}

/* Wait without using the processor. */
static inline void http_sleep(uint64_t milliseconds)
{
    wasi_clocks_monotonic_clock_own_pollable_t timer =
        wasi_clocks_monotonic_clock_subscribe_duration(milliseconds * 1000000);
    wasi_io_poll_method_pollable_block(wasi_io_poll_borrow_pollable(timer));
    wasi_io_poll_pollable_drop_own(timer);
}

#endif
