/*
 * ladder.c: the candidates, in the order in which they are to be tried.
 *
 * The order says what is preferred where costs are equal: 4 GiB slots, even fewer of them, before smaller ones, since
 * code for less than 4 GiB carries bounds checks; any pool before none. Under a user-mode emulator it is another:
 * reserving is what costs there. Which rung is taken is decided by trial.
 */
#include "allocator/ladder.h"

#include "allocator/plan.h"
#include "allocator/text.h"

#include <stdio.h>

#define KIB UINT64_C(1024)
#define MIB (KIB * KIB)
#define GIB (KIB * MIB)

enum {
    LAYOUTS_MAX = 3,
    STANDARD_STEPS = 4,
    /* From this many slots on Wasmtime divides them among threads. With fewer, a thread gets slots that another has
     * just written to, which costs C hello a sixth of its requests (Wasmtime 48.0.8, pooling/index_allocator.rs). */
    DIVIDED_SLOTS = 128,
    DIVIDING_STEPS = 16,
};

typedef struct layout {
    uint64_t slot_bytes;
    uint32_t slots;
} layout_t;

typedef struct builder {
    const weir_facts_t *facts;
    const weir_needs_t *needs;
    weir_ladder_t *ladder;
    uint64_t page_size;
    bool tight;  /* smaller stacks and tables, so that more slots fit */
    bool forced; /* any number of slots is better than none */
    bool compact_only;
    uint32_t good;   /* slots with which a pool is as good as any: larger ones are worth more then */
    uint32_t many;   /* slots of 4 GiB for which more of smaller ones are given up */
    uint32_t fewest; /* slots below which no pool is worth its place */
    unsigned group;
} builder_t;

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

const char *weir_rung_text(const weir_rung_t *rung, char *buffer, size_t size)
{
    const char *interpreted = rung->pulley ? ", interpreted by Pulley" : "";
    const char *plural = rung->slots == 1 ? "" : "s";
    if (rung->tier == WEIR_TIER_ONDEMAND) {
        snprintf(buffer, size, "on demand, %u instance%s, %s reserved per memory%s", rung->slots, plural,
            rung->slot_bytes == 0 ? "nothing" : weir_size_text(rung->slot_bytes).text, interpreted);
    } else {
        snprintf(buffer, size, "%s pool, %u slot%s of %s%s", weir_tier_name(rung->tier), rung->slots, plural,
            weir_size_text(rung->slot_bytes).text, interpreted);
    }
    return buffer;
}

/* ---- Rungs ------------------------------------------------------------------------------------------------------- */

static weir_rung_t make_pool(const builder_t *builder, weir_tier_t tier, layout_t layout, bool pulley)
{
    uint32_t roomy = builder->tight ? 1000 : 20000;
    uint32_t elements = larger(builder->needs->table_elements, roomy);
    uint64_t guard = tier == WEIR_TIER_STANDARD ? 32 * MIB : 64 * KIB;
    return (weir_rung_t){
        .tier = tier,
        .slots = layout.slots,
        .slot_bytes = layout.slot_bytes,
        .guard_bytes = pulley ? 0 : guard, /* the interpreter checks every access itself */
        .table_elements = elements,
        .memories_per_slot = builder->needs->memories,
        .tables_per_slot = builder->needs->tables,
        .core_instances_per_slot = builder->needs->core_instances,
        .stacks_per_slot = builder->needs->stacks,
        .stack_bytes = builder->tight ? 1 * MIB : 2 * MIB,
        .pulley = pulley,
    };
}

static weir_rung_t make_ondemand(
    const builder_t *builder, uint64_t reservation, uint64_t guard, uint64_t growth, bool pulley)
{
    return (weir_rung_t){
        .tier = WEIR_TIER_ONDEMAND,
        .slots = builder->needs->concurrency,
        .slot_bytes = reservation,
        .guard_bytes = pulley ? 0 : guard,
        .growth_bytes = growth,
        .table_elements = builder->needs->table_elements,
        .memories_per_slot = builder->needs->memories,
        .tables_per_slot = builder->needs->tables,
        .core_instances_per_slot = builder->needs->core_instances,
        .stacks_per_slot = builder->needs->stacks,
        .stack_bytes = builder->tight ? 1 * MIB : 2 * MIB,
        .pulley = pulley,
    };
}

static uint32_t fit(const builder_t *builder, const weir_rung_t *rung, uint32_t most)
{
    return weir_rung_fit(rung, builder->needs, builder->page_size, &builder->ladder->budgets, most);
}

