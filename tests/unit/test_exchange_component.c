/*
 * test_exchange_component.c: wasi:http components on a real engine. When a response leaves and what a failure answers
 * is Spin's (crates/trigger-http/src/wasi.rs, server.rs); where weir differs on purpose, guest.h says so. What is there
 * when a guest has run for a while is for its steps alone to say, so no slice ends but where a test lets it.
 */
#include "exchange_support.h"

static const ask_t usual;

static void test_small_response_comes_whole_with_its_length(void **state)
{
    const step_t steps[] = {header_step("content-type", "text/plain"), header_step("X-Twice", "1"),
        header_step("x-twice", "2"), number_step(RESPOND, 201), text_step(WRITE, "hello "), text_step(WRITE, "world\n"),
        step(FINISH), step(END)};
    answer_t answer = run_once(*state, component_of(steps), &usual);
    assert_int_equal(answer.state, WEIR_EXCHANGE_HEAD);
    assert_int_equal(answer.status, 201);
    assert_string_equal(answer.headers.bytes, "content-type: text/plain\nx-twice: 1\nx-twice: 2\n");
    assert_string_equal(answer.body.bytes, "hello world\n");
    assert_true(answer.complete && answer.ended);
    assert_string_equal(answer.log, "");
    answer_free(&answer);
}

static void test_empty_body_has_length_0(void **state)
{
    const step_t steps[] = {number_step(RESPOND, 200), step(FINISH), step(END)};
    answer_t answer = run_once(*state, component_of(steps), &usual);
    assert_int_equal(answer.status, 200);
    assert_int_equal(answer.content_length, 0);
    assert_null(answer.body.bytes);
    assert_true(answer.complete);
    answer_free(&answer);
}

typedef struct failure_case {
    const char *name;
    const step_t *steps;
    const char *log;
} failure_case_t;

static void test_failure_before_anything_was_sent_is_an_empty_500_and_one_line(void **state)
{
    const failure_case_t cases[] = {
        {"trap at once", (const step_t[]){step(TRAP), step(END)}, "weir: error: component hello: trapped: "},
        {"no response", (const step_t[]){step(END)}, "weir: error: component hello: gave no response: "},
        {"trap within the body",
            (const step_t[]){number_step(RESPOND, 200), text_step(WRITE, "hi"), step(TRAP), step(END)},
            "weir: error: component hello: trapped: "},
        {"exit", (const step_t[]){number_step(EXIT, 1), step(END)}, "weir: error: component hello: exited: "},
        {"trap after a wait", (const step_t[]){number_step(SLEEP, 50), step(TRAP), step(END)}, "trapped: "},
        {"status for the server alone", (const step_t[]){number_step(RESPOND, 101), step(FINISH), step(END)}, "is 101"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        print_message("  %s\n", cases[i].name);
        answer_t answer = run_once(*state, component_of(cases[i].steps), &usual);
        assert_int_equal(answer.state, WEIR_EXCHANGE_FAILED);
        assert_false(answer.had_head);
        assert_int_equal(answer.status, 500);
        assert_non_null(strstr(answer.log, cases[i].log));
        assert_int_equal(count_of(answer.log, "\n"), 1);
        answer_free(&answer);
    }
}

static void test_trap_after_a_complete_response_leaves_it_as_it_is(void **state)
{
    const step_t steps[] = {number_step(RESPOND, 200), text_step(WRITE, "hi"), step(FINISH), step(TRAP), step(END)};
    answer_t answer = run_once(*state, component_of(steps), &usual);
    assert_int_equal(answer.state, WEIR_EXCHANGE_HEAD);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.body.bytes, "hi");
    assert_true(answer.complete);
    assert_non_null(strstr(answer.log, "weir: warning: component hello: after its response: trapped: "));
    assert_int_equal(count_of(answer.log, "\n"), 1);
    answer_free(&answer);
    /* The same when the response has long been delivered. */
    const step_t later[] = {number_step(RESPOND, 200), text_step(WRITE, "hi"), step(FINISH), number_step(SLEEP, 100),
        step(TRAP), step(END)};
    answer = run_once(*state, component_of(later), &usual);
    assert_int_equal(answer.state, WEIR_EXCHANGE_HEAD);
    assert_string_equal(answer.body.bytes, "hi");
    assert_true(answer.complete && !answer.ended_at_head && answer.ended);
    assert_int_equal(count_of(answer.log, "\n"), 1);
    answer_free(&answer);
}

