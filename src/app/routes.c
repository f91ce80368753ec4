/*
 * routes.c: the table of routes, in the order in which they are tried.
 */
#include "app/routes.h"

#include "app/route_pattern.h"
#include "app/text.h"
#include "app/words.h"

#include <stdlib.h>
#include <string.h>

#define RESERVED_PREFIX "/.well-known/spin/"

typedef struct entry {
    weir_route_t route;
    weir_route_pattern_t pattern;
    size_t position; /* among the entries, as declared */
} entry_t;

struct weir_routes {
    entry_t *entries;
    size_t count;
    bool dotted; /* any of them is */
    char **warnings;
    size_t warning_count;
    size_t warning_capacity;
};

/* A trigger or an entry, to be grouped with those of the same meaning. */
typedef struct sortable {
    const char *text;
    bool wildcard;
    size_t index;
} sortable_t;

/* The indices of the first and the last one that mean the same. */
typedef struct group {
    size_t first;
    size_t last;
} group_t;

static int by_meaning(const void *left, const void *right)
{
    const sortable_t *a = left, *b = right;
    int order = strcmp(a->text, b->text);
    if (order != 0)
        return order;
    if (a->wildcard != b->wildcard)
        return a->wildcard ? 1 : -1;
    return a->index < b->index ? -1 : 1;
}

/* Sort, and store the group of each index. */
static void find_groups(sortable_t *sortables, size_t count, group_t *ret_groups)
{
    qsort(sortables, count, sizeof *sortables, by_meaning);
    for (size_t start = 0, end; start < count; start = end) {
        end = start + 1;
        while (end < count && sortables[end].wildcard == sortables[start].wildcard &&
               strcmp(sortables[end].text, sortables[start].text) == 0)
            end++;
        for (size_t i = start; i < end; i++)
            ret_groups[sortables[i].index] = (group_t){sortables[start].index, sortables[end - 1].index};
    }
}

static int by_precedence(const void *left, const void *right)
{
    const entry_t *a = left, *b = right;
    int order = weir_route_pattern_order(&a->pattern, &b->pattern);
    return order != 0 ? order : a->position < b->position ? -1 : 1;
}

/* What answers a route, for people: the component, or the trigger of a static response. */
static weir_quote_t answerer(const weir_manifest_t *manifest, const weir_http_trigger_t *trigger)
{
    return weir_quote(
        trigger->component == WEIR_NO_COMPONENT ? trigger->id : manifest->components[trigger->component].id);
}

/* Begin a message with the place of a trigger's route. */
static void begin_message(weir_text_t *text, const weir_manifest_t *manifest, const weir_http_trigger_t *trigger)
{
    weir_text_add_escaped(text, manifest->path, strlen(manifest->path));
    if (trigger->route_place.line > 0)
        weir_text_format(text, ":%u:%u", (unsigned)trigger->route_place.line, (unsigned)trigger->route_place.column);
    weir_text_format(text, ": ");
    weir_text_format(text,
        trigger->component == WEIR_NO_COMPONENT ? weir_words("route %s of trigger %s ")
                                                : weir_words("route %s of component %s "),
        weir_quote(trigger->route).text, answerer(manifest, trigger).text);
}

/* Keep a warning; false when memory ran out. */
static bool add_warning(weir_routes_t *routes, weir_text_t *text)
{
    char *message = weir_text_take(text);
    if (message == NULL)
        return false;
    if (routes->warning_count == routes->warning_capacity) {
        size_t capacity = routes->warning_capacity == 0 ? 8 : routes->warning_capacity * 2;
        char **warnings = realloc(routes->warnings, capacity * sizeof *warnings);
        if (warnings == NULL) {
            free(message);
            return false;
        }
        routes->warnings = warnings;
        routes->warning_capacity = capacity;
    }
    routes->warnings[routes->warning_count++] = message;
    return true;
}

