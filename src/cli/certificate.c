/*
 * certificate.c: from PEM (RFC 7468) through DER (X.690) to one field of a certificate (RFC 5280). rustls has accepted
 * it already, and does not tell that field; a library for it would take its time at each start. All is bounded by what
 * is there: malformed input is refused, never read beyond.
 */
#include "cli/certificate.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    TAG_INTEGER = 0x02,
    TAG_UTC_TIME = 0x17,
    TAG_GENERALIZED_TIME = 0x18,
    TAG_SEQUENCE = 0x30,
    TAG_VERSION = 0xA0,
    LENGTH_BYTES_MAX = 4,
};

/* ---- PEM --------------------------------------------------------------------------------------------------------- */

static int value_of(char letter)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *found = letter == '\0' ? NULL : strchr(letters, letter);
    return found == NULL ? -1 : (int)(found - letters);
}

/* Decode base64, white space left out, up to what is no letter of it. Returns how many bytes that are. */
static size_t decode(const char *text, const char *end, unsigned char *bytes)
{
    unsigned bits = 0;
    unsigned held = 0;
    size_t size = 0;
    for (; text < end && *text != '=' && *text != '-'; text++) {
        int value = value_of(*text);
        if (value < 0) {
            continue;
        }
        held = (held << 6 | (unsigned)value) & 0xFFFF;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            bytes[size++] = (unsigned char)(held >> bits & 0xFF);
        }
    }
    return size;
}

/* ---- DER --------------------------------------------------------------------------------------------------------- */

typedef struct piece {
    const unsigned char *bytes;
    size_t size;
} piece_t;

/* Take the first element off a piece, and store its content. False when it is not whole. */
static bool take(piece_t *piece, unsigned *ret_tag, piece_t *ret_content)
{
    if (piece->size < 2) {
        return false;
    }
    size_t length = piece->bytes[1];
    size_t head = 2;
    if (length >= 0x80) {
        size_t count = length & 0x7F;
        if (count == 0 || count > LENGTH_BYTES_MAX || piece->size - head < count) {
            return false;
        }
        length = 0;
        for (size_t i = 0; i < count; i++) {
            length = length << 8 | piece->bytes[head++];
        }
    }
    if (piece->size - head < length) {
        return false;
    }
    *ret_tag = piece->bytes[0];
    *ret_content = (piece_t){piece->bytes + head, length};
    *piece = (piece_t){piece->bytes + head + length, piece->size - head - length};
    return true;
}

static bool take_tagged(piece_t *piece, unsigned tag, piece_t *ret_content)
{
    unsigned found;
    return take(piece, &found, ret_content) && found == tag;
}

/* Digits as a number; -1 where there are others. */
static int number(const unsigned char *digits, size_t count)
{
    int value = 0;
    for (size_t i = 0; i < count; i++) {
        if (digits[i] < '0' || digits[i] > '9') {
            return -1;
        }
        value = value * 10 + (digits[i] - '0');
    }
    return value;
}

/* "YYMMDDHHMMSSZ" until 2049, "YYYYMMDDHHMMSSZ" from then on: RFC 5280 allows no other forms. */
static bool read_time(unsigned tag, piece_t text, int64_t *ret_seconds)
{
    enum { REST = 11 };
    size_t year_size = tag == TAG_GENERALIZED_TIME ? 4 : 2;
    if ((tag != TAG_UTC_TIME && tag != TAG_GENERALIZED_TIME) || text.size != year_size + REST ||
        text.bytes[text.size - 1] != 'Z') {
        return false;
    }
    int year = number(text.bytes, year_size);
    int parts[5];
    bool good = year >= 0;
    for (size_t i = 0; i < 5; i++) {
        parts[i] = number(text.bytes + year_size + 2 * i, 2);
        good = good && parts[i] >= 0;
    }
    if (!good || parts[0] < 1 || parts[0] > 12 || parts[1] < 1 || parts[1] > 31 || parts[2] > 23 || parts[3] > 59 ||
        parts[4] > 59) {
        return false;
    }
    if (tag == TAG_UTC_TIME) {
        year += year < 50 ? 2000 : 1900;
    }
    struct tm moment = {.tm_year = year - 1900,
        .tm_mon = parts[0] - 1,
        .tm_mday = parts[1],
        .tm_hour = parts[2],
        .tm_min = parts[3],
        .tm_sec = parts[4]};
    *ret_seconds = timegm(&moment);
    return true;
}

static bool read_certificate(piece_t whole, int64_t *ret_seconds)
{
    piece_t certificate, signed_part, ignored, validity, from, until;
    unsigned tag;
    return take_tagged(&whole, TAG_SEQUENCE, &certificate) && take_tagged(&certificate, TAG_SEQUENCE, &signed_part) &&
           take(&signed_part, &tag, &ignored) && /* the version, which may be left out, and the serial number */
           (tag == TAG_INTEGER || (tag == TAG_VERSION && take_tagged(&signed_part, TAG_INTEGER, &ignored))) &&
           take_tagged(&signed_part, TAG_SEQUENCE, &ignored) && /* how it is signed */
           take_tagged(&signed_part, TAG_SEQUENCE, &ignored) && /* by whom */
           take_tagged(&signed_part, TAG_SEQUENCE, &validity) && take(&validity, &tag, &from) &&
           take(&validity, &tag, &until) && read_time(tag, until, ret_seconds);
}

bool weir_certificate_not_after(const char *pem, int64_t *ret_seconds)
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----";
    const char *found = strstr(pem, begin);
    const char *text = found == NULL ? "" : found + sizeof(begin) - 1;
    const char *end = strstr(text, "-----END CERTIFICATE-----"); /* two lines, which have no dashes in common */
    if (end == NULL) {
        return false;
    }
    unsigned char *bytes = malloc((size_t)(end - text) + 1);
    if (bytes == NULL) {
        return false;
    }
    bool good = read_certificate((piece_t){bytes, decode(text, end, bytes)}, ret_seconds);
    free(bytes);
    return good;
}
