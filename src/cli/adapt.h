/*
 * adapt.h: living on: a thread that watches memory, and swaps a lower rung of the allocator in when it is short or an
 * instance was refused, and a higher one when it has been there again for long enough. Requests go on meanwhile.
 */
#ifndef WEIR_CLI_ADAPT_H
#define WEIR_CLI_ADAPT_H

#include "admin/admin.h"
#include "cli/current.h"
#include "serve/server.h"
#include "weir/allocator.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct weir_adapt weir_adapt_t;

/* Prepare, before the server starts. What is served is borrowed, and has a trial server. NULL: memory ran out. */
weir_adapt_t *weir_adapt_new(weir_current_t *current);

/* A server's `refused`; `adapt` is a weir_adapt_t. Any thread; it does not block. */
void weir_adapt_refused(void *adapt, const char *component, const char *what);

/* Start the thread; `admin`, which may be NULL, is told of changes. Returns false, with errno set, when it cannot be
 * had. */
bool weir_adapt_start(weir_adapt_t *adapt, weir_server_t *server, weir_admin_t *admin);

/* End and join the thread, if it was started, before the server is stopped. It waits for a trial that is under way. */
void weir_adapt_stop(weir_adapt_t *adapt);

/* Free it, when the server has stopped. NULL is allowed. */
void weir_adapt_free(weir_adapt_t *own_adapt);

#endif
