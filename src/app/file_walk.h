/*
 * file_walk.h: finds the files that a glob pattern describes, below a directory.
 */
#ifndef WEIR_APP_FILE_WALK_H
#define WEIR_APP_FILE_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

/* Bounds, so that no pattern keeps the start going for ever. */
enum {
    WEIR_WALK_ENTRIES_MAX = 1 << 20, /* looked at, for each pattern */
    WEIR_WALK_DEPTH_MAX = 128,       /* directories below one another */
    WEIR_WALK_COMPONENTS_MAX = 128,  /* of a pattern */
};

/* Called with each regular file, in order of names within a directory: its path below the directory. False ends it. */
typedef bool (*weir_walk_file_t)(void *context, const char *path);

/*
 * Walk as Rust's crate glob does, which follows symbolic links (but here not to a directory that it is in), takes dots
 * at the beginning of names as other characters, and leaves out names that are not UTF-8. "." and ".." are what they
 * say, but patterns do not match them. `pattern` has no fault. What wildcards would find in the directory `skipped`,
 * which copies are made in, is left out.
 *
 * On failure (of the walk, or because `file` returned false) returns false; of the walk's own failures a text is stored
 * in `*ret_fault`, to be freed with free(3). It is untouched otherwise.
 */
bool weir_file_walk(const char *directory, const char *pattern, const struct stat *skipped, weir_walk_file_t file,
    void *context, char **ret_fault);

#endif
