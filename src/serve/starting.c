/*
 * starting.c: how a request comes to its guest: at once, after a wait for an instance, again where its instance was
 * refused, or not at all; and what the loop tells of one that waits, or is not answered in time.
 */
#include "serve/starting.h"

#include "observe/log.h"
#include "serve/admission.h"
#include "serve/body.h"
#include "serve/notice.h"
#include "serve/request.h"
#include "serve/shared.h"

/* ---- Starting it ------------------------------------------------------------------------------------------------ */

bool weir_starting_is_answerable(const weir_connection_t *connection)
{
    return connection->answer.status != 0 ||
           (connection->task != NULL && connection->task->state != WEIR_EXCHANGE_PENDING &&
               connection->task->state != WEIR_EXCHANGE_REFUSED);
}

bool weir_starting_waits(const weir_connection_t *connection)
{
    return connection->waiter.queue != NULL;
}

bool weir_starting_take_refusal(weir_connection_t *connection)
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
    weir_count(&task->metrics->counters[WEIR_COMPONENT_INSTANCES_REFUSED], 1);
    /* First, for with its last task a generation goes, and its routes. */
    bool same_routes = task->permit.stake->generation->parts.routes == loop->stake->generation->parts.routes;
    bool leads_on = same_routes || weir_request_route(connection);
    weir_connection_end_task(connection);
    if (!same_routes) {
        weir_record_route(connection);
        leads_on = leads_on && !weir_body_refuse(connection);
    }
    if (leads_on) {
        weir_admission_wait_again(connection);
        weir_record_wait(connection);
    } else {
        weir_connection_answered(connection);
    }
    return true;
}

static void start_task(weir_connection_t *connection, const weir_permit_t *take_permit)
{
    weir_record_admit(connection);
    connection->task = weir_request_start(connection, take_permit);
    if (connection->task == NULL) {
        weir_record_note(connection, WEIR_REQUEST_INTERNAL);
        connection->answer = (weir_answer_t){.status = 500};
    } else if (!weir_starting_take_refusal(connection) && !connection->body_coming &&
               connection->head.content_length != 0 && !connection->has_collected) {
        /* It was refused before; the end of its body came before anything of it. */
        weir_exchange_feed_end(connection->task->exchange, false);
    }
    if (weir_starting_is_answerable(connection)) {
        weir_deadline_lift(&connection->head_deadline);
    }
}

/* Too many wait. */
static void turn_away(weir_connection_t *connection)
{
    weir_record_note(connection, WEIR_REQUEST_FULL);
    weir_deadline_lift(&connection->head_deadline);
    connection->answer = (weir_answer_t){.status = 503, .retry_after = weir_admission_retry_after(connection)};
    weir_notice(connection->loop, WEIR_NOTICE_FULL,
        "component %s: a request was answered with 503: all instances that this component may have are in use, and %u "
        "requests wait already",
        weir_guest_id(weir_admission_guest(connection)), (unsigned)connection->loop->max_waiting_of_all);
}

/* How many milliseconds it has until the head of its response, or, apart from that, for waiting (0: not apart). */
static uint64_t time_to_answer(const weir_connection_t *connection)
{
    size_t component = connection->match.route->trigger->component;
    return weir_admission_time(connection->loop, connection->loop->stake, component);
}

static uint64_t time_to_wait(const weir_connection_t *connection)
{
    return weir_admission_limits_of(connection)->values[WEIR_SERVING_WAITING_TIMEOUT];
}

void weir_starting_admit(weir_connection_t *connection)
{
    weir_loop_t *loop = connection->loop;
    weir_permit_t permit;
    if (weir_admission_take(connection, &permit)) {
        weir_deadline_lists_set(&loop->heads, &connection->head_deadline, time_to_answer(connection), loop->now);
        start_task(connection, &permit);
    } else if (weir_admission_wait(connection)) {
        uint64_t time = time_to_wait(connection);
        weir_deadline_lists_set(
            &loop->heads, &connection->head_deadline, time == 0 ? time_to_answer(connection) : time, loop->now);
        weir_record_wait(connection);
    } else {
        turn_away(connection);
    }
}

bool weir_starting_may_be_refused(const weir_connection_t *connection)
{
    return weir_starting_waits(connection) ||
           (connection->task != NULL && connection->task->state == WEIR_EXCHANGE_PENDING);
}

/* ---- What the loop tells ---------------------------------------------------------------------------------------- */

void weir_connection_admitted(weir_connection_t *connection, const weir_permit_t *take_permit)
{
    weir_loop_t *loop = connection->loop;
    if (time_to_wait(connection) != 0) {
        weir_deadline_lists_set(&loop->heads, &connection->head_deadline, time_to_answer(connection), loop->now);
    }
    start_task(connection, take_permit);
    weir_connection_make_ready(connection);
}

void weir_connection_answered(weir_connection_t *connection)
{
    weir_deadline_lift(&connection->head_deadline);
    weir_connection_make_ready(connection);
}

void weir_connection_crowded_out(weir_connection_t *connection)
{
    turn_away(connection);
    weir_connection_make_ready(connection);
}

void weir_connection_head_overdue(weir_connection_t *connection)
{
    /* Those that never got an instance may try again; the others have had their chance. */
    bool waited = weir_starting_waits(connection);
    char words[WEIR_LIMIT_WORDS_BYTES];
    connection->answer = (weir_answer_t){
        .status = waited ? 503 : 504, .retry_after = waited ? weir_admission_retry_after(connection) : 0};
    weir_record_note(connection, waited ? WEIR_REQUEST_WAITED : WEIR_REQUEST_TIMED_OUT);
    if (waited) {
        uint64_t time = time_to_wait(connection);
        const char *id = weir_guest_id(weir_admission_guest(connection));
        weir_notice(connection->loop, WEIR_NOTICE_WAITED,
            "component %s: a request was answered with 503: no instance could be had within %g s, %s", id,
            (double)(time == 0 ? time_to_answer(connection) : time) / 1000,
            weir_limit_words(weir_admission_limits_of(connection),
                time == 0 ? WEIR_SERVING_REQUEST_TIMEOUT : WEIR_SERVING_WAITING_TIMEOUT, id, words));
        weir_admission_withdraw(connection);
    }
    if (connection->task != NULL) {
        const char *id = weir_exchange_guest_id(connection->task->exchange);
        weir_exchange_log(connection->task->exchange, WEIR_LOG_WARNING,
            "no response within %g s, %s; answered with 504", (double)weir_task_time(connection->task) / 1000,
            weir_limit_words(connection->task->limits, WEIR_SERVING_REQUEST_TIMEOUT, id, words));
        weir_connection_end_task(connection);
    }
    weir_connection_make_ready(connection);
}
