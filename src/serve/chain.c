/*
 * chain.c: the way of a request from guest to guest: it waits for an instance ahead of the clients' requests, and then
 * bodies go both ways as fast as they are read: what one side does not take the other does not write.
 */
#include "serve/chain.h"

#include "guest/header_filter.h"
#include "observe/log.h"
#include "serve/chain_internal.h"
#include "serve/shared.h"
#include "serve/tracing.h"

#include <stdio.h>
#include <stdlib.h>

void weir_chain_end_all(weir_task_t *caller)
{
    weir_link_t *link;
    while ((link = weir_list_first(&caller->chains)) != NULL) {
        weir_chain_end(WEIR_CONTAINER(link, weir_chain_t, link));
    }
}

/* ---- Its task ---------------------------------------------------------------------------------------------------- */

static int64_t length_of(const weir_outgoing_head_t *head)
{
    int64_t length = -1;
    for (size_t i = 0; i < head->header_count; i++) {
        if (weir_header_is(head->headers[i].name, "content-length")) {
            (void)weir_header_parse_length(head->headers[i].value, &length);
        }
    }
    return head->has_body ? length : 0;
}

/* The authority by which a guest sees its own application: the address that it listens on. */
static weir_bytes_t own_authority(const weir_chain_t *chain, char *text, size_t size)
{
    int length = snprintf(text, size, "127.0.0.1:%u", (unsigned)chain->loop->server->port);
    return (weir_bytes_t){text, (size_t)length};
}

static weir_task_t *start_task(weir_chain_t *chain, const weir_permit_t *take_permit)
{
    weir_outgoing_head_t head = weir_outgoing_head(chain->outgoing);
    char own[32];
    bool is_self = chain->match.route != &chain->route;
    weir_bytes_t host = is_self ? own_authority(chain, own, sizeof(own)) : head.authority;
    weir_pair_t *headers = malloc((head.header_count + 1) * sizeof(*headers));
    if (headers == NULL) {
        weir_admission_leave(chain->loop, take_permit);
        return NULL;
    }
    for (size_t i = 0; i < head.header_count; i++) {
        headers[i] = head.headers[i];
        if (weir_header_is(headers[i].name, "host")) {
            headers[i].value = host;
        }
    }
    weir_bytes_t path = weir_chain_path(head.path_and_query);
    size_t past = path.size < head.path_and_query.size ? path.size + 1 : path.size;
    weir_trace_context_t trace;
    weir_tracing_t tracing;
    weir_tracing_begin(headers, head.header_count, NULL, &trace);
    weir_tracing_carry(&trace, headers, head.header_count, &tracing);
    weir_request_t request = {
        .method = head.method,
        .target = head.path_and_query,
        .path = path,
        .query = {head.path_and_query.data + past, head.path_and_query.size - past},
        .host = host,
        .version = weir_bytes_of("HTTP/1.1"),
        .headers = headers,
        .header_count = head.header_count,
        .has_body = head.has_body,
        .content_length = length_of(&head),
        .secure = false,
        .client_address = "0.0.0.0:0", /* CHAINED_CLIENT_ADDR */
        .client_ip = "0.0.0.0",
        .server_port = chain->loop->server->port,
        .collected = chain->has_collected ? &chain->collected : NULL,
        .trace = &trace,
        .added_headers = tracing.headers,
        .added_header_count = tracing.count,
    };
    const weir_guest_t *guest = chain->stake->generation->parts.guests[chain->component].guest;
    weir_task_t *task = weir_task_start(chain->loop, NULL, chain, take_permit, guest, &request, &chain->match);
    free(headers);
    return task;
}

/* Its task's instance was refused: let it wait for another. Returns whether that was so. */
static bool take_refusal(weir_chain_t *chain)
{
    weir_task_t *task = chain->task;
    if (task == NULL || task->state != WEIR_EXCHANGE_REFUSED) {
        return false;
    }
    const weir_server_settings_t *settings = &chain->loop->server->settings;
    if (settings->refused != NULL) {
        settings->refused(settings->context, weir_guest_id(task->guest), weir_exchange_refusal(task->exchange));
    }
    weir_count(&task->metrics->counters[WEIR_COMPONENT_INSTANCES_REFUSED], 1);
    if (weir_exchange_reclaim(task->exchange, &chain->collected)) {
        chain->has_collected = true;
    }
    chain->task = NULL;
    task->chain = NULL;
    weir_task_end(task);
    weir_admission_chain_wait(chain, true);
    return true;
}

void weir_chain_admitted(weir_chain_t *chain, const weir_permit_t *take_permit)
{
    weir_task_t *task = start_task(chain, take_permit);
    if (task == NULL) {
        weir_chain_answer(chain, 500, NULL, 0, (weir_bytes_t){"", 0});
        return;
    }
    chain->task = task;
    weir_chain_make_ready(chain);
}

void weir_chain_refuse(weir_chain_t *chain)
{
    weir_exchange_log(chain->caller->exchange, WEIR_LOG_WARNING,
        "a request to its own application was refused: every instance is in use by one that waits for another; allow "
        "more instances");
    weir_chain_fail(chain, WEIR_OUTGOING_NO_ROOM);
}

void weir_chain_overdue(weir_chain_t *chain)
{
    weir_exchange_log(chain->caller->exchange, WEIR_LOG_WARNING,
        "no response from its own application within the time limit of --request-timeout");
    weir_chain_fail(chain, WEIR_OUTGOING_TOO_LATE);
}

