/*
 * test_otlp_span.c: spans are sound JSON and sound protobuf whatever bytes a request has, and what a collector says of
 * those that it has not taken is understood. (What is in them is tested with a collector:
 * tests/program/test_tracing.py.)
 */
#include "observe/escape.h"
#include "observe/otlp_answer.h"
#include "observe/otlp_span.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* cmocka.h wants the others before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
/* clang-format on */

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static weir_request_record_t record_of(const char *text)
{
    return (weir_request_record_t){.component = text,
        .route = text,
        .method = text,
        .target = text,
        .host = text,
        .client = text,
        .minor = 1,
        .status = 500,
        .begun_at = 1,
        .admitted_at = 2,
        .ended_at = 5,
        .begun_wall = 1790000000000000000,
        .trace = {.trace_id = "0123456789abcdef", .span_id = "01234567", .flags = 1}};
}

static weir_otlp_bytes_t encode(const weir_otlp_form_t *form, const char *text, unsigned records)
{
    char name[] = "k";
    char value[] = "v\xff";
    const weir_otlp_text_t resource = {name, value};
    weir_otlp_bytes_t bytes = {.data = NULL};
    weir_request_record_t record = record_of(text);
    weir_otlp_begin(&bytes, form, &resource, 1, "1.0");
    for (unsigned i = 0; i < records; i++)
        weir_otlp_add(&bytes, form, &record);
    weir_otlp_end(&bytes, form);
    assert_false(bytes.failed);
    return bytes;
}

/* Texts with every byte next to others, and of sizes around those at which a length takes a byte more. */
static const char *text_of(unsigned number)
{
    static char text[20001];
    static const size_t sizes[] = {0, 1, 20, 117, 118, 119, 120, 121, 122, 123, 124, 125, 126, 127, 128, 129, 255, 256,
        500, 16370, 16383, 16384, 20000};
    size_t size = number < 256 ? 200 : sizes[number - 256];
    for (size_t i = 0; i < size; i++)
        text[i] = (char)(number >= 256 ? 'a' : i % 2 == 0 ? number : i);
    for (size_t i = 0; i < size; i++)
        text[i] = text[i] == '\0' ? 'x' : text[i];
    text[size] = '\0';
    return text;
}

enum { TEXTS = 256 + 23 };

static void test_json_is_json(void **state)
{
    (void)state;
    const weir_otlp_form_t form = {.json = true};
    for (unsigned i = 0; i < TEXTS; i++) {
        weir_otlp_bytes_t bytes = encode(&form, text_of(i), i % 3);
        json_error_t error;
        json_t *parsed = json_loadb(bytes.data, bytes.size, JSON_REJECT_DUPLICATES, &error);
        if (parsed == NULL)
            fail_msg("text %u: %s at %d", i, error.text, error.position);
        json_decref(parsed);
        weir_otlp_bytes_free(&bytes);
    }
}

/* A field at the front of a message: its number, wire type and, for bytes, what they are. */
typedef struct wire_field {
    uint64_t number;
    unsigned wire;
    const unsigned char *bytes;
    uint64_t size;
} wire_field_t;

static uint64_t take_varint(const unsigned char **at, const unsigned char *end)
{
    uint64_t number = 0;
    unsigned shift = 0;
    unsigned char byte;
    do {
        assert_true(*at < end && shift < 64);
        byte = *(*at)++;
        number |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
    } while (byte >= 0x80);
    assert_true(shift == 7 || byte != 0); /* no more bytes than are needed */
    return number;
}

static wire_field_t take_field(const unsigned char **at, const unsigned char *end)
{
    uint64_t key = take_varint(at, end);
    wire_field_t field = {.number = key >> 3, .wire = (unsigned)key & 7};
    assert_true(field.number >= 1 && field.number <= 16);
    assert_true(field.wire == 0 || field.wire == 1 || field.wire == 2 || field.wire == 5);
    if (field.wire == 0) {
        (void)take_varint(at, end);
    } else if (field.wire == 2) {
        field.size = take_varint(at, end);
        field.bytes = *at;
    }
    uint64_t size = field.wire == 1 ? 8 : field.wire == 5 ? 4 : field.size;
    assert_true(size <= (uint64_t)(end - *at));
    *at += size;
    return field;
}

/* The only field of this number in a message, or how many there are. */
static wire_field_t find(wire_field_t in, uint64_t number, unsigned *ret_count)
{
    wire_field_t found = {.number = 0};
    unsigned count = 0;
    for (const unsigned char *at = in.bytes; at < in.bytes + in.size;) {
        wire_field_t field = take_field(&at, in.bytes + in.size);
        if (field.number == number) {
            found = field;
            count++;
        }
    }
    *ret_count = count;
    return found;
}

