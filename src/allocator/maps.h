/*
 * maps.h: reads a maps file of /proc.
 */
#ifndef WEIR_ALLOCATOR_MAPS_H
#define WEIR_ALLOCATOR_MAPS_H

#include "allocator/lines.h"

#include <stdbool.h>
#include <stdint.h>

/* What a maps file says. */
typedef struct weir_maps {
    uint64_t count;     /* of mappings */
    uint64_t stack_end; /* the address behind the main thread's stack; 0 when it is not listed */
} weir_maps_t;

/* Read a maps file (up to 4 Mi lines). False, with the result untouched, when it cannot be read, or a line is not one
 * of a maps file. */
bool weir_maps_read(const char *root, const char *path, weir_maps_t *ret_maps);

/* The same from lines, which are read to their end and not closed. */
bool weir_maps_parse(weir_lines_t *lines, weir_maps_t *ret_maps);

#endif
