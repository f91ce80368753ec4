/*
 * help.h: what `weir --help`, `weir up --help`, `weir doctor --help` and `weir --version` print.
 */
#ifndef WEIR_CLI_HELP_H
#define WEIR_CLI_HELP_H

extern const char weir_help[];
extern const char weir_up_help[];
extern const char weir_doctor_help[];

/* Print a text on standard output. Returns the exit status: 0, or 1, after saying why, when it could not be written. */
int weir_help_print(const char *text);

#endif
