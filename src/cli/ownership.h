/*
 * ownership.h: whose a directory or file is that this process may not use, for people who have to put that right.
 */
#ifndef WEIR_CLI_OWNERSHIP_H
#define WEIR_CLI_OWNERSHIP_H

typedef enum weir_ownership_kind { WEIR_OWNERSHIP_DIRECTORY, WEIR_OWNERSHIP_FILE } weir_ownership_kind_t;

/*
 * Why this user cannot use a path, or make what is missing of it, where that is so because something belongs to
 * another user: what that is, whose, and the command that puts it right, in one line without an end. To be freed with
 * free(3); NULL: it is not for that, or memory ran out. What is there and another user's counts, whatever its mode.
 * `kind` is what the path is to be. Any thread.
 */
char *weir_ownership_explain(const char *path, weir_ownership_kind_t kind);

/*
 * Likewise why this user cannot read a file, or what it links to, because of the owner and mode of that or of a
 * directory above it. NULL also: it can be read, or is no regular file. Any thread.
 */
char *weir_ownership_explain_reading(const char *path);

/*
 * Under --user: add to a message, which is replaced, whom weir runs as, if it tells that permission was denied. NULL is
 * left as it is; where memory runs out, so is the message. Any thread.
 */
void weir_ownership_add_user(char **message);

#endif
