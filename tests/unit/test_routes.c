/*
 * test_routes.c: which route answers a path, in which order routes are tried, and which are refused or warned about.
 */
#include "app/routes.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* cmocka.h wants the others before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
/* clang-format on */

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
enum { ROUTES_MAX = 12 };

/* A manifest whose trigger number i has the route number i, on line 10 + i, and component "ci". */
typedef struct fixture {
    weir_manifest_t manifest;
    weir_component_t components[ROUTES_MAX];
    weir_http_trigger_t triggers[ROUTES_MAX];
    char text[ROUTES_MAX][64];
    char ids[ROUTES_MAX][8];
    char path[32];
} fixture_t;

static void fixture_fill(fixture_t *fixture, const char *const *routes)
{
    memset(fixture, 0, sizeof *fixture);
    snprintf(fixture->path, sizeof fixture->path, "spin.toml");
    fixture->manifest.path = fixture->path;
    fixture->manifest.components = fixture->components;
    fixture->manifest.triggers = fixture->triggers;
    for (size_t i = 0; i < ROUTES_MAX && routes[i] != NULL; i++) {
        snprintf(fixture->text[i], sizeof fixture->text[i], "%s", routes[i]);
        snprintf(fixture->ids[i], sizeof fixture->ids[i], "c%zu", i);
        fixture->components[i].id = fixture->ids[i];
        fixture->triggers[i] = (weir_http_trigger_t){
            .route = strcmp(routes[i], "{private}") == 0 ? NULL : fixture->text[i],
            .route_place = {(uint32_t)(10 + i), 9},
            .component = i,
            .executor = WEIR_EXECUTOR_HTTP,
        };
        fixture->manifest.component_count = fixture->manifest.trigger_count = i + 1;
    }
}

static weir_routes_t *build(fixture_t *fixture, const char *const *routes)
{
    fixture_fill(fixture, routes);
    weir_routes_t *table = NULL;
    char *message = NULL;
    if (!weir_routes_build(&fixture->manifest, &table, &message))
        fail_msg("%s", message);
    assert_null(message);
    return table;
}

/* ---- Matching ---------------------------------------------------------------------------------------------------- */

/* A path, the route that must answer it (NULL: none) and what the wildcard must have taken. */
typedef struct expectation {
    const char *path;
    const char *raw;
    const char *path_info;
} expectation_t;

static void check_matches(
    const char *const *routes, const expectation_t *expectations, size_t count, const char *table_name)
{
    fixture_t fixture;
    weir_routes_t *table = build(&fixture, routes);
    for (size_t i = 0; i < count; i++) {
        const expectation_t *expected = &expectations[i];
        /* Exactly as large as the path, so that a sanitizer sees a byte too much. */
        size_t size = strlen(expected->path);
        char *path = malloc(size > 0 ? size : 1);
        assert_non_null(path);
        memcpy(path, expected->path, size);
        weir_route_match_t match = {.route = NULL, .path_info = "untouched", .path_info_size = 9};
        bool matched = weir_routes_match(table, path, size, &match);
        if (matched != (expected->raw != NULL))
            fail_msg("%s: path %s %s", table_name, expected->path, matched ? match.route->raw : "has no route");
        if (!matched) {
            assert_null(match.route);
            assert_string_equal(match.path_info, "untouched");
            assert_int_equal(match.path_info_size, 9);
        } else {
            if (strcmp(match.route->raw, expected->raw) != 0)
                fail_msg("%s: path %s went to %s, not %s", table_name, expected->path, match.route->raw, expected->raw);
            if (match.path_info_size != strlen(expected->path_info) ||
                memcmp(match.path_info, expected->path_info, match.path_info_size) != 0)
                fail_msg("%s: path %s on %s: path info is \"%.*s\", not \"%s\"", table_name, expected->path,
                    match.route->raw, (int)match.path_info_size, match.path_info, expected->path_info);
        }
        free(path);
    }
    weir_routes_free(table);
}

#define CHECK_MATCHES(routes, expectations) check_matches(routes, expectations, COUNT(expectations), __func__)

static void an_exact_route_matches_its_path_alone(void **state)
{
    (void)state;
    static const char *const ROUTES[] = {"/foo", "/foo/bar", "/a.b-c_d~e", NULL};
    static const expectation_t EXPECTATIONS[] = {
        {"/foo", "/foo", ""},
        {"/foo/bar", "/foo/bar", ""},
        {"/a.b-c_d~e", "/a.b-c_d~e", ""},
        {"/", NULL, NULL},
        {"", NULL, NULL},
        {"/fo", NULL, NULL},
        {"/foobar", NULL, NULL},
        {"/foo/ba", NULL, NULL},
        {"/foo/bar/baz", NULL, NULL},
        {"/bar", NULL, NULL},
        {"/Foo", NULL, NULL},   /* case matters */
        {"/f%6fo", NULL, NULL}, /* nothing is decoded */
        {"/foo%2Fbar", NULL, NULL},
        {"/foo//bar", NULL, NULL}, /* inner slashes are not collapsed */
        {"/aXb-c_d~e", NULL, NULL},
        {"foo", NULL, NULL}, /* not a path */
        {"*", NULL, NULL},
    };
    CHECK_MATCHES(ROUTES, EXPECTATIONS);
}

