/*
 * file_path.h: paths of files, as texts. Private to this room.
 */
#ifndef WEIR_APP_FILE_PATH_H
#define WEIR_APP_FILE_PATH_H

#include "app/text.h"

/* What becomes of ".." in a path. */
typedef enum weir_parents {
    WEIR_PARENTS_KEPT = 1,
    WEIR_PARENTS_RESOLVED, /* by text; nothing is above the first component */
    WEIR_PARENTS_BOUNDED,  /* the same, but a path that leads above it is refused */
} weir_parents_t;

/*
 * Add the components of a path to another, without "." and empty ones, and without a slash before the first. Returns
 * false when it is refused, or when memory ran out: then `to` has failed.
 */
bool weir_path_add(weir_text_t *to, const char *path, weir_parents_t parents);

/* Where a path stands that is relative to a directory. */
typedef enum weir_below {
    WEIR_BELOW_YES = 1,
    WEIR_BELOW_ELSEWHERE, /* it is absolute, and not below the directory */
    WEIR_BELOW_UNKNOWN,   /* memory ran out, or there is no working directory */
} weir_below_t;

/*
 * What a path is below a directory, by text: neither links nor files are looked at. A relative one is below it as it
 * is, and may lead out with "..". On WEIR_BELOW_YES stores it in `*ret_below`, to be freed with free(3).
 */
weir_below_t weir_path_below(const char *directory, const char *path, char **ret_below);

#endif
