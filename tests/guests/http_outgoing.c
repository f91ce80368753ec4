/*
 * Makes the request that its own request's headers describe, with the same body, and answers with what comes back, both
 * bodies as they come: x-to is "SCHEME AUTHORITY TARGET" ("-" for none of them), x-method, x-add the name of a header
 * to be added, x-connect, x-first and x-between time limits in milliseconds. /chain/N requests /chain/N-1 of x-to's
 * authority, and so on until 0. Answers 502 "error N" when there is no response, N being wasi:http's error code, and
 * 409 "refused" when the header is. /drop makes the request and gives it up at once; /late goes on with its body when
 * the response or an error is there, and answers "open", or "closed" where it can not.
 */
#include "http_guest.h"

#include <stdio.h>

typedef struct exchange {
    wasi_http_types_own_incoming_body_t in_body;
    wasi_io_streams_own_input_stream_t in; /* the own request's body */
    wasi_http_types_own_outgoing_body_t out_body;
    wasi_io_streams_own_output_stream_t out; /* the other request's */
    bool sending;
    wasi_http_types_own_future_incoming_response_t future;
    wasi_io_streams_own_input_stream_t back; /* the response's body */
    wasi_http_types_own_incoming_body_t back_body;
    bool receiving;
    bool done;
} exchange_t;

static void answer(http_outparam_t out, uint16_t status, const char *text)
{
    http_reply_t reply = http_begin(out, status, wasi_http_types_constructor_fields());
    http_require(http_write_text(reply, text));
    http_require(http_end(reply));
}

static void answer_error(http_outparam_t out, unsigned tag)
{
    char text[32];
    snprintf(text, sizeof text, "error %u\n", tag);
    answer(out, 502, text);
}

static uint64_t number_in(http_request_t request, const char *name)
{
    char value[24];
    http_header(request, name, value, sizeof value);
    return strtoull(value, NULL, 10);
}

/* Copy what can be copied now from one stream to another; true when something was. `*ended` at the end of the first. */
static bool copy(wasi_io_streams_own_input_stream_t from, wasi_io_streams_own_output_stream_t to, bool *ended)
{
    wasi_io_streams_stream_error_t error;
    uint64_t space;
    if (!wasi_io_streams_method_output_stream_check_write(wasi_io_streams_borrow_output_stream(to), &space, &error)) {
        *ended = true; /* nobody reads it any more */
        return true;
    }
    if (space == 0)
        return false;
    bindings_list_u8_t piece;
    if (!wasi_io_streams_method_input_stream_read(
            wasi_io_streams_borrow_input_stream(from), space < 65536 ? space : 65536, &piece, &error)) {
        http_require(error.tag == WASI_IO_STREAMS_STREAM_ERROR_CLOSED);
        *ended = true;
        return true;
    }
    bool any = piece.len > 0;
    if (any)
        *ended = !wasi_io_streams_method_output_stream_write(wasi_io_streams_borrow_output_stream(to), &piece, &error);
    bindings_list_u8_free(&piece);
    return any;
}

static void set_target(http_request_t request, wasi_http_types_borrow_outgoing_request_t outgoing)
{
    char to[300];
    char path[64];
    http_header(request, "x-to", to, sizeof to);
    http_path_info(request, path, sizeof path);
    char *scheme = strtok(to, " ");
    char *authority = strtok(NULL, " ");
    char *target = strtok(NULL, " ");
    http_require(scheme != NULL && authority != NULL && target != NULL);
    char nested[64];
    if (strncmp(path, "/chain/", 7) == 0) {
        snprintf(nested, sizeof nested, "/chain/%lu", strtoul(path + 7, NULL, 10) - 1);
        target = nested;
    }
    wasi_http_types_scheme_t kind = {
        .tag = strcmp(scheme, "https") == 0 ? WASI_HTTP_TYPES_SCHEME_HTTPS : WASI_HTTP_TYPES_SCHEME_HTTP};
    bindings_string_t text = http_string(authority);
    if (strcmp(scheme, "-") != 0)
        http_require(wasi_http_types_method_outgoing_request_set_scheme(outgoing, &kind));
    if (strcmp(authority, "-") != 0)
        http_require(wasi_http_types_method_outgoing_request_set_authority(outgoing, &text));
    text = http_string(target);
    if (strcmp(target, "-") != 0)
        http_require(wasi_http_types_method_outgoing_request_set_path_with_query(outgoing, &text));
}

