/*
 * app_manifest.c: fuzzes the reading of manifests, and of what is right the table of routes.
 */
#include "app/manifest.h"
#include "app/routes.h"
#include "fuzz.h"

static void check_line(const char *text)
{
    for (; *text != '\0'; text++) {
        must_hold((unsigned char)*text >= ' ' && *text != 0x7F);
    }
}

static void check_texts(const weir_placed_text_t *texts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        must_hold(texts[i].text != NULL && texts[i].place.line > 0 && texts[i].place.column > 0);
    }
}

static void check_component(const weir_component_t *component)
{
    must_hold(component->id != NULL && component->id[0] != '\0');
    must_hold((component->source != NULL) != (component->source_url != NULL));
    must_hold((component->source_url != NULL) == (component->source_digest != NULL));
    must_hold(component->source_digest == NULL || strspn(component->source_digest, "0123456789abcdef") == 64);
    if (component->source_url != NULL) {
        check_line(component->source_url);
    }
    for (size_t i = 0; i < component->variable_count; i++) {
        const weir_template_variable_t *variable = &component->variables[i];
        must_hold(strspn(variable->name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(variable->name));
        check_texts(&variable->value, 1);
    }
    for (size_t i = 0; i < component->environment_count; i++) {
        must_hold(component->environment[i].name[0] != '\0' && component->environment[i].value != NULL);
    }
    for (size_t i = 0; i < component->files_count; i++) {
        const weir_files_t *files = &component->files[i];
        must_hold(files->source[0] != '\0' && (files->destination == NULL || files->destination[0] == '/'));
        must_hold(files->destination == NULL || strstr(files->destination, "/../") == NULL);
    }
    check_texts(component->exclude_files, component->exclude_files_count);
    check_texts(component->allowed_outbound_hosts, component->allowed_outbound_hosts_count);
    for (size_t i = 0; i < component->build.command_count; i++) {
        must_hold(component->build.commands[i] != NULL);
    }
}

static void check_static(const weir_static_response_t *response)
{
    must_hold(response->status >= 200 && response->status <= 999);
    must_hold(response->body[response->body_size] == '\0');
    for (size_t i = 0; i < response->header_count; i++) {
        const weir_variable_t *header = &response->headers[i];
        must_hold(header->name[0] != '\0' && strpbrk(header->name, " \t\r\n:") == NULL);
        must_hold(strpbrk(header->value, "\r\n") == NULL);
    }
}

static void check_manifest(const weir_manifest_t *manifest)
{
    must_hold(manifest->name != NULL && manifest->trigger_count > 0);
    for (size_t i = 0; i < manifest->variable_count; i++) {
        must_hold(manifest->variables[i].name[0] != '\0');
    }
    for (size_t i = 0; i < manifest->component_count; i++) {
        check_component(&manifest->components[i]);
    }
    for (size_t i = 0; i < manifest->trigger_count; i++) {
        const weir_http_trigger_t *trigger = &manifest->triggers[i];
        must_hold(trigger->id != NULL && trigger->id[0] != '\0');
        must_hold((trigger->component == WEIR_NO_COMPONENT) == (trigger->static_response != NULL));
        must_hold(trigger->component == WEIR_NO_COMPONENT || trigger->component < manifest->component_count);
        must_hold(trigger->executor == WEIR_EXECUTOR_HTTP || trigger->wagi_argv != NULL);
        if (trigger->static_response != NULL) {
            check_static(trigger->static_response);
        }
    }
    for (size_t i = 0; i < manifest->warning_count; i++) {
        check_line(manifest->warnings[i]);
    }
}

static void check_failure(char *own_message)
{
    must_hold(own_message != NULL && strncmp(own_message, "spin.toml:", 10) == 0);
    check_line(own_message);
    free(own_message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = copy_text(data, size);
    weir_manifest_t manifest;
    char *message = NULL;
    if (!weir_manifest_parse("spin.toml", text, size, &manifest, &message)) {
        check_failure(message);
        free(text);
        return 0;
    }
    check_manifest(&manifest);
    weir_routes_t *routes = NULL;
    if (weir_routes_build(&manifest, &routes, &message)) {
        for (size_t i = 0; i < weir_routes_warning_count(routes); i++) {
            check_line(weir_routes_warning(routes, i));
        }
        weir_route_match_t match;
        weir_routes_match(routes, "/a/b.c/d", 8, &match);
        weir_routes_free(routes);
    } else {
        check_failure(message);
    }
    weir_manifest_free(&manifest);
    free(text);
    return 0;
}
