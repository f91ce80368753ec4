/*
 * outbound.c: decides as Spin does. A URL without a host, or with the host "self.alt", is a request of the application
 * to itself, COMPONENT.spin.internal one to another component (crates/factor-outbound-http/src/wasi.rs, crates/
 * trigger-http/src/outbound_http.rs); everything else goes to the network, to addresses that are not blocked. Sockets
 * are asked about as tcp://ADDRESS and udp://ADDRESS (crates/factor-outbound-networking/src/lib.rs).
 */
#include "guest/outbound.h"

#include "app/network.h"
#include "guest/handover.h"
#include "observe/log_rate.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char SELF[] = "self.alt";
static const char SELF_OF_HOSTS[] = "self"; /* stands for it in allowed_outbound_hosts, and for no host of a URL */

/* The policy's context. */
typedef struct outbound {
    const weir_manifest_t *manifest; /* these three are not touched by WEIR_ADDRESS_HTTP, which may come late */
    size_t component;
    weir_outbound_hosts_t hosts;          /* borrowed */
    weir_block_networks_t block_networks; /* own */
    void (*begin)(void *caller, weir_outgoing_t *own_outgoing);
    weir_log_rate_t lines;
    char name[]; /* own: "component ID" */
} outbound_t;

static void report_denial(outbound_t *outbound, const char *scheme, const char *host, int port)
{
    weir_outbound_denial_t denial;
    weir_outbound_hosts_describe_denial(outbound->manifest, outbound->component, scheme, host, port, &denial);
    weir_log_rated(&outbound->lines, WEIR_LOG_WARNING, outbound->name, "%s; %s", denial.log, denial.hint);
}

static weir_outbound_way_t decide(void *context, const char *scheme, const char *host, int port, const char *path)
{
    (void)path;
    outbound_t *outbound = context;
    if (strcasecmp(host, SELF) == 0) {
        if (weir_outbound_hosts_allow_self(&outbound->hosts)) {
            return WEIR_OUTBOUND_IN_PROCESS;
        }
        report_denial(outbound, "http", "self", WEIR_PORT_OF_SCHEME);
        return WEIR_OUTBOUND_DENIED;
    }
    if (!weir_outbound_hosts_allow(&outbound->hosts, scheme, host, port < 0 ? WEIR_PORT_OF_SCHEME : port)) {
        if (strcasecmp(host, SELF_OF_HOSTS) == 0) {
            weir_log_rated(&outbound->lines, WEIR_LOG_WARNING, outbound->name,
                "Outbound network destination not allowed: %s://%s, for \"%s\" is no host of a URL; to call this "
                "application, leave the host out of the URL, or write http://%s",
                strcasecmp(scheme, "https") == 0 ? "https" : "http", SELF_OF_HOSTS, SELF_OF_HOSTS, SELF);
            return WEIR_OUTBOUND_DENIED;
        }
        report_denial(outbound, scheme, host, port < 0 ? WEIR_PORT_OF_SCHEME : port);
        return WEIR_OUTBOUND_DENIED;
    }
    bool is_chaining;
    (void)weir_outbound_hosts_chained(outbound->manifest, host, &is_chaining);
    return is_chaining ? WEIR_OUTBOUND_IN_PROCESS : WEIR_OUTBOUND_NETWORK;
}

static bool may_look_up(void *context, const char *name)
{
    outbound_t *outbound = context;
    bool may = weir_outbound_hosts_allow_lookup(&outbound->hosts, name);
    if (!may) {
        report_denial(outbound, "https", name, WEIR_PORT_OF_SCHEME);
    }
    return may;
}

/* An address as text, and its port; false when it is of a family that guests have no sockets of. */
static bool show_address(const struct sockaddr *address, socklen_t size, char *ret_text, int *ret_port, bool *ret_any)
{
    struct sockaddr_in of_4;
    struct sockaddr_in6 of_6;
    if (address->sa_family == AF_INET && size >= sizeof(of_4)) {
        memcpy(&of_4, address, sizeof(of_4));
        *ret_port = ntohs(of_4.sin_port);
        *ret_any = of_4.sin_addr.s_addr == htonl(INADDR_ANY);
        return inet_ntop(AF_INET, &of_4.sin_addr, ret_text, INET6_ADDRSTRLEN) != NULL;
    }
    if (address->sa_family == AF_INET6 && size >= sizeof(of_6)) {
        memcpy(&of_6, address, sizeof(of_6));
        *ret_port = ntohs(of_6.sin6_port);
        *ret_any = IN6_IS_ADDR_UNSPECIFIED(&of_6.sin6_addr);
        return inet_ntop(AF_INET6, &of_6.sin6_addr, ret_text, INET6_ADDRSTRLEN) != NULL;
    }
    return false;
}

