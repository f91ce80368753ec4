/*
 * toml.c: has the bridge parse TOML into JSON with places, and builds the tree from that.
 */
#include "app/toml.h"

#include "app/complaint.h"
#include "app/text.h"
#include "app/toml_json.h"
#include "observe/escape.h"

#include <stdlib.h>
#include <string.h>
#include <weir_bridge.h>

typedef struct builder {
    const weir_json_t *json;
    weir_text_t pointer; /* of the value at hand, RFC 6901 */
    const char *path;
    weir_toml_content_t content;
    char *message;
} builder_t;

static bool fail(builder_t *builder, weir_place_t place, const char *what)
{
    return weir_complain(&builder->message, builder->path, place, "%s", what);
}

static void append_token(weir_text_t *pointer, const char *token, size_t size)
{
    weir_text_add(pointer, "/", 1);
    for (size_t i = 0; i < size; i++) {
        if (token[i] == '~')
            weir_text_add(pointer, "~0", 2);
        else if (token[i] == '/')
            weir_text_add(pointer, "~1", 2);
        else
            weir_text_add(pointer, &token[i], 1);
    }
}

static int in_order_of_the_text(const void *left, const void *right)
{
    const weir_toml_t *a = left, *b = right;
    if (a->key_place.line != b->key_place.line)
        return a->key_place.line < b->key_place.line ? -1 : 1;
    if (a->key_place.column != b->key_place.column)
        return a->key_place.column < b->key_place.column ? -1 : 1;
    return strcmp(a->key, b->key);
}

/* Give a value and all within it their places, and refuse what C could not tell apart. */
static bool set_places(builder_t *builder, weir_toml_t *value)
{
    const weir_json_position_t *position = weir_json_find(builder->json, builder->pointer.bytes, builder->pointer.size);
    if (position != NULL) {
        value->key_place = position->key_place;
        value->place = position->place;
    }
    if (value->key != NULL && strlen(value->key) != value->key_size)
        return fail(builder, value->key_place, "a NUL character (\\u0000) cannot be part of a key; remove it");
    if (value->type == WEIR_TOML_STRING && strlen(value->string) != value->string_size)
        return fail(builder, value->place, "a NUL character (\\u0000) cannot be part of a string; remove it");
    size_t pointer_size = builder->pointer.size;
    for (size_t i = 0; i < value->child_count; i++) {
        weir_toml_t *child = &value->children[i];
        if (child->key != NULL)
            append_token(&builder->pointer, child->key, child->key_size);
        else
            weir_text_format(&builder->pointer, "/%zu", i);
        if (builder->pointer.failed || !set_places(builder, child))
            return false;
        weir_text_truncate(&builder->pointer, pointer_size);
    }
    if (value->type == WEIR_TOML_TABLE && value->child_count > 1)
        qsort(value->children, value->child_count, sizeof *value->children, in_order_of_the_text);
    return true;
}

/* Refuse what no TOML text can hold, before a parser has to find words for it. */
static bool check_characters(builder_t *builder, const char *text, size_t size)
{
    weir_place_t place = {1, 1};
    for (size_t at = 0; at < size;) {
        uint32_t code_point = 0;
        size_t taken = weir_utf8_character(text + at, size - at, &code_point);
        if (taken == 0)
            return fail(builder, place, "the text is not UTF-8 here; save the manifest as UTF-8");
        if (code_point == 0)
            return fail(builder, place, "a NUL byte; a manifest is plain UTF-8 text");
        if (code_point == '\n')
            place = (weir_place_t){place.line + 1, 1};
        else
            place.column++;
        at += taken;
    }
    return true;
}

/* Where a place is in a text, and the line that it is on. False: nowhere. */
static bool find_place(
    const char *text, size_t size, weir_place_t place, const char **ret_line, size_t *ret_line_size, size_t *ret_offset)
{
    const char *line = text, *end = text + size;
    for (uint32_t number = 1; number < place.line; number++) {
        line = memchr(line, '\n', (size_t)(end - line));
        if (line == NULL)
            return false;
        line++;
    }
    const char *line_end = memchr(line, '\n', (size_t)(end - line));
    size_t line_size = (size_t)((line_end != NULL ? line_end : end) - line), offset = 0;
    for (uint32_t column = 1; column < place.column && offset < line_size; column++) {
        uint32_t code_point;
        offset += weir_utf8_character(line + offset, line_size - offset, &code_point);
    }
    *ret_line = line;
    *ret_line_size = line_size > 0 && line[line_size - 1] == '\r' ? line_size - 1 : line_size;
    *ret_offset = offset < *ret_line_size ? offset : *ret_line_size;
    return place.line > 0 && place.column > 0;
}

/* The size of the key that a text begins with: bare, or in quotes with them. */
static size_t key_size(const char *text, size_t size)
{
    size_t taken = 1;
    if (size == 0)
        return 0;
    if (text[0] == '"' || text[0] == '\'') {
        while (taken < size && (text[taken] != text[0] || (text[0] == '"' && text[taken - 1] == '\\')))
            taken++;
        return taken < size ? taken + 1 : taken;
    }
    for (taken = 0; taken < size; taken++) {
        char letter = (char)(text[taken] | 0x20);
        if (!(letter >= 'a' && letter <= 'z') && !(text[taken] >= '0' && text[taken] <= '9') && text[taken] != '-' &&
            text[taken] != '_')
            break;
    }
    return taken;
}

