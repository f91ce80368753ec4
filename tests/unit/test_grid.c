/*
 * test_grid.c: which configurations a choice is measured against, and how rounds of trials become costs and a regret.
 * The trials are a table's, with a clock that stands between them; what a fresh process chooses is real.
 */
#include "allocator/module.h"
#include "allocator/trial.h"
#include "bench/fresh.h"
#include "bench/grid.h"
#include "bench/rounds.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* cmocka.h wants the others before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
/* clang-format on */

#define KIB UINT64_C(1024)
#define MIB (KIB * KIB)
#define GIB (KIB * MIB)

static weir_fact_t known(uint64_t value)
{
    return (weir_fact_t){WEIR_KNOWN, value, "test"};
}

/* A machine with two processors and 24 GiB that refuses nothing. */
static weir_facts_t generous(void)
{
    weir_facts_t facts = {.size = sizeof facts};
    facts.processors = known(2);
    facts.page_size = known(4096);
    facts.memory_total = known(24 * GIB);
    facts.memory_available = known(23 * GIB);
    facts.address_space_limit = (weir_fact_t){WEIR_UNLIMITED, 0, "test"};
    facts.address_space_used = known(30 * MIB);
    facts.address_bits = known(47);
    facts.mappings_limit = known(65530);
    facts.mappings_used = known(60);
    facts.executable_memory = known(1);
    facts.emulated = known(0);
    return facts;
}

typedef struct scene {
    weir_facts_t facts;
    weir_needs_t needs;
    weir_budgets_t budgets;
    weir_rung_t chosen;
    weir_cell_t cells[WEIR_GRID_CELLS];
} scene_t;

static void set_scene(scene_t *scene, const weir_facts_t *facts, const weir_needs_t *needs)
{
    scene->facts = *facts;
    weir_needs_complete(facts, needs, &scene->needs);
    weir_budgets_make(facts, &scene->needs, false, &scene->budgets);
    scene->chosen = (weir_rung_t){
        .tier = WEIR_TIER_COMPACT,
        .slots = 20,
        .slot_bytes = 8 * MIB,
        .guard_bytes = 64 * KIB,
        .memory_keep_resident_bytes = 64 * KIB,
        .decommit_batch = 4,
        .table_elements = 2000,
        .memories_per_slot = scene->needs.memories,
        .tables_per_slot = scene->needs.tables,
        .core_instances_per_slot = scene->needs.core_instances,
        .stack_bytes = MIB,
        .warm_slots = 3,
    };
    weir_grid_make(&scene->facts, &scene->needs, &scene->budgets, &scene->chosen, scene->cells);
}

static const weir_cell_t *find_pool(const scene_t *scene, uint64_t slot_bytes, uint32_t slots, uint64_t keep)
{
    for (size_t i = 1; i < WEIR_GRID_CELLS; i++) {
        const weir_rung_t *rung = &scene->cells[i].rung;
        if (rung->tier != WEIR_TIER_ONDEMAND && rung->slot_bytes == slot_bytes && rung->slots == slots &&
            rung->memory_keep_resident_bytes == keep) {
            return &scene->cells[i];
        }
    }
    fail_msg("no pool of %u slots of %llu bytes", slots, (unsigned long long)slot_bytes);
    return NULL;
}

static size_t count_timed(const scene_t *scene)
{
    size_t count = 0;
    for (size_t i = 0; i < WEIR_GRID_CELLS; i++) {
        count += scene->cells[i].dropped[0] == '\0' ? 1 : 0;
    }
    return count;
}

/* ---- The grid ---------------------------------------------------------------------------------------------------- */

