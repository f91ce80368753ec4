/*
 * header_filter.c: the tables and character classes behind header_filter.h.
 */
#include "guest/header_filter.h"

#include <string.h>

weir_bytes_t weir_bytes_of(const char *string)
{
    return (weir_bytes_t){string, strlen(string)};
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool equals(weir_bytes_t name, const char *lower_case, size_t size)
{
    if (name.size != size)
        return false;
    for (size_t i = 0; i < size; i++) {
        if (lower(name.data[i]) != lower_case[i])
            return false;
    }
    return true;
}

bool weir_header_is(weir_bytes_t name, const char *lower_case)
{
    return equals(name, lower_case, strlen(lower_case));
}

bool weir_header_name_is_valid(weir_bytes_t name)
{
    for (size_t i = 0; i < name.size; i++) {
        char c = lower(name.data[i]);
        bool alphanumeric = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!alphanumeric && (c == '\0' || strchr("!#$%&'*+-.^_`|~", c) == NULL))
            return false;
    }
    return name.size > 0;
}

bool weir_header_value_is_valid(weir_bytes_t value)
{
    for (size_t i = 0; i < value.size; i++) {
        unsigned char c = (unsigned char)value.data[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

bool weir_header_value_is_ascii(weir_bytes_t value)
{
    for (size_t i = 0; i < value.size; i++) {
        unsigned char c = (unsigned char)value.data[i];
        if ((c < 0x20 && c != '\t') || c >= 0x7f)
            return false;
    }
    return true;
}

typedef struct known_name {
    size_t size;
    const char *name;
} known_name_t;

#define KNOWN(name) {sizeof(name) - 1, name}

static bool is_known(weir_bytes_t name, const known_name_t *known, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (equals(name, known[i].name, known[i].size))
            return true;
    }
    return false;
}

bool weir_header_is_of_client_connection(weir_bytes_t name)
{
    static const known_name_t known[] = {KNOWN("connection"), KNOWN("keep-alive"), KNOWN("proxy-connection"),
        KNOWN("proxy-authenticate"), KNOWN("proxy-authorization"), KNOWN("transfer-encoding"), KNOWN("upgrade"),
        KNOWN("http2-settings")};
    return is_known(name, known, sizeof known / sizeof known[0]);
}

bool weir_header_is_of_server_connection(weir_bytes_t name)
{
    static const known_name_t known[] = {KNOWN("connection"), KNOWN("keep-alive"), KNOWN("proxy-connection"),
        KNOWN("proxy-authenticate"), KNOWN("proxy-authentication-info"), KNOWN("proxy-authorization"), KNOWN("te"),
        KNOWN("trailer"), KNOWN("transfer-encoding"), KNOWN("upgrade"), KNOWN("http2-settings")};
    return is_known(name, known, sizeof known / sizeof known[0]);
}

bool weir_header_is_of_host(weir_bytes_t name)
{
    return name.size >= 5 && (name.data[4] == '-' || name.data[4] == '_') &&
           equals((weir_bytes_t){name.data, 4}, "spin", 4);
}

bool weir_header_parse_length(weir_bytes_t value, int64_t *ret_length)
{
    int64_t length = 0;
    for (size_t i = 0; i < value.size; i++) {
        int digit = value.data[i] - '0';
        if (digit < 0 || digit > 9 || length > (INT64_MAX - digit) / 10)
            return false;
        length = length * 10 + digit;
    }
    if (value.size == 0)
        return false;
    *ret_length = length;
    return true;
}
