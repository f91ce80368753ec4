/*
 * test_options.c: the command line of `weir up`, the variables of Spin's allocator, and the bounds that follow from
 * limits.
 */
#include "cli/bounds.h"
#include "cli/options.h"
#include "cli/spin_variables.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ARGUMENTS = 8 };

/* Parse words, from a copy so that nothing can rely on where they are; `environment` may be NULL. */
static bool parse(char *arguments[ARGUMENTS + 2], const char *const *words, char *const *environment,
    weir_up_options_t *ret_options, char **ret_message)
{
    int count = 0;
    arguments[count++] = strdup("up");
    for (size_t i = 0; i < ARGUMENTS && words[i] != NULL; i++) {
        arguments[count++] = strdup(words[i]);
    }
    arguments[count] = NULL;
    return weir_up_options_parse(count, arguments, environment, ret_options, ret_message);
}

static void free_arguments(char **arguments)
{
    for (size_t i = 0; arguments[i] != NULL; i++) {
        free(arguments[i]);
    }
}

/* The options as text: each that differs from its default, by name. */
static void describe(const weir_up_options_t *options, char *text, size_t size)
{
    FILE *out = fmemopen(text, size, "w");
    assert_non_null(out);
    const struct {
        const char *name;
        bool value;
    } flags[] = {{"help", options->help}, {"build", options->build}, {"trap", options->trap_unknown_imports},
        {"find-free-port", options->find_free_port}, {"json", options->json}, {"quiet", options->quiet},
        {"truncate-logs", options->truncate_logs}, {"allow-transient-write", options->allow_transient_write},
        {"direct-mounts", options->direct_mounts}, {"disable-pooling", options->disable_pooling},
        {"no-trial-requests", options->no_trial_requests}, {"decide-anew", options->decide_anew},
        {"disable-cache", options->disable_cache}};
    const struct {
        const char *name;
        const char *value;
        const char *usual;
    } texts[] = {{"application", options->application, "."}, {"config", options->runtime_config_file, NULL},
        {"listen", options->listen, "127.0.0.1:3000"}, {"cert", options->tls_certificate, NULL},
        {"key", options->tls_key, NULL}, {"log-dir", options->log_dir, NULL}, {"state-dir", options->state_dir, NULL},
        {"temp", options->temp, NULL}, {"cache", options->cache, NULL}};
    const struct {
        const char *name;
        const weir_texts_t *value;
    } lists[] = {{"components", &options->components}, {"environment", &options->environment},
        {"variables", &options->variables}, {"follow", &options->follow}};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (texts[i].value != NULL && (texts[i].usual == NULL || strcmp(texts[i].value, texts[i].usual) != 0)) {
            fprintf(out, "%s=%s ", texts[i].name, texts[i].value);
        }
    }
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        for (size_t k = 0; k < lists[i].value->count; k++) {
            fprintf(out, "%s+=%s ", lists[i].name, lists[i].value->items[k]);
        }
    }
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        fprintf(out, "%s%s", flags[i].value ? flags[i].name : "", flags[i].value ? " " : "");
    }
    if (options->request_timeout_milliseconds != 30000) {
        fprintf(out, "timeout=%llu ", (unsigned long long)options->request_timeout_milliseconds);
    }
    if (options->time_slice_milliseconds != 0) {
        fprintf(out, "slice=%u ", (unsigned)options->time_slice_milliseconds);
    }
    if (options->max_concurrency != 0) {
        fprintf(out, "concurrency=%u ", (unsigned)options->max_concurrency);
    }
    const weir_reuse_t *reuse = &options->reuse;
    const struct {
        const char *name;
        const uint32_t *value;
        uint32_t usual;
    } reuses[] = {{"reuse", reuse->requests, 128}, {"concurrent", reuse->concurrent_requests, 16},
        {"idle", reuse->idle_milliseconds, 1000}};
    for (size_t i = 0; i < sizeof(reuses) / sizeof(reuses[0]); i++) {
        if (reuses[i].value[0] != reuses[i].usual || reuses[i].value[1] != reuses[i].usual) {
            fprintf(out, "%s=%u-%u ", reuses[i].name, (unsigned)reuses[i].value[0], (unsigned)reuses[i].value[1]);
        }
    }
    if (options->max_instance_memory_bytes != 0) {
        fprintf(out, "memory=%llu ", (unsigned long long)options->max_instance_memory_bytes);
    }
    fclose(out);
}

