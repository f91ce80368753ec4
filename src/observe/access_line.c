/*
 * access_line.c: fields one after the other into a line of bounded size. Numbers are written by hand: this is done for
 * every request.
 */
#include "observe/access_line.h"

#include "observe/escape.h"
#include "observe/trace.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    TEXT_BYTES_MAX = 8 * 1024,  /* of a value, before it is escaped */
    TEXTS_BYTES_MAX = 9 * 1024, /* of all */
    NANOSECONDS = 1000 * 1000 * 1000
};

_Static_assert((int)TEXTS_BYTES_MAX *WEIR_ESCAPE_JSON_MAX + 4096 <= (int)WEIR_ACCESS_LINE_BYTES, "texts fit");

typedef enum field {
    FIELD_TIME,
    FIELD_CLIENT,
    FIELD_METHOD,
    FIELD_TARGET,
    FIELD_HOST,
    FIELD_SCHEME,
    FIELD_PROTOCOL,
    FIELD_STATUS,
    FIELD_OUTCOME,
    FIELD_COMPONENT,
    FIELD_ROUTE,
    FIELD_BYTES_IN,
    FIELD_BYTES_OUT,
    FIELD_DURATION,
    FIELD_HEAD,
    FIELD_QUEUE,
    FIELD_CPU,
    FIELD_TRACE_ID,
    FIELD_SPAN_ID,
    FIELD_COUNT,
} field_t;

const char *const weir_access_fields[] = {
    [FIELD_TIME] = "time",
    [FIELD_CLIENT] = "client",
    [FIELD_METHOD] = "method",
    [FIELD_TARGET] = "target",
    [FIELD_HOST] = "host",
    [FIELD_SCHEME] = "scheme",
    [FIELD_PROTOCOL] = "protocol",
    [FIELD_STATUS] = "status",
    [FIELD_OUTCOME] = "outcome",
    [FIELD_COMPONENT] = "component",
    [FIELD_ROUTE] = "route",
    [FIELD_BYTES_IN] = "bytes_in",
    [FIELD_BYTES_OUT] = "bytes_out",
    [FIELD_DURATION] = "duration_ms",
    [FIELD_HEAD] = "head_ms",
    [FIELD_QUEUE] = "queue_ms",
    [FIELD_CPU] = "cpu_ms",
    [FIELD_TRACE_ID] = "trace_id",
    [FIELD_SPAN_ID] = "span_id",
    [FIELD_COUNT] = NULL,
};

typedef struct line {
    char *start;
    char *end;
    size_t texts_left; /* of what may be said in texts */
    bool json;
} line_t;

static void put(line_t *line, const char *bytes, size_t size)
{
    memcpy(line->end, bytes, size);
    line->end += size;
}

/* What stands before a value. */
static void put_name(line_t *line, field_t field)
{
    const char *name = weir_access_fields[field];
    if (line->json)
        put(line, line->end == line->start ? "{\"" : ",\"", 2);
    else if (line->end != line->start)
        *line->end++ = ' ';
    put(line, name, strlen(name));
    put(line, line->json ? "\":" : "=", line->json ? 2 : 1);
}

/* Whether logfmt has it without quotes. */
static bool is_word(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (text[i] <= ' ' || text[i] > '~' || text[i] == '=' || text[i] == '"' || text[i] == '\\')
            return false;
    }
    return size > 0;
}

static void put_bytes(line_t *line, field_t field, const char *text, size_t size)
{
    if (size == 0)
        return;
    size = size < line->texts_left ? size : line->texts_left;
    line->texts_left -= size;
    put_name(line, field);
    if (!line->json && is_word(text, size)) {
        put(line, text, size);
        return;
    }
    *line->end++ = '"';
    line->end += weir_escape_json(text, size, line->end);
    *line->end++ = '"';
}

static void put_text(line_t *line, field_t field, const char *text)
{
    if (text != NULL)
        put_bytes(line, field, text, strnlen(text, TEXT_BYTES_MAX));
}

static void put_digits(line_t *line, uint64_t number, int least)
{
    char digits[24];
    int at = (int)sizeof digits;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
        least--;
    } while (number > 0 || least > 0);
    put(line, digits + at, sizeof digits - (size_t)at);
}

static void put_number(line_t *line, field_t field, uint64_t number)
{
    put_name(line, field);
    put_digits(line, number, 1);
}