/* To routefinder (src/route_spec.rs, from_str) what follows a text up to the next slash is text. */
static void dots_and_asterisks_without_a_slash_before_them_are_text(void **state)
{
    (void)state;
    static const char *const ROUTES[] = {"/env...", "/img*", "/a*b", "/:name...", NULL};
    static const expectation_t EXPECTATIONS[] = {
        {"/env...", "/env...", ""},
        {"/env", NULL, NULL},
        {"/env/x", NULL, NULL},
        {"/envx", NULL, NULL},
        {"/img*", "/img*", ""},
        {"/a*b", "/a*b", ""},
        {"/axb", NULL, NULL},
        {"/img", NULL, NULL},
        {"/img/x", NULL, NULL},
        {"/x...", "/:name...", ""},
        {"/x/y", NULL, NULL},
    };
    CHECK_MATCHES(ROUTES, EXPECTATIONS);
}

static void outer_slashes_do_not_count(void **state)
{
    (void)state;
    static const char *const ROUTES[] = {"/foo", "bar/", "//baz//", "/a//b", NULL};
    static const expectation_t EXPECTATIONS[] = {
        {"/foo", "/foo", ""},
        {"/foo/", "/foo", ""},
        {"//foo//", "/foo", ""},
        {"/bar", "bar/", ""},
        {"/bar///", "bar/", ""},
        {"/baz", "//baz//", ""},
        {"/a/b", "/a//b", ""}, /* as routefinder has it: empty segments of a route vanish */
        {"/a//b", NULL, NULL},
    };
    CHECK_MATCHES(ROUTES, EXPECTATIONS);
}

static void the_root_is_the_root_alone(void **state)
{
    (void)state;
    static const char *const ROUTES[] = {"/", NULL};
    static const expectation_t EXPECTATIONS[] = {
        {"/", "/", ""},
        {"", "/", ""},
        {"///", "/", ""},
        {"/a", NULL, NULL},
        {"*", NULL, NULL},
    };
    CHECK_MATCHES(ROUTES, EXPECTATIONS);
    static const char *const EMPTY[] = {"", NULL};
    static const expectation_t OF_EMPTY[] = {
        {"/", "", ""},
        {"/a", NULL, NULL},
    };
    CHECK_MATCHES(EMPTY, OF_EMPTY);
}

static void a_wildcard_takes_the_rest_with_its_slashes(void **state)
{
    (void)state;
    static const char *const ROUTES[] = {"/test/...", "/star/*", "/v1.2/...", NULL};
    static const expectation_t EXPECTATIONS[] = {
        {"/test", "/test/...", ""},
        {"/test/", "/test/...", "/"},
        {"/test/hello", "/test/...", "/hello"},
        {"/test/hello/", "/test/...", "/hello/"},
        {"/test/a/b/c", "/test/...", "/a/b/c"},
        {"/test//a", "/test/...", "//a"},
        {"//test/a//", "/test/...", "/a/"}, /* of the last slashes one is kept */
        {"/test//", "/test/...", "/"},
        {"/test/%2F?", "/test/...", "/%2F?"}, /* given back as it came */
        {"/testing", NULL, NULL},
        {"/tes", NULL, NULL},
        {"/", NULL, NULL},
        {"/star", "/star/*", ""},
        {"/star/a", "/star/*", "/a"},
        {"/v1.2/x", "/v1.2/...", "/x"},
        {"/v1.23/x", NULL, NULL},
        {"/v1x2/x", NULL, NULL},
    };
    CHECK_MATCHES(ROUTES, EXPECTATIONS);
}

static void a_wildcard_at_the_root_takes_everything(void **state)
{
    (void)state;
    static const char *const SPELLINGS[] = {"/...", "...", "/*", "*", "/.../", "//..."};
    for (size_t i = 0; i < COUNT(SPELLINGS); i++) {
        const char *const routes[] = {SPELLINGS[i], NULL};
        const expectation_t expectations[] = {
            {"/1/2/3", SPELLINGS[i], "/1/2/3"},
            {"/1/2/", SPELLINGS[i], "/1/2/"},
            {"/", SPELLINGS[i], "/"},
            {"//", SPELLINGS[i], "/"},
            {"", SPELLINGS[i], ""},
            {"//a", SPELLINGS[i], "/a"},
            {"*", NULL, NULL},
            {"example.com:80", NULL, NULL},
        };
        CHECK_MATCHES(routes, expectations);
    }
}

