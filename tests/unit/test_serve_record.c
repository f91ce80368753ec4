/*
 * test_serve_record.c: each request is told of once, when it is over, however it ends: with its outcome, its status and
 * what it was; and counted likewise.
 */
#include "generation_support.h"

enum { POOL_BYTES = 16 << 20, TOLD_MAX = 64, NAP_MILLISECONDS = 2, TIMEOUT_MILLISECONDS = 300 };

typedef struct told {
    weir_request_record_t record;
    char component[32], method[64], target[64], host[64], route[64], client[64];
} told_t;

/* What a server's sinks were told. */
typedef struct audience {
    pthread_mutex_t lock;
    told_t told[TOLD_MAX];
    size_t count;
} audience_t;

static void copy(char *to, size_t size, const char *text)
{
    snprintf(to, size, "%s", text == NULL ? "-" : text);
}

static void listen_to(void *context, const weir_request_record_t *record)
{
    audience_t *audience = context;
    pthread_mutex_lock(&audience->lock);
    assert_true(audience->count < TOLD_MAX);
    told_t *told = &audience->told[audience->count++];
    told->record = *record;
    copy(told->component, sizeof(told->component), record->component);
    copy(told->method, sizeof(told->method), record->method);
    copy(told->target, sizeof(told->target), record->target);
    copy(told->host, sizeof(told->host), record->host);
    copy(told->route, sizeof(told->route), record->route);
    copy(told->client, sizeof(told->client), record->client);
    pthread_mutex_unlock(&audience->lock);
}

static size_t heard(audience_t *audience)
{
    pthread_mutex_lock(&audience->lock);
    size_t count = audience->count;
    pthread_mutex_unlock(&audience->lock);
    return count;
}

static void nap(long milliseconds)
{
    struct timespec time = {.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000};
    nanosleep(&time, NULL);
}

static void wait_for_told(audience_t *audience, size_t count)
{
    for (unsigned waited = 0; heard(audience) < count; waited += NAP_MILLISECONDS) {
        if (waited >= PATIENCE_MILLISECONDS)
            fail_msg("told of %zu requests, not of %zu", heard(audience), count);
        nap(NAP_MILLISECONDS);
    }
    assert_int_equal(heard(audience), count);
}

static weir_generation_t *one_slot_apart(world_t *world)
{
    const rung_t rungs[] = {
        {.slots = 4, .slot_bytes = POOL_BYTES, .max_calls = 4}, {.slots = 1, .slot_bytes = POOL_BYTES, .max_calls = 1}};
    return generation_with(world, rungs, 2, false);
}

static void serve(
    world_t *world, audience_t *audience, weir_metrics_t *metrics, uint32_t max_waiting, uint64_t drain_milliseconds)
{
    pthread_mutex_init(&audience->lock, NULL);
    audience->count = 0;
    weir_server_settings_t settings = {
        .loops = 1,
        .max_waiting = max_waiting,
        .max_connections = 64,
        .request_timeout_milliseconds = TIMEOUT_MILLISECONDS,
        .drain_timeout_milliseconds = drain_milliseconds,
        .sinks = {{listen_to, audience}},
        .sink_count = 1,
        .metrics = metrics,
    };
    world_prepare(world);
    world_serve(world, &settings, one_slot_apart);
}

/* A connection on which this was sent. */
static int send_to(const world_t *world, const char *text)
{
    int client = dial(world->listener.port);
    assert_true(client >= 0 && tell(client, text));
    return client;
}

static uint64_t count_outcomes(const weir_metrics_t *metrics, weir_request_outcome_t outcome)
{
    uint64_t count = 0;
    for (size_t i = 0; i < weir_metrics_component_count(metrics); i++)
        count += weir_counter_read(&weir_metrics_component(metrics, i)->loops[0].outcomes[outcome]);
    return count;
}

static void check_times(const weir_request_record_t *record)
{
    assert_true(record->begun_at > 0 && record->ended_at >= record->begun_at);
    assert_true(record->head_at == 0 || (record->head_at >= record->begun_at && record->head_at <= record->ended_at));
    assert_true(record->admitted_at == 0 || record->admitted_at >= record->begun_at);
    assert_int_equal(record->head_at != 0, record->status != 0);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t age = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec - record->begun_wall;
    assert_true(age >= 0 && age < INT64_C(600) * 1000000000);
}

