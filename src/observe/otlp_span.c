/*
 * otlp_span.c: what a span says of a request: its fields and attributes.
 */
#include "observe/otlp_span.h"

#include "observe/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Fields ------------------------------------------------------------------------------------------------------ */

static const weir_otlp_field_t resource_spans = {.number = 1, .name = "resourceSpans"};
static const weir_otlp_field_t resource_field = {.number = 1, .name = "resource"};
static const weir_otlp_field_t resource_attributes = {.number = 1, .name = "attributes"};
static const weir_otlp_field_t scope_spans = {.number = 2, .name = "scopeSpans"};
static const weir_otlp_field_t scope_field = {.number = 1, .name = "scope"};
static const weir_otlp_field_t scope_name = {.number = 1, .name = "name"};
static const weir_otlp_field_t scope_version = {.number = 2, .name = "version"};
static const weir_otlp_field_t spans_field = {.number = 2, .name = "spans"};
static const weir_otlp_field_t span_trace_id = {.number = 1, .name = "traceId"};
static const weir_otlp_field_t span_id = {.number = 2, .name = "spanId"};
static const weir_otlp_field_t span_parent_id = {.number = 4, .name = "parentSpanId"};
static const weir_otlp_field_t span_name = {.number = 5, .name = "name"};
static const weir_otlp_field_t span_kind = {.number = 6, .name = "kind"};
static const weir_otlp_field_t span_start = {.number = 7, .name = "startTimeUnixNano", .is_long = true};
static const weir_otlp_field_t span_end = {.number = 8, .name = "endTimeUnixNano", .is_long = true};
static const weir_otlp_field_t span_attributes = {.number = 9, .name = "attributes"};
static const weir_otlp_field_t span_status = {.number = 15, .name = "status"};
static const weir_otlp_field_t span_flags = {.number = 16, .name = "flags"};
static const weir_otlp_field_t status_code = {.number = 3, .name = "code"};
static const weir_otlp_field_t pair_key = {.number = 1, .name = "key"};
static const weir_otlp_field_t pair_value = {.number = 2, .name = "value"};
static const weir_otlp_field_t value_text = {.number = 1, .name = "stringValue"};
static const weir_otlp_field_t value_number = {.number = 3, .name = "intValue", .is_long = true};
static const weir_otlp_field_t value_real = {.number = 4, .name = "doubleValue"};

enum {
    KIND_INTERNAL = 1,
    KIND_SERVER = 2,
    STATUS_ERROR = 2,
    FLAG_HAS_IS_REMOTE = 0x100,
    FLAG_IS_REMOTE = 0x200,
};

/* ---- Attributes -------------------------------------------------------------------------------------------------- */

static size_t open_attribute(weir_otlp_out_t out, weir_otlp_field_t list, const char *name, size_t *ret_value)
{
    size_t start = weir_otlp_open(out, list, true);
    weir_otlp_put_text(out, pair_key, name, strlen(name));
    *ret_value = weir_otlp_open(out, pair_value, false);
    return start;
}

static void close_attribute(weir_otlp_out_t out, size_t start, size_t value)
{
    weir_otlp_close(out, value);
    weir_otlp_close(out, start);
}

static void add_bytes(weir_otlp_out_t out, weir_otlp_field_t list, const char *name, const char *text, size_t size)
{
    size_t value;
    if (size == 0)
        return;
    size_t start = open_attribute(out, list, name, &value);
    weir_otlp_put_text(out, value_text, text, size);
    close_attribute(out, start, value);
}

static void add_text(weir_otlp_out_t out, const char *name, const char *text)
{
    add_bytes(out, span_attributes, name, text, text == NULL ? 0 : strlen(text));
}

static void add_number(weir_otlp_out_t out, const char *name, uint64_t number)
{
    size_t value;
    size_t start = open_attribute(out, span_attributes, name, &value);
    weir_otlp_put_number(out, value_number, number, WEIR_OTLP_WIRE_VARINT);
    close_attribute(out, start, value);
}

/* Nanoseconds, as seconds. */
static void add_seconds(weir_otlp_out_t out, const char *name, uint64_t nanoseconds)
{
    size_t value;
    size_t start = open_attribute(out, span_attributes, name, &value);
    weir_otlp_put_seconds(out, value_real, nanoseconds);
    close_attribute(out, start, value);
}

/* ---- What is said of a request ----------------------------------------------------------------------------------- */

/* The methods that the conventions know; others are "_OTHER", so that nobody can make up names without end. */
static bool method_is_known(const char *method)
{
    static const char *const known[] = {
        "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(method, known[i]) == 0)
            return true;
    }
    return false;
}

static void add_method(weir_otlp_out_t out, const char *method)
{
    bool known = method_is_known(method);
    add_text(out, "http.request.method", known ? method : "_OTHER");
    if (!known)
        add_text(out, "http.request.method_original", method);
}

