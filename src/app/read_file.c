/*
 * read_file.c: reads what people wrote for us; a file that is not what it should be is named, and not shown.
 */
#include "app/read_file.h"

#include "app/complaint.h"
#include "observe/escape.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

ssize_t weir_read_up_to(int descriptor, char *ret_bytes, size_t capacity)
{
    size_t size = 0;
    while (size < capacity) {
        ssize_t count = read(descriptor, ret_bytes + size, capacity - size);
        if (count == 0)
            break;
        if (count > 0)
            size += (size_t)count;
        else if (errno != EINTR)
            return -1;
    }
    return (ssize_t)size;
}

weir_read_result_t weir_read_file(const char *path, size_t limit, char **ret_text, size_t *ret_size, char **ret_message)
{
    static const weir_place_t NOWHERE = {0, 0};
    /* Not blocking, so that a FIFO that nobody writes to does not hold up the start. */
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (descriptor < 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            return WEIR_READ_MISSING;
        weir_complain(ret_message, path, NOWHERE, "cannot be opened: %m");
        return WEIR_READ_FAILED;
    }
    struct stat status;
    ssize_t size;
    bool is_text = false;
    char *text = NULL;
    *ret_message = NULL;
    if (fstat(descriptor, &status) == 0 && S_ISDIR(status.st_mode)) {
        weir_complain(ret_message, path, NOWHERE, "is a directory, where a file was looked for");
    } else if ((text = malloc(limit + 1)) != NULL) {
        size = weir_read_up_to(descriptor, text, limit + 1);
        if (size < 0)
            weir_complain(ret_message, path, NOWHERE, "cannot be read: %m");
        else if ((size_t)size > limit)
            weir_complain(ret_message, path, NOWHERE, "is longer than %zu bytes", limit);
        else if (memchr(text, '\0', (size_t)size) != NULL || !weir_utf8_is_valid(text, (size_t)size))
            weir_complain(ret_message, path, NOWHERE, "is not text in UTF-8");
        else
            is_text = true;
    }
    close(descriptor);
    if (!is_text) {
        free(text);
        return WEIR_READ_FAILED;
    }
    text[size] = '\0';
    char *fitting = realloc(text, (size_t)size + 1);
    *ret_text = fitting != NULL ? fitting : text;
    *ret_size = (size_t)size;
    return WEIR_READ_OK;
}
