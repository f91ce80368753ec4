/*
 * route_pattern.c: what a route's text means to Spin (crates/routes/src/lib.rs on routefinder 0.5.4).
 *
 * Some things are other than there, on purpose. A dot that begins a segment is text like any other: routefinder turns
 * "/a/.b" into "/a.b", and the order of "/..." and "/.x/..." depends on which is declared first. "*" after a dot, and
 * "..." within a route, are errors rather than routes that match something else, or panic. "/foo/..." and "/foo" with
 * "*" for the dots have the same base, "/foo". A parameter never takes an empty segment, which routefinder lets it do
 * between two slashes. Its name must fit into the name of a header: Spin would fail each request otherwise.
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
static bool begins_section(const char *literal, size_t at)
{
    return at == 0 || literal[at - 1] == '/' || literal[at - 1] == '.';
}

static size_t section_size(const char *section)
{
    return strcspn(section, "/.");
}

/* Of what may stand in the name of a header (RFC 9110, section 5.6.2), a section can hold all but the dot. */
static bool is_name(const char *name, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        char letter = (char)(name[i] | 0x20);
        bool alphanumeric = (letter >= 'a' && letter <= 'z') || (name[i] >= '0' && name[i] <= '9');
        if (!alphanumeric && strchr("!#$%&'*+-^_`|~", name[i]) == NULL)
            return false;
    }
    return true;
}

/* `*parameter_count` counts those with the same name, too. */
static weir_route_fault_t find_fault(const char *literal, size_t size, size_t *parameter_count)
{
    for (size_t i = 0; i < size; i++) {
        bool segment_begins = i == 0 || literal[i - 1] == '/';
        size_t segment_left = strcspn(literal + i, "/");
        if (segment_begins && segment_left == 3 && memcmp(literal + i, "...", 3) == 0)
            return WEIR_ROUTE_WILDCARD_INNER;
        if (!begins_section(literal, i))
            continue;
        size_t left = section_size(literal + i);
        if (literal[i] == ':' && left == 1)
            return WEIR_ROUTE_PARAMETER_NAMELESS;
        if (literal[i] == ':' && !is_name(literal + i + 1, left - 1))
            return WEIR_ROUTE_PARAMETER_NAME;
        if (literal[i] == ':' && ++*parameter_count > WEIR_ROUTE_PARAMETERS_MAX)
            return WEIR_ROUTE_PARAMETERS;
        if (literal[i] == '*')
            return left > 1 ? WEIR_ROUTE_WILDCARD_NAMED : WEIR_ROUTE_WILDCARD_INNER;
    }
    return WEIR_ROUTE_OK;
}

/* As the name of a header has it. */
static char folded(char character)
{
    return character >= 'A' && character <= 'Z' ? (char)(character - 'A' + 'a') : character == '_' ? '-' : character;
}

static char upper(char character)
{
    return character >= 'a' && character <= 'z' ? (char)(character - 'a' + 'A') : character;
}

#define HEADER_PREFIX "spin-path-match-"
#define VARIABLE_PREFIX "X_PATH_MATCH_"

/* The most that the strings of parameters take. */
static size_t names_size(size_t literal_size, size_t parameter_count)
{
    return 3 * literal_size + parameter_count * (sizeof HEADER_PREFIX + sizeof VARIABLE_PREFIX + 1);
}

/* Write a name, changed by `change`, behind `prefix`. Returns where the next one can go. */
static char *write_name(
    char *to, const char *prefix, const char *name, size_t size, char (*change)(char), const char **ret_name)
{
    *ret_name = to;
    to = stpcpy(to, prefix);
    for (size_t i = 0; i < size; i++)
        *to++ = change != NULL ? change(name[i]) : name[i];
    *to++ = '\0';
    return to;
}

/* The index of the parameter that is called so, which is added if there is none. Of two with names that make the same
 * header, the last one's value counts. */