/* Options and their variables as Spin has them: src/commands/up.rs, crates/trigger/src/cli.rs,
 * crates/trigger-http/src/lib.rs and crates/runtime-factors/src/lib.rs. */
static const struct {
    const char *words[ARGUMENTS];
    const char *environment[3];
    const char *described;
} good_rows[] = {
    {{NULL}, {NULL}, ""},
    {{"app"}, {NULL}, "application=app "},
    {{"-f", "app"}, {NULL}, "application=app "},
    {{"-fapp"}, {NULL}, "application=app "},
    {{"-f=app"}, {NULL}, "application=app "},
    {{"--from", "app"}, {NULL}, "application=app "},
    {{"--from-file=app"}, {NULL}, "application=app "},
    {{"--file", "app"}, {NULL}, "application=app "},
    {{"--", "-f"}, {NULL}, "application=-f "},
    {{"-"}, {NULL}, "application=- "},
    {{NULL}, {"SPIN_HTTP_LISTEN_ADDR=[::]:1"}, "listen=[::]:1 "},
    {{NULL}, {"SPIN_HTTP_LISTEN_ADDR="}, ""},
    {{NULL}, {"SPIN_HTTP_LISTEN_ADDRESS=x:1"}, ""},
    {{"--listen", "a:1"}, {"SPIN_HTTP_LISTEN_ADDR=b:2"}, "listen=a:1 "},
    {{"--listen=a:1", "x"}, {NULL}, "application=x listen=a:1 "},
    {{"--listen=a:1", "--listen", "b:2"}, {NULL}, "listen=b:2 "},
    {{"x", "--request-timeout", "2s"}, {NULL}, "application=x timeout=2000 "},
    {{"--request-timeout", "2"}, {NULL}, "timeout=2000 "},
    {{"--time-slice", "2ms"}, {NULL}, "slice=2 "},
    {{"--time-slice=1s"}, {NULL}, "slice=1000 "},
    {{"--time-slice", "0"}, {NULL}, "slice=4294967295 "},
    {{"--quiet", "--disable-pooling", "--max-concurrency", "7"}, {NULL}, "quiet disable-pooling concurrency=7 "},
    {{"-q"}, {NULL}, "quiet "},
    {{"--sh"}, {NULL}, "quiet "},
    {{"--shush"}, {NULL}, "quiet "},
    {{"-qh"}, {NULL}, "help quiet "},
    {{"--max-instance-memory", "65536"}, {NULL}, "memory=65536 "},
    {{"--max-instance-memory=64KiB"}, {NULL}, "memory=65536 "},
    {{"--max-instance-memory", "4GiB"}, {NULL}, "memory=4294967296 "},
    {{NULL}, {"SPIN_MAX_INSTANCE_MEMORY=1MiB"}, "memory=1048576 "},
    {{"--max-instance-memory=64KiB"}, {"SPIN_MAX_INSTANCE_MEMORY=nonsense"}, "memory=65536 "},
    {{"--max-instance-reuse-count", "1"}, {NULL}, "reuse=1-1 "},
    {{"--max-instance-reuse-count=1..8"}, {NULL}, "reuse=1-7 "},
    {{"--max-instance-reuse-count=4294967295"}, {NULL}, "reuse=4294967295-4294967295 "},
    {{"--max-instance-concurrent-reuse-count", "2..4"}, {NULL}, "concurrent=2-3 "},
    {{"--idle-instance-timeout", "0"}, {NULL}, "idle=0-0 "},
    {{"--idle-instance-timeout", "2"}, {NULL}, "idle=2000-2000 "},
    {{"--idle-instance-timeout", "500ms..8s"}, {NULL}, "idle=500-7999 "},
    {{"--no-trial-requests"}, {NULL}, "no-trial-requests "},
    {{"--decide-anew"}, {NULL}, "decide-anew "},
    {{"--help"}, {NULL}, "help "},
    {{"-h"}, {NULL}, "help "},
    {{"-c", "one", "--component-id=two", "-cthree"}, {NULL}, "components+=one components+=two components+=three "},
    {{"-e", "A=B", "--env", "C=D=E", "-eF="}, {NULL}, "environment+=A=B environment+=C=D=E environment+=F= "},
    {{"--variable", "a=b", "--variable=@f.json"}, {NULL}, "variables+=a=b variables+=@f.json "},
    {{"--follow", "a", "--follow=b"}, {NULL}, "follow+=a follow+=b "},
    {{"-L", "d"}, {NULL}, "log-dir=d "},
    {{"--log-dir="}, {"SPIN_LOG_DIR=d"}, "log-dir= "},
    {{NULL}, {"SPIN_LOG_DIR=d"}, "log-dir=d "},
    {{NULL}, {"SPIN_LOG_DIR="}, "log-dir= "},
    {{"--truncate-logs", "--state-dir", ""}, {NULL}, "state-dir= truncate-logs "},
    {{"--allow-transient-write", "--direct-mounts", "--temp", "t"}, {NULL},
        "temp=t allow-transient-write direct-mounts "},
    {{"--tmp=t"}, {NULL}, "temp=t "},
    {{"--find-free-port", "--format", "json"}, {NULL}, "find-free-port json "},
    {{"--format=json", "--format=plain"}, {NULL}, ""},
    {{"--build"}, {NULL}, "build "},
    {{NULL}, {"SPIN_ALWAYS_BUILD=TRUE"}, "build "},
    {{NULL}, {"SPIN_ALWAYS_BUILD=off"}, ""},
    {{"--trap-unknown-imports"}, {NULL}, "trap "},
    {{"--runtime-config-file", "c.toml"}, {"RUNTIME_CONFIG_FILE=d.toml"}, "config=c.toml "},
    {{NULL}, {"RUNTIME_CONFIG_FILE=d.toml"}, "config=d.toml "},
    {{"--disable-cache"}, {NULL}, "disable-cache "},
    {{NULL}, {"DISABLE_WASMTIME_CACHE=yes"}, "disable-cache "},
    {{"--cache", "c"}, {"DISABLE_WASMTIME_CACHE=0"}, "cache=c "},
    {{NULL}, {"WASMTIME_CACHE_FILE=c"}, "cache=c "},
    {{"--tls-cert", "c", "--tls-key", "k"}, {NULL}, "cert=c key=k "},
    {{"--tls-cert", "c"}, {"SPIN_TLS_KEY=k"}, "cert=c key=k "},
    {{NULL}, {"SPIN_TLS_CERT=c", "SPIN_TLS_KEY=k"}, "cert=c key=k "},
};

