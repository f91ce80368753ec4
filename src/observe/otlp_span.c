/*
 * otlp_span.c: what a span says of a request, and the two ways to write that down. Both are driven by the same calls:
 * open, field and close a message; in JSON a message is an object, and a repeated field an array.
 */
#include "observe/otlp_span.h"

#include "observe/escape.h"
#include "observe/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Bytes ------------------------------------------------------------------------------------------------------- */

/* Room for so many more bytes, or NULL. */
static char *reserve(weir_otlp_bytes_t *bytes, size_t size)
{
    if (bytes->failed || size > WEIR_OTLP_BYTES_MAX - bytes->size) {
        bytes->failed = true;
        return NULL;
    }
    if (bytes->size + size > bytes->capacity) {
        size_t capacity = bytes->capacity < 4096 ? 4096 : bytes->capacity;
        while (capacity < bytes->size + size)
            capacity *= 2;
        char *data = realloc(bytes->data, capacity);
        if (data == NULL) {
            bytes->failed = true;
            return NULL;
        }
        bytes->data = data;
        bytes->capacity = capacity;
    }
    return bytes->data + bytes->size;
}

static void put(weir_otlp_bytes_t *bytes, const void *data, size_t size)
{
    char *end = reserve(bytes, size);
    if (end != NULL && size > 0) {
        memcpy(end, data, size);
        bytes->size += size;
    }
}

void weir_otlp_bytes_free(weir_otlp_bytes_t *bytes)
{
    free(bytes->data);
    *bytes = (weir_otlp_bytes_t){.data = NULL};
}

/* ---- Messages ---------------------------------------------------------------------------------------------------- */

/* A field of a message: its number in protobuf, its name in JSON. */
typedef struct field {
    unsigned number;
    const char *name;
} field_t;

static const field_t resource_spans = {1, "resourceSpans"};
static const field_t resource_field = {1, "resource"};
static const field_t resource_attributes = {1, "attributes"};
static const field_t scope_spans = {2, "scopeSpans"};
static const field_t scope_field = {1, "scope"};
static const field_t scope_name = {1, "name"};
static const field_t scope_version = {2, "version"};
static const field_t spans_field = {2, "spans"};
static const field_t span_trace_id = {1, "traceId"};
static const field_t span_id = {2, "spanId"};
static const field_t span_parent_id = {4, "parentSpanId"};
static const field_t span_name = {5, "name"};
static const field_t span_kind = {6, "kind"};
static const field_t span_start = {7, "startTimeUnixNano"};
static const field_t span_end = {8, "endTimeUnixNano"};
static const field_t span_attributes = {9, "attributes"};
static const field_t span_status = {15, "status"};
static const field_t span_flags = {16, "flags"};
static const field_t status_code = {3, "code"};
static const field_t pair_key = {1, "key"};
static const field_t pair_value = {2, "value"};
static const field_t value_text = {1, "stringValue"};
static const field_t value_number = {3, "intValue"};
static const field_t value_real = {4, "doubleValue"};

enum {
    KIND_INTERNAL = 1,
    KIND_SERVER = 2,
    STATUS_ERROR = 2,
    FLAG_HAS_IS_REMOTE = 0x100,
    FLAG_IS_REMOTE = 0x200,
};

typedef enum wire {
    WIRE_VARINT = 0,
    WIRE_FIXED64 = 1,
    WIRE_BYTES = 2,
    WIRE_FIXED32 = 5,
} wire_t;

typedef struct out {
    weir_otlp_bytes_t *bytes;
    bool json;
} out_t;

static size_t varint_size(uint64_t number)
{
    size_t size = 1;
    while (number >>= 7)
        size++;
    return size;
}

static void write_varint(char *at, uint64_t number)
{
    for (; number >= 0x80; number >>= 7)
        *at++ = (char)(number | 0x80);
    *at = (char)number;
}

static void put_varint(weir_otlp_bytes_t *bytes, uint64_t number)
{
    char *end = reserve(bytes, 10);
    if (end != NULL) {
        write_varint(end, number);
        bytes->size += varint_size(number);
    }
}

static void put_key(weir_otlp_bytes_t *bytes, field_t field, wire_t wire)
{
    put_varint(bytes, (uint64_t)field.number << 3 | wire);
}

/* A number in as many bytes as it has, the lowest first. */
static void put_fixed(weir_otlp_bytes_t *bytes, uint64_t number, size_t size)
{
    unsigned char text[8];
    for (size_t i = 0; i < size; i++)
        text[i] = (unsigned char)(number >> 8 * i);
    put(bytes, text, size);
}

