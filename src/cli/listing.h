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
 * server.rs, print_startup_msgs). What the manifest gives is escaped: it may have any author.
 */
void weir_listing_print(const weir_manifest_t *manifest, const weir_routes_t *routes, const char *url);

#endif
