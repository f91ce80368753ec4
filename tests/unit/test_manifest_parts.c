/*
 * test_manifest_parts.c: the parts of a manifest that tell what a guest is given: source, variables, files, hosts, how
 * it is built; and private routes and static responses. What is right and wrong is Spin's crates/manifest/src/schema/
 * v2.rs and common.rs, unless another of its files is named.
 */
#include "manifest_support.h"

/* A component's further keys, on line 9, parsed. */
static weir_manifest_t parse_component(const char *keys)
{
    char text[4096];
    int size = snprintf(text, sizeof text, HEAD TRIGGER COMPONENT "%s", keys);
    assert_in_range(size, 1, sizeof text - 1);
    return parse_text("spin.toml", text);
}

/* Text that has to be wrong between `head` and `tail`, and what is said of it. */
static void check_wrong(const char *head, const wrong_t *cases, size_t count, const char *tail)
{
    for (size_t i = 0; i < count; i++) {
        char text[4096];
        int size = snprintf(text, sizeof text, "%s%s%s", head, cases[i].text, tail);
        assert_in_range(size, 1, sizeof text - 1);
        char *message = parse_error(text, (size_t)size);
        if (strcmp(message, cases[i].message) != 0)
            fail_msg("said:   %s\nwanted: %s\nof:\n%s", message, cases[i].message, text);
        free(message);
    }
}

static void check_place(weir_place_t place, uint32_t line, uint32_t column)
{
    assert_int_equal(place.line, line);
    assert_int_equal(place.column, column);
}

/* ---- Source ------------------------------------------------------------------------------------------------------ */

#define DIGITS "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void a_source_can_be_a_url_with_its_digest(void **state)
{
    (void)state;
    static const char *const SOURCES[][2] = {
        {"{ url = \"https://example.com/a.wasm\", digest = \"sha256:" DIGITS "\" }", "https://example.com/a.wasm"},
        {"{ digest = \"sha256:0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef\", url = "
         "\"http://[::1]:8080/?a=b\" }",
            "http://[::1]:8080/?a=b"},
    };
    for (size_t i = 0; i < COUNT(SOURCES); i++) {
        char text[512];
        snprintf(text, sizeof text, HEAD TRIGGER "[component.hello]\nsource = %s\n", SOURCES[i][0]);
        weir_manifest_t manifest = parse_text("sub/spin.toml", text);
        const weir_component_t *component = &manifest.components[0];
        assert_null(component->source); /* until it is fetched */
        assert_string_equal(component->source_url, SOURCES[i][1]);
        assert_string_equal(component->source_digest, DIGITS);
        check_place(component->source_place, 8, 10);
        weir_manifest_free(&manifest);
    }
}

