/*
 * test_workload.c: a program's own work, timed with the knobs that the chosen rung could have: real children, real
 * engines.
 */
#include "allocator/choice.h"
#include "allocator/options.h"
#include "allocator/plan.h"
#include "weir_bridge.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

/* cmocka.h wants the others before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
/* clang-format on */

#include "temporary.h"

enum { PATIENT = 30000, SHORT = 500 };

/* A guest that writes 3 MiB from the start of its memory, each page once. */
static const char module_text[] = "(module (memory 64) (func (export \"run\") (local $at i32)\n"
                                  " (loop $next (i32.store (local.get $at) (i32.const 1))\n"
                                  "  (local.set $at (i32.add (local.get $at) (i32.const 4096)))\n"
                                  "  (br_if $next (i32.lt_u (local.get $at) (i32.const 3145728))))))\n";

/* How the work goes wrong. */
typedef enum trouble {
    TROUBLE_NONE,
    TROUBLE_PREPARE, /* an error the first time */
    TROUBLE_LATER,   /* an error for every engine but the first */
    TROUBLE_CYCLE,
    TROUBLE_CRASH,
    TROUBLE_CROWD, /* a crash once two engines are there */
    TROUBLE_HANG,
} trouble_t;

typedef struct work {
    trouble_t trouble;
    atomic_uint *cycles; /* shared with the child, as are the next two */
    atomic_uint *prepared;
    atomic_ulong *threads;        /* a set */
    atomic_uint *huge_pages_seen; /* shared, too: a set of 1: there were some, 2: there were none */
    atomic_int *crowded;          /* shared: the last process that prepared an engine */
} work_t;

typedef struct guest {
    work_t *work;
    wasm_engine_t *engine;
    wasmtime_module_t *module;
} guest_t;

static wasm_config_t *new_config(void *context)
{
    (void)context;
    wasm_config_t *config = wasm_config_new();
    wasmtime_config_epoch_interruption_set(config, false);
    return config;
}

static wasmtime_error_t *prepare(void *context, wasm_engine_t *engine, void **ret_prepared)
{
    work_t *work = context;
    wasm_byte_vec_t binary;
    unsigned before = atomic_fetch_add(work->prepared, 1);
    if (work->trouble == TROUBLE_PREPARE || (work->trouble == TROUBLE_LATER && before > 0)) {
        return wasmtime_error_new("not today");
    }
    if (work->trouble == TROUBLE_CROWD && before > 0 && getpid() == atomic_load(work->crowded)) {
        signal(SIGABRT, SIG_DFL);
        abort();
    }
    atomic_store(work->crowded, getpid());
    guest_t *guest = calloc(1, sizeof *guest);
    guest->work = work;
    guest->engine = engine;
    wasmtime_error_t *error = wasmtime_wat2wasm(module_text, sizeof module_text - 1, &binary);
    if (error == NULL) {
        error = wasmtime_module_new(engine, (const uint8_t *)binary.data, binary.size, &guest->module);
        wasm_byte_vec_delete(&binary);
    }
    *ret_prepared = guest;
    return error;
}

static bool run(void *prepared, unsigned thread)
{
    const guest_t *guest = prepared;
    wasmtime_instance_t instance;
    wasmtime_extern_t function;
    wasm_trap_t *trap = NULL;
    atomic_fetch_add(guest->work->cycles, 1);
    atomic_fetch_or(guest->work->threads, 1UL << thread);
    atomic_fetch_or(guest->work->huge_pages_seen, prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 0 ? 1U : 2U);
    if (guest->work->trouble == TROUBLE_CRASH) {
        signal(SIGSEGV, SIG_DFL); /* cmocka's handler would go on with the tests, in the child */
        raise(SIGSEGV);
    }
    while (guest->work->trouble == TROUBLE_HANG) {
        pause();
    }
    if (guest->work->trouble == TROUBLE_CYCLE) {
        return false;
    }
    wasmtime_store_t *store = wasmtime_store_new(guest->engine, NULL, NULL);
    wasmtime_context_t *context = wasmtime_store_context(store);
    wasmtime_error_t *error = wasmtime_instance_new(context, guest->module, NULL, 0, &instance, &trap);
    bool good = error == NULL && trap == NULL && wasmtime_instance_export_get(context, &instance, "run", 3, &function);
    error = good ? wasmtime_func_call(context, &function.of.func, NULL, 0, NULL, 0, &trap) : error;
    wasmtime_store_delete(store);
    return good && error == NULL && trap == NULL;
}

