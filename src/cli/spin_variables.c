/*
 * spin_variables.c: the table of Spin's variables (crates/core/src/lib.rs, Config::default).
 */
#include "cli/spin_variables.h"

#include "allocator/translate.h"
#include "app/text.h"
#include "cli/arguments.h"
#include "cli/option_values.h"

#include <stdlib.h>

typedef enum meaning {
    INSTANCES, /* how many instances there may be at once: of several the last in the table counts */
    NONE,      /* weir's allocator decides it, or takes it from the components */
    HEADS,     /* weir's bound on the heads of requests is fixed */
} meaning_t;

/* SPIN_WASMTIME_POOLING is read with SPIN_ALLOCATOR: see strategy.h. */
static const struct {
    const char *name;
    meaning_t meaning;
} variables[] = {
    {"SPIN_MAX_INSTANCE_COUNT", INSTANCES}, {"SPIN_WASMTIME_INSTANCE_COUNT", INSTANCES},
    {"SPIN_WASMTIME_TOTAL_MEMORIES", NONE}, {"SPIN_WASMTIME_TOTAL_TABLES", NONE}, {"SPIN_WASMTIME_TOTAL_STACKS", NONE},
    {"SPIN_WASMTIME_TOTAL_CORE_INSTANCES", NONE}, {"SPIN_WASMTIME_INSTANCE_TABLE_ELEMENTS", NONE},
    {"SPIN_WASMTIME_INSTANCE_SIZE", NONE}, {"SPIN_WASMTIME_CORE_INSTANCE_SIZE", NONE},
    {"SPIN_WASMTIME_CORE_INSTANCE_COUNT", NONE}, {"SPIN_WASMTIME_INSTANCE_TABLES", NONE},
    {"SPIN_WASMTIME_INSTANCE_MEMORIES", NONE}, {"SPIN_WASMTIME_MAX_TABLES_PER_MODULE", NONE},
    {"SPIN_WASMTIME_MAX_MEMORIES_PER_MODULE", NONE}, {"SPIN_WASMTIME_LINEAR_MEMORY_KEEP_RESIDENT", NONE},
    {"SPIN_WASMTIME_TABLE_KEEP_RESIDENT", NONE},
    {"SPIN_HTTP1_MAX_BUF_SIZE", HEADS}, /* crates/trigger-http/src/lib.rs */
};

bool weir_spin_variables_read(char *const *environment, uint32_t *ret_instances, char **ret_note, char **ret_message)
{
    uint32_t instances = 0;
    weir_text_t names = {0};
    const char *heads = NULL;
    *ret_message = NULL;
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
        const char *value = weir_arguments_variable(environment, variables[i].name);
        if (value == NULL || value[0] == '\0') {
            continue;
        }
        if (variables[i].meaning == NONE) {
            weir_text_format(&names, "%s%s", names.size == 0 ? "" : ", ", variables[i].name);
        } else if (variables[i].meaning == HEADS) {
            heads = variables[i].name;
        } else if (!weir_concurrency_parse(value, &instances)) {
            weir_text_free(&names);
            return weir_arguments_refuse(ret_message,
                weir_translate("%s is '%s'; give a number from 1 to %d, or unset it"), variables[i].name, value,
                WEIR_MAX_CONCURRENCY);
        }
    }
    *ret_note = NULL;
    if (names.size > 0) {
        weir_text_format(&names, "%s",
            weir_translate(": without effect here; the allocator finds such settings by trial, or takes them from "
                           "components"));
    }
    if (heads != NULL) {
        weir_text_format(&names, "%s", names.size == 0 ? "" : weir_translate("; "));
        weir_text_format(&names,
            weir_translate("%s: without effect here; the head of a request may have 32 KiB, and a larger one is "
                           "answered with 431"),
            heads);
    }
    if (names.size > 0 || names.failed) {
        *ret_note = weir_text_take(&names);
    }
    *ret_instances = instances;
    return true;
}
