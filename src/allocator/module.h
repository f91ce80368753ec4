/*
 * module.h: the WebAssembly module of a trial, shaped like the needs: as many memories and tables, as large.
 */
#ifndef WEIR_ALLOCATOR_MODULE_H
#define WEIR_ALLOCATOR_MODULE_H

#include "weir/allocator.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WEIR_MODULE_PAGE = 4096, WEIR_MODULE_SEGMENTS = 2 };

/* Where things are in the module's first memory. Bytes. */
typedef struct weir_module_shape {
    uint64_t memory_bytes;                     /* its minimum */
    uint32_t touched_at;                       /* where the timed function writes */
    uint32_t touched_pages;                    /* of WEIR_MODULE_PAGE */
    uint32_t segment_at[WEIR_MODULE_SEGMENTS]; /* the data segments */
    const char *segment[WEIR_MODULE_SEGMENTS]; /* their contents, terminated */
} weir_module_shape_t;

/* The shape that `needs`, which must be complete, ask for. */
void weir_module_shape_make(const weir_needs_t *needs, weir_module_shape_t *ret_shape);

/* How much of the memory, from its start, the timed function writes at most. */
uint64_t weir_module_dirty_bytes(const weir_module_shape_t *shape);

/*
 * The module as text, to be freed with free(3), or NULL without memory. Exports:
 *   memory                  the first memory
 *   work: (i32) -> i32      writes its argument to the start of each touched page, then loads and stores for a while
 *   dirty: (i32, i32, i32)  stores a byte at each address from the first to before the second, in steps of the third
 *   grow: (i32) -> i32      grows the first memory by so many pages of 64 KiB; the old size in pages, or -1
 */
char *weir_module_text(const weir_needs_t *needs, const weir_module_shape_t *shape);

/* What one page of WEIR_MODULE_PAGE bytes of a fresh instance's memory must hold; `at` is a multiple of that. */
void weir_module_expected_page(const weir_module_shape_t *shape, uint64_t at, unsigned char page[WEIR_MODULE_PAGE]);

#endif
