/*
 * templates.h: the templates that are installed with the program. Each is a directory of files: template.txt says in
 * one line what it is, and the others are copied, with the name of the application in place of "@NAME@".
 */
#ifndef WEIR_CLI_TEMPLATES_H
#define WEIR_CLI_TEMPLATES_H

#include <stdbool.h>

/*
 * Where templates are: share/weir/templates beside the program's bin, or templates beside the program. Returns a path
 * to be freed with free(3), or NULL with errno set when there are none.
 */
char *weir_templates_find(void);

/* Print the names of the templates, and what each is, on standard output. False with errno set. */
bool weir_templates_list(const char *templates);

/* Whether there is a template of this name; else stores a message that lists them, as weir_templates_copy does. */
bool weir_templates_has(const char *templates, const char *name, char **ret_message);

/*
 * Make an application of this name from a template, in a directory that is not there yet or is empty. On failure
 * returns false, leaves nothing behind and stores a one-line message to be freed with free(3), NULL when memory ran
 * out.
 */
bool weir_templates_copy(
    const char *templates, const char *name, const char *application, const char *directory, char **ret_message);

#endif