static void put_string(weir_otlp_bytes_t *bytes, const char *text)
{
    put(bytes, text, strlen(text));
}

/* In JSON: the comma before an element, unless it is the first; then its name, if it has one. */
static void put_name(weir_otlp_bytes_t *bytes, const char *name)
{
    char last = bytes->size == 0 ? '{' : bytes->data[bytes->size - 1];
    if (bytes->failed)
        return;
    if (last != '{' && last != '[' && last != ':')
        put_string(bytes, ",");
    if (name != NULL) {
        put_string(bytes, "\"");
        put_string(bytes, name);
        put_string(bytes, "\":");
    }
}

/* Begin a message; in JSON, of a repeated field an element (`in_array`). Returns where it begins, for close_message. */
static size_t open_message(out_t out, field_t field, bool in_array)
{
    if (out.json) {
        put_name(out.bytes, in_array ? NULL : field.name);
        put_string(out.bytes, "{");
        return 0;
    }
    put_key(out.bytes, field, WIRE_BYTES);
    put_string(out.bytes, " "); /* for its size, if that takes one byte */
    return out.bytes->size;
}

static void close_message(out_t out, size_t start)
{
    weir_otlp_bytes_t *bytes = out.bytes;
    if (out.json) {
        put_string(bytes, "}");
        return;
    }
    size_t size = bytes->size - start;
    size_t more = varint_size(size) - 1;
    if (reserve(bytes, more) == NULL)
        return;
    memmove(bytes->data + start + more, bytes->data + start, size);
    write_varint(bytes->data + start - 1, size);
    bytes->size += more;
}

static void open_array(out_t out, field_t field)
{
    if (out.json) {
        put_name(out.bytes, field.name);
        put_string(out.bytes, "[");
    }
}

static void close_array(out_t out)
{
    if (out.json)
        put_string(out.bytes, "]");
}

/* The size of a text with U+FFFD for each byte that is no UTF-8, which is written to `ret_sound` unless that is NULL.
 */
static size_t sound(const char *text, size_t size, char *ret_sound)
{
    size_t sound_size = 0;
    size_t i = 0;
    while (i < size) {
        uint32_t code_point;
        size_t taken = weir_utf8_character(text + i, size - i, &code_point);
        const char *from = taken == 0 ? "\xef\xbf\xbd" : text + i;
        size_t count = taken == 0 ? 3 : taken;
        if (ret_sound != NULL)
            memcpy(ret_sound + sound_size, from, count);
        sound_size += count;
        i += taken == 0 ? 1 : taken;
    }
    return sound_size;
}

static void put_text(out_t out, field_t field, const char *text, size_t size)
{
    if (out.json) {
        put_name(out.bytes, field.name);
        put_string(out.bytes, "\"");
        char *end = reserve(out.bytes, size * WEIR_ESCAPE_JSON_MAX);
        if (end != NULL)
            out.bytes->size += weir_escape_json(text, size, end);
        put_string(out.bytes, "\"");
        return;
    }
    size_t sound_size = sound(text, size, NULL);
    put_key(out.bytes, field, WIRE_BYTES);
    put_varint(out.bytes, sound_size);
    char *end = reserve(out.bytes, sound_size);
    if (end != NULL)
        out.bytes->size += sound(text, size, end);
}

static void put_id(out_t out, field_t field, const unsigned char *id, size_t size)
{
    char text[WEIR_TRACE_ID_TEXT + 1];
    if (out.json) {
        weir_trace_write_id(id, size, text);
        put_text(out, field, text, 2 * size);
        return;
    }
    put_key(out.bytes, field, WIRE_BYTES);
    put_varint(out.bytes, size);
    put(out.bytes, id, size);
}

static void put_number(out_t out, field_t field, uint64_t number, wire_t wire)
{
    char text[32];
    if (out.json) { /* those of 64 bits are strings: the mapping of protobuf to JSON */
        bool is_long = wire == WIRE_FIXED64 || field.name == value_number.name;
        put_name(out.bytes, field.name);
        snprintf(text, sizeof text, is_long ? "\"%llu\"" : "%llu", (unsigned long long)number);
        put_string(out.bytes, text);
        return;
    }
    put_key(out.bytes, field, wire);
    if (wire == WIRE_VARINT)
        put_varint(out.bytes, number);
    else
        put_fixed(out.bytes, number, wire == WIRE_FIXED64 ? 8 : 4);
}

