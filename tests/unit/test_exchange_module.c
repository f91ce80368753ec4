/*
 * test_exchange_module.c: WAGI modules on a real engine. What a module's output means is Spin's
 * (crates/trigger-http/src/wagi.rs, crates/http/src/wagi/mod.rs, compose_response); where weir differs on purpose,
 * guest.h says so.
 */
#include "exchange_support.h"

#define HEAD_TEXT "Content-Type: text/plain\n\n"

static const ask_t usual;

static void test_small_response_comes_whole_with_its_length(void **state)
{
    const step_t steps[] = {text_step(WRITE, "Content-Type: text/plain\nX-Y: 1\n"), text_step(WRITE, "\nhello "),
        text_step(WRITE, "world\n"), step(END)};
    answer_t answer = run_once(*state, module_of(steps), &usual);
    assert_int_equal(answer.state, WEIR_EXCHANGE_HEAD);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.headers.bytes, "content-type: text/plain\nx-y: 1\n");
    assert_string_equal(answer.body.bytes, "hello world\n");
    assert_int_equal(answer.content_length, 12);
    assert_true(answer.complete && answer.ended);
    assert_string_equal(answer.log, "");
    answer_free(&answer);
}

/* A failure before the response has been handed out: 500, nothing of it, one line in the log. */
typedef struct failure_case {
    const char *name;
    const step_t *steps;
    uint16_t status;
    const char *log;
} failure_case_t;

static void test_failure_is_a_status_without_body_and_one_line(void **state)
{
    char *long_line = calloc(1, 66 * 1024);
    assert_non_null(long_line);
    memset(long_line, 'x', 66 * 1024 - 1);
    const failure_case_t cases[] = {
        {"exit status 3 after a short response",
            (const step_t[]){text_step(WRITE, HEAD_TEXT "hi"), number_step(EXIT, 3), step(END)}, 500,
            "weir: error: component hello: exited: the guest exited with status 3 ("},
        {"trap", (const step_t[]){text_step(WRITE, HEAD_TEXT "hi"), step(TRAP), step(END)}, 500,
            "weir: error: component hello: trapped: "},
        {"no output", (const step_t[]){step(END)}, 500, "`executor`"},
        {"head that is not UTF-8", (const step_t[]){text_step(WRITE, "Content-Type: \xff\n\nhi"), step(END)}, 500,
            "is not UTF-8"},
        {"Content-Length that is no number",
            (const step_t[]){text_step(WRITE, "Content-Length: 1x\n" HEAD_TEXT "h"), step(END)}, 502, "Content-Length"},
        {"no body for its Content-Length",
            (const step_t[]){text_step(WRITE, "Content-Length: 5\n" HEAD_TEXT), step(END)}, 502,
            "5 bytes shorter than its Content-Length of 5"},
        {"Content-Length twice",
            (const step_t[]){text_step(WRITE, "Content-Length: 1\nContent-Length: 2\n" HEAD_TEXT "hi"), step(END)}, 502,
            "Content-Length"},
        {"informational status", (const step_t[]){text_step(WRITE, "Status: 101\n\n"), step(END)}, 500, "is 101"},
        {"head without end", (const step_t[]){text_step(WRITE, long_line), step(END)}, 502, "longer than 64 KiB"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        print_message("  %s\n", cases[i].name);
        answer_t answer = run_once(*state, module_of(cases[i].steps), &usual);
        assert_int_equal(answer.state, WEIR_EXCHANGE_FAILED);
        assert_false(answer.had_head);
        assert_int_equal(answer.status, cases[i].status);
        assert_true(answer.ended);
        assert_non_null(strstr(answer.log, cases[i].log));
        assert_int_equal(count_of(answer.log, "\n"), 1);
        answer_free(&answer);
    }
    free(long_line);
}

static void test_exit_status_0_is_success(void **state)
{
    const step_t steps[] = {text_step(WRITE, HEAD_TEXT "hi"), number_step(EXIT, 0), step(END)};
    answer_t answer = run_once(*state, module_of(steps), &usual);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.body.bytes, "hi");
    answer_free(&answer);
}