static void test_slow_response_flows_while_the_guest_waits(void **state)
{
    const step_t steps[] = {number_step(RESPOND, 200), text_step(WRITE, "first "), number_step(SLEEP, 200),
        text_step(WRITE, "second"), step(FINISH), step(END)};
    answer_t answer = run_once(*state, component_of(steps), &usual);
    assert_true(answer.had_head);
    assert_false(answer.ended_at_head);
    assert_int_equal(answer.content_length, -1);
    assert_string_equal(answer.body.bytes, "first second");
    assert_true(answer.complete);
    answer_free(&answer);
}

static void test_head_leaves_before_any_body(void **state)
{
    const step_t steps[] = {
        number_step(RESPOND, 200), number_step(SLEEP, 200), text_step(WRITE, "late"), step(FINISH), step(END)};
    answer_t answer = run_once(*state, component_of(steps), &usual);
    assert_true(answer.had_head);
    assert_false(answer.ended_at_head);
    assert_string_equal(answer.body.bytes, "late");
    answer_free(&answer);
}

static void test_trap_within_a_begun_response_cuts_it(void **state)
{
    const step_t steps[] = {
        number_step(RESPOND, 200), text_step(WRITE, "first"), number_step(SLEEP, 100), step(TRAP), step(END)};
    answer_t answer = run_once(*state, component_of(steps), &usual);
    assert_true(answer.had_head);
    assert_int_equal(answer.state, WEIR_EXCHANGE_FAILED);
    assert_false(answer.complete);
    assert_non_null(strstr(answer.log, "component hello: after its response began: trapped: "));
    assert_int_equal(count_of(answer.log, "\n"), 1);
    answer_free(&answer);
}

/* wasmtime-wasi-http ends a body that is dropped as if it were finished (src/p2/body.rs, BodyImpl), and so does Spin.
 */
static void test_body_that_is_not_finished_ends_with_its_guest(void **state)
{
    const step_t steps[] = {number_step(RESPOND, 200), text_step(WRITE, "first"), number_step(SLEEP, 50), step(END)};
    answer_t answer = run_once(*state, component_of(steps), &usual);
    assert_string_equal(answer.body.bytes, "first");
    assert_true(answer.complete);
    answer_free(&answer);
    /* But not against its own word. */
    const step_t shorter[] = {
        header_step("content-length", "6"), number_step(RESPOND, 200), text_step(WRITE, "first"), step(END)};
    answer = run_once(*state, component_of(shorter), &usual);
    assert_int_equal(answer.content_length, 6);
    assert_string_equal(answer.body.bytes, "first");
    assert_int_equal(answer.state, WEIR_EXCHANGE_FAILED);
    assert_non_null(strstr(answer.log, "1 bytes shorter than its Content-Length of 6"));
    answer_free(&answer);
}

static void test_large_response_is_exact_to_the_byte(void **state)
{
    static const char piece[] = "0123456789\r\n\r\nabcdefgh\x01\xff";
    const uint32_t times = 20000;
    const step_t steps[] = {number_step(RESPOND, 200), repeat_step(piece, times), step(FINISH), step(END)};
    const size_t takes[] = {0, 1000};
    for (size_t t = 0; t < sizeof takes / sizeof takes[0]; t++) {
        const ask_t ask = {.take = takes[t]};
        answer_t answer = run_once(*state, component_of(steps), &ask);
        assert_true(answer.complete);
        const size_t size = sizeof piece - 1;
        assert_int_equal(answer.body.size, size * times);
        for (uint32_t i = 0; i < times; i++)
            assert_memory_equal(answer.body.bytes + i * size, piece, size);
        answer_free(&answer);
    }
}

