/*
 * json_text.c: an allocator for jansson that remembers a refusal, and writing without a buffer that grows.
 */
#include "cli/json_text.h"

#include <stdbool.h>
#include <stdlib.h>

/* In ASCII: what a manifest holds, such as U+009B, reaches no terminal as it is. */
enum { FLAGS = JSON_INDENT(2) | JSON_REAL_PRECISION(6) | JSON_ENSURE_ASCII };

static bool refused;

static void *allocate(size_t size)
{
    void *memory = malloc(size);
    refused = refused || memory == NULL;
    return memory;
}

void weir_json_begin(void)
{
    refused = false;
    json_set_alloc_funcs(allocate, free);
}

json_t *weir_json_number(uint64_t value)
{
    return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}

char *weir_json_text(json_t *take_document)
{
    size_t size = take_document == NULL ? 0 : json_dumpb(take_document, NULL, 0, FLAGS);
    char *text = size == 0 || refused ? NULL : malloc(size + 2);
    if (text != NULL && json_dumpb(take_document, text, size, FLAGS) == size && !refused) {
        text[size] = '\n';
        text[size + 1] = '\0';
    } else {
        free(text);
        text = NULL;
    }
    json_decref(take_document);
    return text;
}
