/*
 * test_http_chunked.c: bodies in chunks, as bytes, cut anywhere (RFC 9112, section 7.1).
 */
#include "http/chunked.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { BODY_MAX = 64 * 1024 };

typedef struct decoded {
    weir_chunked_state_t state;
    char body[BODY_MAX];
    size_t size;
    size_t used; /* of the text */
} decoded_t;

/* Decode a text that comes in pieces of at most `step` bytes, using at most `most` bytes of data at a time. */
static void decode(weir_chunked_t *chunked, const char *text, size_t size, size_t step, size_t most, decoded_t *ret)
{
    *ret = (decoded_t){.state = WEIR_CHUNKED_MORE};
    while (ret->used < size && ret->state != WEIR_CHUNKED_ENDED && ret->state != WEIR_CHUNKED_WRONG) {
        size_t left = size - ret->used;
        size_t piece = left < step ? left : step;
        size_t taken;
        size_t data;
        ret->state = weir_chunked_next(chunked, text + ret->used, piece, &taken, &data);
        assert_true(taken + data <= piece);
        ret->used += taken;
        if (ret->state == WEIR_CHUNKED_DATA) {
            assert_true(data > 0);
            data = data < most ? data : most;
            assert_true(ret->size + data <= BODY_MAX);
            memcpy(ret->body + ret->size, text + ret->used, data);
            ret->size += data;
            ret->used += data;
            weir_chunked_take(chunked, data);
        } else {
            assert_int_equal(data, 0);
        }
    }
}

static void a_body_is_the_same_however_it_is_cut(void **state)
{
    (void)state;
    static const char text[] = "5\r\nhello\r\n1;a=\"b;\\\"c\"\r\n,\r\n00A\r\n 0\r\n\r\nworl\r\n1;x ; y=z\r\nd\r\n"
                               "000\r\nX-Late: 1\r\nY: 2\r\n\r\nGET";
    for (size_t step = 1; step < sizeof(text); step++) {
        for (size_t most = 1; most < 12; most++) {
            weir_chunked_t chunked = {0};
            decoded_t decoded;
            decode(&chunked, text, sizeof(text) - 1, step, most, &decoded);
            assert_int_equal(decoded.state, WEIR_CHUNKED_ENDED);
            assert_int_equal(decoded.size, 17);
            assert_memory_equal(decoded.body, "hello, 0\r\n\r\nworld", 17);
            assert_int_equal(decoded.used, sizeof(text) - 1 - 3);
            weir_bytes_t trailers = weir_chunked_trailers(&chunked);
            static const char lines[] = "X-Late: 1\r\nY: 2\r\n\r\n";
            assert_int_equal(trailers.size, sizeof(lines) - 1);
            assert_memory_equal(trailers.data, lines, trailers.size);
            weir_chunked_free(&chunked);
        }
    }
}

static void an_empty_body_ends_at_once_and_has_no_trailers(void **state)
{
    (void)state;
    weir_chunked_t chunked = {0};
    decoded_t decoded;
    decode(&chunked, "0\r\n\r\n", 5, 5, 1, &decoded);
    assert_int_equal(decoded.state, WEIR_CHUNKED_ENDED);
    assert_int_equal(decoded.size, 0);
    assert_int_equal(weir_chunked_trailers(&chunked).size, 0);
    weir_chunked_free(&chunked);
}

