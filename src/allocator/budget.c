/*
 * budget.c: what the machine leaves for instances, and what a rung asks of it.
 *
 * Address space, commit and resident memory are three things. A pool's memories are reserved without access and cost
 * address space alone; its stacks and tables are writable from the start and count against RLIMIT_DATA and, under
 * vm.overcommit_memory=2, against CommitLimit; and what instances touch counts against the control group and the
 * machine. A limit that is not known bounds nothing here: then the trial has to show it.
 */
#include "allocator/budget.h"

#include <stddef.h>

#define KIB UINT64_C(1024)
#define MIB (KIB * KIB)
#define GIB (KIB * MIB)

enum {
    SLOTS_WANTED = 1000,        /* as Spin and Wasmtime have it */
    SLOTS_WANTED_EMULATED = 64, /* each costs the emulator memory and time */
    MEMORY_PAGES_DEFAULT = 20,  /* of 64 KiB: what small C and Rust guests begin with */
    CORE_INSTANCES_DEFAULT = 8,
    TABLE_ELEMENTS_DEFAULT = 1000,
    MAPPINGS_RESERVED = 1024, /* for the program itself, or half of what is there */
    MAPPINGS_PER_STACK = 2,   /* guard, stack */
    MAPPINGS_PER_MEMORY = 4,  /* before the image, image, after it, inaccessible */
};

/* Writable memory that an instance touches beside its memories: stack, tables, what the host keeps for it. */
static const uint64_t instance_touches = 128 * KIB;

/* What the host keeps for an instance on its heap. */
static const uint64_t instance_keeps = 64 * KIB;

/* An engine by itself, and what its first instance loads. A trial has it too, beside what is kept from it. */
static const uint64_t engine_bytes = 16 * MIB;

/*
 * With less than this beside the engine no program serves anything: weir's threads and heap take as much at the least.
 * Of writable memory it is more, since a stack's whole size counts.
 */
static const uint64_t program_least = 10 * MIB;
static const uint64_t program_least_writable = 12 * MIB;

/* Compiling takes some multiple of the wasm file, for a while; its result stays. */
static const uint64_t compile_factor = 8;

/* glibc reserves this much for each arena beyond the first, and as much again while it aligns it. */
static const uint64_t arena_bytes = 64 * MIB;

/* A user-mode emulator keeps a record for each page that is reserved: about 6.5 MiB for each GiB, measured. */
static const uint64_t emulated_reserve = 8 * GIB;
static const uint64_t emulated_reserve_generous = 64 * GIB;

