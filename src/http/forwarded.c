/*
 * forwarded.c: lists of hops, read forwards because of their quotes, and kept from their ends.
 */
#include "http/forwarded.h"

#include "http/head.h"

#include <string.h>

/* ---- Texts ------------------------------------------------------------------------------------------------------- */

static bool is_token(char byte)
{
    bool alphanumeric = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9');
    return alphanumeric || (byte != '\0' && strchr("!#$%&'*+-.^_`|~", byte) != NULL);
}

static void skip_spaces(weir_bytes_t *text)
{
    while (text->size > 0 && (text->data[0] == ' ' || text->data[0] == '\t')) {
        text->data++;
        text->size--;
    }
}

static bool take_byte(weir_bytes_t *text, char byte)
{
    if (text->size == 0 || text->data[0] != byte) {
        return false;
    }
    text->data++;
    text->size--;
    return true;
}

static weir_bytes_t take_token(weir_bytes_t *text)
{
    weir_bytes_t token = {text->data, 0};
    while (token.size < text->size && is_token(text->data[token.size])) {
        token.size++;
    }
    text->data += token.size;
    text->size -= token.size;
    return token;
}

/* A quoted string (RFC 9110, section 5.6.4), behind its first quote. */
static bool take_quoted(weir_bytes_t *text, weir_bytes_t *ret_value)
{
    size_t at = 0;
    bool escaped = false;
    while (at < text->size && text->data[at] != '"') {
        bool escapes = text->data[at] == '\\';
        escaped = escaped || escapes;
        at += escapes ? 2 : 1;
    }
    if (at >= text->size) {
        return false;
    }
    *ret_value = (weir_bytes_t){text->data, escaped ? 0 : at};
    text->data += at + 1;
    text->size -= at + 1;
    return true;
}

/* ---- Hops -------------------------------------------------------------------------------------------------------- */

/* The hops are kept in the order in which they come, the last WEIR_HOPS_MAX of them, in a ring. */
static void push(weir_hops_t *hops, const weir_hop_t *hop)
{
    hops->hops[hops->count % WEIR_HOPS_MAX] = *hop;
    hops->count++;
}

static void turn_round(weir_hops_t *hops)
{
    weir_hop_t last_first[WEIR_HOPS_MAX];
    size_t kept = hops->count < WEIR_HOPS_MAX ? hops->count : WEIR_HOPS_MAX;
    for (size_t i = 0; i < kept; i++) {
        last_first[i] = hops->hops[(hops->count - 1 - i) % WEIR_HOPS_MAX];
    }
    memcpy(hops->hops, last_first, kept * sizeof(last_first[0]));
    hops->count = kept;
}

weir_hop_t weir_hops_walk(const weir_hops_t *hops, const weir_endpoint_t *connected,
    bool (*trusts)(const void *context, const weir_endpoint_t *endpoint), const void *context)
{
    weir_hop_t found = {.client = *connected};
    for (size_t i = 0; i < hops->count && trusts(context, &found.client); i++) {
        const weir_hop_t *hop = &hops->hops[i];
        found.scheme = hop->scheme;
        found.host = hop->host;
        if (!hop->client.known) {
            break;
        }
        found.client = hop->client;
    }
    return found;
}

/* ---- Forwarded --------------------------------------------------------------------------------------------------- */

/* RFC 7239, section 6: an address, with a port perhaps; else a name that hides it. */
static weir_endpoint_t read_node(weir_bytes_t node)
{
    weir_endpoint_t endpoint = {.known = false};
    /* An IPv6 address has brackets here; a port may be a name that hides it. */
    const char *colon = node.size == 0 ? NULL : memrchr(node.data, ':', node.size);
    size_t before = colon == NULL ? 0 : (size_t)(colon - node.data);
    if (colon != NULL && node.size - before > 1 && colon[1] == '_') {
        node.size = before;
    }
    bool may_be = node.size > 0 &&
                  (node.data[0] == '[' || memchr(node.data, ':', node.size) == memrchr(node.data, ':', node.size));
    if (may_be) {
        (void)weir_endpoint_parse(node, &endpoint);
    }
    return endpoint;
}