static void what_is_no_chunked_body_is_found_out_and_stays_so(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "\r\n",
        "xyz\r\n",
        "-1\r\n",
        "+1\r\n",
        " 1\r\n",
        "1 \r\n",
        "1\t;a\r\n",
        "0x1\r\n",
        "1\n",
        "1\r1",
        "1\r\r\n",
        "fffffffffffffffff\r\n",
        "8000000000000000\r\n",
        "00000000000000001\r\n",
        "3\r\nabcd",
        "3\r\nabc\n",
        "3\r\nabc0\r\n",
        "3\r\nabc\r3",
        "1;a\n",
        "1;a\rb",
        "1;\x01\r\n",
        "1;\x7f\r\n",
        "0\r\n\n",
        "0\r\nX: 1\n",
        "0\r\n\rX",
        "0\r\nX: 1\r\n\rX",
        ";a\r\n",
        "1;\r\n",
        "1; \r\n",
        "1;;a\r\n",
        "1;a;\r\n",
        "1;=b\r\n",
        "1;a=\r\n",
        "1;a= ;b\r\n",
        "1;a=b=c\r\n",
        "1;a b\r\n",
        "1;a=b c\r\n",
        "1;a=\"b\r\n",
        "1;a=\"b\\\"\r\n",
        "1;a=\"b\"c\r\n",
        "1;a=\"\\\r\n",
        "1;a=\"\x7f\"\r\n",
        "1;a=b\"c\"\r\n",
        "1;\"a\"\r\n",
        "1;a:b\r\n",
        "1;\xC3\xBC\r\n",
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (size_t step = 1; step <= strlen(rows[i]); step++) {
            weir_chunked_t chunked = {0};
            decoded_t decoded;
            decode(&chunked, rows[i], strlen(rows[i]), step, BODY_MAX, &decoded);
            if (decoded.state != WEIR_CHUNKED_WRONG) {
                fail_msg("let through: %s", rows[i]);
            }
            size_t taken;
            size_t data;
            assert_int_equal(weir_chunked_next(&chunked, "0\r\n\r\n", 5, &taken, &data), WEIR_CHUNKED_WRONG);
            assert_int_equal(taken + data, 0);
            weir_chunked_free(&chunked);
        }
    }
}

/* A text that begins with `begin`, then has `count` times `unit`, then `end`. */
static weir_chunked_state_t decode_long(const char *begin, const char *unit, size_t count, const char *end)
{
    size_t size = strlen(begin) + count * strlen(unit) + strlen(end);
    char *text = malloc(size + 1);
    assert_non_null(text);
    char *at = stpcpy(text, begin);
    for (size_t i = 0; i < count; i++) {
        at = stpcpy(at, unit);
    }
    stpcpy(at, end);
    weir_chunked_t chunked = {0};
    decoded_t decoded;
    decode(&chunked, text, size, 1000, BODY_MAX, &decoded);
    weir_chunked_free(&chunked);
    free(text);
    return decoded.state;
}

static void extensions_and_trailers_are_bounded(void **state)
{
    (void)state;
    assert_int_equal(decode_long("1;", "a", WEIR_CHUNK_EXTENSIONS_MAX_BYTES, "\r\nb\r\n0\r\n\r\n"), WEIR_CHUNKED_ENDED);
    assert_int_equal(decode_long("1;", "a", WEIR_CHUNK_EXTENSIONS_MAX_BYTES + 1, "\r\n"), WEIR_CHUNKED_WRONG);
    /* Of all chunks together. */
    assert_int_equal(
        decode_long("", "1;abc\r\nd\r\n", WEIR_CHUNK_EXTENSIONS_MAX_BYTES / 3, "0\r\n\r\n"), WEIR_CHUNKED_ENDED);
    assert_int_equal(
        decode_long("", "1;abc\r\nd\r\n", WEIR_CHUNK_EXTENSIONS_MAX_BYTES / 3 + 2, ""), WEIR_CHUNKED_WRONG);
    assert_int_equal(decode_long("0\r\nX: ", "a", WEIR_TRAILERS_MAX_BYTES - 7, "\r\n\r\n"), WEIR_CHUNKED_ENDED);
    assert_int_equal(decode_long("0\r\nX: ", "a", WEIR_TRAILERS_MAX_BYTES - 6, "\r\n\r\n"), WEIR_CHUNKED_WRONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_is_the_same_however_it_is_cut),
        cmocka_unit_test(an_empty_body_ends_at_once_and_has_no_trailers),
        cmocka_unit_test(what_is_no_chunked_body_is_found_out_and_stays_so),
        cmocka_unit_test(extensions_and_trailers_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
