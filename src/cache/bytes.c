/*
 * bytes.c: pread(2) and pwrite(2) until all is done: an offset is shared with whoever has the same descriptor.
 */
#include "cache/bytes.h"

#include <errno.h>
#include <unistd.h>

bool weir_cache_read(int descriptor, void *ret_bytes, size_t size, off_t at)
{
    for (size_t have = 0; have < size;) {
        ssize_t count = pread(descriptor, (char *)ret_bytes + have, size - have, at + (off_t)have);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            errno = count == 0 ? ENODATA : errno;
            return false;
        }
        have += (size_t)count;
    }
    return true;
}

bool weir_cache_write(int descriptor, const void *bytes, size_t size, off_t at)
{
    for (size_t written = 0; written < size;) {
        ssize_t count = pwrite(descriptor, (const char *)bytes + written, size - written, at + (off_t)written);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            errno = count == 0 ? EIO : errno;
            return false;
        }
        written += (size_t)count;
    }
    return true;
}