/* Begin the request. False when it was answered instead. */
static bool begin(http_request_t request, http_outparam_t out, bool has_body, exchange_t *exchange)
{
    char value[300];
    wasi_http_types_own_headers_t headers = wasi_http_types_constructor_fields();
    http_header(request, "x-add", value, sizeof value);
    if (value[0] != '\0' && !http_append(headers, value, "1", 1)) {
        answer(out, 409, "refused\n");
        return false;
    }
    http_header(request, "x-to", value, sizeof value);
    http_require(http_append(headers, "x-to", value, strlen(value)));
    wasi_http_types_own_outgoing_request_t own = wasi_http_types_constructor_outgoing_request(headers);
    wasi_http_types_borrow_outgoing_request_t outgoing = wasi_http_types_borrow_outgoing_request(own);
    set_target(request, outgoing);
    http_header(request, "x-method", value, sizeof value);
    if (value[0] != '\0') {
        wasi_http_types_method_t method = {.tag = WASI_HTTP_TYPES_METHOD_OTHER, .val = {.other = http_string(value)}};
        http_require(wasi_http_types_method_outgoing_request_set_method(outgoing, &method));
    }
    http_header(request, "content-length", value, sizeof value);
    has_body = has_body || (value[0] != '\0' && strcmp(value, "0") != 0);
    http_header(request, "transfer-encoding", value, sizeof value);
    http_require(wasi_http_types_method_incoming_request_consume(
        wasi_http_types_borrow_incoming_request(request), &exchange->in_body));
    http_require(wasi_http_types_method_incoming_body_stream(
        wasi_http_types_borrow_incoming_body(exchange->in_body), &exchange->in));
    if (has_body) {
        http_require(wasi_http_types_method_outgoing_request_body(outgoing, &exchange->out_body));
        http_require(wasi_http_types_method_outgoing_body_write(
            wasi_http_types_borrow_outgoing_body(exchange->out_body), &exchange->out));
    }
    exchange->sending = has_body;
    wasi_http_types_own_request_options_t options = wasi_http_types_constructor_request_options();
    wasi_http_types_borrow_request_options_t borrowed = wasi_http_types_borrow_request_options(options);
    uint64_t connect = number_in(request, "x-connect") * 1000000;
    uint64_t first = number_in(request, "x-first") * 1000000;
    uint64_t between = number_in(request, "x-between") * 1000000;
    if (connect > 0)
        http_require(wasi_http_types_method_request_options_set_connect_timeout(borrowed, &connect));
    if (first > 0)
        http_require(wasi_http_types_method_request_options_set_first_byte_timeout(borrowed, &first));
    if (between > 0)
        http_require(wasi_http_types_method_request_options_set_between_bytes_timeout(borrowed, &between));
    wasi_http_types_error_code_t error;
    if (!wasi_http_outgoing_handler_handle(own, &options, &exchange->future, &error)) {
        answer_error(out, error.tag);
        return false;
    }
    return true;
}

static void wait(wasi_io_poll_own_pollable_t *pollables, size_t count)
{
    wasi_io_poll_borrow_pollable_t borrowed[4];
    for (size_t i = 0; i < count; i++)
        borrowed[i] = wasi_io_poll_borrow_pollable(pollables[i]);
    wasi_io_poll_list_borrow_pollable_t list = {borrowed, count};
    bindings_list_u32_t ready;
    wasi_io_poll_poll(&list, &ready);
    bindings_list_u32_free(&ready);
    for (size_t i = 0; i < count; i++)
        wasi_io_poll_pollable_drop_own(pollables[i]);
}

/* Until something of what it waits for is there: one side of each copy at a time. */
static void wait_for_more(exchange_t *exchange, const http_reply_t *reply)
{
    wasi_io_poll_own_pollable_t pollables[4];
    size_t count = 0;
    wasi_io_streams_stream_error_t error;
    uint64_t space;
    if (exchange->sending) {
        wasi_io_streams_borrow_output_stream_t out = wasi_io_streams_borrow_output_stream(exchange->out);
        if (wasi_io_streams_method_output_stream_check_write(out, &space, &error) && space == 0)
            pollables[count++] = wasi_io_streams_method_output_stream_subscribe(out);
        else
            pollables[count++] =
                wasi_io_streams_method_input_stream_subscribe(wasi_io_streams_borrow_input_stream(exchange->in));
    }
    if (!exchange->receiving) {
        pollables[count++] = wasi_http_types_method_future_incoming_response_subscribe(
            wasi_http_types_borrow_future_incoming_response(exchange->future));
    } else {
        wasi_io_streams_borrow_output_stream_t out = wasi_io_streams_borrow_output_stream(reply->stream);
        if (wasi_io_streams_method_output_stream_check_write(out, &space, &error) && space == 0)
            pollables[count++] = wasi_io_streams_method_output_stream_subscribe(out);
        else
            pollables[count++] =
                wasi_io_streams_method_input_stream_subscribe(wasi_io_streams_borrow_input_stream(exchange->back));
    }
    wait(pollables, count);
}

