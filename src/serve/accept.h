/*
 * accept.h: how a loop takes connections from the listening socket that all loops share, and hands them on.
 */
#ifndef WEIR_SERVE_ACCEPT_H
#define WEIR_SERVE_ACCEPT_H

#include "serve/loop.h"

/* A connection on its way from the loop that accepted it to the one that has the least to do. */
typedef struct weir_arrival weir_arrival_t;

/* Accept some connections; the listening socket is ready, or may be. */
void weir_accept(weir_loop_t *loop);

/*
 * The loop that is to have the next connection: this one, unless another has less to do and has room. It has more to do
 * with each connection, and with each guest that computes as with WEIR_COMPUTING_CONNECTIONS of them.
 */
weir_loop_t *weir_accept_choose(weir_loop_t *loop);

/* Take over a connection that another loop accepted; `message` is within an arrival, which is freed. */
void weir_accept_arrival(weir_loop_t *loop, weir_message_t *message);

/* Close such a connection instead, and count it as cut. */
void weir_accept_refuse(weir_loop_t *loop, weir_message_t *message);

/* Tell that a connection was closed because its address has as many as it may have. */
void weir_accept_notice_crowd(weir_loop_t *loop);

/* Watch the listening socket, or not, as the loop's state asks for. */
void weir_accept_update(weir_loop_t *loop);

/* While draining: take all that the listen queue still holds, and tell the server when it is empty. */
void weir_accept_remaining(weir_loop_t *loop);

/*
 * After all loops have found the listen queue empty: hand them what has come into it since. The thread that stops the
 * server, while the loops wait for that.
 */
void weir_accept_last(struct weir_server *server);

/* The drain time is over: turn away what still waits, and count it as cut. */
void weir_accept_give_up(weir_loop_t *loop);

#endif
