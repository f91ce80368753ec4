/*
 * app_routes.c: fuzzes routes and what they match. The input is routes, one a line, an empty line, and paths. Whatever
 * a table of all routes says must be what tables of one route, and of two, say.
 */
#include "app/routes.h"
#include "fuzz.h"

enum { ROUTES_MAX = 8, PATHS_MAX = 40 };

static char path[] = "spin.toml";
static char id[] = "a";
static weir_component_t component = {.id = id};

/* The table of some triggers, or NULL when one of them is refused. */
static weir_routes_t *build(weir_http_trigger_t *triggers, size_t count)
{
    weir_manifest_t manifest = {
        .path = path, .components = &component, .component_count = 1, .triggers = triggers, .trigger_count = count};
    weir_routes_t *routes = NULL;
    char *message = NULL;
    if (!weir_routes_build(&manifest, &routes, &message)) {
        must_hold(routes == NULL && message != NULL);
        free(message);
    }
    return routes;
}

/* What a table says of a path: the route as written, or NULL. */
static const char *ask(const weir_routes_t *routes, const uint8_t *text, size_t size, weir_route_match_t *ret_match)
{
    return weir_routes_match(routes, (const char *)text, size, ret_match) ? ret_match->route->raw : NULL;
}

static bool is_within(const char *part, size_t part_size, const uint8_t *text, size_t size)
{
    return part_size == 0 || ((const uint8_t *)part >= text && (const uint8_t *)part + part_size <= text + size);
}

static void check_match(const weir_route_match_t *match, const uint8_t *text, size_t size)
{
    must_hold(is_within(match->path_info, match->path_info_size, text, size));
    must_hold(match->path_info_size == 0 || (match->route->wildcard && match->path_info[0] == '/'));
    must_hold(match->route->parameter_count <= WEIR_ROUTE_PARAMETERS_MAX);
    for (size_t i = 0; i < match->route->parameter_count; i++) {
        const weir_route_value_t *value = &match->parameters[i];
        must_hold(value->size > 0 && is_within(value->text, value->size, text, size));
        must_hold(memchr(value->text, '/', value->size) == NULL);
        must_hold(strncmp(match->route->parameters[i].header, "spin-path-match-", 16) == 0);
        must_hold(strncmp(match->route->parameters[i].variable, "X_PATH_MATCH_", 13) == 0);
    }
}

/*
 * Whether nothing follows a dot in a segment ("/:a./...", "/:a..b"). Three such routes can beat each other in a circle,
 * in routefinder too, and then any of them may be the one that answers.
 */
static bool has_bare_dot(const char *route)
{
    size_t size = strlen(route);
    while (size > 0 && route[size - 1] == '/') {
        size--;
    }
    size -= size >= 4 && memcmp(route + size - 4, "/...", 4) == 0 ? 4 : 0;
    for (size_t i = 0; i < size; i++) {
        if (route[i] == '.' && (i + 1 == size || route[i + 1] == '/' || route[i + 1] == '.')) {
            return true;
        }
    }
    return false;
}

/* A table of two routes, or of one, with what it borrows. */
typedef struct pair {
    weir_http_trigger_t triggers[2];
    weir_routes_t *routes;
} pair_t;

/*
 * Tables that are built when they are first asked, and then asked of every path: building one takes far longer than a
 * match.
 */
typedef struct tables {
    weir_http_trigger_t triggers[ROUTES_MAX];
    size_t count;
    bool is_circular; /* three of them may be */
    weir_routes_t *all;
    pair_t *pairs[ROUTES_MAX][ROUTES_MAX]; /* of two routes, the earlier one first; of one, where both are it */
} tables_t;

static void free_pair(pair_t *pair)
{
    if (pair != NULL) {
        weir_routes_free(pair->routes);
        free(pair);
    }
}

/* NULL when the route, alone, is refused. */
static const weir_routes_t *table_of(tables_t *tables, size_t i, size_t j)
{
    size_t first = i < j ? i : j;
    size_t second = i < j ? j : i;
    pair_t *pair = tables->pairs[first][second];
    if (pair == NULL) {
        pair = malloc(sizeof(*pair));
        must_hold(pair != NULL);
        *pair = (pair_t){.triggers = {tables->triggers[first], tables->triggers[second]}};
        pair->routes = build(pair->triggers, first == second ? 1 : 2);
        if (pair->routes == NULL) {
            free(pair);
            return NULL;
        }
        tables->pairs[first][second] = pair;
    }
    return pair->routes;
}

static void free_tables(tables_t *tables)
{
    weir_routes_free(tables->all);
    for (size_t i = 0; i < tables->count; i++) {
        for (size_t j = i; j < tables->count; j++) {
            free_pair(tables->pairs[i][j]);
        }
        free(tables->triggers[i].route);
    }
}

/* The route that all of them answered with must win against each other one alone. */
static void check_winner(tables_t *tables, const char *winner, const uint8_t *text, size_t size)
{
    weir_route_match_t match;
    size_t at = 0;
    while (at < tables->count && tables->triggers[at].route != winner) {
        at++;
    }
    must_hold((at == tables->count) == (winner == NULL));
    for (size_t i = 0; i < tables->count; i++) {
        bool matches = ask(table_of(tables, i, i), text, size, &match) != NULL;
        must_hold(matches ? winner != NULL : i != at);
        if (matches && i != at && !tables->is_circular) {
            must_hold(ask(table_of(tables, i, at), text, size, &match) == winner);
        }
    }
}

static void check_path(tables_t *tables, const uint8_t *text, size_t size)
{
    weir_route_match_t match = {.route = NULL};
    const char *winner = ask(tables->all, text, size, &match);
    if (winner != NULL) {
        check_match(&match, text, size);
    } else {
        must_hold(match.route == NULL);
    }
    check_winner(tables, winner, text, size);
}

/* Take a route unless it is refused, or there: of the same text the last one wins, which two alone do not show. */
static void add_route(tables_t *tables, const uint8_t *text, size_t size)
{
    size_t at = tables->count;
    char *route = copy_text(text, size);
    for (size_t i = 0; i < at; i++) {
        if (strcmp(tables->triggers[i].route, route) == 0) {
            free(route);
            return;
        }
    }
    tables->triggers[at] = (weir_http_trigger_t){.id = id, .route = route, .executor = WEIR_EXECUTOR_HTTP};
    if (table_of(tables, at, at) == NULL) {
        free(route);
        return;
    }
    tables->is_circular = tables->is_circular || has_bare_dot(route);
    tables->count++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tables_t tables = {.count = 0};
    const uint8_t *part;
    size_t part_size;
    while (tables.count < ROUTES_MAX && (part_size = take_part(&data, &size, '\n', &part)) > 0) {
        add_route(&tables, part, part_size);
    }
    tables.all = build(tables.triggers, tables.count);
    must_hold(tables.all != NULL);
    for (size_t i = 0; i < PATHS_MAX && size > 0; i++) {
        part_size = take_part(&data, &size, '\n', &part);
        uint8_t *copy = (uint8_t *)copy_text(part, part_size);
        check_path(&tables, copy, part_size);
        free(copy);
    }
    free_tables(&tables);
    return 0;
}