static void test_what_is_given_is_taken(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(good_rows) / sizeof(good_rows[0]); i++) {
        char *arguments[ARGUMENTS + 2];
        char *environment[] = {
            (char *)(uintptr_t)good_rows[i].environment[0], (char *)(uintptr_t)good_rows[i].environment[1], NULL};
        weir_up_options_t options;
        char *message = NULL;
        char described[512] = "";
        if (!parse(arguments, good_rows[i].words, environment, &options, &message)) {
            fail_msg("row %zu: %s", i, message);
        }
        describe(&options, described, sizeof(described));
        if (strcmp(described, good_rows[i].described) != 0) {
            fail_msg("row %zu: '%s', not '%s'", i, described, good_rows[i].described);
        }
        weir_up_options_free(&options);
        free_arguments(arguments);
    }
}

static const struct {
    const char *words[ARGUMENTS];
    const char *environment[2];
    const char *found[3];
} bad_rows[] = {
    {{"--surprise"}, {NULL}, {"'--surprise'", "weir up --help"}},
    {{"--surprise=1"}, {NULL}, {"'--surprise'"}},
    {{"--lisen", "x"}, {NULL}, {"'--lisen'", "did you mean --listen?"}},
    {{"--componentid=x"}, {NULL}, {"'--componentid'", "did you mean --component-id?"}},
    {{"--max_concurrency=1"}, {NULL}, {"did you mean --max-concurrency?"}},
    {{"-x"}, {NULL}, {"'-x'"}},
    {{"app", "-xyz"}, {NULL}, {"'-x'"}},
    {{"-qx"}, {NULL}, {"'-x'"}},
    {{"--listen"}, {NULL}, {"--listen", "value"}},
    {{"-f"}, {NULL}, {"-f", "value"}},
    {{"--quiet=1"}, {NULL}, {"--quiet", "'=1'"}},
    {{"one", "two"}, {NULL}, {"'one'", "'two'"}},
    {{"-f", "one", "two"}, {NULL}, {"'one'", "'two'"}},
    {{""}, {NULL}, {"empty"}},
    {{"--request-timeout", "soon"}, {NULL}, {"'soon'", "2s"}},
    {{"--request-timeout", "1..8s"}, {NULL}, {"'1..8s'", "range"}},
    {{"--request-timeout", ""}, {NULL}, {"--request-timeout"}},
    {{"--request-timeout", "-1s"}, {NULL}, {"'-1s'"}},
    {{"--time-slice", "1001ms"}, {NULL}, {"'1001ms'", "1ms", "1s"}},
    {{"--time-slice", "0ms"}, {NULL}, {"'0ms'", "0,"}},
    {{"--max-concurrency", "0"}, {NULL}, {"'0'"}},
    {{"--max-concurrency", "100001"}, {NULL}, {"'100001'"}},
    {{"--max-concurrency", "9x"}, {NULL}, {"'9x'"}},
    {{"--max-instance-reuse-count", "0"}, {NULL}, {"'0'", "from 1 on"}},
    {{"--max-instance-reuse-count", "4294967296"}, {NULL}, {"'4294967296'"}},
    {{"--max-instance-reuse-count", "8..8"}, {NULL}, {"'8..8'", "1..8"}},
    {{"--max-instance-reuse-count", "..8"}, {NULL}, {"'..8'"}},
    {{"--max-instance-concurrent-reuse-count", "1..2..3"}, {NULL}, {"'1..2..3'"}},
    {{"--idle-instance-timeout", "25h"}, {NULL}, {"'25h'", "24h"}},
    {{"--idle-instance-timeout", "1s..1ms"}, {NULL}, {"'1s..1ms'"}},
    {{"--max-instance-memory", "0"}, {NULL}, {"'0'", "64KiB"}},
    {{"--max-instance-memory", "65535"}, {NULL}, {"'65535'"}},
    {{"--max-instance-memory", "63KiB"}, {NULL}, {"'63KiB'"}},
    {{"--max-instance-memory", "5GiB"}, {NULL}, {"'5GiB'"}},
    {{"--max-instance-memory", "99999999999999999999"}, {NULL}, {"--max-instance-memory"}},
    {{"--max-instance-memory", "64MB"}, {NULL}, {"'64MB'", "MiB"}},
    {{NULL}, {"SPIN_MAX_INSTANCE_MEMORY=much"}, {"SPIN_MAX_INSTANCE_MEMORY is 'much'"}},
    {{"-e", "A"}, {NULL}, {"what -e gives has no '='", "GREETING=hello"}},
    {{"--env", "=B"}, {NULL}, {"what --env gives has no name before its '='"}},
    {{"--format", "yaml"}, {NULL}, {"'yaml'", "plain or json"}},
    {{"--quiet", "--follow", "a"}, {NULL}, {"--quiet and --follow contradict"}},
    {{"--follow", "a", "--sh"}, {NULL}, {"--sh and --follow contradict"}},
    {{"--disable-cache", "--cache", "c"}, {NULL}, {"--disable-cache and --cache contradict"}},
    {{"--disable-cache"}, {"WASMTIME_CACHE_FILE=c"}, {"--disable-cache and WASMTIME_CACHE_FILE contradict"}},
    {{NULL}, {"DISABLE_WASMTIME_CACHE=maybe"}, {"DISABLE_WASMTIME_CACHE is 'maybe'", "1 or 0"}},
    {{"--tls-cert", "x"}, {NULL}, {"--tls-cert was given without --tls-key"}},
    {{"--tls-key", "x"}, {NULL}, {"--tls-key was given without --tls-cert"}},
    {{NULL}, {"SPIN_TLS_CERT=x"}, {"without --tls-key"}},
    {{"--sqllite", "x"}, {NULL}, {"did you mean --sqlite?"}},
    {{"--sqlite", "x"}, {NULL}, {"--sqlite is an option of Spin", "there is no SQLite yet"}},
    {{"--key-value=a"}, {NULL}, {"--key-value", "'='"}},
    {{"--key-value", "=b"}, {NULL}, {"--key-value", "key before"}},
    {{"-k"}, {NULL}, {"-k is an option of Spin", "registry"}},
    {{"--http1-max-buf-size", "8192"}, {NULL}, {"--http1-max-buf-size is an option of Spin"}},
    {{"--profile", "debug"}, {NULL}, {"--profile is an option of Spin", "no build profiles"}},
    {{"--direct-mounts=true"}, {NULL}, {"--direct-mounts takes no value, and '=true' was given; leave that out"}},
};

