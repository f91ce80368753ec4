/*
 * test_trial_server.c: trials for a process with threads: real servers, real engines.
 */
#include "allocator/child.h"
#include "allocator/choice.h"
#include "allocator/gang.h"
#include "allocator/process.h"
#include "allocator/timing.h"
#include "allocator/trial_server.h"
#include "weir/engine.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* cmocka.h wants the others before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
/* clang-format on */

#define MIB (UINT64_C(1) << 20)

/* A thread that is there until it is told to go. */
typedef struct idler {
    pthread_t thread;
    int pipe[2];
} idler_t;

static void *wait_for_end(void *argument)
{
    char byte;
    return read(*(int *)argument, &byte, 1) < 0 ? argument : NULL;
}

static void start_idler(idler_t *idler)
{
    assert_int_equal(pipe(idler->pipe), 0);
    assert_int_equal(pthread_create(&idler->thread, NULL, wait_for_end, &idler->pipe[0]), 0);
}

static void stop_idler(idler_t *idler)
{
    close(idler->pipe[1]);
    pthread_join(idler->thread, NULL);
    close(idler->pipe[0]);
    /* The kernel takes a moment to forget it. */
    while (weir_process_has_threads()) {
        nanosleep(&(struct timespec){0, 1000 * 1000}, NULL);
    }
}

static weir_choose_options_t options_for(weir_trial_server_t *server)
{
    weir_choose_options_t options;
    weir_choose_options_init(&options);
    options.server = server;
    options.cache_directory = "";
    options.strategy = WEIR_STRATEGY_COMPACT;
    options.needs.concurrency = 64;
    return options;
}

static void a_process_with_threads_needs_a_server(void **state)
{
    weir_trial_server_t *server = NULL;
    weir_choice_t *choice = NULL;
    idler_t idler;
    (void)state;
    start_idler(&idler);
    weir_choose_options_t options = options_for(NULL);
    assert_int_equal(weir_allocator_choose(&options, &choice), WEIR_ERROR_THREADS);
    assert_null(choice);
    assert_int_equal(weir_trial_server_start(&server), WEIR_ERROR_THREADS);
    assert_null(server);
    stop_idler(&idler);
    assert_int_equal(weir_trial_server_start(&server), WEIR_OK);
    start_idler(&idler);
    options = options_for(server);
    assert_int_equal(weir_allocator_choose(&options, &choice), WEIR_OK);
    assert_non_null(weir_choice_rung(choice));
    assert_true(weir_choice_rung(choice)->slots >= 1);
    weir_choice_free(choice);
    stop_idler(&idler);
    weir_trial_server_stop(server);
}

static void lower_choices_lead_down_to_two_slots_for_each_processor(void **state)
{
    weir_trial_server_t *server = NULL;
    weir_choice_t *choice = NULL;
    (void)state;
    assert_int_equal(weir_trial_server_start(&server), WEIR_OK);
    weir_choose_options_t options = options_for(server);
    assert_int_equal(weir_allocator_choose(&options, &choice), WEIR_OK);
    uint64_t slot_bytes = weir_choice_rung(choice)->slot_bytes;
    uint64_t least = 2 * weir_choice_facts(choice)->processors.value;
    weir_choice_t *lower = NULL;
    unsigned steps = 0;
    weir_status_t status;
    while ((status = weir_choice_lower(choice, server, &lower)) == WEIR_OK) {
        const weir_rung_t *before = weir_choice_rung(choice);
        const weir_rung_t *after = weir_choice_rung(lower);
        assert_int_equal(after->slot_bytes, slot_bytes); /* the same code is good for it */
        assert_int_equal(after->guard_bytes, before->guard_bytes);
        assert_true(after->slots < before->slots ||
                    after->memory_keep_resident_bytes < before->memory_keep_resident_bytes ||
                    after->warm_slots < before->warm_slots);
        assert_true(after->slots >= least || after->slots == before->slots);
        assert_int_equal(weir_choice_prove(lower, server), WEIR_OK);
        weir_choice_free(choice);
        choice = lower;
        assert_true(++steps < 40);
    }
    assert_int_equal(status, WEIR_ERROR_UNAVAILABLE);
    assert_true(weir_choice_rung(choice)->slots <= least || steps == 0);
    assert_true(steps >= 1);
    weir_choice_free(choice);
    weir_trial_server_stop(server);
}

