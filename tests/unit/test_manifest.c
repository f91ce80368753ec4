/*
 * test_manifest.c: what a manifest means, and what is said, with its place, about one that is wrong.
 */
#include "app/manifest.h"

#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* cmocka.h wants the others before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
/* clang-format on */

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* Three lines, so that what follows begins on line 4. */
#define HEAD                                                                                                           \
    "spin_manifest_version = 2\n"                                                                                      \
    "[application]\n"                                                                                                  \
    "name = \"app\"\n"
/* Three lines: 4 to 6 behind HEAD. */
#define TRIGGER                                                                                                        \
    "[[trigger.http]]\n"                                                                                               \
    "route = \"/hello\"\n"                                                                                             \
    "component = \"hello\"\n"
/* Two lines: 7 and 8 behind HEAD and TRIGGER; what follows is still in the component, on line 9. */
#define COMPONENT                                                                                                      \
    "[component.hello]\n"                                                                                              \
    "source = \"hello.wasm\"\n"

static weir_manifest_t parse_text(const char *path, const char *text)
{
    /* Exactly as large as the text, so that a sanitizer sees a byte too much. */
    size_t size = strlen(text);
    char *copy = malloc(size > 0 ? size : 1);
    assert_non_null(copy);
    memcpy(copy, text, size);
    weir_manifest_t manifest;
    char *message = NULL;
    bool parsed = weir_manifest_parse(path, copy, size, &manifest, &message);
    free(copy);
    if (!parsed)
        fail_msg("%s", message);
    assert_null(message);
    return manifest;
}

static char *parse_error(const char *text, size_t size)
{
    weir_manifest_t manifest, untouched;
    memset(&manifest, 0xA5, sizeof manifest);
    untouched = manifest;
    char *message = NULL;
    if (weir_manifest_parse("spin.toml", text, size, &manifest, &message))
        fail_msg("this was let pass:\n%s", text);
    assert_memory_equal(&manifest, &untouched, sizeof manifest);
    assert_non_null(message);
    assert_null(strpbrk(message, "\n\r\t\x1b")); /* one line, whatever it quotes */
    return message;
}

/* A text and what must be said about it. */
typedef struct wrong {
    const char *text;
    const char *message;
} wrong_t;

static void check_wrong(const wrong_t *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *message = parse_error(cases[i].text, strlen(cases[i].text));
        if (strcmp(message, cases[i].message) != 0)
            fail_msg("said:   %s\nwanted: %s\nof:\n%s", message, cases[i].message, cases[i].text);
        free(message);
    }
}

/* ---- What a manifest means --------------------------------------------------------------------------------------- */

static void everything_in_a_manifest_is_read(void **state)
{
    (void)state;
    weir_manifest_t manifest = parse_text("apps/one/spin.toml",
        "spin_manifest_version = 2\n"
        "\n"
        "[application]\n"
        "name = \"first light\"\n"
        "version = \"1.2.3\"\n"
        "description = \"says h\xc3\xa9llo\"\n"
        "authors = [\"A <a@example.com>\"]\n"
        "targets = [\"spin-up:3.3\", { url = \"https://example.com/t.toml\" }]\n"
        "[application.tool.lint]\n"
        "level = 3\n"
        "[application.trigger.redis]\n"
        "address = \"redis://localhost\"\n"
        "\n"
        "[[trigger.http]]\n"
        "id = \"front\"\n"
        "route = \"/hello\"\n"
        "component = \"hello\"\n"
        "\n"
        "[[trigger.http]]\n"
        "  route = \"/cgi/...\"\n"
        "  component = \"HTTP-cgi2\"\n"
        "  executor = { type = \"wagi\", argv = \"${SCRIPT_NAME} x\", entrypoint = \"_start\" }\n"
        "\n"
        "[component.hello]\n"
        "description = \"greets\"\n"
        "source = \"target/hello.wasm\"\n"
        "environment = { LANG = \"C\", EMPTY = \"\", \"with space\" = \"\xe4\xb8\x96\" }\n"
        "allowed_outbound_hosts = []\n"
        "files = []\n"
        "exclude_files = []\n"
        "variables = {}\n"
        "dependencies = {}\n"
        "dependencies_inherit_configuration = false\n"
        "[component.hello.build]\n"
        "command = [\"make\", \"make install\"]\n"
        "workdir = \"guest\"\n"
        "watch = [\"*.c\"]\n"
        "[component.hello.profile.debug]\n"
        "source = \"debug.wasm\"\n"
        "build.command = \"make debug\"\n"
        "[component.hello.tool.clean]\n"
        "command = \"make clean\"\n"
        "\n"
        "[component.HTTP-cgi2]\n"
        "source = \"/opt/cgi.wasm\"\n"
        "build = { command = \"make\" }\n"
        "[variables]\n");
    assert_string_equal(manifest.path, "apps/one/spin.toml");
    assert_string_equal(manifest.directory, "apps/one");
    assert_string_equal(manifest.name, "first light");
    assert_string_equal(manifest.version, "1.2.3");
    assert_string_equal(manifest.description, "says h\xc3\xa9llo");
    assert_int_equal(manifest.warning_count, 0);

    assert_int_equal(manifest.component_count, 2);
    const weir_component_t *hello = &manifest.components[0], *cgi = &manifest.components[1];
    assert_string_equal(hello->id, "hello");
    assert_string_equal(hello->description, "greets");
    assert_string_equal(hello->source, "apps/one/target/hello.wasm");
    assert_int_equal(hello->source_place.line, 26);
    assert_int_equal(hello->source_place.column, 10);
    assert_int_equal(hello->environment_count, 3);
    static const char *const ENVIRONMENT[][2] = {{"LANG", "C"}, {"EMPTY", ""}, {"with space", "\xe4\xb8\x96"}};
    for (size_t i = 0; i < COUNT(ENVIRONMENT); i++) {
        assert_string_equal(hello->environment[i].name, ENVIRONMENT[i][0]);
        assert_string_equal(hello->environment[i].value, ENVIRONMENT[i][1]);
    }
    assert_string_equal(cgi->id, "HTTP-cgi2");
    assert_null(cgi->description);
    assert_string_equal(cgi->source, "/opt/cgi.wasm");
    assert_int_equal(cgi->environment_count, 0);

    assert_int_equal(manifest.trigger_count, 2);
    const weir_http_trigger_t *front = &manifest.triggers[0], *back = &manifest.triggers[1];
    assert_string_equal(front->id, "front");
    assert_string_equal(front->route, "/hello");
    assert_int_equal(front->route_place.line, 16);
    assert_int_equal(front->route_place.column, 9);
    assert_int_equal(front->component, 0);
    assert_int_equal(front->executor, WEIR_EXECUTOR_HTTP);
    assert_null(front->wagi_argv);
    assert_string_equal(back->id, "HTTP-cgi2-http-trigger");
    assert_string_equal(back->route, "/cgi/...");
    assert_int_equal(back->route_place.line, 20);
    assert_int_equal(back->route_place.column, 11);
    assert_int_equal(back->component, 1);
    assert_int_equal(back->executor, WEIR_EXECUTOR_WAGI);
    assert_string_equal(back->wagi_argv, "${SCRIPT_NAME} x");

    weir_manifest_free(&manifest);
    static const weir_manifest_t ZERO;
    assert_memory_equal(&manifest, &ZERO, sizeof manifest);
    weir_manifest_free(&manifest); /* and once more, which does nothing */
}

