/*
 * proxy_protocol.c: a line of text, or a block with its size in front.
 */
#include "http/proxy_protocol.h"

#include <string.h>

enum {
    LINE_MAX_BYTES = 107, /* of version 1, with CR LF */
    SIGNATURE_BYTES = 12,
    BLOCK_HEAD_BYTES = 16,
    LOCAL = 0,
    PROXY = 1,
    UNSPECIFIED = 0x00, /* families and transports */
    TCP_OVER_IPV4 = 0x11,
    TCP_OVER_IPV6 = 0x21,
    UNIX_STREAM = 0x31,
    IPV4_BYTES = 12, /* two addresses and two ports */
    IPV6_BYTES = 36,
    UNIX_BYTES = 216,
    VALUE_HEAD_BYTES = 3, /* type and size of what else is told */
    CRC32C = 0x03,
};

static const char signature[SIGNATURE_BYTES] = "\r\n\r\n\0\r\nQUIT\n";

/* ---- Version 1 --------------------------------------------------------------------------------------------------- */

/* Take the part before the next space, or all, off the text. */
static weir_bytes_t take_word(weir_bytes_t *text)
{
    const char *space = text->size == 0 ? NULL : memchr(text->data, ' ', text->size);
    size_t size = space == NULL ? text->size : (size_t)(space - text->data);
    weir_bytes_t word = {text->data, size};
    size += space == NULL ? 0 : 1;
    text->data += size;
    text->size -= size;
    return word;
}

static bool is_word(weir_bytes_t text, const char *word)
{
    return text.size == strlen(word) && memcmp(text.data, word, text.size) == 0;
}

/* An address alone. */
static bool parse_address(weir_bytes_t word, bool is_ipv6, weir_endpoint_t *ret_endpoint)
{
    bool has_colon = word.size > 0 && memchr(word.data, ':', word.size) != NULL;
    bool has_bracket = word.size > 0 && word.data[0] == '[';
    weir_endpoint_t endpoint;
    if (has_bracket || has_colon != is_ipv6 || !weir_endpoint_parse(word, &endpoint) || endpoint.is_ipv6 != is_ipv6) {
        return false;
    }
    *ret_endpoint = endpoint;
    return true;
}

/* 0 to 65535, without zeros before it. */
static bool parse_port(weir_bytes_t word, uint16_t *ret_port)
{
    unsigned port = 0;
    if (word.size == 0 || word.size > 5 || (word.size > 1 && word.data[0] == '0')) {
        return false;
    }
    for (size_t i = 0; i < word.size; i++) {
        if (word.data[i] < '0' || word.data[i] > '9') {
            return false;
        }
        port = port * 10 + (unsigned)(word.data[i] - '0');
    }
    *ret_port = (uint16_t)port;
    return port <= UINT16_MAX;
}

/* What follows "PROXY ", without CR LF. */
static bool parse_line(weir_bytes_t text, weir_endpoint_t *ret_client)
{
    weir_bytes_t family = take_word(&text);
    if (is_word(family, "UNKNOWN")) {
        *ret_client = (weir_endpoint_t){.known = false};
        return true; /* the rest is to be ignored */
    }
    bool is_ipv6 = is_word(family, "TCP6");
    if (!is_ipv6 && !is_word(family, "TCP4")) {
        return false;
    }
    weir_endpoint_t client;
    weir_endpoint_t server;
    uint16_t server_port;
    bool ends_in_space = text.size > 0 && text.data[text.size - 1] == ' ';
    bool parsed = parse_address(take_word(&text), is_ipv6, &client) &&
                  parse_address(take_word(&text), is_ipv6, &server) && parse_port(take_word(&text), &client.port) &&
                  parse_port(take_word(&text), &server_port) && text.size == 0 && !ends_in_space;
    if (parsed) {
        *ret_client = client;
    }
    return parsed;
}

static weir_proxy_header_state_t parse_text(weir_bytes_t text, size_t *ret_size, weir_endpoint_t *ret_client)
{
    static const char begin[] = "PROXY ";
    size_t begin_size = sizeof(begin) - 1;
    size_t most = text.size < LINE_MAX_BYTES ? text.size : LINE_MAX_BYTES;
    if (memcmp(text.data, begin, text.size < begin_size ? text.size : begin_size) != 0) {
        return WEIR_PROXY_HEADER_REFUSED;
    }
    const char *cr = memchr(text.data, '\r', most);
    const char *lf = memchr(text.data, '\n', most);
    if (lf == NULL) {
        bool can_end = text.size < LINE_MAX_BYTES && (cr == NULL || cr + 1 == text.data + text.size);
        return can_end ? WEIR_PROXY_HEADER_PARTIAL : WEIR_PROXY_HEADER_REFUSED;
    }
    if (cr == NULL || cr + 1 != lf) {
        return WEIR_PROXY_HEADER_REFUSED;
    }
    size_t size = (size_t)(lf - text.data) + 1;
    if (size < begin_size + 2 ||
        !parse_line((weir_bytes_t){text.data + begin_size, size - begin_size - 2}, ret_client)) {
        return WEIR_PROXY_HEADER_REFUSED;
    }
    *ret_size = size;
    return WEIR_PROXY_HEADER_WHOLE;
}

