/*
 * cgi_response.c: collects a head, then cuts it into headers in place.
 */
#include "guest/cgi_response.h"

#include "guest/header_filter.h"
#include "observe/escape.h"

#include <stdlib.h>
#include <string.h>

void weir_cgi_response_init(weir_cgi_response_t *response)
{
    response->text = response->inline_text;
    response->size = 0;
    response->capacity = WEIR_CGI_HEAD_INLINE_BYTES;
    response->seen = 0;
    response->complete = false;
    response->status = 200;
    response->bad_status = false;
    response->content_length = -1;
    response->headers = response->inline_headers;
    response->header_count = 0;
    response->skipped_lines = 0;
    response->dropped_headers = 0;
}

void weir_cgi_response_free(weir_cgi_response_t *response)
{
    if (response->text != response->inline_text)
        free(response->text);
    if (response->headers != response->inline_headers)
        free(response->headers);
    response->text = NULL;
    response->headers = NULL;
}

static bool grow(weir_cgi_response_t *response)
{
    size_t capacity = response->capacity * 2 + WEIR_CGI_HEAD_INLINE_BYTES;
    char *text = response->text == response->inline_text ? malloc(capacity) : realloc(response->text, capacity);
    if (text == NULL)
        return false;
    if (response->text == response->inline_text)
        memcpy(text, response->inline_text, response->size);
    response->text = text;
    response->capacity = capacity;
    return true;
}

weir_cgi_progress_t weir_cgi_response_feed(weir_cgi_response_t *response, weir_bytes_t bytes, size_t *ret_taken)
{
    for (size_t i = 0; i < bytes.size; i++) {
        if (response->seen == WEIR_CGI_HEAD_MAX_BYTES) {
            *ret_taken = i;
            return WEIR_CGI_TOO_LONG;
        }
        response->seen++;
        char c = bytes.data[i];
        if (c == '\r')
            continue;
        if (c == '\n' && response->size > 0 && response->text[response->size - 1] == '\n') {
            response->complete = true;
            *ret_taken = i + 1;
            return WEIR_CGI_COMPLETE;
        }
        if (response->size == response->capacity && !grow(response)) {
            *ret_taken = i;
            return WEIR_CGI_NO_MEMORY;
        }
        response->text[response->size++] = c;
    }
    *ret_taken = bytes.size;
    return WEIR_CGI_MORE;
}

/* ---- Headers ---- */

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static weir_bytes_t trim(weir_bytes_t text)
{
    while (text.size > 0 && is_space(text.data[0])) {
        text.data++;
        text.size--;
    }
    while (text.size > 0 && is_space(text.data[text.size - 1]))
        text.size--;
    return text;
}

static bool same(weir_bytes_t a, weir_bytes_t b)
{
    return a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
}

/* Names are in the parser's own text. */
static void make_lower_case(weir_cgi_response_t *response, weir_bytes_t name)
{
    char *own = response->text + (name.data - response->text);
    for (size_t i = 0; i < name.size; i++) {
        if (own[i] >= 'A' && own[i] <= 'Z')
            own[i] = (char)(own[i] + ('a' - 'A'));
    }
}

/* Enter a header in the place of an earlier one of just its name, or at the end. */
static weir_cgi_verdict_t enter(weir_cgi_response_t *response, weir_pair_t header)
{
    for (size_t i = 0; i < response->header_count; i++) {
        if (!same(response->headers[i].name, header.name))
            continue;
        if (weir_header_is(header.name, "content-length") && !same(response->headers[i].value, header.value))
            return WEIR_CGI_BAD_LENGTH;
        response->headers[i].value = header.value;
        return WEIR_CGI_GOOD;
    }
    if (response->header_count == WEIR_CGI_HEAD_MAX_HEADERS)
        return WEIR_CGI_TOO_MANY;
    if (response->header_count == WEIR_CGI_HEAD_INLINE_HEADERS && response->headers == response->inline_headers) {
        weir_pair_t *headers = malloc(WEIR_CGI_HEAD_MAX_HEADERS * sizeof *headers);
        if (headers == NULL)
            return WEIR_CGI_OUT_OF_MEMORY;
        memcpy(headers, response->inline_headers, sizeof response->inline_headers);
        response->headers = headers;
    }
    response->headers[response->header_count++] = header;
    return WEIR_CGI_GOOD;
}