static void a_short_manifest_has_defaults(void **state)
{
    (void)state;
    weir_manifest_t manifest = parse_text("spin.toml", HEAD TRIGGER COMPONENT);
    assert_string_equal(manifest.directory, ".");
    assert_null(manifest.version);
    assert_null(manifest.description);
    assert_string_equal(manifest.components[0].source, "hello.wasm");
    assert_null(manifest.components[0].description);
    assert_string_equal(manifest.triggers[0].id, "hello-http-trigger");
    assert_int_equal(manifest.triggers[0].executor, WEIR_EXECUTOR_HTTP);
    assert_int_equal(manifest.warning_count, 0);
    weir_manifest_free(&manifest);
}

static void a_source_is_below_the_manifests_directory(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        const char *directory;
        const char *source;
    } CASES[] = {
        {"spin.toml", ".", "hello.wasm"},
        {"./spin.toml", ".", "hello.wasm"},
        {"app/spin.toml", "app", "app/hello.wasm"},
        {"../app/my.toml", "../app", "../app/hello.wasm"},
        {"/srv/app/spin.toml", "/srv/app", "/srv/app/hello.wasm"},
        {"/spin.toml", "/", "/hello.wasm"},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        weir_manifest_t manifest = parse_text(CASES[i].path, HEAD TRIGGER COMPONENT);
        assert_string_equal(manifest.path, CASES[i].path);
        assert_string_equal(manifest.directory, CASES[i].directory);
        assert_string_equal(manifest.components[0].source, CASES[i].source);
        weir_manifest_free(&manifest);
    }
}

/* TOML says the same thing in several ways. */
static void however_it_is_spelled_it_means_the_same(void **state)
{
    (void)state;
    static const char *const SPELLINGS[] = {
        HEAD TRIGGER "executor.type = \"wagi\"\n" COMPONENT "environment.A = \"1\"\n",
        "component.hello = { source = 'hello.wasm', environment = { A = '1' } }\r\n"
        "trigger.http = [ { route = '/hello', component = 'hello', executor = { type = 'wagi' } } ]\r\n"
        "application = { name = \"\"\"app\"\"\" }\r\n"
        "spin_manifest_version = 0x2\r\n",
        "\"spin_manifest_version\" = 2 # comment\n"
        "[application] # comment\n"
        "name = \"\\u0061pp\"\n"
        "[component]\n"
        "[component.hello]\n"
        "\"source\" = \"hello.wasm\"\n"
        "[component.hello.environment]\n"
        "A = \"1\"\n"
        "[trigger]\n"
        "[[trigger.http]]\n"
        "route = \"/hello\"\n"
        "component = \"hello\"\n"
        "[trigger.http.executor]\n"
        "type = \"wagi\"\n",
    };
    for (size_t i = 0; i < COUNT(SPELLINGS); i++) {
        weir_manifest_t manifest = parse_text("spin.toml", SPELLINGS[i]);
        assert_string_equal(manifest.name, "app");
        assert_int_equal(manifest.component_count, 1);
        assert_string_equal(manifest.components[0].source, "hello.wasm");
        assert_int_equal(manifest.components[0].environment_count, 1);
        assert_string_equal(manifest.components[0].environment[0].name, "A");
        assert_int_equal(manifest.trigger_count, 1);
        assert_string_equal(manifest.triggers[0].route, "/hello");
        assert_int_equal(manifest.triggers[0].executor, WEIR_EXECUTOR_WAGI);
        assert_string_equal(manifest.triggers[0].wagi_argv, "${SCRIPT_NAME} ${ARGS}");
        weir_manifest_free(&manifest);
    }
}

static void triggers_and_inline_components_get_spins_ids(void **state)
{
    (void)state;
    weir_manifest_t manifest = parse_text("spin.toml", HEAD
        "[component.b]\nsource = \"b.wasm\"\n"
        "[component.a]\nsource = \"a.wasm\"\n"
        "[component.inline-component1]\nsource = \"taken.wasm\"\n"
        "[[trigger.http]]\nroute = \"/0\"\ncomponent = \"a\"\n"
        "[[trigger.http]]\nroute = \"/1\"\ncomponent = \"a\"\n"
        "[[trigger.http]]\nroute = \"/2\"\nid = \"mine\"\n"
        "component = { source = \"i.wasm\", description = \"inline\" }\n"
        "[[trigger.http]]\nroute = \"/3\"\nid = \"not a valid id\"\n[trigger.http.component]\nsource = \"j.wasm\"\n"
        "[[trigger.http]]\nroute = \"/4\"\nid = \"\"\ncomponent = { source = \"k.wasm\" }\n"
        "[[trigger.http]]\nroute = \"/5\"\nid = \"http-trigger2\"\ncomponent = \"b\"\n"
        "[[trigger.http]]\nroute = \"/6\"\nid = \"b-http-trigger\"\ncomponent = \"b\"\n"
        "[[trigger.http]]\nroute = \"/7\"\ncomponent = \"b\"\n");
    static const struct {
        const char *id;
        const char *component;
        const char *source;
    } EXPECTED[] = {
        {"a-http-trigger", "a", "a.wasm"},
        {"http-trigger1", "a", "a.wasm"},
        {"mine", "mine-component", "i.wasm"},
        {"not a valid id", "inline-component2", "j.wasm"},
        {"http-trigger3", "http-trigger3-component", "k.wasm"},
        {"http-trigger2", "b", "b.wasm"},
        {"b-http-trigger", "b", "b.wasm"},
        {"http-trigger4", "b", "b.wasm"},
    };
    assert_int_equal(manifest.trigger_count, COUNT(EXPECTED));
    for (size_t i = 0; i < COUNT(EXPECTED); i++) {
        const weir_http_trigger_t *trigger = &manifest.triggers[i];
        assert_string_equal(trigger->id, EXPECTED[i].id);
        assert_in_range(trigger->component, 0, manifest.component_count - 1);
        assert_string_equal(manifest.components[trigger->component].id, EXPECTED[i].component);
        assert_string_equal(manifest.components[trigger->component].source, EXPECTED[i].source);
    }
    /* In the order of the text, inline ones behind. */
    static const char *const IDS[] = {
        "b", "a", "inline-component1", "mine-component", "inline-component2", "http-trigger3-component"};
    assert_int_equal(manifest.component_count, COUNT(IDS));
    for (size_t i = 0; i < COUNT(IDS); i++)
        assert_string_equal(manifest.components[i].id, IDS[i]);
    assert_string_equal(manifest.components[3].description, "inline");
    weir_manifest_free(&manifest);
}

