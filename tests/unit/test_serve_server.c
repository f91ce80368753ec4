/*
 * test_serve_server.c: the server as a C program uses it: started and stopped, on real sockets, with what it answers
 * without a guest. (With guests it is tested through the program.)
 */
#include "client_support.h"
#include "serve/limits.h"
#include "serve/server.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

enum { CLIENTS = 24, ROUNDS = 60 };

typedef struct fixture {
    weir_manifest_t manifest;
    weir_routes_t *routes;
    wasm_engine_t *engine;
    weir_listener_t listener;
    weir_server_t *server;
} fixture_t;

static void start(fixture_t *fixture, unsigned loops, uint32_t max_calls)
{
    static const char text[] = "spin_manifest_version = 2\n[application]\nname = \"\\\"quoted\\\"\"\n"
                               "[[trigger.http]]\nroute = \"/a\"\ncomponent = \"a\"\n"
                               "[component.a]\nsource = \"a.wasm\"\n";
    memset(fixture, 0, sizeof(*fixture));
    char *message = NULL;
    if (!weir_manifest_parse("spin.toml", text, sizeof(text) - 1, &fixture->manifest, &message) ||
        !weir_routes_build(&fixture->manifest, &fixture->routes, &message) ||
        !weir_listener_open("127.0.0.1:0", &fixture->listener, &message)) {
        fail_msg("%s", message);
    }
    fixture->engine = wasm_engine_new();
    weir_generation_engine_t engine = {fixture->engine, max_calls};
    weir_generation_guest_t guest = {.guest = NULL};
    weir_generation_parts_t parts = {.routes = fixture->routes,
        .name = fixture->manifest.name,
        .engines = &engine,
        .engine_count = 1,
        .guests = &guest,
        .guest_count = 1};
    weir_generation_t *generation = weir_generation_new(&parts);
    assert_non_null(generation);
    weir_server_settings_t settings = {
        .loops = loops,
        .max_waiting = 8,
        .max_connections = 64,
        .request_timeout_milliseconds = 5000,
        .drain_timeout_milliseconds = 5000,
    };
    if (!weir_server_start(&settings, generation, &fixture->listener, &fixture->server, &message)) {
        fail_msg("%s", message);
    }
}

static unsigned stop(fixture_t *fixture)
{
    unsigned cut = weir_server_stop(fixture->server);
    weir_listener_close(&fixture->listener);
    weir_routes_free(fixture->routes);
    weir_manifest_free(&fixture->manifest);
    return cut;
}

static void ask(const fixture_t *fixture, const char *request, char *answer, size_t size)
{
    int client = dial(fixture->listener.port);
    assert_true(client >= 0);
    assert_true(tell(client, request));
    hear(client, NULL, answer, size);
    close(client);
}

static void test_it_answers_what_needs_no_guest(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        const char *found[3];
    } rows[] = {
        {"GET /.well-known/spin/health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            {"HTTP/1.1 200 OK\r\n", "Content-Length: 2\r\n", "\r\n\r\nOK"}},
        {"POST /.well-known/spin/health?x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc",
            {"HTTP/1.1 200 OK\r\n", "\r\n\r\nOK"}},
        {"GET /.well-known/spin/info HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            {"HTTP/1.1 200 OK\r\n", "Content-Type: application/json\r\n", "\"name\": \"\\\"quoted\\\"\"\n}"}},
        {"GET /.well-known/spin/other HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            {"HTTP/1.1 404 Not Found\r\n", "Content-Length: 0\r\n"}},
        {"GET /b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            {"HTTP/1.1 404 Not Found\r\n", "Content-Length: 0\r\n"}},
        {"GET * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", {"HTTP/1.1 400 Bad Request\r\n"}},
        {"GET /a HTTP/1.0\r\n\r\n", {"HTTP/1.1 400 Bad Request\r\n", "Connection: close\r\n"}},
        {"GET http://b/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", {"HTTP/1.1 400 Bad Request\r\n"}},
        {"POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
            {"HTTP/1.1 400 Bad Request\r\n", "Connection: close\r\n"}},
        {"POST /b HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n",
            {"HTTP/1.1 404 Not Found\r\n", "Connection: close\r\n"}},
        {"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nConnection: close\r\n\r\n", {"HTTP/1.1 501 Not Implemented\r\n"}},
    };
    fixture_t fixture;
    start(&fixture, 2, 8);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char answer[2048];
        ask(&fixture, rows[i].request, answer, sizeof(answer));
        for (size_t word = 0; word < 3 && rows[i].found[word] != NULL; word++) {
            if (strstr(answer, rows[i].found[word]) == NULL) {
                fail_msg("'%s' is not in the answer to\n%s\n%s", rows[i].found[word], rows[i].request, answer);
            }
        }
    }
    assert_int_equal(stop(&fixture), 0);
}

