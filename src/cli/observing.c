/*
 * observing.c: opens, starts and ends what is told of requests.
 */
#include "cli/observing.h"

#include "observe/log.h"

#include <errno.h>
#include <string.h>

unsigned weir_observing_threads(const weir_up_options_t *options)
{
    return options->access_log != NULL ? 1 : 0;
}

bool weir_observing_open(
    const weir_up_options_t *options, unsigned loops, weir_observing_t *ret_observing, char **ret_message)
{
    weir_observing_t observing = {.access_log = NULL};
    const weir_access_style_t style = {
        .format = options->access_log_json ? WEIR_ACCESS_JSON : WEIR_ACCESS_LOGFMT,
        .omits_queries = options->omit_queries,
    };
    if (options->access_log != NULL) {
        observing.access_log = weir_access_log_open(options->access_log, &style, loops, ret_message);
        if (observing.access_log == NULL) {
            return false;
        }
    }
    *ret_observing = observing;
    return true;
}

void weir_observing_give(const weir_observing_t *observing, weir_server_settings_t *settings)
{
    if (observing->access_log != NULL) {
        settings->sinks[settings->sink_count++] = weir_access_log_sink(observing->access_log);
    }
}

void weir_observing_start(weir_observing_t *observing)
{
    if (observing->access_log != NULL && !weir_access_log_start(observing->access_log)) {
        weir_log(WEIR_LOG_WARNING, "there is no access log, for no thread can be had for it: %s", strerror(errno));
    }
}

void weir_observing_reopen(const weir_observing_t *observing)
{
    if (observing->access_log != NULL) {
        weir_access_log_reopen(observing->access_log);
    }
}

void weir_observing_free(weir_observing_t *observing)
{
    weir_access_log_free(observing->access_log);
    *observing = (weir_observing_t){.access_log = NULL};
}
