/*
 * app_glob.c: fuzzes patterns for files and paths. The first line of the input is the pattern, the second the path.
 * What is short is matched again by trying everything.
 */
#include "app/file_path.h"
#include "app/glob.h"
#include "fuzz.h"
#include "observe/escape.h"

enum { SHORT = 24 };

/* Whether a class, which ends at its last character, has a byte; for ASCII alone. */
static bool class_has(const char *class, const char *end, char byte)
{
    bool except = class[1] == '!';
    for (const char *at = class + (except ? 2 : 1); at < end;) {
        char first = *at, last = *at;
        bool range = end - at >= 3 && at[1] == '-';
        if (range) {
            last = at[2];
        }
        at += range ? 3 : 1;
        if (first <= byte && byte <= last) {
            return !except;
        }
    }
    return except;
}

/* As the crate glob says it (its matches_from), with every possibility tried. */
static bool matches(const char *pattern, const char *text)
{
    if (*pattern == '\0') {
        return *text == '\0';
    }
    if (strncmp(pattern, "**", 2) == 0) {
        const char *rest = pattern + (pattern[2] == '/' ? 3 : 2);
        for (const char *at = text;; at++) {
            bool possible = at == text || at[-1] == '/' || *at == '\0';
            if (possible && matches(rest, at)) {
                return true;
            }
            if (*at == '\0') {
                return false;
            }
        }
    }
    if (*pattern == '*') {
        return matches(pattern + 1, text) || (*text != '\0' && matches(pattern, text + 1));
    }
    if (*text == '\0') {
        return false;
    }
    if (*pattern == '[') {
        const char *end = strchr(pattern + (pattern[1] == '!' ? 3 : 2), ']');
        return class_has(pattern, end, *text) && matches(end + 1, text + 1);
    }
    return (*pattern == '?' || *pattern == *text) && matches(pattern + 1, text + 1);
}

static bool is_ascii(const char *text)
{
    while (*text > 0) {
        text++;
    }
    return *text == '\0';
}

static void check_path(const char *text)
{
    weir_text_t path = {0};
    if (weir_path_add(&path, text, WEIR_PARENTS_BOUNDED)) {
        must_hold(path.bytes[0] != '/' && strstr(path.bytes, "//") == NULL);
        must_hold(path.size == 0 || path.bytes[path.size - 1] != '/');
        for (const char *at = path.bytes; *at != '\0'; at += at[0] == '/' ? 1 : 0) {
            size_t size = strcspn(at, "/");
            must_hold(size > 0 && strncmp(at, "..", size > 2 ? size : 2) != 0);
            must_hold(size > 1 || *at != '.');
            at += size;
        }
    } else {
        must_hold(!path.failed && strstr(text, "..") != NULL);
    }
    weir_text_free(&path);
    char *below = NULL;
    if (weir_path_below("/a/b", text, &below) == WEIR_BELOW_YES) {
        must_hold(below[0] != '/');
        free(below);
    } else {
        must_hold(text[0] == '/');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *part;
    size_t pattern_size = take_part(&data, &size, '\n', &part);
    char *pattern = copy_text(part, pattern_size);
    char *text = copy_text(data, size);
    pattern_size = strlen(pattern);
    size = strlen(text);
    check_path(text);
    if (weir_utf8_is_valid(pattern, pattern_size) && weir_utf8_is_valid(text, size) &&
        weir_glob_fault(pattern, pattern_size) == NULL) {
        bool matched = weir_glob_matches(pattern, pattern_size, text, size);
        if (pattern_size <= SHORT && size <= SHORT && is_ascii(pattern) && is_ascii(text)) {
            must_hold(matched == matches(pattern, text));
        }
        if (!weir_glob_is_pattern(pattern)) {
            must_hold(matched == (strcmp(pattern, text) == 0));
        }
    }
    free(pattern);
    free(text);
    return 0;
}
