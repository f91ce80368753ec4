/*
 * code_cache.h: what is known of wasm files from earlier starts: what each says of itself, and its compiled code.
 */
#ifndef WEIR_GUEST_CODE_CACHE_H
#define WEIR_GUEST_CODE_CACHE_H

#include "cache/store.h"
#include "guest/guest.h"

#include <stdbool.h>

/* What the files of the cache may take together; those that were used least recently go first. */
#define WEIR_CODE_CACHE_MOST_BYTES (UINT64_C(2) << 30)

/* The SHA-256 of a wasm file, as it is compiled. */
typedef struct weir_wasm_digest {
    unsigned char bytes[WEIR_SHA256_BYTES];
} weir_wasm_digest_t;

/*
 * Open the cache in a directory; NULL is the user's: $XDG_CACHE_HOME/weir/code, or ~/.cache/weir/code. To be closed
 * with weir_store_free. Returns NULL when there is none to be had; `*ret_why` is then what to say of that (static
 * text), or NULL when there is nothing to say: no directory is named anywhere.
 */
weir_store_t *weir_code_cache_open(const char *directory, const char **ret_why);

/*
 * What weir_guest_file_load does, and the digest of the bytes. When `cache` knows the file it is not read: `*ret_file`
 * has its size and facts, but no bytes and no names of imports and exports. The file is known by its path, device,
 * inode, size and its two times, provided that it had been left alone for some seconds when it was read. Where the
 * component has a `source_digest`, that is what the digest must be: else it fails. `cache` may be NULL.
 */
bool weir_code_cache_load_file(const weir_store_t *cache, const weir_manifest_t *manifest,
    const weir_component_t *component, weir_executor_t executor, weir_guest_file_t *ret_file,
    weir_wasm_digest_t *ret_digest, char **ret_message);

/* Read a file for its bytes, if it still is what `digest` says. As weir_guest_file_load. */
bool weir_code_cache_read_file(const weir_manifest_t *manifest, const weir_component_t *component,
    weir_executor_t executor, const weir_wasm_digest_t *digest, weir_guest_file_t *ret_file, char **ret_message);

/* What the code of a file is found by, for engines like this one. */
weir_store_key_t weir_code_cache_key(const wasm_engine_t *engine, const weir_wasm_digest_t *digest);

/* Put code that was found in place of what `code` has. False: there is none, and `code` is as it was. */
bool weir_code_cache_find(const weir_store_t *cache, const weir_store_key_t *key, weir_guest_code_t *code);

/* Keep code for later starts. Returns NULL, or why it was not kept: static text. */
const char *weir_code_cache_put(const weir_store_t *cache, const weir_store_key_t *key, const weir_guest_code_t *code);

#endif
