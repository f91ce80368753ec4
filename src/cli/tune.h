/*
 * tune.h: an application's own components as the work that the allocator's choice is tuned with.
 */
#ifndef WEIR_CLI_TUNE_H
#define WEIR_CLI_TUNE_H

#include "cli/application.h"
#include "weir/allocator.h"

/*
 * Time an application's components with the knobs that the chosen rung could have, and set the best: see
 * weir_choice_tune. They are compiled in the same child process, so that afterwards their code is there, and what the
 * compiler takes, or breaks, is of no concern to this process.
 *
 * With `requests` each component is run on trial requests (see weir_guest_try_request) in that process, without network
 * and files, and what it writes is discarded; one that takes too long to answer, and each without `requests`, goes no
 * further than to its instance. At the end this process is prepared for the choice, as weir_choice_prepare_process does
 * it. A cycle is a round: every component once. The application's files must still be there.
 * Forks: call it while the process has one thread.
 *
 * Nothing is lost when it fails: weir_application_tell_untimed says why, the choice is as it was then, and
 * weir_application_link compiles what is not there.
 */
weir_status_t weir_application_tune(weir_application_t *application, weir_choice_t *choice, bool requests);

/*
 * Log why weir_application_tune had no result, when it had none. For once it is known that the application can be
 * served: otherwise what is wrong with it is the reason, too, and is told as an error.
 */
void weir_application_tell_untimed(const weir_choice_t *choice);

/* Whether an earlier start has tuned the choice for this application, as weir_application_tune would do it. */
bool weir_application_is_tuned(const weir_application_t *application, const weir_choice_t *choice, bool requests);

/* What weir_application_tune has it run. To be freed with free(3); the application is borrowed, and
 * `request_milliseconds` bounds one run of one component. NULL: memory ran out.
 */
typedef struct weir_application_work weir_application_work_t;
weir_application_work_t *weir_application_work_new(
    const weir_application_t *application, bool requests, uint32_t request_milliseconds);

/* As a workload: `work` must outlive it. */
weir_workload_t weir_application_workload(weir_application_work_t *work);

#endif
