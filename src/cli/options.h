/*
 * options.h: the command line of `weir up`.
 */
#ifndef WEIR_CLI_OPTIONS_H
#define WEIR_CLI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#define WEIR_DEFAULT_LISTEN "127.0.0.1:3000"

enum {
    WEIR_DEFAULT_REQUEST_TIMEOUT_MILLISECONDS = 30 * 1000,
    WEIR_MAX_TIMEOUT_MILLISECONDS = 24 * 60 * 60 * 1000,
    WEIR_MAX_CONCURRENCY = 100000,
    WEIR_WASM_PAGE = 64 * 1024,
};

#define WEIR_MAX_INSTANCE_MEMORY (UINT64_C(4) << 30) /* what a 32-bit linear memory can have */

/* The texts are borrowed from the arguments or the environment. */
typedef struct weir_up_options {
    bool help;
    const char *application; /* "." when none was given */
    const char *listen;
    uint64_t request_timeout_milliseconds;
    uint32_t max_concurrency;           /* 0: what the allocator has room for */
    uint64_t max_instance_memory_bytes; /* 0: as far as the allocator lets a memory grow */
    bool disable_cache;                 /* compiled code is neither looked for nor kept */
    bool disable_pooling;
    bool no_trial_requests; /* the allocator is tuned with instances alone: no guest is run before it serves */
    bool quiet;             /* what guests write to their standard streams is not shown */
} weir_up_options_t;

/*
 * Parse the arguments that follow `up`; `arguments[0]` is not looked at. `listen_variable` is the value of
 * SPIN_HTTP_LISTEN_ADDR or NULL; --listen wins over it. On failure returns false, leaves `*ret_options` untouched and
 * stores a one-line message to be freed with free(3), or NULL when memory ran out. One thread at a time (getopt_long).
 */
bool weir_up_options_parse(
    int count, char **arguments, const char *listen_variable, weir_up_options_t *ret_options, char **ret_message);

/*
 * Parse a duration: a whole number and its unit, "500ms", "2s", "1m" or "1h", greater than 0 and at most
 * WEIR_MAX_TIMEOUT_MILLISECONDS. Returns false, and leaves `*ret_milliseconds` untouched, for anything else.
 */
bool weir_duration_parse(const char *text, uint64_t *ret_milliseconds);

/*
 * Parse a limit on an instance's memory: a number of bytes, or one with its unit, "512KiB", "64MiB" or "1GiB", from one
 * WebAssembly page to WEIR_MAX_INSTANCE_MEMORY. Returns false, and leaves `*ret_bytes` untouched, for anything else.
 */
bool weir_instance_memory_parse(const char *text, uint64_t *ret_bytes);

/* Parse a number of requests at once, from 1 to WEIR_MAX_CONCURRENCY. False, and nothing stored, for anything else. */
bool weir_concurrency_parse(const char *text, uint32_t *ret_number);

#endif
