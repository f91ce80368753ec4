/*
 * dotenv.h: the file .env, read as Spin's crate dotenvy (0.15) reads it. Private to this room.
 */
#ifndef WEIR_APP_DOTENV_H
#define WEIR_APP_DOTENV_H

#include "app/variable_list.h"

/*
 * Read a terminated text that stands in the file `path`. "$NAME" and "${NAME}" stand for variables of `environment` (an
 * array as environ, ended by NULL), else for those above. On success returns true and fills `*ret_list`, to be freed
 * with weir_variable_list_free. On failure returns false, leaves it untouched and stores a message "path:line:1: …" in
 * `*ret_message`, to be freed with free(3); NULL when memory ran out. No message holds what is in the file.
 */
bool weir_dotenv_parse(
    const char *path, const char *text, char *const *environment, weir_variable_list_t *ret_list, char **ret_message);

/* The value of a variable of such an array, or NULL. */
const char *weir_environment_find(char *const *environment, const char *name, size_t name_size);

#endif