/* ---- Attributes -------------------------------------------------------------------------------------------------- */

static size_t open_attribute(out_t out, field_t list, const char *name, size_t *ret_value)
{
    size_t start = open_message(out, list, true);
    put_text(out, pair_key, name, strlen(name));
    *ret_value = open_message(out, pair_value, false);
    return start;
}

static void close_attribute(out_t out, size_t start, size_t value)
{
    close_message(out, value);
    close_message(out, start);
}

static void add_bytes(out_t out, field_t list, const char *name, const char *text, size_t size)
{
    size_t value;
    if (size == 0)
        return;
    size_t start = open_attribute(out, list, name, &value);
    put_text(out, value_text, text, size);
    close_attribute(out, start, value);
}

static void add_text(out_t out, const char *name, const char *text)
{
    add_bytes(out, span_attributes, name, text, text == NULL ? 0 : strlen(text));
}

static void add_number(out_t out, const char *name, uint64_t number)
{
    size_t value;
    size_t start = open_attribute(out, span_attributes, name, &value);
    put_number(out, value_number, number, WIRE_VARINT);
    close_attribute(out, start, value);
}

/* Nanoseconds, as seconds. */
static void add_seconds(out_t out, const char *name, uint64_t nanoseconds)
{
    size_t value;
    size_t start = open_attribute(out, span_attributes, name, &value);
    if (out.json) {
        char text[48];
        put_name(out.bytes, value_real.name);
        snprintf(text, sizeof text, "%llu.%09llu", (unsigned long long)(nanoseconds / 1000000000),
            (unsigned long long)(nanoseconds % 1000000000));
        put_string(out.bytes, text);
    } else {
        double seconds = (double)nanoseconds / 1e9;
        uint64_t bits;
        memcpy(&bits, &seconds, sizeof bits);
        put_key(out.bytes, value_real, WIRE_FIXED64);
        put_fixed(out.bytes, bits, 8);
    }
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

static void add_method(out_t out, const char *method)
{
    bool known = method_is_known(method);
    add_text(out, "http.request.method", known ? method : "_OTHER");
    if (!known)
        add_text(out, "http.request.method_original", method);
}

/* "host:port", "[address]:port" or "host", in its parts. */
static void add_address(out_t out, const char *address_name, const char *port_name, const char *text)
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
static void add_target(out_t out, const char *target, bool omits_query)
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

static void add_error(out_t out, const weir_request_record_t *record)
{
    char status[8];
    if (record->outcome != WEIR_REQUEST_ANSWERED) {
        add_text(out, "error.type", weir_request_outcome_name(record->outcome));
    } else if (record->status >= 500) {
        snprintf(status, sizeof status, "%u", (unsigned)record->status);
        add_text(out, "error.type", status);
    }
}

static void add_attributes(out_t out, const weir_request_record_t *record, bool omits_query)
{
    open_array(out, span_attributes);
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
    close_array(out);
}

/* The moment of the wall clock that is one of the monotonic clock. */
static uint64_t wall_of(const weir_request_record_t *record, uint64_t moment)
{
    return (uint64_t)record->begun_wall + (moment > record->begun_at ? moment - record->begun_at : 0);
}

static void put_times(out_t out, const weir_request_record_t *record, uint64_t from)
{
    put_number(out, span_start, wall_of(record, from), WIRE_FIXED64);
    put_number(out, span_end, wall_of(record, record->ended_at), WIRE_FIXED64);
}

static void put_status(out_t out, const weir_request_record_t *record)
{
    if (is_error(record)) {
        size_t status = open_message(out, span_status, false);
        put_number(out, status_code, STATUS_ERROR, WIRE_VARINT);
        close_message(out, status);
    }
}

static void add_server_span(out_t out, const weir_request_record_t *record, bool omits_query)
{
    const weir_trace_context_t *trace = &record->trace;
    static const unsigned char none[sizeof trace->parent_id];
    bool has_parent = memcmp(trace->parent_id, none, sizeof none) != 0;
    char name[600];
    int length = snprintf(name, sizeof name, "%s%s%.*s", method_is_known(record->method) ? record->method : "HTTP",
        record->route[0] == '\0' ? "" : " ", 512, record->route);
    size_t span = open_message(out, spans_field, true);
    put_id(out, span_trace_id, trace->trace_id, sizeof trace->trace_id);
    put_id(out, span_id, trace->span_id, sizeof trace->span_id);
    if (has_parent)
        put_id(out, span_parent_id, trace->parent_id, sizeof trace->parent_id);
    put_text(out, span_name, name, (size_t)length);
    put_number(out, span_kind, KIND_SERVER, WIRE_VARINT);
    put_times(out, record, record->begun_at);
    add_attributes(out, record, omits_query);
    put_status(out, record);
    put_number(out, span_flags, trace->flags | FLAG_HAS_IS_REMOTE | (has_parent ? FLAG_IS_REMOTE : 0), WIRE_FIXED32);
    close_message(out, span);
}

static void add_guest_span(out_t out, const weir_request_record_t *record)
{
    const weir_trace_context_t *trace = &record->trace;
    unsigned char id[sizeof trace->span_id];
    char name[300];
    int length = snprintf(name, sizeof name, "guest %.*s", 256, record->component);
    weir_trace_random(id, sizeof id);
    size_t span = open_message(out, spans_field, true);
    put_id(out, span_trace_id, trace->trace_id, sizeof trace->trace_id);
    put_id(out, span_id, id, sizeof id);
    put_id(out, span_parent_id, trace->span_id, sizeof trace->span_id);
    put_text(out, span_name, name, (size_t)length);
    put_number(out, span_kind, KIND_INTERNAL, WIRE_VARINT);
    put_times(out, record, record->admitted_at);
    open_array(out, span_attributes);
    add_text(out, "weir.component", record->component);
    add_seconds(out, "weir.guest.cpu_time", record->cpu_nanoseconds);
    close_array(out);
    put_status(out, record);
    put_number(out, span_flags, trace->flags | FLAG_HAS_IS_REMOTE, WIRE_FIXED32);
    close_message(out, span);
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
    out_t out = {bytes, form->json};
    bytes->size = 0;
    bytes->failed = false;
    if (out.json) {
        put_string(bytes, "{");
        open_array(out, resource_spans);
        (void)open_message(out, resource_spans, true);
    }
    size_t start = open_message(out, resource_field, false);
    open_array(out, resource_attributes);
    for (size_t i = 0; i < resource_count; i++)
        add_bytes(out, resource_attributes, resource[i].name, resource[i].value, strlen(resource[i].value));
    close_array(out);
    close_message(out, start);
    if (out.json) {
        open_array(out, scope_spans);
        (void)open_message(out, scope_spans, true);
    }
    start = open_message(out, scope_field, false);
    put_text(out, scope_name, "weir", 4);
    put_text(out, scope_version, version, strlen(version));
    close_message(out, start);
    open_array(out, spans_field);
}

void weir_otlp_add(weir_otlp_bytes_t *bytes, const weir_otlp_form_t *form, const weir_request_record_t *record)
{
    out_t out = {bytes, form->json};
    add_server_span(out, record, form->omits_queries);
    if (record->component != NULL && record->admitted_at != 0)
        add_guest_span(out, record);
}

/* Wrap what is there from `from` on as the content of a field. */
static void wrap(weir_otlp_bytes_t *bytes, size_t from, field_t field)
{
    size_t size = bytes->size - from;
    size_t more = 1 + varint_size(size);
    if (reserve(bytes, more) == NULL)
        return;
    memmove(bytes->data + from + more, bytes->data + from, size);
    bytes->data[from] = (char)(field.number << 3 | WIRE_BYTES);
    write_varint(bytes->data + from + 1, size);
    bytes->size += more;
}

/* The size of the message at the beginning, with its key. */
static size_t first_message(const weir_otlp_bytes_t *bytes)
{
    size_t size = 0;
    size_t at = 1;
    unsigned shift = 0;
    do
        size |= (size_t)(bytes->data[at] & 0x7f) << shift;
    while (shift += 7, (bytes->data[at++] & 0x80) != 0);
    return at + size;
}

void weir_otlp_end(weir_otlp_bytes_t *bytes, const weir_otlp_form_t *form)
{
    if (form->json) {
        put_string(bytes, "]}]}]}");
    } else if (!bytes->failed) {
        wrap(bytes, first_message(bytes), scope_spans);
        wrap(bytes, 0, resource_spans);
    }
}

/* ---- Answers ----------------------------------------------------------------------------------------------------- */

/* Take a varint off the front. */
static bool take_varint(const unsigned char **at, const unsigned char *end, uint64_t *ret_number)
{
    uint64_t number = 0;
    for (unsigned shift = 0; shift < 64 && *at < end; shift += 7) {
        unsigned char byte = *(*at)++;
        number |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *ret_number = number;
            return true;
        }
    }
    return false;
}

