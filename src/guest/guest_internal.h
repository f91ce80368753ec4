/*
 * guest_internal.h: what a guest and its code consist of. Private to this room.
 */
#ifndef WEIR_GUEST_GUEST_INTERNAL_H
#define WEIR_GUEST_GUEST_INTERNAL_H

#include "guest/guest.h"
#include "observe/log_rate.h"

/* What is logged of a guest: its lines are counted whoever has it. */
typedef struct weir_guest_lines {
    weir_log_rate_t rate;
    char name[]; /* "component ID" */
} weir_guest_lines_t;

struct weir_guest {
    weir_service_t *service; /* own */
    const weir_component_t *component;
    bool is_program; /* it answers through CGI */
    weir_guest_output_t output;
    bool may_chain;
    weir_guest_lines_t *lines; /* own */
};

/*
 * Load code for an engine and link it: see weir_service_new_component. It is an error when the code is not there, or
 * was compiled for an engine with other settings. Any thread.
 */
wasmtime_error_t *weir_guest_code_link(const weir_guest_code_t *code, const wasm_engine_t *engine,
    const weir_service_settings_t *settings, weir_service_t **ret_service);

/* Take a file over that has code at its beginning, in place of what was there. Nobody may change it any more. */
void weir_guest_code_take_file(weir_guest_code_t *code, int own_descriptor, size_t size);

/* Code that is there, as bytes to be read; they live until they are closed. False: they cannot be had. */
typedef struct weir_code_bytes {
    const char *data;
    size_t size;
    void *mapped; /* or NULL: the code's own */
} weir_code_bytes_t;
bool weir_guest_code_open_bytes(const weir_guest_code_t *code, weir_code_bytes_t *ret_bytes);
void weir_guest_code_close_bytes(weir_code_bytes_t *bytes);

/* What to tell of a component that cannot be compiled or linked; as weir_component_message. Takes the error. */
char *weir_guest_code_message(
    const weir_manifest_t *manifest, const weir_component_t *component, wasmtime_error_t *take_error);

#endif
