/*
 * budget.h: what the machine leaves for instances, and what a rung asks of it. Pure functions of facts, needs and rung.
 */
#ifndef WEIR_ALLOCATOR_BUDGET_H
#define WEIR_ALLOCATOR_BUDGET_H

#include "weir/allocator.h"

#include <stdbool.h>
#include <stdint.h>

/* Sums and products that stop at the largest number instead of wrapping. */
uint64_t weir_add(uint64_t a, uint64_t b);
uint64_t weir_multiply(uint64_t a, uint64_t b);

/* How much there is of something. Not bounded: no limit is known, and the trial has to show it. */
typedef struct weir_budget {
    bool bounded;
    uint64_t bytes;     /* what is left for instances; for mappings a count */
    uint64_t limit_at;  /* the limit itself */
    weir_limit_t limit; /* which limit that is: the tightest */
} weir_budget_t;

/* What the machine leaves for instances. */
typedef struct weir_budgets {
    weir_budget_t address;   /* address space */
    weir_budget_t commit;    /* writable memory that is mapped, touched or not */
    weir_budget_t resident;  /* memory that is touched */
    weir_budget_t mappings;  /* count */
    uint64_t address_margin; /* kept back for the program's own heap, stacks and code; 0 where nothing bounds it */
    uint64_t address_arenas; /* the part of that which is for malloc's arenas */
    uint64_t commit_margin;
    unsigned arenas; /* malloc arenas that the plan has room for; 0: as many as malloc likes */
} weir_budgets_t;

/*
 * Work out the budgets. `generous_emulation` raises what a user-mode emulator may be asked to reserve, for a strategy
 * that was asked for by name. `needs` may be incomplete.
 */
void weir_budgets_make(
    const weir_facts_t *facts, const weir_needs_t *needs, bool generous_emulation, weir_budgets_t *ret_budgets);

/* What a rung costs in full, and one slot of it. */
typedef struct weir_cost {
    uint64_t address;
    uint64_t commit;
    uint64_t resident;
    uint64_t mappings;
} weir_cost_t;

/* What `slots` slots of a rung cost, whatever its own number of slots. `needs` must be complete. */
weir_cost_t weir_rung_cost(const weir_rung_t *rung, const weir_needs_t *needs, uint64_t page_size, uint32_t slots);

/* What a rung costs as it is, with the slots that it has to spare. */
weir_cost_t weir_rung_whole_cost(const weir_rung_t *rung, const weir_needs_t *needs, uint64_t page_size);

/* How many slots of a rung fit the budgets, at most `most`; 0 when not even one does. */
uint32_t weir_rung_fit(const weir_rung_t *rung, const weir_needs_t *needs, uint64_t page_size,
    const weir_budgets_t *budgets, uint32_t most);

/*
 * Which budget a rung overdraws: returns the budget, and stores what it asks of it and in what word, or returns NULL
 * when it fits them all.
 */
const weir_budget_t *weir_rung_overdraws(const weir_rung_t *rung, const weir_needs_t *needs, uint64_t page_size,
    const weir_budgets_t *budgets, uint64_t *ret_asked, const char **ret_what);

/* Fill in what `needs` leaves open: defaults, and the instances wanted at once. */
void weir_needs_complete(const weir_facts_t *facts, const weir_needs_t *needs, weir_needs_t *ret_complete);

/*
 * Whether memory left room for fewer instances at once than are wanted where nobody says how many: by which limit, and
 * how many those are. `needs` are complete, and it was not said in them. Either result may be NULL.
 */
bool weir_needs_are_lessened(
    const weir_facts_t *facts, const weir_needs_t *needs, weir_limit_t *ret_limit, uint32_t *ret_usual);

/* The page size, or 4 KiB when it is unknown. */
uint64_t weir_facts_page_size(const weir_facts_t *facts);

/* The processors, or 1 when that is unknown. */
uint32_t weir_facts_processors(const weir_facts_t *facts);

/* Whether a fact is known and has this value. */
bool weir_fact_is(weir_fact_t fact, uint64_t value);

#endif
