/*
 * template.c: takes templates apart. There is no escape for braces, and none within others.
 */
#include "app/template.h"

#include <string.h>

static int is_space(char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

weir_template_part_t weir_template_next(const char *text, size_t *at, const char **ret_bytes, size_t *ret_size)
{
    const char *start = text + *at;
    if (*start == '\0')
        return WEIR_TEMPLATE_END;
    const char *open = strstr(start, "{{");
    if (open != start) {
        size_t size = open == NULL ? strlen(start) : (size_t)(open - start);
        *ret_bytes = start;
        *ret_size = size;
        *at += size;
        return WEIR_TEMPLATE_LITERAL;
    }
    const char *close = strstr(open + 2, "}}");
    if (close == NULL) {
        *ret_bytes = start;
        *ret_size = strlen(start);
        *at += *ret_size;
        return WEIR_TEMPLATE_UNMATCHED;
    }
    *at = (size_t)(close + 2 - text);
    const char *name = open + 2;
    while (name < close && is_space(*name))
        name++;
    while (name < close && is_space(close[-1]))
        close--;
    *ret_bytes = name;
    *ret_size = (size_t)(close - name);
    return WEIR_TEMPLATE_NAME;
}