static void on_a_generous_machine_nothing_is_dropped(void **state)
{
    (void)state;
    static scene_t scene;
    const weir_facts_t facts = generous();
    set_scene(&scene, &facts, &(weir_needs_t){.concurrency = 0});
    assert_int_equal(count_timed(&scene), WEIR_GRID_CELLS);
    assert_int_equal(WEIR_GRID_CELLS, 41);
    const uint64_t sizes[] = {4 * GIB, 64 * MIB, 16 * MIB, scene.needs.minimum_memory_bytes};
    const uint32_t counts[] = {1000, 250, 8};
    weir_module_shape_t shape;
    weir_module_shape_make(&scene.needs, &shape);
    for (size_t size = 0; size < 4; size++) {
        for (size_t count = 0; count < 3; count++) {
            uint64_t usual = sizes[size] < 2 * MIB ? sizes[size] : 2 * MIB;
            find_pool(&scene, sizes[size], counts[count], 0);
            find_pool(&scene, sizes[size], counts[count], usual);
            find_pool(&scene, sizes[size], counts[count], weir_module_dirty_bytes(&shape));
        }
    }
    const uint64_t reservations[] = {4 * GIB, 256 * MIB, 16 * MIB, 0};
    for (size_t i = 0; i < 4; i++) {
        const weir_cell_t *cell = &scene.cells[1 + WEIR_GRID_POOLS + i];
        assert_string_equal(weir_cell_kind(cell), "ondemand");
        assert_int_equal(cell->rung.slot_bytes, reservations[i]);
        assert_int_equal(cell->rung.slots, 1000);
    }
}

/* What the ladder thinks of knobs and counts must not show in what it is measured against. */
static void the_grid_takes_nothing_from_the_choice_but_stacks_tables_and_code(void **state)
{
    (void)state;
    static scene_t first;
    static scene_t second;
    const weir_facts_t facts = generous();
    set_scene(&first, &facts, &(weir_needs_t){.concurrency = 0});
    second = first;
    second.chosen = (weir_rung_t){
        .tier = WEIR_TIER_ONDEMAND,
        .slots = 3,
        .slot_bytes = GIB,
        .guard_bytes = 1,
        .growth_bytes = 2,
        .memory_keep_resident_bytes = 3,
        .table_keep_resident_bytes = 4,
        .stack_keep_resident_bytes = 5,
        .decommit_batch = 7,
        .warm_slots = 8,
        .huge_pages_off = true,
        .memories_per_slot = 9,
        .tables_per_slot = 10,
        .core_instances_per_slot = 11,
        .table_elements = first.chosen.table_elements,
        .stack_bytes = first.chosen.stack_bytes,
    };
    weir_grid_make(&second.facts, &second.needs, &second.budgets, &second.chosen, second.cells);
    assert_memory_equal(&second.cells[0].rung, &second.chosen, sizeof second.chosen);
    assert_memory_equal(&first.cells[1], &second.cells[1], sizeof first.cells - sizeof first.cells[0]);
    second.chosen.pulley = true;
    weir_grid_make(&second.facts, &second.needs, &second.budgets, &second.chosen, second.cells);
    for (size_t i = 1; i < WEIR_GRID_CELLS; i++) {
        assert_true(second.cells[i].rung.pulley);
        assert_int_equal(second.cells[i].rung.guard_bytes, 0);
    }
}

typedef struct drop_case {
    const char *name;
    uint64_t address_space; /* 0: unlimited */
    uint64_t cgroup;        /* 0: none */
    uint64_t minimum;       /* 0: unknown */
    bool emulated;
    uint64_t slot_bytes; /* the pool that is asked about, which keeps nothing */
    uint32_t slots;
    const char *dropped; /* a part of what it says; "": it is timed */
} drop_case_t;

static const drop_case_t drop_cases[] = {
    {"64 GiB hold no 1000", 64 * GIB, 0, 0, false, 4 * GIB, 1000, "of address space; RLIMIT_AS (64 GiB) leaves"},
    {"64 GiB hold no quarter", 64 * GIB, 0, 0, false, 4 * GIB, 250, "RLIMIT_AS"},
    {"64 GiB hold eight", 64 * GIB, 0, 0, false, 4 * GIB, 8, ""},
    {"8 GiB hold no eight", 8 * GIB, 0, 0, false, 4 * GIB, 8, "RLIMIT_AS (8 GiB)"},
    {"8 GiB hold small ones", 8 * GIB, 0, 0, false, 64 * MIB, 8, ""},
    {"an emulator pays for reservations", 0, 0, 0, true, 4 * GIB, 8, "the user-mode emulator"},
    {"an emulator wants fewer", 0, 0, 0, true, 64 * MIB, 64, ""},
    {"the quarter of few is what is needed", 0, 256 * MIB, 0, false, 64 * MIB, 8, ""},
    {"a small control group holds few", 0, 20 * MIB, 0, false, 4 * GIB, 1, ""},
    {"100 MiB hold no eight of 16 MiB", 100 * MIB, 0, 0, false, 16 * MIB, 8, "RLIMIT_AS (100 MiB)"},
    {"100 MiB hold eight of the smallest", 100 * MIB, 0, 0, false, 1280 * KIB, 8, ""},
    {"60 MiB hold two of the smallest", 60 * MIB, 0, 0, false, 1280 * KIB, 2, ""},
    {"a memory that begins larger", 0, 0, 20 * MIB, false, 16 * MIB, 8, "memories begin with 20 MiB"},
    {"a memory that just fits", 0, 0, 16 * MIB, false, 16 * MIB, 8, ""},
};

