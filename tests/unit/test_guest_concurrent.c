/*
 * test_guest_concurrent.c: guests that import async functions, on an engine that supports them, whose pool has as many
 * stacks as instances. Guests are those of tests/guests, or text.
 */
#include "exchange_support.h"

#include <errno.h>
#include <limits.h>

enum { SLOTS = 4 };

static int pool_setup(void **state)
{
    wasm_config_t *config = wasm_config_new();
    wasmtime_pooling_allocation_config_t *pool = wasmtime_pooling_allocation_config_new();
    wasmtime_pooling_allocation_config_total_component_instances_set(pool, SLOTS);
    wasmtime_pooling_allocation_config_total_core_instances_set(pool, SLOTS * 8);
    wasmtime_pooling_allocation_config_total_memories_set(pool, SLOTS);
    wasmtime_pooling_allocation_config_total_tables_set(pool, SLOTS * 2);
    wasmtime_pooling_allocation_config_total_stacks_set(pool, SLOTS);
    wasmtime_pooling_allocation_strategy_set(config, pool);
    wasmtime_pooling_allocation_config_delete(pool);
    wasmtime_config_concurrency_support_set(config, true);
    return engine_make(state, config);
}

static wasm_byte_vec_t guest_file(const char *name)
{
    const char *folder = getenv("WEIR_TEST_GUESTS");
    char path[PATH_MAX], piece[65536];
    snprintf(path, sizeof path, "%s/%s.wasm", folder != NULL ? folder : ".", name);
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        print_message("%s: %s: the guests of the preset release are needed\n", path, strerror(errno));
        return (wasm_byte_vec_t){0, NULL};
    }
    text_t bytes = {0};
    size_t size;
    while ((size = fread(piece, 1, sizeof piece, file)) > 0)
        text_append(&bytes, piece, size);
    fclose(file);
    wasm_byte_vec_t wasm;
    wasm_byte_vec_new(&wasm, bytes.size, bytes.bytes);
    free(bytes.bytes);
    return wasm;
}

static const weir_variable_t variables[] = {
    {(char[]){"greeting"}, (char[]){"hall\xc3\xb3, you"}}, {(char[]){"empty"}, (char[]){""}}};

/* Make a guest with the variables; returns what was logged meanwhile, to be freed. */
static char *make(stage_t *stage, engine_t *engine, wasm_byte_vec_t wasm, weir_executor_t executor)
{
    stage_prepare(stage, engine);
    const weir_guest_settings_t settings = {.executor = executor, .variables = variables, .variable_count = 2};
    const weir_guest_file_t file = {.bytes = wasm.data, .size = wasm.size};
    weir_guest_code_t *code = weir_guest_code_new();
    char *message = NULL;
    assert_non_null(code);
    if (!weir_guest_code_compile(code, engine->engine, &stage->manifest, &stage->component, &file, &message))
        fail_msg("%s", message);
    capture_t capture = capture_begin();
    bool made =
        weir_guest_new(engine->engine, &stage->manifest, &stage->component, code, &settings, &stage->guest, &message);
    char *log = capture_end(capture);
    if (!made)
        fail_msg("%s", message);
    weir_guest_code_free(code);
    wasm_byte_vec_delete(&wasm);
    return log;
}

/* Which error for what: crates/factor-variables/src/host.rs; which names are valid: crates/expressions/src/lib.rs,
 * Key::validate. */
static void test_the_async_lowering_reads_variables(void **state)
{
    static const char *const cases[][2] = {
        {"greeting", "ok hall\xc3\xb3, you\n"},
        {"empty", "ok \n"},
        {"absent", "undefined "},
        {"Greeting", "invalid-name "},
        {"a__b", "invalid-name "},
        {"", "invalid-name "},
    };
    wasm_byte_vec_t wasm = guest_file("variables_async");
    if (wasm.size == 0)
        skip();
    stage_t stage;
    char *log = make(&stage, *state, wasm, WEIR_EXECUTOR_HTTP);
    assert_string_equal(log, "");
    free(log);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char target[64];
        snprintf(target, sizeof target, "/hi/%s", cases[i][0]);
        answer_t answer = run(&stage, &(ask_t){.target = target});
        if (answer.status != 200)
            fail_msg("%s: %s", target, answer.log);
        print_message("  %s: %.*s", target, (int)answer.body.size, answer.body.bytes);
        assert_true(answer.body.size >= strlen(cases[i][1]));
        assert_memory_equal(answer.body.bytes, cases[i][1], strlen(cases[i][1]));
        answer_free(&answer);
    }
    stage_free(&stage);
}

/* The component model (CanonicalABI.md, canon_lower): a sync call of an async function blocks, and wasi:http's handle
 * of version 0.2 is sync, so may not block. */
