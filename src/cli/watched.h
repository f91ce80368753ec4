/*
 * watched.h: which files an application is made from, and how they are: a number that changes when one of them does.
 */
#ifndef WEIR_CLI_WATCHED_H
#define WEIR_CLI_WATCHED_H

#include "cli/options.h"

#include <stddef.h>
#include <stdint.h>

/* A file, or a tree of them. */
typedef struct weir_watched_path {
    char *path;    /* own; of a tree the directory at its top */
    char *pattern; /* own: what of the tree counts, below that; NULL: all of it, or it is a file */
} weir_watched_path_t;

typedef struct weir_watched {
    const weir_up_options_t *options;
    weir_watched_path_t *paths; /* own */
    size_t count;
} weir_watched_t;

enum {
    WEIR_WATCHED_FILES_MAX = 1 << 17, /* looked at, each time; what is beyond is not watched */
    WEIR_WATCHED_DEPTH_MAX = 32       /* directories below one another */
};

/* Begin with nothing. `options` is borrowed. */
void weir_watched_init(weir_watched_t *watched, const weir_up_options_t *options);

/* List the files anew. Where the manifest cannot be read, the list stays as it was, with the manifest in it. */
void weir_watched_list(weir_watched_t *watched);

/*
 * Look at all of them. `directory(context, path)` is called, first, for each directory in which something may change
 * that would be seen here: some more than once.
 */
uint64_t weir_watched_look(
    const weir_watched_t *watched, void (*directory)(void *context, const char *path), void *context);

/* Free what it owns, and zero it. */
void weir_watched_free(weir_watched_t *watched);

#endif
