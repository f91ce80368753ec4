/*
 * exchange.c: one request on a guest of either kind: the public functions, and the delivery of the response's body.
 */
#include "guest/exchange_internal.h"
#include "guest/guest_internal.h"
#include "guest/header_filter.h"
#include "observe/escape.h"
#include "observe/log.h"
#include "observe/trace.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- What both kinds share ---- */

void weir_exchange_log(const weir_exchange_t *exchange, weir_log_level_t level, const char *format, ...)
{
    if (exchange->guest->output == WEIR_GUEST_OUTPUT_DISCARDED)
        return;
    char text[2560]; /* a failure's message has at most 2,000 bytes */
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    weir_guest_log(exchange->guest, level, "%s (%s)", text, exchange->shown);
}

const char *weir_exchange_guest_id(const weir_exchange_t *exchange)
{
    return weir_guest_id(exchange->guest);
}

/* Method, path and trace for the log, which escapes them; the query is nobody's business there. */
static void show_request(const weir_request_t *request, char *ret_shown, size_t size)
{
    bool method_is_cut = request->method.size > WEIR_SHOWN_METHOD_MAX;
    bool path_is_cut = request->path.size > WEIR_SHOWN_PATH_MAX;
    snprintf(ret_shown, size, "%.*s%s %.*s%s", method_is_cut ? (int)WEIR_SHOWN_METHOD_MAX : (int)request->method.size,
        request->method.data, method_is_cut ? "..." : "",
        path_is_cut ? (int)WEIR_SHOWN_PATH_MAX : (int)request->path.size, request->path.data, path_is_cut ? "..." : "");
    size_t length = strlen(ret_shown);
    if (request->trace != NULL && weir_trace_is_set(request->trace) && size - length > WEIR_SHOWN_TRACE_BYTES) {
        memcpy(ret_shown + length, ", trace ", 8);
        weir_trace_write_id(request->trace->trace_id, sizeof request->trace->trace_id, ret_shown + length + 8);
    }
}

void weir_exchange_log_call_failure(const weir_exchange_t *exchange, weir_log_level_t level, const char *when)
{
    const char *message = "";
    const char *what = "failed";
    switch (weir_call_failure(exchange->call, &message)) {
    case WEIR_FAILURE_INSTANTIATE:
        what = "could not be instantiated";
        break;
    case WEIR_FAILURE_REFUSED:
        what = "no instance could be had";
        break;
    case WEIR_FAILURE_TRAP:
        what = "trapped";
        break;
    case WEIR_FAILURE_EXIT:
        what = "exited";
        break;
    case WEIR_FAILURE_NO_RESPONSE:
        what = "gave no response";
        break;
    case WEIR_FAILURE_PANIC:
        what = "ended by a bug in weir";
        break;
    case WEIR_FAILURE_RUN: /* Spin logs it, and goes on with the output: crates/trigger-http/src/wagi.rs */
        what = "returned unsuccessfully";
        break;
    case WEIR_FAILURE_NONE:
        break;
    }
    weir_exchange_log(exchange, level, "%s%s: %s", when, what, message);
}

void weir_exchange_fail(weir_exchange_t *exchange, uint16_t status)
{
    bool had_head = exchange->phase == WEIR_PHASE_HEAD;
    exchange->phase = WEIR_PHASE_FAILED;
    exchange->failure_status = had_head ? 500 : status;
    if (had_head)
        return;
    exchange->status = status;
    exchange->header_count = 0;
    exchange->content_length = -1;
}

void weir_exchange_take_failure(weir_exchange_t *exchange)
{
    bool refused = weir_call_failure(exchange->call, NULL) == WEIR_FAILURE_REFUSED;
    if (refused && !exchange->fed) {
        exchange->phase = WEIR_PHASE_REFUSED;
        return;
    }
    weir_exchange_log_call_failure(exchange, WEIR_LOG_ERROR, "");
    weir_exchange_fail(exchange, refused ? 503 : 500);
}

