/*
 * connection.c: the life of a connection: how it comes, has its turns, and ends.
 */
#include "serve/connection.h"

#include "observe/log.h"
#include "serve/admission.h"
#include "serve/limits.h"
#include "serve/shared.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

/* ---- Beginning and end ------------------------------------------------------------------------------------------- */

static void forget_connection(weir_loop_t *loop, uint64_t address_key)
{
    weir_addresses_leave(loop->server->addresses, address_key);
    atomic_fetch_sub_explicit(&loop->connection_count, 1, memory_order_relaxed);
}

bool weir_connection_open(
    weir_loop_t *loop, int take_descriptor, const struct sockaddr *address, socklen_t address_size)
{
    uint64_t address_key = weir_client_key(loop, address, address_size);
    weir_connection_t *connection = calloc(1, sizeof(*connection));
    bool secure = loop->server->settings.tls != NULL;
    weir_transport_t transport = {
        .descriptor = take_descriptor, .tls = secure ? weir_server_new_tls(loop->server) : NULL};
    /* For all its time, and once for each thing that happens: nothing is asked of the epoll for a request. */
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = connection};
    bool made = connection != NULL && (!secure || transport.tls != NULL);
    if (!made || epoll_ctl(loop->epoll, EPOLL_CTL_ADD, take_descriptor, &event) != 0) {
        int error = made ? errno : ENOMEM;
        weir_count(&loop->metrics->counters[WEIR_LOOP_CONNECTIONS_FAILED], 1);
        weir_transport_close(&transport);
        free(connection);
        forget_connection(loop, address_key);
        errno = error;
        return false;
    }
    connection->source = WEIR_SOURCE_CONNECTION;
    connection->address_key = address_key;
    connection->loop = loop;
    connection->transport = transport;
    connection->active_at = loop->now;
    weir_client_begin(connection, address, address_size);
    weir_count(&loop->metrics->counters[WEIR_LOOP_CONNECTIONS_ACCEPTED], 1);
    weir_list_append(&loop->connections, &connection->link);
    weir_deadline_set(&loop->requests, &connection->request_deadline, loop->now);
    weir_deadline_set(&loop->idles, &connection->idle_deadline, loop->now);
    /* Its request may be there already: where guests compute, that saves it the wait for another turn. */
    connection->transport.readable = true;
    weir_connection_make_ready(connection);
    return true;
}

void weir_connection_end_task(weir_connection_t *connection)
{
    weir_task_t *task = connection->task;
    connection->task = NULL;
    if (task != NULL) {
        weir_task_end(task);
    }
}

void weir_connection_count(weir_connection_t *connection, bool under_way)
{
    atomic_uint *count = &connection->loop->request_count;
    if (under_way != connection->counted) {
        /* Written by this thread alone. */
        unsigned now = atomic_load_explicit(count, memory_order_relaxed);
        atomic_store_explicit(count, under_way ? now + 1 : now - 1, memory_order_relaxed);
        connection->counted = under_way;
    }
}

/* What a request has, and the next one must not. */
static void clear_request(weir_connection_t *connection)
{
    weir_record_finish(connection);
    weir_connection_count(connection, false);
    weir_admission_withdraw(connection);
    weir_deadline_lift(&connection->head_deadline);
    weir_deadline_lift(&connection->linger_deadline);
    connection->linger_since = 0;
    weir_deadline_lift(&connection->watch_deadline);
    weir_deadline_lift(&connection->body_deadline);
    weir_admission_release(connection);
    free(connection->own_head);
    connection->own_head = NULL;
    if (connection->has_collected) {
        weir_request_body_free(&connection->collected);
        connection->has_collected = false;
    }
    weir_chunked_free(&connection->chunked);
}

void weir_connection_forget_request(weir_connection_t *connection)
{
    weir_loop_t *loop = connection->loop;
    clear_request(connection);
    weir_client_forget(connection);
    connection->stage = WEIR_STAGE_IDLE;
    connection->response = WEIR_RESPONSE_AWAITED;
    connection->answer = (weir_answer_t){.status = 0};
    connection->body_coming = false;
    connection->owes_continue = false;
    connection->dropped = 0;
    connection->active_at = loop->now;
    weir_deadline_set(&loop->requests, &connection->request_deadline, loop->now);
}

/* Whether the end of the connection would be taken for that of a response which is not complete. */
static bool would_look_complete(const weir_connection_t *connection)
{
    return connection->stage == WEIR_STAGE_BEGUN && connection->response != WEIR_RESPONSE_AWAITED &&
           connection->framing == WEIR_FRAMING_CLOSE &&
           (connection->response != WEIR_RESPONSE_DONE || weir_connection_is_blocked(connection));
}

