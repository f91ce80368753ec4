/*
 * plan.c: how far a trial of one rung goes, and which settings of its knobs it times.
 */
#include "allocator/plan.h"

#include "allocator/configure.h"

#define KIB UINT64_C(1024)
#define MIB (KIB * KIB)

enum {
    DEADLINE_NATIVE = 5000,
    DEADLINE_EMULATED = 6000,
    DEADLINE_BRIEF = 30000,
    DEADLINES_BRIEF = 6, /* of those that were asked for */
    THREADS_MOST = 16,   /* more show no more */
    QUICK_HOLD = 2,
    QUICK_SLOTS = 64,
    BATCH_SLOTS = 32,      /* of a decommit batch: as many calls are saved as make a difference */
    WARM_SLOTS_MOST = 100, /* Wasmtime's own default */
};

/* What an instance of a trial touches: its stack, some pages of memory, the host's bookkeeping. */
static const uint64_t held_bytes = 160 * KIB;

static const uint64_t keep_usual = 2 * MIB; /* what Spin keeps; a guest that dirties less costs no system call */
static const uint64_t table_keep_bytes = 512 * KIB;
static const uint64_t searched_bytes = 1 * MIB; /* a memory that begins with less is written over as quickly */
static const uint64_t huge_page_bytes = 2 * MIB;

static uint64_t kept_back(const weir_budget_t *budget, uint64_t margin, weir_limit_t limit)
{
    return budget->bounded && budget->limit == limit ? margin : 0;
}