static void test_head_without_type_status_or_location_is_spins_500(void **state)
{
    const step_t *cases[] = {
        (const step_t[]){text_step(WRITE, "X-A: 1\n\nbody"), step(END)},
        (const step_t[]){text_step(WRITE, "no head at all"), step(END)},
        (const step_t[]){text_step(WRITE, "\n\nbody"), step(END)},
        (const step_t[]){
            text_step(WRITE, "X-A: 1\n\nbody"), number_step(SLEEP, 20), repeat_step("0123456789", 20000), step(END)},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        answer_t answer = run_once(*state, module_of(cases[i]), &usual);
        assert_int_equal(answer.state, WEIR_EXCHANGE_HEAD);
        assert_int_equal(answer.status, 500);
        assert_null(answer.headers.bytes);
        assert_string_equal(answer.body.bytes, "Exactly one of 'location' or 'content-type' must be specified");
        assert_int_equal(answer.content_length, 61);
        assert_true(answer.complete);
        assert_int_equal(count_of(answer.log, "\n"), 1);
        answer_free(&answer);
    }
}

static void test_insufficient_head_and_exit_status_is_an_empty_500(void **state)
{
    const step_t steps[] = {text_step(WRITE, "X-A: 1\n\nbody"), number_step(EXIT, 1), step(END)};
    answer_t answer = run_once(*state, module_of(steps), &usual);
    assert_int_equal(answer.state, WEIR_EXCHANGE_FAILED);
    assert_int_equal(answer.status, 500);
    answer_free(&answer);
}

static void test_slow_response_flows_while_the_guest_waits(void **state)
{
    const step_t steps[] = {
        text_step(WRITE, HEAD_TEXT "first "), number_step(SLEEP, 300), text_step(WRITE, "second"), step(END)};
    answer_t answer = run_once(*state, module_of(steps), &usual);
    assert_true(answer.had_head);
    assert_false(answer.ended_at_head);
    assert_int_equal(answer.content_length, -1);
    assert_string_equal(answer.body.bytes, "first second");
    assert_true(answer.complete);
    answer_free(&answer);
}

static void test_head_alone_does_not_leave_before_the_guest_can_fail(void **state)
{
    const step_t steps[] = {text_step(WRITE, HEAD_TEXT), number_step(SLEEP, 100), number_step(EXIT, 1), step(END)};
    answer_t answer = run_once(*state, module_of(steps), &usual);
    assert_false(answer.had_head);
    assert_int_equal(answer.status, 500);
    answer_free(&answer);
}

static void test_failure_after_a_begun_response_cuts_it(void **state)
{
    const step_t *cases[] = {
        (const step_t[]){text_step(WRITE, HEAD_TEXT "first"), number_step(SLEEP, 100), number_step(EXIT, 2), step(END)},
        (const step_t[]){text_step(WRITE, HEAD_TEXT "first"), number_step(SLEEP, 100), step(TRAP), step(END)},
        (const step_t[]){
            text_step(WRITE, HEAD_TEXT), repeat_step("0123456789abcdef", 20000), number_step(EXIT, 2), step(END)},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        answer_t answer = run_once(*state, module_of(cases[i]), &usual);
        assert_true(answer.had_head);
        assert_int_equal(answer.status, 200);
        assert_int_equal(answer.state, WEIR_EXCHANGE_FAILED);
        assert_false(answer.complete);
        assert_non_null(strstr(answer.log, "component hello: after its response began: "));
        assert_int_equal(count_of(answer.log, "\n"), 1);
        answer_free(&answer);
    }
}