uint64_t weir_add(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

uint64_t weir_multiply(uint64_t a, uint64_t b)
{
    return a != 0 && b > UINT64_MAX / a ? UINT64_MAX : a * b;
}

static uint64_t subtract(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t round_up(uint64_t bytes, uint64_t unit)
{
    return bytes > UINT64_MAX - unit ? UINT64_MAX / unit * unit : (bytes + unit - 1) / unit * unit;
}

bool weir_fact_is(weir_fact_t fact, uint64_t value)
{
    return fact.knowledge == WEIR_KNOWN && fact.value == value;
}

uint64_t weir_facts_page_size(const weir_facts_t *facts)
{
    return facts->page_size.knowledge == WEIR_KNOWN ? facts->page_size.value : 4096;
}

uint32_t weir_facts_processors(const weir_facts_t *facts)
{
    if (facts->processors.knowledge != WEIR_KNOWN) {
        return 1;
    }
    return (uint32_t)least(facts->processors.value, 4096);
}

/* ---- Budgets ----------------------------------------------------------------------------------------------------- */

static void tighten(weir_budget_t *budget, uint64_t bytes, uint64_t limit_at, weir_limit_t limit)
{
    if (!budget->bounded || bytes < budget->bytes) {
        *budget = (weir_budget_t){true, bytes, limit_at, limit};
    }
}

static void bound_address(
    const weir_facts_t *facts, const weir_needs_t *needs, bool generous_emulation, weir_budgets_t *budgets)
{
    uint64_t processors = weir_facts_processors(facts);
    uint64_t compiling = weir_multiply(needs->wasm_bytes, compile_factor);
    if (facts->address_space_limit.knowledge == WEIR_KNOWN) {
        uint64_t limit = facts->address_space_limit.value;
        /* Usage that is not known is taken for what this program has at its start. */
        uint64_t used = facts->address_space_used.knowledge == WEIR_KNOWN ? facts->address_space_used.value : 64 * MIB;
        uint64_t left = subtract(limit, weir_add(used, engine_bytes));
        left = left < weir_add(program_least, compiling) ? 0 : left;
        budgets->arenas = (unsigned)least(limit / GIB, 8 * processors);
        budgets->arenas = budgets->arenas == 0 ? 1 : budgets->arenas;
        /* The heap and the code; for each processor a loop's stack and a compiling thread's; the arenas. */
        uint64_t arenas = budgets->arenas > 1 ? budgets->arenas * arena_bytes : 0;
        uint64_t margin = weir_add(64 * MIB, compiling) + processors * 10 * MIB + arenas;
        budgets->address_arenas = least(arenas, left / 2);
        budgets->address_margin = least(margin, left / 2);
        if (budgets->arenas == 8 * processors) {
            budgets->arenas = 0; /* that is glibc's own limit */
        }
        tighten(&budgets->address, left - budgets->address_margin, limit, WEIR_LIMIT_ADDRESS_SPACE);
    }
    if (facts->address_bits.knowledge == WEIR_KNOWN && facts->address_bits.value < 64) {
        /* A quarter: with 39 bits, 128 GiB could always be had in one piece, 256 GiB never. */
        uint64_t space = UINT64_C(1) << facts->address_bits.value;
        tighten(&budgets->address, space / 4, space, WEIR_LIMIT_ADDRESS_BITS);
    }
    if (weir_fact_is(facts->emulated, 1)) {
        uint64_t reserve = generous_emulation ? emulated_reserve_generous : emulated_reserve;
        tighten(&budgets->address, reserve, reserve, WEIR_LIMIT_EMULATION);
    }
}

static void bound_commit(const weir_facts_t *facts, const weir_needs_t *needs, weir_budgets_t *budgets)
{
    uint64_t compiling = weir_multiply(needs->wasm_bytes, compile_factor);
    uint64_t margin = weir_add(48 * MIB, compiling);
    if (weir_fact_is(facts->overcommit_mode, 2) && facts->commit_limit.knowledge == WEIR_KNOWN &&
        facts->commit_used.knowledge == WEIR_KNOWN) {
        uint64_t kept = facts->commit_reserve.knowledge == WEIR_KNOWN ? facts->commit_reserve.value : 0;
        uint64_t taken = weir_add(weir_add(facts->commit_used.value, kept), engine_bytes);
        uint64_t left = subtract(facts->commit_limit.value, taken);
        left = left < weir_add(program_least_writable, compiling) ? 0 : left;
        budgets->commit_margin = least(margin, left / 2);
        tighten(&budgets->commit, left - budgets->commit_margin, facts->commit_limit.value, WEIR_LIMIT_COMMIT);
    }
    if (facts->data_limit.knowledge == WEIR_KNOWN) {
        uint64_t used = facts->data_used.knowledge == WEIR_KNOWN ? facts->data_used.value : 16 * MIB;
        uint64_t left = subtract(facts->data_limit.value, weir_add(used, engine_bytes));
        left = left < weir_add(program_least_writable, compiling) ? 0 : left;
        uint64_t kept = least(margin + weir_facts_processors(facts) * 10 * MIB, left / 2);
        budgets->commit_margin = kept > budgets->commit_margin ? kept : budgets->commit_margin;
        tighten(&budgets->commit, left - kept, facts->data_limit.value, WEIR_LIMIT_DATA);
    }
}

static void bound_resident(const weir_facts_t *facts, const weir_needs_t *needs, weir_budgets_t *budgets)
{
    uint64_t margin = 64 * MIB + weir_multiply(needs->wasm_bytes, compile_factor);
    if (facts->cgroup_limit.knowledge == WEIR_KNOWN) {
        uint64_t used = facts->cgroup_used.knowledge == WEIR_KNOWN ? facts->cgroup_used.value : 32 * MIB;
        uint64_t left = subtract(facts->cgroup_limit.value, used);
        tighten(&budgets->resident, left - least(margin, left / 2), facts->cgroup_limit.value, WEIR_LIMIT_CGROUP);
    }
    if (facts->memory_available.knowledge == WEIR_KNOWN) {
        uint64_t left = facts->memory_available.value;
        /* A quarter is left to the machine's other programs. */
        left = left - left / 4;
        tighten(&budgets->resident, left - least(margin, left / 2), facts->memory_total.value, WEIR_LIMIT_MEMORY);
    }
}

void weir_budgets_make(
    const weir_facts_t *facts, const weir_needs_t *needs, bool generous_emulation, weir_budgets_t *ret_budgets)
{
    weir_budgets_t budgets = {.arenas = 0};
    bound_address(facts, needs, generous_emulation, &budgets);
    bound_commit(facts, needs, &budgets);
    bound_resident(facts, needs, &budgets);
    if (facts->mappings_limit.knowledge == WEIR_KNOWN) {
        uint64_t used = facts->mappings_used.knowledge == WEIR_KNOWN ? facts->mappings_used.value : 256;
        uint64_t left = subtract(facts->mappings_limit.value, used);
        tighten(&budgets.mappings, left - least(MAPPINGS_RESERVED, left / 2), facts->mappings_limit.value,
            WEIR_LIMIT_MAPPINGS);
    }
    *ret_budgets = budgets;
}

/* ---- What a rung costs ------------------------------------------------------------------------------------------- */

weir_cost_t weir_rung_cost(const weir_rung_t *rung, const weir_needs_t *needs, uint64_t page_size, uint32_t slots)
{
    bool pool = rung->tier != WEIR_TIER_ONDEMAND;
    uint64_t minimum = round_up(needs->minimum_memory_bytes, page_size);
    uint64_t memories = pool ? rung->memories_per_slot : needs->memories;
    uint64_t tables = pool ? rung->tables_per_slot : needs->tables;
    uint64_t table = round_up(weir_multiply(pool ? rung->table_elements : needs->table_elements, 8), page_size);
    uint64_t memory = rung->slot_bytes;
    if (!pool) {
        uint64_t held = weir_add(minimum, rung->growth_bytes);
        memory = minimum <= memory ? memory : held;
        memory = weir_add(memory, rung->guard_bytes); /* and one before it; a pool's slots share theirs */
    }
    memory = round_up(weir_add(memory, rung->guard_bytes), page_size);
    uint64_t stacks = rung->stacks_per_slot == 0 ? 1 : rung->stacks_per_slot;
    uint64_t stack = round_up(rung->stack_bytes, page_size);
    weir_cost_t slot = {
        .address = weir_add(weir_add(weir_multiply(memories, memory), weir_multiply(tables, table)),
            weir_add(weir_multiply(stacks, stack + page_size), instance_keeps)),
        .commit = weir_add(weir_add(weir_multiply(memories, minimum), weir_multiply(tables, table)),
            weir_add(weir_multiply(stacks, stack), instance_keeps)),
        .resident = weir_add(weir_multiply(needs->memories, minimum), instance_touches),
        .mappings = MAPPINGS_PER_STACK * stacks + weir_multiply(memories, MAPPINGS_PER_MEMORY),
    };
    weir_cost_t cost = {
        .address = weir_add(weir_multiply(slot.address, slots), pool ? 2 * rung->guard_bytes : 0),
        .commit = weir_multiply(slot.commit, slots),
        .resident = weir_multiply(slot.resident, slots),
        .mappings = weir_multiply(slot.mappings, slots),
    };
    return cost;
}

weir_cost_t weir_rung_whole_cost(const weir_rung_t *rung, const weir_needs_t *needs, uint64_t page_size)
{
    weir_cost_t cost = weir_rung_cost(rung, needs, page_size, rung->slots + rung->spare_slots);
    cost.resident =
        weir_rung_cost(rung, needs, page_size, rung->slots).resident; /* no instance is ever in the others */
    return cost;
}

const weir_budget_t *weir_rung_overdraws(const weir_rung_t *rung, const weir_needs_t *needs, uint64_t page_size,
    const weir_budgets_t *budgets, uint64_t *ret_asked, const char **ret_what)
{
    weir_cost_t cost = weir_rung_whole_cost(rung, needs, page_size);
    const struct {
        const weir_budget_t *budget;
        uint64_t asked;
        const char *what;
    } checks[] = {
        {&budgets->address, cost.address, "address space"},
        {&budgets->commit, cost.commit, "writable memory"},
        {&budgets->resident, cost.resident, "memory"},
        {&budgets->mappings, cost.mappings, "mappings"},
    };
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        if (checks[i].budget->bounded && checks[i].asked > checks[i].budget->bytes) {
            *ret_asked = checks[i].asked;
            *ret_what = checks[i].what;
            return checks[i].budget;
        }
    }
    return NULL;
}

uint32_t weir_rung_fit(const weir_rung_t *rung, const weir_needs_t *needs, uint64_t page_size,
    const weir_budgets_t *budgets, uint32_t most)
{
    uint32_t fits = 0;
    uint32_t beyond = most == UINT32_MAX ? most : most + 1;
    while (beyond - fits > 1) {
        weir_rung_t candidate = *rung;
        uint64_t asked;
        const char *what;
        candidate.slots = fits + (beyond - fits) / 2;
        if (weir_rung_overdraws(&candidate, needs, page_size, budgets, &asked, &what) == NULL) {
            fits = candidate.slots;
        } else {
            beyond = candidate.slots;
        }
    }
    return fits;
}

/* ---- Needs ------------------------------------------------------------------------------------------------------- */

static uint32_t usual_concurrency(const weir_facts_t *facts)
{
    return weir_fact_is(facts->emulated, 1) ? SLOTS_WANTED_EMULATED : SLOTS_WANTED;
}

bool weir_needs_are_lessened(
    const weir_facts_t *facts, const weir_needs_t *needs, weir_limit_t *ret_limit, uint32_t *ret_usual)
{
    weir_budgets_t budgets;
    if (needs->concurrency >= usual_concurrency(facts)) {
        return false;
    }
    weir_budgets_make(facts, needs, false, &budgets);
    if (ret_limit != NULL) {
        *ret_limit = budgets.resident.bounded ? budgets.resident.limit : WEIR_LIMIT_UNKNOWN;
    }
    if (ret_usual != NULL) {
        *ret_usual = usual_concurrency(facts);
    }
    return true;
}

void weir_needs_complete(const weir_facts_t *facts, const weir_needs_t *needs, weir_needs_t *ret_complete)
{
    weir_needs_t complete = *needs;
    if (complete.minimum_memory_bytes == 0) {
        complete.minimum_memory_bytes = MEMORY_PAGES_DEFAULT * 64 * KIB;
    }
    complete.minimum_memory_bytes = round_up(complete.minimum_memory_bytes, 64 * KIB);
    complete.memories = complete.memories == 0 ? 1 : complete.memories;
    complete.tables = complete.tables == 0 ? 1 : complete.tables;
    complete.table_elements = complete.table_elements == 0 ? TABLE_ELEMENTS_DEFAULT : complete.table_elements;
    complete.stacks = complete.stacks == 0 ? 1 : complete.stacks;
    complete.core_instances = complete.core_instances == 0 ? CORE_INSTANCES_DEFAULT : complete.core_instances;
    if (complete.concurrency == 0) {
        /*
         * A slot beyond what the processors can run costs next to nothing, and serves guests that wait; but no more
         * than can have their memory at once.
         */
        weir_budgets_t budgets;
        weir_budgets_make(facts, &complete, false, &budgets);
        uint32_t wanted = usual_concurrency(facts);
        if (budgets.resident.bounded) {
            uint64_t each = weir_add(weir_multiply(complete.memories, complete.minimum_memory_bytes), instance_touches);
            uint64_t fit = budgets.resident.bytes / each;
            wanted = fit < wanted ? (uint32_t)fit : wanted;
        }
        complete.concurrency = wanted == 0 ? 1 : wanted;
    }
    *ret_complete = complete;
}

uint64_t weir_rung_address_bytes(const weir_rung_t *rung, const weir_needs_t *needs)
{
    return weir_rung_whole_cost(rung, needs, 4096).address;
}

uint64_t weir_rung_commit_bytes(const weir_rung_t *rung, const weir_needs_t *needs)
{
    return weir_rung_whole_cost(rung, needs, 4096).commit;
}