typedef struct taken {
    uint64_t number; /* of the field */
    uint64_t value;  /* or the size of its bytes */
    const unsigned char *bytes;
} taken_t;

/* Take a field off the front of a message. */
static bool take_field(const unsigned char **at, const unsigned char *end, taken_t *ret_field)
{
    uint64_t key;
    if (!take_varint(at, end, &key))
        return false;
    *ret_field = (taken_t){.number = key >> 3};
    switch (key & 7) {
    case WIRE_VARINT:
        return take_varint(at, end, &ret_field->value);
    case WIRE_BYTES:
        if (!take_varint(at, end, &ret_field->value) || ret_field->value > (uint64_t)(end - *at))
            return false;
        ret_field->bytes = *at;
        *at += ret_field->value;
        return true;
    case WIRE_FIXED64:
    case WIRE_FIXED32: {
        ptrdiff_t size = (key & 7) == WIRE_FIXED64 ? 8 : 4;
        if (end - *at < size)
            return false;
        *at += size;
        return true;
    }
    default:
        return false;
    }
}

static void keep(const char *text, size_t text_size, char *ret_message, size_t size)
{
    snprintf(ret_message, size, "%.*s", (int)(text_size < size ? text_size : size), text);
}

static bool read_protobuf(
    const unsigned char *at, size_t answer_size, uint64_t *ret_rejected, char *ret_message, size_t size)
{
    const unsigned char *end = at + answer_size;
    taken_t outer = {.number = 0};
    while (at < end && outer.number != 1) {
        if (!take_field(&at, end, &outer))
            return false;
    }
    if (outer.number != 1 || outer.bytes == NULL)
        return false;
    uint64_t rejected = 0;
    taken_t inner;
    ret_message[0] = '\0';
    for (at = outer.bytes, end = at + outer.value; at < end;) {
        if (!take_field(&at, end, &inner))
            return false;
        if (inner.number == 1 && inner.bytes == NULL)
            rejected = inner.value;
        else if (inner.number == 2 && inner.bytes != NULL)
            keep((const char *)inner.bytes, (size_t)inner.value, ret_message, size);
    }
    *ret_rejected = rejected;
    return rejected > 0 || ret_message[0] != '\0';
}