static void test_what_is_wrong_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bad_rows) / sizeof(bad_rows[0]); i++) {
        char *arguments[ARGUMENTS + 2];
        char *environment[] = {(char *)(uintptr_t)bad_rows[i].environment[0], NULL};
        weir_up_options_t options = {.max_concurrency = 12345};
        char *message = NULL;
        if (parse(arguments, bad_rows[i].words, environment, &options, &message)) {
            fail_msg("row %zu was taken", i);
        }
        assert_int_equal(options.max_concurrency, 12345);
        assert_non_null(message);
        assert_null(strchr(message, '\n'));
        for (size_t word = 0; word < 3 && bad_rows[i].found[word] != NULL; word++) {
            if (strstr(message, bad_rows[i].found[word]) == NULL) {
                fail_msg("row %zu: '%s' is not in '%s'", i, bad_rows[i].found[word], message);
            }
        }
        free(message);
        free_arguments(arguments);
    }
}

/* Every option of `spin up` in Spin 4.1.0-pre0 but those hidden: it is either weir's or named as Spin's. */
static void test_no_option_of_spin_is_unknown(void **state)
{
    (void)state;
    static const char *const options[] = {"--from", "--profile", "--insecure", "--env", "--temp", "--cache-dir",
        "--direct-mounts", "--build", "--component-id", "--log-dir", "--truncate-logs", "--disable-cache", "--cache",
        "--disable-pooling", "--debug-info", "--follow", "--quiet", "--runtime-config-file",
        "--experimental-wasm-feature", "--state-dir", "--listen", "--tls-cert", "--tls-key", "--http1-max-buf-size",
        "--find-free-port", "--format", "--max-instance-reuse-count", "--max-instance-concurrent-reuse-count",
        "--request-timeout", "--idle-instance-timeout", "--allow-transient-write", "--experimental-wasi-otel",
        "--key-value", "--sqlite", "--max-instance-memory", "--variable", "--from-file", "--from-registry", "--file",
        "--sh", "--shush", "--tmp", "--help", "-h", "-f", "-k", "-e", "-c", "-L", "-q"};
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        char *arguments[ARGUMENTS + 2];
        const char *const words[] = {options[i], "1", NULL};
        weir_up_options_t parsed;
        char *message = NULL;
        if (parse(arguments, words, NULL, &parsed, &message)) {
            weir_up_options_free(&parsed);
        } else if (strstr(message, "unknown option") != NULL) {
            fail_msg("%s", message);
        }
        free(message);
        free_arguments(arguments);
    }
}

