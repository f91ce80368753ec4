/*
 * store.h: a directory of checked entries that outlive the process: what can be made again, but takes long to make.
 * Each entry is a file that its owner alone may write, found by its kind and key, with a hash of its content.
 */
#ifndef WEIR_CACHE_STORE_H
#define WEIR_CACHE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    WEIR_STORE_KEY_BYTES = 32,
    WEIR_STORE_TRAILER_BYTES = 88, /* what an entry's file has after its content */
};

/* What an entry is found by: a digest that nobody can make two things have, for a collision would give one for the
 * other. */
typedef struct weir_store_key {
    unsigned char bytes[WEIR_STORE_KEY_BYTES];
} weir_store_key_t;

typedef struct weir_store weir_store_t;

/* An entry that was found and checked. */
typedef struct weir_stored {
    int descriptor; /* own; readable, at its beginning */
    size_t size;    /* of the content, which its file begins with */
} weir_stored_t;

/*
 * The user's directory for what weir keeps, "$XDG_CACHE_HOME/weir/NAME" or "$HOME/.cache/weir/NAME": to be freed with
 * free(3). NULL: neither is set to an absolute path, or memory ran out.
 */
char *weir_store_directory(const char *name);

/*
 * Open a store, making its directory and those above it for this user alone (mode 0700) where they are missing. The
 * directory must belong to this user, the one above it to this user or root, and nobody else may write them, or take
 * away what is in them (a sticky directory, as /tmp is). `most_bytes` is what the store's files in it may take
 * together; what else is there is left alone. On failure returns NULL and stores the reason in `*ret_why`: static text.
 * Any thread.
 */
weir_store_t *weir_store_open(const char *directory, uint64_t most_bytes, const char **ret_why);

/* Close a store. NULL is allowed. */
void weir_store_free(weir_store_t *own_store);

/*
 * Find an entry. It counts only when it is a regular file of this user's that nobody else may write, and its kind, key,
 * size and content hash are those that were put; then it was used last just now. It never changes: it may be mapped for
 * as long as it is wanted, although it may be replaced or removed meanwhile. On success fills `*ret_stored`, whose
 * descriptor is then the caller's; else leaves it untouched. `kind` is a letter. Any thread, any number of processes.
 */
bool weir_store_find(const weir_store_t *store, char kind, const weir_store_key_t *key, weir_stored_t *ret_stored);

/*
 * Put an entry, in place of what was there: whole, or not at all. Then remove those that were used least recently until
 * the store is within its bound, but never the newest, and what writers that died have left. Returns NULL, or why not:
 * static text. Any thread, any number of processes.
 */
const char *weir_store_put(
    const weir_store_t *store, char kind, const weir_store_key_t *key, const void *content, size_t size);

/*
 * The parts of it, for files whose name is itself what is checked: open the file `name` if it is a regular file of this
 * user's that nobody else may write (-1: it is not), and make or replace it with `content` as weir_store_put does.
 */
int weir_store_open_file(const weir_store_t *store, const char *name);
const char *weir_store_replace_file(const weir_store_t *store, const char *name, const void *content, size_t size);

#endif
