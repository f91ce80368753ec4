/*
 * new.h: `weir new NAME`: a new application from a template.
 */
#ifndef WEIR_CLI_NEW_H
#define WEIR_CLI_NEW_H

/*
 * Run the command; `argv[0]` is its name. Returns the exit status: 0 when the application is there, 1 when it could not
 * be written, 2 when the command line is wrong. What is there already is never written over.
 */
int weir_new_main(int argc, char **argv);

#endif
