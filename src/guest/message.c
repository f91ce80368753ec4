/*
 * message.c: what people read when a component's file is not what it should be.
 */
#include "guest/message.h"

#include "observe/escape.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char ellipsis[] = "...";

weir_shown_bytes_t weir_show_bytes(const char *bytes, size_t size)
{
    weir_shown_bytes_t shown;
    const size_t most = sizeof shown.text - sizeof ellipsis;
    size_t written = 0;
    while (size > 0) {
        char piece[WEIR_ESCAPE_MAX];
        size_t piece_size;
        size_t taken = weir_escape_next(bytes, size, piece, &piece_size);
        if (written + piece_size > most) {
            memcpy(shown.text + written, ellipsis, sizeof ellipsis - 1);
            written += sizeof ellipsis - 1;
            break;
        }
        memcpy(shown.text + written, piece, piece_size);
        written += piece_size;
        bytes += taken;
        size -= taken;
    }
    shown.text[written] = '\0';
    return shown;
}

weir_shown_bytes_t weir_show_error(wasmtime_error_t *take_error)
{
    wasm_name_t message;
    wasmtime_error_message(take_error, &message);
    wasmtime_error_delete(take_error);
    const char *newline = message.size > 0 ? memchr(message.data, '\n', message.size) : NULL;
    weir_shown_bytes_t shown =
        weir_show_bytes(message.data, newline != NULL ? (size_t)(newline - message.data) : message.size);
    wasm_name_delete(&message);
    return shown;
}

char *weir_component_message(
    const weir_manifest_t *manifest, const weir_component_t *component, const char *format, ...)
{
    char place[32] = "";
    if (component->source_place.line > 0) {
        snprintf(place, sizeof place, ":%u:%u", (unsigned)component->source_place.line,
            (unsigned)component->source_place.column);
    }
    char *text;
    va_list arguments;
    va_start(arguments, format);
    int formatted = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (formatted < 0)
        return NULL;
    char *message;
    int composed =
        asprintf(&message, "%s%s: component \"%s\": %s", weir_show_bytes(manifest->path, strlen(manifest->path)).text,
            place, weir_show_bytes(component->id, strlen(component->id)).text, text);
    free(text);
    return composed < 0 ? NULL : message;
}
