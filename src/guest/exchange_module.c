/*
 * exchange_module.c: an exchange with a WAGI program, a module or a component: a CGI request in, a CGI document out.
 *
 * Spin waits for the guest's end and then looks at its exit status and its whole output. weir lets long and slow
 * responses flow, so it holds the head back only for as long as that does not delay a body much: until the guest has
 * ended, or waits with bytes of the body written, or computes on for many time slices after it wrote some.
 */
#include "guest/exchange_internal.h"
#include "guest/guest_internal.h"
#include "guest/handover.h"
#include "guest/header_filter.h"
#include "guest/message.h"
#include "observe/log.h"

#include <stdlib.h>
#include <string.h>

static const char default_argv[] = "${SCRIPT_NAME} ${ARGS}"; /* crates/http/src/config.rs */

enum {
    SLICES_HELD = 100, /* for so many time slices a guest that computes is waited for with some of its body written */
};

/* ---- The waker ---- */

/*
 * A call's waker goes through the exchange, so that a guest whose time slice is over (it is woken at once) can be told
 * from one that waits. The waker may live longer than the exchange: the block that both use goes with the later of
 * them.
 */

static void let_go(weir_exchange_t *exchange)
{
    if (atomic_fetch_sub_explicit(&exchange->module->references, 1, memory_order_acq_rel) == 1)
        free(exchange);
}

static void wake(void *context)
{
    weir_exchange_t *exchange = weir_take_from_bridge(context);
    atomic_store_explicit(&exchange->module->woken, true, memory_order_relaxed);
    exchange->waker.wake(exchange->waker.context);
    weir_give_to_bridge(exchange);
}

static void release(void *context)
{
    weir_exchange_t *exchange = weir_take_from_bridge(context);
    if (exchange->waker.release != NULL)
        exchange->waker.release(exchange->waker.context);
    let_go(exchange);
}

/* ---- The request ---- */

static bool new_call(weir_exchange_t *exchange, const weir_cgi_request_t *request, bool has_body)
{
    const char *parent = exchange->module->traceparent;
    const weir_pair_t added = {weir_bytes_of("traceparent"), weir_bytes_of(parent)};
    weir_call_request_t call = {.size = sizeof call,
        .has_body = has_body,
        .arguments = request->arguments,
        .argument_count = request->argument_count,
        .environment = request->environment,
        .environment_count = request->environment_count,
        .caller = exchange->caller,
        .added_headers = &added,
        .added_header_count = parent[0] == '\0' ? 0 : 1};
    weir_waker_t waker = {.wake = wake, .release = release, .context = exchange};
    atomic_fetch_add_explicit(&exchange->module->references, 1, memory_order_relaxed);
    exchange->waker_is_passed_on = true;
    weir_give_to_bridge(exchange);
    wasmtime_error_t *error = weir_call_new(exchange->guest->service, &call, waker, &exchange->call);
    if (error != NULL) {
        weir_exchange_log(exchange, WEIR_LOG_WARNING, "request refused: %s", weir_show_error(error).text);
        return false;
    }
    exchange->phase = WEIR_PHASE_RUNNING;
    return true;
}

/* Make the call with the body that is there as a whole, and feed it. */
static bool start_collected(weir_exchange_t *exchange)
{
    weir_module_part_t *module = exchange->module;
    weir_cgi_request_set_content_length(&module->request, module->body.size);
    bool has_body = module->body.size > 0;
    bool made = new_call(exchange, &module->request, has_body);
    weir_cgi_request_free(&module->request);
    if (!made)
        return false;
    module->collected = true;
    if (has_body) {
        module->feeding = true;
        weir_module_feed(exchange);
    }
    return true;
}

bool weir_module_start(weir_exchange_t *exchange, const weir_request_t *request, const weir_route_match_t *match)
{
    weir_module_part_t *module = exchange->module;
    weir_cgi_response_init(&module->response);
    atomic_init(&module->references, 1);
    atomic_init(&module->woken, false);
    if (request->trace != NULL && weir_trace_is_set(request->trace))
        weir_traceparent_write(request->trace, module->traceparent);
    if (request->collected != NULL) {
        module->body = *request->collected;
        *request->collected = (weir_request_body_t){0};
    }
    const char *argv_template = match->route->trigger->wagi_argv;
    uint64_t length = request->has_body && request->content_length > 0 ? (uint64_t)request->content_length : 0;
    const char *failure = weir_cgi_request_prepare(
        request, match, argv_template != NULL ? argv_template : default_argv, length, &module->request);
    if (failure != NULL) {
        weir_exchange_log(exchange, WEIR_LOG_WARNING, "request refused: %s", failure);
        return false;
    }
    if (request->collected != NULL)
        return start_collected(exchange);
    if (request->has_body && request->content_length < 0) {
        exchange->phase = WEIR_PHASE_COLLECTING;
        return true;
    }
    bool made = new_call(exchange, &module->request, request->has_body);
    weir_cgi_request_free(&module->request);
    return made;
}

