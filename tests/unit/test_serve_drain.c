/*
 * test_serve_drain.c: connections of a loop that drains, turn by turn: here the test is the loop's thread, and its
 * clock, so that what comes in a certain turn does.
 */
#include "client_support.h"
#include "serve/connection.h"
#include "serve/generation_internal.h"
#include "serve/limits.h"
#include "serve/shared.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

#include <cmocka.h>

typedef struct fixture {
    weir_manifest_t manifest;
    weir_routes_t *routes;
    struct weir_server server;
    weir_loop_t loop;
    weir_connection_t *connection;
    int client;
} fixture_t;

static void ignore(void *context, unsigned loop)
{
    (void)context;
    (void)loop;
}

/* Do what the loop does for a connection that is ready. */
static void run(fixture_t *fixture)
{
    if (weir_link_is_linked(&fixture->connection->ready_link)) {
        weir_connection_run(fixture->connection);
    }
}

/* A connection on which nothing has come yet, while the server begins to drain. */
static void start(fixture_t *fixture)
{
    static const char text[] = "spin_manifest_version = 2\n[application]\nname = \"none\"\n"
                               "[[trigger.http]]\nroute = \"/a\"\nstatic_response = { body = \"a\" }\n";
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    memset(fixture, 0, sizeof(*fixture));
    char *message = NULL;
    if (!weir_manifest_parse("spin.toml", text, sizeof(text) - 1, &fixture->manifest, &message) ||
        !weir_routes_build(&fixture->manifest, &fixture->routes, &message)) {
        fail_msg("%s", message);
    }
    fixture->server.metrics = weir_metrics_new(1);
    assert_non_null(fixture->server.metrics);
    weir_generation_engine_t engine = {wasm_engine_new(), 1};
    weir_generation_parts_t parts = {.routes = fixture->routes, .engines = &engine, .engine_count = 1};
    weir_generation_t *generation = weir_generation_new(&parts);
    assert_non_null(generation);
    assert_true(weir_generation_prepare(generation, 1, 1, fixture->server.metrics, ignore, NULL));
    assert_true(weir_keeper_init(&fixture->server.keeper, generation));
    pthread_mutex_init(&fixture->server.notices.lock, NULL);
    fixture->server.settings.request_timeout_milliseconds = 5000;
    fixture->loop.server = &fixture->server;
    assert_true(weir_loop_init(&fixture->loop));

    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    fixture->client = pair[0];
    atomic_store(&fixture->loop.connection_count, 1);
    assert_true(weir_connection_open(&fixture->loop, pair[1], (struct sockaddr *)&address, sizeof(address)));
    fixture->connection = WEIR_CONTAINER(weir_list_first(&fixture->loop.connections), weir_connection_t, link);
    run(fixture);
    fixture->loop.draining = true;
}

static void stop(fixture_t *fixture)
{
    if (fixture->connection->stage != WEIR_STAGE_CLOSED) {
        weir_connection_give_up(fixture->connection);
    }
    weir_connection_free_closed(&fixture->loop);
    weir_loop_destroy(&fixture->loop);
    weir_keeper_destroy(&fixture->server.keeper);
    weir_metrics_free(fixture->server.metrics);
    pthread_mutex_destroy(&fixture->server.notices.lock);
    weir_routes_free(fixture->routes);
    weir_manifest_free(&fixture->manifest);
    close(fixture->client);
}

/* The end of a turn, so much later, and what the next one does without an event. */
static void drain(fixture_t *fixture, uint64_t milliseconds)
{
    fixture->loop.now += milliseconds;
    weir_connection_drain(fixture->connection);
    run(fixture);
}

static void test_a_silent_connection_is_closed_when_nothing_may_be_on_its_way(void **state)
{
    (void)state;
    fixture_t fixture;
    start(&fixture);
    drain(&fixture, WEIR_DRAIN_IDLE_MILLISECONDS - 1);
    assert_int_not_equal(fixture.connection->stage, WEIR_STAGE_CLOSED);
    drain(&fixture, 1);
    assert_int_equal(fixture.connection->stage, WEIR_STAGE_CLOSED);
    stop(&fixture);
    assert_int_equal(atomic_load(&fixture.server.cut), 0);
}

static void test_a_request_that_comes_in_the_last_turn_is_answered_though_its_body_is_not_there(void **state)
{
    (void)state;
    fixture_t fixture;
    char answer[1024];
    start(&fixture);
    assert_true(tell(fixture.client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n"));
    drain(&fixture, WEIR_DRAIN_IDLE_MILLISECONDS);
    hear(fixture.client, NULL, answer, sizeof(answer));
    assert_non_null(strstr(answer, "HTTP/1.1 404 Not Found\r\n"));
    assert_non_null(strstr(answer, "Connection: close\r\n"));
    assert_true(tell(fixture.client, "body"));
    stop(&fixture);
    assert_int_equal(atomic_load(&fixture.server.cut), 0);
}

static void test_a_request_that_begins_in_the_last_turn_may_come_whole(void **state)
{
    (void)state;
    fixture_t fixture;
    char answer[1024];
    start(&fixture);
    assert_true(tell(fixture.client, "GET / HTTP/1.1\r\n"));
    drain(&fixture, WEIR_DRAIN_IDLE_MILLISECONDS);
    assert_true(tell(fixture.client, "Host: a\r\n\r\n"));
    weir_connection_event(fixture.connection, EPOLLIN);
    run(&fixture);
    hear(fixture.client, NULL, answer, sizeof(answer));
    assert_non_null(strstr(answer, "HTTP/1.1 404 Not Found\r\n"));
    stop(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_silent_connection_is_closed_when_nothing_may_be_on_its_way),
        cmocka_unit_test(test_a_request_that_comes_in_the_last_turn_is_answered_though_its_body_is_not_there),
        cmocka_unit_test(test_a_request_that_begins_in_the_last_turn_may_come_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
