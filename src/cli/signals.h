/*
 * signals.h: how signals steer the program. SIGINT and SIGTERM end it: at once while it starts, in order while it
 * serves, and at once again when a second one comes. SIGHUP has the application loaded anew, unless it says that the
 * terminal is gone: then it ends the program, too.
 */
#ifndef WEIR_CLI_SIGNALS_H
#define WEIR_CLI_SIGNALS_H

#include <stdbool.h>

typedef enum weir_signal {
    WEIR_SIGNAL_END = 1,
    WEIR_SIGNAL_RELOAD = 2,
} weir_signal_t;

/* Ignore SIGPIPE, and have SIGINT and SIGTERM end the program with exit status 0. Returns false with errno set. */
bool weir_signals_init(void);

/* From now on the first of them ends weir_signals_wait; the second ends the program with exit status 1. */
void weir_signals_serving(void);

/* Wait for a signal. Those that ask for a reload while nobody waits are one; none is told of after the end. */
weir_signal_t weir_signals_wait(void);

#endif
