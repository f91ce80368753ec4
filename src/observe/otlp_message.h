/*
 * otlp_message.h: the two ways to write a message of OTLP, as protobuf and as JSON, driven by the same calls: open,
 * field and close a message; in JSON a message is an object, and a repeated field an array. What a message is made of
 * is its writer's affair. Where memory runs out, or the bound is reached, `failed` says so in the end; nothing else has
 * to ask.
 */
#ifndef WEIR_OBSERVE_OTLP_MESSAGE_H
#define WEIR_OBSERVE_OTLP_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that grow up to a bound. */
typedef struct weir_otlp_bytes {
    char *data; /* own */
    size_t size;
    size_t capacity;
    bool failed; /* memory ran out, or the bound was reached: what is in it is not complete */
} weir_otlp_bytes_t;

enum { WEIR_OTLP_BYTES_MAX = 16 * 1024 * 1024 };

/* A field of a message: its number in protobuf, its name in JSON. */
typedef struct weir_otlp_field {
    unsigned number;
    const char *name;
    bool is_long; /* an integer of 64 bits, which is a string in JSON */
} weir_otlp_field_t;

/* How protobuf writes a field down. */
typedef enum weir_otlp_wire {
    WEIR_OTLP_WIRE_VARINT = 0,
    WEIR_OTLP_WIRE_FIXED64 = 1,
    WEIR_OTLP_WIRE_BYTES = 2,
    WEIR_OTLP_WIRE_FIXED32 = 5,
} weir_otlp_wire_t;

typedef struct weir_otlp_out {
    weir_otlp_bytes_t *bytes;
    bool json;
} weir_otlp_out_t;

/* Begin a message; in JSON, of a repeated field an element (`in_array`). Returns where it begins, for its end. */
size_t weir_otlp_open(weir_otlp_out_t out, weir_otlp_field_t field, bool in_array);
void weir_otlp_close(weir_otlp_out_t out, size_t start);

/* Around the messages of a repeated field. */
void weir_otlp_open_array(weir_otlp_out_t out, weir_otlp_field_t field);
void weir_otlp_close_array(weir_otlp_out_t out);

/* A text, with U+FFFD for each byte that is no UTF-8; the id of a trace or a span, of 16 bytes at most; a number; and
 * nanoseconds as a double of seconds. */
void weir_otlp_put_text(weir_otlp_out_t out, weir_otlp_field_t field, const char *text, size_t size);
void weir_otlp_put_id(weir_otlp_out_t out, weir_otlp_field_t field, const unsigned char *id, size_t size);
void weir_otlp_put_number(weir_otlp_out_t out, weir_otlp_field_t field, uint64_t number, weir_otlp_wire_t wire);
void weir_otlp_put_seconds(weir_otlp_out_t out, weir_otlp_field_t field, uint64_t nanoseconds);

/* Text as it is. */
void weir_otlp_put_string(weir_otlp_bytes_t *bytes, const char *text);

/* For protobuf, where nothing has failed: wrap what is there from `from` on as the content of a field; and the size of
 * the message at the beginning, with its key. */
void weir_otlp_wrap(weir_otlp_bytes_t *bytes, size_t from, weir_otlp_field_t field);
size_t weir_otlp_first_size(const weir_otlp_bytes_t *bytes);

/* Free them, and zero the structure. */
void weir_otlp_bytes_free(weir_otlp_bytes_t *bytes);

#endif
