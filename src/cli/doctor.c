/*
 * doctor.c: `weir doctor [-f APP] [--json]`: the same decision as `weir up` makes, made anew, and laid open.
 */
#include "cli/doctor.h"

#include "allocator/child.h"
#include "allocator/choice.h"
#include "allocator/report.h"
#include "allocator/translate.h"
#include "cli/diagnosis.h"
#include "cli/doctor_compare.h"
#include "cli/help.h"
#include "cli/options.h"
#include "cli/precompile.h"
#include "cli/spin_variables.h"
#include "cli/status_line.h"
#include "cli/strategy.h"
#include "cli/tune.h"
#include "observe/log.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_FINE = 0, EXIT_FAILED = 1, EXIT_INPUT = 2 };

typedef struct doctor_options {
    bool help;
    bool json;
    bool verbose;
    bool disable_pooling;
    bool no_trial_requests;
    uint32_t max_concurrency;
    uint64_t max_instance_memory_bytes;
    weir_limit_source_t memory_source; /* who has set that */
    const char *application;
} doctor_options_t;

/* ---- Options ----------------------------------------------------------------------------------------------------- */

enum { OPTION_JSON = 256, OPTION_DISABLE_POOLING, OPTION_CONCURRENCY, OPTION_MEMORY, OPTION_NO_TRIAL };

static bool take_application(const char *value, doctor_options_t *options)
{
    if (options->application != NULL) {
        weir_log(WEIR_LOG_ERROR, weir_translate("one application at a time: '%s' and '%s' were given"),
            options->application, value);
        return false;
    }
    options->application = value;
    return true;
}

static bool take_option(int option, const char *value, doctor_options_t *options)
{
    switch (option) {
    case 'f':
    case 1:
        return take_application(value, options);
    case 'v':
        options->verbose = true;
        return true;
    case 'h':
        options->help = true;
        return true;
    case OPTION_JSON:
        options->json = true;
        return true;
    case OPTION_DISABLE_POOLING:
        options->disable_pooling = true;
        return true;
    case OPTION_NO_TRIAL:
        options->no_trial_requests = true;
        return true;
    case OPTION_MEMORY:
        if (!weir_instance_memory_parse(value, &options->max_instance_memory_bytes)) {
            weir_log(WEIR_LOG_ERROR,
                weir_translate("%s is '%s'; give a number of bytes, or one with KiB, MiB or GiB, from 64KiB to 4GiB"),
                "--max-instance-memory", value);
            return false;
        }
        return true;
    default:
        if (!weir_concurrency_parse(value, &options->max_concurrency)) {
            weir_log(WEIR_LOG_ERROR, weir_translate("--max-concurrency is '%s'; give a number from 1 to %d"), value,
                WEIR_MAX_CONCURRENCY);
            return false;
        }
        return true;
    }
}

