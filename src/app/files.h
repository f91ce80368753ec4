/*
 * files.h: the files that components are given: copies in a private directory, or the directories themselves, as
 * Spin's loader does it (its crates/loader/src/local.rs).
 */
#ifndef WEIR_APP_FILES_H
#define WEIR_APP_FILES_H

#include "app/file_tree.h"
#include "app/manifest.h"

/* Bounds, for all components together. */
enum { WEIR_FILES_COUNT_MAX = 1 << 18 };
#define WEIR_FILES_BYTES_MAX ((uint64_t)8 << 30)

/* A directory that weir itself writes to. */
typedef struct weir_kept_directory {
    char *path;
    const char *what;   /* it keeps there, as in "logs" */
    const char *remedy; /* how it is kept elsewhere, as in "name another directory with --log-dir" */
} weir_kept_directory_t;

typedef struct weir_files_settings {
    const bool *selected;            /* for each component, whether it runs; NULL: all do */
    bool direct_mounts;              /* mount directories in place, instead of copies */
    bool writable;                   /* let guests write to what they are given */
    const char *temporary_directory; /* where copies are made; NULL: $TMPDIR, or /tmp */
    const weir_kept_directory_t *kept;
    size_t kept_count;
} weir_files_settings_t;

/* A directory that a guest sees. */
typedef struct weir_files_mount {
    char *host_path;
    char *guest_path;
    bool writable;
} weir_files_mount_t;

typedef struct weir_component_files {
    weir_files_mount_t *mounts;
    size_t mount_count; /* 0: no files */
} weir_component_files_t;

typedef struct weir_files_prepared {
    weir_file_tree_t tree;              /* own; without path when nothing was copied */
    weir_component_files_t *components; /* own; in the order of the manifest */
    size_t component_count;
    char **warnings; /* own; each "path:line:column: text" */
    size_t warning_count;
} weir_files_prepared_t;

/*
 * Prepare the files of an application's components. On success returns true and fills `*ret_files`, to be ended with
 * weir_files_remove. On failure returns false, removes what was copied, leaves `*ret_files` untouched and stores a
 * message "path:line:column: what is wrong, what to do" in `*ret_message`, to be freed with free(3); NULL when memory
 * ran out. Not on several threads for one manifest.
 *
 * Symbolic links are followed, as in Spin. What a source with ".." or a link leads to may be outside of the manifest's
 * directory; an absolute source must be within it; nothing is ever written outside of a component's own copy.
 * Directories that are mounted in place and may be written to must not contain one another, nor what is in `kept`.
 */
bool weir_files_prepare(const weir_manifest_t *manifest, const weir_files_settings_t *settings,
    weir_files_prepared_t *ret_files, char **ret_message);

/*
 * Remove the copies, free what `files` owns and zero it. When guests may write, after the last of them has ended.
 * Returns false when copies stay behind: the next start with files removes them.
 */
bool weir_files_remove(weir_files_prepared_t *files);

#endif
