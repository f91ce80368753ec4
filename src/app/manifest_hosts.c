/*
 * manifest_hosts.c: reads which hosts a component may connect to. The deprecated allowed_http_hosts are turned into
 * allowed_outbound_hosts, as Spin's crates/manifest/src/compat.rs and compat/allowed_http_hosts.rs do.
 */
#include "app/manifest_reader.h"
#include "app/words.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char ALLOW_ALL[] = "insecure:allow-all";

/* An old host: what stands before its port, and the port with its colon, both within its text. */
typedef struct old_host {
    bool secure; /* it was written with https:// */
    const char *name;
    size_t name_size;
    const char *port;
    size_t port_size;
} old_host_t;

static bool is_host_character(char character)
{
    char letter = (char)(character | 0x20);
    return (letter >= 'a' && letter <= 'z') || (character >= '0' && character <= '9') || character == '-' ||
           character == '.' || character == '_' || character == '*';
}

/* "[::1]" or a name; how much of the text it takes, 0: it is neither. */
static size_t host_size(const char *text)
{
    if (text[0] == '[') {
        size_t size = 1 + strspn(text + 1, "0123456789abcdefABCDEF:.");
        return size > 1 && text[size] == ']' ? size + 1 : 0;
    }
    size_t size = 0;
    while (is_host_character(text[size]))
        size++;
    return size;
}

static bool parse_old_host(const char *text, old_host_t *ret_host)
{
    old_host_t host = {.secure = strncasecmp(text, "https://", 8) == 0};
    if (host.secure)
        text += 8;
    else if (strncasecmp(text, "http://", 7) == 0)
        text += 7;
    host.name = text;
    host.name_size = host_size(text);
    host.port = text + host.name_size;
    uint32_t port = 0;
    if (*host.port == ':') {
        size_t digits = strspn(host.port + 1, "0123456789");
        host.port_size = 1 + digits;
        for (size_t i = 1; i <= digits && port <= UINT16_MAX; i++)
            port = port * 10 + (uint32_t)(host.port[i] - '0');
        if (port > UINT16_MAX)
            return false;
    }
    const char *rest = host.port + host.port_size;
    if (host.name_size == 0 || (strcmp(rest, "") != 0 && strcmp(rest, "/") != 0))
        return false;
    /* The scheme's own port is no port to Spin, nor is an empty one. */
    if (host.port_size == 1 || port == (host.secure ? 443u : 80u))
        host.port_size = 0;
    *ret_host = host;
    return true;
}

/* Add to the component's hosts, which have room. */
static bool add(weir_component_t *component, weir_place_t place, weir_text_t *take_text)
{
    char *text = weir_text_take(take_text);
    if (text == NULL)
        return false;
    component->allowed_outbound_hosts[component->allowed_outbound_hosts_count++] = (weir_placed_text_t){text, place};
    return true;
}

static bool add_text(weir_component_t *component, weir_place_t place, const char *text)
{
    weir_text_t copy = {0};
    weir_text_add(&copy, text, strlen(text));
    return add(component, place, &copy);
}

static bool add_host(weir_component_t *component, weir_place_t place, const char *scheme, const old_host_t *host)
{
    weir_text_t text = {0};
    weir_text_format(&text, "%s://", scheme);
    size_t begin = text.size;
    weir_text_add(&text, host->name, host->name_size);
    for (size_t i = begin; !text.failed && i < text.size; i++) {
        if (text.bytes[i] >= 'A' && text.bytes[i] <= 'Z')
            text.bytes[i] = (char)(text.bytes[i] - 'A' + 'a');
    }
    weir_text_add(&text, host->port, host->port_size);
    return add(component, place, &text);
}

static bool convert(weir_reader_t *reader, const weir_toml_t *element, const char *where, weir_component_t *component)
{
    old_host_t host;
    if (!parse_old_host(element->string, &host))
        return weir_reader_fail(reader, element->place,
            "%s of \"allowed_http_hosts\" in %s is not a host or host:port; write it into \"allowed_outbound_hosts\" "
            "as \"https://HOST:PORT\"",
            weir_quote(element->string).text, where);
    if (host.name_size == 4 && strncasecmp(host.name, "self", 4) == 0)
        return add_text(component, element->place, "http://self");
    return add_host(component, element->place, "http", &host) && add_host(component, element->place, "https", &host);
}

static const weir_toml_t *find_allow_all(const weir_toml_t *old)
{
    for (size_t i = 0; i < old->child_count; i++) {
        if (strcmp(old->children[i].string, ALLOW_ALL) == 0)
            return &old->children[i];
    }
    return NULL;
}

/* Warn of the deprecated key; `first` is the first of the hosts that it became. */
static bool warn(
    weir_reader_t *reader, const weir_toml_t *old, const char *where, const weir_component_t *component, size_t first)
{
    enum { HOSTS_SHOWN = 8 };
    weir_text_t list = {0};
    for (size_t i = first; i < component->allowed_outbound_hosts_count && i < first + HOSTS_SHOWN; i++)
        weir_text_format(
            &list, "%s%s", i > first ? ", " : "", weir_quote(component->allowed_outbound_hosts[i].text).text);
    if (component->allowed_outbound_hosts_count > first + HOSTS_SHOWN)
        weir_text_format(&list, ", ...");
    bool warned = !list.failed &&
                  weir_reader_warn(reader, old->key_place,
                      weir_words("\"allowed_http_hosts\" in %s is deprecated; write allowed_outbound_hosts = [%s]"),
                      where, list.bytes);
    weir_text_free(&list);
    return warned;
}

static bool read_old(weir_reader_t *reader, const weir_toml_t *old, const char *where, weir_component_t *component)
{
    size_t first = component->allowed_outbound_hosts_count;
    const weir_toml_t *all = find_allow_all(old);
    if (all != NULL) {
        if (!add_text(component, all->place, "http://*:*") || !add_text(component, all->place, "https://*:*") ||
            !add_text(component, all->place, "http://self"))
            return false;
    } else {
        for (size_t i = 0; i < old->child_count; i++) {
            if (!convert(reader, &old->children[i], where, component))
                return false;
        }
    }
    return warn(reader, old, where, component, first);
}

bool weir_reader_hosts(weir_reader_t *reader, const weir_toml_t *table, const char *where, weir_component_t *component)
{
    const weir_toml_t *hosts = weir_toml_member(table, "allowed_outbound_hosts");
    const weir_toml_t *old = weir_toml_member(table, "allowed_http_hosts");
    size_t count = hosts != NULL ? hosts->child_count : 0, old_count = old != NULL ? old->child_count : 0;
    if ((hosts != NULL && !weir_reader_check_count(reader, hosts, where, "allowed_outbound_hosts", WEIR_TEXTS_MAX)) ||
        (old != NULL && !weir_reader_check_count(reader, old, where, "allowed_http_hosts", WEIR_TEXTS_MAX)))
        return false;
    if (hosts != NULL)
        component->allowed_outbound_hosts_place = hosts->key_place;
    if (count + old_count == 0)
        return true;
    /* An old host becomes two, all of them three. */
    component->allowed_outbound_hosts = calloc(count + 3 * old_count, sizeof *component->allowed_outbound_hosts);
    if (component->allowed_outbound_hosts == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!add_text(component, hosts->children[i].place, hosts->children[i].string))
            return false;
    }
    return old_count == 0 || read_old(reader, old, where, component);
}