static void the_more_special_route_wins_wherever_it_is_declared(void **state)
{
    (void)state;
    static const char *const ROUTES[][ROUTES_MAX] = {
        {"/...", "/one/...", "/one/two/...", "/one/two/three/...", "/one", "/one/two/exact", "/", NULL},
        {"/", "/one/two/exact", "/one", "/one/two/three/...", "/one/two/...", "/one/...", "/...", NULL},
        {"/one/two/...", "/", "/one/...", "/one", "/...", "/one/two/three/...", "/one/two/exact", NULL},
    };
    static const expectation_t EXPECTATIONS[] = {
        {"/", "/", ""},
        {"/zero", "/...", "/zero"},
        {"/one", "/one", ""},
        {"/one/", "/one", ""},
        {"/one/1", "/one/...", "/1"},
        {"/one/two", "/one/two/...", ""},
        {"/one/two/", "/one/two/...", "/"},
        {"/one/two/exact", "/one/two/exact", ""},
        {"/one/two/exact/not", "/one/two/...", "/exact/not"},
        {"/one/two/three", "/one/two/three/...", ""},
        {"/one/two/three/four", "/one/two/three/...", "/four"},
        {"/one/two/threefour", "/one/two/...", "/threefour"},
        {"/oneself", "/...", "/oneself"},
    };
    for (size_t i = 0; i < COUNT(ROUTES); i++)
        CHECK_MATCHES(ROUTES[i], EXPECTATIONS);
}

/* routefinder 0.5.4 loses the slash before such a dot, or tries "/..." first if it was declared last. */
static void a_dot_at_the_start_of_a_segment_is_text(void **state)
{
    (void)state;
    static const char *const ROUTES[][ROUTES_MAX] = {
        {"/...", "/.well-known/acme-challenge/...", "/a/.hidden", NULL},
        {"/a/.hidden", "/.well-known/acme-challenge/...", "/...", NULL},
    };
    static const expectation_t EXPECTATIONS[] = {
        {"/.well-known/acme-challenge/token", "/.well-known/acme-challenge/...", "/token"},
        {"/a/.hidden", "/a/.hidden", ""},
        {"/a.hidden", "/...", "/a.hidden"},
    };
    for (size_t i = 0; i < COUNT(ROUTES); i++)
        CHECK_MATCHES(ROUTES[i], EXPECTATIONS);
}

static void of_the_same_text_the_last_one_wins_and_of_the_same_meaning_the_first(void **state)
{
    (void)state;
    static const char *const ROUTES[] = {"/foo", "/bar", "foo", "/foo", "/foo/", "/w/*", "/w/...", NULL};
    fixture_t fixture;
    weir_routes_t *table = build(&fixture, ROUTES);
    weir_route_match_t match;
    assert_true(weir_routes_match(table, "/foo", 4, &match));
    assert_ptr_equal(match.route->trigger, &fixture.triggers[3]);
    assert_true(weir_routes_match(table, "/w/x", 4, &match));
    assert_ptr_equal(match.route->trigger, &fixture.triggers[5]);
    weir_routes_free(table);
}

static void no_routes_match_nothing(void **state)
{
    (void)state;
    static const char *const NONE[] = {NULL};
    fixture_t fixture;
    weir_routes_t *table = build(&fixture, NONE);
    weir_route_match_t match;
    assert_int_equal(weir_routes_count(table), 0);
    assert_null(weir_routes_at(table, 0));
    assert_int_equal(weir_routes_warning_count(table), 0);
    assert_null(weir_routes_warning(table, 0));
    assert_false(weir_routes_match(table, "/", 1, &match));
    assert_false(weir_routes_match(table, NULL, 0, &match));
    weir_routes_free(table);
    weir_routes_free(NULL);
}

/* ---- Parameters -------------------------------------------------------------------------------------------------- */

/* A path, the route that must answer it (NULL: none), and "name=value" for each parameter, then the wildcard's part. */
typedef struct capture {
    const char *path;
    const char *raw;
    const char *values;
    const char *path_info;
} capture_t;

static void check_captures(const char *const *routes, const capture_t *captures, size_t count, const char *table_name)
{
    fixture_t fixture;
    weir_routes_t *table = build(&fixture, routes);
    for (size_t i = 0; i < count; i++) {
        const capture_t *expected = &captures[i];
        size_t size = strlen(expected->path);
        char *path = malloc(size > 0 ? size : 1);
        assert_non_null(path);
        memcpy(path, expected->path, size);
        weir_route_match_t match = {.route = NULL};
        bool matched = weir_routes_match(table, path, size, &match);
        const char *raw = matched ? match.route->raw : "no route";
        if (strcmp(raw, expected->raw != NULL ? expected->raw : "no route") != 0)
            fail_msg("%s: path %s went to %s, not %s", table_name, expected->path, raw, expected->raw);
        char values[256] = "";
        for (size_t j = 0; matched && j < match.route->parameter_count; j++) {
            size_t end = strlen(values);
            snprintf(values + end, sizeof values - end, "%s%s=%.*s", j > 0 ? " " : "", match.route->parameters[j].name,
                (int)match.parameters[j].size, match.parameters[j].text);
        }
        if (matched && (strcmp(values, expected->values) != 0 || match.path_info_size != strlen(expected->path_info) ||
                           memcmp(match.path_info, expected->path_info, match.path_info_size) != 0))
            fail_msg("%s: path %s on %s took \"%s\" and \"%.*s\", not \"%s\" and \"%s\"", table_name, expected->path,
                raw, values, (int)match.path_info_size, match.path_info, expected->values, expected->path_info);
        free(path);
    }
    weir_routes_free(table);
}

