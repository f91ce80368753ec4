/*
 * listing.c: the routes on standard output.
 */
#include "cli/listing.h"

#include "observe/escape.h"

#include <stdio.h>
#include <string.h>

/* Print text of the manifest: nothing in it can look like a line of weir's. Its lines are indented. */
static void print_escaped(const char *text)
{
    size_t left = strlen(text);
    while (left > 0) {
        char shown[WEIR_ESCAPE_MAX];
        size_t shown_size;
        size_t taken = weir_escape_next(text, left, shown, &shown_size);
        if (text[0] == '\n') {
            printf("\n    ");
        } else {
            fwrite(shown, 1, shown_size, stdout);
        }
        text += taken;
        left -= taken;
    }
}

void weir_listing_print(const weir_manifest_t *manifest, const weir_routes_t *routes, const char *url)
{
    printf("Serving %s\nAvailable Routes:\n", url);
    for (size_t i = 0; i < weir_routes_count(routes); i++) {
        const weir_route_t *route = weir_routes_at(routes, i);
        const weir_http_trigger_t *trigger = route->trigger;
        const weir_component_t *component =
            trigger->component == WEIR_NO_COMPONENT ? NULL : &manifest->components[trigger->component];
        const char *path = route->base[0] == '\0' && !route->wildcard ? "/" : route->base;
        printf("  ");
        print_escaped(component != NULL ? component->id : trigger->id); /* a trigger's may hold anything */
        printf(": %s", url);
        print_escaped(path);
        printf("%s\n", route->wildcard ? " (wildcard)" : "");
        if (component != NULL && component->description != NULL) {
            printf("    ");
            print_escaped(component->description);
            printf("\n");
        }
    }
    fflush(stdout);
}
