/*
 * test_access_line.c: a request's line in the access log, in both formats, whatever bytes its texts have.
 */
#include "observe/access_line.h"

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

static char line[WEIR_ACCESS_LINE_BYTES + 1];

/* The line, terminated, without its newline. */
static const char *line_of(const weir_request_record_t *record, weir_access_format_t format, bool omits_queries)
{
    const weir_access_style_t style = {format, omits_queries};
    size_t size = weir_access_line(record, &style, line);
    assert_in_range(size, 1, WEIR_ACCESS_LINE_BYTES);
    assert_int_equal(line[size - 1], '\n');
    line[size - 1] = '\0';
    assert_int_equal(strlen(line), size - 1);
    assert_null(strchr(line, '\n'));
    return line;
}

static weir_request_record_t whole_record(void)
{
    return (weir_request_record_t){
        .component = "hello",
        .route = "/hello/...",
        .method = "POST",
        .target = "/hello/a?b=c",
        .host = "example.org:8080",
        .client = "192.0.2.1:40000",
        .secure = true,
        .minor = 1,
        .status = 201,
        .outcome = WEIR_REQUEST_ANSWERED,
        .received_bytes = 12,
        .sent_bytes = 9223372036854775807,
        .begun_at = 5000000000,
        .admitted_at = 5000250400,
        .head_at = 5001000600,
        .ended_at = 6234567890,
        .begun_wall = 1790000000987654321,
        .cpu_nanoseconds = 499,
        .trace = {.trace_id = "\x4b\xf9\x2f\x35\x77\xb3\x4d\xa6\xa3\xce\x92\x9d\x0e\x0e\x47\x36",
            .span_id = "\x00\xf0\x67\xaa\x0b\xa9\x02\xb7"},
    };
}

static void test_a_request_is_told_with_all_its_fields(void **state)
{
    (void)state;
    weir_request_record_t record = whole_record();
    assert_string_equal(line_of(&record, WEIR_ACCESS_LOGFMT, false),
        "time=2026-09-21T14:13:20.987Z client=192.0.2.1:40000 method=POST target=\"/hello/a?b=c\" "
        "host=example.org:8080 scheme=https protocol=HTTP/1.1 status=201 outcome=answered component=hello "
        "route=/hello/... bytes_in=12 bytes_out=9223372036854775807 duration_ms=1234.568 head_ms=1.001 queue_ms=0.250 "
        "cpu_ms=0.000 trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id=00f067aa0ba902b7");
    assert_string_equal(line_of(&record, WEIR_ACCESS_JSON, false),
        "{\"time\":\"2026-09-21T14:13:20.987Z\",\"client\":\"192.0.2.1:40000\",\"method\":\"POST\","
        "\"target\":\"/hello/a?b=c\",\"host\":\"example.org:8080\",\"scheme\":\"https\",\"protocol\":\"HTTP/1.1\","
        "\"status\":201,\"outcome\":\"answered\",\"component\":\"hello\",\"route\":\"/hello/...\",\"bytes_in\":12,"
        "\"bytes_out\":9223372036854775807,\"duration_ms\":1234.568,\"head_ms\":1.001,\"queue_ms\":0.250,"
        "\"cpu_ms\":0.000,\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"span_id\":\"00f067aa0ba902b7\"}");
}

static void test_every_field_of_the_list_is_in_a_whole_line_in_that_order(void **state)
{
    (void)state;
    weir_request_record_t record = whole_record();
    const char *at = line_of(&record, WEIR_ACCESS_JSON, false);
    size_t count = 0;
    for (; weir_access_fields[count] != NULL; count++) {
        char name[40];
        snprintf(name, sizeof name, "\"%s\":", weir_access_fields[count]);
        at = strstr(at, name);
        assert_non_null(at);
    }
    json_t *parsed = json_loads(line, 0, NULL);
    assert_int_equal(json_object_size(parsed), count);
    json_decref(parsed);
}

static void test_what_there_is_not_is_left_out(void **state)
{
    (void)state;
    weir_request_record_t record = {.route = "",
        .method = "",
        .target = "",
        .host = "",
        .client = "[2001:db8::1]:5",
        .minor = 1,
        .outcome = WEIR_REQUEST_MALFORMED,
        .begun_at = 1,
        .ended_at = 1,
        .begun_wall = 1790000000000000000};
    assert_string_equal(line_of(&record, WEIR_ACCESS_LOGFMT, false),
        "time=2026-09-21T14:13:20.000Z client=[2001:db8::1]:5 scheme=http outcome=malformed bytes_in=0 bytes_out=0 "
        "duration_ms=0.000");
    assert_string_equal(line_of(&record, WEIR_ACCESS_JSON, false),
        "{\"time\":\"2026-09-21T14:13:20.000Z\",\"client\":\"[2001:db8::1]:5\",\"scheme\":\"http\","
        "\"outcome\":\"malformed\",\"bytes_in\":0,\"bytes_out\":0,\"duration_ms\":0.000}");
}

