/*
 * ownership.c: finds the first of a path's directories that stands in the way, and whose it is.
 */
#include "cli/ownership.h"

#include "allocator/translate.h"
#include "app/text.h"

#include <errno.h>
#include <fcntl.h>
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
    const user_name_t owner = name_of(status->st_uid);
    const user_name_t own = name_of(geteuid());
    const weir_quote_t shown = weir_shown(path);
    int made = asprintf(&words,
        weir_translate("\"%s\" belongs to user %s, and weir runs as %s; 'chown %s%s %s' gives it to that user"),
        shown.text, owner.text, own.text, deep && S_ISDIR(status->st_mode) ? "-R " : "", own.text, shown.text);
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

static char *explain_missing(const obstacle_t *obstacle)
{
    char *words;
    const user_name_t owner = name_of(obstacle->status->st_uid);
    const user_name_t own = name_of(geteuid());
    const weir_quote_t shown = weir_shown(obstacle->path);
    const weir_quote_t above = weir_shown(obstacle->above);
    int made =
        obstacle->closed
            ? asprintf(&words, weir_translate("\"%s\" belongs to user %s and is closed to user %s, whom weir runs as"),
                  above.text, owner.text, own.text)
            : asprintf(&words,
                  weir_translate("\"%s\" belongs to user %s, and weir runs as %s; 'install %s -o %s %s%s' makes "
                                 "for that user what is missing there"),
                  above.text, owner.text, own.text, obstacle->lacks_file ? "-m 640" : "-d", own.text,
                  obstacle->lacks_file ? "/dev/null " : "", shown.text);
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
            return status.st_uid == geteuid() || may_use(directory, &status) ? NULL : explain_missing(&obstacle);
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
