/*
 * share.c: how the pool and the guests that are placed apart divide a machine between them.
 */
#include "allocator/share.h"

#include "allocator/budget.h"

static void take(weir_facts_t *facts, const weir_rung_t *rung, const weir_needs_t *needs, uint32_t slots)
{
    weir_cost_t cost = weir_rung_cost(rung, needs, weir_facts_page_size(facts), slots);
    facts->address_space_used.value = weir_add(facts->address_space_used.value, cost.address);
    facts->commit_used.value = weir_add(facts->commit_used.value, cost.commit);
    facts->data_used.value = weir_add(facts->data_used.value, cost.commit);
}

void weir_share_leave(weir_facts_t *facts, const weir_needs_t *rest)
{
    weir_needs_t needs;
    weir_needs_complete(facts, rest, &needs);
    const weir_rung_t rung = {.tier = WEIR_TIER_ONDEMAND, .stack_bytes = UINT64_C(2) << 20};
    take(facts, &rung, &needs, weir_facts_processors(facts));
}

void weir_share_take(weir_facts_t *facts, const weir_rung_t *pool, const weir_needs_t *needs)
{
    take(facts, pool, needs, pool->slots + pool->spare_slots);
}

void weir_share_facts(
    const weir_facts_t *facts, const weir_decision_t *decision, const weir_decided_t *part, weir_facts_t *ret_facts)
{
    const weir_decided_t *pool = &decision->pool;
    *ret_facts = *facts;
    if (decision->apart_count == 0) {
        return;
    }
    if (part == pool) {
        weir_share_leave(ret_facts, &decision->rest.needs);
    } else if (pool->index != SIZE_MAX) {
        weir_share_take(ret_facts, &pool->ladder[pool->index].rung, &pool->needs);
    }
}

void weir_share_hold(const weir_facts_t *facts, const weir_rung_t *pool, const weir_needs_t *needs, weir_plan_t *plan)
{
    weir_cost_t cost = weir_rung_whole_cost(pool, needs, weir_facts_page_size(facts));
    bool committed = weir_fact_is(facts->overcommit_mode, 2) || facts->data_limit.knowledge == WEIR_KNOWN;
    uint64_t writable = committed ? cost.commit : 0;
    /* On demand, nothing is taken before there are instances; and those of both then take turns. */
    if (pool->tier == WEIR_TIER_ONDEMAND) {
        return;
    }
    plan->reserve_commit = weir_add(plan->reserve_commit, writable);
    if (facts->address_space_limit.knowledge == WEIR_KNOWN) {
        uint64_t rest = cost.address > writable ? cost.address - writable : 0;
        plan->reserve_address = weir_add(plan->reserve_address, rest);
    }
}
