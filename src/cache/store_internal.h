/*
 * store_internal.h: what a store consists of. Private to this room.
 */
#ifndef WEIR_CACHE_STORE_INTERNAL_H
#define WEIR_CACHE_STORE_INTERNAL_H

#include "cache/store.h"

enum { WEIR_STORE_NAME_BYTES = 96 };

/* What the names of files that are being written begin with. */
#define WEIR_STORE_TEMPORARY ".weir-new-"

struct weir_store {
    int folder;
    uint64_t most_bytes;
};

/*
 * Remove the files that were used least recently until the rest is within the bound, but not the one called `keep`, and
 * those that writers have left unfinished. What it cannot remove it leaves.
 */
void weir_store_sweep(const weir_store_t *store, const char *keep);

#endif
