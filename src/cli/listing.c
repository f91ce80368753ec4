/*
 * listing.c: the routes on standard output.
 */
#include "cli/listing.h"

#include "cli/json_text.h"
#include "observe/escape.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Print text of the manifest: nothing in it can look like a line of weir's. Where it may have `lines` of its own, they
 * are indented. */
static void print_escaped(const char *text, bool lines)
{
    size_t left = strlen(text);
    while (left > 0) {
        char shown[WEIR_ESCAPE_MAX];
        size_t shown_size;
        size_t taken = weir_escape_next(text, left, shown, &shown_size);
        if (lines && text[0] == '\n') {
            printf("\n    ");
        } else {
            fwrite(shown, 1, shown_size, stdout);
        }
        text += taken;
        left -= taken;
    }
}

/* The component that answers a route, or NULL for a static response. */
static const weir_component_t *component_of(const weir_manifest_t *manifest, const weir_route_t *route)
{
    size_t component = route->trigger->component;
    return component == WEIR_NO_COMPONENT ? NULL : &manifest->components[component];
}

bool weir_listing_print(const weir_manifest_t *manifest, const weir_routes_t *routes, const char *url)
{
    printf("Serving %s\nAvailable Routes:\n", url);
    for (size_t i = 0; i < weir_routes_count(routes); i++) {
        const weir_route_t *route = weir_routes_at(routes, i);
        const weir_component_t *component = component_of(manifest, route);
        const char *path = route->base[0] == '\0' && !route->wildcard ? "/" : route->base;
        printf("  ");
        print_escaped(component != NULL ? component->id : route->trigger->id, false);
        printf(": %s", url);
        print_escaped(path, false);
        printf("%s\n", route->wildcard ? " (wildcard)" : "");
        if (component != NULL && component->description != NULL) {
            printf("    ");
            print_escaped(component->description, true);
            printf("\n");
        }
    }
    return fflush(stdout) == 0 && ferror(stdout) == 0;
}

/* A route as an object; NULL when memory ran out. */
static json_t *json_route(const weir_manifest_t *manifest, const weir_route_t *route)
{
    const weir_component_t *component = component_of(manifest, route);
    json_t *object = json_pack("{s:s, s:s, s:b}", "id", component != NULL ? component->id : route->trigger->id, "route",
        route->base[0] == '\0' ? "/" : route->base, "wildcard", (int)route->wildcard);
    if (component != NULL && component->description != NULL) {
        json_object_set_new(object, "description", json_string(component->description));
    }
    return object;
}

bool weir_listing_print_json(const weir_manifest_t *manifest, const weir_routes_t *routes, const char *url)
{
    weir_json_begin();
    json_t *list = json_array();
    for (size_t i = 0; i < weir_routes_count(routes); i++) {
        json_array_append_new(list, json_route(manifest, weir_routes_at(routes, i)));
    }
    char *text = weir_json_text(json_pack("{s:s, s:o}", "base_url", url, "routes", list));
    if (text == NULL) {
        errno = ENOMEM;
        return false;
    }
    bool printed = fputs(text, stdout) != EOF && fflush(stdout) == 0;
    int error = errno;
    free(text);
    errno = error;
    return printed;
}
