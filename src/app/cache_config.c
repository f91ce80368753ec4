/*
 * cache_config.c: the keys of wasmtime-internal-cache 48 (src/config.rs).
 */
#include "app/cache_config.h"

#include "app/complaint.h"
#include "app/near.h"
#include "app/read_file.h"
#include "app/text.h"
#include "app/toml.h"

#include <stdlib.h>
#include <string.h>

enum { BYTES_MAX = 1024 * 1024 };

static const char *const keys[] = {
    "directory",
    "worker-event-queue-size",
    "baseline-compression-level",
    "optimized-compression-level",
    "optimized-compression-usage-counter-threshold",
    "cleanup-interval",
    "optimizing-compression-task-timeout",
    "allowed-clock-drift-for-files-from-future",
    "file-count-soft-limit",
    "files-total-size-soft-limit",
    "file-count-limit-percent-if-deleting",
    "files-total-size-limit-percent-if-deleting",
};

static bool check_key(const char *path, const weir_toml_t *value, char **ret_message)
{
    weir_near_t near = weir_near_start(value->key);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (strcmp(keys[i], value->key) == 0)
            return true;
        weir_near_offer(&near, keys[i]);
    }
    return near.best != NULL ? weir_complain(ret_message, path, value->key_place,
                                   "unknown key %s; did you mean \"%s\"?", weir_quote(value->key).text, near.best)
                             : weir_complain(ret_message, path, value->key_place, "unknown key %s; leave it out",
                                   weir_quote(value->key).text);
}

static bool read_directory(const char *path, const weir_toml_t *root, char **ret_directory, char **ret_message)
{
    const weir_toml_t *cache = weir_toml_member(root, "cache");
    if (cache == NULL || cache->type != WEIR_TOML_TABLE || root->child_count != 1)
        return weir_complain(ret_message, path, root->child_count > 0 ? root->children[0].key_place : root->place,
            "the file has one table, [cache]; write directory = \"/path\" below it");
    for (size_t i = 0; i < cache->child_count; i++) {
        if (!check_key(path, &cache->children[i], ret_message))
            return false;
    }
    const weir_toml_t *directory = weir_toml_member(cache, "directory");
    if (directory == NULL) {
        *ret_directory = NULL;
        return true;
    }
    if (directory->type != WEIR_TOML_STRING || directory->string[0] != '/')
        return weir_complain(ret_message, path, directory->place,
            "\"directory\" must be a string with an absolute path, as in directory = \"/var/cache/weir\"");
    char *copy = weir_text_copy(directory->string);
    if (copy == NULL)
        return false;
    *ret_directory = copy;
    return true;
}

bool weir_cache_config_load(const char *path, char **ret_directory, char **ret_message)
{
    char *text;
    size_t size;
    *ret_message = NULL;
    weir_read_result_t result = weir_read_file(path, BYTES_MAX, &text, &size, ret_message);
    if (result == WEIR_READ_MISSING)
        return weir_complain(
            ret_message, path, (weir_place_t){0, 0}, "there is no such file; --cache names a file in TOML");
    if (result != WEIR_READ_OK)
        return false;
    weir_quote_t shown = weir_shown(path);
    weir_toml_document_t document;
    bool read = weir_toml_parse(shown.text, text, size, WEIR_TOML_OPEN, &document, ret_message);
    free(text);
    if (!read)
        return false;
    read = read_directory(path, &document.root, ret_directory, ret_message);
    weir_toml_free(&document);
    return read;
}