size_t weir_exchange_drain(weir_exchange_t *exchange)
{
    size_t drained = 0;
    for (;;) {
        weir_bytes_t bytes = weir_call_body(exchange->call);
        if (bytes.size == 0)
            return drained;
        weir_call_consume(exchange->call, bytes.size);
        drained += bytes.size;
    }
}

/* ---- The beginning of a body ---- */

static bool hold(weir_exchange_t *exchange, weir_bytes_t bytes)
{
    size_t wanted = exchange->held_size + bytes.size;
    if (wanted > WEIR_HELD_MAX_BYTES)
        return false;
    char *room = exchange->own_held != NULL ? exchange->own_held : exchange->inline_held;
    if (wanted > WEIR_HELD_INLINE_BYTES) {
        /* Rarely more than once: what a guest has written at one go comes in few pieces. */
        char *larger = realloc(exchange->own_held, wanted);
        if (larger == NULL)
            return false;
        if (exchange->own_held == NULL)
            memcpy(larger, exchange->inline_held, exchange->held_size);
        exchange->own_held = larger;
        room = larger;
    }
    memcpy(room + exchange->held_size, bytes.data, bytes.size);
    exchange->held = room;
    exchange->held_size = wanted;
    return true;
}

/* Take the body that there is, within bounds: when that is all of it, its length is known. */
static void hold_body(weir_exchange_t *exchange)
{
    for (;;) {
        weir_bytes_t bytes = weir_call_body(exchange->call);
        if (bytes.size == 0)
            break;
        if (!hold(exchange, bytes))
            return;
        weir_call_consume(exchange->call, bytes.size);
    }
    if (weir_call_body_ended(exchange->call)) {
        exchange->body_is_held = true;
        exchange->content_length = (int64_t)exchange->held_size;
    }
}

/* Drop what the client is not to get, so that the guest does not wait for ever to get rid of it. */
static void drop_excess(weir_exchange_t *exchange)
{
    size_t drained = weir_exchange_drain(exchange);
    if (drained > 0 && !exchange->no_body && !exchange->body_is_held && !exchange->excess_logged) {
        exchange->excess_logged = true;
        weir_exchange_log(exchange, WEIR_LOG_WARNING, "wrote more than its Content-Length of %lld; the rest is dropped",
            (long long)exchange->content_length);
    }
}

/* Whether everything has been delivered that the guest has given, and no more will come of it. */
static bool is_drained(const weir_exchange_t *exchange)
{
    return exchange->held_taken == exchange->held_size &&
           (exchange->body_is_held || weir_call_body_ended(exchange->call));
}

/* Hold the guest to its Content-Length. Returns false when it has given less: then the exchange has failed. */
static bool check_length(weir_exchange_t *exchange)
{
    if (exchange->body_left == 0)
        drop_excess(exchange);
    if (exchange->body_left <= 0 || !is_drained(exchange))
        return true;
    weir_exchange_log(exchange, WEIR_LOG_ERROR, "its response is %lld bytes shorter than its Content-Length of %lld",
        (long long)exchange->body_left, (long long)exchange->content_length);
    weir_exchange_fail(exchange, 502);
    /* A guest that has ended wakes nobody any more. */
    exchange->waker.wake(exchange->waker.context);
    return false;
}

void weir_exchange_begin_body(weir_exchange_t *exchange)
{
    uint16_t status = exchange->status;
    if (status < 200) {
        weir_exchange_log(
            exchange, WEIR_LOG_ERROR, "its response's status is %u, which is for the server alone", (unsigned)status);
        weir_exchange_fail(exchange, 500);
        return;
    }
    exchange->no_body = exchange->head_request || status == 204 || status == 304;
    if (exchange->no_body) {
        size_t drained = weir_exchange_drain(exchange);
        bool whole = exchange->call_over && weir_call_body_ended(exchange->call);
        if (exchange->head_request && exchange->content_length < 0 && whole)
            exchange->content_length = (int64_t)drained;
        exchange->phase = WEIR_PHASE_HEAD;
        return;
    }
    if (exchange->content_length < 0)
        hold_body(exchange);
    exchange->body_left = exchange->content_length;
    if (check_length(exchange))
        exchange->phase = WEIR_PHASE_HEAD;
}

