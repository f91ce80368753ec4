/*
 * access_line.h: a record of a request as a line of the access log. Pure functions; any thread.
 */
#ifndef WEIR_OBSERVE_ACCESS_LINE_H
#define WEIR_OBSERVE_ACCESS_LINE_H

#include "observe/record.h"

#include <stdbool.h>
#include <stddef.h>

typedef enum weir_access_format {
    WEIR_ACCESS_LOGFMT = 0, /* name=value, with quotes where they are needed */
    WEIR_ACCESS_JSON = 1,   /* one object a line */
} weir_access_format_t;

typedef struct weir_access_style {
    weir_access_format_t format;
    bool omits_queries;
} weir_access_style_t;

/* The names of the fields, in their order. A name that stands alone ends the list. */
extern const char *const weir_access_fields[];

/*
 * No line is longer, with its newline. What does not fit is left out at the end of the texts that it is made of; those
 * of a server's records do fit.
 */
enum { WEIR_ACCESS_LINE_BYTES = 64 * 1024 };

/*
 * Write the line of a record, with a newline at its end, not terminated: no text of a client's can end the line or look
 * like a field. A field that says nothing is left out. Returns its size.
 */
size_t weir_access_line(
    const weir_request_record_t *record, const weir_access_style_t *style, char ret_line[WEIR_ACCESS_LINE_BYTES]);

#endif
