/*
 * listener.c: binding, and what is said where that fails.
 */
#include "admin/listener.h"

#include "serve/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 128 };

static bool refuse(char **ret_message, const char *address, const char *problem)
{
    if (asprintf(ret_message, "cannot listen on the admin address %s: %s", address, problem) < 0) {
        *ret_message = NULL;
    }
    return false;
}

static const char *remedy(int error)
{
    switch (error) {
    case EADDRINUSE:
        return "the port is in use; stop what uses it, or choose another with --admin (port 0 takes a free one)";
    case EADDRNOTAVAIL:
        return "no interface of this machine has that address; 127.0.0.1 always works";
    case EACCES:
        return "permission denied; ports below 1024 need root (then --user) or CAP_NET_BIND_SERVICE; or choose a "
               "higher one with --admin";
    case EAFNOSUPPORT:
        return "this system does not speak that address family";
    default:
        return strerror(error);
    }
}

/* ---- TCP --------------------------------------------------------------------------------------------------------- */

/* A socket that listens, or -1 with errno set. */
static int listen_on(const struct sockaddr *address, socklen_t size)
{
    int descriptor = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) {
        return -1;
    }
    int yes = 1;
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (bind(descriptor, address, size) < 0 || listen(descriptor, BACKLOG) < 0) {
        int error = errno;
        close(descriptor);
        errno = error;
        return -1;
    }
    return descriptor;
}

