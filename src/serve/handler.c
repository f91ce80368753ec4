/*
 * handler.c: the way of a request: its head is parsed and examined; then its guest is started (starting.c) and fed,
 * while its response is sent; then the next one begins. Each step does what can be done now.
 */
#include "observe/log.h"
#include "serve/admission.h"
#include "serve/body.h"
#include "serve/connection.h"
#include "serve/limits.h"
#include "serve/notice.h"
#include "serve/request.h"
#include "serve/response.h"
#include "serve/shared.h"
#include "serve/starting.h"
#include "serve/tracing.h"

#include <stdlib.h>
#include <string.h>

/* ---- Heads ------------------------------------------------------------------------------------------------------- */

void weir_connection_refuse(weir_connection_t *connection, unsigned status)
{
    weir_admission_withdraw(connection);
    weir_connection_end_task(connection);
    weir_deadline_lift(&connection->request_deadline);
    weir_deadline_lift(&connection->head_deadline);
    weir_connection_count(connection, true);
    weir_record_begin(connection, false);
    weir_record_note(connection, status == 408   ? WEIR_REQUEST_STALLED
                                 : status == 500 ? WEIR_REQUEST_INTERNAL
                                                 : WEIR_REQUEST_MALFORMED);
    connection->stage = WEIR_STAGE_BEGUN;
    connection->head = (weir_head_t){.minor = 1};
    connection->head_only = false;
    connection->body_coming = false;
    connection->answer = (weir_answer_t){.status = status, .closes = true};
}

/* People meet this one by hand: it says what to do. */
static void refuse_unsecured(weir_connection_t *connection)
{
    static const char body[] = "This port speaks HTTPS only: ask for https:// instead of http://.\n";
    weir_connection_refuse(connection, 400);
    connection->answer.content_type = "text/plain";
    connection->answer.body = body;
    connection->answer.body_size = sizeof body - 1;
}

/* The head is whole, at the start of the input. */
static void begin(weir_connection_t *connection)
{
    weir_loop_t *loop = connection->loop;
    size_t size = connection->head.size;
    loop->fields_of = connection;
    weir_connection_count(connection, true);
    weir_record_begin(connection, true);
    weir_tracing_begin(
        loop->fields, connection->head.field_count, loop->server->settings.sampler, &connection->record.trace);
    connection->stage = WEIR_STAGE_BEGUN;
    connection->input_seen = 0;
    connection->body_left = connection->head.content_length;
    connection->body_coming = connection->head.content_length != 0;
    connection->requests++;
    connection->owes_continue = connection->head.expects_continue;
    weir_deadline_lift(&connection->request_deadline);
    weir_request_examine(connection);
    weir_record_route(connection);
    if (connection->answer.status == 0 && !weir_body_refuse(connection)) {
        weir_starting_admit(connection);
    }
    if (weir_starting_may_be_refused(connection) && !weir_request_keep_head(connection)) {
        weir_log(WEIR_LOG_ERROR, "a request was answered with 500: out of memory");
        weir_connection_refuse(connection, 500);
    }
    loop->fields_of = NULL;
    weir_connection_use(connection, size);
}

/* People whose client speaks HTTP/2 unasked see nothing that it understands: the log has it. */
static void tell_of_http2(weir_connection_t *connection)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n"; /* RFC 9113, 3.4 */
    if (connection->input_size >= sizeof(preface) - 1 && memcmp(connection->input, preface, sizeof(preface) - 1) == 0) {
        weir_notice(connection->loop, WEIR_NOTICE_HTTP2,
            "a client began with HTTP/2, which is not served, and was answered with 505; have it use HTTP/1.1, or a "
            "proxy that does");
    }
}

static size_t most_of_head(const weir_connection_t *connection)
{
    size_t most = (size_t)weir_admission_server_limit(connection->loop, WEIR_SERVING_REQUEST_HEAD);
    return most == 0 || most > WEIR_REQUEST_HEAD_BYTES ? WEIR_REQUEST_HEAD_BYTES : most;
}

