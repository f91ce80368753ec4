/*
 * test_overrides.c: what the command line changes in a manifest: the components that are served, and their environment.
 */
#include "cli/overrides.h"
#include "manifest_support.h"

#define THREE                                                                                                          \
    HEAD "[[trigger.http]]\nroute = \"/a\"\ncomponent = \"a\"\n"                                                       \
         "[[trigger.http]]\nroute = \"/b\"\ncomponent = \"b\"\n"                                                       \
         "[[trigger.http]]\nroute = \"/c\"\ncomponent = \"c\"\n"                                                       \
         "[[trigger.http]]\nroute = \"/more\"\ncomponent = \"a\"\n"                                                    \
         "[component.a]\nsource = \"a.wasm\"\nenvironment = { KEPT = \"1\", SET = \"2\" }\n"                           \
         "[component.b]\nsource = \"b.wasm\"\n"                                                                        \
         "[component.c]\nsource = \"c.wasm\"\n"                                                                        \
         "[component.idle]\nsource = \"i.wasm\"\n"

/* Without the component a, which follows on line 14. */
#define PAIR                                                                                                           \
    HEAD "[variables]\nhost = { default = \"x\" }\n"                                                                   \
         "[[trigger.http]]\nroute = \"/a\"\ncomponent = \"a\"\n"                                                       \
         "[[trigger.http]]\nroute = \"/b\"\ncomponent = \"b\"\n"                                                       \
         "[component.b]\nsource = \"b.wasm\"\n"

static void texts_of(const char *const *items, size_t count, weir_texts_t *ret_texts)
{
    *ret_texts = (weir_texts_t){NULL, 0};
    for (size_t i = 0; i < count && items[i] != NULL; i++)
        assert_true(weir_texts_add(ret_texts, items[i]));
}

/* Spin: crates/app/src/lib.rs, retain_components. */
static void test_components_that_are_named_are_kept_with_their_triggers(void **state)
{
    (void)state;
    static const struct {
        const char *ids[3];
        const char *components;
        const char *routes;
    } rows[] = {
        {{NULL}, "a b c idle", "/a:a /b:b /c:c /more:a"},
        {{"a"}, "a", "/a:a /more:a"},
        {{"c"}, "c", "/c:c"},
        {{"c", "b"}, "b c", "/b:b /c:c"},
        {{"b", "b"}, "b", "/b:b"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        weir_manifest_t manifest = parse_text("spin.toml", THREE);
        weir_texts_t ids;
        texts_of(rows[i].ids, 3, &ids);
        char *message;
        assert_true(weir_overrides_keep(&manifest, &ids, &message));
        char components[64] = "";
        char routes[128] = "";
        for (size_t k = 0; k < manifest.component_count; k++)
            snprintf(components + strlen(components), sizeof components - strlen(components), "%s%s", k == 0 ? "" : " ",
                manifest.components[k].id);
        for (size_t k = 0; k < manifest.trigger_count; k++)
            snprintf(routes + strlen(routes), sizeof routes - strlen(routes), "%s%s:%s", k == 0 ? "" : " ",
                manifest.triggers[k].route, manifest.components[manifest.triggers[k].component].id);
        assert_string_equal(components, rows[i].components);
        assert_string_equal(routes, rows[i].routes);
        weir_manifest_free(&manifest);
        weir_texts_free(&ids);
    }
}

static void test_static_responses_belong_to_no_component_and_are_not_kept(void **state)
{
    (void)state;
    weir_manifest_t manifest = parse_text("spin.toml", THREE);
    manifest.triggers[1].component = WEIR_NO_COMPONENT;
    weir_texts_t ids;
    texts_of((const char *const[]){"a", "c"}, 2, &ids);
    char *message;
    assert_true(weir_overrides_keep(&manifest, &ids, &message));
    assert_int_equal(manifest.trigger_count, 3);
    for (size_t i = 0; i < manifest.trigger_count; i++)
        assert_string_not_equal(manifest.triggers[i].route, "/b");
    weir_manifest_free(&manifest);
    weir_texts_free(&ids);
}

static void test_ids_that_cannot_be_served_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *ids[2];
        const char *found[3];
    } rows[] = {
        {{"nobody"}, {"--component-id", "\"nobody\"", "a, b, c, idle"}},
        {{"a", "A"}, {"\"A\"", "a, b, c, idle"}},
        {{""}, {"\"\""}},
        {{"idle"}, {"idle has no trigger", "spin.toml"}},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        weir_manifest_t manifest = parse_text("spin.toml", THREE);
        weir_texts_t ids;
        texts_of(rows[i].ids, 2, &ids);
        char *message = NULL;
        assert_false(weir_overrides_keep(&manifest, &ids, &message));
        assert_non_null(message);
        for (size_t k = 0; k < 3 && rows[i].found[k] != NULL; k++) {
            if (strstr(message, rows[i].found[k]) == NULL)
                fail_msg("row %zu: '%s' is not in '%s'", i, rows[i].found[k], message);
        }
        assert_int_equal(manifest.component_count, 4);
        assert_int_equal(manifest.trigger_count, 4);
        free(message);
        weir_manifest_free(&manifest);
        weir_texts_free(&ids);
    }
}

