/*
 * user.h: another user for a process that was started as root.
 */
#ifndef WEIR_SANDBOX_USER_H
#define WEIR_SANDBOX_USER_H

#include <stdbool.h>
#include <sys/types.h>

typedef struct weir_user {
    char *name; /* own: as /etc/passwd has it, or the number; as is the next one */
    char *home; /* or NULL, where the number is in no list of users */
    uid_t user;
    gid_t group;
    bool is_listed; /* it has a name, and with it groups beside its own */
} weir_user_t;

/*
 * Find "NAME", "NAME:GROUP", "UID" or "UID:GID", each part a name or a number; without a group, the user's own. False,
 * with a one-line message to be freed with free(3), NULL when memory ran out. `option` is how it was given, for that
 * message. While the process has one thread.
 */
bool weir_user_find(const char *option, const char *text, weir_user_t *ret_user, char **ret_message);

/* Whether this process runs as that user and group already, whatever other groups it has. */
bool weir_user_is(const weir_user_t *user);

/*
 * Become that user for good: its groups, identifiers and no capability; then make sure that there is no way back. Files
 * of this process in /proc stay its own. While the process has one thread. False with a message, as above: then the
 * process may be neither, and should end.
 */
bool weir_user_become(const weir_user_t *user, char **ret_message);

/* Free what it owns, and zero it. */
void weir_user_free(weir_user_t *user);

#endif