static void release(void *prepared)
{
    (void)prepared;
}

static void *shared(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(page, MAP_FAILED);
    return page;
}

static work_t new_work(trouble_t trouble)
{
    return (work_t){trouble, shared(), shared(), shared(), shared(), shared()};
}

static weir_workload_t workload_of(work_t *work, uint64_t fingerprint)
{
    return (weir_workload_t){.size = sizeof(weir_workload_t),
        .context = work,
        .config_new = new_config,
        .prepare = prepare,
        .cycle = run,
        .release = release,
        .fingerprint = fingerprint};
}

static weir_choice_t *choose(weir_strategy_t strategy, const char *directory)
{
    weir_choose_options_t options;
    weir_choice_t *choice = NULL;
    weir_choose_options_init(&options);
    options.strategy = strategy;
    options.cache_directory = directory;
    options.needs.concurrency = 16;
    options.needs.minimum_memory_bytes = 4 << 20;
    assert_int_equal(weir_allocator_choose(&options, &choice), WEIR_OK);
    return choice;
}

static void a_guests_own_work_sets_the_knobs_and_nothing_else(void **state)
{
    (void)state;
    weir_choice_t *choice = choose(WEIR_STRATEGY_COMPACT, "");
    weir_rung_t before = *weir_choice_rung(choice);
    work_t work = new_work(TROUBLE_NONE);
    const weir_workload_t workload = workload_of(&work, 1);
    assert_int_equal(weir_choice_tune(choice, &workload, PATIENT), WEIR_OK);
    const weir_rung_t *after = weir_choice_rung(choice);
    assert_int_equal(after->slots, before.slots);
    assert_int_equal(after->slot_bytes, before.slot_bytes);
    assert_int_equal(after->guard_bytes, before.guard_bytes);
    assert_int_equal(after->pulley, before.pulley);
    const weir_decision_t *decision = &choice->decision;
    assert_in_range(decision->tuned_count, 2, WEIR_VARIANTS_MAX);
    double least = decision->tuned_variants[decision->tuned].instance_microseconds;
    assert_true(least > 0);
    assert_int_equal(
        after->memory_keep_resident_bytes, decision->tuned_variants[decision->tuned].knobs.memory_keep_resident_bytes);
    for (uint32_t i = 0; i < decision->tuned_count; i++) {
        double cost = decision->tuned_variants[i].instance_microseconds;
        assert_true(cost == 0 || cost * 1.04 >= least);
    }
    assert_true(atomic_load(work.cycles) > decision->tuned_count);
    if (weir_choice_facts(choice)->processors.value > 1) {
        assert_true(atomic_load(work.threads) > 1); /* not thread 0 alone */
    }
    weir_choice_free(choice);
}

/* What the trial took is timed with all its knobs against the others. */
static void the_trials_best_setting_is_among_those_that_are_timed(void **state)
{
    (void)state;
    weir_choice_t *choice = choose(WEIR_STRATEGY_COMPACT, "");
    weir_rung_t *rung = &choice->decision.pool.ladder[choice->decision.pool.index].rung;
    rung->decommit_batch = 3;
    rung->huge_pages_off = true;
    const weir_knobs_t best = weir_rung_knobs(rung);
    weir_choice_prepare_process(choice);
    assert_int_equal(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 1);
    work_t work = new_work(TROUBLE_NONE);
    atomic_store(work.huge_pages_seen, 0);
    const weir_workload_t workload = workload_of(&work, 1);
    assert_int_equal(weir_choice_tune(choice, &workload, PATIENT), WEIR_OK);
    const weir_decision_t *decision = &choice->decision;
    assert_true(weir_knobs_are_equal(&decision->tuned_variants[0].knobs, &best));
    assert_true(decision->tuned_variants[0].instance_microseconds > 0);
    weir_knobs_t knobs = weir_rung_knobs(rung);
    assert_true(weir_knobs_are_equal(&decision->tuned_variants[decision->tuned].knobs, &knobs));
    /* Those that want huge pages had them, although this process does without. */
    assert_int_equal(atomic_load(work.huge_pages_seen), 3);
    /* And the process follows the result. */
    weir_choice_prepare_process(choice);
    assert_int_equal(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), rung->huge_pages_off);
    rung->huge_pages_off = false;
    weir_choice_prepare_process(choice);
    assert_int_equal(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 0);
    weir_choice_free(choice);
}