/* Whether a rung takes more than half of what there is. */
static bool is_tight(const weir_budget_t *budget, uint64_t asked)
{
    return budget->bounded && asked > budget->bytes / 2;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static bool is_roomy(const weir_budgets_t *budgets, const weir_cost_t *cost)
{
    return !is_tight(&budgets->address, cost->address) && !is_tight(&budgets->commit, cost->commit) &&
           !is_tight(&budgets->mappings, cost->mappings);
}

bool weir_plan_is_roomy(
    const weir_facts_t *facts, const weir_needs_t *needs, const weir_budgets_t *budgets, const weir_rung_t *rung)
{
    weir_cost_t cost = weir_rung_whole_cost(rung, needs, weir_facts_page_size(facts));
    return is_roomy(budgets, &cost);
}

/*
 * Have a pool tried with fewer slots, and what the others take reserved in one piece: where all of it is far within the
 * limits, a guard below each of a thousand stacks takes time and proves nothing.
 */
static void shorten(const weir_facts_t *facts, const weir_budgets_t *budgets, weir_plan_t *plan)
{
    uint64_t page_size = weir_facts_page_size(facts);
    weir_rung_t *rung = &plan->rung;
    weir_cost_t all = weir_rung_whole_cost(rung, &plan->needs, page_size);
    if (rung->tier == WEIR_TIER_ONDEMAND || rung->slots <= QUICK_SLOTS || !is_roomy(budgets, &all)) {
        return;
    }
    weir_cost_t some = weir_rung_cost(rung, &plan->needs, page_size, QUICK_SLOTS);
    /* Writable memory takes address space, too. */
    uint64_t address = all.address - some.address;
    uint64_t writable = budgets->commit.bounded ? least(all.commit - some.commit, address) : 0;
    plan->reserve_commit = weir_add(plan->reserve_commit, writable);
    plan->reserve_address = weir_add(plan->reserve_address, address - writable);
    rung->slots = QUICK_SLOTS;
    rung->spare_slots = 0;
}

static uint32_t make_deadline(bool emulated, weir_depth_t depth, uint32_t deadline)
{
    if (depth == WEIR_DEPTH_BRIEF) {
        return deadline == 0 ? DEADLINE_BRIEF : (uint32_t)least(UINT32_MAX, (uint64_t)deadline * DEADLINES_BRIEF);
    }
    return deadline != 0 ? deadline : (emulated ? DEADLINE_EMULATED : DEADLINE_NATIVE);
}

void weir_plan_make(const weir_facts_t *facts, const weir_needs_t *needs, const weir_budgets_t *budgets,
    const weir_rung_t *rung, weir_depth_t depth, uint32_t deadline, weir_plan_t *ret_plan)
{
    bool emulated = weir_fact_is(facts->emulated, 1);
    bool quick = depth == WEIR_DEPTH_QUICK;
    /*
     * A pool has its address space from the start; instances on demand take it one by one, and writable memory is
     * always taken one by one. Where that is tight, time is no reason to hold fewer than is promised.
     */
    weir_cost_t cost = weir_rung_whole_cost(rung, needs, weir_facts_page_size(facts));
    bool tight = is_tight(&budgets->commit, cost.commit) ||
                 (rung->tier == WEIR_TIER_ONDEMAND && budgets->address.limit == WEIR_LIMIT_ADDRESS_SPACE &&
                     is_tight(&budgets->address, cost.address));
    bool few = quick || (depth == WEIR_DEPTH_BRIEF && !tight);
    uint64_t hold = few ? least(rung->slots, QUICK_HOLD) : rung->slots;
    if (budgets->resident.bounded) {
        /*
         * Where a control group is killed as a whole, weir would go with its trial: arithmetic has to do. Where there
         * is a limit, and that is not known, it is taken for so: to hold less proves less, to be killed ends it all.
         */
        bool may_kill = facts->cgroup_limit.knowledge == WEIR_KNOWN && !weir_fact_is(facts->cgroup_kills_group, 0);
        uint64_t part = may_kill || weir_fact_is(facts->cgroup_kills_group, 1) ? 8 : 2;
        hold = least(hold, budgets->resident.bytes / part / held_bytes);
    }
    uint64_t threads = least(weir_facts_processors(facts), THREADS_MOST);
    *ret_plan = (weir_plan_t){
        .rung = *rung,
        .needs = *needs,
        .threads = depth != WEIR_DEPTH_FULL ? 1 : (uint32_t)least(threads, rung->slots == 0 ? 1 : rung->slots),
        .hold = hold == 0 ? 1 : (uint32_t)hold,
        .hold_milliseconds = few     ? 1
                             : tight ? 2000
                                     : (emulated ? 500 : 60),
        .time_milliseconds = quick ? 0 : (emulated ? 150 : 24),
        /* But for the arenas, which a trial needs as the program does: without them an instance costs many times more.
         */
        .reserve_address =
            kept_back(&budgets->address, budgets->address_margin - budgets->address_arenas, WEIR_LIMIT_ADDRESS_SPACE),
        .reserve_commit = budgets->commit.bounded ? budgets->commit_margin : 0,
        .arenas = budgets->arenas,
        .deadline = make_deadline(emulated, depth, deadline),
        .code = -1,
    };
    if (quick) {
        /* To write over kept memory takes time and cannot fail; what an emulator or a search for written pages does
         * can. */
        ret_plan->checks_little = !emulated && !rung->pagemap_scan;
        shorten(facts, budgets, ret_plan);
    }
}

/* ---- Knobs ------------------------------------------------------------------------------------------------------- */

weir_knobs_t weir_rung_knobs(const weir_rung_t *rung)
{
    return (weir_knobs_t){
        rung->memory_keep_resident_bytes, rung->decommit_batch, rung->huge_pages_off, rung->pagemap_scan};
}

bool weir_knobs_are_equal(const weir_knobs_t *a, const weir_knobs_t *b)
{
    return a->memory_keep_resident_bytes == b->memory_keep_resident_bytes && a->decommit_batch == b->decommit_batch &&
           a->huge_pages_off == b->huge_pages_off && a->pagemap_scan == b->pagemap_scan;
}

/* What the unused slots of a rung may keep together. */
static uint64_t keep_budget(const weir_budgets_t *budgets)
{
    return budgets->resident.bounded ? budgets->resident.bytes / 4 : UINT64_MAX;
}

void weir_rung_set_knobs(weir_rung_t *rung, const weir_knobs_t *knobs, const weir_budgets_t *budgets)
{
    uint64_t keep = least(knobs->memory_keep_resident_bytes, rung->slot_bytes);
    uint64_t each = weir_add(weir_multiply(keep, rung->memories_per_slot), keep == 0 ? 0 : table_keep_bytes);
    uint64_t warm = least(rung->slots, WARM_SLOTS_MOST);
    if (each != 0) {
        warm = least(warm, keep_budget(budgets) / each);
    }
    rung->memory_keep_resident_bytes = keep;
    rung->table_keep_resident_bytes = keep == 0 ? 0 : table_keep_bytes;
    rung->decommit_batch = knobs->decommit_batch;
    rung->huge_pages_off = knobs->huge_pages_off;
    rung->pagemap_scan = knobs->pagemap_scan && keep != 0;
    rung->warm_slots = warm == 0 ? 1 : (uint32_t)warm;
}

typedef struct knob_list {
    weir_knobs_t *knobs;
    uint32_t count;
} knob_list_t;

static void add(knob_list_t *list, weir_knobs_t knobs)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (weir_knobs_are_equal(&list->knobs[i], &knobs)) {
            return;
        }
    }
    if (list->count < WEIR_VARIANTS_MAX) {
        list->knobs[list->count++] = knobs;
    }
}