static bool same_layout(const weir_rung_t *a, const weir_rung_t *b)
{
    return a->tier == b->tier && a->slots == b->slots && a->slot_bytes == b->slot_bytes && a->pulley == b->pulley;
}

/* Why arithmetic rules a rung out. */
static void explain(weir_step_t *step, const weir_budget_t *budget, uint64_t asked, const char *what)
{
    weir_verdict_t *verdict = &step->result.verdict;
    verdict->limit = budget->limit;
    verdict->refused_bytes = budget->limit == WEIR_LIMIT_MAPPINGS ? 0 : asked;
    if (budget->limit == WEIR_LIMIT_MAPPINGS) {
        snprintf(verdict->message, sizeof verdict->message,
            "not tried: it needs about %llu %s, and %s (%llu) leaves %llu", (unsigned long long)asked, what,
            weir_limit_name(budget->limit), (unsigned long long)budget->limit_at, (unsigned long long)budget->bytes);
    } else if (budget->limit == WEIR_LIMIT_EMULATION) {
        snprintf(verdict->message, sizeof verdict->message,
            "not tried: it needs %s of %s, and a user-mode emulator is asked for %s at most, since it pays for each "
            "page "
            "that is reserved",
            weir_size_text(asked).text, what, weir_size_text(budget->bytes).text);
    } else {
        snprintf(verdict->message, sizeof verdict->message,
            "not tried: it needs %s of %s, and %s (%s) leaves %s for instances", weir_size_text(asked).text, what,
            weir_limit_name(budget->limit), weir_size_text(budget->limit_at).text, weir_size_text(budget->bytes).text);
    }
}

/* Add a step, unless it is there already or the ladder is full. Returns it, or NULL. */
static weir_step_t *add(builder_t *builder, const weir_rung_t *rung)
{
    weir_ladder_t *ladder = builder->ladder;
    for (size_t i = 0; i < ladder->count; i++) {
        if (same_layout(&ladder->steps[i].result.rung, rung)) {
            return NULL;
        }
    }
    if (ladder->count == WEIR_LADDER_MAX) {
        return NULL;
    }
    weir_step_t *step = &ladder->steps[ladder->count++];
    *step = (weir_step_t){.group = builder->group, .possible = true};
    step->result.rung = *rung;
    uint64_t asked = 0;
    const char *what = "";
    const weir_budget_t *budget =
        weir_rung_overdraws(rung, builder->needs, builder->page_size, &ladder->budgets, &asked, &what);
    if (budget != NULL) {
        step->possible = false;
        explain(step, budget, asked, what);
    }
    return step;
}

/* ---- How few slots are enough ------------------------------------------------------------------------------------ */

/* The least that instances on demand can do with. */
static const uint64_t least_guard = 64 * KIB;
static const uint64_t least_growth = 1 * MIB;

/*
 * With a pool, guests that run are served about twice as often a second, for an instance costs a quarter. But guests
 * that wait are served as often as there are instances: so with fewer than half of those that there would be on demand,
 * they would lose more than the others can win. Two for each processor are to be there in any case, one that runs and
 * one that waits or is being dropped: or all that there would be on demand, where those are fewer.
 *
 * Room for memories to grow is not traded for slots. A guest that has to wait, or starts later, is served; one whose
 * memory cannot grow fails.
 */
static uint32_t fewest_slots(const builder_t *builder, uint32_t processors)
{
    weir_rung_t rung = make_ondemand(builder, 0, least_guard, least_growth, false);
    uint32_t wanted = builder->needs->concurrency;
    uint32_t rival = fit(builder, &rung, wanted);
    uint32_t fewest = larger(rival / 2, smaller(rival, 2 * processors));
    uint32_t enough = smaller(wanted, larger(8, 4 * processors));
    return larger(smaller(fewest, enough), 1);
}

/* ---- Sizes of slots ---------------------------------------------------------------------------------------------- */

static uint32_t compact_fit(const builder_t *builder, uint64_t slot_bytes, bool pulley)
{
    weir_rung_t rung = make_pool(builder, WEIR_TIER_COMPACT, (layout_t){slot_bytes, 1}, pulley);
    return fit(builder, &rung, builder->needs->concurrency);
}

static uint64_t round_to_pages(uint64_t bytes)
{
    return (bytes + 64 * KIB - 1) / (64 * KIB) * (64 * KIB);
}

/* The sizes between which a compact slot is to be: what an operator stated rules, then what guests are known to do. */
typedef struct sizes {
    uint64_t largest;
    uint64_t comfort; /* memories may grow to this without a thought */
    uint64_t least;   /* memories begin with less, and almost all grow: a slot without room for that helps nobody */
} sizes_t;

