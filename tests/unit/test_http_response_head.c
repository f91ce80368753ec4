/*
 * test_http_response_head.c: the heads of responses, byte by byte, and the framing of their bodies (RFC 9112, sections
 * 6 and 9.3; RFC 9110, section 8.6).
 */
#include "http/response_head.h"
#include "http/status.h"
#include "http/transport.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static void bodies_are_framed_as_the_request_allows(void **state)
{
    (void)state;
    static const struct {
        weir_response_form_t form;
        weir_framing_t framing;
        const char *own; /* what the head says of it */
    } rows[] = {
        {{.status = 200, .minor = 1, .length = 5, .keeps = true}, WEIR_FRAMING_LENGTH, "Content-Length: 5\r\n"},
        {{.status = 200, .minor = 1, .length = 0, .keeps = true}, WEIR_FRAMING_LENGTH, "Content-Length: 0\r\n"},
        {{.status = 200, .minor = 1, .length = -1, .keeps = true}, WEIR_FRAMING_CHUNKS,
            "Transfer-Encoding: chunked\r\n"},
        {{.status = 200, .minor = 1, .length = -1}, WEIR_FRAMING_CHUNKS,
            "Transfer-Encoding: chunked\r\nConnection: close\r\n"},
        {{.status = 200, .minor = 0, .length = -1, .keeps = true}, WEIR_FRAMING_CLOSE, "Connection: close\r\n"},
        {{.status = 200, .minor = 0, .length = 5, .keeps = true}, WEIR_FRAMING_LENGTH,
            "Content-Length: 5\r\nConnection: keep-alive\r\n"},
        {{.status = 200, .minor = 0, .length = 5}, WEIR_FRAMING_LENGTH, "Content-Length: 5\r\nConnection: close\r\n"},
        {{.status = 200, .minor = 1, .head_only = true, .length = 5, .keeps = true}, WEIR_FRAMING_NONE,
            "Content-Length: 5\r\n"},
        {{.status = 200, .minor = 1, .head_only = true, .length = -1, .keeps = true}, WEIR_FRAMING_NONE, ""},
        {{.status = 204, .minor = 1, .length = 0, .keeps = true}, WEIR_FRAMING_NONE, ""},
        {{.status = 304, .minor = 1, .length = 5, .keeps = true}, WEIR_FRAMING_NONE, "Content-Length: 5\r\n"},
        {{.status = 304, .minor = 1, .length = -1, .keeps = true}, WEIR_FRAMING_NONE, ""},
        {{.status = 205, .minor = 1, .length = 7, .keeps = true}, WEIR_FRAMING_NONE, "Content-Length: 0\r\n"},
        {{.status = 205, .minor = 1, .length = -1, .keeps = true}, WEIR_FRAMING_NONE, "Content-Length: 0\r\n"},
    };
    weir_head_text_t text = {0};
    weir_date_t date = {0};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char expected[200] = "Date: Thu, 01 Jan 1970 00:00:10 GMT\r\n";
        strcat(expected, rows[i].own);
        strcat(expected, "\r\n");
        assert_int_equal(weir_framing_of(&rows[i].form), rows[i].framing);
        text.size = 0;
        weir_response_head_end(&text, &rows[i].form, &date, 10);
        assert_int_equal(text.size, strlen(expected));
        assert_memory_equal(text.data, expected, text.size);
    }
    weir_head_text_free(&text);
}

static void a_head_has_its_fields_in_order_and_none_with_a_line_break(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t name_size;
        const char *value;
        size_t value_size;
    } given[] = {
        {"x-one", 5, "1", 1},
        {"x-empty", 7, "", 0},
        {"x-evil", 6, "a\r\nX-Other: b", 13},
        {"x-evil", 6, "a\nb", 3},
        {"x-evil", 6, "a\rb", 3},
        {"x-evil", 6, "a\0b", 3},
        {"x\r\ny", 4, "a", 1},
        {"", 0, "a", 1},
        {"set-cookie", 10, "a=b", 3},
        {"set-cookie", 10, "c=d", 3},
    };
    weir_head_text_t text = {0};
    weir_date_t date = {0};
    weir_response_form_t form = {.status = 404, .minor = 1, .length = 2, .keeps = true, .has_date = true};
    weir_response_head_begin(&text, form.status);
    for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++) {
        weir_response_head_add(
            &text, (weir_pair_t){{given[i].name, given[i].name_size}, {given[i].value, given[i].value_size}});
    }
    weir_response_head_end(&text, &form, &date, 0);
    static const char expected[] = "HTTP/1.1 404 Not Found\r\nx-one: 1\r\nx-empty: \r\nset-cookie: a=b\r\n"
                                   "set-cookie: c=d\r\nContent-Length: 2\r\n\r\n";
    assert_int_equal(text.size, sizeof(expected) - 1);
    assert_memory_equal(text.data, expected, text.size);
    assert_false(text.failed);
    weir_head_text_free(&text);
}

static void dates_are_those_of_rfc_9110(void **state)
{
    (void)state;
    static const struct {
        int64_t now;
        const char *date;
    } rows[] = {
        {784111777, "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n"}, /* section 5.6.7 */
        {784111778, "Date: Sun, 06 Nov 1994 08:49:38 GMT\r\n\r\n"},
        {951782400, "Date: Tue, 29 Feb 2000 00:00:00 GMT\r\n\r\n"},
        {784111777, "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n"}, /* clocks are set back, too */
    };
    weir_head_text_t text = {0};
    weir_date_t date = {0};
    weir_response_form_t form = {.status = 204, .minor = 1, .length = -1, .keeps = true};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        text.size = 0;
        weir_response_head_end(&text, &form, &date, rows[i].now);
        assert_int_equal(text.size, strlen(rows[i].date));
        assert_memory_equal(text.data, rows[i].date, text.size);
    }
    weir_head_text_free(&text);
}

