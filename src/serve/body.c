/*
 * body.c: bodies of requests as they come: taken apart, handed to the guest as far as it takes them, or dropped. What
 * the guest does not take stays in the connection's input, and no more is received.
 */
#include "serve/body.h"

#include "serve/admission.h"

bool weir_body_refuse(weir_connection_t *connection)
{
    uint64_t most = weir_admission_limits_of(connection)->values[WEIR_SERVING_REQUEST_BODY];
    int64_t length = connection->head.content_length;
    if (most == 0 || length <= 0 || (uint64_t)length <= most) {
        return false;
    }
    weir_record_note(connection, WEIR_REQUEST_MALFORMED);
    connection->answer = (weir_answer_t){.status = 413};
    return true;
}

/* Whether a guest still takes from a body in chunks of which so much more is there than it may have. */
static bool is_too_long(const weir_connection_t *connection, size_t more)
{
    const weir_task_t *task = connection->task;
    uint64_t most = task == NULL ? 0 : task->limits->values[WEIR_SERVING_REQUEST_BODY];
    return most != 0 && connection->record.received_bytes + more > most;
}

/* Give the guest as much as it takes; what nobody wants is dropped. Returns how much was used. */
static size_t deliver(weir_connection_t *connection, const char *data, size_t size)
{
    weir_task_t *task = connection->task;
    size_t used = 0;
    while (task != NULL && used < size && task->state != WEIR_EXCHANGE_FAILED && task->state != WEIR_EXCHANGE_REFUSED) {
        size_t taken = weir_exchange_feed(task->exchange, (weir_bytes_t){data + used, size - used});
        used += taken;
        if (weir_task_is_eager(task)) {
            weir_task_poll(task);
        } else if (taken == 0) {
            return used;
        }
    }
    if (task != NULL && task->state == WEIR_EXCHANGE_REFUSED) {
        return used;
    }
    if (task == NULL) {
        connection->dropped += size - used;
    }
    return size;
}

/* What came after the last chunk. Returns false when these are no trailers. */
static bool deliver_trailers(weir_connection_t *connection)
{
    weir_pair_t *fields = connection->loop->fields;
    weir_bytes_t text = weir_chunked_trailers(&connection->chunked);
    weir_task_t *task = connection->task;
    size_t count;
    if (text.size == 0) {
        return true;
    }
    if (!weir_trailers_parse(text, fields, &count)) {
        return false;
    }
    if (task != NULL && task->state != WEIR_EXCHANGE_REFUSED) {
        weir_exchange_feed_trailers(task->exchange, fields, count);
    }
    return true;
}

/* The body is complete. */
static void end_body(weir_connection_t *connection)
{
    weir_task_t *task = connection->task;
    connection->body_coming = false;
    connection->owes_continue = false;
    weir_chunked_free(&connection->chunked);
    if (task == NULL || task->state == WEIR_EXCHANGE_REFUSED) {
        return;
    }
    weir_exchange_feed_end(task->exchange, false);
    if (weir_task_is_eager(task)) {
        weir_task_poll(task);
    }
}

/* Nothing more comes. Where the response is complete, the client gets what is left of it; then the connection ends. */
static bool end_early(weir_connection_t *connection)
{
    if (connection->stage == WEIR_STAGE_CLOSED || connection->response != WEIR_RESPONSE_DONE) {
        weir_connection_close(connection); /* and the response does not look complete */
        return false;
    }
    end_body(connection);
    connection->keeps = false;
    return true;
}

/* What the client sent is no body. */
static void break_off(weir_connection_t *connection, unsigned status)
{
    if (connection->response == WEIR_RESPONSE_AWAITED) {
        weir_connection_refuse(connection, status);
    } else {
        weir_connection_close(connection); /* and the response does not look complete */
    }
}

/* Use some of the input. Returns false when the guest takes no more now. */
static bool use_sized(weir_connection_t *connection)
{
    size_t size = connection->input_size;
    if ((uint64_t)connection->body_left < size) {
        size = (size_t)connection->body_left;
    }
    size_t used = deliver(connection, connection->input, size);
    connection->record.received_bytes += used;
    weir_connection_use(connection, used);
    connection->body_left -= (int64_t)used;
    if (connection->body_left == 0) {
        end_body(connection);
    }
    return used > 0;
}

static bool use_chunked(weir_connection_t *connection)
{
    size_t framing;
    size_t data;
    weir_chunked_state_t state =
        weir_chunked_next(&connection->chunked, connection->input, connection->input_size, &framing, &data);
    weir_connection_use(connection, framing);
    switch (state) {
    case WEIR_CHUNKED_MORE:
        return true;
    case WEIR_CHUNKED_DATA: {
        if (is_too_long(connection, data)) {
            weir_record_note(connection, WEIR_REQUEST_MALFORMED);
            break_off(connection, 413);
            return true;
        }
        size_t used = deliver(connection, connection->input, data);
        connection->record.received_bytes += used;
        weir_chunked_take(&connection->chunked, used);
        weir_connection_use(connection, used);
        return framing + used > 0;
    }
    case WEIR_CHUNKED_ENDED:
        if (!deliver_trailers(connection)) {
            break;
        }
        end_body(connection);
        return true;
    case WEIR_CHUNKED_WRONG:
        break;
    }
    break_off(connection, 400);
    return true;
}

/* Nobody reads the body who has not asked for it (RFC 9110, section 10.1.1); once some of it is there, it was not
 * waited for. */
static void ask_for_body(weir_connection_t *connection)
{
    const weir_task_t *task = connection->task;
    if (connection->owes_continue && task != NULL && connection->response == WEIR_RESPONSE_AWAITED &&
        !weir_connection_is_blocked(connection) && !weir_exchange_ended(task->exchange)) {
        struct iovec piece = {(char *)(uintptr_t)weir_continue_head.data, weir_continue_head.size};
        connection->owes_continue = false;
        weir_connection_send(connection, &piece, 1);
    }
}

bool weir_body_take(weir_connection_t *connection)
{
    const weir_task_t *task = connection->task;
    bool wanted = task != NULL && task->polls > 0; /* else its instance may yet be refused, with what it was fed */
    bool unwanted = task == NULL && (connection->answer.status != 0 || connection->response != WEIR_RESPONSE_AWAITED);
    if (!connection->body_coming || (!wanted && !unwanted)) {
        return false;
    }
    if (unwanted && weir_connection_is_blocked(connection)) {
        return false; /* a client that takes nothing may not send without end */
    }
    if (connection->input_size > 0) {
        connection->owes_continue = false;
        return connection->head.content_length < 0 ? use_chunked(connection) : use_sized(connection);
    }
    ask_for_body(connection);
    if (connection->stage == WEIR_STAGE_CLOSED) {
        return false;
    }
    switch (weir_connection_receive(connection)) {
    case WEIR_RECEIVED_SOME:
        return true;
    case WEIR_RECEIVED_NOTHING:
        break;
    case WEIR_RECEIVED_END:
        return end_early(connection);
    }
    return false;
}