static bool describe(weir_admin_listener_t *listener)
{
    union {
        struct sockaddr_storage storage;
        struct sockaddr_in ipv4;
        struct sockaddr_in6 ipv6;
    } bound;
    socklen_t size = sizeof(bound);
    char host[INET6_ADDRSTRLEN] = "";
    memset(&bound, 0, sizeof(bound));
    if (getsockname(listener->descriptor, (struct sockaddr *)&bound.storage, &size) < 0) {
        return false;
    }
    if (bound.storage.ss_family == AF_INET) {
        inet_ntop(AF_INET, &bound.ipv4.sin_addr, host, sizeof(host));
        listener->is_loopback = ntohl(bound.ipv4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
        snprintf(listener->url, sizeof(listener->url), "http://%s:%u", host, (unsigned)ntohs(bound.ipv4.sin_port));
    } else {
        inet_ntop(AF_INET6, &bound.ipv6.sin6_addr, host, sizeof(host));
        listener->is_loopback = IN6_IS_ADDR_LOOPBACK(&bound.ipv6.sin6_addr);
        snprintf(listener->url, sizeof(listener->url), "http://[%s]:%u", host, (unsigned)ntohs(bound.ipv6.sin6_port));
    }
    return true;
}

static bool open_tcp(const char *address, weir_admin_listener_t *ret_listener, char **ret_message)
{
    weir_admin_listener_t listener = {.descriptor = -1};
    weir_address_t choices[2];
    char on_loopback[32];
    const char *whole = address;
    if (strchr(address, ':') == NULL || address[0] == ':') {
        const char *port = address[0] == ':' ? address + 1 : address;
        snprintf(on_loopback, sizeof(on_loopback), "127.0.0.1:%.8s", port);
        whole = on_loopback;
    }
    size_t count = weir_address_parse(whole, choices);
    if (count == 0) {
        return refuse(ret_message, address,
            weir_address_has_high_port(whole)
                ? "a port is at most 65535; give a smaller one (0 takes a free one)"
                : "that is no address; give a port (on 127.0.0.1), IP:PORT, [IPv6]:PORT, localhost:PORT or unix:PATH");
    }
    for (size_t i = 0; i < count && listener.descriptor < 0; i++) {
        listener.descriptor = listen_on((const struct sockaddr *)&choices[i].socket, choices[i].size);
        if (listener.descriptor < 0 && errno != EADDRNOTAVAIL && errno != EAFNOSUPPORT) {
            break;
        }
    }
    if (listener.descriptor < 0) {
        return refuse(ret_message, address, remedy(errno));
    }
    if (!describe(&listener)) {
        int error = errno;
        close(listener.descriptor);
        return refuse(ret_message, address, strerror(error));
    }
    *ret_listener = listener;
    return true;
}

/* ---- Unix sockets ------------------------------------------------------------------------------------------------ */

/* What is at a path where a socket cannot be bound. */
typedef enum occupant {
    OCCUPANT_STALE, /* a socket that nobody answers on */
    OCCUPANT_ALIVE,
    OCCUPANT_OTHER, /* no socket */
    OCCUPANT_GONE,
} occupant_t;

static occupant_t look_at(const struct sockaddr_un *address)
{
    struct stat there;
    if (lstat(address->sun_path, &there) < 0) {
        return errno == ENOENT ? OCCUPANT_GONE : OCCUPANT_OTHER;
    }
    if (!S_ISSOCK(there.st_mode)) {
        return OCCUPANT_OTHER;
    }
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int error = probe < 0 ? errno : connect(probe, (const struct sockaddr *)address, sizeof(*address)) == 0 ? 0 : errno;
    if (probe >= 0) {
        close(probe);
    }
    return error == ECONNREFUSED ? OCCUPANT_STALE : OCCUPANT_ALIVE;
}

/* For its user alone from the beginning. */
static int bind_privately(const struct sockaddr_un *address)
{
    mode_t before = umask(0177);
    int descriptor = listen_on((const struct sockaddr *)address, sizeof(*address));
    int error = errno;
    umask(before);
    errno = error;
    return descriptor;
}

/* Nothing was bound at a path, for this reason. */
static bool refuse_path(char **ret_message, const char *address, const char *path, int error)
{
    const char *slash = strrchr(path, '/');
    int size = slash == NULL || slash == path ? 1 : (int)(slash - path);
    const char *directory = slash == NULL ? "." : path;
    const char *before = error == ENOENT   ? "the directory "
                         : error == EACCES ? "permission denied; let this user write to the directory "
                                           : "";
    const char *after = error == ENOENT    ? " does not exist; make it"
                        : error == ENOTDIR ? " is no directory; move away what is in its place"
                                           : "";
    char problem[sizeof(((struct sockaddr_un *)NULL)->sun_path) + 128];
    if (error != ENOENT && error != ENOTDIR && error != EACCES) {
        return refuse(ret_message, address, strerror(error));
    }
    snprintf(problem, sizeof(problem), "%s%.*s%s, or choose another path with --admin", before, size, directory, after);
    return refuse(ret_message, address, problem);
}

static bool open_unix(const char *address, const char *path, weir_admin_listener_t *ret_listener, char **ret_message)
{
    weir_admin_listener_t listener = {.is_unix = true, .is_loopback = true};
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    struct stat made;
    if (path[0] == '\0' || strlen(path) >= sizeof(name.sun_path)) {
        return refuse(ret_message, address,
            path[0] == '\0' ? "the path of the socket is empty; give one, such as unix:/run/weir.sock"
                            : "the path of a Unix socket has at most 107 bytes; choose a shorter one");
    }
    strcpy(name.sun_path, path);
    listener.descriptor = bind_privately(&name);
    if (listener.descriptor < 0 && errno == EADDRINUSE) {
        switch (look_at(&name)) {
        case OCCUPANT_ALIVE:
            return refuse(ret_message, address,
                "another process answers on this socket; stop it, or choose another path with --admin");
        case OCCUPANT_OTHER:
            return refuse(ret_message, address,
                "there is something that is no socket; move it away, or choose another path with --admin");
        case OCCUPANT_STALE:
            unlink(path);
            break;
        case OCCUPANT_GONE:
            break;
        }
        listener.descriptor = bind_privately(&name);
    }
    if (listener.descriptor < 0) {
        return refuse_path(ret_message, address, path, errno);
    }
    listener.path = strdup(path);
    if (listener.path == NULL || lstat(path, &made) < 0) {
        free(listener.path);
        close(listener.descriptor);
        unlink(path);
        *ret_message = NULL;
        return false;
    }
    listener.device = made.st_dev;
    listener.inode = made.st_ino;
    snprintf(listener.url, sizeof(listener.url), "unix:%s", path);
    *ret_listener = listener;
    return true;
}

/* ---- Both -------------------------------------------------------------------------------------------------------- */

bool weir_admin_listener_open(const char *address, weir_admin_listener_t *ret_listener, char **ret_message)
{
    static const char prefix[] = "unix:";
    if (strncmp(address, prefix, sizeof(prefix) - 1) == 0) {
        return open_unix(address, address + sizeof(prefix) - 1, ret_listener, ret_message);
    }
    return open_tcp(address, ret_listener, ret_message);
}

bool weir_admin_listener_give(const weir_admin_listener_t *listener, uid_t user, gid_t group)
{
    struct stat there;
    if (listener->path == NULL) {
        return true;
    }
    int file = open(listener->path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (file < 0) {
        return false;
    }
    bool given = fstat(file, &there) == 0;
    int error = errno;
    if (given && (there.st_dev != listener->device || there.st_ino != listener->inode)) {
        given = false;
        error = ESTALE; /* somebody has put something else there: not to be given away with root's rights */
    } else if (given) {
        given = fchownat(file, "", user, group, AT_EMPTY_PATH) == 0;
        error = errno;
    }
    close(file);
    errno = error;
    return given;
}

void weir_admin_listener_close(weir_admin_listener_t *listener)
{
    struct stat there;
    if (listener->path != NULL && lstat(listener->path, &there) == 0 && there.st_dev == listener->device &&
        there.st_ino == listener->inode) {
        unlink(listener->path);
    }
    close(listener->descriptor);
    free(listener->path);
    *listener = (weir_admin_listener_t){.descriptor = -1};
}