/* An engine of a choice, as a program makes it. */
static wasm_engine_t *engine_of(const weir_choice_t *choice)
{
    wasm_config_t *config = wasm_config_new();
    wasm_engine_t *engine = NULL;
    wasmtime_config_parallel_compilation_set(config, false); /* threads would be there to stay */
    assert_int_equal(weir_choice_configure(choice, config), WEIR_OK);
    assert_null(weir_engine_new(config, &engine, NULL));
    return engine;
}

static wasm_byte_vec_t code_for(const weir_choice_t *choice)
{
    static const char text[] = "(module (memory 1 3) (table 4 funcref) (func (export \"run\") (result i32)"
                               " (i32.store (i32.const 60000) (i32.const 7)) (i32.load (i32.const 60000))))";
    wasm_byte_vec_t wasm;
    wasm_byte_vec_t code;
    wasmtime_module_t *module = NULL;
    wasm_engine_t *engine = engine_of(choice);
    assert_null(wasmtime_wat2wasm(text, sizeof text - 1, &wasm));
    assert_null(wasmtime_module_new(engine, (const uint8_t *)wasm.data, wasm.size, &module));
    assert_null(wasmtime_module_serialize(module, &code));
    wasm_byte_vec_delete(&wasm);
    wasmtime_module_delete(module);
    weir_engine_delete(engine);
    return code;
}

/* Code that was compiled for other settings is refused when it is loaded. */
static void assert_code_is_good_for(const weir_choice_t *choice, const wasm_byte_vec_t *code)
{
    wasm_engine_t *engine = engine_of(choice);
    wasmtime_module_t *module = NULL;
    wasmtime_error_t *error = wasmtime_module_deserialize(engine, (const uint8_t *)code->data, code->size, &module);
    if (error != NULL) {
        wasm_byte_vec_t message;
        wasmtime_error_message(error, &message);
        fail_msg("%.*s", (int)message.size, message.data);
    }
    wasmtime_store_t *store = wasmtime_store_new(engine, NULL, NULL);
    wasmtime_context_t *context = wasmtime_store_context(store);
    wasmtime_instance_t instance;
    wasmtime_extern_t function;
    wasm_trap_t *trap = NULL;
    assert_null(wasmtime_instance_new(context, module, NULL, 0, &instance, &trap));
    assert_null(trap);
    assert_true(wasmtime_instance_export_get(context, &instance, "run", 3, &function));
    wasmtime_val_t value;
    assert_null(wasmtime_func_call(context, &function.of.func, NULL, 0, &value, 1, &trap));
    assert_null(trap);
    assert_int_equal(value.of.i32, 7);
    wasmtime_store_delete(store);
    wasmtime_module_delete(module);
    weir_engine_delete(engine);
}

static weir_choice_t *choose_from(weir_trial_server_t *server, weir_strategy_t strategy)
{
    weir_choice_t *choice = NULL;
    weir_choose_options_t options = options_for(server);
    options.strategy = strategy;
    assert_int_equal(weir_allocator_choose(&options, &choice), WEIR_OK);
    return choice;
}

/* As if it had been found without being asked for. */
static weir_choice_t *choose_unasked(weir_trial_server_t *server, weir_strategy_t strategy)
{
    weir_choice_t *choice = choose_from(server, strategy);
    choice->decision.strategy = WEIR_STRATEGY_AUTO;
    return choice;
}