static void what_there_is_no_room_for_is_dropped_and_says_why(void **state)
{
    (void)state;
    static scene_t scene;
    for (size_t i = 0; i < sizeof drop_cases / sizeof drop_cases[0]; i++) {
        const drop_case_t *drop = &drop_cases[i];
        weir_facts_t facts = generous();
        if (drop->address_space != 0) {
            facts.address_space_limit = known(drop->address_space);
        }
        if (drop->cgroup != 0) {
            facts.cgroup_limit = known(drop->cgroup);
            facts.cgroup_used = known(16 * MIB);
        }
        facts.emulated = known(drop->emulated ? 1 : 0);
        set_scene(&scene, &facts, &(weir_needs_t){.minimum_memory_bytes = drop->minimum});
        const weir_cell_t *cell = find_pool(&scene, drop->slot_bytes, drop->slots, 0);
        bool as_said =
            drop->dropped[0] == '\0' ? cell->dropped[0] == '\0' : strstr(cell->dropped, drop->dropped) != NULL;
        if (!as_said) {
            fail_msg("%s: '%s' instead of '%s'", drop->name, cell->dropped, drop->dropped);
        }
        assert_string_equal(scene.cells[0].dropped, "");
    }
}

/* In what cells differ. */
static bool are_alike(const weir_rung_t *a, const weir_rung_t *b)
{
    return a->tier == b->tier && a->slots == b->slots && a->slot_bytes == b->slot_bytes &&
           a->memory_keep_resident_bytes == b->memory_keep_resident_bytes;
}

static void check_cell(const scene_t *scene, size_t index)
{
    const weir_cell_t *cell = &scene->cells[index];
    const weir_rung_t *rung = &cell->rung;
    uint64_t asked;
    const char *what;
    assert_null(weir_rung_overdraws(rung, &scene->needs, 4096, &scene->budgets, &asked, &what));
    assert_true(rung->slots >= 1 && rung->slots <= scene->needs.concurrency);
    if (rung->tier == WEIR_TIER_ONDEMAND) {
        return;
    }
    assert_true(rung->slot_bytes >= scene->needs.minimum_memory_bytes);
    assert_true(rung->memory_keep_resident_bytes <= rung->slot_bytes);
    assert_true(rung->warm_slots >= 1 && rung->warm_slots <= rung->slots);
    uint64_t kept = rung->memory_keep_resident_bytes * rung->memories_per_slot + rung->table_keep_resident_bytes;
    assert_true(rung->warm_slots == 1 || rung->warm_slots * kept <= scene->budgets.resident.bytes / 4);
    for (size_t other = 1; other < index; other++) {
        assert_false(scene->cells[other].dropped[0] == '\0' && are_alike(&scene->cells[other].rung, rung));
    }
}