/* What stands behind a name and its colon, or NULL. The few names that are looked for stand in no other place. */
static const char *behind(const char *text, const char *end, const char *name)
{
    size_t size = strlen(name);
    const char *at = memmem(text, (size_t)(end - text), name, size);
    if (at == NULL)
        return NULL;
    for (at += size; at < end && strchr(" \t\r\n", *at) != NULL && *at != '\0'; at++) {
        /* blanks */
    }
    if (at == end || *at != ':')
        return NULL;
    for (at++; at < end && *at != '\0' && strchr(" \t\r\n", *at) != NULL; at++) {
        /* more of them */
    }
    return at;
}

static bool read_json(const char *at, size_t answer_size, uint64_t *ret_rejected, char *ret_message, size_t size)
{
    const char *end = at + answer_size;
    const char *rejected = behind(at, end, "\"rejectedSpans\"");
    const char *message = behind(at, end, "\"errorMessage\"");
    uint64_t number = 0;
    ret_message[0] = '\0';
    if (rejected != NULL && rejected < end && *rejected == '"')
        rejected++;
    for (; rejected != NULL && rejected < end && *rejected >= '0' && *rejected <= '9' && number < UINT64_MAX / 20;
        rejected++)
        number = number * 10 + (uint64_t)(*rejected - '0');
    if (message != NULL && message < end && *message == '"') {
        const char *last = message + 1;
        while (last < end && *last != '"')
            last += *last == '\\' && end - last > 1 ? 2 : 1;
        keep(message + 1, (size_t)(last - message - 1), ret_message, size);
    }
    *ret_rejected = number;
    return number > 0 || ret_message[0] != '\0';
}

bool weir_otlp_read_rejected(
    const char *answer, size_t answer_size, bool json, uint64_t *ret_rejected, char *ret_message, size_t size)
{
    return json ? read_json(answer, answer_size, ret_rejected, ret_message, size)
                : read_protobuf((const unsigned char *)answer, answer_size, ret_rejected, ret_message, size);
}