static void what_will_be_denied_or_changes_nothing_is_warned_about(void **state)
{
    (void)state;
    static const char *const WARNINGS[] = {
        "spin.toml:5:1: \"base\" in [application.trigger.http] is deprecated and changes nothing; remove it",
        "spin.toml:11:1: \"allowed_outbound_hosts\" in [component.hello]: outbound connections are not served yet; "
        "they "
        "will be denied",
        "spin.toml:12:1: \"allowed_http_hosts\" in [component.hello]: this key is deprecated (use "
        "\"allowed_outbound_hosts\"), and outbound connections are not served yet; they will be denied",
        "spin.toml:13:1: \"key_value_stores\" in [component.hello]: key-value stores are not provided yet",
        "spin.toml:14:1: \"sqlite_databases\" in [component.hello]: SQLite databases are not provided yet",
        "spin.toml:15:1: \"ai_models\" in [component.hello]: AI models are not provided",
        "spin.toml:24:6: another trigger has the id \"twin\" too",
        "spin.toml:25:30: \"key_value_stores\" in \"component\" of [[trigger.http]]: key-value stores are not provided "
        "yet",
    };
    weir_manifest_t manifest =
        parse_text("spin.toml", HEAD "[application.trigger.http]\n"
                                     "base = \"/\"\n" TRIGGER "[component.hello]\n"
                                     "source = \"hello.wasm\"\n"
                                     "allowed_outbound_hosts = [\"https://example.com\"]\n"
                                     "allowed_http_hosts = [\"example.com\"]\n"
                                     "key_value_stores = [\"default\", \"snake_case\", \"kebab-case\"]\n"
                                     "sqlite_databases = [\"default\"]\n"
                                     "ai_models = [\"llama2-chat\"]\n"
                                     "[component.quiet]\n"
                                     "source = \"quiet.wasm\"\n"
                                     "[[trigger.http]]\n"
                                     "id = \"twin\"\n"
                                     "route = \"/1\"\n"
                                     "component = \"quiet\"\n"
                                     "[[trigger.http]]\n"
                                     "route = \"/2\"\n"
                                     "id = \"twin\"\n"
                                     "component = { source = \"\\\\\", key_value_stores = [\"default\"] }\n");
    for (size_t i = 0; i < COUNT(WARNINGS) && i < manifest.warning_count; i++)
        assert_string_equal(manifest.warnings[i], WARNINGS[i]);
    assert_int_equal(manifest.warning_count, COUNT(WARNINGS));
    weir_manifest_free(&manifest);
}

/* ---- What is wrong ----------------------------------------------------------------------------------------------- */

static void a_version_other_than_two_is_refused(void **state)
{
    (void)state;
#define VERSION_ONE                                                                                                    \
    "this is a manifest of version 1, and weir reads version 2: write spin_manifest_version = 2, move name and "       \
    "version "                                                                                                         \
    "to [application], each [[component]] to [component.ID] and its trigger to [[trigger.http]]; or run \"spin "       \
    "doctor\""
    static const wrong_t CASES[] = {
        {"", "spin.toml: \"spin_manifest_version\" is missing; add spin_manifest_version = 2 at the top"},
        {"[application]\nname = \"x\"\n",
            "spin.toml: \"spin_manifest_version\" is missing; add spin_manifest_version = 2 at the top"},
        {"spin_manifest_version = \"1\"\nname = \"old\"\n", "spin.toml:1:1: " VERSION_ONE},
        {"name = \"old\"\nspin_version = \"1\"\n[[component]]\nid = \"a\"\n", "spin.toml:2:1: " VERSION_ONE},
        {"spin_manifest_version = 1\n", "spin.toml:1:1: " VERSION_ONE},
        {"spin_manifest_version = 3\n", "spin.toml:1:25: \"spin_manifest_version\" is 3, and weir reads version 2"},
        {"spin_manifest_version = -2\n", "spin.toml:1:25: \"spin_manifest_version\" is -2, and weir reads version 2"},
        {"spin_manifest_version = \"2\"\n",
            "spin.toml:1:25: \"spin_manifest_version\" must be the integer 2, not a string; write "
            "spin_manifest_version = 2"},
        {"spin_manifest_version = 2.0\n",
            "spin.toml:1:25: \"spin_manifest_version\" must be the integer 2, not a number with a fraction; write "
            "spin_manifest_version = 2"},
    };
    check_wrong(CASES, COUNT(CASES));
}

#define TEN "abcdefghij"

static void an_unknown_key_is_refused_and_the_near_one_named(void **state)
{
    (void)state;
    static const wrong_t CASES[] = {
        {HEAD TRIGGER "[component.hello]\nsourc = \"hello.wasm\"\n",
            "spin.toml:8:1: unknown key \"sourc\" in [component.hello]; did you mean \"source\"?"},
        {HEAD TRIGGER "[component.hello]\n  SOURCE = \"hello.wasm\"\n",
            "spin.toml:8:3: unknown key \"SOURCE\" in [component.hello]; did you mean \"source\"?"},
        {HEAD TRIGGER COMPONENT "allowed-outbound-hosts = []\n",
            "spin.toml:9:1: unknown key \"allowed-outbound-hosts\" in [component.hello]; did you mean "
            "\"allowed_outbound_hosts\"?"},
        {HEAD TRIGGER COMPONENT "enviroment = {}\n",
            "spin.toml:9:1: unknown key \"enviroment\" in [component.hello]; did you mean \"environment\"?"},
        {HEAD TRIGGER COMPONENT "flies = []\n",
            "spin.toml:9:1: unknown key \"flies\" in [component.hello]; did you mean \"files\"?"},
        {HEAD TRIGGER COMPONENT "colour = \"red\"\n",
            "spin.toml:9:1: unknown key \"colour\" in [component.hello]; remove it"},
        {HEAD TRIGGER COMPONENT "route = \"/\"\n",
            "spin.toml:9:1: unknown key \"route\" in [component.hello]; it belongs in [[trigger.http]]"},
        {HEAD TRIGGER COMPONENT "\"\" = 1\n", "spin.toml:9:1: unknown key \"\" in [component.hello]; remove it"},
        {HEAD TRIGGER COMPONENT "\"a\\nb\\u001b\\\"\\\\\" = 1\n",
            "spin.toml:9:1: unknown key \"a\\nb\\x1b\\\"\\\\\" in [component.hello]; remove it"},
        {HEAD TRIGGER COMPONENT "\"\xe2\x80\xae\" = 1\n",
            "spin.toml:9:1: unknown key \"\\u202e\" in [component.hello]; remove it"},
        {HEAD TRIGGER COMPONENT TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN " = 1\n",
            "spin.toml:9:1: unknown key \"" TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
            "ab\xe2\x80\xa6\" in [component.hello]; remove it"},
        {HEAD "verison = \"1\"\n" TRIGGER COMPONENT,
            "spin.toml:4:1: unknown key \"verison\" in [application]; did you mean \"version\"?"},
        {"spin_manifest_version = 2\nname = \"x\"\n",
            "spin.toml:2:1: unknown key \"name\" in the top-level table; it belongs in [application]"},
        {"spin_manifest_version = 2\n[aplication]\nname = \"x\"\n",
            "spin.toml:2:2: unknown key \"aplication\" in the top-level table; did you mean \"application\"?"},
        {HEAD TRIGGER COMPONENT "[[triger.http]]\nroute = \"/\"\n",
            "spin.toml:9:3: unknown key \"triger\" in the top-level table; did you mean \"trigger\"?"},
        {HEAD "[[trigger.http]]\nroutes = \"/\"\ncomponent = \"hello\"\n" COMPONENT,
            "spin.toml:5:1: unknown key \"routes\" in [[trigger.http]]; did you mean \"route\"?"},
        {HEAD TRIGGER "environment = {}\n" COMPONENT,
            "spin.toml:7:1: unknown key \"environment\" in [[trigger.http]]; it belongs in [component.ID]"},
        {HEAD TRIGGER "executor = { typ = \"wagi\" }\n" COMPONENT,
            "spin.toml:7:12: \"type\" is missing in \"executor\" of [[trigger.http]]; add type = \"http\" or type = "
            "\"wagi\""},
        {HEAD TRIGGER "executor = { type = \"wagi\", args = \"\" }\n" COMPONENT,
            "spin.toml:7:29: unknown key \"args\" in \"executor\" of [[trigger.http]]; did you mean \"argv\"?"},
        {HEAD TRIGGER "executor = { type = \"http\", argv = \"\" }\n" COMPONENT,
            "spin.toml:7:29: \"argv\" in \"executor\" of [[trigger.http]] is for type = \"wagi\" only; remove it or "
            "change "
            "the type"},
        {HEAD "[application.trigger.http]\nbse = \"/\"\n" TRIGGER COMPONENT,
            "spin.toml:5:1: unknown key \"bse\" in [application.trigger.http]; did you mean \"base\"?"},
        {HEAD TRIGGER COMPONENT "[component.hello.build]\ncommand = \"make\"\nworkdirectory = \"x\"\n",
            "spin.toml:11:1: unknown key \"workdirectory\" in \"build\" of [component.hello]; remove it"},
        {HEAD TRIGGER COMPONENT "[component.hello.profile.debug]\nsuorce = \"x\"\n",
            "spin.toml:10:1: unknown key \"suorce\" in \"debug\" of [component.hello]; did you mean \"source\"?"},
        {HEAD TRIGGER "[component.hello]\nsource = { url = \"https://example.com/a.wasm\", diggest = \"\" }\n",
            "spin.toml:8:48: unknown key \"diggest\" in \"source\" of [component.hello]; did you mean \"digest\"?"},
        /* Of several, the first in the text is named. */
        {HEAD TRIGGER COMPONENT "zzz = 1\naaa = 1\n",
            "spin.toml:9:1: unknown key \"zzz\" in [component.hello]; remove it"},
    };
    check_wrong(CASES, COUNT(CASES));
}

