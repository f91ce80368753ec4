/*
 * rounds.c: times the cells of a grid against each other, in rounds.
 *
 * A sample is what a trial says, which is the lower quartile of its own batches. Over trials the cost is the lower
 * decile: other programs make a sample larger, never smaller, by half or by ten times, and on a busy machine most
 * samples are such; while from one process to the next, where addresses and pages fall better or worse, it is some
 * hundredths. The decile lies at the undisturbed end, and unlike the minimum does not go by one sample alone.
 */
#include "bench/rounds.h"

#include "allocator/plan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHOICE = 0, ROUNDS_UNTIL_FAR = 2 };

/* A cell that costs so many times the best is not the best. */
static const double far_factor = 3;

/* A cell that costs no more than so many times the best may be it. */
static const double close_factor = 1.25;

/* Samples whose median is this close to their lower decile, as a part of it, need no more. */
static const double firm_spread = 0.05;

/* Of timing in a trial, in milliseconds: the shorter a batch, the more of them nothing disturbs. */
static const double time_most = 48;

typedef struct race {
    const weir_rounds_t *rounds;
    weir_cell_t *cells;
    weir_measure_t *measures;
    size_t count;
} race_t;

static double now(const race_t *race)
{
    return race->rounds->tester->milliseconds(race->rounds->tester->context);
}

static int compare_doubles(const void *first, const void *second)
{
    double a = *(const double *)first;
    double b = *(const double *)second;
    return a < b ? -1 : a > b ? 1 : 0;
}

double weir_quantile(const double *sorted, size_t count, double part)
{
    if (count == 0) {
        return 0;
    }
    double place = part * (double)(count - 1);
    size_t below = (size_t)place;
    size_t above = below + 1 < count ? below + 1 : below;
    return sorted[below] + (sorted[above] - sorted[below]) * (place - (double)below);
}

void weir_shuffle(size_t *numbers, size_t count, uint64_t seed)
{
    /* Knuth's linear congruential generator (MMIX), of which the high bits are the good ones. */
    uint64_t state = seed;
    for (size_t left = count; left > 1; left--) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        size_t other = (size_t)((state >> 33) % left);
        size_t kept = numbers[left - 1];
        numbers[left - 1] = numbers[other];
        numbers[other] = kept;
    }
}

/* ---- Samples ----------------------------------------------------------------------------------------------------- */

static void add_sample(weir_measure_t *measure, double microseconds)
{
    if (measure->count == WEIR_SAMPLES_MAX) {
        return;
    }
    double sorted[WEIR_SAMPLES_MAX];
    measure->samples[measure->count++] = microseconds;
    memcpy(sorted, measure->samples, measure->count * sizeof sorted[0]);
    qsort(sorted, measure->count, sizeof sorted[0], compare_doubles);
    measure->microseconds = weir_quantile(sorted, measure->count, 0.1);
    measure->spread = weir_quantile(sorted, measure->count, 0.5) / measure->microseconds - 1;
}

static void time_cell(race_t *race, size_t index)
{
    const weir_rounds_t *rounds = race->rounds;
    weir_cell_t *cell = &race->cells[index];
    weir_measure_t *measure = &race->measures[index];
    weir_verdict_t verdict;
    weir_plan_t plan;
    weir_plan_make(rounds->facts, rounds->needs, rounds->budgets, &cell->rung, WEIR_DEPTH_FULL, 0, &plan);
    plan.hold = plan.threads;
    plan.time_milliseconds = plan.time_milliseconds < time_most ? plan.time_milliseconds : time_most;
    /* The process of the trial is the program here: what is kept back for that is its own, for malloc's arenas too. */
    plan.reserve_address = 0;
    plan.reserve_commit = 0;
    plan.code = weir_codes_file(rounds->codes, &cell->rung, rounds->needs);
    double began = now(race);
    rounds->tester->trial(rounds->tester->context, rounds->facts, &plan, &verdict);
    measure->trial_milliseconds = now(race) - began;
    if (verdict.outcome == WEIR_OUTCOME_PASSED && verdict.instance_microseconds > 0) {
        add_sample(measure, verdict.instance_microseconds);
        return;
    }
    measure->failures++;
    if (measure->count == 0 || measure->failures > 1) {
        measure->microseconds = 0;
        snprintf(
            cell->dropped, sizeof cell->dropped, "%.20s: %.190s", weir_outcome_name(verdict.outcome), verdict.message);
    }
}

