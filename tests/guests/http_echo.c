/*
 * Answers with the request's body, piece by piece as it comes, and with its content type.
 * At /late it reads nothing before it has waited a little, at /ignore it does not read the body at all, and at /after
 * it answers first and then reads, and says on standard error how the body ended.
 */
#include "http_guest.h"

/* Read the body, to `reply` if there is one. False when it broke off. */
static bool read_body(http_request_t request, const http_reply_t *reply)
{
    bool whole = true;
    wasi_http_types_own_incoming_body_t body;
    wasi_http_types_own_input_stream_t stream;
    http_require(
        wasi_http_types_method_incoming_request_consume(wasi_http_types_borrow_incoming_request(request), &body));
    http_require(wasi_http_types_method_incoming_body_stream(wasi_http_types_borrow_incoming_body(body), &stream));
    for (;;) {
        bindings_list_u8_t piece;
        wasi_io_streams_stream_error_t error;
        if (!wasi_io_streams_method_input_stream_blocking_read(
                wasi_io_streams_borrow_input_stream(stream), 65536, &piece, &error)) {
            whole = error.tag == WASI_IO_STREAMS_STREAM_ERROR_CLOSED;
            break;
        }
        if (reply != NULL)
            http_require(http_write(*reply, piece.ptr, piece.len));
        bindings_list_u8_free(&piece);
    }
    wasi_io_streams_input_stream_drop_own(stream);
    wasi_http_types_incoming_body_drop_own(body);
    return whole;
}

void exports_wasi_http_incoming_handler_handle(http_request_t request, http_outparam_t out)
{
    char path[64];
    char type[128];
    http_path_info(request, path, sizeof path);
    http_header(request, "content-type", type, sizeof type);
    if (strcmp(path, "/late") == 0)
        http_sleep(100);
    wasi_http_types_own_headers_t headers = wasi_http_types_constructor_fields();
    if (type[0] != '\0')
        http_require(http_append(headers, "content-type", type, strlen(type)));
    http_reply_t reply = http_begin(out, 200, headers);
    if (strcmp(path, "/ignore") == 0)
        http_require(http_write_text(reply, "ignored\n"));
    else if (strcmp(path, "/after") == 0)
        http_require(http_write_text(reply, "answered\n"));
    else
        http_require(read_body(request, &reply)); /* a response to one that broke off must not look complete */
    http_require(http_end(reply));
    if (strcmp(path, "/after") == 0)
        http_log(read_body(request, NULL) ? "the body is whole\n" : "the body broke off\n");
}