static void on_every_machine_a_timed_cell_fits_and_is_timed_once(void **state)
{
    (void)state;
    static scene_t scene;
    const uint64_t limits[] = {UINT64_MAX, 64 * GIB, 8 * GIB, GIB, 400 * MIB, 60 * MIB};
    const uint64_t memories[] = {23 * GIB, GIB, 200 * MIB, 20 * MIB};
    const uint64_t minima[] = {0, 64 * KIB, 16 * MIB, 64 * MIB, GIB, 4 * GIB};
    const uint32_t wanted[] = {0, 1, 8, 33};
    unsigned timed = 0;
    for (size_t number = 0; number < (size_t)6 * 4 * 6 * 4 * 2; number++) {
        size_t rest = number;
        weir_facts_t facts = generous();
        facts.address_space_limit = known(limits[rest % 6]);
        rest /= 6;
        facts.memory_available = known(memories[rest % 4]);
        rest /= 4;
        weir_needs_t needs = {.minimum_memory_bytes = minima[rest % 6], .memories = 2};
        rest /= 6;
        needs.concurrency = wanted[rest % 4];
        facts.emulated = known(rest / 4);
        set_scene(&scene, &facts, &needs);
        for (size_t i = 1; i < WEIR_GRID_CELLS; i++) {
            if (scene.cells[i].dropped[0] == '\0') {
                check_cell(&scene, i);
                timed++;
            }
        }
    }
    assert_true(timed > 1000);
}

/* ---- Rounds ------------------------------------------------------------------------------------------------------ */

enum { TRACE_MAX = 4000 };

/* A machine that is a table: the cost of a cell is the number of its slots. */
typedef struct machine {
    double clock; /* milliseconds */
    double trial_milliseconds;
    double (*cost)(struct machine *machine, uint32_t slots);
    uint32_t refused; /* trials of a rung with so many slots fail; 0: none does */
    unsigned failing; /* how many of these trials, from the `passing` first on */
    unsigned passing;
    uint64_t random;
    unsigned count;
    uint32_t trace[TRACE_MAX];
} machine_t;

static double as_slots(machine_t *machine, uint32_t slots)
{
    (void)machine;
    return slots;
}

/* It gets slower all the time: twice as slow after 100 trials. */
static double as_drifting(machine_t *machine, uint32_t slots)
{
    return slots * (1 + machine->count / 100.0);
}

static uint32_t random_below(machine_t *machine, uint32_t bound)
{
    machine->random = machine->random * UINT64_C(6364136223846793005) + 1442695040888963407U;
    return (uint32_t)((machine->random >> 33) % bound);
}

/* Two of three samples are disturbed, by up to the fourfold; the rest by up to a hundredth. */
static double as_busy(machine_t *machine, uint32_t slots)
{
    double luck = 1 + random_below(machine, 100) / 1e4;
    return slots * luck * (random_below(machine, 3) == 0 ? 1 : 1.3 + random_below(machine, 270) / 100.0);
}

static void table_trial(void *context, const weir_facts_t *facts, const weir_plan_t *plan, weir_verdict_t *ret_verdict)
{
    machine_t *machine = context;
    (void)facts;
    assert_int_equal(plan->knob_count, 0);
    assert_int_equal(plan->hold, plan->threads);
    assert_true(plan->time_milliseconds > 0);
    assert_true(plan->code >= 0);
    assert_true(machine->count < TRACE_MAX);
    machine->trace[machine->count++] = plan->rung.slots;
    machine->clock += machine->trial_milliseconds;
    *ret_verdict = (weir_verdict_t){.outcome = WEIR_OUTCOME_PASSED,
        .threads = 2,
        .instance_microseconds = machine->cost(machine, plan->rung.slots)};
    if (plan->rung.slots == machine->refused) {
        if (machine->passing > 0) {
            machine->passing--;
        } else if (machine->failing > 0) {
            machine->failing--;
            *ret_verdict = (weir_verdict_t){.outcome = WEIR_OUTCOME_REFUSED, .message = "mmap of 7 bytes"};
        }
    }
}

static double table_clock(void *context)
{
    return ((const machine_t *)context)->clock;
}

/* Times cells with these numbers of slots, the first the choice, 0 for one that is dropped from the beginning. */
static void run(machine_t *machine, const uint32_t *slots, size_t count, uint32_t rounds, double until,
    weir_cell_t *cells, weir_measure_t *measures)
{
    static scene_t scene;
    const weir_facts_t facts = generous();
    set_scene(&scene, &facts, &(weir_needs_t){.concurrency = 0});
    weir_codes_t codes = {.count = 0};
    const weir_tester_t tester = {table_trial, table_clock, machine};
    machine->cost = machine->cost == NULL ? as_slots : machine->cost;
    machine->trial_milliseconds = machine->trial_milliseconds == 0 ? 1 : machine->trial_milliseconds;
    for (size_t i = 0; i < count; i++) {
        cells[i] = (weir_cell_t){.rung = scene.chosen};
        cells[i].rung.slots = slots[i];
        snprintf(cells[i].dropped, sizeof cells[i].dropped, "%s", slots[i] == 0 ? "never" : "");
    }
    const weir_rounds_t settings = {
        .facts = &scene.facts,
        .needs = &scene.needs,
        .budgets = &scene.budgets,
        .tester = &tester,
        .codes = &codes,
        .rounds = rounds,
        .until = until,
    };
    weir_rounds_run(&settings, cells, count, measures);
    weir_codes_free(&codes);
}

