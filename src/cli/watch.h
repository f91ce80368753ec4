/*
 * watch.h: notices that something an application is made from has changed: its manifest, wasm files, the files that its
 * components are given, .env, and the files that options name.
 */
#ifndef WEIR_CLI_WATCH_H
#define WEIR_CLI_WATCH_H

#include "cli/options.h"

#include <stdbool.h>

typedef struct weir_watch weir_watch_t;

/*
 * Look at everything as it is now, before it is loaded. `options` is borrowed. NULL, with errno set: nothing can be
 * watched.
 */
weir_watch_t *weir_watch_new(const weir_up_options_t *options);

/* Whether something is other than it was when it was looked at last. */
bool weir_watch_has_changed(weir_watch_t *watch);

/* How everything is now counts as what it was: it looks different to another user. Before weir_watch_start. */
void weir_watch_look_again(weir_watch_t *watch);

/*
 * Start a thread that calls `changed(context)`, on that thread, each time that something is other than it was: once
 * nothing has changed for a moment. Returns false, with errno set, when it cannot be had.
 */
bool weir_watch_start(weir_watch_t *watch, void (*changed)(void *context), void *context);

/* End the thread, and free it. NULL is allowed. */
void weir_watch_free(weir_watch_t *own_watch);

#endif
