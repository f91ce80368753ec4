/*
 * quantity.h: numbers with units as people write them, in options and in manifests.
 */
#ifndef WEIR_APP_QUANTITY_H
#define WEIR_APP_QUANTITY_H

#include <stdbool.h>
#include <stdint.h>

enum { WEIR_MAX_TIMEOUT_MILLISECONDS = 24 * 60 * 60 * 1000 };

/*
 * Parse a duration: a whole number and its unit, "500ms", "2s", "1m" or "1h", greater than 0 and at most
 * WEIR_MAX_TIMEOUT_MILLISECONDS. Without a unit it is of seconds; "us" and "ns" are rounded up to milliseconds (Spin,
 * crates/trigger-http/src/lib.rs, ParsedDuration). Returns false, and leaves `*ret_milliseconds` untouched, for
 * anything else.
 */
bool weir_duration_parse(const char *text, uint64_t *ret_milliseconds);

/*
 * Parse a number of bytes, or one with its unit, "512KiB", "64MiB" or "1GiB", from `least` to `most`. Returns false,
 * and leaves `*ret_bytes` untouched, for anything else.
 */
bool weir_size_parse(const char *text, uint64_t least, uint64_t most, uint64_t *ret_bytes);

/* Parse a whole number from `least` to `most`. False, and nothing stored, for anything else. */
bool weir_count_parse(const char *text, uint64_t least, uint64_t most, uint64_t *ret_number);

#endif
