/*
 * option_values.c: the values of options that have bounds of their own.
 */
#include "cli/option_values.h"

bool weir_instance_memory_parse(const char *text, uint64_t *ret_bytes)
{
    return weir_size_parse(text, WEIR_WASM_PAGE, WEIR_MAX_INSTANCE_MEMORY, ret_bytes);
}

bool weir_concurrency_parse(const char *text, uint32_t *ret_number)
{
    uint64_t number;
    if (!weir_count_parse(text, 1, WEIR_MAX_CONCURRENCY, &number)) {
        return false;
    }
    *ret_number = (uint32_t)number;
    return true;
}