#define CHECK_CAPTURES(routes, captures) check_captures(routes, captures, COUNT(captures), __func__)

/* Spin's crates/routes/src/lib.rs, named_wildcard_is_captured; routefinder 0.5.4's tests/tests.rs, captures. */
static void a_parameter_takes_a_segment(void **state)
{
    (void)state;
    static const char *const ROUTES[] = {"/1/:two/3", "/w/:two/...", "/:a/:b/:c", "/x-:not/y", "u/:id/", NULL};
    static const capture_t CAPTURES[] = {
        {"/1/2/3", "/1/:two/3", "two=2", ""},
        {"/1/2/3/", "/1/:two/3", "two=2", ""},
        {"/w/2/3", "/w/:two/...", "two=2", "/3"},
        {"/w/42/b/", "/w/:two/...", "two=42", "/b/"},
        {"/w/42", "/w/:two/...", "two=42", ""},
        {"/w/42/", "/w/:two/...", "two=42", "/"},
        {"/aaa/bbb/ccc", "/:a/:b/:c", "a=aaa b=bbb c=ccc", ""},
        {"/aaa/b.b/c%2Fc", "/:a/:b/:c", "a=aaa b=b.b c=c%2Fc", ""}, /* nothing is decoded */
        {"/u/7", "u/:id/", "id=7", ""},
        {"//u/7//", "u/:id/", "id=7", ""},
        {"/x-:not/y", "/x-:not/y", "", ""}, /* a colon within a segment is text */
        {"/x-a/y", NULL, NULL, NULL},
        {"/1", NULL, NULL, NULL},
        {"/u", NULL, NULL, NULL},
        {"/u/", NULL, NULL, NULL}, /* not an empty one, at the end or between two slashes */
        {"/u//", NULL, NULL, NULL},
        {"/aaa//ccc", NULL, NULL, NULL},
        {"/w", NULL, NULL, NULL},
        {"/1/2/3/4", NULL, NULL, NULL},
    };
    CHECK_CAPTURES(ROUTES, CAPTURES);
}

/* routefinder 0.5.4's tests/tests.rs: parse, specific_matches. */
static void a_dot_ends_a_parameter_that_is_followed_by_one(void **state)
{
    (void)state;
    static const struct {
        const char *route;
        capture_t capture;
    } CASES[] = {
        {"/:param", {"/a.b.c.d", "/:param", "param=a.b.c.d", ""}},
        {"/:a.:b", {"/a.b.c.d", "/:a.:b", "a=a b=b.c.d", ""}},
        {"/:a.:b.:c", {"/a.b.c.d", "/:a.:b.:c", "a=a b=b c=c.d", ""}},
        {"/:a.:b.:c.:d", {"/a.b.c.d", "/:a.:b.:c.:d", "a=a b=b c=c d=d", ""}},
        {"/:a.:b", {"/a", NULL, NULL, NULL}},
        {"/:a.:b", {"/a.", NULL, NULL, NULL}},
        {"/:a.:b", {"/.b", NULL, NULL, NULL}},
        {"/:a.:b", {"/a/.b", NULL, NULL, NULL}},
        {"/a.:b", {"/a.hello", "/a.:b", "b=hello", ""}},
        {"/f/:file.json", {"/f/x.json", "/f/:file.json", "file=x", ""}},
        {"/f/:file.json", {"/f/x.jsonp", NULL, NULL, NULL}},
        {"/f/:file.json", {"/f/x.y.json", NULL, NULL, NULL}},
        {"/f/:file.json/...", {"/f/x.json/y", "/f/:file.json/...", "file=x", "/y"}},
        {"/v.:major.:minor/x", {"/v.1.2/x", "/v.:major.:minor/x", "major=1 minor=2", ""}},
        {"/:a..b", {"/x..b", "/:a..b", "a=x", ""}},
        {"/:a.", {"/x.", "/:a.", "a=x", ""}},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        const char *const routes[] = {CASES[i].route, NULL};
        check_captures(routes, &CASES[i].capture, 1, CASES[i].route);
    }
}

