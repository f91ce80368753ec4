/*
 * otlp_answer.c: reading ExportTraceServiceResponse, in either form. Nothing of an answer is trusted.
 */
#include "observe/otlp_answer.h"

#include "observe/otlp_message.h"

#include <stdio.h>
#include <string.h>

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
    case WEIR_OTLP_WIRE_VARINT:
        return take_varint(at, end, &ret_field->value);
    case WEIR_OTLP_WIRE_BYTES:
        if (!take_varint(at, end, &ret_field->value) || ret_field->value > (uint64_t)(end - *at))
            return false;
        ret_field->bytes = *at;
        *at += ret_field->value;
        return true;
    case WEIR_OTLP_WIRE_FIXED64:
    case WEIR_OTLP_WIRE_FIXED32: {
        ptrdiff_t size = (key & 7) == WEIR_OTLP_WIRE_FIXED64 ? 8 : 4;
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