/* Warn that nobody reaches the route of `trigger`, since `other` has it too; `why` says why that one wins. */
static bool warn_of_other(weir_routes_t *routes, const weir_manifest_t *manifest, const weir_http_trigger_t *trigger,
    const weir_http_trigger_t *other, const char *why)
{
    weir_text_t text = {0};
    begin_message(&text, manifest, trigger);
    weir_text_format(&text,
        other->component == WEIR_NO_COMPONENT ? weir_words("is never reached: %s of trigger %s")
                                              : weir_words("is never reached: %s of component %s"),
        weir_quote(other->route).text, answerer(manifest, other).text);
    if (other->route_place.line > 0)
        weir_text_format(&text, weir_words(" at line %u"), (unsigned)other->route_place.line);
    weir_text_format(&text, " %s", why);
    return add_warning(routes, &text);
}

/* Warn that nobody reaches the route of `trigger`, because of `why`. */
static bool warn(
    weir_routes_t *routes, const weir_manifest_t *manifest, const weir_http_trigger_t *trigger, const char *why)
{
    weir_text_t text = {0};
    begin_message(&text, manifest, trigger);
    weir_text_format(&text, weir_words("is never reached: %s"), why);
    return add_warning(routes, &text);
}

/*
 * Routes that mean what they say to Spin (routefinder 0.5.4 takes dots and "*" within a segment as text), but hardly to
 * who wrote them: a wildcard without the slash before it.
 */
static bool warn_of_lost_slash(weir_routes_t *routes, const weir_manifest_t *manifest, const entry_t *entry)
{
    static const char *const WILDCARDS[] = {"...", "\u2026", "*"};
    const char *matched = entry->route.matched;
    for (size_t i = 0; !entry->route.wildcard && i < sizeof WILDCARDS / sizeof WILDCARDS[0]; i++) {
        size_t size = strlen(matched), wildcard_size = strlen(WILDCARDS[i]);
        if (size < wildcard_size || strcmp(matched + size - wildcard_size, WILDCARDS[i]) != 0)
            continue;
        weir_text_t text = {0}, meant = {0};
        weir_text_format(&meant, "%.*s", (int)(size - wildcard_size), matched);
        while (meant.size > 0 && (meant.bytes[meant.size - 1] == '/' || meant.bytes[meant.size - 1] == '.'))
            weir_text_truncate(&meant, meant.size - 1);
        weir_text_format(&meant, "/...");
        begin_message(&text, manifest, entry->route.trigger);
        weir_text_format(&text, weir_words("is no wildcard, and answers that one path; did you mean %s?"),
            weir_quote(meant.bytes != NULL ? meant.bytes : "").text);
        weir_text_free(&meant);
        return add_warning(routes, &text);
    }
    return true;
}

static bool warn_of_unreachable(weir_routes_t *routes, const weir_manifest_t *manifest, const entry_t *entry)
{
    const char *matched = entry->route.matched;
    if (strncmp(matched, RESERVED_PREFIX, strlen(RESERVED_PREFIX)) == 0 &&
        !warn(routes, manifest, entry->route.trigger,
            weir_words("paths under /.well-known/spin/ are answered by weir itself")))
        return false;
    for (const char *character = matched; *character != '\0'; character++) {
        if (*character == '?' || *character == '#')
            return warn(routes, manifest, entry->route.trigger, weir_words("a path has neither \"?\" nor \"#\""));
        if ((unsigned char)*character <= ' ' || *character == 0x7F)
            return warn(
                routes, manifest, entry->route.trigger, weir_words("a path has neither spaces nor control characters"));
    }
    return true;
}

