/*
 * toml_json.c: a reader for RFC 8259 that builds the tree directly and needs memory for arrays alone.
 */
#include "app/toml_json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 128 }; /* the TOML parser stops at 80 */

typedef struct reader {
    char *at;
    char *line_start;
    uint32_t line;
    weir_json_result_t result; /* of the first failure */
} reader_t;

static bool malformed(reader_t *reader)
{
    reader->result = WEIR_JSON_MALFORMED;
    return false;
}

static bool out_of_memory(reader_t *reader)
{
    reader->result = WEIR_JSON_OUT_OF_MEMORY;
    return false;
}

static void skip_space(reader_t *reader)
{
    for (;; reader->at++) {
        if (*reader->at == '\n') {
            reader->line++;
            reader->line_start = reader->at + 1;
        } else if (*reader->at != ' ' && *reader->at != '\t' && *reader->at != '\r') {
            break;
        }
    }
}

/* Take a character that must come next. */
static bool take(reader_t *reader, char wanted)
{
    skip_space(reader);
    if (*reader->at != wanted)
        return malformed(reader);
    reader->at++;
    return true;
}

/* Take a character if it comes next. */
static bool take_if(reader_t *reader, char wanted)
{
    skip_space(reader);
    if (*reader->at != wanted)
        return false;
    reader->at++;
    return true;
}

/* Make room for one more element. Capacities are powers of two, so that the count tells when one is used up. */
static void *grown(void *elements, size_t count, size_t element_size)
{
    if (count > 0 && (count & (count - 1)) != 0)
        return elements;
    return realloc(elements, (count == 0 ? 1 : count * 2) * element_size);
}

static bool read_hex(reader_t *reader, uint32_t *ret_unit)
{
    uint32_t unit = 0;
    for (int i = 0; i < 4; i++, reader->at++) {
        char digit = *reader->at;
        uint32_t value;
        if (digit >= '0' && digit <= '9')
            value = (uint32_t)(digit - '0');
        else if (digit >= 'a' && digit <= 'f')
            value = (uint32_t)(digit - 'a') + 10;
        else if (digit >= 'A' && digit <= 'F')
            value = (uint32_t)(digit - 'A') + 10;
        else
            return malformed(reader);
        unit = unit << 4 | value;
    }
    *ret_unit = unit;
    return true;
}

/* What follows "\u": one UTF-16 unit, or two with another "\u" between them. */
static bool read_code_point(reader_t *reader, uint32_t *ret_code_point)
{
    uint32_t unit;
    if (!read_hex(reader, &unit))
        return false;
    if (unit >= 0xDC00 && unit <= 0xDFFF)
        return malformed(reader);
    if (unit >= 0xD800 && unit <= 0xDBFF) {
        uint32_t low;
        if (reader->at[0] != '\\' || reader->at[1] != 'u')
            return malformed(reader);
        reader->at += 2;
        if (!read_hex(reader, &low))
            return false;
        if (low < 0xDC00 || low > 0xDFFF)
            return malformed(reader);
        unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
    }
    *ret_code_point = unit;
    return true;
}

/* Write a code point as UTF-8, which is never longer than its escape was. */
static char *write_utf8(char *to, uint32_t code_point)
{
    if (code_point < 0x80) {
        *to++ = (char)code_point;
    } else if (code_point < 0x800) {
        *to++ = (char)(0xC0 | code_point >> 6);
        *to++ = (char)(0x80 | (code_point & 0x3F));
    } else if (code_point < 0x10000) {
        *to++ = (char)(0xE0 | code_point >> 12);
        *to++ = (char)(0x80 | (code_point >> 6 & 0x3F));
        *to++ = (char)(0x80 | (code_point & 0x3F));
    } else {
        *to++ = (char)(0xF0 | code_point >> 18);
        *to++ = (char)(0x80 | (code_point >> 12 & 0x3F));
        *to++ = (char)(0x80 | (code_point >> 6 & 0x3F));
        *to++ = (char)(0x80 | (code_point & 0x3F));
    }
    return to;
}

