/*
 * connection.c: the life of a connection and of the requests on it, one after the other; suspending and watching it;
 * and how it ends.
 */
#include "serve/connection.h"

#include "serve/admission.h"
#include "serve/early.h"
#include "serve/limits.h"
#include "serve/shared.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

/* ---- Suspending and watching ------------------------------------------------------------------------------------- */

/*
 * For the time of the connection: that the client has closed its side. libmicrohttpd, which reads no further than it
 * has to, misses that when it comes together with data. A new edge each time, so it is told once.
 */
#define WEIR_EVENTS (EPOLLRDHUP | EPOLLET)

bool weir_connection_watch(weir_connection_t *connection, uint32_t events)
{
    struct epoll_event event = {.events = WEIR_EVENTS | events, .data.ptr = &connection->source};
    int operation = connection->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    bool set = epoll_ctl(connection->loop->epoll, operation, connection->descriptor, &event) == 0;
    connection->watched = connection->watched || set;
    return set;
}

enum MHD_Result weir_connection_suspend(weir_connection_t *connection, weir_wait_t wait)
{
    weir_loop_t *loop = connection->loop;
    connection->wait = wait;
    if (connection->early == NULL) {
        weir_deadline_set(&loop->watches, &connection->watch_deadline, loop->now);
    }
    MHD_suspend_connection(connection->handle);
    return MHD_YES;
}

void weir_connection_resume(weir_connection_t *connection)
{
    if (connection->wait == WEIR_WAIT_NOTHING) {
        return;
    }
    if (connection->wait == WEIR_WAIT_CALL) {
        weir_admission_withdraw(connection);
    }
    connection->wait = WEIR_WAIT_NOTHING;
    weir_deadline_lift(&connection->watch_deadline);
    MHD_resume_connection(connection->handle);
}

void weir_connection_end_task(weir_connection_t *connection)
{
    weir_task_t *task = connection->task;
    connection->task = NULL;
    if (task != NULL) {
        weir_task_end(task);
    }
}

void weir_connection_cut(weir_connection_t *connection)
{
    connection->cut = true;
    weir_admission_withdraw(connection);
    weir_connection_end_task(connection);
    if (connection->wait != WEIR_WAIT_NOTHING) {
        weir_connection_resume(connection); /* and its handler refuses to go on */
    } else {
        shutdown(connection->descriptor, SHUT_RDWR); /* libmicrohttpd finds it closed */
    }
}

/* ---- Life of a connection and of a request ----------------------------------------------------------------------- */

void weir_connection_notify(
    void *context, struct MHD_Connection *handle, void **socket_context, enum MHD_ConnectionNotificationCode code)
{
    weir_loop_t *loop = context;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        loop->arrived = true;
        weir_connection_t *connection = calloc(1, sizeof(*connection));
        *socket_context = connection;
        if (connection == NULL) {
            return; /* its requests are refused */
        }
        connection->source = WEIR_SOURCE_CONNECTION;
        connection->loop = loop;
        connection->handle = handle;
        connection->descriptor = MHD_get_connection_info(handle, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        connection->idle_since = loop->now;
        weir_list_append(&loop->connections, &connection->link);
        weir_deadline_set(&loop->requests, &connection->request_deadline, loop->now);
        weir_list_append(&loop->arrivals, &connection->arrival_link);
        return;
    }
    weir_connection_t *connection = *socket_context;
    atomic_fetch_sub_explicit(&loop->connection_count, 1, memory_order_relaxed);
    if (connection != NULL) {
        /* The epoll forgets the descriptor when it is closed, which libmicrohttpd does next. */
        weir_link_remove(&connection->arrival_link);
        weir_deadline_lift(&connection->request_deadline);
        weir_link_remove(&connection->hangup_link);
        weir_link_remove(&connection->link);
        free(connection->line);
        free(connection);
    }
}

