/*
 * build.c: runs build commands as Spin does, and with --up becomes `weir up`.
 */
#include "cli/build.h"

#include "app/text.h"
#include "cli/help.h"
#include "cli/options.h"
#include "cli/overrides.h"
#include "cli/up.h"
#include "observe/log.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_FINE = 0, EXIT_FAILED = 1, EXIT_INPUT = 2 };

static const char begin_help[] =
    "Build the components of an application: run the command of each [component.ID.build] in its manifest.\n"
    "\n"
    "Usage: weir build [APP] [OPTION...]\n"
    "       weir build --up [APP] [OPTION...] [UP-OPTION...]\n"
    "\n"
    "  APP is a spin.toml or the directory that holds one; the current directory when not given.\n"
    "  A command is run by 'sh -c' in the directory of the manifest, or in its workdir below that.\n"
    "\n";

static const char end_help[] =
    "\n"
    "Exit status: 0 all is built, 1 a command failed, 2 the command line or the manifest is wrong.\n"
    "\n"
    "Examples:\n"
    "  weir build\n"
    "  weir build -c api --up --listen localhost:8080\n";

typedef struct build_options {
    const char *application;
    weir_texts_t components;
    weir_texts_t up_arguments; /* options of `weir up`, in their order */
    bool up;
    bool help;
} build_options_t;

static bool take_application(void *place, const char *value, char **ret_message)
{
    build_options_t *options = place;
    if (options->application != NULL) {
        return weir_arguments_refuse(
            ret_message, "one application at a time: '%s' and '%s' were given", options->application, value);
    }
    options->application = value;
    return true;
}

static const weir_option_t build_options[] = {
    {.group = "Options",
        .name = "from",
        .letter = 'f',
        .value = "APP",
        .kind = WEIR_OPTION_OPERAND,
        .help = "the same as APP"},
    {.name = "file", .value = "APP", .kind = WEIR_OPTION_OPERAND},
    {.name = "component-id",
        .letter = 'c',
        .value = "ID",
        .kind = WEIR_OPTION_TEXTS,
        .offset = offsetof(build_options_t, components),
        .help = "build this component and no other; may be repeated"},
    {.name = "up",
        .letter = 'u',
        .kind = WEIR_OPTION_FLAG,
        .offset = offsetof(build_options_t, up),
        .help = "serve the application afterwards; options of 'weir up' may be given as well,\n"
                "here or after --"},
    {.name = "help",
        .letter = 'h',
        .kind = WEIR_OPTION_FLAG,
        .offset = offsetof(build_options_t, help),
        .help = "print this"},
};

static const weir_foreign_option_t spin_options[] = {
    {"--profile", "there are no build profiles; leave it out, and write the build that you want in the manifest"},
    {"--skip-generate-wits", "weir generates no WIT files; leave it out"},
    {"--skip-generate-wit", "weir generates no WIT files; leave it out"},
    {"--skip-target-checks", "weir checks no deployment targets; leave it out"},
    {"--skip-target-check", "weir checks no deployment targets; leave it out"},
};

static const weir_command_t build_command = {
    .name = "build",
    .options = build_options,
    .option_count = sizeof(build_options) / sizeof(build_options[0]),
    .foreign = spin_options,
    .foreign_count = sizeof(spin_options) / sizeof(spin_options[0]),
    .operand = take_application,
    .next = &weir_up_command, /* Spin: src/commands/build.rs, up_args */
    .next_offset = offsetof(build_options_t, up_arguments),
};

/* ---- Commands ---------------------------------------------------------------------------------------------------- */

/* Say something on standard output, with text of the manifest escaped. */
static void say(const char *before, const char *text, const char *after)
{
    weir_text_t shown = {0};
    weir_text_add_escaped(&shown, text, strlen(text));
    printf("%s%s%s\n", before, shown.bytes == NULL ? "" : shown.bytes, after);
    fflush(stdout); /* before what the command prints */
    weir_text_free(&shown);
}

/* Run a command and wait for it. Returns an errno, or 0 with its status as of waitpid(2). */
static int run_shell(const char *command, const char *directory, int *ret_status)
{
    char *arguments[] = {(char *)(uintptr_t)"sh", (char *)(uintptr_t)"-c", (char *)(uintptr_t)command, NULL};
    posix_spawn_file_actions_t actions;
    pid_t child;
    int error = posix_spawn_file_actions_init(&actions);
    if (error != 0) {
        return error;
    }
    error = posix_spawn_file_actions_addchdir_np(&actions, directory);
    if (error == 0) {
        error = posix_spawnp(&child, "sh", &actions, NULL, arguments, environ);
    }
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) {
        return error;
    }
    while (waitpid(child, ret_status, 0) < 0) {
        if (errno != EINTR) {
            return errno;
        }
    }
    return 0;
}

