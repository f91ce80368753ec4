/*
 * test_serve_addresses.c: counting connections by address: what is counted together, and that nothing is lost where
 * many addresses come and go.
 */
#include "serve/addresses.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* The same numbers in each run (xorshift: Marsaglia, 2003). */
static uint32_t next_number(void)
{
    static uint32_t number = 7;
    number ^= number << 13;
    number ^= number >> 17;
    number ^= number << 5;
    return number;
}

static uint64_t key_of(const char *text)
{
    struct sockaddr_in ipv4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)next_number())};
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)next_number())};
    if (inet_pton(AF_INET, text, &ipv4.sin_addr) == 1) {
        return weir_addresses_key((const struct sockaddr *)&ipv4);
    }
    assert_int_equal(inet_pton(AF_INET6, text, &ipv6.sin6_addr), 1);
    return weir_addresses_key((const struct sockaddr *)&ipv6);
}

static void test_an_ipv6_client_is_its_network_and_a_mapped_one_is_its_ipv4_address(void **state)
{
    (void)state;
    static const struct {
        const char *one;
        const char *other;
        bool same;
    } cases[] = {
        {"192.0.2.1", "192.0.2.1", true},
        {"192.0.2.1", "192.0.2.2", false},
        {"::ffff:192.0.2.1", "192.0.2.1", true},
        {"2001:db8:0:1::1", "2001:db8:0:1:ffff::2", true},
        {"2001:db8:0:1::1", "2001:db8:0:2::1", false},
        {"2001:db8::1", "192.0.2.1", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(key_of(cases[i].one) == key_of(cases[i].other), cases[i].same);
    }
}

static void test_an_address_has_as_many_as_it_may_and_no_more(void **state)
{
    (void)state;
    weir_addresses_t *addresses = weir_addresses_new(100, 3);
    assert_non_null(addresses);
    uint64_t key = key_of("192.0.2.1");
    for (unsigned i = 0; i < 3; i++) {
        assert_true(weir_addresses_enter(addresses, key));
    }
    assert_false(weir_addresses_enter(addresses, key));
    assert_true(weir_addresses_enter(addresses, key_of("192.0.2.2")));
    weir_addresses_leave(addresses, key);
    assert_true(weir_addresses_enter(addresses, key));
    assert_false(weir_addresses_enter(addresses, key));
    weir_addresses_leave(addresses, key_of("192.0.2.3")); /* which was not counted */
    weir_addresses_free(addresses);
    assert_true(weir_addresses_enter(NULL, key)); /* no limit */
    weir_addresses_leave(NULL, key);
    weir_addresses_free(NULL);
}

static void test_nothing_is_lost_where_many_come_and_go(void **state)
{
    (void)state;
    enum { KEYS = 200, CONNECTIONS = 300, MOST = 4, STEPS = 200000 };
    weir_addresses_t *addresses = weir_addresses_new(CONNECTIONS, MOST);
    unsigned counts[KEYS] = {0}; /* a plain model of it */
    unsigned total = 0;
    assert_non_null(addresses);
    for (unsigned step = 0; step < STEPS; step++) {
        unsigned key = next_number() % KEYS;
        bool enters = next_number() % 2 == 0;
        if (enters && total < CONNECTIONS) {
            bool entered = weir_addresses_enter(addresses, key * 256);
            assert_int_equal(entered, counts[key] < MOST);
            counts[key] += entered ? 1 : 0;
            total += entered ? 1 : 0;
        } else if (!enters && counts[key] > 0) {
            weir_addresses_leave(addresses, key * 256);
            counts[key]--;
            total--;
        }
    }
    weir_addresses_free(addresses);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_ipv6_client_is_its_network_and_a_mapped_one_is_its_ipv4_address),
        cmocka_unit_test(test_an_address_has_as_many_as_it_may_and_no_more),
        cmocka_unit_test(test_nothing_is_lost_where_many_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
