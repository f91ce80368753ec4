/*
 * tasks.c: limits on processes and threads (setrlimit(2); Documentation/admin-guide/cgroup-v2.rst, "PID";
 * kernel/fork.c, copy_process).
 */
#include "allocator/tasks.h"

#include "allocator/procfs.h"
#include "allocator/translate.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    STATUS_BYTES = 16 * 1024,
    LOOKED_AT_MOST = 16 * 1024, /* processes */
    ENTRIES_BYTES = 4 * 1024,
    CAPABILITY_DIGITS = 16,
    ADMINISTRATOR = 21, /* CAP_SYS_ADMIN */
    RESOURCES = 24,     /* CAP_SYS_RESOURCE */
};

static const char used_source[] = WEIR_TRANSLATABLE("Threads of this user's /proc/*/status");

/* A number after "Name:" and white space. */
static bool status_number(const char *status, const char *name, uint64_t *ret_value)
{
    const char *at = weir_procfs_line(status, name, ':');
    if (at == NULL) {
        return false;
    }
    at += strspn(at, " \t");
    return weir_procfs_take_number(&at, ret_value);
}

static bool status_capabilities(const char *status, uint64_t *ret_set)
{
    const char *at = weir_procfs_line(status, "CapEff", ':');
    if (at == NULL) {
        return false;
    }
    at += strspn(at, " \t");
    if (strspn(at, "0123456789abcdef") != CAPABILITY_DIGITS) {
        return false;
    }
    *ret_set = strtoull(at, NULL, 16);
    return true;
}

static bool is_first_namespace(const char *root, const char *path, const char *first)
{
    char link[64];
    return weir_procfs_link(root, path, link, sizeof link) && strcmp(link, first) == 0;
}

/* The kernel asks for capabilities in the first user namespace, and for root there. */
static const char *exemption(const char *status, uint64_t user)
{
    uint64_t set = 0;
    if (user == 0) {
        return WEIR_TRANSLATABLE("RLIMIT_NPROC does not bind root");
    }
    if (status_capabilities(status, &set) && ((set >> RESOURCES | set >> ADMINISTRATOR) & 1) != 0) {
        return WEIR_TRANSLATABLE("RLIMIT_NPROC does not bind CAP_SYS_RESOURCE");
    }
    return NULL;
}

/* Add the threads of a process if it is the user's. False: its status makes no sense. One that has ended is none. */
static bool count_process(const char *root, const char *name, uint64_t user, uint64_t *count)
{
    char path[64];
    char status[STATUS_BYTES];
    uint64_t owner = 0;
    uint64_t threads = 0;
    snprintf(path, sizeof path, "/proc/%.20s/status", name);
    if (!weir_procfs_read(root, path, status, sizeof status)) {
        return true;
    }
    if (!status_number(status, "Uid", &owner) || !status_number(status, "Threads", &threads)) {
        return false;
    }
    *count += owner == user ? threads : 0;
    return true;
}

static bool count_entries(const char *root, int directory, uint64_t user, uint64_t *ret_count)
{
    _Alignas(struct dirent64) char entries[ENTRIES_BYTES];
    uint64_t count = 0;
    unsigned processes = 0;
    ssize_t size;
    while ((size = getdents64(directory, entries, sizeof entries)) > 0) {
        for (ssize_t at = 0; at < size;) {
            const struct dirent64 *entry = (const struct dirent64 *)(const void *)(entries + at);
            at += entry->d_reclen;
            if (entry->d_name[strspn(entry->d_name, "0123456789")] != '\0') {
                continue;
            }
            if (++processes > LOOKED_AT_MOST || !count_process(root, entry->d_name, user, &count)) {
                return false;
            }
        }
    }
    *ret_count = count;
    return size == 0 && count > 0; /* this process is one */
}

static bool count_tasks(const char *root, uint64_t user, uint64_t *ret_count)
{
    int directory = weir_procfs_open(root, "/proc");
    if (directory < 0) {
        return false;
    }
    bool counted = count_entries(root, directory, user, ret_count);
    close(directory);
    return counted;
}

static void read_user(
    const weir_machine_t *machine, const char *status, bool all, weir_fact_t *ret_limit, weir_fact_t *ret_used)
{
    uint64_t value = 0;
    bool unlimited = false;
    uint64_t user = 0;
    *ret_limit = (weir_fact_t){WEIR_UNKNOWN, 0, "RLIMIT_NPROC"};
    *ret_used = (weir_fact_t){WEIR_UNKNOWN, 0, used_source};
    if (machine->resource_limit == NULL || !machine->resource_limit(RLIMIT_NPROC, &value, &unlimited)) {
        return;
    }
    ret_limit->knowledge = unlimited ? WEIR_UNLIMITED : WEIR_KNOWN;
    ret_limit->value = unlimited ? 0 : value;
    /* Elsewhere those who count are not all to be seen, and nobody is exempt. */
    if (unlimited || !status_number(status, "Uid", &user) ||
        !is_first_namespace(machine->root, "/proc/self/ns/user", "user:[4026531837]")) {
        return;
    }
    const char *exempt = exemption(status, user);
    if (exempt != NULL) {
        *ret_limit = (weir_fact_t){WEIR_UNLIMITED, 0, exempt};
    } else if ((all || value <= WEIR_TASKS_FEW) &&
               is_first_namespace(machine->root, "/proc/self/ns/pid", "pid:[4026531836]") &&
               count_tasks(machine->root, user, &value)) {
        *ret_used = (weir_fact_t){WEIR_KNOWN, value, used_source};
    }
}

void weir_tasks_read_user(
    const weir_machine_t *machine, const char *status, bool all, weir_fact_t *ret_limit, weir_fact_t *ret_used)
{
    char text[STATUS_BYTES];
    if (status == NULL) {
        status = weir_procfs_read(machine->root, "/proc/self/status", text, sizeof text) ? text : "";
    }
    read_user(machine, status, all, ret_limit, ret_used);
}

void weir_tasks_read(
    const weir_machine_t *machine, const weir_cgroups_t *groups, const char *status, bool all, weir_tasks_t *ret_tasks)
{
    weir_tasks_t tasks;
    weir_tasks_read_user(machine, status, all, &tasks.limit, &tasks.used);
    weir_cgroup_read_processes(machine->root, groups, &tasks.group_limit, &tasks.group_used);
    *ret_tasks = tasks;
}