static weir_cell_t cells[WEIR_GRID_CELLS];
static weir_measure_t measures[WEIR_GRID_CELLS];

static void regret_is_the_choice_against_the_best(void **state)
{
    (void)state;
    static const struct {
        uint32_t slots[5];
        size_t best;
        double regret;
    } cases[] = {
        {{100, 80, 120, 90, 200}, 1, 0.25},
        {{100, 200, 101, 150, 900}, 0, 0},
        {{100, 100, 100, 100, 100}, 0, 0},
        {{400, 0, 0, 100, 0}, 3, 3},
        {{50, 0, 0, 0, 0}, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        machine_t machine = {.clock = 0};
        run(&machine, cases[i].slots, 5, 5, 1e9, cells, measures);
        assert_int_equal(weir_rounds_best(measures, 5), cases[i].best);
        assert_true(fabs(weir_rounds_regret(measures, 5) - cases[i].regret) < 1e-9);
    }
}

static void a_regret_is_firm_when_the_spread_is_little_or_less_than_it(void **state)
{
    (void)state;
    static const struct {
        weir_measure_t choice, best;
        double spread;
        bool firm;
    } cases[] = {
        {{100, .spread = 0.04, .count = 10}, {99, .spread = 0.02, .count = 10}, 0.04, true},
        {{100, .spread = 0.02, .count = 10}, {99, .spread = 0.10, .count = 10}, 0.10, true},
        {{100, .spread = 0.02, .count = 10}, {99, .spread = 0.11, .count = 10}, 0.11, false},
        {{100, .spread = 1.04, .count = 45}, {100, .spread = 0.01, .count = 45}, 1.04, false},
        {{150, .spread = 0.60, .count = 10}, {100, .spread = 0.01, .count = 10}, 0.60, false},
        {{400, .spread = 0.40, .count = 10}, {100, .spread = 0.60, .count = 10}, 0.60, true},
        {{100, .spread = 0, .count = 1}, {99, .spread = 0.01, .count = 2}, 0.01, false},
        {{100, .spread = 0, .count = 2}, {99, .spread = 0, .count = 1}, 0, false},
        {{100, .spread = 0, .count = 2}, {99, .spread = 0, .count = 2}, 0, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        /* The second, which would be neither, costs more. */
        const weir_measure_t here[3] = {cases[i].choice, {900, .spread = 5, .count = 2}, cases[i].best};
        assert_true(weir_rounds_spread(here, 3) == cases[i].spread);
        assert_int_equal(weir_rounds_are_firm(here, 3), cases[i].firm);
    }
    /* The choice may be the best itself. */
    const weir_measure_t alone[2] = {{50, .spread = 0.3, .count = 5}, {60, .spread = 0.01, .count = 5}};
    assert_true(weir_rounds_spread(alone, 2) == 0.3);
    assert_false(weir_rounds_are_firm(alone, 2));
}

static void a_cell_has_one_turn_in_each_round_and_rounds_differ_in_order(void **state)
{
    (void)state;
    const uint32_t slots[] = {100, 101, 102, 103, 104, 105, 106, 107};
    machine_t machine = {.clock = 0};
    run(&machine, slots, 8, 5, 1e9, cells, measures);
    assert_int_equal(machine.count, 8 * 10); /* five rounds, and five of the best, which all are */
    unsigned same = 0;
    for (unsigned round = 0; round < 10; round++) {
        uint32_t seen = 0;
        for (unsigned i = 0; i < 8; i++) {
            seen |= UINT32_C(1) << (machine.trace[round * 8 + i] - 100);
        }
        assert_int_equal(seen, 0xff);
        same += round > 0 && memcmp(&machine.trace[round * 8], &machine.trace[0], 8 * sizeof machine.trace[0]) == 0;
    }
    assert_true(same < 2);
    machine_t again = {.clock = 0};
    run(&again, slots, 8, 5, 1e9, cells, measures);
    assert_memory_equal(again.trace, machine.trace, sizeof again.trace);
}

static void what_is_far_from_the_best_has_two_rounds_and_what_is_not_close_no_second_ones(void **state)
{
    (void)state;
    const uint32_t slots[] = {500, 100, 110, 200, 299, 301, 999};
    const uint32_t counts[] = {10, 10, 10, 5, 5, 2, 2};
    machine_t machine = {.clock = 0};
    run(&machine, slots, 7, 5, 1e9, cells, measures);
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(measures[i].count, counts[i]);
        assert_true(measures[i].far == (counts[i] == 2));
        assert_string_equal(cells[i].dropped, "");
    }
}

static void drift_hits_all_alike(void **state)
{
    (void)state;
    const uint32_t slots[] = {115, 100, 105, 110, 120, 125, 130, 135, 140};
    machine_t machine = {.cost = as_drifting};
    run(&machine, slots, 9, 5, 1e9, cells, measures);
    assert_int_equal(weir_rounds_best(measures, 9), 1);
    assert_true(fabs(weir_rounds_regret(measures, 9) - 0.15) < 0.08);
}

static void on_a_busy_machine_it_goes_on_until_the_regret_is_about_right(void **state)
{
    (void)state;
    uint32_t slots[20];
    for (uint32_t i = 0; i < 20; i++) {
        slots[i] = i == 0 ? 1200 : 1000 + i;
    }
    unsigned more = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        machine_t machine = {.cost = as_busy, .random = seed};
        run(&machine, slots, 20, 5, 1e9, cells, measures);
        assert_in_range(measures[0].count, 10, 5 * (1 + WEIR_ROUNDS_FINAL));
        more += measures[0].count > 10 ? 1 : 0;
        double regret = weir_rounds_regret(measures, 20);
        if (fabs(regret - 0.2) > 0.05) {
            fail_msg("seed %u: a regret of %f instead of 0.2", (unsigned)seed, regret);
        }
    }
    assert_true(more > 10);
}