/* ---- Rounds ------------------------------------------------------------------------------------------------------ */

size_t weir_rounds_best(const weir_measure_t *measures, size_t count)
{
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < count; i++) {
        if (measures[i].microseconds > 0 &&
            (best == SIZE_MAX || measures[i].microseconds < measures[best].microseconds)) {
            best = i;
        }
    }
    return best;
}

double weir_rounds_regret(const weir_measure_t *measures, size_t count)
{
    return measures[CHOICE].microseconds / measures[weir_rounds_best(measures, count)].microseconds - 1;
}

double weir_rounds_spread(const weir_measure_t *measures, size_t count)
{
    double best = measures[weir_rounds_best(measures, count)].spread;
    return measures[CHOICE].spread > best ? measures[CHOICE].spread : best;
}

bool weir_rounds_are_firm(const weir_measure_t *measures, size_t count)
{
    double spread = weir_rounds_spread(measures, count);
    return measures[CHOICE].count > 1 && measures[weir_rounds_best(measures, count)].count > 1 &&
           (spread <= WEIR_ROUNDS_SPREAD_MOST / 100.0 || spread < weir_rounds_regret(measures, count));
}

/* How many times the best a cell costs; 0 when it was not timed yet. */
static double factor_of(const race_t *race, size_t index)
{
    size_t best = weir_rounds_best(race->measures, race->count);
    return best == SIZE_MAX ? 0 : race->measures[index].microseconds / race->measures[best].microseconds;
}

/* The turns of a round: the cells that are still in. Returns how many. */
static size_t list_turns(const race_t *race, double factor, size_t turns[WEIR_GRID_CELLS])
{
    size_t count = 0;
    for (size_t i = 0; i < race->count; i++) {
        bool in = race->cells[i].dropped[0] == '\0' && !race->measures[i].far;
        if (in && (i == CHOICE || factor_of(race, i) <= factor)) {
            turns[count++] = i;
        }
    }
    return count;
}

/* Whether the turns, each as long as the last time, end before time does. */
static bool is_time_for(const race_t *race, const size_t *turns, size_t count)
{
    double end = now(race);
    for (size_t i = 0; i < count; i++) {
        end += race->measures[turns[i]].trial_milliseconds;
    }
    return end <= race->rounds->until;
}

/* False when there was no time for it. */
static bool run_round(race_t *race, uint32_t round, double factor)
{
    const weir_rounds_t *rounds = race->rounds;
    size_t turns[WEIR_GRID_CELLS];
    size_t count = list_turns(race, factor, turns);
    if (!is_time_for(race, turns, count)) {
        return false;
    }
    weir_shuffle(turns, count, round);
    for (size_t i = 0; i < count && now(race) < rounds->until; i++) {
        if (rounds->progress != NULL) {
            rounds->progress(rounds->progress_context, round, i, count);
        }
        time_cell(race, turns[i]);
    }
    return true;
}

static bool is_firm(const race_t *race)
{
    size_t best = weir_rounds_best(race->measures, race->count);
    return best != SIZE_MAX && race->measures[best].spread < firm_spread && race->measures[CHOICE].spread < firm_spread;
}

static void leave_far_ones(race_t *race)
{
    for (size_t i = 0; i < race->count; i++) {
        race->measures[i].far = i != CHOICE && factor_of(race, i) > far_factor;
    }
}

void weir_rounds_run(const weir_rounds_t *rounds, weir_cell_t *cells, size_t count, weir_measure_t *ret_measures)
{
    race_t race = {rounds, cells, ret_measures, count};
    memset(ret_measures, 0, count * sizeof *ret_measures);
    bool time = true;
    for (uint32_t round = 1; round <= rounds->rounds && time; round++) {
        time = run_round(&race, round, INFINITY);
        if (round == ROUNDS_UNTIL_FAR) {
            leave_far_ones(&race);
        }
    }
    for (uint32_t round = 1; round <= WEIR_ROUNDS_FINAL * rounds->rounds && time; round++) {
        if (round > rounds->rounds && is_firm(&race)) {
            break;
        }
        time = run_round(&race, rounds->rounds + round, close_factor);
    }
    for (size_t i = 0; i < count; i++) {
        if (ret_measures[i].count == 0 && cells[i].dropped[0] == '\0') {
            snprintf(cells[i].dropped, sizeof cells[i].dropped, "not timed: the time was used up");
        }
    }
}
