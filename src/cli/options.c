/*
 * options.c: parsing of `weir up`'s options. They are Spin's where Spin has them; what Spin has and weir lacks is
 * refused by name, so that nobody looks for a typing error.
 */
#include "cli/options.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Options of `spin up` (OLD and NEW, crates/trigger/src/cli.rs and src/commands/up.rs) that weir does not have. */
static const char *const spin_options[] = {
    "--allow-transient-write",
    "--build",
    "--cache",
    "--cache-dir",
    "--component-id",
    "--debug-info",
    "--direct-mounts",
    "--disable-cache",
    "--env",
    "--experimental-wasm-feature",
    "--find-free-port",
    "--follow",
    "--follow-all",
    "--format",
    "--from-registry",
    "--http1-max-buf-size",
    "--insecure",
    "--key-value",
    "--launch-metadata-only",
    "--log-dir",
    "--profile",
    "--runtime-config-file",
    "--skip-build",
    "--sqlite",
    "--state-dir",
    "--temp",
    "--tls-cert",
    "--tls-key",
    "--trigger-args",
    "--truncate-logs",
    "--variable",
    "-L",
    "-c",
    "-e",
    "-k",
    "-q",
};

enum {
    OPTION_TIMEOUT = 256,
    OPTION_DISABLE_POOLING,
    OPTION_QUIET,
    OPTION_CONCURRENCY,
    OPTION_LISTEN,
    OPTION_NO_TRIAL,
    OPTION_MEMORY
};

static const struct option long_options[] = {
    {"from", required_argument, NULL, 'f'},
    {"listen", required_argument, NULL, OPTION_LISTEN},
    {"request-timeout", required_argument, NULL, OPTION_TIMEOUT},
    {"max-concurrency", required_argument, NULL, OPTION_CONCURRENCY},
    {"max-instance-memory", required_argument, NULL, OPTION_MEMORY},
    {"disable-pooling", no_argument, NULL, OPTION_DISABLE_POOLING},
    {"no-trial-requests", no_argument, NULL, OPTION_NO_TRIAL},
    {"quiet", no_argument, NULL, OPTION_QUIET},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

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

/* A whole decimal number of at most `most`; `*ret_end` is what follows it. */
static bool parse_number(const char *text, uint64_t most, uint64_t *ret_number, const char **ret_end)
{
    uint64_t number = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++) {
        unsigned digit = (unsigned)(*at - '0');
        if (number > (most - digit) / 10) {
            return false;
        }
        number = number * 10 + digit;
    }
    if (at == text) {
        return false;
    }
    *ret_number = number;
    *ret_end = at;
    return true;
}

bool weir_duration_parse(const char *text, uint64_t *ret_milliseconds)
{
    static const struct {
        const char *name;
        uint64_t milliseconds;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60 * 1000}, {"h", 60 * 60 * 1000}};
    uint64_t number;
    const char *unit;
    if (!parse_number(text, WEIR_MAX_TIMEOUT_MILLISECONDS, &number, &unit) || number == 0) {
        return false;
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(unit, units[i].name) == 0 && number <= WEIR_MAX_TIMEOUT_MILLISECONDS / units[i].milliseconds) {
            *ret_milliseconds = number * units[i].milliseconds;
            return true;
        }
    }
    return false;
}

bool weir_instance_memory_parse(const char *text, uint64_t *ret_bytes)
{
    static const struct {
        const char *name;
        unsigned shift;
    } units[] = {{"", 0}, {"KiB", 10}, {"MiB", 20}, {"GiB", 30}};
    uint64_t number;
    const char *unit;
    if (!parse_number(text, WEIR_MAX_INSTANCE_MEMORY, &number, &unit)) {
        return false;
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        uint64_t least = (WEIR_WASM_PAGE - 1) >> units[i].shift;
        if (strcmp(unit, units[i].name) == 0 && number > least &&
            number <= WEIR_MAX_INSTANCE_MEMORY >> units[i].shift) {
            *ret_bytes = number << units[i].shift;
            return true;
        }
    }
    return false;
}

