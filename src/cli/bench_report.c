/*
 * bench_report.c: what `weir bench allocator` prints. docs/bench-allocator.md describes the JSON.
 */
#include "cli/bench_report.h"

#include "allocator/facts.h"
#include "allocator/ladder.h"
#include "allocator/text.h"
#include "cli/json_text.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

/* Raised when a key changes its meaning or goes; new keys may come at any time. */
enum { SCHEMA_VERSION = 1, CHOICE = 0 };

bool weir_bench_has_regret(const weir_bench_result_t *result)
{
    return result->count > 0 && result->measures[CHOICE].microseconds > 0;
}

/* ---- JSON -------------------------------------------------------------------------------------------------------- */

/* A number where it is known, "unlimited", or null. */
static json_t *json_facts(const weir_facts_t *facts)
{
    size_t count;
    const weir_fact_name_t *names = weir_fact_names(&count);
    json_t *object = json_object();
    for (size_t i = 0; i < count; i++) {
        const weir_fact_t *fact = weir_fact_get(facts, &names[i]);
        json_t *value = json_null();
        if (fact->knowledge == WEIR_KNOWN) {
            value = weir_json_number(fact->value);
        } else if (fact->knowledge == WEIR_UNLIMITED) {
            value = json_string("unlimited");
        }
        json_object_set_new(object, names[i].name, value);
    }
    return object;
}

static json_t *json_needs(const weir_needs_t *needs)
{
    return json_pack("{s:o, s:i, s:i, s:i}", "minimum_memory_bytes", weir_json_number(needs->minimum_memory_bytes),
        "memories", (int)needs->memories, "tables", (int)needs->tables, "concurrency", (int)needs->concurrency);
}

static json_t *json_cell(const weir_cell_t *cell)
{
    const weir_rung_t *rung = &cell->rung;
    json_t *object = json_pack("{s:s, s:s, s:i, s:o, s:o, s:o, s:o, s:o}", "kind", weir_cell_kind(cell), "tier",
        weir_tier_name(rung->tier), "slots", (int)rung->slots, "slot_bytes", weir_json_number(rung->slot_bytes),
        "memory_keep_resident_bytes", weir_json_number(rung->memory_keep_resident_bytes), "guard_bytes",
        weir_json_number(rung->guard_bytes), "growth_bytes", weir_json_number(rung->growth_bytes), "stack_bytes",
        weir_json_number(rung->stack_bytes));
    json_object_set_new(object, "table_keep_resident_bytes", weir_json_number(rung->table_keep_resident_bytes));
    json_object_set_new(object, "table_elements", weir_json_number(rung->table_elements));
    json_object_set_new(object, "warm_slots", weir_json_number(rung->warm_slots));
    json_object_set_new(object, "decommit_batch", weir_json_number(rung->decommit_batch));
    json_object_set_new(object, "huge_pages_off", json_boolean(rung->huge_pages_off));
    json_object_set_new(object, "pagemap_scan", json_boolean(rung->pagemap_scan));
    json_object_set_new(object, "pulley", json_boolean(rung->pulley));
    return object;
}

static void add_measure(json_t *object, const weir_measure_t *measure)
{
    json_object_set_new(object, "microseconds", json_real(measure->microseconds));
    json_object_set_new(object, "spread", json_real(measure->spread));
    json_object_set_new(object, "rounds", weir_json_number(measure->count));
    json_object_set_new(object, "far", json_boolean(measure->far));
    json_t *samples = json_array();
    for (uint32_t i = 0; i < measure->count; i++) {
        json_array_append_new(samples, json_real(measure->samples[i]));
    }
    json_object_set_new(object, "samples", samples);
}

static json_t *json_cells(const weir_bench_result_t *result)
{
    json_t *cells = json_array();
    for (size_t i = 0; i < result->count; i++) {
        json_t *object = json_cell(&result->cells[i]);
        json_object_set_new(object, "chosen", json_boolean(i == CHOICE));
        if (result->cells[i].dropped[0] != '\0') {
            json_object_set_new(object, "dropped", json_string(result->cells[i].dropped));
        } else {
            add_measure(object, &result->measures[i]);
        }
        json_array_append_new(cells, object);
    }
    return cells;
}

static json_t *json_choice(const weir_bench_result_t *result)
{
    const weir_fresh_t *fresh = &result->fresh;
    if (!fresh->works) {
        return json_null();
    }
    json_t *object = json_cell(&result->cells[CHOICE]);
    if (weir_bench_has_regret(result)) {
        add_measure(object, &result->measures[CHOICE]);
    }
    json_object_set_new(object, "trial_microseconds", json_real(fresh->instance_microseconds));
    json_object_set_new(object, "milliseconds", json_real(fresh->milliseconds));
    json_object_set_new(object, "summary", json_string(fresh->summary));
    json_object_set_new(object, "reason", json_string(fresh->reason));
    return object;
}

