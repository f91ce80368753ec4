/*
 * source.c: fetches, verifies and keeps what `source = { url, digest }` names.
 *
 * The digest is what is trusted, neither the server nor the file of an earlier start, nor the directories above it: who
 * loads the file compares its digest again (guest/code_cache.h).
 */
#include "cli/source.h"

#include "app/shown_url.h"
#include "app/text.h"
#include "cache/bytes.h"
#include "cache/store.h"
#include "cli/ownership.h"
#include "guest/message.h"
#include "observe/log.h"
#include "weir_bridge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEX_BYTES = 2 * WEIR_SHA256_BYTES + 1 };

static const size_t most_bytes = (size_t)256 << 20; /* of one file, as for those that are there already */

typedef struct digest_text {
    char text[HEX_BYTES];
} digest_text_t;

static digest_text_t digest_of(const char *bytes, size_t size)
{
    unsigned char digest[WEIR_SHA256_BYTES];
    digest_text_t hex;
    weir_sha256((weir_bytes_t){bytes, size}, digest);
    for (size_t i = 0; i < sizeof(digest); i++) {
        snprintf(hex.text + 2 * i, sizeof(hex.text) - 2 * i, "%02x", digest[i]);
    }
    return hex;
}

/* ---- What is there ----------------------------------------------------------------------------------------------- */

/* Whether a file of this name is kept, and is what its name says. */
static bool is_kept(const weir_store_t *store, const char *digest)
{
    struct stat status;
    int file = weir_store_open_file(store, digest);
    if (file < 0) {
        return false;
    }
    bool kept = fstat(file, &status) == 0 && status.st_size > 0 && status.st_size <= (off_t)most_bytes;
    size_t size = kept ? (size_t)status.st_size : 0;
    char *bytes = malloc(size + 1);
    kept = kept && bytes != NULL && weir_cache_read(file, bytes, size, 0) &&
           strcmp(digest_of(bytes, size).text, digest) == 0;
    free(bytes);
    close(file);
    return kept;
}

/* ---- What is not ------------------------------------------------------------------------------------------------- */

/* A file in memory, whose descriptor stays open as long as the process lives. Returns its path, or NULL. */
static char *keep_in_memory(const char *bytes, size_t size)
{
    char *path = NULL;
    int memory = memfd_create("weir-source", MFD_CLOEXEC);
    if (memory >= 0 && (!weir_cache_write(memory, bytes, size, 0) || asprintf(&path, "/proc/self/fd/%d", memory) < 0)) {
        close(memory);
        path = NULL;
    }
    return path;
}

static bool fetch(
    const weir_manifest_t *manifest, const weir_component_t *component, wasm_byte_vec_t *ret_bytes, char **ret_message)
{
    char *reason;
    weir_log(WEIR_LOG_INFO, "fetching component %s from %s", component->id, weir_show_url(component->source_url).text);
    if (!weir_fetch(component->source_url, most_bytes, ret_bytes, &reason)) {
        *ret_message = weir_component_message(manifest, component,
            "\"%s\" cannot be fetched: %s; check the URL and the network, or download it and name the file",
            weir_show_url(component->source_url).text, weir_show_bytes(reason, strlen(reason)).text);
        weir_bridge_text_free(reason);
        return false;
    }
    digest_text_t found = digest_of(ret_bytes->data, ret_bytes->size);
    if (strcmp(found.text, component->source_digest) != 0) {
        wasm_byte_vec_delete(ret_bytes);
        *ret_message = weir_component_message(manifest, component,
            "\"%s\" gives something else than the manifest says: expected sha256:%s, found sha256:%s; correct the "
            "digest if that is what you want to run",
            weir_show_url(component->source_url).text, component->source_digest, found.text);
        return false;
    }
    return true;
}

static char *path_of(const char *directory, const char *digest)
{
    char *path;
    return asprintf(&path, "%s/%s", directory, digest) < 0 ? NULL : path;
}

/* The path of what a component's URL gives; NULL, and a message, when it cannot be had. */
static char *find(const weir_store_t *store, const char *directory, const weir_manifest_t *manifest,
    const weir_component_t *component, char **ret_message)
{
    const char *digest = component->source_digest;
    if (store != NULL && is_kept(store, digest)) {
        return path_of(directory, digest);
    }
    wasm_byte_vec_t bytes;
    if (!fetch(manifest, component, &bytes, ret_message)) {
        return NULL;
    }
    char *path = NULL;
    const char *why = store == NULL ? "" : weir_store_replace_file(store, digest, bytes.data, bytes.size);
    if (why == NULL) {
        path = path_of(directory, digest);
    } else {
        if (why[0] != '\0') {
            weir_log(WEIR_LOG_INFO, "what was fetched is not kept for the next start: %s", why);
        }
        path = keep_in_memory(bytes.data, bytes.size);
    }
    wasm_byte_vec_delete(&bytes);
    return path;
}

static bool is_wanted(const weir_manifest_t *manifest, size_t component)
{
    bool used = false;
    for (size_t i = 0; i < manifest->trigger_count; i++) {
        used = used || manifest->triggers[i].component == component;
    }
    return used && manifest->components[component].source == NULL && manifest->components[component].source_url != NULL;
}

/* Those from the first that is wanted. */
static bool fetch_from(weir_manifest_t *manifest, size_t first, const char *directory, char **ret_message)
{
    const char *why;
    weir_store_t *store = directory == NULL ? NULL : weir_store_open(directory, WEIR_SOURCES_MOST_BYTES, &why);
    if (store == NULL && directory != NULL) {
        char *whose = weir_ownership_explain(directory, WEIR_OWNERSHIP_DIRECTORY);
        weir_log(WEIR_LOG_INFO,
            "what is fetched is not kept: the cache's directory cannot be used: %s: %s; XDG_CACHE_HOME names another",
            weir_shown(directory).text, whose == NULL ? why : whose);
        free(whose);
    }
    bool good = true;
    for (size_t i = first; i < manifest->component_count && good; i++) {
        if (is_wanted(manifest, i)) {
            weir_component_t *component = &manifest->components[i];
            component->source = find(store, directory, manifest, component, ret_message);
            good = component->source != NULL;
        }
    }
    weir_store_free(store);
    return good;
}

bool weir_sources_fetch(weir_manifest_t *manifest, const char *directory, char **ret_message)
{
    *ret_message = NULL;
    for (size_t i = 0; i < manifest->component_count; i++) {
        if (is_wanted(manifest, i)) {
            char *users = directory == NULL ? weir_store_directory("source") : NULL;
            bool good = fetch_from(manifest, i, directory == NULL ? users : directory, ret_message);
            free(users);
            return good;
        }
    }
    return true;
}
