/*
 * test_http_forwarded.c: addresses, networks, and what proxies say of clients (RFC 7239).
 */
#include "http/forwarded.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static weir_bytes_t bytes_of(const char *text)
{
    return (weir_bytes_t){text, strlen(text)};
}

static void test_addresses_are_read_and_written(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *address; /* NULL: it is none */
        const char *ip;
    } rows[] = {
        {"192.0.2.1", "192.0.2.1:0", "192.0.2.1"},
        {"192.0.2.1:80", "192.0.2.1:80", "192.0.2.1"},
        {"192.0.2.1:65535", "192.0.2.1:65535", "192.0.2.1"},
        {"[2001:DB8::1]", "[2001:db8::1]:0", "2001:db8::1"},
        {"[2001:db8::1]:80", "[2001:db8::1]:80", "2001:db8::1"},
        {"2001:db8::1", "[2001:db8::1]:0", "2001:db8::1"},
        {"::ffff:192.0.2.1", "[::ffff:192.0.2.1]:0", "::ffff:192.0.2.1"},
        {"::", "[::]:0", "::"},
        {"", NULL, NULL},
        {"192.0.2.1:", NULL, NULL},
        {"192.0.2.1:65536", NULL, NULL},
        {"192.0.2.1:000080", NULL, NULL},
        {"192.0.2.1:a", NULL, NULL},
        {"192.0.2.01", NULL, NULL},
        {"192.0.2", NULL, NULL},
        {" 192.0.2.1", NULL, NULL},
        {"[192.0.2.1]", NULL, NULL},
        {"[2001:db8::1", NULL, NULL},
        {"[2001:db8::1]80", NULL, NULL},
        {"[2001:db8::1]:", NULL, NULL},
        {"[]", NULL, NULL},
        {":80", NULL, NULL},
        {"fe80::1%eth0", NULL, NULL},
        {"a", NULL, NULL},
        {"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        weir_endpoint_t endpoint = {.known = false};
        char text[WEIR_ENDPOINT_TEXT_BYTES];
        if (weir_endpoint_parse(bytes_of(rows[i].text), &endpoint) != (rows[i].address != NULL)) {
            fail_msg("%s", rows[i].text);
        }
        if (rows[i].address != NULL) {
            weir_endpoint_write(&endpoint, text);
            assert_string_equal(text, rows[i].address);
            weir_endpoint_write_ip(&endpoint, text);
            assert_string_equal(text, rows[i].ip);
        }
    }
}

static void test_a_socket_has_its_address_and_what_is_none_is_not_known(void **state)
{
    (void)state;
    struct sockaddr_in ipv4 = {.sin_family = AF_INET, .sin_port = htons(80)};
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6, .sin6_port = htons(81)};
    struct sockaddr other = {.sa_family = AF_UNIX};
    char text[WEIR_ENDPOINT_TEXT_BYTES];
    inet_pton(AF_INET, "192.0.2.1", &ipv4.sin_addr);
    inet_pton(AF_INET6, "::ffff:192.0.2.1", &ipv6.sin6_addr);
    weir_endpoint_t first = weir_endpoint_of((struct sockaddr *)&ipv4, sizeof(ipv4));
    weir_endpoint_t second = weir_endpoint_of((struct sockaddr *)&ipv6, sizeof(ipv6));
    weir_endpoint_t third = weir_endpoint_of(&other, sizeof(other));
    weir_endpoint_write(&first, text);
    assert_string_equal(text, "192.0.2.1:80");
    weir_endpoint_write(&second, text);
    assert_string_equal(text, "[::ffff:192.0.2.1]:81");
    weir_endpoint_write(&third, text);
    assert_string_equal(text, "0.0.0.0:0");
    assert_true(weir_endpoint_is_same_host(&first, &second));
    assert_false(weir_endpoint_is_same_host(&first, &third));
    assert_false(weir_endpoint_of((struct sockaddr *)&ipv4, sizeof(sa_family_t)).known);
}