static void a_missing_key_is_named_with_what_to_add(void **state)
{
    (void)state;
    static const wrong_t CASES[] = {
        {"spin_manifest_version = 2\n", "spin.toml: [application] is missing; add it with name = \"...\""},
        {"spin_manifest_version = 2\n[application]\n",
            "spin.toml:2:1: \"name\" is missing in [application]; add name = \"...\""},
        {HEAD COMPONENT,
            "spin.toml: there is no trigger, so nothing to serve; add [[trigger.http]] with a route and a component"},
        {HEAD "[trigger]\n", "spin.toml:4:2: there is no trigger, so nothing to serve; add [[trigger.http]] with a "
                             "route and a component"},
        {HEAD "[trigger]\nhttp = []\n", "spin.toml:4:2: there is no trigger, so nothing to serve; add [[trigger.http]] "
                                        "with a route and a component"},
        {HEAD "[[trigger.http]]\ncomponent = \"hello\"\n" COMPONENT,
            "spin.toml:4:1: \"route\" is missing in [[trigger.http]]; add route = \"/...\" or another path"},
        {HEAD "[[trigger.http]]\nroute = \"/\"\n" COMPONENT,
            "spin.toml:4:1: \"component\" is missing in [[trigger.http]]; add component = \"ID\""},
        {HEAD TRIGGER "[component.hello]\ndescription = \"x\"\n",
            "spin.toml:7:1: \"source\" is missing in [component.hello]; add source = \"FILE.wasm\""},
        {HEAD "[[trigger.http]]\nroute = \"/\"\ncomponent = { description = \"x\" }\n",
            "spin.toml:6:13: \"source\" is missing in \"component\" of [[trigger.http]]; add source = \"FILE.wasm\""},
        {HEAD TRIGGER "executor = {}\n" COMPONENT,
            "spin.toml:7:12: \"type\" is missing in \"executor\" of [[trigger.http]]; add type = \"http\" or type = "
            "\"wagi\""},
        {HEAD TRIGGER COMPONENT "[component.hello.build]\nworkdir = \"x\"\n",
            "spin.toml:9:1: \"command\" is missing in \"build\" of [component.hello]; add command = \"...\""},
    };
    check_wrong(CASES, COUNT(CASES));
}

static void a_value_of_the_wrong_type_is_named_with_both_types(void **state)
{
    (void)state;
    static const wrong_t CASES[] = {
        {"spin_manifest_version = 2\n[application]\nname = 7\n",
            "spin.toml:3:8: \"name\" in [application] must be a string, not an integer"},
        {"spin_manifest_version = 2\napplication = \"x\"\n", "spin.toml:2:15: \"application\" in the top-level table "
                                                             "must be a table, not a string; write [application]"},
        {HEAD "authors = \"me\"\n" TRIGGER COMPONENT,
            "spin.toml:4:11: \"authors\" in [application] must be an array of strings, not a string"},
        {HEAD "authors = [\"me\", 7]\n" TRIGGER COMPONENT,
            "spin.toml:4:18: \"authors\" in [application] must be an array of strings, but this element is an integer"},
        {HEAD "[[component]]\nid = \"a\"\n" TRIGGER,
            "spin.toml:4:1: \"component\" in the top-level table must be a table of tables, not an array; write "
            "[component.ID]"},
        {HEAD TRIGGER "[component]\nhello = \"hello.wasm\"\n",
            "spin.toml:8:9: \"hello\" of \"component\" in the top-level table must be a table, not a string"},
        {HEAD "[trigger.http]\nroute = \"/\"\n" COMPONENT,
            "spin.toml:4:10: triggers of a type are an array of tables; write [[trigger.http]] with two brackets"},
        {HEAD "[trigger]\nhttp = [\"/\"]\n" COMPONENT,
            "spin.toml:5:1: triggers of a type are an array of tables; write [[trigger.http]] with two brackets"},
        {"spin_manifest_version = 2\ntrigger = 1\n[application]\nname = \"app\"\n",
            "spin.toml:2:11: \"trigger\" in the top-level table must be a table, not an integer; write "
            "[[trigger.http]]"},
        {HEAD "[[trigger.http]]\nroute = 1\n",
            "spin.toml:5:9: \"route\" in [[trigger.http]] must be a string or a table, not an integer; write route = "
            "\"/...\""},
        {HEAD "[[trigger.http]]\nroute = \"/\"\ncomponent = [\"a\"]\n",
            "spin.toml:6:13: \"component\" in [[trigger.http]] must be a string or a table, not an array; write "
            "component "
            "= \"ID\""},
        {HEAD TRIGGER "executor = \"wagi\"\n" COMPONENT,
            "spin.toml:7:12: \"executor\" in [[trigger.http]] must be a table, not a string; write executor = { type = "
            "\"http\" } or { type = \"wagi\" }"},
        {HEAD TRIGGER "executor = { type = true }\n" COMPONENT,
            "spin.toml:7:21: \"type\" in \"executor\" of [[trigger.http]] must be a string, not a boolean"},
        {HEAD TRIGGER "executor = { type = \"wagi\", argv = [\"a\"] }\n" COMPONENT,
            "spin.toml:7:36: \"argv\" in \"executor\" of [[trigger.http]] must be a string, not an array"},
        {HEAD TRIGGER "[component.hello]\nsource = [\"hello.wasm\"]\n",
            "spin.toml:8:10: \"source\" in [component.hello] must be a string or a table, not an array; write source = "
            "\"FILE.wasm\""},
        {HEAD TRIGGER COMPONENT "environment = [\"A=1\"]\n",
            "spin.toml:9:15: \"environment\" in [component.hello] must be a table, not an array; write environment = { "
            "NAME = \"value\" }"},
        {HEAD TRIGGER COMPONENT "environment = { A = \"1\", PORT = 8080 }\n",
            "spin.toml:9:33: environment variable \"PORT\" in [component.hello] must be a string, not an integer; put "
            "its "
            "value in quotes"},
        {HEAD TRIGGER COMPONENT "environment = { DEBUG = true }\n",
            "spin.toml:9:25: environment variable \"DEBUG\" in [component.hello] must be a string, not a boolean; put "
            "its "
            "value in quotes"},
        {HEAD TRIGGER COMPONENT "key_value_stores = \"default\"\n",
            "spin.toml:9:20: \"key_value_stores\" in [component.hello] must be an array of strings, not a string"},
        {HEAD TRIGGER COMPONENT "files = [1]\n", "spin.toml:9:10: \"files\" in [component.hello] must be an array of "
                                                 "strings and tables, but this element is an "
                                                 "integer"},
        {HEAD TRIGGER COMPONENT "variables = { a = 1.5 }\n",
            "spin.toml:9:19: \"a\" of \"variables\" in [component.hello] must be a string, not a number with a "
            "fraction"},
        {HEAD TRIGGER COMPONENT "build = { command = 1 }\n",
            "spin.toml:9:21: \"command\" in \"build\" of [component.hello] must be a string or an array of strings, "
            "not an "
            "integer"},
        {HEAD TRIGGER COMPONENT "dependencies_inherit_configuration = \"yes\"\n",
            "spin.toml:9:38: \"dependencies_inherit_configuration\" in [component.hello] must be true or false, not a "
            "string"},
    };
    check_wrong(CASES, COUNT(CASES));
}