static void a_source_that_cannot_be_had_is_refused(void **state)
{
    (void)state;
#define NO_URL                                                                                                         \
    " in \"source\" of [component.hello] is not a URL that can be fetched; write one that begins with https:// or "    \
    "http://"
#define USER                                                                                                           \
    " in \"source\" of [component.hello] has a user name or a password before its host, which weir does not send, "    \
    "and "                                                                                                             \
    "which no manifest should hold; download the file, and write source = \"FILE.wasm\""
#define NO_DIGEST                                                                                                      \
    " in \"source\" of [component.hello] is not \"sha256:\" and 64 hexadecimal digits; take them from sha256sum(1)"
    static const wrong_t CASES[] = {
        {"{ url = \"https://example.com/a.wasm\" }",
            "spin.toml:8:10: \"digest\" is missing in \"source\" of [component.hello]; write { url = \"https://...\", "
            "digest = \"sha256:...\" }"},
        {"{ digest = \"sha256:" DIGITS "\" }",
            "spin.toml:8:10: \"url\" is missing in \"source\" of [component.hello]; write { url = \"https://...\", "
            "digest = \"sha256:...\" }"},
        {"{ url = \"ftp://example.com/a\", digest = \"sha256:" DIGITS "\" }",
            "spin.toml:8:18: \"ftp://example.com/a\"" NO_URL},
        /* What may be a secret is not shown. */
        {"{ url = \"ftp://example.com/a?s3cret\", digest = \"sha256:" DIGITS "\" }",
            "spin.toml:8:18: \"ftp://example.com/a\"" NO_URL},
        {"{ url = \"https:?s3cret\", digest = \"sha256:" DIGITS "\" }", "spin.toml:8:18: \"https:\"" NO_URL},
        {"{ url = \"https://ada:s3@cret@example.com:8/a?s3cret#s3cret\", digest = \"sha256:" DIGITS "\" }",
            "spin.toml:8:18: \"https://example.com:8/a\"" USER},
        {"{ url = \"https://s3cret@example.com\", digest = \"sha256:" DIGITS "\" }",
            "spin.toml:8:18: \"https://example.com\"" USER},
        {"{ url = \"s3cret@example.com/a\", digest = \"sha256:" DIGITS "\" }",
            "spin.toml:8:18: \"example.com/a\"" USER},
        {"{ url = \"https:///a\", digest = \"sha256:" DIGITS "\" }", "spin.toml:8:18: \"https:///a\"" NO_URL},
        {"{ url = \"https://example.com/a b\", digest = \"sha256:" DIGITS "\" }",
            "spin.toml:8:18: \"https://example.com/a b\"" NO_URL},
        {"{ url = \"https://example.com/\\r\\nX: 1\", digest = \"sha256:" DIGITS "\" }",
            "spin.toml:8:18: \"https://example.com/\\r\\nX: 1\"" NO_URL},
        {"{ url = \"https://a/\", digest = \"" DIGITS "\" }", "spin.toml:8:41: digest \"" DIGITS "\"" NO_DIGEST},
        {"{ url = \"https://a/\", digest = \"sha256:0\" }", "spin.toml:8:41: digest \"sha256:0\"" NO_DIGEST},
        {"{ url = \"https://a/\", digest = \"sha256:" DIGITS "0\" }",
            "spin.toml:8:41: digest \"sha256:" DIGITS "0\"" NO_DIGEST},
        {"{ url = \"https://a/\", digest = \"sha256:g123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\" "
         "}",
            "spin.toml:8:41: digest "
            "\"sha256:g123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"" NO_DIGEST},
        {"{ url = \"https://a/\", digest = \"sha512:" DIGITS "\" }",
            "spin.toml:8:41: digest \"sha512:" DIGITS "\"" NO_DIGEST},
        {"{ url = \"https://a/\", version = \"1\" }", "spin.toml:8:32: \"source\" in [component.hello] has a URL, and "
                                                      "\"version\" belongs to a registry; remove one "
                                                      "of them"},
        {"{ package = \"a:b\", version = \"1.0.0\", registry = \"example.com\" }",
            "spin.toml:8:10: \"source\" in [component.hello] is the package \"a:b\" of a registry, and weir reads "
            "none; "
            "fetch it (wkg get a:b@1.0.0), and write source = \"FILE.wasm\""},
        {"{ package = \"a:b\" }",
            "spin.toml:8:10: \"source\" in [component.hello] is neither a URL with its digest nor a package with its "
            "version; write source = \"FILE.wasm\""},
        {"{}",
            "spin.toml:8:10: \"source\" in [component.hello] is neither a URL with its digest nor a package with its "
            "version; write source = \"FILE.wasm\""},
        {"{ path = \"g.wasm\" }", "spin.toml:8:12: \"source\" in [component.hello] is a table with a path, and a path "
                                  "stands alone; write source = \"g.wasm\""},
        {"{ url = 1 }",
            "spin.toml:8:18: \"url\" in \"source\" of [component.hello] must be a string, not the integer 1"},
    };
    check_wrong(HEAD TRIGGER "[component.hello]\nsource = ", CASES, COUNT(CASES), "\n");
}

/* ---- Variables --------------------------------------------------------------------------------------------------- */

static void variables_of_the_application_are_read(void **state)
{
    (void)state;
    weir_manifest_t manifest = parse_text("spin.toml", HEAD "[variables]\n"
                                                            "plain = { default = \"x\" }\n"
                                                            "empty = { default = \"\", description = \"d\" }\n"
                                                            "token = { required = true, secret = true }\n"
                                                            "[variables.snake_case2]\n"
                                                            "default = \"y\"\n"
                                                            "required = false\n"
                                                            "secret = true\n" TRIGGER COMPONENT);
    static const struct {
        const char *name;
        const char *value;
        bool secret;
        uint32_t line;
    } EXPECTED[] = {
        {"plain", "x", false, 5}, {"empty", "", false, 6}, {"token", NULL, true, 7}, {"snake_case2", "y", true, 8}};
    assert_int_equal(manifest.variable_count, COUNT(EXPECTED));
    for (size_t i = 0; i < COUNT(EXPECTED); i++) {
        const weir_application_variable_t *variable = &manifest.variables[i];
        assert_string_equal(variable->name, EXPECTED[i].name);
        if (EXPECTED[i].value == NULL)
            assert_null(variable->default_value);
        else
            assert_string_equal(variable->default_value, EXPECTED[i].value);
        assert_int_equal(variable->secret, EXPECTED[i].secret);
        assert_int_equal(variable->place.line, EXPECTED[i].line);
    }
    weir_manifest_free(&manifest);
}

/* Names: crates/serde/src/id.rs. A value or none: crates/loader/src/local.rs, locked_variable. */
static void a_variable_that_is_wrong_is_refused_without_its_value(void **state)
{
    (void)state;
#define NAME(name) "in [variables], the variable name \"" name "\" is not lower-case snake_case: "
    static const wrong_t CASES[] = {
        {"a = {}\n", "spin.toml:5:1: variable \"a\" has no value; add default = \"...\" or required = true"},
        {"a = { required = false }\n",
            "spin.toml:5:1: variable \"a\" has no value; add default = \"...\" or required = true"},
        {"a = { required = true, default = \"hunter2\" }\n",
            "spin.toml:5:24: variable \"a\" is required and has a default, too; remove one of them"},
        {"a = { default = 12345 }\n", "spin.toml:5:17: \"default\" in [variables.a] must be a string, not an integer; "
                                      "put its value in quotes"},
        {"a = { default = \"\", secret = \"yes\" }\n",
            "spin.toml:5:30: \"secret\" in [variables.a] must be true or false, not the string \"yes\""},
        {"a = \"hunter2\"\n",
            "spin.toml:5:5: variable \"a\" must be a table, not a string; write a = { default = \"...\" }"},
        {"a = { defualt = \"hunter2\" }\n",
            "spin.toml:5:7: unknown key \"defualt\" in [variables.a]; did you mean \"default\"?"},
        {"a-b = { required = true }\n",
            "spin.toml:5:1: " NAME("a-b") "words are separated with \"_\", not \"-\"; did you mean \"a_b\"?"},
        {"aB = { required = true }\n",
            "spin.toml:5:1: " NAME("aB") "each word is all lower case or all upper case; did you mean \"ab\"?"},
        {"TOKEN = { required = true }\n",
            "spin.toml:5:1: " NAME("TOKEN") "all letters are lower case; did you mean \"token\"?"},
        {"a_B = { required = true }\n",
            "spin.toml:5:1: " NAME("a_B") "all letters are lower case; did you mean \"a_b\"?"},
        {"1a = { required = true }\n", "spin.toml:5:1: " NAME("1a") "each word begins with a letter from a to z"},
        {"\"bad+name\" = { required = true }\n",
            "spin.toml:5:1: " NAME("bad+name") "only letters from a to z, digits and \"_\" are allowed"},
        {"\"\" = { required = true }\n", "spin.toml:5:1: " NAME("") "it is empty"},
    };
    check_wrong(HEAD "[variables]\n", CASES, COUNT(CASES), TRIGGER COMPONENT);
}

static void variables_of_a_component_are_read(void **state)
{
    (void)state;
    weir_manifest_t manifest = parse_component("[component.hello.variables]\n"
                                               "password = \"{{ token }}\"\n"
                                               "url = \"https://{{ host }}/\"\n"
                                               "none = \"\"\n");
    const weir_component_t *component = &manifest.components[0];
    static const char *const EXPECTED[][2] = {
        {"password", "{{ token }}"}, {"url", "https://{{ host }}/"}, {"none", ""}};
    assert_int_equal(component->variable_count, COUNT(EXPECTED));
    for (size_t i = 0; i < COUNT(EXPECTED); i++) {
        assert_string_equal(component->variables[i].name, EXPECTED[i][0]);
        assert_string_equal(component->variables[i].value.text, EXPECTED[i][1]);
    }
    check_place(component->variables[1].value.place, 11, 7);
    weir_manifest_free(&manifest);
    static const wrong_t WRONG[] = {
        {"variables = { \"a-b\" = \"\" }\n",
            "spin.toml:9:15: in [component.hello], the variable name \"a-b\" is not lower-case snake_case: words are "
            "separated with \"_\", not \"-\"; did you mean \"a_b\"?"},
        {"variables = { a = 12345 }\n",
            "spin.toml:9:19: \"a\" of \"variables\" in [component.hello] must be a string, not an integer"},
        {"variables = [\"a\"]\n",
            "spin.toml:9:13: \"variables\" in [component.hello] must be a table of strings, not an "
            "array; write variables = { name = \"{{ name }}\" }"},
    };
    check_wrong(HEAD TRIGGER COMPONENT, WRONG, COUNT(WRONG), "");
}

/* ---- Files ------------------------------------------------------------------------------------------------------- */

static void files_are_read(void **state)
{
    (void)state;
    weir_manifest_t manifest = parse_component("files = [\n"
                                               "  \"assets/**/*.jpg\",\n"
                                               "  { source = \"../data\", destination = \"/data\" },\n"
                                               "  { source = \"\", destination = \"app/..b\" },\n"
                                               "]\n"
                                               "exclude_files = [\"**/secret\", \"\"]\n");
    const weir_component_t *component = &manifest.components[0];
    /* A destination without a slash: crates/loader/src/local.rs, copy_file_mounts */
    static const char *const EXPECTED[][2] = {{"assets/**/*.jpg", NULL}, {"../data", "/data"}, {".", "/app/..b"}};
    assert_int_equal(component->files_count, COUNT(EXPECTED));
    for (size_t i = 0; i < COUNT(EXPECTED); i++) {
        assert_string_equal(component->files[i].source, EXPECTED[i][0]);
        if (EXPECTED[i][1] == NULL)
            assert_null(component->files[i].destination);
        else
            assert_string_equal(component->files[i].destination, EXPECTED[i][1]);
        check_place(component->files[i].place, (uint32_t)(10 + i), 3);
    }
    assert_int_equal(component->exclude_files_count, 2);
    assert_string_equal(component->exclude_files[0].text, "**/secret");
    assert_string_equal(component->exclude_files[1].text, "");
    check_place(component->exclude_files[0].place, 14, 18);
    weir_manifest_free(&manifest);
}

static void files_that_are_wrong_are_refused(void **state)
{
    (void)state;
#define MISSING(key)                                                                                                   \
    "\"" key "\" is missing in \"files\" of [component.hello]; write { source = \"DIRECTORY\", destination = "         \
    "\"/DIRECTORY\" }"
#define OUT " of \"files\" in [component.hello] leads out of the guest's directory; write it without \"..\""
    static const wrong_t CASES[] = {
        {"[\"\"]",
            "spin.toml:9:10: a pattern of \"files\" in [component.hello] is empty; write a path or a pattern like "
            "\"assets/**/*\""},
        {"[{ source = \"a\" }]", "spin.toml:9:10: " MISSING("destination")},
        {"[{ destination = \"/\" }]", "spin.toml:9:10: " MISSING("source")},
        {"[{ source = \"a\", destinaton = \"/\" }]",
            "spin.toml:9:26: unknown key \"destinaton\" in \"files\" of [component.hello]; did you mean "
            "\"destination\"?"},
        {"[{ source = [\"a\"], destination = \"/\" }]",
            "spin.toml:9:21: \"source\" in \"files\" of [component.hello] must be a string, not an array"},
        {"[{ source = \"a\", destination = \"..\" }]", "spin.toml:9:40: destination \"..\"" OUT},
        {"[{ source = \"a\", destination = \"/a//../../b\" }]", "spin.toml:9:40: destination \"/a//../../b\"" OUT},
        {"\"a\"",
            "spin.toml:9:9: \"files\" in [component.hello] must be an array of strings and tables, not the string "
            "\"a\"; write files = [\"PATTERN\"]"},
    };
    check_wrong(HEAD TRIGGER COMPONENT "files = ", CASES, COUNT(CASES), "\n");
}

/* ---- Hosts ------------------------------------------------------------------------------------------------------- */

static void check_hosts(const char *keys, const char *const *expected, const char *warning)
{
    weir_manifest_t manifest = parse_component(keys);
    const weir_component_t *component = &manifest.components[0];
    size_t count = 0;
    for (; expected[count] != NULL; count++) {
        if (count >= component->allowed_outbound_hosts_count ||
            strcmp(component->allowed_outbound_hosts[count].text, expected[count]) != 0)
            fail_msg("%s: number %zu is not %s", keys, count, expected[count]);
        assert_int_equal(component->allowed_outbound_hosts[count].place.line, count == 0 ? 9 : 9 + (warning != NULL));
    }
    assert_int_equal(component->allowed_outbound_hosts_count, count);
    assert_int_equal(manifest.warning_count, warning != NULL ? 1 : 0);
    if (warning != NULL)
        assert_string_equal(manifest.warnings[0], warning);
    weir_manifest_free(&manifest);
}

static void allowed_hosts_are_read_as_written(void **state)
{
    (void)state;
    check_hosts("allowed_outbound_hosts = [\"https://example.com:443\", \"*://*:*\", \"{{ host }}\", \"nonsense\"]\n",
        (const char *const[]){"https://example.com:443", "*://*:*", "{{ host }}", "nonsense", NULL}, NULL);
    check_hosts("allowed_outbound_hosts = []\nallowed_http_hosts = []\n", (const char *const[]){NULL}, NULL);
    check_hosts("allowed_outbound_hosts = [\"redis://a:1\"]\nallowed_http_hosts = [\"b.c\", \"self\"]\n",
        (const char *const[]){"redis://a:1", "http://b.c", "https://b.c", "http://self", NULL},
        "spin.toml:10:1: \"allowed_http_hosts\" in [component.hello] is deprecated; write allowed_outbound_hosts = "
        "[\"http://b.c\", \"https://b.c\", \"http://self\"]");
}

/* crates/manifest/src/compat.rs, convert_allowed_http_to_allowed_hosts; compat/allowed_http_hosts.rs and its tests */
static void allowed_http_hosts_become_outbound_hosts(void **state)
{
    (void)state;
    static const struct {
        const char *old;
        const char *hosts[4];
    } CASES[] = {
        {"spin.fermyon.dev", {"http://spin.fermyon.dev", "https://spin.fermyon.dev"}},
        {"http://spin.fermyon.dev", {"http://spin.fermyon.dev", "https://spin.fermyon.dev"}},
        {"https://Spin.Fermyon.dev/", {"http://spin.fermyon.dev", "https://spin.fermyon.dev"}},
        {"spin.fermyon.dev:7777", {"http://spin.fermyon.dev:7777", "https://spin.fermyon.dev:7777"}},
        {"https://spin.fermyon.dev:5555/", {"http://spin.fermyon.dev:5555", "https://spin.fermyon.dev:5555"}},
        {"http://a:80", {"http://a", "https://a"}},
        {"a:80", {"http://a", "https://a"}},
        {"https://a:443", {"http://a", "https://a"}},
        {"a:443", {"http://a:443", "https://a:443"}},
        {"localhost:3001", {"http://localhost:3001", "https://localhost:3001"}},
        {"192.168.1.1:3002", {"http://192.168.1.1:3002", "https://192.168.1.1:3002"}},
        {"[::1]", {"http://[::1]", "https://[::1]"}},
        {"http://[::1]:8001", {"http://[::1]:8001", "https://[::1]:8001"}},
        {"self", {"http://self"}},
        {"insecure:allow-all", {"http://*:*", "https://*:*", "http://self"}},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        char keys[256];
        snprintf(keys, sizeof keys, "allowed_http_hosts = [\"%s\"]\n", CASES[i].old);
        weir_manifest_t manifest = parse_component(keys);
        const weir_component_t *component = &manifest.components[0];
        size_t count = 0;
        for (; count < 4 && CASES[i].hosts[count] != NULL; count++) {
            if (count >= component->allowed_outbound_hosts_count ||
                strcmp(component->allowed_outbound_hosts[count].text, CASES[i].hosts[count]) != 0)
                fail_msg("%s: number %zu is not %s", CASES[i].old, count, CASES[i].hosts[count]);
            check_place(component->allowed_outbound_hosts[count].place, 9, 23);
        }
        assert_int_equal(component->allowed_outbound_hosts_count, count);
        assert_int_equal(manifest.warning_count, 1);
        weir_manifest_free(&manifest);
    }
    /* One of them all is enough, whatever else is there. */
    weir_manifest_t manifest = parse_component("allowed_http_hosts = [\"a/b\", \"insecure:allow-all\"]\n");
    assert_int_equal(manifest.components[0].allowed_outbound_hosts_count, 3);
    weir_manifest_free(&manifest);
}

static void an_http_host_that_is_none_is_refused(void **state)
{
    (void)state;
    static const char *const CASES[] = {"http://spin.fermyon.dev/a", "http://spin.fermyon.dev:6666/a/b",
        "ftp://spin.fermyon.dev", "", ":80", "http://", "a:b", "a:99999", "a:65536", "user@a", "a?b", "a b", "[::1",
        "[]", "https://https://a"};
    for (size_t i = 0; i < COUNT(CASES); i++) {
        char text[512], expected[512];
        int size = snprintf(text, sizeof text, HEAD TRIGGER COMPONENT "allowed_http_hosts = [\"%s\"]\n", CASES[i]);
        snprintf(expected, sizeof expected,
            "spin.toml:9:23: \"%s\" of \"allowed_http_hosts\" in [component.hello] is not a host or host:port; write "
            "it "
            "into \"allowed_outbound_hosts\" as \"https://HOST:PORT\"",
            CASES[i]);
        char *message = parse_error(text, (size_t)size);
        assert_string_equal(message, expected);
        free(message);
    }
}

/* ---- Build ------------------------------------------------------------------------------------------------------- */

static void it_is_read_how_a_component_is_built(void **state)
{
    (void)state;
    static const struct {
        const char *keys;
        const char *commands[3];
        const char *workdir;
    } CASES[] = {
        {"build = { command = \"make\" }\n", {"make"}, NULL},
        {"build = { command = [\"npm install\", \"npm run build\"], workdir = \"guest\", watch = [\"src/**\"] }\n",
            {"npm install", "npm run build"}, "guest"},
        {"build = { command = [] }\n", {NULL}, NULL},
        {"", {NULL}, NULL},
        {"[component.hello.profile.debug]\nsource = \"d.wasm\"\nbuild = { command = [\"make debug\"] }\n"
         "environment = { A = \"1\" }\n",
            {NULL}, NULL},
        {"targets = [\"spin-up:3.3\", { url = \"https://a/\" }, { path = \"a.toml\" }]\n", {NULL}, NULL},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        weir_manifest_t manifest = parse_component(CASES[i].keys);
        const weir_build_t *build = &manifest.components[0].build;
        size_t count = 0;
        for (; CASES[i].commands[count] != NULL; count++) {
            assert_in_range(count + 1, 1, build->command_count);
            assert_string_equal(build->commands[count], CASES[i].commands[count]);
        }
        assert_int_equal(build->command_count, count);
        if (CASES[i].workdir == NULL)
            assert_null(build->workdir);
        else
            assert_string_equal(build->workdir, CASES[i].workdir);
        if (count > 0)
            check_place(build->place, 9, 21);
        weir_manifest_free(&manifest);
    }
    static const wrong_t WRONG[] = {
        {"targets = [{}]\n",
            "spin.toml:9:12: a target in [component.hello] is a string, { url = \"...\" } or { path = \"...\" }"},
        {"targets = [{ uri = \"https://a/\" }]\n",
            "spin.toml:9:14: unknown key \"uri\" in \"targets\" of [component.hello]; did you mean \"url\"?"},
        {"[component.hello.profile.debug]\nbuild = { workdir = \"x\" }\n",
            "spin.toml:10:9: \"command\" is missing in \"build\" of profile \"debug\" of [component.hello]; add "
            "command = "
            "\"...\""},
        {"[component.hello.profile.debug]\nbuild = { command = \"x\", workdir = \"x\" }\n",
            "spin.toml:10:26: unknown key \"workdir\" in \"build\" of [component.hello]; it belongs in "
            "[component.ID.build]"},
    };
    check_wrong(HEAD TRIGGER COMPONENT, WRONG, COUNT(WRONG), "");
}

/* ---- Private routes ---------------------------------------------------------------------------------------------- */

/* crates/routes/src/lib.rs, HttpTriggerRouteConfig */
/*
 * Spin's crates/http/src/config.rs, HttpExecutorType and WagiTriggerConfig::default; only "_start" may be the
 * entrypoint (crates/trigger-http/src/server.rs, handler_type_for_component).
 */
static void an_executor_has_spins_types(void **state)
{
    (void)state;
    static const struct {
        const char *executor;
        weir_executor_t type;
        const char *argv;
    } CASES[] = {
        {"", WEIR_EXECUTOR_HTTP, NULL},
        {"executor = { type = \"http\" }\n", WEIR_EXECUTOR_HTTP, NULL},
        {"executor = { type = \"spin\" }\n", WEIR_EXECUTOR_HTTP, NULL},
        {"executor = { type = \"wagi\" }\n", WEIR_EXECUTOR_WAGI, "${SCRIPT_NAME} ${ARGS}"},
        {"executor = { type = \"wagi\", argv = \"\" }\n", WEIR_EXECUTOR_WAGI, ""},
        {"executor = { type = \"wagi\", argv = \"a ${ARGS} b\", entrypoint = \"_start\" }\n", WEIR_EXECUTOR_WAGI,
            "a ${ARGS} b"},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        char text[512];
        snprintf(text, sizeof text, HEAD TRIGGER "%s" COMPONENT, CASES[i].executor);
        weir_manifest_t manifest = parse_text("spin.toml", text);
        assert_int_equal(manifest.triggers[0].executor, CASES[i].type);
        if (CASES[i].argv != NULL)
            assert_string_equal(manifest.triggers[0].wagi_argv, CASES[i].argv);
        weir_manifest_free(&manifest);
    }
}

static void a_private_route_is_no_route(void **state)
{
    (void)state;
    weir_manifest_t manifest = parse_text("spin.toml",
        HEAD "[[trigger.http]]\nroute = { private = true }\ncomponent = \"hello\"\nexecutor = { type = \"wagi\" }\n"
             "[[trigger.http]]\nroute = { private = true }\ncomponent = { source = \"i.wasm\" }\n" COMPONENT);
    assert_int_equal(manifest.trigger_count, 2);
    static const char *const IDS[][2] = {{"hello-http-trigger", "hello"}, {"http-trigger1", "http-trigger1-component"}};
    for (size_t i = 0; i < 2; i++) {
        assert_null(manifest.triggers[i].route);
        assert_string_equal(manifest.triggers[i].id, IDS[i][0]);
        assert_string_equal(manifest.components[manifest.triggers[i].component].id, IDS[i][1]);
    }
    check_place(manifest.triggers[0].route_place, 5, 9);
    assert_int_equal(manifest.triggers[0].executor, WEIR_EXECUTOR_WAGI);
    assert_int_equal(manifest.warning_count, 0);
    weir_manifest_free(&manifest);
    static const wrong_t WRONG[] = {
        {"route = { private = false }\ncomponent = \"hello\"\n",
            "spin.toml:5:9: \"route\" in [[trigger.http]] of component \"hello\" must be a path or { private = true }, "
            "not "
            "{ private = false }"},
        {"route = { private = false }\ncomponent = { source = \"x\" }\n",
            "spin.toml:5:9: \"route\" in [[trigger.http]] must be a path or { private = true }, not { private = false "
            "}"},
        {"route = {}\ncomponent = \"hello\"\n",
            "spin.toml:5:9: \"private\" is missing in \"route\" of [[trigger.http]]; write { private = true }"},
        {"route = { private = \"true\" }\ncomponent = \"hello\"\n",
            "spin.toml:5:21: \"private\" in \"route\" of [[trigger.http]] must be true or false, not the string "
            "\"true\""},
    };
    check_wrong(HEAD "[[trigger.http]]\n", WRONG, COUNT(WRONG), COMPONENT);
}

/* ---- Static responses -------------------------------------------------------------------------------------------- */

/* crates/http/src/config.rs, StaticResponse */
static void a_static_response_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        uint16_t status;
        const char *headers[3][2];
        const char *body;
    } CASES[] = {
        {"{}", 200, {{NULL}}, ""},
        {"{ status_code = 404, body = \"gone\\n\xc3\xa9\" }", 404, {{NULL}}, "gone\n\xc3\xa9"},
        {"{ status_code = 302, headers = { location = \"/new\", X-Empty = \"\" } }", 302,
            {{"location", "/new"}, {"X-Empty", ""}}, ""},
        {"{ headers = { a = \"1\", A = \"caf\xc3\xa9\\t2\" } }", 200, {{"a", "1"}, {"A", "caf\xc3\xa9\t2"}}, ""},
        {"{ status_code = 999, body = \"four\", headers = { Content-Length = \"4\" } }", 999, {{NULL}}, "four"},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        char text[512];
        snprintf(text, sizeof text, HEAD "[[trigger.http]]\nroute = \"/gone\"\nstatic_response = %s\n", CASES[i].value);
        weir_manifest_t manifest = parse_text("spin.toml", text);
        const weir_http_trigger_t *trigger = &manifest.triggers[0];
        assert_int_equal(manifest.component_count, 0);
        assert_int_equal(trigger->component, WEIR_NO_COMPONENT);
        assert_string_equal(trigger->id, "http-trigger1");
        assert_string_equal(trigger->route, "/gone");
        const weir_static_response_t *response = trigger->static_response;
        assert_non_null(response);
        assert_int_equal(response->status, CASES[i].status);
        assert_string_equal(response->body, CASES[i].body);
        assert_int_equal(response->body_size, strlen(CASES[i].body));
        size_t count = 0;
        for (; CASES[i].headers[count][0] != NULL; count++) {
            assert_in_range(count + 1, 1, response->header_count);
            assert_string_equal(response->headers[count].name, CASES[i].headers[count][0]);
            assert_string_equal(response->headers[count].value, CASES[i].headers[count][1]);
        }
        assert_int_equal(response->header_count, count);
        assert_int_equal(manifest.warning_count, 0);
        weir_manifest_free(&manifest);
    }
}