/* Say what is wrong with an option that getopt_long did not know. */
static bool refuse_unknown(const char *written, int letter, char **ret_message)
{
    char name[64];
    if (letter != 0 && strncmp(written, "--", 2) != 0) {
        snprintf(name, sizeof(name), "-%c", letter);
    } else {
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(written, "="), written);
    }
    for (size_t i = 0; i < sizeof(spin_options) / sizeof(spin_options[0]); i++) {
        if (strcmp(name, spin_options[i]) == 0) {
            return refuse(ret_message, "%s is Spin's; weir does not have it yet", name);
        }
    }
    return refuse(ret_message, "unknown option '%s'; 'weir up --help' lists those that there are", name);
}

static bool take_application(const char *value, weir_up_options_t *options, char **ret_message)
{
    if (options->application != NULL) {
        return refuse(ret_message, "one application at a time: '%s' and '%s' were given", options->application, value);
    }
    if (value[0] == '\0') {
        return refuse(
            ret_message, "the name of the application is empty; give a spin.toml, its directory or a .wasm file");
    }
    options->application = value;
    return true;
}

bool weir_concurrency_parse(const char *text, uint32_t *ret_number)
{
    uint64_t number;
    const char *end;
    if (!parse_number(text, WEIR_MAX_CONCURRENCY, &number, &end) || *end != '\0' || number == 0) {
        return false;
    }
    *ret_number = (uint32_t)number;
    return true;
}

static bool take_concurrency(const char *value, weir_up_options_t *options, char **ret_message)
{
    return weir_concurrency_parse(value, &options->max_concurrency) ||
           refuse(ret_message, "--max-concurrency is '%s'; give a number from 1 to %d", value, WEIR_MAX_CONCURRENCY);
}

static bool take_option(int option, const char *value, weir_up_options_t *options, char **ret_message)
{
    switch (option) {
    case 'f':
        return take_application(value, options, ret_message);
    case OPTION_LISTEN:
        options->listen = value;
        return true;
    case OPTION_TIMEOUT:
        if (!weir_duration_parse(value, &options->request_timeout_milliseconds)) {
            return refuse(
                ret_message, "--request-timeout is '%s'; give a time such as 500ms, 2s or 1m, at most 24h", value);
        }
        return true;
    case OPTION_MEMORY:
        if (!weir_instance_memory_parse(value, &options->max_instance_memory_bytes)) {
            return refuse(ret_message,
                "--max-instance-memory is '%s'; give a number of bytes, or one with KiB, MiB or GiB, from 64KiB to "
                "4GiB",
                value);
        }
        return true;
    case OPTION_CONCURRENCY:
        return take_concurrency(value, options, ret_message);
    case OPTION_DISABLE_POOLING:
        options->disable_pooling = true;
        return true;
    case OPTION_NO_TRIAL:
        options->no_trial_requests = true;
        return true;
    case OPTION_QUIET:
        options->quiet = true;
        return true;
    default:
        options->help = true;
        return true;
    }
}

bool weir_up_options_parse(
    int count, char **arguments, const char *listen_variable, weir_up_options_t *ret_options, char **ret_message)
{
    weir_up_options_t options = {
        .listen = listen_variable != NULL ? listen_variable : WEIR_DEFAULT_LISTEN,
        .request_timeout_milliseconds = WEIR_DEFAULT_REQUEST_TIMEOUT_MILLISECONDS,
    };
    *ret_message = NULL;
    opterr = 0;
    optind = 0; /* glibc: begin anew */
    for (;;) {
        int before = optind == 0 ? 1 : optind;
        /* "-": what is no option comes as option 1, in its place; ":" tells a missing value from an unknown option. */
        int option = getopt_long(count, arguments, "-:f:h", long_options, NULL);
        if (option == -1) {
            break;
        }
        if (option == '?') {
            return refuse_unknown(arguments[before], optopt, ret_message);
        }
        if (option == ':') {
            return refuse(ret_message, "%s needs a value; see 'weir up --help'", arguments[before]);
        }
        if (option == 1 ? !take_application(optarg, &options, ret_message)
                        : !take_option(option, optarg, &options, ret_message)) {
            return false;
        }
    }
    for (int i = optind; i < count; i++) {
        if (!take_application(arguments[i], &options, ret_message)) {
            return false;
        }
    }
    if (options.application == NULL) {
        options.application = ".";
    }
    *ret_options = options;
    return true;
}
