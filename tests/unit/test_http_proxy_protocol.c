/*
 * test_http_proxy_protocol.c: headers of the PROXY protocol, cut anywhere (HAProxy's doc/proxy-protocol.txt).
 */
#include "http/proxy_protocol.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define IPV4 "\xC0\0\x02\x07\xC6\x33\x64\x01\0\x2F\x01\xBB"
#define TEXT(literal) literal, sizeof(literal) - 1

typedef struct row {
    const char *text;
    size_t size;
    const char *client; /* NULL: it is refused */
} row_t;

static const row_t rows[] = {
    {TEXT("PROXY TCP4 192.0.2.7 198.51.100.1 47 443\r\n"), "192.0.2.7:47"},
    {TEXT("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"), "255.255.255.255:65535"},
    {TEXT("PROXY TCP4 192.0.2.7 198.51.100.1 0 0\r\n"), "192.0.2.7:0"},
    {TEXT("PROXY TCP6 2001:db8::7 ::1 47 443\r\n"), "[2001:db8::7]:47"},
    {TEXT("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
        "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
    {TEXT("PROXY UNKNOWN\r\n"), "0.0.0.0:0"},
    {TEXT("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 "
          "65535\r\n"),
        "0.0.0.0:0"},
    {TEXT(SIGNATURE "\x21\x11\0\x0C" IPV4), "192.0.2.7:47"},
    {TEXT(SIGNATURE "\x21\x11\0\x0F" IPV4 "\x04\0\0"), "192.0.2.7:47"},
    {TEXT(SIGNATURE "\x20\0\0\0"), "0.0.0.0:0"},
    {TEXT(SIGNATURE "\x20\x11\0\x0C" IPV4), "0.0.0.0:0"},
    {TEXT(SIGNATURE "\x21\0\0\x03xyz"), "0.0.0.0:0"},
    {TEXT("X"), NULL},
    {TEXT("PROXX"), NULL},
    {TEXT("PROXY\r\n"), NULL},
    {TEXT("PROXY \r\n"), NULL},
    {TEXT("PROXY TCP4\r\n"), NULL},
    {TEXT("PROXY TCP4 192.0.2.7 198.51.100.1 47 443\n"), NULL},
    {TEXT("PROXY TCP4 192.0.2.7 198.51.100.1 47 443 \r\n"), NULL},
    {TEXT("PROXY TCP4 192.0.2.7 198.51.100.1 47 443\rX"), NULL},
    {TEXT("PROXY TCP4 192.0.2.7\0 198.51.100.1 47 443\r\n"), NULL},
    {TEXT("PROXY TCP4 192.0.2.7:1 198.51.100.1 47 443\r\n"), NULL},
    {TEXT("PROXY TCP4 192.0.2.7 198.51.100.1 00 443\r\n"), NULL},
    {TEXT("PROXY TCP4 192.0.2.7 198.51.100.1 47 65536\r\n"), NULL},
    {TEXT("PROXY TCP6 [2001:db8::7] [::1] 47 443\r\n"), NULL},
    {TEXT("PROXY TCP6 192.0.2.7 198.51.100.1 47 443\r\n"), NULL},
    {TEXT("\r\n\r\n\0\r\nQUIT\r"), NULL},
    {TEXT(SIGNATURE "\x11\x11\0\x0C" IPV4), NULL},
    {TEXT(SIGNATURE "\x22\x11\0\x0C" IPV4), NULL},
    {TEXT(SIGNATURE "\x21\x12\0\x0C" IPV4), NULL},
    {TEXT(SIGNATURE "\x21\x31\0\x0C" IPV4), NULL},
    {TEXT(SIGNATURE "\x21\x11\0\x0B" IPV4), NULL},
    {TEXT(SIGNATURE "\x21\x11\0\x0D" IPV4 "\x04"), NULL},
    {TEXT(SIGNATURE "\x21\x11\0\x0F" IPV4 "\x04\0\x01"), NULL},
    {TEXT(SIGNATURE "\x21\x11\0\x13" IPV4 "\x03\0\x04\0\0\0\0"), NULL},
    {TEXT(SIGNATURE "\x21\x11\xFF\xFF" IPV4), NULL},
};

/* In memory that is as large as it must be: a sanitizer sees a byte too much. */
static weir_proxy_header_state_t parse(const char *text, size_t size, size_t *ret_size, weir_endpoint_t *ret_client)
{
    char *copy = malloc(size == 0 ? 1 : size);
    assert_non_null(copy);
    memcpy(copy, text, size);
    weir_proxy_header_state_t state = weir_proxy_header_parse((weir_bytes_t){copy, size}, ret_size, ret_client);
    free(copy);
    return state;
}

static void a_header_names_the_client_whatever_follows_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[256];
        size_t size = 0;
        weir_endpoint_t client = {.known = false};
        memcpy(text, rows[i].text, rows[i].size);
        memcpy(text + rows[i].size, "GET / HTTP/1.1\r\n", 16);
        weir_proxy_header_state_t parsed = parse(text, rows[i].size + 16, &size, &client);
        if (parsed != (rows[i].client == NULL ? WEIR_PROXY_HEADER_REFUSED : WEIR_PROXY_HEADER_WHOLE)) {
            fail_msg("row %zu: %d", i, (int)parsed);
        }
        if (rows[i].client != NULL) {
            char words[WEIR_ENDPOINT_TEXT_BYTES];
            weir_endpoint_write(&client, words);
            assert_string_equal(words, rows[i].client);
            assert_int_equal(size, rows[i].size);
        }
    }
}

