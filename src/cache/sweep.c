/*
 * sweep.c: keeps a store within its bound.
 */
#include "cache/store_internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    BLOCK_BYTES = 4096,          /* what a file takes at the least */
    UNFINISHED_SECONDS = 10 * 60 /* a file is written in seconds: who has not ended by then has died */
};

typedef struct found {
    char name[WEIR_STORE_NAME_BYTES];
    struct timespec used;
    uint64_t bytes;
} found_t;

typedef struct listing {
    found_t *files;
    size_t count;
    size_t room;
    uint64_t bytes;
} listing_t;

static bool add(listing_t *listing, const char *name, const struct stat *status)
{
    if (listing->count == listing->room) {
        size_t room = listing->room == 0 ? 64 : 2 * listing->room;
        found_t *files = realloc(listing->files, room * sizeof(*files));
        if (files == NULL) {
            return false;
        }
        listing->files = files;
        listing->room = room;
    }
    found_t *file = &listing->files[listing->count++];
    strcpy(file->name, name); /* whose length the caller has looked at */
    file->used = status->st_mtim;
    file->bytes = ((uint64_t)status->st_size + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
    listing->bytes += file->bytes;
    return true;
}

/* Whether a name is one that a store gives: 64 hexadecimal digits, perhaps behind a kind. Others are not the store's.
 */
static bool is_own(const char *name)
{
    if (name[0] != '\0' && name[1] == '-') {
        name += 2;
    }
    return strspn(name, "0123456789abcdef") == 2 * (size_t)WEIR_STORE_KEY_BYTES &&
           name[2 * (size_t)WEIR_STORE_KEY_BYTES] == '\0';
}

/* Whether a file is being written, or was, by a writer that has died; then it is removed. */
static bool is_unfinished(int folder, const char *name, const struct stat *status)
{
    if (strncmp(name, WEIR_STORE_TEMPORARY, sizeof(WEIR_STORE_TEMPORARY) - 1) != 0) {
        return false;
    }
    if (time(NULL) - status->st_mtim.tv_sec > UNFINISHED_SECONDS) {
        unlinkat(folder, name, 0);
    }
    return true;
}

static bool list(int folder, listing_t *listing)
{
    int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = copy < 0 ? NULL : fdopendir(copy);
    if (directory == NULL) {
        if (copy >= 0) {
            close(copy);
        }
        return false;
    }
    bool good = true;
    for (struct dirent *entry = readdir(directory); good && entry != NULL; entry = readdir(directory)) {
        struct stat status;
        if (strlen(entry->d_name) >= WEIR_STORE_NAME_BYTES ||
            fstatat(folder, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(status.st_mode)) {
            continue;
        }
        if (!is_unfinished(folder, entry->d_name, &status) && is_own(entry->d_name)) {
            good = add(listing, entry->d_name, &status);
        }
    }
    closedir(directory);
    return good;
}

static int compare_use(const void *left, const void *right)
{
    const struct timespec *a = &((const found_t *)left)->used;
    const struct timespec *b = &((const found_t *)right)->used;
    if (a->tv_sec != b->tv_sec) {
        return a->tv_sec < b->tv_sec ? -1 : 1;
    }
    return a->tv_nsec < b->tv_nsec ? -1 : a->tv_nsec > b->tv_nsec;
}

void weir_store_sweep(const weir_store_t *store, const char *keep)
{
    listing_t listing = {.files = NULL};
    if (list(store->folder, &listing) && listing.bytes > store->most_bytes) {
        qsort(listing.files, listing.count, sizeof(*listing.files), compare_use);
        for (size_t i = 0; i < listing.count && listing.bytes > store->most_bytes; i++) {
            const found_t *file = &listing.files[i];
            /* Whoever has it mapped keeps it; whoever looks for it next makes it again. */
            if (strcmp(file->name, keep) != 0 && unlinkat(store->folder, file->name, 0) == 0) {
                listing.bytes -= file->bytes;
            }
        }
    }
    free(listing.files);
}