static bool run_command(
    const weir_component_t *component, const char *command, const char *directory, char **ret_message)
{
    int status = 0;
    int error = run_shell(command, directory, &status);
    if (error != 0) {
        return weir_arguments_refuse(ret_message, "component %s: cannot run its build command in %s: %s", component->id,
            weir_quote(directory).text, strerror(error));
    }
    if (WIFSIGNALED(status)) {
        return weir_arguments_refuse(ret_message, "component %s: its build command was ended by signal %d (%s): %s",
            component->id, WTERMSIG(status), strsignal(WTERMSIG(status)), weir_quote(command).text);
    }
    if (WEXITSTATUS(status) != 0) {
        return weir_arguments_refuse(ret_message, "component %s: its build command failed with exit status %d: %s",
            component->id, WEXITSTATUS(status), weir_quote(command).text);
    }
    return true;
}

/* Whether a component's commands can be run in its directory; an earlier component's may have made it. */
static bool check_workdir(
    const weir_manifest_t *manifest, const weir_component_t *component, const char *directory, char **ret_message)
{
    const weir_build_t *build = &component->build;
    const weir_place_t place = build->workdir_place;
    struct stat facts;
    if (build->workdir == NULL ||
        (build->workdir[0] != '/' && stat(directory, &facts) == 0 && S_ISDIR(facts.st_mode))) {
        return true;
    }
    if (build->workdir[0] == '/') {
        return weir_arguments_refuse(ret_message,
            "%s:%u:%u: the workdir of component %s is %s; it must be relative, and is below the manifest's directory",
            weir_shown(manifest->path).text, (unsigned)place.line, (unsigned)place.column, component->id,
            weir_quote(build->workdir).text);
    }
    return weir_arguments_refuse(ret_message,
        "%s:%u:%u: the workdir of component %s is %s, and %s is no directory that can be used; make it, or write "
        "another",
        weir_shown(manifest->path).text, (unsigned)place.line, (unsigned)place.column, component->id,
        weir_quote(build->workdir).text, weir_quote(directory).text);
}

static bool build_component(const weir_manifest_t *manifest, const weir_component_t *component, char **ret_message)
{
    const weir_build_t *build = &component->build;
    weir_text_t directory = {0};
    weir_text_format(&directory, "%s%s%s", manifest->directory[0] == '\0' ? "." : manifest->directory,
        build->workdir == NULL ? "" : "/", build->workdir == NULL ? "" : build->workdir);
    char *path = weir_text_take(&directory);
    bool built = path != NULL && check_workdir(manifest, component, path, ret_message);
    for (size_t i = 0; built && i < build->command_count; i++) {
        weir_text_t step = {0};
        if (build->command_count > 1) {
            weir_text_format(
                &step, "Building component %s, step %zu of %zu, with `", component->id, i + 1, build->command_count);
        } else {
            weir_text_format(&step, "Building component %s with `", component->id);
        }
        say(step.bytes == NULL ? "" : step.bytes, build->commands[i], "`");
        weir_text_free(&step);
        if (i == 0 && build->workdir != NULL) {
            say("Working directory: ", path, "");
        }
        built = run_command(component, build->commands[i], path, ret_message);
    }
    free(path);
    return built;
}

static bool is_wanted(const weir_texts_t *ids, const char *id)
{
    for (size_t i = 0; i < ids->count; i++) {
        if (strcmp(ids->items[i], id) == 0) {
            return true;
        }
    }
    return ids->count == 0;
}

/* A shell takes an empty command, and does nothing. */
static bool check_commands(const weir_manifest_t *manifest, const weir_component_t *component, char **ret_message)
{
    const weir_build_t *build = &component->build;
    for (size_t i = 0; i < build->command_count; i++) {
        const char *command = build->commands[i];
        if (command[strspn(command, " \t\r\n")] == '\0') {
            return weir_arguments_refuse(ret_message,
                "%s:%u:%u: the build command of component %s is %s, and builds nothing; write the command that makes "
                "its file, or leave it out",
                weir_shown(manifest->path).text, (unsigned)build->place.line, (unsigned)build->place.column,
                component->id, weir_quote(command).text);
        }
    }
    return true;
}