/*
 * Spin holds all of the output (crates/trigger-http/src/wagi.rs, execute); weir what the bridge does: a pipe of 64 KiB,
 * and what was in it when it was full, or when a time slice ended, before.
 */
static void test_exit_status_is_500_up_to_64_kib_of_output_and_cuts_what_is_longer_than_128(void **state)
{
    enum { PIPE = 64 * 1024, HEAD_SIZE = sizeof HEAD_TEXT - 1 };
    /* Between these two it depends on where a time slice ended. */
    static const size_t bodies[] = {PIPE - HEAD_SIZE, 2 * PIPE};
    char *body = malloc(2 * PIPE + 1);
    assert_non_null(body);
    for (size_t i = 0; i < 2; i++) {
        memset(body, 'x', bodies[i]);
        body[bodies[i]] = '\0';
        const step_t steps[] = {text_step(WRITE, HEAD_TEXT), text_step(WRITE, body), number_step(EXIT, 2), step(END)};
        answer_t answer = run_once(*state, module_of(steps), &usual);
        assert_int_equal(answer.state, WEIR_EXCHANGE_FAILED);
        assert_int_equal(answer.had_head, i == 1);
        assert_int_equal(answer.status, i == 1 ? 200 : 500);
        assert_false(answer.complete);
        answer_free(&answer);
    }
    free(body);
}

static void test_response_of_a_guest_that_computes_for_long_flows(void **state)
{
    const step_t steps[] = {
        text_step(WRITE, HEAD_TEXT "first "), number_step(WORK, 2000), text_step(WRITE, "second"), step(END)};
    answer_t answer = run_once(*state, module_of(steps), &usual);
    assert_false(answer.ended_at_head);
    assert_string_equal(answer.body.bytes, "first second");
    assert_true(answer.complete);
    answer_free(&answer);
}

/* A guest whose time slice ends after it wrote is not one that waits. */
static void test_short_response_with_an_exit_status_is_500_wherever_a_tick_falls(void **state)
{
    const step_t steps[] = {text_step(WRITE, HEAD_TEXT "hi"), number_step(WORK, 1), number_step(EXIT, 1), step(END)};
    stage_t stage;
    stage_init(&stage, *state, module_of(steps));
    for (int i = 0; i < 300; i++) {
        answer_t answer = run(&stage, &usual);
        assert_false(answer.had_head);
        assert_int_equal(answer.status, 500);
        answer_free(&answer);
    }
    stage_free(&stage);
}

static void test_large_response_is_exact_to_the_byte(void **state)
{
    static const char piece[] = "0123456789\r\n\r\nabcdefgh\x01\xff";
    const uint32_t times = 50000;
    const step_t steps[] = {text_step(WRITE, HEAD_TEXT), repeat_step(piece, times), step(END)};
    const size_t takes[] = {0, 1000, 70000};
    for (size_t t = 0; t < sizeof takes / sizeof takes[0]; t++) {
        const ask_t ask = {.take = takes[t]};
        answer_t answer = run_once(*state, module_of(steps), &ask);
        assert_int_equal(answer.status, 200);
        assert_true(answer.complete);
        const size_t size = sizeof piece - 1;
        assert_int_equal(answer.body.size, size * times);
        for (uint32_t i = 0; i < times; i++)
            assert_memory_equal(answer.body.bytes + i * size, piece, size);
        answer_free(&answer);
    }
}

