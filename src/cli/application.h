/*
 * application.h: an application on its way from its files to guests that can be called.
 */
#ifndef WEIR_CLI_APPLICATION_H
#define WEIR_CLI_APPLICATION_H

#include "app/manifest.h"
#include "app/routes.h"
#include "guest/guest.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct weir_application {
    weir_manifest_t manifest;
    weir_routes_t *routes;
    weir_guest_file_t *files; /* one a component; empty for those that no trigger uses, and once they are compiled */
    weir_guest_t **guests;    /* one a component; NULL for those that no trigger uses */
} weir_application_t;

/*
 * Load manifest, routes and wasm files. On success fills `*ret_application`, to be freed with weir_application_free. On
 * failure returns false, leaves it untouched and stores a one-line message to be freed with free(3), or NULL when
 * memory ran out.
 */
bool weir_application_load(const char *path, weir_application_t *ret_application, char **ret_message);

/* What its guests ask of an instance's slot. */
weir_needs_t weir_application_needs(const weir_application_t *application);

/* Compile its guests, and let go of their files. On failure returns false and stores a message. */
bool weir_application_compile(weir_application_t *application, const wasm_engine_t *engine, char **ret_message);

/* Free what it owns, and zero it. */
void weir_application_free(weir_application_t *application);

#endif