bool weir_build_components(const weir_manifest_t *manifest, const weir_texts_t *ids, char **ret_message)
{
    size_t commands = 0;
    *ret_message = NULL;
    for (size_t i = 0; i < manifest->component_count; i++) {
        const weir_component_t *component = &manifest->components[i];
        if (is_wanted(ids, component->id) && !check_commands(manifest, component, ret_message)) {
            return false;
        }
    }
    for (size_t i = 0; i < manifest->component_count; i++) {
        const weir_component_t *component = &manifest->components[i];
        if (!is_wanted(ids, component->id)) {
            continue;
        }
        commands += component->build.command_count;
        if (!build_component(manifest, component, ret_message)) {
            return false;
        }
    }
    say(commands == 0 ? "Nothing to build: no component has a build command" : "All components are built", "", "");
    return true;
}

/* ---- The command ------------------------------------------------------------------------------------------------- */

static int fail(int status, char *own_message)
{
    weir_log(WEIR_LOG_ERROR, "%s", own_message == NULL ? "out of memory" : own_message);
    free(own_message);
    return status;
}

/* The command line of `weir up`: its options, and the arguments that stood after "--". NULL when memory ran out. */
static char **make_up_arguments(const build_options_t *options, char **after, int after_count, int *ret_count)
{
    const weir_texts_t *before = &options->up_arguments;
    char **up = calloc(before->count + (size_t)after_count + 4, sizeof(char *));
    int filled = 0;
    if (up == NULL) {
        return NULL;
    }
    up[filled++] = (char *)(uintptr_t)"up";
    up[filled++] = (char *)(uintptr_t)"--from";
    up[filled++] = (char *)(uintptr_t)options->application;
    for (size_t i = 0; i < before->count; i++) {
        up[filled++] = (char *)(uintptr_t)before->items[i];
    }
    for (int i = 0; i < after_count; i++) {
        up[filled++] = after[i];
    }
    *ret_count = filled;
    return up;
}

/* Build, and become `weir up`. What is wrong with its options is said before anything is built. */
static int build_and_serve(const build_options_t *options, char **after, int after_count)
{
    int count;
    weir_up_options_t up_options;
    char *message = NULL;
    char **up = make_up_arguments(options, after, after_count, &count);
    if (up == NULL || !weir_up_options_parse(count, up, environ, &up_options, &message)) {
        free(up);
        return fail(EXIT_INPUT, message);
    }
    weir_up_options_free(&up_options);
    int status = weir_build_application(options->application, &options->components, false);
    if (status == EXIT_FINE) {
        status = weir_up_main(count, up);
    }
    free(up);
    return status;
}

int weir_build_application(const char *path, const weir_texts_t *ids, bool wasm_is_fine)
{
    weir_manifest_t manifest;
    char *message = NULL;
    if (!weir_manifest_load(path, &manifest, &message)) {
        return fail(EXIT_INPUT, message);
    }
    int status = EXIT_FINE;
    if (manifest.is_wasm && !wasm_is_fine) {
        weir_arguments_refuse(&message, "%s is built already; 'weir build' takes a manifest", path);
        status = fail(EXIT_INPUT, message);
    } else if (!weir_overrides_known(&manifest, "--component-id", ids, &message)) {
        status = fail(EXIT_INPUT, message);
    } else if (!manifest.is_wasm && !weir_build_components(&manifest, ids, &message)) {
        status = fail(EXIT_FAILED, message);
    }
    weir_manifest_free(&manifest);
    return status;
}

int weir_build_main(int argc, char **argv)
{
    build_options_t options = {.application = NULL};
    char *message;
    int count = 1;
    while (count < argc && strcmp(argv[count], "--") != 0) {
        count++;
    }
    int rest = count < argc ? count + 1 : argc;
    int status = EXIT_FINE;
    if (!weir_arguments_parse(&build_command, count, argv, environ, &options, &message)) {
        status = fail(EXIT_INPUT, message);
    } else if (options.help) {
        status = weir_help_print_options(begin_help, weir_arguments_help(&build_command), end_help);
    } else if (!options.up && (rest < argc || options.up_arguments.count > 0)) {
        weir_log(WEIR_LOG_ERROR, "%s is for 'weir up'; add --up to serve after the build, or leave it out",
            options.up_arguments.count > 0 ? options.up_arguments.items[0] : "what stands after --");
        status = EXIT_INPUT;
    } else {
        if (options.application == NULL) {
            options.application = ".";
        }
        status = options.up ? build_and_serve(&options, argv + rest, argc - rest)
                            : weir_build_application(options.application, &options.components, false);
    }
    weir_texts_free(&options.components);
    weir_texts_free(&options.up_arguments);
    return status;
}
