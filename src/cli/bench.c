/*
 * bench.c: `weir bench allocator [--json] [--rounds N]`: the choice as `weir up` makes it, and what it costs against a
 * fixed grid of configurations on the same machine at the same time.
 *
 * No signal is handled: SIGINT ends this process, and the kernel its child at once (PR_SET_PDEATHSIG).
 */
#include "cli/bench.h"

#include "allocator/child.h"
#include "allocator/code.h"
#include "allocator/trial.h"
#include "cli/bench_report.h"
#include "cli/help.h"
#include "cli/status_line.h"
#include "cli/strategy.h"
#include "observe/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROUNDS_DEFAULT = 5,
    CHOICE_MILLISECONDS = 60 * 1000, /* until the choice must be made; it takes seconds under emulation */
    WHOLE_MILLISECONDS = 100 * 1000, /* no trial begins after this: one more lasts some seconds */
};

static const char bench_help[] =
    "Time the choice of allocator against a fixed grid of configurations, and say what it costs more than the best.\n"
    "\n"
    "Usage: weir bench allocator [OPTION...]\n"
    "\n"
    "A process of its own chooses as 'weir up' does, with nothing remembered. Then the choice and every configuration\n"
    "of the grid that the machine has room for are timed in turns, each in a process of its own: pools with slots of\n"
    "4 GiB, 64 MiB, 16 MiB and the smallest that fits, with all slots that are wanted, a quarter of them and as many\n"
    "as are needed, keeping nothing, 2 MiB and what an instance writes; and on demand with 4 GiB, 256 MiB, 16 MiB and\n"
    "nothing reserved. Regret is the cost of the choice divided by the cost of the best, minus 1. It takes two "
    "minutes\n"
    "at most. Other work on the machine blurs it: where the rounds of these two spread by more than 10 % and no less\n"
    "than the regret, it is not to be trusted, which is said.\n"
    "\n"
    "Options:\n"
    "      --json       one JSON document on standard output, and nothing else\n"
    "      --rounds N   how often each configuration is timed, 1 to 50 (default 5); the best ones as often again\n"
    "  -h, --help       print this\n"
    "\n"
    "Environment: SPIN_ALLOCATOR and SPIN_WASMTIME_POOLING, as for 'weir up': they bind the choice, not the grid.\n"
    "\n"
    "Exit status: 0 the regret is known, 1 nothing works or the choice could not be timed, 2 the command line or the\n"
    "environment is wrong.\n";

typedef struct bench_options {
    bool help;
    bool json;
    uint32_t rounds;
} bench_options_t;

static bool parse_rounds(const char *text, uint32_t *ret_rounds)
{
    uint32_t number = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9' && number <= WEIR_ROUNDS_MOST; at++) {
        number = number * 10 + (uint32_t)(*at - '0');
    }
    if (*at != '\0' || number == 0 || number > WEIR_ROUNDS_MOST) {
        weir_log(WEIR_LOG_ERROR, "--rounds is '%s'; give a number from 1 to %d", text, WEIR_ROUNDS_MOST);
        return false;
    }
    *ret_rounds = number;
    return true;
}

static bool parse_options(int argc, char **argv, bench_options_t *ret_options)
{
    static const char rounds_is[] = "--rounds=";
    bench_options_t options = {false, false, ROUNDS_DEFAULT};
    bool allocator = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            options.json = true;
        } else if (strcmp(argv[i], "--rounds") == 0) {
            i++;
            if (!parse_rounds(i < argc ? argv[i] : "", &options.rounds)) {
                return false;
            }
        } else if (strncmp(argv[i], rounds_is, strlen(rounds_is)) == 0) {
            if (!parse_rounds(argv[i] + strlen(rounds_is), &options.rounds)) {
                return false;
            }
        } else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            options.help = true;
        } else if (strcmp(argv[i], "allocator") == 0 && !allocator) {
            allocator = true;
        } else {
            weir_log(WEIR_LOG_ERROR,
                "'weir bench' does not know '%s'; there is 'weir bench allocator' with --json, --rounds and --help",
                argv[i]);
            return false;
        }
    }
    if (!allocator && !options.help) {
        weir_log(WEIR_LOG_ERROR, "what is to be measured? 'weir bench allocator' is what there is");
        return false;
    }
    *ret_options = options;
    return true;
}

/* ---- Measuring --------------------------------------------------------------------------------------------------- */

static void show_progress(void *context, uint32_t round, size_t done, size_t count)
{
    const bench_options_t *options = context;
    bool again = round > options->rounds;
    weir_status_show("timing%s: round %u of %u at most, %zu of %zu", again ? " the best" : "",
        (unsigned)(again ? round - options->rounds : round), (unsigned)options->rounds, done + 1, count);
}

