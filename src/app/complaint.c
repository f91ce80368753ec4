/*
 * complaint.c: messages that name the file and the place.
 */
#include "app/complaint.h"

#include "app/text.h"

#include <errno.h>
#include <string.h>

bool weir_complain_list(char **ret_message, const char *path, weir_place_t place, const char *format, va_list arguments)
{
    int error = errno; /* for %m */
    weir_text_t text = {0};
    if (path != NULL)
        weir_text_add_escaped(&text, path, strlen(path));
    if (path != NULL && place.line > 0)
        weir_text_format(&text, ":%u:%u", (unsigned)place.line, (unsigned)place.column);
    if (path != NULL)
        weir_text_format(&text, ": ");
    errno = error;
    weir_text_format_list(&text, format, arguments);
    *ret_message = weir_text_take(&text);
    return false;
}

bool weir_complain(char **ret_message, const char *path, weir_place_t place, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    weir_complain_list(ret_message, path, place, format, arguments);
    va_end(arguments);
    return false;
}
