/*
 * systemd.h: what a service manager tells a program when it starts it, and what it is told: sockets that it has opened
 * (sd_listen_fds(3)), how far the program is (sd_notify(3)), and that it is alive (sd_watchdog_enabled(3)). Without
 * such a manager nothing of it does anything.
 */
#ifndef WEIR_CLI_SYSTEMD_H
#define WEIR_CLI_SYSTEMD_H

#include "serve/server.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Read what the environment says of that, and take it out, so that no other program is told. While there is one
 * thread, and before descriptors are opened.
 */
void weir_systemd_init(void);

/*
 * The socket to serve on. Returns how many there are for that: 0, when none was handed over, or 1, with its descriptor.
 * More are refused: returns -1 and stores a one-line message to be freed with free(3).
 */
int weir_systemd_socket(int *ret_descriptor, char **ret_message);

/* How far it is. `status` is one line for people, or NULL. Any thread. */
void weir_systemd_ready(const char *status);
void weir_systemd_reloading(void);
void weir_systemd_stopping(uint64_t milliseconds); /* it takes so long at most */

/* What comes takes so long at most: it is not to be taken for dead before. Any thread. */
void weir_systemd_extend(uint64_t milliseconds);

/*
 * Tell that it is alive, as long as the loops of a server turn, and as often as is asked for; does nothing where it is
 * not. Stop it before the server is freed.
 */
void weir_systemd_watchdog_start(weir_server_t *server);
void weir_systemd_watchdog_stop(void);

#endif
