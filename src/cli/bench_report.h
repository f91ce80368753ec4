/*
 * bench_report.h: what `weir bench allocator` prints.
 */
#ifndef WEIR_CLI_BENCH_REPORT_H
#define WEIR_CLI_BENCH_REPORT_H

#include "bench/fresh.h"
#include "bench/grid.h"
#include "bench/rounds.h"

#include <stdbool.h>
#include <stddef.h>

/* All that was found. The first cell is the choice. */
typedef struct weir_bench_result {
    weir_strategy_t strategy;
    uint32_t rounds;
    double load;    /* average over a minute, at the beginning; negative: unknown */
    double seconds; /* that all of it took */
    unsigned threads;
    weir_fresh_t fresh;
    size_t count; /* 0: nothing works, and nothing was timed */
    weir_cell_t cells[WEIR_GRID_CELLS];
    weir_measure_t measures[WEIR_GRID_CELLS];
} weir_bench_result_t;

/* Whether the choice was timed, and so has a regret. */
bool weir_bench_has_regret(const weir_bench_result_t *result);

/* Write the result to standard output, for a person or as JSON. Returns false when memory ran out for the latter. What
 * could not be written shows in ferror(stdout). */
void weir_bench_print_text(const weir_bench_result_t *result);
bool weir_bench_print_json(const weir_bench_result_t *result);

#endif
