/*
 * grid.h: the configurations that a choice is measured against. They are fixed beforehand and owe the ladder nothing:
 * what the ladder overlooks shows here. A pure function.
 */
#ifndef WEIR_BENCH_GRID_H
#define WEIR_BENCH_GRID_H

#include "allocator/budget.h"
#include "weir/allocator.h"

#include <stddef.h>

enum {
    WEIR_GRID_SIZES = 4,    /* of a pool's slots: 4 GiB, 64 MiB, 16 MiB, the smallest that fits */
    WEIR_GRID_COUNTS = 3,   /* of slots: all that are wanted, a quarter of that, as many as are needed */
    WEIR_GRID_KEEPS = 3,    /* nothing, 2 MiB, what an instance writes */
    WEIR_GRID_ONDEMAND = 4, /* reservations: 4 GiB, 256 MiB, 16 MiB, none */
    WEIR_GRID_POOLS = WEIR_GRID_SIZES * WEIR_GRID_COUNTS * WEIR_GRID_KEEPS,
    WEIR_GRID_CELLS = 1 + WEIR_GRID_POOLS + WEIR_GRID_ONDEMAND,
};

/* One configuration to be timed. */
typedef struct weir_cell {
    weir_rung_t rung;
    char dropped[224]; /* why it is not timed, one line; "": it is */
} weir_cell_t;

/*
 * Make the grid: first the choice itself, then the pools, then on demand, always in the same order. A cell that the
 * budgets have no room for, that is too small for the needs, or that is another's twin is dropped and says so. `needs`
 * must be complete. Stacks, tables and code are the choice's; guards and growth are what suits the kind.
 */
void weir_grid_make(const weir_facts_t *facts, const weir_needs_t *needs, const weir_budgets_t *budgets,
    const weir_rung_t *chosen, weir_cell_t ret_cells[WEIR_GRID_CELLS]);

/* "pool" or "ondemand". A constant string. */
const char *weir_cell_kind(const weir_cell_t *cell);

#endif
