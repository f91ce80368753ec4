/*
 * admission.c: counting calls, and the lists of those that wait. What is particular of calls from guest to guest is in
 * admission_chain.c.
 */
#include "serve/admission.h"

#include "serve/admission_internal.h"
#include "serve/body.h"
#include "serve/connection.h"
#include "serve/limits.h"
#include "serve/request.h"
#include "serve/shared.h"
#include "serve/shares.h"

enum {
    PACE_UNIT = 1024, /* in which parts of a millisecond the pace is kept */
};

static size_t component_of(const weir_connection_t *connection)
{
    return connection->match.route->trigger->component;
}

/* Which engine a request needs, in the loop's generation. */
static size_t engine_of(const weir_connection_t *connection)
{
    return connection->loop->stake->generation->parts.guests[component_of(connection)].engine;
}

static weir_lane_t *lane_of(const weir_connection_t *connection)
{
    return &connection->loop->stake->lanes[engine_of(connection)];
}

static weir_queue_t *queue_of(const weir_connection_t *connection)
{
    return &connection->loop->stake->queues[component_of(connection)];
}

const weir_guest_t *weir_admission_guest(const weir_connection_t *connection)
{
    return connection->loop->stake->generation->parts.guests[component_of(connection)].guest;
}

const weir_limits_t *weir_admission_limits(const weir_stake_t *stake, size_t component)
{
    return &stake->generation->parts.guests[component].limits;
}

uint64_t weir_admission_time(const weir_loop_t *loop, const weir_stake_t *stake, size_t component)
{
    uint64_t own = weir_admission_limits(stake, component)->values[WEIR_SERVING_REQUEST_TIMEOUT];
    return own == 0 ? loop->server->settings.request_timeout_milliseconds : own;
}

uint64_t weir_admission_server_limit(const weir_loop_t *loop, weir_serving_limit_t limit)
{
    const weir_limits_t *limits = &loop->stake->generation->parts.limits;
    return limits->are_set[limit] ? limits->values[limit] : loop->server->settings.limits.values[limit];
}

const weir_limits_t *weir_admission_limits_of(const weir_connection_t *connection)
{
    return weir_admission_limits(connection->loop->stake, component_of(connection));
}

/* ---- Generations ------------------------------------------------------------------------------------------------- */

static void enter(weir_loop_t *loop)
{
    weir_generation_t *generation = weir_keeper_enter(&loop->server->keeper);
    loop->stake = &generation->stakes[loop->index];
    weir_list_append(&loop->stakes, &loop->stake->link);
    const weir_limits_t *limits = &generation->parts.limits;
    const weir_server_settings_t *settings = &loop->server->settings;
    loop->max_waiting_of_all =
        limits->are_set[WEIR_SERVING_WAITING] ? (uint32_t)limits->values[WEIR_SERVING_WAITING] : settings->max_waiting;
    loop->max_waiting = weir_share(loop->max_waiting_of_all, generation->loop_count, loop->index);
}

/* Nobody waits here any more: what a gate would keep for this loop is for others. */
static void stop_asking(const weir_loop_t *loop, weir_stake_t *stake)
{
    for (size_t i = 0; i < stake->generation->parts.engine_count; i++) {
        if (stake->lanes[i].asked) {
            weir_gate_decline(&stake->generation->gates[i], loop->index);
            stake->lanes[i].asked = false;
        }
    }
}

static void drop(weir_loop_t *loop, weir_stake_t *stake)
{
    stop_asking(loop, stake);
    weir_link_remove(&stake->link);
    weir_keeper_leave(&loop->server->keeper, stake->generation);
}

void weir_admission_init(weir_loop_t *loop)
{
    weir_list_init(&loop->stakes);
    enter(loop);
}

void weir_admission_destroy(weir_loop_t *loop)
{
    weir_link_t *link;
    while ((link = weir_list_first(&loop->stakes)) != NULL) {
        drop(loop, WEIR_CONTAINER(link, weir_stake_t, link));
    }
}

/* Take one out that waits in any lane; NULL when nobody waits. */
static weir_connection_t *take_any(weir_stake_t *stake)
{
    for (size_t i = 0; i < stake->generation->parts.engine_count; i++) {
        weir_link_t *first = weir_list_first(&stake->lanes[i].turns);
        if (first != NULL) {
            weir_waiter_t *waiter = weir_queue_oldest(WEIR_CONTAINER(first, weir_queue_t, link));
            (void)weir_queue_remove(waiter);
            return WEIR_CONTAINER(waiter, weir_connection_t, waiter);
        }
    }
    return NULL;
}

