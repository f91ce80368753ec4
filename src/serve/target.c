/*
 * target.c: parsing of request targets and authorities. Which bytes a path and a query may hold is what the `http`
 * crate (1.x, src/uri/path.rs) lets pass, because that is what Spin serves and what the bridge makes the guest's
 * request from; a fragment, which it drops, is refused: no client may send one (RFC 9112, section 3.2).
 */
#include "serve/target.h"

#include "observe/escape.h"

#include <string.h>
#include <strings.h>

static bool is_letter(unsigned char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

static bool is_digit(unsigned char byte)
{
    return byte >= '0' && byte <= '9';
}

static bool path_may_hold(unsigned char byte)
{
    return byte == 0x21 || (byte >= 0x24 && byte <= 0x3B) || byte == 0x3D || (byte >= 0x40 && byte <= 0x5F) ||
           (byte >= 0x61 && byte <= 0x7A) || byte == 0x7C || byte == 0x7E || byte >= 0x80 || byte == '"' ||
           byte == '{' || byte == '}';
}

static bool query_may_hold(unsigned char byte)
{
    return byte == 0x21 || (byte >= 0x24 && byte <= 0x3B) || byte == 0x3D || (byte >= 0x3F && byte != 0x7F);
}

/* Path and query; `text` begins with "/", or with "?" or nothing, when it stands after an authority. */
static bool parse_path_and_query(const char *text, size_t size, weir_target_t *ret_target)
{
    size_t path_size = 0;
    while (path_size < size && text[path_size] != '?') {
        if (!path_may_hold((unsigned char)text[path_size])) {
            return false;
        }
        path_size++;
    }
    for (size_t i = path_size + 1; i < size; i++) {
        if (!query_may_hold((unsigned char)text[i])) {
            return false;
        }
    }
    if (!weir_utf8_is_valid(text, size)) {
        return false;
    }
    ret_target->target = (weir_bytes_t){text, size};
    ret_target->path = (weir_bytes_t){text, path_size};
    ret_target->query =
        path_size < size ? (weir_bytes_t){text + path_size + 1, size - path_size - 1} : (weir_bytes_t){text + size, 0};
    return true;
}

/* The length of "http://" or "https://" at the start, or 0. */
static size_t scheme_length(const char *text, size_t size)
{
    if (size >= 7 && strncasecmp(text, "http://", 7) == 0) {
        return 7;
    }
    return size >= 8 && strncasecmp(text, "https://", 8) == 0 ? 8 : 0;
}

unsigned weir_target_parse(const char *text, size_t size, weir_target_t *ret_target)
{
    weir_target_t target = {.authority = {NULL, 0}};
    if (size == 1 && text[0] == '*') {
        target.target = target.path = target.query = (weir_bytes_t){text, 0};
        target.asterisk = true;
        *ret_target = target;
        return 0;
    }
    if (size > 0 && text[0] == '/') {
        if (!parse_path_and_query(text, size, &target)) {
            return 400;
        }
        *ret_target = target;
        return 0;
    }
    size_t scheme = scheme_length(text, size);
    if (scheme == 0) {
        return 400;
    }
    size_t end = scheme;
    while (end < size && text[end] != '/' && text[end] != '?') {
        end++;
    }
    target.secure = scheme == sizeof("https://") - 1;
    target.authority = (weir_bytes_t){text + scheme, end - scheme};
    if (!weir_authority_is_valid(target.authority)) {
        return 400;
    }
    if (end == size) {
        target.target = target.path = (weir_bytes_t){"/", 1};
        target.query = (weir_bytes_t){"", 0};
    } else if (text[end] == '?' || !parse_path_and_query(text + end, size - end, &target)) {
        /* "http://host?query" would have to become "/?query", and no client sends it. */
        return 400;
    }
    *ret_target = target;
    return 0;
}

/* The size of the host at the start of an authority: up to the colon of the port. 0 when it is malformed. */
static size_t host_size(weir_bytes_t authority)
{
    size_t at = 0;
    if (authority.size > 0 && authority.data[0] == '[') {
        for (at = 1; at < authority.size && authority.data[at] != ']'; at++) {
            unsigned char byte = (unsigned char)authority.data[at];
            bool is_hex = is_digit(byte) || (byte >= 'a' && byte <= 'f') || (byte >= 'A' && byte <= 'F');
            if (!is_hex && byte != ':' && byte != '.') {
                return 0;
            }
        }
        return at > 1 && at < authority.size ? at + 1 : 0;
    }
    while (at < authority.size && authority.data[at] != ':') {
        unsigned char byte = (unsigned char)authority.data[at];
        if (!is_letter(byte) && !is_digit(byte) && (byte == '\0' || strchr("-._~!$&'()*+,;=", byte) == NULL)) {
            return 0;
        }
        at++;
    }
    return at;
}

bool weir_authority_is_valid(weir_bytes_t authority)
{
    size_t at = host_size(authority);
    if (at == 0) {
        return false;
    }
    if (at == authority.size) {
        return true;
    }
    if (authority.data[at] != ':' || authority.size - at > 6) {
        return false;
    }
    unsigned port = 0;
    for (at++; at < authority.size; at++) {
        unsigned char byte = (unsigned char)authority.data[at];
        if (!is_digit(byte)) {
            return false;
        }
        port = port * 10 + (unsigned)(byte - '0');
    }
    return port <= 65535;
}

bool weir_authority_equals(weir_bytes_t left, weir_bytes_t right)
{
    return left.size == right.size && (left.size == 0 || strncasecmp(left.data, right.data, left.size) == 0);
}

bool weir_authority_is_internal(weir_bytes_t authority)
{
    static const char suffix[] = ".spin.internal";
    size_t suffix_size = sizeof(suffix) - 1;
    size_t size = host_size(authority);
    size -= size > 0 && authority.data[size - 1] == '.' ? 1 : 0; /* the root of DNS (RFC 1034): the same name */
    return size > suffix_size && strncasecmp(authority.data + size - suffix_size, suffix, suffix_size) == 0;
}
