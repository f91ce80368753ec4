/*
 * test_outbound_hosts.c: what allowed_outbound_hosts may say and what it allows. Expected values are those of Spin's
 * tests in crates/outbound-networking-config/src/allowed_hosts.rs ("Spin's" below), unless another source is named.
 */
#include "app/outbound_hosts.h"
#include "manifest_support.h"

static char *component_ids[] = {"first", "second", "third"};

/* A manifest of three components, of which the first is the one that asks. */
typedef struct application {
    weir_component_t components[3];
    weir_placed_text_t entries[8];
    weir_manifest_t manifest;
} application_t;

static void make(application_t *application)
{
    *application = (application_t){0};
    for (size_t i = 0; i < 3; i++) {
        application->components[i].id = component_ids[i];
        application->components[i].place = (weir_place_t){9, 12};
    }
    application->manifest.path = "spin.toml";
    application->manifest.components = application->components;
    application->manifest.component_count = 3;
}

/* Give the component `index` entries. */
static void give(application_t *application, size_t index, char *const *entries, size_t count)
{
    for (size_t i = 0; i < count; i++)
        application->entries[i] = (weir_placed_text_t){entries[i], {12, 30}};
    application->components[index].allowed_outbound_hosts = application->entries;
    application->components[index].allowed_outbound_hosts_count = count;
    application->components[index].allowed_outbound_hosts_place = (weir_place_t){12, 1};
}

/* A text as it is written; or one that variables made of another. */
static bool parse(const char *written, const char *text, weir_outbound_hosts_t *ret_hosts, char **ret_message)
{
    application_t application;
    make(&application);
    weir_outbound_text_t entry = {written, text, {3, 7}, false};
    return weir_outbound_hosts_parse(&application.manifest, &entry, 1, ret_hosts, ret_message);
}

static weir_outbound_hosts_t parse_right(const char *text)
{
    weir_outbound_hosts_t hosts;
    char *message = NULL;
    if (!parse(text, text, &hosts, &message))
        fail_msg("%s", message);
    return hosts;
}

