/*
 * outbound_hosts.c: the list of what a component may reach, and the question whether something is on it.
 */
#include "app/outbound_hosts.h"

#include "app/complaint.h"
#include "app/outbound_entry.h"
#include "app/text.h"
#include "observe/escape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHAINING_DOMAIN ".spin.internal"

static char lower(char byte)
{
    return byte >= 'A' && byte <= 'Z' ? (char)(byte | 0x20) : byte;
}

/* Whether a URL's scheme, in any case, is that of an entry; one with capitals is none, as in Spin. */
static bool is_scheme(const char *entry, const char *scheme)
{
    while (*entry != '\0' && *entry == lower(*scheme)) {
        entry++;
        scheme++;
    }
    return *entry == '\0' && *scheme == '\0';
}

static bool copy_components(const weir_manifest_t *manifest, weir_outbound_hosts_t *hosts)
{
    if (hosts->components != NULL || manifest->component_count == 0)
        return true;
    hosts->components = calloc(manifest->component_count, sizeof *hosts->components);
    if (hosts->components == NULL)
        return false;
    for (; hosts->component_count < manifest->component_count; hosts->component_count++) {
        char *copy = weir_text_copy(manifest->components[hosts->component_count].id);
        if (copy == NULL)
            return false;
        hosts->components[hosts->component_count] = copy;
    }
    return true;
}

static bool add(
    const weir_manifest_t *manifest, const weir_outbound_text_t *text, weir_outbound_hosts_t *hosts, char **ret_message)
{
    bool expanded = strcmp(text->text, text->written) != 0;
    if (expanded &&
        (text->text[0] == '\0' || strcmp(text->text, "http://") == 0 || strcmp(text->text, "https://") == 0))
        return true;
    const char *reason = "is longer than any host";
    if (strlen(text->text) <= WEIR_OUTBOUND_TEXT_MAX &&
        weir_outbound_entry_parse(text->text, &hosts->entries[hosts->count], &reason)) {
        hosts->entries[hosts->count].is_secret = text->is_secret;
        bool all_components = hosts->entries[hosts->count++].kind == WEIR_OUTBOUND_COMPONENT;
        return !all_components || copy_components(manifest, hosts);
    }
    if (reason == NULL)
        return false;
    return weir_complain(ret_message, manifest->path, text->place, "%s of allowed_outbound_hosts%s %s",
        weir_quote(text->written).text, expanded ? ", with the values of its variables," : "", reason);
}

bool weir_outbound_hosts_parse(const weir_manifest_t *manifest, const weir_outbound_text_t *texts, size_t text_count,
    weir_outbound_hosts_t *ret_hosts, char **ret_message)
{
    weir_outbound_hosts_t hosts = {0};
    char *message = NULL;
    bool success = true;
    if (text_count > WEIR_OUTBOUND_HOSTS_MAX)
        success = weir_complain(&message, manifest->path, texts[WEIR_OUTBOUND_HOSTS_MAX].place,
            "allowed_outbound_hosts has %zu entries; the most is %d", text_count, (int)WEIR_OUTBOUND_HOSTS_MAX);
    if (success && text_count > 0) {
        hosts.entries = calloc(text_count, sizeof *hosts.entries);
        success = hosts.entries != NULL;
    }
    for (size_t i = 0; success && i < text_count; i++)
        success = add(manifest, &texts[i], &hosts, &message);
    if (success) {
        *ret_hosts = hosts;
        return true;
    }
    weir_outbound_hosts_free(&hosts);
    *ret_message = message;
    return false;
}

void weir_outbound_hosts_free(weir_outbound_hosts_t *hosts)
{
    for (size_t i = 0; i < hosts->count; i++)
        weir_outbound_entry_free(&hosts->entries[i]);
    for (size_t i = 0; i < hosts->component_count; i++)
        free(hosts->components[i]);
    free(hosts->entries);
    free(hosts->components);
    *hosts = (weir_outbound_hosts_t){0};
}

static bool is_component(const weir_outbound_hosts_t *hosts, const weir_host_t *host)
{
    size_t domain_size = sizeof CHAINING_DOMAIN - 1;
    if (host->name_size < domain_size || strcmp(host->name + host->name_size - domain_size, CHAINING_DOMAIN) != 0)
        return false;
    size_t size = host->name_size - domain_size;
    for (size_t i = 0; i < hosts->component_count; i++) {
        if (strlen(hosts->components[i]) == size && memcmp(hosts->components[i], host->name, size) == 0)
            return true;
    }
    return false;
}

