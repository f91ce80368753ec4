/*
 * test_outbound.c: a component's policy: which requests are denied, go to the network or stay in the process, and which
 * addresses sockets and connections may use. As Spin decides: crates/factor-outbound-http/src/wasi.rs,
 * crates/factor-outbound-networking/src/lib.rs.
 */
#include "guest/outbound.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static weir_component_t components[] = {{.id = (char *)(uintptr_t)"front"}, {.id = (char *)(uintptr_t)"back"}};
static weir_manifest_t manifest = {.path = (char *)(uintptr_t)"spin.toml",
    .directory = (char *)(uintptr_t)".",
    .components = components,
    .component_count = 2};

static void never_begun(void *caller, weir_outgoing_t *own_outgoing)
{
    (void)caller;
    (void)own_outgoing;
    fail();
}

typedef struct stage {
    weir_outbound_hosts_t hosts;
    weir_block_networks_t networks;
    weir_outbound_settings_t settings;
    weir_outbound_policy_t policy;
} stage_t;

/* A policy for hosts and blocked networks, each ending with NULL. */
static void set_up(stage_t *stage, const char *const *hosts, const char *const *networks)
{
    weir_outbound_text_t texts[8];
    size_t count = 0;
    for (; hosts[count] != NULL; count++)
        texts[count] = (weir_outbound_text_t){hosts[count], hosts[count], {1, 1}, false};
    size_t network_count = 0;
    while (networks[network_count] != NULL)
        network_count++;
    char *message = NULL;
    *stage = (stage_t){.settings = {.hosts = &stage->hosts, .begin = never_begun}};
    assert_true(weir_outbound_hosts_parse(&manifest, texts, count, &stage->hosts, &message));
    assert_true(weir_block_networks_parse(networks, network_count, &stage->networks, &message));
    stage->settings.block_networks = &stage->networks;
    assert_true(weir_outbound_policy_new(&manifest, &components[0], &stage->settings, &stage->policy));
}

static void tear_down(stage_t *stage)
{
    /* The policy may be asked about addresses by what is still under way when everything else is gone. */
    weir_block_networks_free(&stage->networks);
    weir_outbound_hosts_free(&stage->hosts);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x08080808)};
    assert_true(stage->policy.address_is_allowed(
        stage->policy.context, (const struct sockaddr *)&address, sizeof address, WEIR_ADDRESS_HTTP));
    stage->policy.release(stage->policy.context);
}

static bool asks(const stage_t *stage, const char *text, uint16_t port, weir_address_use_t use)
{
    struct sockaddr_in of_4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 of_6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    if (inet_pton(AF_INET, text, &of_4.sin_addr) == 1)
        return stage->policy.address_is_allowed(
            stage->policy.context, (const struct sockaddr *)&of_4, sizeof of_4, use);
    assert_int_equal(inet_pton(AF_INET6, text, &of_6.sin6_addr), 1);
    return stage->policy.address_is_allowed(stage->policy.context, (const struct sockaddr *)&of_6, sizeof of_6, use);
}

static const char *const NO_NETWORKS[] = {NULL};

static void requests_go_where_their_host_says(void **state)
{
    (void)state;
    static const char *const hosts[] = {"https://example.com", "http://back.spin.internal", "http://self", NULL};
    static const struct {
        const char *scheme;
        const char *host;
        int port;
        weir_outbound_way_t way;
    } cases[] = {
        {"https", "example.com", -1, WEIR_OUTBOUND_NETWORK},
        {"https", "EXAMPLE.com", 443, WEIR_OUTBOUND_NETWORK},
        {"https", "example.com", 8443, WEIR_OUTBOUND_DENIED},
        {"http", "example.com", -1, WEIR_OUTBOUND_DENIED},
        {"https", "www.example.com", -1, WEIR_OUTBOUND_DENIED},
        {"http", "back.spin.internal", -1, WEIR_OUTBOUND_IN_PROCESS},
        {"http", "front.spin.internal", -1, WEIR_OUTBOUND_DENIED},
        {"http", "back.spin.internal.example.com", -1, WEIR_OUTBOUND_DENIED},
        {"http", "self.alt", -1, WEIR_OUTBOUND_IN_PROCESS},
        {"https", "self.alt", -1, WEIR_OUTBOUND_IN_PROCESS},
        {"http", "self", -1, WEIR_OUTBOUND_DENIED},
    };
    stage_t stage;
    set_up(&stage, hosts, NO_NETWORKS);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(stage.policy.decide(stage.policy.context, cases[i].scheme, cases[i].host, cases[i].port, "/"),
            cases[i].way);
    tear_down(&stage);
}

