/*
 * admin.h: the admin listener: health, metrics and status over HTTP, for operators and their programs, on a thread of
 * its own. It reads, and changes nothing; what is slow or hostile on it holds up nobody but itself.
 */
#ifndef WEIR_ADMIN_ADMIN_H
#define WEIR_ADMIN_ADMIN_H

#include "admin/board.h"
#include "serve/server.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

typedef struct weir_admin weir_admin_t;

/*
 * Bind the address (listener.h says which there are), so that it is found out early when it cannot be had. While the
 * process has one thread. On failure returns false, leaves `*ret_admin` untouched and stores a one-line message to be
 * freed with free(3), NULL when memory ran out.
 */
bool weir_admin_open(const char *address, weir_admin_t **ret_admin, char **ret_message);

/* Where it listens: "http://127.0.0.1:9090", "unix:/run/weir.sock"; and whether others than this machine's users can
 * reach it there. */
const char *weir_admin_url(const weir_admin_t *admin);
bool weir_admin_is_exposed(const weir_admin_t *admin);

/* Give its Unix socket, if it has one, to a user, as weir_admin_listener_give does. False with errno set. */
bool weir_admin_give(const weir_admin_t *admin, uid_t user, gid_t group);

/* Close where it listens in a process that was forked, whose it is not; nothing is removed. */
void weir_admin_disown(weir_admin_t *admin);

/* The board on which it is told of the application and the allocator, before it starts and later. Any thread. */
weir_board_t *weir_admin_board(weir_admin_t *admin);

/* Everything is borrowed, and must be there until weir_admin_free. */
typedef struct weir_admin_settings {
    weir_server_t *server;
    const char *const *urls; /* on which it listens */
    size_t url_count;
    const char *const *names; /* by which the admin listener may be called, besides those that are always known */
    size_t name_count;
} weir_admin_settings_t;

/* Begin to answer. Returns false with errno set when there can be no thread, or no memory. */
bool weir_admin_start(weir_admin_t *admin, const weir_admin_settings_t *settings);

/*
 * End the thread, if there is one, close the listener and free all. NULL is allowed. To be called when the server has
 * finished (weir_server_finish), and before it is freed.
 */
void weir_admin_free(weir_admin_t *own_admin);

#endif