static void a_cell_that_fails_is_dropped_with_the_verdict(void **state)
{
    (void)state;
    const uint32_t slots[] = {100, 90, 110};
    machine_t machine = {.refused = 90, .failing = 1000};
    run(&machine, slots, 3, 5, 1e9, cells, measures);
    assert_string_equal(cells[1].dropped, "refused: mmap of 7 bytes");
    assert_true(measures[1].microseconds == 0 && measures[1].failures == 1);
    assert_int_equal(weir_rounds_best(measures, 3), 0);
    machine_t once = {.refused = 90, .failing = 1, .passing = 2};
    run(&once, slots, 3, 5, 1e9, cells, measures);
    assert_string_equal(cells[1].dropped, "");
    assert_int_equal(measures[1].count, 9);
    assert_int_equal(weir_rounds_best(measures, 3), 1);
    machine_t twice = {.refused = 90, .failing = 2, .passing = 2};
    run(&twice, slots, 3, 5, 1e9, cells, measures);
    assert_string_equal(cells[1].dropped, "refused: mmap of 7 bytes");
    assert_int_equal(weir_rounds_best(measures, 3), 0);
    machine_t choice = {.refused = 100, .failing = 1000};
    run(&choice, slots, 3, 5, 1e9, cells, measures);
    assert_true(measures[0].microseconds == 0);
    assert_string_equal(cells[0].dropped, "refused: mmap of 7 bytes");
    assert_int_equal(weir_rounds_best(measures, 3), 1);
}

