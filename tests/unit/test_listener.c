/*
 * test_listener.c: addresses to listen on, and the sockets that are bound to them.
 */
#include "serve/address.h"
#include "serve/server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static void describe(const weir_address_t *address, char *text, size_t size)
{
    char host[INET6_ADDRSTRLEN] = "";
    unsigned port;
    if (address->socket.ss_family == AF_INET) {
        struct sockaddr_in ipv4;
        memcpy(&ipv4, &address->socket, sizeof(ipv4));
        inet_ntop(AF_INET, &ipv4.sin_addr, host, sizeof(host));
        port = ntohs(ipv4.sin_port);
        assert_int_equal(address->size, sizeof(ipv4));
    } else {
        struct sockaddr_in6 ipv6;
        memcpy(&ipv6, &address->socket, sizeof(ipv6));
        inet_ntop(AF_INET6, &ipv6.sin6_addr, host, sizeof(host));
        port = ntohs(ipv6.sin6_port);
        assert_int_equal(address->socket.ss_family, AF_INET6);
        assert_int_equal(address->size, sizeof(ipv6));
    }
    snprintf(text, size, "%s %u", host, port);
}

static void test_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *found[2]; /* none: it is no address */
    } rows[] = {
        {"127.0.0.1:3000", {"127.0.0.1 3000"}},
        {"0.0.0.0:0", {"0.0.0.0 0"}},
        {"255.255.255.255:65535", {"255.255.255.255 65535"}},
        {"[::1]:3000", {"::1 3000"}},
        {"[::]:80", {":: 80"}},
        {"[2001:db8::1]:1", {"2001:db8::1 1"}},
        {"[::ffff:1.2.3.4]:1", {"::ffff:1.2.3.4 1"}},
        {"localhost:3000", {"127.0.0.1 3000", "::1 3000"}},
        {"LocalHost:1", {"127.0.0.1 1", "::1 1"}},
        /* Spin looks any name up (crates/trigger-http/src/lib.rs, parse_listen_addr); a start must not wait for DNS. */
        {"example.com:80", {NULL}},
        {"", {NULL}},
        {":", {NULL}},
        {":3000", {NULL}},
        {"3000", {NULL}},
        {"127.0.0.1", {NULL}},
        {"127.0.0.1:", {NULL}},
        {"127.0.0.1:http", {NULL}},
        {"127.0.0.1:65536", {NULL}},
        {"127.0.0.1:99999999999999999999", {NULL}},
        {"127.0.0.1:-1", {NULL}},
        {"127.0.0.1:+1", {NULL}},
        {"127.0.0.1: 1", {NULL}},
        {"127.0.0.1:1 ", {NULL}},
        {"127.0.0.1:1:1", {NULL}},
        {"127.1:1", {NULL}},
        {"300.0.0.1:1", {NULL}},
        {"::1:3000", {NULL}},
        {"[::1", {NULL}},
        {"[::1]", {NULL}},
        {"[::1]3000", {NULL}},
        {"[127.0.0.1]:1", {NULL}},
        {"[]:1", {NULL}},
        {"[:1", {NULL}},
        {"[fe80::1%eth0]:1", {NULL}},
        {"example.test:80", {NULL}},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:1", {NULL}},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        weir_address_t addresses[2];
        size_t expected = rows[i].found[0] == NULL ? 0 : rows[i].found[1] == NULL ? 1 : 2;
        size_t count = weir_address_parse(rows[i].text, addresses);
        if (count != expected) {
            fail_msg("'%s' was taken for %zu addresses", rows[i].text, count);
        }
        for (size_t k = 0; k < count; k++) {
            char text[64];
            describe(&addresses[k], text, sizeof(text));
            assert_string_equal(text, rows[i].found[k]);
        }
    }
}

static void test_port_0_takes_a_free_one_and_the_url_says_which(void **state)
{
    (void)state;
    weir_listener_t listener;
    char *message;
    assert_true(weir_listener_open("127.0.0.1:0", &listener, &message));
    assert_int_not_equal(listener.port, 0);
    char url[64];
    snprintf(url, sizeof(url), "http://127.0.0.1:%u", (unsigned)listener.port);
    assert_string_equal(listener.url, url);
    assert_true(listener.descriptor >= 0);
    weir_listener_close(&listener);
    assert_int_equal(listener.descriptor, -1);
    weir_listener_close(&listener);
}

/* crates/trigger-http/src/lib.rs, parse_listen_addr: 127.0.0.1 before whatever else localhost is. */
static void test_localhost_is_ipv4(void **state)
{
    (void)state;
    weir_listener_t listener;
    char *message;
    assert_true(weir_listener_open("localhost:0", &listener, &message));
    assert_non_null(strstr(listener.url, "http://127.0.0.1:"));
    weir_listener_close(&listener);
}

