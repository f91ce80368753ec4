/*
 * remember.c: decisions that are remembered from one start to the next.
 *
 * A file holds a decision as it is in memory: it is for this program on this machine alone, and a checksum, sizes and
 * versions tell whether it is that. Damage is found by the checksum; others are kept out by ownership and mode.
 */
#include "allocator/remember.h"

#include "allocator/hash.h"
#include "allocator/translate.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FORMAT = 4, FILES_MOST = 32, NAME_BYTES = 64 };

static const char prefix[] = "allocator-";

typedef struct header {
    char magic[8];
    uint32_t format;
    uint32_t decision_bytes;
    uint64_t key;
    uint64_t code_bytes;
    uint64_t checksum; /* of the decision and the code */
} header_t;

static const char magic[8] = "weir\r\n\x1a";

/* ---- Where ------------------------------------------------------------------------------------------------------- */

char *weir_memory_directory(const char *option)
{
    const char *cache = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    char *directory = NULL;
    int made = -1;
    if (option != NULL) {
        return option[0] == '\0' ? NULL : strdup(option);
    }
    /* A path that is not absolute is to be ignored (XDG Base Directory Specification). */
    if (cache != NULL && cache[0] == '/') {
        made = asprintf(&directory, "%s/weir", cache);
    } else if (home != NULL && home[0] == '/') {
        made = asprintf(&directory, "%s/.cache/weir", home);
    }
    return made < 0 ? NULL : directory;
}

/* Make a directory and those above it, for this user alone. */
static bool make_directory(const char *path)
{
    char *copy = strdup(path);
    if (copy == NULL) {
        return false;
    }
    for (char *at = strchr(copy + 1, '/'); at != NULL; at = strchr(at + 1, '/')) {
        *at = '\0';
        mkdir(copy, 0700); /* mostly there already; the last one's result tells */
        *at = '/';
    }
    bool there = mkdir(copy, 0700) == 0 || errno == EEXIST;
    free(copy);
    return there;
}

/* Whether a directory can be made or written to: the nearest one above it that there is decides. */
static bool is_writable(const char *path)
{
    char *copy = strdup(path);
    bool writable = false;
    for (bool looking = copy != NULL; looking;) {
        char *slash = strrchr(copy, '/');
        struct stat status;
        if (stat(copy[0] == '\0' ? "/" : copy, &status) == 0) {
            writable = S_ISDIR(status.st_mode) &&
                       faccessat(AT_FDCWD, copy[0] == '\0' ? "/" : copy, W_OK | X_OK, AT_EACCESS) == 0;
            looking = false;
        } else if (errno != ENOENT || slash == NULL) {
            looking = false;
        } else {
            *slash = '\0';
        }
    }
    free(copy);
    return writable;
}