void weir_module_collect(weir_exchange_t *exchange, weir_bytes_t bytes)
{
    weir_request_body_result_t result = weir_request_body_append(&exchange->module->body, bytes);
    if (result == WEIR_REQUEST_BODY_TAKEN)
        return;
    if (result == WEIR_REQUEST_BODY_TOO_LARGE) {
        weir_exchange_log(exchange, WEIR_LOG_WARNING,
            "request refused: a body in chunks may have 16 MiB, because CGI wants its length first; send a "
            "Content-Length");
        weir_exchange_fail(exchange, 413);
    } else {
        weir_exchange_log(
            exchange, WEIR_LOG_WARNING, "request refused: bodies in chunks already hold 64 MiB of memory");
        weir_exchange_fail(exchange, 503);
    }
    weir_request_body_free(&exchange->module->body);
    exchange->waker.wake(exchange->waker.context);
}

void weir_module_collected(weir_exchange_t *exchange, bool aborted)
{
    /* First, because a call that cannot be made releases the waker. Nobody polls from within it. */
    exchange->waker.wake(exchange->waker.context);
    if (aborted) {
        weir_exchange_log(exchange, WEIR_LOG_DEBUG, "the client went away before its request was complete");
        weir_exchange_fail(exchange, 400);
        return;
    }
    if (!start_collected(exchange))
        weir_exchange_fail(exchange, 500);
}

void weir_module_feed(weir_exchange_t *exchange)
{
    weir_module_part_t *module = exchange->module;
    if (!module->feeding)
        return;
    for (;;) {
        weir_bytes_t rest = weir_request_body_rest(&module->body);
        if (rest.size == 0)
            break;
        size_t taken = weir_call_feed(exchange->call, rest);
        if (taken == 0)
            return;
        module->body.fed += taken;
    }
    weir_call_feed_end(exchange->call, false);
    module->feeding = false;
    if (module->started)
        weir_request_body_free(&module->body);
}

/* ---- The response ---- */

/* What is wrong with the guest's head; its own text for 500 is Spin's. */
static void judge_head(weir_exchange_t *exchange)
{
    weir_cgi_response_t *response = &exchange->module->response;
    switch (weir_cgi_response_understand(response)) {
    case WEIR_CGI_GOOD:
        break;
    case WEIR_CGI_INSUFFICIENT:
        weir_exchange_log(
            exchange, WEIR_LOG_ERROR, "its output has neither Content-Type nor Status nor Location in its head");
        exchange->module->insufficient = true;
        break;
    case WEIR_CGI_NOT_UTF8:
        weir_exchange_log(exchange, WEIR_LOG_ERROR, "the head of its output is not UTF-8");
        weir_exchange_fail(exchange, 500);
        return;
    case WEIR_CGI_BAD_VALUE:
        weir_exchange_log(
            exchange, WEIR_LOG_ERROR, "a header of its output has a control character in its value, as HTTP forbids");
        weir_exchange_fail(exchange, 500);
        return;
    case WEIR_CGI_BAD_LENGTH:
        weir_exchange_log(exchange, WEIR_LOG_ERROR, "the Content-Length of its output is no number, or there are two");
        weir_exchange_fail(exchange, 502);
        return;
    case WEIR_CGI_TOO_MANY:
        weir_exchange_log(exchange, WEIR_LOG_ERROR, "the head of its output has more than %d headers",
            (int)WEIR_CGI_HEAD_MAX_HEADERS);
        weir_exchange_fail(exchange, 502);
        return;
    case WEIR_CGI_OUT_OF_MEMORY:
        weir_exchange_log(exchange, WEIR_LOG_ERROR, "memory ran out for the headers of its response");
        weir_exchange_fail(exchange, 500);
        return;
    }
    if (response->bad_status)
        weir_exchange_log(exchange, WEIR_LOG_ERROR, "the Status of its output is no status; answering 502");
    if (response->skipped_lines > 0 || response->dropped_headers > 0) {
        weir_exchange_log(exchange, WEIR_LOG_WARNING,
            "left out of the head of its output: %zu %s without \":\", %zu %s with a name that HTTP does not allow",
            response->skipped_lines, response->skipped_lines == 1 ? "line" : "lines", response->dropped_headers,
            response->dropped_headers == 1 ? "header" : "headers");
    }
}

