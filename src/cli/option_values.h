/*
 * option_values.h: the values that options and environment variables can have.
 */
#ifndef WEIR_CLI_OPTION_VALUES_H
#define WEIR_CLI_OPTION_VALUES_H

#include "app/quantity.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    WEIR_MAX_TIME_SLICE_MILLISECONDS = 1000,
    WEIR_MAX_CONCURRENCY = 100000,
    WEIR_WASM_PAGE = 64 * 1024,
};

#define WEIR_MAX_INSTANCE_MEMORY (UINT64_C(4) << 30) /* what a 32-bit linear memory can have */

/*
 * Parse a limit on an instance's memory: a number of bytes, or one with its unit, "512KiB", "64MiB" or "1GiB", from one
 * WebAssembly page to WEIR_MAX_INSTANCE_MEMORY. Returns false, and leaves `*ret_bytes` untouched, for anything else.
 */
bool weir_instance_memory_parse(const char *text, uint64_t *ret_bytes);

/* Parse a number of requests at once, from 1 to WEIR_MAX_CONCURRENCY. False, and nothing stored, for anything else. */
bool weir_concurrency_parse(const char *text, uint32_t *ret_number);

#endif