static bool is_private(int descriptor, mode_t kind)
{
    struct stat status;
    return fstat(descriptor, &status) == 0 && (status.st_mode & S_IFMT) == kind && status.st_uid == geteuid() &&
           (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* Open a directory that may be trusted. -1: there is none; -2: it is not this user's alone. */
static int open_directory(const char *path)
{
    int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor >= 0 && !is_private(descriptor, S_IFDIR)) {
        close(descriptor);
        return -2;
    }
    return descriptor;
}

static void name_of(uint64_t key, char name[NAME_BYTES])
{
    snprintf(name, NAME_BYTES, "%s%016llx", prefix, (unsigned long long)key);
}

/* ---- Keys -------------------------------------------------------------------------------------------------------- */

static uint64_t hash_needs(uint64_t hash, const weir_needs_t *needs)
{
    const uint64_t numbers[] = {needs->minimum_memory_bytes, needs->maximum_memory_bytes, needs->wasm_bytes,
        needs->memories, needs->tables, needs->table_elements, needs->core_instances, needs->stacks,
        needs->concurrency};
    return weir_hash(hash, numbers, sizeof numbers);
}

uint64_t weir_memory_key(const weir_facts_t *facts, const weir_choose_options_t *options)
{
    static const char versions[] = WEIR_VERSION " " WASMTIME_VERSION;
    uint64_t hash = weir_hash(WEIR_HASH_START, versions, sizeof versions);
    hash = weir_hash_number(hash, FORMAT);
    hash = weir_hash_number(hash, sizeof(weir_decision_t));
    hash = weir_hash_number(hash, weir_facts_fingerprint(facts));
    hash = weir_hash_number(hash, options->strategy);
    hash = hash_needs(hash, &options->needs);
    for (size_t i = 0; i < options->guest_count; i++) {
        hash = hash_needs(hash, &options->guests[i]);
    }
    return hash;
}

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

static bool is_cost(double value)
{
    return isfinite(value) && value >= 0;
}

static bool is_verdict(const weir_verdict_t *verdict)
{
    bool whole = memchr(verdict->call, '\0', sizeof verdict->call) != NULL &&
                 memchr(verdict->message, '\0', sizeof verdict->message) != NULL;
    if (!whole || verdict->outcome > WEIR_OUTCOME_SYSTEM || verdict->limit > WEIR_LIMIT_LAST ||
        verdict->variant_count > WEIR_VARIANTS_MAX || !is_cost(verdict->instance_microseconds) ||
        !is_cost(verdict->least_microseconds) || !is_cost(verdict->processor_milliseconds) ||
        !is_cost(verdict->engine_milliseconds)) {
        return false;
    }
    for (uint32_t i = 0; i < verdict->variant_count; i++) {
        if (!is_cost(verdict->variants[i].instance_microseconds)) {
            return false;
        }
    }
    return true;
}

static bool is_rung(const weir_rung_t *rung)
{
    return rung->tier >= WEIR_TIER_STANDARD && rung->tier <= WEIR_TIER_ONDEMAND && rung->slots >= 1;
}

static bool is_decided(const weir_decided_t *decided)
{
    if (decided->count == 0 || decided->count > WEIR_LADDER_MAX || decided->index >= decided->count) {
        return false;
    }
    for (size_t i = 0; i < decided->count; i++) {
        if (!is_rung(&decided->ladder[i].rung) || !is_verdict(&decided->ladder[i].verdict)) {
            return false;
        }
    }
    return decided->ladder[decided->index].verdict.outcome == WEIR_OUTCOME_PASSED;
}

bool weir_decision_is_plausible(const weir_decision_t *decision)
{
    if (decision->strategy > WEIR_STRATEGY_ANY_POOL || decision->tuned_count > WEIR_VARIANTS_MAX ||
        (decision->tuned_fingerprint != 0 && decision->tuned >= decision->tuned_count) ||
        decision->apart_count > WEIR_GUESTS_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < decision->tuned_count; i++) {
        if (!is_cost(decision->tuned_variants[i].instance_microseconds)) {
            return false;
        }
    }
    return is_decided(&decision->pool) && (decision->apart_count == 0 || is_decided(&decision->rest));
}

static bool read_exactly(int descriptor, void *bytes, size_t size)
{
    return read(descriptor, bytes, size) == (ssize_t)size;
}

static uint64_t checksum_of(const weir_decision_t *decision, const void *code, size_t code_size)
{
    return weir_hash(weir_hash(WEIR_HASH_START, decision, sizeof *decision), code, code_size);
}

static bool read_file(int file, uint64_t key, weir_decision_t *decision, void **ret_code, size_t *ret_code_size)
{
    header_t header;
    if (!read_exactly(file, &header, sizeof header) || memcmp(header.magic, magic, sizeof magic) != 0 ||
        header.format != FORMAT || header.decision_bytes != sizeof *decision || header.key != key ||
        header.code_bytes > WEIR_CODE_BYTES_MOST || !read_exactly(file, decision, sizeof *decision)) {
        return false;
    }
    size_t size = (size_t)header.code_bytes;
    void *code = malloc(size == 0 ? 1 : size);
    bool good = code != NULL && read_exactly(file, code, size) &&
                checksum_of(decision, code, size) == header.checksum && weir_decision_is_plausible(decision);
    if (!good || size == 0) {
        free(code);
        code = NULL;
    }
    if (good) {
        *ret_code = code;
        *ret_code_size = size;
    }
    return good;
}

static bool load(const char *directory, uint64_t key, weir_decision_t *ret_decision, void **ret_code,
    size_t *ret_code_size, time_t *ret_since)
{
    char name[NAME_BYTES];
    int folder = open_directory(directory);
    if (folder < 0) {
        return false;
    }
    name_of(key, name);
    /* Not blocking, so that a pipe in its place is refused instead of waited for. */
    int file = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    close(folder);
    if (file < 0) {
        return false;
    }
    struct stat status;
    weir_decision_t *decision = malloc(sizeof *decision);
    bool good = decision != NULL && fstat(file, &status) == 0 && is_private(file, S_IFREG) &&
                read_file(file, key, decision, ret_code, ret_code_size);
    close(file);
    if (good) {
        *ret_decision = *decision;
        *ret_since = status.st_mtim.tv_sec;
    }
    free(decision);
    return good;
}

bool weir_memory_load(
    const char *directory, uint64_t key, weir_decision_t *ret_decision, void **ret_code, size_t *ret_code_size)
{
    time_t since;
    return load(directory, key, ret_decision, ret_code, ret_code_size, &since);
}

bool weir_memory_look(const char *directory, uint64_t key, weir_decision_t *ret_decision, time_t *ret_since)
{
    void *code = NULL;
    size_t size;
    bool good = load(directory, key, ret_decision, &code, &size, ret_since);
    free(code);
    return good;
}

/* ---- Writing ----------------------------------------------------------------------------------------------------- */

/* One in, one out: the oldest goes when there are many. */
static void forget_oldest(int folder)
{
    char oldest[256] = "";
    struct timespec oldest_time = {0, 0};
    unsigned count = 0;
    int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = copy < 0 ? NULL : fdopendir(copy);
    if (directory == NULL) {
        if (copy >= 0) {
            close(copy);
        }
        return;
    }
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        struct stat status;
        if (strncmp(entry->d_name, prefix, sizeof prefix - 1) != 0 ||
            fstatat(folder, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
            continue;
        }
        bool older = status.st_mtim.tv_sec < oldest_time.tv_sec ||
                     (status.st_mtim.tv_sec == oldest_time.tv_sec && status.st_mtim.tv_nsec < oldest_time.tv_nsec);
        if (count++ == 0 || older) {
            oldest_time = status.st_mtim;
            snprintf(oldest, sizeof oldest, "%s", entry->d_name);
        }
    }
    closedir(directory);
    if (count > FILES_MOST) {
        unlinkat(folder, oldest, 0);
    }
}

/* Until all is written: only a call that writes nothing has the reason in errno. */
static bool write_exactly(int descriptor, const void *bytes, size_t size)
{
    const char *from = bytes;
    while (size > 0) {
        ssize_t written = write(descriptor, from, size);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            errno = written == 0 ? ENOSPC : errno;
            return false;
        }
        from += written;
        size -= (size_t)written;
    }
    return true;
}