static void test_content_length_is_kept(void **state)
{
    typedef struct length_case {
        const char *name;
        const step_t *steps;
        weir_exchange_state_t state;
        const char *body;
        const char *log;
    } length_case_t;
    const length_case_t cases[] = {
        {"exact", (const step_t[]){text_step(WRITE, "content-length: 5\n" HEAD_TEXT "hello"), step(END)},
            WEIR_EXCHANGE_HEAD, "hello", ""},
        {"too much", (const step_t[]){text_step(WRITE, "content-length: 5\n" HEAD_TEXT "hello world"), step(END)},
            WEIR_EXCHANGE_HEAD, "hello", "wrote more than its Content-Length of 5"},
        {"too little", (const step_t[]){text_step(WRITE, "content-length: 5\n" HEAD_TEXT "hell"), step(END)},
            WEIR_EXCHANGE_FAILED, "hell", "1 bytes shorter than its Content-Length of 5"},
        {"much too much, in pieces",
            (const step_t[]){text_step(WRITE, "content-length: 5\n" HEAD_TEXT), repeat_step("hello", 50000), step(END)},
            WEIR_EXCHANGE_HEAD, "hello", "wrote more"},
        {"something after nothing",
            (const step_t[]){text_step(WRITE, "content-length: 0\n" HEAD_TEXT "hello"), step(END)}, WEIR_EXCHANGE_HEAD,
            NULL, "wrote more than its Content-Length of 0"},
        {"nothing", (const step_t[]){text_step(WRITE, "content-length: 0\n" HEAD_TEXT), step(END)}, WEIR_EXCHANGE_HEAD,
            NULL, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        print_message("  %s\n", cases[i].name);
        answer_t answer = run_once(*state, module_of(cases[i].steps), &usual);
        assert_int_equal(answer.state, cases[i].state);
        assert_int_equal(answer.complete, cases[i].state == WEIR_EXCHANGE_HEAD);
        if (cases[i].body == NULL)
            assert_null(answer.body.bytes);
        else
            assert_string_equal(answer.body.bytes, cases[i].body);
        if (cases[i].log[0] == '\0') {
            assert_string_equal(answer.log, "");
        } else {
            assert_non_null(strstr(answer.log, cases[i].log));
            assert_int_equal(count_of(answer.log, "\n"), 1);
        }
        answer_free(&answer);
    }
}

static void test_answer_to_head_has_no_body_but_its_length(void **state)
{
    const ask_t ask = {.method = "HEAD"};
    const step_t steps[] = {text_step(WRITE, HEAD_TEXT "hello"), step(END)};
    answer_t answer = run_once(*state, module_of(steps), &ask);
    assert_int_equal(answer.status, 200);
    assert_int_equal(answer.content_length, 5);
    assert_null(answer.body.bytes);
    assert_true(answer.complete);
    answer_free(&answer);
    /* What does not fit the pipe must not hold the guest up for ever. */
    const step_t many[] = {text_step(WRITE, HEAD_TEXT), repeat_step("0123456789", 50000), step(END)};
    answer = run_once(*state, module_of(many), &ask);
    assert_int_equal(answer.status, 200);
    assert_null(answer.body.bytes);
    assert_true(answer.complete && answer.ended);
    answer_free(&answer);
}

static void test_no_content_has_no_body(void **state)
{
    const step_t steps[] = {text_step(WRITE, "Status: 204 No Content\n\nhello"), step(END)};
    answer_t answer = run_once(*state, module_of(steps), &usual);
    assert_int_equal(answer.status, 204);
    assert_null(answer.body.bytes);
    assert_true(answer.complete);
    answer_free(&answer);
}

static void test_unparsable_status_is_502_with_the_guests_body(void **state)
{
    const step_t steps[] = {text_step(WRITE, "Status: fine\n\nhello"), step(END)};
    answer_t answer = run_once(*state, module_of(steps), &usual);
    assert_int_equal(answer.state, WEIR_EXCHANGE_HEAD);
    assert_int_equal(answer.status, 502);
    assert_string_equal(answer.body.bytes, "hello");
    assert_int_equal(count_of(answer.log, "\n"), 1);
    answer_free(&answer);
}

static void test_standard_error_goes_to_the_log(void **state)
{
    const step_t steps[] = {text_step(WARN, "careful\n"), text_step(WRITE, HEAD_TEXT "hi"), step(END)};
    answer_t answer = run_once(*state, module_of(steps), &usual);
    assert_string_equal(answer.body.bytes, "hi");
    assert_string_equal(answer.log, "[hello stderr] careful\n");
    answer_free(&answer);
}

/* ---- Arguments, environment, standard input ---- */

/* The value of a variable in "A=1\0B=2\0", or NULL. */
static const char *variable(const text_t *block, const char *name)
{
    size_t name_size = strlen(name);
    for (const char *at = block->bytes; at < block->bytes + block->size; at += strlen(at) + 1) {
        if (strncmp(at, name, name_size) == 0 && at[name_size] == '=')
            return at + name_size + 1;
    }
    return NULL;
}

static void test_environment_and_arguments_reach_the_guest(void **state)
{
    const weir_pair_t headers[] = {
        {bytes_of("Host"), bytes_of("example.com:3000")}, {bytes_of("X-Color"), bytes_of("blue")}};
    const ask_t ask = {.headers = headers, .header_count = 2};
    const step_t environment[] = {text_step(WRITE, HEAD_TEXT), step(ENVIRONMENT), step(END)};
    answer_t answer = run_once(*state, module_of(environment), &ask);
    assert_string_equal(variable(&answer.body, "REQUEST_METHOD"), "GET");
    assert_string_equal(variable(&answer.body, "PATH_INFO"), "/there");
    assert_string_equal(variable(&answer.body, "HTTP_X_COLOR"), "blue");
    assert_string_equal(variable(&answer.body, "CONTENT_LENGTH"), "0");
    answer_free(&answer);
    const step_t arguments[] = {text_step(WRITE, HEAD_TEXT), step(ARGUMENTS), step(END)};
    answer = run_once(*state, module_of(arguments), &ask);
    static const char expected[] = "/hi/there\0a=1\0b=2";
    assert_int_equal(answer.body.size, sizeof expected);
    assert_memory_equal(answer.body.bytes, expected, sizeof expected);
    answer_free(&answer);
}

static void test_body_reaches_standard_input(void **state)
{
    const size_t size = 300 * 1000;
    char *body = malloc(size);
    assert_non_null(body);
    for (size_t i = 0; i < size; i++)
        body[i] = (char)(i * 7 % 251);
    const step_t steps[] = {text_step(WRITE, HEAD_TEXT), step(COPY), step(END)};
    const ask_t cases[] = {
        {.method = "POST", .body = body, .body_size = size},
        {.method = "POST", .body = body, .body_size = size, .piece = 10007},
        {.method = "POST", .body = body, .body_size = size, .chunked = true},
        {.method = "POST", .body = body, .body_size = size, .chunked = true, .piece = 10007},
        {.method = "POST", .body = body, .body_size = 1, .chunked = true},
        {.method = "POST", .body = body, .body_size = 0, .chunked = true},
    };
    stage_t stage;
    stage_init(&stage, *state, module_of(steps));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        answer_t answer = run(&stage, &cases[i]);
        assert_int_equal(answer.status, 200);
        assert_true(answer.complete);
        assert_int_equal(answer.body.size, cases[i].body_size);
        if (cases[i].body_size > 0)
            assert_memory_equal(answer.body.bytes, body, cases[i].body_size);
        assert_string_equal(answer.log, "");
        answer_free(&answer);
    }
    stage_free(&stage);
    free(body);
}

