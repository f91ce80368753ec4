/*
 * connection.c: the way of a request through libmicrohttpd. Its access handler is called once when the headers are
 * there, then with each piece of the body, then once more; a response can only be queued in the first and the last of
 * these calls, and the first closes the connection. So the guest is started in the first call, fed in the others, and
 * its response queued in the last; a connection that has to wait for its guest is suspended. What happens outside of
 * these calls (the guest made progress, time is over) is at the end of the file.
 */
#include "serve/connection.h"

#include "observe/log.h"
#include "serve/early.h"
#include "serve/limits.h"
#include "serve/request.h"
#include "serve/response.h"
#include "serve/shared.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

/* ---- Suspending and watching
 * ------------------------------------------------------------------------------------------ */

bool weir_connection_watch(weir_connection_t *connection, uint32_t events)
{
    if (connection->events == events) {
        return true;
    }
    int operation = connection->events == 0 ? EPOLL_CTL_ADD : events == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
    struct epoll_event event = {.events = events, .data.ptr = &connection->source};
    if (epoll_ctl(connection->loop->epoll, operation, connection->descriptor, &event) < 0) {
        return false;
    }
    connection->events = events;
    return true;
}

static enum MHD_Result suspend(weir_connection_t *connection, weir_wait_t wait)
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
    if (connection->wait == WEIR_WAIT_CALL && weir_link_is_linked(&connection->waiting_link)) {
        weir_link_remove(&connection->waiting_link);
        connection->loop->waiting_count--;
    }
    connection->wait = WEIR_WAIT_NOTHING;
    weir_deadline_lift(&connection->watch_deadline);
    if (connection->early == NULL) {
        weir_connection_watch(connection, 0);
    }
    MHD_resume_connection(connection->handle);
}

/* End the guest, if there is one. */
static void end_task(weir_connection_t *connection)
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
    end_task(connection);
    if (connection->wait != WEIR_WAIT_NOTHING) {
        weir_connection_resume(connection); /* and its handler refuses to go on */
    } else {
        shutdown(connection->descriptor, SHUT_RDWR); /* libmicrohttpd finds it closed */
    }
}

/* ---- Life of a connection and of a request --------------------------------------------------------------------------
 */

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
        return;
    }
    weir_connection_t *connection = *socket_context;
    atomic_fetch_sub_explicit(&loop->connection_count, 1, memory_order_relaxed);
    if (connection != NULL) {
        weir_deadline_lift(&connection->request_deadline);
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
    return connection;
}