/* routefinder 0.5.4's tests/tests.rs: it_works, several_params, dots, priority. */
static void text_beats_a_parameter_and_a_parameter_a_wildcard(void **state)
{
    (void)state;
    static const char *const ROUTES[][ROUTES_MAX] = {
        {"/*", "/hello", "/:greeting", "/hey/:world", "/hey/earth", "/:greeting/:world/*", NULL},
        {"/:greeting/:world/*", "/hey/earth", "/hey/:world", "/:greeting", "/hello", "/*", NULL},
    };
    static const capture_t CAPTURES[] = {
        {"/hello", "/hello", "", ""},
        {"/hallo", "/:greeting", "greeting=hallo", ""},
        {"/", "/*", "", "/"},
        {"/hey/earth", "/hey/earth", "", ""},
        {"/hey/mars", "/hey/:world", "world=mars", ""},
        {"/hey/earth/wildcard/stuff", "/:greeting/:world/*", "greeting=hey world=earth", "/wildcard/stuff"},
    };
    for (size_t i = 0; i < COUNT(ROUTES); i++)
        CHECK_CAPTURES(ROUTES[i], CAPTURES);
    static const char *const SEVERAL[] = {"/:a", "/:a/:b", "/:a/:b/:c", "/:param1/specific/:param2", NULL};
    static const capture_t OF_SEVERAL[] = {
        {"/hi", "/:a", "a=hi", ""},
        {"/hi/there", "/:a/:b", "a=hi b=there", ""},
        {"/hi/there/hey", "/:a/:b/:c", "a=hi b=there c=hey", ""},
        {"/hi/specific/anything", "/:param1/specific/:param2", "param1=hi param2=anything", ""},
        {"/", NULL, NULL, NULL},
        {"/a/b/c/d", NULL, NULL, NULL},
    };
    CHECK_CAPTURES(SEVERAL, OF_SEVERAL);
    static const char *const FURTHER[][ROUTES_MAX] = {
        {"/a/...", "/a/:x", "/b/:x/c", "/b/b/...", "/p/...", "/p/:x", "/p/:x/...", NULL},
        {"/p/:x/...", "/p/:x", "/p/...", "/b/b/...", "/b/:x/c", "/a/:x", "/a/...", NULL},
    };
    static const capture_t OF_FURTHER[] = {
        {"/a/1", "/a/:x", "x=1", ""},
        {"/a", "/a/...", "", ""},
        {"/a/1/2", "/a/...", "", "/1/2"},
        {"/b/b/c", "/b/b/...", "", "/c"},
        {"/b/d/c", "/b/:x/c", "x=d", ""},
        {"/p/1", "/p/:x", "x=1", ""}, /* the fewer parts first */
        {"/p/1/2", "/p/:x/...", "x=1", "/2"},
    };
    for (size_t i = 0; i < COUNT(FURTHER); i++)
        CHECK_CAPTURES(FURTHER[i], OF_FURTHER);
}

static void more_dots_come_first_wherever_they_are_declared(void **state)
{
    (void)state;
    static const char *const ROUTES[][ROUTES_MAX] = {
        {"/:a.:b", "/:a/:b.:c", "/:a/:b", "/:a/:b.txt", "/:a", "/:a/x", NULL},
        {"/:a/x", "/:a", "/:a/:b.txt", "/:a/:b", "/:a/:b.:c", "/:a.:b", NULL},
        {"/:a", "/:a/:b.:c", "/:a/x", "/:a/:b.txt", "/:a.:b", "/:a/:b", NULL},
    };
    static const capture_t CAPTURES[] = {
        {"/hello.world", "/:a.:b", "a=hello b=world", ""},
        {"/hello", "/:a", "a=hello", ""},
        {"/hi/there.world", "/:a/:b.:c", "a=hi b=there c=world", ""},
        {"/hi/yep", "/:a/:b", "a=hi b=yep", ""},
        {"/hi/x", "/:a/x", "a=hi", ""},
        {"/h.i/x", "/:a/x", "a=h.i", ""},
        {"/hi/planet.txt", "/:a/:b.txt", "a=hi b=planet", ""},
    };
    for (size_t i = 0; i < COUNT(ROUTES); i++)
        CHECK_CAPTURES(ROUTES[i], CAPTURES);
}

/* Spin's crates/trigger-http/src/headers.rs: prepare_header_key, compute_default_headers. */
static void a_parameter_knows_its_header_and_its_variable(void **state)
{
    (void)state;
    static const char *const ROUTES[] = {"/:User_id/:x", "/:a/:A/:a_b/:a-b", NULL};
    fixture_t fixture;
    weir_routes_t *table = build(&fixture, ROUTES);
    const weir_route_t *route = weir_routes_at(table, 0);
    assert_string_equal(route->raw, ROUTES[0]);
    assert_int_equal(route->parameter_count, 2);
    assert_string_equal(route->parameters[0].name, "User_id");
    assert_string_equal(route->parameters[0].header, "spin-path-match-user-id");
    assert_string_equal(route->parameters[0].variable, "X_PATH_MATCH_USER_ID");
    assert_string_equal(route->parameters[1].header, "spin-path-match-x");
    assert_string_equal(route->parameters[1].variable, "X_PATH_MATCH_X");
    /* Those that make the same header are one, and the last one counts. */
    weir_route_match_t match;
    assert_true(weir_routes_match(table, "/1/2/3/4", 8, &match));
    assert_int_equal(match.route->parameter_count, 2);
    assert_string_equal(match.route->parameters[0].name, "a");
    assert_memory_equal(match.parameters[0].text, "2", 1);
    assert_string_equal(match.route->parameters[1].header, "spin-path-match-a-b");
    assert_memory_equal(match.parameters[1].text, "4", 1);
    weir_routes_free(table);
}

/* ---- The table --------------------------------------------------------------------------------------------------- */

