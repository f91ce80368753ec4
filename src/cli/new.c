/*
 * new.c: the command line of `weir new`, and what to do next.
 */
#include "cli/new.h"

#include "cli/arguments.h"
#include "cli/help.h"
#include "cli/templates.h"
#include "observe/log.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_FINE = 0, EXIT_FAILED = 1, EXIT_INPUT = 2, NAME_MAX_BYTES = 64 };

#define DEFAULT_TEMPLATE "c-http"

static const char begin_help[] =
    "Write a new application from a template: a spin.toml, the source of a component, and what it is built from.\n"
    "\n"
    "Usage: weir new NAME [OPTION...]\n"
    "\n"
    "  NAME is that of the application and its component, in lower case: 'greeter', 'my-api'.\n"
    "  It is written to the directory NAME, which must not be there, or be empty.\n"
    "\n";

static const char end_help[] =
    "\n"
    "Building needs clang, lld and wasi-libc (Debian: clang lld wasi-libc libclang-rt-dev-wasm32).\n"
    "\n"
    "Exit status: 0 it is there, 1 it could not be written, 2 the command line is wrong.\n"
    "\n"
    "Examples:\n"
    "  weir new greeter && cd greeter && weir build --up\n"
    "  weir new --template c-wagi old-cgi\n";

typedef struct new_options {
    const char *name;
    const char *template;
    const char *output;
    bool list;
    bool help;
} new_options_t;

/* Component ids are kebab-case: words of letters and digits that begin with a letter (Spin, crates/serde/src/id.rs). */
static bool is_name(const char *text)
{
    bool begins = true;
    size_t size = strlen(text);
    for (size_t i = 0; i < size; i++) {
        bool letter = text[i] >= 'a' && text[i] <= 'z';
        bool digit = text[i] >= '0' && text[i] <= '9';
        if (!letter && (begins || (!digit && text[i] != '-'))) {
            return false;
        }
        begins = text[i] == '-';
    }
    return size > 0 && size <= NAME_MAX_BYTES && !begins;
}

static bool take_name(void *place, const char *value, char **ret_message)
{
    new_options_t *options = place;
    if (options->name != NULL) {
        return weir_arguments_refuse(ret_message, "one name at a time: '%s' and '%s' were given", options->name, value);
    }
    if (!is_name(value)) {
        return weir_arguments_refuse(ret_message,
            "the name is '%s'; give words of lower-case letters and digits that begin with a letter, joined by '-', "
            "such as my-api",
            value);
    }
    options->name = value;
    return true;
}

static const weir_option_t new_options[] = {
    {.group = "Options",
        .name = "template",
        .letter = 't',
        .value = "TEMPLATE",
        .kind = WEIR_OPTION_TEXT,
        .offset = offsetof(new_options_t, template),
        .help = "the template (default " DEFAULT_TEMPLATE ")"},
    {.name = "list",
        .letter = 'l',
        .kind = WEIR_OPTION_FLAG,
        .offset = offsetof(new_options_t, list),
        .help = "list the templates"},
    {.name = "output",
        .letter = 'o',
        .value = "DIRECTORY",
        .kind = WEIR_OPTION_TEXT,
        .offset = offsetof(new_options_t, output),
        .help = "the directory to write to (default: NAME)"},
    {.name = "help",
        .letter = 'h',
        .kind = WEIR_OPTION_FLAG,
        .offset = offsetof(new_options_t, help),
        .help = "print this"},
};

#define TEMPLATES_ARE_FILES "templates are installed with weir, and have no parameters; leave it out"

static const weir_foreign_option_t spin_options[] = {
    {"--accept-defaults", TEMPLATES_ARE_FILES},
    {"--add", "add the component to the manifest by hand"},
    {"--init", "give --output . in an empty directory"},
    {"--no-vcs", TEMPLATES_ARE_FILES},
    {"--tag", "see 'weir new --list'"},
    {"--value", TEMPLATES_ARE_FILES},
    {"--values-file", TEMPLATES_ARE_FILES},
    {"-a", TEMPLATES_ARE_FILES},
    {"-v", TEMPLATES_ARE_FILES},
};

static const weir_command_t new_command = {
    .name = "new",
    .options = new_options,
    .option_count = sizeof(new_options) / sizeof(new_options[0]),
    .foreign = spin_options,
    .foreign_count = sizeof(spin_options) / sizeof(spin_options[0]),
    .operand = take_name,
};

static int fail(int status, char *own_message)
{
    weir_log(WEIR_LOG_ERROR, "%s", own_message == NULL ? "out of memory" : own_message);
    free(own_message);
    return status;
}

static int run(const new_options_t *options)
{
    char *templates = weir_templates_find();
    if (templates == NULL) {
        weir_log(WEIR_LOG_ERROR,
            "there are no templates beside this program; copy share/weir/templates of an installation, or templates of "
            "the build, along with it as templates/");
        return EXIT_FAILED;
    }
    int status = EXIT_FINE;
    char *message = NULL;
    const char *template = options->template != NULL ? options->template : DEFAULT_TEMPLATE;
    const char *output = options->output != NULL ? options->output : options->name;
    if (options->list) {
        if (!weir_templates_list(templates)) {
            weir_log(WEIR_LOG_ERROR, "cannot list %s: %s", templates, strerror(errno));
            status = EXIT_FAILED;
        } else if (fflush(stdout) == EOF) {
            weir_log(WEIR_LOG_ERROR, "cannot write to standard output: %s", strerror(errno));
            status = EXIT_FAILED;
        }
    } else if (options->name == NULL) {
        weir_log(WEIR_LOG_ERROR, "no name was given, as in 'weir new greeter'; 'weir new --help' says more");
        status = EXIT_INPUT;
    } else if (!weir_templates_has(templates, template, &message)) {
        status = fail(EXIT_INPUT, message);
    } else if (!weir_templates_copy(templates, template, options->name, output, &message)) {
        status = fail(EXIT_FAILED, message);
    } else {
        printf("%s is in %s; go on with:\n  cd %s\n  weir build --up\n", options->name, output, output);
        fflush(stdout);
    }
    free(templates);
    return status;
}

int weir_new_main(int argc, char **argv)
{
    new_options_t options = {.name = NULL};
    char *message;
    signal(SIGXFSZ, SIG_IGN); /* a file that gets too large is an error, after which nothing is left behind */
    if (!weir_arguments_parse(&new_command, argc, argv, environ, &options, &message)) {
        return fail(EXIT_INPUT, message);
    }
    if (options.help) {
        return weir_help_print_options(begin_help, weir_arguments_help(&new_command), end_help);
    }
    return run(&options);
}
