/*
 * loop.c: the turns of an event loop. Each turn handles first what came in (messages, connections, what they sent),
 * then runs guests that can go on, then sends what these have written; guests that want to go on after that wait for
 * the next turn, so that those that spin hold up the others on their loop for a time slice, or half as long as the
 * others have held up them.
 */
#include "serve/loop.h"

#include "observe/clock.h"
#include "observe/log.h"
#include "serve/accept.h"
#include "serve/admission.h"
#include "serve/chain.h"
#include "serve/connection.h"
#include "serve/limits.h"
#include "serve/notice.h"
#include "serve/record.h"
#include "serve/shared.h"
#include "serve/task.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
    EVENTS_A_TURN = 64,
    BUSY_EVENTS = 4,                       /* as many at once, and others are let run before they are handled */
    DRAIN_STEP_MILLISECONDS = 20,          /* how often a draining loop looks at its idle connections */
    OTHERS_MAX_NANOSECONDS = 50 * 1000000, /* of a turn: as long counts, for guests that compute */
    YIELD_NANOSECONDS = 500 * 1000,        /* more often would leave too much to a process that only computes */
};

/* The inbox of the loop whose thread this is. */
static _Thread_local const weir_inbox_t *own_inbox;

bool weir_loop_is_own(const weir_inbox_t *inbox)
{
    return own_inbox == inbox;
}

bool weir_loop_is_late(const weir_loop_t *loop)
{
    return weir_ticker_count(loop->server->ticker) - loop->turn_ticks > loop->max_turn_ticks;
}

/* ---- Making and freeing ------------------------------------------------------------------------------------------ */

static bool watch_inbox(weir_loop_t *loop)
{
    static weir_source_t source = WEIR_SOURCE_INBOX;
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = &source};
    return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, weir_inbox_descriptor(loop->inbox), &event) == 0;
}

static bool allocate(weir_loop_t *loop)
{
    errno = ENOMEM; /* malloc's, where it says nothing else */
    loop->inbox = weir_inbox_new();
    loop->received = malloc(WEIR_RECEIVE_BYTES);
    loop->gathered = malloc(WEIR_GATHER_BYTES);
    loop->fields = calloc(WEIR_HEAD_FIELDS_MAX, sizeof(*loop->fields));
    return loop->inbox != NULL && loop->received != NULL && loop->gathered != NULL && loop->fields != NULL;
}

bool weir_loop_init(weir_loop_t *loop)
{
    const weir_server_settings_t *settings = &loop->server->settings;
    uint64_t idle = settings->idle_timeout_milliseconds;
    uint64_t head = settings->limits.values[WEIR_SERVING_HEADER_TIMEOUT];
    weir_list_init(&loop->connections);
    weir_list_init(&loop->run_queue);
    weir_list_init(&loop->spin_queue);
    weir_list_init(&loop->tasks);
    weir_list_init(&loop->ready);
    weir_list_init(&loop->closed);
    weir_list_init(&loop->ready_chains);
    weir_deadline_lists_init(&loop->heads);
    weir_deadline_lists_init(&loop->chain_heads);
    weir_deadline_lists_init(&loop->overtimes);
    weir_deadlines_init(&loop->bodies, settings->limits.values[WEIR_SERVING_BODY_TIMEOUT]);
    weir_deadlines_init(&loop->requests, head == 0 ? WEIR_REQUEST_HEAD_MILLISECONDS : head);
    weir_deadlines_init(&loop->idles, idle == 0 ? WEIR_IDLE_MILLISECONDS : idle);
    weir_deadlines_init(&loop->lingers, WEIR_LINGER_MILLISECONDS);
    weir_deadlines_init(&loop->proxy_headers, WEIR_PROXY_HEADER_MILLISECONDS);
    weir_deadlines_init(&loop->watches, WEIR_WATCH_MILLISECONDS);
    atomic_init(&loop->connection_count, 0);
    atomic_init(&loop->computing, 0);
    atomic_init(&loop->turns, 0);
    atomic_init(&loop->ended, false);
    loop->metrics = weir_metrics_of_loop(loop->server->metrics, loop->index);
    loop->woken_at = weir_monotonic_nanoseconds();
    loop->now = weir_monotonic_milliseconds();
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll >= 0 && allocate(loop) && watch_inbox(loop)) {
        weir_admission_init(loop);
        return true;
    }
    int error = errno;
    weir_loop_destroy(loop);
    errno = error;
    return false;
}

