/*
 * connection_limits.c: the time limits of a connection: when each is set, anew or lifted, by what its client does, and
 * what happens when one is over. Those of a response's head are starting.c's, and that of lingering handler.c's.
 */
#include "serve/connection.h"
#include "serve/limits.h"
#include "serve/shared.h"

/* ---- Setting them ----------------------------------------------------------------------------------------------- */

/* Whether it goes on only when the client sends or takes something. */
static bool waits_for_client(const weir_connection_t *connection)
{
    return connection->stage == WEIR_STAGE_IDLE || weir_connection_is_blocked(connection) ||
           (connection->stage == WEIR_STAGE_BEGUN && connection->body_coming && connection->input_size == 0 &&
               (connection->task != NULL || connection->response != WEIR_RESPONSE_AWAITED));
}

static void set_idle_limit(weir_connection_t *connection)
{
    weir_loop_t *loop = connection->loop;
    if (weir_connection_is_blocked(connection)) {
        connection->taken = weir_transport_taken(&connection->transport);
    }
    weir_deadline_set(&loop->idles, &connection->idle_deadline, loop->now);
}

/*
 * Whether the client has taken something since the limit was set. The epoll tells only once a third of what the system
 * holds has gone, which may be more than a mebibyte (tcp(7), tcp_wmem), and nothing of what TLS holds.
 */
static bool has_taken(const weir_connection_t *connection)
{
    return weir_connection_is_blocked(connection) && weir_transport_taken(&connection->transport) > connection->taken;
}

static void set_body_limit(weir_connection_t *connection)
{
    weir_loop_t *loop = connection->loop;
    connection->body_mark = connection->record.received_bytes;
    weir_deadline_set(&loop->bodies, &connection->body_deadline, loop->now);
}

/* Whether its guest can only go on when more of the body comes, as far as the server knows. */
static bool waits_for_body(const weir_connection_t *connection)
{
    return connection->stage == WEIR_STAGE_BEGUN && connection->body_coming && connection->input_size == 0 &&
           connection->task != NULL && connection->task->polls > 0;
}

void weir_connection_set_limits(weir_connection_t *connection)
{
    weir_loop_t *loop = connection->loop;
    /* Where the client does not take what it is sent, only that it does is progress. */
    bool moved = connection->sent || (connection->received && !weir_connection_is_blocked(connection));
    if (!waits_for_client(connection)) {
        weir_deadline_lift(&connection->idle_deadline);
    } else if (moved || !weir_deadline_is_set(&connection->idle_deadline)) {
        set_idle_limit(connection);
    }
    if (!waits_for_body(connection)) {
        weir_deadline_lift(&connection->body_deadline);
    } else if (loop->bodies.delay != 0 && (connection->sent || !weir_deadline_is_set(&connection->body_deadline))) {
        /* While a response goes on, its client may well have nothing to say. */
        set_body_limit(connection);
    }
    if (connection->peer_closed && connection->stage == WEIR_STAGE_BEGUN && !loop->server->settings.allow_half_close &&
        (connection->sent || connection->received || !weir_deadline_is_set(&connection->watch_deadline))) {
        weir_deadline_set(&loop->watches, &connection->watch_deadline, loop->now);
    }
    connection->sent = false;
    connection->received = false;
}

/* ---- When they are over ----------------------------------------------------------------------------------------- */

void weir_connection_request_overdue(weir_connection_t *connection)
{
    if (connection->input_size > 0) {
        weir_connection_refuse(connection, 408);
        weir_connection_make_ready(connection);
    } else {
        weir_connection_part(connection);
    }
}

/* The client does not go on: tell it, where that makes sense. */
static void give_up_on(weir_connection_t *connection)
{
    bool owes_body = connection->stage == WEIR_STAGE_BEGUN && connection->body_coming &&
                     !weir_connection_is_blocked(connection) && connection->response == WEIR_RESPONSE_AWAITED &&
                     connection->answer.status == 0;
    if (owes_body) {
        weir_connection_refuse(connection, 408);
        weir_connection_make_ready(connection);
    } else if (connection->stage == WEIR_STAGE_IDLE && !weir_connection_is_blocked(connection)) {
        weir_connection_part(connection);
    } else {
        weir_record_note(connection, WEIR_REQUEST_STALLED);
        weir_connection_close(connection);
    }
}

void weir_connection_idle_over(weir_connection_t *connection)
{
    if (has_taken(connection)) {
        set_idle_limit(connection);
    } else {
        give_up_on(connection);
    }
}

void weir_connection_body_slow(weir_connection_t *connection)
{
    if (connection->record.received_bytes - connection->body_mark >= WEIR_BODY_PROGRESS_BYTES) {
        set_body_limit(connection);
    } else {
        give_up_on(connection);
    }
}

/*
 * As hyper does for Spin, and nginx, a client that has closed its side is taken to have left: its guest is ended. But
 * not at once: simple ones say all they have to say, close their side and read on, and what is answered fast is
 * answered. One that reads slowly has not left.
 */
void weir_connection_watch_due(weir_connection_t *connection)
{
    if (weir_connection_is_blocked(connection)) {
        weir_deadline_set(&connection->loop->watches, &connection->watch_deadline, connection->loop->now);
    } else {
        weir_connection_close(connection);
    }
}
