/*
 * listener.h: where the admin thread listens: a TCP port, on loopback unless another address is given, or a Unix socket
 * that its user alone may open.
 */
#ifndef WEIR_ADMIN_LISTENER_H
#define WEIR_ADMIN_LISTENER_H

#include <stdbool.h>
#include <sys/types.h>

typedef struct weir_admin_listener {
    int descriptor;
    char url[128]; /* "http://127.0.0.1:9090", or "unix:/run/weir.sock"; cut where it is longer */
    bool is_unix;
    bool is_loopback; /* nobody can reach it from elsewhere */
    char *path;       /* own: of a Unix socket; else NULL */
    dev_t device;     /* of that, and its inode: only this one is removed at the end */
    ino_t inode;
} weir_admin_listener_t;

/*
 * Bind an address: "IP:PORT", "[IPv6]:PORT", "localhost:PORT", ":PORT" or "PORT" (both on 127.0.0.1; 0 takes a free
 * port), or "unix:PATH". A socket that is at the path and that nobody answers on is replaced; anything else is not. It
 * listens. While the process has one thread: it sets the umask for a moment. On failure returns false, leaves
 * `*ret_listener` untouched and stores a one-line message to be freed with free(3), NULL when memory ran out.
 */
bool weir_admin_listener_open(const char *address, weir_admin_listener_t *ret_listener, char **ret_message);

/*
 * Give its socket in the file system to a user and a group, before root's rights are given up; its mode stays. Nothing
 * but that very socket is given away, whoever may write the directory. True also where there is none. False with errno
 * set.
 */
bool weir_admin_listener_give(const weir_admin_listener_t *listener, uid_t user, gid_t group);

/* Close it, and remove its socket from the file system. */
void weir_admin_listener_close(weir_admin_listener_t *listener);

#endif