void weir_connection_close(weir_connection_t *connection)
{
    weir_loop_t *loop = connection->loop;
    if (connection->stage == WEIR_STAGE_CLOSED) {
        return;
    }
    if (would_look_complete(connection)) {
        weir_transport_break(&connection->transport);
    }
    weir_connection_end_task(connection);
    clear_request(connection);
    weir_deadline_lift(&connection->request_deadline);
    weir_deadline_lift(&connection->idle_deadline);
    weir_deadline_lift(&connection->proxy_header_deadline);
    weir_link_remove(&connection->ready_link);
    weir_transport_close(&connection->transport); /* the epoll forgets it with that */
    weir_record_free(connection);
    free(connection->kept);
    free(connection->unsent);
    connection->kept = NULL;
    connection->unsent = NULL;
    connection->unsent_size = 0;
    connection->input_size = 0;
    connection->stage = WEIR_STAGE_CLOSED;
    forget_connection(loop, connection->address_key);
    /* An event of this turn may name it yet. */
    weir_link_remove(&connection->link);
    weir_list_append(&loop->closed, &connection->link);
}

void weir_connection_free_closed(weir_loop_t *loop)
{
    weir_link_t *next;
    for (weir_link_t *link = weir_list_first(&loop->closed); link != NULL; link = next) {
        next = weir_list_next(&loop->closed, link);
        free(WEIR_CONTAINER(link, weir_connection_t, link));
    }
    weir_list_init(&loop->closed);
}

/* ---- Its turns --------------------------------------------------------------------------------------------------- */

void weir_connection_make_ready(weir_connection_t *connection)
{
    if (connection->stage != WEIR_STAGE_CLOSED && !weir_link_is_linked(&connection->ready_link)) {
        weir_list_append(&connection->loop->ready, &connection->ready_link);
    }
}

void weir_connection_event(weir_connection_t *connection, uint32_t events)
{
    if (connection->stage == WEIR_STAGE_CLOSED) {
        return;
    }
    if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
        /* It was reset, or both sides are closed: nobody is left to read what is said. */
        weir_connection_close(connection);
        return;
    }
    if ((events & EPOLLIN) != 0) {
        connection->transport.readable = true;
        if (connection->transport.tls != NULL) {
            connection->active_at = connection->loop->now; /* it may be of TLS alone: of the handshake */
        }
    }
    if ((events & EPOLLRDHUP) != 0) {
        connection->peer_closed = true;
    }
    weir_connection_make_ready(connection);
}

void weir_connection_run(weir_connection_t *connection)
{
    unsigned rounds = 0;
    weir_link_remove(&connection->ready_link);
    while (connection->stage != WEIR_STAGE_CLOSED && weir_connection_step(connection)) {
        if (++rounds == WEIR_ROUNDS_A_TURN) {
            weir_connection_make_ready(connection);
            break;
        }
    }
    if (connection->stage == WEIR_STAGE_CLOSED) {
        return;
    }
    if (!weir_connection_keep_input(connection)) {
        weir_record_note(connection, WEIR_REQUEST_INTERNAL);
        weir_log(WEIR_LOG_ERROR, "a connection was closed without an answer: out of memory");
        weir_connection_close(connection);
        return;
    }
    weir_connection_set_limits(connection);
}

/* ---- The end of the server --------------------------------------------------------------------------------------- */

bool weir_connection_is_leaving(const weir_connection_t *connection)
{
    const weir_loop_t *loop = connection->loop;
    return loop->draining && loop->now - connection->active_at >= WEIR_DRAIN_IDLE_MILLISECONDS;
}

void weir_connection_drain(weir_connection_t *connection)
{
    if (connection->stage == WEIR_STAGE_IDLE && weir_connection_is_leaving(connection)) {
        weir_connection_make_ready(connection);
    }
}

void weir_connection_give_up(weir_connection_t *connection)
{
    bool answered = connection->stage == WEIR_STAGE_LINGERING ||
                    (connection->response == WEIR_RESPONSE_DONE && !weir_connection_is_blocked(connection));
    if ((connection->stage == WEIR_STAGE_IDLE && connection->input_size > 0) ||
        (connection->stage != WEIR_STAGE_IDLE && !answered)) {
        atomic_fetch_add(&connection->loop->server->cut, 1);
        weir_record_note(connection, WEIR_REQUEST_CUT);
    } else {
        weir_transport_finish(&connection->transport);
    }
    weir_connection_close(connection);
}