static void entries_that_spin_refuses_are_refused_with_place_and_remedy(void **state)
{
    (void)state;
#define FORM                                                                                                           \
    "is not of the form scheme://host[:port]; to allow every destination write *://*:*, which leaves nothing of the "  \
    "network's sandbox"
#define SCHEME "has no scheme; write https://HOST, or *://HOST:PORT for any scheme"
#define PATH "has a path, and hosts are allowed as a whole; write scheme://host[:port]"
#define NOT_A_PORT                                                                                                     \
    "has a port that is no number up to 65535; write a number, a range as 8000..8010 (without its end), or *"
#define MEANT(scheme) "has no port, and its scheme has none of its own; did you mean " scheme "://? Else add :PORT"
#define NO_PORT "has no port, and its scheme has none of its own; add :PORT, or :* for any"
#define CHARACTER "has a character that no host name has"
#define ADDRESS "is no IPv6 address; write it as [2001:db8::1]"
#define SUBDOMAIN_ADDRESS "has *. before an address; write a network as 10.0.0.0/8"
    static const wrong_t CASES[] = {
        /* The forms of AllowedHostConfig::parse */
        {"*", FORM},
        {":", FORM},
        {"", FORM},
        {"?", FORM},
        {" * ", FORM},
        {"insecure:allow-all", FORM}, /* test_allowed_hosts_respects_allow_all */
        {"{a,b}://host:80", "has a list of schemes, which Spin does not know; write one entry for each scheme, or *"},
        {"h2://host:80", "has a scheme of more than letters; write one as http, or * for any"},
        {"http://{a,b}", "has a list of hosts, which Spin does not know; write one entry for each host"},
        {"http://host:{80,81}",
            "has a list of ports, which Spin does not know; write one entry for each port, or a range"},
        /* test_allowed_hosts_does_not_accept_plain_host_without_{port,scheme}, _accepts_localhost_addresses,
         * test_missing_scheme */
        {"spin.fermyon.dev", SCHEME},
        {"spin.fermyon.dev:80", SCHEME},
        {"localhost", SCHEME},
        {"localhost:3001", SCHEME},
        {"example.com", SCHEME},
        /* test_allowed_hosts_accepts_ip_cidr: no port of its own */
        {"*://127.0.0.0/24", NO_PORT},
        {"*://example.com", NO_PORT},
        {"tcp://example.com:", NO_PORT},
        {"tcp://example.com", NO_PORT},
        {"ftp://example.com", NO_PORT},
        {"averylongscheme://example.com", NO_PORT},
        {"://example.com", NO_PORT},
        {"htps://example.com", MEANT("https")},
        {"HTTPS://example.com", MEANT("https")},
        {"htpt://example.com", MEANT("http")},
        {"postgresql://example.com", MEANT("postgres")},
        {"rediss://example.com", MEANT("redis")},
        /* test_allowed_hosts_rejects_path */
        {"http://spin.fermyon.dev/a", PATH},
        {"http://spin.fermyon.dev:6666/a/b", PATH},
        {"http://*.fermyon.dev/a", PATH},
        /* rejects_malformed_ipv6_allowed_hosts */
        {"http://[::1]/foo", PATH},
        {"http://ff00::/8/extra", PATH},
        {"http://[::1", ADDRESS},
        {"http://[::1]junk", ADDRESS},
        {"http://[::1]::80", ADDRESS},
        {"http://[v1.]", ADDRESS},
        {"[::1]", SCHEME},
        {"[::1]:8080", SCHEME},
        /* rejects_invalid_allowed_host_entries */
        {"http://example.com:notaport", NOT_A_PORT},
        {"http://example.com:8080..70000", NOT_A_PORT},
        {"http://self:notaport", NOT_A_PORT},
        {"http://self.alt:notaport", NOT_A_PORT},
        {"http://*:notaport", NOT_A_PORT},
        {"http://127.0.0.1:notaport", NOT_A_PORT},
        {"http://[::1]:notaport", NOT_A_PORT},
        {"http://*.example.com:notaport", NOT_A_PORT},
        {"http://*.example.com:8080..", NOT_A_PORT},
        {"http://*.example.com:8O8O", NOT_A_PORT},
        {"http://example.com:8080/p", PATH},
        {"http://*.example.com:8080/p", PATH},
        {"http://*.example.com/p", PATH},
        {"http://127.0.0.0/24/p", PATH},
        {"http://[::1junk", ADDRESS},
        {"http://*.", "has no host"},
        {"http://*.:8080", "has no host"},
        {"example.com:8080", SCHEME},
        {"http://example%.com", CHARACTER},
        {"http://example%2.com", CHARACTER},
        {"http://example%GG.com", CHARACTER},
        {"http://exa[mple.com", CHARACTER},
        {"http://exa\\mple.com", CHARACTER},
        {"http://example.com:80:90", CHARACTER},
        {"http://[vG.example]", ADDRESS},
        /* invalid_explicit_port_reports_port_error */
        {"http://example.com:99999", NOT_A_PORT},
        {"http://[::1]:99999", NOT_A_PORT},
        {"http://ff00::/8:99999", NOT_A_PORT},
        {"http://*.example.com:99999", NOT_A_PORT},
        /* rejects_double_slash_paths */
        {"http://example.com//", PATH},
        {"http://*.example.com//", PATH},
        {"http://self//", PATH},
        {"http://[::1]//", PATH},
        /* rejects_wildcard_non_domain_suffixes */
        {"http://*.127.0.0.1", SUBDOMAIN_ADDRESS},
        {"http://*.192.168.001.001", SUBDOMAIN_ADDRESS},
        {"http://*.[::1]", NOT_A_PORT},
        {"http://*.[2001:db8::1]", NOT_A_PORT},
        /* "wildcards are allowed only as subdomains", "… only as prefixes" */
        {"http://a.*.com", "has a * within the host; write * for any host, or *.example.com for all below a domain"},
        {"http://*a.com", "has a * within the host; write * for any host, or *.example.com for all below a domain"},
        {"http://*.*.com", "has more than one *; a host can begin with *. and have no other"},
        /* The URL standard: a host that ends in a number is an IPv4 address or wrong; a host is not empty */
        {"http://1.2.3.4.5", "ends in a number but is no IPv4 address"},
        {"http://256.1.1.1", "ends in a number but is no IPv4 address"},
        {"http://example.09", "ends in a number but is no IPv4 address"},
        {"http://", "has no host"},
        /* Not Spin's: names beyond ASCII, for which Spin applies IDNA */
        {"http://b\xc3\xbc"
         "cher.example",
            "has a name that is not ASCII; write what DNS knows it by, which begins with xn--"},
        {"http://b%C3%BCcher.example",
            "has a name that is not ASCII; write what DNS knows it by, which begins with xn--"},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        weir_outbound_hosts_t hosts, untouched;
        memset(&hosts, 0xA5, sizeof hosts);
        untouched = hosts;
        char *message = NULL;
        if (parse(CASES[i].text, CASES[i].text, &hosts, &message))
            fail_msg("this was let pass: %s", CASES[i].text);
        assert_memory_equal(&hosts, &untouched, sizeof hosts);
        assert_non_null(message);
        assert_memory_equal(message, "spin.toml:3:7: \"", 16);
        const char *reason = strstr(message, "\" of allowed_outbound_hosts ");
        assert_non_null(reason);
        assert_string_equal(reason + strlen("\" of allowed_outbound_hosts "), CASES[i].message);
        free(message);
    }
}