static void routes_are_listed_in_the_order_in_which_they_are_tried(void **state)
{
    (void)state;
    static const struct {
        const char *declared[ROUTES_MAX];
        const char *listed[ROUTES_MAX];
    } CASES[] = {
        {{"/", "/foo", "/bar", "/whee/..."}, {"/", "/foo", "/bar", "/whee/..."}},
        {{"/...", "/whee/...", "/bar", "/foo", "/"}, {"/", "/bar", "/foo", "/whee/...", "/..."}},
        {{"/a/...", "/a/b/...", "/a/b/c", "/a/b", "/a"}, {"/a", "/a/b", "/a/b/c", "/a/b/...", "/a/..."}},
        {{"/z/...", "/y", "/x/..."}, {"/y", "/z/...", "/x/..."}}, /* equals stay as declared */
        {{"/b/c", "/a.b", "/a"}, {"/a", "/a.b", "/b/c"}},         /* a dot makes two parts */
        {{"/foo", "/bar", "/foo"}, {"/foo", "/bar"}},             /* the winner takes the first one's place */
        {{"foo", "/bar", "/foo"}, {"foo", "/bar", "/foo"}},       /* the same meaning, but another text */
        {{"/...", "/.x/..."}, {"/.x/...", "/..."}},
        /* routefinder 0.5.4's tests/tests.rs, it_works */
        {{"/*", "/hello", "/:greeting", "/hey/:world", "/hey/earth", "/:greeting/:world/*"},
            {"/hello", "/hey/earth", "/hey/:world", "/:greeting", "/:greeting/:world/*", "/*"}},
        {{"/:a", "/:a.:b", "/exact"}, {"/exact", "/:a.:b", "/:a"}}, /* priority, there */
        {{"/u/:id", "/u/:name"}, {"/u/:id", "/u/:name"}},
        {{"/x", "{private}", "/y"}, {"/x", "/y"}},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        fixture_t fixture;
        weir_routes_t *table = build(&fixture, CASES[i].declared);
        size_t count = 0;
        for (; CASES[i].listed[count] != NULL; count++) {
            assert_non_null(weir_routes_at(table, count));
            assert_string_equal(weir_routes_at(table, count)->raw, CASES[i].listed[count]);
        }
        assert_int_equal(weir_routes_count(table), count);
        weir_routes_free(table);
    }
}

static void a_route_knows_its_forms(void **state)
{
    (void)state;
    static const struct {
        const char *raw;
        const char *matched;
        const char *base;
        const char *raw_base;
        bool wildcard;
    } CASES[] = {
        {"/foo", "/foo", "/foo", "/foo", false},
        {"foo", "/foo", "/foo", "foo", false},
        {"/foo/", "/foo", "/foo", "/foo/", false},
        {"/foo//", "/foo/", "/foo/", "/foo//", false},
        {"/foo/...", "/foo/...", "/foo", "/foo", true},
        {"foo/...", "/foo/...", "/foo", "foo", true},
        {"/foo/*", "/foo/*", "/foo", "/foo", true},
        {"/foo/.../", "/foo/...", "/foo", "/foo/.../", true},
        {"/...", "/...", "", "", true},
        {"/", "", "", "/", false},
        {"", "", "", "", false},
        {"/foo...", "/foo...", "/foo...", "/foo...", false},
        {"/a*b", "/a*b", "/a*b", "/a*b", false},
        {"/a:b", "/a:b", "/a:b", "/a:b", false},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        const char *const routes[] = {CASES[i].raw, NULL};
        fixture_t fixture;
        weir_routes_t *table = build(&fixture, routes);
        const weir_route_t *route = weir_routes_at(table, 0);
        assert_ptr_equal(route->trigger, &fixture.triggers[0]);
        assert_string_equal(route->raw, CASES[i].raw);
        assert_string_equal(route->matched, CASES[i].matched);
        assert_string_equal(route->base, CASES[i].base);
        assert_string_equal(route->raw_base, CASES[i].raw_base);
        assert_int_equal(route->wildcard, CASES[i].wildcard);
        weir_routes_free(table);
    }
}

/* ---- What is refused, and what is warned about ------------------------------------------------------------------- */

static void a_route_that_is_not_served_is_refused_with_its_place(void **state)
{
    (void)state;
#define NAMELESS "\":\" stands for a segment with a name, and the name is missing"
#define NAME "the name behind \":\" becomes part of a header's name; use letters, digits, \"-\" and \"_\""
#define INNER "a wildcard can only be the last segment; write \"/...\" at the end"
    static const struct {
        const char *raw;
        const char *why;
    } CASES[] = {
        {"/user/:", NAMELESS},
        {"/:/x", NAMELESS},
        {"/a.:", NAMELESS},
        {"/:a.:.b", NAMELESS},
        {"/:a b", NAME},
        {"/:\xc3\xa9", NAME},
        {"/:a:b", NAME},
        {"/:a/:b/:c/:d/:e/:f/:g/:h/:i/:j/:k/:l/:m/:n/:o/:p/:q", "it has more than 16 segments like \":name\""},
        {"/*rest", "the wildcard has no name; write \"/...\" at the end"},
        {"/a/*rest", "the wildcard has no name; write \"/...\" at the end"},
        {"/*/b", INNER},
        {"/a/*/b", INNER},
        {"/a/.../b", INNER},
        {"/.../...", INNER},
        {"/a/*/...", INNER},
        {"/a.*", INNER},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        const char *const routes[] = {"/fine", CASES[i].raw, NULL};
        fixture_t fixture;
        fixture_fill(&fixture, routes);
        weir_routes_t *table = (weir_routes_t *)&fixture, *untouched = table;
        char *message = NULL;
        if (weir_routes_build(&fixture.manifest, &table, &message))
            fail_msg("%s is served", CASES[i].raw);
        char expected[256];
        snprintf(expected, sizeof expected, "spin.toml:11:9: route \"%s\" of component \"c1\" is not served: %s",
            CASES[i].raw, CASES[i].why);
        assert_string_equal(message, expected);
        assert_ptr_equal(table, untouched);
        free(message);
    }
}