static size_t add_parameter(weir_route_pattern_t *pattern, const char *name, size_t size, char **names)
{
    weir_route_parameter_t *parameter = &pattern->parameters[pattern->parameter_count];
    char *next = write_name(*names, HEADER_PREFIX, name, size, folded, &parameter->header);
    for (size_t i = 0; i < pattern->parameter_count; i++) {
        if (strcmp(pattern->parameters[i].header, parameter->header) == 0) {
            *parameter = (weir_route_parameter_t){.name = NULL};
            return i;
        }
    }
    next = write_name(next, VARIABLE_PREFIX, name, size, upper, &parameter->variable);
    *names = write_name(next, "", name, size, NULL, &parameter->name);
    return pattern->parameter_count++;
}

/* Take the literal apart. `shape` has room for as much as it has, `names` for names_size. */
static void split(weir_route_pattern_t *pattern, const char *literal, char *shape, char *names)
{
    const char *from = literal, *at = literal;
    while (*at != '\0') {
        if (*at != ':' || !begins_section(literal, (size_t)(at - literal))) {
            *shape++ = *at++;
            continue;
        }
        if (at > from)
            pattern->pieces[pattern->piece_count++] = (weir_route_piece_t){.text = from, .size = (size_t)(at - from)};
        size_t size = section_size(++at);
        size_t index = add_parameter(pattern, at, size, &names);
        at += size;
        from = at;
        pattern->dotted = pattern->dotted || *at == '.';
        pattern->pieces[pattern->piece_count++] =
            (weir_route_piece_t){.text = NULL, .parameter = index, .until_dot = *at == '.'};
        *shape++ = ':';
    }
    if (at > from)
        pattern->pieces[pattern->piece_count++] = (weir_route_piece_t){.text = from, .size = (size_t)(at - from)};
}

weir_route_fault_t weir_route_pattern_parse(const char *raw, weir_route_pattern_t *ret_pattern)
{
    size_t raw_size = strlen(raw);
    size_t most = raw_size + 2; /* a slash more, and a terminator */
    char *storage = calloc(5, most);
    if (storage == NULL)
        return WEIR_ROUTE_OUT_OF_MEMORY;
    char *matched = storage, *base = matched + most, *raw_base = base + most, *literal = raw_base + most;
    char *shape = literal + most;

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
    size_t parameter_count = 0;
    weir_route_fault_t fault = find_fault(literal, literal_size, &parameter_count);
    weir_route_piece_t *pieces = NULL;
    if (fault == WEIR_ROUTE_OK) {
        pieces = calloc(1, (2 * parameter_count + 1) * sizeof *pieces + names_size(literal_size, parameter_count));
        fault = pieces != NULL ? WEIR_ROUTE_OK : WEIR_ROUTE_OUT_OF_MEMORY;
    }
    if (fault != WEIR_ROUTE_OK) {
        free(storage);
        return fault;
    }
    weir_route_pattern_t pattern = {
        .matched = matched,
        .base = base,
        .raw_base = raw_base,
        .shape = shape,
        .wildcard = base_size < size,
        .pieces = pieces,
    };
    split(&pattern, literal, shape, (char *)(pieces + 2 * parameter_count + 1));
    pattern.storage = storage;
    *ret_pattern = pattern;
    return WEIR_ROUTE_OK;
}

void weir_route_pattern_free(weir_route_pattern_t *pattern)
{
    free(pattern->storage);
    free(pattern->pieces);
    *pattern = (weir_route_pattern_t){.storage = NULL};
}

/* What routefinder makes of a route, one part after the other (src/route_spec.rs, from_str). */
typedef enum part {
    PART_SLASH = 0,
    PART_WILDCARD,
    PART_PARAMETER,
    PART_TEXT,
    PART_END,
    PART_DOT, /* one that ends a parameter, or follows such a one; all others are text */
} part_t;

typedef struct cursor {
    const char *at;
    bool behind_parameter; /* or a dot that ended it */
    bool wildcard;         /* still to come */
    bool slash;            /* the one before the wildcard is still to come */
} cursor_t;

