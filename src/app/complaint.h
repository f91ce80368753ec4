/*
 * complaint.h: how a message about a place in the manifest begins. Private to this room.
 */
#ifndef WEIR_APP_COMPLAINT_H
#define WEIR_APP_COMPLAINT_H

#include "app/manifest.h"

#include <stdarg.h>

/*
 * Store "path:line:column: " and the formatted text in `*ret_message`, to be freed with free(3); NULL when memory ran
 * out. `path` is escaped, what is formatted is not (%m is errno); a place with line 0 is left out, and so is a `path`
 * of NULL. Always false, so that it can be returned.
 */
__attribute__((format(printf, 4, 5))) bool weir_complain(
    char **ret_message, const char *path, weir_place_t place, const char *format, ...);

/* The same for arguments that are in a list. */
__attribute__((format(printf, 4, 0))) bool weir_complain_list(
    char **ret_message, const char *path, weir_place_t place, const char *format, va_list arguments);

#endif
