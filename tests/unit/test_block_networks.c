/*
 * test_block_networks.c: which addresses are blocked. Expected values are those of Spin's tests in
 * crates/outbound-networking-config/src/blocked_networks.rs, unless another source is named.
 */
#include "app/block_networks.h"
#include "manifest_support.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

static weir_block_networks_t parse(const char *const *texts, size_t count)
{
    weir_block_networks_t networks;
    char *message = NULL;
    if (!weir_block_networks_parse(texts, count, &networks, &message))
        fail_msg("%s", message);
    return networks;
}

static bool blocks(const weir_block_networks_t *networks, const char *address)
{
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET6, address, &ipv6.sin6_addr) == 1)
        return weir_block_networks_blocks(networks, (const struct sockaddr *)&ipv6, sizeof ipv6);
    struct sockaddr_in ipv4 = {.sin_family = AF_INET};
    assert_int_equal(inet_pton(AF_INET, address, &ipv4.sin_addr), 1);
    return weir_block_networks_blocks(networks, (const struct sockaddr *)&ipv4, sizeof ipv4);
}

static void check(const weir_block_networks_t *networks, const char *const *addresses, size_t count, bool blocked)
{
    for (size_t i = 0; i < count; i++)
        if (blocks(networks, addresses[i]) != blocked)
            fail_msg("%s: must be %d", addresses[i], blocked);
}

/* test_is_empty */
static void nothing_is_blocked_unless_asked(void **state)
{
    (void)state;
    static const char *const FREE[] = {"127.0.0.1", "10.0.0.1", "::1", "8.8.8.8"};
    weir_block_networks_t networks = {0};
    check(&networks, FREE, COUNT(FREE), false);
    struct sockaddr_un unix_address = {.sun_family = AF_UNIX};
    assert_false(weir_block_networks_blocks(&networks, (const struct sockaddr *)&unix_address, sizeof unix_address));
}

/* test_is_blocked_networks */
static void networks_block_what_is_in_them(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {"123.123.0.0/16", "2001::/96", "192.0.2.77/31"};
    static const char *const BLOCKED[] = {
        "123.123.123.123", "2001::1000", "::ffff:123.123.123.123", "192.0.2.76", "192.0.2.77"};
    static const char *const FREE[] = {"123.100.100.100", "2002::1000", "192.0.2.78", "127.0.0.1"};
    weir_block_networks_t networks = parse(TEXTS, COUNT(TEXTS));
    check(&networks, BLOCKED, COUNT(BLOCKED), true);
    check(&networks, FREE, COUNT(FREE), false);
    weir_block_networks_free(&networks);
}

/* test_is_blocked_private, and the edges of the networks (IANA's registries of special-purpose addresses) */
static void private_blocks_all_that_is_not_global(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {"10.0.0.0/8", "private"};
    static const char *const BLOCKED[] = {"0.0.0.0", "10.10.10.10", "100.64.1.1", "127.0.0.1", "169.254.0.1",
        "192.0.0.1", "::1", "::ffff:10.10.10.10", "fc00::f00d",
        /* Edges */
        "0.255.255.255", "10.255.255.255", "100.127.255.255", "127.255.255.255", "169.254.169.254", "172.16.0.0",
        "172.31.255.255", "192.0.0.255", "192.0.2.1", "192.168.0.0", "192.168.255.255", "198.18.0.0", "198.19.255.255",
        "198.51.100.1", "203.0.113.1", "240.0.0.0", "255.255.255.255", "224.0.0.251", "239.1.2.3", "::", "2001:db8::1",
        "fdff::1", "fe80::1", "febf::1", "fec0::1", "ff02::1", "ff05::2", "ff01::1",
        /* IPv4 within IPv6: compatible, mapped, translated (RFC 2765), NAT64, 6to4, Teredo (of which the address is
         * inverted) */
        "::10.1.2.3", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:0:127.0.0.1", "::ffff:0:a9fe:a9fe",
        "64:ff9b::10.1.2.3", "64:ff9b::7f00:1", "64:ff9b:1::7f00:1", "2002:7f00:1::1",
        "2002:a9fe:a9fe::", "2001:0:4136:e378:8000:63bf:80ff:fffe",
        /* 64:ff9b:1::/48 with prefixes of 96, 64, 56 and 48 bits (RFC 6052, section 2.2: bits 64 to 71 are 0) */
        "64:ff9b:1:aabb::10.1.2.3", "64:ff9b:1:aabb:a:102:300:0", "64:ff9b:1:aa0a:1:203::", "64:ff9b:1:a01:2:300::"};
    static const char *const FREE[] = {"123.123.123.123", "2600::beef",
        /* Edges */
        "1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0",
        "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.0.9", "192.0.0.10", "192.0.1.0",
        "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "fbff::1", "ff0e::1", "::ffff:8.8.8.8",
        "::ffff:0:8.8.8.8", "::fffe:0:10.1.2.3", "::8.8.8.8", "64:ff9b:1::8.8.8.8", "64:ff9b:1:aabb:8:808:800:0",
        "64:ff9b::8.8.8.8", "2002:808:808::1", "2001:4860:4860::8888"};
    weir_block_networks_t networks = parse(TEXTS, COUNT(TEXTS));
    check(&networks, BLOCKED, COUNT(BLOCKED), true);
    check(&networks, FREE, COUNT(FREE), false);
    /* What is no IP address is not known to be global. */
    struct sockaddr_un unix_address = {.sun_family = AF_UNIX};
    assert_true(weir_block_networks_blocks(&networks, (const struct sockaddr *)&unix_address, sizeof unix_address));
    struct sockaddr_in6 cut = {.sin6_family = AF_INET6};
    assert_true(weir_block_networks_blocks(&networks, (const struct sockaddr *)&cut, sizeof cut - 1));
    weir_block_networks_free(&networks);
}

