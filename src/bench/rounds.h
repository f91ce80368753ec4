/*
 * rounds.h: times the cells of a grid against each other, in rounds, so that what disturbs the machine meanwhile
 * disturbs them all alike.
 */
#ifndef WEIR_BENCH_ROUNDS_H
#define WEIR_BENCH_ROUNDS_H

#include "allocator/code.h"
#include "allocator/search.h"
#include "bench/grid.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    WEIR_ROUNDS_MOST = 50,
    WEIR_ROUNDS_FINAL = 8,        /* for the best there are up to so many times the rounds more */
    WEIR_ROUNDS_SPREAD_MOST = 10, /* percent */
    WEIR_SAMPLES_MAX = (1 + WEIR_ROUNDS_FINAL) * WEIR_ROUNDS_MOST,
};

/* What rounds are run with. Everything is borrowed. */
typedef struct weir_rounds {
    const weir_facts_t *facts;
    const weir_needs_t *needs; /* complete */
    const weir_budgets_t *budgets;
    const weir_tester_t *tester; /* what runs a trial, and the clock */
    weir_codes_t *codes;         /* what trials compile is shared through it */
    uint32_t rounds;             /* 1 to WEIR_ROUNDS_MOST */
    double until;                /* by the clock, in milliseconds: no trial begins after it */
    /* Told before each trial; NULL: nobody is. `round` counts from 1; more than `rounds`: it is for the best alone. */
    void (*progress)(void *context, uint32_t round, size_t done, size_t count);
    void *progress_context;
} weir_rounds_t;

/* What was measured of a cell. */
typedef struct weir_measure {
    double microseconds; /* of an instance: the lower decile over rounds; 0: it was not timed */
    double spread;       /* from there up to the median, as a part of it */
    uint32_t count;      /* samples, one for each round */
    bool far;            /* two rounds told enough */
    uint32_t failures;
    double samples[WEIR_SAMPLES_MAX];
    double trial_milliseconds; /* the latest trial's */
} weir_measure_t;

/*
 * Time those of `count` cells that are not dropped; the first is the choice. One trial is one sample. In each round
 * every cell has one, in an order of its own; a cell that costs more than three times the best after two rounds has no
 * more. Then the choice and those that come close to the best have as many rounds again, since among many cells the
 * lowest of few samples is so by luck; and up to eight times as many where the samples of the choice or of the best are
 * far apart, as they are on a busy machine. A cell whose trial fails is dropped with what the verdict says, when it
 * passed before only the second time. Rounds are left out where time does not suffice for a whole one.
 */
void weir_rounds_run(const weir_rounds_t *rounds, weir_cell_t *cells, size_t count, weir_measure_t *ret_measures);

/* The index of the cell that costs least, or SIZE_MAX when none was timed. Of equals the first. */
size_t weir_rounds_best(const weir_measure_t *measures, size_t count);

/* Cost of the choice, the first cell, divided by the least cost, minus 1. Both must have been timed. */
double weir_rounds_regret(const weir_measure_t *measures, size_t count);

/*
 * How far the rounds of the choice and of the best cell are apart: the greater of their two spreads. Both must have
 * been timed.
 */
double weir_rounds_spread(const weir_measure_t *measures, size_t count);

/*
 * Whether the regret tells of the choice rather than of the machine's other work: both cells were timed at least twice,
 * and their spread is no more than WEIR_ROUNDS_SPREAD_MOST percent, or less than the regret. Both must have been timed.
 */
bool weir_rounds_are_firm(const weir_measure_t *measures, size_t count);

/* The value below which a part of `count` values, sorted, lies, by linear interpolation; `part` is from 0 to 1. */
double weir_quantile(const double *sorted, size_t count, double part);

/* Put numbers in an order that depends on the seed alone. */
void weir_shuffle(size_t *numbers, size_t count, uint64_t seed);

#endif
