/*
 * task.c: starting, polling and ending of exchanges, and their waker. A waker that is called on the loop's own thread,
 * as it is at the end of each time slice of a guest that spins, puts the task at the end of a run queue; from any other
 * thread it goes through the loop's inbox.
 */
#include "serve/task.h"

#include "guest/handover.h"
#include "observe/clock.h"
#include "observe/log.h"
#include "serve/chain.h"
#include "serve/connection.h"
#include "serve/shared.h"

#include <stdlib.h>
#include <time.h>

enum {
    CPU_GIVEN_BACK = 10,               /* one part in so many of the time that a guest waits */
    CPU_METERED_NANOSECONDS = 1000000, /* a poll that takes longer shows that it computes */
};

static void release_task(weir_task_t *task)
{
    if (atomic_fetch_sub_explicit(&task->references, 1, memory_order_acq_rel) == 1) {
        weir_inbox_release(task->inbox);
        free(task);
    }
}

/* A guest that wants to go on although its time slice is over takes its turn after those that have waited. */
static void enqueue(weir_task_t *task)
{
    weir_loop_t *loop = task->loop;
    if (task->exchange == NULL || weir_link_is_linked(&task->run_link)) {
        return;
    }
    task->used_up = task->is_polled && weir_ticker_count(loop->server->ticker) != task->poll_ticks;
    loop->spins += task->used_up ? 1 : 0;
    loop->spin_count += task->used_up ? 1 : 0;
    weir_list_append(task->used_up ? &loop->spin_queue : &loop->run_queue, &task->run_link);
}

static void dequeue(weir_task_t *task)
{
    if (weir_link_is_linked(&task->run_link)) {
        task->loop->spin_count -= task->used_up ? 1 : 0;
        weir_link_remove(&task->run_link);
    }
}

static void wake(void *context)
{
    weir_task_t *task = weir_take_from_bridge(context);
    if (weir_loop_is_own(task->inbox)) {
        enqueue(task);
    } else if (!atomic_exchange(&task->woken, true)) {
        atomic_fetch_add_explicit(&task->references, 1, memory_order_relaxed);
        weir_inbox_put(task->inbox, &task->message);
    }
    weir_give_to_bridge(task);
}

static void release_waker(void *context)
{
    release_task(weir_take_from_bridge(context));
}

void weir_task_receive(weir_message_t *message)
{
    weir_task_t *task = WEIR_CONTAINER(message, weir_task_t, message);
    /* First, so that a call of the waker from now on is not taken for this one. */
    atomic_store(&task->woken, false);
    enqueue(task);
    release_task(task);
}

weir_task_t *weir_task_start(weir_loop_t *loop, struct weir_connection *connection, struct weir_chain *chain,
    const weir_permit_t *take_permit, const weir_guest_t *guest, const weir_request_t *request,
    const weir_route_match_t *match)
{
    weir_task_t *task = calloc(1, sizeof(*task));
    if (task == NULL) {
        weir_log(WEIR_LOG_ERROR, "a request was answered with 500: out of memory");
        weir_admission_leave(loop, take_permit);
        return NULL;
    }
    atomic_init(&task->references, 2);
    atomic_init(&task->woken, false);
    task->message.kind = WEIR_MESSAGE_WAKE;
    task->inbox = weir_inbox_retain(loop->inbox);
    task->loop = loop;
    task->guest = guest;
    size_t component = chain == NULL ? match->route->trigger->component : chain->component;
    task->metrics = &take_permit->stake->generation->counted[component]->loops[loop->index];
    task->limits = weir_admission_limits(take_permit->stake, component);
    task->cpu_most = task->limits->values[WEIR_SERVING_CPU_TIME] * 1000000;
    task->permit = *take_permit;
    task->connection = connection;
    task->chain = chain;
    task->depth = chain == NULL ? 0 : chain->depth;
    weir_list_init(&task->chains);
    weir_request_t with_caller = *request;
    with_caller.caller = task;
    weir_waker_t waker = {.wake = wake, .release = release_waker, .context = task};
    weir_exchange_t *exchange;
    weir_give_to_bridge(task);
    if (!weir_exchange_start(guest, &with_caller, match, waker, &exchange)) {
        weir_admission_leave(loop, take_permit);
        release_task(task);
        return NULL;
    }
    task->exchange = exchange;
    weir_gauge_move(&task->metrics->gauges[WEIR_COMPONENT_INSTANCES], true);
    weir_list_append(&loop->tasks, &task->link);
    if (weir_loop_is_late(loop)) {
        enqueue(task);
    } else {
        weir_task_poll(task);
    }
    return task;
}

uint64_t weir_task_time(const weir_task_t *task)
{
    uint64_t own = task->limits->values[WEIR_SERVING_REQUEST_TIMEOUT];
    return own == 0 ? task->loop->server->settings.request_timeout_milliseconds : own;
}

/* Nanoseconds of the clock that tells what a poll takes. A system call where it is that of the thread: so it is read
 * only of guests that compute. */
