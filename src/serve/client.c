/*
 * client.c: believing proxies, and only those that are trusted.
 */
#include "serve/client.h"

#include "http/forwarded.h"
#include "http/proxy_protocol.h"
#include "serve/accept.h"
#include "serve/addresses.h"
#include "serve/connection.h"
#include "serve/limits.h"
#include "serve/notice.h"
#include "serve/shared.h"

#include <netinet/in.h>
#include <string.h>

/* ---- Whom to believe --------------------------------------------------------------------------------------------- */

static bool trusts(const void *context, const weir_endpoint_t *endpoint)
{
    const weir_server_settings_t *settings = context;
    for (size_t i = 0; i < settings->proxy_count; i++) {
        if (weir_peers_have(&settings->proxies[i], endpoint)) {
            return true;
        }
    }
    return false;
}

static const weir_server_settings_t *settings_of(const weir_connection_t *connection)
{
    return &connection->loop->server->settings;
}

uint64_t weir_client_key(const weir_loop_t *loop, const struct sockaddr *address, socklen_t size)
{
    weir_endpoint_t endpoint = weir_endpoint_of(address, size);
    return trusts(&loop->server->settings, &endpoint) ? WEIR_ADDRESSES_UNCOUNTED : weir_addresses_key(address);
}

static void be_the_connections(weir_connection_t *connection)
{
    weir_client_t *client = &connection->client;
    client->endpoint = client->connected;
    client->secure = settings_of(connection)->tls != NULL;
    client->is_described = false;
}

void weir_client_begin(weir_connection_t *connection, const struct sockaddr *address, socklen_t size)
{
    weir_client_t *client = &connection->client;
    const weir_server_settings_t *settings = settings_of(connection);
    client->connected = weir_endpoint_of(address, size);
    client->is_proxy = trusts(settings, &client->connected);
    client->awaits_header = settings->proxy_protocol;
    if (client->awaits_header) {
        weir_deadline_set(&connection->loop->proxy_headers, &connection->proxy_header_deadline, connection->loop->now);
    }
    be_the_connections(connection);
}

void weir_client_forget(weir_connection_t *connection)
{
    if (connection->client.is_proxy) {
        be_the_connections(connection);
    }
}

/* ---- The PROXY protocol ------------------------------------------------------------------------------------------ */

static void refuse(weir_connection_t *connection, const char *why)
{
    char address[WEIR_ENDPOINT_TEXT_BYTES];
    weir_loop_t *loop = connection->loop;
    weir_endpoint_write(&connection->client.connected, address);
    weir_count(&weir_metrics_of_loop(loop->server->metrics, loop->index)->counters[WEIR_LOOP_PROXY_HEADERS_REFUSED], 1);
    weir_notice(loop, WEIR_NOTICE_PROXY, "a connection from %s was closed: %s", address, why);
    weir_connection_close(connection);
}

void weir_client_header_overdue(weir_connection_t *connection)
{
    refuse(connection, "no header of the PROXY protocol came in time");
}

/* Have the connection counted as its client's. Returns whether that one may have another. */
static bool count_anew(weir_connection_t *connection, const weir_endpoint_t *named)
{
    weir_loop_t *loop = connection->loop;
    struct sockaddr_in6 address = {.sin6_family = AF_INET6};
    memcpy(&address.sin6_addr, named->ip, sizeof(named->ip));
    uint64_t key = weir_client_key(loop, (const struct sockaddr *)&address, sizeof(address));
    if (!weir_addresses_enter(loop->server->addresses, key)) {
        weir_count(&loop->metrics->counters[WEIR_LOOP_CONNECTIONS_REFUSED], 1);
        return false;
    }
    weir_addresses_leave(loop->server->addresses, connection->address_key);
    connection->address_key = key;
    return true;
}

/* Take off what was looked at, which is there. */
static bool take_off(weir_connection_t *connection, char *buffer, size_t size)
{
    while (size > 0) {
        ssize_t taken = recv(connection->transport.descriptor, buffer, size, MSG_DONTWAIT);
        if (taken <= 0) {
            return false;
        }
        size -= (size_t)taken;
    }
    return true;
}