/* A part of the text, shortened, between `before` and `after`. */
static void add_part(weir_text_t *what, const char *before, const char *part, size_t size, const char *after)
{
    char copy[256];
    size_t copied = size < sizeof copy - 1 ? size : sizeof copy - 1;
    memcpy(copy, part, copied);
    copy[copied] = '\0';
    weir_text_format(what, "%s%s%s", before, weir_shown(copy).text, after);
}

/*
 * Add what is wrong to a message of the TOML parser: the key that is there twice, or the line. No line is shown of a
 * manifest with secret variables, nor of other files with such values: it might hold one.
 */
static void add_offending_text(weir_text_t *what, const char *text, size_t size, weir_place_t place,
    const char *message, weir_toml_content_t content)
{
    const char *line;
    size_t line_size, offset;
    if (message == NULL || !find_place(text, size, place, &line, &line_size, &offset))
        return;
    if (strstr(message, "duplicate key") != NULL) {
        add_part(what, ": ", line + offset, key_size(line + offset, line_size - offset), "; remove one of them");
        return;
    }
    while (line_size > 0 && (line[0] == ' ' || line[0] == '\t'))
        line++, line_size--;
    if (line_size > 0 && content == WEIR_TOML_OPEN && memmem(text, size, "secret", 6) == NULL)
        add_part(what, ", in: ", line, line_size, "");
}

/* Have the bridge parse the text; its answer, copied, is to be freed with free(3). */
static bool parse_syntax(builder_t *builder, const char *text, size_t size, char **ret_json)
{
    char *json = NULL, *message = NULL;
    weir_position_t position = {0, 0};
    if (weir_toml_to_json((weir_bytes_t){text, size}, &json, &message, &position)) {
        *ret_json = weir_text_copy(json); /* the bridge's own text must not be changed */
        weir_bridge_text_free(json);
        return *ret_json != NULL;
    }
    weir_text_t what = {0};
    weir_text_format(&what, "cannot be read as TOML: ");
    if (message != NULL)
        weir_text_add_escaped(&what, message, strlen(message));
    add_offending_text(&what, text, size, (weir_place_t){position.line, position.column}, message, builder->content);
    weir_bridge_text_free(message);
    if (!what.failed)
        fail(builder, (weir_place_t){position.line, position.column}, what.bytes);
    weir_text_free(&what);
    return false;
}

static bool build(builder_t *builder, char *json_text, weir_json_t *json)
{
    switch (weir_json_read(json_text, json)) {
    case WEIR_JSON_OK:
        break;
    case WEIR_JSON_OUT_OF_MEMORY:
        return false;
    case WEIR_JSON_MALFORMED:
        return fail(builder, (weir_place_t){0, 0}, "cannot be read: the TOML parser's answer makes no sense (a bug)");
    }
    builder->json = json;
    weir_text_add(&builder->pointer, "", 0);
    bool placed = !builder->pointer.failed && set_places(builder, &json->document);
    weir_text_free(&builder->pointer);
    return placed;
}

bool weir_toml_parse(const char *path, const char *text, size_t text_size, weir_toml_content_t content,
    weir_toml_document_t *ret_document, char **ret_message)
{
    builder_t builder = {.path = path, .content = content};
    weir_json_t json = {.positions = NULL};
    char *json_text = NULL;
    if (!check_characters(&builder, text, text_size) || !parse_syntax(&builder, text, text_size, &json_text) ||
        !build(&builder, json_text, &json)) {
        weir_json_free(&json);
        free(json_text);
        *ret_message = builder.message;
        return false;
    }
    *ret_document = (weir_toml_document_t){.root = json.document, .text = json_text};
    json.document = (weir_toml_t){.key = NULL};
    weir_json_free(&json);
    return true;
}

void weir_toml_free(weir_toml_document_t *document)
{
    weir_json_free_children(&document->root);
    free(document->text);
    *document = (weir_toml_document_t){.text = NULL};
}

const weir_toml_t *weir_toml_member(const weir_toml_t *table, const char *key)
{
    if (table->type != WEIR_TOML_TABLE)
        return NULL;
    for (size_t i = 0; i < table->child_count; i++) {
        if (strcmp(table->children[i].key, key) == 0)
            return &table->children[i];
    }
    return NULL;
}

const char *weir_toml_type_name(weir_toml_type_t type)
{
    switch (type) {
    case WEIR_TOML_STRING:
        return "a string";
    case WEIR_TOML_INTEGER:
        return "an integer";
    case WEIR_TOML_FLOAT:
        return "a number with a fraction";
    case WEIR_TOML_BOOLEAN:
        return "a boolean";
    case WEIR_TOML_ARRAY:
        return "an array";
    case WEIR_TOML_TABLE:
        return "a table";
    }
    return "of an unknown type";
}
