/*
 * cli_certificate.c: fuzzes certificates: an input as it is, as PEM, and again as the DER within an armour of PEM, so
 * that mutations reach what is in it.
 */
#include "cli/certificate.h"
#include "fuzz.h"

#define BEGIN "-----BEGIN CERTIFICATE-----\n"
#define END "\n-----END CERTIFICATE-----\n"

static void read_twice(const char *pem)
{
    /* Years of four digits, of which the first is 0 (RFC 5280, section 4.1.2.5). */
    static const int64_t least = -62167219200, most = 253402300799;
    int64_t seconds = 42;
    int64_t again = 42;
    bool good = weir_certificate_not_after(pem, &seconds);
    must_hold(good ? seconds >= least && seconds <= most : seconds == 42);
    must_hold(weir_certificate_not_after(pem, &again) == good && again == seconds);
}

/* The input in base64. */
static char *armour(const uint8_t *data, size_t size)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *pem = malloc(sizeof BEGIN + sizeof END + (size + 2) / 3 * 4);
    must_hold(pem != NULL);
    strcpy(pem, BEGIN);
    char *at = pem + strlen(BEGIN);
    for (size_t i = 0; i < size; i += 3) {
        unsigned bits = (unsigned)data[i] << 16;
        bits |= i + 1 < size ? (unsigned)data[i + 1] << 8 : 0;
        bits |= i + 2 < size ? data[i + 2] : 0;
        for (size_t k = 0; k < 4; k++)
            *at++ = i + k > size ? '=' : letters[bits >> (18 - 6 * k) & 63];
    }
    strcpy(at, END);
    return pem;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = copy_text(data, size);
    read_twice(text);
    free(text);
    char *pem = armour(data, size);
    read_twice(pem);
    free(pem);
    return 0;
}