static void test_help_lists_every_option_and_its_variable(void **state)
{
    (void)state;
    static const char *const expected[] = {"  -f, --from APP", "  -c, --component-id ID", "  -e, --env NAME=VALUE",
        "      --listen ADDRESS", "[SPIN_HTTP_LISTEN_ADDR]", "[SPIN_TLS_CERT]", "[SPIN_TLS_KEY]", "[SPIN_LOG_DIR]",
        "[SPIN_MAX_INSTANCE_MEMORY]", "[RUNTIME_CONFIG_FILE]", "[SPIN_ALWAYS_BUILD]", "[DISABLE_WASMTIME_CACHE]",
        "[WASMTIME_CACHE_FILE]", "  -L, --log-dir DIRECTORY", "  -q, --quiet", "Serving:\n", "  -h, --help"};
    char *help = weir_up_options_help();
    assert_non_null(help);
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        if (strstr(help, expected[i]) == NULL) {
            fail_msg("'%s' is not in the help", expected[i]);
        }
    }
    assert_null(strstr(help, "--shush"));
    for (const char *line = help; *line != '\0'; line += strcspn(line, "\n") + 1) {
        if (strcspn(line, "\n") > 120) {
            fail_msg("longer than 120: %.*s", (int)strcspn(line, "\n"), line);
        }
    }
    free(help);
}