static void routes_that_nobody_reaches_are_warned_about(void **state)
{
    (void)state;
    static const struct {
        const char *declared[ROUTES_MAX];
        const char *warnings[ROUTES_MAX];
    } CASES[] = {
        {{"/", "/foo", "/...", "/.well-known/spin", "/.well-known/spi/...", "/.well-known/spindle/..."}, {NULL}},
        {{"/foo", "/bar", "/foo"}, {"spin.toml:10:9: route \"/foo\" of component \"c0\" is never reached: \"/foo\" of "
                                    "component \"c2\" at line "
                                    "12 is the same, and the last one wins"}},
        {{"/a", "/a", "/a"},
            {"spin.toml:10:9: route \"/a\" of component \"c0\" is never reached: \"/a\" of component \"c2\" at line 12 "
             "is the same, and the last one wins",
                "spin.toml:11:9: route \"/a\" of component \"c1\" is never reached: \"/a\" of component \"c2\" at line "
                "12 is the same, and the last one wins"}},
        {{"/w/...", "/w/*", "w/..."},
            {"spin.toml:11:9: route \"/w/*\" of component \"c1\" is never reached: \"/w/...\" of component \"c0\" at "
             "line 10 means the same, and the first one wins",
                "spin.toml:12:9: route \"w/...\" of component \"c2\" is never reached: \"/w/...\" of component \"c0\" "
                "at line 10 means the same, and the first one wins"}},
        {{"/u/:id", "/u/:name", "/u/:id/...", "/v/:a.x"}, {"spin.toml:11:9: route \"/u/:name\" of component \"c1\" is "
                                                           "never reached: \"/u/:id\" of component \"c0\" at "
                                                           "line 10 means the same, and the first one wins"}},
        {{"/.well-known/spin/health", "/.well-known/spin/..."},
            {"spin.toml:10:9: route \"/.well-known/spin/health\" of component \"c0\" is never reached: paths under "
             "/.well-known/spin/ are answered by weir itself",
                "spin.toml:11:9: route \"/.well-known/spin/...\" of component \"c1\" is never reached: paths under "
                "/.well-known/spin/ are answered by weir itself"}},
        {{"/a...b", "/a/...", "/b/*", "/..", "/*"}, {NULL}},
        {{"/env...", "img*", "/:name...", "/a/\u2026", "/.../"},
            {"spin.toml:10:9: route \"/env...\" of component \"c0\" is no wildcard, and answers that one path; did you "
             "mean \"/env/...\"?",
                "spin.toml:11:9: route \"img*\" of component \"c1\" is no wildcard, and answers that one path; did you "
                "mean \"/img/...\"?",
                "spin.toml:12:9: route \"/:name...\" of component \"c2\" is no wildcard, and answers that one path; "
                "did you mean \"/:name/...\"?",
                "spin.toml:13:9: route \"/a/\u2026\" of component \"c3\" is no wildcard, and answers that one path; "
                "did you mean \"/a/...\"?"}},
        {{"/a?b=c", "/a b", "/a\nb"},
            {"spin.toml:10:9: route \"/a?b=c\" of component \"c0\" is never reached: a path has neither \"?\" nor "
             "\"#\"",
                "spin.toml:11:9: route \"/a b\" of component \"c1\" is never reached: a path has neither spaces nor "
                "control characters",
                "spin.toml:12:9: route \"/a\\nb\" of component \"c2\" is never reached: a path has neither spaces nor "
                "control characters"}},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        fixture_t fixture;
        weir_routes_t *table = build(&fixture, CASES[i].declared);
        size_t count = 0;
        for (; CASES[i].warnings[count] != NULL; count++) {
            assert_non_null(weir_routes_warning(table, count));
            assert_string_equal(weir_routes_warning(table, count), CASES[i].warnings[count]);
        }
        assert_int_equal(weir_routes_warning_count(table), count);
        assert_null(weir_routes_warning(table, count));
        weir_routes_free(table);
    }
}

static void a_route_without_a_place_is_named_without_one(void **state)
{
    (void)state;
    static const char *const ROUTES[] = {"/:", NULL};
    fixture_t fixture;
    fixture_fill(&fixture, ROUTES);
    fixture.triggers[0].route_place = (weir_place_t){0, 0};
    weir_routes_t *table = NULL;
    char *message = NULL;
    assert_false(weir_routes_build(&fixture.manifest, &table, &message));
    assert_string_equal(message, "spin.toml: route \"/:\" of component \"c0\" is not served: " NAMELESS);
    free(message);
}