static void huge_pages_that_somebody_else_took_away_stay_away(void **state)
{
    (void)state;
    weir_choice_t *choice = choose(WEIR_STRATEGY_COMPACT, "");
    weir_rung_t *rung = &choice->decision.pool.ladder[choice->decision.pool.index].rung;
    assert_int_equal(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0), 0);
    for (int off = 1; off >= 0; off--) {
        rung->huge_pages_off = off != 0;
        weir_choice_prepare_process(choice);
        assert_int_equal(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 1);
    }
    assert_int_equal(prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0), 0);
    weir_choice_free(choice);
}

static void on_demand_there_is_nothing_to_set(void **state)
{
    (void)state;
    weir_choice_t *choice = choose(WEIR_STRATEGY_ONDEMAND, "");
    weir_rung_t before = *weir_choice_rung(choice);
    work_t work = new_work(TROUBLE_NONE);
    const weir_workload_t workload = workload_of(&work, 1);
    assert_int_equal(weir_choice_tune(choice, &workload, PATIENT), WEIR_OK);
    assert_int_equal(weir_choice_rung(choice)->slots, before.slots);
    assert_int_equal(weir_choice_rung(choice)->slot_bytes, before.slot_bytes);
    assert_int_equal(choice->decision.tuned_count, 1);
    weir_choice_free(choice);
}

static void work_that_fails_leaves_the_choice_as_it_was_and_tells_why(void **state)
{
    static const struct {
        trouble_t trouble;
        uint32_t milliseconds;
        const char *why;
    } cases[] = {{TROUBLE_PREPARE, PATIENT, "status 1: not today"},
        {TROUBLE_CYCLE, PATIENT, "no instance could be run"}, {TROUBLE_CRASH, PATIENT, "its process "},
        {TROUBLE_HANG, SHORT, "not done after"}};
    (void)state;
    weir_choice_t *choice = choose(WEIR_STRATEGY_COMPACT, "");
    weir_decision_t *before = malloc(sizeof *before);
    *before = choice->decision;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        work_t work = new_work(cases[i].trouble);
        const weir_workload_t workload = workload_of(&work, 1);
        double took = weir_choice_milliseconds(choice);
        assert_int_equal(weir_choice_tune(choice, &workload, cases[i].milliseconds), WEIR_ERROR_UNAVAILABLE);
        if (strstr(choice->tune_note, cases[i].why) == NULL) {
            fail_msg("\"%s\" lacks \"%s\"", choice->tune_note, cases[i].why);
        }
        assert_true(weir_choice_milliseconds(choice) > took);
        assert_memory_equal(&choice->decision.pool, &before->pool, sizeof before->pool);
        assert_int_equal(choice->decision.tuned_count, 0);
    }
    free(before);
    weir_choice_free(choice);
}

static void work_that_dies_of_many_settings_is_timed_with_the_first_alone(void **state)
{
    (void)state;
    weir_choice_t *choice = choose(WEIR_STRATEGY_COMPACT, "");
    work_t work = new_work(TROUBLE_CROWD);
    const weir_workload_t workload = workload_of(&work, 1);
    assert_int_equal(weir_choice_tune(choice, &workload, PATIENT), WEIR_OK);
    assert_int_equal(choice->decision.tuned_count, 1);
    assert_true(choice->decision.tuned_variants[0].instance_microseconds > 0);
    assert_string_equal(choice->tune_note, "");
    assert_false(weir_choice_is_tuned(choice, 1)); /* the next start may have room for all */
    weir_choice_free(choice);
}

static void a_setting_that_does_not_work_is_left_out(void **state)
{
    (void)state;
    weir_choice_t *choice = choose(WEIR_STRATEGY_COMPACT, "");
    work_t work = new_work(TROUBLE_LATER);
    const weir_workload_t workload = workload_of(&work, 1);
    assert_int_equal(weir_choice_tune(choice, &workload, PATIENT), WEIR_OK);
    assert_int_equal(choice->decision.tuned, 0);
    assert_true(choice->decision.tuned_variants[1].instance_microseconds == 0);
    weir_choice_free(choice);
}

