/*
 * listener.c: the address to listen on, and the socket bound to it.
 */
#include "serve/address.h"
#include "serve/limits.h"
#include "serve/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

static void say(char **ret_message, const char *address, const char *problem)
{
    if (asprintf(ret_message, "cannot listen on %s: %s", address, problem) < 0) {
        *ret_message = NULL;
    }
}

static const char *remedy(int error)
{
    switch (error) {
    case EADDRINUSE:
        return "the port is in use; stop what uses it, choose another with --listen (port 0 takes a free one), or let "
               "one be found with --find-free-port";
    case EADDRNOTAVAIL:
        return "no interface of this machine has that address; 127.0.0.1 and 0.0.0.0 always work";
    case EACCES:
        return "permission denied; ports below 1024 need root (then --user), CAP_NET_BIND_SERVICE or a "
               "systemd socket; or choose a higher one with --listen";
    case EAFNOSUPPORT:
        return "this system does not speak that address family";
    default:
        return strerror(error);
    }
}

/*
 * Whether the port may be had although connections of the last run are still remembered, by all who are of that mind
 * and do not listen (SO_REUSEADDR, socket(7)).
 */
static void share_port(int descriptor, bool shared)
{
    int value = shared;
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &value, sizeof(value));
}

/* A bound socket, or -1 with errno set. */
static int bind_socket(const weir_address_t *address)
{
    int family = address->socket.ss_family;
    int descriptor = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) {
        return -1;
    }
    int yes = 1;
    share_port(descriptor, true);
    /* Connections have it from here: what a guest writes leaves at once (tcp(7)). */
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    if (bind(descriptor, (const struct sockaddr *)&address->socket, address->size) < 0) {
        int error = errno;
        close(descriptor);
        errno = error;
        return -1;
    }
    /* Others that bind it until it listens would be told that it is theirs. */
    share_port(descriptor, false);
    return descriptor;
}

int weir_listener_begin(const weir_listener_t *listener)
{
    share_port(listener->descriptor, true);
    return listen(listener->descriptor, WEIR_LISTEN_BACKLOG);
}

static bool describe(int descriptor, weir_listener_t *ret_listener)
{
    weir_address_t bound = {.size = sizeof(bound.socket)};
    if (getsockname(descriptor, (struct sockaddr *)&bound.socket, &bound.size) < 0) {
        return false;
    }
    char host[INET6_ADDRSTRLEN] = "";
    if (bound.socket.ss_family == AF_INET) {
        struct sockaddr_in address;
        memcpy(&address, &bound.socket, sizeof(address));
        inet_ntop(AF_INET, &address.sin_addr, host, sizeof(host));
        ret_listener->port = ntohs(address.sin_port);
        snprintf(ret_listener->url, sizeof(ret_listener->url), "http://%s:%u", host, (unsigned)ret_listener->port);
    } else {
        struct sockaddr_in6 address;
        memcpy(&address, &bound.socket, sizeof(address));
        inet_ntop(AF_INET6, &address.sin6_addr, host, sizeof(host));
        ret_listener->port = ntohs(address.sin6_port);
        snprintf(ret_listener->url, sizeof(ret_listener->url), "http://[%s]:%u", host, (unsigned)ret_listener->port);
    }
    ret_listener->descriptor = descriptor;
    return true;
}

/* The first of the addresses that can be bound, as a socket, or -1 with errno set. */
static int bind_first(const weir_address_t *choices, size_t count)
{
    int descriptor = -1;
    for (size_t i = 0; i < count && descriptor < 0; i++) {
        descriptor = bind_socket(&choices[i]);
        if (descriptor < 0 && errno != EADDRNOTAVAIL && errno != EAFNOSUPPORT) {
            break; /* a port that is taken is not to be had on the other family instead */
        }
    }
    return descriptor;
}

