/*
 * mirror.h: how the mirrors report what they saw: items of a kind and bytes, each as a line "KIND SIZE", the bytes and
 * a line's end, so that a test can tell any bytes apart. After the item "body" comes the request's body as it is.
 */
#ifndef MIRROR_H
#define MIRROR_H

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct mirror_report {
    char *text;
    size_t size;
} mirror_report_t;

static inline void mirror_add_bytes(mirror_report_t *report, const void *bytes, size_t size)
{
    if (size == 0)
        return;
    char *text = realloc(report->text, report->size + size);
    if (text == NULL)
        abort();
    memcpy(text + report->size, bytes, size);
    report->size += size;
    report->text = text;
}

static inline void mirror_add(mirror_report_t *report, const char *kind, const void *bytes, size_t size)
{
    char line[64];
    mirror_add_bytes(report, line, (size_t)snprintf(line, sizeof line, "%s %zu\n", kind, size));
    mirror_add_bytes(report, bytes, size);
    mirror_add_bytes(report, "\n", 1);
}

static inline void mirror_add_text(mirror_report_t *report, const char *kind, const char *text)
{
    mirror_add(report, kind, text, strlen(text));
}

#endif
