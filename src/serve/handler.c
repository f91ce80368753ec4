/*
 * handler.c: the way of a request through libmicrohttpd. Its access handler is called once when the headers are there,
 * then with each piece of the body, then once more; a response can only be queued in the first and the last of these
 * calls, and in the first it closes the connection. So the guest is started in the first call, fed in the others, and
 * its response queued in the last; a connection that has to wait for its guest is suspended. What happens outside of
 * these calls (the guest made progress, time is over) is at the end of the file.
 */
#include "observe/log.h"
#include "serve/admission.h"
#include "serve/connection.h"
#include "serve/early.h"
#include "serve/limits.h"
#include "serve/notice.h"
#include "serve/request.h"
#include "serve/response.h"
#include "serve/shared.h"

/* ---- The first call: the headers are there ----------------------------------------------------------------------- */

/* The head of the response is known, from the guest or from the server. */
static bool is_answerable(const weir_connection_t *connection)
{
    return connection->answer.status != 0 ||
           (connection->task != NULL && connection->task->state != WEIR_EXCHANGE_PENDING);
}

/* It waits for an instance, and goes no further before it has one. */
static bool waits(const weir_connection_t *connection)
{
    return weir_link_is_linked(&connection->waiting_link);
}

/* Its task's instance was refused: let it wait for another, with all that it has. Returns whether that was so. */
static bool take_refusal(weir_connection_t *connection)
{
    weir_loop_t *loop = connection->loop;
    weir_task_t *task = connection->task;
    if (task == NULL || task->state != WEIR_EXCHANGE_REFUSED) {
        return false;
    }
    const weir_server_settings_t *settings = &loop->server->settings;
    const char *component = weir_guest_id(task->guest);
    const char *what = weir_exchange_refusal(task->exchange);
    weir_notice(loop, WEIR_NOTICE_REFUSED, "component %s: no instance could be had, and its request waits: %s",
        component, what);
    if (settings->refused != NULL) {
        settings->refused(settings->context, component, what);
    }
    if (weir_exchange_reclaim(task->exchange, &connection->collected)) {
        connection->has_collected = true;
    }
    weir_connection_end_task(connection);
    weir_admission_wait_again(connection);
    if (connection->wait != WEIR_WAIT_NOTHING) {
        connection->wait = WEIR_WAIT_CALL;
    }
    return true;
}

static void start_task(weir_connection_t *connection, const weir_permit_t *take_permit)
{
    connection->task = weir_request_start(connection, take_permit);
    if (connection->task == NULL) {
        connection->answer = (weir_answer_t){.status = 500};
    } else if (!take_refusal(connection) && connection->stage == WEIR_STAGE_RECEIVED && connection->has_body &&
               !connection->has_collected) {
        /* It was refused before; the end of its body came before anything of it. */
        weir_exchange_feed_end(connection->task->exchange, false);
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
    weir_permit_t permit;
    if (weir_admission_take(connection, &permit)) {
        start_task(connection, &permit);
    } else if (!weir_admission_wait(connection)) {
        weir_deadline_lift(&connection->head_deadline);
        connection->answer = (weir_answer_t){.status = 503};
        weir_notice(loop, WEIR_NOTICE_FULL,
            "component %s: a request was answered with 503: all instances are in use, and %u requests wait already",
            weir_guest_id(weir_admission_guest(connection)), (unsigned)loop->server->settings.max_waiting);
    }
}

/* ---- Answering --------------------------------------------------------------------------------------------------- */

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

/* The guest failed before its head: the server answers in its place. */
static void take_failure(weir_connection_t *connection)
{
    connection->answer = (weir_answer_t){.status = weir_exchange_failure_status(connection->task->exchange)};
    weir_connection_end_task(connection);
}

/* Answer without libmicrohttpd: while the body is still on its way, or with a large head. */
static void answer_early(weir_connection_t *connection)
{
    if (weir_early_is_too_late(connection)) {
        return;
    }
    weir_task_t *task = connection->task;
    if (connection->answer.status == 0 && task != NULL && task->state == WEIR_EXCHANGE_FAILED) {
        take_failure(connection);
    }
    if (!weir_early_start(connection)) {
        weir_log(WEIR_LOG_ERROR, "a connection was closed without an answer: out of memory");
        weir_connection_cut(connection);
    } else if (connection->wait == WEIR_WAIT_SPACE) {
        weir_connection_resume(connection); /* the guest was polled, and may have made some */
    }
}

/* What is sent without libmicrohttpd ends with the connection's closing. */
static enum MHD_Result await_early(weir_connection_t *connection)
{
    return weir_early_is_done(connection->early) ? MHD_NO : weir_connection_suspend(connection, WEIR_WAIT_EARLY);
}

/*
 * Whether libmicrohttpd has room for the head of the response: half of its memory may hold what was read of the
 * next request.
 */
static bool has_room(weir_connection_t *connection)
{
    enum { ALWAYS_ROOM = 1024, ADDED_BYTES = 512 };
    size_t size = weir_response_head_size(connection);
    return size <= ALWAYS_ROOM || weir_request_memory(connection) + size + ADDED_BYTES <= WEIR_CONNECTION_BYTES / 2;
}

static enum MHD_Result queue_early(weir_connection_t *connection)
{
    answer_early(connection);
    return connection->cut || connection->early == NULL ? MHD_NO : await_early(connection);
}

static enum MHD_Result queue_answer(weir_connection_t *connection)
{
    return has_room(connection) ? queue(connection, connection->answer.status, weir_response_of_server(connection))
                                : queue_early(connection);
}

static enum MHD_Result queue_guest(weir_connection_t *connection)
{
    if (!has_room(connection)) {
        return queue_early(connection);
    }
    unsigned status;
    bool complete;
    struct MHD_Response *response = weir_response_of_guest(connection, &status, &complete);
    if (connection->answer.status != 0) {
        weir_connection_end_task(connection);
        return queue_answer(connection);
    }
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
        return await_early(connection);
    }
    weir_task_t *task = connection->task;
    if (task != NULL && task->state == WEIR_EXCHANGE_PENDING) {
        return weir_connection_suspend(connection, WEIR_WAIT_HEAD);
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
        !weir_deadline_is_set(&connection->rest_deadline)) {
        weir_deadline_set(&loop->rests, &connection->rest_deadline, loop->now);
    }
}

