/*
 * test_runtime_config.c: Spin's runtime configuration: what is read, what is named as not served, what is wrong; and
 * the file of Wasmtime's cache.
 */
#include "app/cache_config.h"
#include "app/runtime_config.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* cmocka.h wants the others before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
/* clang-format on */

static bool parse(const char *text, weir_runtime_config_t *ret_config, char **ret_message)
{
    return weir_runtime_config_parse("run.toml", text, strlen(text), ret_config, ret_message);
}

/* Keys as in Spin's crates/runtime-config/src/lib.rs and crates/factor-outbound-networking/src/runtime_config/spin.rs.
 */
static void test_what_is_served_is_read(void **state)
{
    (void)state;
    weir_runtime_config_t config;
    char *message = NULL;
    assert_true(parse("state_dir = \"state\"\nlog_dir = \"\"\nmax_instance_memory = 1048576\n"
                      "[outbound_networking]\nblock_networks = [\"1.1.1.1/32\", \"private\"]\n",
        &config, &message));
    assert_string_equal(config.path, "run.toml");
    assert_string_equal(config.state_dir, "state");
    assert_string_equal(config.log_dir, "");
    assert_int_equal(config.max_instance_memory, 1048576);
    assert_int_equal(config.block_network_count, 2);
    assert_string_equal(config.block_networks[0].text, "1.1.1.1/32");
    assert_string_equal(config.block_networks[1].text, "private");
    assert_int_equal(config.block_networks[1].place.line, 5);
    assert_int_equal(config.warning_count, 0);
    weir_runtime_config_free(&config);
    assert_true(parse("", &config, &message));
    assert_null(config.state_dir);
    assert_null(config.log_dir);
    assert_int_equal(config.max_instance_memory, 0);
    assert_int_equal(config.block_network_count, 0);
    weir_runtime_config_free(&config);
}

/* Spin's crates/factor-outbound-http/src/runtime_config/spin.rs: the older key allows one more than it says. */
static void test_bounds_of_connections_are_read(void **state)
{
    (void)state;
    weir_runtime_config_t config;
    char *message = NULL;
    assert_true(parse("[outbound_http]\nmax_connections = 0\nconnection_pooling = false\n"
                      "[outbound_networking]\nmax_socket_connections = 7\n",
        &config, &message));
    assert_true(config.http_connections.is_set);
    assert_int_equal(config.http_connections.most, 0);
    assert_true(config.no_connection_pooling);
    assert_true(config.sockets.is_set);
    assert_int_equal(config.sockets.most, 7);
    assert_int_equal(config.warning_count, 0);
    weir_runtime_config_free(&config);
    assert_true(parse("[outbound_http]\nmax_concurrent_requests = 0\n", &config, &message));
    assert_true(config.http_connections.is_set);
    assert_int_equal(config.http_connections.most, 1);
    assert_false(config.no_connection_pooling);
    assert_false(config.sockets.is_set);
    weir_runtime_config_free(&config);
}

static void test_what_spin_knows_and_weir_does_not_serve_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *found;
    } rows[] = {
        {"[sqlite_database.default]\ntype = \"spin\"\n", "\"sqlite_database\" is not served"},
        {"[llm_compute]\ntype = \"spin\"\n", "\"llm_compute\" is not served"},
        {"[outbound_http]\nmax_concurrent_requests = 5\n", "run.toml:2:1: \"max_concurrent_requests\" is old"},
        {"[outbound_redis]\nmax_connections = 5\n", "\"outbound_redis\" is not served"},
        {"[outbound_pg]\nmax_connections = 5\n", "\"outbound_pg\" is not served"},
        {"[outbound_mysql]\nmax_connections = 5\n", "\"outbound_mysql\" is not served"},
        {"[outbound_mqtt]\nmax_connections = 5\n", "\"outbound_mqtt\" is not served"},
        {"[outbound_networking]\nmax_total_connections = 5\n", "run.toml:2:1: \"max_total_connections\" is not served"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        weir_runtime_config_t config;
        char *message = NULL;
        if (!parse(rows[i].text, &config, &message))
            fail_msg("row %zu: %s", i, message);
        assert_int_equal(config.warning_count, 1);
        if (strstr(config.warnings[0], rows[i].found) == NULL)
            fail_msg("row %zu: '%s' is not in '%s'", i, rows[i].found, config.warnings[0]);
        weir_runtime_config_free(&config);
    }
}

