/*
 * outbound_entry.c: reads "scheme://host[:port]" step by step as Spin's AllowedHostConfig::parse does
 * (crates/outbound-networking-config/src/allowed_hosts.rs), so that what one lets pass the other does.
 */
#include "app/outbound_entry.h"

#include "app/near.h"

#include <stdlib.h>
#include <string.h>

#define NO_PORT "has no port, and its scheme has none of its own; add :PORT, or :* for any"
#define NOT_IPV6 "is no IPv6 address; write it as [2001:db8::1]"

/* A part of the text. */
typedef struct span {
    const char *bytes;
    size_t size;
} span_t;

static bool is_space(char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static span_t trim(span_t span)
{
    while (span.size > 0 && is_space(span.bytes[0]))
        span = (span_t){span.bytes + 1, span.size - 1};
    while (span.size > 0 && is_space(span.bytes[span.size - 1]))
        span.size--;
    return span;
}

static bool is(span_t span, const char *text)
{
    return span.size == strlen(text) && memcmp(span.bytes, text, span.size) == 0;
}

static bool has(span_t span, char byte)
{
    return span.size > 0 && memchr(span.bytes, byte, span.size) != NULL;
}

static bool begins_with(span_t span, char byte)
{
    return span.size > 0 && span.bytes[0] == byte;
}

static bool copy(span_t span, const char *before, char **ret_copy)
{
    size_t before_size = strlen(before);
    char *text = malloc(before_size + span.size + 1);
    if (text == NULL)
        return false;
    memcpy(text, before, before_size);
    if (span.size > 0)
        memcpy(text + before_size, span.bytes, span.size);
    text[before_size + span.size] = '\0';
    *ret_copy = text;
    return true;
}

#define MEANT(scheme) "has no port, and its scheme has none of its own; did you mean " scheme "://? Else add :PORT"

/* Spin's well_known_port, and what to say of a scheme without a port that is nearly this one. */
static const struct {
    const char *scheme;
    int port;
    const char *meant;
} PORTS[] = {
    {"postgres", 5432, MEANT("postgres")},
    {"mysql", 3306, MEANT("mysql")},
    {"redis", 6379, MEANT("redis")},
    {"mqtt", 1883, MEANT("mqtt")},
    {"http", 80, MEANT("http")},
    {"https", 443, MEANT("https")},
};

int weir_outbound_default_port(const char *scheme, size_t size)
{
    for (size_t i = 0; i < sizeof PORTS / sizeof PORTS[0]; i++)
        if (is((span_t){scheme, size}, PORTS[i].scheme))
            return PORTS[i].port;
    return -1;
}

/* What to say of a scheme that has no port. One letter may be wrong, of many two: "tcp" is no misspelt "http". */
static const char *missing_port(span_t scheme)
{
    char name[16];
    if (scheme.size >= sizeof name)
        return NO_PORT;
    memcpy(name, scheme.bytes, scheme.size);
    name[scheme.size] = '\0';
    weir_near_t near = weir_near_start(name);
    for (size_t i = 0; i < sizeof PORTS / sizeof PORTS[0]; i++)
        weir_near_offer(&near, PORTS[i].scheme);
    for (size_t i = 0; i < sizeof PORTS / sizeof PORTS[0]; i++)
        if (near.best == PORTS[i].scheme && near.best_distance <= (scheme.size > 7 ? 2 : 1))
            return PORTS[i].meant;
    return NO_PORT;
}

static bool read_port(span_t port, span_t scheme, weir_outbound_entry_t *entry, const char **ret_reason)
{
    if (port.size == 0) {
        int known = weir_outbound_default_port(scheme.bytes, scheme.size);
        if (known < 0) {
            *ret_reason = missing_port(scheme);
            return false;
        }
        entry->first_port = (uint32_t)known;
        entry->end_port = entry->first_port + 1;
        return true;
    }
    if (is(port, "*")) {
        entry->any_port = true;
        return true;
    }
    if (begins_with(port, '{')) {
        *ret_reason = "has a list of ports, which Spin does not know; write one entry for each port, or a range";
        return false;
    }
    const char *dots = memmem(port.bytes, port.size, "..", 2);
    size_t first_size = dots == NULL ? port.size : (size_t)(dots - port.bytes);
    if (!weir_number_parse(port.bytes, first_size, UINT16_MAX, &entry->first_port) ||
        (dots != NULL && !weir_number_parse(dots + 2, port.size - first_size - 2, UINT16_MAX, &entry->end_port))) {
        *ret_reason = "has a port that is no number up to 65535; write a number, a range as 8000..8010 (without its "
                      "end), or *";
        return false;
    }
    if (dots == NULL)
        entry->end_port = entry->first_port + 1;
    return true;
}

static bool read_scheme(span_t scheme, weir_outbound_entry_t *entry, const char **ret_reason)
{
    if (is(scheme, "*"))
        return true;
    *ret_reason = NULL;
    if (begins_with(scheme, '{')) {
        *ret_reason = "has a list of schemes, which Spin does not know; write one entry for each scheme, or *";
        return false;
    }
    for (size_t i = 0; i < scheme.size; i++) {
        char lower = (char)(scheme.bytes[i] | 0x20);
        if (lower < 'a' || lower > 'z') {
            *ret_reason = "has a scheme of more than letters; write one as http, or * for any";
            return false;
        }
    }
    return copy(scheme, "", &entry->scheme);
}

/* "*.example.com", without "*." */
static bool read_subdomain(span_t domain, weir_outbound_entry_t *entry, const char **ret_reason)
{
    weir_host_t host;
    if (has(domain, '*')) {
        *ret_reason = "has more than one *; a host can begin with *. and have no other";
        return false;
    }
    if (!weir_host_parse(domain.bytes, domain.size, &host, ret_reason))
        return false;
    if (host.is_address) {
        *ret_reason = "has *. before an address; write a network as 10.0.0.0/8";
        return false;
    }
    entry->kind = strcmp(host.name, "spin.internal") == 0 ? WEIR_OUTBOUND_COMPONENT : WEIR_OUTBOUND_SUBDOMAIN;
    entry->name_size = host.name_size + 1;
    *ret_reason = NULL;
    return copy((span_t){host.name, host.name_size}, ".", &entry->name);
}

/* Read a host. Allocates `name` at most. */
static bool read_host(span_t text, weir_outbound_entry_t *entry, const char **ret_reason)
{
    text = trim(text);
    if (is(text, "*")) {
        entry->kind = WEIR_OUTBOUND_ANY;
        return true;
    }
    if (is(text, "self") || is(text, "self.alt")) {
        entry->kind = WEIR_OUTBOUND_SELF;
        return true;
    }
    if (begins_with(text, '{')) {
        *ret_reason = "has a list of hosts, which Spin does not know; write one entry for each host";
        return false;
    }
    if (weir_network_parse(text.bytes, text.size, &entry->network)) {
        entry->kind = WEIR_OUTBOUND_NETWORK;
        return true;
    }
    if (text.size > 0 && text.bytes[text.size - 1] == '/')
        text.size--;
    if (has(text, '/')) {
        *ret_reason = "has a path, and hosts are allowed as a whole; write scheme://host[:port]";
        return false;
    }
    if (text.size > 1 && text.bytes[0] == '*' && text.bytes[1] == '.')
        return read_subdomain((span_t){text.bytes + 2, text.size - 2}, entry, ret_reason);
    if (has(text, '*')) {
        *ret_reason = "has a * within the host; write * for any host, or *.example.com for all below a domain";
        return false;
    }
    weir_host_t host;
    if (!weir_host_parse(text.bytes, text.size, &host, ret_reason))
        return false;
    if (host.is_address) {
        entry->kind = WEIR_OUTBOUND_NETWORK;
        entry->network = (weir_network_t){host.address, host.address.is_ipv6 ? 128 : 32};
        return true;
    }
    entry->kind = WEIR_OUTBOUND_NAME;
    entry->name_size = host.name_size;
    *ret_reason = NULL;
    return copy((span_t){host.name, host.name_size}, "", &entry->name);
}

/* Split what stands behind the scheme into a host and a port, which may be empty. */
static bool split(span_t rest, span_t *ret_host, span_t *ret_port, const char **ret_reason)
{
    *ret_host = rest;
    *ret_port = (span_t){rest.bytes + rest.size, 0};
    const char *colon = rest.size == 0 ? NULL : memrchr(rest.bytes, ':', rest.size);
    if (colon == NULL)
        return true;
    span_t port = {colon + 1, (size_t)(rest.bytes + rest.size - colon - 1)};
    span_t before = {rest.bytes, (size_t)(colon - rest.bytes)};
    if (port.size > 0) {
        /* The colon may be part of an IPv6 address. */
        weir_outbound_entry_t whole = {0};
        const char *reason = NULL;
        bool is_host = read_host(rest, &whole, &reason);
        free(whole.name);
        if (is_host)
            return true;
        const char *slash = memchr(port.bytes, '/', port.size);
        if (slash != NULL && slash + 1 < port.bytes + port.size) {
            *ret_reason = "has a path, and hosts are allowed as a whole; write scheme://host[:port]";
            return false;
        }
        if (begins_with(before, '[') && !has(before, ']')) {
            *ret_reason = NOT_IPV6;
            return false;
        }
        if (slash != NULL)
            port.size--;
    }
    *ret_host = before;
    *ret_port = port;
    return true;
}

bool weir_outbound_entry_parse(const char *text, weir_outbound_entry_t *ret_entry, const char **ret_reason)
{
    span_t whole = trim((span_t){text, strlen(text)});
    const char *mark = memmem(whole.bytes, whole.size, "://", 3);
    if (mark == NULL) {
        bool all =
            is(whole, "*") || is(whole, ":") || is(whole, "") || is(whole, "?") || is(whole, "insecure:allow-all");
        *ret_reason = all ? "is not of the form scheme://host[:port]; to allow every destination write *://*:*, which "
                            "leaves nothing of the network's sandbox"
                          : "has no scheme; write https://HOST, or *://HOST:PORT for any scheme";
        return false;
    }
    span_t scheme = {whole.bytes, (size_t)(mark - whole.bytes)};
    span_t rest = {mark + 3, whole.size - scheme.size - 3};
    span_t host, port;
    weir_outbound_entry_t entry = {0};
    if (split(rest, &host, &port, ret_reason) && read_port(port, scheme, &entry, ret_reason) &&
        read_scheme(scheme, &entry, ret_reason) && read_host(host, &entry, ret_reason)) {
        *ret_entry = entry;
        return true;
    }
    weir_outbound_entry_free(&entry);
    return false;
}

void weir_outbound_entry_free(weir_outbound_entry_t *entry)
{
    free(entry->scheme);
    free(entry->name);
}
