/*
 * route_pattern.h: one route as it is matched. Private to this room.
 */
#ifndef WEIR_APP_ROUTE_PATTERN_H
#define WEIR_APP_ROUTE_PATTERN_H

#include "app/routes.h"

#include <stdbool.h>
#include <stddef.h>

/* A part of what a path must be: a text, or any segment for a parameter. */
typedef struct weir_route_piece {
    const char *text; /* NULL for a parameter */
    size_t size;
    size_t parameter; /* its index among the parameters */
    bool until_dot;   /* the parameter ends at a dot, too */
} weir_route_piece_t;

/* A route, parsed. All strings are terminated and stand in `storage`. */
typedef struct weir_route_pattern {
    char *storage;       /* own */
    const char *matched; /* with a leading slash and without one trailing slash; "" for "/" */
    const char *base;    /* `matched` without the wildcard */
    const char *raw_base;
    const char *shape;          /* `base` without outer and doubled slashes and without the names of parameters */
    bool wildcard;              /* and anything may follow, after a slash */
    bool dotted;                /* a dot ends a parameter */
    weir_route_piece_t *pieces; /* own: one block with the strings of the parameters */
    size_t piece_count;
    weir_route_parameter_t parameters[WEIR_ROUTE_PARAMETERS_MAX];
    size_t parameter_count;
} weir_route_pattern_t;

typedef enum weir_route_fault {
    WEIR_ROUTE_OK = 0,
    WEIR_ROUTE_OUT_OF_MEMORY,
    WEIR_ROUTE_PARAMETER_NAMELESS, /* ":" alone */
    WEIR_ROUTE_PARAMETER_NAME,     /* it could not be in the name of a header */
    WEIR_ROUTE_PARAMETERS,         /* too many */
    WEIR_ROUTE_WILDCARD_NAMED,     /* "*name" */
    WEIR_ROUTE_WILDCARD_INNER,     /* "*" or "..." elsewhere than as the last segment */
} weir_route_fault_t;

/*
 * Parse a route as it is written. On success returns WEIR_ROUTE_OK and fills `*ret_pattern`, to be freed with
 * weir_route_pattern_free. Any other result leaves it untouched.
 */
weir_route_fault_t weir_route_pattern_parse(const char *raw, weir_route_pattern_t *ret_pattern);

/* Free what it owns, and zero it. */
void weir_route_pattern_free(weir_route_pattern_t *pattern);

/*
 * Of two routes that match the same path: negative when `a` answers it, positive when `b` does, 0 when neither comes
 * first by itself. It may go round in a circle among routes that cannot match the same path, and among those in which
 * nothing follows a dot behind a parameter ("/:a", "/:a/...", "/:a./...").
 */
int weir_route_pattern_compare(const weir_route_pattern_t *a, const weir_route_pattern_t *b);

/* The same as an order of all routes, which no circle spoils; only where both have dots that end parameters it may say
 * something else. */
int weir_route_pattern_order(const weir_route_pattern_t *a, const weir_route_pattern_t *b);

/*
 * Whether the path, stripped of its outer slashes, matches. `*ret_rest` is where the part that the wildcard took
 * begins, with its slash unless the route is a wildcard alone. `values` is filled with what the parameters took, also
 * when the path does not match after all; NULL: nobody wants to know.
 */
bool weir_route_pattern_match(
    const weir_route_pattern_t *pattern, const char *path, size_t size, weir_route_value_t *values, size_t *ret_rest);

#endif