/* Take what is still in the inbox: wakers that came too late, and connections that came after the loop had given up. */
static void empty_inbox(weir_loop_t *loop)
{
    weir_message_t *message = weir_inbox_take(loop->inbox);
    while (message != NULL) {
        weir_message_t *next = message->next;
        if (message->kind == WEIR_MESSAGE_WAKE) {
            weir_task_receive(message);
        } else if (message->kind == WEIR_MESSAGE_CHAIN) {
            weir_chain_receive(message);
        } else {
            weir_accept_refuse(loop, message);
        }
        message = next;
    }
}

void weir_loop_destroy(weir_loop_t *loop)
{
    if (loop->epoll >= 0) {
        close(loop->epoll);
    }
    if (loop->inbox != NULL) {
        empty_inbox(loop);
        weir_inbox_release(loop->inbox);
    }
    if (loop->stake != NULL) {
        weir_admission_destroy(loop);
    }
    free(loop->received);
    free(loop->gathered);
    free(loop->fields);
    weir_head_text_free(&loop->head_text);
    weir_head_text_free(&loop->end_text);
    loop->received = NULL;
    loop->epoll = -1;
    loop->inbox = NULL;
    loop->gathered = NULL;
    loop->fields = NULL;
    loop->stake = NULL;
}

/* ---- One turn ---------------------------------------------------------------------------------------------------- */

/* A time of the monotonic clock, in milliseconds, on the loop's own clock. */
static uint64_t on_own_clock(const weir_loop_t *loop, uint64_t at)
{
    return at > loop->lost ? at - loop->lost : 0;
}

/* How long the next wait may last, in milliseconds; -1: for ever. */
static int time_to_wait(weir_loop_t *loop)
{
    if (!weir_list_is_empty(&loop->run_queue) || !weir_list_is_empty(&loop->spin_queue) ||
        !weir_list_is_empty(&loop->ready_chains) || !weir_list_is_empty(&loop->ready)) {
        return 0;
    }
    const weir_deadlines_t *all[] = {
        &loop->bodies, &loop->requests, &loop->idles, &loop->lingers, &loop->proxy_headers, &loop->watches};
    uint64_t next = loop->accept_after == 0 ? UINT64_MAX : loop->accept_after;
    uint64_t retry = weir_admission_next(loop);
    next = retry < next ? retry : next;
    uint64_t notice = loop->notice_at == 0 ? UINT64_MAX : on_own_clock(loop, loop->notice_at);
    next = notice < next ? notice : next;
    uint64_t head = weir_deadline_lists_next(&loop->heads);
    uint64_t chain_head = weir_deadline_lists_next(&loop->chain_heads);
    next = head < next ? head : next;
    uint64_t overtime = weir_deadline_lists_next(&loop->overtimes);
    next = chain_head < next ? chain_head : next;
    next = overtime < next ? overtime : next;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        uint64_t at = weir_deadlines_next(all[i]);
        next = at < next ? at : next;
    }
    if (loop->draining) {
        uint64_t step = loop->now + DRAIN_STEP_MILLISECONDS;
        next = step < next ? step : next;
        uint64_t end = on_own_clock(loop, loop->server->drain_until);
        next = end < next ? end : next;
    }
    if (next == UINT64_MAX) {
        return -1;
    }
    uint64_t wait = next > loop->now ? next - loop->now : 0;
    return wait > INT_MAX ? INT_MAX : (int)wait;
}

