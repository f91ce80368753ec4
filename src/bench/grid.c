/*
 * grid.c: the configurations that a choice is measured against.
 */
#include "bench/grid.h"

#include "allocator/module.h"
#include "allocator/text.h"

#include <inttypes.h>
#include <stdio.h>

#define KIB UINT64_C(1024)
#define MIB (KIB * KIB)
#define GIB (KIB * MIB)

enum {
    NEEDED_LEAST = 8,
    NEEDED_PER_PROCESSOR = 2, /* one that works, and one that is being dropped */
    WARM_MOST = 100,          /* Wasmtime's default */
};

static const uint64_t wasm_page = 64 * KIB;
static const uint64_t table_keep = 512 * KIB;

typedef struct builder {
    const weir_needs_t *needs;
    const weir_budgets_t *budgets;
    const weir_rung_t *chosen;
    uint64_t page_size;
    uint32_t needed; /* slots */
    weir_cell_t *cells;
    size_t count;
} builder_t;

const char *weir_cell_kind(const weir_cell_t *cell)
{
    return cell->rung.tier == WEIR_TIER_ONDEMAND ? "ondemand" : "pool";
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t round_up(uint64_t bytes, uint64_t unit)
{
    return (bytes + unit - 1) / unit * unit;
}

/* ---- Why a cell is dropped --------------------------------------------------------------------------------------- */

static void drop_for_budget(weir_cell_t *cell, const weir_budget_t *budget, uint64_t asked, const char *what)
{
    if (budget->limit == WEIR_LIMIT_MAPPINGS) {
        snprintf(cell->dropped, sizeof cell->dropped, "it needs %" PRIu64 " %s; %s (%" PRIu64 ") leaves %" PRIu64,
            asked, what, weir_limit_name(budget->limit), budget->limit_at, budget->bytes);
    } else {
        snprintf(cell->dropped, sizeof cell->dropped, "it needs %s of %s; %s (%s) leaves %s for instances",
            weir_size_text(asked).text, what, weir_limit_name(budget->limit), weir_size_text(budget->limit_at).text,
            weir_size_text(budget->bytes).text);
    }
}

static bool drop_if_overdrawn(const builder_t *builder, weir_cell_t *cell)
{
    uint64_t asked = 0;
    const char *what = "";
    const weir_budget_t *budget =
        weir_rung_overdraws(&cell->rung, builder->needs, builder->page_size, builder->budgets, &asked, &what);
    if (budget != NULL) {
        drop_for_budget(cell, budget, asked, what);
    }
    return budget != NULL;
}

/* Sizes and counts coincide where little is wanted. */
static bool drop_if_twin(const builder_t *builder, weir_cell_t *cell)
{
    for (const weir_cell_t *other = &builder->cells[1]; other < cell; other++) {
        if (other->rung.tier != WEIR_TIER_ONDEMAND && other->rung.slots == cell->rung.slots &&
            other->rung.slot_bytes == cell->rung.slot_bytes &&
            other->rung.memory_keep_resident_bytes == cell->rung.memory_keep_resident_bytes) {
            snprintf(cell->dropped, sizeof cell->dropped, "it is the same as a cell before it");
            return true;
        }
    }
    return false;
}

/* ---- Cells ------------------------------------------------------------------------------------------------------- */

static void add_choice(builder_t *builder)
{
    weir_cell_t *cell = &builder->cells[builder->count++];
    *cell = (weir_cell_t){.rung = *builder->chosen};
}

/* Unused slots that may keep what they keep: together a quarter of the memory that is there. */
static uint32_t count_warm(const builder_t *builder, uint32_t slots, uint64_t each)
{
    uint64_t warm = least(slots, WARM_MOST);
    if (builder->budgets->resident.bounded && each > 0) {
        warm = least(warm, builder->budgets->resident.bytes / 4 / each);
    }
    return warm == 0 ? 1 : (uint32_t)warm;
}

static weir_rung_t make_pool(const builder_t *builder, uint64_t slot_bytes, uint32_t slots)
{
    const weir_rung_t *chosen = builder->chosen;
    bool standard = slot_bytes >= 4 * GIB;
    uint64_t guard = standard ? 32 * MIB : 64 * KIB;
    return (weir_rung_t){
        .tier = standard ? WEIR_TIER_STANDARD : WEIR_TIER_COMPACT,
        .slots = slots,
        .slot_bytes = slot_bytes,
        .guard_bytes = chosen->pulley ? 0 : guard, /* the interpreter checks by itself */
        .table_elements = chosen->table_elements,
        .memories_per_slot = builder->needs->memories,
        .tables_per_slot = builder->needs->tables,
        .core_instances_per_slot = builder->needs->core_instances,
        .stacks_per_slot = builder->needs->stacks,
        .stack_bytes = chosen->stack_bytes,
        .pulley = chosen->pulley,
    };
}

static void add_pool(builder_t *builder, uint64_t slot_bytes, uint32_t slots, uint64_t keep)
{
    weir_cell_t *cell = &builder->cells[builder->count++];
    *cell = (weir_cell_t){.rung = make_pool(builder, slot_bytes, slots)};
    keep = least(keep, slot_bytes);
    cell->rung.memory_keep_resident_bytes = keep;
    cell->rung.table_keep_resident_bytes = keep == 0 ? 0 : table_keep;
    uint64_t each = keep == 0 ? 0 : weir_add(weir_multiply(keep, builder->needs->memories), table_keep);
    cell->rung.warm_slots = count_warm(builder, slots, each);
    if (slot_bytes < builder->needs->minimum_memory_bytes) {
        snprintf(cell->dropped, sizeof cell->dropped, "memories begin with %s",
            weir_size_text(builder->needs->minimum_memory_bytes).text);
    } else if (!drop_if_twin(builder, cell)) {
        drop_if_overdrawn(builder, cell);
    }
}

/* Where not even so many of the smallest slots fit, those that do: or a small machine had no pools to compare with. */
static uint32_t count_needed(const builder_t *builder, const weir_facts_t *facts)
{
    uint64_t usual = (uint64_t)NEEDED_PER_PROCESSOR * weir_facts_processors(facts);
    uint64_t needed = least(builder->needs->concurrency, usual < NEEDED_LEAST ? NEEDED_LEAST : usual);
    weir_rung_t smallest = make_pool(builder, round_up(builder->needs->minimum_memory_bytes, wasm_page), 1);
    uint32_t fits = weir_rung_fit(&smallest, builder->needs, builder->page_size, builder->budgets, (uint32_t)needed);
    return fits == 0 ? (uint32_t)needed : fits;
}

static void add_pools(builder_t *builder, const weir_facts_t *facts)
{
    uint32_t wanted = builder->needs->concurrency;
    builder->needed = count_needed(builder, facts);
    uint32_t quarter = wanted / 4 > builder->needed ? wanted / 4 : builder->needed;
    weir_module_shape_t shape;
    weir_module_shape_make(builder->needs, &shape);
    const uint64_t sizes[WEIR_GRID_SIZES] = {
        4 * GIB, 64 * MIB, 16 * MIB, round_up(builder->needs->minimum_memory_bytes, wasm_page)};
    const uint32_t counts[WEIR_GRID_COUNTS] = {wanted, quarter, builder->needed};
    const uint64_t keeps[WEIR_GRID_KEEPS] = {0, 2 * MIB, round_up(weir_module_dirty_bytes(&shape), wasm_page)};
    for (size_t size = 0; size < WEIR_GRID_SIZES; size++) {
        for (size_t count = 0; count < WEIR_GRID_COUNTS; count++) {
            for (size_t keep = 0; keep < WEIR_GRID_KEEPS; keep++) {
                add_pool(builder, sizes[size], counts[count], keeps[keep]);
            }
        }
    }
}

static void add_ondemand(builder_t *builder)
{
    /* As Wasmtime has it for 4 GiB; below that, room to grow without moving is a matter of thrift. */
    static const struct {
        uint64_t reservation;
        uint64_t guard;
        uint64_t growth;
    } kinds[WEIR_GRID_ONDEMAND] = {
        {4 * GIB, 32 * MIB, 2 * GIB},
        {256 * MIB, 64 * KIB, 16 * MIB},
        {16 * MIB, 64 * KIB, 1 * MIB},
        {0, 64 * KIB, 1 * MIB},
    };
    for (size_t i = 0; i < WEIR_GRID_ONDEMAND; i++) {
        weir_cell_t *cell = &builder->cells[builder->count++];
        *cell = (weir_cell_t){.rung = {
                                  .tier = WEIR_TIER_ONDEMAND,
                                  .slots = builder->needs->concurrency,
                                  .slot_bytes = kinds[i].reservation,
                                  .guard_bytes = builder->chosen->pulley ? 0 : kinds[i].guard,
                                  .growth_bytes = kinds[i].growth,
                                  .table_elements = builder->needs->table_elements,
                                  .memories_per_slot = builder->needs->memories,
                                  .tables_per_slot = builder->needs->tables,
                                  .core_instances_per_slot = builder->needs->core_instances,
                                  .stacks_per_slot = builder->needs->stacks,
                                  .stack_bytes = builder->chosen->stack_bytes,
                                  .pulley = builder->chosen->pulley,
                              }};
        /* Nothing is reserved beforehand: it is as many as fit, unless that is fewer than are needed. */
        uint32_t fits = weir_rung_fit(
            &cell->rung, builder->needs, builder->page_size, builder->budgets, builder->needs->concurrency);
        cell->rung.slots = fits < builder->needed ? builder->needed : fits;
        drop_if_overdrawn(builder, cell);
    }
}

void weir_grid_make(const weir_facts_t *facts, const weir_needs_t *needs, const weir_budgets_t *budgets,
    const weir_rung_t *chosen, weir_cell_t ret_cells[WEIR_GRID_CELLS])
{
    builder_t builder = {
        .needs = needs,
        .budgets = budgets,
        .chosen = chosen,
        .page_size = weir_facts_page_size(facts),
        .cells = ret_cells,
    };
    add_choice(&builder);
    add_pools(&builder, facts);
    add_ondemand(&builder);
}