static void test_queries_are_left_out_where_that_is_wanted(void **state)
{
    (void)state;
    static const struct {
        const char *target;
        const char *left;
    } cases[] = {{"/a?token=secret", "target=/a "}, {"/a?", "target=/a "}, {"/a", "target=/a "}, {"/?a?b", "target=/ "},
        {"http://h/p?q", "target=http://h/p "}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        weir_request_record_t record = whole_record();
        record.target = cases[i].target;
        assert_non_null(strstr(line_of(&record, WEIR_ACCESS_LOGFMT, true), cases[i].left));
        assert_null(strstr(line, "secret"));
    }
}

static void test_logfmt_quotes_what_could_be_taken_for_something_else(void **state)
{
    (void)state;
    static const struct {
        const char *target;
        const char *shown;
    } cases[] = {
        {"/plain-_.~!$&'()*+,;:@%20", "target=/plain-_.~!$&'()*+,;:@%20 "},
        {"/a b", "target=\"/a b\" "},
        {"/a=b", "target=\"/a=b\" "},
        {"/\" status=200", "target=\"/\\\" status=200\" "},
        {"/\\", "target=\"/\\\\\" "},
        {"/\n", "target=\"/\\n\" "},
        {"/\r\t\x01\x7f", "target=\"/\\r\\t\\u0001\\u007f\" "},
        {"/\x1b[2J", "target=\"/\\u001b[2J\" "},
        {"/gr\xc3\xbcn", "target=\"/gr\xc3\xbcn\" "},
        {"/\xff\xc3", "target=\"/\xef\xbf\xbd\xef\xbf\xbd\" "},
        {"/\xe2\x80\xae\xe2\x80\xa8\xc2\x85", "target=\"/\\u202e\\u2028\\u0085\" "},
        {"/\xf0\x9f\x8c\x8a", "target=\"/\xf0\x9f\x8c\x8a\" "},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        weir_request_record_t record = whole_record();
        record.target = cases[i].target;
        if (strstr(line_of(&record, WEIR_ACCESS_LOGFMT, false), cases[i].shown) == NULL)
            fail_msg("%s is not in: %s", cases[i].shown, line);
    }
}

/* Every pair of bytes, so that each stands before and behind each other one. */
static void test_json_is_json_whatever_bytes_there_are(void **state)
{
    (void)state;
    for (unsigned first = 1; first < 256; first++) {
        char target[3 * 255 + 1];
        size_t size = 0;
        for (unsigned second = 1; second < 256; second++) {
            target[size++] = (char)first;
            target[size++] = (char)second;
        }
        target[size] = '\0';
        weir_request_record_t record = whole_record();
        record.target = target;
        json_error_t error;
        json_t *parsed = json_loads(line_of(&record, WEIR_ACCESS_JSON, false), JSON_REJECT_DUPLICATES, &error);
        if (parsed == NULL)
            fail_msg("%s at %d of: %s", error.text, error.position, line);
        const char *told = json_string_value(json_object_get(parsed, "target"));
        assert_non_null(told);
        if (first < 0x80) /* ASCII comes back as it was; what is no UTF-8 is replaced */
            assert_memory_equal(told, target, 2 * 0x7f);
        assert_int_equal(json_integer_value(json_object_get(parsed, "status")), 201);
        json_decref(parsed);
    }
}

static void test_the_longest_texts_fit(void **state)
{
    (void)state;
    enum { MOST = 20000 };
    static char text[MOST + 1];
    static const char fillers[] = {'a', '\x01', '\xff', '"'};
    for (size_t i = 0; i < sizeof fillers; i++) {
        memset(text, fillers[i], MOST);
        weir_request_record_t record = whole_record();
        record.component = record.route = record.method = record.target = record.host = record.client = text;
        json_t *parsed = json_loads(line_of(&record, WEIR_ACCESS_JSON, false), 0, NULL);
        assert_non_null(parsed);
        json_decref(parsed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_request_is_told_with_all_its_fields),
        cmocka_unit_test(test_every_field_of_the_list_is_in_a_whole_line_in_that_order),
        cmocka_unit_test(test_what_there_is_not_is_left_out),
        cmocka_unit_test(test_queries_are_left_out_where_that_is_wanted),
        cmocka_unit_test(test_logfmt_quotes_what_could_be_taken_for_something_else),
        cmocka_unit_test(test_json_is_json_whatever_bytes_there_are),
        cmocka_unit_test(test_the_longest_texts_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