static sizes_t compact_sizes(const builder_t *builder)
{
    uint64_t minimum = builder->needs->minimum_memory_bytes;
    uint64_t stated = builder->needs->maximum_memory_bytes;
    uint64_t cap = minimum > 2 * GIB ? minimum : 2 * GIB; /* with 4 GiB it would be the standard tier */
    uint64_t roomy = 2 * minimum > minimum + 4 * MIB ? 2 * minimum : minimum + 4 * MIB;
    sizes_t sizes = {GIB, 64 * MIB, builder->forced ? minimum : roomy};
    if (stated != 0) {
        stated = stated < cap ? round_to_pages(stated) : cap;
        sizes.comfort = stated > minimum ? stated : minimum;
        sizes.largest = sizes.comfort;
    } else if (sizes.comfort < roomy) {
        sizes.comfort = roomy < cap ? roomy : cap;
    }
    sizes.largest = sizes.largest > sizes.comfort ? sizes.largest : sizes.comfort;
    sizes.least = sizes.least < sizes.comfort ? sizes.least : sizes.comfort;
    return sizes;
}

/* ---- Standard ---------------------------------------------------------------------------------------------------- */

/* Below this, smaller slots are tried in place of those of 4 GiB: unless there would be no more of them. */
static uint32_t standard_floor(const builder_t *builder, bool pulley)
{
    if (builder->forced) {
        return 1;
    }
    uint32_t compact = larger(compact_fit(builder, compact_sizes(builder).least, pulley), builder->fewest);
    return smaller(compact, smaller(builder->needs->concurrency, builder->many));
}

static void add_standard(builder_t *builder, bool pulley, bool only_possible)
{
    uint32_t wanted = builder->needs->concurrency;
    uint32_t floor = standard_floor(builder, pulley);
    weir_rung_t rung = make_pool(builder, WEIR_TIER_STANDARD, (layout_t){4 * GIB, wanted}, pulley);
    uint32_t fits = fit(builder, &rung, wanted);
    if (fits < wanted && !only_possible) {
        add(builder, &rung);
    }
    unsigned added = 0;
    for (uint32_t slots = fits; slots >= floor && slots > 0 && added < STANDARD_STEPS; slots /= 2, added++) {
        rung.slots = slots;
        add(builder, &rung);
    }
    if (added == 0 && fits > 0 && !only_possible) {
        rung.slots = fits;
        weir_step_t *step = add(builder, &rung);
        if (step != NULL) {
            const weir_step_t *whole = &builder->ladder->steps[builder->ladder->count - 2];
            step->possible = false;
            step->result.verdict.limit = whole->result.verdict.limit;
            snprintf(step->result.verdict.message, sizeof step->result.verdict.message,
                "not tried: %u is all that fits, and fewer than %u slots are not worth a pool of this kind", fits,
                floor);
        }
    }
    builder->group++;
}

/* ---- Compact ----------------------------------------------------------------------------------------------------- */

/* Somewhat smaller slots, at least half as large, where there are enough of them then to be divided among threads. */
static layout_t divide(const builder_t *builder, bool pulley, layout_t layout)
{
    uint64_t step = layout.slot_bytes / DIVIDING_STEPS;
    bool close = layout.slots < DIVIDED_SLOTS && layout.slots >= DIVIDED_SLOTS / 2;
    bool stated = builder->needs->maximum_memory_bytes > 0; /* which a slot is to hold */
    if (!close || stated || builder->needs->concurrency < DIVIDED_SLOTS || weir_facts_processors(builder->facts) < 2) {
        return layout;
    }
    for (unsigned i = 1; i <= DIVIDING_STEPS / 2; i++) {
        uint64_t size = round_to_pages(layout.slot_bytes - i * step);
        uint32_t slots = size >= compact_sizes(builder).least ? compact_fit(builder, size, pulley) : 0;
        if (slots >= DIVIDED_SLOTS) {
            return (layout_t){size, slots};
        }
    }
    return layout;
}

/* The first layout: as large as memories may comfortably grow to, with as many slots as are worth having. */
static bool first_layout(const builder_t *builder, bool pulley, layout_t *ret_layout)
{
    uint32_t wanted = builder->needs->concurrency;
    sizes_t sizes = compact_sizes(builder);
    for (uint64_t size = sizes.largest; size >= sizes.comfort; size = round_to_pages(size / 2)) {
        if (compact_fit(builder, size, pulley) == wanted) {
            *ret_layout = (layout_t){size, wanted};
            return true;
        }
        if (size == 64 * KIB) {
            break;
        }
    }
    /* Halves of what is comfortable, down to the least, until enough of them fit: as far as each makes them more. */
    uint64_t size = sizes.comfort;
    layout_t best = {size, compact_fit(builder, size, pulley)};
    while (best.slots < builder->good && size > sizes.least) {
        size = round_to_pages(size / 2) > sizes.least ? round_to_pages(size / 2) : sizes.least;
        uint32_t slots = compact_fit(builder, size, pulley);
        best = slots > best.slots ? (layout_t){size, slots} : best;
    }
    if (best.slots < builder->fewest) {
        *ret_layout = (layout_t){sizes.least, builder->fewest};
        return false;
    }
    *ret_layout = divide(builder, pulley, best);
    return true;
}

