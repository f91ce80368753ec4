/*
 * listing.h: where the application is served, and by which routes: what people and programs see when all is ready.
 */
#ifndef WEIR_CLI_LISTING_H
#define WEIR_CLI_LISTING_H

#include "app/manifest.h"
#include "app/routes.h"

#include <stdbool.h>

/*
 * Print the URL and the routes in order of precedence on standard output, as Spin does (crates/trigger-http/src/
 * server.rs, print_startup_msgs). What the manifest gives is escaped: it may have any author. Returns false, with errno
 * set, when standard output did not take all of it, or of what was printed there before.
 */
bool weir_listing_print(const weir_manifest_t *manifest, const weir_routes_t *routes, const char *url);

/*
 * The same as one JSON document, as of Spin's --format json: base_url, and routes with id, route (without "/..."),
 * wildcard and, when there is one, description. Returns false likewise, with ENOMEM when memory ran out: then nothing
 * was printed.
 */
bool weir_listing_print_json(const weir_manifest_t *manifest, const weir_routes_t *routes, const char *url);

#endif