static void test_content_length_is_known_also_for_a_body_in_chunks(void **state)
{
    const step_t steps[] = {text_step(WRITE, HEAD_TEXT), step(ENVIRONMENT), step(END)};
    const ask_t cases[] = {
        {.method = "POST", .body = "0123456789ab", .body_size = 12},
        {.method = "POST", .body = "0123456789ab", .body_size = 12, .chunked = true, .piece = 5},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        answer_t answer = run_once(*state, module_of(steps), &cases[i]);
        assert_string_equal(variable(&answer.body, "CONTENT_LENGTH"), "12");
        answer_free(&answer);
    }
}

static void test_guest_that_ignores_its_input_answers_all_the_same(void **state)
{
    const size_t size = 1000 * 1000;
    char *body = calloc(1, size);
    assert_non_null(body);
    const step_t steps[] = {text_step(WRITE, HEAD_TEXT "hi"), step(END)};
    for (int chunked = 0; chunked < 2; chunked++) {
        const ask_t ask = {.method = "POST", .body = body, .body_size = size, .chunked = chunked == 1};
        answer_t answer = run_once(*state, module_of(steps), &ask);
        assert_string_equal(answer.body.bytes, "hi");
        answer_free(&answer);
    }
    free(body);
}

static void test_body_in_chunks_beyond_16_mib_is_413(void **state)
{
    const size_t most = 16 * 1024 * 1024;
    char *body = calloc(1, most + 1);
    assert_non_null(body);
    const step_t steps[] = {text_step(WRITE, HEAD_TEXT "hi"), step(END)};
    const ask_t good = {.method = "POST", .body = body, .body_size = most, .chunked = true, .piece = 1 << 20};
    answer_t answer = run_once(*state, module_of(steps), &good);
    assert_int_equal(answer.status, 200);
    answer_free(&answer);
    const ask_t bad = {.method = "POST", .body = body, .body_size = most + 1, .chunked = true, .piece = 1 << 20};
    answer = run_once(*state, module_of(steps), &bad);
    assert_int_equal(answer.state, WEIR_EXCHANGE_FAILED);
    assert_int_equal(answer.status, 413);
    assert_int_equal(count_of(answer.log, "\n"), 1);
    answer_free(&answer);
    free(body);
}