/* Nanoseconds, as milliseconds with three places. */
static void put_milliseconds(line_t *line, field_t field, uint64_t nanoseconds)
{
    uint64_t microseconds = nanoseconds / 1000 + (nanoseconds % 1000 >= 500 ? 1 : 0);
    put_name(line, field);
    put_digits(line, microseconds / 1000, 1);
    *line->end++ = '.';
    put_digits(line, microseconds % 1000, 3);
}

/* From one moment to a later one, if both have come. */
static void put_time_between(line_t *line, field_t field, uint64_t from, uint64_t to)
{
    if (from != 0 && to >= from)
        put_milliseconds(line, field, to - from);
}

/* RFC 3339, in UTC. */
static void put_time(line_t *line, field_t field, int64_t nanoseconds)
{
    static _Thread_local time_t shown_second = -1;
    static _Thread_local char shown[sizeof "2026-01-01T00:00:00."];
    time_t second = (time_t)(nanoseconds / NANOSECONDS);
    struct tm parts;
    if (nanoseconds <= 0)
        return;
    if (second != shown_second &&
        (gmtime_r(&second, &parts) == NULL || strftime(shown, sizeof shown, "%Y-%m-%dT%H:%M:%S.", &parts) == 0)) {
        shown_second = -1;
        return;
    }
    shown_second = second;
    put_name(line, field);
    if (line->json)
        *line->end++ = '"';
    put(line, shown, sizeof shown - 1);
    put_digits(line, (uint64_t)(nanoseconds % NANOSECONDS) / 1000000, 3);
    *line->end++ = 'Z';
    if (line->json)
        *line->end++ = '"';
}

static void put_id(line_t *line, field_t field, const unsigned char *bytes, size_t size)
{
    char text[WEIR_TRACE_ID_TEXT + 1];
    weir_trace_write_id(bytes, size, text);
    put_text(line, field, text);
}

size_t weir_access_line(
    const weir_request_record_t *record, const weir_access_style_t *style, char ret_line[WEIR_ACCESS_LINE_BYTES])
{
    const weir_trace_context_t *trace = &record->trace;
    line_t line = {.texts_left = TEXTS_BYTES_MAX, .json = style->format == WEIR_ACCESS_JSON};
    line.start = ret_line;
    line.end = ret_line;
    const char *target = record->target == NULL ? "" : record->target;
    bool has_head = record->method != NULL && record->method[0] != '\0';
    put_time(&line, FIELD_TIME, record->begun_wall);
    put_text(&line, FIELD_CLIENT, record->client);
    put_text(&line, FIELD_METHOD, record->method);
    put_bytes(
        &line, FIELD_TARGET, target, style->omits_queries ? strcspn(target, "?") : strnlen(target, TEXT_BYTES_MAX));
    put_text(&line, FIELD_HOST, record->host);
    put_text(&line, FIELD_SCHEME, record->secure ? "https" : "http");
    put_text(&line, FIELD_PROTOCOL, !has_head ? NULL : record->minor == 0 ? "HTTP/1.0" : "HTTP/1.1");
    if (record->status != 0)
        put_number(&line, FIELD_STATUS, record->status);
    put_text(&line, FIELD_OUTCOME, weir_request_outcome_name(record->outcome));
    put_text(&line, FIELD_COMPONENT, record->component);
    put_text(&line, FIELD_ROUTE, record->route);
    put_number(&line, FIELD_BYTES_IN, record->received_bytes);
    put_number(&line, FIELD_BYTES_OUT, record->sent_bytes);
    put_time_between(&line, FIELD_DURATION, record->begun_at, record->ended_at);
    put_time_between(&line, FIELD_HEAD, record->begun_at, record->head_at);
    put_time_between(&line, FIELD_QUEUE, record->begun_at, record->admitted_at);
    if (record->admitted_at != 0)
        put_milliseconds(&line, FIELD_CPU, record->cpu_nanoseconds);
    if (weir_trace_is_set(trace))
        put_id(&line, FIELD_TRACE_ID, trace->trace_id, sizeof trace->trace_id);
    if (weir_trace_has_span(trace))
        put_id(&line, FIELD_SPAN_ID, trace->span_id, sizeof trace->span_id);
    put(&line, line.json ? "}\n" : "\n", line.json ? 2 : 1);
    return (size_t)(line.end - line.start);
}
