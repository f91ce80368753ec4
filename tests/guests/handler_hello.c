/*
 * handler_hello.c: a guest for wasi:http/handler@0.3 that greets, and does nothing else, for benchmarks. It does what
 * the bindings of a language do for a short answer: a response without content-length is returned, then its body is
 * written to a stream, and while nobody reads that yet others may run on the instance.
 */
#include "bindings.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

typedef wasi_http_types_result_option_own_trailers_error_code_t trailers_t;

/* What is left to be done for a request once its response was returned. */
typedef struct answer {
    wasi_http_types_stream_u8_writer_t body;
    wasi_http_types_future_result_option_own_trailers_error_code_writer_t trailers;
    bindings_waitable_set_t set;
    bool wrote_body;
} answer_t;

static const char greeting[] = "Hello from 0.3!\n";
static const trailers_t none = {.is_err = false, .val.ok.is_some = false};

static wasi_http_types_own_fields_t make_headers(void)
{
    static const char name[] = "content-type", value[] = "text/plain";
    wasi_http_types_own_fields_t fields = wasi_http_types_constructor_fields();
    bindings_string_t name_text = {(uint8_t *)name, sizeof name - 1};
    wasi_http_types_field_value_t field = {(uint8_t *)value, sizeof value - 1};
    wasi_http_types_header_error_t error;
    wasi_http_types_method_fields_append(wasi_http_types_borrow_fields(fields), &name_text, &field, &error);
    return fields;
}

static bindings_callback_code_t wait_for(answer_t *answer, uint32_t waitable)
{
    bindings_waitable_join(waitable, answer->set);
    bindings_context_set_0(answer);
    return BINDINGS_CALLBACK_CODE_WAIT(answer->set);
}

/* Go on with an answer, whose last operation ended with `status`. */
static bindings_callback_code_t go_on(answer_t *answer, bindings_waitable_status_t status)
{
    if (!answer->wrote_body) {
        if (status == BINDINGS_WAITABLE_STATUS_BLOCKED) {
            return wait_for(answer, (uint32_t)answer->body);
        }
        answer->wrote_body = true; /* so short a body is read at once, or nobody wants it */
        wasi_http_types_stream_u8_drop_writable(answer->body);
        status = wasi_http_types_future_result_option_own_trailers_error_code_write(answer->trailers, &none);
    }
    if (status == BINDINGS_WAITABLE_STATUS_BLOCKED) {
        return wait_for(answer, (uint32_t)answer->trailers);
    }
    wasi_http_types_future_result_option_own_trailers_error_code_drop_writable(answer->trailers);
    bindings_waitable_set_drop(answer->set);
    free(answer);
    return BINDINGS_CALLBACK_CODE_EXIT;
}

bindings_callback_code_t exports_wasi_http_handler_handle(exports_wasi_http_handler_own_request_t request)
{
    wasi_http_types_request_drop_own(request);
    answer_t *answer = malloc(sizeof *answer);
    *answer = (answer_t){.set = bindings_waitable_set_new()};
    wasi_http_types_stream_u8_t contents = wasi_http_types_stream_u8_new(&answer->body);
    wasi_http_types_tuple2_own_response_future_result_void_error_code_t response;
    wasi_http_types_static_response_new(make_headers(), &contents,
        wasi_http_types_future_result_option_own_trailers_error_code_new(&answer->trailers), &response);
    wasi_http_types_future_result_void_error_code_drop_readable(response.f1);
    exports_wasi_http_handler_handle_return(
        (exports_wasi_http_handler_result_own_response_error_code_t){.is_err = false, .val.ok = response.f0});
    return go_on(answer, wasi_http_types_stream_u8_write(answer->body, (const uint8_t *)greeting, sizeof greeting - 1));
}

bindings_callback_code_t exports_wasi_http_handler_handle_callback(bindings_event_t *event)
{
    answer_t *answer = bindings_context_get_0();
    return go_on(answer, event->code);
}
