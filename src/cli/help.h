/*
 * help.h: what `weir --help`, the --help of commands and `weir --version` print.
 */
#ifndef WEIR_CLI_HELP_H
#define WEIR_CLI_HELP_H

extern const char weir_help[];
extern const char weir_doctor_help[];

/* Print what `weir up --help` says; as weir_help_print. */
int weir_help_up(void);

/* Print a text in three parts, of which the middle one may be NULL when memory ran out; as weir_help_print. */
int weir_help_print_options(const char *begin, char *own_options, const char *end);

/* Print a text on standard output. Returns the exit status: 0, or 1, after saying why, when it could not be written. */
int weir_help_print(const char *text);

#endif