static void a_component_without_hosts_gets_no_socket(void **state)
{
    (void)state;
    static const char *const hosts[] = {NULL};
    stage_t stage;
    set_up(&stage, hosts, NO_NETWORKS);
    assert_false(stage.policy.may_connect);
    assert_false(asks(&stage, "127.0.0.1", 80, WEIR_ADDRESS_TCP_CONNECT));
    assert_false(asks(&stage, "127.0.0.1", 80, WEIR_ADDRESS_UDP_SEND));
    assert_int_equal(stage.policy.decide(stage.policy.context, "http", "a", -1, "/"), WEIR_OUTBOUND_DENIED);
    assert_false(weir_outbound_may_chain(&manifest, &stage.settings));
    tear_down(&stage);
}

static void sockets_connect_as_the_hosts_say_and_never_listen(void **state)
{
    (void)state;
    static const char *const hosts[] = {"tcp://127.0.0.1:5432", "udp://10.0.0.0/8:53", "tcp://[::1]:1..10", NULL};
    static const struct {
        const char *address;
        uint16_t port;
        weir_address_use_t use;
        bool allowed;
    } cases[] = {
        {"127.0.0.1", 5432, WEIR_ADDRESS_TCP_CONNECT, true},
        {"127.0.0.1", 5433, WEIR_ADDRESS_TCP_CONNECT, false},
        {"127.0.0.2", 5432, WEIR_ADDRESS_TCP_CONNECT, false},
        {"127.0.0.1", 5432, WEIR_ADDRESS_UDP_SEND, false},
        {"10.1.2.3", 53, WEIR_ADDRESS_UDP_SEND, true},
        {"10.1.2.3", 53, WEIR_ADDRESS_UDP_RECEIVE, true},
        {"10.1.2.3", 53, WEIR_ADDRESS_TCP_CONNECT, false},
        {"11.1.2.3", 53, WEIR_ADDRESS_UDP_SEND, false},
        {"::1", 9, WEIR_ADDRESS_TCP_CONNECT, true},
        {"::1", 10, WEIR_ADDRESS_TCP_CONNECT, false}, /* the end of a range is not in it */
        {"0.0.0.0", 0, WEIR_ADDRESS_TCP_BIND, true},  /* what connecting without binding does */
        {"::", 0, WEIR_ADDRESS_UDP_BIND, true},
        {"0.0.0.0", 8080, WEIR_ADDRESS_TCP_BIND, false},
        {"127.0.0.1", 5432, WEIR_ADDRESS_TCP_BIND, false},
        {"127.0.0.1", 0, WEIR_ADDRESS_UDP_BIND, false},
        {"0.0.0.0", 0, WEIR_ADDRESS_TCP_LISTEN, false},
        {"127.0.0.1", 5432, WEIR_ADDRESS_TCP_ACCEPT, false},
    };
    stage_t stage;
    set_up(&stage, hosts, NO_NETWORKS);
    assert_true(stage.policy.may_connect);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(asks(&stage, cases[i].address, cases[i].port, cases[i].use), cases[i].allowed);
    struct sockaddr local = {.sa_family = AF_UNIX};
    assert_false(stage.policy.address_is_allowed(stage.policy.context, &local, sizeof local, WEIR_ADDRESS_TCP_CONNECT));
    assert_false(stage.policy.address_is_allowed(stage.policy.context, &local, sizeof local, WEIR_ADDRESS_HTTP));
    tear_down(&stage);
}