/* One pair of name and value; each name comes once. */
static bool take_pair(weir_bytes_t *text, weir_hop_t *hop, unsigned *seen)
{
    weir_bytes_t name = take_token(text);
    weir_bytes_t value;
    if (name.size == 0 || !take_byte(text, '=')) {
        return false;
    }
    if (take_byte(text, '"')) {
        if (!take_quoted(text, &value)) {
            return false;
        }
    } else {
        value = take_token(text);
        if (value.size == 0) {
            return false;
        }
    }
    unsigned which = weir_text_is(name, "for")     ? 1
                     : weir_text_is(name, "proto") ? 2
                     : weir_text_is(name, "host")  ? 4
                     : weir_text_is(name, "by")    ? 8
                                                   : 0;
    if ((*seen & which) != 0) {
        return false;
    }
    *seen |= which;
    if (which == 1) {
        hop->client = read_node(value);
    } else if (which == 2) {
        hop->scheme = value;
    } else if (which == 4) {
        hop->host = value;
    }
    return true;
}

/* One element: pairs with semicolons between them, of which some may be missing. */
static bool take_element(weir_bytes_t *text, weir_hops_t *hops)
{
    weir_hop_t hop = {.client = {.known = false}};
    unsigned seen = 0;
    bool any = false;
    for (;;) {
        skip_spaces(text);
        if (text->size > 0 && text->data[0] != ';' && text->data[0] != ',') {
            if (!take_pair(text, &hop, &seen)) {
                return false;
            }
            any = true;
            skip_spaces(text);
        }
        if (!take_byte(text, ';')) {
            break;
        }
    }
    if (any) {
        push(hops, &hop);
    }
    return text->size == 0 || text->data[0] == ',';
}

bool weir_forwarded_parse(const weir_pair_t *fields, size_t count, weir_hops_t *ret_hops)
{
    ret_hops->is_there = false;
    ret_hops->count = 0;
    for (size_t i = 0; i < count; i++) {
        if (!weir_text_is(fields[i].name, "forwarded")) {
            continue;
        }
        ret_hops->is_there = true;
        weir_bytes_t text = fields[i].value;
        do {
            if (!take_element(&text, ret_hops)) {
                return false;
            }
        } while (take_byte(&text, ','));
    }
    turn_round(ret_hops);
    return true;
}

/* ---- X-Forwarded ------------------------------------------------------------------------------------------------- */

/* Take the last member off a list that has some left. */
static weir_bytes_t take_last(weir_bytes_t *list)
{
    const char *comma = memrchr(list->data, ',', list->size);
    size_t before = comma == NULL ? 0 : (size_t)(comma - list->data);
    size_t start = comma == NULL ? 0 : before + 1;
    weir_bytes_t member = weir_text_trim((weir_bytes_t){list->data + start, list->size - start});
    list->size = before;
    return member;
}

/* Go through the members of all fields with this name, from the last one. Returns how many there are. */
static size_t list_members(
    const weir_pair_t *fields, size_t count, const char *name, weir_bytes_t ret_members[WEIR_HOPS_MAX])
{
    size_t found = 0;
    for (size_t i = count; i-- > 0 && found < WEIR_HOPS_MAX;) {
        if (!weir_text_is(fields[i].name, name)) {
            continue;
        }
        weir_bytes_t list = fields[i].value;
        while (list.size > 0 && found < WEIR_HOPS_MAX) {
            weir_bytes_t member = take_last(&list);
            if (member.size > 0) {
                ret_members[found++] = member;
            }
        }
    }
    return found;
}

static weir_bytes_t member_of(const weir_bytes_t *members, size_t count, size_t hop)
{
    return count == 1 ? members[0] : hop < count ? members[hop] : (weir_bytes_t){NULL, 0};
}

void weir_x_forwarded_parse(const weir_pair_t *fields, size_t count, weir_hops_t *ret_hops)
{
    weir_bytes_t clients[WEIR_HOPS_MAX];
    weir_bytes_t schemes[WEIR_HOPS_MAX];
    size_t client_count = list_members(fields, count, "x-forwarded-for", clients);
    size_t scheme_count = list_members(fields, count, "x-forwarded-proto", schemes);
    bool names_none = client_count == 0 && scheme_count > 0;
    ret_hops->count = names_none ? 1 : client_count;
    ret_hops->is_there = ret_hops->count > 0;
    for (size_t i = 0; i < ret_hops->count; i++) {
        weir_hop_t *hop = &ret_hops->hops[i];
        *hop = (weir_hop_t){.scheme = member_of(schemes, scheme_count, i)};
        if (i < client_count) {
            (void)weir_endpoint_parse(clients[i], &hop->client);
        }
    }
}