/* Take what there is of the head. */
static void take_head(weir_exchange_t *exchange)
{
    weir_cgi_response_t *response = &exchange->module->response;
    while (!response->complete && exchange->phase == WEIR_PHASE_RUNNING) {
        weir_bytes_t bytes = weir_call_body(exchange->call);
        if (bytes.size == 0)
            return;
        size_t taken;
        weir_cgi_progress_t progress = weir_cgi_response_feed(response, bytes, &taken);
        weir_call_consume(exchange->call, taken);
        if (progress == WEIR_CGI_COMPLETE) {
            judge_head(exchange);
        } else if (progress == WEIR_CGI_TOO_LONG) {
            weir_exchange_log(exchange, WEIR_LOG_ERROR, "the head of its output is longer than 64 KiB");
            weir_exchange_fail(exchange, 502);
        } else if (progress == WEIR_CGI_NO_MEMORY) {
            weir_exchange_log(exchange, WEIR_LOG_ERROR, "memory ran out for the head of its output");
            weir_exchange_fail(exchange, 500);
        }
    }
}

static void answer_insufficient(weir_exchange_t *exchange)
{
    static const char text[] = WEIR_CGI_INSUFFICIENT_TEXT;
    exchange->status = 500;
    exchange->header_count = 0;
    exchange->held = text;
    exchange->held_size = sizeof text - 1;
    exchange->body_is_held = true;
    exchange->content_length = (int64_t)exchange->held_size;
    weir_exchange_begin_body(exchange);
}

static void answer(weir_exchange_t *exchange)
{
    weir_cgi_response_t *response = &exchange->module->response;
    if (response->seen == 0) {
        weir_exchange_log(exchange, WEIR_LOG_ERROR,
            "ended without writing to its standard output, where a guest of the executor \"wagi\" answers; check the "
            "`executor` in the manifest");
        weir_exchange_fail(exchange, 500);
        return;
    }
    if (!response->complete) {
        weir_exchange_log(exchange, WEIR_LOG_ERROR, "its output has no head that ends with an empty line");
        answer_insufficient(exchange);
        return;
    }
    if (exchange->module->insufficient) {
        answer_insufficient(exchange);
        return;
    }
    exchange->status = response->status;
    exchange->headers = response->headers;
    exchange->header_count = response->header_count;
    exchange->content_length = response->content_length;
    weir_exchange_begin_body(exchange);
}

void weir_module_run(weir_exchange_t *exchange)
{
    weir_module_part_t *module = exchange->module;
    weir_module_feed(exchange);
    atomic_store_explicit(&module->woken, false, memory_order_relaxed);
    weir_call_state_t state = weir_call_poll(exchange->call);
    bool waits = !atomic_load_explicit(&module->woken, memory_order_relaxed);
    exchange->call_over = state != WEIR_CALL_PENDING;
    if (state == WEIR_CALL_FAILED) {
        weir_exchange_take_failure(exchange);
        return;
    }
    if (state == WEIR_CALL_ENDED && weir_call_failure(exchange->call, NULL) != WEIR_FAILURE_NONE)
        weir_exchange_log_call_failure(exchange, WEIR_LOG_ERROR, "");
    module->started = true;
    if (module->collected && !module->feeding)
        weir_request_body_free(&module->body);
    take_head(exchange);
    if (exchange->phase == WEIR_PHASE_FAILED)
        return;
    if (module->insufficient)
        weir_exchange_drain(exchange);
    if (state == WEIR_CALL_PENDING) {
        bool has_body = module->response.complete && !module->insufficient && weir_call_body(exchange->call).size > 0;
        if (!has_body)
            return;
        if (!waits && module->slices_held < SLICES_HELD) {
            module->slices_held++;
            return;
        }
    }
    answer(exchange);
}

void weir_module_free(weir_exchange_t *take_exchange)
{
    weir_module_part_t *module = take_exchange->module;
    weir_cgi_response_free(&module->response);
    weir_request_body_free(&module->body);
    weir_cgi_request_free(&module->request);
    let_go(take_exchange);
}