/* Spin's crates/core/src/lib.rs. */
static void test_variables_of_spins_allocator(void **state)
{
    (void)state;
    static const struct {
        const char *environment[3];
        bool fails;
        uint32_t instances;
        const char *said; /* in the note, or in the message */
    } rows[] = {
        {{NULL}, false, 0, NULL},
        {{"SPIN_MAX_INSTANCE_COUNT=12"}, false, 12, NULL},
        {{"SPIN_WASMTIME_INSTANCE_COUNT=5", "SPIN_MAX_INSTANCE_COUNT=12"}, false, 5, NULL},
        {{"SPIN_MAX_INSTANCE_COUNT="}, false, 0, NULL},
        {{"SPIN_MAX_INSTANCE_COUNT=some"}, true, 0, "SPIN_MAX_INSTANCE_COUNT is 'some'"},
        {{"SPIN_WASMTIME_INSTANCE_COUNT=0"}, true, 0, "SPIN_WASMTIME_INSTANCE_COUNT is '0'"},
        {{"SPIN_WASMTIME_TOTAL_MEMORIES=5"}, false, 0, "SPIN_WASMTIME_TOTAL_MEMORIES: without effect"},
        {{"SPIN_WASMTIME_TABLE_KEEP_RESIDENT=5", "SPIN_WASMTIME_INSTANCE_SIZE=1"}, false, 0,
            "SPIN_WASMTIME_INSTANCE_SIZE, SPIN_WASMTIME_TABLE_KEEP_RESIDENT: without effect"},
        {{"SPIN_HTTP1_MAX_BUF_SIZE=8192"}, false, 0,
            "SPIN_HTTP1_MAX_BUF_SIZE: without effect here; the head of a request may have 32 KiB"},
        {{"SPIN_HTTP1_MAX_BUF_SIZE="}, false, 0, NULL},
        {{"SPIN_HTTP1_MAX_BUF_SIZE=8192", "SPIN_WASMTIME_TOTAL_TABLES=5"}, false, 0,
            "or takes them from components; SPIN_HTTP1_MAX_BUF_SIZE: without effect here"},
        {{"SPIN_WASMTIME_POOLING=1"}, false, 0, NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *environment[] = {
            (char *)(uintptr_t)rows[i].environment[0], (char *)(uintptr_t)rows[i].environment[1], NULL};
        uint32_t instances = 4711;
        char *note = NULL;
        char *message = NULL;
        assert_int_equal(weir_spin_variables_read(environment, &instances, &note, &message), !rows[i].fails);
        assert_int_equal(instances, rows[i].fails ? 4711 : rows[i].instances);
        const char *said = rows[i].fails ? message : note;
        if (rows[i].said == NULL) {
            assert_null(said);
        } else if (said == NULL || strstr(said, rows[i].said) == NULL) {
            fail_msg("row %zu: '%s' is not in '%s'", i, rows[i].said, said);
        }
        free(note);
        free(message);
    }
}

static void test_durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t milliseconds; /* 0: none */
    } rows[] = {
        {"1ms", 1},
        {"500ms", 500},
        {"2s", 2000},
        {"1m", 60000},
        {"24h", 86400000},
        {"86400s", 86400000},
        {"86400000ms", 86400000},
        {"007s", 7000},
        {"", 0},
        {"s", 0},
        {"1", 1000},
        {"1us", 1},
        {"1001us", 2},
        {"1001\u03bcs", 2},
        {"1ns", 1},
        {"1000000ns", 1},
        {"1000001ns", 2},
        {"86400000000001ns", 0},
        {"0s", 0},
        {"0", 0},
        {"1 s", 0},
        {" 1s", 0},
        {"1s ", 0},
        {"+1s", 0},
        {"-1s", 0},
        {"1.5s", 0},
        {"1S", 0},
        {"1d", 0},
        {"25h", 0},
        {"86401s", 0},
        {"1sms", 0},
        {"soon", 0},
        {"99999999999999999999s", 0},
        {"18446744073709551617ms", 0},
        {"0x1s", 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t milliseconds = 4711;
        bool parsed = weir_duration_parse(rows[i].text, &milliseconds);
        if (parsed != (rows[i].milliseconds != 0) || milliseconds != (parsed ? rows[i].milliseconds : 4711)) {
            fail_msg("'%s' was taken for %d, %llu ms", rows[i].text, parsed, (unsigned long long)milliseconds);
        }
    }
}