static void expect_refusal(const char *address, const char *word)
{
    weir_listener_t listener = {.descriptor = 4711};
    char *message = NULL;
    assert_false(weir_listener_open(address, &listener, &message));
    assert_int_equal(listener.descriptor, 4711);
    assert_non_null(message);
    assert_null(strchr(message, '\n'));
    if (strstr(message, address) == NULL || strstr(message, word) == NULL) {
        fail_msg("'%s' or '%s' is not in '%s'", address, word, message);
    }
    free(message);
}

static void test_a_port_in_use_is_refused_before_anything_listens(void **state)
{
    (void)state;
    weir_listener_t first;
    char *message;
    assert_true(weir_listener_open("127.0.0.1:0", &first, &message));
    assert_int_equal(listen(first.descriptor, 1), 0);
    expect_refusal(first.url + strlen("http://"), "in use");
    expect_refusal(first.url + strlen("http://"), "--find-free-port");
    weir_listener_close(&first);
}

/* A port with so many free ones above it, bound by nobody; 0 when there is none. */
static uint16_t free_ports(unsigned wanted)
{
    for (unsigned port = 20000; port < 60000; port += wanted) {
        weir_listener_t listeners[4];
        unsigned bound = 0;
        assert_true(wanted <= 4);
        while (bound < wanted) {
            char address[32];
            char *message;
            snprintf(address, sizeof(address), "127.0.0.1:%u", port + bound);
            if (!weir_listener_open(address, &listeners[bound], &message)) {
                free(message);
                break;
            }
            bound++;
        }
        for (unsigned i = 0; i < bound; i++) {
            weir_listener_close(&listeners[i]);
        }
        if (bound == wanted) {
            return (uint16_t)port;
        }
    }
    return 0;
}

/* Spin: crates/trigger-http/src/server.rs, search_for_free_port. */
static void test_a_search_takes_the_first_free_port_of_those_above(void **state)
{
    (void)state;
    uint16_t port = free_ports(4);
    assert_int_not_equal(port, 0);
    weir_listener_t used[2];
    weir_listener_t found;
    char address[32];
    char *message = NULL;
    for (unsigned i = 0; i < 2; i++) {
        snprintf(address, sizeof(address), "127.0.0.1:%u", port + i);
        assert_true(weir_listener_open(address, &used[i], &message));
        assert_int_equal(listen(used[i].descriptor, 1), 0);
    }
    snprintf(address, sizeof(address), "127.0.0.1:%u", port);
    assert_false(weir_listener_search(address, 2, &found, &message));
    assert_non_null(strstr(message, "those above it"));
    free(message);
    assert_true(weir_listener_search(address, 10, &found, &message));
    assert_int_equal(found.port, port + 2);
    weir_listener_close(&found);
    weir_listener_close(&used[0]);
    weir_listener_close(&used[1]);
}

static void test_a_search_ends_at_the_last_port(void **state)
{
    (void)state;
    weir_listener_t last;
    weir_listener_t found;
    char *message = NULL;
    if (!weir_listener_open("127.0.0.1:65535", &last, &message)) {
        free(message); /* somebody else has it: that will do as well */
        last.descriptor = -1;
    } else {
        assert_int_equal(listen(last.descriptor, 1), 0);
    }
    assert_false(weir_listener_search("127.0.0.1:65535", 10, &found, &message));
    assert_non_null(strstr(message, "in use"));
    free(message);
    weir_listener_close(&last);
}

static void test_it_does_not_listen_yet(void **state)
{
    (void)state;
    weir_listener_t listener;
    char *message;
    assert_true(weir_listener_open("127.0.0.1:0", &listener, &message));
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(client >= 0);
    weir_address_t addresses[2];
    assert_int_equal(weir_address_parse(listener.url + strlen("http://"), addresses), 1);
    assert_int_equal(connect(client, (const struct sockaddr *)&addresses[0].socket, addresses[0].size), -1);
    close(client);
    weir_listener_close(&listener);
}

static void test_what_cannot_be_is_refused_by_name(void **state)
{
    (void)state;
    expect_refusal("nonsense", "no address");
    expect_refusal("", "no address");
    expect_refusal("127.0.0.1:65536", "at most 65535");
    expect_refusal("127.0.0.1:99999999999999999999", "at most 65535");
    expect_refusal("[::1]:99999", "at most 65535");
    expect_refusal("127.0.0.1:", "no address");
    expect_refusal("127.0.0.1:-1", "no address");
    expect_refusal("127.0.0.1:99999x", "no address");
    expect_refusal("example.test:80", "no address");
    expect_refusal("192.0.2.1:0", "no interface");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_port_0_takes_a_free_one_and_the_url_says_which),
        cmocka_unit_test(test_localhost_is_ipv4),
        cmocka_unit_test(test_a_port_in_use_is_refused_before_anything_listens),
        cmocka_unit_test(test_a_search_takes_the_first_free_port_of_those_above),
        cmocka_unit_test(test_a_search_ends_at_the_last_port),
        cmocka_unit_test(test_it_does_not_listen_yet),
        cmocka_unit_test(test_what_cannot_be_is_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
