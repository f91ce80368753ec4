/*
 * client.h: who a connection and its requests come from: whoever has connected, or whom proxies name that the operator
 * trusts: by a header of the PROXY protocol before anything else, by Forwarded and X-Forwarded-For in each request. Of
 * the loop's own thread, as all of a connection.
 */
#ifndef WEIR_SERVE_CLIENT_H
#define WEIR_SERVE_CLIENT_H

#include "http/endpoint.h"

#include <stdbool.h>

struct weir_connection;
struct weir_loop;

/* Private to client.c, but for what its functions tell. */
typedef struct weir_client {
    weir_endpoint_t connected; /* who has connected, or whom the PROXY protocol names in its place */
    bool is_proxy;             /* what that one says of others is believed */
    bool awaits_header;        /* one of the PROXY protocol has to come first */
    /* Of the request: */
    weir_endpoint_t endpoint;
    bool secure;
    bool is_described; /* the texts hold the endpoint */
    char address[WEIR_ENDPOINT_TEXT_BYTES];
    char ip[WEIR_ENDPOINT_TEXT_BYTES];
} weir_client_t;

/*
 * What one who connects is counted as among addresses (addresses.h): trusted proxies are not, for they have many
 * clients; whom they name by the PROXY protocol is, once that is known.
 */
uint64_t weir_client_key(const struct weir_loop *loop, const struct sockaddr *address, socklen_t size);

/* A connection begins: this one has connected. Where the PROXY protocol is spoken, its header is waited for. */
void weir_client_begin(struct weir_connection *connection, const struct sockaddr *address, socklen_t size);

/*
 * Take the header of the PROXY protocol off a connection that waits for one. Returns whether it is there; else more has
 * to come, or the connection is closed: it was refused, which is logged and counted.
 */
bool weir_client_take_header(struct weir_connection *connection);

/* It did not come in time: close the connection. */
void weir_client_header_overdue(struct weir_connection *connection);

/*
 * A request's head is there, with its fields in the loop's `fields`: see who it is from, and by which scheme; where a
 * trusted proxy tells with which authority, that becomes the connection's `host`. Returns 0, or 400 when what the
 * headers say is malformed or contradicts itself.
 */
unsigned weir_client_examine(struct weir_connection *connection);

/* The request is over: what it said of its client is nobody else's. */
void weir_client_forget(struct weir_connection *connection);

/* Whether whoever has connected is a trusted proxy, behind whom there are many clients. */
bool weir_connection_is_of_proxy(const struct weir_connection *connection);

/* That client in words, as long as the request: address and port, with IPv6 in brackets; and the address alone. */
const char *weir_client_address(struct weir_connection *connection);
const char *weir_client_ip(struct weir_connection *connection);

/* Whether the client asked by https, as far as is known: whoever ends TLS for it. */
bool weir_client_is_secure(const struct weir_connection *connection);

#endif