static const char *fault_text(weir_route_fault_t fault)
{
    switch (fault) {
    case WEIR_ROUTE_PARAMETER_NAMELESS:
        return weir_words("\":\" stands for a segment with a name, and the name is missing");
    case WEIR_ROUTE_PARAMETER_NAME:
        return weir_words(
            "the name behind \":\" becomes part of a header's name; use letters, digits, \"-\" and \"_\"");
    case WEIR_ROUTE_PARAMETERS:
        return weir_words("it has more than 16 segments like \":name\"");
    case WEIR_ROUTE_WILDCARD_NAMED:
        return weir_words("the wildcard has no name; write \"/...\" at the end");
    case WEIR_ROUTE_WILDCARD_INNER:
        return weir_words("a wildcard can only be the last segment; write \"/...\" at the end");
    case WEIR_ROUTE_OK:
    case WEIR_ROUTE_OUT_OF_MEMORY:
        break;
    }
    return weir_words("is not understood");
}

/* Add the entry for a trigger. */
static bool add_entry(
    weir_routes_t *routes, const weir_manifest_t *manifest, const weir_http_trigger_t *trigger, char **ret_message)
{
    entry_t *entry = &routes->entries[routes->count];
    weir_route_fault_t fault = weir_route_pattern_parse(trigger->route, &entry->pattern);
    if (fault == WEIR_ROUTE_OK) {
        entry->route = (weir_route_t){
            .trigger = trigger,
            .raw = trigger->route,
            .matched = entry->pattern.matched,
            .base = entry->pattern.base,
            .raw_base = entry->pattern.raw_base,
            .wildcard = entry->pattern.wildcard,
            .parameters = entry->pattern.parameters,
            .parameter_count = entry->pattern.parameter_count,
        };
        routes->dotted = routes->dotted || entry->pattern.dotted;
        entry->position = routes->count++;
        return true;
    }
    if (fault != WEIR_ROUTE_OUT_OF_MEMORY) {
        weir_text_t text = {0};
        begin_message(&text, manifest, trigger);
        weir_text_format(&text, weir_words("is not served: %s"), fault_text(fault));
        *ret_message = weir_text_take(&text);
    }
    return false;
}

/* Of triggers with the same text the last one wins and takes the place of the first. Private ones have no text. */
static bool add_entries(
    weir_routes_t *routes, const weir_manifest_t *manifest, sortable_t *sortables, group_t *groups, char **ret_message)
{
    size_t count = manifest->trigger_count, public_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (manifest->triggers[i].route != NULL)
            sortables[public_count++] = (sortable_t){.text = manifest->triggers[i].route, .index = i};
    }
    find_groups(sortables, public_count, groups);
    for (size_t i = 0; i < count; i++) {
        const weir_http_trigger_t *trigger = &manifest->triggers[i], *winner = &manifest->triggers[groups[i].last];
        if (trigger->route == NULL)
            continue;
        if (trigger != winner &&
            !warn_of_other(routes, manifest, trigger, winner, weir_words("is the same, and the last one wins")))
            return false;
        if (groups[i].first == i && !add_entry(routes, manifest, winner, ret_message))
            return false;
    }
    return true;
}

/* Of entries that mean the same the first one wins. */
static bool add_warnings(weir_routes_t *routes, const weir_manifest_t *manifest, sortable_t *sortables, group_t *groups)
{
    for (size_t i = 0; i < routes->count; i++) {
        const weir_route_pattern_t *pattern = &routes->entries[i].pattern;
        sortables[i] = (sortable_t){.text = pattern->shape, .wildcard = pattern->wildcard, .index = i};
    }
    find_groups(sortables, routes->count, groups);
    for (size_t i = 0; i < routes->count; i++) {
        const entry_t *entry = &routes->entries[i], *winner = &routes->entries[groups[i].first];
        if (entry != winner && !warn_of_other(routes, manifest, entry->route.trigger, winner->route.trigger,
                                   weir_words("means the same, and the first one wins")))
            return false;
        if (!warn_of_unreachable(routes, manifest, entry) || !warn_of_lost_slash(routes, manifest, entry))
            return false;
    }
    return true;
}