static void the_last_lower_choice_is_no_pool_and_runs_the_code_that_is_there(void **state)
{
    static const weir_strategy_t strategies[] = {WEIR_STRATEGY_COMPACT, WEIR_STRATEGY_ANY_POOL};
    weir_trial_server_t *server = NULL;
    (void)state;
    assert_int_equal(weir_trial_server_start(&server), WEIR_OK);
    for (size_t i = 0; i < sizeof strategies / sizeof strategies[0]; i++) {
        weir_choice_t *choice = choose_unasked(server, strategies[i]);
        weir_choice_t *lower = NULL;
        const weir_tier_t first = weir_choice_rung(choice)->tier;
        const uint64_t slot_bytes = weir_choice_rung(choice)->slot_bytes;
        const uint64_t guard_bytes = weir_choice_rung(choice)->guard_bytes;
        wasm_byte_vec_t code = code_for(choice);
        while (weir_choice_rung(choice)->tier != WEIR_TIER_ONDEMAND) {
            uint32_t slots = weir_choice_rung(choice)->slots;
            assert_int_equal(weir_choice_lower(choice, server, &lower), WEIR_OK);
            assert_true(weir_choice_rung(lower)->slots <= slots);
            assert_true(weir_choice_rung(lower)->slots >= 1);
            assert_code_is_good_for(lower, &code);
            weir_choice_free(choice);
            choice = lower;
        }
        assert_int_equal(weir_choice_rung(choice)->slot_bytes, slot_bytes);
        assert_int_equal(weir_choice_rung(choice)->guard_bytes, guard_bytes);
        assert_int_equal(weir_choice_rung(choice)->memory_keep_resident_bytes, 0);
        assert_int_equal(weir_choice_lower(choice, server, &lower), WEIR_ERROR_UNAVAILABLE);
        /* A compact pool that was merely faster than a standard one is no reduction, and what is below it neither. */
        bool reduced = first == WEIR_TIER_STANDARD || strategies[i] == WEIR_STRATEGY_COMPACT;
        if (reduced &&
            strstr(weir_choice_notice(choice), "The pooling allocator was disabled automatically: ") == NULL) {
            fail_msg(
                "strategy %d: '%s', '%s'", (int)strategies[i], weir_choice_summary(choice), weir_choice_notice(choice));
        }
        wasm_byte_vec_delete(&code);
        weir_choice_free(choice);
    }
    weir_trial_server_stop(server);
}

static void a_pool_is_done_without_at_once_where_that_is_asked_for(void **state)
{
    weir_trial_server_t *server = NULL;
    weir_choice_t *lower = NULL;
    (void)state;
    assert_int_equal(weir_trial_server_start(&server), WEIR_OK);
    weir_choice_t *choice = choose_unasked(server, WEIR_STRATEGY_COMPACT);
    uint32_t slots = weir_choice_rung(choice)->slots;
    uint64_t least = 2 * weir_choice_facts(choice)->processors.value;
    wasm_byte_vec_t code = code_for(choice);
    assert_int_equal(weir_choice_lower_ondemand(choice, server, &lower), WEIR_OK);
    assert_int_equal(weir_choice_rung(lower)->tier, WEIR_TIER_ONDEMAND);
    assert_true(weir_choice_rung(lower)->slots <= (slots / 2 > least ? slots / 2 : least));
    assert_code_is_good_for(lower, &code);
    wasm_byte_vec_delete(&code);
    weir_choice_free(choice);
    choice = lower;
    assert_int_equal(weir_choice_lower_ondemand(choice, server, &lower), WEIR_ERROR_UNAVAILABLE);
    weir_choice_free(choice);
    /* What was asked for by name is not replaced by something else. */
    choice = choose_from(server, WEIR_STRATEGY_COMPACT);
    assert_int_equal(weir_choice_lower_ondemand(choice, server, &lower), WEIR_ERROR_UNAVAILABLE);
    weir_choice_free(choice);
    weir_trial_server_stop(server);
}

