/*
 * code_cache.c: what code and facts are kept by.
 *
 * Code is found by the SHA-256 of the wasm that it was compiled from, not by a fast hash: an application's author could
 * otherwise make a file whose code would be taken for that of somebody else's component.
 */
#include "guest/code_cache.h"

#include "guest/guest_internal.h"
#include "guest/message.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    FORMAT = 3,
    KIND_CODE = 'c',
    KIND_FACTS = 'f',
    SETTLED_SECONDS = 3, /* file systems count time in steps of up to 2 s: within one, a file can change unseen */
};

static const char versions[] = "weir " WEIR_VERSION ", Wasmtime " WASMTIME_VERSION;

weir_store_t *weir_code_cache_open(const char *directory, const char **ret_why)
{
    char *own_directory = directory != NULL ? strdup(directory) : weir_store_directory("code");
    weir_store_t *store = NULL;
    *ret_why = NULL;
    if (own_directory != NULL)
        store = weir_store_open(own_directory, WEIR_CODE_CACHE_MOST_BYTES, ret_why);
    free(own_directory);
    return store;
}

/* ---- Facts ------------------------------------------------------------------------------------------------------- */

/* What tells a file from others and from what it was at another time. Without gaps, for it is hashed as bytes. */
typedef struct identity {
    char versions[64];
    uint64_t format;
    uint64_t executor;
    uint64_t device;
    uint64_t inode;
    uint64_t size;
    int64_t modified[2];
    int64_t changed[2]; /* the inode: nobody can set this time, unlike the other */
    char path[PATH_MAX];
} identity_t;

/* What is kept of a file. For this program on this machine alone, so as it is in memory. */
typedef struct record {
    weir_wasm_digest_t digest;
    uint64_t size;
    uint64_t executor;        /* that serves it */
    weir_guest_facts_t facts; /* its names are left out */
} record_t;

/* Whoever adds a field to the facts looks here: numbers are kept as they are, but what is pointed at is not. */
_Static_assert(sizeof(void *) != 8 || sizeof(weir_guest_facts_t) == 64, "the facts have changed: see recall");

static bool identify(const weir_component_t *component, weir_executor_t executor, identity_t *ret_identity)
{
    struct stat status;
    memset(ret_identity, 0, sizeof *ret_identity);
    if (stat(component->source, &status) != 0 || !S_ISREG(status.st_mode) ||
        realpath(component->source, ret_identity->path) == NULL)
        return false;
    /* realpath(3) leaves behind it what it likes. */
    size_t length = strlen(ret_identity->path);
    memset(ret_identity->path + length, 0, sizeof ret_identity->path - length);
    memcpy(ret_identity->versions, versions, sizeof versions);
    ret_identity->format = FORMAT;
    ret_identity->executor = executor;
    ret_identity->device = status.st_dev;
    ret_identity->inode = status.st_ino;
    ret_identity->size = (uint64_t)status.st_size;
    ret_identity->modified[0] = status.st_mtim.tv_sec;
    ret_identity->modified[1] = status.st_mtim.tv_nsec;
    ret_identity->changed[0] = status.st_ctim.tv_sec;
    ret_identity->changed[1] = status.st_ctim.tv_nsec;
    return true;
}

/* Whether a file has been left alone for so long that its times would tell of a change. */
static bool is_settled(const identity_t *identity, time_t now)
{
    return identity->modified[0] + SETTLED_SECONDS < now && identity->changed[0] + SETTLED_SECONDS < now;
}

static weir_store_key_t key_of_identity(const identity_t *identity)
{
    weir_store_key_t key;
    weir_sha256((weir_bytes_t){(const char *)identity, sizeof *identity}, key.bytes);
    return key;
}

static bool recall(const weir_store_t *cache, const identity_t *identity, record_t *ret_record)
{
    const weir_store_key_t key = key_of_identity(identity);
    weir_stored_t stored;
    if (!weir_store_find(cache, KIND_FACTS, &key, &stored))
        return false;
    record_t record;
    bool good = stored.size == sizeof record &&
                pread(stored.descriptor, &record, sizeof record, 0) == (ssize_t)sizeof record &&
                record.facts.imports == NULL && record.facts.exports == NULL;
    close(stored.descriptor);
    if (good)
        *ret_record = record;
    return good;
}

static void note(const weir_store_t *cache, const identity_t *identity, const weir_guest_file_t *file,
    const weir_wasm_digest_t *digest)
{
    const weir_store_key_t key = key_of_identity(identity);
    record_t record;
    memset(&record, 0, sizeof record);
    record.digest = *digest;
    record.size = file->size;
    record.executor = file->executor;
    record.facts = file->facts;
    record.facts.imports = NULL;
    record.facts.exports = NULL;
    weir_store_put(cache, KIND_FACTS, &key, &record, sizeof record); /* next time, if not now */
}