/* The least of some sizes to keep that covers what is written, in steps that are worth a try. */
static uint64_t round_dirty(uint64_t bytes)
{
    uint64_t unit = bytes > 4 * MIB ? 512 * KIB : 64 * KIB;
    return (bytes + unit - 1) / unit * unit;
}

uint32_t weir_plan_knobs(const weir_facts_t *facts, const weir_needs_t *needs, const weir_budgets_t *budgets,
    const weir_rung_t *rung, uint64_t dirty_bytes, weir_knobs_t knobs[WEIR_VARIANTS_MAX])
{
    knob_list_t list = {knobs, 0};
    if (rung->tier == WEIR_TIER_ONDEMAND) {
        add(&list, (weir_knobs_t){.decommit_batch = 0});
        return list.count;
    }
    /* A byte kept in each slot that processors use at once must be there at least. */
    uint64_t most =
        keep_budget(budgets) / (weir_facts_processors(facts) + 1) / (needs->memories == 0 ? 1 : needs->memories);
    most = least(most, rung->slot_bytes);
    const uint64_t sizes[] = {
        dirty_bytes == 0 ? keep_usual : round_dirty(dirty_bytes),
        keep_usual,
        0,
    };
    const size_t count = sizeof sizes / sizeof sizes[0];
    /* Clearing kept pages by hand is cheap natively; an emulator would rather have the kernel drop them. */
    bool emulated = weir_fact_is(facts->emulated, 1);
    bool finds_written = !emulated && needs->minimum_memory_bytes >= searched_bytes &&
                         weir_fact_is(facts->pagemap_scan, 1) && weir_search_is_sound();
    for (size_t i = 0; i < count; i++) {
        uint64_t size = sizes[emulated ? count - 1 - i : i];
        bool scan = finds_written && size >= keep_usual;
        if (size <= most && scan) {
            add(&list, (weir_knobs_t){.memory_keep_resident_bytes = size, .pagemap_scan = true});
        }
        /* To reset all of a large memory by hand costs more than to look for what was written. */
        if (size <= most && (!scan || size == keep_usual)) {
            add(&list, (weir_knobs_t){.memory_keep_resident_bytes = size});
        }
    }
    if (list.count == 0) {
        add(&list, (weir_knobs_t){.decommit_batch = 0});
    }
    uint64_t batched = sizes[0] <= most ? sizes[0] : 0;
    if (rung->slots > BATCH_SLOTS + weir_facts_processors(facts)) {
        add(&list, (weir_knobs_t){.memory_keep_resident_bytes = batched, .decommit_batch = BATCH_SLOTS});
        add(&list, (weir_knobs_t){.decommit_batch = BATCH_SLOTS});
    }
    /* Only a memory of that size can get a huge page, and only where the system gives one unasked. */
    if (weir_fact_is(facts->huge_pages, WEIR_HUGE_PAGES_ALWAYS) &&
        weir_add(needs->minimum_memory_bytes, dirty_bytes) >= huge_page_bytes) {
        add(&list, (weir_knobs_t){.memory_keep_resident_bytes = batched, .huge_pages_off = true});
        add(&list, (weir_knobs_t){.huge_pages_off = true});
    }
    return list.count;
}
