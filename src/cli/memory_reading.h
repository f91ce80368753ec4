/*
 * memory_reading.h: what the policy gets to read, from the machine.
 */
#ifndef WEIR_CLI_MEMORY_READING_H
#define WEIR_CLI_MEMORY_READING_H

#include "cli/pressure_policy.h"

typedef struct weir_memory_reader weir_memory_reader_t;

/* A reader for this process; it finds out once where to read. NULL: memory ran out. */
weir_memory_reader_t *weir_memory_reader_new(void);

/* Free it. NULL is allowed. */
void weir_memory_reader_free(weir_memory_reader_t *own_reader);

/* Read everything but the refusals. Never fails: what cannot be read is unknown. Needs about 64 KiB of stack. */
void weir_memory_reader_read(const weir_memory_reader_t *reader, weir_memory_reading_t *ret_reading);

#endif
