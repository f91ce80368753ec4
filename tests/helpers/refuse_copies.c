/*
 * refuse_copies: a library to be preloaded in whose presence there is no memory for the copy of a text, wherever that
 * contains what REFUSE_COPIES says.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The C library's own declaration says more than one that takes its place may. */
char *strdup(const char *text) /* NOLINT(readability-inconsistent-declaration-parameter-name) */
{
    const char *refused = getenv("REFUSE_COPIES");
    size_t size = strlen(text) + 1;
    char *copy = refused != NULL && strstr(text, refused) != NULL ? NULL : malloc(size);
    if (copy == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    return memcpy(copy, text, size);
}
