/*
 * read_file.h: a whole text file, with a bound. Private to this room.
 */
#ifndef WEIR_APP_READ_FILE_H
#define WEIR_APP_READ_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

typedef enum weir_read_result {
    WEIR_READ_OK = 0,
    WEIR_READ_MISSING, /* there is no such file; there is no message */
    WEIR_READ_FAILED,  /* with a message that begins with the path, or NULL when memory ran out */
} weir_read_result_t;

/*
 * Read a file of at most `limit` bytes that is UTF-8 without NUL. On WEIR_READ_OK fills `*ret_text`, terminated and to
 * be freed with free(3), and `*ret_size`. Any other result leaves both untouched. What is in the file is in no message.
 */
weir_read_result_t weir_read_file(
    const char *path, size_t limit, char **ret_text, size_t *ret_size, char **ret_message);

/* Read from a descriptor until its end, `capacity` bytes at most. Returns how many, or -1 with errno set. */
ssize_t weir_read_up_to(int descriptor, char *ret_bytes, size_t capacity);

#endif
