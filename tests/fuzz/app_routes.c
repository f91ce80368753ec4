/*
 * app_routes.c: fuzzes routes and what they match. The input is routes, one a line, an empty line, and paths. Whatever
 * a table of all routes says must be what tables of one route, and of two, say.
 */
#include "app/routes.h"
#include "fuzz.h"

enum { ROUTES_MAX = 12, PATHS_MAX = 12 };

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

/* The route that all of them answered with must win against each other one alone. */
static void check_winner(
    weir_http_trigger_t *triggers, size_t count, const char *winner, const uint8_t *text, size_t size)
{
    bool is_circular = false;
    for (size_t i = 0; i < count; i++) {
        is_circular = is_circular || has_bare_dot(triggers[i].route);
    }
    weir_route_match_t match;
    for (size_t i = 0; i < count; i++) {
        weir_routes_t *one = build(&triggers[i], 1);
        bool matches = ask(one, text, size, &match) != NULL;
        weir_routes_free(one);
        must_hold(!matches || winner != NULL);
        for (size_t j = 0; matches && !is_circular && j < count; j++) {
            if (i == j || (triggers[i].route != winner && triggers[j].route != winner)) {
                continue;
            }
            weir_http_trigger_t pair[2] = {triggers[i < j ? i : j], triggers[i < j ? j : i]};
            weir_routes_t *two = build(pair, 2);
            must_hold(ask(two, text, size, &match) == winner);
            weir_routes_free(two);
        }
    }
}

static void check_path(weir_http_trigger_t *triggers, size_t count, const uint8_t *text, size_t size)
{
    weir_routes_t *routes = build(triggers, count);
    weir_route_match_t match = {.route = NULL};
    must_hold(routes != NULL);
    const char *winner = ask(routes, text, size, &match);
    if (winner != NULL) {
        check_match(&match, text, size);
    } else {
        must_hold(match.route == NULL);
    }
    check_winner(triggers, count, winner, text, size);
    weir_routes_free(routes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    weir_http_trigger_t triggers[ROUTES_MAX];
    char *texts[ROUTES_MAX];
    size_t count = 0;
    const uint8_t *part;
    size_t part_size;
    while (count < ROUTES_MAX && (part_size = take_part(&data, &size, '\n', &part)) > 0) {
        char *text = copy_text(part, part_size);
        bool is_new =
            true; /* of the same text the last one takes the place of the first, which two alone do not show */
        for (size_t i = 0; i < count; i++) {
            is_new = is_new && strcmp(texts[i], text) != 0;
        }
        triggers[count] = (weir_http_trigger_t){.id = id, .route = text, .executor = WEIR_EXECUTOR_HTTP};
        weir_routes_t *alone = is_new ? build(&triggers[count], 1) : NULL;
        if (alone == NULL) {
            free(text);
            continue;
        }
        weir_routes_free(alone);
        texts[count++] = text;
    }
    for (size_t i = 0; i < PATHS_MAX && size > 0; i++) {
        part_size = take_part(&data, &size, '\n', &part);
        uint8_t *copy = (uint8_t *)copy_text(part, part_size);
        check_path(triggers, count, copy, part_size);
        free(copy);
    }
    for (size_t i = 0; i < count; i++) {
        free(texts[i]);
    }
    return 0;
}
