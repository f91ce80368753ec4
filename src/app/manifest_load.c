/*
 * manifest_load.c: finds the file that a path names, a manifest or a lone wasm file, and reads it.
 */
#include "app/complaint.h"
#include "app/manifest.h"
#include "app/manifest_reader.h"
#include "app/read_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define MANIFEST_NAME "spin.toml"

static const weir_place_t NOWHERE = {0, 0};

static bool load_manifest(const char *path, weir_manifest_t *ret_manifest, char **ret_message)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (descriptor < 0)
        return weir_complain(ret_message, path, NOWHERE, "cannot be opened: %m");
    struct stat facts;
    if (fstat(descriptor, &facts) == 0 && S_ISDIR(facts.st_mode)) {
        close(descriptor);
        return weir_complain(ret_message, path, NOWHERE, "is a directory, where a manifest was looked for");
    }
    size_t limit = (size_t)WEIR_MANIFEST_BYTES_MAX + 1;
    char *text = malloc(limit);
    bool success = text != NULL;
    ssize_t size = success ? weir_read_up_to(descriptor, text, limit) : 0;
    if (size < 0)
        success = weir_complain(ret_message, path, NOWHERE, "cannot be read: %m");
    close(descriptor);
    if (success && size >= 4 && memcmp(text, "\0asm", 4) == 0)
        success = weir_complain(ret_message, path, NOWHERE,
            "is a WebAssembly file whose name does not end in .wasm; rename it, or write a spin.toml with it as "
            "source");
    if (success)
        success = weir_manifest_parse(path, text, (size_t)size, ret_manifest, ret_message);
    free(text);
    return success;
}

static bool load_from_directory(const char *directory, weir_manifest_t *ret_manifest, char **ret_message)
{
    weir_text_t path = {0};
    size_t size = strlen(directory);
    while (size > 1 && directory[size - 1] == '/')
        size--;
    if (size != 1 || directory[0] != '.') {
        weir_text_add(&path, directory, size);
        if (directory[size - 1] != '/')
            weir_text_add(&path, "/", 1);
    }
    weir_text_add(&path, MANIFEST_NAME, strlen(MANIFEST_NAME));
    if (path.failed) {
        weir_text_free(&path);
        return false;
    }
    bool success = false;
    struct stat facts;
    if (stat(path.bytes, &facts) != 0 && errno == ENOENT) {
        weir_text_t text = {0};
        weir_text_format(&text, "no " MANIFEST_NAME " in ");
        weir_text_add_escaped(&text, directory, strlen(directory));
        weir_text_format(&text, ": give a manifest, a directory that holds one, or a .wasm file");
        *ret_message = weir_text_take(&text);
    } else {
        success = load_manifest(path.bytes, ret_manifest, ret_message);
    }
    weir_text_free(&path);
    return success;
}

static bool is_letter(char character)
{
    return character >= 'a' && character <= 'z';
}

/* Make a valid component id of a file's name without its extension: "Hello_World 2" becomes "hello-world2". */
static char *component_id_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    size_t name_size = strlen(name) - strlen(".wasm");
    weir_text_t id = {0};
    bool separated = false;
    for (size_t i = 0; i < name_size && id.size < 64; i++) {
        char character = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] - 'A' + 'a') : name[i];
        bool digit = character >= '0' && character <= '9';
        if (!is_letter(character) && !digit) {
            separated = true;
            continue;
        }
        if (id.size == 0 && digit)
            weir_text_add(&id, "app", 3); /* words begin with a letter */
        else if (id.size > 0 && separated && !digit)
            weir_text_add(&id, "-", 1);
        weir_text_add(&id, &character, 1);
        separated = false;
    }
    if (id.size == 0)
        weir_text_add(&id, "app", 3);
    return weir_text_take(&id);
}

/* The application of one component at "/..." that a lone wasm file makes. */
static bool make_from_wasm(const char *path, weir_manifest_t *ret_manifest)
{
    weir_manifest_t manifest = {0};
    manifest.components = calloc(1, sizeof *manifest.components);
    manifest.component_count = manifest.components != NULL ? 1 : 0;
    manifest.triggers = calloc(1, sizeof *manifest.triggers);
    manifest.trigger_count = manifest.triggers != NULL ? 1 : 0;
    manifest.path = weir_text_copy(path);
    manifest.directory = weir_directory_of(path);
    manifest.is_wasm = true;
    manifest.name = component_id_of(path);
    if (manifest.components == NULL || manifest.triggers == NULL || manifest.path == NULL ||
        manifest.directory == NULL || manifest.name == NULL) {
        weir_manifest_free(&manifest);
        return false;
    }
    weir_component_t *component = &manifest.components[0];
    component->id = weir_text_copy(manifest.name);
    component->source = weir_text_copy(path);
    weir_http_trigger_t *trigger = &manifest.triggers[0];
    weir_text_t trigger_id = {0};
    weir_text_format(&trigger_id, "%s-http-trigger", manifest.name);
    trigger->id = weir_text_take(&trigger_id);
    trigger->route = weir_text_copy("/...");
    trigger->executor = WEIR_EXECUTOR_HTTP;
    if (component->id == NULL || component->source == NULL || trigger->id == NULL || trigger->route == NULL) {
        weir_manifest_free(&manifest);
        return false;
    }
    *ret_manifest = manifest;
    return true;
}

bool weir_manifest_load(const char *path, weir_manifest_t *ret_manifest, char **ret_message)
{
    *ret_message = NULL;
    struct stat facts;
    if (stat(path, &facts) != 0) {
        if (errno == ENOENT)
            return weir_complain(ret_message, path[0] != '\0' ? path : "\"\"", NOWHERE,
                "no such file or directory; give a manifest, a directory that holds one, or a .wasm file");
        return weir_complain(ret_message, path, NOWHERE, "cannot be opened: %m");
    }
    if (S_ISDIR(facts.st_mode))
        return load_from_directory(path, ret_manifest, ret_message);
    size_t size = strlen(path);
    if (size > 5 && strcasecmp(path + size - 5, ".wasm") == 0)
        return make_from_wasm(path, ret_manifest);
    return load_manifest(path, ret_manifest, ret_message);
}