static void what_would_change_the_guest_silently_is_refused(void **state)
{
    (void)state;
#define OF_HELLO(key, rest) "spin.toml:9:1: \"" key "\" in [component.hello] is not supported yet: " rest
    static const wrong_t CASES[] = {
        {HEAD TRIGGER COMPONENT "files = [\"a/*\", { source = \"b\", destination = \"/\" }]\n",
            OF_HELLO("files", "the guest would not find these files")},
        {HEAD TRIGGER COMPONENT "exclude_files = [\"a/*\"]\n",
            OF_HELLO("exclude_files", "no files are given to guests at all")},
        {HEAD TRIGGER COMPONENT "variables = { a = \"{{ b }}\" }\n",
            OF_HELLO("variables", "the guest could not read these variables")},
        {HEAD TRIGGER COMPONENT "dependencies = { \"a:b/c\" = \"1.0\" }\n",
            OF_HELLO("dependencies", "its imports would not be satisfied")},
        {HEAD TRIGGER COMPONENT "[variables]\na = { default = \"1\" }\n",
            "spin.toml:9:2: \"variables\" in the top-level table is not supported yet: guests could not read these "
            "variables"},
        {HEAD TRIGGER "static_response = {}\n" COMPONENT,
            "spin.toml:7:1: \"static_response\" in [[trigger.http]] is not supported yet: the response would come from "
            "nowhere"},
        {HEAD TRIGGER "components = { a = \"hello\" }\n" COMPONENT,
            "spin.toml:7:1: \"components\" in [[trigger.http]] is not supported yet: only \"component\" is"},
        {HEAD TRIGGER "dependencies = { middleware = [] }\n" COMPONENT,
            "spin.toml:7:1: \"dependencies\" in [[trigger.http]] is not supported yet: these components would not be "
            "called"},
        {HEAD "[[trigger.http]]\nroute = { private = true }\ncomponent = \"hello\"\n" COMPONENT,
            "spin.toml:5:9: \"route\" in [[trigger.http]] is not supported yet: { private = true }, since components "
            "cannot call each other yet"},
        {HEAD "[[trigger.http]]\nroute = { private = false }\ncomponent = \"hello\"\n" COMPONENT,
            "spin.toml:5:9: \"route\" in [[trigger.http]] must be a string or { private = true }"},
        {HEAD "[[trigger.http]]\nroute = { privat = true }\ncomponent = \"hello\"\n" COMPONENT,
            "spin.toml:5:11: unknown key \"privat\" in \"route\" of [[trigger.http]]; did you mean \"private\"?"},
        {HEAD TRIGGER "[component.hello]\nsource = { url = \"https://example.com/a.wasm\", digest = \"sha256:00\" }\n",
            "spin.toml:8:10: \"source\" in [component.hello] is not supported yet: a URL; download the file and write "
            "source = \"FILE.wasm\""},
        {HEAD TRIGGER "[component.hello.source]\npackage = \"a:b\"\nversion = \"1\"\nregistry = \"example.com\"\n",
            "spin.toml:7:1: \"source\" in [component.hello] is not supported yet: a registry; download the file and "
            "write "
            "source = \"FILE.wasm\""},
        {HEAD TRIGGER COMPONENT "[[trigger.redis]]\nchannel = \"a\"\ncomponent = \"hello\"\n",
            "spin.toml:9:11: trigger type \"redis\" is not supported yet; \"http\" is the only one"},
        {HEAD "[[trigger.htpp]]\nroute = \"/\"\ncomponent = \"hello\"\n" COMPONENT,
            "spin.toml:4:11: unknown trigger type \"htpp\"; did you mean \"http\"?"},
        {HEAD "[application.trigger.http]\nbase = \"/shop\"\n" TRIGGER COMPONENT,
            "spin.toml:5:1: \"base\" in [application.trigger.http] is deprecated; remove it, and write \"/shop\" "
            "before "
            "each route instead"},
    };
    check_wrong(CASES, COUNT(CASES));
}

