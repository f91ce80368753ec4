/*
 * head.c: what httparse makes of a head, and the rules of RFC 9112 that are not about its grammar.
 */
#include "http/head.h"

#include <string.h>
#include <strings.h>

bool weir_text_is(weir_bytes_t text, const char *word)
{
    size_t size = strlen(word);
    return text.size == size && strncasecmp(text.data, word, size) == 0;
}

weir_bytes_t weir_text_trim(weir_bytes_t text)
{
    while (text.size > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) {
        text.data++;
        text.size--;
    }
    while (text.size > 0 && (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t')) {
        text.size--;
    }
    return text;
}

weir_bytes_t weir_text_split(weir_bytes_t *text, char separator)
{
    const char *end = memchr(text->data, separator, text->size);
    size_t size = end == NULL ? text->size : (size_t)(end - text->data);
    weir_bytes_t part = {text->data, size};
    size += end == NULL ? 0 : 1;
    text->data += size;
    text->size -= size;
    return weir_text_trim(part);
}

bool weir_list_has(weir_bytes_t list, const char *word)
{
    while (list.size > 0) {
        if (weir_text_is(weir_text_split(&list, ','), word)) {
            return true;
        }
    }
    return false;
}

/* Whether each line ends in CR LF: a program that takes LF alone for a line's end sees other lines than one that does
 * not. */
static bool has_whole_line_ends(weir_bytes_t text)
{
    const char *at = text.data;
    const char *end = text.data + text.size;
    while (at < end && (at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        if (at == text.data || at[-1] != '\r') {
            return false;
        }
        at++;
    }
    return true;
}

/* Digits alone. Returns 0, or what to answer: 413 to more than fits. */
static unsigned parse_length(weir_bytes_t text, int64_t *ret_length)
{
    int64_t length = 0;
    bool fits = true;
    for (size_t i = 0; i < text.size; i++) {
        int digit = text.data[i] - '0';
        if (digit < 0 || digit > 9) {
            return 400;
        }
        fits = fits && length <= (INT64_MAX - digit) / 10;
        length = fits ? length * 10 + digit : length;
    }
    *ret_length = length;
    return text.size == 0 ? 400 : fits ? 0 : 413;
}

/*
 * What is wrong with a request's Transfer-Encoding (RFC 9112, sections 6.1 and 6.3), or 0: it is chunked, and nothing
 * else. Where chunked is not the last, or comes twice, the body has no end that is certain; before it stand codings
 * that weir does not know.
 */
static unsigned judge_codings(weir_bytes_t list)
{
    if (weir_text_is(list, "chunked")) {
        return 0;
    }
    unsigned chunked = 0;
    bool is_last = false;
    bool ends_in_comma = list.size > 0 && list.data[list.size - 1] == ',';
    while (list.size > 0) {
        weir_bytes_t coding = weir_text_split(&list, ',');
        is_last = weir_text_is(coding, "chunked");
        chunked += is_last ? 1 : 0;
        if (coding.size == 0) {
            return 400;
        }
    }
    return is_last && chunked == 1 && !ends_in_comma ? 501 : 400;
}

/* Whether all that a request's Expect lists is 100-continue. */
static bool expects_nothing_else(weir_bytes_t list)
{
    while (list.size > 0) {
        weir_bytes_t member = weir_text_split(&list, ',');
        if (member.size > 0 && !weir_text_is(member, "100-continue")) {
            return false;
        }
    }
    return true;
}

/* The fields that decide how the message is read, each by how often it is there. */
typedef struct deciding {
    unsigned hosts;
    unsigned lengths;
    unsigned codings;
    unsigned wrong_codings; /* what to answer to them, or 0 */
    unsigned wrong_length;
    bool wrong_expectation;
    bool says_close;
    bool says_keep;
} deciding_t;

static void look_at(weir_pair_t field, weir_head_t *head, deciding_t *seen)
{
    /* By the length of the name first: most are none of these. */
    switch (field.name.size) {
    case 2:
        if (weir_text_is(field.name, "te")) {
            head->takes_trailers = head->takes_trailers || weir_list_has(field.value, "trailers");
        }
        break;
    case 4:
        if (weir_text_is(field.name, "host")) {
            seen->hosts++;
            head->host = field.value;
        }
        break;
    case 6:
        if (weir_text_is(field.name, "expect")) {
            head->expects_continue = head->expects_continue || weir_list_has(field.value, "100-continue");
            seen->wrong_expectation = seen->wrong_expectation || !expects_nothing_else(field.value);
        }
        break;
    case 10:
        if (weir_text_is(field.name, "connection")) {
            seen->says_close = seen->says_close || weir_list_has(field.value, "close");
            seen->says_keep = seen->says_keep || weir_list_has(field.value, "keep-alive");
        }
        break;
    case 14:
        if (weir_text_is(field.name, "content-length")) {
            seen->lengths++;
            seen->wrong_length = parse_length(field.value, &head->content_length);
        }
        break;
    case 17:
        if (weir_text_is(field.name, "transfer-encoding")) {
            seen->codings++;
            seen->wrong_codings = judge_codings(field.value);
        }
        break;
    default:
        break;
    }
}

/* What to answer to a head with these fields, or 0: they leave nothing open. */
static unsigned judge(const weir_head_t *head, const deciding_t *seen)
{
    if (seen->hosts > 1 || seen->lengths > 1 || seen->codings > 1 || (head->minor == 1 && seen->hosts == 0)) {
        return 400;
    }
    if (seen->codings > 0 && (seen->lengths > 0 || head->minor == 0)) {
        return 400;
    }
    if (seen->wrong_codings != 0 || seen->wrong_length != 0) {
        return seen->wrong_codings != 0 ? seen->wrong_codings : seen->wrong_length;
    }
    return head->minor == 1 && seen->wrong_expectation ? 417 : 0; /* RFC 9110, section 10.1.1 */
}

static weir_head_state_t refuse(unsigned status, unsigned *ret_status)
{
    *ret_status = status;
    return WEIR_HEAD_REFUSED;
}

/*
 * What to answer to a version that is none of ours: 505, when it is one (RFC 9112, section 2.3) and so the only thing
 * wrong with the line, else 400; or 0, when more has to come before that is certain: it must not matter in which
 * pieces.
 */
static unsigned judge_version(weir_bytes_t text)
{
    enum { NAME_BYTES = 5, BYTES = 8 }; /* of "HTTP/", and with the digits */
    const char *end = text.data + text.size;
    const char *first = memchr(text.data, ' ', text.size);
    const char *second = first == NULL ? NULL : memchr(first + 1, ' ', (size_t)(end - first - 1));
    if (second == NULL) {
        return 400;
    }
    const char *version = second + 1;
    size_t size = (size_t)(end - version);
    if (memcmp(version, "HTTP/", size < NAME_BYTES ? size : NAME_BYTES) != 0) {
        return 400;
    }
    if (size <= BYTES) {
        return memchr(version, '\r', size) == NULL ? 0 : 400;
    }
    bool is_version = version[5] >= '0' && version[5] <= '9' && version[6] == '.' && version[7] >= '0' &&
                      version[7] <= '9' && version[BYTES] == '\r';
    return is_version ? 505 : 400;
}

weir_head_state_t weir_head_parse(
    weir_bytes_t text, weir_head_t *ret_head, weir_pair_t *ret_fields, unsigned *ret_status)
{
    weir_parsed_head_t parsed;
    weir_head_parsed_t state = weir_head_parse_request(text, &parsed, ret_fields);
    switch (state) {
    case WEIR_HEAD_PARSED_PARTIAL:
        return has_whole_line_ends(text) ? WEIR_HEAD_PARTIAL : refuse(400, ret_status);
    case WEIR_HEAD_PARSED_VERSION: {
        unsigned status = has_whole_line_ends(text) ? judge_version(text) : 400;
        return status == 0 ? WEIR_HEAD_PARTIAL : refuse(status, ret_status);
    }
    case WEIR_HEAD_PARSED_TOO_MANY:
        return refuse(431, ret_status);
    case WEIR_HEAD_PARSED_MALFORMED:
        return refuse(400, ret_status);
    case WEIR_HEAD_PARSED_WHOLE:
        break;
    }
    if (!has_whole_line_ends((weir_bytes_t){text.data, parsed.size})) {
        return refuse(400, ret_status);
    }
    weir_head_t head = {.size = parsed.size,
        .method = parsed.method,
        .target = parsed.target,
        .minor = parsed.minor,
        .host = {"", 0},
        .field_count = parsed.field_count};
    deciding_t seen = {.hosts = 0};
    for (size_t i = 0; i < parsed.field_count; i++) {
        look_at(ret_fields[i], &head, &seen);
    }
    unsigned status = judge(&head, &seen);
    if (status != 0) {
        return refuse(status, ret_status);
    }
    if (seen.codings > 0) {
        head.content_length = -1;
    }
    head.keeps = !seen.says_close && (head.minor == 1 || seen.says_keep);
    head.expects_continue = head.expects_continue && head.minor == 1 && head.content_length != 0;
    *ret_head = head;
    return WEIR_HEAD_WHOLE;
}

unsigned weir_head_status_of_too_long(weir_bytes_t text)
{
    if (text.size > 0 && memchr(text.data, '\n', text.size) != NULL) {
        return 431;
    }
    return text.size > 0 && memchr(text.data, ' ', text.size) != NULL ? 414 : 501;
}

bool weir_trailer_is_allowed(weir_bytes_t name)
{
    static const char *const forbidden[] = {"authorization", "cache-control", "connection", "content-encoding",
        "content-length", "content-range", "content-type", "cookie", "expect", "host", "keep-alive", "max-forwards",
        "proxy-authorization", "proxy-connection", "range", "set-cookie", "te", "trailer", "transfer-encoding",
        "upgrade"};
    for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
        if (weir_text_is(name, forbidden[i])) {
            return false;
        }
    }
    return true;
}

bool weir_trailers_parse(weir_bytes_t text, weir_pair_t *ret_fields, size_t *ret_count)
{
    size_t size;
    size_t count;
    if (!has_whole_line_ends(text) ||
        weir_head_parse_fields(text, &size, ret_fields, &count) != WEIR_HEAD_PARSED_WHOLE || size != text.size) {
        return false;
    }
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (weir_trailer_is_allowed(ret_fields[i].name)) {
            ret_fields[kept++] = ret_fields[i];
        }
    }
    *ret_count = kept;
    return true;
}
