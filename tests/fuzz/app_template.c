/*
 * app_template.c: fuzzes templates, of variables and of outbound hosts. The first line of the input is the value of the
 * variable "a", the second the template.
 */
#include "app/template.h"
#include "app/variables.h"
#include "fuzz.h"

/* Parts are in order, and together with what marks them they are the whole. */
static void check_parts(const char *text)
{
    size_t at = 0, before = 0, size = 0;
    const char *bytes = NULL;
    weir_template_part_t part;
    while ((part = weir_template_next(text, &at, &bytes, &size)) != WEIR_TEMPLATE_END) {
        must_hold(at > before && at <= strlen(text));
        must_hold(bytes >= text + before && bytes + size <= text + at);
        if (part == WEIR_TEMPLATE_NAME) {
            must_hold(memcmp(text + before, "{{", 2) == 0 && memcmp(text + at - 2, "}}", 2) == 0);
            must_hold(size + 4 <= at - before);
        } else {
            must_hold(bytes == text + before && size == at - before);
            must_hold((part == WEIR_TEMPLATE_UNMATCHED) == (strncmp(bytes, "{{", 2) == 0));
            must_hold(part == WEIR_TEMPLATE_LITERAL || text[at] == '\0');
        }
        before = at;
    }
    must_hold(before == strlen(text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *part;
    size_t value_size = take_part(&data, &size, '\n', &part);
    char *value = copy_text(part, value_size);
    char *text = copy_text(data, size);
    check_parts(text);
    weir_application_variable_t variable = {"a", value, true, {1, 1}};
    weir_template_variable_t template = {"x", {text, {2, 1}}};
    weir_placed_text_t host = {text, {3, 1}};
    weir_component_t component = {.id = "first"};
    component.variables = &template;
    component.variable_count = 1;
    component.allowed_outbound_hosts = &host;
    component.allowed_outbound_hosts_count = 1;
    weir_manifest_t manifest = {.path = "spin.toml", .is_wasm = true, .variable_count = 1, .component_count = 1};
    manifest.variables = &variable;
    manifest.components = &component;
    char *environment[] = {NULL};
    weir_variable_list_t overrides = {0};
    weir_variables_t variables;
    weir_outbound_hosts_t hosts;
    char *message = NULL;
    if (weir_variables_resolve(&manifest, &overrides, environment, &variables, &message)) {
        if (strstr(text, "{{") == NULL) {
            must_hold(strcmp(variables.components[0].variables[0].value, text) == 0);
        }
        if (weir_variables_outbound_hosts(&variables, 0, &hosts, &message)) {
            weir_outbound_hosts_free(&hosts);
        } else {
            must_hold(message != NULL && strchr(message, '\n') == NULL);
            free(message);
        }
        weir_variables_free(&variables);
    } else {
        must_hold(message != NULL && strchr(message, '\n') == NULL);
        free(message);
    }
    free(text);
    free(value);
    return 0;
}
