/*
 * file_links.h: notices files that a symbolic link gives to a component from outside of the application. Private to
 * this room.
 */
#ifndef WEIR_APP_FILE_LINKS_H
#define WEIR_APP_FILE_LINKS_H

#include "app/files.h"

/* Zero it to begin. */
typedef struct weir_file_links {
    char *root;                 /* own: the manifest's directory, without links; NULL: not known yet */
    const weir_files_t *warned; /* the last that was warned of */
} weir_file_links_t;

/*
 * Where a link on the way to the file `path`, which `files` of the manifest is about, leads out of the application's
 * directory, add a warning that names both to `prepared`: one for each of `files`. What a ".." in the manifest leads to
 * is no such link. False when memory ran out.
 */
bool weir_file_links_check(weir_file_links_t *links, const weir_manifest_t *manifest, const weir_files_t *files,
    const char *path, weir_files_prepared_t *prepared);

/* Free what it owns, and zero it. */
void weir_file_links_free(weir_file_links_t *links);

#endif
