/*
 * file_tree.h: a private directory for copies of files, which goes away with the process, or at the latest when another
 * one starts. Private to this room.
 */
#ifndef WEIR_APP_FILE_TREE_H
#define WEIR_APP_FILE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Directories below one another that a path within the tree may have. */
enum { WEIR_TREE_DEPTH_MAX = 128 };

typedef struct weir_file_tree {
    char *path;     /* own; absolute when `parent` was */
    int descriptor; /* of the directory; locked (flock), which says that somebody uses it */
} weir_file_tree_t;

/*
 * Make a directory of mode 0700 below `parent`, after removing those of this user that nobody uses any more. On failure
 * returns false with errno, and leaves `*ret_tree` untouched.
 */
bool weir_file_tree_make(const char *parent, weir_file_tree_t *ret_tree);

/* Remove the tree with all that is in it, and zero `tree`. False with errno when something stays behind. */
bool weir_file_tree_remove(weir_file_tree_t *tree);

/*
 * Make a directory and those above it. `path` is relative, without "." and "..". False with errno; ENOTDIR when a file
 * is in the way.
 */
bool weir_file_tree_add_directory(const weir_file_tree_t *tree, const char *path);

/*
 * Copy the regular file `source` to `path`, which is relative, without "." and "..", replacing a file that is there.
 * Where the file system can, the copy shares the data with the source until one of them is written to. At most `limit`
 * bytes are copied. Stores the size in `*ret_size`. False with errno; EISDIR when `path` is a directory, EFBIG when the
 * file is larger than `limit`, EINVAL when it is not regular.
 */
bool weir_file_tree_add_file(
    const weir_file_tree_t *tree, const char *source, const char *path, uint64_t limit, uint64_t *ret_size);

#endif