static void what_was_timed_before_is_only_prepared(void **state)
{
    char directory[] = "/tmp/weir-workload-XXXXXX";
    (void)state;
    assert_non_null(mkdtemp(directory));
    weir_choice_t *choice = choose(WEIR_STRATEGY_COMPACT, directory);
    assert_false(weir_choice_is_remembered(choice));
    work_t work = new_work(TROUBLE_NONE);
    weir_workload_t workload = workload_of(&work, 77);
    assert_int_equal(weir_choice_tune(choice, &workload, PATIENT), WEIR_OK);
    uint64_t kept = weir_choice_rung(choice)->memory_keep_resident_bytes;
    weir_choice_free(choice);

    choice = choose(WEIR_STRATEGY_COMPACT, directory);
    assert_true(weir_choice_is_remembered(choice));
    assert_int_equal(weir_choice_rung(choice)->memory_keep_resident_bytes, kept);
    atomic_store(work.cycles, 0);
    atomic_store(work.prepared, 0);
    assert_int_equal(weir_choice_tune(choice, &workload, PATIENT), WEIR_OK);
    assert_int_equal(atomic_load(work.cycles), 0);
    assert_int_equal(atomic_load(work.prepared), 1);
    workload.fingerprint = 78; /* other guests */
    assert_int_equal(weir_choice_tune(choice, &workload, PATIENT), WEIR_OK);
    assert_true(atomic_load(work.cycles) > 0);
    weir_choice_free(choice);
    assert_int_equal(temporary_remove(directory), 0);
}

static void what_cannot_be_tuned_is_refused(void **state)
{
    (void)state;
    weir_choice_t *choice = choose(WEIR_STRATEGY_COMPACT, "");
    work_t work = new_work(TROUBLE_NONE);
    weir_workload_t workload = workload_of(&work, 1);
    workload.size--;
    assert_int_equal(weir_choice_tune(choice, &workload, PATIENT), WEIR_ERROR_INVALID);
    workload.size = sizeof workload + 8;
    assert_int_equal(weir_choice_tune(choice, &workload, PATIENT), WEIR_ERROR_VERSION);
    assert_int_equal(choice->decision.tuned_count, 0);
    weir_choice_free(choice);
}

static void work_of_an_older_program_is_done_and_not_remembered(void **state)
{
    (void)state;
    weir_choice_t *choice = choose(WEIR_STRATEGY_COMPACT, "");
    work_t work = new_work(TROUBLE_NONE);
    weir_workload_t workload;
    memset(&workload, 0xa5, sizeof workload);
    weir_workload_init_sized(&workload, WEIR_WORKLOAD_FIRST);
    assert_true(workload.fingerprint == UINT64_C(0xa5a5a5a5a5a5a5a5)); /* it is not the program's structure any more */
    const weir_workload_t full = workload_of(&work, 1);
    memcpy((char *)&workload + sizeof workload.size, (const char *)&full + sizeof full.size,
        WEIR_WORKLOAD_FIRST - sizeof workload.size);
    assert_int_equal(weir_choice_tune(choice, &workload, PATIENT), WEIR_OK);
    assert_true(choice->decision.tuned_count > 1);
    assert_int_equal(choice->decision.tuned_fingerprint, 0);
    weir_choice_free(choice);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_guests_own_work_sets_the_knobs_and_nothing_else),
        cmocka_unit_test(the_trials_best_setting_is_among_those_that_are_timed),
        cmocka_unit_test(huge_pages_that_somebody_else_took_away_stay_away),
        cmocka_unit_test(on_demand_there_is_nothing_to_set),
        cmocka_unit_test(work_that_fails_leaves_the_choice_as_it_was_and_tells_why),
        cmocka_unit_test(work_that_dies_of_many_settings_is_timed_with_the_first_alone),
        cmocka_unit_test(a_setting_that_does_not_work_is_left_out),
        cmocka_unit_test(what_was_timed_before_is_only_prepared),
        cmocka_unit_test(what_cannot_be_tuned_is_refused),
        cmocka_unit_test(work_of_an_older_program_is_done_and_not_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
