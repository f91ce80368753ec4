/*
 * signals.h: how SIGINT and SIGTERM end the program: at once while it starts, in order while it serves, and at once
 * again when a second one comes.
 */
#ifndef WEIR_CLI_SIGNALS_H
#define WEIR_CLI_SIGNALS_H

#include <stdbool.h>

/* Ignore SIGPIPE, and have SIGINT and SIGTERM end the program with exit status 0. Returns false with errno set. */
bool weir_signals_init(void);

/* From now on the first of them ends weir_signals_wait; the second ends the program with exit status 1. */
void weir_signals_serving(void);

/* Wait for the first of them. */
void weir_signals_wait(void);

#endif