bool weir_client_take_header(weir_connection_t *connection)
{
    weir_client_t *client = &connection->client;
    char buffer[WEIR_PROXY_HEADER_MAX_BYTES];
    if (!client->is_proxy) {
        refuse(connection, "the PROXY protocol is for trusted proxies alone; --trusted-proxy does not name this one");
        return false;
    }
    if (!connection->transport.readable) {
        return false;
    }
    /* Only looked at: not one byte of what follows is taken, which may be TLS. */
    ssize_t there = recv(connection->transport.descriptor, buffer, sizeof(buffer), MSG_PEEK | MSG_DONTWAIT);
    size_t size = 0;
    weir_endpoint_t named = {.known = false};
    weir_proxy_header_state_t state = WEIR_PROXY_HEADER_PARTIAL;
    if (there > 0) {
        state = weir_proxy_header_parse((weir_bytes_t){buffer, (size_t)there}, &size, &named);
    }
    if (state == WEIR_PROXY_HEADER_PARTIAL) {
        if (there == 0 || connection->peer_closed) {
            weir_connection_close(connection); /* as who only looks whether the port answers */
        }
        connection->transport.readable = false;
        return false;
    }
    if (state == WEIR_PROXY_HEADER_REFUSED || !take_off(connection, buffer, size)) {
        refuse(connection, "it does not begin with a header of the PROXY protocol");
        return false;
    }
    weir_deadline_lift(&connection->proxy_header_deadline);
    client->awaits_header = false;
    if (named.known) {
        if (!count_anew(connection, &named)) {
            weir_accept_notice_crowd(connection->loop);
            weir_connection_close(connection);
            return false;
        }
        client->connected = named;
        client->is_proxy = trusts(settings_of(connection), &named);
        be_the_connections(connection);
    }
    return true;
}

/* ---- Headers ----------------------------------------------------------------------------------------------------- */

static bool is_same(weir_bytes_t left, weir_bytes_t right)
{
    return weir_authority_equals(left, right); /* but for the case of letters */
}

/*
 * Who the request is from, of what both kinds of headers say: the same, where both are there, else one of them may be
 * the client's own, which a proxy that does not know it has passed on. For the same reason what only one of the two
 * says does not count then. Returns false when they contradict each other.
 */
static bool reconcile(const weir_hop_t *forwarded, const weir_hop_t *older, weir_hop_t *ret_hop)
{
    *ret_hop = *forwarded;
    if (!weir_endpoint_is_same_host(&forwarded->client, &older->client)) {
        return false;
    }
    ret_hop->host.size = 0;
    if (forwarded->scheme.size == 0 || older->scheme.size == 0) {
        ret_hop->scheme.size = 0;
        return true;
    }
    return is_same(forwarded->scheme, older->scheme);
}

static unsigned contradiction(weir_connection_t *connection)
{
    weir_notice(connection->loop, WEIR_NOTICE_FORWARDED,
        "a request was answered with 400: its Forwarded and X-Forwarded headers do not say the same; have the proxy "
        "remove those that it does not set itself");
    return 400;
}

unsigned weir_client_examine(weir_connection_t *connection)
{
    weir_client_t *client = &connection->client;
    if (!client->is_proxy) {
        return 0;
    }
    const weir_server_settings_t *settings = settings_of(connection);
    const weir_pair_t *fields = connection->loop->fields;
    size_t count = connection->head.field_count;
    weir_hops_t forwarded;
    weir_hops_t older;
    if (!weir_forwarded_parse(fields, count, &forwarded)) {
        return 400;
    }
    weir_x_forwarded_parse(fields, count, &older);
    weir_hop_t hop = weir_hops_walk(&forwarded, &client->connected, trusts, settings);
    weir_hop_t old_hop = weir_hops_walk(&older, &client->connected, trusts, settings);
    if (!forwarded.is_there) {
        hop = old_hop;
    } else if (older.is_there && !reconcile(&hop, &old_hop, &hop)) {
        return contradiction(connection);
    }
    client->endpoint = hop.client;
    client->is_described = false;
    if (weir_text_is(hop.scheme, "https") || weir_text_is(hop.scheme, "http")) {
        client->secure = weir_text_is(hop.scheme, "https");
    }
    if (hop.host.size > 0) {
        if (!weir_authority_is_valid(hop.host) || weir_authority_is_internal(hop.host)) {
            return 400;
        }
        connection->host = hop.host;
    }
    return 0;
}

/* ---- What others ask --------------------------------------------------------------------------------------------- */

bool weir_connection_is_of_proxy(const weir_connection_t *connection)
{
    return connection->client.is_proxy;
}

static void describe(weir_client_t *client)
{
    if (!client->is_described) {
        weir_endpoint_write(&client->endpoint, client->address);
        weir_endpoint_write_ip(&client->endpoint, client->ip);
        client->is_described = true;
    }
}

const char *weir_client_address(weir_connection_t *connection)
{
    describe(&connection->client);
    return connection->client.address;
}

const char *weir_client_ip(weir_connection_t *connection)
{
    describe(&connection->client);
    return connection->client.ip;
}

bool weir_client_is_secure(const weir_connection_t *connection)
{
    return connection->client.secure;
}
