/*
 * spin_commands.h: the commands of `spin` that weir does not have, for messages.
 */
#ifndef WEIR_CLI_SPIN_COMMANDS_H
#define WEIR_CLI_SPIN_COMMANDS_H

/*
 * What to do in place of a command of Spin's, or of a plug-in that is often used with it: the end of a sentence that
 * names it. NULL when `name` is none. Constant. Any thread.
 */
const char *weir_spin_command_remedy(const char *name);

/* The command of Spin's that a misspelt name was probably meant to be, or NULL. Constant. Any thread. */
const char *weir_spin_command_near(const char *name);

#endif
