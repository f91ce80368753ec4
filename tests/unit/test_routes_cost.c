/*
 * test_routes_cost.c: matching allocates nothing, whatever the path and the table. Linked with --wrap for what
 * allocates.
 */
#include "app/routes.h"
#include "manifest_support.h"

enum { MATCHES = 10000, MANY = 500 };

/* The linker makes these names. NOLINTBEGIN(cert-dcl37-c) */

/* Weak, so that a program that is linked without --wrap says so instead of not being linked. */
void *__real_malloc(size_t size) __attribute__((weak));
void *__real_calloc(size_t count, size_t size) __attribute__((weak));
void *__real_realloc(void *block, size_t size) __attribute__((weak));
char *__real_strdup(const char *text) __attribute__((weak));
char *__real_strndup(const char *text, size_t size) __attribute__((weak));
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t size);

static unsigned long allocated; /* allocations so far */

void *__wrap_malloc(size_t size)
{
    allocated++;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    allocated++;
    return __real_calloc(count, size);
}

void *__wrap_realloc(void *block, size_t size)
{
    allocated++;
    return __real_realloc(block, size);
}

char *__wrap_strdup(const char *text)
{
    allocated++;
    return __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t size)
{
    allocated++;
    return __real_strndup(text, size);
}

/* NOLINTEND(cert-dcl37-c) */

#define MOST_PARAMETERS "/most/:a/:b/:c/:d/:e/:f/:g/:h/:i/:j/:k/:l/:m/:n/:o/:p"

/* Every kind of route there is. */
static const char *const ROUTES[] = {"/", "/exact", "/exact/deep/er", "/exact/deep/er/...", "/u/:id", "/u/:id/edit",
    "/f/:name.json", "/f/:name.:ending", "/w/...", "/w/a/*", "/p/:x/y/...", MOST_PARAMETERS, "/lost...", "//two//",
    "/.hidden", "/dots.in.it", "/static", "{private}"};

/* A path, and the route that answers it, or NULL. */
static const struct {
    const char *path;
    const char *raw;
} ASKS[] = {
    {"/", "/"},
    {"", "/"},
    {"////", "/"},
    {"/exact", "/exact"},
    {"//exact//", "/exact"},
    {"/exact/deep/er", "/exact/deep/er"},
    {"/exact/deep/er/and/on", "/exact/deep/er/..."},
    {"/u/42", "/u/:id"},
    {"/u/42/edit/", "/u/:id/edit"},
    {"/f/a.json", "/f/:name.json"},
    {"/f/a.b", "/f/:name.:ending"},
    {"/w", "/w/..."},
    {"/w/", "/w/..."},
    {"/w/b//c/%2f/", "/w/..."},
    {"/w/a/b", "/w/a/*"},
    {"/p/1/y/z", "/p/:x/y/..."},
    {"/most/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16", MOST_PARAMETERS},
    {"/lost...", "/lost..."},
    {"/.hidden", "/.hidden"},
    {"/dots.in.it", "/dots.in.it"},
    {"/static", "/static"},
    {"/many/7/9/x", "/many/7/:id/..."},
    {"/many/499/9/", "/many/499/:id/..."},
    {"*", NULL},
    {"/nothing", NULL},
    {"/u//edit", NULL},
    {"/exact/deep", NULL},
    {"/f/.json", NULL},
    {"/many/500/9", NULL},
    {"/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a.a.a.a.a.a.a.a.a", NULL},
};

/* A table with the routes above, and some more. */
static weir_routes_t *build(weir_manifest_t *manifest, const char *more)
{
    size_t capacity = sizeof HEAD + sizeof COMPONENT + (COUNT(ROUTES) + MANY + 1) * 160;
    char *text = malloc(capacity);
    assert_non_null(text);
    int size = snprintf(text, capacity, HEAD COMPONENT);
    for (size_t i = 0; i <= COUNT(ROUTES) + MANY; i++) {
        char route[120];
        if (i < COUNT(ROUTES))
            snprintf(route, sizeof route, "\"%s\"", ROUTES[i]);
        else if (i < COUNT(ROUTES) + MANY)
            snprintf(route, sizeof route, "\"/many/%zu/:id/...\"", i - COUNT(ROUTES));
        else
            snprintf(route, sizeof route, "\"%s\"", more);
        bool is_private = strcmp(route, "\"{private}\"") == 0;
        const char *answer =
            strcmp(route, "\"/static\"") == 0 ? "static_response = { body = \"b\" }" : "component = \"hello\"";
        size += snprintf(text + size, capacity - (size_t)size, "[[trigger.http]]\nroute = %s\n%s\n",
            is_private ? "{ private = true }" : route, answer);
        assert_in_range(size, 1, capacity - 1);
    }
    *manifest = parse_text("spin.toml", text);
    free(text);
    weir_routes_t *routes = NULL;
    char *message = NULL;
    if (!weir_routes_build(manifest, &routes, &message))
        fail_msg("%s", message);
    return routes;
}

static void ten_thousand_matches_of_every_kind_allocate_nothing(void **state)
{
    (void)state;
    if (__real_malloc == NULL || __real_strndup == NULL)
        fail_msg("link this program with -Wl,--wrap=malloc, and the others");
    /* Once without a route for everything, and once with. */
    static const char *const MORE[] = {"/more", "/..."};
    for (size_t i = 0; i < COUNT(MORE); i++) {
        weir_manifest_t manifest;
        unsigned long before = allocated;
        weir_routes_t *routes = build(&manifest, MORE[i]);
        assert_true(allocated > before); /* so they are counted */
        unsigned long matched = 0;
        before = allocated;
        for (size_t j = 0; j < MATCHES; j++) {
            const char *path = ASKS[j % COUNT(ASKS)].path, *raw = ASKS[j % COUNT(ASKS)].raw;
            weir_route_match_t match;
            bool found = weir_routes_match(routes, path, strlen(path), &match);
            const char *wanted = raw == NULL && i == 1 && path[0] == '/' ? "/..." : raw;
            if (found != (wanted != NULL) || (found && strcmp(match.route->raw, wanted) != 0))
                fail_msg("%s went to %s, not %s", path, found ? match.route->raw : "none", wanted ? wanted : "none");
            matched += found;
        }
        assert_int_equal(allocated, before);
        assert_true(matched > MATCHES / 2);
        weir_routes_free(routes);
        weir_manifest_free(&manifest);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_thousand_matches_of_every_kind_allocate_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
