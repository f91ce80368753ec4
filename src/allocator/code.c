/*
 * code.c: what trials compiled, in files without names that their children inherit.
 */
#include "allocator/code.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int find(const weir_codes_t *codes, const weir_rung_t *rung, const weir_needs_t *needs)
{
    for (size_t i = 0; i < codes->count; i++) {
        if (codes->codes[i].slot_bytes == rung->slot_bytes && codes->codes[i].guard_bytes == rung->guard_bytes &&
            codes->codes[i].pulley == rung->pulley &&
            codes->codes[i].minimum_memory_bytes == needs->minimum_memory_bytes &&
            codes->codes[i].memories == needs->memories && codes->codes[i].tables == needs->tables &&
            codes->codes[i].table_elements == needs->table_elements) {
            return codes->codes[i].descriptor;
        }
    }
    return -1;
}

int weir_codes_file(weir_codes_t *codes, const weir_rung_t *rung, const weir_needs_t *needs)
{
    int descriptor = find(codes, rung, needs);
    if (descriptor >= 0 || codes->count == WEIR_CODES_MAX) {
        return descriptor;
    }
    descriptor = memfd_create("weir-trial-code", MFD_CLOEXEC);
    if (descriptor < 0) {
        return -1;
    }
    codes->codes[codes->count].slot_bytes = rung->slot_bytes;
    codes->codes[codes->count].guard_bytes = rung->guard_bytes;
    codes->codes[codes->count].pulley = rung->pulley;
    codes->codes[codes->count].minimum_memory_bytes = needs->minimum_memory_bytes;
    codes->codes[codes->count].memories = needs->memories;
    codes->codes[codes->count].tables = needs->tables;
    codes->codes[codes->count].table_elements = needs->table_elements;
    codes->codes[codes->count++].descriptor = descriptor;
    return descriptor;
}

bool weir_codes_read(
    const weir_codes_t *codes, const weir_rung_t *rung, const weir_needs_t *needs, void **ret_bytes, size_t *ret_size)
{
    struct stat status;
    int descriptor = find(codes, rung, needs);
    if (descriptor < 0 || fstat(descriptor, &status) != 0 || status.st_size <= 0 ||
        status.st_size > WEIR_CODE_BYTES_MOST) {
        return false;
    }
    size_t size = (size_t)status.st_size;
    void *bytes = malloc(size);
    if (bytes == NULL || pread(descriptor, bytes, size, 0) != (ssize_t)size) {
        free(bytes);
        return false;
    }
    *ret_bytes = bytes;
    *ret_size = size;
    return true;
}

void weir_codes_write(
    weir_codes_t *codes, const weir_rung_t *rung, const weir_needs_t *needs, const void *bytes, size_t size)
{
    int descriptor = weir_codes_file(codes, rung, needs);
    if (descriptor >= 0 && pwrite(descriptor, bytes, size, 0) != (ssize_t)size && ftruncate(descriptor, 0) != 0) {
        /* Wasmtime refuses a part of what it wrote. */
    }
}

void weir_codes_free(weir_codes_t *codes)
{
    for (size_t i = 0; i < codes->count; i++) {
        close(codes->codes[i].descriptor);
    }
    memset(codes, 0, sizeof *codes);
}