/* Whether it has more fields than it may have. */
static bool has_many_fields(const weir_connection_t *connection)
{
    uint64_t most = weir_admission_server_limit(connection->loop, WEIR_SERVING_REQUEST_HEADERS);
    return most != 0 && connection->head.field_count > most;
}

/* At least so much as the bound is there. */
static void refuse_too_long(weir_connection_t *connection)
{
    weir_bytes_t text = {connection->input, most_of_head(connection)};
    weir_connection_refuse(connection, weir_head_status_of_too_long(text));
}

/* Look for a head in the input. Returns whether there is one, or an answer to what is none. */
static bool find_head(weir_connection_t *connection)
{
    weir_loop_t *loop = connection->loop;
    size_t seen = connection->input_seen;
    unsigned status;
    if (connection->input_size == seen) {
        return false;
    }
    connection->input_seen = connection->input_size;
    if (connection->transport.unsecured) {
        refuse_unsecured(connection);
        return true;
    }
    /* Only a line's end can make it whole: so what trickles in is not parsed again and again. */
    if (seen > 0 && memchr(connection->input + seen, '\n', connection->input_size - seen) == NULL) {
        return false;
    }
    weir_bytes_t text = {connection->input, connection->input_size};
    switch (weir_head_parse(text, &connection->head, loop->fields, &status)) {
    case WEIR_HEAD_WHOLE:
        if (connection->head.size > most_of_head(connection)) {
            refuse_too_long(connection);
        } else if (has_many_fields(connection)) {
            weir_connection_refuse(connection, 431);
        } else {
            begin(connection);
        }
        return true;
    case WEIR_HEAD_REFUSED:
        tell_of_http2(connection);
        weir_connection_refuse(connection, status);
        return true;
    case WEIR_HEAD_PARTIAL:
        break;
    }
    return false;
}

/* Begin with the next request. Returns false when that is not possible yet. */
static bool take_head(weir_connection_t *connection)
{
    for (;;) {
        if (find_head(connection)) {
            return true;
        }
        if (connection->input_size >= most_of_head(connection)) {
            refuse_too_long(connection);
            return true;
        }
        switch (weir_connection_receive(connection)) {
        case WEIR_RECEIVED_SOME:
            break;
        case WEIR_RECEIVED_NOTHING:
            if (weir_connection_is_leaving(connection)) {
                weir_connection_part(connection);
            }
            return false;
        case WEIR_RECEIVED_END:
            weir_connection_part(connection);
            return false;
        }
    }
}

/* ---- Responses --------------------------------------------------------------------------------------------------- */

/* Send what can be sent. Returns whether anything was done. */
static bool respond(weir_connection_t *connection)
{
    if (weir_connection_is_blocked(connection) && !weir_connection_flush(connection)) {
        return false;
    }
    switch (connection->response) {
    case WEIR_RESPONSE_AWAITED:
        if (!weir_starting_is_answerable(connection)) {
            return false;
        }
        weir_deadline_lift(&connection->head_deadline);
        free(connection->own_head); /* no instance can be refused any more */
        connection->own_head = NULL;
        weir_response_begin(connection);
        return true;
    case WEIR_RESPONSE_BODY:
        return weir_response_continue(connection);
    case WEIR_RESPONSE_DONE:
        break;
    }
    return false;
}

/* Wait for what is still to come, for a while after the last of it, and not for ever. */
static void await_rest(weir_connection_t *connection)
{
    weir_loop_t *loop = connection->loop;
    bool is_set = weir_deadline_is_set(&connection->linger_deadline);
    if (connection->linger_since == 0) {
        connection->linger_since = loop->now;
    }
    uint64_t most = connection->linger_since + WEIR_LINGER_MAX_MILLISECONDS - WEIR_LINGER_MILLISECONDS;
    if (!is_set || (connection->received && loop->now <= most)) {
        weir_deadline_set(&loop->lingers, &connection->linger_deadline, loop->now);
    }
}

