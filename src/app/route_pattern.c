/*
 * route_pattern.c: what a route's text means to Spin (crates/routes/src/lib.rs on routefinder 0.5.4).
 *
 * Three things are other than there, on purpose. A dot that begins a segment is text like any other: routefinder turns
 * "/a/.b" into "/a.b", and the order of "/..." and "/.x/..." depends on which is declared first. "*" after a dot, and
 * "..." within a route, are errors rather than routes that match something else. "/foo/..." and "/foo" with "*" for the
 * dots have the same base, "/foo".
 */
#include "app/route_pattern.h"

#include <stdlib.h>
#include <string.h>

static bool ends_with(const char *text, size_t size, const char *suffix)
{
    size_t suffix_size = strlen(suffix);
    return size >= suffix_size && memcmp(text + size - suffix_size, suffix, suffix_size) == 0;
}

static size_t wildcard_size(const char *text, size_t size)
{
    return ends_with(text, size, "/...") ? 4 : ends_with(text, size, "/*") ? 2 : 0;
}

/* Write `base` without outer and doubled slashes. Returns the size. */
static size_t write_literal(const char *base, size_t size, char *ret_literal)
{
    size_t written = 0;
    for (size_t i = 0; i < size; i++) {
        if (base[i] != '/')
            ret_literal[written++] = base[i];
        else if (written > 0 && ret_literal[written - 1] != '/')
            ret_literal[written++] = '/';
    }
    if (written > 0 && ret_literal[written - 1] == '/')
        written--;
    ret_literal[written] = '\0';
    return written;
}

/* Slashes and dots begin a section, and the first character of a section may have a meaning. */
static weir_route_fault_t find_fault(const char *literal, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        bool segment_begins = i == 0 || literal[i - 1] == '/';
        size_t segment_left = strcspn(literal + i, "/");
        if (segment_begins && segment_left == 3 && memcmp(literal + i, "...", 3) == 0)
            return WEIR_ROUTE_WILDCARD_INNER;
        if (!segment_begins && literal[i - 1] != '.')
            continue;
        size_t section_size = strcspn(literal + i, "/.");
        if (literal[i] == ':')
            return section_size > 1 ? WEIR_ROUTE_PARAMETER : WEIR_ROUTE_PARAMETER_NAMELESS;
        if (literal[i] == '*')
            return section_size > 1 ? WEIR_ROUTE_WILDCARD_NAMED : WEIR_ROUTE_WILDCARD_INNER;
    }
    return WEIR_ROUTE_OK;
}

weir_route_fault_t weir_route_pattern_parse(const char *raw, weir_route_pattern_t *ret_pattern)
{
    size_t raw_size = strlen(raw);
    size_t most = raw_size + 2; /* a slash more, and a terminator */
    char *storage = calloc(4, most);
    if (storage == NULL)
        return WEIR_ROUTE_OUT_OF_MEMORY;
    char *matched = storage, *base = matched + most, *raw_base = base + most, *literal = raw_base + most;

    size_t size = 0;
    if (raw[0] != '/')
        matched[size++] = '/';
    memcpy(matched + size, raw, raw_size);
    size += raw_size;
    if (matched[size - 1] == '/')
        size--;
    matched[size] = '\0';

    size_t base_size = size - wildcard_size(matched, size);
    memcpy(base, matched, base_size);
    memcpy(raw_base, raw, raw_size - wildcard_size(raw, raw_size));
    size_t literal_size = write_literal(base, base_size, literal);
    weir_route_fault_t fault = find_fault(literal, literal_size);
    if (fault != WEIR_ROUTE_OK) {
        free(storage);
        return fault;
    }
    *ret_pattern = (weir_route_pattern_t){
        .storage = storage,
        .matched = matched,
        .base = base,
        .raw_base = raw_base,
        .literal = literal,
        .literal_size = literal_size,
        .wildcard = base_size < size,
    };
    return WEIR_ROUTE_OK;
}

/* What routefinder makes of a route, one part after the other; of two, the greater one comes first. */
typedef enum part {
    PART_END = 0,
    PART_SLASH = 1,
    PART_WILDCARD = 2,
    PART_TEXT = 3,
} part_t;

typedef struct cursor {
    const char *at;
    bool wildcard; /* still to come */
    bool slash;    /* the one before the wildcard is still to come */
} cursor_t;

static cursor_t cursor_start(const weir_route_pattern_t *pattern)
{
    return (cursor_t){
        .at = pattern->literal,
        .wildcard = pattern->wildcard,
        .slash = pattern->wildcard && pattern->literal_size > 0,
    };
}

/* A text ends at a slash, and behind the dots that follow it: "a.b" is two. */
static part_t cursor_next(cursor_t *cursor)
{
    if (*cursor->at == '/') {
        cursor->at++;
        return PART_SLASH;
    }
    if (*cursor->at != '\0') {
        cursor->at += strspn(cursor->at, ".");
        cursor->at += strcspn(cursor->at, "./");
        cursor->at += strspn(cursor->at, ".");
        return PART_TEXT;
    }
    if (cursor->slash) {
        cursor->slash = false;
        return PART_SLASH;
    }
    if (cursor->wildcard) {
        cursor->wildcard = false;
        return PART_WILDCARD;
    }
    return PART_END;
}

int weir_route_pattern_compare(const weir_route_pattern_t *a, const weir_route_pattern_t *b)
{
    cursor_t a_cursor = cursor_start(a), b_cursor = cursor_start(b);
    for (;;) {
        part_t a_part = cursor_next(&a_cursor), b_part = cursor_next(&b_cursor);
        if (a_part == PART_END && b_part == PART_END)
            return 0;
        if (a_part == PART_END || b_part == PART_END)
            return a_part == PART_END ? -1 : 1; /* fewer parts first */
        if (a_part != b_part)
            return a_part > b_part ? -1 : 1;
    }
}

bool weir_route_pattern_match(const weir_route_pattern_t *pattern, const char *path, size_t size, size_t *ret_rest)
{
    size_t literal_size = pattern->literal_size;
    if (size < literal_size || (size > literal_size && !pattern->wildcard) ||
        (literal_size > 0 && memcmp(path, pattern->literal, literal_size) != 0))
        return false;
    if (size > literal_size && literal_size > 0 && path[literal_size] != '/')
        return false;
    *ret_rest = literal_size;
    return true;
}