static void every_beginning_of_a_header_is_partial(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (size_t size = 0; rows[i].client != NULL && size < rows[i].size; size++) {
            size_t used;
            weir_endpoint_t client;
            if (parse(rows[i].text, size, &used, &client) != WEIR_PROXY_HEADER_PARTIAL) {
                fail_msg("row %zu, the first %zu bytes", i, size);
            }
        }
    }
}

static void a_checksum_that_is_there_is_right(void **state)
{
    (void)state;
    /* Computed by another program (tests/program/test_behind_proxy.py, crc32c). */
    char text[] = SIGNATURE "\x21\x11\0\x13" IPV4 "\x03\0\x04\x00\x00\x00\x00";
    const unsigned char right[] = {0x67, 0x87, 0x8C, 0x9A};
    size_t size;
    weir_endpoint_t client;
    memcpy(text + sizeof(text) - 5, right, 4);
    assert_int_equal(parse(text, sizeof(text) - 1, &size, &client), WEIR_PROXY_HEADER_WHOLE);
    for (size_t i = 0; i < 8 * (sizeof(text) - 1); i++) {
        text[i / 8] = (char)(text[i / 8] ^ (1 << i % 8));
        weir_proxy_header_state_t parsed = parse(text, sizeof(text) - 1, &size, &client);
        bool is_local = i == 8 * 12;                   /* of which nothing is checked */
        bool is_other = i / 8 == sizeof(text) - 1 - 7; /* the type: it is a checksum no more */
        if (parsed == WEIR_PROXY_HEADER_WHOLE && !is_local && !is_other) {
            fail_msg("bit %zu", i);
        }
        text[i / 8] = (char)(text[i / 8] ^ (1 << i % 8));
    }
}

static void a_header_that_is_too_large_is_refused_at_once(void **state)
{
    (void)state;
    static char text[WEIR_PROXY_HEADER_MAX_BYTES] = SIGNATURE "\x20\0\x0F\xF0";
    size_t size;
    weir_endpoint_t client;
    assert_int_equal(parse(text, sizeof(text), &size, &client), WEIR_PROXY_HEADER_WHOLE);
    assert_int_equal(size, sizeof(text));
    assert_int_equal(parse(text, sizeof(text) - 1, &size, &client), WEIR_PROXY_HEADER_PARTIAL);
    text[15] = '\xF1';
    assert_int_equal(parse(text, 16, &size, &client), WEIR_PROXY_HEADER_REFUSED);
    memset(text, 'a', sizeof(text));
    memcpy(text, "PROXY UNKNOWN ", 14);
    assert_int_equal(parse(text, 106, &size, &client), WEIR_PROXY_HEADER_PARTIAL);
    assert_int_equal(parse(text, 107, &size, &client), WEIR_PROXY_HEADER_REFUSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_names_the_client_whatever_follows_it),
        cmocka_unit_test(every_beginning_of_a_header_is_partial),
        cmocka_unit_test(a_checksum_that_is_there_is_right),
        cmocka_unit_test(a_header_that_is_too_large_is_refused_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
