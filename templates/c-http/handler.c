/*
 * @NAME@: answers wasi:http requests. A fresh instance answers each, so nothing needs to be freed for the next. bindings.h
 * has the functions of WASI, as wit-bindgen makes them from its WIT files; standard output and standard error go to the
 * log.
 */
#include "bindings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef exports_wasi_http_incoming_handler_own_incoming_request_t request_t;
typedef exports_wasi_http_incoming_handler_own_response_outparam_t response_outparam_t;

/* Path and query as they were asked for. */
static char *target_of(request_t request)
{
    bindings_string_t target;
    if (!wasi_http_types_method_incoming_request_path_with_query(
            wasi_http_types_borrow_incoming_request(request), &target))
        return strdup("/");
    return strndup((const char *)target.ptr, target.len);
}

/*
 * A variable's value, once spin.toml gives the component one:
 *
 *     bindings_string_t name, value;
 *     fermyon_spin_variables_error_t error;
 *     bindings_string_set(&name, "greeting");
 *     if (!fermyon_spin_variables_get(&name, &value, &error))
 *         abort();
 *     printf("%.*s\n", (int)value.len, value.ptr);
 */

/* Start a response of plain text; returns the body to write. */
static wasi_http_types_own_outgoing_body_t respond(response_outparam_t out, uint16_t status)
{
    wasi_http_types_own_fields_t headers = wasi_http_types_constructor_fields();
    wasi_http_types_field_name_t name;
    bindings_string_set(&name, "content-type");
    const char *type = "text/plain; charset=utf-8";
    wasi_http_types_field_value_t value = {.ptr = (uint8_t *)type, .len = strlen(type)};
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

/* Write a text as the body, at most 4,096 bytes at once, and complete it. */
static void finish(wasi_http_types_own_outgoing_body_t body, const char *text)
{
    wasi_http_types_own_output_stream_t stream;
    wasi_http_types_method_outgoing_body_write(wasi_http_types_borrow_outgoing_body(body), &stream);
    wasi_io_streams_stream_error_t error;
    for (size_t left = strlen(text); left > 0;) {
        bindings_list_u8_t piece = {.ptr = (uint8_t *)text, .len = left < 4096 ? left : 4096};
        if (!wasi_io_streams_method_output_stream_blocking_write_and_flush(
                wasi_io_streams_borrow_output_stream(stream), &piece, &error))
            break;
        text += piece.len;
        left -= piece.len;
    }
    wasi_io_streams_output_stream_drop_own(stream);
    wasi_http_types_error_code_t incomplete;
    wasi_http_types_static_outgoing_body_finish(body, NULL, &incomplete);
}

void exports_wasi_http_incoming_handler_handle(request_t request, response_outparam_t out)
{
    char *text = NULL;
    if (asprintf(&text, "Hello from @NAME@!\n%s\n", target_of(request)) < 0)
        abort();
    finish(respond(out, 200), text);
    fflush(NULL); /* nothing else writes out what printf(3) has buffered: this instance ends here */
}