static void no_trial_begins_when_time_is_up(void **state)
{
    (void)state;
    const uint32_t slots[] = {100, 101, 102, 103, 104, 105, 106, 107, 108, 109};
    static const struct {
        double until;
        unsigned least; /* trials */
        unsigned most;
        size_t untimed;
    } cases[] = {
        {0, 0, 0, 10},
        {450, 5, 5, 5},    /* half a round is better than none */
        {1950, 10, 10, 0}, /* half a second one is not */
        {3100, 30, 30, 0},
        {1e9, 100, 100, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        machine_t machine = {.trial_milliseconds = 100};
        run(&machine, slots, 10, 5, cases[i].until, cells, measures);
        assert_in_range(machine.count, cases[i].least, cases[i].most);
        size_t untimed = 0;
        for (size_t j = 0; j < 10; j++) {
            untimed += strcmp(cells[j].dropped, "not timed: the time was used up") == 0 ? 1 : 0;
            assert_true((measures[j].microseconds == 0) == (cells[j].dropped[0] != '\0'));
        }
        assert_int_equal(untimed, cases[i].untimed);
    }
}

static void a_part_of_sorted_values_is_interpolated(void **state)
{
    (void)state;
    const double values[] = {1, 2, 4, 8, 16};
    assert_true(weir_quantile(values, 5, 0) == 1);
    assert_true(weir_quantile(values, 5, 0.5) == 4);
    assert_true(weir_quantile(values, 5, 1) == 16);
    assert_true(fabs(weir_quantile(values, 5, 0.1) - 1.4) < 1e-12);
    assert_true(weir_quantile(values, 1, 0.1) == 1);
    assert_true(weir_quantile(values, 0, 0.5) == 0);
}

/* ---- A fresh process --------------------------------------------------------------------------------------------- */

static void a_fresh_process_tells_what_it_chose(void **state)
{
    (void)state;
    static weir_fresh_t fresh;
    char message[400];
    weir_choose_options_t options;
    weir_choose_options_init(&options);
    options.strategy = WEIR_STRATEGY_ONDEMAND;
    assert_true(weir_fresh_choose(&options, 60000, &fresh, message, sizeof message));
    assert_true(fresh.works);
    assert_int_equal(fresh.rung.tier, WEIR_TIER_ONDEMAND);
    assert_true(fresh.instance_microseconds > 0 && fresh.milliseconds > 0);
    assert_true(fresh.needs.concurrency > 0 && fresh.facts.processors.knowledge == WEIR_KNOWN);
    assert_non_null(strstr(fresh.summary, "on demand"));
}

static void a_fresh_process_that_does_not_answer_is_told_of(void **state)
{
    (void)state;
    weir_fresh_t fresh = {.magic = 42};
    char message[400] = "";
    weir_choose_options_t options;
    weir_choose_options_init(&options);
    assert_false(weir_fresh_choose(&options, 1, &fresh, message, sizeof message));
    assert_non_null(strstr(message, "within"));
    assert_int_equal(fresh.magic, 42);
    options.size = 1;
    assert_false(weir_fresh_choose(&options, 60000, &fresh, message, sizeof message));
    assert_non_null(strstr(message, "no choice could be made"));
    assert_int_equal(fresh.magic, 42);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(on_a_generous_machine_nothing_is_dropped),
        cmocka_unit_test(the_grid_takes_nothing_from_the_choice_but_stacks_tables_and_code),
        cmocka_unit_test(what_there_is_no_room_for_is_dropped_and_says_why),
        cmocka_unit_test(on_every_machine_a_timed_cell_fits_and_is_timed_once),
        cmocka_unit_test(regret_is_the_choice_against_the_best),
        cmocka_unit_test(a_regret_is_firm_when_the_spread_is_little_or_less_than_it),
        cmocka_unit_test(a_cell_has_one_turn_in_each_round_and_rounds_differ_in_order),
        cmocka_unit_test(what_is_far_from_the_best_has_two_rounds_and_what_is_not_close_no_second_ones),
        cmocka_unit_test(drift_hits_all_alike),
        cmocka_unit_test(on_a_busy_machine_it_goes_on_until_the_regret_is_about_right),
        cmocka_unit_test(a_cell_that_fails_is_dropped_with_the_verdict),
        cmocka_unit_test(no_trial_begins_when_time_is_up),
        cmocka_unit_test(a_part_of_sorted_values_is_interpolated),
        cmocka_unit_test(a_fresh_process_tells_what_it_chose),
        cmocka_unit_test(a_fresh_process_that_does_not_answer_is_told_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