static void test_headers_of_the_connection_stay_with_the_server(void **state)
{
    /* Those that wasmtime-wasi-http lets a guest set. */
    const step_t steps[] = {header_step("te", "trailers"), header_step("trailer", "x"),
        header_step("proxy-authentication-info", "x"), header_step("x-kept", "\xe4\x80 y"),
        header_step("content-length", "2"), number_step(RESPOND, 200), text_step(WRITE, "hi"), step(FINISH), step(END)};
    answer_t answer = run_once(*state, component_of(steps), &usual);
    assert_string_equal(answer.headers.bytes, "trailer: x\nx-kept: \xe4\x80 y\n"); /* it names what may follow */
    assert_int_equal(answer.content_length, 2);
    assert_string_equal(answer.body.bytes, "hi");
    answer_free(&answer);
}

static void test_many_headers_all_come_through(void **state)
{
    enum { HEADERS = 100 };
    step_t steps[HEADERS + 3];
    char values[HEADERS][16];
    text_t expected = {0};
    for (int i = 0; i < HEADERS; i++) {
        snprintf(values[i], sizeof values[i], "%d", i);
        steps[i] = header_step("x-many", values[i]);
        text_format(&expected, "x-many: %d\n", i);
    }
    steps[HEADERS] = number_step(RESPOND, 200);
    steps[HEADERS + 1] = step(FINISH);
    steps[HEADERS + 2] = step(END);
    answer_t answer = run_once(*state, component_of(steps), &usual);
    assert_string_equal(answer.headers.bytes, expected.bytes);
    free(expected.bytes);
    answer_free(&answer);
}

static void test_answer_to_head_has_no_body(void **state)
{
    const ask_t ask = {.method = "HEAD"};
    const step_t steps[] = {number_step(RESPOND, 200), repeat_step("0123456789", 20000), step(FINISH), step(END)};
    answer_t answer = run_once(*state, component_of(steps), &ask);
    assert_int_equal(answer.status, 200);
    assert_null(answer.body.bytes);
    assert_true(answer.complete && answer.ended);
    answer_free(&answer);
}

/* Wasmtime breaks a body off that is not as long as the head says. */
static void test_what_is_not_sent_needs_not_be_as_long_as_stated(void **state)
{
    const ask_t head = {.method = "HEAD"};
    const struct {
        const ask_t *ask;
        unsigned status;
    } cases[] = {{&head, 200}, {&head, 404}, {&usual, 304}, {&head, 304}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const step_t steps[] = {header_step("content-length", "7"), number_step(RESPOND, cases[i].status),
            text_step(WRITE, "123"), step(FINISH), step(END)};
        answer_t answer = run_once(*state, component_of(steps), cases[i].ask);
        assert_int_equal(answer.state, WEIR_EXCHANGE_HEAD);
        assert_int_equal(answer.status, cases[i].status);
        assert_int_equal(answer.content_length, 7);
        assert_null(answer.body.bytes);
        assert_true(answer.complete && answer.ended);
        answer_free(&answer);
    }
}

static void test_guest_that_spins_gives_its_thread_back(void **state)
{
    const step_t steps[] = {number_step(WORK, 200), number_step(RESPOND, 200), step(FINISH), step(END)};
    stage_t stage;
    stage_init(&stage, *state, component_of(steps));
    weir_request_t request = request_of(&usual);
    weir_route_match_t match = match_of(&stage, &request);
    bell_t bell;
    bell_init(&bell);
    weir_exchange_t *exchange;
    assert_true(weir_exchange_start(stage.guest, &request, &match, bell_waker(&bell), &exchange));
    unsigned pending = 0;
    weir_exchange_state_t now;
    assert_int_equal(engine_begin_ticks(*state), 0);
    while ((now = weir_exchange_poll(exchange)) == WEIR_EXCHANGE_PENDING) {
        pending++;
        assert_true(bell_count(&bell) >= pending);
    }
    engine_end_ticks(*state);
    assert_int_equal(now, WEIR_EXCHANGE_HEAD);
    assert_true(pending > 0);
    weir_exchange_free(exchange);
    bell_free(&bell);
    stage_free(&stage);
}

