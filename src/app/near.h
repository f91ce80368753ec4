/*
 * near.h: which known name a misspelt one was probably meant to be.
 */
#ifndef WEIR_APP_NEAR_H
#define WEIR_APP_NEAR_H

#include <stddef.h>

/* A search for the nearest name. Borrows the names that it is given. */
typedef struct weir_near {
    const char *name;
    const char *best; /* NULL when no name that was offered is near enough */
    size_t best_distance;
} weir_near_t;

/* Begin a search for a name like `name`. */
weir_near_t weir_near_start(const char *name);

/* Offer a candidate; the nearest one is kept, of equally near ones the first. Names over 64 bytes are never near. */
void weir_near_offer(weir_near_t *near, const char *candidate);

#endif