void *weir_connection_log_uri(void *context, const char *uri, struct MHD_Connection *handle)
{
    (void)context;
    /* Called with the target as it was received, before libmicrohttpd takes it apart in place. */
    weir_connection_t *connection = MHD_get_connection_info(handle, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    if (connection == NULL) {
        return NULL;
    }
    size_t size = strlen(uri);
    if (size > connection->line_capacity) {
        char *line = realloc(connection->line, size);
        if (line == NULL) {
            return NULL;
        }
        connection->line = line;
        connection->line_capacity = size;
    }
    memcpy(connection->line, uri, size);
    connection->line_size = size;
    connection->stage = WEIR_STAGE_LINE;
    atomic_fetch_add_explicit(&connection->loop->server->requests, 1, memory_order_relaxed);
    return connection;
}

/* Forget the request, and be ready for the next one. */
static void finish_request(weir_connection_t *connection)
{
    weir_admission_withdraw(connection);
    weir_link_remove(&connection->early_link);
    weir_deadline_lift(&connection->head_deadline);
    weir_deadline_lift(&connection->rest_deadline);
    weir_deadline_lift(&connection->linger_deadline);
    weir_deadline_lift(&connection->watch_deadline);
    if (connection->early != NULL) {
        weir_connection_watch(connection, 0);
    }
    weir_early_free(connection->early);
    free(connection->prefix);
    weir_request_body_free(&connection->collected);
    connection->has_collected = false;
    connection->early = NULL;
    connection->prefix = NULL;
    connection->prefix_size = 0;
    connection->prefix_sent = 0;
    connection->stage = WEIR_STAGE_NONE;
    connection->wait = WEIR_WAIT_NOTHING;
    connection->method = NULL;
    connection->version = NULL;
    connection->target = (weir_target_t){.authority = {NULL, 0}};
    connection->host = (weir_bytes_t){NULL, 0};
    connection->has_body = false;
    connection->content_length = 0;
    connection->expects_continue = false;
    connection->head_only = false;
    connection->match = (weir_route_match_t){.route = NULL};
    connection->answer = (weir_answer_t){.status = 0};
    weir_admission_release(connection);
    connection->idle_since = connection->loop->now;
    if (connection->peer_closed && !weir_link_is_linked(&connection->hangup_link)) {
        weir_list_append(&connection->loop->hangups, &connection->hangup_link);
    }
    weir_deadline_set(&connection->loop->requests, &connection->request_deadline, connection->loop->now);
}

void weir_connection_completed(
    void *context, struct MHD_Connection *handle, void **request_context, enum MHD_RequestTerminationCode code)
{
    weir_loop_t *loop = context;
    (void)handle;
    weir_connection_t *connection = *request_context;
    *request_context = NULL;
    if (connection == NULL) {
        return;
    }
    atomic_fetch_sub_explicit(&loop->server->requests, 1, memory_order_relaxed);
    if (loop->cutting) {
        atomic_fetch_add(&loop->server->cut, 1);
    }
    weir_task_t *task = connection->task;
    connection->task = NULL;
    finish_request(connection);
    if (task == NULL) {
        return;
    }
    if (code == MHD_REQUEST_TERMINATED_COMPLETED_OK) {
        weir_task_detach(task);
    } else {
        weir_task_end(task); /* nobody is left to read what it says */
    }
}

/* ---- Outside of libmicrohttpd's calls ---------------------------------------------------------------------------- */

void weir_connection_request_overdue(weir_connection_t *connection)
{
    shutdown(connection->descriptor, SHUT_RDWR);
}

void weir_connection_linger_over(weir_connection_t *connection)
{
    weir_connection_cut(connection);
}

/*
 * As hyper does for Spin, a client that has closed its side is taken to have left: its guest is ended. But not at once:
 * some say all they have to say, close their side and read on.
 */
void weir_connection_watch_due(weir_connection_t *connection)
{
    if (connection->peer_closed) {
        weir_connection_cut(connection);
    }
}

void weir_connection_event(weir_connection_t *connection, uint32_t events)
{
    if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) == 0) {
        if (connection->early != NULL) {
            weir_connection_progress(connection);
        }
        return;
    }
    connection->peer_closed = true;
    if (connection->wait == WEIR_WAIT_NOTHING) {
        if (!weir_link_is_linked(&connection->hangup_link)) {
            weir_list_append(&connection->loop->hangups, &connection->hangup_link);
        }
    } else if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
        weir_connection_cut(connection);
    } else if (connection->early == NULL && !weir_deadline_is_set(&connection->watch_deadline)) {
        weir_connection_cut(connection);
    }
}

void weir_connection_hang_up(weir_connection_t *connection)
{
    bool reads = connection->stage == WEIR_STAGE_NONE || connection->stage == WEIR_STAGE_LINE ||
                 connection->stage == WEIR_STAGE_BODY;
    if (reads && connection->wait == WEIR_WAIT_NOTHING && !connection->reading_ended) {
        connection->reading_ended = true;
        shutdown(connection->descriptor, SHUT_RD); /* another edge, at which it reads to the end */
    }
}

void weir_connection_drain(weir_connection_t *connection)
{
    if (connection->stage != WEIR_STAGE_NONE || connection->reading_ended ||
        connection->loop->now - connection->idle_since < WEIR_DRAIN_IDLE_MILLISECONDS) {
        return;
    }
    /* What has been received already is still read, and answered, before the end is noticed. */
    connection->reading_ended = true;
    shutdown(connection->descriptor, SHUT_RD);
}

void weir_connection_give_up(weir_connection_t *connection)
{
    connection->cut = true;
    weir_connection_resume(connection);
}