/* ---- The calls in between: a piece of the request's body --------------------------------------------------------- */

/* Give the guest as much of a piece as it takes. */
static void feed(weir_connection_t *connection, const char **data, size_t *size)
{
    weir_task_t *task = connection->task;
    if (task->polls == 0) {
        return; /* its instance may yet be refused, and what it was fed would be lost */
    }
    while (*size > 0 && task->state != WEIR_EXCHANGE_FAILED) {
        size_t taken = weir_exchange_feed(task->exchange, (weir_bytes_t){*data, *size});
        *data += taken;
        *size -= taken;
        if (weir_task_is_eager(task)) {
            weir_task_poll(task);
        } else if (taken == 0) {
            return;
        }
    }
}

static enum MHD_Result receive(weir_connection_t *connection, const char *data, size_t *size)
{
    while (connection->task != NULL && connection->task->state != WEIR_EXCHANGE_FAILED) {
        feed(connection, &data, size);
        if (take_refusal(connection)) {
            return weir_connection_suspend(connection, WEIR_WAIT_CALL);
        }
        unsigned polls = connection->task->polls;
        if (is_answerable(connection)) {
            weir_deadline_lift(&connection->head_deadline);
        }
        if (connection->early == NULL) {
            if (*size == 0 || !is_answerable(connection)) {
                break;
            }
            /* The guest answers, and reads no more for now: perhaps not before its answer is being read. */
            answer_early(connection);
        } else {
            /* It was polled, perhaps, and has more to say; to get rid of that may let it read on. */
            weir_early_pump(connection);
        }
        if (connection->cut) {
            return MHD_NO;
        }
        if (*size == 0 || connection->task == NULL || connection->task->polls == polls) {
            break;
        }
    }
    bool wanted = connection->task != NULL && connection->task->state != WEIR_EXCHANGE_FAILED;
    if (wanted && *size > 0) {
        return weir_connection_suspend(connection, WEIR_WAIT_SPACE);
    }
    *size = 0;
    if (is_answerable(connection)) {
        expect_rest(connection);
    }
    return MHD_YES;
}

/* The body is complete. */
static void end_body(weir_connection_t *connection)
{
    connection->stage = WEIR_STAGE_RECEIVED;
    weir_deadline_lift(&connection->rest_deadline);
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
    if (connection == NULL) {
        /* There was no memory to keep the connection, or the request's line. */
        weir_log(WEIR_LOG_ERROR, "a connection was closed without an answer: out of memory");
        return MHD_NO;
    }
    if (connection->cut) {
        return MHD_NO;
    }
    if (waits(connection)) {
        return weir_connection_suspend(connection, WEIR_WAIT_CALL);
    }
    if (*upload_size > 0) {
        return receive(connection, upload_data, upload_size);
    }
    if (connection->stage <= WEIR_STAGE_BEGUN) {
        if (connection->stage == WEIR_STAGE_LINE) {
            begin(connection, method, version);
        }
        if (waits(connection)) {
            return weir_connection_suspend(connection, WEIR_WAIT_CALL);
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
    return waits(connection) ? weir_connection_suspend(connection, WEIR_WAIT_CALL) : answer(connection);
}

/* ---- Outside of libmicrohttpd's calls ---------------------------------------------------------------------------- */

void weir_connection_admitted(weir_connection_t *connection, const weir_permit_t *take_permit)
{
    start_task(connection, take_permit);
    if (waits(connection)) {
        return; /* refused, again */
    }
    if (connection->wait != WEIR_WAIT_NOTHING) {
        weir_connection_resume(connection);
    } else if (is_answerable(connection)) {
        expect_rest(connection);
    }
}

void weir_connection_answered(weir_connection_t *connection)
{
    weir_deadline_lift(&connection->head_deadline);
    if (connection->wait != WEIR_WAIT_NOTHING) {
        weir_connection_resume(connection);
    } else {
        expect_rest(connection);
    }
}

void weir_connection_progress(weir_connection_t *connection)
{
    if (take_refusal(connection)) {
        return;
    }
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
    bool waited = waits(connection);
    connection->answer = (weir_answer_t){.status = waited ? 503 : 504};
    if (waited) {
        weir_notice(connection->loop, WEIR_NOTICE_WAITED,
            "component %s: a request was answered with 503: no instance could be had within the time limit",
            weir_guest_id(weir_admission_guest(connection)));
        weir_admission_withdraw(connection);
    }
    if (connection->task != NULL) {
        weir_exchange_log(
            connection->task->exchange, WEIR_LOG_WARNING, "no response within the time limit; answered with 504");
        weir_connection_end_task(connection);
    }
    if (connection->wait != WEIR_WAIT_NOTHING) {
        weir_connection_resume(connection);
    } else {
        answer_early(connection);
    }
}

void weir_connection_rest_overdue(weir_connection_t *connection)
{
    answer_early(connection);
}
