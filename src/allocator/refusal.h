/*
 * refusal.h: what a refusal by Wasmtime says, and which limit stands behind it. Pure functions.
 */
#ifndef WEIR_ALLOCATOR_REFUSAL_H
#define WEIR_ALLOCATOR_REFUSAL_H

#include "allocator/budget.h"
#include "allocator/facts.h"

/* What a refusal was for. */
typedef enum weir_refused {
    WEIR_REFUSED_OTHER = 0,
    WEIR_REFUSED_MEMORIES = 1, /* address space without access */
    WEIR_REFUSED_TABLES = 2,   /* writable */
    WEIR_REFUSED_STACKS = 3,   /* writable */
    WEIR_REFUSED_CODE = 4,     /* to be made executable */
    WEIR_REFUSED_LAST = WEIR_REFUSED_CODE,
} weir_refused_t;

/* A refusal, read from its message. */
typedef struct weir_refusal {
    weir_refused_t what;
    char call[32];  /* "" when it is not named */
    uint64_t bytes; /* 0 when they are not named */
    int error_number;
} weir_refusal_t;

/*
 * Read a message of Wasmtime's, such as "failed to create memory pool mapping ... mmap failed to reserve 0x3efd2000000
 * bytes ... (os error 12)". `length` bytes, not terminated.
 */
void weir_refusal_parse(const char *message, size_t length, weir_refusal_t *ret_refusal);

/*
 * The limit behind a refusal, by the facts and by what the process used when it was refused, which includes what it had
 * of the rung by then. WEIR_LIMIT_UNKNOWN when nothing that is known explains it.
 */
weir_limit_t weir_refusal_limit(const weir_facts_t *facts, const weir_usage_t *usage, const weir_rung_t *rung,
    const weir_needs_t *needs, const weir_refusal_t *refusal);

/* The size of a limit in words, for a message; "" for one that has none. Returns `buffer`. */
const char *weir_limit_value_text(const weir_facts_t *facts, weir_limit_t limit, char *buffer, size_t size);

/* The limit behind a call that was to make a process: WEIR_LIMIT_PROCESSES when there may be no more (fork(2), EAGAIN).
 */
weir_limit_t weir_limit_of_fork(const char *call, int error_number);

#endif