static void test_the_sync_lowering_traps_in_a_sync_function(void **state)
{
    wasm_byte_vec_t wasm = guest_file("variables_sync");
    if (wasm.size == 0)
        skip();
    stage_t stage;
    free(make(&stage, *state, wasm, WEIR_EXECUTOR_HTTP));
    answer_t answer = run(&stage, &(ask_t){.target = "/hi/greeting"});
    assert_int_equal(answer.status, 500);
    assert_non_null(strstr(answer.log, "component hello: trapped: wasm trap: cannot block a synchronous task"));
    answer_free(&answer);
    stage_free(&stage);
}

/* What a pool's size is proven with, instances without concurrency, holds for those with it. */
static void test_an_instance_has_one_stack(void **state)
{
    wasm_byte_vec_t wasm = guest_file("variables_async");
    if (wasm.size == 0)
        skip();
    engine_t *engine = *state;
    stage_t stage;
    free(make(&stage, engine, wasm, WEIR_EXECUTOR_HTTP));
    const weir_pair_t headers[] = {{bytes_of("wait"), bytes_of("60000")}};
    const ask_t ask = {.target = "/hi/greeting", .headers = headers, .header_count = 1};
    const weir_request_t request = request_of(&ask);
    const weir_route_match_t match = match_of(&stage, &request);
    weir_exchange_t *exchanges[SLOTS + 1];
    bell_t bells[SLOTS + 1];
    for (size_t i = 0; i <= SLOTS; i++) {
        bell_init(&bells[i]);
        assert_true(weir_exchange_start(stage.guest, &request, &match, bell_waker(&bells[i]), &exchanges[i]));
        weir_exchange_state_t reached = weir_exchange_poll(exchanges[i]);
        assert_int_equal(reached, i < SLOTS ? WEIR_EXCHANGE_PENDING : WEIR_EXCHANGE_REFUSED);
    }
    weir_pool_metrics_t metrics;
    assert_true(weir_engine_pool_metrics(engine->engine, &metrics));
    assert_int_equal(metrics.component_instances, SLOTS);
    assert_int_equal(metrics.stacks, SLOTS);
    for (size_t i = 0; i <= SLOTS; i++) {
        weir_exchange_free(exchanges[i]);
        bell_free(&bells[i]);
    }
    assert_true(weir_engine_pool_metrics(engine->engine, &metrics));
    assert_int_equal(metrics.component_instances, 0);
    assert_int_equal(metrics.stacks, 0);
    stage_free(&stage);
}

static wasm_byte_vec_t program_with(const char *interface, const char *function)
{
    static const char wat[] =
        "(component"
        " (import \"%s\" (instance $v (export \"%s\" (func async (result u32)))))"
        " (core module $memory (memory (export \"memory\") 1))"
        " (core instance $memory (instantiate $memory))"
        " (core func $get (canon lower (func $v \"%s\") async (memory (core memory $memory \"memory\"))))"
        " (core module $m (import \"\" \"get\" (func $get (param i32) (result i32)))"
        "  (func (export \"run\") (result i32) (drop (call $get (i32.const 0))) (i32.const 0)))"
        " (core instance $i (instantiate $m (with \"\" (instance (export \"get\" (func $get))))))"
        " (func $run (result (result)) (canon lift (core func $i \"run\")))"
        " (instance $out (export \"run\" (func $run)))"
        " (export \"wasi:cli/run@0.2.0\" (instance $out)))";
    text_t text = {0};
    text_format(&text, wat, interface, function, function);
    wasm_byte_vec_t wasm = assemble(&text);
    free(text.bytes);
    return wasm;
}

static void check_trap(engine_t *engine, const char *interface, const char *warning, const char *trap)
{
    stage_t stage;
    char *log = make(&stage, engine, program_with(interface, "get"), WEIR_EXECUTOR_WAGI);
    assert_string_equal(log, warning);
    free(log);
    answer_t answer = run(&stage, &(ask_t){0});
    assert_int_equal(answer.status, 500);
    if (strstr(answer.log, trap) == NULL)
        fail_msg("%s", answer.log);
    answer_free(&answer);
    stage_free(&stage);
}

static void test_an_async_import_that_nothing_provides_traps_when_it_is_called(void **state)
{
    check_trap(*state, "spin:mqtt/mqtt@3.0.0",
        "weir: warning: component hello imports spin:mqtt/mqtt@3.0.0, which weir does not provide; a call to "
        "it traps\n",
        "it called spin:mqtt/mqtt@3.0.0#get, an import that weir does not provide");
}

static void test_a_variable_contract_of_another_type_is_an_error(void **state)
{
    check_trap(
        *state, "spin:variables/variables@3.0.0", "", "it imports spin:variables/variables@3.0.0 as of another type");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_async_lowering_reads_variables),
        cmocka_unit_test(test_the_sync_lowering_traps_in_a_sync_function),
        cmocka_unit_test(test_an_instance_has_one_stack),
        cmocka_unit_test(test_an_async_import_that_nothing_provides_traps_when_it_is_called),
        cmocka_unit_test(test_a_variable_contract_of_another_type_is_an_error),
    };
    return cmocka_run_group_tests(tests, pool_setup, engine_teardown);
}
