/*
 * exchange_component.c: an exchange with a wasi:http component.
 */
#include "guest/exchange_internal.h"
#include "guest/guest_internal.h"
#include "guest/header_filter.h"
#include "guest/message.h"
#include "guest/spin_headers.h"
#include "observe/log.h"

#include <stdlib.h>

bool weir_component_start(weir_exchange_t *exchange, const weir_request_t *request, const weir_route_match_t *match)
{
    weir_spin_headers_t headers;
    const char *failure = weir_spin_headers_prepare(request, match, &headers);
    if (failure != NULL) {
        weir_exchange_log(exchange, WEIR_LOG_WARNING, "request refused: %s", failure);
        return false;
    }
    weir_call_request_t call = {.size = sizeof call,
        .method = request->method,
        .scheme = weir_bytes_of("http"), /* always, also over TLS: crates/trigger-http/src/wasi.rs */
        .authority = request->host.size > 0 ? request->host : weir_bytes_of("localhost"),
        .path_and_query = request->target,
        .headers = headers.pairs,
        .header_count = headers.count,
        .has_body = request->has_body,
        .caller = request->caller,
        .added_headers = request->added_headers,
        .added_header_count = request->added_header_count};
    exchange->waker_is_passed_on = true;
    wasmtime_error_t *error = weir_call_new(exchange->guest->service, &call, exchange->waker, &exchange->call);
    weir_spin_headers_free(&headers);
    if (error != NULL) {
        weir_exchange_log(exchange, WEIR_LOG_WARNING, "request refused: %s", weir_show_error(error).text);
        return false;
    }
    exchange->phase = WEIR_PHASE_RUNNING;
    return true;
}

/* Take one header over; false when the response cannot be used. */
static bool take_header(weir_exchange_t *exchange, weir_pair_t header, size_t *dropped)
{
    if (weir_header_is(header.name, "content-length")) {
        int64_t length;
        bool good = weir_header_parse_length(header.value, &length) &&
                    (exchange->content_length < 0 || exchange->content_length == length);
        if (good)
            exchange->content_length = length;
        return good;
    }
    if (weir_header_is_of_server_connection(header.name) && !weir_header_is(header.name, "trailer"))
        return true;
    if (!weir_header_name_is_valid(header.name) || !weir_header_value_is_valid(header.value)) {
        (*dropped)++;
        return true;
    }
    exchange->headers[exchange->header_count++] = header;
    return true;
}

static bool take_headers(weir_exchange_t *exchange)
{
    size_t count = weir_call_header_count(exchange->call);
    if (count > WEIR_HEADERS_INLINE) {
        weir_pair_t *headers = calloc(count, sizeof *headers);
        if (headers == NULL) {
            weir_exchange_log(exchange, WEIR_LOG_ERROR, "memory ran out for the headers of its response");
            weir_exchange_fail(exchange, 500);
            return false;
        }
        exchange->headers = headers;
    }
    size_t dropped = 0;
    for (size_t i = 0; i < count; i++) {
        if (!take_header(exchange, weir_call_header(exchange->call, i), &dropped)) {
            weir_exchange_log(
                exchange, WEIR_LOG_ERROR, "the Content-Length of its response is no number, or there are two");
            weir_exchange_fail(exchange, 502);
            return false;
        }
    }
    if (dropped > 0)
        weir_exchange_log(
            exchange, WEIR_LOG_WARNING, "left out %zu response headers that HTTP does not allow", dropped);
    return true;
}

void weir_component_run(weir_exchange_t *exchange)
{
    weir_call_state_t state = weir_call_poll(exchange->call);
    exchange->call_over = state != WEIR_CALL_PENDING;
    if (state == WEIR_CALL_FAILED) {
        /* Its response may have been set, but it is not complete, and nothing of it has been sent. */
        weir_exchange_take_failure(exchange);
        return;
    }
    uint16_t status = weir_call_status(exchange->call);
    if (status == 0) {
        if (state == WEIR_CALL_ENDED) {
            weir_exchange_log(exchange, WEIR_LOG_ERROR, "returned without a response");
            weir_exchange_fail(exchange, 500);
        }
        return;
    }
    if (state == WEIR_CALL_ENDED && weir_call_failure(exchange->call, NULL) != WEIR_FAILURE_NONE)
        weir_exchange_log_call_failure(exchange, WEIR_LOG_WARNING, "after its response: ");
    exchange->status = status;
    if (take_headers(exchange))
        weir_exchange_begin_body(exchange);
}