static uint32_t connections_in(uint64_t descriptors, uint64_t address_space, uint64_t memory, bool tls)
{
    const weir_bounds_room_t room = {descriptors, address_space, memory};
    return weir_bounds_connections(&room, tls);
}

static void test_connections_fit_descriptors_address_space_and_memory(void **state)
{
    (void)state;
    const uint64_t mebibyte = 1024 * 1024;
    assert_int_equal(connections_in(65536, UINT64_MAX, UINT64_MAX, false), 49104);
    assert_int_equal(connections_in(13400, UINT64_MAX, 640 * mebibyte, false), 10002);
    assert_int_equal(connections_in(1024, UINT64_MAX, UINT64_MAX, false), 720);
    assert_int_equal(connections_in(64, UINT64_MAX, UINT64_MAX, false), 16);
    assert_int_equal(connections_in(0, 0, 0, false), 16);
    /* With those of guests they are fewer than there may be descriptors. */
    assert_int_equal(weir_bounds_outbound(UINT64_MAX), 4096);
    assert_int_equal(weir_bounds_outbound(1024), 128);
    assert_int_equal(weir_bounds_outbound(0), 16);
    for (uint64_t descriptors = 256; descriptors <= 65536; descriptors++)
        assert_true(
            connections_in(descriptors, UINT64_MAX, UINT64_MAX, false) + weir_bounds_outbound(descriptors) * 3 / 2 <
            descriptors);
    /* In 400 MiB they take a sixteenth at most, each with all that one may hold: two heads' worth of a response, 64 KiB
       of its body, 64 KiB of input, a head, trailers; with TLS 98 KiB more. */
    uint32_t connections = connections_in(65536, 400 * mebibyte, UINT64_MAX, false);
    uint32_t secured = connections_in(65536, 400 * mebibyte, UINT64_MAX, true);
    assert_in_range(connections, 50, 25 * 1024 / (2 * 128 + 64 + 64 + 32 + 8));
    assert_in_range(secured, 40, 25 * 1024 / (2 * 128 + 64 + 64 + 32 + 8 + 98));
    assert_true(secured < connections);
    assert_true(connections_in(65536, 1024 * mebibyte, UINT64_MAX, false) > connections);
    /* Idle ones take an eighth of the memory: 8 KiB each, with TLS 16 KiB. */
    assert_int_equal(connections_in(65536, UINT64_MAX, 64 * mebibyte, false), 1024);
    assert_int_equal(connections_in(65536, UINT64_MAX, 64 * mebibyte, true), 512);
    /* More than the loops' own, and few enough for the usual soft limit of 1,024 on a machine with 128 processors. */
    assert_true(weir_bounds_descriptors(1) > 16);
    assert_true(weir_bounds_descriptors(128) < 1024);
}

static void test_memory_that_is_not_known_is_not_without_end(void **state)
{
    (void)state;
    const uint64_t mebibyte = 1024 * 1024;
    const weir_fact_t unknown = {.knowledge = WEIR_UNKNOWN};
    const weir_fact_t small = {.knowledge = WEIR_KNOWN, .value = 64 * mebibyte};
    const weir_fact_t large = {.knowledge = WEIR_KNOWN, .value = 640 * mebibyte};
    const struct {
        weir_fact_t machine;
        weir_fact_t group;
        uint32_t connections;
    } cases[] = {{unknown, unknown, 4096}, {unknown, small, 1024}, {unknown, large, 4096}, {large, unknown, 10240},
        {large, small, 1024}, {small, large, 1024}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        weir_facts_t facts = {.memory_total = cases[i].machine, .cgroup_limit = cases[i].group};
        weir_bounds_t bounds = {.room = {1 << 30, UINT64_MAX, UINT64_MAX}};
        weir_bounds_fit_memory(&facts, &bounds);
        assert_int_equal(bounds.connections, cases[i].connections);
    }
    assert_int_equal(connections_in(1 << 30, UINT64_MAX, UINT64_MAX, false), 1000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_given_is_taken),
        cmocka_unit_test(test_what_is_wrong_is_named),
        cmocka_unit_test(test_no_option_of_spin_is_unknown),
        cmocka_unit_test(test_help_lists_every_option_and_its_variable),
        cmocka_unit_test(test_variables_of_spins_allocator),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_connections_fit_descriptors_address_space_and_memory),
        cmocka_unit_test(test_memory_that_is_not_known_is_not_without_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
