/*
 * ownership.c: finds the first of a path's directories that stands in the way, and whose it is.
 */
#include "cli/ownership.h"

#include "allocator/translate.h"
#include "app/text.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_BYTES = 64, ENTRY_BYTES = 4096 };

typedef struct user_name {
    char text[NAME_BYTES];
} user_name_t;

/* A user's name as chown(1) takes it, too: its number where it has none. */
static user_name_t name_of(uid_t user)
{
    user_name_t name;
    struct passwd entry;
    struct passwd *found = NULL;
    char room[ENTRY_BYTES];
    bool named = getpwuid_r(user, &entry, room, sizeof(room), &found) == 0 && found != NULL &&
                 strlen(found->pw_name) < sizeof(name.text);
    if (named) {
        snprintf(name.text, sizeof(name.text), "%s", found->pw_name);
    } else {
        snprintf(name.text, sizeof(name.text), "%u", (unsigned)user);
    }
    return name;
}

/* A group's name as chgrp(1) takes it, likewise. */
static user_name_t name_of_group(gid_t group)
{
    user_name_t name;
    struct group entry;
    struct group *found = NULL;
    char room[ENTRY_BYTES];
    bool named = getgrgid_r(group, &entry, room, sizeof(room), &found) == 0 && found != NULL &&
                 strlen(found->gr_name) < sizeof(name.text);
    if (named) {
        snprintf(name.text, sizeof(name.text), "%s", found->gr_name);
    } else {
        snprintf(name.text, sizeof(name.text), "%u", (unsigned)group);
    }
    return name;
}

/* ---- Commands ---------------------------------------------------------------------------------------------------- */

/* A path as a shell takes it, in quotes where it needs them (POSIX, Shell Command Language, 2.2.2). */
static void add_path(weir_text_t *command, const char *path)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./+,@%:=-";
    if (path[strspn(path, plain)] == '\0') {
        weir_text_format(command, "%s", path);
        return;
    }
    weir_text_format(command, "'");
    while (*path != '\0') {
        size_t size = strcspn(path, "'");
        weir_text_add_escaped(command, path, size);
        path += size;
        if (*path == '\'') {
            weir_text_format(command, "'\\''");
            path++;
        }
    }
    weir_text_format(command, "'");
}

/* The command in quotes of the kind that it has none of itself, or NULL when memory ran out. */
static char *take_command(weir_text_t *command)
{
    char *quoted = NULL;
    char *words = weir_text_take(command);
    const char *mark = words != NULL && strchr(words, '\'') != NULL ? "\"" : "'";
    if (words == NULL || asprintf(&quoted, "%s%s%s", mark, words, mark) < 0) {
        quoted = NULL;
    }
    free(words);
    return quoted;
}

/* ---- What is in the way ------------------------------------------------------------------------------------------ */

/* Cut the last part of an absolute path off; "" is what is above all. False: nothing is above it. */
static bool cut_last(char *path)
{
    char *slash = strrchr(path, '/');
    if (slash == NULL) {
        return false;
    }
    *slash = '\0';
    return true;
}

/* What is there; `deep`: with all that is in it. */
static char *explain_present(const char *path, const struct stat *status, bool deep)
{
    char *words;
    weir_text_t text = {0};
    const user_name_t owner = name_of(status->st_uid);
    const user_name_t own = name_of(geteuid());
    weir_text_format(&text, "chown %s%s ", deep && S_ISDIR(status->st_mode) ? "-R " : "", own.text);
    add_path(&text, path);
    char *command = take_command(&text);
    int made = command == NULL
                   ? -1
                   : asprintf(&words,
                         weir_translate("\"%s\" belongs to user %s, and weir runs as %s; %s gives it to that user"),
                         weir_shown(path).text, owner.text, own.text, command);
    free(command);
    return made < 0 ? NULL : words;
}

/* What there is of a path: all up to `above`, which is in the way of what comes after it in `path`. */
typedef struct obstacle {
    const char *path;
    const char *above;
    const struct stat *status; /* of that */
    bool closed;               /* it cannot even be looked into */
    bool lacks_file;           /* it is the last part that is missing, and that is to be a file */
} obstacle_t;

static char *explain_closed(const obstacle_t *obstacle)
{
    char *words;
    const user_name_t owner = name_of(obstacle->status->st_uid);
    const user_name_t own = name_of(geteuid());
    int made = asprintf(&words, weir_translate("\"%s\" belongs to user %s and is closed to user %s, whom weir runs as"),
        weir_shown(obstacle->above).text, owner.text, own.text);
    return made < 0 ? NULL : words;
}

static char *explain_missing(const obstacle_t *obstacle)
{
    char *words;
    weir_text_t text = {0};
    const user_name_t owner = name_of(obstacle->status->st_uid);
    const user_name_t own = name_of(geteuid());
    weir_text_format(&text, "install %s -o %s %s", obstacle->lacks_file ? "-m 640" : "-d", own.text,
        obstacle->lacks_file ? "/dev/null " : "");
    add_path(&text, obstacle->path);
    char *command = take_command(&text);
    int made = command == NULL ? -1
                               : asprintf(&words,
                                     weir_translate("\"%s\" belongs to user %s, and weir runs as %s; %s makes "
                                                    "for that user what is missing there"),
                                     weir_shown(obstacle->above).text, owner.text, own.text, command);
    free(command);
    return made < 0 ? NULL : words;
}

