/*
 * up.h: `weir up`: serve an application until a signal ends it.
 */
#ifndef WEIR_CLI_UP_H
#define WEIR_CLI_UP_H

/* Run the command; `argv[0]` is its name. Returns the exit status. */
int weir_up_main(int argc, char **argv);

#endif