/* One that is named is blocked in each way that IPv6 has for it. */
static void a_network_of_ipv4_is_blocked_within_ipv6(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {"198.41.0.0/24"};
    static const char *const BLOCKED[] = {"198.41.0.4", "::198.41.0.4", "::ffff:198.41.0.4", "::ffff:0:198.41.0.4",
        "64:ff9b::198.41.0.4", "64:ff9b:1::198.41.0.4", "64:ff9b:1:0:c6:2900:400:0",
        "64:ff9b:1:c6:29:4::", "64:ff9b:1:c629:0:400::", "2002:c629:4::1", "2001:0:4136:e378:8000:63bf:39d6:fffb"};
    static const char *const FREE[] = {"198.41.1.4", "::198.41.1.4", "::ffff:198.41.1.4", "::ffff:0:198.41.1.4",
        "64:ff9b::198.41.1.4", "64:ff9b:1::198.41.1.4", "64:ff9b:1:0:c6:2901:400:0",
        "64:ff9b:1:c6:29:104::", "64:ff9b:1:c629:1:400::", "2002:c629:104::1", "2001:0:4136:e378:8000:63bf:39d6:fefb",
        /* Something stands behind what would be the address, so that it is none. */
        "64:ff9b:1:0:c6:2900:400:1", "64:ff9b:1:c6:29:4::1", "64:ff9b:1:c629:0:400::1"};
    weir_block_networks_t networks = parse(TEXTS, COUNT(TEXTS));
    check(&networks, BLOCKED, COUNT(BLOCKED), true);
    check(&networks, FREE, COUNT(FREE), false);
    weir_block_networks_free(&networks);
}

static void what_is_no_network_is_refused(void **state)
{
    (void)state;
    static const char *const CASES[] = {"", "public", "10.0.0.0", "10.0.0.0/33", "10.0.0.0/", "/8", "10.0.0/8",
        "::/129", "[::]/8", "10.0.0.0/8/8", "10.0.0.0/-1", "10.0.0.0/a", "Private", "1.2.3.4 /8",
        "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000/8"};
    for (size_t i = 0; i < COUNT(CASES); i++) {
        const char *const texts[] = {"private", "10.0.0.0/8", CASES[i]};
        weir_block_networks_t networks, untouched;
        memset(&networks, 0xA5, sizeof networks);
        untouched = networks;
        char *message = NULL;
        if (weir_block_networks_parse(texts, 3, &networks, &message))
            fail_msg("this was let pass: %s", CASES[i]);
        assert_memory_equal(&networks, &untouched, sizeof networks);
        char wanted[256];
        snprintf(wanted, sizeof wanted,
            "\"%s\" is no network to block; write \"private\", or a network as \"10.0.0.0/8\" (one address: "
            "\"192.0.2.1/32\")",
            CASES[i]);
        assert_string_equal(message, wanted);
        free(message);
    }
    static const char *many[WEIR_BLOCK_NETWORKS_MAX + 1];
    for (size_t i = 0; i < COUNT(many); i++)
        many[i] = "10.0.0.0/8";
    weir_block_networks_t networks;
    char *message = NULL;
    assert_false(weir_block_networks_parse(many, COUNT(many), &networks, &message));
    assert_string_equal(message, "1025 networks are to be blocked; the most is 1024");
    free(message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_blocked_unless_asked),
        cmocka_unit_test(networks_block_what_is_in_them),
        cmocka_unit_test(private_blocks_all_that_is_not_global),
        cmocka_unit_test(a_network_of_ipv4_is_blocked_within_ipv6),
        cmocka_unit_test(what_is_no_network_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
