/*
 * chain.c: answering a request, and asking another component of the same application.
 */
#include "chain.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bindings_string_t borrowed_string(const char *text)
{
    return (bindings_string_t){.ptr = (uint8_t *)(uintptr_t)text, .len = strlen(text)};
}

char *query_value(request_t request, const char *name)
{
    bindings_string_t target;
    if (!wasi_http_types_method_incoming_request_path_with_query(
            wasi_http_types_borrow_incoming_request(request), &target))
        return NULL;
    char *pair = strchr(strndup((const char *)target.ptr, target.len), '?');
    size_t length = strlen(name);
    for (; pair != NULL; pair = strchr(pair, '&')) {
        pair++;
        if (strncmp(pair, name, length) == 0 && pair[length] == '=')
            return strndup(pair + length + 1, strcspn(pair + length + 1, "&"));
    }
    return NULL;
}

/* ---- Answering -------------------------------------------------------------------------------------------------- */

void answer(response_outparam_t out, uint16_t status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = NULL;
    int size = vasprintf(&text, format, arguments);
    va_end(arguments);

    wasi_http_types_own_fields_t headers = wasi_http_types_constructor_fields();
    bindings_string_t name = borrowed_string("content-type");
    bindings_string_t value = borrowed_string("text/plain; charset=utf-8");
    wasi_http_types_header_error_t refused;
    wasi_http_types_method_fields_append(wasi_http_types_borrow_fields(headers), &name,
        &(wasi_http_types_field_value_t){.ptr = value.ptr, .len = value.len}, &refused);

    wasi_http_types_own_outgoing_response_t response = wasi_http_types_constructor_outgoing_response(headers);
    wasi_http_types_borrow_outgoing_response_t borrowed = wasi_http_types_borrow_outgoing_response(response);
    wasi_http_types_method_outgoing_response_set_status_code(borrowed, size < 0 ? 500 : status);
    wasi_http_types_own_outgoing_body_t body;
    wasi_http_types_method_outgoing_response_body(borrowed, &body);
    wasi_http_types_result_own_outgoing_response_error_code_t result = {.is_err = false, .val = {.ok = response}};
    wasi_http_types_static_response_outparam_set(out, &result);

    wasi_http_types_own_output_stream_t stream;
    wasi_http_types_method_outgoing_body_write(wasi_http_types_borrow_outgoing_body(body), &stream);
    wasi_io_streams_stream_error_t error;
    if (size > 0) /* These texts are short: the host takes up to 4096 bytes at once. */
        wasi_io_streams_method_output_stream_blocking_write_and_flush(wasi_io_streams_borrow_output_stream(stream),
            &(bindings_list_u8_t){.ptr = (uint8_t *)text, .len = (size_t)size}, &error);
    wasi_io_streams_output_stream_drop_own(stream);
    wasi_http_types_error_code_t incomplete;
    wasi_http_types_static_outgoing_body_finish(body, NULL, &incomplete);
}

/* ---- Asking ----------------------------------------------------------------------------------------------------- */

/* The whole body of a response, terminated; NULL when it breaks off. */
static char *response_text(wasi_http_types_own_incoming_response_t response)
{
    wasi_http_types_own_incoming_body_t body;
    wasi_http_types_own_input_stream_t stream;
    if (!wasi_http_types_method_incoming_response_consume(wasi_http_types_borrow_incoming_response(response), &body) ||
        !wasi_http_types_method_incoming_body_stream(wasi_http_types_borrow_incoming_body(body), &stream))
        return NULL;
    char *text = strdup("");
    size_t size = 0;
    bindings_list_u8_t bytes;
    wasi_io_streams_stream_error_t error;
    while (wasi_io_streams_method_input_stream_blocking_read(
        wasi_io_streams_borrow_input_stream(stream), 65536, &bytes, &error)) {
        text = realloc(text, size + bytes.len + 1);
        memcpy(text + size, bytes.ptr, bytes.len);
        size += bytes.len;
        text[size] = '\0';
    }
    return error.tag == WASI_IO_STREAMS_STREAM_ERROR_CLOSED ? text : NULL;
}

static uint16_t failed(const char *component, const wasi_http_types_error_code_t *error, char **ret_text)
{
    if (error != NULL && error->tag == WASI_HTTP_TYPES_ERROR_CODE_HTTP_REQUEST_DENIED)
        asprintf(ret_text, "%s may not be asked: allowed_outbound_hosts does not have it", component);
    else
        asprintf(ret_text, "%s did not answer (error code %d)", component, error != NULL ? error->tag : -1);
    return 0;
}

uint16_t ask(const char *component, char **ret_text, const char *format, ...)
{
    char *authority = NULL;
    char *path = NULL;
    va_list arguments;
    va_start(arguments, format);
    asprintf(&authority, "%s.spin.internal", component);
    vasprintf(&path, format, arguments);
    va_end(arguments);

    wasi_http_types_own_outgoing_request_t request =
        wasi_http_types_constructor_outgoing_request(wasi_http_types_constructor_fields());
    wasi_http_types_borrow_outgoing_request_t borrowed = wasi_http_types_borrow_outgoing_request(request);
    wasi_http_types_scheme_t scheme = {.tag = WASI_HTTP_TYPES_SCHEME_HTTP};
    bindings_string_t authority_string = borrowed_string(authority);
    bindings_string_t path_string = borrowed_string(path);
    if (!wasi_http_types_method_outgoing_request_set_scheme(borrowed, &scheme) ||
        !wasi_http_types_method_outgoing_request_set_authority(borrowed, &authority_string) ||
        !wasi_http_types_method_outgoing_request_set_path_with_query(borrowed, &path_string))
        return failed(component, NULL, ret_text);

    wasi_http_types_own_future_incoming_response_t future;
    wasi_http_types_error_code_t error;
    if (!wasi_http_outgoing_handler_handle(request, NULL, &future, &error))
        return failed(component, &error, ret_text);
    wasi_http_types_borrow_future_incoming_response_t waiting = wasi_http_types_borrow_future_incoming_response(future);
    wasi_io_poll_own_pollable_t ready = wasi_http_types_method_future_incoming_response_subscribe(waiting);
    wasi_io_poll_method_pollable_block(wasi_io_poll_borrow_pollable(ready));
    wasi_io_poll_pollable_drop_own(ready);
    wasi_http_types_result_result_own_incoming_response_error_code_void_t result;
    if (!wasi_http_types_method_future_incoming_response_get(waiting, &result) || result.is_err)
        return failed(component, NULL, ret_text);
    if (result.val.ok.is_err)
        return failed(component, &result.val.ok.val.err, ret_text);

    wasi_http_types_own_incoming_response_t response = result.val.ok.val.ok;
    uint16_t status =
        wasi_http_types_method_incoming_response_status(wasi_http_types_borrow_incoming_response(response));
    char *text = response_text(response);
    if (text == NULL)
        return failed(component, NULL, ret_text);
    *ret_text = text;
    return status;
}
