/*
 * main.c: the program: which command was given.
 */
#include "allocator/translate.h"
#include "app/near.h"
#include "app/words.h"
#include "cli/bench.h"
#include "cli/build.h"
#include "cli/doctor.h"
#include "cli/help.h"
#include "cli/new.h"
#include "cli/options.h"
#include "cli/spin_commands.h"
#include "cli/up.h"
#include "observe/log.h"
#include "weir/allocator.h"

#include <execinfo.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <weir_bridge.h>

/*
 * Who starts a program may have closed its standard descriptors. The next file that is opened gets such a number, and
 * with it what is meant for people, or loses it to a child's dup2(2): so they are taken, by what fails as they would.
 */
static void take_standard_descriptors(void)
{
    for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; descriptor++) {
        if (fcntl(descriptor, F_GETFD) >= 0) {
            continue;
        }
        int opened = open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY);
        if (opened < 0) {
            opened = open("/", O_PATH); /* where there is no /dev */
        }
        /* It is the lowest that is free, which is this one. */
        if (opened >= 0 && opened != descriptor) {
            close(opened);
        }
    }
}

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

static pid_t program;
static bool wants_backtrace;

/* A panic is contained, and comes back as an error. What a forked process writes is quoted by this one. */
static void tell_panic(const char *line)
{
    void *frames[64];
    if (getpid() == program) {
        weir_log(WEIR_LOG_ERROR, "%s", line);
        if (wants_backtrace) { /* of the kind that takes no memory: see up.c; addr2line(1) reads it */
            backtrace_symbols_fd(frames, backtrace(frames, sizeof(frames) / sizeof(frames[0])), STDERR_FILENO);
        }
    } else {
        dprintf(STDERR_FILENO, "%s\n", line);
    }
}

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    bool needs_stack;
} commands[] = {
    {"up", weir_up_main, true},
    {"new", weir_new_main, false},
    {"build", weir_build_main, true}, /* with --up it becomes that */
    {"doctor", weir_doctor_main, true},
    {"bench", weir_bench_main, false},
};

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(name, commands[i].name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

/* There is no such option before a command: say which one may be meant, or where it belongs. */
static int refuse_option(const char *argument)
{
    char name[48];
    snprintf(name, sizeof(name), "%.*s", (int)strcspn(argument, "="), argument);
    weir_near_t near = weir_near_start(name + strspn(name, "-"));
    weir_near_offer(&near, "version");
    weir_near_offer(&near, "help");
    for (size_t i = 0; i < weir_up_command.option_count; i++) {
        const weir_option_t *option = &weir_up_command.options[i];
        bool is_letter = option->letter != '\0' && name[1] == option->letter && name[2] == '\0';
        if (is_letter || (strncmp(name, "--", 2) == 0 && strcmp(name + 2, option->name) == 0)) {
            weir_log(WEIR_LOG_ERROR, "%s is an option of a command, which comes first: 'weir up %s'", name, name);
            return 2;
        }
    }
    if (near.best != NULL || strcmp(name, "-v") == 0) {
        weir_log(WEIR_LOG_ERROR, "unknown option '%s'; did you mean 'weir --%s'?", name,
            near.best != NULL ? near.best : "version");
    } else {
        weir_log(WEIR_LOG_ERROR,
            "unknown option '%s'; before a command there are --help and --version, and others come after it: 'weir "
            "--help' lists commands",
            name);
    }
    return 2;
}

/* There is no such command: say which one may be meant. */
static int refuse_command(const char *name)
{
    const char *spin_remedy = weir_spin_command_remedy(name);
    weir_near_t near = weir_near_start(name);
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        weir_near_offer(&near, commands[i].name);
    }
    weir_near_offer(&near, "help");
    const char *spin_name = near.best == NULL ? weir_spin_command_near(name) : NULL;
    if (name[0] == '\0') {
        weir_log(WEIR_LOG_ERROR,
            "no command was given; 'weir up' serves the application in this directory, 'weir --help' says more");
    } else if (name[0] == '-') {
        return refuse_option(name);
    } else if (spin_remedy != NULL) {
        weir_log(WEIR_LOG_ERROR, "'%s' is a command of Spin that weir does not have: %s", name, spin_remedy);
    } else if (near.best != NULL) {
        weir_log(WEIR_LOG_ERROR, "there is no command '%s'; did you mean 'weir %s'?", name, near.best);
    } else if (strpbrk(name, "./") != NULL && access(name, F_OK) == 0) {
        weir_log(WEIR_LOG_ERROR, "there is no command '%s'; to serve that, write 'weir up %s'", name, name);
    } else if (spin_name != NULL) {
        weir_log(WEIR_LOG_ERROR,
            "there is no command '%s'; if it was meant as '%s', that is a command of Spin that weir does not have: %s",
            name, spin_name, weir_spin_command_remedy(spin_name));
    } else {
        weir_log(WEIR_LOG_ERROR,
            "there is no command '%s'; there are up, new, build, doctor, bench and help, and 'weir --help'", name);
    }
    return 2;
}

static int help(const char *name)
{
    const struct command *command = name == NULL ? NULL : find_command(name);
    if (command != NULL) {
        char *arguments[] = {(char *)(uintptr_t)command->name, (char *)(uintptr_t)"--help", NULL};
        return command->run(2, arguments);
    }
    return name == NULL || strcmp(name, "help") == 0 ? weir_help_print(weir_help) : refuse_command(name);
}

int main(int argc, char **argv)
{
    take_standard_descriptors();
    const char *name = argc > 1 ? argv[1] : "";
    weir_language_set(NULL);
    weir_words_translate_with(weir_translate);
    program = getpid();
    const char *backtrace = getenv("RUST_BACKTRACE");
    wants_backtrace = backtrace != NULL && strcmp(backtrace, "0") != 0;
    weir_bridge_tell_panics(tell_panic); /* before there is an engine */
    const struct command *command = find_command(name);
    if (command != NULL) {
        return !command->needs_stack || has_stack() ? command->run(argc - 1, argv + 1) : 1;
    }
    if (strcmp(name, "help") == 0) {
        return help(argc > 2 ? argv[2] : NULL);
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        return weir_help_print(weir_help);
    }
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
        return weir_help_print("weir " WEIR_VERSION "\n");
    }
    return refuse_command(name);
}