/* Spin: crates/factor-outbound-networking/src/allowed_hosts.rs, validate_service_chaining_for_components and its tests.
 */
static void test_components_that_are_kept_may_call_only_each_other(void **state)
{
    (void)state;
    static const struct {
        const char *host; /* that a may call */
        const char *ids[2];
        const char *found; /* in the message; NULL: it is fine */
    } rows[] = {
        {"http://b.spin.internal", {"a"}, "\"http://b.spin.internal\""},
        {"http://b.spin.internal:80/", {"a"}, "spin.toml:16:27"},
        {"http://b.spin.internal", {"a", "b"}, NULL},
        {"http://b.spin.internal", {"b"}, NULL},
        {"http://*.spin.internal", {"a", "b"}, "every other"},
        {"http://a.spin.internal", {"a"}, NULL},
        {"http://{{ host }}.spin.internal", {"a"}, NULL},
        {"http://spin.internal", {"a"}, NULL},
        {"http://b.example", {"a"}, NULL},
        {"*://*:*", {"a"}, NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[2048];
        snprintf(text, sizeof text, "%s[component.a]\nsource = \"a.wasm\"\nallowed_outbound_hosts = [\"%s\"]\n", PAIR,
            rows[i].host);
        weir_manifest_t manifest = parse_text("spin.toml", text);
        weir_texts_t ids;
        texts_of(rows[i].ids, 2, &ids);
        char *message = NULL;
        weir_manifest_t before = manifest;
        bool kept = weir_overrides_keep(&manifest, &ids, &message);
        if (kept != (rows[i].found == NULL))
            fail_msg("row %zu: %s", i, message);
        if (!kept) {
            assert_int_equal(manifest.component_count, before.component_count);
            if (strstr(message, rows[i].found) == NULL)
                fail_msg("row %zu: '%s' is not in '%s'", i, rows[i].found, message);
        }
        free(message);
        weir_manifest_free(&manifest);
        weir_texts_free(&ids);
    }
}

/* Spin: src/commands/up.rs, update_locked_app. */
static void test_environment_variables_are_those_of_every_component_and_win(void **state)
{
    (void)state;
    weir_manifest_t manifest = parse_text("spin.toml", THREE);
    weir_texts_t environment;
    texts_of((const char *const[]){"SET=x=y", "NEW=", "NEW=last"}, 3, &environment);
    assert_true(weir_overrides_environment(&manifest, &environment));
    char text[128] = "";
    for (size_t i = 0; i < manifest.components[0].environment_count; i++) {
        const weir_variable_t *variable = &manifest.components[0].environment[i];
        snprintf(text + strlen(text), sizeof text - strlen(text), "[%s=%s]", variable->name, variable->value);
    }
    assert_string_equal(text, "[KEPT=1][SET=x=y][NEW=last]");
    assert_int_equal(manifest.components[1].environment_count, 2);
    assert_string_equal(manifest.components[1].environment[0].value, "x=y");
    weir_manifest_free(&manifest);
    weir_texts_free(&environment);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_components_that_are_named_are_kept_with_their_triggers),
        cmocka_unit_test(test_static_responses_belong_to_no_component_and_are_not_kept),
        cmocka_unit_test(test_ids_that_cannot_be_served_are_named),
        cmocka_unit_test(test_components_that_are_kept_may_call_only_each_other),
        cmocka_unit_test(test_environment_variables_are_those_of_every_component_and_win),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
