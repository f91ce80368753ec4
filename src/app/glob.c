/*
 * glob.c: matches without recursion. When something does not match, only the last "*" or "**" before it has to take
 * more: the shortest that it could take leaves the most to what follows.
 */
#include "app/glob.h"

#include "observe/escape.h"

#include <stdint.h>
#include <string.h>

bool weir_glob_is_pattern(const char *text)
{
    return strpbrk(text, "?*[]") != NULL;
}

/* Take the next character; a byte that is none is taken as it is. */
static uint32_t take(const char *text, size_t size, size_t *at)
{
    uint32_t code_point = (unsigned char)text[*at];
    size_t taken = weir_utf8_character(text + *at, size - *at, &code_point);
    *at += taken > 0 ? taken : 1;
    return code_point;
}

/* The size of "[…]", or 0 when it has no end. The first character in it is never the end. */
static size_t class_size(const char *pattern, size_t size)
{
    size_t at = 1;
    if (at < size && pattern[at] == '!')
        at++;
    if (at >= size)
        return 0;
    take(pattern, size, &at);
    const char *end = at < size ? memchr(pattern + at, ']', size - at) : NULL;
    return end == NULL ? 0 : (size_t)(end - pattern) + 1;
}

static bool class_has(const char *class, size_t size, uint32_t wanted)
{
    bool except = class[1] == '!';
    size_t at = except ? 2 : 1;
    size--;
    while (at < size) {
        uint32_t first = take(class, size, &at), last = first;
        if (at + 1 < size && class[at] == '-') {
            at++;
            last = take(class, size, &at);
        }
        if (first <= wanted && wanted <= last)
            return !except;
    }
    return except;
}

const char *weir_glob_fault(const char *pattern, size_t size)
{
    for (size_t at = 0; at < size; at++) {
        if (pattern[at] == '[') {
            size_t class = class_size(pattern + at, size - at);
            if (class == 0)
                return "has a [ without its ]; write [[] for the character";
            at += class - 1;
        } else if (pattern[at] == '*') {
            size_t stars = 1;
            while (at + stars < size && pattern[at + stars] == '*')
                stars++;
            if (stars > 2)
                return "has more than two * in a row; write * for a name, ** for any directories";
            bool alone = (at == 0 || pattern[at - 1] == '/') && (at + stars == size || pattern[at + stars] == '/');
            if (stars == 2 && !alone)
                return "has ** beside something else; it stands for directories, as in a/**/b";
            at += stars - 1;
        }
    }
    return NULL;
}

/* What takes any number of characters, and how much it has taken so far. */
typedef struct star {
    size_t next; /* in the pattern, behind it; SIZE_MAX: there is none */
    size_t at;   /* in the text */
    bool is_directories;
} star_t;

/* Let the last star take more: one character; or a directory, or all that is left. False when it cannot. */
static bool widen(star_t *star, const char *text, size_t size)
{
    if (star->next == SIZE_MAX || star->at >= size)
        return false;
    while (star->at < size) {
        uint32_t taken = take(text, size, &star->at);
        if (!star->is_directories || taken == '/')
            break;
    }
    return true;
}

bool weir_glob_matches(const char *pattern, size_t pattern_size, const char *text, size_t text_size)
{
    star_t star = {.next = SIZE_MAX};
    size_t p = 0, t = 0;
    for (;;) {
        bool matched;
        if (p == pattern_size) {
            matched = t == text_size;
            if (matched)
                return true;
        } else if (pattern[p] == '*') {
            bool is_directories = p + 1 < pattern_size && pattern[p + 1] == '*';
            p += is_directories ? 2 : 1;
            /* "**" takes its slash with it. */
            p += is_directories && p < pattern_size ? 1 : 0;
            star = (star_t){p, t, is_directories};
            continue;
        } else if (t == text_size) {
            return false;
        } else {
            size_t next = t;
            uint32_t character = take(text, text_size, &next);
            size_t step = p;
            if (pattern[p] == '[') {
                step += class_size(pattern + p, pattern_size - p);
                matched = class_has(pattern + p, step - p, character);
            } else {
                uint32_t wanted = take(pattern, pattern_size, &step);
                matched = wanted == '?' || wanted == character;
            }
            if (matched) {
                p = step;
                t = next;
                continue;
            }
        }
        if (!widen(&star, text, text_size))
            return false;
        p = star.next;
        t = star.at;
    }
}
