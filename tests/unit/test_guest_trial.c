/*
 * test_guest_trial.c: a guest run without a client: how it ends, and that nobody hears of it.
 */
#include "exchange_support.h"
#include "guest/trial.h"

enum {
    LONG_MILLISECONDS = PATIENCE_SECONDS * 1000,
    SHORT_MILLISECONDS = 30,
};

static const step_t answers_as_cgi[] = {{.kind = WARN, .text = "ran\n"},
    {.kind = WRITE, .text = "content-type: text/plain\n\n"}, {.kind = REPEAT, .text = "0123456789", .number = 50000},
    {0}};

/* What is written to standard error while a guest is tried, to be freed with free(3). */
static char *try_request(const stage_t *stage, weir_guest_trial_t expected)
{
    capture_t capture = capture_begin();
    weir_guest_trial_t result = weir_guest_try_request(stage->guest, &stage->route, LONG_MILLISECONDS);
    char *log = capture_end(capture);
    assert_int_equal(result, expected);
    return log;
}

static void test_request_is_run_to_the_guests_end(void **state)
{
    stage_t stage;
    stage_init(&stage, *state, module_of(answers_as_cgi));
    char *log = try_request(&stage, WEIR_GUEST_TRIAL_DONE);
    assert_string_equal(log, "[hello stderr] ran\n");
    free(log);
    stage_free(&stage);
}

static void test_guest_goes_no_further_than_to_its_instance(void **state)
{
    const step_t answers[] = {
        text_step(WARN, "ran\n"), number_step(RESPOND, 200), text_step(WRITE, "hi"), step(FINISH), step(END)};
    for (int kind = 0; kind < 2; kind++) {
        stage_t stage;
        stage_init(&stage, *state, kind == 0 ? component_of(answers) : module_of(answers_as_cgi));
        capture_t capture = capture_begin();
        weir_guest_trial_t result = weir_guest_try_instance(stage.guest, LONG_MILLISECONDS);
        char *log = capture_end(capture);
        assert_int_equal(result, WEIR_GUEST_TRIAL_DONE);
        assert_string_equal(log, "");
        free(log);
        stage_free(&stage);
    }
}

/* Makes a guest as the stage has it, of which nothing is heard. */
static weir_guest_t *silent_guest(const engine_t *engine, const stage_t *stage, wasm_byte_vec_t wasm)
{
    weir_guest_file_t file = {.bytes = wasm.data, .size = wasm.size};
    weir_guest_code_t *code = weir_guest_code_new();
    weir_guest_t *guest = NULL;
    char *message;
    assert_true(weir_guest_code_compile(code, engine->engine, &stage->manifest, &stage->component, &file, &message));
    assert_true(weir_guest_new(engine->engine, &stage->manifest, &stage->component, code,
        &(weir_guest_settings_t){.output = WEIR_GUEST_OUTPUT_DISCARDED}, &guest, &message));
    weir_guest_code_free(code);
    wasm_byte_vec_delete(&wasm);
    return guest;
}

static void test_nothing_is_heard_of_a_silent_guest(void **state)
{
    const step_t steps[] = {text_step(WARN, "careful\n"), step(TRAP), step(END)};
    stage_t stage;
    stage_init(&stage, *state, component_of(steps));
    char *log = try_request(&stage, WEIR_GUEST_TRIAL_DONE);
    assert_non_null(strstr(log, "careful"));
    assert_non_null(strstr(log, "trapped"));
    free(log);
    weir_guest_free(stage.guest);
    stage.guest = silent_guest(*state, &stage, component_of(steps));
    log = try_request(&stage, WEIR_GUEST_TRIAL_DONE);
    assert_string_equal(log, "");
    free(log);
    stage_free(&stage);
}

static void test_guest_that_takes_too_long_is_ended(void **state)
{
    const step_t cases[][4] = {
        {number_step(SLEEP, 3600 * 1000), step(END)},
        {number_step(WORK, UINT32_MAX), step(END)},
        /* with its response complete, but not itself at its end */
        {number_step(RESPOND, 200), step(FINISH), number_step(SLEEP, 3600 * 1000), step(END)},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        stage_t stage;
        stage_init(&stage, *state, component_of(cases[i]));
        assert_int_equal(weir_guest_try_request(stage.guest, &stage.route, SHORT_MILLISECONDS), WEIR_GUEST_TRIAL_LATE);
        assert_int_equal(weir_guest_try_instance(stage.guest, LONG_MILLISECONDS), WEIR_GUEST_TRIAL_DONE);
        stage_free(&stage);
    }
}

static void test_route_that_no_request_can_be_made_for_is_told(void **state)
{
    const step_t steps[] = {number_step(RESPOND, 200), step(FINISH), step(END)};
    stage_t stage;
    stage_init(&stage, *state, component_of(steps));
    stage.route.base = "/a b";
    char *log = try_request(&stage, WEIR_GUEST_TRIAL_NO_REQUEST);
    assert_non_null(strstr(log, "request refused"));
    free(log);
    stage_free(&stage);
}

static void test_want_of_an_instance_is_told(void **state)
{
    const step_t steps[] = {number_step(SLEEP, 3600 * 1000), number_step(RESPOND, 200), step(FINISH), step(END)};
    const engine_t *usual_engine = *state;
    wasm_config_t *config = wasm_config_new();
    wasmtime_config_epoch_interruption_set(config, true);
    wasmtime_pooling_allocation_config_t *pooling = wasmtime_pooling_allocation_config_new();
    wasmtime_pooling_allocation_config_total_component_instances_set(pooling, 1);
    wasmtime_pooling_allocation_strategy_set(config, pooling);
    wasmtime_pooling_allocation_config_delete(pooling);
    engine_t engine = *usual_engine;
    assert_null(weir_engine_new(config, &engine.engine, NULL));
    stage_t stage;
    stage_init(&stage, &engine, component_of(steps));

    weir_request_t request = request_of(&(ask_t){0});
    weir_route_match_t match = match_of(&stage, &request);
    bell_t bell;
    bell_init(&bell);
    weir_exchange_t *exchange;
    assert_true(weir_exchange_start(stage.guest, &request, &match, bell_waker(&bell), &exchange));
    assert_int_equal(weir_exchange_poll(exchange), WEIR_EXCHANGE_PENDING);
    free(try_request(&stage, WEIR_GUEST_TRIAL_NO_INSTANCE));
    assert_int_equal(weir_guest_try_instance(stage.guest, LONG_MILLISECONDS), WEIR_GUEST_TRIAL_NO_INSTANCE);
    weir_exchange_free(exchange);
    bell_free(&bell);
    assert_int_equal(weir_guest_try_instance(stage.guest, LONG_MILLISECONDS), WEIR_GUEST_TRIAL_DONE);

    stage_free(&stage);
    wasm_engine_delete(engine.engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_is_run_to_the_guests_end),
        cmocka_unit_test(test_guest_goes_no_further_than_to_its_instance),
        cmocka_unit_test(test_nothing_is_heard_of_a_silent_guest),
        cmocka_unit_test(test_guest_that_takes_too_long_is_ended),
        cmocka_unit_test(test_route_that_no_request_can_be_made_for_is_told),
        cmocka_unit_test(test_want_of_an_instance_is_told),
    };
    return cmocka_run_group_tests(tests, engine_setup, engine_teardown);
}