static void a_component_that_is_not_there_is_named_with_those_that_are(void **state)
{
    (void)state;
#define MANY_COMPONENTS                                                                                                \
    "[component.a1]\nsource = \"x\"\n[component.a2]\nsource = \"x\"\n[component.a3]\nsource = \"x\"\n"                 \
    "[component.a4]\nsource = \"x\"\n[component.a5]\nsource = \"x\"\n[component.a6]\nsource = \"x\"\n"                 \
    "[component.a7]\nsource = \"x\"\n[component.a8]\nsource = \"x\"\n[component.a9]\nsource = \"x\"\n"
    static const wrong_t CASES[] = {
        {HEAD TRIGGER,
            "spin.toml:6:13: there is no component \"hello\"; there are no components; add [component.hello]"},
        {HEAD TRIGGER "[component.helo]\nsource = \"x\"\n",
            "spin.toml:6:13: there is no component \"hello\"; did you mean \"helo\"?"},
        {HEAD TRIGGER "[component.one]\nsource = \"x\"\n[component.two]\nsource = \"x\"\n",
            "spin.toml:6:13: there is no component \"hello\"; the components are \"one\", \"two\""},
        {HEAD TRIGGER MANY_COMPONENTS,
            "spin.toml:6:13: there is no component \"hello\"; none of the 9 components has this id"},
        {HEAD "[[trigger.http]]\nroute = \"/\"\ncomponent = \"hello_world\"\n" COMPONENT,
            "spin.toml:6:13: component id \"hello_world\" is not kebab-case: words are separated with \"-\", not "
            "\"_\"; did "
            "you mean \"hello-world\"?"},
        {HEAD "[[trigger.http]]\nroute = \"/\"\ncomponent = \"\"\n" COMPONENT,
            "spin.toml:6:13: component id \"\" is not kebab-case: it is empty"},
    };
    check_wrong(CASES, COUNT(CASES));
}

static void a_component_id_that_is_not_kebab_case_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *id; /* as a TOML key */
        const char *message;
    } CASES[] = {
        {"hello_world", "\"hello_world\" is not kebab-case: words are separated with \"-\", not \"_\"; did you mean "
                        "\"hello-world\"?"},
        {"helloWorld", "\"helloWorld\" is not kebab-case: each word is all lower case or all upper case; did you mean "
                       "\"helloworld\"?"},
        {"-a", "\"-a\" is not kebab-case: a word between \"-\" is empty"},
        {"a-", "\"a-\" is not kebab-case: a word between \"-\" is empty"},
        {"a--b", "\"a--b\" is not kebab-case: a word between \"-\" is empty"},
        {"1a", "\"1a\" is not kebab-case: each word begins with a letter from a to z"},
        {"a-1", "\"a-1\" is not kebab-case: each word begins with a letter from a to z"},
        {"\"a b\"", "\"a b\" is not kebab-case: only letters from a to z, digits and \"-\" are allowed; did you mean "
                    "\"a-b\"?"},
        {"\"\"", "\"\" is not kebab-case: it is empty"},
        {"\"\xc3\xa9\"", "\"\xc3\xa9\" is not kebab-case: each word begins with a letter from a to z"},
        {"\"a\\nb\"", "\"a\\nb\" is not kebab-case: only letters from a to z, digits and \"-\" are allowed"},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        char text[512], message[512];
        int size = snprintf(text, sizeof text, HEAD TRIGGER "[component.%s]\nsource = \"x\"\n", CASES[i].id);
        snprintf(message, sizeof message, "spin.toml:7:12: component id %s", CASES[i].message);
        char *said = parse_error(text, (size_t)size);
        assert_string_equal(said, message);
        free(said);
    }
}

static void other_values_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    static const wrong_t CASES[] = {
        {HEAD TRIGGER "[component.hello]\nsource = \"\"\n",
            "spin.toml:8:10: \"source\" in [component.hello] is empty; write the path of a wasm file"},
        {HEAD TRIGGER "executor = { type = \"fastcgi\" }\n" COMPONENT,
            "spin.toml:7:21: unknown executor type \"fastcgi\"; the types are \"http\" and \"wagi\""},
        {HEAD TRIGGER "executor = { type = \"wagi\", entrypoint = \"main\" }\n" COMPONENT,
            "spin.toml:7:42: \"entrypoint\" in \"executor\" of [[trigger.http]] is deprecated and cannot be \"main\"; "
            "remove "
            "it: \"_start\" is called"},
        {HEAD TRIGGER COMPONENT "environment = { \"A=B\" = \"1\" }\n",
            "spin.toml:9:17: environment variable \"A=B\" in [component.hello]: a name is not empty and has no \"=\""},
        {HEAD TRIGGER COMPONENT "environment = { \"\" = \"1\" }\n",
            "spin.toml:9:17: environment variable \"\" in [component.hello]: a name is not empty and has no \"=\""},
        {HEAD TRIGGER COMPONENT "key_value_stores = [\"default\", \"no-Such\"]\n",
            "spin.toml:9:32: label \"no-Such\" of \"key_value_stores\" in [component.hello] is neither kebab-case nor "
            "snake_case"},
        {HEAD TRIGGER COMPONENT "sqlite_databases = [\"\"]\n",
            "spin.toml:9:21: label \"\" of \"sqlite_databases\" in [component.hello] is neither kebab-case nor "
            "snake_case"},
        {HEAD TRIGGER "[component.hello]\nsource = \"a\\u0000b.wasm\"\n",
            "spin.toml:8:10: a NUL character (\\u0000) cannot be part of a string; remove it"},
        {HEAD TRIGGER "[component.hello]\n\"sou\\u0000rce\" = \"a.wasm\"\n",
            "spin.toml:8:1: a NUL character (\\u0000) cannot be part of a key; remove it"},
    };
    check_wrong(CASES, COUNT(CASES));
}

static void text_that_is_not_toml_is_refused_with_its_place(void **state)
{
    (void)state;
#define BYTES(text) text, sizeof(text) - 1
    static const struct {
        const char *text;
        size_t size;
        const char *beginning; /* the parser's own words may change */
    } CASES[] = {
        {BYTES(HEAD "version = \"1\n"), "spin.toml:4:13: cannot be read as TOML: "},
        {BYTES(HEAD "version =\n"), "spin.toml:4:10: cannot be read as TOML: "},
        {BYTES(HEAD "[component.hello\n"), "spin.toml:4:17: cannot be read as TOML: "},
        {BYTES(HEAD "name = \"again\"\n"), "spin.toml:4:1: cannot be read as TOML: "},
        {BYTES("\xc3\xa9\xc3\xa9 = = 1\n"), "spin.toml:1:6: cannot be read as TOML: "},
        {BYTES("spin_manifest_version = 99999999999999999999\n"), "spin.toml:1:25: cannot be read as TOML: "},
        {BYTES(HEAD "a = \0 1\n"), "spin.toml:4:5: a NUL byte; a manifest is plain UTF-8 text"},
        {BYTES("\0"), "spin.toml:1:1: a NUL byte; a manifest is plain UTF-8 text"},
        {BYTES(HEAD "# gr\xfc\xdf dich\n"), "spin.toml:4:5: the text is not UTF-8 here; save the manifest as UTF-8"},
        {BYTES(HEAD "# \xc3\xa9\xc3\xa9 \xed\xa0\x80\n"),
            "spin.toml:4:6: the text is not UTF-8 here; save the manifest as UTF-8"},
        {BYTES("\xff\xfes\0p\0i\0n\0"), "spin.toml:1:1: the text is not UTF-8 here; save the manifest as UTF-8"},
        {BYTES("\0asm\x0d\0\x01\0"), "spin.toml:1:1: a NUL byte; a manifest is plain UTF-8 text"},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        char *message = parse_error(CASES[i].text, CASES[i].size);
        if (strncmp(message, CASES[i].beginning, strlen(CASES[i].beginning)) != 0)
            fail_msg("said:   %s\nwanted: %s", message, CASES[i].beginning);
        free(message);
    }
}

