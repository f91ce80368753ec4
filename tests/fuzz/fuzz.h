/*
 * fuzz.h: what the fuzzers share. Each is one file, ROOM_NAME.c, that defines LLVMFuzzerTestOneInput and links the room
 * src/ROOM (of src/cli NAME.c alone); inputs to begin with are the files of corpus/ROOM_NAME/.
 */
#ifndef WEIR_TESTS_FUZZ_H
#define WEIR_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* libFuzzer calls this with each input. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must be true of every result: the fuzzer reports it when it is not. */
static inline void must_hold(bool truth)
{
    if (!truth) {
        __builtin_trap();
    }
}

/* A terminated copy, to be freed, that is exactly as large as it must be: a sanitizer sees a byte too much. */
static inline char *copy_text(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    must_hold(text != NULL);
    if (size > 0) {
        memcpy(text, data, size);
    }
    text[size] = '\0';
    return text;
}

/* The part of the input before the first byte `separator`, which is taken off it with that byte. */
static inline size_t take_part(const uint8_t **data, size_t *size, uint8_t separator, const uint8_t **ret_part)
{
    const uint8_t *end = *size == 0 ? NULL : memchr(*data, separator, *size);
    size_t length = end == NULL ? *size : (size_t)(end - *data);
    *ret_part = *data;
    *data += end == NULL ? length : length + 1;
    *size -= end == NULL ? length : length + 1;
    return length;
}

#endif
