/*
 * route_pattern.h: one route as it is matched. Private to this room.
 */
#ifndef WEIR_APP_ROUTE_PATTERN_H
#define WEIR_APP_ROUTE_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

/* A route, parsed. All strings are terminated and stand in `storage`. */
typedef struct weir_route_pattern {
    char *storage;       /* own */
    const char *matched; /* with a leading slash and without one trailing slash; "" for "/" */
    const char *base;    /* `matched` without the wildcard */
    const char *raw_base;
    const char *literal; /* what must be equal: `base` without outer and doubled slashes */
    size_t literal_size;
    bool wildcard; /* and anything may follow, after a slash */
} weir_route_pattern_t;

typedef enum weir_route_fault {
    WEIR_ROUTE_OK = 0,
    WEIR_ROUTE_OUT_OF_MEMORY,
    WEIR_ROUTE_PARAMETER,          /* has a ":name" segment, which is not served yet */
    WEIR_ROUTE_PARAMETER_NAMELESS, /* ":" alone */
    WEIR_ROUTE_WILDCARD_NAMED,     /* "*name" */
    WEIR_ROUTE_WILDCARD_INNER,     /* "*" or "..." elsewhere than as the last segment */
} weir_route_fault_t;

/*
 * Parse a route as it is written. On success returns WEIR_ROUTE_OK and fills `*ret_pattern`, whose `storage` is to be
 * freed with free(3). Any other result leaves it untouched.
 */
weir_route_fault_t weir_route_pattern_parse(const char *raw, weir_route_pattern_t *ret_pattern);

/* Negative when `a` is to be tried, and listed, before `b`; 0 when neither comes first by itself. */
int weir_route_pattern_compare(const weir_route_pattern_t *a, const weir_route_pattern_t *b);

/*
 * Whether the path, stripped of its outer slashes, matches. `*ret_rest` is where the part that the wildcard took
 * begins, with its slash unless the literal is empty.
 */
bool weir_route_pattern_match(const weir_route_pattern_t *pattern, const char *path, size_t size, size_t *ret_rest);

#endif