static bool read_escape(reader_t *reader, char **to)
{
    static const char LETTERS[] = "\"\\/bfnrt", CHARACTERS[] = "\"\\/\b\f\n\r\t";
    char letter = *reader->at;
    if (letter == '\0')
        return malformed(reader);
    reader->at++;
    if (letter == 'u') {
        uint32_t code_point;
        if (!read_code_point(reader, &code_point))
            return false;
        *to = write_utf8(*to, code_point);
        return true;
    }
    const char *found = strchr(LETTERS, letter);
    if (found == NULL)
        return malformed(reader);
    *(*to)++ = CHARACTERS[found - LETTERS];
    return true;
}

static bool read_string(reader_t *reader, const char **ret_string, size_t *ret_size)
{
    if (!take(reader, '"'))
        return false;
    char *start = reader->at, *to = start;
    while (*reader->at != '"') {
        if (*reader->at == '\0')
            return malformed(reader);
        if (*reader->at != '\\') {
            *to++ = *reader->at++;
        } else {
            reader->at++;
            if (!read_escape(reader, &to))
                return false;
        }
    }
    reader->at++;
    *to = '\0'; /* at the closing quote, or before it */
    *ret_string = start;
    *ret_size = (size_t)(to - start);
    return true;
}

static bool read_number(reader_t *reader, weir_toml_t *value)
{
    size_t size = strspn(reader->at, "+-0123456789.eE");
    if (size == 0)
        return malformed(reader);
    char *end = reader->at + size;
    value->type = WEIR_TOML_FLOAT;
    if (strcspn(reader->at, ".eE") >= size) {
        char *integer_end;
        errno = 0;
        value->type = WEIR_TOML_INTEGER;
        value->integer = strtoll(reader->at, &integer_end, 10);
        if (errno != 0 || integer_end != end)
            return malformed(reader);
    }
    reader->at = end;
    return true;
}

static bool take_word(reader_t *reader, const char *word)
{
    size_t size = strlen(word);
    if (strncmp(reader->at, word, size) != 0)
        return malformed(reader);
    reader->at += size;
    return true;
}

static bool read_value(reader_t *reader, unsigned depth, weir_toml_t *value);

/* The members of an object or the elements of an array, behind its first bracket. */
static bool read_children(reader_t *reader, unsigned depth, weir_toml_t *value, char last)
{
    if (depth >= DEPTH_MAX)
        return malformed(reader);
    if (take_if(reader, last))
        return true;
    do {
        weir_toml_t *children = grown(value->children, value->child_count, sizeof *children);
        if (children == NULL)
            return out_of_memory(reader);
        value->children = children;
        weir_toml_t *child = &children[value->child_count++];
        *child = (weir_toml_t){.key = NULL};
        if (value->type == WEIR_TOML_TABLE &&
            !(read_string(reader, &child->key, &child->key_size) && take(reader, ':')))
            return false;
        if (!read_value(reader, depth + 1, child))
            return false;
    } while (take_if(reader, ','));
    return take(reader, last);
}

static bool read_value(reader_t *reader, unsigned depth, weir_toml_t *value)
{
    skip_space(reader);
    switch (*reader->at) {
    case '{':
        reader->at++;
        value->type = WEIR_TOML_TABLE;
        return read_children(reader, depth, value, '}');
    case '[':
        reader->at++;
        value->type = WEIR_TOML_ARRAY;
        return read_children(reader, depth, value, ']');
    case '"':
        value->type = WEIR_TOML_STRING;
        return read_string(reader, &value->string, &value->string_size);
    case 't':
    case 'f':
        value->type = WEIR_TOML_BOOLEAN;
        value->boolean = *reader->at == 't';
        return take_word(reader, value->boolean ? "true" : "false");
    case 'n': /* what JSON has for "nan" */
        value->type = WEIR_TOML_FLOAT;
        return take_word(reader, "null");
    default:
        return read_number(reader, value);
    }
}

/* "[1,2,3,4]" */
static bool read_places(reader_t *reader, weir_json_position_t *position)
{
    uint32_t numbers[4];
    for (size_t i = 0; i < 4; i++) {
        weir_toml_t number = {.key = NULL};
        if (!take(reader, i == 0 ? '[' : ',') || (skip_space(reader), !read_number(reader, &number)))
            return false;
        if (number.type != WEIR_TOML_INTEGER || number.integer < 0 || number.integer > UINT32_MAX)
            return malformed(reader);
        numbers[i] = (uint32_t)number.integer;
    }
    position->key_place = (weir_place_t){numbers[0], numbers[1]};
    position->place = (weir_place_t){numbers[2], numbers[3]};
    return take(reader, ']');
}