/* Forget the request, and be ready for the next one. */
static void finish_request(weir_connection_t *connection)
{
    weir_link_remove(&connection->waiting_link);
    weir_deadline_lift(&connection->head_deadline);
    weir_deadline_lift(&connection->early_deadline);
    weir_deadline_lift(&connection->linger_deadline);
    weir_deadline_lift(&connection->watch_deadline);
    weir_connection_watch(connection, 0);
    weir_early_free(connection->early);
    free(connection->prefix);
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
    connection->overdue = false;
    connection->match = (weir_route_match_t){.route = NULL};
    connection->answer = (weir_answer_t){.status = 0};
    connection->idle_since = connection->loop->now;
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
    if (loop->cutting) {
        atomic_fetch_add(&loop->server->cut, 1);
    }
    if (weir_link_is_linked(&connection->waiting_link)) {
        loop->waiting_count--;
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

/* ---- The first call: the headers are there --------------------------------------------------------------------------
 */

/* The head of the response is known, from the guest or from the server. */
static bool is_answerable(const weir_connection_t *connection)
{
    return connection->answer.status != 0 ||
           (connection->task != NULL && connection->task->state != WEIR_EXCHANGE_PENDING);
}

static void start_task(weir_connection_t *connection)
{
    connection->task = weir_request_start(connection);
    if (connection->task == NULL) {
        connection->answer = (weir_answer_t){.status = 500};
    }
    if (is_answerable(connection)) {
        weir_deadline_lift(&connection->head_deadline);
    }
}

/* Start the guest, or have the request wait for an instance, or turn it away. */
static void begin(weir_connection_t *connection, const char *method, const char *version)
{
    weir_loop_t *loop = connection->loop;
    connection->method = method;
    connection->version = version;
    connection->stage = WEIR_STAGE_BEGUN;
    weir_deadline_lift(&connection->request_deadline);
    weir_request_examine(connection);
    if (connection->answer.status != 0) {
        return;
    }
    weir_deadline_set(&loop->heads, &connection->head_deadline, loop->now);
    if (loop->calls < loop->max_calls && weir_list_is_empty(&loop->waiting)) {
        start_task(connection);
    } else if (loop->waiting_count < loop->max_waiting) {
        weir_list_append(&loop->waiting, &connection->waiting_link);
        loop->waiting_count++;
    } else {
        weir_deadline_lift(&connection->head_deadline);
        connection->answer = (weir_answer_t){.status = 503};
    }
}

/* ---- Answering
 * ---------------------------------------------------------------------------------------------------------- */

static enum MHD_Result queue(weir_connection_t *connection, unsigned status, struct MHD_Response *response)
{
    if (response == NULL) {
        weir_log(WEIR_LOG_ERROR, "a connection was closed without an answer: out of memory");
        return MHD_NO;
    }
    connection->stage = WEIR_STAGE_ANSWERED;
    enum MHD_Result queued = MHD_queue_response(connection->handle, status, response);
    MHD_destroy_response(response);
    return queued;
}

static enum MHD_Result queue_answer(weir_connection_t *connection)
{
    return queue(connection, connection->answer.status, weir_response_of_server(connection));
}

/* The guest failed before its head: the server answers in its place. */
static void take_failure(weir_connection_t *connection)
{
    connection->answer = (weir_answer_t){.status = weir_exchange_status(connection->task->exchange)};
    end_task(connection);
}

static enum MHD_Result queue_guest(weir_connection_t *connection)
{
    unsigned status;
    bool complete;
    struct MHD_Response *response = weir_response_of_guest(connection, &status, &complete);
    if (response != NULL && complete) {
        weir_task_t *task = connection->task;
        connection->task = NULL;
        weir_task_detach(task);
    }
    return queue(connection, status, response);
}

/* The request is there as a whole: answer it, or wait until it can be answered. */
static enum MHD_Result answer(weir_connection_t *connection)
{
    if (connection->early != NULL) {
        return weir_early_is_done(connection->early) ? MHD_NO : suspend(connection, WEIR_WAIT_EARLY);
    }
    weir_task_t *task = connection->task;
    if (task != NULL && task->state == WEIR_EXCHANGE_PENDING) {
        return suspend(connection, WEIR_WAIT_HEAD);
    }
    if (task != NULL && task->state == WEIR_EXCHANGE_FAILED) {
        take_failure(connection);
    }
    return connection->answer.status != 0 ? queue_answer(connection) : queue_guest(connection);
}

/* An answer is known while the request's body is still on its way: leave it a moment to come. */
static void expect_rest(weir_connection_t *connection)
{
    weir_loop_t *loop = connection->loop;
    if (connection->stage == WEIR_STAGE_BODY && connection->early == NULL &&
        !weir_deadline_is_set(&connection->early_deadline)) {
        weir_deadline_set(&loop->earlies, &connection->early_deadline, loop->now);
    }
}

/* Answer while the body is still on its way. */
static void answer_early(weir_connection_t *connection)
{
    if (connection->answer.status == 0 && connection->task->state == WEIR_EXCHANGE_FAILED) {
        take_failure(connection);
    }
    if (!weir_early_start(connection)) {
        weir_log(WEIR_LOG_ERROR, "a connection was closed without an answer: out of memory");
        weir_connection_cut(connection);
    }
}

/* ---- The calls in between: a piece of the request's body -----------------------------------------------------------
 */

static enum MHD_Result receive(weir_connection_t *connection, const char *data, size_t *size)
{
    while (*size > 0) {
        weir_task_t *task = connection->task;
        if (task == NULL || task->state == WEIR_EXCHANGE_FAILED) {
            *size = 0; /* nobody wants it */
            break;
        }
        size_t taken = weir_exchange_feed(task->exchange, (weir_bytes_t){data, *size});
        data += taken;
        *size -= taken;
        if (weir_task_is_eager(task)) {
            weir_task_poll(task);
        } else if (taken == 0) {
            break;
        }
    }
    if (is_answerable(connection)) {
        weir_deadline_lift(&connection->head_deadline);
        if (*size > 0 && connection->early == NULL) {
            /* The guest answers and reads no more for now: perhaps until its answer is being read. */
            answer_early(connection);
            return connection->cut ? MHD_NO : receive(connection, data, size);
        }
        expect_rest(connection);
    }
    return *size > 0 ? suspend(connection, WEIR_WAIT_SPACE) : MHD_YES;
}

/* The body is complete. */
static void end_body(weir_connection_t *connection)
{
    connection->stage = WEIR_STAGE_RECEIVED;
    weir_deadline_lift(&connection->early_deadline);
    weir_task_t *task = connection->task;
    if (task == NULL || !connection->has_body) {
        return;
    }
    weir_exchange_feed_end(task->exchange, false);
    if (weir_task_is_eager(task)) {
        weir_task_poll(task);
        weir_connection_progress(connection);
    }
}

/* Whether the answer is sent instead of reading, or asking for, the request's body. */
static bool is_answered_at_once(const weir_connection_t *connection)
{
    if (connection->answer.at_once) {
        return true;
    }
    if (!connection->has_body || !connection->expects_continue) {
        return false;
    }
    /* A guest that goes on after its head may still want the body, which does not come before it is asked for. */
    return connection->answer.status != 0 || weir_exchange_ended(connection->task->exchange);
}

enum MHD_Result weir_connection_handle(void *context, struct MHD_Connection *handle, const char *url,
    const char *method, const char *version, const char *upload_data, size_t *upload_size, void **request_context)
{
    (void)context;
    (void)handle;
    (void)url;
    weir_connection_t *connection = *request_context;
    if (connection == NULL || connection->cut) {
        return MHD_NO;
    }
    if (*upload_size > 0) {
        return receive(connection, upload_data, upload_size);
    }
    if (connection->stage <= WEIR_STAGE_BEGUN) {
        if (connection->stage == WEIR_STAGE_LINE) {
            begin(connection, method, version);
        }
        if (weir_link_is_linked(&connection->waiting_link)) {
            return suspend(connection, WEIR_WAIT_CALL);
        }
        if (is_answered_at_once(connection)) {
            return answer(connection);
        }
        connection->stage = WEIR_STAGE_BODY;
        if (connection->has_body && is_answerable(connection)) {
            expect_rest(connection);
        }
        return MHD_YES;
    }
    if (connection->stage == WEIR_STAGE_BODY) {
        end_body(connection);
    }
    return answer(connection);
}

/* ---- Outside of libmicrohttpd's calls -------------------------------------------------------------------------------
 */

void weir_connection_admitted(weir_connection_t *connection)
{
    start_task(connection);
    weir_connection_resume(connection);
}

void weir_connection_progress(weir_connection_t *connection)
{
    weir_task_t *task = connection->task;
    if (is_answerable(connection)) {
        weir_deadline_lift(&connection->head_deadline);
    }
    if (connection->early != NULL) {
        weir_early_pump(connection);
        if (connection->wait == WEIR_WAIT_SPACE) {
            weir_connection_resume(connection);
        }
        return;
    }
    switch (connection->wait) {
    case WEIR_WAIT_HEAD:
        if (task->state != WEIR_EXCHANGE_PENDING) {
            weir_connection_resume(connection);
        }
        break;
    case WEIR_WAIT_BODY:
        if (weir_exchange_body(task->exchange).size > 0 || weir_exchange_body_ended(task->exchange) ||
            weir_exchange_ended(task->exchange)) {
            weir_connection_resume(connection);
        }
        break;
    case WEIR_WAIT_SPACE:
        weir_connection_resume(connection);
        break;
    case WEIR_WAIT_NOTHING:
    case WEIR_WAIT_CALL:
    case WEIR_WAIT_EARLY:
        if (is_answerable(connection)) {
            expect_rest(connection);
        }
        break;
    }
}

void weir_connection_head_overdue(weir_connection_t *connection)
{
    /* Those that never got an instance may try again; the others have had their chance. */
    bool waited = weir_link_is_linked(&connection->waiting_link);
    connection->answer = (weir_answer_t){.status = waited ? 503 : 504};
    if (connection->task != NULL) {
        weir_log(
            WEIR_LOG_WARNING, "%s: no response within the time limit; answered with 504", connection->match.route->raw);
        end_task(connection);
    }
    if (connection->wait != WEIR_WAIT_NOTHING) {
        weir_connection_resume(connection);
    } else {
        answer_early(connection);
    }
}

void weir_connection_request_overdue(weir_connection_t *connection)
{
    shutdown(connection->descriptor, SHUT_RDWR);
}

void weir_connection_early_due(weir_connection_t *connection)
{
    answer_early(connection);
}

void weir_connection_linger_over(weir_connection_t *connection)
{
    weir_connection_cut(connection);
}

void weir_connection_watch_due(weir_connection_t *connection)
{
    /* Without a descriptor for it in the epoll the request just goes on unwatched. */
    weir_connection_watch(connection, EPOLLRDHUP);
}

void weir_connection_event(weir_connection_t *connection, uint32_t events)
{
    if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
        /* As hyper does for Spin, a client that has closed its side is taken to have left. */
        weir_connection_watch(connection, 0);
        weir_connection_cut(connection);
    } else if (connection->early != NULL) {
        weir_early_pump(connection);
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
