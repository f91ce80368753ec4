/*
 * doctor.h: `weir doctor`: what this machine allows, what was tried, what was chosen, and what would help.
 */
#ifndef WEIR_CLI_DOCTOR_H
#define WEIR_CLI_DOCTOR_H

/*
 * Run the command; `argv[0]` is its name. Returns the exit status: 0 when there is a choice, 1 when nothing works or
 * the report could not be written, 2 when the command line or the environment is wrong. Forks, and so must be called
 * while the process has one thread.
 */
int weir_doctor_main(int argc, char **argv);

#endif
