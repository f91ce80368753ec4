/*
 * otlp_message.c: writing messages of OTLP, in protobuf's encoding (protobuf.dev/programming-guides/encoding) and in
 * its mapping to JSON.
 */
#include "observe/otlp_message.h"

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

static void put_key(weir_otlp_bytes_t *bytes, weir_otlp_field_t field, weir_otlp_wire_t wire)
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

void weir_otlp_put_string(weir_otlp_bytes_t *bytes, const char *text)
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
        weir_otlp_put_string(bytes, ",");
    if (name != NULL) {
        weir_otlp_put_string(bytes, "\"");
        weir_otlp_put_string(bytes, name);
        weir_otlp_put_string(bytes, "\":");
    }
}

size_t weir_otlp_open(weir_otlp_out_t out, weir_otlp_field_t field, bool in_array)
{
    if (out.json) {
        put_name(out.bytes, in_array ? NULL : field.name);
        weir_otlp_put_string(out.bytes, "{");
        return 0;
    }
    put_key(out.bytes, field, WEIR_OTLP_WIRE_BYTES);
    weir_otlp_put_string(out.bytes, " "); /* for its size, if that takes one byte */
    return out.bytes->size;
}

void weir_otlp_close(weir_otlp_out_t out, size_t start)
{
    weir_otlp_bytes_t *bytes = out.bytes;
    if (out.json) {
        weir_otlp_put_string(bytes, "}");
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

void weir_otlp_open_array(weir_otlp_out_t out, weir_otlp_field_t field)
{
    if (out.json) {
        put_name(out.bytes, field.name);
        weir_otlp_put_string(out.bytes, "[");
    }
}

void weir_otlp_close_array(weir_otlp_out_t out)
{
    if (out.json)
        weir_otlp_put_string(out.bytes, "]");
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

void weir_otlp_put_text(weir_otlp_out_t out, weir_otlp_field_t field, const char *text, size_t size)
{
    if (out.json) {
        put_name(out.bytes, field.name);
        weir_otlp_put_string(out.bytes, "\"");
        char *end = reserve(out.bytes, size * WEIR_ESCAPE_JSON_MAX);
        if (end != NULL)
            out.bytes->size += weir_escape_json(text, size, end);
        weir_otlp_put_string(out.bytes, "\"");
        return;
    }
    size_t sound_size = sound(text, size, NULL);
    put_key(out.bytes, field, WEIR_OTLP_WIRE_BYTES);
    put_varint(out.bytes, sound_size);
    char *end = reserve(out.bytes, sound_size);
    if (end != NULL)
        out.bytes->size += sound(text, size, end);
}

void weir_otlp_put_id(weir_otlp_out_t out, weir_otlp_field_t field, const unsigned char *id, size_t size)
{
    char text[WEIR_TRACE_ID_TEXT + 1];
    if (out.json) {
        weir_trace_write_id(id, size, text);
        weir_otlp_put_text(out, field, text, 2 * size);
        return;
    }
    put_key(out.bytes, field, WEIR_OTLP_WIRE_BYTES);
    put_varint(out.bytes, size);
    put(out.bytes, id, size);
}

void weir_otlp_put_number(weir_otlp_out_t out, weir_otlp_field_t field, uint64_t number, weir_otlp_wire_t wire)
{
    char text[32];
    if (out.json) { /* those of 64 bits are strings: the mapping of protobuf to JSON */
        put_name(out.bytes, field.name);
        snprintf(text, sizeof text, field.is_long ? "\"%llu\"" : "%llu", (unsigned long long)number);
        weir_otlp_put_string(out.bytes, text);
        return;
    }
    put_key(out.bytes, field, wire);
    if (wire == WEIR_OTLP_WIRE_VARINT)
        put_varint(out.bytes, number);
    else
        put_fixed(out.bytes, number, wire == WEIR_OTLP_WIRE_FIXED64 ? 8 : 4);
}

void weir_otlp_put_seconds(weir_otlp_out_t out, weir_otlp_field_t field, uint64_t nanoseconds)
{
    if (out.json) {
        char text[48];
        put_name(out.bytes, field.name);
        snprintf(text, sizeof text, "%llu.%09llu", (unsigned long long)(nanoseconds / 1000000000),
            (unsigned long long)(nanoseconds % 1000000000));
        weir_otlp_put_string(out.bytes, text);
        return;
    }
    double seconds = (double)nanoseconds / 1e9;
    uint64_t bits;
    memcpy(&bits, &seconds, sizeof bits);
    put_key(out.bytes, field, WEIR_OTLP_WIRE_FIXED64);
    put_fixed(out.bytes, bits, 8);
}

/* ---- Around what is written -------------------------------------------------------------------------------------- */

void weir_otlp_wrap(weir_otlp_bytes_t *bytes, size_t from, weir_otlp_field_t field)
{
    size_t size = bytes->size - from;
    size_t more = 1 + varint_size(size);
    if (reserve(bytes, more) == NULL)
        return;
    memmove(bytes->data + from + more, bytes->data + from, size);
    bytes->data[from] = (char)(field.number << 3 | WEIR_OTLP_WIRE_BYTES);
    write_varint(bytes->data + from + 1, size);
    bytes->size += more;
}

size_t weir_otlp_first_size(const weir_otlp_bytes_t *bytes)
{
    size_t size = 0;
    size_t at = 1;
    unsigned shift = 0;
    do
        size |= (size_t)(bytes->data[at] & 0x7f) << shift;
    while (shift += 7, (bytes->data[at++] & 0x80) != 0);
    return at + size;
}