/* ---- The rest of a body ---- */

static weir_bytes_t next_bytes(weir_exchange_t *exchange)
{
    weir_bytes_t bytes = {exchange->held + exchange->held_taken, exchange->held_size - exchange->held_taken};
    if (bytes.size == 0 && !exchange->body_is_held)
        bytes = weir_call_body(exchange->call);
    return bytes;
}

/* A guest that has returned well can have dropped its body unfinished, which shows when the rest of it is fetched. */
static bool broke_off_late(const weir_exchange_t *exchange)
{
    return exchange->call_over && !weir_exchange_body_ended(exchange) &&
           weir_call_poll(exchange->call) == WEIR_CALL_FAILED;
}

/* Poll a guest whose head has been taken. */
static void run_on(weir_exchange_t *exchange)
{
    if (!exchange->call_over) {
        if (exchange->module != NULL)
            weir_module_feed(exchange);
        bool was_complete = weir_exchange_body_ended(exchange);
        weir_call_state_t state = weir_call_poll(exchange->call);
        exchange->call_over = state != WEIR_CALL_PENDING;
        bool failed = state == WEIR_CALL_FAILED ||
                      (state == WEIR_CALL_ENDED && weir_call_failure(exchange->call, NULL) != WEIR_FAILURE_NONE);
        bool broken = state == WEIR_CALL_FAILED && !was_complete;
        if (failed)
            weir_exchange_log_call_failure(
                exchange, broken ? WEIR_LOG_ERROR : WEIR_LOG_WARNING, "after its response began: ");
        if (broken) {
            weir_exchange_fail(exchange, 500);
            return;
        }
    }
    if (exchange->no_body)
        drop_excess(exchange);
    else
        check_length(exchange);
}

/* ---- For the server ---- */

bool weir_exchange_start(const weir_guest_t *guest, const weir_request_t *request, const weir_route_match_t *match,
    weir_waker_t waker, weir_exchange_t **ret_exchange)
{
    bool is_module = guest->is_program;
    /* Not zeroed as a whole: most of it is room that is rarely used. */
    weir_exchange_t *exchange = malloc(sizeof *exchange + (is_module ? sizeof(weir_module_part_t) : 0));
    const char *refusal = exchange == NULL ? "memory ran out" : NULL;
    if (request->header_count > WEIR_REQUEST_HEADERS_MAX)
        refusal = "it has too many headers";
    else if (!weir_utf8_is_valid(request->target.data, request->target.size))
        refusal = "its target is not UTF-8";
    else if (request->collected != NULL && !is_module)
        refusal = "its body was collected for a module";
    if (refusal != NULL) {
        weir_guest_log(guest, WEIR_LOG_WARNING, "request refused: %s", refusal);
        if (waker.release != NULL)
            waker.release(waker.context);
        free(exchange);
        return false;
    }
    memset(exchange, 0, offsetof(weir_exchange_t, inline_headers));
    exchange->guest = guest;
    exchange->waker = waker;
    exchange->caller = request->caller;
    show_request(request, exchange->shown, sizeof exchange->shown);
    exchange->content_length = -1;
    exchange->body_left = -1;
    exchange->headers = exchange->inline_headers;
    exchange->held = exchange->inline_held;
    exchange->head_request = request->method.size == 4 && memcmp(request->method.data, "HEAD", 4) == 0;
    if (is_module) {
        exchange->module = (weir_module_part_t *)(void *)(exchange + 1);
        memset((char *)exchange->module + sizeof(weir_cgi_response_t), 0,
            sizeof(weir_module_part_t) - sizeof(weir_cgi_response_t));
    }
    bool started =
        is_module ? weir_module_start(exchange, request, match) : weir_component_start(exchange, request, match);
    if (!started) {
        weir_exchange_free(exchange);
        return false;
    }
    *ret_exchange = exchange;
    return true;
}