static bool write_file(
    int folder, uint64_t key, const weir_decision_t *decision, const void *code, size_t code_size, int *ret_error)
{
    char name[NAME_BYTES];
    char temporary[NAME_BYTES + 32];
    header_t header = {.format = FORMAT,
        .decision_bytes = sizeof *decision,
        .key = key,
        .code_bytes = code_size,
        .checksum = checksum_of(decision, code, code_size)};
    memcpy(header.magic, magic, sizeof magic);
    name_of(key, name);
    snprintf(temporary, sizeof temporary, "%s.%ld", name, (long)getpid());
    int file = openat(folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file < 0 && errno == EEXIST && unlinkat(folder, temporary, 0) == 0) {
        file = openat(folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    }
    if (file < 0) {
        *ret_error = errno;
        return false;
    }
    bool good = write_exactly(file, &header, sizeof header) && write_exactly(file, decision, sizeof *decision) &&
                write_exactly(file, code, code_size);
    int error = errno;
    if (close(file) != 0 && good) {
        good = false;
        error = errno;
    }
    if (good && renameat(folder, temporary, folder, name) != 0) {
        good = false;
        error = errno;
    }
    if (!good) {
        *ret_error = error;
        unlinkat(folder, temporary, 0);
    }
    return good;
}

weir_forgotten_t weir_memory_forget(const char *directory, uint64_t key)
{
    char name[NAME_BYTES];
    int folder = open_directory(directory);
    if (folder < 0) {
        return WEIR_FORGOTTEN_NOTHING; /* what is in such a directory is not believed either */
    }
    name_of(key, name);
    bool gone = unlinkat(folder, name, 0) == 0;
    bool none = !gone && errno == ENOENT;
    close(folder);
    return gone ? WEIR_FORGOTTEN : none ? WEIR_FORGOTTEN_NOTHING : WEIR_FORGOTTEN_NOT;
}

static const char foreign[] = WEIR_TRANSLATABLE("it belongs to another user, or others may write it");
static const char closed[] = WEIR_TRANSLATABLE("it cannot be opened or made");
static const char sealed[] = WEIR_TRANSLATABLE("it cannot be written");

static const char *words_for(int error)
{
    const char *words = strerrordesc_np(error);
    return words == NULL ? sealed : words;
}

const char *weir_memory_trouble(const char *directory)
{
    int folder = open_directory(directory);
    if (folder >= 0) {
        close(folder);
        return is_writable(directory) ? NULL : sealed;
    }
    return folder == -2 ? foreign : errno == ENOENT && is_writable(directory) ? NULL : closed;
}

const char *weir_memory_save(
    const char *directory, uint64_t key, const weir_decision_t *decision, const void *code, size_t code_size)
{
    int folder = open_directory(directory);
    if (folder == -1 && make_directory(directory)) {
        folder = open_directory(directory);
    }
    if (folder < 0) {
        return folder == -2 ? foreign : closed;
    }
    int error;
    bool good = write_file(folder, key, decision, code, code_size, &error);
    if (good) {
        forget_oldest(folder);
    }
    close(folder);
    return good ? NULL : words_for(error);
}
