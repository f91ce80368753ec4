/*
 * connection.c: the life of a connection: how it comes, receives and sends, which time limits it has, and how it ends.
 */
#include "serve/connection.h"

#include "observe/log.h"
#include "serve/admission.h"
#include "serve/limits.h"
#include "serve/notice.h"
#include "serve/shared.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
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

/* ---- Receiving --------------------------------------------------------------------------------------------------- */

weir_received_t weir_connection_receive(weir_connection_t *connection)
{
    weir_loop_t *loop = connection->loop;
    bool ends = connection->peer_closed;
    if (!connection->transport.readable) {
        return ends ? WEIR_RECEIVED_END : WEIR_RECEIVED_NOTHING;
    }
    size_t size = connection->input_size;
    if (size > 0 && connection->input != loop->received) {
        memmove(loop->received, connection->input, size);
    }
    connection->input = loop->received;
    ssize_t more = weir_transport_receive(&connection->transport, loop->received + size, WEIR_RECEIVE_BYTES - size);
    free(connection->kept);
    connection->kept = NULL;
    if (more > 0) {
        connection->input_size = size + (size_t)more;
        connection->received = true;
        connection->heard = true;
        weir_count(&loop->metrics->counters[WEIR_LOOP_RECEIVED_BYTES], (uint64_t)more);
        connection->active_at = loop->now;
        return WEIR_RECEIVED_SOME;
    }
    if (more == WEIR_TRANSPORT_LATER) {
        return ends ? WEIR_RECEIVED_END : WEIR_RECEIVED_NOTHING;
    }
    if (more == WEIR_TRANSPORT_BROKEN) {
        if (connection->transport.tls != NULL && !connection->heard) {
            weir_count(&loop->metrics->counters[WEIR_LOOP_TLS_FAILED], 1);
        }
        weir_connection_close(connection);
        return WEIR_RECEIVED_END;
    }
    connection->transport.readable = false;
    connection->peer_closed = true;
    return WEIR_RECEIVED_END;
}

void weir_connection_use(weir_connection_t *connection, size_t size)
{
    connection->input += size;
    connection->input_size -= size;
}

/* The loop's buffer is for the next connection: keep what is left in it. Returns false when memory ran out. */
static bool keep_input(weir_connection_t *connection)
{
    if (connection->input_size == 0) {
        free(connection->kept);
        connection->kept = NULL;
        return true;
    }
    if (connection->kept != NULL) {
        return true;
    }
    connection->kept = malloc(connection->input_size);
    if (connection->kept == NULL) {
        return false;
    }
    memcpy(connection->kept, connection->input, connection->input_size);
    connection->input = connection->kept;
    return true;
}

/* ---- Sending ----------------------------------------------------------------------------------------------------- */

/* Keep what is left of these bytes after `sent` of them. */
static bool keep_unsent(weir_connection_t *connection, const struct iovec *pieces, size_t count, size_t sent)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        size += pieces[i].iov_len;
    }
    connection->unsent = malloc(size - sent);
    if (connection->unsent == NULL) {
        return false;
    }
    connection->unsent_at = 0;
    connection->unsent_size = 0;
    for (size_t i = 0; i < count; i++) {
        size_t skipped = sent < pieces[i].iov_len ? sent : pieces[i].iov_len;
        sent -= skipped;
        memcpy(connection->unsent + connection->unsent_size, (const char *)pieces[i].iov_base + skipped,
            pieces[i].iov_len - skipped);
        connection->unsent_size += pieces[i].iov_len - skipped;
    }
    return true;
}

static void note_sent(weir_connection_t *connection, ssize_t sent)
{
    if (sent > 0) {
        connection->sent = true;
        weir_count(&connection->loop->metrics->counters[WEIR_LOOP_SENT_BYTES], (uint64_t)sent);
    }
}

bool weir_connection_send(weir_connection_t *connection, const struct iovec *pieces, size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        size += pieces[i].iov_len;
    }
    if (size == 0) {
        return true;
    }
    ssize_t sent = weir_transport_send(&connection->transport, pieces, count);
    note_sent(connection, sent);
    if (sent == (ssize_t)size) {
        return true;
    }
    if (sent == WEIR_TRANSPORT_BROKEN) {
        weir_connection_close(connection);
        return false;
    }
    if (!keep_unsent(connection, pieces, count, sent < 0 ? 0 : (size_t)sent)) {
        weir_record_note(connection, WEIR_REQUEST_INTERNAL);
        weir_connection_close(connection);
        return false;
    }
    return true;
}

bool weir_connection_is_blocked(const weir_connection_t *connection)
{
    return connection->unsent != NULL || connection->transport.blocked;
}

bool weir_connection_flush(weir_connection_t *connection)
{
    if (connection->transport.blocked) {
        ssize_t flushed = weir_transport_flush(&connection->transport);
        if (flushed == WEIR_TRANSPORT_BROKEN) {
            weir_connection_close(connection);
        }
        if (flushed != 0) {
            return false;
        }
        connection->sent = true;
    }
    while (connection->unsent_at < connection->unsent_size) {
        struct iovec rest = {
            connection->unsent + connection->unsent_at, connection->unsent_size - connection->unsent_at};
        ssize_t sent = weir_transport_send(&connection->transport, &rest, 1);
        if (sent == WEIR_TRANSPORT_LATER) {
            return false;
        }
        if (sent < 0) {
            weir_connection_close(connection);
            return false;
        }
        connection->unsent_at += (size_t)sent;
        note_sent(connection, sent);
    }
    free(connection->unsent);
    connection->unsent = NULL;
    connection->unsent_size = 0;
    connection->unsent_at = 0;
    return !connection->transport.blocked;
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

static void set_limits(weir_connection_t *connection)
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
    if (!keep_input(connection)) {
        weir_record_note(connection, WEIR_REQUEST_INTERNAL);
        weir_log(WEIR_LOG_ERROR, "a connection was closed without an answer: out of memory");
        weir_connection_close(connection);
        return;
    }
    set_limits(connection);
}

/* ---- Its time limits --------------------------------------------------------------------------------------------- */

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