/* Go on to the next port. False when that was the last one. */
static bool next_port(weir_address_t *choices, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        /* Both kinds of addresses have it at the same place. */
        struct sockaddr_in address;
        memcpy(&address, &choices[i].socket, sizeof(address));
        if (address.sin_port == htons(UINT16_MAX)) {
            return false;
        }
        address.sin_port = htons((uint16_t)(ntohs(address.sin_port) + 1));
        memcpy(&choices[i].socket, &address, sizeof(address));
    }
    return true;
}

static bool open_listener(const char *address, unsigned ports, weir_listener_t *ret_listener, char **ret_message)
{
    weir_address_t choices[2];
    size_t count = weir_address_parse(address, choices);
    if (count == 0) {
        say(ret_message, address,
            weir_address_has_high_port(address)
                ? "a port is at most 65535; give a smaller one (0 takes a free one)"
                : "that is no address; give IP:PORT, [IPv6]:PORT or localhost:PORT, such as 127.0.0.1:3000");
        return false;
    }
    int descriptor = bind_first(choices, count);
    for (unsigned tried = 1; descriptor < 0 && errno == EADDRINUSE && tried < ports; tried++) {
        if (!next_port(choices, count)) {
            break;
        }
        descriptor = bind_first(choices, count);
    }
    if (descriptor < 0) {
        say(ret_message, address,
            errno == EADDRINUSE && ports > 1
                ? "this port is in use, and so are those above it that were tried; choose another with --listen"
                : remedy(errno));
        return false;
    }
    weir_listener_t listener = {.descriptor = -1};
    if (!describe(descriptor, &listener)) {
        say(ret_message, address, strerror(errno));
        close(descriptor);
        return false;
    }
    *ret_listener = listener;
    return true;
}

bool weir_listener_open(const char *address, weir_listener_t *ret_listener, char **ret_message)
{
    return open_listener(address, 1, ret_listener, ret_message);
}

bool weir_listener_search(const char *address, unsigned ports, weir_listener_t *ret_listener, char **ret_message)
{
    return open_listener(address, ports, ret_listener, ret_message);
}

bool weir_listener_adopt(int take_descriptor, weir_listener_t *ret_listener, char **ret_message)
{
    int type = 0;
    int listens = 0;
    int family = 0;
    socklen_t size = sizeof(int);
    weir_listener_t listener = {.descriptor = -1, .shared = true};
    char name[32];
    snprintf(name, sizeof(name), "descriptor %d", take_descriptor);
    if (getsockopt(take_descriptor, SOL_SOCKET, SO_TYPE, &type, &size) < 0 ||
        getsockopt(take_descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) < 0 ||
        getsockopt(take_descriptor, SOL_SOCKET, SO_DOMAIN, &family, &size) < 0) {
        say(ret_message, name, strerror(errno));
        return false;
    }
    if (type != SOCK_STREAM || listens == 0 || (family != AF_INET && family != AF_INET6)) {
        say(ret_message, name,
            "what was handed over is no listening TCP socket; write ListenStream= with an address and a port in the "
            "socket unit, and Accept=no");
        return false;
    }
    int yes = 1;
    int flags = fcntl(take_descriptor, F_GETFL);
    setsockopt(take_descriptor, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    if (flags < 0 || fcntl(take_descriptor, F_SETFL, flags | O_NONBLOCK) < 0 ||
        fcntl(take_descriptor, F_SETFD, FD_CLOEXEC) < 0 || !describe(take_descriptor, &listener)) {
        say(ret_message, name, strerror(errno));
        return false;
    }
    *ret_listener = listener;
    return true;
}

void weir_listener_name_https(weir_listener_t *listener)
{
    char rest[sizeof(listener->url)];
    strcpy(rest, listener->url + strlen("http"));
    snprintf(listener->url, sizeof(listener->url), "https%.*s", (int)(sizeof(rest) - sizeof("https")), rest);
}

void weir_listener_close(weir_listener_t *listener)
{
    if (listener->descriptor >= 0) {
        close(listener->descriptor);
        listener->descriptor = -1;
    }
}