static void a_path_in_a_message_is_escaped(void **state)
{
    (void)state;
    weir_manifest_t manifest;
    char *message = NULL;
    assert_false(weir_manifest_parse("a\nb/\x1b[2J.toml", "", 0, &manifest, &message));
    assert_string_equal(message,
        "a\\nb/\\x1b[2J.toml: \"spin_manifest_version\" is missing; add spin_manifest_version = 2 "
        "at the top");
    free(message);
}

/* ---- Bounds ------------------------------------------------------------------------------------------------------ */

/* `head`, and `count` times `before`, a number and `after`. */
static char *many(const char *head, const char *before, const char *after, size_t count, size_t *ret_size)
{
    size_t capacity = strlen(head) + count * (strlen(before) + strlen(after) + 8) + 1;
    char *text = malloc(capacity);
    assert_non_null(text);
    size_t size = (size_t)snprintf(text, capacity, "%s", head);
    for (size_t i = 0; i < count; i++)
        size += (size_t)snprintf(text + size, capacity - size, "%s%zu%s", before, i, after);
    *ret_size = size;
    return text;
}

static void a_manifest_has_bounds(void **state)
{
    (void)state;
    static const struct {
        const char *head;
        const char *before;
        const char *after;
        size_t most;
        const char *message; /* for one more */
    } CASES[] = {
        {HEAD TRIGGER COMPONENT, "[component.c", "]\nsource='x'\n", 1023,
            "spin.toml:2055:12: the manifest has 1025 components; the most is 1024"},
        {HEAD COMPONENT, "[[trigger.http]]\nroute='/", "'\ncomponent='hello'\n", 4096,
            "spin.toml:12294:1: the manifest has 4097 triggers; the most is 4096"},
        {HEAD TRIGGER COMPONENT "[component.hello.environment]\n", "v", "=''\n", 1024,
            "spin.toml:9:1: \"environment\" in [component.hello] has 1025 variables; the most is 1024"},
        {HEAD, "[[trigger.http]]\nroute='/", "'\ncomponent={source='x'}\n", 1024,
            "spin.toml:3078:11: the manifest has more than 1024 components"},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        size_t size;
        char *text = many(CASES[i].head, CASES[i].before, CASES[i].after, CASES[i].most, &size);
        weir_manifest_t manifest;
        char *message = NULL;
        if (!weir_manifest_parse("spin.toml", text, size, &manifest, &message))
            fail_msg("%s", message);
        weir_manifest_free(&manifest);
        free(text);
        text = many(CASES[i].head, CASES[i].before, CASES[i].after, CASES[i].most + 1, &size);
        message = parse_error(text, size);
        assert_string_equal(message, CASES[i].message);
        free(message);
        free(text);
    }
}

static void a_manifest_of_more_than_one_mebibyte_is_refused(void **state)
{
    (void)state;
    const size_t most = 1 << 20, used = strlen(HEAD TRIGGER COMPONENT);
    char *text = malloc(most + 1);
    assert_non_null(text);
    memset(text, '\n', most + 1);
    memcpy(text, HEAD TRIGGER COMPONENT, used);
    weir_manifest_t manifest;
    char *message = NULL;
    assert_true(weir_manifest_parse("spin.toml", text, most, &manifest, &message));
    weir_manifest_free(&manifest);
    message = parse_error(text, most + 1);
    assert_string_equal(message, "spin.toml: larger than 1 MiB; is it a manifest?");
    free(message);
    free(text);
}

static void deep_nesting_is_refused(void **state)
{
    (void)state;
    for (size_t depth = 50; depth <= 100000; depth *= 40) {
        char *text = malloc(2 * depth + 2);
        assert_non_null(text);
        memcpy(text, "a=", 2);
        memset(text + 2, '[', depth);
        memset(text + 2 + depth, ']', depth);
        char *message = parse_error(text, 2 * depth + 2);
        free(message);
        free(text);
    }
}

/* ---- Files ------------------------------------------------------------------------------------------------------- */

static char scratch[] = "/tmp/weir-test-manifest-XXXXXX";

static int enter_scratch(void **state)
{
    (void)state;
    return mkdtemp(scratch) != NULL && chdir(scratch) == 0 ? 0 : -1;
}

static int leave_scratch(void **state)
{
    (void)state;
    static const char *const FILES[] = {"app/spin.toml", "app/other.toml", "app/Hello_World.wasm", "big.toml", "loop"};
    for (size_t i = 0; i < COUNT(FILES); i++)
        unlink(FILES[i]);
    static const char *const DIRECTORIES[] = {"app", "odd/spin.toml", "odd", "empty", "dir.wasm"};
    for (size_t i = 0; i < COUNT(DIRECTORIES); i++)
        rmdir(DIRECTORIES[i]);
    return chdir("/") == 0 && rmdir(scratch) == 0 ? 0 : -1;
}

static void write_file(const char *path, const char *text)
{
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(file >= 0);
    assert_int_equal(write(file, text, strlen(text)), strlen(text));
    close(file);
}

static void an_application_is_found_by_its_file_or_its_directory(void **state)
{
    (void)state;
    assert_int_equal(mkdir("app", 0700), 0);
    write_file("app/spin.toml", HEAD TRIGGER COMPONENT);
    write_file("app/other.toml", HEAD TRIGGER COMPONENT);
    char absolute[sizeof scratch + 16];
    snprintf(absolute, sizeof absolute, "%s/app", scratch);
    char absolute_file[sizeof scratch + 32];
    snprintf(absolute_file, sizeof absolute_file, "%s/app/spin.toml", scratch);
    const struct {
        const char *path;
        const char *read;
        const char *directory;
    } cases[] = {
        {"app", "app/spin.toml", "app"},
        {"app/", "app/spin.toml", "app"},
        {"app///", "app/spin.toml", "app"},
        {"./app", "./app/spin.toml", "./app"},
        {"app/spin.toml", "app/spin.toml", "app"},
        {"app/other.toml", "app/other.toml", "app"},
        {"app/../app/.", "app/../app/./spin.toml", "app/../app/."},
        {absolute, absolute_file, absolute},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        weir_manifest_t manifest;
        char *message = NULL;
        if (!weir_manifest_load(cases[i].path, &manifest, &message))
            fail_msg("%s: %s", cases[i].path, message);
        assert_string_equal(manifest.path, cases[i].read);
        assert_string_equal(manifest.directory, cases[i].directory);
        assert_int_equal(manifest.trigger_count, 1);
        weir_manifest_free(&manifest);
    }
    assert_int_equal(chdir("app"), 0);
    static const char *const HERE[] = {".", "./"};
    for (size_t i = 0; i < COUNT(HERE); i++) {
        weir_manifest_t manifest;
        char *message = NULL;
        assert_true(weir_manifest_load(HERE[i], &manifest, &message));
        assert_string_equal(manifest.path, "spin.toml");
        assert_string_equal(manifest.directory, ".");
        assert_string_equal(manifest.components[0].source, "hello.wasm");
        weir_manifest_free(&manifest);
    }
    assert_int_equal(chdir(".."), 0);
}