static void test_bodies_in_chunks_are_bounded_together(void **state)
{
    enum { EXCHANGES = 5 };
    const size_t size = 16 * 1024 * 1024;
    char *body = calloc(1, size);
    assert_non_null(body);
    stage_t stage;
    stage_init(&stage, *state, module_of((const step_t[]){text_step(WRITE, HEAD_TEXT "hi"), step(END)}));
    const ask_t ask = {.method = "POST", .body = body, .body_size = size, .chunked = true};
    weir_request_t request = request_of(&ask);
    weir_route_match_t match = match_of(&stage, &request);
    weir_exchange_t *exchanges[EXCHANGES];
    bell_t bells[EXCHANGES];
    capture_t capture = capture_begin();
    /* One that was refused holds nothing any more, although it is still there. */
    bell_t refused_bell;
    bell_init(&refused_bell);
    weir_exchange_t *refused;
    assert_true(weir_exchange_start(stage.guest, &request, &match, bell_waker(&refused_bell), &refused));
    assert_int_equal(weir_exchange_feed(refused, (weir_bytes_t){body, size}), size);
    assert_int_equal(weir_exchange_feed(refused, (weir_bytes_t){body, 1}), 1);
    assert_int_equal(weir_exchange_poll(refused), WEIR_EXCHANGE_FAILED);
    assert_int_equal(weir_exchange_status(refused), 413);
    assert_int_equal(weir_exchange_feed(refused, (weir_bytes_t){body, 5}), 5);
    for (int i = 0; i < EXCHANGES; i++) {
        bell_init(&bells[i]);
        assert_true(weir_exchange_start(stage.guest, &request, &match, bell_waker(&bells[i]), &exchanges[i]));
        assert_int_equal(weir_exchange_feed(exchanges[i], (weir_bytes_t){body, size}), size);
        bool fits = i < 4; /* four times 16 MiB are the 64 MiB */
        assert_int_equal(weir_exchange_poll(exchanges[i]), fits ? WEIR_EXCHANGE_PENDING : WEIR_EXCHANGE_FAILED);
        if (!fits)
            assert_int_equal(weir_exchange_status(exchanges[i]), 503);
        assert_int_equal(bell_count(&bells[i]), fits ? 0 : 1);
    }
    weir_exchange_free(refused);
    bell_free(&refused_bell);
    for (int i = 0; i < EXCHANGES; i++) {
        weir_exchange_free(exchanges[i]);
        bell_free(&bells[i]);
    }
    char *log = capture_end(capture);
    assert_int_equal(count_of(log, "64 MiB"), 1);
    free(log);
    /* What they held is free again. */
    answer_t answer = run(&stage, &ask);
    assert_int_equal(answer.status, 200);
    answer_free(&answer);
    stage_free(&stage);
    free(body);
}