static void what_of_a_static_response_is_not_sent_is_warned_about(void **state)
{
    (void)state;
    weir_manifest_t manifest = parse_text("spin.toml",
        HEAD "[[trigger.http]]\nid = \"gone\"\nroute = { private = true }\n"
             "static_response = { status = 404, teapot = 1, headers = { Connection = \"close\", a = \"b\" } }\n");
    static const char *const WARNINGS[] = {
        "spin.toml:6:9: nobody reaches a static_response with a private route; give it a path",
        "spin.toml:7:21: key \"status\" in \"static_response\" of [[trigger.http]] changes nothing; did you mean "
        "\"status_code\"?",
        "spin.toml:7:35: key \"teapot\" in \"static_response\" of [[trigger.http]] changes nothing; remove it",
        "spin.toml:7:59: header \"Connection\" of \"static_response\" of [[trigger.http]] is about the connection, "
        "which "
        "is the server's; it is not sent",
    };
    for (size_t i = 0; i < COUNT(WARNINGS) && i < manifest.warning_count; i++)
        assert_string_equal(manifest.warnings[i], WARNINGS[i]);
    assert_int_equal(manifest.warning_count, COUNT(WARNINGS));
    assert_int_equal(manifest.triggers[0].static_response->header_count, 1);
    assert_string_equal(manifest.triggers[0].id, "gone");
    weir_manifest_free(&manifest);
}