static void take_messages(weir_loop_t *loop)
{
    weir_message_t *message = weir_inbox_take(loop->inbox);
    while (message != NULL) {
        weir_message_t *next = message->next;
        switch (message->kind) {
        case WEIR_MESSAGE_WAKE:
            weir_task_receive(message);
            break;
        case WEIR_MESSAGE_CHAIN:
            weir_chain_receive(message);
            break;
        case WEIR_MESSAGE_CONNECTION:
            weir_accept_arrival(loop, message);
            break;
        }
        message = next;
    }
}

static void handle_deadlines(weir_loop_t *loop)
{
    struct {
        weir_deadlines_t *deadlines;
        size_t offset;
        void (*handle)(weir_connection_t *connection);
    } all[] = {
        {&loop->bodies, offsetof(weir_connection_t, body_deadline), weir_connection_body_slow},
        {&loop->requests, offsetof(weir_connection_t, request_deadline), weir_connection_request_overdue},
        {&loop->idles, offsetof(weir_connection_t, idle_deadline), weir_connection_idle_over},
        {&loop->lingers, offsetof(weir_connection_t, linger_deadline), weir_connection_linger_over},
        {&loop->proxy_headers, offsetof(weir_connection_t, proxy_header_deadline), weir_client_header_overdue},
        {&loop->watches, offsetof(weir_connection_t, watch_deadline), weir_connection_watch_due},
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        weir_deadline_t *deadline;
        while ((deadline = weir_deadlines_expire(all[i].deadlines, loop->now)) != NULL) {
            all[i].handle((weir_connection_t *)(void *)((char *)deadline - all[i].offset));
        }
    }
    weir_deadline_t *deadline;
    while ((deadline = weir_deadline_lists_expire(&loop->heads, loop->now)) != NULL) {
        weir_connection_head_overdue(WEIR_CONTAINER(deadline, weir_connection_t, head_deadline));
    }
    while ((deadline = weir_deadline_lists_expire(&loop->chain_heads, loop->now)) != NULL) {
        weir_chain_overdue(WEIR_CONTAINER(deadline, weir_chain_t, deadline));
    }
    while ((deadline = weir_deadline_lists_expire(&loop->overtimes, loop->now)) != NULL) {
        weir_task_t *task = WEIR_CONTAINER(deadline, weir_task_t, overtime);
        weir_log(
            WEIR_LOG_WARNING, "component %s: still running long after its response; ended", weir_guest_id(task->guest));
        weir_count(&task->metrics->counters[WEIR_COMPONENT_OVERTIMES], 1);
        weir_task_end(task);
    }
}

static void run_task(weir_link_t *link)
{
    weir_task_t *task = WEIR_CONTAINER(link, weir_task_t, run_link);
    weir_task_poll(task);
    if (task->connection != NULL) {
        weir_connection_make_ready(task->connection);
    } else if (task->chain != NULL) {
        weir_chain_progress(task->chain);
    } else {
        weir_task_continue(task);
    }
}

/*
 * Those that compute, the one that has waited longest first: a time slice for one of them, and more while they have had
 * less than half as long as everything else in this turn. Where what is light never ends, they go on nevertheless.
 */
static void run_spinning(weir_loop_t *loop)
{
    weir_link_t *link = weir_list_first(&loop->spin_queue);
    if (link == NULL) {
        return;
    }
    uint64_t began = weir_monotonic_nanoseconds();
    uint64_t others = began - loop->woken_at;
    uint64_t due = others < OTHERS_MAX_NANOSECONDS ? others / 2 : OTHERS_MAX_NANOSECONDS / 2;
    do {
        run_task(link);
        link = weir_list_first(&loop->spin_queue);
    } while (link != NULL && weir_monotonic_nanoseconds() - began < due);
}

/*
 * Poll each task that was in the run queue when the turn began, until one of them has used up a time slice, or all have
 * taken too long together. Then those that compute have their turn.
 */
