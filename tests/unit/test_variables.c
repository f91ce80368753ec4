/*
 * test_variables.c: values of variables, where they come from, and templates. Expected values are those of Spin's tests
 * in crates/expressions/src/{lib,template}.rs and crates/variables-{env,static}/src, unless another source is named.
 */
#include "app/variables.h"
#include "manifest_support.h"
#include "temporary.h"

#include <sys/stat.h>

static char directory[] = "/tmp/weir-variables-XXXXXX";

static int make_directory(void **state)
{
    (void)state;
    return mkdtemp(directory) == NULL ? -1 : 0;
}

static int remove_directory(void **state)
{
    (void)state;
    return temporary_remove(directory);
}

static const char *path_of(const char *name)
{
    static char path[sizeof directory + 64];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

static void write_file(const char *name, const char *text, size_t size)
{
    FILE *file = fopen(path_of(name), "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* An application with the variables of Spin's test_resolve and one component, whose variable is "test_key". */
typedef struct application {
    weir_application_variable_t variables[4];
    weir_template_variable_t template;
    weir_placed_text_t hosts[2];
    weir_component_t component;
    weir_manifest_t manifest;
} application_t;

static void make(application_t *application, char *template)
{
    *application = (application_t){
        .variables = {{"required", NULL, true, {5, 1}}, {"default", "default-value", false, {6, 1}},
            {"empty", "", false, {7, 1}}, {"token", NULL, true, {8, 1}}},
        .template = {"test_key", {NULL, {20, 12}}},
        .component = {.id = "hello", .variable_count = 1},
        .manifest = {.path = "app/spin.toml", .directory = directory, .variable_count = 4, .component_count = 1},
    };
    application->template.value.text = template;
    application->component.variables = &application->template;
    application->manifest.variables = application->variables;
    application->manifest.components = &application->component;
}

static char *full_environment[] = {"SPIN_VARIABLE_REQUIRED=provider-value", "SPIN_VARIABLE_TOKEN=s3cret", NULL};
static char *no_environment[] = {NULL};

static void templates_are_expanded(void **state)
{
    (void)state;
    static char *const CASES[][2] = {
        {"static-value", "static-value"},                                 /* resolve_static */
        {"prefix-{{ default }}-suffix", "prefix-default-value-suffix"},   /* resolve_variable_default */
        {"prefix-{{ required }}-suffix", "prefix-provider-value-suffix"}, /* resolve_variable_provider */
        {"", ""},                                                         /* template_parts */
        {"{{ required }}{{ default }}", "provider-valuedefault-value"},   /* template_parts */
        {"{{default}}{{\tdefault\n}}", "default-valuedefault-value"},     /* expr.trim() */
        {"<{{ empty }}>", "<>"},
        {"{ {{ default }} }", "{ default-value }"},
        {"a } }} {", "a } }} {"},
        {"{{ required }}}", "provider-value}"},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        application_t application;
        weir_variable_list_t overrides = {0};
        weir_variables_t variables;
        char *message = NULL;
        make(&application, CASES[i][0]);
        if (!weir_variables_resolve(&application.manifest, &overrides, full_environment, &variables, &message))
            fail_msg("%s", message);
        assert_int_equal(variables.components[0].count, 1);
        assert_string_equal(variables.components[0].variables[0].name, "test_key");
        assert_string_equal(variables.components[0].variables[0].value, CASES[i][1]);
        weir_variables_free(&variables);
        assert_null(variables.values);
    }
}

static void a_wrong_template_is_a_fault_at_its_place(void **state)
{
    (void)state;
#define AT "app/spin.toml:20:12: "
#define OF "\"test_key\" of \"variables\" in [component.hello] "
#define NO_NAME "has {{ and }} around what is no name of a variable; write {{ NAME }}"
    static char *const CASES[][2] = {
        /* template_parts_bad; what stands in a template may be a secret, and is not shown */
        {"s3cret {{ default }} {{ unmatched", AT OF "has {{ without }}; write {{ NAME }}"},
        {"{{", AT OF "has {{ without }}; write {{ NAME }}"},
        {"{{ default }", AT OF "has {{ without }}; write {{ NAME }}"},
        /* validate_template: unknown variable */
        {"s3cret-{{ defualt }}",
            AT OF "names the variable \"defualt\", which is not in [variables]; did you mean \"default\"?"},
        {"{{ unrelated }}s3cret", AT OF "names the variable \"unrelated\", which is not in [variables]; add it there"},
        {"{{ Wholly-Other }}",
            AT OF "names the variable \"Wholly-Other\", which is not in [variables], and none can be "
                  "called so: words are separated with \"_\", not \"-\""},
        {"{{ }}", AT OF NO_NAME},
        {"{{}}", AT OF NO_NAME},
        {"{{ a.b }}", AT OF NO_NAME},
        {"{{ a\nb }}", AT OF NO_NAME},
        {"a{{s3cret {{ default }} }}", AT OF NO_NAME},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        application_t application;
        weir_variable_list_t overrides = {0};
        weir_variables_t variables, untouched;
        memset(&variables, 0xA5, sizeof variables);
        untouched = variables;
        char *message = NULL;
        make(&application, CASES[i][0]);
        if (weir_variables_resolve(&application.manifest, &overrides, full_environment, &variables, &message))
            fail_msg("this was let pass: %s", CASES[i][0]);
        assert_memory_equal(&variables, &untouched, sizeof variables);
        assert_string_equal(message, CASES[i][1]);
        free(message);
    }
}

/* Resolve "required" and return what it is; to be freed. */
static char *resolve_required(const weir_variable_list_t *overrides, char *const *environment)
{
    application_t application;
    weir_variables_t variables;
    char *message = NULL;
    make(&application, "{{ required }}");
    application.manifest.variable_count = 3;
    if (!weir_variables_resolve(&application.manifest, overrides, environment, &variables, &message))
        return message;
    char *value = strdup(variables.components[0].variables[0].value);
    weir_variables_free(&variables);
    return value;
}

static void check_required(const weir_variable_list_t *overrides, char *const *environment, const char *wanted)
{
    char *value = resolve_required(overrides, environment);
    assert_non_null(value);
    assert_string_equal(value, wanted);
    free(value);
}

/* The static provider of --variable (crates/runtime-factors/src/build.rs), the environment, .env (provider_get,
 * provider_get_dotenv in crates/variables-env), the default */
static void the_first_that_gives_a_value_counts(void **state)
{
    (void)state;
    static char *environment[] = {
        "SPIN_VARIABLE_REQUIREDX=no", "SPIN_VARIABLE_REQUIRED=environment", "SPIN_VARIABLE_EMPTY=", NULL};
    weir_variable_list_t overrides = {0};
    char *message = NULL;
    write_file(".env", "SPIN_VARIABLE_REQUIRED=first\nREQUIRED=no\nSPIN_VARIABLE_REQUIRED=dotenv\n", 71);
    check_required(&overrides, no_environment, "dotenv");
    check_required(&overrides, environment, "environment");
    assert_true(weir_variable_list_add_argument(&overrides, "required=first", &message));
    assert_true(weir_variable_list_add_argument(&overrides, "required=override=2", &message));
    check_required(&overrides, environment, "override=2");
    assert_true(weir_variable_list_add_argument(&overrides, "required=", &message));
    check_required(&overrides, environment, "");
    weir_variable_list_free(&overrides);
    assert_int_equal(remove(path_of(".env")), 0);
}

/* Not Spin's order of events, but its effect: the file is read by the first question that gets to it. */
static void dotenv_is_read_only_when_it_is_needed(void **state)
{
    (void)state;
    static char *environment[] = {"SPIN_VARIABLE_REQUIRED=1", "SPIN_VARIABLE_DEFAULT=2", "SPIN_VARIABLE_EMPTY=3", NULL};
    weir_variable_list_t overrides = {0};
    write_file(".env", "this is s3cret\n", 15);
    check_required(&overrides, environment, "1");
    char *message = resolve_required(&overrides, environment + 1), wanted[128];
    snprintf(wanted, sizeof wanted, "%s/.env:1:1: is not NAME=VALUE, NAME=\"VALUE\" or a # comment", directory);
    assert_string_equal(message, wanted);
    free(message);
    write_file(".env", "A=\xff", 3);
    message = resolve_required(&overrides, no_environment);
    snprintf(wanted, sizeof wanted, "%s/.env: is not text in UTF-8", directory);
    assert_string_equal(message, wanted);
    free(message);
    assert_int_equal(remove(path_of(".env")), 0);
    assert_int_equal(mkdir(path_of(".env"), 0700), 0);
    message = resolve_required(&overrides, no_environment);
    snprintf(wanted, sizeof wanted, "%s/.env: is a directory, where a file was looked for", directory);
    assert_string_equal(message, wanted);
    free(message);
    assert_int_equal(remove(path_of(".env")), 0);
}

/* ensure_required_variables_resolvable */
static void required_variables_without_a_value_are_named_together(void **state)
{
    (void)state;
    application_t application;
    weir_variable_list_t overrides = {0};
    weir_variables_t variables;
    char *message = NULL;
    make(&application, "x");
    assert_false(weir_variables_resolve(&application.manifest, &overrides, no_environment, &variables, &message));
    assert_string_equal(message,
        "app/spin.toml:5:1: the required variables \"required\", \"token\" have no value; give each one with "
        "--variable "
        "required=VALUE, or as SPIN_VARIABLE_REQUIRED in the environment or in a file .env beside the manifest");
    free(message);
    assert_false(weir_variables_resolve(&application.manifest, &overrides, full_environment + 1, &variables, &message));
    assert_string_equal(message,
        "app/spin.toml:5:1: the required variable \"required\" has no value; give it one with --variable "
        "required=VALUE, or as SPIN_VARIABLE_REQUIRED in the environment or in a file .env beside the manifest");
    free(message);
    static char *broken[] = {"SPIN_VARIABLE_REQUIRED=\xff", "SPIN_VARIABLE_TOKEN=1", NULL};
    assert_false(weir_variables_resolve(&application.manifest, &overrides, broken, &variables, &message));
    assert_string_equal(message, "SPIN_VARIABLE_REQUIRED in the environment is not UTF-8");
    free(message);
}

/* source_from_str, *_get_variables in crates/variables-static/src/source.rs */
static void arguments_give_values_and_name_files(void **state)
{
    (void)state;
    char argument[sizeof directory + 64];
    weir_variable_list_t list = {0};
    char *message = NULL;
    write_file("value.txt", "sausage time!\n", 14);
    write_file("a.json", "{\"j\": \"v\", \"twice\": \"1\", \"twice\": \"2\\n\\u00e9\"}\n", 46);
    write_file("a.toml", "t = \"v\"\n", 8);
    write_file("empty.json", "{}", 2);
    assert_true(weir_variable_list_add_argument(&list, "k=v", &message));
    snprintf(argument, sizeof argument, "file=@%s/value.txt", directory);
    assert_true(weir_variable_list_add_argument(&list, argument, &message));
    snprintf(argument, sizeof argument, "@%s/a.json", directory);
    assert_true(weir_variable_list_add_argument(&list, argument, &message));
    snprintf(argument, sizeof argument, "@%s/a.toml", directory);
    assert_true(weir_variable_list_add_argument(&list, argument, &message));
    snprintf(argument, sizeof argument, "@%s/empty.json", directory);
    assert_true(weir_variable_list_add_argument(&list, argument, &message));
    assert_int_equal(list.count, 6);
    assert_string_equal(weir_variable_list_find(&list, "k", 1), "v");
    assert_string_equal(weir_variable_list_find(&list, "file", 4), "sausage time!\n");
    assert_string_equal(weir_variable_list_find(&list, "j", 1), "v");
    assert_string_equal(weir_variable_list_find(&list, "twice", 5), "2\n\xc3\xa9");
    assert_string_equal(weir_variable_list_find(&list, "t", 1), "v");
    assert_null(weir_variable_list_find(&list, "none", 4));
    weir_variable_list_free(&list);
}

/* source_from_str_errors, and what files may hold */
static void wrong_arguments_are_refused_without_their_values(void **state)
{
    (void)state;
#define GIVES "what --variable gives "
#define FORMS "; write NAME=VALUE, NAME=@FILE, @FILE.json or @FILE.toml"
    static const struct {
        const char *content;  /* of the file that the argument names */
        const char *argument; /* %s: the directory */
        const char *message;
    } CASES[] = {
        {"", "s3cret", GIVES "has no '='" FORMS},
        {"", "token:s3cret", GIVES "has no '='" FORMS},
        {"", "=s3cret", GIVES "has no name before its '='" FORMS},
        {"", "", GIVES "is empty" FORMS},
        {"", "@whatami",
            "whatami: is given to --variable as a file of variables, and its name must end in .json or .toml; for one "
            "value write NAME=@FILE"},
        {"", "@wrong.kind",
            "wrong.kind: is given to --variable as a file of variables, and its name must end in .json or .toml; for "
            "one value write NAME=@FILE"},
        {"", "@d/.json",
            "d/.json: is given to --variable as a file of variables, and its name must end in .json or .toml; for one "
            "value write NAME=@FILE"},
        {"", "k=@%s/none", "%s/none: does not exist, and --variable wants to read it; paths start from here"},
        {"s3cret\xff", "k=@%s/x", "%s/x: is not text in UTF-8"},
        {"{\"a\": 1}", "@%s/x.json",
            "%s/x.json: \"a\" is an integer, and the value of a variable is a string; put it in quotes"},
        {"{\"a\": {}}", "@%s/x.json",
            "%s/x.json: \"a\" is a table, and the value of a variable is a string; put it in quotes"},
        {"{\"a\": \"s3cret\\u0000\"}", "@%s/x.json",
            "%s/x.json: \"a\" has a NUL character, which no variable can have"},
        {"{\n \"a\": \"s3cret\",\n \"b\" \"s3cret\"}", "@%s/x.json", "%s/x.json:3:6: is not JSON from here on"},
        {"{} s3cret", "@%s/x.json", "%s/x.json:1:4: is not JSON from here on"},
        {"", "@%s/x.json", "%s/x.json:1:1: is not JSON from here on"},
        {"[\"s3cret\"]", "@%s/x.json", "%s/x.json: holds an array, and not an object as {\"name\": \"value\"}"},
        {"a = 1\n", "@%s/x.toml",
            "%s/x.toml:1:5: \"a\" is an integer, and the value of a variable is a string; put it in quotes"},
        {"a = s3cret\n", "@%s/x.toml",
            "%s/x.toml:1:5: cannot be read as TOML: string values must be quoted, expected literal string"},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        char argument[128], wanted[512];
        weir_variable_list_t list = {0};
        char *message = NULL;
        write_file("x", CASES[i].content, strlen(CASES[i].content));
        write_file("x.json", CASES[i].content, strlen(CASES[i].content));
        write_file("x.toml", CASES[i].content, strlen(CASES[i].content));
        const char *mark = strstr(CASES[i].argument, "%s"), *rest = strstr(CASES[i].message, "%s");
        if (mark == NULL) {
            snprintf(argument, sizeof argument, "%s", CASES[i].argument);
            snprintf(wanted, sizeof wanted, "%s", CASES[i].message);
        } else {
            snprintf(argument, sizeof argument, "%.*s%s%s", (int)(mark - CASES[i].argument), CASES[i].argument,
                directory, mark + 2);
            snprintf(wanted, sizeof wanted, "%s%s", directory, rest + 2);
        }
        assert_true(weir_variable_list_add_argument(&list, "before=1", &message));
        if (weir_variable_list_add_argument(&list, argument, &message))
            fail_msg("this was let pass: %s", argument);
        assert_string_equal(message, wanted);
        assert_int_equal(list.count, 1);
        free(message);
        weir_variable_list_free(&list);
    }
}

static void bounds_are_held(void **state)
{
    (void)state;
    char argument[sizeof directory + 16];
    weir_variable_list_t list = {0};
    char *message = NULL;
    char *large = malloc(WEIR_VARIABLE_FILE_BYTES_MAX + 1);
    assert_non_null(large);
    memset(large, 'x', WEIR_VARIABLE_FILE_BYTES_MAX + 1);
    snprintf(argument, sizeof argument, "k=@%s/large", directory);
    write_file("large", large, WEIR_VARIABLE_FILE_BYTES_MAX + 1);
    assert_false(weir_variable_list_add_argument(&list, argument, &message));
    assert_non_null(strstr(message, "/large: is longer than 1048576 bytes"));
    free(message);
    write_file("large", large, WEIR_VARIABLE_FILE_BYTES_MAX);
    assert_true(weir_variable_list_add_argument(&list, argument, &message));
    assert_int_equal(strlen(list.variables[0].value), WEIR_VARIABLE_FILE_BYTES_MAX);
    assert_int_equal(remove(path_of("large")), 0);
    free(large);

    /* A value of 1 MiB, 65 times, is more than 64 MiB. */
    static char template[65 * 7 + 1];
    for (size_t i = 0; i < 65; i++)
        strcpy(template + 7 * i, "{{ k }}");
    application_t application;
    weir_variables_t variables;
    make(&application, template);
    application.variables[0].name = "k";
    application.manifest.variable_count = 1;
    assert_false(weir_variables_resolve(&application.manifest, &list, no_environment, &variables, &message));
    assert_non_null(strstr(message, "is too much: with their values, all variables may have 64 MiB"));
    free(message);
    template[(size_t)64 * 7] = '\0';
    assert_true(weir_variables_resolve(&application.manifest, &list, no_environment, &variables, &message));
    assert_int_equal(strlen(variables.components[0].variables[0].value), 64 << 20);
    weir_variables_free(&variables);

    while (list.count < WEIR_VARIABLE_LIST_MAX)
        assert_true(weir_variable_list_add_argument(&list, "a=b", &message));
    assert_false(weir_variable_list_add_argument(&list, "a=b", &message));
    assert_string_equal(message, "--variable gives more than 4096 variables");
    free(message);
    weir_variable_list_free(&list);
}

/* variables_make_hosts_valid, bad_variables_make_hosts_invalid, allowed_hosts_ignores_empty_due_to_empty_variables
 * (crates/outbound-networking-config/src/allowed_hosts.rs) */
static void outbound_hosts_are_read_with_values(void **state)
{
    (void)state;
    application_t application;
    weir_variable_list_t overrides = {0};
    weir_variables_t variables;
    weir_outbound_hosts_t hosts;
    char *message = NULL;
    make(&application, "x");
    application.variables[1].default_value = "example.com";
    application.hosts[0] = (weir_placed_text_t){"http://{{ default }}:{{ token }}", {30, 5}};
    application.hosts[1] = (weir_placed_text_t){"https://{{ empty }}", {30, 40}};
    application.component.allowed_outbound_hosts = application.hosts;
    application.component.allowed_outbound_hosts_count = 2;
    static char *environment[] = {"SPIN_VARIABLE_REQUIRED=x", "SPIN_VARIABLE_TOKEN=1234", NULL};
    assert_true(weir_variables_resolve(&application.manifest, &overrides, environment, &variables, &message));
    assert_true(weir_variables_outbound_hosts(&variables, 0, &hosts, &message));
    assert_true(weir_outbound_hosts_allow(&hosts, "http", "example.com", 1234));
    assert_false(weir_outbound_hosts_allow(&hosts, "http", "example.com", 80));
    assert_int_equal(hosts.count, 1);
    assert_true(weir_outbound_hosts_hide(&hosts, "http", "example.com", 1234));
    assert_false(weir_outbound_hosts_hide(&hosts, "http", "example.com", 80));
    weir_outbound_hosts_free(&hosts);
    application.hosts[1].text = "{{ tokn }}";
    assert_false(weir_variables_outbound_hosts(&variables, 0, &hosts, &message));
    assert_string_equal(message, "app/spin.toml:30:40: an entry of allowed_outbound_hosts names the variable "
                                 "\"tokn\", which is not in [variables]; did you mean \"token\"?");
    free(message);
    weir_variables_free(&variables);

    /* A secret that makes an entry wrong is not shown. */
    application.component.allowed_outbound_hosts_count = 1;
    assert_true(weir_variables_resolve(&application.manifest, &overrides, full_environment, &variables, &message));
    assert_false(weir_variables_outbound_hosts(&variables, 0, &hosts, &message));
    assert_string_equal(message,
        "app/spin.toml:30:5: \"http://{{ default }}:{{ token }}\" of allowed_outbound_hosts, with the values of its "
        "variables, has a port that is no number up to 65535; write a number, a range as 8000..8010 (without its "
        "end), or *");
    assert_null(strstr(message, "s3cret"));
    free(message);
    weir_variables_free(&variables);
}

/* Spin lets them pass in silence (crates/variables-static/src/lib.rs, crates/variables-env/src/lib.rs). */
static void misspelt_names_are_warned_of_without_their_values(void **state)
{
    (void)state;
    static char *environment[] = {"SPIN_VARIABLE_REQUIRED=x", "SPIN_VARIABLE_TOKEN=y", "SPIN_VARIABLE_DEFUALT=s3cret",
        "SPIN_VARIABLE_default=s3cret", "SPIN_VARIABLE_UNRELATED=s3cret", "SPIN_VARIABLE_=s3cret",
        "SPIN_VARIABLE_TO\nKEN=s3cret", "SPIN_VARIABLES=s3cret", "TOKN=s3cret", NULL};
    static const char *const expected[] = {
        "--variable gives \"unrelated\" a value, and the application has no such variable; leave it out, or add it to "
        "[variables]",
        "--variable gives \"defualt\" a value, and the application has no such variable; did you mean \"default\"?",
        "--variable gives \"a\\nb\" a value, and the application has no such variable; leave it out, or add it to "
        "[variables]",
        "SPIN_VARIABLE_DEFUALT in the environment is for no variable of the application; did you mean "
        "SPIN_VARIABLE_DEFAULT?",
        "SPIN_VARIABLE_default in the environment is for no variable of the application; did you mean "
        "SPIN_VARIABLE_DEFAULT?",
        "SPIN_VARIABLE_TO\\nKEN in the environment is for no variable of the application; did you mean "
        "SPIN_VARIABLE_TOKEN?",
        "SPIN_VARIABLE_EMTPY in the file .env is for no variable of the application; did you mean SPIN_VARIABLE_EMPTY?",
    };
    static const char *const arguments[] = {
        "defualt=s3cret", "unrelated=s3cret", "token=1", "defualt=s3cret", "a\nb=1"};
    static const char dotenv[] = "SPIN_VARIABLE_EMTPY=s3cret\nSPIN_VARIABLE_DEFAULT=fine\nOTHER=s3cret\n";
    application_t application;
    weir_variable_list_t overrides = {0};
    weir_variables_t variables;
    char *message = NULL;
    make(&application, "{{ default }}");
    write_file(".env", dotenv, sizeof dotenv - 1);
    for (size_t i = 0; i < COUNT(arguments); i++)
        assert_true(weir_variable_list_add_argument(&overrides, arguments[i], &message));
    assert_true(weir_variables_resolve(&application.manifest, &overrides, environment, &variables, &message));
    assert_string_equal(variables.components[0].variables[0].value, "fine");
    for (size_t i = 0; i < variables.warning_count; i++)
        assert_string_equal(variables.warnings[i], i < COUNT(expected) ? expected[i] : "");
    assert_int_equal(variables.warning_count, COUNT(expected));
    weir_variables_free(&variables);
    weir_variable_list_free(&overrides);
    assert_int_equal(unlink(path_of(".env")), 0);

    /* However many there are. */
    for (int i = 0; i < 100; i++) {
        char argument[32];
        snprintf(argument, sizeof argument, "unrelated_%d=x", i);
        assert_true(weir_variable_list_add_argument(&overrides, argument, &message));
    }
    assert_true(weir_variables_resolve(&application.manifest, &overrides, full_environment, &variables, &message));
    assert_int_equal(variables.warning_count, 16);
    weir_variables_free(&variables);
    weir_variable_list_free(&overrides);
}

/* It is the nearest name that is told of, and no other variable's. */
static void a_required_variable_may_be_what_was_misspelt_outside(void **state)
{
    (void)state;
    static const struct {
        const char *dotenv;
        const char *entry;
        const char *meant;
    } CASES[] = {
        {"", "SPIN_VARIABLE_TOKN=s3cret", " (was it meant by SPIN_VARIABLE_TOKN?)"},
        {"", "SPIN_VARIABLE_TOKEN_=s3cret", " (was it meant by SPIN_VARIABLE_TOKEN_?)"},
        {"", "SPIN_VARIABLE_token=s3cret", " (was it meant by SPIN_VARIABLE_token?)"},
        {"", "SPIN_VARIABLE_TO\nKEN=s3cret", " (was it meant by SPIN_VARIABLE_TO\\nKEN?)"},
        {"", "TOKEN=s3cret", ""}, /* of the system, or of anybody */
        {"", "SPIN_VARIABLE_UNRELATED=s3cret", ""},
        {"SPIN_VARIABLE_TKEN=s3cret\n", "A=1", " (was it meant by SPIN_VARIABLE_TKEN in the file .env?)"},
        {"TOKEN=s3cret\n", "A=1", " (was it meant by TOKEN in the file .env?)"},
        {"SPIN_VARIABLE_TKN=s3cret\n", "SPIN_VARIABLE_TOKNE=s3cret", " (was it meant by SPIN_VARIABLE_TOKNE?)"},
        {"SPIN_VARIABLE_TOKNE=s3cret\n", "SPIN_VARIABLE_TKN=s3cret",
            " (was it meant by SPIN_VARIABLE_TOKNE in the file .env?)"},
        {"UNRELATED=s3cret\nSPIN_VARIABLE_EMPTY=s3cret\n", "SPIN_VARIABLE_DEFAULT=s3cret", ""},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        application_t application;
        weir_variable_list_t overrides = {0};
        weir_variables_t variables;
        char *message = NULL, wanted[512];
        char *environment[] = {(char *)(uintptr_t)"SPIN_VARIABLE_REQUIRED=x", (char *)(uintptr_t)CASES[i].entry, NULL};
        make(&application, "x");
        write_file(".env", CASES[i].dotenv, strlen(CASES[i].dotenv));
        assert_false(weir_variables_resolve(&application.manifest, &overrides, environment, &variables, &message));
        snprintf(wanted, sizeof wanted,
            "app/spin.toml:8:1: the required variable \"token\" has no value%s; give it one with --variable "
            "token=VALUE, or as SPIN_VARIABLE_TOKEN in the environment or in a file .env beside the manifest",
            CASES[i].meant);
        assert_string_equal(message, wanted);
        free(message);
    }
    assert_int_equal(unlink(path_of(".env")), 0);
}

static void a_required_variable_may_be_what_was_misspelt(void **state)
{
    (void)state;
    application_t application;
    weir_variable_list_t overrides = {0};
    weir_variables_t variables;
    char *message = NULL;
    make(&application, "x");
    assert_true(weir_variable_list_add_argument(&overrides, "tokne=s3cret", &message));
    assert_false(weir_variables_resolve(
        &application.manifest, &overrides, (char *[]){"SPIN_VARIABLE_REQUIRED=x", NULL}, &variables, &message));
    assert_string_equal(message,
        "app/spin.toml:8:1: the required variable \"token\" has no value (was it meant by --variable tokne?); give it "
        "one with --variable token=VALUE, or as SPIN_VARIABLE_TOKEN in the environment or in a file .env beside the "
        "manifest");
    free(message);
    weir_variable_list_free(&overrides);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(templates_are_expanded),
        cmocka_unit_test(a_wrong_template_is_a_fault_at_its_place),
        cmocka_unit_test(the_first_that_gives_a_value_counts),
        cmocka_unit_test(dotenv_is_read_only_when_it_is_needed),
        cmocka_unit_test(required_variables_without_a_value_are_named_together),
        cmocka_unit_test(arguments_give_values_and_name_files),
        cmocka_unit_test(wrong_arguments_are_refused_without_their_values),
        cmocka_unit_test(misspelt_names_are_warned_of_without_their_values),
        cmocka_unit_test(a_required_variable_may_be_what_was_misspelt),
        cmocka_unit_test(a_required_variable_may_be_what_was_misspelt_outside),
        cmocka_unit_test(bounds_are_held),
        cmocka_unit_test(outbound_hosts_are_read_with_values),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
