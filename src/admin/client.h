/*
 * client.h: one connection on the admin listener: a request at a time, a head of bounded size in bounded time, an
 * answer that has to be taken. The admin thread.
 */
#ifndef WEIR_ADMIN_CLIENT_H
#define WEIR_ADMIN_CLIENT_H

#include "admin/answer.h"
#include "http/transport.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    WEIR_ADMIN_HEAD_BYTES = 8 * 1024,
    WEIR_ADMIN_IDLE_MILLISECONDS = 90 * 1000, /* between requests: a scraper comes once a minute, or more often */
    WEIR_ADMIN_HEAD_MILLISECONDS = 5 * 1000,  /* from a request's first byte to the end of its head */
    WEIR_ADMIN_SEND_MILLISECONDS = 20 * 1000, /* until an answer is taken */
    WEIR_ADMIN_LINGER_MILLISECONDS = 1000,    /* what comes after the last answer is dropped so long */
    WEIR_ADMIN_LINGER_BYTES = 256 * 1024,
};

/* What answers are made from. Borrowed. */
typedef struct weir_admin_context {
    weir_status_sources_t sources;
    weir_admin_names_t names;
    bool checks_host;
    weir_pair_t *fields; /* room for WEIR_HEAD_FIELDS_MAX */
    weir_date_t date;
} weir_admin_context_t;

typedef enum weir_admin_stage {
    WEIR_ADMIN_FREE = 0, /* there is no connection */
    WEIR_ADMIN_READING,
    WEIR_ADMIN_SENDING,
    WEIR_ADMIN_LINGERING,
} weir_admin_stage_t;

typedef struct weir_admin_client {
    weir_admin_stage_t stage;
    weir_transport_t transport;
    char *input; /* own: WEIR_ADMIN_HEAD_BYTES */
    size_t input_size;
    weir_head_text_t output;
    size_t sent;
    bool closes;
    size_t dropped;
    uint64_t deadline; /* milliseconds; then it is closed */
    uint64_t idle_since;
} weir_admin_client_t;

/* Begin with a socket that was accepted; takes it. Returns false, and has closed it, when memory ran out. */
bool weir_admin_client_open(weir_admin_client_t *client, int take_descriptor, uint64_t now);

/* Do what can be done now: receive, answer, send. Afterwards it may be free. */
void weir_admin_client_run(weir_admin_client_t *client, weir_admin_context_t *context, uint64_t now);

/* Close it, if it is open. */
void weir_admin_client_close(weir_admin_client_t *client);

/* What poll(2) should look for. */
short weir_admin_client_events(const weir_admin_client_t *client);

#endif