static void run_tasks(weir_loop_t *loop)
{
    weir_list_t due;
    weir_list_init(&due);
    weir_list_move(&loop->run_queue, &due);
    weir_link_t *link;
    uint32_t spins = loop->spins;
    while ((link = weir_list_first(&due)) != NULL) {
        run_task(link);
        if (loop->spins != spins || weir_loop_is_late(loop)) {
            break;
        }
    }
    /* What is left keeps its place before those that were polled. */
    weir_list_t again;
    weir_list_init(&again);
    weir_list_move(&loop->run_queue, &again);
    weir_list_move(&due, &loop->run_queue);
    while ((link = weir_list_first(&again)) != NULL) {
        weir_link_remove(link);
        weir_list_append(&loop->run_queue, link);
    }
    run_spinning(loop);
}

/* ---- Draining ---------------------------------------------------------------------------------------------------- */

static void drain(weir_loop_t *loop)
{
    if (!loop->draining) {
        loop->draining = true;
        weir_accept_update(loop);
    }
    if (loop->accept_after != 0 && loop->now >= loop->accept_after) {
        loop->accept_after = 0;
    }
    weir_accept_remaining(loop);
    weir_link_t *next;
    for (weir_link_t *link = weir_list_first(&loop->connections); link != NULL; link = next) {
        next = weir_list_next(&loop->connections, link);
        weir_connection_drain(WEIR_CONTAINER(link, weir_connection_t, link));
    }
}

/* Nothing is left to be done, and no other loop can hand over anything more. */
static bool is_drained(const weir_loop_t *loop)
{
    return loop->draining && loop->emptied && atomic_load(&loop->server->listening) == 0 &&
           atomic_load(&loop->connection_count) == 0 && weir_list_is_empty(&loop->tasks);
}

/* The drain time is over: close everything. */
static void give_up(weir_loop_t *loop)
{
    loop->cutting = true;
    weir_accept_give_up(loop);
    weir_link_t *link;
    weir_link_t *next;
    for (link = weir_list_first(&loop->connections); link != NULL; link = next) {
        next = weir_list_next(&loop->connections, link);
        weir_connection_give_up(WEIR_CONTAINER(link, weir_connection_t, link));
    }
    weir_connection_free_closed(loop);
    while ((link = weir_list_first(&loop->tasks)) != NULL) {
        weir_task_end(WEIR_CONTAINER(link, weir_task_t, link));
    }
}

/* ---- The thread -------------------------------------------------------------------------------------------------- */

/* Where the time went: what a turn took counts when it is over. */
static void note_sleep(weir_loop_t *loop)
{
    weir_count(&loop->metrics->counters[WEIR_LOOP_BUSY_NANOSECONDS], weir_monotonic_nanoseconds() - loop->woken_at);
    weir_gauge_set(&loop->metrics->gauges[WEIR_LOOP_WAITING], loop->waiting_count);
    weir_gauge_set(&loop->metrics->gauges[WEIR_LOOP_TURN_AT], 0);
}

static void note_turn(weir_loop_t *loop)
{
    loop->woken_at = weir_monotonic_nanoseconds();
    weir_gauge_set(&loop->metrics->gauges[WEIR_LOOP_TURN_AT], loop->woken_at);
}

/*
 * What time it is, after a wait of so many milliseconds (-1: for ever). Where this thread was held up for long (the
 * process was stopped, frozen or starved) time has stood still for it: what came meanwhile is there to be handled, and
 * it would be unjust to let limits run out first. Not twice in a row, so that a machine which is always too slow keeps
 * limits, too, if late.
 */
static uint64_t read_clock(weir_loop_t *loop, int wait)
{
    uint64_t now = loop->woken_at / 1000000 - loop->lost;
    uint64_t due = wait < 0 ? now : loop->now + (uint64_t)wait;
    if (now < due + WEIR_HELD_UP_MILLISECONDS || loop->now < loop->lost_until) {
        return now;
    }
    loop->lost += now - loop->now;
    loop->lost_until = loop->now + WEIR_HELD_UP_MILLISECONDS;
    return loop->now;
}

