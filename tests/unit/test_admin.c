/*
 * test_admin.c: the admin listener as a C program uses it, on a server that serves: what it answers while loops count
 * and others tell it of changes, and what becomes of it without memory.
 */
#include "admin/admin.h"
#include "admin/answer.h"
#include "admin/gather.h"
#include "admin/status.h"
#include "admin/write.h"
#include "generation_support.h"

enum { POOL_BYTES = 16 << 20, REQUESTS = 150, CHANGES = 200, PAGES = 12, ANSWER_BYTES = 512 * 1024 };

/* ---- Memory ------------------------------------------------------------------------------------------------------ */

static _Thread_local long allocations_left = -1; /* -1: as many as there are */

static bool is_refused(void)
{
    if (allocations_left == 0)
        return true;
    allocations_left -= allocations_left > 0 ? 1 : 0;
    return false;
}

/* The linker makes these names. NOLINTBEGIN(cert-dcl37-c) */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
char *__wrap_strdup(const char *text);

void *__wrap_malloc(size_t size)
{
    return is_refused() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return is_refused() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return is_refused() ? NULL : __real_realloc(memory, size);
}

char *__wrap_strdup(const char *text)
{
    return is_refused() ? NULL : __real_strdup(text);
}
/* NOLINTEND(cert-dcl37-c) */

/* ---- What needs no server ---------------------------------------------------------------------------------------- */

static void test_json_is_json_whatever_texts_hold(void **state)
{
    (void)state;
    weir_head_text_t text = {.size = 0};
    weir_json_t json = {.text = &text};
    weir_json_open(&json, NULL, '{');
    weir_json_string(&json, "a\"b", "\\ \" \n \x01 \x7f \xc2\x85 \xff \xe2\x82\xac");
    weir_json_open(&json, "list", '[');
    weir_json_count(&json, NULL, UINT64_MAX);
    weir_json_real(&json, NULL, 0.25);
    weir_json_real(&json, NULL, 1.0 / 0.0);
    weir_json_string(&json, NULL, NULL);
    weir_json_bool(&json, NULL, false);
    weir_json_open(&json, NULL, '{');
    weir_json_close(&json, '}');
    weir_json_close(&json, ']');
    weir_json_null(&json, "none");
    weir_json_close(&json, '}');
    weir_head_text_add(&text, "", 1);
    assert_false(text.failed);
    assert_string_equal(text.data,
        "{\"a\\\"b\":\"\\\\ \\\" \\u000a \\u0001 \\u007f \\u0085 \xEF\xBF\xBD \xe2\x82\xac\","
        "\"list\":[18446744073709551615,0.25,null,null,false,{}],\"none\":null}");
    weir_head_text_free(&text);
}

