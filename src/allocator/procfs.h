/*
 * procfs.h: reads the small text files of /proc and /sys, which are not trusted: whatever cannot be understood in full
 * is not known. Below a root directory, so that a directory tree can stand in for the machine.
 */
#ifndef WEIR_ALLOCATOR_PROCFS_H
#define WEIR_ALLOCATOR_PROCFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Read `root` followed by `path` into a buffer of `size` bytes and terminate it. Returns false, with the buffer
 * undefined, when the file cannot be read, holds a NUL byte, or does not fit.
 */
bool weir_procfs_read(const char *root, const char *path, char *buffer, size_t size);

/* A text that is one decimal number, with white space around it at most. False for anything else, and on overflow. */
bool weir_procfs_number(const char *text, uint64_t *ret_value);

/* The value in bytes of a line "Name:   123 kB", as in meminfo and status. False when there is no such line. */
bool weir_procfs_kibibytes(const char *text, const char *name, uint64_t *ret_bytes);

/* The value of a line "name 123", as in memory.stat. False when there is no such line. */
bool weir_procfs_statistic(const char *text, const char *name, uint64_t *ret_value);

/* What a maps file says. */
typedef struct weir_procfs_maps {
    uint64_t count;     /* of mappings */
    uint64_t stack_end; /* the address behind the main thread's stack; 0 when it is not listed */
} weir_procfs_maps_t;

/* Read a maps file, however long (up to 4 Mi lines). False when it cannot be read, or a line is not one of a maps file.
 */
bool weir_procfs_maps_read(const char *root, const char *path, weir_procfs_maps_t *ret_maps);

/* Whether two symbolic links say the same. False, with the result untouched, when one of them cannot be read. */
bool weir_procfs_same_link(const char *root, const char *first, const char *second, bool *ret_same);

#endif