/* Wait for events, and see what time it is then. Returns their number. */
static int wait_for_events(weir_loop_t *loop, struct epoll_event *events)
{
    int wait = time_to_wait(loop);
    if (wait != 0 && !weir_inbox_may_sleep(loop->inbox)) {
        wait = 0;
    }
    note_sleep(loop);
    /* Those who were answered just now may wait for this very processor: else they get it when a whole time slice is
     * used up, for there is always more to do by then. */
    if (loop->is_busy && wait != 0 && loop->woken_at >= loop->yielded_at + YIELD_NANOSECONDS) {
        loop->yielded_at = loop->woken_at;
        sched_yield();
    }
    int count = epoll_wait(loop->epoll, events, EVENTS_A_TURN, wait);
    loop->is_busy = count >= BUSY_EVENTS;
    note_turn(loop);
    weir_inbox_awake(loop->inbox);
    loop->now = read_clock(loop, wait);
    return count < 0 ? 0 : count;
}

/* Those that were ready when this began: what becomes ready by it is the next turn's. */
static void run_connections(weir_loop_t *loop)
{
    weir_list_t due;
    weir_link_t *link;
    weir_list_init(&due);
    weir_list_move(&loop->ready, &due);
    while ((link = weir_list_first(&due)) != NULL) {
        weir_connection_run(WEIR_CONTAINER(link, weir_connection_t, ready_link));
    }
}

static void turn(weir_loop_t *loop)
{
    struct epoll_event events[EVENTS_A_TURN];
    int count = wait_for_events(loop, events);
    bool accepts = false;
    atomic_store_explicit(
        &loop->turns, atomic_load_explicit(&loop->turns, memory_order_relaxed) + 1, memory_order_relaxed);
    loop->turn_ticks = weir_ticker_count(loop->server->ticker);
    for (int i = 0; i < count; i++) {
        switch (*(const weir_source_t *)events[i].data.ptr) {
        case WEIR_SOURCE_LISTENER:
            accepts = true;
            break;
        case WEIR_SOURCE_CONNECTION:
            weir_connection_event(events[i].data.ptr, events[i].events);
            break;
        case WEIR_SOURCE_INBOX:
            break;
        }
    }
    weir_admission_refresh(loop);
    take_messages(loop);
    handle_deadlines(loop);
    if (accepts && !loop->draining) {
        weir_accept(loop);
    }
    /* What has come in goes before guests that compute: they may take a time slice. */
    run_connections(loop);
    weir_chain_run(loop);
    run_tasks(loop);
    weir_chain_run(loop);
    weir_admission_admit(loop);
    run_connections(loop);
    weir_chain_run(loop);
    weir_admission_admit(loop);
    weir_connection_free_closed(loop);
    weir_notice_flush(loop);
    weir_accept_update(loop);
    atomic_store_explicit(&loop->computing, loop->spin_count, memory_order_relaxed);
}

/* Have what guests need of this thread, and say whether it could be had. */
static bool prepare_thread(struct weir_server *server)
{
    bool prepared = weir_thread_prepare();
    pthread_mutex_lock(&server->lock);
    server->prepared += prepared ? 1 : 0;
    server->unprepared += prepared ? 0 : 1;
    pthread_cond_signal(&server->changed);
    pthread_mutex_unlock(&server->lock);
    return prepared;
}

void *weir_loop_main(void *argument)
{
    weir_loop_t *loop = argument;
    struct weir_server *server = loop->server;
    if (!prepare_thread(server)) {
        return NULL;
    }
    own_inbox = loop->inbox;
    weir_accept_update(loop);
    while (!is_drained(loop)) {
        turn(loop);
        if (!atomic_load(&server->stopping)) {
            continue;
        }
        if (loop->now >= on_own_clock(loop, server->drain_until)) {
            give_up(loop);
            break;
        }
        drain(loop);
    }
    own_inbox = NULL;
    atomic_store_explicit(&loop->ended, true, memory_order_relaxed);
    return NULL;
}