/* ---- Its bodies -------------------------------------------------------------------------------------------------- */

static void feed(weir_chain_t *chain)
{
    weir_task_t *task = chain->task;
    if (chain->fed || task->polls == 0 || chain->has_collected) {
        return; /* its instance may yet be refused, and what it was fed would be lost */
    }
    for (;;) {
        weir_bytes_t bytes;
        weir_outgoing_body_state_t state = weir_outgoing_body(chain->outgoing, &bytes);
        if (state == WEIR_OUTGOING_LATER) {
            return;
        }
        if (state != WEIR_OUTGOING_BYTES) {
            chain->fed = true;
            weir_exchange_feed_end(task->exchange, state == WEIR_OUTGOING_BROKEN);
            return;
        }
        size_t taken = weir_exchange_feed(task->exchange, bytes);
        if (taken == 0) {
            return;
        }
        weir_outgoing_consume(chain->outgoing, taken);
    }
}

static bool respond(weir_chain_t *chain)
{
    const weir_exchange_t *exchange = chain->task->exchange;
    size_t count = weir_exchange_header_count(exchange);
    weir_pair_t *headers = malloc((count + 1) * sizeof(*headers));
    if (headers == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        headers[i] = weir_exchange_header(exchange, i);
    }
    char length[24];
    int64_t known = weir_exchange_content_length(exchange);
    if (known >= 0) {
        int size = snprintf(length, sizeof(length), "%lld", (long long)known);
        headers[count++] = (weir_pair_t){weir_bytes_of("content-length"), {length, (size_t)size}};
    }
    bool responded = weir_outgoing_respond(chain->outgoing, weir_exchange_status(exchange), headers, count);
    free(headers);
    weir_deadline_lift(&chain->deadline);
    chain->answered = true;
    return responded;
}

/* Pass on what there is of the response's body. Returns false when the chain has ended. */
static bool drain(weir_chain_t *chain)
{
    for (;;) {
        weir_bytes_t bytes;
        switch (weir_task_body(chain->task, &bytes)) {
        case WEIR_BODY_BYTES: {
            size_t written = weir_outgoing_write(chain->outgoing, bytes);
            if (written == 0) {
                return true; /* the caller reads no more for now */
            }
            weir_exchange_consume(chain->task->exchange, written);
            break;
        }
        case WEIR_BODY_LATER:
            return true;
        case WEIR_BODY_ENDED: {
            weir_task_t *task = chain->task;
            weir_outgoing_write_end(chain->outgoing);
            if (!chain->fed && !chain->has_collected) {
                /* Nobody feeds it any more; a guest that still reads must not wait for what is dropped. */
                weir_exchange_feed_end(task->exchange, true);
            }
            chain->task = NULL;
            task->chain = NULL;
            weir_chain_end(chain);
            weir_task_detach(task);
            return false;
        }
        case WEIR_BODY_BROKEN:
            weir_chain_end(chain);
            return false;
        }
    }
}

static void go_on(weir_chain_t *chain)
{
    if (weir_outgoing_is_abandoned(chain->outgoing)) {
        weir_chain_end(chain);
        return;
    }
    if (chain->is_direct) {
        weir_chain_go_on_directly(chain);
        return;
    }
    if (take_refusal(chain) || chain->task == NULL) {
        return;
    }
    if (chain->task->state != WEIR_EXCHANGE_FAILED) {
        feed(chain);
    }
    if (chain->task->state == WEIR_EXCHANGE_FAILED && !chain->answered) {
        uint16_t status = weir_exchange_failure_status(chain->task->exchange);
        weir_chain_answer(chain, status, NULL, 0, (weir_bytes_t){"", 0});
        return;
    }
    if (chain->task->state == WEIR_EXCHANGE_PENDING) {
        return;
    }
    if (!chain->answered && !respond(chain)) {
        weir_chain_end(chain);
        return;
    }
    if (drain(chain) && !chain->fed) {
        feed(chain); /* the guest was polled, perhaps, and has read */
    }
}

void weir_chain_progress(weir_chain_t *chain)
{
    go_on(chain);
}

static void begin(weir_chain_t *chain)
{
    weir_loop_t *loop = chain->loop;
    chain->begun = true;
    if (!weir_chain_match(chain)) {
        return;
    }
    weir_component_metrics_t *metrics = &chain->stake->generation->counted[chain->component]->loops[loop->index];
    weir_count(&metrics->counters[WEIR_COMPONENT_CHAINED], 1);
    weir_deadline_lists_set(
        &loop->chain_heads, &chain->deadline, weir_admission_time(loop, chain->stake, chain->component), loop->now);
    weir_permit_t permit;
    if (weir_admission_chain_take(chain, &permit)) {
        weir_chain_admitted(chain, &permit);
    } else {
        weir_admission_chain_wait(chain, false);
    }
}

void weir_chain_run(weir_loop_t *loop)
{
    weir_link_t *link;
    while ((link = weir_list_first(&loop->ready_chains)) != NULL) {
        weir_chain_t *chain = WEIR_CONTAINER(link, weir_chain_t, ready_link);
        weir_link_remove(link);
        if (chain->begun) {
            go_on(chain);
        } else {
            begin(chain);
        }
    }
}
