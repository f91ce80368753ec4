/*
 * message.h: one-line messages about a component's file, with the place in the manifest. Errors of Wasmtime are
 * shown with it elsewhere too.
 */
#ifndef WEIR_GUEST_MESSAGE_H
#define WEIR_GUEST_MESSAGE_H

#include "app/manifest.h"

#include <stddef.h>
#include <wasmtime.h>

/* What a message says where a thread, or a compiler, was refused by the system: nothing is wrong with the input. */
#define WEIR_GUEST_REFUSED_THREAD "could not be started: "

/* Bytes made fit to show: control characters spelled out, shortened ("...") when long. */
typedef struct weir_shown_bytes {
    char text[256];
} weir_shown_bytes_t;

/* weir_show_bytes(..).text lives until the end of the full expression. */
weir_shown_bytes_t weir_show_bytes(const char *bytes, size_t size);

/* The first line of an error's message likewise; takes ownership of the error. */
weir_shown_bytes_t weir_show_error(wasmtime_error_t *take_error);

/*
 * "spin.toml:7:10: component "hello": ..." to be freed with free(3), or NULL when memory ran out. The parts that come
 * from outside must have been made fit to show.
 */
__attribute__((format(printf, 3, 4))) char *weir_component_message(
    const weir_manifest_t *manifest, const weir_component_t *component, const char *format, ...);

#endif