typedef struct question {
    const char *entry;
    const char *scheme;
    const char *host;
    int port;
    bool allowed;
} question_t;

static void an_entry_allows_what_spin_allows(void **state)
{
    (void)state;
    enum { OWN = WEIR_PORT_OF_SCHEME };
    static const question_t CASES[] = {
        /* test_allowed_hosts_accepts_url_without_port, _with_port, _with_trailing_slash */
        {"http://spin.fermyon.dev", "http", "spin.fermyon.dev", 80, true},
        {"http://spin.fermyon.dev", "http", "spin.fermyon.dev", OWN, true},
        {"http://spin.fermyon.dev", "http", "spin.fermyon.dev", 81, false},
        {"http://spin.fermyon.dev", "https", "spin.fermyon.dev", 80, false},
        {"http://spin.fermyon.dev/", "http", "spin.fermyon.dev", 80, true},
        {"https://spin.fermyon.dev", "https", "spin.fermyon.dev", 443, true},
        {"http://spin.fermyon.dev:4444", "http", "spin.fermyon.dev", 4444, true},
        {"http://spin.fermyon.dev:4444/", "http", "spin.fermyon.dev", 4444, true},
        {"https://spin.fermyon.dev:5555", "https", "spin.fermyon.dev", OWN, false},
        {"  http://spin.fermyon.dev\n", "http", "spin.fermyon.dev", 80, true},
        {"http://spin.fermyon.dev:", "http", "spin.fermyon.dev", 80, true},
        /* test_allowed_hosts_accepts_url_with_port_range: a Rust range, without its end */
        {"http://spin.fermyon.dev:4444..5555", "http", "spin.fermyon.dev", 4443, false},
        {"http://spin.fermyon.dev:4444..5555", "http", "spin.fermyon.dev", 4444, true},
        {"http://spin.fermyon.dev:4444..5555", "http", "spin.fermyon.dev", 5554, true},
        {"http://spin.fermyon.dev:4444..5555", "http", "spin.fermyon.dev", 5555, false},
        {"http://spin.fermyon.dev:0..65535", "http", "spin.fermyon.dev", 65535, false},
        {"http://spin.fermyon.dev:90..80", "http", "spin.fermyon.dev", 85, false},
        /* test_allowed_hosts_accepts_host_with_glob_scheme, test_allowed_all_globs */
        {"*://spin.fermyon.dev:7777", "redis", "spin.fermyon.dev", 7777, true},
        {"*://spin.fermyon.dev:6379", "redis", "spin.fermyon.dev", OWN, true},
        {"*://spin.fermyon.dev:7777", "redis", "spin.fermyon.dev", OWN, false},
        {"*://*:*", "tcp", "anything.example", 1, true},
        {"*://*:*", "unknown", "10.0.0.1", OWN, true},
        {"*://*:80", "unknown", "10.0.0.1", OWN, false},
        {"*://*:*", "http", "not a host", 80, false},
        {"*://*:*", "http", "", 80, false},
        /* well_known_port */
        {"postgres://db", "postgres", "db", 5432, true},
        {"mysql://db", "mysql", "db", 3306, true},
        {"mqtt://db", "mqtt", "db", 1883, true},
        /* Schemes of URLs are in lower case; those of entries are taken as they are (SchemeConfig::allows) */
        {"http://example.com", "HTTP", "example.com", OWN, true},
        {"HTTP://example.com:80", "http", "example.com", 80, false},
        {"http://example.com", "https", "example.com", 80, false},
        {"http://example.com", "htt", "example.com", 80, false},
        /* test_allowed_hosts_can_be_specific */
        {"*://spin.fermyon.dev:443", "https", "spin.fermyon.dev", OWN, true},
        {"http://example.com:8383", "http", "example.com", 8383, true},
        {"http://example.com:8383", "http", "example.com", OWN, false},
        {"http://example.com:8383", "http", "google.com", OWN, false},
        /* test_allowed_hosts_can_be_subdomain_wildcards, wildcard_subdomain_is_case_insensitive */
        {"http://*.example.com", "http", "a.example.com", OWN, true},
        {"http://*.example.com", "http", "a.b.example.com", OWN, true},
        {"http://*.example.com", "http", "example.com", OWN, false},
        {"http://*.example.com", "http", "myexample.com", OWN, false},
        {"http://*.example.com", "http", "example.com.evil.net", OWN, false},
        {"http://*.example2.com:8383", "http", "a.b.example2.com", 8383, true},
        {"http://*.example2.com:8383", "http", "a.b.example2.com", OWN, false},
        {"http://*.Example.COM", "http", "foo.example.com", OWN, true},
        {"http://*.Example.COM", "http", "example.com", OWN, false},
        {"http://Example.com", "http", "EXAMPLE.COM", OWN, true},
        {"http://example.com", "http", "example.com.", OWN, false},
        {"http://ex%61mple.com", "http", "exam%70le.com", OWN, true},
        /* test_allowed_hosts_accepts_ip_addresses, ipv6_literal_* */
        {"http://192.168.1.1", "http", "192.168.1.1", OWN, true},
        {"http://192.168.1.1", "http", "192.168.1.2", OWN, false},
        {"http://192.168.1.1", "http", "0xC0.0250.257", OWN, true}, /* the same, in the URL standard's other ways */
        {"http://0x7f.1", "http", "127.0.0.1", OWN, true},
        {"http://192.168.1.1:3002", "http", "192.168.1.1", 3002, true},
        {"http://[::1]:8001", "http", "[::1]", 8001, true},
        {"http://[::1]", "http", "[::1]", 80, true},
        {"http://[::1]", "http", "[0:0:0:0:0:0:0:1]", 80, true},
        {"http://[::1]", "http", "::1", 80, true},
        {"http://[::1]", "http", "[::2]", 80, false},
        {"http://[::1]", "http", "[::1]", 81, false},
        {"http://[::1]:*", "http", "[::1]", 81, true},
        {"http://[::1]:8000..9000", "http", "[::1]", 8999, true},
        {"http://[::1]:8080/", "http", "[::1]", 8080, true},
        {"http://1.2.3.4", "http", "[::ffff:1.2.3.4]", 80, false},
        /* test_cidr, test_allowed_hosts_accepts_ip_cidr, cidr_without_port_uses_scheme_default, ipv6_cidr_* */
        {"*://127.0.0.1/24:63551", "tcp", "127.0.0.1", 63551, true},
        {"*://127.0.0.1/24:63551", "tcp", "127.0.0.255", 63551, true},
        {"*://127.0.0.1/24:63551", "tcp", "127.0.1.0", 63551, false},
        {"*://127.0.0.0/24:80", "tcp", "localhost", 80, false},
        {"*://127.0.0.0/24:80", "tcp", "127.0.0.1.example", 80, false},
        {"*://ff00::/8:80", "udp", "[ff02::1]", 80, true},
        {"http://ff00::/8", "http", "[ff02::1]", 80, true},
        {"http://::1/128", "http", "[::1]", 80, true},
        {"http://10.0.0.0/8", "http", "10.255.0.1", OWN, true},
        {"http://10.0.0.0/8", "http", "11.0.0.1", OWN, false},
        {"http://0.0.0.0/0", "http", "11.0.0.1", OWN, true},
        {"http://2001:db8::/32:443", "http", "[2001:db8:abcd::1]", 443, true},
        {"http://2001:db8::/32", "http", "[2001:db8::1]", OWN, true},
        {"http://2001:db8::/32", "http", "[2001:db9::1]", OWN, false},
        /* HostConfig::allows: self is for relative URLs alone, and the name "self" is not that; "self/" is the name */
        {"http://self", "http", "self", 80, false},
        {"http://self/", "http", "self", 80, true},
        /* What a URL's host cannot have */
        {"http://example.com", "http", "user@example.com", 80, false},
        {"http://example.com", "http", "example.com/", 80, false},
        {"http://*.example.com", "http", "evil.net#.example.com", 80, false},
        {"http://*.example.com", "http", "evil.net%2F.example.com", 80, false},
        {"http://*.example.com", "http", "evil.net\n.example.com", 80, false},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        weir_outbound_hosts_t hosts = parse_right(CASES[i].entry);
        if (weir_outbound_hosts_allow(&hosts, CASES[i].scheme, CASES[i].host, CASES[i].port) != CASES[i].allowed)
            fail_msg("\"%s\" and %s://%s port %d: must be %d", CASES[i].entry, CASES[i].scheme, CASES[i].host,
                CASES[i].port, CASES[i].allowed);
        weir_outbound_hosts_free(&hosts);
        assert_null(hosts.entries);
    }
}

