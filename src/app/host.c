/*
 * host.c: hosts of URLs, in the order of the standard: brackets, percent-decoding, a number at the end, a name.
 */
#include "app/host.h"

#include <string.h>

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

/* The value of a hexadecimal digit, or -1. */
static int digit_value(char byte)
{
    if (is_digit(byte))
        return byte - '0';
    char lower = (char)(byte | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* One part of an IPv4 address: decimal, octal ("0…") or hexadecimal ("0x…"). */
static bool read_part(const char *text, size_t size, uint64_t *ret_number)
{
    int base = 10;
    if (size == 0)
        return false;
    if (size > 1 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        base = 16;
        text += 2;
        size -= 2;
    } else if (size > 1 && text[0] == '0') {
        base = 8;
    }
    uint64_t number = 0;
    for (size_t i = 0; i < size; i++) {
        int value = digit_value(text[i]);
        if (value < 0 || value >= base)
            return false;
        number = number * (uint64_t)base + (uint64_t)value;
        if (number > UINT32_MAX)
            return false;
    }
    *ret_number = number;
    return true;
}

/* The size of `name` without one dot at its end. */
static size_t without_dot(const char *name, size_t size)
{
    return size > 1 && name[size - 1] == '.' ? size - 1 : size;
}

/* Whether the last part of a name is a number, so that the name can only be an IPv4 address. */
static bool ends_in_number(const char *name, size_t size)
{
    size = without_dot(name, size);
    size_t start = size;
    while (start > 0 && name[start - 1] != '.')
        start--;
    const char *part = name + start;
    size_t part_size = size - start;
    size_t digits = 0;
    while (digits < part_size && is_digit(part[digits]))
        digits++;
    if (part_size > 0 && digits == part_size)
        return true;
    if (part_size < 2 || part[0] != '0' || (part[1] != 'x' && part[1] != 'X'))
        return false;
    digits = 2;
    while (digits < part_size && digit_value(part[digits]) >= 0)
        digits++;
    return digits == part_size;
}

/* An IPv4 address of one to four parts, the last of which fills what is left. */
static bool read_ipv4(const char *name, size_t size, weir_ip_address_t *ret_address)
{
    size = without_dot(name, size);
    uint64_t address = 0;
    unsigned left = 4;
    for (size_t start = 0;; left--) {
        const char *dot = memchr(name + start, '.', size - start);
        size_t end = dot == NULL ? size : (size_t)(dot - name);
        uint64_t number;
        if (left == 0 || !read_part(name + start, end - start, &number))
            return false;
        unsigned bits = dot == NULL ? left * 8 : 8;
        if (number >> bits != 0)
            return false;
        address = address << bits | number;
        if (dot == NULL)
            break;
        start = end + 1;
    }
    *ret_address = (weir_ip_address_t){0};
    for (unsigned i = 0; i < 4; i++)
        ret_address->bytes[i] = (uint8_t)(address >> (24 - 8 * i));
    return true;
}

/* The next byte of a name, percent-decoded; what is no code stays as it is. */
static unsigned char take_byte(const char *text, size_t size, size_t *at)
{
    size_t here = *at;
    int high = here + 2 < size && text[here] == '%' ? digit_value(text[here + 1]) : -1;
    int low = high >= 0 ? digit_value(text[here + 2]) : -1;
    *at += low >= 0 ? 3 : 1;
    return low >= 0 ? (unsigned char)(high * 16 + low) : (unsigned char)text[here];
}

bool weir_host_parse(const char *text, size_t size, weir_host_t *ret_host, const char **ret_reason)
{
    weir_host_t host = {0};
    if (size > 0 && text[0] == '[') {
        if (text[size - 1] != ']' || !weir_ip_address_parse(text + 1, size - 2, true, &host.address)) {
            *ret_reason = "is no IPv6 address; write it as [2001:db8::1]";
            return false;
        }
        host.is_address = true;
        *ret_host = host;
        return true;
    }
    for (size_t at = 0; at < size;) {
        unsigned char byte = take_byte(text, size, &at);
        if (byte >= 0x80) {
            *ret_reason = "has a name that is not ASCII; write what DNS knows it by, which begins with xn--";
            return false;
        }
        /* The code points that the standard forbids in domains */
        if (byte <= ' ' || byte == 0x7F || strchr("%#/:<>?@[\\]^|", byte) != NULL) {
            *ret_reason = "has a character that no host name has";
            return false;
        }
        if (host.name_size == WEIR_HOST_NAME_MAX) {
            *ret_reason = "has a name that is too long for DNS";
            return false;
        }
        host.name[host.name_size++] = (char)(byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte);
    }
    if (host.name_size == 0) {
        *ret_reason = "has no host";
        return false;
    }
    if (ends_in_number(host.name, host.name_size)) {
        if (!read_ipv4(host.name, host.name_size, &host.address)) {
            *ret_reason = "ends in a number but is no IPv4 address";
            return false;
        }
        host.is_address = true;
    }
    *ret_host = host;
    return true;
}