/* The head of an answer goes out although the request's body never comes to its end, and the rest is dropped. */
static void test_an_answer_does_not_wait_for_ever_for_the_body(void **state)
{
    (void)state;
    fixture_t fixture;
    char answer[2048];
    start(&fixture, 1, 1);
    int client = dial(fixture.listener.port);
    assert_true(client >= 0);
    assert_true(tell(client, "POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nbeginning"));
    hear(client, NULL, answer, sizeof(answer));
    assert_non_null(strstr(answer, "HTTP/1.1 404 Not Found\r\n"));
    assert_non_null(strstr(answer, "Connection: close\r\n"));
    assert_true(tell(client, "more that nobody wants")); /* not reset: what was sent could be lost by that */
    close(client);
    assert_int_equal(stop(&fixture), 0);
}

typedef struct client {
    pthread_t thread;
    uint16_t port;
    unsigned answered;
    unsigned refused;
    unsigned lost;
} client_t;

static uint64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

/*
 * Ask again and again, until the server is gone: on one connection, or each time on a new one. One that was idle for
 * long may be closed by a server that ends, and then what is asked on it at that moment is to be asked again.
 */
static void *ask_on(void *argument)
{
    client_t *client = argument;
    bool keeps = (client->answered & 1) != 0;
    int connection = -1;
    client->answered = 0;
    uint64_t asked = 0; /* when, on this connection; 0: not yet */
    while (client->refused == 0 && client->lost == 0) {
        if (connection < 0) {
            connection = dial(client->port);
            client->refused += connection < 0 ? 1 : 0;
            asked = 0;
            continue;
        }
        char answer[1024];
        uint64_t before = asked;
        asked = now();
        bool told = tell(connection, "GET /.well-known/spin/health HTTP/1.1\r\nHost: a\r\n\r\n");
        bool was_idle = before > 0 && now() - before >= WEIR_DRAIN_IDLE_MILLISECONDS;
        hear(connection, "\r\n\r\nOK", answer, sizeof(answer));
        if (strstr(answer, "\r\n\r\nOK") != NULL) {
            client->answered++;
            if (!keeps || strstr(answer, "Connection: close") != NULL) {
                close(connection);
                connection = -1;
            }
        } else if (was_idle && answer[0] == '\0') {
            close(connection);
            connection = -1;
        } else {
            client->lost += told ? 1 : 0;
        }
    }
    if (connection >= 0) {
        close(connection);
    }
    return NULL;
}

static void test_a_stop_under_load_answers_every_request_and_then_refuses(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 3; round++) {
        fixture_t fixture;
        client_t clients[CLIENTS];
        start(&fixture, 1 + round, 8);
        for (unsigned i = 0; i < CLIENTS; i++) {
            clients[i] = (client_t){.port = fixture.listener.port, .answered = i};
            assert_int_equal(pthread_create(&clients[i].thread, NULL, ask_on, &clients[i]), 0);
        }
        struct timespec while_they_ask = {.tv_nsec = 150 * 1000000};
        nanosleep(&while_they_ask, NULL);
        assert_int_equal(stop(&fixture), 0);
        for (unsigned i = 0; i < CLIENTS; i++) {
            pthread_join(clients[i].thread, NULL);
            if (clients[i].lost != 0) {
                fail_msg("round %u: client %u lost a request after %u answers", round, i, clients[i].answered);
            }
            assert_int_equal(clients[i].refused, 1);
            assert_true(clients[i].answered > 0);
        }
    }
}