static weir_wasm_digest_t digest_of(const weir_guest_file_t *file)
{
    weir_wasm_digest_t digest;
    weir_sha256((weir_bytes_t){file->bytes, file->size}, digest.bytes);
    return digest;
}

/* Whether a file is what its component's manifest says, where that says it: with the digest beside a URL. */
static bool is_expected(const weir_component_t *component, const weir_wasm_digest_t *digest)
{
    char hex[2 * WEIR_SHA256_BYTES + 1];
    for (size_t i = 0; i < WEIR_SHA256_BYTES; i++)
        snprintf(hex + 2 * i, sizeof hex - 2 * i, "%02x", digest->bytes[i]);
    return component->source_digest == NULL || strcmp(hex, component->source_digest) == 0;
}

bool weir_code_cache_load_file(const weir_store_t *cache, const weir_manifest_t *manifest,
    const weir_component_t *component, weir_executor_t executor, weir_guest_file_t *ret_file,
    weir_wasm_digest_t *ret_digest, char **ret_message)
{
    identity_t before;
    record_t record;
    const time_t now = time(NULL);
    const bool may_be_known = cache != NULL && identify(component, executor, &before) && is_settled(&before, now);
    if (may_be_known && recall(cache, &before, &record) && is_expected(component, &record.digest)) {
        *ret_file = (weir_guest_file_t){
            .size = (size_t)record.size, .facts = record.facts, .executor = (weir_executor_t)record.executor};
        *ret_digest = record.digest;
        return true;
    }
    weir_guest_file_t file;
    if (!weir_guest_file_load(manifest, component, executor, &file, ret_message))
        return false;
    const weir_wasm_digest_t digest = digest_of(&file);
    if (!is_expected(component, &digest)) {
        weir_guest_file_free(&file);
        *ret_message = weir_component_message(manifest, component,
            "\"%s\" is not what was fetched and verified any more: somebody can write to a directory above it; let "
            "only "
            "yourself do so, or name another directory with XDG_CACHE_HOME",
            weir_show_bytes(component->source, strlen(component->source)).text);
        return false;
    }
    identity_t after;
    if (may_be_known && identify(component, executor, &after) && memcmp(&before, &after, sizeof before) == 0)
        note(cache, &before, &file, &digest);
    *ret_file = file;
    *ret_digest = digest;
    return true;
}

bool weir_code_cache_read_file(const weir_manifest_t *manifest, const weir_component_t *component,
    weir_executor_t executor, const weir_wasm_digest_t *digest, weir_guest_file_t *ret_file, char **ret_message)
{
    weir_guest_file_t file;
    if (!weir_guest_file_load(manifest, component, executor, &file, ret_message))
        return false;
    const weir_wasm_digest_t found = digest_of(&file);
    if (memcmp(&found, digest, sizeof found) != 0) {
        weir_guest_file_free(&file);
        *ret_message = weir_component_message(manifest, component, "\"%s\" was changed meanwhile; start again",
            weir_show_bytes(component->source, strlen(component->source)).text);
        return false;
    }
    *ret_file = file;
    return true;
}

/* ---- Code -------------------------------------------------------------------------------------------------------- */

weir_store_key_t weir_code_cache_key(const wasm_engine_t *engine, const weir_wasm_digest_t *digest)
{
    struct {
        char versions[64];
        uint64_t format;
        uint64_t engine; /* Wasmtime's version, the processor's instructions, all settings for compiling */
        weir_wasm_digest_t wasm;
    } parts;
    weir_store_key_t key;
    _Static_assert(sizeof versions <= sizeof parts.versions, "the versions fit");
    memset(&parts, 0, sizeof parts);
    memcpy(parts.versions, versions, sizeof versions);
    parts.format = FORMAT;
    parts.engine = weir_engine_code_hash(engine);
    parts.wasm = *digest;
    weir_sha256((weir_bytes_t){(const char *)&parts, sizeof parts}, key.bytes);
    return key;
}

bool weir_code_cache_find(const weir_store_t *cache, const weir_store_key_t *key, weir_guest_code_t *code)
{
    weir_stored_t stored;
    if (!weir_store_find(cache, KIND_CODE, key, &stored))
        return false;
    weir_guest_code_take_file(code, stored.descriptor, stored.size);
    return true;
}

const char *weir_code_cache_put(const weir_store_t *cache, const weir_store_key_t *key, const weir_guest_code_t *code)
{
    weir_code_bytes_t bytes;
    if (!weir_guest_code_open_bytes(code, &bytes))
        return "memory ran out";
    const char *why = weir_store_put(cache, KIND_CODE, key, bytes.data, bytes.size);
    weir_guest_code_close_bytes(&bytes);
    return why;
}