/* "host:port", "[address]:port" or "host", in its parts. */
static void add_address(weir_otlp_out_t out, const char *address_name, const char *port_name, const char *text)
{
    size_t size = strlen(text);
    const char *colon = strrchr(text, ':');
    const char *bracket = strrchr(text, ']');
    if (colon != NULL && (bracket == NULL || colon > bracket)) {
        char *end;
        unsigned long port = strtoul(colon + 1, &end, 10);
        size = (size_t)(colon - text);
        if (port > 0 && port <= 65535 && *end == '\0')
            add_number(out, port_name, port);
    }
    if (size > 2 && text[0] == '[' && text[size - 1] == ']') {
        text++;
        size -= 2;
    }
    add_bytes(out, span_attributes, address_name, text, size);
}

/* Path and query; of a target that is a whole URL, what stands behind the host. */
static void add_target(weir_otlp_out_t out, const char *target, bool omits_query)
{
    const char *scheme_end = strstr(target, "://");
    const char *query = strchr(target, '?');
    if (target[0] != '/' && scheme_end != NULL && (query == NULL || scheme_end < query)) {
        size_t host = strcspn(scheme_end + 3, "/?");
        target = scheme_end + 3 + host;
    }
    size_t size = strcspn(target, "?");
    add_bytes(out, span_attributes, "url.path", size == 0 ? "/" : target, size == 0 ? 1 : size);
    if (query != NULL && !omits_query)
        add_text(out, "url.query", query + 1);
}

/* Whether the server, or its guest, is to blame. A client that leaves is not. */
static bool is_error(const weir_request_record_t *record)
{
    return record->status >= 500 ||
           (record->outcome != WEIR_REQUEST_ANSWERED && record->outcome != WEIR_REQUEST_LEFT &&
               record->outcome != WEIR_REQUEST_STALLED && record->outcome != WEIR_REQUEST_MALFORMED);
}

static void add_error(weir_otlp_out_t out, const weir_request_record_t *record)
{
    char status[8];
    if (record->outcome != WEIR_REQUEST_ANSWERED) {
        add_text(out, "error.type", weir_request_outcome_name(record->outcome));
    } else if (record->status >= 500) {
        snprintf(status, sizeof status, "%u", (unsigned)record->status);
        add_text(out, "error.type", status);
    }
}

static void add_attributes(weir_otlp_out_t out, const weir_request_record_t *record, bool omits_query)
{
    weir_otlp_open_array(out, span_attributes);
    add_method(out, record->method);
    add_target(out, record->target, omits_query);
    add_text(out, "url.scheme", record->secure ? "https" : "http");
    add_address(out, "server.address", "server.port", record->host);
    add_address(out, "client.address", "client.port", record->client);
    add_text(out, "network.protocol.name", "http");
    add_text(out, "network.protocol.version", record->minor == 0 ? "1.0" : "1.1");
    add_text(out, "http.route", record->route);
    if (record->status != 0)
        add_number(out, "http.response.status_code", record->status);
    add_number(out, "http.request.body.size", record->received_bytes);
    add_number(out, "http.response.body.size", record->sent_bytes);
    add_error(out, record);
    add_text(out, "weir.component", record->component);
    add_text(out, "weir.outcome", weir_request_outcome_name(record->outcome));
    if (record->admitted_at >= record->begun_at && record->admitted_at != 0)
        add_seconds(out, "weir.queue.duration", record->admitted_at - record->begun_at);
    weir_otlp_close_array(out);
}

/* The moment of the wall clock that is one of the monotonic clock. */
static uint64_t wall_of(const weir_request_record_t *record, uint64_t moment)
{
    return (uint64_t)record->begun_wall + (moment > record->begun_at ? moment - record->begun_at : 0);
}

static void put_times(weir_otlp_out_t out, const weir_request_record_t *record, uint64_t from)
{
    weir_otlp_put_number(out, span_start, wall_of(record, from), WEIR_OTLP_WIRE_FIXED64);
    weir_otlp_put_number(out, span_end, wall_of(record, record->ended_at), WEIR_OTLP_WIRE_FIXED64);
}

static void put_status(weir_otlp_out_t out, const weir_request_record_t *record)
{
    if (is_error(record)) {
        size_t status = weir_otlp_open(out, span_status, false);
        weir_otlp_put_number(out, status_code, STATUS_ERROR, WEIR_OTLP_WIRE_VARINT);
        weir_otlp_close(out, status);
    }
}