static void nothing_is_allowed_without_an_entry(void **state)
{
    (void)state;
    weir_outbound_hosts_t hosts = {0};
    assert_false(weir_outbound_hosts_allow(&hosts, "http", "localhost", 80));
    assert_false(weir_outbound_hosts_allow_self(&hosts));
}

/* Spin's HostConfig::allows_relative, asked with http and https (crates/factor-outbound-http/src/wasi.rs) */
static void self_requests_need_self_or_any_host(void **state)
{
    (void)state;
    static const struct {
        const char *entry;
        bool allowed;
    } CASES[] = {
        {"http://self", true},
        {"https://self", true},
        {"http://self.alt", true},
        {"*://self:*", true},
        {"http://self:8080", true},
        {"http://*", true},
        {"*://*:*", true},
        {"redis://self", false},
        {"redis://*", false},
        {"http://localhost", false},
        {"http://self/", false},
        {"http://*.self", false},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        weir_outbound_hosts_t hosts = parse_right(CASES[i].entry);
        if (weir_outbound_hosts_allow_self(&hosts) != CASES[i].allowed)
            fail_msg("%s: must be %d", CASES[i].entry, CASES[i].allowed);
        weir_outbound_hosts_free(&hosts);
    }
}

/* expand_wildcard_service_chaining_lists_all_components, _leaves_others_untouched */
static void the_chaining_wildcard_stands_for_the_components(void **state)
{
    (void)state;
    weir_outbound_hosts_t hosts = parse_right("http://*.spin.internal");
    assert_true(weir_outbound_hosts_allow(&hosts, "http", "first.spin.internal", 80));
    assert_true(weir_outbound_hosts_allow(&hosts, "http", "third.spin.internal", WEIR_PORT_OF_SCHEME));
    assert_false(weir_outbound_hosts_allow(&hosts, "http", "fourth.spin.internal", 80));
    assert_false(weir_outbound_hosts_allow(&hosts, "http", "a.first.spin.internal", 80));
    assert_false(weir_outbound_hosts_allow(&hosts, "http", "spin.internal", 80));
    assert_false(weir_outbound_hosts_allow(&hosts, "https", "first.spin.internal", 443));
    assert_false(weir_outbound_hosts_allow(&hosts, "http", "first.spin.internal", 8080));
    weir_outbound_hosts_free(&hosts);

    hosts = parse_right("http://second.spin.internal");
    assert_true(weir_outbound_hosts_allow(&hosts, "http", "second.spin.internal", 80));
    assert_false(weir_outbound_hosts_allow(&hosts, "http", "first.spin.internal", 80));
    weir_outbound_hosts_free(&hosts);
}