bool weir_routes_build(const weir_manifest_t *manifest, weir_routes_t **ret_routes, char **ret_message)
{
    size_t count = manifest->trigger_count > 0 ? manifest->trigger_count : 1;
    char *message = NULL;
    weir_routes_t *routes = calloc(1, sizeof *routes);
    sortable_t *sortables = calloc(count, sizeof *sortables);
    group_t *groups = calloc(count, sizeof *groups);
    if (routes != NULL)
        routes->entries = calloc(count, sizeof *routes->entries);
    bool success = routes != NULL && routes->entries != NULL && sortables != NULL && groups != NULL &&
                   add_entries(routes, manifest, sortables, groups, &message) &&
                   add_warnings(routes, manifest, sortables, groups);
    free(sortables);
    free(groups);
    if (!success) {
        weir_routes_free(routes);
        *ret_message = message;
        return false;
    }
    qsort(routes->entries, routes->count, sizeof *routes->entries, by_precedence);
    for (size_t i = 0; i < routes->count; i++)
        routes->entries[i].route.parameters = routes->entries[i].pattern.parameters; /* it has moved */
    *ret_routes = routes;
    return true;
}

void weir_routes_free(weir_routes_t *own_routes)
{
    if (own_routes == NULL)
        return;
    for (size_t i = 0; i < own_routes->count; i++)
        weir_route_pattern_free(&own_routes->entries[i].pattern);
    for (size_t i = 0; i < own_routes->warning_count; i++)
        free(own_routes->warnings[i]);
    free(own_routes->entries);
    free(own_routes->warnings);
    free(own_routes);
}

size_t weir_routes_count(const weir_routes_t *routes)
{
    return routes->count;
}

const weir_route_t *weir_routes_at(const weir_routes_t *routes, size_t index)
{
    return index < routes->count ? &routes->entries[index].route : NULL;
}

size_t weir_routes_warning_count(const weir_routes_t *routes)
{
    return routes->warning_count;
}

const char *weir_routes_warning(const weir_routes_t *routes, size_t index)
{
    return index < routes->warning_count ? routes->warnings[index] : NULL;
}

/* The route that answers a path without its outer slashes, or NULL. `*ret_rest` is as weir_route_pattern_match's. */
static const entry_t *find_entry(const weir_routes_t *routes, const char *path, size_t size, size_t *ret_rest)
{
    const entry_t *best = NULL;
    for (size_t i = 0; i < routes->count && (best == NULL || routes->dotted); i++) {
        const entry_t *entry = &routes->entries[i];
        size_t rest;
        if (!weir_route_pattern_match(&entry->pattern, path, size, NULL, &rest))
            continue;
        int order = best == NULL ? -1 : weir_route_pattern_compare(&entry->pattern, &best->pattern);
        if (order < 0 || (order == 0 && entry->position < best->position)) {
            best = entry;
            *ret_rest = rest;
        }
    }
    return best;
}

bool weir_routes_match(const weir_routes_t *routes, const char *path, size_t path_size, weir_route_match_t *ret_match)
{
    if (path_size == 0)
        path = ""; /* it may have been NULL */
    else if (path[0] != '/')
        return false;
    size_t begin = 0, end = path_size;
    while (begin < end && path[begin] == '/')
        begin++;
    while (end > begin && path[end - 1] == '/')
        end--;
    size_t rest = 0;
    const entry_t *entry = find_entry(routes, path + begin, end - begin, &rest);
    if (entry == NULL)
        return false;
    ret_match->route = &entry->route;
    ret_match->path_info = "";
    ret_match->path_info_size = 0;
    if (entry->route.parameter_count > 0)
        weir_route_pattern_match(&entry->pattern, path + begin, end - begin, ret_match->parameters, &rest);
    if (entry->route.wildcard) {
        /* Spin gives back one slash before the rest and one behind it, if the path ends in any. */
        bool slash_behind = path_size > 0 && path[path_size - 1] == '/';
        size_t from = begin + rest, to = end + (slash_behind ? 1 : 0);
        if (from == end && slash_behind)
            from = path_size - 1, to = path_size;
        else if (rest == 0 && from < end)
            from--;
        ret_match->path_info = path + from;
        ret_match->path_info_size = to - from;
    }
    return true;
}