static void test_standard_error_goes_to_the_log(void **state)
{
    const step_t steps[] = {text_step(WARN, "careful\n"), number_step(RESPOND, 200), step(FINISH), step(END)};
    answer_t answer = run_once(*state, component_of(steps), &usual);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.log, "[hello stderr] careful\n");
    answer_free(&answer);
}

static void test_guest_that_does_not_read_its_body_answers_all_the_same(void **state)
{
    const size_t size = 1000 * 1000;
    char *body = calloc(1, size);
    assert_non_null(body);
    const step_t steps[] = {number_step(RESPOND, 200), text_step(WRITE, "hi"), step(FINISH), step(END)};
    for (int chunked = 0; chunked < 2; chunked++) {
        const ask_t ask = {.method = "POST", .body = body, .body_size = size, .chunked = chunked == 1};
        answer_t answer = run_once(*state, component_of(steps), &ask);
        assert_string_equal(answer.body.bytes, "hi");
        answer_free(&answer);
    }
    free(body);
}

/* crates/trigger-http/src/headers.rs, prepare_request_headers: str::from_utf8(..)? */
static void test_request_that_cannot_be_passed_on_is_refused(void **state)
{
    const weir_pair_t bad_value = {bytes_of("x-a"), bytes_of("caf\xe9")};
    const ask_t cases[] = {
        {.headers = &bad_value, .header_count = 1},
        {.target = "/hi/\xff"},
        {.target = "/hi/a b"},
        {.method = "G T"},
    };
    stage_t stage;
    stage_init(&stage, *state, component_of((const step_t[]){number_step(RESPOND, 200), step(FINISH), step(END)}));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        answer_t answer = run(&stage, &cases[i]);
        assert_false(answer.started);
        assert_non_null(strstr(answer.log, "component hello: request refused: "));
        assert_int_equal(count_of(answer.log, "\n"), 1);
        answer_free(&answer);
    }
    stage_free(&stage);
}

static void test_exchange_can_be_freed_wherever_it_stands(void **state)
{
    const step_t steps[] = {
        number_step(RESPOND, 200), text_step(WRITE, "first"), number_step(SLEEP, 60000), step(FINISH), step(END)};
    stage_t stage;
    stage_init(&stage, *state, component_of(steps));
    weir_request_t request = request_of(&usual);
    weir_route_match_t match = match_of(&stage, &request);
    for (int polls = 0; polls < 2; polls++) {
        bell_t bell;
        bell_init(&bell);
        weir_exchange_t *exchange;
        assert_true(weir_exchange_start(stage.guest, &request, &match, bell_waker(&bell), &exchange));
        if (polls > 0)
            assert_int_equal(weir_exchange_poll(exchange), WEIR_EXCHANGE_HEAD);
        weir_exchange_free(exchange);
        bell_free(&bell);
    }
    stage_free(&stage);
}