static void add_server_span(weir_otlp_out_t out, const weir_request_record_t *record, bool omits_query)
{
    const weir_trace_context_t *trace = &record->trace;
    static const unsigned char none[sizeof trace->parent_id];
    bool has_parent = memcmp(trace->parent_id, none, sizeof none) != 0;
    char name[600];
    int length = snprintf(name, sizeof name, "%s%s%.*s", method_is_known(record->method) ? record->method : "HTTP",
        record->route[0] == '\0' ? "" : " ", 512, record->route);
    size_t span = weir_otlp_open(out, spans_field, true);
    weir_otlp_put_id(out, span_trace_id, trace->trace_id, sizeof trace->trace_id);
    weir_otlp_put_id(out, span_id, trace->span_id, sizeof trace->span_id);
    if (has_parent)
        weir_otlp_put_id(out, span_parent_id, trace->parent_id, sizeof trace->parent_id);
    weir_otlp_put_text(out, span_name, name, (size_t)length);
    weir_otlp_put_number(out, span_kind, KIND_SERVER, WEIR_OTLP_WIRE_VARINT);
    put_times(out, record, record->begun_at);
    add_attributes(out, record, omits_query);
    put_status(out, record);
    weir_otlp_put_number(
        out, span_flags, trace->flags | FLAG_HAS_IS_REMOTE | (has_parent ? FLAG_IS_REMOTE : 0), WEIR_OTLP_WIRE_FIXED32);
    weir_otlp_close(out, span);
}

static void add_guest_span(weir_otlp_out_t out, const weir_request_record_t *record)
{
    const weir_trace_context_t *trace = &record->trace;
    unsigned char id[sizeof trace->span_id];
    char name[300];
    int length = snprintf(name, sizeof name, "guest %.*s", 256, record->component);
    weir_trace_random(id, sizeof id);
    size_t span = weir_otlp_open(out, spans_field, true);
    weir_otlp_put_id(out, span_trace_id, trace->trace_id, sizeof trace->trace_id);
    weir_otlp_put_id(out, span_id, id, sizeof id);
    weir_otlp_put_id(out, span_parent_id, trace->span_id, sizeof trace->span_id);
    weir_otlp_put_text(out, span_name, name, (size_t)length);
    weir_otlp_put_number(out, span_kind, KIND_INTERNAL, WEIR_OTLP_WIRE_VARINT);
    put_times(out, record, record->admitted_at);
    weir_otlp_open_array(out, span_attributes);
    add_text(out, "weir.component", record->component);
    add_seconds(out, "weir.guest.cpu_time", record->cpu_nanoseconds);
    weir_otlp_close_array(out);
    put_status(out, record);
    weir_otlp_put_number(out, span_flags, trace->flags | FLAG_HAS_IS_REMOTE, WEIR_OTLP_WIRE_FIXED32);
    weir_otlp_close(out, span);
}

/* ---- All of it --------------------------------------------------------------------------------------------------- */

/*
 * In protobuf the messages around the spans are written at the end, where their sizes are known; until then what stands
 * before the spans in their ScopeSpans is at the beginning of the bytes. So their beginnings need not be remembered:
 * the resource has a size of its own.
 */
void weir_otlp_begin(weir_otlp_bytes_t *bytes, const weir_otlp_form_t *form, const weir_otlp_text_t *resource,
    size_t resource_count, const char *version)
{
    weir_otlp_out_t out = {bytes, form->json};
    bytes->size = 0;
    bytes->failed = false;
    if (out.json) {
        weir_otlp_put_string(bytes, "{");
        weir_otlp_open_array(out, resource_spans);
        (void)weir_otlp_open(out, resource_spans, true);
    }
    size_t start = weir_otlp_open(out, resource_field, false);
    weir_otlp_open_array(out, resource_attributes);
    for (size_t i = 0; i < resource_count; i++)
        add_bytes(out, resource_attributes, resource[i].name, resource[i].value, strlen(resource[i].value));
    weir_otlp_close_array(out);
    weir_otlp_close(out, start);
    if (out.json) {
        weir_otlp_open_array(out, scope_spans);
        (void)weir_otlp_open(out, scope_spans, true);
    }
    start = weir_otlp_open(out, scope_field, false);
    weir_otlp_put_text(out, scope_name, "weir", 4);
    weir_otlp_put_text(out, scope_version, version, strlen(version));
    weir_otlp_close(out, start);
    weir_otlp_open_array(out, spans_field);
}

void weir_otlp_add(weir_otlp_bytes_t *bytes, const weir_otlp_form_t *form, const weir_request_record_t *record)
{
    weir_otlp_out_t out = {bytes, form->json};
    add_server_span(out, record, form->omits_queries);
    if (record->component != NULL && record->admitted_at != 0)
        add_guest_span(out, record);
}

void weir_otlp_end(weir_otlp_bytes_t *bytes, const weir_otlp_form_t *form)
{
    if (form->json) {
        weir_otlp_put_string(bytes, "]}]}]}");
    } else if (!bytes->failed) {
        weir_otlp_wrap(bytes, weir_otlp_first_size(bytes), scope_spans);
        weir_otlp_wrap(bytes, 0, resource_spans);
    }
}