static void test_client_that_goes_away_while_its_body_is_collected_costs_no_call(void **state)
{
    const step_t steps[] = {text_step(WRITE, HEAD_TEXT "hi"), step(END)};
    const ask_t ask = {.method = "POST", .body = "abc", .body_size = 3, .chunked = true, .abort = true};
    answer_t answer = run_once(*state, module_of(steps), &ask);
    assert_int_equal(answer.state, WEIR_EXCHANGE_FAILED);
    assert_false(answer.had_head);
    assert_string_equal(answer.log, "");
    answer_free(&answer);
}

/* ---- Freeing, refusing ---- */

static void test_exchange_can_be_freed_wherever_it_stands(void **state)
{
    const step_t steps[] = {text_step(WRITE, HEAD_TEXT "first"), number_step(SLEEP, 60000), step(END)};
    stage_t stage;
    stage_init(&stage, *state, module_of(steps));
    const ask_t asks[] = {{.method = "GET"}, {.method = "POST", .body = "abc", .body_size = 3, .chunked = true}};
    for (size_t i = 0; i < 2; i++) {
        weir_request_t request = request_of(&asks[i]);
        weir_route_match_t match = match_of(&stage, &request);
        for (int polls = 0; polls < 2; polls++) {
            bell_t bell;
            bell_init(&bell);
            weir_exchange_t *exchange;
            assert_true(weir_exchange_start(stage.guest, &request, &match, bell_waker(&bell), &exchange));
            for (int k = 0; k < polls; k++)
                weir_exchange_poll(exchange);
            weir_exchange_free(exchange);
            bell_free(&bell);
        }
    }
    const ask_t early = {.leave_early = true};
    answer_t answer = run(&stage, &early);
    assert_true(answer.had_head);
    answer_free(&answer);
    stage_free(&stage);
    weir_exchange_free(NULL);
    weir_guest_free(NULL);
}

static void test_request_that_cannot_be_passed_on_is_refused(void **state)
{
    weir_pair_t many[WEIR_REQUEST_HEADERS_MAX + 1];
    for (size_t i = 0; i < sizeof many / sizeof many[0]; i++)
        many[i] = (weir_pair_t){bytes_of("a"), bytes_of("b")};
    const ask_t cases[] = {
        {.target = "/hi/\xff"},
        {.target = "/hi?\xc3"},
        {.headers = many, .header_count = sizeof many / sizeof many[0]},
    };
    stage_t stage;
    stage_init(&stage, *state, module_of((const step_t[]){text_step(WRITE, HEAD_TEXT), step(END)}));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        answer_t answer = run(&stage, &cases[i]);
        assert_false(answer.started);
        assert_non_null(strstr(answer.log, "component hello: request refused: "));
        assert_int_equal(count_of(answer.log, "\n"), 1);
        answer_free(&answer);
    }
    stage_free(&stage);
}

/* The bridge refuses such an argument, before or after the body was collected. The waker is released once all the same.
 */
