/*
 * routes.h: which component answers a path. The table is built once; matching it allocates nothing.
 */
#ifndef WEIR_APP_ROUTES_H
#define WEIR_APP_ROUTES_H

#include "app/manifest.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct weir_routes weir_routes_t;

/* How many ":name" segments a route can have. */
enum { WEIR_ROUTE_PARAMETERS_MAX = 16 };

/* A ":name" segment, by the names that guests know it by (Spin's crates/trigger-http/src/headers.rs). */
typedef struct weir_route_parameter {
    const char *name;     /* as written: "user_id" */
    const char *header;   /* "spin-path-match-user-id" */
    const char *variable; /* "X_PATH_MATCH_USER_ID" */
} weir_route_parameter_t;

/* One route of the table. Everything is owned by the table. */
typedef struct weir_route {
    const weir_http_trigger_t *trigger; /* borrowed from the manifest */
    const char *raw;                    /* as written in the manifest: "/foo/..." */
    const char *matched;                /* as the header spin-matched-route has it: "/foo/...", and "" for "/" */
    const char *base;                   /* `matched` without the wildcard: "/foo", and "" for "/..." and "/" */
    const char *raw_base; /* `raw` without the wildcard, as the header spin-component-route has it; "/" for "/" */
    bool wildcard;        /* ends in "/...", or in an asterisk for it */
    const weir_route_parameter_t *parameters; /* those that make the same header are one */
    size_t parameter_count;
} weir_route_t;

/* What a parameter stands for in a path: a part of it. */
typedef struct weir_route_value {
    const char *text; /* not terminated */
    size_t size;      /* at least 1 */
} weir_route_value_t;

typedef struct weir_route_match {
    const weir_route_t *route;
    const char *path_info; /* what the trailing wildcard matched, within the path; "" when the route has none */
    size_t path_info_size;
    weir_route_value_t parameters[WEIR_ROUTE_PARAMETERS_MAX]; /* as many as the route has, in its order */
} weir_route_match_t;

/*
 * Build the table from a manifest's triggers, which must outlive it. On success returns true and stores a table to be
 * freed with weir_routes_free. On failure (a route of a form that is not served) returns false, leaves `*ret_routes`
 * untouched and stores a message "path:line:column: ..." as weir_manifest_load does. Duplicates are Spin's: of the same
 * text the last one wins, in the first one's place; of texts that mean the same the first one wins. Those that lose,
 * and others that no request can reach, are no failure: weir_routes_warning tells of them. Private triggers have no
 * route.
 */
bool weir_routes_build(const weir_manifest_t *manifest, weir_routes_t **ret_routes, char **ret_message);

/* Free a table. NULL is allowed. */
void weir_routes_free(weir_routes_t *own_routes);

/*
 * The routes in order of precedence, in which they are listed at start-up. Where a dot ends a parameter ("/:a.:b"),
 * precedence is no order of all routes: then it is that of any two routes that match the same path.
 */
size_t weir_routes_count(const weir_routes_t *routes);
const weir_route_t *weir_routes_at(const weir_routes_t *routes, size_t index);

/* Messages about duplicates and unreachable routes, each one line. */
size_t weir_routes_warning_count(const weir_routes_t *routes);
const char *weir_routes_warning(const weir_routes_t *routes, size_t index);

/*
 * Match a request's path (not percent-decoded, without the query). Returns false, and leaves `*ret_match` untouched,
 * when no route does. All leading and trailing slashes of the path are ignored for the match (routefinder 0.5.4);
 * `path_info` keeps one at either end. A path that is not empty must begin with a slash: "*" matches nothing. The
 * values of parameters are not percent-decoded either. Allocates nothing; any thread, any number at once.
 */
bool weir_routes_match(const weir_routes_t *routes, const char *path, size_t path_size, weir_route_match_t *ret_match);

#endif