static void only_names_that_may_be_reached_are_looked_up(void **state)
{
    (void)state;
    static const char *const hosts[] = {"http://self", "https://one.test:8443", "tcp://*.two.test:5432",
        "http://*.spin.internal", "http://asked.spin.internal", "udp://10.0.0.0/8:53", NULL};
    static const struct {
        const char *name;
        bool allowed;
    } cases[] = {
        {"one.test", true},
        {"ONE.test", true},
        {"a.two.test", true},
        {"10.1.2.3", true}, /* which is no name: nobody is asked */
        {"192.0.2.1", true},
        {"::1", true},
        {"two.test", false},
        {"secret.one.test", false},
        {"one.test.attacker.example", false},
        {"one.test:8443", false},
        {"self.alt", false},
        {"localhost", false},
        {"asked.spin.internal", false},
        {"asking.spin.internal", false},
        {"", false},
        {"a b", false},
    };
    static const char *const all[] = {"*://*:*", NULL};
    stage_t stage;
    set_up(&stage, hosts, NO_NETWORKS);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (stage.policy.may_look_up(stage.policy.context, cases[i].name) != cases[i].allowed)
            fail_msg("%s", cases[i].name);
    }
    tear_down(&stage);
    set_up(&stage, all, NO_NETWORKS);
    assert_true(stage.policy.may_look_up(stage.policy.context, "anything.test"));
    assert_false(stage.policy.may_look_up(stage.policy.context, "asked.spin.internal"));
    tear_down(&stage);
    set_up(&stage, NO_NETWORKS, NO_NETWORKS);
    assert_false(stage.policy.may_look_up(stage.policy.context, "one.test"));
    tear_down(&stage);
}

static void blocked_addresses_are_blocked_whatever_name_leads_there(void **state)
{
    (void)state;
    static const char *const hosts[] = {"*://*:*", NULL};
    static const char *const networks[] = {"private", "192.0.2.0/24", NULL};
    static const char *const blocked[] = {
        "127.0.0.1", "10.0.0.1", "169.254.169.254", "192.0.2.1", "::1", "fe80::1", "::ffff:127.0.0.1"};
    stage_t stage;
    set_up(&stage, hosts, networks);
    for (size_t i = 0; i < sizeof blocked / sizeof blocked[0]; i++) {
        assert_false(asks(&stage, blocked[i], 80, WEIR_ADDRESS_HTTP));
        assert_false(asks(&stage, blocked[i], 80, WEIR_ADDRESS_TCP_CONNECT));
        assert_false(asks(&stage, blocked[i], 80, WEIR_ADDRESS_UDP_SEND));
    }
    assert_true(asks(&stage, "8.8.8.8", 80, WEIR_ADDRESS_HTTP));
    assert_true(asks(&stage, "8.8.8.8", 80, WEIR_ADDRESS_TCP_CONNECT));
    tear_down(&stage);
}

static void it_is_known_who_may_chain(void **state)
{
    (void)state;
    static const struct {
        const char *hosts[2];
        bool may;
    } cases[] = {
        {{"https://example.com", NULL}, false},
        {{"http://back.spin.internal", NULL}, true},
        {{"http://*.spin.internal", NULL}, true},
        {{"http://self", NULL}, true},
        {{"*://*:*", NULL}, true},
        {{"tcp://127.0.0.1:*", NULL}, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        stage_t stage;
        set_up(&stage, cases[i].hosts, NO_NETWORKS);
        assert_int_equal(weir_outbound_may_chain(&manifest, &stage.settings), cases[i].may);
        tear_down(&stage);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_go_where_their_host_says),
        cmocka_unit_test(a_component_without_hosts_gets_no_socket),
        cmocka_unit_test(sockets_connect_as_the_hosts_say_and_never_listen),
        cmocka_unit_test(only_names_that_may_be_reached_are_looked_up),
        cmocka_unit_test(blocked_addresses_are_blocked_whatever_name_leads_there),
        cmocka_unit_test(it_is_known_who_may_chain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
