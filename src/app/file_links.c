/*
 * file_links.c: compares where a file is with where the manifest says that it is.
 */
#include "app/file_links.h"

#include "app/complaint.h"
#include "app/text.h"
#include "app/words.h"

#include <stdlib.h>
#include <string.h>

static bool is_below(const char *directory, const char *path)
{
    size_t size = strcmp(directory, "/") == 0 ? 0 : strlen(directory);
    return strncmp(path, directory, size) == 0 && (path[size] == '/' || path[size] == '\0');
}

/* Whether a path of the manifest says itself that it leads upwards. */
static bool leads_upwards(const char *path)
{
    for (; *path != '\0'; path += path[0] == '/' ? 1 : 0) {
        size_t size = strcspn(path, "/");
        if (size == 2 && memcmp(path, "..", 2) == 0)
            return true;
        path += size;
    }
    return false;
}

static bool warn(const weir_manifest_t *manifest, const weir_files_t *files, const char *path, const char *found,
    weir_files_prepared_t *prepared)
{
    char **warnings = realloc(prepared->warnings, (prepared->warning_count + 1) * sizeof *warnings);
    if (warnings == NULL)
        return false;
    prepared->warnings = warnings;
    char *text = NULL;
    weir_complain(&text, manifest->path, files->place,
        weir_words(
            "%s in \"files\" has a symbolic link that leads out of the application's directory, and a component is "
            "given what is there: %s is %s; remove the link, or leave it out with exclude_files"),
        weir_quote(files->source).text, weir_quote(path).text, weir_quote(found).text);
    if (text == NULL)
        return false;
    warnings[prepared->warning_count++] = text;
    return true;
}

bool weir_file_links_check(weir_file_links_t *links, const weir_manifest_t *manifest, const weir_files_t *files,
    const char *path, weir_files_prepared_t *prepared)
{
    if (links->warned == files || leads_upwards(files->source))
        return true;
    if (links->root == NULL)
        links->root = realpath(manifest->directory, NULL);
    char *found = links->root == NULL ? NULL : realpath(path, NULL);
    bool success = true; /* what cannot be found is not copied either */
    if (found != NULL && !is_below(links->root, found)) {
        links->warned = files;
        success = warn(manifest, files, path, found, prepared);
    }
    free(found);
    return success;
}

void weir_file_links_free(weir_file_links_t *links)
{
    free(links->root);
    *links = (weir_file_links_t){0};
}
