/*
 * hello: a wasi:http component. Greets whom the query names (`/hello?name=Ada`), and tells what it was asked and how
 * many bytes of body came with it. A fresh instance answers each request, so nothing needs to be freed for the next.
 */
#include "bindings.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef exports_wasi_http_incoming_handler_own_incoming_request_t request_t;
typedef exports_wasi_http_incoming_handler_own_response_outparam_t response_outparam_t;

/* ---- Reading the request ---------------------------------------------------------------------------------------- */

static bindings_string_t request_method(request_t request)
{
    static const char *const names[] = {
        [WASI_HTTP_TYPES_METHOD_GET] = "GET",
        [WASI_HTTP_TYPES_METHOD_HEAD] = "HEAD",
        [WASI_HTTP_TYPES_METHOD_POST] = "POST",
        [WASI_HTTP_TYPES_METHOD_PUT] = "PUT",
        [WASI_HTTP_TYPES_METHOD_DELETE] = "DELETE",
        [WASI_HTTP_TYPES_METHOD_CONNECT] = "CONNECT",
        [WASI_HTTP_TYPES_METHOD_OPTIONS] = "OPTIONS",
        [WASI_HTTP_TYPES_METHOD_TRACE] = "TRACE",
        [WASI_HTTP_TYPES_METHOD_PATCH] = "PATCH",
    };
    wasi_http_types_method_t method;
    wasi_http_types_method_incoming_request_method(wasi_http_types_borrow_incoming_request(request), &method);
    bindings_string_t name;
    if (method.tag == WASI_HTTP_TYPES_METHOD_OTHER)
        name = method.val.other;
    else
        bindings_string_dup(&name, names[method.tag]);
    return name;
}

/* Path and query as they were asked for: "/hello?name=Ada". */
static bindings_string_t request_target(request_t request)
{
    bindings_string_t target;
    if (!wasi_http_types_method_incoming_request_path_with_query(
            wasi_http_types_borrow_incoming_request(request), &target))
        bindings_string_dup(&target, "/");
    return target;
}

/* Read the body to its end and count its bytes. False when it breaks off. */
static bool request_body_size(request_t request, size_t *ret_size)
{
    wasi_http_types_own_incoming_body_t body;
    wasi_http_types_own_input_stream_t stream;
    if (!wasi_http_types_method_incoming_request_consume(wasi_http_types_borrow_incoming_request(request), &body) ||
        !wasi_http_types_method_incoming_body_stream(wasi_http_types_borrow_incoming_body(body), &stream))
        return false;
    size_t size = 0;
    bindings_list_u8_t bytes;
    wasi_io_streams_stream_error_t error;
    while (wasi_io_streams_method_input_stream_blocking_read(
        wasi_io_streams_borrow_input_stream(stream), 65536, &bytes, &error)) {
        size += bytes.len;
        bindings_list_u8_free(&bytes);
    }
    *ret_size = size;
    return error.tag == WASI_IO_STREAMS_STREAM_ERROR_CLOSED;
}

/* ---- Writing the response --------------------------------------------------------------------------------------- */

/* Start a response of plain text; returns the body to write. */
static wasi_http_types_own_outgoing_body_t respond(response_outparam_t out, uint16_t status)
{
    wasi_http_types_own_fields_t headers = wasi_http_types_constructor_fields();
    wasi_http_types_field_name_t name;
    bindings_string_set(&name, "content-type");
    const char *type = "text/plain; charset=utf-8";
    wasi_http_types_field_value_t value = {.ptr = (uint8_t *)(uintptr_t)type, .len = strlen(type)};
    wasi_http_types_header_error_t refused;
    wasi_http_types_method_fields_append(wasi_http_types_borrow_fields(headers), &name, &value, &refused);

    wasi_http_types_own_outgoing_response_t response = wasi_http_types_constructor_outgoing_response(headers);
    wasi_http_types_borrow_outgoing_response_t borrowed = wasi_http_types_borrow_outgoing_response(response);
    wasi_http_types_method_outgoing_response_set_status_code(borrowed, status);
    wasi_http_types_own_outgoing_body_t body;
    wasi_http_types_method_outgoing_response_body(borrowed, &body);

    wasi_http_types_result_own_outgoing_response_error_code_t result = {.is_err = false, .val = {.ok = response}};
    wasi_http_types_static_response_outparam_set(out, &result);
    return body;
}

/* Write the whole of a text as the body, and complete it. */
static void finish(wasi_http_types_own_outgoing_body_t body, const char *text, size_t size)
{
    wasi_http_types_own_output_stream_t stream;
    wasi_http_types_method_outgoing_body_write(wasi_http_types_borrow_outgoing_body(body), &stream);
    wasi_io_streams_stream_error_t error;
    bool written = true;
    for (size_t done = 0; written && done < size;) {
        /* The host takes up to 4096 bytes at once. */
        size_t length = size - done < 4096 ? size - done : 4096;
        bindings_list_u8_t piece = {.ptr = (uint8_t *)(uintptr_t)(text + done), .len = length};
        written = wasi_io_streams_method_output_stream_blocking_write_and_flush(
            wasi_io_streams_borrow_output_stream(stream), &piece, &error);
        done += length;
    }
    wasi_io_streams_output_stream_drop_own(stream);
    wasi_http_types_error_code_t incomplete;
    wasi_http_types_static_outgoing_body_finish(body, NULL, &incomplete);
}

/* ---- The answer ------------------------------------------------------------------------------------------------- */

static int hexadecimal(char digit)
{
    const char *digits = "0123456789abcdef";
    const char *found = digit == '\0' ? NULL : strchr(digits, digit >= 'A' && digit <= 'F' ? digit - 'A' + 'a' : digit);
    return found ? (int)(found - digits) : -1;
}

/* Undo the encoding of a query's value (%41, +), in place. */
static void decode(char *value)
{
    char *to = value;
    for (const char *from = value; *from != '\0'; from++) {
        int high = *from == '%' ? hexadecimal(from[1]) : -1;
        int low = high >= 0 ? hexadecimal(from[2]) : -1;
        if (low >= 0) {
            *to++ = (char)(high * 16 + low);
            from += 2;
        } else {
            *to++ = *from == '+' ? ' ' : *from;
        }
    }
    *to = '\0';
}

/* The value of "name" in a target's query, decoded and allocated; "world" when it has none. */
static char *name_to_greet(const char *target)
{
    const char *query = strchr(target, '?');
    for (const char *pair = query; pair != NULL; pair = strchr(pair, '&')) {
        pair++;
        if (strncmp(pair, "name=", 5) == 0) {
            char *name = strndup(pair + 5, strcspn(pair + 5, "&"));
            decode(name);
            return name;
        }
    }
    return strdup("world");
}

void exports_wasi_http_incoming_handler_handle(request_t request, response_outparam_t out)
{
    bindings_string_t method = request_method(request);
    bindings_string_t encoded = request_target(request);
    char *target = strndup((const char *)encoded.ptr, encoded.len);
    size_t body_size = 0;
    bool whole = request_body_size(request, &body_size);

    char *text = NULL;
    int size = asprintf(&text, "Hello, %s!\nYou asked: %.*s %s\nThe request's body: %zu bytes\n", name_to_greet(target),
        (int)method.len, (const char *)method.ptr, target, body_size);
    finish(respond(out, whole && size >= 0 ? 200 : 500), text, size < 0 ? 0 : (size_t)size);
}
