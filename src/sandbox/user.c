/*
 * user.c: looks a user up, and becomes it.
 */
#include "sandbox/user.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { GROUPS_MAX = 256, NAME_BYTES = 256 };

__attribute__((format(printf, 2, 3))) static bool refuse(char **ret_message, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(ret_message, format, arguments) < 0) {
        *ret_message = NULL;
    }
    va_end(arguments);
    return false;
}

/* ---- Who it is --------------------------------------------------------------------------------------------------- */

/* A decimal number that is no name. The last one means "unchanged" to the kernel. */
static bool parse_number(const char *text, uint32_t *ret_number)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || number >= UINT32_MAX) {
        return false;
    }
    *ret_number = (uint32_t)number;
    return true;
}

static bool find_group(const char *option, const char *name, gid_t *ret_group, char **ret_message)
{
    errno = 0;
    const struct group *entry = getgrnam(name);
    if (entry != NULL) {
        *ret_group = entry->gr_gid;
        return true;
    }
    uint32_t number;
    if (!parse_number(name, &number)) {
        return refuse(ret_message,
            "%s: there is no group '%s' on this system; name one that there is, or give a number", option, name);
    }
    *ret_group = number;
    return true;
}

static bool fill(const char *name, const struct passwd *entry, uint32_t number, weir_user_t *user)
{
    user->is_listed = entry != NULL;
    user->user = entry != NULL ? entry->pw_uid : number;
    user->group = entry != NULL ? entry->pw_gid : 0;
    user->name = strdup(entry != NULL ? entry->pw_name : name);
    user->home = entry != NULL && entry->pw_dir[0] == '/' ? strdup(entry->pw_dir) : NULL;
    return user->name != NULL && (entry == NULL || entry->pw_dir[0] != '/' || user->home != NULL);
}

static bool find(const char *option, const char *name, const char *group, weir_user_t *user, char **ret_message)
{
    uint32_t number = 0;
    const struct passwd *entry = getpwnam(name);
    if (entry == NULL && parse_number(name, &number)) {
        entry = getpwuid(number);
        if (entry == NULL && group == NULL) {
            return refuse(ret_message,
                "%s: user %s is not in this system's list of users, so its group is not known; "
                "give it too, as in %s %s:%s",
                option, name, option, name, name);
        }
    } else if (entry == NULL) {
        return refuse(ret_message,
            "%s: there is no user '%s' on this system; make one ('useradd --system %s'), or give a number and a group, "
            "as in %s 65532:65532",
            option, name, name, option);
    }
    if (!fill(name, entry, number, user)) {
        *ret_message = NULL;
        return false;
    }
    return group == NULL || find_group(option, group, &user->group, ret_message);
}

bool weir_user_find(const char *option, const char *text, weir_user_t *ret_user, char **ret_message)
{
    char name[NAME_BYTES];
    const char *colon = strchr(text, ':');
    size_t length = colon == NULL ? strlen(text) : (size_t)(colon - text);
    if (length == 0 || length >= sizeof name || (colon != NULL && colon[1] == '\0')) {
        return refuse(ret_message,
            "%s is '%s'; give a user and perhaps a group, as in www-data, www-data:www-data or "
            "65532:65532",
            option, text);
    }
    memcpy(name, text, length);
    name[length] = '\0';
    weir_user_t user = {NULL, NULL, 0, 0, false};
    if (!find(option, name, colon == NULL ? NULL : colon + 1, &user, ret_message)) {
        weir_user_free(&user);
        return false;
    }
    *ret_user = user;
    return true;
}

void weir_user_free(weir_user_t *user)
{
    free(user->name);
    free(user->home);
    memset(user, 0, sizeof *user);
}

/* ---- To become it ------------------------------------------------------------------------------------------------ */

bool weir_user_is(const weir_user_t *user)
{
    uid_t users[3];
    gid_t groups[3];
    return getresuid(&users[0], &users[1], &users[2]) == 0 && getresgid(&groups[0], &groups[1], &groups[2]) == 0 &&
           users[0] == user->user && users[1] == user->user && users[2] == user->user && groups[0] == user->group &&
           groups[1] == user->group && groups[2] == user->group;
}

static bool take_groups(const weir_user_t *user)
{
    gid_t groups[GROUPS_MAX];
    int count = GROUPS_MAX;
    if (!user->is_listed) {
        return setgroups(0, NULL) == 0;
    }
    if (getgrouplist(user->name, user->group, groups, &count) < 0) {
        count = GROUPS_MAX; /* of more than these, so many */
    }
    return setgroups((size_t)count, groups) == 0;
}

/* None effective, permitted or inheritable: setresuid(2) leaves them where securebits(7) say so. */
static bool drop_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3];
    memset(none, 0, sizeof none);
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); /* Linux 4.3: before that there were none */
    return syscall(SYS_capset, &header, none) == 0;
}

/* Whether root's rights are out of reach: tried, not believed. */
static bool is_final(const weir_user_t *user)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct held[_LINUX_CAPABILITY_U32S_3];
    if (!weir_user_is(user) || syscall(SYS_capget, &header, held) != 0) {
        return false;
    }
    for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
        if ((held[i].permitted | held[i].effective | held[i].inheritable) != 0) {
            return false;
        }
    }
    return user->user == 0 || (setresuid(0, 0, 0) != 0 && setuid(0) != 0 && seteuid(0) != 0 &&
                                  (user->group == 0 || setresgid(0, 0, 0) != 0) && weir_user_is(user));
}

bool weir_user_become(const weir_user_t *user, char **ret_message)
{
    const char *call = NULL;
    if (!take_groups(user)) {
        call = "setgroups";
    } else if (setresgid(user->group, user->group, user->group) != 0) {
        call = "setresgid";
    } else if (setresuid(user->user, user->user, user->user) != 0) {
        call = "setresuid";
    } else if (!drop_capabilities()) {
        call = "capset";
    }
    if (call != NULL) {
        return refuse(ret_message, "cannot become user %s (%u:%u): %s: %s", user->name, (unsigned)user->user,
            (unsigned)user->group, call, strerror(errno));
    }
    if (!is_final(user)) {
        return refuse(
            ret_message, "became user %s, but there is a way back to root's rights; nothing is served so", user->name);
    }
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* the kernel took it for a set-user-ID program, whose /proc/self is root's */
    return true;
}
