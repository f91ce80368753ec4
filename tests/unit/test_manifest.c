/*
 * test_manifest.c: what a manifest means, where it is looked for, and how large it may be.
 */
#include "app/toml_json.h"
#include "manifest_support.h"

#include <limits.h>
#include <sys/stat.h>

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
    assert_int_equal(hello->place.line, 24);
    assert_int_equal(hello->place.column, 12);
    assert_int_equal(hello->allowed_outbound_hosts_place.line, 28);
    assert_int_equal(hello->allowed_outbound_hosts_place.column, 1);
    assert_int_equal(cgi->allowed_outbound_hosts_place.line, 0);
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

/* Spin's crates/loader/src/local.rs, load_component_source: the application's directory, joined with the path. */
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
    /* Joined with a path that begins with a slash, a directory is that path (Rust's Path::join). */
    weir_manifest_t manifest = parse_text("app/spin.toml", HEAD TRIGGER "[component.hello]\nsource = \"/a/b.wasm\"\n");
    assert_string_equal(manifest.components[0].source, "/a/b.wasm");
    weir_manifest_free(&manifest);
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

/* Spin's crates/manifest/src/normalize.rs, normalize_trigger_ids, and then normalize_inline_components. */
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
        "spin.toml:14:1: \"sqlite_databases\" in [component.hello]: SQLite databases are not provided yet",
        "spin.toml:15:1: \"ai_models\" in [component.hello]: AI models are not provided",
        "spin.toml:12:1: \"allowed_http_hosts\" in [component.hello] is deprecated; write allowed_outbound_hosts = "
        "[\"http://example.com\", \"https://example.com\"]",
        "spin.toml:24:6: another trigger has the id \"twin\" too",
        "spin.toml:25:30: \"sqlite_databases\" in \"component\" of [[trigger.http]]: SQLite databases are not provided "
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
                                     "component = { source = \"\\\\\", sqlite_databases = [\"default\"] }\n");
    for (size_t i = 0; i < COUNT(WARNINGS) && i < manifest.warning_count; i++)
        assert_string_equal(manifest.warnings[i], WARNINGS[i]);
    assert_int_equal(manifest.warning_count, COUNT(WARNINGS));
    const weir_component_t *hello = &manifest.components[0];
    assert_int_equal(hello->key_value_store_count, 3);
    assert_string_equal(hello->key_value_stores[1].text, "snake_case");
    assert_int_equal(hello->key_value_stores[1].place.line, 13);
    weir_manifest_free(&manifest);
}

/* ---- The parser's answer ------------------------------------------------------------------------------------------ */

static void the_parsers_answer_is_read_as_json(void **state)
{
    (void)state;
    char text[] =
        " { \"positions\" : {\"/b\":[7,8,9,10],\"/a~1\":[1,2,3,4]},\n\"document\":{\"a/\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t"
        "\\u0041\\u00e9\\u4e16\\ud83c\\udf0d\xc3\xa9\", \"b\":[-9223372036854775808,9223372036854775807,1.5e3,true,"
        "false,null,{},[ ]]}}\n";
    weir_json_t json;
    assert_int_equal(weir_json_read(text, &json), WEIR_JSON_OK);
    assert_int_equal(json.document.child_count, 2);
    const weir_toml_t *a = &json.document.children[0], *b = &json.document.children[1];
    assert_string_equal(a->key, "a/");
    assert_string_equal(a->string, "\"\\/\b\f\n\r\tA\xc3\xa9\xe4\xb8\x96\xf0\x9f\x8c\x8d\xc3\xa9");
    assert_int_equal(a->string_size, strlen(a->string));
    static const weir_toml_type_t TYPES[] = {WEIR_TOML_INTEGER, WEIR_TOML_INTEGER, WEIR_TOML_FLOAT, WEIR_TOML_BOOLEAN,
        WEIR_TOML_BOOLEAN, WEIR_TOML_FLOAT, WEIR_TOML_TABLE, WEIR_TOML_ARRAY};
    assert_int_equal(b->child_count, COUNT(TYPES));
    for (size_t i = 0; i < COUNT(TYPES); i++) {
        assert_int_equal(b->children[i].type, TYPES[i]);
        assert_null(b->children[i].key);
    }
    assert_true(b->children[0].integer == INT64_MIN && b->children[1].integer == INT64_MAX);
    assert_true(b->children[3].boolean && !b->children[4].boolean);
    const weir_json_position_t *position = weir_json_find(&json, "/a~1", 4);
    assert_non_null(position);
    assert_int_equal(position->key_place.line, 1);
    assert_int_equal(position->key_place.column, 2);
    assert_int_equal(position->place.line, 3);
    assert_int_equal(position->place.column, 4);
    assert_null(weir_json_find(&json, "/a~", 3));
    assert_null(weir_json_find(&json, "", 0));
    weir_json_free(&json);
}

static void an_answer_that_makes_no_sense_is_noticed(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {
        "",
        "[]",
        "{}",
        "{\"document\":{}}",
        "{\"positions\":{}}",
        "{\"document\":[],\"positions\":{}}",
        "{\"document\":{},\"positions\":[]}",
        "{\"document\":{},\"positions\":{},\"more\":1}",
        "{\"document\":{},\"document\":{},\"positions\":{}}",
        "{\"document\":{},\"positions\":{}} x",
        "{\"document\":{\"a\":1,},\"positions\":{}}",
        "{\"document\":{\"a\"},\"positions\":{}}",
        "{\"document\":{\"a\":[1 2]},\"positions\":{}}",
        "{\"document\":{\"a\":99999999999999999999},\"positions\":{}}",
        "{\"document\":{\"a\":1-2},\"positions\":{}}",
        "{\"document\":{\"a\":truth},\"positions\":{}}",
        "{\"document\":{\"a\":\"\\x\"},\"positions\":{}}",
        "{\"document\":{\"a\":\"\\u00g0\"},\"positions\":{}}",
        "{\"document\":{\"a\":\"\\ud83c\"},\"positions\":{}}",
        "{\"document\":{\"a\":\"\\ud83c\\u0041\"},\"positions\":{}}",
        "{\"document\":{\"a\":\"\\udf0d\"},\"positions\":{}}",
        "{\"document\":{\"a\":\"",
        "{\"document\":{\"a\":\"\\",
        "{\"document\":{},\"positions\":{\"\":[1,2,3]}}",
        "{\"document\":{},\"positions\":{\"\":[1,2,3,4,5]}}",
        "{\"document\":{},\"positions\":{\"\":[1,2,3,-4]}}",
        "{\"document\":{},\"positions\":{\"\":[1,2,3,4.0]}}",
        "{\"document\":{},\"positions\":{\"\":[1,2,3,4294967296]}}",
    };
    for (size_t i = 0; i < COUNT(TEXTS); i++) {
        size_t size = strlen(TEXTS[i]) + 1;
        char *text = malloc(size);
        assert_non_null(text);
        memcpy(text, TEXTS[i], size);
        weir_json_t json;
        if (weir_json_read(text, &json) != WEIR_JSON_MALFORMED)
            fail_msg("this was let pass: %s", TEXTS[i]);
        free(text);
    }
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
        cmocka_unit_test(the_parsers_answer_is_read_as_json),
        cmocka_unit_test(an_answer_that_makes_no_sense_is_noticed),
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