/* The layouts to try: the first, and where that is refused against all arithmetic, a quarter of it each time. */
static size_t compact_layouts(const builder_t *builder, bool pulley, layout_t layouts[LAYOUTS_MAX])
{
    size_t count = 1;
    if (!first_layout(builder, pulley, &layouts[0])) {
        return count;
    }
    uint64_t least = compact_sizes(builder).least;
    while (count < LAYOUTS_MAX) {
        layout_t next = layouts[count - 1];
        /* Smaller slots ask for less address space, and for nothing else less. */
        if (next.slot_bytes / 4 >= least && !builder->ladder->budgets.commit.bounded) {
            next.slot_bytes = round_to_pages(next.slot_bytes / 4);
        } else {
            next.slots = larger(next.slots / 2, builder->fewest);
        }
        if (next.slots >= layouts[count - 1].slots && next.slot_bytes == layouts[count - 1].slot_bytes) {
            break;
        }
        layouts[count++] = next;
    }
    return count;
}

static void add_compact(builder_t *builder, bool pulley)
{
    layout_t layouts[LAYOUTS_MAX];
    size_t count = compact_layouts(builder, pulley, layouts);
    if (builder->compact_only && layouts[0].slots < builder->needs->concurrency) {
        /* What was wanted, for the record: arithmetic rules it out. */
        layout_t whole = {compact_sizes(builder).comfort, builder->needs->concurrency};
        weir_rung_t rung = make_pool(builder, WEIR_TIER_COMPACT, whole, pulley);
        add(builder, &rung);
    }
    for (size_t i = 0; i < count; i++) {
        weir_rung_t rung = make_pool(builder, WEIR_TIER_COMPACT, layouts[i], pulley);
        add(builder, &rung);
    }
    builder->group++;
}

/* ---- On demand --------------------------------------------------------------------------------------------------- */

/* Whether there is anything for instances at all. */
static bool something_is_left(const builder_t *builder)
{
    const weir_budgets_t *budgets = &builder->ladder->budgets;
    return !(budgets->address.bounded && budgets->address.bytes == 0) &&
           !(budgets->commit.bounded && budgets->commit.bytes == 0);
}

static void add_ondemand(builder_t *builder, bool pulley, bool last_resort)
{
    static const struct {
        uint64_t reservation;
        uint64_t guard;
        uint64_t growth;
    } kinds[] = {
        {4 * GIB, 32 * MIB, 2 * GIB},
        {256 * MIB, 64 * KIB, 16 * MIB},
        {16 * MIB, 64 * KIB, 1 * MIB},
        {0, least_guard, least_growth},
    };
    const size_t count = sizeof kinds / sizeof kinds[0];
    bool emulated = weir_fact_is(builder->facts->emulated, 1);
    uint32_t wanted = builder->needs->concurrency;
    for (size_t place = last_resort ? 2 : 0; place < count; place++) {
        /* An emulator pays for each byte of a reservation, at every instance: the least of them first. */
        size_t i = emulated ? count - 1 - (place - (last_resort ? 2 : 0)) : place;
        weir_rung_t rung = make_ondemand(builder, kinds[i].reservation, kinds[i].guard, kinds[i].growth, pulley);
        uint32_t fits = fit(builder, &rung, wanted);
        bool last = i == count - 1;
        /* Where few fit, the next one holds more. The last is tried in any case: the arithmetic is careful. */
        if (fits >= smaller(wanted, builder->good) || last) {
            rung.slots = larger(fits, 1);
        }
        weir_step_t *step = add(builder, &rung);
        if (step != NULL) {
            step->possible = step->possible || (last && something_is_left(builder));
            step->last_resort = last_resort;
        }
        if (last && rung.slots < wanted && rung.slots >= 4) {
            /* The arithmetic was not careful enough. */
            rung.slots /= 4;
            step = add(builder, &rung);
            if (step != NULL) {
                step->last_resort = last_resort;
            }
        }
        builder->group++;
    }
}

/* ---- The whole --------------------------------------------------------------------------------------------------- */