/* As if some guests were placed apart. */
static weir_rung_t *place_apart(weir_choice_t *choice, uint32_t slots)
{
    weir_decided_t *rest = &choice->decision.rest;
    choice->decision.apart_count = 1;
    choice->decision.apart[0] = true;
    *rest = (weir_decided_t){.needs = choice->decision.pool.needs, .count = 1};
    rest->ladder[0].verdict.outcome = WEIR_OUTCOME_PASSED;
    rest->ladder[0].rung = (weir_rung_t){.tier = WEIR_TIER_ONDEMAND,
        .slots = slots,
        .slot_bytes = 16 * MIB,
        .guard_bytes = 64 << 10,
        .memories_per_slot = 1,
        .tables_per_slot = 1,
        .stack_bytes = MIB};
    return &rest->ladder[0].rung;
}

static void guests_placed_apart_give_way_too(void **state)
{
    weir_trial_server_t *server = NULL;
    weir_choice_t *lower = NULL;
    (void)state;
    assert_int_equal(weir_trial_server_start(&server), WEIR_OK);
    weir_choice_t *choice = choose_from(server, WEIR_STRATEGY_COMPACT);
    const uint64_t least = 2 * weir_choice_facts(choice)->processors.value;
    place_apart(choice, (uint32_t)(8 * least));
    uint64_t expected = 8 * least;
    while (weir_choice_lower(choice, server, &lower) == WEIR_OK) {
        expected = expected / 2 > least ? expected / 2 : least;
        assert_int_equal(weir_choice_rung_apart(lower)->slots, expected);
        weir_choice_free(choice);
        choice = lower;
    }
    assert_int_equal(weir_choice_rung_apart(choice)->slots, least);
    /* Also when the pool has nothing to give. */
    place_apart(choice, (uint32_t)(2 * least));
    assert_int_equal(weir_choice_lower(choice, server, &lower), WEIR_OK);
    assert_int_equal(weir_choice_rung_apart(lower)->slots, least);
    weir_choice_free(lower);
    /* And what is apart is proved as the pool is. */
    assert_int_equal(weir_choice_prove(choice, server), WEIR_OK);
    place_apart(choice, 4)->slot_bytes = UINT64_C(1) << 60;
    assert_int_equal(weir_choice_prove(choice, server), WEIR_ERROR_UNAVAILABLE);
    weir_choice_free(choice);
    weir_trial_server_stop(server);
}

/* Find the server: this process's only child. */
static pid_t only_child(void)
{
    char text[64] = "";
    FILE *file = fopen("/proc/thread-self/children", "r");
    if (file == NULL || fgets(text, sizeof text, file) == NULL) {
        fail_msg("no children are listed");
    }
    fclose(file);
    return (pid_t)strtol(text, NULL, 10);
}

