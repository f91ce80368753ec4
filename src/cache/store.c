/*
 * store.c: finding and checking entries, and putting them in place.
 *
 * An entry may be code, and loading code trusts it. What keeps others out is ownership and mode, of the file and of the
 * directories it is in: nobody but this user could have written it, and this user can do what weir can anyway. The
 * content hash (XXH3, 128 bits) is against damage: a disk that is full or failing, a crash before all was written. It
 * would not hold against someone who makes content on purpose, and need not. The key is another matter: what it is made
 * from comes from strangers, so it has to be a cryptographic digest.
 */
#include "cache/store.h"

#include "cache/bytes.h"
#include "cache/store_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

enum {
    FORMAT = 1,
    CHUNK_BYTES = 256 * 1024, /* fits into a processor's cache, so that what was read is hashed there */
    FRESH_SECONDS = 60,       /* an entry that was used since is not marked as used again */
};

/* The end of an entry's file. Its numbers are as this machine writes them: others have no business with it. */
typedef struct trailer {
    char magic[8];
    uint32_t format;
    uint32_t kind;
    uint64_t size;
    weir_store_key_t key;
    XXH128_canonical_t hash; /* of the content, and then of all above */
    char end[16];            /* zero */
} trailer_t;

_Static_assert(sizeof(trailer_t) == WEIR_STORE_TRAILER_BYTES, "a trailer has no gaps");

static const char magic[8] = "weir\r\n\x1a";

/* ---- Directories ------------------------------------------------------------------------------------------------- */

char *weir_store_directory(const char *name)
{
    const char *cache = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    char *directory = NULL;
    int made = -1;
    /* A path that is not absolute is to be ignored (XDG Base Directory Specification). */
    if (cache != NULL && cache[0] == '/') {
        made = asprintf(&directory, "%s/weir/%s", cache, name);
    } else if (home != NULL && home[0] == '/') {
        made = asprintf(&directory, "%s/.cache/weir/%s", home, name);
    }
    return made < 0 ? NULL : directory;
}

/* Make a directory and those above it, for this user alone. */
static void make_directory(const char *path)
{
    char *copy = strdup(path);
    for (char *at = copy == NULL ? NULL : strchr(copy + 1, '/'); at != NULL; at = strchr(at + 1, '/')) {
        *at = '\0';
        mkdir(copy, 0700); /* mostly there already; that it can be opened tells */
        *at = '/';
    }
    if (copy != NULL) {
        mkdir(copy, 0700);
    }
    free(copy);
}

static bool may_others_write(const struct stat *status)
{
    return (status->st_mode & (S_IWGRP | S_IWOTH)) != 0;
}

/* A file of this user's that nobody else may write. */
static bool is_private_file(const struct stat *status)
{
    return S_ISREG(status->st_mode) && status->st_uid == geteuid() && !may_others_write(status);
}

/* Who else can write a directory, or put another one in its place, in words: who may write the one above could, but
 * not where that is sticky, nor can root be kept from it. NULL: nobody. */
static const char *danger_of(int folder)
{
    struct stat own;
    struct stat above;
    if (fstat(folder, &own) != 0 || fstatat(folder, "..", &above, 0) != 0) {
        return "it cannot be looked at";
    }
    if (own.st_uid != geteuid()) {
        return "it belongs to another user";
    }
    if (may_others_write(&own)) {
        return "others may write it";
    }
    if (above.st_uid != geteuid() && above.st_uid != 0) {
        return "the directory above it belongs to another user";
    }
    return may_others_write(&above) && (above.st_mode & S_ISVTX) == 0 ? "others may write the directory above it"
                                                                      : NULL;
}