static void test_arguments_that_cannot_be_passed_on_fail_the_request(void **state)
{
    static char not_utf8[] = "\xff";
    stage_t stage;
    stage_init(&stage, *state, module_of((const step_t[]){text_step(WRITE, HEAD_TEXT), step(END)}));
    stage.trigger.wagi_argv = not_utf8;
    answer_t answer = run(&stage, &usual);
    assert_false(answer.started);
    assert_int_equal(count_of(answer.log, "request refused: an argument is not UTF-8 ("), 1);
    answer_free(&answer);
    const ask_t chunked = {.method = "POST", .body = "abc", .body_size = 3, .chunked = true};
    answer = run(&stage, &chunked);
    assert_true(answer.started);
    assert_int_equal(answer.state, WEIR_EXCHANGE_FAILED);
    assert_int_equal(answer.status, 500);
    assert_int_equal(count_of(answer.log, "request refused: an argument is not UTF-8 ("), 1);
    answer_free(&answer);
    stage_free(&stage);
}

static void test_next_request_works_after_a_failure(void **state)
{
    /* Fails for every body but the empty one: COPY writes nothing then. */
    stage_t stage;
    stage_init(&stage, *state, module_of((const step_t[]){step(COPY), text_step(WRITE, "\n\nhi"), step(END)}));
    const ask_t good = {.method = "POST", .body = "Content-Type: a/b", .body_size = 17};
    const ask_t bad = {.method = "POST", .body = "\xff", .body_size = 1};
    for (int i = 0; i < 3; i++) {
        answer_t answer = run(&stage, &bad);
        assert_int_equal(answer.status, 500);
        answer_free(&answer);
        answer = run(&stage, &good);
        assert_int_equal(answer.status, 200);
        assert_string_equal(answer.body.bytes, "hi");
        answer_free(&answer);
    }
    stage_free(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_response_comes_whole_with_its_length),
        cmocka_unit_test(test_failure_is_a_status_without_body_and_one_line),
        cmocka_unit_test(test_exit_status_0_is_success),
        cmocka_unit_test(test_head_without_type_status_or_location_is_spins_500),
        cmocka_unit_test(test_insufficient_head_and_exit_status_is_an_empty_500),
        cmocka_unit_test(test_slow_response_flows_while_the_guest_waits),
        cmocka_unit_test(test_head_alone_does_not_leave_before_the_guest_can_fail),
        cmocka_unit_test(test_failure_after_a_begun_response_cuts_it),
        cmocka_unit_test(test_exit_status_is_500_up_to_64_kib_of_output_and_cuts_what_is_longer_than_128),
        cmocka_unit_test(test_response_of_a_guest_that_computes_for_long_flows),
        cmocka_unit_test(test_short_response_with_an_exit_status_is_500_wherever_a_tick_falls),
        cmocka_unit_test(test_large_response_is_exact_to_the_byte),
        cmocka_unit_test(test_content_length_is_kept),
        cmocka_unit_test(test_answer_to_head_has_no_body_but_its_length),
        cmocka_unit_test(test_no_content_has_no_body),
        cmocka_unit_test(test_unparsable_status_is_502_with_the_guests_body),
        cmocka_unit_test(test_standard_error_goes_to_the_log),
        cmocka_unit_test(test_environment_and_arguments_reach_the_guest),
        cmocka_unit_test(test_body_reaches_standard_input),
        cmocka_unit_test(test_content_length_is_known_also_for_a_body_in_chunks),
        cmocka_unit_test(test_guest_that_ignores_its_input_answers_all_the_same),
        cmocka_unit_test(test_body_in_chunks_beyond_16_mib_is_413),
        cmocka_unit_test(test_bodies_in_chunks_are_bounded_together),
        cmocka_unit_test(test_client_that_goes_away_while_its_body_is_collected_costs_no_call),
        cmocka_unit_test(test_exchange_can_be_freed_wherever_it_stands),
        cmocka_unit_test(test_request_that_cannot_be_passed_on_is_refused),
        cmocka_unit_test(test_arguments_that_cannot_be_passed_on_fail_the_request),
        cmocka_unit_test(test_next_request_works_after_a_failure),
    };
    return cmocka_run_group_tests(tests, engine_setup, engine_teardown);
}
