/*
 * deciding.c: the allocator and the engines to serve with: what was decided and compiled before where all of that is
 * there, else by trials; and again where an engine is refused although its trial had passed.
 */
#include "cli/deciding.h"

#include "allocator/report.h"
#include "allocator/translate.h"
#include "cli/announcement.h"
#include "cli/confine.h"
#include "cli/precompile.h"
#include "cli/strategy.h"
#include "cli/systemd.h"
#include "cli/tune.h"
#include "observe/log.h"

#include <stdlib.h>

enum {
    EXIT_FINE = 0,
    EXIT_FAILED = 1,
    EXIT_INPUT = 2,
    CHOOSE_MILLISECONDS = 10 * 60 * 1000, /* what a service manager is told that these take at most */
    COMPILE_MILLISECONDS = 60 * 60 * 1000,
};

typedef struct decision {
    const weir_inputs_t *inputs;
    weir_application_t *application;
    weir_choice_t **choice;
} decision_t;

/* Nothing that the strategy allows works here: say what was tried. */
static int refuse_choice(const decision_t *decision)
{
    const char *value = NULL;
    const char *variable = decision->inputs->strategy == WEIR_STRATEGY_AUTO ? NULL : weir_strategy_variable(&value);
    weir_announce_refusal(*decision->choice, decision->application, variable, value);
    return EXIT_FAILED;
}

static int choose(const decision_t *decision, bool prove_later)
{
    weir_choose_options_t options;
    weir_systemd_extend(CHOOSE_MILLISECONDS);
    weir_choose_options_init(&options);
    options.strategy = decision->inputs->strategy;
    options.needs.concurrency = decision->inputs->options.max_concurrency;
    options.needs.maximum_memory_bytes = weir_application_max_memory(decision->application);
    options.decide_anew = decision->inputs->options.decide_anew ? 1 : 0;
    options.prove_later = prove_later ? 1 : 0;
    weir_needs_t *guests = weir_application_guest_needs(decision->application, &options.guest_count);
    options.guests = options.guest_count > 0 ? guests : NULL;
    weir_choice_free(*decision->choice);
    *decision->choice = NULL;
    weir_status_t status = guests == NULL ? WEIR_ERROR_MEMORY : weir_allocator_choose(&options, decision->choice);
    free(guests);
    if (*decision->choice != NULL && decision->inputs->strategy != WEIR_STRATEGY_AUTO) {
        weir_report_name_wish(*decision->choice, weir_strategy_wish(decision->inputs->options.disable_pooling));
    }
    if (status == WEIR_ERROR_UNAVAILABLE) {
        return refuse_choice(decision);
    }
    if (status != WEIR_OK) {
        weir_log(WEIR_LOG_ERROR, weir_translate("cannot choose an instance allocator: %s"),
            status == WEIR_ERROR_MEMORY ? weir_translate("out of memory")
                                        : weir_translate("the system refused what that takes"));
        return EXIT_FAILED;
    }
    weir_choice_prepare_process(*decision->choice);
    weir_application_place(decision->application, *decision->choice);
    return EXIT_FINE;
}

/*
 * Look for the code in the cache, for the engines as they are now. True: all is there, and tuned, from an earlier
 * start, so that these engines are those to serve with.
 */
static bool is_warm(const decision_t *decision, weir_engines_t *ret_engines)
{
    weir_engines_t engines;
    weir_shown_bytes_t refusal;
    if (decision->application->cache == NULL ||
        !weir_engines_make(decision->application, *decision->choice, &engines, &refusal)) {
        return false;
    }
    if (weir_application_find_code(decision->application, engines.pool, engines.apart) &&
        weir_application_is_tuned(
            decision->application, *decision->choice, !decision->inputs->options.no_trial_requests)) {
        *ret_engines = engines;
        return true;
    }
    weir_engines_free(&engines);
    return false;
}

int weir_deciding_run(weir_inputs_t *inputs, weir_application_t *application, const weir_trial_server_t *trial_server,
    weir_choice_t **choice, weir_engines_t *ret_engines)
{
    decision_t decision = {inputs, application, choice};
    for (unsigned attempt = 0;; attempt++) {
        /* The engines, and what confines the server, are made while the trial of what was decided before runs beside.
         */
        int status = choose(&decision, true);
        bool warm = status == EXIT_FINE && is_warm(&decision, ret_engines);
        if (warm) {
            weir_confine_prepare(inputs, trial_server);
        }
        if (status == EXIT_FINE && !weir_choice_await(*choice)) {
            if (warm) {
                weir_engines_free(ret_engines);
            }
            status = choose(&decision, false);
            warm = status == EXIT_FINE && is_warm(&decision, ret_engines);
        }
        if (status != EXIT_FINE || warm) {
            return status;
        }
        weir_systemd_extend(COMPILE_MILLISECONDS);
        weir_application_tune(application, *choice, !inputs->options.no_trial_requests);
        char *message;
        weir_precompiled_t compiled = weir_application_precompile(application, *choice, &message);
        if (compiled != WEIR_PRECOMPILED) {
            weir_log(WEIR_LOG_ERROR, "%s", message == NULL ? weir_translate("out of memory") : message);
            free(message);
            return compiled == WEIR_PRECOMPILE_INVALID ? EXIT_INPUT : EXIT_FAILED;
        }
        weir_shown_bytes_t refusal;
        if (weir_engines_make(application, *choice, ret_engines, &refusal)) {
            return EXIT_FINE;
        }
        bool last = attempt > 0 && (inputs->strategy != WEIR_STRATEGY_AUTO || attempt > 1 ||
                                       weir_choice_rung(*choice)->tier == WEIR_TIER_ONDEMAND);
        weir_log(last ? WEIR_LOG_ERROR : WEIR_LOG_WARNING,
            weir_translate("the engine was refused although its trial had passed: %s"), refusal.text);
        if (last) {
            weir_log(WEIR_LOG_ERROR, "%s",
                weir_translate("something else takes the memory or the address space that it needs; 'weir doctor' "
                               "shows how much that is and which limit is nearest"));
            return EXIT_FAILED;
        }
        if (attempt > 0) {
            weir_log(WEIR_LOG_WARNING, "%s",
                weir_translate("The pooling allocator was disabled automatically: an engine with one was refused "
                               "twice. Instances are allocated on demand."));
            inputs->strategy = WEIR_STRATEGY_ONDEMAND;
        }
    }
}