void weir_admission_refresh(weir_loop_t *loop)
{
    weir_stake_t *before = loop->stake;
    uint64_t number = atomic_load_explicit(&loop->server->keeper.number, memory_order_acquire);
    if (number == before->generation->number) {
        return;
    }
    enter(loop);
    weir_connection_t *connection;
    while ((connection = take_any(before)) != NULL) {
        /* Those that wait are matched anew where the routes are others, perhaps to one that takes less. */
        bool leads_on =
            loop->stake->generation->parts.routes == before->generation->parts.routes || weir_request_route(connection);
        weir_record_route(connection);
        if (leads_on && !weir_body_refuse(connection)) {
            weir_queue_add(&lane_of(connection)->turns, queue_of(connection), &connection->waiter);
        } else {
            loop->waiting_count--;
            weir_connection_answered(connection);
        }
    }
    stop_asking(loop, before); /* what its own calls wait for asks again */
    if (before->calls == 0) {
        drop(loop, before);
    }
}

/* ---- Permits ----------------------------------------------------------------------------------------------------- */

/* Calls of earlier generations that are still under way, on the engine with the same place in theirs. */
static uint32_t count_earlier(const weir_loop_t *loop, size_t engine)
{
    uint32_t count = 0;
    for (weir_link_t *link = weir_list_first(&loop->stakes); link != NULL; link = weir_list_next(&loop->stakes, link)) {
        const weir_stake_t *stake = WEIR_CONTAINER(link, weir_stake_t, link);
        if (stake != loop->stake && engine < stake->generation->parts.engine_count) {
            count += stake->lanes[engine].own + stake->lanes[engine].borrowed;
        }
    }
    return count;
}

static bool borrow(weir_loop_t *loop, weir_stake_t *stake, size_t engine, bool allowed)
{
    weir_generation_t *generation = stake->generation;
    weir_lane_t *lane = &stake->lanes[engine];
    weir_gate_t *gate = &generation->gates[engine];
    if (generation->parts.engines[engine].max_calls % generation->loop_count == 0) {
        return false;
    }
    if (!allowed) {
        if (lane->asked) {
            weir_gate_decline(gate, loop->index);
            lane->asked = false;
        }
        return false;
    }
    lane->asked = !weir_gate_enter(gate, loop->index);
    return !lane->asked;
}

/*
 * How many of a lane's own calls there may be before one of this depth is let in. Where guests wait for guests, a
 * quarter is kept for those that are waited for, half of that for those that these wait for, and so on: callers alone
 * can then not fill the lane, each waiting for an instance that none of them gives back.
 */
static uint32_t share_at(const weir_stake_t *stake, const weir_lane_t *lane, unsigned depth)
{
    return stake->generation->may_chain ? lane->share - (lane->share / 4 >> depth) : lane->share;
}

/*
 * How many of a lane's own calls a component cannot have because they are kept for those that hold none: one for each
 * of these, up to an eighth of the share. However long its guests hold theirs, the others go on. Where the share is too
 * small for that, the next call that is given back goes to another.
 */
static uint32_t kept_from(const weir_lane_t *lane, const weir_queue_t *queue)
{
    return queue->calls == 0 ? 0 : weir_share_kept(lane->share, lane->components - lane->busy);
}

bool weir_admission_enter(weir_loop_t *loop, weir_stake_t *stake, weir_lane_t *lane, weir_queue_t *queue,
    unsigned depth, weir_permit_t *ret_permit)
{
    size_t engine = (size_t)(lane - stake->lanes);
    if (loop->now < lane->retry_at) {
        return false;
    }
    /* What is called while an earlier call is under way is part of that. */
    uint32_t earlier = depth > 0 ? 0 : count_earlier(loop, engine);
    uint32_t share = share_at(stake, lane, depth) - (depth > 0 ? 0 : kept_from(lane, queue));
    bool borrowed = false;
    if (lane->own < share && (lane->own == 0 || lane->own + earlier < share)) {
        lane->own++;
    } else if (borrow(loop, stake, engine, earlier == 0 || lane->own + lane->borrowed == 0)) {
        lane->borrowed++;
        borrowed = true;
    } else {
        return false;
    }
    stake->calls++;
    lane->busy += queue->calls == 0 ? 1 : 0;
    queue->calls++;
    *ret_permit = (weir_permit_t){.stake = stake, .lane = lane, .queue = queue, .borrowed = borrowed};
    return true;
}

/* Whether those that wait do so only for what is kept from their components. */
static bool all_are_kept_back(const weir_lane_t *lane)
{
    for (weir_link_t *link = weir_list_first(&lane->turns); link != NULL; link = weir_list_next(&lane->turns, link)) {
        if (kept_from(lane, WEIR_CONTAINER(link, weir_queue_t, link)) == 0) {
            return false;
        }
    }
    return true;
}