static bool parse_options(int argc, char **argv, doctor_options_t *ret_options)
{
    static const struct option long_options[] = {
        {"from", required_argument, NULL, 'f'},
        {"json", no_argument, NULL, OPTION_JSON},
        {"verbose", no_argument, NULL, 'v'},
        {"max-concurrency", required_argument, NULL, OPTION_CONCURRENCY},
        {"max-instance-memory", required_argument, NULL, OPTION_MEMORY},
        {"no-trial-requests", no_argument, NULL, OPTION_NO_TRIAL},
        {"disable-pooling", no_argument, NULL, OPTION_DISABLE_POOLING},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    doctor_options_t options = {.help = false};
    opterr = 0;
    optind = 0; /* glibc: begin anew */
    for (;;) {
        int before = optind == 0 ? 1 : optind;
        /* "-": what is no option comes as option 1, in its place; ":" tells a missing value from an unknown option. */
        int option = getopt_long(argc, argv, "-:f:vh", long_options, NULL);
        if (option == -1) {
            break;
        }
        if (option == ':') {
            weir_log(WEIR_LOG_ERROR, weir_translate("%s needs a value; see 'weir doctor --help'"), argv[before]);
            return false;
        }
        if (option == '?') {
            weir_log(WEIR_LOG_ERROR,
                weir_translate("unknown option '%s'; 'weir doctor --help' lists those that there are"), argv[before]);
            return false;
        }
        if (!take_option(option, optarg, &options)) {
            return false;
        }
    }
    for (int i = optind; i < argc; i++) {
        if (!take_application(argv[i], &options)) {
            return false;
        }
    }
    *ret_options = options;
    return true;
}

/* The variable that Spin knows for it, when the option is not given. */
static bool take_memory_variable(doctor_options_t *options)
{
    const char *value = getenv("SPIN_MAX_INSTANCE_MEMORY");
    if (value == NULL || options->max_instance_memory_bytes != 0) {
        return true;
    }
    if (weir_instance_memory_parse(value, &options->max_instance_memory_bytes)) {
        options->memory_source = WEIR_LIMIT_VARIABLE;
        return true;
    }
    weir_log(WEIR_LOG_ERROR,
        weir_translate("%s is '%s'; give a number of bytes, or one with KiB, MiB or GiB, from 64KiB to 4GiB"),
        "SPIN_MAX_INSTANCE_MEMORY", value);
    return false;
}

/* As many instances as Spin's variables allow, when the option does not say it. */
static bool take_instances_variable(doctor_options_t *options)
{
    uint32_t instances = 0;
    char *note = NULL;
    char *message = NULL;
    bool taken = weir_spin_variables_read(environ, &instances, &note, &message);
    if (taken && options->max_concurrency == 0) {
        options->max_concurrency = instances;
    }
    if (!taken) {
        weir_log(WEIR_LOG_ERROR, "%s", message != NULL ? message : weir_translate("out of memory"));
    }
    free(note);
    free(message);
    return taken;
}

/* ---- Finding out ------------------------------------------------------------------------------------------------- */

static bool load_application(const doctor_options_t *options, weir_diagnosis_t *diagnosis)
{
    char *message = NULL;
    if (!weir_application_load(options->application, &diagnosis->application, &message)) {
        weir_log(WEIR_LOG_ERROR, "%s", message != NULL ? message : weir_translate("out of memory"));
        free(message);
        return false;
    }
    diagnosis->has_application = true;
    diagnosis->application.option_limits.values[WEIR_SERVING_INSTANCE_MEMORY] = options->max_instance_memory_bytes;
    diagnosis->application.option_limits.are_set[WEIR_SERVING_INSTANCE_MEMORY] =
        options->max_instance_memory_bytes != 0;
    diagnosis->application.option_limits.sources[WEIR_SERVING_INSTANCE_MEMORY] = (uint8_t)options->memory_source;
    if (!weir_application_fits(&diagnosis->application, &message)) { /* weir up ends with it, too */
        weir_log(WEIR_LOG_ERROR, "%s", message != NULL ? message : weir_translate("out of memory"));
        free(message);
        return false;
    }
    diagnosis->guests = weir_application_guest_needs(&diagnosis->application, &diagnosis->guest_count);
    diagnosis->components = calloc(diagnosis->guest_count + 1, sizeof *diagnosis->components);
    if (diagnosis->guests == NULL || diagnosis->components == NULL) {
        weir_log(WEIR_LOG_ERROR, "%s", weir_translate("out of memory"));
        return false;
    }
    for (size_t i = 0, guest = 0; guest < diagnosis->guest_count; i++) {
        if (diagnosis->application.codes[i] != NULL) {
            diagnosis->components[guest++] = i;
        }
    }
    return true;
}

static bool choose(const doctor_options_t *options, weir_diagnosis_t *diagnosis)
{
    weir_choose_options_t choose_options;
    const weir_bounds_wish_t wish = {.writers = 1, .thorough = true};
    weir_bounds_take(&wish, &diagnosis->bounds); /* first, as weir up does */
    weir_choose_options_init(&choose_options);
    choose_options.strategy = diagnosis->strategy;
    choose_options.needs.concurrency = options->max_concurrency;
    choose_options.needs.maximum_memory_bytes = diagnosis->has_application
                                                    ? weir_application_max_memory(&diagnosis->application)
                                                    : options->max_instance_memory_bytes;
    choose_options.guests = diagnosis->guest_count > 0 ? diagnosis->guests : NULL;
    choose_options.guest_count = diagnosis->guest_count;
    choose_options.cache_directory = ""; /* what is true now, not what was true once */
    weir_status_t status = weir_doctor_choose(&choose_options, &diagnosis->choice);
    if (diagnosis->choice == NULL) {
        weir_status_clear();
        weir_log(WEIR_LOG_ERROR, weir_translate("no choice could be made: %s"),
            status == WEIR_ERROR_MEMORY ? weir_translate("out of memory")
                                        : weir_translate("the system refused what that takes"));
        return false;
    }
    weir_bounds_fit_memory(weir_choice_facts(diagnosis->choice), &diagnosis->bounds);
    weir_report_name_wish(diagnosis->choice, weir_strategy_wish(options->disable_pooling));
    weir_doctor_compare(diagnosis);
    if (diagnosis->has_application && weir_choice_rung(diagnosis->choice) != NULL) {
        weir_choice_prepare_process(diagnosis->choice);
        weir_application_place(&diagnosis->application, diagnosis->choice);
        weir_status_show("%s", weir_translate("timing the application's own components"));
        weir_application_tune(&diagnosis->application, diagnosis->choice, !options->no_trial_requests);
        weir_application_tell_untimed(diagnosis->choice);
        weir_status_show("%s", weir_translate("compiling the application's components"));
        char *message;
        weir_precompiled_t compiled = weir_application_precompile(&diagnosis->application, diagnosis->choice, &message);
        weir_status_clear();
        if (compiled != WEIR_PRECOMPILED) {
            weir_log(WEIR_LOG_WARNING, "%s", message != NULL ? message : "memory ran out");
            free(message);
        }
    }
    weir_status_clear();
    weir_doctor_recall(diagnosis);
    return true;
}

static void free_diagnosis(weir_diagnosis_t *diagnosis)
{
    weir_choice_free(diagnosis->choice);
    if (diagnosis->has_application) {
        weir_application_free(&diagnosis->application);
    }
    free(diagnosis->memory_directory);
    free(diagnosis->guests);
    free(diagnosis->components);
}

/* ---- The command ------------------------------------------------------------------------------------------------- */

static int report(const weir_diagnosis_t *diagnosis, const doctor_options_t *options)
{
    if (!options->json) {
        weir_diagnosis_print_text(diagnosis, options->verbose);
    } else if (!weir_diagnosis_print_json(diagnosis)) {
        weir_log(WEIR_LOG_ERROR, "%s", weir_translate("the report could not be made: out of memory"));
        return EXIT_FAILED;
    }
    if (fflush(stdout) != 0 || ferror(stdout)) {
        weir_log(WEIR_LOG_ERROR, weir_translate("cannot write the report to standard output: %s"), strerror(errno));
        return EXIT_FAILED;
    }
    bool serves = weir_choice_rung(diagnosis->choice) != NULL && weir_bounds_suffice(&diagnosis->bounds);
    return serves ? EXIT_FINE : EXIT_FAILED;
}

static int run(const doctor_options_t *options, weir_diagnosis_t *diagnosis)
{
    char *message = NULL;
    if (!weir_strategy_from_environment(options->disable_pooling, &diagnosis->strategy, &message)) {
        weir_log(WEIR_LOG_ERROR, "%s", message != NULL ? message : weir_translate("out of memory"));
        free(message);
        return EXIT_INPUT;
    }
    if (message != NULL) {
        weir_log(WEIR_LOG_WARNING, "%s", message);
        free(message);
    }
    if (options->application != NULL && !load_application(options, diagnosis)) {
        return EXIT_INPUT;
    }
    if (options->json) {
        weir_language_set("en"); /* JSON is for machines, and the same everywhere */
    }
    double start = weir_clock_milliseconds();
    bool chosen = choose(options, diagnosis);
    diagnosis->total_milliseconds = weir_clock_milliseconds() - start;
    return chosen ? report(diagnosis, options) : EXIT_FAILED;
}

int weir_doctor_main(int argc, char **argv)
{
    doctor_options_t options;
    if (!parse_options(argc, argv, &options)) {
        return EXIT_INPUT;
    }
    if (options.help) {
        return weir_help_print(weir_doctor_help);
    }
    if (!take_memory_variable(&options) || !take_instances_variable(&options)) {
        return EXIT_INPUT;
    }
    weir_diagnosis_t diagnosis = {.strategy = WEIR_STRATEGY_AUTO};
    int status = run(&options, &diagnosis);
    free_diagnosis(&diagnosis);
    return status;
}