static void test_what_is_wrong_is_named_with_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *found[2];
    } rows[] = {
        {"[[variables_provider]]\ntype = \"vault\"\n", {"run.toml:1:3: \"variables_provider\"", "--variable"}},
        {"[[config_provider]]\ntype = \"vault\"\n", {"\"config_provider\"", "SPIN_VARIABLE_"}},
        {"[[client_tls]]\nhosts = [\"a\"]\n", {"run.toml:1:3: \"client_tls\"", "leave it out"}},
        {"log_directory = \"x\"\n", {"run.toml:1:1: unknown key \"log_directory\"", "leave it out"}},
        {"logdir = \"x\"\n", {"unknown key \"logdir\"", "did you mean \"log_dir\"?"}},
        {"[outbound_networking]\nblock_network = []\n", {"run.toml:2:1:", "did you mean \"block_networks\"?"}},
        {"log_dir = 1\n", {"run.toml:1:11: \"log_dir\" must be a string", "an integer"}},
        {"state_dir = []\n", {"\"state_dir\" must be a string", NULL}},
        {"max_instance_memory = 65535\n", {"run.toml:1:23:", "65536"}},
        {"max_instance_memory = 4294967297\n", {"4294967296", NULL}},
        {"max_instance_memory = -1\n", {"65536", NULL}},
        {"max_instance_memory = \"1MiB\"\n", {"number of bytes", NULL}},
        {"outbound_networking = 1\n", {"[outbound_networking]", NULL}},
        {"[outbound_networking]\nblock_networks = \"private\"\n", {"run.toml:2:18:", "[\"private\"]"}},
        {"[outbound_networking]\nblock_networks = [\"private\", 1]\n", {"run.toml:2:30:", "an integer"}},
        {"outbound_http = 1\n", {"[outbound_http]", NULL}},
        {"[outbound_http]\nmax_connection = 1\n", {"run.toml:2:1:", "did you mean \"max_connections\"?"}},
        {"[outbound_http]\nmax_connections = -1\n", {"run.toml:2:19:", "from 0 to"}},
        {"[outbound_http]\nmax_connections = \"many\"\n", {"run.toml:2:19:", "from 0 to"}},
        {"[outbound_http]\nconnection_pooling = 1\n", {"run.toml:2:22:", "true or false"}},
        {"[outbound_http]\nmax_connections = 1\nmax_concurrent_requests = 1\n",
            {"run.toml:3:1:", "leave the latter out"}},
        {"[outbound_networking]\nmax_socket_connections = 1.5\n", {"run.toml:2:26:", "from 0 to"}},
        {"log_dir = \n", {"run.toml:1:", NULL}},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        weir_runtime_config_t config = {.max_instance_memory = 4711};
        char *message = NULL;
        if (parse(rows[i].text, &config, &message))
            fail_msg("row %zu was read", i);
        assert_int_equal(config.max_instance_memory, 4711);
        assert_non_null(message);
        assert_null(strchr(message, '\n'));
        for (size_t k = 0; k < 2 && rows[i].found[k] != NULL; k++) {
            if (strstr(message, rows[i].found[k]) == NULL)
                fail_msg("row %zu: '%s' is not in '%s'", i, rows[i].found[k], message);
        }
        free(message);
    }
}

/* It may hold what lets one into a database. */
static void test_no_line_of_it_is_shown(void **state)
{
    (void)state;
    weir_runtime_config_t config;
    char *message = NULL;
    assert_false(parse("[outbound_redis]\npassword = hunter2\n", &config, &message));
    assert_non_null(strstr(message, "run.toml:2:12: cannot be read as TOML: "));
    assert_null(strstr(message, "hunter2"));
    free(message);
}

static void test_a_file_that_cannot_be_read_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        const char *found;
    } rows[] = {{"/nonexistent/run.toml", "no such file"}, {"/", "/: "}, {"/dev/zero", "/dev/zero: "}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        weir_runtime_config_t config;
        char *message = NULL;
        assert_false(weir_runtime_config_load(rows[i].path, &config, &message));
        assert_non_null(message);
        assert_null(strchr(message, '\n'));
        if (strstr(message, rows[i].path) == NULL || strstr(message, rows[i].found) == NULL)
            fail_msg("row %zu: '%s' is not in '%s'", i, rows[i].found, message);
        free(message);
    }
}

/* Wasmtime: crates/cache/src/config.rs. */
static void test_the_file_of_the_cache_names_a_directory(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *directory;
        const char *said; /* NULL: it is fine */
    } rows[] = {
        {"[cache]\ndirectory = \"/var/cache/x\"\n", "/var/cache/x", NULL},
        {"[cache]\nfile-count-soft-limit = \"64K\"\ndirectory = \"/x\"\n", "/x", NULL},
        {"[cache]\n", NULL, NULL},
        {"", NULL, "[cache]"},
        {"directory = \"/x\"\n", NULL, ":1:1: the file has one table"},
        {"[cache]\n[more]\n", NULL, "one table"},
        {"[cache]\ndirectory = \"x\"\n", NULL, ":2:13: \"directory\" must be"},
        {"[cache]\ndirectory = 1\n", NULL, "absolute path"},
        {"[cache]\ndirektory = \"/x\"\n", NULL, "did you mean \"directory\"?"},
        {"[cache]\nenabled = true\n", NULL, ":2:1: unknown key \"enabled\""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char path[] = "/tmp/weir-cache-config-XXXXXX";
        int file = mkstemp(path);
        assert_true(file >= 0);
        assert_int_equal(write(file, rows[i].text, strlen(rows[i].text)), strlen(rows[i].text));
        close(file);
        char *directory = NULL;
        char *message = NULL;
        bool loaded = weir_cache_config_load(path, &directory, &message);
        unlink(path);
        if (loaded != (rows[i].said == NULL))
            fail_msg("row %zu: %s", i, message);
        if (!loaded && strstr(message, rows[i].said) == NULL)
            fail_msg("row %zu: '%s' is not in '%s'", i, rows[i].said, message);
        if (rows[i].directory == NULL)
            assert_null(directory);
        else
            assert_string_equal(directory, rows[i].directory);
        free(directory);
        free(message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_served_is_read),
        cmocka_unit_test(test_bounds_of_connections_are_read),
        cmocka_unit_test(test_what_spin_knows_and_weir_does_not_serve_is_named),
        cmocka_unit_test(test_what_is_wrong_is_named_with_its_place),
        cmocka_unit_test(test_no_line_of_it_is_shown),
        cmocka_unit_test(test_a_file_that_cannot_be_read_is_named),
        cmocka_unit_test(test_the_file_of_the_cache_names_a_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