static void add_tiers(builder_t *builder, weir_strategy_t strategy, bool pulley)
{
    bool standard =
        strategy == WEIR_STRATEGY_AUTO || strategy == WEIR_STRATEGY_POOLING || strategy == WEIR_STRATEGY_ANY_POOL;
    bool compact =
        strategy == WEIR_STRATEGY_AUTO || strategy == WEIR_STRATEGY_COMPACT || strategy == WEIR_STRATEGY_ANY_POOL;
    bool ondemand = strategy == WEIR_STRATEGY_AUTO || strategy == WEIR_STRATEGY_ONDEMAND;
    bool emulated = weir_fact_is(builder->facts->emulated, 1);
    if (standard && !emulated) {
        add_standard(builder, pulley, false);
    }
    if (compact) {
        add_compact(builder, pulley);
    }
    if (ondemand) {
        add_ondemand(builder, pulley, false);
    }
    if (standard && emulated) {
        add_standard(builder, pulley, false);
    }
}

/* Interpreted code, in case native code turns out not to run here although nothing forbids it. */
static void add_last_resort(builder_t *builder, weir_strategy_t strategy)
{
    size_t before = builder->ladder->count;
    switch (strategy) {
    case WEIR_STRATEGY_AUTO:
    case WEIR_STRATEGY_ONDEMAND:
        add_ondemand(builder, true, true);
        break;
    case WEIR_STRATEGY_COMPACT:
        add_compact(builder, true);
        break;
    case WEIR_STRATEGY_POOLING:
    case WEIR_STRATEGY_ANY_POOL:
        add_standard(builder, true, true);
        break;
    }
    for (size_t i = before; i < builder->ladder->count; i++) {
        builder->ladder->steps[i].last_resort = true;
    }
}

/* Where fewer slots are wanted than are divided among threads, and more cost next to nothing: reserve them. */
static void spare(const builder_t *builder, weir_step_t *step)
{
    weir_rung_t rung = step->result.rung;
    bool alone = weir_facts_processors(builder->facts) < 2 || weir_fact_is(builder->facts->emulated, 1);
    /* A limit that is not known would refuse the others with them. */
    bool known = builder->facts->address_space_limit.knowledge != WEIR_UNKNOWN;
    if (rung.tier == WEIR_TIER_ONDEMAND || rung.slots >= DIVIDED_SLOTS || !step->possible || alone || !known) {
        return;
    }
    rung.spare_slots = DIVIDED_SLOTS - rung.slots;
    if (weir_plan_is_roomy(builder->facts, builder->needs, &builder->ladder->budgets, &rung)) {
        step->result.rung = rung;
    }
}

void weir_ladder_make(
    const weir_facts_t *facts, const weir_needs_t *needs, weir_strategy_t strategy, weir_ladder_t *ret_ladder)
{
    uint32_t processors = weir_facts_processors(facts);
    uint32_t wanted = needs->concurrency;
    ret_ladder->count = 0;
    weir_budgets_make(facts, needs, strategy == WEIR_STRATEGY_POOLING, &ret_ladder->budgets);
    const weir_budgets_t *budgets = &ret_ladder->budgets;
    builder_t builder = {
        .facts = facts,
        .needs = needs,
        .ladder = ret_ladder,
        .page_size = weir_facts_page_size(facts),
        .tight = (budgets->address.bounded && budgets->address.bytes < 16 * GIB) ||
                 (budgets->commit.bounded && budgets->commit.bytes < 4 * GIB),
        .forced = strategy != WEIR_STRATEGY_AUTO,
        .compact_only = strategy == WEIR_STRATEGY_COMPACT,
        .good = smaller(wanted, larger(14, 7 * processors)),
        .many = larger(32, 16 * processors),
        .fewest = 1,
    };
    if (strategy == WEIR_STRATEGY_AUTO) {
        builder.fewest = fewest_slots(&builder, processors);
    }
    bool refused = weir_fact_is(facts->executable_memory, 0);
    add_tiers(&builder, strategy, refused);
    if (!refused) {
        add_last_resort(&builder, strategy);
    }
    for (size_t i = 0; i < ret_ladder->count; i++) {
        spare(&builder, &ret_ladder->steps[i]);
    }
}

bool weir_rung_is_full(const weir_rung_t *rung, const weir_needs_t *needs, weir_strategy_t strategy)
{
    if (rung->pulley || rung->slots < needs->concurrency) {
        return false;
    }
    bool any = strategy == WEIR_STRATEGY_COMPACT || strategy == WEIR_STRATEGY_ONDEMAND;
    return any || rung->tier == WEIR_TIER_STANDARD;
}
