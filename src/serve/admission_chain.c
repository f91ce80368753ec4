/*
 * admission_chain.c: calls from guest to guest: the deepest goes ahead, and where all instances are held by callers
 * that wait for each other, one of them is refused, so that the others go on.
 */
#include "serve/admission_internal.h"
#include "serve/chain.h"

static size_t engine_of_chain(const weir_chain_t *chain)
{
    return chain->stake->generation->parts.guests[chain->component].engine;
}

bool weir_admission_chain_take(weir_chain_t *chain, weir_permit_t *ret_permit)
{
    weir_stake_t *stake = chain->stake;
    weir_lane_t *lane = &stake->lanes[engine_of_chain(chain)];
    return weir_list_is_empty(&lane->chained) &&
           weir_admission_enter(chain->loop, stake, lane, &stake->queues[chain->component], chain->depth, ret_permit);
}

void weir_admission_chain_wait(weir_chain_t *chain, bool was_refused)
{
    weir_lane_t *lane = &chain->stake->lanes[engine_of_chain(chain)];
    /* The deepest first: most guests wait for it. */
    weir_link_t *next = weir_list_first(&lane->chained);
    while (next != NULL && WEIR_CONTAINER(next, weir_chain_t, waiting_link)->depth >= chain->depth) {
        next = weir_list_next(&lane->chained, next);
    }
    if (next == NULL) {
        weir_list_append(&lane->chained, &chain->waiting_link);
    } else {
        weir_list_insert(next, &chain->waiting_link);
    }
    if (was_refused) {
        weir_admission_pause(chain->loop, lane);
    }
}

static bool is_stuck(const weir_loop_t *loop, const weir_stake_t *stake, size_t engine, uint64_t seen);

/* Whether a call can come to its end: it waits for no other, or one of these can come to its own. */
static bool can_end(const weir_loop_t *loop, const weir_task_t *task, uint64_t seen)
{
    weir_link_t *link = weir_list_first(&task->chains);
    if (link == NULL) {
        return true;
    }
    for (; link != NULL; link = weir_list_next(&task->chains, link)) {
        const weir_chain_t *chain = WEIR_CONTAINER(link, weir_chain_t, link);
        bool waits = weir_link_is_linked(&chain->waiting_link);
        if (waits ? !is_stuck(loop, chain->stake, engine_of_chain(chain), seen)
                  : chain->task == NULL || can_end(loop, chain->task, seen)) {
            return true;
        }
    }
    return false;
}

/* Whether every call of a lane waits for one that can only begin when one of these has ended. */
static bool is_stuck(const weir_loop_t *loop, const weir_stake_t *stake, size_t engine, uint64_t seen)
{
    const weir_generation_t *generation = stake->generation;
    const weir_lane_t *lane = &stake->lanes[engine];
    uint64_t bit = UINT64_C(1) << (engine % 64);
    if ((seen & bit) != 0) {
        return true;
    }
    if (loop->now < lane->retry_at ||
        lane->borrowed < generation->parts.engines[engine].max_calls % generation->loop_count) {
        return false; /* one may yet be had without that; if not, the time limits tell */
    }
    for (weir_link_t *link = weir_list_first(&loop->tasks); link != NULL; link = weir_list_next(&loop->tasks, link)) {
        const weir_task_t *task = WEIR_CONTAINER(link, weir_task_t, link);
        if (task->permit.lane == lane && can_end(loop, task, seen | bit)) {
            return false;
        }
    }
    return true;
}

void weir_admission_admit_chained(weir_loop_t *loop, weir_stake_t *stake, size_t engine)
{
    weir_lane_t *lane = &stake->lanes[engine];
    weir_link_t *first;
    weir_permit_t permit;
    while ((first = weir_list_first(&lane->chained)) != NULL) {
        weir_chain_t *chain = WEIR_CONTAINER(first, weir_chain_t, waiting_link);
        if (!weir_admission_enter(loop, stake, lane, &stake->queues[chain->component], chain->depth, &permit)) {
            break;
        }
        weir_link_remove(first);
        weir_chain_admitted(chain, &permit);
    }
    while (!weir_list_is_empty(&lane->chained) && is_stuck(loop, stake, engine, 0)) {
        weir_link_t *last = weir_list_first(&lane->chained);
        for (weir_link_t *next = last; next != NULL; next = weir_list_next(&lane->chained, next)) {
            last = next;
        }
        weir_chain_refuse(WEIR_CONTAINER(last, weir_chain_t, waiting_link));
    }
}
