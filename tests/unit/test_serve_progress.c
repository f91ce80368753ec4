/*
 * test_serve_progress.c: the server and clients that take a long response slowly, or not at all, or send what nobody
 * wants meanwhile. The response is a static one, larger than what both systems hold of it.
 */
#include "client_support.h"
#include "serve/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

enum {
    BODY_BYTES = 24 << 20,
    IDLE_MILLISECONDS = 2000,
    SIP_BYTES = 8 * 1024,
    SIP_MILLISECONDS = 40, /* 0.2 MiB a second: too little for the epoll to tell of it within the limit */
};

typedef struct fixture {
    weir_manifest_t manifest;
    weir_routes_t *routes;
    weir_listener_t listener;
    weir_server_t *server;
} fixture_t;

/* A manifest has room for a mebibyte: give its response another body. */
static void enlarge(weir_static_response_t *response)
{
    free(response->body);
    response->body = malloc(BODY_BYTES + 1);
    assert_non_null(response->body);
    memset(response->body, 'b', BODY_BYTES);
    response->body[BODY_BYTES] = '\0';
    response->body_size = BODY_BYTES;
}

static void start(fixture_t *fixture)
{
    static const char text[] = "spin_manifest_version = 2\n[application]\nname = \"large\"\n"
                               "[[trigger.http]]\nroute = \"/large\"\nstatic_response = { body = \"b\" }\n";
    memset(fixture, 0, sizeof(*fixture));
    char *message = NULL;
    if (!weir_manifest_parse("spin.toml", text, sizeof(text) - 1, &fixture->manifest, &message)) {
        fail_msg("%s", message);
    }
    enlarge(fixture->manifest.triggers[0].static_response);
    if (!weir_routes_build(&fixture->manifest, &fixture->routes, &message) ||
        !weir_listener_open("127.0.0.1:0", &fixture->listener, &message)) {
        fail_msg("%s", message);
    }
    weir_generation_engine_t engine = {wasm_engine_new(), 1};
    weir_generation_parts_t parts = {.routes = fixture->routes, .engines = &engine, .engine_count = 1};
    weir_server_settings_t settings = {
        .loops = 1,
        .max_waiting = 8,
        .max_connections = 64,
        .request_timeout_milliseconds = 5000,
        .idle_timeout_milliseconds = IDLE_MILLISECONDS,
        .drain_timeout_milliseconds = 5000,
    };
    if (!weir_server_start(&settings, weir_generation_new(&parts), &fixture->listener, &fixture->server, &message)) {
        fail_msg("%s", message);
    }
}

static void stop(fixture_t *fixture)
{
    assert_int_equal(weir_server_stop(fixture->server), 0);
    weir_listener_close(&fixture->listener);
    weir_routes_free(fixture->routes);
    weir_manifest_free(&fixture->manifest);
}

static uint64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

static void rest(unsigned milliseconds)
{
    struct timespec time = {.tv_sec = milliseconds / 1000, .tv_nsec = (long)(milliseconds % 1000) * 1000000};
    nanosleep(&time, NULL);
}

/* A client whose system holds little of what it does not read. */
static int dial_narrow(const fixture_t *fixture)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(fixture->listener.port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int size = 32 * 1024;
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(client >= 0);
    assert_int_equal(setsockopt(client, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
    assert_int_equal(setsockopt(client, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
    assert_int_equal(connect(client, (const struct sockaddr *)&address, sizeof(address)), 0);
    return client;
}

/* Read at most so much. Returns how much came: 0 at the end, and after a reset. */
static size_t sip(int client, size_t size)
{
    static char buffer[64 * 1024];
    struct pollfd descriptor = {.fd = client, .events = POLLIN};
    assert_int_equal(poll(&descriptor, 1, PATIENCE_MILLISECONDS), 1);
    ssize_t got = recv(client, buffer, size < sizeof(buffer) ? size : sizeof(buffer), 0);
    return got < 0 ? 0 : (size_t)got;
}

/* Read to the end. Returns how much that was. */
static size_t drink(int client)
{
    size_t all = 0;
    size_t more;
    while ((more = sip(client, SIZE_MAX)) > 0) {
        all += more;
    }
    return all;
}

static void test_a_client_that_takes_a_response_slowly_gets_all_of_it(void **state)
{
    (void)state;
    fixture_t fixture;
    start(&fixture);
    int client = dial_narrow(&fixture);
    assert_true(tell(client, "GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
    size_t all = 0;
    for (uint64_t end = now() + 3 * IDLE_MILLISECONDS; now() < end;) {
        size_t more = sip(client, SIP_BYTES);
        assert_true(more > 0);
        all += more;
        rest(SIP_MILLISECONDS);
    }
    all += drink(client);
    assert_true(all > BODY_BYTES);
    close(client);
    stop(&fixture);
}

static void test_a_client_that_takes_nothing_any_more_is_cut(void **state)
{
    (void)state;
    fixture_t fixture;
    start(&fixture);
    int client = dial_narrow(&fixture);
    assert_true(tell(client, "GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
    size_t all = sip(client, SIP_BYTES);
    uint64_t end = now() + PATIENCE_MILLISECONDS;
    while (weir_server_requests(fixture.server) > 0 && now() < end) {
        rest(SIP_MILLISECONDS);
    }
    assert_int_equal(weir_server_requests(fixture.server), 0);
    all += drink(client);
    assert_true(all < BODY_BYTES);
    close(client);
    stop(&fixture);
}

/* Send until the client's system takes no more. Returns how much that was, at most `size`. */
static size_t pour(int client, size_t size)
{
    static const char bytes[64 * 1024];
    size_t all = 0;
    struct pollfd descriptor = {.fd = client, .events = POLLOUT};
    while (all < size && poll(&descriptor, 1, IDLE_MILLISECONDS / 10) == 1) {
        ssize_t more = send(client, bytes, sizeof(bytes), MSG_NOSIGNAL | MSG_DONTWAIT);
        assert_true(more > 0);
        all += (size_t)more;
    }
    return all;
}

static void test_a_client_that_does_not_read_cannot_send_without_end(void **state)
{
    (void)state;
    const size_t most = (size_t)256 << 20; /* far more than what the systems hold */
    fixture_t fixture;
    start(&fixture);
    int client = dial_narrow(&fixture);
    assert_true(tell(client, "POST /large HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n"));
    assert_true(pour(client, most) < most);
    assert_true(drink(client) > BODY_BYTES);
    close(client);
    stop(&fixture);
}

static void test_a_client_that_breaks_its_body_off_and_reads_on_gets_the_response(void **state)
{
    (void)state;
    fixture_t fixture;
    start(&fixture);
    int client = dial_narrow(&fixture);
    assert_true(tell(client, "POST /large HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nsome"));
    assert_true(sip(client, SIP_BYTES) > 0);
    assert_int_equal(shutdown(client, SHUT_WR), 0);
    rest(IDLE_MILLISECONDS / 10); /* the server notices that before anything can be sent again */
    assert_true(drink(client) > BODY_BYTES - SIP_BYTES);
    close(client);
    stop(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_client_that_takes_a_response_slowly_gets_all_of_it),
        cmocka_unit_test(test_a_client_that_takes_nothing_any_more_is_cut),
        cmocka_unit_test(test_a_client_that_does_not_read_cannot_send_without_end),
        cmocka_unit_test(test_a_client_that_breaks_its_body_off_and_reads_on_gets_the_response),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