/* The trigger of a static response has no component. */
static void a_static_response_is_in_the_table_under_its_trigger(void **state)
{
    (void)state;
    static const char *const ROUTES[] = {"/foo", "/foo", "/foo/bar", NULL};
    fixture_t fixture;
    fixture_fill(&fixture, ROUTES);
    char id[] = "static one";
    weir_static_response_t response = {.status = 200};
    for (size_t i = 1; i < 3; i++) {
        fixture.triggers[i].id = id;
        fixture.triggers[i].component = WEIR_NO_COMPONENT;
        fixture.triggers[i].static_response = &response;
    }
    weir_routes_t *table = NULL;
    char *message = NULL;
    assert_true(weir_routes_build(&fixture.manifest, &table, &message));
    assert_int_equal(weir_routes_count(table), 2);
    weir_route_match_t match;
    assert_true(weir_routes_match(table, "/foo", 4, &match));
    assert_ptr_equal(match.route->trigger, &fixture.triggers[1]);
    assert_int_equal(weir_routes_warning_count(table), 1);
    assert_string_equal(weir_routes_warning(table, 0), "spin.toml:10:9: route \"/foo\" of component \"c0\" is never "
                                                       "reached: \"/foo\" of trigger \"static one\" at line 11 "
                                                       "is the same, and the last one wins");
    weir_routes_free(table);
}

/* As many triggers as a manifest may have: building must not be quadratic in a way that is felt. */
static void a_table_of_four_thousand_routes_works(void **state)
{
    (void)state;
    enum { MANY = 4096 };
    weir_http_trigger_t *triggers = calloc(MANY, sizeof *triggers);
    char(*texts)[32] = calloc(MANY, sizeof *texts);
    assert_non_null(triggers);
    assert_non_null(texts);
    char id[] = "all", path[] = "spin.toml";
    weir_component_t component = {.id = id};
    for (size_t i = 0; i < MANY; i++) {
        snprintf(texts[i], sizeof texts[i], i % 2 == 0 ? "/route/%zu" : "/route/%zu/...", i / 4);
        triggers[i] = (weir_http_trigger_t){.route = texts[i], .executor = WEIR_EXECUTOR_HTTP};
    }
    weir_manifest_t manifest = {
        .path = path, .components = &component, .component_count = 1, .triggers = triggers, .trigger_count = MANY};
    weir_routes_t *table = NULL;
    char *message = NULL;
    assert_true(weir_routes_build(&manifest, &table, &message));
    assert_int_equal(weir_routes_count(table), MANY / 2);
    assert_int_equal(weir_routes_warning_count(table), MANY / 2);
    for (size_t i = 0; i < MANY; i++) {
        char request[48];
        bool wildcard = i % 2 == 1;
        int size = snprintf(request, sizeof request, "/route/%zu%s", i / 4, wildcard ? "/more" : "");
        weir_route_match_t match;
        assert_true(weir_routes_match(table, request, (size_t)size, &match));
        assert_string_equal(match.route->raw, texts[i]);
        assert_int_equal(match.path_info_size, wildcard ? 5 : 0);
    }
    weir_routes_free(table);
    free(texts);
    free(triggers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_exact_route_matches_its_path_alone),
        cmocka_unit_test(dots_and_asterisks_without_a_slash_before_them_are_text),
        cmocka_unit_test(outer_slashes_do_not_count),
        cmocka_unit_test(the_root_is_the_root_alone),
        cmocka_unit_test(a_wildcard_takes_the_rest_with_its_slashes),
        cmocka_unit_test(a_wildcard_at_the_root_takes_everything),
        cmocka_unit_test(the_more_special_route_wins_wherever_it_is_declared),
        cmocka_unit_test(a_dot_at_the_start_of_a_segment_is_text),
        cmocka_unit_test(of_the_same_text_the_last_one_wins_and_of_the_same_meaning_the_first),
        cmocka_unit_test(no_routes_match_nothing),
        cmocka_unit_test(a_parameter_takes_a_segment),
        cmocka_unit_test(a_dot_ends_a_parameter_that_is_followed_by_one),
        cmocka_unit_test(text_beats_a_parameter_and_a_parameter_a_wildcard),
        cmocka_unit_test(more_dots_come_first_wherever_they_are_declared),
        cmocka_unit_test(a_parameter_knows_its_header_and_its_variable),
        cmocka_unit_test(routes_are_listed_in_the_order_in_which_they_are_tried),
        cmocka_unit_test(a_route_knows_its_forms),
        cmocka_unit_test(a_route_that_is_not_served_is_refused_with_its_place),
        cmocka_unit_test(routes_that_nobody_reaches_are_warned_about),
        cmocka_unit_test(a_route_without_a_place_is_named_without_one),
        cmocka_unit_test(a_static_response_is_in_the_table_under_its_trigger),
        cmocka_unit_test(a_table_of_four_thousand_routes_works),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
