/*
 * file_path.c: adds and compares paths component by component.
 */
#include "app/file_path.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool weir_path_add(weir_text_t *to, const char *path, weir_parents_t parents)
{
    while (*path != '\0') {
        size_t size = strcspn(path, "/");
        bool is_parent = size == 2 && memcmp(path, "..", 2) == 0;
        if (is_parent && parents != WEIR_PARENTS_KEPT) {
            if (parents == WEIR_PARENTS_BOUNDED && to->size == 0)
                return false;
            const char *slash = to->size == 0 ? NULL : strrchr(to->bytes, '/');
            weir_text_truncate(to, slash == NULL ? 0 : (size_t)(slash - to->bytes));
        } else if (size > 0 && !(size == 1 && path[0] == '.')) {
            if (to->size > 0)
                weir_text_add(to, "/", 1);
            weir_text_add(to, path, size);
        }
        path += size + (path[size] == '/' ? 1 : 0);
    }
    weir_text_add(to, "", 0);
    return !to->failed;
}

/* A directory without ".." and ".", and without the slash at its beginning. */
static bool absolute(const char *directory, weir_text_t *ret_path)
{
    char *here = directory[0] == '/' ? weir_text_copy("/") : getcwd(NULL, 0);
    bool success = here != NULL && weir_path_add(ret_path, here, WEIR_PARENTS_RESOLVED) &&
                   weir_path_add(ret_path, directory, WEIR_PARENTS_RESOLVED);
    free(here);
    return success;
}

weir_below_t weir_path_below(const char *directory, const char *path, char **ret_below)
{
    weir_text_t below = {0}, root = {0};
    bool success = weir_path_add(&below, path, WEIR_PARENTS_KEPT) && (path[0] != '/' || absolute(directory, &root));
    weir_below_t result = WEIR_BELOW_UNKNOWN;
    if (success) {
        bool within = strncmp(below.bytes, root.size > 0 ? root.bytes : "", root.size) == 0;
        char next = within ? below.bytes[root.size] : '\0';
        within = within && (root.size == 0 || next == '/' || next == '\0');
        char *copy = within ? weir_text_copy(below.bytes + root.size + (root.size > 0 && next == '/' ? 1 : 0)) : NULL;
        if (copy != NULL)
            *ret_below = copy;
        result = !within ? WEIR_BELOW_ELSEWHERE : copy != NULL ? WEIR_BELOW_YES : WEIR_BELOW_UNKNOWN;
    }
    weir_text_free(&root);
    weir_text_free(&below);
    return result;
}