static void chunks_and_statuses_are_written_as_numbers(void **state)
{
    (void)state;
    char frame[WEIR_CHUNK_FRAME_BYTES];
    assert_int_equal(weir_chunk_begin(frame, 1), 3);
    assert_memory_equal(frame, "1\r\n", 3);
    assert_int_equal(weir_chunk_begin(frame, 0xabc0), 6);
    assert_memory_equal(frame, "abc0\r\n", 6);
    assert_int_equal(weir_chunk_begin(frame, SIZE_MAX), 18);
    assert_string_equal(weir_status_reason(200), "OK");
    assert_string_equal(weir_status_reason(100), "Continue");
    assert_string_equal(weir_status_reason(418), "I'm a teapot"); /* as Spin: the crate http, src/status.rs */
    assert_string_equal(weir_status_reason(510), "Not Extended");
    assert_string_equal(weir_status_reason(511), "Network Authentication Required");
    assert_string_equal(weir_status_reason(599), "");
}

static void a_transport_tells_what_was_moved_and_what_was_not(void **state)
{
    (void)state;
    int ends[2];
    char buffer[64];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    weir_transport_t transport = {.descriptor = ends[0], .readable = true};
    assert_int_equal(weir_transport_receive(&transport, buffer, sizeof(buffer)), WEIR_TRANSPORT_LATER);
    assert_false(transport.readable);
    assert_int_equal(send(ends[1], "abcdef", 6, 0), 6);
    transport.readable = true;
    assert_int_equal(weir_transport_receive(&transport, buffer, 4), 4);
    assert_true(transport.readable); /* there may be more, and there is */
    assert_int_equal(weir_transport_receive(&transport, buffer, sizeof(buffer)), 2);
    assert_false(transport.readable);
    struct iovec pieces[2] = {{(char[]){"gh"}, 2}, {(char[]){"i"}, 1}};
    assert_int_equal(weir_transport_send(&transport, pieces, 2), 3);
    assert_int_equal(recv(ends[1], buffer, sizeof(buffer), 0), 3);
    assert_memory_equal(buffer, "ghi", 3);
    static char much[1 << 20];
    struct iovec large = {much, sizeof(much)};
    ssize_t sent;
    size_t all = 0;
    while ((sent = weir_transport_send(&transport, &large, 1)) > 0) {
        all += (size_t)sent;
    }
    assert_true(all > 0);
    assert_int_equal(sent, WEIR_TRANSPORT_LATER);
    weir_transport_finish(&transport);
    close(ends[1]);
    transport.readable = true;
    assert_true(weir_transport_receive(&transport, buffer, sizeof(buffer)) != WEIR_TRANSPORT_LATER);
    assert_int_equal(weir_transport_send(&transport, &large, 1), WEIR_TRANSPORT_BROKEN);
    weir_transport_close(&transport);
}

static weir_tls_config_t *new_tls_config(void)
{
    char pem[4096];
    char *message = NULL;
    weir_tls_config_t *config;
    /* The command is constant. NOLINTNEXTLINE(cert-env33-c) */
    FILE *openssl = popen("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=test"
                          " -keyout /dev/stdout -out /dev/stdout 2>/dev/null",
        "r");
    assert_non_null(openssl);
    weir_tls_culprit_t culprit;
    weir_bytes_t text = {pem, fread(pem, 1, sizeof(pem), openssl)};
    assert_int_equal(pclose(openssl), 0);
    config = weir_tls_config_new(text, text, &culprit, &message);
    if (config == NULL) {
        fail_msg("%s", message);
    }
    return config;
}

/* RFC 8446, section 6.1: close_notify comes before the end of the connection, however full that is. */
static void a_transport_ends_only_when_the_end_of_tls_was_sent(void **state)
{
    (void)state;
    static const char close_notify[] = {21, 3, 3, 0, 2, 1, 0};
    static char much[1 << 16];
    int ends[2];
    ssize_t moved;
    size_t filled = 0;
    weir_tls_config_t *config = new_tls_config();
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    weir_transport_t transport = {.descriptor = ends[0], .tls = weir_tls_new(config)};
    assert_non_null(transport.tls);
    for (size_t size = sizeof(much); size > 0; size /= 2) {
        while ((moved = send(ends[0], much, size, MSG_NOSIGNAL)) > 0) {
            filled += (size_t)moved;
        }
    }
    weir_transport_finish(&transport);
    assert_true(transport.blocked);
    weir_transport_finish(&transport);
    while (filled > 0 && (moved = recv(ends[1], much, filled < sizeof(much) ? filled : sizeof(much), 0)) > 0) {
        filled -= (size_t)moved;
    }
    assert_int_equal(filled, 0);
    assert_int_equal(recv(ends[1], much, 1, 0), -1); /* no end yet */
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(weir_transport_flush(&transport), 0);
    assert_int_equal(recv(ends[1], much, sizeof(much), 0), sizeof(close_notify));
    assert_memory_equal(much, close_notify, sizeof(close_notify));
    assert_int_equal(recv(ends[1], much, sizeof(much), 0), 0);
    close(ends[1]);
    weir_transport_close(&transport);
    weir_tls_config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_are_framed_as_the_request_allows),
        cmocka_unit_test(a_head_has_its_fields_in_order_and_none_with_a_line_break),
        cmocka_unit_test(dates_are_those_of_rfc_9110),
        cmocka_unit_test(chunks_and_statuses_are_written_as_numbers),
        cmocka_unit_test(a_transport_tells_what_was_moved_and_what_was_not),
        cmocka_unit_test(a_transport_ends_only_when_the_end_of_tls_was_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
