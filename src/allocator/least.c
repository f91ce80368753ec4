/*
 * least.c: what would ask for least, and the least limit with which that fits: by the arithmetic of the ladder.
 */
#include "allocator/least.h"

#include "allocator/budget.h"

#define MIB (UINT64_C(1) << 20)

/* No limit that matters is larger. */
static const uint64_t most_mib = UINT64_C(1) << 27;

static const weir_budget_t *find_overdrawn(const weir_facts_t *facts, const weir_needs_t *needs,
    weir_strategy_t strategy, const weir_rung_t *rung, weir_budgets_t *budgets)
{
    uint64_t asked;
    const char *what;
    weir_budgets_make(facts, needs, strategy == WEIR_STRATEGY_POOLING, budgets);
    return weir_rung_overdraws(rung, needs, weir_facts_page_size(facts), budgets, &asked, &what);
}

/* The fact whose value somebody can raise; NULL: there is none. */
static weir_fact_t *limit_of(weir_facts_t *facts, weir_limit_t limit)
{
    switch (limit) {
    case WEIR_LIMIT_ADDRESS_SPACE:
        return &facts->address_space_limit;
    case WEIR_LIMIT_DATA:
        return &facts->data_limit;
    case WEIR_LIMIT_COMMIT:
        return &facts->commit_limit;
    case WEIR_LIMIT_CGROUP:
        return &facts->cgroup_limit;
    default:
        return NULL;
    }
}

static uint64_t find_limit(const weir_facts_t *facts, const weir_needs_t *needs, weir_strategy_t strategy,
    const weir_rung_t *rung, weir_limit_t limit)
{
    weir_budgets_t budgets;
    weir_facts_t other = *facts;
    weir_fact_t *fact = limit_of(&other, limit);
    if (fact == NULL) {
        return 0;
    }
    uint64_t too_small = fact->value / MIB;
    uint64_t enough = most_mib;
    fact->value = enough * MIB;
    if (find_overdrawn(&other, needs, strategy, rung, &budgets) != NULL) {
        return 0; /* something else is in the way, too */
    }
    while (enough - too_small > 1) {
        uint64_t middle = too_small + (enough - too_small) / 2;
        fact->value = middle * MIB;
        if (find_overdrawn(&other, needs, strategy, rung, &budgets) == NULL) {
            enough = middle;
        } else {
            too_small = middle;
        }
    }
    return enough * MIB;
}

bool weir_least_find(const weir_facts_t *facts, const weir_needs_t *needs, weir_strategy_t strategy,
    const weir_trial_result_t *results, size_t count, weir_least_t *ret_least)
{
    const weir_rung_t *best = NULL;
    uint64_t best_bytes = 0;
    for (size_t i = 0; i < count; i++) {
        const weir_rung_t *rung = &results[i].rung;
        uint64_t bytes = weir_rung_cost(rung, needs, weir_facts_page_size(facts), 1).address;
        bool better = best == NULL || (best->pulley && !rung->pulley);
        if (better || (bytes < best_bytes && rung->pulley == best->pulley)) {
            best = rung;
            best_bytes = bytes;
        }
    }
    if (best == NULL) {
        return false;
    }
    weir_least_t least = {.rung = *best};
    weir_budgets_t budgets;
    least.rung.slots = 1;
    const weir_budget_t *overdrawn = find_overdrawn(facts, needs, strategy, &least.rung, &budgets);
    if (overdrawn == NULL) {
        return false;
    }
    least.limit = overdrawn->limit;
    least.limit_bytes = find_limit(facts, needs, strategy, &least.rung, overdrawn->limit);
    *ret_least = least;
    return true;
}