static void a_server_that_is_gone_is_a_verdict_and_no_hang(void **state)
{
    weir_trial_server_t *server = NULL;
    weir_choice_t *choice = NULL;
    (void)state;
    if (access("/proc/thread-self/children", R_OK) != 0) {
        print_message("skipped: this kernel does not list children\n");
        skip();
    }
    assert_int_equal(weir_trial_server_start(&server), WEIR_OK);
    kill(only_child(), SIGKILL);
    weir_choose_options_t options = options_for(server);
    assert_int_equal(weir_allocator_choose(&options, &choice), WEIR_ERROR_UNAVAILABLE);
    assert_null(weir_choice_rung(choice));
    weir_choice_free(choice);
    weir_trial_server_stop(server);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

/* It is waited for once, and not for each rung that there is. */
static void a_server_that_stands_still_holds_nobody_up_for_long(void **state)
{
    weir_trial_server_t *server = NULL;
    weir_choice_t *choice = NULL;
    weir_choice_t *lower = NULL;
    (void)state;
    if (access("/proc/thread-self/children", R_OK) != 0) {
        print_message("skipped: this kernel does not list children\n");
        skip();
    }
    assert_int_equal(weir_trial_server_start(&server), WEIR_OK);
    weir_choose_options_t options = options_for(server);
    assert_int_equal(weir_allocator_choose(&options, &choice), WEIR_OK);
    pid_t child = only_child();
    kill(child, SIGSTOP);
    double began = weir_clock_milliseconds();
    assert_int_equal(weir_choice_lower(choice, server, &lower), WEIR_ERROR_UNAVAILABLE);
    assert_null(lower);
    assert_true(weir_clock_milliseconds() - began < 12000); /* 7 s natively, and more for two */
    kill(child, SIGCONT);
    weir_choice_free(choice);
    weir_trial_server_stop(server);
}

static void what_is_meant_for_the_parent_does_not_end_the_server(void **state)
{
    weir_trial_server_t *server = NULL;
    weir_choice_t *choice = NULL;
    (void)state;
    if (access("/proc/thread-self/children", R_OK) != 0) {
        print_message("skipped: this kernel does not list children\n");
        skip();
    }
    assert_int_equal(weir_trial_server_start(&server), WEIR_OK);
    /* It answers one trial first, so that it is past its preparations. */
    weir_choose_options_t options = options_for(server);
    assert_int_equal(weir_allocator_choose(&options, &choice), WEIR_OK);
    weir_choice_free(choice);
    pid_t process = only_child();
    kill(process, SIGINT);
    kill(process, SIGTERM);
    kill(process, SIGHUP);
    assert_int_equal(weir_allocator_choose(&options, &choice), WEIR_OK);
    weir_choice_free(choice);
    weir_trial_server_stop(server);
}

/* Answers each byte with the next one, until the other end is closed. */
static int answer_bytes(int channel)
{
    char byte;
    while (recv(channel, &byte, 1, 0) == 1) {
        byte++;
        if (send(channel, &byte, 1, MSG_NOSIGNAL) != 1) {
            break;
        }
    }
    return 0;
}

static int end_at_once(int channel)
{
    (void)channel;
    return 7;
}

static char ask(int channel, char byte)
{
    char answer = 0;
    assert_int_equal(send(channel, &byte, 1, MSG_NOSIGNAL), 1);
    assert_int_equal(recv(channel, &answer, 1, 0), 1);
    return answer;
}

static void a_server_spawns_one_process_at_a_time_for_other_work_and_runs_trials_meanwhile(void **state)
{
    weir_trial_server_t *server = NULL;
    weir_choice_t *choice = NULL;
    int channel;
    int second;
    (void)state;
    assert_int_equal(weir_trial_server_start(&server), WEIR_OK);
    assert_true(weir_trial_server_spawn(server, answer_bytes, &channel));
    assert_int_equal(ask(channel, 'a'), 'b');
    assert_false(weir_trial_server_spawn(server, answer_bytes, &second));
    assert_int_equal(errno, EBUSY);
    weir_choose_options_t options = options_for(server);
    assert_int_equal(weir_allocator_choose(&options, &choice), WEIR_OK);
    weir_choice_free(choice);
    assert_int_equal(ask(channel, 'x'), 'y');
    close(channel); /* that ends it, and there can be another */
    for (int i = 0; i < 20; i++) {
        assert_true(weir_trial_server_spawn(server, i % 2 == 0 ? end_at_once : answer_bytes, &channel));
        close(channel);
    }
    weir_trial_server_stop(server);
}

static void what_a_server_spawned_ends_with_it(void **state)
{
    weir_trial_server_t *server = NULL;
    int channel;
    char byte;
    (void)state;
    assert_int_equal(weir_trial_server_start(&server), WEIR_OK);
    assert_true(weir_trial_server_spawn(server, answer_bytes, &channel));
    assert_int_equal(ask(channel, 'a'), 'b');
    weir_trial_server_stop(server);
    assert_int_equal(recv(channel, &byte, 1, 0), 0);
    assert_int_equal(close(channel), 0);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

/* ---- Gangs and timing -------------------------------------------------------------------------------------------- */

static void meet_often(weir_gang_t *gang, unsigned thread, void *context)
{
    atomic_uint *counts = context;
    for (unsigned i = 0; i < 100; i++) {
        atomic_fetch_add(&counts[thread], 1);
        weir_gang_meet(gang);
        for (unsigned j = 0; j < weir_gang_size(gang); j++) {
            assert_int_equal(atomic_load(&counts[j]), i + 1); /* nobody is ahead or behind */
        }
        weir_gang_meet(gang);
    }
}

static void a_gang_keeps_in_step(void **state)
{
    (void)state;
    for (unsigned threads = 1; threads <= 4; threads++) {
        atomic_uint counts[4] = {0, 0, 0, 0};
        assert_int_equal(weir_gang_run(threads, meet_often, counts), threads);
    }
}

/* A thing that takes so long. */
static bool spend(void *context, unsigned thread)
{
    const double *milliseconds = context;
    struct timespec pause = {0, (long)(*milliseconds * 1e6)};
    (void)thread;
    return *milliseconds >= 0 && nanosleep(&pause, NULL) == 0;
}

static void what_takes_longer_costs_more_and_what_fails_costs_nothing(void **state)
{
    double times[] = {1, 4, -1};
    weir_timed_t timed[3];
    for (size_t i = 0; i < 3; i++) {
        timed[i] = (weir_timed_t){.cycle = spend, .context = &times[i]};
    }
    (void)state;
    assert_int_equal(weir_timing_run(timed, 3, 2, 60), 2);
    assert_true(timed[0].microseconds >= 1000);
    assert_true(timed[1].microseconds >= 4000);
    assert_true(timed[1].microseconds > timed[0].microseconds);
    assert_true(timed[0].least_microseconds >= 1000);
    assert_true(timed[0].least_microseconds <= timed[0].microseconds);
    assert_true(timed[2].microseconds == 0);
    assert_true(timed[2].least_microseconds == 0);
}

/* In a process that sees no /proc: 0 when a thread was noticed, 1 when not, 2 when /proc cannot be hidden. */
static int look_for_threads_without_proc(void)
{
    weir_trial_server_t *server = NULL;
    idler_t idler;
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", "/proc", "tmpfs", 0, NULL) != 0) {
        return 2;
    }
    if (pipe(idler.pipe) != 0 || pthread_create(&idler.thread, NULL, wait_for_end, &idler.pipe[0]) != 0) {
        return 1;
    }
    return weir_trial_server_start(&server) == WEIR_ERROR_THREADS ? 0 : 1;
}

static void threads_are_noticed_where_there_is_no_proc(void **state)
{
    int status = 0;
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        _exit(look_for_threads_without_proc());
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 2) {
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_with_threads_needs_a_server),
        cmocka_unit_test(threads_are_noticed_where_there_is_no_proc),
        cmocka_unit_test(lower_choices_lead_down_to_two_slots_for_each_processor),
        cmocka_unit_test(the_last_lower_choice_is_no_pool_and_runs_the_code_that_is_there),
        cmocka_unit_test(a_pool_is_done_without_at_once_where_that_is_asked_for),
        cmocka_unit_test(guests_placed_apart_give_way_too),
        cmocka_unit_test(a_server_that_is_gone_is_a_verdict_and_no_hang),
        cmocka_unit_test(a_server_that_stands_still_holds_nobody_up_for_long),
        cmocka_unit_test(what_is_meant_for_the_parent_does_not_end_the_server),
        cmocka_unit_test(a_server_spawns_one_process_at_a_time_for_other_work_and_runs_trials_meanwhile),
        cmocka_unit_test(what_a_server_spawned_ends_with_it),
        cmocka_unit_test(a_gang_keeps_in_step),
        cmocka_unit_test(what_takes_longer_costs_more_and_what_fails_costs_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
