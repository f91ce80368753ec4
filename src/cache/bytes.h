/*
 * bytes.h: reading and writing all bytes or none, however many calls that takes. For every room that keeps files.
 */
#ifndef WEIR_CACHE_BYTES_H
#define WEIR_CACHE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Read `size` bytes that begin `at` bytes into a file, wherever its offset is. False with errno set (ENODATA when the
 * file ends before), and with some of `ret_bytes` written. Any thread.
 */
bool weir_cache_read(int descriptor, void *ret_bytes, size_t size, off_t at);

/* Write `size` bytes in the same way. False with errno set, and perhaps some of them written. Any thread. */
bool weir_cache_write(int descriptor, const void *bytes, size_t size, off_t at);

#endif
