/*
 * plan.c: how far a trial of one rung goes.
 */
#include "allocator/plan.h"

enum { HOLD_USUAL = 8, DEADLINE_NATIVE = 5000, DEADLINE_EMULATED = 4000 };

/* What an instance of a trial touches: its stack, some pages of memory, the host's bookkeeping. */
static const uint64_t held_bytes = UINT64_C(160) * 1024;

static uint64_t kept_back(const weir_budget_t *budget, uint64_t margin, weir_limit_t limit)
{
    return budget->bounded && budget->limit == limit ? margin : 0;
}

/* Whether a rung takes more than half of what there is. */
static bool is_tight(const weir_budget_t *budget, uint64_t asked)
{
    return budget->bounded && asked > budget->bytes / 2;
}

void weir_plan_make(const weir_facts_t *facts, const weir_needs_t *needs, const weir_budgets_t *budgets,
    const weir_rung_t *rung, uint32_t deadline, weir_plan_t *ret_plan)
{
    bool emulated = weir_fact_is(facts->emulated, 1);
    /*
     * A pool has its address space from the start; instances on demand take it one by one, and writable memory is
     * always taken one by one. Where there is plenty of it, a few show as much as all.
     */
    weir_cost_t cost = weir_rung_cost(rung, needs, weir_facts_page_size(facts), rung->slots);
    bool prove_all = is_tight(&budgets->commit, cost.commit) ||
                     (rung->tier == WEIR_TIER_ONDEMAND && budgets->address.limit == WEIR_LIMIT_ADDRESS_SPACE &&
                         is_tight(&budgets->address, cost.address));
    uint64_t hold = prove_all || rung->slots < HOLD_USUAL ? rung->slots : HOLD_USUAL;
    if (budgets->resident.bounded && hold > budgets->resident.bytes / 2 / held_bytes) {
        hold = budgets->resident.bytes / 2 / held_bytes;
    }
    *ret_plan = (weir_plan_t){
        .rung = *rung,
        .needs = *needs,
        .hold = hold == 0 ? 1 : (uint32_t)hold,
        .hold_milliseconds = prove_all ? 2000 : (emulated ? 500 : 20),
        .time_milliseconds = emulated ? 60 : 8,
        .reserve_address = kept_back(&budgets->address, budgets->address_margin, WEIR_LIMIT_ADDRESS_SPACE),
        .reserve_commit = budgets->commit.bounded ? budgets->commit_margin : 0,
        .arenas = budgets->arenas,
        .deadline = deadline != 0 ? deadline : (emulated ? DEADLINE_EMULATED : DEADLINE_NATIVE),
    };
}
