/*
 * guest.c: a component of the application, loaded and linked, with its environment and its way into the log.
 */
#include "guest/guest.h"

#include "guest/guest_internal.h"
#include "guest/header_filter.h"
#include "guest/message.h"
#include "observe/log.h"

#include <stdlib.h>

static void log_output(void *context, weir_stream_t stream, weir_bytes_t bytes)
{
    const weir_component_t *component = context;
    weir_log_guest(component->id, stream == WEIR_STREAM_STDOUT ? "stdout" : "stderr", bytes.data, bytes.size);
}

static void keep_output(void *context, weir_stream_t stream, weir_bytes_t bytes)
{
    weir_component_log_write(
        context, stream == WEIR_STREAM_STDOUT ? WEIR_COMPONENT_STDOUT : WEIR_COMPONENT_STDERR, bytes.data, bytes.size);
}

static weir_pair_t *environment_of(const weir_component_t *component)
{
    weir_pair_t *environment = calloc(component->environment_count + 1, sizeof *environment);
    for (size_t i = 0; environment != NULL && i < component->environment_count; i++) {
        const weir_variable_t *variable = &component->environment[i];
        environment[i] = (weir_pair_t){weir_bytes_of(variable->name), weir_bytes_of(variable->value)};
    }
    return environment;
}

bool weir_guest_new(const wasm_engine_t *engine, const weir_manifest_t *manifest, const weir_component_t *component,
    const weir_guest_code_t *code, const weir_guest_settings_t *settings, weir_guest_t **ret_guest, char **ret_message)
{
    weir_guest_t *guest = calloc(1, sizeof *guest);
    weir_pair_t *environment = environment_of(component);
    if (guest == NULL || environment == NULL) {
        free(guest);
        free(environment);
        *ret_message = weir_component_message(manifest, component, "memory ran out; free some memory");
        return false;
    }
    weir_output_callback_t output = settings->log != NULL ? keep_output : log_output;
    weir_service_settings_t service = {.size = sizeof service,
        .environment = environment,
        .environment_count = component->environment_count,
        .output = settings->output == WEIR_GUEST_OUTPUT_LOGGED ? output : NULL,
        .output_context = settings->log != NULL ? (void *)settings->log : (void *)(uintptr_t)component,
        .max_memory_bytes = settings->max_memory_bytes};
    wasmtime_error_t *error = weir_guest_code_link(code, engine, &service, &guest->service);
    free(environment);
    if (error != NULL) {
        free(guest);
        *ret_message = weir_guest_code_message(manifest, component, error);
        return false;
    }
    guest->output = settings->output;
    guest->component = component;
    guest->kind = weir_service_kind(guest->service);
    *ret_guest = guest;
    return true;
}

void weir_guest_free(weir_guest_t *own_guest)
{
    if (own_guest == NULL)
        return;
    weir_service_free(own_guest->service);
    free(own_guest);
}

const char *weir_guest_id(const weir_guest_t *guest)
{
    return guest->component->id;
}