/* parse_service_chaining_host */
static void a_chained_host_names_its_component(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        bool is_chaining;
        size_t component;
    } CASES[] = {
        {"first.spin.internal", true, 0},
        {"third.spin.internal:3000", true, 2},
        {"other.spin.internal", true, WEIR_NO_COMPONENT},
        {"spin.internal", false, WEIR_NO_COMPONENT},
        {".spin.internal", false, WEIR_NO_COMPONENT},
        {"a.first.spin.internal", false, WEIR_NO_COMPONENT},
        {"first.spin.internal.example", false, WEIR_NO_COMPONENT},
        {"first.spin.internalx", false, WEIR_NO_COMPONENT},
        {"first", false, WEIR_NO_COMPONENT},
        {"", false, WEIR_NO_COMPONENT},
        {"[::1]", false, WEIR_NO_COMPONENT},
    };
    application_t application;
    make(&application);
    for (size_t i = 0; i < COUNT(CASES); i++) {
        bool is_chaining = !CASES[i].is_chaining;
        assert_int_equal(
            weir_outbound_hosts_chained(&application.manifest, CASES[i].host, &is_chaining), CASES[i].component);
        assert_int_equal(is_chaining, CASES[i].is_chaining);
    }
}

/* allowed_hosts_ignores_empty_due_to_empty_variables, bad_variables_make_hosts_invalid */
static void what_variables_leave_empty_is_dropped_and_their_values_are_in_no_message(void **state)
{
    (void)state;
    static const char *const EMPTY[] = {"", "http://", "https://"};
    for (size_t i = 0; i < COUNT(EMPTY); i++) {
        weir_outbound_hosts_t hosts;
        char *message = NULL;
        assert_true(parse("https://{{ one }}", EMPTY[i], &hosts, &message));
        assert_int_equal(hosts.count, 0);
        weir_outbound_hosts_free(&hosts);
    }
    weir_outbound_hosts_t hosts;
    char *message = NULL;
    assert_false(parse("http://{{ dbhost }}", "http://zoinks, Scooby!", &hosts, &message));
    assert_string_equal(message, "spin.toml:3:7: \"http://{{ dbhost }}\" of allowed_outbound_hosts, with the values of "
                                 "its variables, has a character that no host name has");
    free(message);
}

