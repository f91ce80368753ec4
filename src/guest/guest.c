/*
 * guest.c: a component of the application, loaded and linked, with its environment and its way into the log.
 */
#include "guest/guest.h"

#include "allocator/translate.h"
#include "guest/guest_internal.h"
#include "guest/header_filter.h"
#include "guest/message.h"
#include "observe/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* What a component imports and nothing provides: a line of the log, which may have so many bytes. */
typedef struct unknown_imports {
    const weir_component_t *component;
    size_t count;
    size_t size;
    char names[3072];
} unknown_imports_t;

static void log_unknown_imports(unknown_imports_t *imports)
{
    if (imports->count > 0)
        weir_log(WEIR_LOG_WARNING,
            imports->count == 1
                ? weir_translate("component %s imports %s, which weir does not provide; a call to it traps")
                : weir_translate("component %s imports %s, which weir does not provide; a call to one of them traps"),
            imports->component->id, imports->names);
    imports->count = imports->size = 0;
}

static void add_unknown_import(void *context, weir_bytes_t import)
{
    unknown_imports_t *imports = context;
    weir_shown_bytes_t name = weir_show_bytes(import.data, import.size);
    if (imports->size + sizeof ", " + strlen(name.text) > sizeof imports->names)
        log_unknown_imports(imports); /* rather than leave some out */
    imports->size += (size_t)snprintf(imports->names + imports->size, sizeof imports->names - imports->size, "%s%s",
        imports->count++ > 0 ? ", " : "", name.text);
}

static weir_pair_t pair_of(const weir_variable_t *variable)
{
    return (weir_pair_t){weir_bytes_of(variable->name), weir_bytes_of(variable->value)};
}

/* Put a variable in place of one with its name, or at the end. */
static void put(weir_pair_t *pairs, size_t *count, const weir_variable_t *variable)
{
    weir_pair_t pair = pair_of(variable);
    size_t place = 0;
    while (place < *count && (pairs[place].name.size != pair.name.size ||
                                 memcmp(pairs[place].name.data, pair.name.data, pair.name.size) != 0))
        place++;
    pairs[place] = pair;
    *count += place == *count ? 1 : 0;
}

/* What a service borrows of a component and its settings, in one block to be freed with free(3). */
static weir_pair_t *gather(
    const weir_component_t *component, const weir_guest_settings_t *settings, weir_service_settings_t *service)
{
    size_t most = component->environment_count + settings->environment_count;
    weir_pair_t *pairs = calloc(most + settings->variable_count + 1, sizeof *pairs);
    if (pairs == NULL)
        return NULL;
    size_t count = 0;
    for (size_t i = 0; i < component->environment_count; i++)
        put(pairs, &count, &component->environment[i]);
    for (size_t i = 0; i < settings->environment_count; i++)
        put(pairs, &count, &settings->environment[i]);
    for (size_t i = 0; i < settings->variable_count; i++)
        pairs[most + i] = pair_of(&settings->variables[i]);
    service->environment = pairs;
    service->environment_count = count;
    service->variables = pairs + most;
    service->variable_count = settings->variable_count;
    return pairs;
}

static weir_guest_lines_t *new_lines(const weir_component_t *component)
{
    static const char kind[] = "component ";
    size_t size = sizeof kind + strlen(component->id);
    weir_guest_lines_t *lines = malloc(sizeof *lines + size);
    if (lines == NULL)
        return NULL;
    snprintf(lines->name, size, "%s%s", kind, component->id);
    weir_log_rate_init(&lines->rate);
    return lines;
}

static void free_lines(weir_guest_lines_t *own_lines)
{
    if (own_lines == NULL)
        return;
    weir_log_rate_destroy(&own_lines->rate, own_lines->name);
    free(own_lines);
}

bool weir_guest_new(const wasm_engine_t *engine, const weir_manifest_t *manifest, const weir_component_t *component,
    const weir_guest_code_t *code, const weir_guest_settings_t *settings, weir_guest_t **ret_guest, char **ret_message)
{
    bool logged = settings->output == WEIR_GUEST_OUTPUT_LOGGED;
    unknown_imports_t unknown = {.component = component};
    weir_output_callback_t output = settings->log != NULL ? keep_output : log_output;
    weir_service_settings_t service = {.size = sizeof service,
        .output = logged ? output : NULL,
        .output_context = settings->log != NULL ? (void *)settings->log : (void *)(uintptr_t)component,
        .max_memory_bytes = settings->max_memory_bytes,
        .command = settings->executor == WEIR_EXECUTOR_WAGI,
        .mounts = settings->mounts,
        .mount_count = settings->mount_count,
        .trap_unknown_imports = settings->trap_unknown_imports,
        .reuse = settings->reuse,
        .unknown_import = logged && !settings->relinked ? add_unknown_import : NULL,
        .unknown_import_context = &unknown};
    weir_guest_t *guest = calloc(1, sizeof *guest);
    weir_pair_t *pairs = gather(component, settings, &service);
    weir_guest_lines_t *lines = new_lines(component);
    weir_outbound_policy_t outbound;
    weir_host_t host;
    bool has_host = weir_host_make(settings->stores, settings->store_count, &host);
    if (guest == NULL || pairs == NULL || lines == NULL || !has_host ||
        !weir_outbound_policy_new(manifest, component, &settings->outbound, &outbound)) {
        if (has_host)
            weir_host_give_back(&host);
        free(guest);
        free(pairs);
        free_lines(lines);
        *ret_message = weir_component_message(manifest, component, "memory ran out; free some memory");
        return false;
    }
    service.outbound = &outbound;
    service.host = &host;
    wasmtime_error_t *error = weir_guest_code_link(code, engine, &service, &guest->service);
    free(pairs);
    log_unknown_imports(&unknown);
    if (error != NULL) {
        outbound.release(outbound.context);
        weir_host_give_back(&host);
        free(guest);
        free_lines(lines);
        *ret_message = weir_guest_code_message(manifest, component, error);
        return false;
    }
    guest->output = settings->output;
    guest->lines = lines;
    guest->component = component;
    guest->is_program = weir_service_is_command(guest->service);
    guest->may_chain = weir_outbound_may_chain(manifest, &settings->outbound);
    *ret_guest = guest;
    return true;
}

void weir_guest_free(weir_guest_t *own_guest)
{
    if (own_guest == NULL)
        return;
    weir_service_free(own_guest->service);
    free_lines(own_guest->lines);
    free(own_guest);
}

void weir_guest_log(const weir_guest_t *guest, weir_log_level_t level, const char *format, ...)
{
    char text[3072];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (level == WEIR_LOG_DEBUG)
        weir_log(level, "%s: %s", guest->lines->name, text);
    else
        weir_log_rated(&guest->lines->rate, level, guest->lines->name, "%s", text);
}

const char *weir_guest_id(const weir_guest_t *guest)
{
    return guest->component->id;
}

bool weir_guest_may_chain(const weir_guest_t *guest)
{
    return guest->may_chain;
}