bool weir_admission_take(weir_connection_t *connection, weir_permit_t *ret_permit)
{
    connection->waiter.number = connection->loop->next_turn++;
    weir_lane_t *lane = lane_of(connection);
    weir_queue_t *queue = queue_of(connection);
    return queue->count == 0 && weir_list_is_empty(&lane->chained) && all_are_kept_back(lane) &&
           weir_admission_enter(connection->loop, connection->loop->stake, lane, queue, 0, ret_permit);
}

void weir_admission_succeeded(const weir_permit_t *permit)
{
    permit->lane->pause = 0;
}

/* Learn how fast instances are given back; only while they are lacking, for else it tells how many are asked for. */
static void note_pace(const weir_loop_t *loop, weir_lane_t *lane)
{
    if (loop->waiting_count == 0) {
        lane->left_at = 0;
        return;
    }
    if (lane->left_at != 0) {
        uint64_t passed = (loop->now - lane->left_at) * PACE_UNIT;
        lane->interval = lane->interval == 0 ? passed : (lane->interval * 7 + passed) / 8;
    }
    lane->left_at = loop->now;
}

unsigned weir_admission_retry_after(const weir_connection_t *connection)
{
    const weir_loop_t *loop = connection->loop;
    const weir_lane_t *lane = lane_of(connection);
    uint64_t interval = lane->interval;
    /* Where none was given back for longer than that, it takes longer now. */
    uint64_t since = lane->left_at == 0 ? 0 : (loop->now - lane->left_at) * PACE_UNIT;
    interval = since > interval ? since : interval;
    uint64_t seconds = interval * (loop->waiting_count + 1) / PACE_UNIT / 1000 + 1;
    return seconds < WEIR_RETRY_AFTER_MAX_SECONDS ? (unsigned)seconds : WEIR_RETRY_AFTER_MAX_SECONDS;
}

void weir_admission_leave(weir_loop_t *loop, const weir_permit_t *permit)
{
    weir_stake_t *stake = permit->stake;
    note_pace(loop, permit->lane);
    permit->queue->calls--;
    permit->lane->busy -= permit->queue->calls == 0 ? 1 : 0;
    if (permit->borrowed) {
        permit->lane->borrowed--;
        weir_gate_leave(&stake->generation->gates[permit->lane - stake->lanes]);
    } else {
        permit->lane->own--;
    }
    stake->calls--;
    /* What it held may be just what was lacking. */
    for (weir_link_t *link = weir_list_first(&loop->stakes); link != NULL; link = weir_list_next(&loop->stakes, link)) {
        weir_stake_t *lacking = WEIR_CONTAINER(link, weir_stake_t, link);
        for (size_t i = 0; i < lacking->generation->parts.engine_count; i++) {
            lacking->lanes[i].retry_at = 0;
        }
    }
    if (stake != loop->stake && stake->calls == 0) {
        drop(loop, stake);
    }
}

/* ---- Answers of routes ------------------------------------------------------------------------------------------- */

void weir_admission_hold(weir_connection_t *connection)
{
    connection->held = connection->loop->stake;
    connection->held->calls++;
}

void weir_admission_release(weir_connection_t *connection)
{
    weir_stake_t *stake = connection->held;
    if (stake == NULL) {
        return;
    }
    connection->held = NULL;
    stake->calls--;
    if (stake != connection->loop->stake && stake->calls == 0) {
        drop(connection->loop, stake);
    }
}

/* ---- Waiting ----------------------------------------------------------------------------------------------------- */

/* Have one give way whose component has more requests waiting than this one will have. Returns whether one did. */
static bool make_room(weir_loop_t *loop, const weir_queue_t *newcomer)
{
    const weir_stake_t *stake = loop->stake;
    weir_waiter_t *excess = NULL;
    for (size_t i = 0; i < stake->generation->parts.engine_count; i++) {
        uint32_t longest = excess == NULL ? 0 : excess->queue->count;
        weir_waiter_t *of_lane = weir_queue_excess(&stake->lanes[i].turns, newcomer, longest);
        excess = of_lane == NULL ? excess : of_lane;
    }
    if (excess == NULL) {
        return false;
    }
    weir_connection_t *connection = WEIR_CONTAINER(excess, weir_connection_t, waiter);
    weir_admission_withdraw(connection);
    weir_connection_crowded_out(connection);
    return true;
}

