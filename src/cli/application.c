/*
 * application.c: loading an application's parts in order.
 */
#include "cli/application.h"

#include <stdlib.h>
#include <string.h>

static bool load_files(weir_application_t *application, char **ret_message)
{
    const weir_manifest_t *manifest = &application->manifest;
    for (size_t i = 0; i < manifest->trigger_count; i++) {
        weir_http_trigger_t *trigger = &manifest->triggers[i];
        weir_guest_file_t *file = &application->files[trigger->component];
        weir_guest_file_t loaded;
        /* Once for each trigger: two that want a component in different ways cannot both be right. An application that
         * is a wasm file alone says nothing of how it wants to be called: its kind does. */
        weir_executor_t executor = manifest->is_wasm ? 0 : trigger->executor;
        if (!weir_guest_file_load(
                manifest, &manifest->components[trigger->component], executor, &loaded, ret_message)) {
            return false;
        }
        if (manifest->is_wasm) {
            trigger->executor = weir_guest_file_executor(&loaded);
        }
        weir_guest_file_free(file);
        *file = loaded;
    }
    return true;
}

bool weir_application_load(const char *path, weir_application_t *ret_application, char **ret_message)
{
    weir_application_t application = {.routes = NULL};
    *ret_message = NULL;
    if (!weir_manifest_load(path, &application.manifest, ret_message)) {
        return false;
    }
    size_t count = application.manifest.component_count;
    application.files = calloc(count + 1, sizeof(*application.files));
    application.guests = calloc(count + 1, sizeof(*application.guests));
    if (application.files == NULL || application.guests == NULL ||
        !weir_routes_build(&application.manifest, &application.routes, ret_message) ||
        !load_files(&application, ret_message)) {
        weir_application_free(&application);
        return false;
    }
    *ret_application = application;
    return true;
}

weir_needs_t weir_application_needs(const weir_application_t *application)
{
    weir_needs_t needs = {.concurrency = 0};
    for (size_t i = 0; i < application->manifest.component_count; i++) {
        if (application->files[i].bytes != NULL) {
            weir_guest_file_add_needs(&application->files[i], &needs);
        }
    }
    return needs;
}

bool weir_application_compile(weir_application_t *application, const wasm_engine_t *engine, char **ret_message)
{
    const weir_manifest_t *manifest = &application->manifest;
    for (size_t i = 0; i < manifest->component_count; i++) {
        weir_guest_file_t *file = &application->files[i];
        if (file->bytes == NULL) {
            continue;
        }
        if (!weir_guest_new(engine, manifest, &manifest->components[i], file, &application->guests[i], ret_message)) {
            return false;
        }
        weir_guest_file_free(file);
    }
    return true;
}

void weir_application_free(weir_application_t *application)
{
    for (size_t i = 0; i < application->manifest.component_count; i++) {
        if (application->guests != NULL) {
            weir_guest_free(application->guests[i]);
        }
        if (application->files != NULL) {
            weir_guest_file_free(&application->files[i]);
        }
    }
    free(application->guests);
    free(application->files);
    weir_routes_free(application->routes);
    weir_manifest_free(&application->manifest);
    memset(application, 0, sizeof(*application));
}