/* As far as its owner and mode say. */
static bool may_use(const char *path, const struct stat *status)
{
    return faccessat(AT_FDCWD, path, S_ISDIR(status->st_mode) ? W_OK | X_OK : W_OK, AT_EACCESS) == 0 || errno != EACCES;
}

/* What is there and this user's all the same: another one's directory above it is in the way of those who trust it.
 * What else is in that stays whose it is. */
static char *explain_above(char *path)
{
    struct stat status;
    return cut_last(path) && stat(path[0] == '\0' ? "/" : path, &status) == 0 && status.st_uid != geteuid() &&
                   status.st_uid != 0
               ? explain_present(path, &status, false)
               : NULL;
}

/* `above` is a copy of `path`; both get cut, the latter to its first part that is missing. */
static char *explain(char *path, char *above, weir_ownership_kind_t kind)
{
    struct stat status;
    bool lacks_file = kind == WEIR_OWNERSHIP_FILE;
    if (stat(path, &status) == 0) {
        return status.st_uid == geteuid() ? explain_above(above) : explain_present(path, &status, true);
    }
    bool closed = errno == EACCES;
    while (cut_last(above)) {
        const char *directory = above[0] == '\0' ? "/" : above;
        const obstacle_t obstacle = {path, directory, &status, closed, lacks_file};
        if (stat(directory, &status) == 0) {
            return status.st_uid == geteuid() || may_use(directory, &status) ? NULL
                   : closed                                                  ? explain_closed(&obstacle)
                                                                             : explain_missing(&obstacle);
        }
        closed = errno == EACCES;
        lacks_file = false;
        path[strlen(above)] = '\0';
    }
    return NULL;
}

/* An absolute copy of a path without slashes at its end, or NULL. */
static char *whole_path(const char *path)
{
    char *whole = NULL;
    char *directory = path[0] == '/' ? strdup("") : getcwd(NULL, 0);
    if (directory == NULL || asprintf(&whole, "%s%s%s", directory, path[0] == '/' ? "" : "/", path) < 0) {
        whole = NULL;
    }
    free(directory);
    for (size_t size = whole == NULL ? 0 : strlen(whole); size > 1 && whole[size - 1] == '/'; size--) {
        whole[size - 1] = '\0';
    }
    return whole;
}

char *weir_ownership_explain(const char *path, weir_ownership_kind_t kind)
{
    char *whole = whole_path(path);
    char *above = whole == NULL ? NULL : strdup(whole);
    char *words = above == NULL ? NULL : explain(whole, above, kind);
    free(whole);
    free(above);
    return words;
}

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

/* What gives this user a right to what is there, and takes none from others. */
static char *command_to_open(const char *path, const struct stat *status)
{
    weir_text_t text = {0};
    const user_name_t own = name_of(geteuid());
    const bool directory = S_ISDIR(status->st_mode);
    if (status->st_uid == geteuid()) {
        weir_text_format(&text, "chmod u+%s ", directory ? "x" : "r");
    } else if ((status->st_mode & (directory ? S_IXGRP : S_IRGRP)) != 0) { /* it is some other users' already */
        weir_text_format(&text, "setfacl -m u:%s:%s ", own.text, directory ? "x" : "r");
    } else {
        weir_text_format(&text, "chgrp %s ", name_of_group(getegid()).text);
        add_path(&text, path);
        weir_text_format(&text, " && chmod g+%s ", directory ? "x" : "r");
    }
    add_path(&text, path);
    return take_command(&text);
}

char *weir_ownership_explain_reading(const char *path)
{
    char *words;
    char place[PATH_MAX] = "";
    struct stat status;
    if (faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) == 0 || errno != EACCES) {
        return NULL;
    }
    /* Links are followed: what they lead to counts. On failure this leaves what it came to (realpath(3), glibc). */
    if (realpath(path, place) == NULL && (errno != EACCES || !cut_last(place))) {
        return NULL;
    }
    const char *obstacle = place[0] == '\0' ? "/" : place;
    if (stat(obstacle, &status) != 0 || (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode))) {
        return NULL;
    }
    const user_name_t owner = name_of(status.st_uid);
    const user_name_t group = name_of_group(status.st_gid);
    const user_name_t own = name_of(geteuid());
    char *command = command_to_open(obstacle, &status);
    int made = command == NULL ? -1
                               : asprintf(&words,
                                     weir_translate("\"%s\" belongs to user %s and group %s with mode %04o, and weir "
                                                    "runs as %s; %s opens it to that user"),
                                     weir_shown(obstacle).text, owner.text, group.text,
                                     (unsigned)(status.st_mode & 07777), own.text, command);
    free(command);
    return made < 0 ? NULL : words;
}

void weir_ownership_add_user(char **message)
{
    char *longer;
    if (*message != NULL && geteuid() != 0 && strstr(*message, strerror(EACCES)) != NULL &&
        asprintf(&longer, weir_translate("%s; weir runs as user %s now (--user)"), *message, name_of(geteuid()).text) >=
            0) {
        free(*message);
        *message = longer;
    }
}