/* validate_service_chaining_for_components_fails and …_with_templated_host_passes
 * (crates/factor-outbound-networking/src/allowed_hosts.rs) */
static void a_selection_holds_all_that_its_components_call(void **state)
{
    (void)state;
    static char *const ANOTHER[] = {"https://example.com", "http://third.spin.internal"};
    static char *const ANY[] = {"http://*.spin.internal"};
    static char *const TEMPLATE[] = {"http://{{ host }}.spin.internal"};
    application_t application;
    char *message = NULL;
    make(&application);
    give(&application, 0, ANOTHER, 2);
    assert_true(weir_outbound_hosts_check_selection(&application.manifest, 0, (bool[]){true, false, true}, &message));
    assert_false(weir_outbound_hosts_check_selection(&application.manifest, 0, (bool[]){true, true, false}, &message));
    assert_string_equal(message, "spin.toml:12:30: the selected component \"first\" calls one that is not selected "
                                 "(\"http://third.spin.internal\"); select that with --component-id too");
    free(message);
    give(&application, 0, ANY, 1);
    assert_false(weir_outbound_hosts_check_selection(&application.manifest, 0, (bool[]){true, true, false}, &message));
    assert_string_equal(message, "spin.toml:12:30: the selected component \"first\" may call every other "
                                 "(\"http://*.spin.internal\"), but not all of them are selected; name those it calls, "
                                 "and select them with --component-id");
    free(message);
    give(&application, 0, TEMPLATE, 1);
    assert_true(weir_outbound_hosts_check_selection(&application.manifest, 0, (bool[]){true, false, false}, &message));
}