bool weir_admission_wait(weir_connection_t *connection)
{
    weir_loop_t *loop = connection->loop;
    weir_queue_t *queue = queue_of(connection);
    if (loop->waiting_count >= loop->max_waiting && !make_room(loop, queue)) {
        return false;
    }
    weir_queue_add(&lane_of(connection)->turns, queue, &connection->waiter);
    loop->waiting_count++;
    return true;
}

void weir_admission_pause(const weir_loop_t *loop, weir_lane_t *lane)
{
    unsigned doubled = lane->pause * 2;
    lane->pause = doubled < WEIR_REFUSED_PAUSE_MILLISECONDS       ? WEIR_REFUSED_PAUSE_MILLISECONDS
                  : doubled > WEIR_REFUSED_PAUSE_MAX_MILLISECONDS ? WEIR_REFUSED_PAUSE_MAX_MILLISECONDS
                                                                  : doubled;
    lane->retry_at = loop->now + lane->pause;
}

void weir_admission_wait_again(weir_connection_t *connection)
{
    weir_loop_t *loop = connection->loop;
    weir_lane_t *lane = lane_of(connection);
    weir_queue_add(&lane->turns, queue_of(connection), &connection->waiter);
    loop->waiting_count++;
    weir_admission_pause(loop, lane);
}

void weir_admission_withdraw(weir_connection_t *connection)
{
    if (weir_queue_remove(&connection->waiter)) {
        connection->loop->waiting_count--;
    }
}

/* ---- Letting in -------------------------------------------------------------------------------------------------- */

/* Those that wait are let in, one of each component in turn; one for which nothing is left may be followed by another
 * for which something is kept. */
static void admit_waiting(weir_loop_t *loop, weir_stake_t *stake, weir_lane_t *lane)
{
    weir_permit_t permit;
    weir_link_t *link = weir_list_first(&lane->turns);
    while (link != NULL && weir_list_is_empty(&lane->chained)) {
        weir_queue_t *queue = WEIR_CONTAINER(link, weir_queue_t, link);
        if (weir_admission_enter(loop, stake, lane, queue, 0, &permit)) {
            weir_connection_t *connection = WEIR_CONTAINER(weir_queue_oldest(queue), weir_connection_t, waiter);
            weir_admission_withdraw(connection);
            weir_queue_pass(&lane->turns, queue);
            weir_connection_admitted(connection, &permit);
            link = weir_list_first(&lane->turns); /* more than this one may have changed */
        } else {
            link = kept_from(lane, queue) == 0 ? NULL : weir_list_next(&lane->turns, link);
        }
    }
}

static void admit(weir_loop_t *loop, weir_stake_t *stake, size_t engine)
{
    weir_lane_t *lane = &stake->lanes[engine];
    if (lane->retry_at != 0 && loop->now >= lane->retry_at) {
        lane->retry_at = 0;
    }
    weir_admission_admit_chained(loop, stake, engine);
    admit_waiting(loop, stake, lane);
    if (lane->asked && weir_list_is_empty(&lane->turns) && weir_list_is_empty(&lane->chained)) {
        weir_gate_decline(&stake->generation->gates[engine], loop->index);
        lane->asked = false;
    }
}

void weir_admission_admit(weir_loop_t *loop)
{
    /* Earlier generations have nobody waiting but what their own calls wait for. */
    weir_link_t *next;
    for (weir_link_t *link = weir_list_first(&loop->stakes); link != NULL; link = next) {
        next = weir_list_next(&loop->stakes, link);
        weir_stake_t *stake = WEIR_CONTAINER(link, weir_stake_t, link);
        stake->calls++; /* it is not dropped meanwhile */
        for (size_t i = 0; i < stake->generation->parts.engine_count; i++) {
            admit(loop, stake, i);
        }
        stake->calls--;
        if (stake != loop->stake && stake->calls == 0) {
            drop(loop, stake);
        }
    }
}

static uint64_t next_of(const weir_stake_t *stake)
{
    uint64_t next = UINT64_MAX;
    for (size_t i = 0; i < stake->generation->parts.engine_count; i++) {
        const weir_lane_t *lane = &stake->lanes[i];
        if (lane->retry_at != 0 && lane->retry_at < next &&
            !(weir_list_is_empty(&lane->turns) && weir_list_is_empty(&lane->chained))) {
            next = lane->retry_at;
        }
    }
    return next;
}

uint64_t weir_admission_next(const weir_loop_t *loop)
{
    uint64_t next = UINT64_MAX;
    for (weir_link_t *link = weir_list_first(&loop->stakes); link != NULL; link = weir_list_next(&loop->stakes, link)) {
        uint64_t of_stake = next_of(WEIR_CONTAINER(link, weir_stake_t, link));
        next = of_stake < next ? of_stake : next;
    }
    return next;
}