weir_store_t *weir_store_open(const char *directory, uint64_t most_bytes, const char **ret_why)
{
    int folder = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0 && errno == ENOENT) {
        make_directory(directory);
        folder = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    if (folder < 0) {
        *ret_why = "it cannot be opened or made";
        return NULL;
    }
    const char *danger = danger_of(folder);
    if (danger != NULL) {
        *ret_why = danger;
        close(folder);
        return NULL;
    }
    weir_store_t *store = malloc(sizeof(*store));
    if (store == NULL) {
        *ret_why = "memory ran out";
        close(folder);
        return NULL;
    }
    *store = (weir_store_t){folder, most_bytes};
    return store;
}

void weir_store_free(weir_store_t *own_store)
{
    if (own_store != NULL) {
        close(own_store->folder);
        free(own_store);
    }
}

/* ---- Checking ---------------------------------------------------------------------------------------------------- */

/* The hash that belongs into a trailer. Read, not mapped: a disk that fails is then an error, and no signal. */
static bool hash_file(int descriptor, const trailer_t *trailer, XXH3_state_t *state, XXH128_canonical_t *ret_hash)
{
    char *chunk = malloc(CHUNK_BYTES);
    bool good = chunk != NULL;
    for (uint64_t at = 0; good && at < trailer->size;) {
        size_t size = trailer->size - at < CHUNK_BYTES ? (size_t)(trailer->size - at) : CHUNK_BYTES;
        good = weir_cache_read(descriptor, chunk, size, (off_t)at);
        if (good) {
            XXH3_128bits_update(state, chunk, size);
        }
        at += size;
    }
    free(chunk);
    XXH3_128bits_update(state, trailer, offsetof(trailer_t, hash));
    XXH128_canonicalFromHash(ret_hash, XXH3_128bits_digest(state));
    return good;
}

static bool is_sound(int descriptor, char kind, const weir_store_key_t *key, size_t *ret_size)
{
    static const char zeros[sizeof((trailer_t *)NULL)->end] = {0};
    struct stat status;
    trailer_t trailer;
    XXH128_canonical_t hash;
    if (fstat(descriptor, &status) != 0 || status.st_size < (off_t)sizeof(trailer)) {
        return false;
    }
    off_t size = status.st_size - (off_t)sizeof(trailer);
    if (!weir_cache_read(descriptor, &trailer, sizeof(trailer), size) ||
        memcmp(trailer.magic, magic, sizeof(magic)) != 0 || trailer.format != FORMAT ||
        trailer.kind != (unsigned char)kind || trailer.size != (uint64_t)size ||
        memcmp(&trailer.key, key, sizeof(*key)) != 0 || memcmp(trailer.end, zeros, sizeof(zeros)) != 0) {
        return false;
    }
    XXH3_state_t *state = XXH3_createState();
    bool sound = state != NULL && XXH3_128bits_reset(state) == XXH_OK &&
                 hash_file(descriptor, &trailer, state, &hash) && memcmp(&hash, &trailer.hash, sizeof(hash)) == 0;
    XXH3_freeState(state);
    if (sound) {
        *ret_size = (size_t)size;
    }
    return sound;
}

/* Note when it was used. Not at each start: that would be a write on each. */
static void mark_as_used(int descriptor)
{
    struct stat status;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (fstat(descriptor, &status) == 0 &&
        (status.st_mtim.tv_sec > now.tv_sec || now.tv_sec - status.st_mtim.tv_sec > FRESH_SECONDS)) {
        futimens(descriptor, NULL); /* a store that cannot be written is as good */
    }
}