weir_exchange_state_t weir_exchange_poll(weir_exchange_t *exchange)
{
    if (exchange->phase == WEIR_PHASE_HEAD) {
        run_on(exchange);
    } else if (exchange->phase == WEIR_PHASE_RUNNING) {
        if (exchange->module != NULL)
            weir_module_run(exchange);
        else
            weir_component_run(exchange);
    }
    switch (exchange->phase) {
    case WEIR_PHASE_HEAD:
        return WEIR_EXCHANGE_HEAD;
    case WEIR_PHASE_FAILED:
        return WEIR_EXCHANGE_FAILED;
    case WEIR_PHASE_REFUSED:
        return WEIR_EXCHANGE_REFUSED;
    case WEIR_PHASE_COLLECTING:
    case WEIR_PHASE_RUNNING:
        break;
    }
    return WEIR_EXCHANGE_PENDING;
}

uint16_t weir_exchange_status(const weir_exchange_t *exchange)
{
    return exchange->status;
}

uint16_t weir_exchange_failure_status(const weir_exchange_t *exchange)
{
    return exchange->failure_status;
}

weir_failure_kind_t weir_exchange_failure(const weir_exchange_t *exchange)
{
    return exchange->call == NULL ? WEIR_FAILURE_NONE : weir_call_failure(exchange->call, NULL);
}

bool weir_exchange_made_instance(const weir_exchange_t *exchange)
{
    return weir_exchange_failure(exchange) != WEIR_FAILURE_INSTANTIATE &&
           (exchange->call == NULL || !weir_call_reuses_instance(exchange->call));
}

bool weir_exchange_trapped(const weir_exchange_t *exchange)
{
    weir_failure_kind_t kind = weir_exchange_failure(exchange);
    return kind == WEIR_FAILURE_TRAP || kind == WEIR_FAILURE_INSTANTIATE || kind == WEIR_FAILURE_PANIC;
}

const char *weir_exchange_refusal(const weir_exchange_t *exchange)
{
    const char *message = "";
    if (exchange->phase == WEIR_PHASE_REFUSED)
        weir_call_failure(exchange->call, &message);
    return message;
}

bool weir_exchange_reclaim(weir_exchange_t *exchange, weir_request_body_t *ret_body)
{
    weir_module_part_t *module = exchange->module;
    if (exchange->phase != WEIR_PHASE_REFUSED || module == NULL || !module->collected)
        return false;
    *ret_body = module->body;
    ret_body->fed = 0;
    module->body = (weir_request_body_t){0};
    return true;
}

size_t weir_exchange_header_count(const weir_exchange_t *exchange)
{
    return exchange->header_count;
}

weir_pair_t weir_exchange_header(const weir_exchange_t *exchange, size_t index)
{
    if (index >= exchange->header_count)
        return (weir_pair_t){{NULL, 0}, {NULL, 0}};
    return exchange->headers[index];
}

int64_t weir_exchange_content_length(const weir_exchange_t *exchange)
{
    return exchange->content_length;
}

weir_bytes_t weir_exchange_body(weir_exchange_t *exchange)
{
    if (exchange->phase != WEIR_PHASE_HEAD || exchange->no_body || exchange->body_left == 0)
        return (weir_bytes_t){NULL, 0};
    weir_bytes_t bytes = next_bytes(exchange);
    if (bytes.size == 0 && broke_off_late(exchange)) {
        weir_exchange_log_call_failure(exchange, WEIR_LOG_ERROR, "after its response began: ");
        weir_exchange_fail(exchange, 500);
    }
    if (exchange->body_left > 0 && bytes.size > (uint64_t)exchange->body_left)
        bytes.size = (size_t)exchange->body_left;
    return bytes;
}