/* The line of the log and the line to add: disallowed_host_handler in crates/runtime-factors/src/lib.rs */
static void a_denial_names_the_line_to_add(void **state)
{
    (void)state;
    static const struct {
        const char *scheme;
        const char *host;
        int port;
        const char *destination;
    } CASES[] = {
        {"http", "example.com", 80, "http://example.com"},
        {"http", "example.com", WEIR_PORT_OF_SCHEME, "http://example.com"},
        {"https", "example.com", 443, "https://example.com"},
        {"https", "example.com", 80, "https://example.com:80"},
        {"tcp", "127.0.0.1", 5432, "tcp://127.0.0.1:5432"},
        {"udp", "::1", 53, "udp://[::1]:53"},
        {"http", "[::1]", 8080, "http://[::1]:8080"},
        {"http", "self", WEIR_PORT_OF_SCHEME, "http://self"},
        {"http", "a\nb", 80, "http://a\\nb"},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        application_t application;
        weir_outbound_denial_t denial;
        char wanted[256];
        make(&application);
        weir_outbound_hosts_describe_denial(
            &application.manifest, 1, CASES[i].scheme, CASES[i].host, CASES[i].port, &denial);
        snprintf(wanted, sizeof wanted, "Outbound network destination not allowed: %s", CASES[i].destination);
        assert_string_equal(denial.log, wanted);
        snprintf(wanted, sizeof wanted,
            "To allow this, add allowed_outbound_hosts = [\"%s\"] to component \"second\" at spin.toml:9:12",
            CASES[i].destination);
        assert_string_equal(denial.hint, wanted);
        static char *const OTHER[] = {"http://other.example"};
        give(&application, 1, OTHER, 1);
        weir_outbound_hosts_describe_denial(
            &application.manifest, 1, CASES[i].scheme, CASES[i].host, CASES[i].port, &denial);
        snprintf(wanted, sizeof wanted,
            "To allow this, add \"%s\" to allowed_outbound_hosts of component \"second\" at spin.toml:12:1",
            CASES[i].destination);
        assert_string_equal(denial.hint, wanted);
    }
}

static void bounds_are_held(void **state)
{
    (void)state;
    static char name[WEIR_OUTBOUND_TEXT_MAX + 64];
    application_t application;
    make(&application);
    char *message = NULL;
    weir_outbound_hosts_t hosts;

    /* The longest name, and one more; of a name with no end, nothing is read beyond the bound. */
    memset(name, 'a', sizeof name);
    memcpy(name, "http://", 7);
    name[7 + 254] = '\0';
    hosts = parse_right(name);
    assert_true(weir_outbound_hosts_allow(&hosts, "http", name + 7, 80));
    weir_outbound_hosts_free(&hosts);
    name[7 + 254] = 'a';
    name[7 + 255] = '\0';
    assert_false(parse(name, name, &hosts, &message));
    assert_non_null(strstr(message, "has a name that is too long for DNS"));
    free(message);
    name[7 + 255] = 'a';
    name[sizeof name - 1] = '\0';
    assert_false(parse(name, name, &hosts, &message));
    assert_non_null(strstr(message, "is longer than any host"));
    free(message);
    hosts = parse_right("*://*:*");
    assert_false(weir_outbound_hosts_allow(&hosts, "http", name + 7, 80));
    assert_true(weir_outbound_hosts_allow(&hosts, name, "a", WEIR_PORT_OF_SCHEME));
    weir_outbound_hosts_free(&hosts);

    static weir_outbound_text_t texts[WEIR_OUTBOUND_HOSTS_MAX + 1];
    for (size_t i = 0; i < COUNT(texts); i++)
        texts[i] = (weir_outbound_text_t){"http://a", "http://a", {9, 2}, false};
    assert_true(weir_outbound_hosts_parse(&application.manifest, texts, WEIR_OUTBOUND_HOSTS_MAX, &hosts, &message));
    assert_int_equal(hosts.count, WEIR_OUTBOUND_HOSTS_MAX);
    weir_outbound_hosts_free(&hosts);
    assert_false(weir_outbound_hosts_parse(&application.manifest, texts, COUNT(texts), &hosts, &message));
    assert_string_equal(message, "spin.toml:9:2: allowed_outbound_hosts has 1025 entries; the most is 1024");
    free(message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_that_spin_refuses_are_refused_with_place_and_remedy),
        cmocka_unit_test(an_entry_allows_what_spin_allows),
        cmocka_unit_test(nothing_is_allowed_without_an_entry),
        cmocka_unit_test(self_requests_need_self_or_any_host),
        cmocka_unit_test(the_chaining_wildcard_stands_for_the_components),
        cmocka_unit_test(a_chained_host_names_its_component),
        cmocka_unit_test(what_variables_leave_empty_is_dropped_and_their_values_are_in_no_message),
        cmocka_unit_test(a_selection_holds_all_that_its_components_call),
        cmocka_unit_test(a_denial_names_the_line_to_add),
        cmocka_unit_test(bounds_are_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