static void test_networks_have_what_is_in_them(void **state)
{
    (void)state;
    static const struct {
        const char *network;
        const char *inside; /* NULL: that is no network */
        const char *outside;
    } rows[] = {
        {"192.0.2.1", "192.0.2.1", "192.0.2.2"},
        {"192.0.2.0/24", "192.0.2.255", "192.0.3.0"},
        {"192.0.2.77/25", "192.0.2.0", "192.0.2.128"},
        {"10.0.0.0/8", "::ffff:10.1.2.3", "::10.1.2.3"},
        {"0.0.0.0/0", "255.255.255.255", "2001:db8::1"},
        {"2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"},
        {"2001:db8::1", "2001:db8::1", "2001:db8::2"},
        {"fc00::/7", "fdff::1", "fe00::"},
        {"::1/128", "::1", "127.0.0.1"},
        {"", NULL, NULL},
        {"/8", NULL, NULL},
        {"10.0.0.0/", NULL, NULL},
        {"10.0.0.0/33", NULL, NULL},
        {"10.0.0.0/+8", NULL, NULL},
        {"10.0.0.0/8/8", NULL, NULL},
        {"::/129", NULL, NULL},
        {"[::1]", NULL, NULL},
        {"10.0.0.1:80", NULL, NULL},
        {"10.0.0", NULL, NULL},
        {"example.test", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        weir_peers_t peers;
        weir_endpoint_t endpoint;
        if (weir_peers_parse(rows[i].network, &peers) != (rows[i].inside != NULL)) {
            fail_msg("%s", rows[i].network);
        }
        if (rows[i].inside != NULL) {
            assert_true(weir_endpoint_parse(bytes_of(rows[i].inside), &endpoint));
            assert_true(weir_peers_have(&peers, &endpoint));
            assert_true(weir_endpoint_parse(bytes_of(rows[i].outside), &endpoint));
            assert_false(weir_peers_have(&peers, &endpoint));
            endpoint.known = false;
            assert_false(weir_peers_have(&peers, &endpoint));
        }
    }
}

/* 127.0.0.0/8 is. */
static bool trusts_loopback(const void *context, const weir_endpoint_t *endpoint)
{
    weir_peers_t peers;
    (void)context;
    return weir_peers_parse("127.0.0.0/8", &peers) && weir_peers_have(&peers, endpoint);
}

/* "CLIENT SCHEME HOST" of a walk from 127.0.0.1. */
static void walk(const weir_hops_t *hops, char *ret_text, size_t size)
{
    weir_endpoint_t connected;
    char client[WEIR_ENDPOINT_TEXT_BYTES];
    assert_true(weir_endpoint_parse(bytes_of("127.0.0.1:1"), &connected));
    weir_hop_t hop = weir_hops_walk(hops, &connected, trusts_loopback, NULL);
    weir_endpoint_write(&hop.client, client);
    snprintf(ret_text, size, "%s %.*s %.*s", client, (int)hop.scheme.size, hop.scheme.size > 0 ? hop.scheme.data : "",
        (int)hop.host.size, hop.host.size > 0 ? hop.host.data : "");
}

static void test_forwarded_is_walked_back_to_the_first_who_is_not_trusted(void **state)
{
    (void)state;
    static const struct {
        const char *first;
        const char *second; /* another line, or NULL */
        const char *found;  /* NULL: it is malformed */
    } rows[] = {
        {"for=192.0.2.43", NULL, "192.0.2.43:0  "},
        {"For=\"[2001:db8:cafe::17]:4711\"", NULL, "[2001:db8:cafe::17]:4711  "},
        {"for=192.0.2.60;proto=http;by=203.0.113.43", NULL, "192.0.2.60:0 http "},
        {"for=192.0.2.43, for=198.51.100.17", NULL, "198.51.100.17:0  "},
        {"for=192.0.2.43, for=127.0.0.2;proto=x", NULL, "192.0.2.43:0  "},
        {"for=192.0.2.43;proto=https;host=h", "for=127.0.0.2;proto=x", "192.0.2.43:0 https h"},
        {"for=\"_gazonk\"", NULL, "127.0.0.1:1  "},
        {"for=6.6.6.6, for=_a, for=127.0.0.2", NULL, "127.0.0.2:0  "},
        {"for=\"_gazonk:80\"", NULL, "127.0.0.1:1  "},
        {"for=\"192.0.2.43:_p\"", NULL, "192.0.2.43:0  "},
        {"for=\"[2001:db8::1]:_p\"", NULL, "[2001:db8::1]:0  "},
        {"for=\"2001:db8::1\"", NULL, "127.0.0.1:1  "},
        {"for=\"\\1\"", NULL, "127.0.0.1:1  "},
        {"", NULL, "127.0.0.1:1  "},
        {",, ,for=192.0.2.43,, ", NULL, "192.0.2.43:0  "},
        {"for=192.0.2.43;;proto=https;", NULL, "192.0.2.43:0 https "},
        {"a=\",;\\\"\" ; for=192.0.2.43", NULL, "192.0.2.43:0  "},
        {"for=\"", NULL, NULL},
        {"for=\"\\\"", NULL, NULL},
        {"for=\"\\", NULL, NULL},
        {"for=\"6.6.6.6", "for=192.0.2.43", NULL},
        {"for", NULL, NULL},
        {"for=", NULL, NULL},
        {"=a", NULL, NULL},
        {"for=a b", NULL, NULL},
        {"for=a;for=b", NULL, NULL},
        {"for =a", NULL, NULL},
        {"for=\"a\"b", NULL, NULL},
        {"for=[::1]", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const weir_pair_t fields[] = {{bytes_of("X"), bytes_of("for=6.6.6.6")},
            {bytes_of("FORWARDED"), bytes_of(rows[i].first)},
            {bytes_of("forwarded"), bytes_of(rows[i].second == NULL ? "" : rows[i].second)}};
        weir_hops_t hops;
        char found[128];
        if (weir_forwarded_parse(fields, rows[i].second == NULL ? 2 : 3, &hops) != (rows[i].found != NULL)) {
            fail_msg("%s", rows[i].first);
        }
        if (rows[i].found != NULL) {
            assert_true(hops.is_there);
            walk(&hops, found, sizeof(found));
            assert_string_equal(found, rows[i].found);
        }
    }
}

static void test_x_forwarded_is_walked_back_the_same_way(void **state)
{
    (void)state;
    static const struct {
        const char *clients;
        const char *schemes;
        const char *found;
    } rows[] = {
        {"192.0.2.43", "https", "192.0.2.43:0 https "},
        {"6.6.6.6, 192.0.2.43,127.0.0.2", "https", "192.0.2.43:0 https "},
        {"192.0.2.43, 127.0.0.2", "https, http", "192.0.2.43:0 https "},
        {"192.0.2.43, 127.0.0.3, 127.0.0.2", "https, http", "192.0.2.43:0  "},
        {"6.6.6.6, unknown", "https", "127.0.0.1:1 https "},
        {"6.6.6.6, , 192.0.2.43 ,", "", "192.0.2.43:0  "},
        {"", "https", "127.0.0.1:1 https "},
        {"", "", "127.0.0.1:1  "},
        {"127.0.0.3", "https", "127.0.0.3:0 https "},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const weir_pair_t fields[] = {{bytes_of("X-Forwarded-For"), bytes_of(rows[i].clients)},
            {bytes_of("X-Forwarded-Proto"), bytes_of(rows[i].schemes)}};
        weir_hops_t hops;
        char found[128];
        weir_x_forwarded_parse(fields, 2, &hops);
        walk(&hops, found, sizeof(found));
        assert_string_equal(found, rows[i].found);
        assert_int_equal(hops.is_there, rows[i].clients[0] != '\0' || rows[i].schemes[0] != '\0');
    }
}

static void test_so_many_hops_are_gone_back_over_and_no_more(void **state)
{
    (void)state;
    enum { MANY = 3 * WEIR_HOPS_MAX };
    static char forwarded[32 * MANY];
    static char older[32 * MANY];
    for (int i = 0; i < MANY; i++) {
        /* The last ones are 127.0.0.1, 127.0.0.2, and so on, counted from the end. */
        char entry[32];
        snprintf(entry, sizeof(entry), "%s127.0.0.%d", i == 0 ? "" : ",", MANY - i);
        strcat(older, entry);
        snprintf(entry, sizeof(entry), "%sfor=127.0.0.%d", i == 0 ? "" : ",", MANY - i);
        strcat(forwarded, entry);
    }
    const weir_pair_t fields[] = {
        {bytes_of("x-forwarded-for"), bytes_of(older)}, {bytes_of("forwarded"), bytes_of(forwarded)}};
    weir_hops_t hops;
    char found[128];
    char expected[128];
    snprintf(expected, sizeof(expected), "127.0.0.%d:0  ", WEIR_HOPS_MAX);
    weir_x_forwarded_parse(fields, 2, &hops);
    assert_int_equal(hops.count, WEIR_HOPS_MAX);
    walk(&hops, found, sizeof(found));
    assert_string_equal(found, expected);
    assert_true(weir_forwarded_parse(fields, 2, &hops));
    assert_int_equal(hops.count, WEIR_HOPS_MAX);
    walk(&hops, found, sizeof(found));
    assert_string_equal(found, expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses_are_read_and_written),
        cmocka_unit_test(test_a_socket_has_its_address_and_what_is_none_is_not_known),
        cmocka_unit_test(test_networks_have_what_is_in_them),
        cmocka_unit_test(test_forwarded_is_walked_back_to_the_first_who_is_not_trusted),
        cmocka_unit_test(test_x_forwarded_is_walked_back_the_same_way),
        cmocka_unit_test(test_so_many_hops_are_gone_back_over_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