static weir_cgi_verdict_t split(weir_cgi_response_t *response)
{
    weir_bytes_t rest = trim((weir_bytes_t){response->text, response->size});
    while (rest.size > 0) {
        const char *end = memchr(rest.data, '\n', rest.size);
        weir_bytes_t line = {rest.data, end != NULL ? (size_t)(end - rest.data) : rest.size};
        size_t taken = line.size + (end != NULL);
        rest = (weir_bytes_t){rest.data + taken, rest.size - taken};
        const char *colon = line.size > 0 ? memchr(line.data, ':', line.size) : NULL;
        if (colon == NULL) {
            response->skipped_lines++;
            continue;
        }
        size_t name_size = (size_t)(colon - line.data);
        weir_pair_t header = {
            trim((weir_bytes_t){line.data, name_size}), trim((weir_bytes_t){colon + 1, line.size - name_size - 1})};
        if (!weir_header_name_is_valid(header.name)) {
            response->dropped_headers++;
            continue;
        }
        weir_cgi_verdict_t verdict = enter(response, header);
        if (verdict != WEIR_CGI_GOOD)
            return verdict;
    }
    return WEIR_CGI_GOOD;
}

/* The first word of "404 Not Found", or 0 when it is not a number from 100 to 999 of three digits. */
static uint16_t parse_status(weir_bytes_t value)
{
    const char *space = value.size > 0 ? memchr(value.data, ' ', value.size) : NULL;
    size_t size = space != NULL ? (size_t)(space - value.data) : value.size;
    if (size != 3 || value.data[0] < '1')
        return 0;
    uint16_t status = 0;
    for (size_t i = 0; i < size; i++) {
        if (value.data[i] < '0' || value.data[i] > '9')
            return 0;
        status = (uint16_t)(status * 10 + (value.data[i] - '0'));
    }
    return status;
}

/* Keep a header as one of the first `kept`, in the place of one whose name differs in its case alone. */
static size_t keep(weir_cgi_response_t *response, size_t kept, weir_pair_t header)
{
    make_lower_case(response, header.name);
    size_t i = 0;
    while (i < kept && !same(response->headers[i].name, header.name))
        i++;
    response->headers[i] = header;
    return i == kept ? kept + 1 : kept;
}

static bool take_length(weir_cgi_response_t *response, weir_bytes_t value)
{
    int64_t before = response->content_length;
    return weir_header_parse_length(value, &response->content_length) &&
           (before < 0 || before == response->content_length);
}

weir_cgi_verdict_t weir_cgi_response_understand(weir_cgi_response_t *response)
{
    if (!weir_utf8_is_valid(response->text, response->size))
        return WEIR_CGI_NOT_UTF8;
    weir_cgi_verdict_t verdict = split(response);
    if (verdict != WEIR_CGI_GOOD)
        return verdict;
    bool has_type = false;
    bool has_status = false;
    bool has_location = false;
    size_t kept = 0;
    for (size_t i = 0; i < response->header_count; i++) {
        weir_pair_t header = response->headers[i];
        if (weir_header_is(header.name, "status")) {
            has_status = true;
            response->status = parse_status(header.value);
            response->bad_status = response->status == 0;
        } else if (!weir_header_value_is_valid(header.value)) {
            return WEIR_CGI_BAD_VALUE;
        } else if (weir_header_is(header.name, "content-length")) {
            if (!take_length(response, header.value))
                return WEIR_CGI_BAD_LENGTH;
        } else if (!weir_header_is_of_server_connection(header.name)) {
            has_type = has_type || weir_header_is(header.name, "content-type");
            has_location = has_location || weir_header_is(header.name, "location");
            kept = keep(response, kept, header);
        }
    }
    response->header_count = kept;
    if (response->bad_status)
        response->status = 502;
    else if (!has_status && has_location)
        response->status = 302;
    return has_type || has_status || has_location ? WEIR_CGI_GOOD : WEIR_CGI_INSUFFICIENT;
}