static bool is_host(const weir_outbound_hosts_t *hosts, const weir_outbound_entry_t *entry, const weir_host_t *host)
{
    switch (entry->kind) {
    case WEIR_OUTBOUND_ANY:
        return true;
    case WEIR_OUTBOUND_SELF:
        return false;
    case WEIR_OUTBOUND_NAME:
        return !host->is_address && host->name_size == entry->name_size && strcmp(host->name, entry->name) == 0;
    case WEIR_OUTBOUND_SUBDOMAIN:
        return !host->is_address && host->name_size >= entry->name_size &&
               strcmp(host->name + host->name_size - entry->name_size, entry->name) == 0;
    case WEIR_OUTBOUND_COMPONENT:
        return !host->is_address && is_component(hosts, host);
    case WEIR_OUTBOUND_NETWORK:
        return host->is_address && weir_network_contains(&entry->network, &host->address);
    }
    return false;
}

/* Read a host as the URL standard says, or a bare IPv6 address. */
static bool read_host(const char *text, weir_host_t *ret_host)
{
    const char *reason;
    size_t size = strlen(text);
    if (text[0] == '[' || strchr(text, ':') == NULL)
        return weir_host_parse(text, size, ret_host, &reason);
    *ret_host = (weir_host_t){.is_address = true};
    return weir_ip_address_parse(text, size, true, &ret_host->address);
}

/* The entry that allows it, if there is one that is not secret that one; NULL: none does. */
static const weir_outbound_entry_t *find_entry(
    const weir_outbound_hosts_t *hosts, const char *scheme, const char *host, int port)
{
    const weir_outbound_entry_t *found = NULL;
    weir_host_t wanted;
    if (hosts->count == 0 || !read_host(host, &wanted))
        return NULL;
    if (port < 0) {
        char known[16] = "";
        for (size_t i = 0; i < sizeof known - 1 && scheme[i] != '\0'; i++)
            known[i] = lower(scheme[i]);
        port = weir_outbound_default_port(known, strlen(known));
    }
    for (size_t i = 0; i < hosts->count && (found == NULL || found->is_secret); i++) {
        const weir_outbound_entry_t *entry = &hosts->entries[i];
        bool is_port =
            entry->any_port || (port >= 0 && entry->first_port <= (uint32_t)port && (uint32_t)port < entry->end_port);
        if (is_port && (entry->scheme == NULL || is_scheme(entry->scheme, scheme)) && is_host(hosts, entry, &wanted))
            found = entry;
    }
    return found;
}

bool weir_outbound_hosts_allow(const weir_outbound_hosts_t *hosts, const char *scheme, const char *host, int port)
{
    return find_entry(hosts, scheme, host, port) != NULL;
}

bool weir_outbound_hosts_hide(const weir_outbound_hosts_t *hosts, const char *scheme, const char *host, int port)
{
    const weir_outbound_entry_t *entry = find_entry(hosts, scheme, host, port);
    return entry != NULL && entry->is_secret;
}

bool weir_outbound_hosts_allow_self(const weir_outbound_hosts_t *hosts)
{
    for (size_t i = 0; i < hosts->count; i++) {
        const weir_outbound_entry_t *entry = &hosts->entries[i];
        bool own = entry->kind == WEIR_OUTBOUND_ANY || entry->kind == WEIR_OUTBOUND_SELF;
        if (own && (entry->scheme == NULL || strcmp(entry->scheme, "http") == 0 || strcmp(entry->scheme, "https") == 0))
            return true;
    }
    return false;
}

/* What stands before ".spin.internal" in a host, which may have a port; its size, or 0 when the host is another. */
static size_t chained_size(const char *host)
{
    const char *colon = strrchr(host, ':');
    size_t size = colon == NULL ? strlen(host) : (size_t)(colon - host);
    size_t domain_size = sizeof CHAINING_DOMAIN - 1;
    size_t name_size = strcspn(host, ".");
    bool chaining = size == name_size + domain_size && strncmp(host + name_size, CHAINING_DOMAIN, domain_size) == 0;
    return chaining ? name_size : 0;
}

bool weir_outbound_hosts_allow_lookup(const weir_outbound_hosts_t *hosts, const char *name)
{
    weir_host_t wanted;
    if (hosts->count == 0 || !read_host(name, &wanted))
        return false;
    bool allowed = wanted.is_address;
    for (size_t i = 0; i < hosts->count && !allowed; i++)
        allowed = hosts->entries[i].kind != WEIR_OUTBOUND_COMPONENT && is_host(hosts, &hosts->entries[i], &wanted);
    return allowed && (wanted.is_address || chained_size(wanted.name) == 0); /* those names are no one else's */
}

