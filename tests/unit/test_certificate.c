/*
 * test_certificate.c: until when a certificate is valid, read from certificates that are made here, byte by byte, and
 * from such as are none. Those that OpenSSL makes are in tests/program/test_tls.py.
 */
#include "cli/certificate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { DER_MOST = 256, PEM_MOST = 1024 };

typedef struct der {
    unsigned char bytes[DER_MOST];
    size_t size;
} der_t;

static void add(der_t *der, unsigned tag, const void *content, size_t size)
{
    assert_true(size < 256 && der->size + 3 + size <= sizeof der->bytes);
    der->bytes[der->size++] = (unsigned char)tag;
    if (size >= 0x80)
        der->bytes[der->size++] = 0x81;
    der->bytes[der->size++] = (unsigned char)size;
    memcpy(der->bytes + der->size, content, size);
    der->size += size;
}

/* A certificate (RFC 5280, section 4.1) up to the end of its validity. */
static der_t make(unsigned tag, const char *until, bool has_version)
{
    der_t validity = {.size = 0}, part = {.size = 0}, signed_part = {.size = 0}, whole = {.size = 0};
    add(&validity, 0x17, "240101000000Z", 13);
    add(&validity, tag, until, strlen(until));
    if (has_version)
        add(&part, 0xA0, "\x02\x01\x02", 3);
    add(&part, 0x02, "\x01", 1);
    add(&part, 0x30, "\x06\x01\x2a", 3);
    add(&part, 0x30,
        "the issuer, whose name is longer than one byte of length can tell: so long that it takes two; "
        "and even a bit more than that, it goes on",
        134);
    add(&part, 0x30, validity.bytes, validity.size);
    add(&signed_part, 0x30, part.bytes, part.size);
    add(&whole, 0x30, signed_part.bytes, signed_part.size);
    return whole;
}

/* In lines of `width`. */
static void write_pem(const der_t *der, size_t width, char pem[PEM_MOST])
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t at = (size_t)snprintf(pem, PEM_MOST, "some words before\n-----BEGIN CERTIFICATE-----\n");
    size_t written = 0;
    for (size_t i = 0; i < der->size; i += 3) {
        unsigned bits = (unsigned)der->bytes[i] << 16;
        bits |= i + 1 < der->size ? (unsigned)der->bytes[i + 1] << 8 : 0;
        bits |= i + 2 < der->size ? der->bytes[i + 2] : 0;
        for (size_t k = 0; k < 4; k++) {
            pem[at++] = i + k > der->size ? '=' : letters[bits >> (18 - 6 * k) & 63];
            if (++written % width == 0)
                pem[at++] = '\n';
        }
    }
    snprintf(pem + at, PEM_MOST - at, "\n-----END CERTIFICATE-----\n");
}

static void the_end_of_validity_is_read_in_both_forms(void **state)
{
    (void)state;
    static const struct {
        unsigned tag;
        const char *text;
        int64_t seconds; /* as date(1) has it */
    } cases[] = {
        {0x17, "700101000000Z", 0},
        {0x17, "991231235959Z", 946684799},
        {0x17, "491231235959Z", 2524607999},
        {0x17, "500101000000Z", -631152000},
        {0x18, "20500101000000Z", 2524608000},
        {0x18, "99991231235959Z", 253402300799}, /* "has no well-defined expiration date", section 4.1.2.5 */
        {0x17, "240229120000Z", 1709208000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t width = 1; width <= 64; width += 21) {
            char pem[PEM_MOST];
            int64_t seconds = 1;
            der_t der = make(cases[i].tag, cases[i].text, i % 2 == 0);
            write_pem(&der, width, pem);
            assert_true(weir_certificate_not_after(pem, &seconds));
            assert_int_equal(seconds, cases[i].seconds);
        }
    }
}

static void what_is_no_time_is_refused(void **state)
{
    (void)state;
    static const struct {
        unsigned tag;
        const char *text;
    } cases[] = {
        {0x17, "20500101000000Z"},
        {0x18, "240101000000Z"},
        {0x17, "240101000000+"},
        {0x17, "2401010000Z"},
        {0x17, "241301000000Z"},
        {0x17, "240100000000Z"},
        {0x17, "240101240000Z"},
        {0x17, "24010100000xZ"},
        {0x17, ""},
        {0x16, "240101000000Z"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char pem[PEM_MOST];
        int64_t seconds = 42;
        der_t der = make(cases[i].tag, cases[i].text, true);
        write_pem(&der, 64, pem);
        assert_false(weir_certificate_not_after(pem, &seconds));
        assert_int_equal(seconds, 42);
    }
}

static void what_is_cut_off_or_longer_than_it_is_is_refused(void **state)
{
    (void)state;
    const der_t whole = make(0x17, "300101000000Z", true);
    char pem[PEM_MOST];
    int64_t seconds = 42;
    for (size_t size = 0; size < whole.size; size++) {
        der_t cut = whole;
        cut.size = size;
        write_pem(&cut, 64, pem);
        assert_false(weir_certificate_not_after(pem, &seconds));
    }
    for (size_t i = 0; i < whole.size; i++) {
        der_t longer = whole;
        longer.bytes[i] = 0xFF; /* as a length: of 127 bytes that tell it */
        write_pem(&longer, 64, pem);
        (void)weir_certificate_not_after(pem, &seconds); /* AddressSanitizer tells of what is read beyond */
    }
}

static void what_is_no_certificate_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----",
        "-----BEGIN CERTIFICATE-----END CERTIFICATE-----", "-----BEGIN CERTIFICATE-------END CERTIFICATE-----",
        "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nMIQ=\n-----END CERTIFICATE-----\n"};
    int64_t seconds;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_false(weir_certificate_not_after(texts[i], &seconds));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_end_of_validity_is_read_in_both_forms),
        cmocka_unit_test(what_is_no_time_is_refused),
        cmocka_unit_test(what_is_cut_off_or_longer_than_it_is_is_refused),
        cmocka_unit_test(what_is_no_certificate_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