/* The last response was sent. Closing at once is safe when nothing is there, or to come, that nobody has read. */
static void linger(weir_connection_t *connection)
{
    bool may_come = connection->body_coming || connection->answer.closes || connection->input_size > 0 ||
                    connection->transport.readable;
    weir_record_finish(connection);
    if (may_come || connection->transport.tls != NULL) {
        weir_transport_finish(&connection->transport);
    }
    bool is_over = !may_come || (connection->peer_closed && !connection->transport.readable);
    if (is_over && !connection->transport.blocked) {
        weir_connection_close(connection);
        return;
    }
    weir_connection_use(connection, connection->input_size);
    connection->stage = WEIR_STAGE_LINGERING;
    weir_connection_count(connection, false);
    connection->dropped = 0;
    weir_deadline_lift(&connection->watch_deadline);
    await_rest(connection);
}

void weir_connection_part(weir_connection_t *connection)
{
    if (connection->stage == WEIR_STAGE_IDLE) {
        weir_connection_use(connection, connection->input_size);
        linger(connection);
    }
}

/* Drop what comes. */
static bool drop(weir_connection_t *connection)
{
    switch (weir_connection_receive(connection)) {
    case WEIR_RECEIVED_SOME:
        connection->dropped += connection->input_size;
        weir_connection_use(connection, connection->input_size);
        if (connection->dropped <= WEIR_LINGER_BYTES) {
            await_rest(connection);
            return true;
        }
        break;
    case WEIR_RECEIVED_NOTHING:
        return false;
    case WEIR_RECEIVED_END:
        if (weir_connection_is_blocked(connection)) {
            return false; /* by the end of TLS, which is sent before that of the connection */
        }
        break;
    }
    weir_connection_close(connection);
    return false;
}

/* The response was sent: go on to the next request, once this one has come to its end. Returns whether it was left. */
static bool conclude(weir_connection_t *connection)
{
    if (connection->response != WEIR_RESPONSE_DONE || weir_connection_is_blocked(connection)) {
        return false;
    }
    if (!connection->keeps || connection->dropped > WEIR_REST_BYTES) {
        linger(connection);
        return true;
    }
    if (!connection->body_coming) {
        weir_connection_forget_request(connection);
        return true;
    }
    await_rest(connection);
    return false;
}

static bool step_without_request(weir_connection_t *connection)
{
    bool leaves = weir_connection_is_leaving(connection);
    if (leaves) {
        connection->transport.readable = true; /* what has come already is read, and a request answered */
    }
    if (connection->client.awaits_header && !weir_client_take_header(connection)) {
        if (leaves) {
            weir_connection_close(connection);
        }
        return false;
    }
    /* Only of TLS itself there can be something to send. */
    if (connection->transport.blocked && !weir_connection_flush(connection)) {
        if (leaves) {
            weir_connection_close(connection);
        }
        return false;
    }
    return take_head(connection);
}

bool weir_connection_step(weir_connection_t *connection)
{
    if (connection->stage == WEIR_STAGE_IDLE) {
        return step_without_request(connection);
    }
    if (connection->stage == WEIR_STAGE_LINGERING) {
        if (weir_connection_is_blocked(connection)) {
            (void)weir_connection_flush(connection);
        }
        return connection->stage == WEIR_STAGE_LINGERING && drop(connection);
    }
    if (weir_starting_take_refusal(connection) || weir_starting_waits(connection)) {
        return false;
    }
    weir_task_t *task = connection->task;
    unsigned polls = task == NULL ? 0 : task->polls;
    bool moved = weir_body_take(connection);
    if (connection->stage != WEIR_STAGE_BEGUN) {
        return false;
    }
    moved = respond(connection) || moved;
    if (connection->stage != WEIR_STAGE_BEGUN) {
        return false;
    }
    /* A guest that was polled may have read, and so made room, without having written. */
    moved = (connection->task != NULL && connection->task == task && task->polls != polls) || moved;
    return conclude(connection) || moved;
}

/* ---- What the loop tells ----------------------------------------------------------------------------------------- */

/* Where the rest of a body does not come, the answer to it was the last. */
void weir_connection_linger_over(weir_connection_t *connection)
{
    if (connection->stage == WEIR_STAGE_BEGUN) {
        linger(connection);
    } else {
        weir_connection_close(connection);
    }
}