static size_t find_component(const weir_manifest_t *manifest, const char *name, size_t size)
{
    for (size_t i = 0; i < manifest->component_count; i++) {
        const char *id = manifest->components[i].id;
        if (strlen(id) == size && memcmp(id, name, size) == 0)
            return i;
    }
    return WEIR_NO_COMPONENT;
}

size_t weir_outbound_hosts_chained(const weir_manifest_t *manifest, const char *host, bool *ret_is_chaining)
{
    size_t size = chained_size(host);
    *ret_is_chaining = size > 0;
    return size > 0 ? find_component(manifest, host, size) : WEIR_NO_COMPONENT;
}

bool weir_outbound_hosts_check_selection(
    const weir_manifest_t *manifest, size_t component, const bool *selected, char **ret_message)
{
    const weir_component_t *asking = &manifest->components[component];
    for (size_t i = 0; i < asking->allowed_outbound_hosts_count; i++) {
        const weir_placed_text_t *entry = &asking->allowed_outbound_hosts[i];
        const char *mark = strstr(entry->text, "://");
        char host[WEIR_HOST_NAME_MAX + 8];
        if (mark == NULL || strstr(entry->text, "{{") != NULL)
            continue;
        int size = snprintf(host, sizeof host, "%.*s", (int)strcspn(mark + 3, "/ "), mark + 3);
        size_t name_size = size < 0 || (size_t)size >= sizeof host ? 0 : chained_size(host);
        if (name_size == 0)
            continue;
        if (name_size == 1 && host[0] == '*')
            return weir_complain(ret_message, manifest->path, entry->place,
                "the selected component %s may call every other (%s), but not all of them are selected; name those it "
                "calls, and select them with --component-id",
                weir_quote(asking->id).text, weir_quote(entry->text).text);
        size_t target = find_component(manifest, host, name_size);
        if (target == WEIR_NO_COMPONENT || !selected[target])
            return weir_complain(ret_message, manifest->path, entry->place,
                "the selected component %s calls one that is not selected (%s); select that with --component-id too",
                weir_quote(asking->id).text, weir_quote(entry->text).text);
    }
    return true;
}

/* Append escaped text as far as it fits; the size afterwards. `buffer` stays terminated. */
static size_t append(char *buffer, size_t capacity, size_t size, const char *text)
{
    size_t left = strlen(text);
    while (left > 0) {
        char shown[WEIR_ESCAPE_MAX];
        size_t shown_size;
        size_t taken = weir_escape_next(text, left, shown, &shown_size);
        if (size + shown_size >= capacity)
            break;
        memcpy(buffer + size, shown, shown_size);
        size += shown_size;
        text += taken;
        left -= taken;
    }
    buffer[size] = '\0';
    return size;
}

void weir_outbound_hosts_describe_denial(const weir_manifest_t *manifest, size_t component, const char *scheme,
    const char *host, int port, weir_outbound_denial_t *ret_denial)
{
    char destination[WEIR_HOST_NAME_MAX + 64];
    char end[16] = "";
    bool bare_ipv6 = host[0] != '[' && strchr(host, ':') != NULL;
    /* A URL drops the port of its scheme; of those for which the standard does so, guests speak these two. */
    bool usual = (port == 80 && strcmp(scheme, "http") == 0) || (port == 443 && strcmp(scheme, "https") == 0);
    if (port >= 0 && !usual && strcmp(host, "self") != 0)
        snprintf(end, sizeof end, ":%d", port);
    size_t size = append(destination, 32, 0, scheme);
    size = append(destination, sizeof destination, size, bare_ipv6 ? "://[" : "://");
    size = append(destination, sizeof destination - 16, size, host);
    size = append(destination, sizeof destination, size, bare_ipv6 ? "]" : "");
    append(destination, sizeof destination, size, end);
    snprintf(ret_denial->log, sizeof ret_denial->log, "Outbound network destination not allowed: %s", destination);

    char *hint = ret_denial->hint;
    size_t hint_size = sizeof ret_denial->hint;
    const weir_component_t *asking = &manifest->components[component];
    bool has_key = asking->allowed_outbound_hosts_place.line > 0;
    weir_place_t place = has_key ? asking->allowed_outbound_hosts_place : asking->place;
    if (manifest->is_wasm)
        snprintf(hint, hint_size,
            "To allow this, write a spin.toml whose component has allowed_outbound_hosts = [\"%s\"]", destination);
    else
        snprintf(hint, hint_size,
            has_key ? "To allow this, add \"%s\" to allowed_outbound_hosts of component \"%s\" at %s:%u:%u"
                    : "To allow this, add allowed_outbound_hosts = [\"%s\"] to component \"%s\" at %s:%u:%u",
            destination, weir_shown(asking->id).text, weir_shown(manifest->path).text, (unsigned)place.line,
            (unsigned)place.column);
}