bool weir_bench_print_json(const weir_bench_result_t *result)
{
    bool known = weir_bench_has_regret(result);
    size_t best = weir_rounds_best(result->measures, result->count);
    weir_json_begin();
    json_t *document = json_pack("{s:i, s:s, s:o, s:o, s:o, s:o}", "version", SCHEMA_VERSION, "strategy",
        weir_strategy_name(result->strategy), "regret",
        known ? json_real(weir_rounds_regret(result->measures, result->count)) : json_null(), "choice",
        json_choice(result), "best", best == SIZE_MAX ? json_null() : weir_json_number(best), "cells",
        json_cells(result));
    json_object_set_new(document, "regret_spread",
        known ? json_real(weir_rounds_spread(result->measures, result->count)) : json_null());
    json_object_set_new(
        document, "firm", known ? json_boolean(weir_rounds_are_firm(result->measures, result->count)) : json_null());
    json_object_set_new(document, "needs", json_needs(&result->fresh.needs));
    json_object_set_new(document, "facts", json_facts(&result->fresh.facts));
    json_object_set_new(document, "notice", json_string(result->fresh.notice));
    json_object_set_new(document, "threads", weir_json_number(result->threads));
    json_object_set_new(document, "rounds", weir_json_number(result->rounds));
    json_object_set_new(document, "load_average", result->load < 0 ? json_null() : json_real(result->load));
    json_object_set_new(document, "seconds", json_real(result->seconds));
    char *text = weir_json_text(document);
    if (text == NULL) {
        return false;
    }
    fputs(text, stdout);
    free(text);
    return true;
}

/* ---- Text -------------------------------------------------------------------------------------------------------- */

static void print_head(void)
{
    printf("     %-8s %6s %9s %9s", "kind", "slots", "slot", "kept");
}

static void print_cell(const weir_cell_t *cell, bool chosen)
{
    const weir_rung_t *rung = &cell->rung;
    bool pool = rung->tier != WEIR_TIER_ONDEMAND;
    printf("  %s %-8s %6" PRIu32 " %9s %9s", chosen ? "->" : "  ", weir_cell_kind(cell), rung->slots,
        weir_size_text(rung->slot_bytes).text, pool ? weir_size_text(rung->memory_keep_resident_bytes).text : "-");
}

/* The cells that were timed, the cheapest first. Returns how many. */
static size_t sort_timed(const weir_bench_result_t *result, size_t order[WEIR_GRID_CELLS])
{
    size_t count = 0;
    for (size_t i = 0; i < result->count; i++) {
        if (result->cells[i].dropped[0] != '\0') {
            continue;
        }
        size_t at = count++;
        for (; at > 0 && result->measures[order[at - 1]].microseconds > result->measures[i].microseconds; at--) {
            order[at] = order[at - 1];
        }
        order[at] = i;
    }
    return count;
}

static void print_timed(const weir_bench_result_t *result)
{
    size_t order[WEIR_GRID_CELLS];
    size_t count = sort_timed(result, order);
    print_head();
    printf(" %10s %8s %7s %7s\n", "us", "x best", "spread", "rounds");
    for (size_t i = 0; i < count; i++) {
        const weir_measure_t *measure = &result->measures[order[i]];
        print_cell(&result->cells[order[i]], order[i] == CHOICE);
        printf(" %10.1f %8.2f %5.0f %% %7" PRIu32 "%s\n", measure->microseconds,
            measure->microseconds / result->measures[order[0]].microseconds, measure->spread * 100, measure->count,
            measure->far ? "  far from the best" : "");
    }
}

static void print_dropped(const weir_bench_result_t *result)
{
    bool any = false;
    for (size_t i = 0; i < result->count; i++) {
        if (result->cells[i].dropped[0] != '\0') {
            if (!any) {
                printf("\nWhat was not timed, and why\n");
                print_head();
                printf("\n");
                any = true;
            }
            print_cell(&result->cells[i], i == CHOICE);
            printf("  %s\n", result->cells[i].dropped);
        }
    }
}

void weir_bench_print_text(const weir_bench_result_t *result)
{
    char name[160];
    const weir_fresh_t *fresh = &result->fresh;
    printf("The choice, made anew in %.0f ms\n  %s\n  %s\n", fresh->milliseconds, fresh->summary, fresh->reason);
    printf("\nMicroseconds for an instance (create, write, compute, drop) on %u thread%s at once: the lower decile "
           "of the rounds, best first\n",
        result->threads, result->threads == 1 ? "" : "s");
    print_timed(result);
    print_dropped(result);
    if (weir_bench_has_regret(result)) {
        size_t best = weir_rounds_best(result->measures, result->count);
        printf(
            "\nRegret: %.1f %% (spread %.0f %%%s): the choice costs %.1f us, the best (%s, %s kept) %.1f us. It took "
            "%.0f s",
            weir_rounds_regret(result->measures, result->count) * 100,
            weir_rounds_spread(result->measures, result->count) * 100,
            weir_rounds_are_firm(result->measures, result->count) ? "" : "; not to be trusted, noisy machine: repeat",
            result->measures[CHOICE].microseconds, weir_rung_text(&result->cells[best].rung, name, sizeof name),
            weir_size_text(result->cells[best].rung.memory_keep_resident_bytes).text,
            result->measures[best].microseconds, result->seconds);
        if (result->load >= 0) {
            printf("; the load average was %.1f", result->load);
        }
        printf(".\n");
    }
}