static bool read_positions(reader_t *reader, weir_json_t *json)
{
    if (!take(reader, '{'))
        return false;
    if (take_if(reader, '}'))
        return true;
    do {
        weir_json_position_t *positions = grown(json->positions, json->position_count, sizeof *positions);
        if (positions == NULL)
            return out_of_memory(reader);
        json->positions = positions;
        weir_json_position_t *position = &positions[json->position_count++];
        if (!read_string(reader, &position->pointer, &position->pointer_size) || !take(reader, ':') ||
            !read_places(reader, position))
            return false;
    } while (take_if(reader, ','));
    return take(reader, '}');
}

static int by_pointer(const void *left, const void *right)
{
    const weir_json_position_t *a = left, *b = right;
    size_t shorter = a->pointer_size < b->pointer_size ? a->pointer_size : b->pointer_size;
    int order = memcmp(a->pointer, b->pointer, shorter);
    return order != 0 ? order : a->pointer_size < b->pointer_size ? -1 : a->pointer_size > b->pointer_size;
}

static bool read_whole(reader_t *reader, weir_json_t *json)
{
    bool has_document = false, has_positions = false;
    if (!take(reader, '{'))
        return false;
    do {
        const char *key;
        size_t key_size;
        if (!read_string(reader, &key, &key_size) || !take(reader, ':'))
            return false;
        if (strcmp(key, "document") == 0 && !has_document) {
            has_document = true;
            if (!read_value(reader, 0, &json->document))
                return false;
        } else if (strcmp(key, "positions") == 0 && !has_positions) {
            has_positions = true;
            if (!read_positions(reader, json))
                return false;
        } else {
            return malformed(reader);
        }
    } while (take_if(reader, ','));
    if (!take(reader, '}'))
        return false;
    skip_space(reader);
    if (*reader->at != '\0' || !has_positions || json->document.type != WEIR_TOML_TABLE)
        return malformed(reader);
    return true;
}

weir_json_result_t weir_json_read(char *text, weir_json_t *ret_json)
{
    reader_t reader = {.line = 1, .result = WEIR_JSON_OK};
    reader.at = text;
    reader.line_start = text;
    weir_json_t json = {.positions = NULL};
    if (!read_whole(&reader, &json)) {
        weir_json_free(&json);
        return reader.result;
    }
    if (json.position_count > 1)
        qsort(json.positions, json.position_count, sizeof *json.positions, by_pointer);
    *ret_json = json;
    return WEIR_JSON_OK;
}

weir_json_result_t weir_json_read_document(char *text, weir_toml_t *ret_value, weir_place_t *ret_place)
{
    reader_t reader = {.line = 1, .result = WEIR_JSON_OK};
    reader.at = text;
    reader.line_start = text;
    weir_toml_t value = {.key = NULL};
    if (read_value(&reader, 0, &value)) {
        skip_space(&reader);
        if (*reader.at == '\0') {
            *ret_value = value;
            return WEIR_JSON_OK;
        }
        malformed(&reader);
    }
    weir_json_free_children(&value);
    *ret_place = (weir_place_t){reader.line, (uint32_t)(reader.at - reader.line_start) + 1};
    return reader.result;
}

const weir_json_position_t *weir_json_find(const weir_json_t *json, const char *pointer, size_t pointer_size)
{
    weir_json_position_t wanted = {.pointer = pointer, .pointer_size = pointer_size};
    if (json->position_count == 0)
        return NULL;
    return bsearch(&wanted, json->positions, json->position_count, sizeof *json->positions, by_pointer);
}

void weir_json_free(weir_json_t *json)
{
    weir_json_free_children(&json->document);
    free(json->positions);
    *json = (weir_json_t){.positions = NULL};
}

void weir_json_free_children(weir_toml_t *value)
{
    for (size_t i = 0; i < value->child_count; i++)
        weir_json_free_children(&value->children[i]);
    free(value->children);
}