/* ---- Version 2 --------------------------------------------------------------------------------------------------- */

static uint16_t read_16(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static uint32_t read_32(const uint8_t *bytes)
{
    return (uint32_t)read_16(bytes) << 16 | read_16(bytes + 2);
}

/* CRC-32C (RFC 3720, appendix B.4) of a block, in which the four bytes at `zeroed` count as 0. */
static uint32_t checksum(const uint8_t *bytes, size_t size, size_t zeroed)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < size; i++) {
        crc ^= i - zeroed < 4 ? 0 : bytes[i];
        for (unsigned bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ (0x82F63B78U & (0U - (crc & 1)));
        }
    }
    return ~crc;
}

/* What a proxy tells beside addresses, from `at` to the end of the block: well formed, and a checksum is right. */
static bool check_values(const uint8_t *block, size_t size, size_t at)
{
    while (at < size) {
        if (size - at < VALUE_HEAD_BYTES || size - at - VALUE_HEAD_BYTES < read_16(block + at + 1)) {
            return false;
        }
        size_t value = at + VALUE_HEAD_BYTES;
        size_t value_size = read_16(block + at + 1);
        if (block[at] == CRC32C && (value_size != 4 || checksum(block, size, value) != read_32(block + value))) {
            return false;
        }
        at = value + value_size;
    }
    return true;
}

/* Read the addresses. Returns how many bytes they have; more than `size` when they are not there, or not known. */
static size_t parse_addresses(const uint8_t *block, size_t size, weir_endpoint_t *ret_client)
{
    const uint8_t *addresses = block + BLOCK_HEAD_BYTES;
    *ret_client = (weir_endpoint_t){.known = false};
    switch (block[13]) {
    case UNSPECIFIED:
        return 0;
    case TCP_OVER_IPV4:
        if (size >= IPV4_BYTES) {
            *ret_client = weir_endpoint_make(addresses, false, read_16(addresses + 8));
        }
        return IPV4_BYTES;
    case TCP_OVER_IPV6:
        if (size >= IPV6_BYTES) {
            *ret_client = weir_endpoint_make(addresses, true, read_16(addresses + 32));
        }
        return IPV6_BYTES;
    case UNIX_STREAM:
        return UNIX_BYTES;
    default:
        return SIZE_MAX;
    }
}

static weir_proxy_header_state_t parse_block(weir_bytes_t text, size_t *ret_size, weir_endpoint_t *ret_client)
{
    const uint8_t *block = (const uint8_t *)text.data;
    if (memcmp(text.data, signature, text.size < SIGNATURE_BYTES ? text.size : SIGNATURE_BYTES) != 0) {
        return WEIR_PROXY_HEADER_REFUSED;
    }
    if (text.size < BLOCK_HEAD_BYTES) {
        return WEIR_PROXY_HEADER_PARTIAL;
    }
    unsigned command = block[12] & 0x0FU;
    size_t size = BLOCK_HEAD_BYTES + read_16(block + 14);
    if (block[12] >> 4 != 2 || command > PROXY || size > WEIR_PROXY_HEADER_MAX_BYTES) {
        return WEIR_PROXY_HEADER_REFUSED;
    }
    if (text.size < size) {
        return WEIR_PROXY_HEADER_PARTIAL;
    }
    weir_endpoint_t client = {.known = false};
    if (command == PROXY) {
        size_t addresses = parse_addresses(block, size - BLOCK_HEAD_BYTES, &client);
        bool unspecified = block[13] == UNSPECIFIED; /* what follows that is of no known form */
        if (addresses > size - BLOCK_HEAD_BYTES ||
            (!unspecified && !check_values(block, size, BLOCK_HEAD_BYTES + addresses))) {
            return WEIR_PROXY_HEADER_REFUSED;
        }
    }
    *ret_client = client;
    *ret_size = size;
    return WEIR_PROXY_HEADER_WHOLE;
}

weir_proxy_header_state_t weir_proxy_header_parse(weir_bytes_t text, size_t *ret_size, weir_endpoint_t *ret_client)
{
    if (text.size == 0) {
        return WEIR_PROXY_HEADER_PARTIAL;
    }
    return text.data[0] == signature[0] ? parse_block(text, ret_size, ret_client)
                                        : parse_text(text, ret_size, ret_client);
}
