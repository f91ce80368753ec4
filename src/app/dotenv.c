/*
 * dotenv.c: lines of NAME=VALUE. A value may be quoted and then go over several lines; what is in single quotes is
 * taken as it is.
 */
#include "app/dotenv.h"

#include "app/complaint.h"
#include "app/text.h"

#include <stdlib.h>
#include <string.h>

static bool is_space(char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static bool is_letter(char byte)
{
    char lower = (char)(byte | 0x20);
    return lower >= 'a' && lower <= 'z';
}

static bool is_alphanumeric(char byte)
{
    return is_letter(byte) || (byte >= '0' && byte <= '9');
}

const char *weir_environment_find(char *const *environment, const char *name, size_t name_size)
{
    for (; name_size > 0 && *environment != NULL; environment++)
        if (strncmp(*environment, name, name_size) == 0 && (*environment)[name_size] == '=')
            return *environment + name_size + 1;
    return NULL;
}

enum { VALUES_BYTES_MAX = 16 << 20 }; /* of all values, which can stand for others */

/* A file that is being read. */
typedef struct reader {
    char *const *environment;
    weir_variable_list_t list;
    weir_text_t value;
    size_t bytes;      /* of all values so far */
    const char *fault; /* of the entry that was refused; NULL when memory ran out */
} reader_t;

static bool too_large(reader_t *reader)
{
    reader->fault = "is too much: a file .env can have 4096 variables with 16 MiB in all";
    return false;
}

static bool out_of_memory(reader_t *reader)
{
    reader->fault = NULL;
    return false;
}

/* The end of an entry: of its line, or of a later one when quotes or a backslash go on over the line's end. A comment
 * ends it too. (dotenvy's iter.rs, eval_end_state) `*ret_next` is where the next one begins. */
static const char *find_end(const char *start, const char **ret_next)
{
    enum { PLAIN, SPACE, ESCAPE, WEAK, WEAK_ESCAPE, STRONG, STRONG_ESCAPE } state = PLAIN;
    const char *first = start;
    while (is_space(*first) && *first != '\n')
        first++;
    bool is_comment = *first == '#';
    for (const char *at = start;; at++) {
        if (*at == '\0') {
            *ret_next = at;
            return is_comment ? start : at;
        }
        if (is_comment) {
            if (*at != '\n')
                continue;
            *ret_next = at + 1;
            return start;
        }
        if (state == SPACE && *at == '#') {
            const char *end = strchr(at, '\n');
            *ret_next = end == NULL ? at + strlen(at) : end + 1;
            return at;
        }
        switch (state) {
        case PLAIN:
        case SPACE:
            if (*at == '\\')
                state = ESCAPE;
            else if (*at == '"')
                state = WEAK;
            else if (*at == '\'')
                state = STRONG;
            else
                state = state == PLAIN && is_space(*at) && *at != '\n' && *at != '\r' ? SPACE : PLAIN;
            break;
        case ESCAPE:
            state = PLAIN;
            break;
        case WEAK:
            state = *at == '\\' ? WEAK_ESCAPE : *at == '"' ? PLAIN : WEAK;
            break;
        case WEAK_ESCAPE:
            state = WEAK;
            break;
        case STRONG:
            state = *at == '\\' ? STRONG_ESCAPE : *at == '\'' ? PLAIN : STRONG;
            break;
        case STRONG_ESCAPE:
            state = STRONG;
            break;
        }
        if (*at == '\n' && state == PLAIN) {
            *ret_next = at + 1;
            return at;
        }
    }
}

static void substitute(reader_t *reader, const char *name, size_t size)
{
    const char *value = weir_environment_find(reader->environment, name, size);
    if (value == NULL)
        value = weir_variable_list_find(&reader->list, name, size);
    if (value != NULL && reader->value.size <= VALUES_BYTES_MAX)
        weir_text_add(&reader->value, value, strlen(value));
}

/* Take "$NAME" or "${NAME}", of which `at` is behind the dollar; NULL when a brace has no end. */
static const char *read_substitution(reader_t *reader, const char *at, const char *end)
{
    bool braces = at < end && *at == '{';
    const char *name = braces ? at + 1 : at;
    at = name;
    while (at < end && (braces ? *at != '}' : is_alphanumeric(*at)))
        at++;
    if (braces && at == end)
        return NULL;
    substitute(reader, name, (size_t)(at - name));
    return braces ? at + 1 : at;
}

/* What a backslash and `letter` stand for, or 0. */
static char unescape(char letter)
{
    if (letter == 'n')
        return '\n';
    return letter != '\0' && strchr("\\'\"$ ", letter) != NULL ? letter : '\0';
}

/* A value, unquoted (dotenvy's parse.rs, parse_value). */
static bool read_value(reader_t *reader, const char *at, const char *end)
{
    bool strong = false, weak = false;
    while (at < end) {
        char byte = *at++;
        if (strong) {
            strong = byte != '\'';
            if (strong)
                weir_text_add(&reader->value, &byte, 1);
        } else if (byte == '$') {
            at = read_substitution(reader, at, end);
            if (at == NULL)
                return false;
            /* dotenvy takes the character behind a name as it is. */
            bool closes = at < end && *at == '"' && weak;
            if (at[-1] != '}' && at < end && *at != '$' && !closes)
                weir_text_add(&reader->value, at++, 1);
        } else if (byte == '\\') {
            char meant = at < end ? unescape(*at) : '\0';
            if (at < end && meant == '\0')
                return false;
            if (at < end)
                weir_text_add(&reader->value, &meant, 1);
            at += at < end ? 1 : 0;
        } else if (byte == '"') {
            weak = !weak;
        } else if (weak) {
            weir_text_add(&reader->value, &byte, 1);
        } else if (byte == '\'') {
            strong = true;
        } else if (byte == ' ' || byte == '\t') {
            while (at < end && (*at == ' ' || *at == '\t'))
                at++;
            return at == end || *at == '#';
        } else {
            weir_text_add(&reader->value, &byte, 1);
        }
    }
    return !strong && !weak;
}

static const char *skip_space(const char *at, const char *end)
{
    while (at < end && is_space(*at))
        at++;
    return at;
}

/* A name, which ends at `*ret_end`; NULL when there is none. */
static const char *read_name(const char *at, const char *end, size_t *ret_size)
{
    const char *start = at;
    if (at == end || !(is_letter(*at) || *at == '_'))
        return NULL;
    while (at < end && (is_alphanumeric(*at) || *at == '_' || *at == '.'))
        at++;
    *ret_size = (size_t)(at - start);
    return start;
}

/* An entry: nothing, a comment, NAME=VALUE or export NAME=VALUE (dotenvy's parse.rs, parse_line). */
static bool read_entry(reader_t *reader, const char *at, const char *end)
{
    while (end > at && is_space(end[-1]))
        end--;
    at = skip_space(at, end);
    if (at == end || *at == '#')
        return true;
    size_t size = 0;
    const char *name = read_name(at, end, &size);
    if (name == NULL)
        return false;
    at = skip_space(name + size, end);
    if (size == 6 && memcmp(name, "export", 6) == 0 && (at == end || *at != '=')) {
        name = read_name(at, end, &size);
        if (name == NULL)
            return false;
        at = skip_space(name + size, end);
    }
    if (at == end || *at != '=')
        return false;
    at = skip_space(at + 1, end);
    weir_text_truncate(&reader->value, 0);
    weir_text_add(&reader->value, "", 0);
    if (at < end && *at != '#' && !read_value(reader, at, end))
        return false;
    if (reader->value.size > VALUES_BYTES_MAX - reader->bytes)
        return too_large(reader);
    reader->bytes += reader->value.size;
    if (!reader->value.failed &&
        weir_variable_list_add(&reader->list, name, size, reader->value.bytes, reader->value.size))
        return true;
    return reader->list.count < WEIR_VARIABLE_LIST_MAX ? out_of_memory(reader) : too_large(reader);
}

bool weir_dotenv_parse(
    const char *path, const char *text, char *const *environment, weir_variable_list_t *ret_list, char **ret_message)
{
    reader_t reader = {.environment = environment, .fault = "is not NAME=VALUE, NAME=\"VALUE\" or a # comment"};
    weir_place_t place = {1, 1};
    bool success = true;
    const char *next;
    if (strncmp(text, "\xEF\xBB\xBF", 3) == 0)
        text += 3;
    for (const char *start = text; success && *start != '\0'; start = next) {
        const char *end = find_end(start, &next);
        success = read_entry(&reader, start, end);
        for (const char *at = start; success && at < next; at++)
            place.line += *at == '\n' ? 1 : 0;
    }
    weir_text_free(&reader.value);
    if (success) {
        *ret_list = reader.list;
        return true;
    }
    weir_variable_list_free(&reader.list);
    *ret_message = NULL;
    if (reader.fault != NULL)
        weir_complain(ret_message, path, place, "%s", reader.fault);
    return false;
}