void weir_exchange_consume(weir_exchange_t *exchange, size_t size)
{
    if (size == 0)
        return;
    if (exchange->held_taken < exchange->held_size)
        exchange->held_taken += size;
    else
        weir_call_consume(exchange->call, size);
    if (exchange->body_left > 0) {
        exchange->body_left -= (int64_t)size;
        check_length(exchange);
    }
}

bool weir_exchange_body_ended(const weir_exchange_t *exchange)
{
    if (exchange->phase != WEIR_PHASE_HEAD)
        return false;
    return exchange->no_body || exchange->body_left == 0 || (exchange->body_left < 0 && is_drained(exchange));
}

bool weir_exchange_ended(const weir_exchange_t *exchange)
{
    return exchange->phase == WEIR_PHASE_FAILED || exchange->call_over;
}

size_t weir_exchange_feed(weir_exchange_t *exchange, weir_bytes_t bytes)
{
    if (exchange->phase == WEIR_PHASE_FAILED || exchange->call_over)
        return bytes.size;
    if (exchange->phase == WEIR_PHASE_COLLECTING) {
        weir_module_collect(exchange, bytes);
        return bytes.size;
    }
    size_t taken = weir_call_feed(exchange->call, bytes);
    exchange->fed = exchange->fed || taken > 0;
    return taken;
}

void weir_exchange_feed_end(weir_exchange_t *exchange, bool aborted)
{
    if (exchange->phase == WEIR_PHASE_COLLECTING)
        weir_module_collected(exchange, aborted);
    else if (exchange->call != NULL && !exchange->call_over)
        weir_call_feed_end(exchange->call, aborted);
}

void weir_exchange_feed_trailers(weir_exchange_t *exchange, const weir_pair_t *trailers, size_t count)
{
    weir_pair_t kept[WEIR_REQUEST_HEADERS_MAX];
    size_t kept_count = 0;
    if (exchange->module != NULL || exchange->call == NULL || exchange->call_over)
        return;
    for (size_t i = 0; i < count && kept_count < WEIR_REQUEST_HEADERS_MAX; i++) {
        if (!weir_header_is_of_host(trailers[i].name) && !weir_header_is_of_client_connection(trailers[i].name))
            kept[kept_count++] = trailers[i];
    }
    if (kept_count > 0)
        weir_call_feed_trailers(exchange->call, kept, kept_count);
}

size_t weir_exchange_trailer_count(const weir_exchange_t *exchange)
{
    size_t count = exchange->module != NULL || exchange->call == NULL ? 0 : weir_call_trailer_count(exchange->call);
    if (count <= WEIR_TRAILERS_MAX)
        return count;
    weir_exchange_log(
        exchange, WEIR_LOG_WARNING, "set %zu trailers; those after the first %d are dropped", count, WEIR_TRAILERS_MAX);
    return WEIR_TRAILERS_MAX;
}

weir_pair_t weir_exchange_trailer(const weir_exchange_t *exchange, size_t index)
{
    weir_pair_t trailer = weir_call_trailer(exchange->call, index);
    bool valid = weir_header_name_is_valid(trailer.name) && weir_header_value_is_valid(trailer.value);
    return valid ? trailer : (weir_pair_t){{NULL, 0}, {NULL, 0}};
}

void weir_exchange_stop(weir_exchange_t *exchange, uint16_t status)
{
    weir_exchange_fail(exchange, status);
    exchange->failure_status = status;
}

void weir_exchange_free(weir_exchange_t *own_exchange)
{
    if (own_exchange == NULL)
        return;
    weir_call_free(own_exchange->call);
    if (!own_exchange->waker_is_passed_on && own_exchange->waker.release != NULL)
        own_exchange->waker.release(own_exchange->waker.context);
    free(own_exchange->own_held);
    if (own_exchange->module != NULL) {
        weir_module_free(own_exchange);
        return;
    }
    if (own_exchange->headers != own_exchange->inline_headers)
        free(own_exchange->headers);
    free(own_exchange);
}