static void test_guest_that_cannot_be_linked_is_refused_with_its_name(void **state)
{
    static const char wat[] = "(module (import \"env\" \"missing\" (func)) (func (export \"_start\")))";
    text_t text = {0};
    text_append(&text, wat, sizeof wat - 1);
    wasm_byte_vec_t wasm = assemble(&text);
    free(text.bytes);
    const engine_t *engine = *state;
    weir_component_t component = {.id = stage_id, .source = stage_source, .source_place = {7, 10}};
    weir_manifest_t manifest = {.path = stage_path, .components = &component, .component_count = 1};
    weir_guest_file_t file = {.bytes = wasm.data, .size = wasm.size};
    weir_guest_t *guest = NULL;
    char *message = NULL;
    weir_guest_code_t *code = weir_guest_code_new();
    assert_true(weir_guest_code_compile(code, engine->engine, &manifest, &component, &file, &message));
    assert_false(weir_guest_new(engine->engine, &manifest, &component, code,
        &(weir_guest_settings_t){.output = WEIR_GUEST_OUTPUT_LOGGED}, &guest, &message));
    weir_guest_code_free(code);
    assert_null(guest);
    static const char beginning[] =
        "spin.toml:7:10: component \"hello\": \"hello.wasm\" cannot be compiled or linked: ";
    assert_memory_equal(message, beginning, sizeof beginning - 1);
    assert_non_null(strstr(message, "missing"));
    assert_non_null(strstr(message, "weir serves imports of"));
    assert_null(strchr(message, '\n'));
    free(message);
    wasm_byte_vec_delete(&wasm);
}

/* Write another minor version over each "@0.2.0", which has as many bytes. */
static void set_minor(wasm_byte_vec_t *wasm, char digit)
{
    static const char old[] = "@0.2.0";
    const size_t size = sizeof old - 1;
    unsigned count = 0;
    for (size_t i = 0; i + size <= wasm->size; i++) {
        if (memcmp(wasm->data + i, old, size) == 0) {
            wasm->data[i + size - 1] = digit;
            count++;
        }
    }
    assert_true(count >= 8);
}

/* Spin: crates/http/src/trigger.rs, WASI_HTTP_EXPORT_0_2_PREFIX */
static void test_every_minor_of_wasi_0_2_is_served(void **state)
{
    for (int digit = '0'; digit <= '9'; digit++) {
        const step_t steps[] = {
            number_step(RESPOND, 200), text_step(WRITE, "hello"), step(FINISH), number_step(SLEEP, 1), step(END)};
        wasm_byte_vec_t wasm = component_of(steps);
        set_minor(&wasm, digit);
        answer_t answer = run_once(*state, wasm, &usual);
        assert_int_equal(answer.status, 200);
        assert_string_equal(answer.body.bytes, "hello");
        assert_string_equal(answer.log, "");
        answer_free(&answer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_minor_of_wasi_0_2_is_served),
        cmocka_unit_test(test_small_response_comes_whole_with_its_length),
        cmocka_unit_test(test_empty_body_has_length_0),
        cmocka_unit_test(test_failure_before_anything_was_sent_is_an_empty_500_and_one_line),
        cmocka_unit_test(test_trap_after_a_complete_response_leaves_it_as_it_is),
        cmocka_unit_test(test_slow_response_flows_while_the_guest_waits),
        cmocka_unit_test(test_head_leaves_before_any_body),
        cmocka_unit_test(test_trap_within_a_begun_response_cuts_it),
        cmocka_unit_test(test_body_that_is_not_finished_ends_with_its_guest),
        cmocka_unit_test(test_large_response_is_exact_to_the_byte),
        cmocka_unit_test(test_headers_of_the_connection_stay_with_the_server),
        cmocka_unit_test(test_many_headers_all_come_through),
        cmocka_unit_test(test_answer_to_head_has_no_body),
        cmocka_unit_test(test_what_is_not_sent_needs_not_be_as_long_as_stated),
        cmocka_unit_test(test_guest_that_spins_gives_its_thread_back),
        cmocka_unit_test(test_standard_error_goes_to_the_log),
        cmocka_unit_test(test_guest_that_does_not_read_its_body_answers_all_the_same),
        cmocka_unit_test(test_request_that_cannot_be_passed_on_is_refused),
        cmocka_unit_test(test_exchange_can_be_freed_wherever_it_stands),
        cmocka_unit_test(test_guest_that_cannot_be_linked_is_refused_with_its_name),
    };
    return cmocka_run_group_tests(tests, engine_setup_still, engine_teardown);
}
