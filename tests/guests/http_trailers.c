/*
 * Answers with the trailers of its request, one a line, and sets trailers of its own: x-bytes, the
 * number of bytes that the request's body had, which its Trailer header names; and x-secret, which it does not, and
 * content-length, which is none that a trailer may be. At /wait it lets the head go before its body is there. At /many
 * it sets x-many besides, 300 times, numbered from 0.
 */
#include "http_guest.h"

#include <stdio.h>

static size_t read_body(wasi_http_types_borrow_incoming_body_t body)
{
    wasi_http_types_own_input_stream_t stream;
    size_t size = 0;
    http_require(wasi_http_types_method_incoming_body_stream(body, &stream));
    for (;;) {
        bindings_list_u8_t piece;
        wasi_io_streams_stream_error_t error;
        if (!wasi_io_streams_method_input_stream_blocking_read(
                wasi_io_streams_borrow_input_stream(stream), 65536, &piece, &error)) {
            http_require(error.tag == WASI_IO_STREAMS_STREAM_ERROR_CLOSED);
            break;
        }
        size += piece.len;
        bindings_list_u8_free(&piece);
    }
    wasi_io_streams_input_stream_drop_own(stream);
    return size;
}

/* Wait for the trailers, and write those that there are. Takes the body. */
static void write_trailers(http_reply_t reply, wasi_http_types_own_incoming_body_t body)
{
    wasi_http_types_own_future_trailers_t future = wasi_http_types_static_incoming_body_finish(body);
    wasi_http_types_borrow_future_trailers_t borrowed = wasi_http_types_borrow_future_trailers(future);
    wasi_io_streams_own_pollable_t ready = wasi_http_types_method_future_trailers_subscribe(borrowed);
    wasi_io_poll_method_pollable_block(wasi_io_poll_borrow_pollable(ready));
    wasi_io_poll_pollable_drop_own(ready);
    wasi_http_types_result_result_option_own_trailers_error_code_void_t got;
    http_require(wasi_http_types_method_future_trailers_get(borrowed, &got));
    http_require(!got.is_err && !got.val.ok.is_err);
    if (!got.val.ok.val.ok.is_some) {
        http_require(http_write_text(reply, "none\n"));
        wasi_http_types_future_trailers_drop_own(future);
        return;
    }
    wasi_http_types_own_trailers_t trailers = got.val.ok.val.ok.val;
    wasi_http_types_list_tuple2_field_name_field_value_t entries;
    wasi_http_types_method_fields_entries(wasi_http_types_borrow_fields(trailers), &entries);
    for (size_t i = 0; i < entries.len; i++) {
        http_require(http_write(reply, entries.ptr[i].f0.ptr, entries.ptr[i].f0.len));
        http_require(http_write_text(reply, ": "));
        http_require(http_write(reply, entries.ptr[i].f1.ptr, entries.ptr[i].f1.len));
        http_require(http_write_text(reply, "\n"));
    }
    wasi_http_types_fields_drop_own(trailers);
    wasi_http_types_future_trailers_drop_own(future);
}

void exports_wasi_http_incoming_handler_handle(http_request_t request, http_outparam_t out)
{
    char path[64];
    http_path_info(request, path, sizeof path);
    bool many = strcmp(path, "/many") == 0;
    const char *names = many ? "x-many, x-bytes" : "x-bytes, content-length";
    wasi_http_types_own_headers_t headers = wasi_http_types_constructor_fields();
    http_require(http_append(headers, "trailer", names, strlen(names)));
    wasi_http_types_own_incoming_body_t body;
    http_require(
        wasi_http_types_method_incoming_request_consume(wasi_http_types_borrow_incoming_request(request), &body));
    http_reply_t reply = http_begin(out, 200, headers);
    if (strcmp(path, "/wait") == 0) {
        http_require(http_write_text(reply, "waiting\n") && http_flush(reply));
        http_sleep(50);
    }
    size_t size = read_body(wasi_http_types_borrow_incoming_body(body));
    write_trailers(reply, body);
    char text[24];
    snprintf(text, sizeof text, "%zu", size);
    wasi_http_types_own_trailers_t trailers = wasi_http_types_constructor_fields();
    for (int i = 0; many && i < 300; i++) {
        char number[12];
        snprintf(number, sizeof number, "%d", i);
        http_require(http_append(trailers, "x-many", number, strlen(number)));
    }
    http_require(http_append(trailers, "x-bytes", text, strlen(text)));
    http_require(http_append(trailers, "x-secret", "1", 1));
    http_require(http_append(trailers, "content-length", "9", 1));
    wasi_io_streams_output_stream_drop_own(reply.stream);
    wasi_http_types_error_code_t error;
    http_require(wasi_http_types_static_outgoing_body_finish(reply.body, &trailers, &error));
}