static void a_static_response_that_cannot_be_sent_is_refused(void **state)
{
    (void)state;
#define OF "\"static_response\" of [[trigger.http]]"
#define STATUS(number) "spin.toml:6:35: \"status_code\" of " OF " is " number "; a response has one from 200 to 999"
    static const wrong_t CASES[] = {
        {"{ status_code = 42 }", STATUS("42")},
        {"{ status_code = 100 }", STATUS("100")},
        {"{ status_code = 199 }", STATUS("199")},
        {"{ status_code = 1000 }", STATUS("1000")},
        {"{ status_code = 65736 }", STATUS("65736")}, /* 200 in 16 bits */
        {"{ status_code = -1 }", STATUS("-1")},
        {"{ status_code = \"200\" }", "spin.toml:6:35: \"status_code\" in " OF
                                      " must be an integer, not the string \"200\"; write status_code = 200"},
        {"{ headers = { \"a b\" = \"1\" } }",
            "spin.toml:6:33: \"a b\" of " OF " cannot be the name of a header; use letters, digits and \"-\""},
        {"{ headers = { \"\" = \"1\" } }",
            "spin.toml:6:33: \"\" of " OF " cannot be the name of a header; use letters, digits and \"-\""},
        {"{ headers = { \"a\\r\\nb\" = \"1\" } }",
            "spin.toml:6:33: \"a\\r\\nb\" of " OF " cannot be the name of a header; use letters, digits and \"-\""},
        {"{ headers = { \"\xc3\xa9\" = \"1\" } }",
            "spin.toml:6:33: \"\xc3\xa9\" of " OF " cannot be the name of a header; use letters, digits and \"-\""},
        {"{ headers = { a = \"1\\r\\nX: 2\" } }",
            "spin.toml:6:37: the value \"1\\r\\nX: 2\" of header \"a\" in " OF " has a control character; remove it"},
        {"{ headers = { a = \"\\u007F\" } }",
            "spin.toml:6:37: the value \"\\x7f\" of header \"a\" in " OF " has a control character; remove it"},
        {"{ headers = { a = 1 } }", "spin.toml:6:37: \"a\" of \"headers\" in " OF " must be a string, not an integer"},
        {"{ body = \"four\", headers = { content-length = \"5\" } }",
            "spin.toml:6:65: \"content-length\" of " OF
            " is \"5\", and the body has 4 bytes; remove it: it is sent anyway"},
        {"{ body = 1 }", "spin.toml:6:28: \"body\" in " OF " must be a string, not the integer 1"},
        {"\"hello\"",
            "spin.toml:6:19: \"static_response\" in [[trigger.http]] must be a table, not the string \"hello\"; "
            "write static_response = { body = \"...\" }"},
        /* crates/http/src/config.rs, lookup_key */
        {"{}\ncomponent = \"hello\"", "spin.toml:6:1: a trigger has a component or a static_response, and this one has "
                                      "both; remove one of them"},
    };
    check_wrong(HEAD "[[trigger.http]]\nroute = \"/\"\nstatic_response = ", CASES, COUNT(CASES), "\n" COMPONENT);
}