static void test_hosts_that_a_page_of_the_web_can_name_are_unknown(void **state)
{
    (void)state;
    static const char *const own[] = {"metrics.example.com"};
    static const weir_admin_names_t names = {.machine = "box.example.net", .names = own, .count = 1};
    static const struct {
        const char *host;
        bool known;
    } rows[] = {
        {"localhost", true},
        {"localhost:80", true},
        {"weir", true},
        {"127.0.0.1:1", true},
        {"[::1]", true},
        {"[::1]:9", true},
        {"Box.Example.Net:9", true},
        {"metrics.example.com", true},
        {"example.com", false},
        {"127.0.0.1.example.com", false},
        {"1.2.3", false},
        {"", false},
        {":80", false},
        {"[", false},
        {"[]", false},
        {"xmetrics.example.com", false},
        {"metrics.example.com.", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (weir_admin_host_is_known(bytes_of(rows[i].host), &names) != rows[i].known)
            fail_msg("'%s'", rows[i].host);
}

static void test_accept_is_read_as_http_has_it(void **state)
{
    (void)state;
    static const struct {
        const char *accept;
        bool json;
    } rows[] = {
        {"", true},
        {"*/*", true},
        {"text/html", false},
        {"TEXT/HTML ; q=1.0", false},
        {"application/json", true},
        {"text/html;q=0, application/json;q=0.001", true},
        {"text/html, application/json", true},
        {"text/html;q=0.9,application/json;q=0.8", false},
        {"text/html;q=", false},
        {",,;;q=1,", true},
        {"text/htmlx", true},
        {"application/json;q=0.3, application/json;q=0.7, text/html;q=0.5", true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (weir_admin_prefers_json(bytes_of(rows[i].accept)) != rows[i].json)
            fail_msg("'%s'", rows[i].accept);
}

static const weir_board_route_t told_routes[] = {{"/a", "a", "http"}, {"/s", NULL, "static"}};

static const weir_board_application_t told_application = {.name = "a \"name\"",
    .version = "1",
    .description = NULL,
    .manifest = "spin.toml",
    .routes = told_routes,
    .route_count = 2};

static const weir_board_allocator_t told_allocator = {.rung = {.tier = "standard", .slots = 4},
    .strategy = "auto",
    .summary = "a pool",
    .notice = "first line\nsecond line\n",
    .reason = "because",
    .advice = ""};

static void test_a_board_that_gets_no_memory_stays_as_it_was(void **state)
{
    (void)state;
    weir_board_t board;
    weir_board_init(&board);
    assert_true(weir_board_tell_application(&board, &told_application));
    assert_true(weir_board_tell_allocator(&board, &told_allocator));
    const weir_board_application_t *application = board.application;
    const weir_board_allocator_t *allocator = board.allocator;
    long refused = 0;
    for (allocations_left = 0; !weir_board_tell_application(&board, &told_application); allocations_left = refused) {
        assert_ptr_equal(board.application, application);
        refused++;
    }
    assert_true(refused > 5);
    refused = 0;
    for (allocations_left = 0; !weir_board_tell_allocator(&board, &told_allocator); allocations_left = refused) {
        assert_ptr_equal(board.allocator, allocator);
        refused++;
    }
    assert_true(refused > 3);
    refused = 0;
    for (allocations_left = 0; !weir_board_note_change(&board, "a", "b", "c"); allocations_left = refused)
        refused++;
    allocations_left = -1;
    assert_int_equal(refused, 3);
    assert_int_equal(board.history_count, 1);
    for (unsigned i = 0; i < 2 * WEIR_BOARD_HISTORY; i++) {
        char number[16];
        snprintf(number, sizeof(number), "%u", i);
        assert_true(weir_board_note_change(&board, "x", number, "y"));
    }
    assert_int_equal(board.history_count, WEIR_BOARD_HISTORY);
    assert_string_equal(board.history[WEIR_BOARD_HISTORY - 1].to, "63");
    assert_string_equal(board.history[0].to, "32");
    weir_board_destroy(&board);
}

static void test_limits_are_told_once_each_and_not_without_bound(void **state)
{
    (void)state;
    weir_board_t board;
    weir_board_init(&board);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < WEIR_BOARD_LIMITS + 5; i++) {
            char name[16];
            snprintf(name, sizeof(name), "limit_%u", i);
            weir_board_tell_limit(&board, name, round * 1000 + i);
        }
    }
    weir_board_tell_limit(&board, "a_name_that_is_longer_than_there_is_room_for_in_the_board", 1);
    assert_int_equal(board.limit_count, WEIR_BOARD_LIMITS);
    assert_true(board.limits[3].value == 1003);
    weir_board_destroy(&board);
}

/* ---- On a server ------------------------------------------------------------------------------------------------- */

static weir_generation_t *eight_slots(world_t *world)
{
    return generation_of(world, (rung_t){.slots = 8, .slot_bytes = POOL_BYTES, .max_calls = 8});
}

/* What is written when the nth allocation is refused is whole, or said not to be. */
static void check_writer(const weir_status_sources_t *sources,
    void (*write_to)(const weir_status_sources_t *sources, weir_head_text_t *text), const char *end)
{
    bool whole = false;
    for (long refused = 0; !whole; refused++) {
        weir_head_text_t text = {.size = 0};
        allocations_left = refused;
        write_to(sources, &text);
        allocations_left = -1;
        whole = !text.failed;
        if (whole) {
            size_t size = strlen(end);
            assert_true(text.size > size && memcmp(text.data + text.size - size, end, size) == 0);
        }
        weir_head_text_free(&text);
        assert_true(refused < 10000);
    }
}

static void test_without_memory_what_is_written_says_that_it_is_not_whole(void **state)
{
    (void)state;
    world_t world;
    world_start(&world, 2, 60000, eight_slots);
    weir_board_t board;
    weir_board_init(&board);
    assert_true(weir_board_tell_application(&board, &told_application));
    assert_true(weir_board_tell_allocator(&board, &told_allocator));
    weir_history_t history;
    allocations_left = 1;
    assert_false(weir_history_init(&history, world.server));
    allocations_left = -1;
    assert_true(weir_history_init(&history, world.server));
    weir_history_read(&history);
    const char *url = world.listener.url;
    weir_status_sources_t sources = {.server = world.server,
        .board = &board,
        .history = &history,
        .urls = &url,
        .url_count = 1,
        .version = "1",
        .started_at = 1};
    check_writer(&sources, weir_status_write, "}\n");
    check_writer(&sources, weir_status_write_metrics, "\n");
    weir_history_destroy(&history);
    weir_board_destroy(&board);
    assert_int_equal(world_stop(&world), 0);
}

static void test_a_loop_is_stuck_when_one_turn_outlasts_many_readings(void **state)
{
    (void)state;
    world_t world;
    world_start(&world, 1, 60000, eight_slots);
    weir_history_t history;
    assert_true(weir_history_init(&history, world.server));
    /* The loop sleeps, and says so: however often that is read it is live. */
    for (unsigned i = 0; i < 3 * WEIR_HISTORY_STUCK_READINGS; i++) {
        weir_history_read(&history);
        assert_true(weir_history_is_live(&history));
    }
    assert_int_equal(history.count, 3 * WEIR_HISTORY_STUCK_READINGS);
    for (unsigned i = 0; i < 2 * WEIR_HISTORY_SECONDS; i++)
        weir_history_read(&history);
    assert_int_equal(history.count, WEIR_HISTORY_SECONDS);
    /* In its place: a turn that began once, and goes on. */
    weir_loop_metrics_t *loop = weir_metrics_of_loop(weir_server_metrics(world.server), 0);
    for (unsigned i = 0; i <= WEIR_HISTORY_STUCK_READINGS; i++) {
        assert_true(weir_history_is_live(&history));
        weir_gauge_set(&loop->gauges[WEIR_LOOP_TURN_AT], 12345);
        weir_history_read(&history);
    }
    assert_false(weir_history_is_live(&history));
    assert_true(history.loops[0].busy_fraction == 1);
    weir_gauge_set(&loop->gauges[WEIR_LOOP_TURN_AT], 12346);
    weir_history_read(&history);
    assert_true(weir_history_is_live(&history));
    weir_history_destroy(&history);
    assert_int_equal(world_stop(&world), 0);
}

typedef struct asker {
    pthread_t thread;
    uint16_t port;
    const char *request;
    const char *end; /* of each answer */
    unsigned times;
    unsigned answered;
} asker_t;

static void *ask_again_and_again(void *argument)
{
    asker_t *asker = argument;
    char *answer = malloc(ANSWER_BYTES);
    for (unsigned i = 0; answer != NULL && i < asker->times; i++) {
        int client = dial(asker->port);
        if (client < 0 || !tell(client, asker->request))
            break;
        size_t size = hear(client, NULL, answer, ANSWER_BYTES);
        close(client);
        size_t end = strlen(asker->end);
        if (strncmp(answer, "HTTP/1.1 200 OK\r\n", 17) == 0 && size > end &&
            strcmp(answer + size - end, asker->end) == 0)
            asker->answered++;
    }
    free(answer);
    return NULL;
}

static void *tell_changes(void *argument)
{
    weir_board_t *board = argument;
    for (unsigned i = 0; i < CHANGES; i++) {
        (void)weir_board_tell_application(board, &told_application);
        (void)weir_board_tell_allocator(board, &told_allocator);
        (void)weir_board_note_change(board, "one", "another", "for a test");
        weir_board_tell_limit(board, "limit", i);
    }
    return NULL;
}

static uint16_t port_of(const weir_admin_t *admin)
{
    const char *url = weir_admin_url(admin);
    assert_int_equal(strncmp(url, "http://127.0.0.1:", 17), 0);
    return (uint16_t)atoi(url + 17);
}

static void test_it_answers_while_loops_count_and_everything_changes(void **state)
{
    (void)state;
    char *message = NULL;
    world_t world;
    weir_admin_t *admin = NULL;
    if (!weir_admin_open("0", &admin, &message))
        fail_msg("%s", message);
    assert_false(weir_admin_is_exposed(admin));
    world_start(&world, 2, 60000, eight_slots);
    const char *url = world.listener.url;
    weir_admin_settings_t settings = {.server = world.server, .urls = &url, .url_count = 1};
    assert_true(weir_admin_start(admin, &settings));
#define ASK(path) "GET " path " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    asker_t askers[] = {
        {.port = world.listener.port, .request = ASK("/quick"), .end = "\r\n\r\nquick", .times = REQUESTS},
        {.port = world.listener.port, .request = ASK("/static"), .end = "\r\n\r\nstatic", .times = REQUESTS},
        {.port = port_of(admin), .request = ASK("/metrics"), .end = "\n", .times = PAGES},
        {.port = port_of(admin), .request = ASK("/status.json"), .end = "}\n", .times = PAGES},
        {.port = port_of(admin), .request = ASK("/health/live"), .end = "\r\n\r\nlive\n", .times = PAGES},
    };
    enum { ASKERS = sizeof(askers) / sizeof(askers[0]) };
    pthread_t changer;
    for (size_t i = 0; i < ASKERS; i++)
        assert_int_equal(pthread_create(&askers[i].thread, NULL, ask_again_and_again, &askers[i]), 0);
    assert_int_equal(pthread_create(&changer, NULL, tell_changes, weir_admin_board(admin)), 0);
    for (unsigned i = 0; i < 5; i++)
        assert_true(weir_server_swap(world.server, eight_slots(&world)));
    pthread_join(changer, NULL);
    for (size_t i = 0; i < ASKERS; i++) {
        pthread_join(askers[i].thread, NULL);
        assert_int_equal(askers[i].answered, askers[i].times);
    }
    weir_sums_t sums = {0};
    const weir_metrics_t *metrics = weir_server_metrics(world.server);
    for (size_t i = 0; i < weir_metrics_component_count(metrics); i++)
        weir_sums_add(&sums, metrics, i);
    assert_int_equal(sums.requests, 2 * REQUESTS);
    assert_int_equal(weir_sums_count_statuses(&sums, 200, 200), 2 * REQUESTS);
    weir_server_wait(world.server);
    weir_admin_free(admin);
    assert_int_equal(world_stop(&world), 0);
}

static void test_one_that_was_not_started_is_freed(void **state)
{
    (void)state;
    char *message = NULL;
    weir_admin_t *admin = NULL;
    assert_true(weir_admin_open("127.0.0.1:0", &admin, &message));
    weir_admin_free(admin);
    weir_admin_free(NULL);
    assert_false(weir_admin_open("nowhere", &admin, &message));
    assert_non_null(strstr(message, "that is no address"));
    free(message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_is_json_whatever_texts_hold),
        cmocka_unit_test(test_hosts_that_a_page_of_the_web_can_name_are_unknown),
        cmocka_unit_test(test_accept_is_read_as_http_has_it),
        cmocka_unit_test(test_a_board_that_gets_no_memory_stays_as_it_was),
        cmocka_unit_test(test_limits_are_told_once_each_and_not_without_bound),
        cmocka_unit_test(test_without_memory_what_is_written_says_that_it_is_not_whole),
        cmocka_unit_test(test_a_loop_is_stuck_when_one_turn_outlasts_many_readings),
        cmocka_unit_test(test_it_answers_while_loops_count_and_everything_changes),
        cmocka_unit_test(test_one_that_was_not_started_is_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
