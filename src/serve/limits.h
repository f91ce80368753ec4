/*
 * limits.h: the bounds that the server keeps to, beyond those that its settings state.
 */
#ifndef WEIR_SERVE_LIMITS_H
#define WEIR_SERVE_LIMITS_H

enum {
    /* The head of a request, from its line to the empty one. Beyond it: 414 while the line is not complete, else 431.
     */
    WEIR_REQUEST_HEAD_BYTES = 32 * 1024,

    /* So much is received at a time, into a buffer that the loop's connections share; what of it cannot be used yet is
     * kept, and no more is received meanwhile. */
    WEIR_RECEIVE_BYTES = 64 * 1024,

    /* So much of a response's body is gathered, and sent, at a time. When the body is complete within the first of it,
     * the response has a Content-Length and the instance is free at once. What the client does not take is kept, and no
     * more is gathered meanwhile. */
    WEIR_GATHER_BYTES = 64 * 1024,

    /* The head of a response, and its trailers, each: Wasmtime holds a component's fields to this, counting more for
     * each than its bytes here; the head of a WAGI program's output is shorter (WEIR_CGI_HEAD_MAX_BYTES). */
    WEIR_RESPONSE_FIELDS_BYTES = 128 * 1024,

    /* What rustls holds for a connection: encrypted bytes that the client has not taken (UNSENT_BYTES in
     * bridge/src/tls.rs), a record that is not complete (RFC 8446, section 5.2), and one that is and was not read. */
    WEIR_TLS_UNSENT_BYTES = 64 * 1024,
    WEIR_TLS_RECORD_BYTES = 18 * 1024,
    WEIR_TLS_UNREAD_BYTES = 16 * 1024,

    /* What an idle connection takes: its record here, and in the system a socket, a file and their places in tables.
     * With TLS, its keys and what rustls remembers as well. Measured: 1.4 KiB and 9 KiB here, 4 KiB there. */
    WEIR_IDLE_CONNECTION_BYTES = 8 * 1024,
    WEIR_IDLE_TLS_BYTES = 16 * 1024,

    /* So long may the header of the PROXY protocol take; longer than a packet that is sent a second time. */
    WEIR_PROXY_HEADER_MILLISECONDS = 5000,

    /* How often a connection goes round (a head, a piece of a body, a piece of a response) before others have their
     * turn. */
    WEIR_ROUNDS_A_TURN = 16,

    /* A connection whose client is waited for, and neither sends nor takes anything, is closed after so long; one whose
     * request's head is not complete so long after the last response, too, however it trickles. What a slow client
     * takes of a response starts the time anew; what it sends meanwhile does not. */
    WEIR_IDLE_MILLISECONDS = 60 * 1000,
    WEIR_REQUEST_HEAD_MILLISECONDS = 120 * 1000,

    /* Of a request's body that nobody wants, after its answer, so much is read so that the connection can be used
     * again; where more is to come, the answer says that it closes the connection. */
    WEIR_REST_BYTES = 64 * 1024,

    /* After its last answer a connection that may have more to read is read from, and what comes dropped, until nothing
     * has come for so long, for so long in all, and so far: closing it at once would make the client's system throw the
     * answer away. So long is a body's rest waited for, too, before the answer to it becomes the last. */
    WEIR_LINGER_MILLISECONDS = 2000,
    WEIR_LINGER_MAX_MILLISECONDS = 30 * 1000,
    WEIR_LINGER_BYTES = 64 * 1024 * 1024,

    /* Of a request's body that is waited for, so much has to come within each time that --body-timeout sets. */
    WEIR_BODY_PROGRESS_BYTES = 1024,

    /* A client that has closed its side, and gets nothing of its response for so long, is taken to have left; unless
     * --allow-half-close. */
    WEIR_WATCH_MILLISECONDS = 250,

    /* While the server drains, a connection is kept so long after its last response, or after something came on it, or
     * it was accepted: a request may be on its way. */
    WEIR_DRAIN_IDLE_MILLISECONDS = 500,

    /* A loop that is held up for so long beyond what it waits for was stopped, or frozen: it loses that time. */
    WEIR_HELD_UP_MILLISECONDS = 1000,

    /* How long accepting pauses when the system has no descriptor or memory left. */
    WEIR_ACCEPT_PAUSE_MILLISECONDS = 100,

    /* Connections that the system holds until they are accepted; it lowers this to net.core.somaxconn. */
    WEIR_LISTEN_BACKLOG = 4096,

    /* For so long, or a time slice where that is longer, guests are started and go on in a turn of a loop; then what
     * has come in meanwhile goes first. */
    WEIR_TURN_MILLISECONDS = 10,

    /* A guest that computes on a loop counts as so many connections when a loop for a new one is chosen. */
    WEIR_COMPUTING_CONNECTIONS = 32,

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

    /* What a client that is turned away is told to wait, at most. */
    WEIR_RETRY_AFTER_MAX_SECONDS = 60,

    /* A loop's stack: guests run on fibers of their own, but instantiation, host functions and the HTTP server run
       here. */
    WEIR_LOOP_STACK_BYTES = 1024 * 1024
};

#endif
