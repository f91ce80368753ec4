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
 * Open `root` followed by `path` for reading: a descriptor that is the caller's to close, or -1. Where a FIFO or a
 * terminal stands in the place of a file, it waits for nobody.
 */
int weir_procfs_open(const char *root, const char *path);

/*
 * Read `root` followed by `path` into a buffer of `size` bytes and terminate it. Returns false, with the buffer
 * undefined, when the file cannot be read, holds a NUL byte, or does not fit.
 */
bool weir_procfs_read(const char *root, const char *path, char *buffer, size_t size);

/* A text that is one decimal number, with white space around it at most. False for anything else, and on overflow. */
bool weir_procfs_number(const char *text, uint64_t *ret_value);

/* What follows `name` and `separator` on the line of a text that begins with them, up to the text's end; or NULL. */
const char *weir_procfs_line(const char *text, const char *name, char separator);

/* The value in bytes of a line "Name:   123 kB", as in meminfo and status. False when there is no such line. */
bool weir_procfs_kibibytes(const char *text, const char *name, uint64_t *ret_bytes);

/* The value of a line "name 123", as in memory.stat. False when there is no such line. */
bool weir_procfs_statistic(const char *text, const char *name, uint64_t *ret_value);

/* The same, but NUL bytes are allowed: `*ret_length` says where it ends. */
bool weir_procfs_read_bytes(const char *root, const char *path, char *buffer, size_t size, size_t *ret_length);

/* Whether there is such a file: 1, 0, or -1 when that cannot be told. */
int weir_procfs_exists(const char *root, const char *path);

/* Decimal digits at `*text`, which is moved behind them. False, with nothing changed, for anything else. */
bool weir_procfs_take_number(const char **text, uint64_t *ret_value);

/* Read where a symbolic link leads, and terminate it. False, with the buffer undefined, when that cannot be read. */
bool weir_procfs_link(const char *root, const char *path, char *buffer, size_t size);

/* Whether two symbolic links say the same. False, with the result untouched, when one of them cannot be read. */
bool weir_procfs_same_link(const char *root, const char *first, const char *second, bool *ret_same);

#endif
