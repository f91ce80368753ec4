/*
 * status_line.h: what a command is doing, on one line of the terminal that is written over and over. Whoever redirects
 * standard error sees nothing of it, and standard output has no part in it.
 */
#ifndef WEIR_CLI_STATUS_LINE_H
#define WEIR_CLI_STATUS_LINE_H

/*
 * Show a text in place of the one before, cut to the terminal's width; nothing where standard error is no terminal.
 * Without escape sequences, so that any terminal will do, and NO_COLOR has nothing to forbid. A child that was forked
 * meanwhile may clear the line as well. One thread at a time.
 */
void weir_status_show(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Erase what is shown, if anything: to be called before anything else is written. */
void weir_status_clear(void);

#endif