static void run_trial(void *context, const weir_facts_t *facts, const weir_plan_t *plan, weir_verdict_t *ret_verdict)
{
    unsigned *threads = context;
    weir_trial_run(facts, plan, ret_verdict);
    *threads = ret_verdict->threads > *threads ? ret_verdict->threads : *threads;
}

static double read_clock(void *context)
{
    (void)context;
    return weir_clock_milliseconds();
}

static void time_cells(bench_options_t *options, double until, weir_bench_result_t *result)
{
    const weir_fresh_t *fresh = &result->fresh;
    weir_codes_t codes = {.count = 0};
    weir_budgets_t budgets;
    const weir_tester_t tester = {run_trial, read_clock, &result->threads};
    weir_budgets_make(&fresh->facts, &fresh->needs, result->strategy == WEIR_STRATEGY_POOLING, &budgets);
    weir_grid_make(&fresh->facts, &fresh->needs, &budgets, &fresh->rung, result->cells);
    result->count = WEIR_GRID_CELLS;
    const weir_rounds_t rounds = {
        .facts = &fresh->facts,
        .needs = &fresh->needs,
        .budgets = &budgets,
        .tester = &tester,
        .codes = &codes,
        .rounds = options->rounds,
        .until = until,
        .progress = show_progress,
        .progress_context = options,
    };
    weir_rounds_run(&rounds, result->cells, result->count, result->measures);
    weir_codes_free(&codes);
}

/* Everything but the report. False, after saying why, when there was no answer at all. */
static bool measure(bench_options_t *options, weir_bench_result_t *result)
{
    weir_choose_options_t choose;
    char message[400];
    double began = weir_clock_milliseconds();
    result->rounds = options->rounds;
    if (getloadavg(&result->load, 1) != 1) {
        result->load = -1;
    }
    weir_choose_options_init(&choose);
    choose.strategy = result->strategy;
    weir_status_show("choosing");
    bool told = weir_fresh_choose(&choose, CHOICE_MILLISECONDS, &result->fresh, message, sizeof message);
    if (told && result->fresh.works) {
        time_cells(options, began + WHOLE_MILLISECONDS, result);
    }
    weir_status_clear();
    result->seconds = (weir_clock_milliseconds() - began) / 1e3;
    if (!told) {
        weir_log(WEIR_LOG_ERROR, "%s", message);
    }
    return told;
}

/* ---- The command ------------------------------------------------------------------------------------------------- */

/* What a person has to know of a measurement that did not come about. */
static void complain(const weir_bench_result_t *result)
{
    if (result->fresh.works) {
        weir_log(WEIR_LOG_ERROR, "the choice could not be timed: %s", result->cells[0].dropped);
        return;
    }
    const char *line = result->fresh.notice;
    weir_log(WEIR_LOG_ERROR, "no instance allocator works on this machine; 'weir doctor' shows what was tried");
    while (*line != '\0') {
        size_t size = strcspn(line, "\n");
        if (size > 0) {
            weir_log(WEIR_LOG_ERROR, "%.*s", (int)size, line);
        }
        line += size + (line[size] == '\n' ? 1 : 0);
    }
}

static int report(const bench_options_t *options, const weir_bench_result_t *result)
{
    bool known = weir_bench_has_regret(result);
    if (options->json && !weir_bench_print_json(result)) {
        weir_log(WEIR_LOG_ERROR, "the report could not be made: out of memory");
        return 1;
    }
    if (!options->json && result->fresh.works) {
        weir_bench_print_text(result);
    }
    if (fflush(stdout) != 0 || ferror(stdout) != 0) {
        weir_log(WEIR_LOG_ERROR, "cannot write to standard output: %s", strerror(errno));
        return 1;
    }
    if (!known) {
        complain(result);
    }
    return known ? 0 : 1;
}

int weir_bench_main(int argc, char **argv)
{
    bench_options_t options;
    if (!parse_options(argc, argv, &options)) {
        return 2;
    }
    if (options.help) {
        return weir_help_print(bench_help);
    }
    weir_language_set("en"); /* tables are English, and JSON is */
    weir_bench_result_t *result = calloc(1, sizeof *result);
    if (result == NULL) {
        weir_log(WEIR_LOG_ERROR, "out of memory");
        return 1;
    }
    int status = 2;
    char *message = NULL;
    if (weir_strategy_from_environment(false, &result->strategy, &message)) {
        if (message != NULL) {
            weir_log(WEIR_LOG_WARNING, "%s", message);
        }
        status = measure(&options, result) ? report(&options, result) : 1;
    } else {
        weir_log(WEIR_LOG_ERROR, "%s", message != NULL ? message : "out of memory");
    }
    free(message);
    free(result);
    return status;
}