/* Take the response when it is there. False when it is an error, which has been answered. */
static bool receive(exchange_t *exchange, http_outparam_t out, http_reply_t *reply, bool *progress)
{
    wasi_http_types_result_result_own_incoming_response_error_code_void_t result;
    if (!wasi_http_types_method_future_incoming_response_get(
            wasi_http_types_borrow_future_incoming_response(exchange->future), &result))
        return true;
    http_require(!result.is_err);
    if (result.val.ok.is_err) {
        answer_error(out, result.val.ok.val.err.tag);
        return false;
    }
    wasi_http_types_borrow_incoming_response_t response =
        wasi_http_types_borrow_incoming_response(result.val.ok.val.ok);
    http_require(wasi_http_types_method_incoming_response_consume(response, &exchange->back_body));
    http_require(wasi_http_types_method_incoming_body_stream(
        wasi_http_types_borrow_incoming_body(exchange->back_body), &exchange->back));
    wasi_http_types_own_headers_t headers = wasi_http_types_method_incoming_response_headers(response);
    wasi_http_types_own_headers_t copied = wasi_http_types_method_fields_clone(wasi_http_types_borrow_fields(headers));
    *reply = http_begin(out, wasi_http_types_method_incoming_response_status(response), copied);
    exchange->receiving = true;
    *progress = true;
    return true;
}

/* Both ways until the response is complete. */
static void run(exchange_t *exchange, http_outparam_t out)
{
    http_reply_t reply = {0};
    for (;;) {
        bool progress = false;
        bool ended = false;
        if (exchange->sending) {
            progress = copy(exchange->in, exchange->out, &ended);
            if (ended) {
                wasi_http_types_error_code_t error;
                wasi_io_streams_output_stream_drop_own(exchange->out);
                (void)wasi_http_types_static_outgoing_body_finish(exchange->out_body, NULL, &error);
                exchange->sending = false;
            }
        }
        if (!exchange->receiving && !receive(exchange, out, &reply, &progress))
            return;
        ended = false;
        if (exchange->receiving) {
            progress = copy(exchange->back, reply.stream, &ended) || progress;
            if (ended)
                break;
        }
        if (!progress)
            wait_for_more(exchange, &reply);
    }
    http_require(http_end(reply));
}

static void go_on_late(exchange_t *exchange, http_outparam_t out)
{
    wasi_io_poll_own_pollable_t pollable = wasi_http_types_method_future_incoming_response_subscribe(
        wasi_http_types_borrow_future_incoming_response(exchange->future));
    wait(&pollable, 1);
    wasi_io_streams_borrow_output_stream_t stream = wasi_io_streams_borrow_output_stream(exchange->out);
    bindings_list_u8_t piece = {(uint8_t *)"late", 4};
    wasi_io_streams_stream_error_t error;
    bool open = wasi_io_streams_method_output_stream_blocking_write_and_flush(stream, &piece, &error) &&
                wasi_io_streams_method_output_stream_blocking_flush(stream, &error);
    wasi_io_streams_output_stream_drop_own(exchange->out);
    answer(out, 200, open ? "open\n" : "closed\n");
}

void exports_wasi_http_incoming_handler_handle(http_request_t request, http_outparam_t out)
{
    char path[64];
    http_path_info(request, path, sizeof path);
    if (strcmp(path, "/chain/0") == 0) {
        answer(out, 200, "bottom\n");
        return;
    }
    exchange_t exchange = {0};
    bool late = strcmp(path, "/late") == 0;
    if (!begin(request, out, late, &exchange))
        return;
    if (late) {
        go_on_late(&exchange, out);
        return;
    }
    if (strcmp(path, "/drop") == 0) {
        wasi_http_types_future_incoming_response_drop_own(exchange.future);
        answer(out, 200, "dropped\n");
        return;
    }
    run(&exchange, out);
}
