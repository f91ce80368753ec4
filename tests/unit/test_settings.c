/*
 * test_settings.c: from the text of a manifest to what its component is given: variables, hosts and files.
 */
#include "app/files.h"
#include "app/variables.h"
#include "manifest_support.h"
#include "temporary.h"

#include <sys/stat.h>

static char directory[] = "/tmp/weir-test-settings-XXXXXX";

static void write_file(const char *name, const char *text)
{
    char path[sizeof directory + 64];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static bool exists(const char *parent, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", parent, name);
    return access(path, F_OK) == 0;
}

static int make(void **state)
{
    (void)state;
    char path[sizeof directory + 16];
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/assets", directory);
    return mkdir(path, 0755);
}

static int clean(void **state)
{
    (void)state;
    return temporary_remove(directory);
}

#define VARIABLES                                                                                                      \
    "[variables]\n"                                                                                                    \
    "api_host = { default = \"api.example.com\" }\n"                                                                   \
    "api_token = { required = true, secret = true }\n"

static weir_manifest_t parse_manifest(const char *text)
{
    char path[sizeof directory + 16];
    snprintf(path, sizeof path, "%s/spin.toml", directory);
    return parse_text(path, text);
}

static void a_component_is_given_what_its_manifest_says(void **state)
{
    (void)state;
    weir_manifest_t manifest = parse_manifest(HEAD VARIABLES TRIGGER COMPONENT
        "variables = { url = \"https://{{ api_host }}/v1?token={{ api_token }}\" }\n"
        "allowed_outbound_hosts = [\"https://{{ api_host }}\", \"http://*.spin.internal\", \"http://self\"]\n"
        "files = [\"assets/*\", { source = \"assets\", destination = \"/other\" }]\n"
        "exclude_files = [\"**/*.map\"]\n");
    static char *environment[] = {"SPIN_VARIABLE_API_TOKEN=from the environment", NULL};
    weir_variable_list_t overrides = {0};
    weir_variables_t variables;
    weir_outbound_hosts_t hosts;
    weir_files_prepared_t files;
    weir_files_settings_t settings = {.temporary_directory = directory};
    char *message = NULL;
    write_file("assets/index.html", "<p>");
    write_file("assets/index.map", "{}");
    write_file(".env", "SPIN_VARIABLE_API_HOST=other.example.com\nSPIN_VARIABLE_API_TOKEN=no\n");

    assert_true(weir_variables_resolve(&manifest, &overrides, environment, &variables, &message));
    assert_string_equal(variables.components[0].variables[0].name, "url");
    assert_string_equal(
        variables.components[0].variables[0].value, "https://other.example.com/v1?token=from the environment");
    assert_true(weir_variables_outbound_hosts(&variables, 0, &hosts, &message));
    assert_true(weir_outbound_hosts_allow(&hosts, "https", "other.example.com", 443));
    assert_true(weir_outbound_hosts_allow(&hosts, "http", "hello.spin.internal", 80));
    assert_true(weir_outbound_hosts_allow_self(&hosts));
    assert_false(weir_outbound_hosts_allow(&hosts, "https", "api.example.com", 443));
    assert_true(weir_files_prepare(&manifest, &settings, &files, &message));
    const char *root = files.components[0].mounts[0].host_path;
    assert_true(exists(root, "assets/index.html") && exists(root, "other/index.html"));
    assert_false(exists(root, "assets/index.map") || exists(root, "other/index.map"));
    assert_false(exists(root, "hello.wasm"));

    assert_true(weir_files_remove(&files));
    weir_outbound_hosts_free(&hosts);
    weir_variables_free(&variables);
    weir_manifest_free(&manifest);
}

static void faults_are_said_where_the_manifest_has_them(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *message; /* behind the directory */
    } CASES[] = {
        {HEAD VARIABLES TRIGGER COMPONENT "variables = { url = \"{{ api_hots }}\" }\n",
            "/spin.toml:12:21: \"url\" of \"variables\" in [component.hello] names the variable "
            "\"api_hots\", which is not in [variables]; did you mean \"api_host\"?"},
        {HEAD VARIABLES TRIGGER COMPONENT
            "allowed_outbound_hosts = [\n  \"https://{{ api_host }}\",\n  \"{{ api_token }}\",\n]\n",
            "/spin.toml:14:3: \"{{ api_token }}\" of allowed_outbound_hosts, with the values of its variables, has no "
            "scheme; write https://HOST, or *://HOST:PORT for any scheme"},
        {HEAD VARIABLES TRIGGER COMPONENT "files = [\"none.txt\"]\n",
            "/spin.toml:12:10: \"none.txt\" in \"files\" does not exist; paths start from the manifest's directory; "
            "build the component first, if its build makes it"},
        {HEAD VARIABLES TRIGGER COMPONENT "files = [\"assets/*\"]\nexclude_files = [\"a[\"]\n",
            "/spin.toml:13:18: \"a[\" in \"exclude_files\" has a [ without its ]; write [[] for the character"},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        weir_manifest_t manifest = parse_manifest(CASES[i].text);
        weir_variable_list_t overrides = {0};
        weir_variables_t variables = {0};
        weir_outbound_hosts_t hosts = {0};
        weir_files_prepared_t files = {0};
        weir_files_settings_t settings = {.temporary_directory = directory};
        char *message = NULL;
        assert_true(weir_variable_list_add_argument(&overrides, "api_token=s3cret", &message));
        static char *environment[] = {NULL};
        bool given = weir_variables_resolve(&manifest, &overrides, environment, &variables, &message) &&
                     weir_variables_outbound_hosts(&variables, 0, &hosts, &message) &&
                     weir_files_prepare(&manifest, &settings, &files, &message);
        assert_false(given);
        assert_non_null(message);
        assert_memory_equal(message, directory, strlen(directory));
        assert_string_equal(message + strlen(directory), CASES[i].message);
        assert_null(strstr(message, "s3cret"));
        free(message);
        weir_outbound_hosts_free(&hosts);
        weir_variables_free(&variables);
        weir_variable_list_free(&overrides);
        weir_manifest_free(&manifest);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_component_is_given_what_its_manifest_says),
        cmocka_unit_test(faults_are_said_where_the_manifest_has_them),
    };
    return cmocka_run_group_tests(tests, make, clean);
}