/* An attribute's value, when it is a text. */
static void check_attribute(wire_field_t attribute)
{
    unsigned count;
    wire_field_t key = find(attribute, 1, &count);
    assert_true(count == 1 && weir_utf8_is_valid((const char *)key.bytes, (size_t)key.size));
    wire_field_t value = find(attribute, 2, &count);
    assert_int_equal(count, 1);
    wire_field_t text = find(value, 1, &count);
    assert_true(count == 0 || weir_utf8_is_valid((const char *)text.bytes, (size_t)text.size));
}

static void check_span(wire_field_t span)
{
    unsigned count;
    assert_int_equal(find(span, 1, &count).size, 16);
    assert_int_equal(find(span, 2, &count).size, 8);
    wire_field_t name = find(span, 5, &count);
    assert_true(count == 1 && weir_utf8_is_valid((const char *)name.bytes, (size_t)name.size));
    for (const unsigned char *at = span.bytes; at < span.bytes + span.size;) {
        wire_field_t field = take_field(&at, span.bytes + span.size);
        if (field.number == 9)
            check_attribute(field);
    }
}

static void test_protobuf_is_protobuf(void **state)
{
    (void)state;
    const weir_otlp_form_t form = {.json = false};
    for (unsigned i = 0; i < TEXTS; i++) {
        unsigned records = i % 3;
        unsigned count;
        weir_otlp_bytes_t bytes = encode(&form, text_of(i), records);
        wire_field_t all = {.bytes = (const unsigned char *)bytes.data, .size = bytes.size};
        wire_field_t resource_spans = find(all, 1, &count);
        assert_int_equal(count, 1);
        (void)find(resource_spans, 1, &count);
        assert_int_equal(count, 1);
        wire_field_t scope_spans = find(resource_spans, 2, &count);
        assert_int_equal(count, 1);
        (void)find(scope_spans, 2, &count);
        assert_int_equal(count, 2 * records); /* of the request, and of its guest */
        for (const unsigned char *at = scope_spans.bytes; at < scope_spans.bytes + scope_spans.size;) {
            wire_field_t field = take_field(&at, scope_spans.bytes + scope_spans.size);
            if (field.number == 2)
                check_span(field);
        }
        weir_otlp_bytes_free(&bytes);
    }
}

static void test_what_was_not_taken_is_understood(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        size_t size; /* of JSON: all of it */
        bool json;
        bool says;
        uint64_t rejected;
        const char *message;
    } cases[] = {
        {"", 0, false, false, 0, NULL},
        {"\x0a\x00", 2, false, false, 0, NULL},
        {"\x0a\x02\x08\x03", 4, false, true, 3, ""},
        {"\x0a\x06\x08\x96\x01\x12\x01x", 8, false, true, 150, "x"},
        {"\x0a\x03\x12\x01y", 5, false, true, 0, "y"},
        {"\x18\x05\x0a\x02\x08\x03", 6, false, true, 3, ""}, /* a field that is not known comes before */
        {"\x0a\x05\x08\x03", 4, false, false, 0, NULL},      /* shorter than it says */
        {"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, false, false, 0, NULL},
        {"<html>", 6, false, false, 0, NULL},
        {"{}", 0, true, false, 0, NULL},
        {"{\"partialSuccess\":{}}", 0, true, false, 0, NULL},
        {"{\"partialSuccess\":{\"rejectedSpans\":\"12\",\"errorMessage\":\"a \\\" b\"}}", 0, true, true, 12,
            "a \\\" b"},
        {"{\"partialSuccess\" : { \"rejectedSpans\" : 7 } }", 0, true, true, 7, ""},
        {"{\"rejectedSpans\":", 0, true, false, 0, NULL},
        {"{\"errorMessage\":\"", 0, true, false, 0, NULL},
        {"\"rejectedSpans\"", 0, true, false, 0, NULL},
        {"\xff\xfe\x00", 0, true, false, 0, NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint64_t rejected = 0;
        char message[32];
        size_t size = cases[i].json ? strlen(cases[i].answer) : cases[i].size;
        char *exact = malloc(size == 0 ? 1 : size); /* a sanitizer sees a byte too much */
        memcpy(exact, cases[i].answer, size);
        bool says = weir_otlp_read_rejected(exact, size, cases[i].json, &rejected, message, sizeof message);
        if (says != cases[i].says)
            fail_msg("case %zu: %s", i, says ? "understood" : "not understood");
        if (says) {
            assert_int_equal(rejected, cases[i].rejected);
            assert_string_equal(message, cases[i].message);
        }
        free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_is_json),
        cmocka_unit_test(test_protobuf_is_protobuf),
        cmocka_unit_test(test_what_was_not_taken_is_understood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