static bool address_is_allowed(void *context, const struct sockaddr *address, uint32_t size, weir_address_use_t use)
{
    outbound_t *outbound = weir_take_from_bridge(context); /* on a thread of the bridge, too */
    char text[INET6_ADDRSTRLEN];
    int port;
    bool any;
    if (!show_address(address, size, text, &port, &any)) {
        return false;
    }
    const char *scheme = "udp";
    switch (use) {
    case WEIR_ADDRESS_HTTP:
        return !weir_block_networks_blocks(&outbound->block_networks, address, size);
    case WEIR_ADDRESS_TCP_BIND:
    case WEIR_ADDRESS_UDP_BIND:
        return any && port == 0; /* what the system does with a socket that is only to connect */
    case WEIR_ADDRESS_TCP_LISTEN:
    case WEIR_ADDRESS_TCP_ACCEPT:
        return false;
    case WEIR_ADDRESS_TCP_CONNECT:
        scheme = "tcp";
        break;
    case WEIR_ADDRESS_UDP_SEND:
    case WEIR_ADDRESS_UDP_RECEIVE:
        break;
    default:
        return false;
    }
    if (!weir_outbound_hosts_allow(&outbound->hosts, scheme, text, port)) {
        if (use != WEIR_ADDRESS_UDP_RECEIVE) {
            report_denial(outbound, scheme, text, port);
        }
        return false;
    }
    if (weir_block_networks_blocks(&outbound->block_networks, address, size)) {
        weir_log_rated(
            &outbound->lines, WEIR_LOG_WARNING, outbound->name, "the address %s is in a network that is blocked", text);
        return false;
    }
    return true;
}

static void begin(void *context, void *caller, weir_outgoing_t *own_outgoing)
{
    const outbound_t *outbound = context;
    outbound->begin(caller, own_outgoing);
}

/* Whether a destination, as "http://example.com:8080", came of a secret. */
static bool is_hidden(const outbound_t *outbound, const char *destination)
{
    char scheme[16], host[WEIR_OUTBOUND_TEXT_MAX + 1];
    const char *slashes = strstr(destination, "://");
    if (slashes == NULL || (size_t)(slashes - destination) >= sizeof(scheme)) {
        return false;
    }
    const char *begin = slashes + 3;
    const char *bracket = strrchr(begin, ']');
    const char *colon = strrchr(bracket != NULL ? bracket : begin, ':');
    size_t size = colon != NULL ? (size_t)(colon - begin) : strlen(begin);
    if (size >= sizeof(host)) {
        return false;
    }
    snprintf(scheme, sizeof(scheme), "%.*s", (int)(slashes - destination), destination);
    snprintf(host, sizeof(host), "%.*s", (int)size, begin);
    return weir_outbound_hosts_hide(
        &outbound->hosts, scheme, host, colon != NULL ? (int)strtol(colon + 1, NULL, 10) : WEIR_PORT_OF_SCHEME);
}

static void failed(void *context, const char *destination, const char *why)
{
    outbound_t *outbound = context;
    if (is_hidden(outbound, destination)) { /* why may name it, too */
        weir_log_rated(&outbound->lines, WEIR_LOG_WARNING, outbound->name,
            "a request to a host that a secret variable is part of failed");
        return;
    }
    weir_log_rated(&outbound->lines, WEIR_LOG_WARNING, outbound->name, "a request to %s failed: %s", destination, why);
}

static void release(void *context)
{
    outbound_t *own_outbound = context;
    weir_log_rate_destroy(&own_outbound->lines, own_outbound->name);
    free(own_outbound->block_networks.networks);
    free(own_outbound);
}

static bool copy_networks(const weir_block_networks_t *networks, weir_block_networks_t *ret_copy)
{
    weir_block_networks_t copy = {0};
    if (networks != NULL) {
        copy = *networks;
        copy.networks = calloc(networks->count + 1, sizeof(*copy.networks));
        if (copy.networks == NULL) {
            return false;
        }
        if (networks->count > 0) {
            memcpy(copy.networks, networks->networks, networks->count * sizeof(*copy.networks));
        }
    }
    *ret_copy = copy;
    return true;
}

bool weir_outbound_policy_new(const weir_manifest_t *manifest, const weir_component_t *component,
    const weir_outbound_settings_t *settings, weir_outbound_policy_t *ret_policy)
{
    static const char kind[] = "component ";
    size_t name_size = sizeof(kind) + strlen(component->id);
    outbound_t *outbound = calloc(1, sizeof(*outbound) + name_size);
    if (outbound == NULL || !copy_networks(settings->block_networks, &outbound->block_networks)) {
        free(outbound);
        return false;
    }
    snprintf(outbound->name, name_size, "%s%s", kind, component->id);
    weir_log_rate_init(&outbound->lines);
    outbound->manifest = manifest;
    while (outbound->component < manifest->component_count && &manifest->components[outbound->component] != component) {
        outbound->component++;
    }
    outbound->begin = settings->begin;
    bool any = settings->hosts != NULL && settings->hosts->count > 0;
    if (any) {
        outbound->hosts = *settings->hosts;
    }
    *ret_policy = (weir_outbound_policy_t){.size = sizeof(*ret_policy),
        .context = outbound,
        .may_connect = any,
        .may_look_up = may_look_up,
        .decide = decide,
        .address_is_allowed = address_is_allowed,
        .begin = settings->begin == NULL ? NULL : begin,
        .failed = failed,
        .release = release};
    weir_give_to_bridge(outbound);
    return true;
}

bool weir_outbound_may_chain(const weir_manifest_t *manifest, const weir_outbound_settings_t *settings)
{
    if (settings->hosts == NULL || settings->begin == NULL) {
        return false;
    }
    bool may = weir_outbound_hosts_allow_self(settings->hosts);
    for (size_t i = 0; !may && i < manifest->component_count; i++) {
        char host[256];
        int size = snprintf(host, sizeof(host), "%s.spin.internal", manifest->components[i].id);
        may = size < 0 || (size_t)size >= sizeof(host) ||
              weir_outbound_hosts_allow(settings->hosts, "http", host, WEIR_PORT_OF_SCHEME) ||
              weir_outbound_hosts_allow(settings->hosts, "https", host, WEIR_PORT_OF_SCHEME);
    }
    return may;
}
