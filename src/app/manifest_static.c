/*
 * manifest_static.c: reads a static response (Spin's crates/http/src/config.rs, StaticResponse) and checks that it can
 * be sent: what Spin would fail on with each request is an error here.
 */
#include "app/manifest_reader.h"
#include "app/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define WHERE "\"static_response\" of [[trigger.http]]"
enum { STATUS_DEFAULT = 200, STATUS_MIN = 200, STATUS_MAX = 999 };

static const weir_key_rule_t STATIC_KEYS[] = {
    {"status_code", WEIR_SHAPE_INTEGER, WEIR_KEY_READ, "write status_code = 200"},
    {"headers", WEIR_SHAPE_TABLE_OF_STRINGS, WEIR_KEY_READ, "write headers = { content-type = \"text/plain\" }"},
    {"body", WEIR_SHAPE_STRING, WEIR_KEY_READ, NULL},
};

/* Warn of a key that is none; `meant` is one that is like it, or NULL. */
static bool warn_of_key(weir_reader_t *reader, const weir_toml_t *member, const char *meant)
{
    weir_quote_t key = weir_quote(member->key);
    if (meant != NULL)
        return weir_reader_warn(reader, member->key_place,
            weir_words("key %s in \"static_response\" of [[trigger.http]] changes nothing; did you mean \"%s\"?"),
            key.text, meant);
    return weir_reader_warn(reader, member->key_place,
        weir_words("key %s in \"static_response\" of [[trigger.http]] changes nothing; remove it"), key.text);
}

/* Spin lets other keys pass in this table alone. They change nothing there either, so they get a warning. */
static bool check_keys(weir_reader_t *reader, const weir_toml_t *table)
{
    for (size_t i = 0; i < table->child_count; i++) {
        const weir_toml_t *member = &table->children[i];
        const weir_key_rule_t *rule = NULL;
        weir_near_t near = weir_near_start(member->key);
        for (size_t j = 0; j < COUNT(STATIC_KEYS); j++) {
            weir_near_offer(&near, STATIC_KEYS[j].name);
            if (strcmp(STATIC_KEYS[j].name, member->key) == 0)
                rule = &STATIC_KEYS[j];
        }
        bool good = rule != NULL ? weir_reader_check_member(reader, member, WHERE, rule)
                                 : warn_of_key(reader, member, near.best);
        if (!good)
            return false;
    }
    return true;
}

static bool read_status(weir_reader_t *reader, const weir_toml_t *table, weir_static_response_t *response)
{
    const weir_toml_t *status = weir_toml_member(table, "status_code");
    if (status != NULL && (status->integer < STATUS_MIN || status->integer > STATUS_MAX))
        return weir_reader_fail(reader, status->place,
            "\"status_code\" of " WHERE " is %lld; a response has one from %d to %d", (long long)status->integer,
            (int)STATUS_MIN, (int)STATUS_MAX);
    response->status = status != NULL ? (uint16_t)status->integer : STATUS_DEFAULT;
    return true;
}

static bool read_body(const weir_toml_t *table, weir_static_response_t *response)
{
    const weir_toml_t *body = weir_toml_member(table, "body");
    response->body = weir_text_copy(body != NULL ? body->string : "");
    response->body_size = body != NULL ? body->string_size : 0;
    return response->body != NULL;
}

/* A token (RFC 9110, section 5.6.2). */
static bool is_header_name(const char *name)
{
    for (const char *at = name; *at != '\0'; at++) {
        char letter = (char)(*at | 0x20);
        bool alphanumeric = (letter >= 'a' && letter <= 'z') || (*at >= '0' && *at <= '9');
        if (!alphanumeric && strchr("!#$%&'*+-.^_`|~", *at) == NULL)
            return false;
    }
    return name[0] != '\0';
}

/* No control characters but the tab (RFC 9110, section 5.5). */
static bool is_header_value(const char *value)
{
    for (const char *at = value; *at != '\0'; at++) {
        if (((unsigned char)*at < 0x20 && *at != '\t') || *at == 0x7F)
            return false;
    }
    return true;
}

/* Those that are about the connection, which is the server's alone (RFC 9110, section 7.6.1). */
static bool is_of_connection(const char *name)
{
    static const char *const NAMES[] = {
        "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"};
    for (size_t i = 0; i < COUNT(NAMES); i++) {
        if (strcasecmp(name, NAMES[i]) == 0)
            return true;
    }
    return false;
}

/* The server writes the length itself: it must be the one that is stated. */
static bool check_length(weir_reader_t *reader, const weir_toml_t *header, const weir_static_response_t *response)
{
    char length[24];
    snprintf(length, sizeof length, "%zu", response->body_size);
    if (strcmp(header->string, length) == 0)
        return true;
    return weir_reader_fail(reader, header->place,
        "\"%s\" of " WHERE " is %s, and the body has %s bytes; remove it: it is sent anyway",
        weir_shown(header->key).text, weir_quote(header->string).text, length);
}

static bool add_header(weir_reader_t *reader, const weir_toml_t *header, weir_static_response_t *response)
{
    if (!is_header_name(header->key))
        return weir_reader_fail(reader, header->key_place,
            "%s of " WHERE " cannot be the name of a header; use letters, digits and \"-\"",
            weir_quote(header->key).text);
    if (!is_header_value(header->string))
        return weir_reader_fail(reader, header->place,
            "the value %s of header \"%s\" in " WHERE " has a control character; remove it",
            weir_quote(header->string).text, weir_shown(header->key).text);
    if (strcasecmp(header->key, "content-length") == 0)
        return check_length(reader, header, response);
    if (is_of_connection(header->key))
        return weir_reader_warn(reader, header->key_place,
            weir_words("header \"%s\" of \"static_response\" of [[trigger.http]] is about the connection, which is the "
                       "server's; it is not sent"),
            weir_shown(header->key).text);
    weir_variable_t *added = &response->headers[response->header_count++];
    added->name = weir_text_copy(header->key);
    added->value = weir_text_copy(header->string);
    return added->name != NULL && added->value != NULL;
}

static bool read_headers(weir_reader_t *reader, const weir_toml_t *table, weir_static_response_t *response)
{
    const weir_toml_t *headers = weir_toml_member(table, "headers");
    if (headers == NULL || headers->child_count == 0)
        return true;
    if (!weir_reader_check_count(reader, headers, WHERE, "headers", WEIR_STATIC_HEADERS_MAX))
        return false;
    response->headers = calloc(headers->child_count, sizeof *response->headers);
    if (response->headers == NULL)
        return false;
    size_t bytes = 0;
    for (size_t i = 0; i < headers->child_count; i++) {
        const weir_toml_t *header = &headers->children[i];
        bytes += header->key_size + header->string_size;
        if (bytes > WEIR_STATIC_HEAD_BYTES_MAX)
            return weir_reader_fail(reader, header->key_place,
                "the headers of " WHERE " have more than %d bytes, which is the most", (int)WEIR_STATIC_HEAD_BYTES_MAX);
        if (!add_header(reader, header, response))
            return false;
    }
    return true;
}

bool weir_reader_static_response(weir_reader_t *reader, const weir_toml_t *table, weir_http_trigger_t *trigger)
{
    const weir_toml_t *member = weir_toml_member(table, "static_response");
    weir_static_response_t *response = calloc(1, sizeof *response);
    if (response == NULL)
        return false;
    trigger->static_response = response;
    trigger->component = WEIR_NO_COMPONENT;
    return check_keys(reader, member) && read_status(reader, member, response) && read_body(member, response) &&
           read_headers(reader, member, response);
}