static void what_cannot_be_loaded_is_named(void **state)
{
    (void)state;
    assert_int_equal(mkdir("odd", 0700), 0);
    assert_int_equal(mkdir("odd/spin.toml", 0700), 0);
    assert_int_equal(mkdir("empty", 0700), 0);
    assert_int_equal(mkdir("dir.wasm", 0700), 0);
    assert_int_equal(symlink("loop", "loop"), 0);
    write_file("big.toml", "");
    assert_int_equal(truncate("big.toml", (1 << 20) + 1), 0);
    char long_path[PATH_MAX + 8];
    memset(long_path, 'x', sizeof long_path);
    long_path[sizeof long_path - 1] = '\0';
#define GIVE "give a manifest, a directory that holds one, or a .wasm file"
    static const wrong_t CASES[] = {
        {"nowhere", "nowhere: no such file or directory; " GIVE},
        {"nowhere/spin.toml", "nowhere/spin.toml: no such file or directory; " GIVE},
        {"nowhere.wasm", "nowhere.wasm: no such file or directory; " GIVE},
        {"", "\"\": no such file or directory; " GIVE},
        {"no\nwhere", "no\\nwhere: no such file or directory; " GIVE},
        {"empty", "no spin.toml in empty: " GIVE},
        {"empty/", "no spin.toml in empty/: " GIVE},
        {".", "no spin.toml in .: " GIVE},
        {"dir.wasm", "no spin.toml in dir.wasm: " GIVE},
        {"odd", "odd/spin.toml: is a directory, where a manifest was looked for"},
        {"odd/spin.toml", "no spin.toml in odd/spin.toml: " GIVE},
        {"big.toml", "big.toml: larger than 1 MiB; is it a manifest?"},
        {"big.toml/spin.toml", "big.toml/spin.toml: cannot be opened: Not a directory"},
        {"loop", "loop: cannot be opened: Too many levels of symbolic links"},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        weir_manifest_t manifest;
        char *message = NULL;
        assert_false(weir_manifest_load(CASES[i].text, &manifest, &message));
        assert_string_equal(message, CASES[i].message);
        free(message);
    }
    weir_manifest_t manifest;
    char *message = NULL;
    assert_false(weir_manifest_load(long_path, &manifest, &message));
    assert_non_null(strstr(message, ": cannot be opened: File name too long"));
    free(message);
}

static void a_manifest_that_may_not_be_read_is_named(void **state)
{
    (void)state;
    write_file("big.toml", HEAD TRIGGER COMPONENT);
    assert_int_equal(chmod("big.toml", 0), 0);
    assert_int_equal(chmod(".", 0711), 0);
    /* The superuser may read everything. */
    bool is_root = geteuid() == 0;
    if (is_root && seteuid(65534) != 0) {
        print_message("cannot stop being the superuser, who may read everything\n");
        skip();
    }
    weir_manifest_t manifest;
    char *message = NULL;
    bool loaded = weir_manifest_load("big.toml", &manifest, &message);
    if (is_root)
        assert_int_equal(seteuid(0), 0);
    assert_false(loaded);
    assert_string_equal(message, "big.toml: cannot be opened: Permission denied");
    free(message);
    assert_int_equal(unlink("big.toml"), 0);
}

static void a_lone_wasm_file_is_an_application(void **state)
{
    (void)state;
    write_file("app/Hello_World.wasm", "");
    weir_manifest_t manifest;
    char *message = NULL;
    assert_true(weir_manifest_load("app/Hello_World.wasm", &manifest, &message));
    assert_string_equal(manifest.path, "app/Hello_World.wasm");
    assert_string_equal(manifest.directory, "app");
    assert_string_equal(manifest.name, "hello-world");
    assert_int_equal(manifest.component_count, 1);
    assert_string_equal(manifest.components[0].id, "hello-world");
    assert_string_equal(manifest.components[0].source, "app/Hello_World.wasm");
    assert_int_equal(manifest.components[0].source_place.line, 0);
    assert_int_equal(manifest.trigger_count, 1);
    assert_string_equal(manifest.triggers[0].id, "hello-world-http-trigger");
    assert_string_equal(manifest.triggers[0].route, "/...");
    assert_int_equal(manifest.triggers[0].component, 0);
    assert_int_equal(manifest.triggers[0].executor, WEIR_EXECUTOR_HTTP);
    assert_int_equal(manifest.warning_count, 0);
    weir_manifest_free(&manifest);
}

static void a_wasm_files_name_becomes_a_valid_id(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        const char *id;
    } CASES[] = {
        {"hello.wasm", "hello"},
        {"HELLO.WASM", "hello"},
        {"a.b.wasm", "a-b"},
        {"__a__b__.wasm", "a-b"},
        {"2048.wasm", "app2048"},
        {"v1-2.wasm", "v12"},
        {"-.wasm", "app"},
        {"\xe4\xb8\x96.wasm", "app"},
        {"a b\tc.wasm", "a-b-c"},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        write_file(CASES[i].file, "");
        weir_manifest_t manifest;
        char *message = NULL;
        assert_true(weir_manifest_load(CASES[i].file, &manifest, &message));
        assert_int_equal(unlink(CASES[i].file), 0);
        assert_string_equal(manifest.name, CASES[i].id);
        assert_string_equal(manifest.components[0].id, CASES[i].id);
        assert_string_equal(manifest.components[0].source, CASES[i].file);
        weir_manifest_free(&manifest);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_in_a_manifest_is_read),
        cmocka_unit_test(a_short_manifest_has_defaults),
        cmocka_unit_test(a_source_is_below_the_manifests_directory),
        cmocka_unit_test(however_it_is_spelled_it_means_the_same),
        cmocka_unit_test(triggers_and_inline_components_get_spins_ids),
        cmocka_unit_test(what_will_be_denied_or_changes_nothing_is_warned_about),
        cmocka_unit_test(a_version_other_than_two_is_refused),
        cmocka_unit_test(an_unknown_key_is_refused_and_the_near_one_named),
        cmocka_unit_test(a_missing_key_is_named_with_what_to_add),
        cmocka_unit_test(a_value_of_the_wrong_type_is_named_with_both_types),
        cmocka_unit_test(what_would_change_the_guest_silently_is_refused),
        cmocka_unit_test(a_component_that_is_not_there_is_named_with_those_that_are),
        cmocka_unit_test(a_component_id_that_is_not_kebab_case_is_refused),
        cmocka_unit_test(other_values_that_make_no_sense_are_refused),
        cmocka_unit_test(text_that_is_not_toml_is_refused_with_its_place),
        cmocka_unit_test(a_path_in_a_message_is_escaped),
        cmocka_unit_test(a_manifest_has_bounds),
        cmocka_unit_test(a_manifest_of_more_than_one_mebibyte_is_refused),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(an_application_is_found_by_its_file_or_its_directory),
        cmocka_unit_test(what_cannot_be_loaded_is_named),
        cmocka_unit_test(a_manifest_that_may_not_be_read_is_named),
        cmocka_unit_test(a_lone_wasm_file_is_an_application),
        cmocka_unit_test(a_wasm_files_name_becomes_a_valid_id),
    };
    return cmocka_run_group_tests(tests, enter_scratch, leave_scratch);
}