/* ---- Bounds ------------------------------------------------------------------------------------------------------ */

/* `count` times `element` with its number for "#", between `head` and `tail`. */
static char *repeated(const char *head, const char *element, size_t count, const char *tail)
{
    size_t capacity = strlen(head) + count * (strlen(element) + 8) + strlen(tail) + 1;
    char *text = malloc(capacity);
    assert_non_null(text);
    size_t size = (size_t)snprintf(text, capacity, "%s", head);
    size_t before = strcspn(element, "#"), after = element[before] == '\0' ? before : before + 1;
    for (size_t i = 0; i < count; i++) {
        size += (size_t)snprintf(text + size, capacity - size, "%.*s", (int)before, element);
        if (after > before)
            size += (size_t)snprintf(text + size, capacity - size, "%zu%s", i, element + after);
    }
    snprintf(text + size, capacity - size, "%s", tail);
    return text;
}

static void each_part_has_a_bound(void **state)
{
    (void)state;
#define STATIC HEAD "[[trigger.http]]\nroute = \"/\"\nstatic_response.headers = { "
    static const struct {
        const char *head;
        const char *element;
        const char *tail;
        size_t most;
        const char *message;
    } CASES[] = {
        {HEAD "[variables]\n", "a# = { default = '' }\n", TRIGGER COMPONENT, 1024,
            "spin.toml:4:1: \"variables\" in the top-level table has 1025 elements; the most is 1024"},
        {HEAD TRIGGER COMPONENT "variables = { ", "a# = '', ", "b = '' }\n", 1023,
            "spin.toml:9:13: \"variables\" in [component.hello] has 1025 elements; the most is 1024"},
        {HEAD TRIGGER COMPONENT "files = [ ", "'#', ", "]\n", 1024,
            "spin.toml:9:9: \"files\" in [component.hello] has 1025 elements; the most is 1024"},
        {HEAD TRIGGER COMPONENT "exclude_files = [ ", "'#', ", "]\n", 1024,
            "spin.toml:9:17: \"exclude_files\" in [component.hello] has 1025 elements; the most is 1024"},
        {HEAD TRIGGER COMPONENT "allowed_outbound_hosts = [ ", "'#', ", "]\n", 1024,
            "spin.toml:9:26: \"allowed_outbound_hosts\" in [component.hello] has 1025 elements; the most is 1024"},
        {HEAD TRIGGER COMPONENT "allowed_http_hosts = [ ", "'a#', ", "]\n", 1024,
            "spin.toml:9:22: \"allowed_http_hosts\" in [component.hello] has 1025 elements; the most is 1024"},
        {HEAD TRIGGER COMPONENT "build.command = [ ", "'#', ", "]\n", 1024,
            "spin.toml:9:17: \"command\" in [component.hello] has 1025 elements; the most is 1024"},
        {STATIC, "a# = '', ", "b = '' }\n", 63,
            "spin.toml:6:27: \"headers\" in " OF " has 65 elements; the most is 64"},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        char *text = repeated(CASES[i].head, CASES[i].element, CASES[i].most, CASES[i].tail);
        weir_manifest_t manifest = parse_text("spin.toml", text);
        weir_manifest_free(&manifest);
        free(text);
        text = repeated(CASES[i].head, CASES[i].element, CASES[i].most + 1, CASES[i].tail);
        char *message = parse_error(text, strlen(text));
        assert_string_equal(message, CASES[i].message);
        free(message);
        free(text);
    }
    for (size_t more = 0; more < 2; more++) {
        char *text = repeated(STATIC "a = '", "x", 8190 + more, "', b = '' }\n");
        if (more == 0) {
            weir_manifest_t manifest = parse_text("spin.toml", text);
            weir_manifest_free(&manifest);
        } else {
            char *message = parse_error(text, strlen(text));
            assert_non_null(strstr(message, ": the headers of " OF " have more than 8192 bytes, which is the most"));
            free(message);
        }
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_source_can_be_a_url_with_its_digest),
        cmocka_unit_test(a_source_that_cannot_be_had_is_refused),
        cmocka_unit_test(variables_of_the_application_are_read),
        cmocka_unit_test(a_variable_that_is_wrong_is_refused_without_its_value),
        cmocka_unit_test(variables_of_a_component_are_read),
        cmocka_unit_test(files_are_read),
        cmocka_unit_test(files_that_are_wrong_are_refused),
        cmocka_unit_test(allowed_hosts_are_read_as_written),
        cmocka_unit_test(allowed_http_hosts_become_outbound_hosts),
        cmocka_unit_test(an_http_host_that_is_none_is_refused),
        cmocka_unit_test(it_is_read_how_a_component_is_built),
        cmocka_unit_test(an_executor_has_spins_types),
        cmocka_unit_test(a_private_route_is_no_route),
        cmocka_unit_test(a_static_response_is_read),
        cmocka_unit_test(what_of_a_static_response_is_not_sent_is_warned_about),
        cmocka_unit_test(a_static_response_that_cannot_be_sent_is_refused),
        cmocka_unit_test(each_part_has_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