static void test_a_stop_closes_idle_connections_and_lets_go_of_the_port(void **state)
{
    (void)state;
    fixture_t fixture;
    char answer[1024];
    start(&fixture, 2, 8);
    int silent = dial(fixture.listener.port);
    int used = dial(fixture.listener.port);
    assert_true(silent >= 0 && used >= 0);
    assert_true(tell(used, "GET /b HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_true(hear(used, "\r\n\r\n", answer, sizeof(answer)) > 0);
    uint16_t port = fixture.listener.port;
    assert_int_equal(stop(&fixture), 0);
    assert_int_equal(hear(silent, NULL, answer, sizeof(answer)), 0);
    assert_int_equal(hear(used, NULL, answer, sizeof(answer)), 0);
    assert_int_equal(dial(port), -1);
    assert_int_equal(errno, ECONNREFUSED);
    close(silent);
    close(used);
}

static void test_more_connections_than_are_allowed_wait_for_their_turn(void **state)
{
    (void)state;
    fixture_t fixture;
    int clients[100]; /* 64 are allowed */
    char answer[1024];
    start(&fixture, 2, 8);
    for (unsigned i = 0; i < 100; i++) {
        clients[i] = dial(fixture.listener.port);
        assert_true(clients[i] >= 0);
        assert_true(tell(clients[i], "GET /b HTTP/1.1\r\nHost: a\r\n\r\n"));
    }
    for (unsigned i = 0; i < 100; i++) {
        assert_true(hear(clients[i], "\r\n\r\n", answer, sizeof(answer)) > 0);
        close(clients[i]);
    }
    assert_int_equal(stop(&fixture), 0);
}

static void test_it_serves_with_more_loops_than_instances(void **state)
{
    (void)state;
    fixture_t fixture;
    char answer[1024];
    start(&fixture, 16, 3);
    for (unsigned i = 0; i < ROUNDS; i++) {
        ask(&fixture, "GET /b HTTP/1.0\r\nHost: a\r\n\r\n", answer, sizeof(answer));
        assert_non_null(strstr(answer, "HTTP/1.1 404 Not Found\r\n"));
    }
    assert_int_equal(stop(&fixture), 0);
}

static void test_a_generation_without_any_instance_is_none(void **state)
{
    (void)state;
    fixture_t fixture;
    start(&fixture, 1, 1);
    weir_generation_engine_t engine = {fixture.engine, 0};
    weir_generation_engine_t nothing = {NULL, 1};
    const weir_generation_parts_t rows[] = {
        {.routes = fixture.routes, .engines = &engine, .engine_count = 1},
        {.routes = fixture.routes, .engines = &nothing, .engine_count = 1},
        {.routes = fixture.routes, .engines = &engine, .engine_count = 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        errno = 0;
        assert_null(weir_generation_new(&rows[i]));
        assert_int_equal(errno, EINVAL);
    }
    assert_int_equal(stop(&fixture), 0);
}

static void test_it_does_not_start_without_a_loop_and_frees_the_generation(void **state)
{
    (void)state;
    fixture_t fixture;
    start(&fixture, 1, 1);
    weir_generation_engine_t engine = {wasm_engine_new(), 1};
    weir_generation_parts_t parts = {.routes = fixture.routes, .engines = &engine, .engine_count = 1};
    weir_server_settings_t settings = {.loops = 0};
    weir_server_t *server = NULL;
    char *message = NULL;
    assert_false(weir_server_start(&settings, weir_generation_new(&parts), &fixture.listener, &server, &message));
    assert_null(server);
    assert_non_null(message);
    free(message);
    assert_int_equal(stop(&fixture), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_answers_what_needs_no_guest),
        cmocka_unit_test(test_an_answer_does_not_wait_for_ever_for_the_body),
        cmocka_unit_test(test_a_stop_under_load_answers_every_request_and_then_refuses),
        cmocka_unit_test(test_a_stop_closes_idle_connections_and_lets_go_of_the_port),
        cmocka_unit_test(test_more_connections_than_are_allowed_wait_for_their_turn),
        cmocka_unit_test(test_it_serves_with_more_loops_than_instances),
        cmocka_unit_test(test_a_generation_without_any_instance_is_none),
        cmocka_unit_test(test_it_does_not_start_without_a_loop_and_frees_the_generation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