int weir_store_open_file(const weir_store_t *store, const char *name)
{
    /* Not blocking, so that a pipe in its place is refused instead of waited for. */
    int file = openat(store->folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    if (file >= 0 && (fstat(file, &status) != 0 || !is_private_file(&status))) {
        close(file);
        return -1;
    }
    if (file >= 0) {
        mark_as_used(file);
    }
    return file;
}

static void name_of(char kind, const weir_store_key_t *key, char name[WEIR_STORE_NAME_BYTES])
{
    size_t at = (size_t)snprintf(name, WEIR_STORE_NAME_BYTES, "%c-", kind);
    for (size_t i = 0; i < sizeof(key->bytes); i++) {
        at += (size_t)snprintf(name + at, WEIR_STORE_NAME_BYTES - at, "%02x", key->bytes[i]);
    }
}

bool weir_store_find(const weir_store_t *store, char kind, const weir_store_key_t *key, weir_stored_t *ret_stored)
{
    char name[WEIR_STORE_NAME_BYTES];
    size_t size;
    name_of(kind, key, name);
    int file = weir_store_open_file(store, name);
    if (file < 0) {
        return false;
    }
    if (!is_sound(file, kind, key, &size)) {
        close(file);
        return false;
    }
    *ret_stored = (weir_stored_t){file, size};
    return true;
}

/* ---- Putting ----------------------------------------------------------------------------------------------------- */

/* A file of a name that nobody else uses, however many processes and threads are at it. */
static int open_temporary(int folder, char name[WEIR_STORE_NAME_BYTES])
{
    static _Thread_local unsigned attempts;
    for (unsigned i = 0; i < 16; i++) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        snprintf(name, WEIR_STORE_NAME_BYTES, WEIR_STORE_TEMPORARY "%lx.%lx.%x", (unsigned long)getpid(),
            (unsigned long)now.tv_nsec, attempts++);
        /* Nobody opens it for writing after this, not even this user by mistake. */
        int file = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400);
        if (file >= 0 || errno != EEXIST) {
            return file;
        }
    }
    return -1;
}

static const char *words_for(int error)
{
    const char *words = strerrordesc_np(error); /* static, as strerror's need not be */
    switch (error) {
    case ENOSPC:
    case EDQUOT:
        return "there is no space left";
    case EROFS:
    case EACCES:
    case EPERM:
        return "it may not be written";
    default:
        return words == NULL ? "it cannot be written" : words;
    }
}

static const char *put_file(
    const weir_store_t *store, const char *name, const void *content, size_t size, const trailer_t *trailer)
{
    char temporary[WEIR_STORE_NAME_BYTES];
    int file = open_temporary(store->folder, temporary);
    if (file < 0) {
        return words_for(errno);
    }
    bool good = weir_cache_write(file, content, size, 0) &&
                (trailer == NULL || weir_cache_write(file, trailer, sizeof(*trailer), (off_t)size));
    int error = errno;
    /* Without fsync(2): what a crash leaves of it is found by its hash. */
    if (close(file) != 0 && good) {
        good = false;
        error = errno;
    }
    if (good && renameat(store->folder, temporary, store->folder, name) != 0) {
        good = false;
        error = errno;
    }
    if (!good) {
        unlinkat(store->folder, temporary, 0);
        return words_for(error);
    }
    weir_store_sweep(store, name);
    return NULL;
}

const char *weir_store_put(
    const weir_store_t *store, char kind, const weir_store_key_t *key, const void *content, size_t size)
{
    trailer_t trailer = {.format = FORMAT, .kind = (unsigned char)kind, .size = size, .key = *key};
    char name[WEIR_STORE_NAME_BYTES];
    memcpy(trailer.magic, magic, sizeof(magic));
    XXH3_state_t *state = XXH3_createState();
    if (state == NULL || XXH3_128bits_reset(state) != XXH_OK) {
        XXH3_freeState(state);
        return "memory ran out";
    }
    XXH3_128bits_update(state, content, size);
    XXH3_128bits_update(state, &trailer, offsetof(trailer_t, hash));
    XXH128_canonicalFromHash(&trailer.hash, XXH3_128bits_digest(state));
    XXH3_freeState(state);
    name_of(kind, key, name);
    return put_file(store, name, content, size, &trailer);
}

const char *weir_store_replace_file(const weir_store_t *store, const char *name, const void *content, size_t size)
{
    return put_file(store, name, content, size, NULL);
}
