/*
 * code.h: what trials compiled, shared between them: for the same needs, which shape the module, engines that reserve
 * alike run the same code, however many slots they have and whatever they keep resident.
 */
#ifndef WEIR_ALLOCATOR_CODE_H
#define WEIR_ALLOCATOR_CODE_H

#include "weir/allocator.h"

#include <stddef.h>

enum { WEIR_CODES_MAX = 24, WEIR_CODE_BYTES_MOST = 16 * 1024 * 1024 };

/* Files without names (memfd_create(2)), one for each kind of engine and of module. Zero it before use. One thread at a
 * time. */
typedef struct weir_codes {
    struct {
        uint64_t slot_bytes;
        uint64_t guard_bytes;
        bool pulley;
        uint64_t minimum_memory_bytes; /* what of the needs is in the module, as are the next three */
        uint32_t memories;
        uint32_t tables;
        uint32_t table_elements;
        int descriptor;
    } codes[WEIR_CODES_MAX];
    size_t count;
} weir_codes_t;

/*
 * The file for the code of the module that these needs shape, for this rung's engines; empty at first. -1 where none
 * can be had: then each trial compiles.
 */
int weir_codes_file(weir_codes_t *codes, const weir_rung_t *rung, const weir_needs_t *needs);

/* Read what is in such a file: stores bytes to be freed with free(3), and how many. False when there is none. */
bool weir_codes_read(
    const weir_codes_t *codes, const weir_rung_t *rung, const weir_needs_t *needs, void **ret_bytes, size_t *ret_size);

/* Fill such a file. What does not work costs the next trial some time, no more. */
void weir_codes_write(
    weir_codes_t *codes, const weir_rung_t *rung, const weir_needs_t *needs, const void *bytes, size_t size);

/* Close all files, and zero it. */
void weir_codes_free(weir_codes_t *codes);

#endif