/* ---- One after the other ----------------------------------------------------------------------------------------- */

/* The client reads all that comes, and closes. */
static const struct {
    const char *request;
    const char *component;
    const char *method;
    const char *target;
    const char *route;
    weir_request_outcome_t outcome;
    unsigned status;
    uint64_t received;
    uint64_t sent;
} rows[] = {
    {"GET /quick?a=b HTTP/1.1\r\nHost: h:1\r\nConnection: close\r\n\r\n", "a-quick", "GET", "/quick?a=b", "/quick",
        WEIR_REQUEST_ANSWERED, 200, 0, 5},
    {"HEAD /quick HTTP/1.1\r\nHost: h:1\r\nConnection: close\r\n\r\n", "a-quick", "HEAD", "/quick", "/quick",
        WEIR_REQUEST_ANSWERED, 200, 0, 0},
    {"POST /cat HTTP/1.1\r\nHost: h:1\r\nConnection: close\r\nContent-Length: 11\r\n\r\nhello world", "b-cat", "POST",
        "/cat", "/cat", WEIR_REQUEST_ANSWERED, 200, 11, 11},
    {"POST /cat HTTP/1.1\r\nHost: h:1\r\nConnection: close\r\nTransfer-Encoding: "
     "chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "b-cat", "POST", "/cat", "/cat", WEIR_REQUEST_ANSWERED, 200, 5, 5},
    {"GET /static HTTP/1.1\r\nHost: h:1\r\nConnection: close\r\n\r\n", "-", "GET", "/static", "/static",
        WEIR_REQUEST_ANSWERED, 200, 0, 6},
    {"BREW /nowhere HTTP/1.1\r\nHost: h:1\r\nConnection: close\r\n\r\n", "-", "BREW", "/nowhere", "",
        WEIR_REQUEST_ANSWERED, 404, 0, 0},
    {"GET /nap HTTP/1.0\r\nHost: h:1\r\n\r\n", "c-nap", "GET", "/nap", "/nap", WEIR_REQUEST_ANSWERED, 200, 0, 3},
    {"GET /trapper HTTP/1.1\r\nHost: h:1\r\nConnection: close\r\n\r\n", "f-trapper", "GET", "/trapper", "/trapper",
        WEIR_REQUEST_TRAPPED, 500, 0, 0},
    {"GET /exiter HTTP/1.1\r\nHost: h:1\r\nConnection: close\r\n\r\n", "g-exiter", "GET", "/exiter", "/exiter",
        WEIR_REQUEST_FAILED, 500, 0, 0},
    {"GET /breaker HTTP/1.1\r\nHost: h:1\r\nConnection: close\r\n\r\n", "h-breaker", "GET", "/breaker", "/breaker",
        WEIR_REQUEST_TRAPPED, 200, 0, 6},
    {"GET /spinner HTTP/1.1\r\nHost: h:1\r\nConnection: close\r\n\r\n", "d-spinner", "GET", "/spinner", "/spinner",
        WEIR_REQUEST_TIMED_OUT, 504, 0, 0},
    {"GET /quick HTTP/1.1\r\nHost: h:1\r\nContent-Length: -1\r\n\r\n", "-", "", "", "", WEIR_REQUEST_MALFORMED, 400, 0,
        0},
    {"GET * HTTP/1.1\r\nHost: h:1\r\nConnection: close\r\n\r\n", "-", "GET", "*", "", WEIR_REQUEST_MALFORMED, 400, 0,
        0},
    {"POST /cat HTTP/1.1\r\nHost: h:1\r\nTransfer-Encoding: chunked\r\n\r\nno size\r\n", "b-cat", "POST", "/cat",
        "/cat", WEIR_REQUEST_MALFORMED, 400, 0, 0},
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

static void check_row(const told_t *told, size_t i)
{
    const weir_request_record_t *record = &told->record;
    if (record->outcome != rows[i].outcome || record->status != rows[i].status)
        fail_msg("%s: told as %s with %u", rows[i].request, weir_request_outcome_name(record->outcome),
            (unsigned)record->status);
    assert_string_equal(told->component, rows[i].component);
    assert_string_equal(told->method, rows[i].method);
    assert_string_equal(told->target, rows[i].target);
    assert_string_equal(told->route, rows[i].route);
    assert_string_equal(told->host, rows[i].method[0] == '\0' ? "" : "h:1");
    assert_int_equal(strncmp(told->client, "127.0.0.1:", 10), 0);
    assert_int_equal(record->received_bytes, rows[i].received);
    assert_int_equal(record->sent_bytes, rows[i].sent);
    assert_int_equal(record->minor, strstr(rows[i].request, "HTTP/1.0") == NULL ? 1 : 0);
    assert_false(record->secure);
    bool guest_ran = rows[i].component[0] != '-' && rows[i].received + rows[i].sent > 0;
    assert_true(!guest_ran || (record->cpu_nanoseconds > 0 && record->admitted_at == record->begun_at));
    check_times(record);
}

/* All in one test: a guest's trap reaches Wasmtime's handlers only before cmocka puts its own in their place. */
static void test_each_request_is_told_of_once_with_what_came_of_it(void **state)
{
    (void)state;
    world_t world;
    audience_t audience;
    weir_metrics_t *metrics = weir_metrics_new(1);
    serve(&world, &audience, metrics, 64, 30000);
    for (size_t i = 0; i < ROWS; i++) {
        char answer[2048];
        int client = send_to(&world, rows[i].request);
        hear(client, NULL, answer, sizeof(answer));
        close(client);
        wait_for_told(&audience, i + 1);
        check_row(&audience.told[i], i);
    }
    /* Several that were sent at once on one connection. */
    char answer[2048];
    int client = send_to(&world, "GET /quick HTTP/1.1\r\nHost: h\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n"
                                 "GET /quick?last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    hear(client, NULL, answer, sizeof(answer));
    close(client);
    wait_for_told(&audience, ROWS + 3);
    assert_string_equal(audience.told[ROWS].target, "/quick");
    assert_string_equal(audience.told[ROWS + 1].target, "/nowhere");
    assert_string_equal(audience.told[ROWS + 2].target, "/quick?last");

    assert_int_equal(world_stop(&world), 0);
    assert_int_equal(heard(&audience), ROWS + 3);
    const weir_counted_t *trapper = weir_metrics_of_component(metrics, "f-trapper");
    assert_int_equal(weir_counter_read(&trapper->loops[0].counters[WEIR_COMPONENT_TRAPS]), 1);
    for (unsigned outcome = 0; outcome < WEIR_REQUEST_OUTCOMES; outcome++) {
        uint64_t told = 0;
        for (size_t i = 0; i < heard(&audience); i++)
            told += audience.told[i].record.outcome == outcome ? 1 : 0;
        assert_int_equal(count_outcomes(metrics, outcome), told);
    }
    for (size_t i = 0; i < weir_metrics_component_count(metrics); i++)
        for (unsigned gauge = 0; gauge < WEIR_COMPONENT_GAUGES; gauge++)
            assert_int_equal(weir_counter_read(&weir_metrics_component(metrics, i)->loops[0].gauges[gauge]), 0);
    weir_metrics_free(metrics);
}

/* ---- Those that wait --------------------------------------------------------------------------------------------- */

static uint64_t waiting(weir_metrics_t *metrics)
{
    const weir_counted_t *holder = weir_metrics_of_component(metrics, "e-holder");
    return weir_counter_read(&holder->loops[0].gauges[WEIR_COMPONENT_WAITING]);
}

static void wait_for_waiting(weir_metrics_t *metrics, uint64_t count)
{
    for (unsigned waited = 0; waiting(metrics) != count; waited += NAP_MILLISECONDS) {
        assert_true(waited < PATIENCE_MILLISECONDS);
        nap(NAP_MILLISECONDS);
    }
}

/* A request that keeps its guest, the only one, until its body ends; its response has begun. */
static int hold(const world_t *world)
{
    char head[1024];
    int client = send_to(world, "POST /holder HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 4\r\n\r\nab");
    hear(client, "ab\r\n", head, sizeof(head));
    assert_non_null(strstr(head, "HTTP/1.1 200 OK\r\n"));
    return client;
}

static void test_those_that_wait_or_leave_are_told_of_too(void **state)
{
    (void)state;
    static const char request[] = "GET /holder HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    char answer[1024];
    world_t world;
    audience_t audience;
    weir_metrics_t *metrics = weir_metrics_new(1);
    serve(&world, &audience, metrics, 1, 30000);

    /* One is served, one waits until its time is over, one is turned away. */
    int holder = hold(&world);
    int waiter = send_to(&world, request);
    wait_for_waiting(metrics, 1);
    int refused = send_to(&world, request);
    hear(refused, NULL, answer, sizeof(answer));
    wait_for_told(&audience, 1);
    assert_int_equal(audience.told[0].record.outcome, WEIR_REQUEST_FULL);
    assert_int_equal(audience.told[0].record.status, 503);
    assert_string_equal(audience.told[0].component, "e-holder");
    hear(waiter, NULL, answer, sizeof(answer));
    wait_for_told(&audience, 2);
    assert_int_equal(audience.told[1].record.outcome, WEIR_REQUEST_WAITED);
    assert_int_equal(audience.told[1].record.status, 503);
    assert_int_equal(audience.told[1].record.admitted_at, 0);
    close(refused);
    close(waiter);

    /* One leaves while it waits. */
    waiter = send_to(&world, request);
    wait_for_waiting(metrics, 1);
    assert_int_equal(setsockopt(waiter, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger)), 0);
    close(waiter);
    wait_for_told(&audience, 3);
    assert_int_equal(audience.told[2].record.outcome, WEIR_REQUEST_LEFT);
    assert_int_equal(audience.told[2].record.status, 0);
    wait_for_waiting(metrics, 0);

    /* One waits and has its instance then. */
    waiter = send_to(&world, request);
    wait_for_waiting(metrics, 1);
    assert_true(tell(holder, "cd"));
    hear(waiter, NULL, answer, sizeof(answer));
    wait_for_told(&audience, 5);
    assert_int_equal(audience.told[3].record.outcome, WEIR_REQUEST_ANSWERED);
    assert_int_equal(audience.told[3].record.received_bytes, 4);
    assert_int_equal(audience.told[4].record.outcome, WEIR_REQUEST_ANSWERED);
    assert_true(audience.told[4].record.admitted_at > audience.told[4].record.begun_at);
    check_times(&audience.told[4].record);
    close(holder);
    close(waiter);

    /* One leaves while its guest has begun to answer. */
    holder = hold(&world);
    assert_int_equal(setsockopt(holder, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger)), 0);
    close(holder);
    wait_for_told(&audience, 6);
    assert_int_equal(audience.told[5].record.outcome, WEIR_REQUEST_LEFT);
    assert_int_equal(audience.told[5].record.status, 200);
    assert_int_equal(audience.told[5].record.sent_bytes, 2);

    weir_distribution_t queued = {0};
    weir_histogram_read(&weir_metrics_of_component(metrics, "e-holder")->loops[0].queued, &queued);
    assert_int_equal(queued.count, 3);
    assert_int_equal(world_stop(&world), 0);
    assert_int_equal(heard(&audience), 6);
    weir_metrics_free(metrics);
}

static void test_what_is_cut_at_the_end_is_told_of(void **state)
{
    (void)state;
    world_t world;
    audience_t audience;
    serve(&world, &audience, NULL, 64, 50);
    int holder = hold(&world);
    assert_int_equal(world_stop(&world), 1);
    assert_int_equal(heard(&audience), 1);
    assert_int_equal(audience.told[0].record.outcome, WEIR_REQUEST_CUT);
    assert_int_equal(audience.told[0].record.status, 200);
    assert_string_equal(audience.told[0].component, "e-holder");
    close(holder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_request_is_told_of_once_with_what_came_of_it),
        cmocka_unit_test(test_those_that_wait_or_leave_are_told_of_too),
        cmocka_unit_test(test_what_is_cut_at_the_end_is_told_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
