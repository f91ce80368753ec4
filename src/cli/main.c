/*
 * main.c: the program: which command was given.
 */
#include "cli/bench.h"
#include "cli/doctor.h"
#include "cli/help.h"
#include "cli/up.h"
#include "observe/log.h"
#include "weir/allocator.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

/* A trial compiles on the main thread's stack, and overflows one of 128 KiB. It grows up to the limit as it is then. */
static const rlim_t stack_least = 256 * 1024;
static const rlim_t stack_wanted = 8 * 1024 * 1024;

/* Whether the main thread's stack can grow as far as weir needs, which it sees to where it may. */
static bool has_stack(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_STACK, &limit) < 0 || limit.rlim_cur >= stack_wanted) {
        return true;
    }
    struct rlimit raised = {limit.rlim_max < stack_wanted ? limit.rlim_max : stack_wanted, limit.rlim_max};
    if (setrlimit(RLIMIT_STACK, &raised) == 0) {
        limit = raised;
    }
    if (limit.rlim_cur >= stack_least) {
        return true;
    }
    weir_log(WEIR_LOG_ERROR,
        "the limit on the stack is %ju KiB, and %ju KiB is the least that weir needs; raise it (ulimit -s, LimitSTACK= "
        "in "
        "a systemd unit)",
        (uintmax_t)limit.rlim_cur / 1024, (uintmax_t)stack_least / 1024);
    return false;
}

int main(int argc, char **argv)
{
    const char *command = argc > 1 ? argv[1] : "";
    weir_language_set(NULL);
    if (strcmp(command, "up") == 0) {
        return has_stack() ? weir_up_main(argc - 1, argv + 1) : 1;
    }
    if (strcmp(command, "doctor") == 0) {
        return has_stack() ? weir_doctor_main(argc - 1, argv + 1) : 1;
    }
    if (strcmp(command, "bench") == 0) {
        return weir_bench_main(argc - 1, argv + 1);
    }
    if (strcmp(command, "--help") == 0 || strcmp(command, "-h") == 0 || strcmp(command, "help") == 0) {
        return weir_help_print(weir_help);
    }
    if (strcmp(command, "--version") == 0 || strcmp(command, "-V") == 0) {
        return weir_help_print("weir " WEIR_VERSION "\n");
    }
    if (command[0] == '\0') {
        weir_log(WEIR_LOG_ERROR,
            "no command was given; 'weir up' serves the application in this directory, 'weir --help' says more");
    } else {
        weir_log(
            WEIR_LOG_ERROR, "there is no command '%s'; there are up, doctor and bench, and 'weir --help'", command);
    }
    return 2;
}
