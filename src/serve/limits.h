/*
 * limits.h: the bounds that the server keeps to, beyond those that its settings state.
 */
#ifndef WEIR_SERVE_LIMITS_H
#define WEIR_SERVE_LIMITS_H

enum {
    /* A connection's memory for request line, headers (cookies twice) and buffers; half of it is the read buffer at
     * first. libmicrohttpd maps larger ones anew for each connection, which costs more than a short request. */
    WEIR_CONNECTION_BYTES = 32 * 1024,

    /* A connection on which nothing moves for so long is closed; one whose request's head is not complete so long after
     * the last response, too, however it trickles. */
    WEIR_IDLE_SECONDS = 60,
    WEIR_REQUEST_HEAD_MILLISECONDS = 120 * 1000,

    /* Of a response's body so much is gathered before its head is sent; when the body is complete by then, the response
     * has a Content-Length and the instance is free at once. It is also the most that is copied at a time. */
    WEIR_GATHER_BYTES = 64 * 1024,

    /* An answer that is known waits so long for the rest of the request's body, which keeps the connection usable; then
     * it is sent regardless, and the connection closed after it. */
    WEIR_EARLY_MILLISECONDS = 100,

    /* After such an answer the rest of the request is read and dropped for so long: closing at once would make the
     * client's system throw the answer away. */
    WEIR_LINGER_MILLISECONDS = 2000,

    /* A request that is suspended so long has its client watched: when it hangs up, the guest is cancelled. */
    WEIR_WATCH_MILLISECONDS = 1000,

    /* While the server drains, a connection is kept so long after its last response, or after it was accepted: a
     * request may be on its way. */
    WEIR_DRAIN_IDLE_MILLISECONDS = 500,

    /* How long accepting pauses when the system has no descriptor or memory left. */
    WEIR_ACCEPT_PAUSE_MILLISECONDS = 100,

    /* Connections that the system holds until they are accepted; it lowers this to net.core.somaxconn. */
    WEIR_LISTEN_BACKLOG = 4096,

    /* How many connections a loop accepts before it turns to its other work. */
    WEIR_ACCEPTS_A_TURN = 16,

    /* After an instance was refused its requests wait so long before one is tried again; twice as long each time it is
     * in vain. An instance that is given back, or a new generation, ends the pause. */
    WEIR_REFUSED_PAUSE_MILLISECONDS = 10,
    WEIR_REFUSED_PAUSE_MAX_MILLISECONDS = 200,

    /* Of what happens again and again the log tells once in so long, with how often it was. */
    WEIR_NOTICE_MILLISECONDS = 1000,

    /* How many requests within an application may be nested, each made while the one before is answered, and how many
     * one guest may have under way at once. */
    WEIR_CHAIN_DEPTH_MAX = 16,
    WEIR_CHAINS_MAX = 64,

    /* What a client that is turned away is told to wait. */
    WEIR_RETRY_AFTER_SECONDS = 1,

    /* A loop's stack: guests run on fibers of their own, but instantiation, host functions and the HTTP server run
       here. */
    WEIR_LOOP_STACK_BYTES = 1024 * 1024
};

#endif