static uint64_t read_clock(const weir_task_t *task)
{
    struct timespec now;
    if (!task->is_metered) {
        return weir_monotonic_nanoseconds();
    }
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

/* A guest that waits most of the time may go on for ever: a tenth of the time that it waits is given back to it. */
static void give_back(weir_task_t *task)
{
    uint64_t waited = task->waits_since == 0 ? 0 : (task->loop->now - task->waits_since) * (1000000 / CPU_GIVEN_BACK);
    task->cpu_spent -= waited < task->cpu_spent ? waited : task->cpu_spent;
}

/* It has computed for this many nanoseconds more. One that has done so for too long has failed. */
static void charge(weir_task_t *task, uint64_t spent)
{
    /* What is not metered is told by the clock on the wall, which goes on while the process is stopped or gets no
     * processor: that is nothing to charge a guest with. From now on it is metered. */
    bool computes = spent > CPU_METERED_NANOSECONDS;
    spent = computes && !task->is_metered ? CPU_METERED_NANOSECONDS : spent;
    bool has_ended = weir_exchange_ended(task->exchange) || task->state == WEIR_EXCHANGE_REFUSED;
    task->is_metered = task->is_metered || computes;
    task->cpu_spent += spent;
    task->waits_since = weir_link_is_linked(&task->run_link) ? 0 : task->loop->now;
    weir_count(&task->metrics->counters[WEIR_COMPONENT_CPU_NANOSECONDS], spent);
    if (task->connection != NULL) {
        task->connection->record.cpu_nanoseconds += spent;
    }
    if (task->cpu_most == 0 || task->cpu_spent < task->cpu_most || has_ended) {
        return;
    }
    char words[WEIR_LIMIT_WORDS_BYTES];
    weir_exchange_log(task->exchange, WEIR_LOG_WARNING, "it computed for %g s, %s, and was ended%s",
        (double)task->cpu_most / 1e9,
        weir_limit_words(task->limits, WEIR_SERVING_CPU_TIME, weir_exchange_guest_id(task->exchange), words),
        task->state == WEIR_EXCHANGE_PENDING ? "; answered with 504" : " after its response began");
    weir_count(&task->metrics->counters[WEIR_COMPONENT_CPU_OVER], 1);
    if (task->connection != NULL) {
        weir_record_note(task->connection, WEIR_REQUEST_CPU_OVER);
    }
    weir_exchange_stop(task->exchange, 504);
    task->state = WEIR_EXCHANGE_FAILED;
}

void weir_task_poll(weir_task_t *task)
{
    weir_loop_t *loop = task->loop;
    dequeue(task);
    give_back(task);
    task->polls++;
    task->poll_ticks = weir_ticker_count(loop->server->ticker);
    task->is_polled = true;
    uint64_t before = read_clock(task);
    weir_ticker_begin(loop->server->ticker, loop->index);
    task->state = weir_exchange_poll(task->exchange);
    weir_ticker_end(loop->server->ticker, loop->index);
    task->is_polled = false;
    charge(task, read_clock(task) - before);
    if (task->polls == 1 && task->state != WEIR_EXCHANGE_REFUSED) {
        weir_admission_succeeded(&task->permit);
        bool made = weir_exchange_made_instance(task->exchange);
        weir_count(&task->metrics->counters[WEIR_COMPONENT_INSTANCES_MADE], made ? 1 : 0);
    }
}

bool weir_task_is_eager(const weir_task_t *task)
{
    return weir_link_is_linked(&task->run_link) && !task->used_up && !weir_loop_is_late(task->loop);
}

weir_body_state_t weir_task_body(weir_task_t *task, weir_bytes_t *ret_bytes)
{
    for (;;) {
        if (task->state == WEIR_EXCHANGE_FAILED) {
            return WEIR_BODY_BROKEN;
        }
        *ret_bytes = weir_exchange_body(task->exchange);
        if (ret_bytes->size > 0) {
            return WEIR_BODY_BYTES;
        }
        if (weir_exchange_body_ended(task->exchange)) {
            return WEIR_BODY_ENDED;
        }
        if (weir_exchange_ended(task->exchange)) {
            return WEIR_BODY_BROKEN; /* a guest that has ended writes no more */
        }
        if (!weir_task_is_eager(task)) {
            return WEIR_BODY_LATER;
        }
        weir_task_poll(task);
    }
}

void weir_task_detach(weir_task_t *task)
{
    task->connection = NULL;
    weir_deadline_lists_set(&task->loop->overtimes, &task->overtime, weir_task_time(task), task->loop->now);
    weir_task_continue(task);
}

void weir_task_continue(weir_task_t *task)
{
    if (task->state != WEIR_EXCHANGE_FAILED) {
        size_t size;
        while ((size = weir_exchange_body(task->exchange).size) > 0) {
            weir_exchange_consume(task->exchange, size);
        }
    }
    if (weir_exchange_ended(task->exchange)) {
        weir_task_end(task);
    }
}

void weir_task_end(weir_task_t *own_task)
{
    weir_exchange_t *exchange = own_task->exchange;
    own_task->exchange = NULL; /* the waker may be called while the exchange is being freed */
    own_task->connection = NULL;
    own_task->chain = NULL;
    weir_chain_end_all(own_task);
    dequeue(own_task);
    weir_link_remove(&own_task->link);
    weir_deadline_lift(&own_task->overtime);
    weir_gauge_move(&own_task->metrics->gauges[WEIR_COMPONENT_INSTANCES], false);
    if (weir_exchange_trapped(exchange)) {
        weir_count(&own_task->metrics->counters[WEIR_COMPONENT_TRAPS], 1);
    }
    weir_exchange_free(exchange);
    weir_admission_leave(own_task->loop, &own_task->permit);
    release_task(own_task);
}