static cursor_t cursor_start(const weir_route_pattern_t *pattern)
{
    return (cursor_t){
        .at = pattern->shape,
        .wildcard = pattern->wildcard,
        .slash = pattern->wildcard && pattern->shape[0] != '\0',
    };
}

/* A text ends at a slash, and behind the dots that follow it: "a.b" is two. */
static part_t cursor_next_text(cursor_t *cursor)
{
    size_t dots = strspn(cursor->at, ".");
    cursor->at += dots;
    if (dots == 0 || *cursor->at != ':') {
        cursor->at += section_size(cursor->at);
        cursor->at += strspn(cursor->at, ".");
    }
    cursor->behind_parameter = false;
    return PART_TEXT;
}

static part_t cursor_next(cursor_t *cursor)
{
    switch (*cursor->at) {
    case '/':
        cursor->at++;
        cursor->behind_parameter = false;
        return PART_SLASH;
    case ':':
        cursor->at++;
        cursor->behind_parameter = true;
        return PART_PARAMETER;
    case '\0':
        break;
    case '.':
        if (cursor->behind_parameter) {
            cursor->at++;
            return PART_DOT;
        }
        return cursor_next_text(cursor);
    default:
        return cursor_next_text(cursor);
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

static size_t count_dots(const weir_route_pattern_t *pattern)
{
    size_t count = 0;
    cursor_t cursor = cursor_start(pattern);
    for (part_t part = cursor_next(&cursor); part != PART_END; part = cursor_next(&cursor))
        count += part == PART_DOT ? 1 : 0;
    return count;
}

static bool separates(part_t part)
{
    return part == PART_SLASH || part == PART_DOT;
}

/* The first parts that differ decide. Of those that are the same as far as they go the one with more dots comes first,
 * then the shorter one (routefinder's src/route_spec.rs and src/segment.rs, Ord). */
int weir_route_pattern_compare(const weir_route_pattern_t *a, const weir_route_pattern_t *b)
{
    cursor_t a_cursor = cursor_start(a), b_cursor = cursor_start(b);
    for (;;) {
        part_t a_part = cursor_next(&a_cursor), b_part = cursor_next(&b_cursor);
        if (a_part == PART_END || b_part == PART_END) {
            size_t a_dots = count_dots(a), b_dots = count_dots(b);
            if (a_dots != b_dots)
                return a_dots > b_dots ? -1 : 1;
            return a_part == b_part ? 0 : a_part == PART_END ? -1 : 1;
        }
        if (a_part != b_part && !(separates(a_part) && separates(b_part)))
            return a_part > b_part ? -1 : 1;
    }
}

int weir_route_pattern_order(const weir_route_pattern_t *a, const weir_route_pattern_t *b)
{
    cursor_t a_cursor = cursor_start(a), b_cursor = cursor_start(b);
    for (;;) {
        part_t a_part = cursor_next(&a_cursor), b_part = cursor_next(&b_cursor);
        if (a_part != b_part)
            return a_part > b_part ? -1 : 1;
        if (a_part == PART_END)
            return 0;
    }
}

bool weir_route_pattern_match(
    const weir_route_pattern_t *pattern, const char *path, size_t size, weir_route_value_t *values, size_t *ret_rest)
{
    size_t at = 0;
    for (size_t i = 0; i < pattern->piece_count; i++) {
        const weir_route_piece_t *piece = &pattern->pieces[i];
        if (piece->text != NULL) {
            if (size - at < piece->size || memcmp(path + at, piece->text, piece->size) != 0)
                return false;
            at += piece->size;
            continue;
        }
        size_t end = at;
        while (end < size && path[end] != '/' && !(piece->until_dot && path[end] == '.'))
            end++;
        if (end == at)
            return false;
        if (values != NULL)
            values[piece->parameter] = (weir_route_value_t){path + at, end - at};
        at = end;
    }
    if (at < size && (!pattern->wildcard || (pattern->piece_count > 0 && path[at] != '/')))
        return false;
    *ret_rest = at;
    return true;
}
