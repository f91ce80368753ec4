/*
 * observing.c: opens, starts and ends what is told of requests.
 */
#include "cli/observing.h"

#include "cli/collector.h"
#include "cli/ownership.h"
#include "observe/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Whether spans may be exported: the variables are read when the application is known. */
static bool has_endpoint(void)
{
    return getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != NULL || getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != NULL;
}

unsigned weir_observing_threads(const weir_up_options_t *options)
{
    return (options->access_log != NULL ? 1 : 0) + (has_endpoint() ? 1 : 0);
}

/* Add to a message whose the file or its directory is, if that is why. */
static void explain_refusal(const char *path, char **message)
{
    char *longer;
    bool denied = access(path, W_OK) != 0 && (errno == EACCES || errno == ENOENT);
    char *whose = *message == NULL || !denied ? NULL : weir_ownership_explain(path, WEIR_OWNERSHIP_FILE);
    if (whose != NULL && asprintf(&longer, "%s: %s", *message, whose) >= 0) {
        free(*message);
        *message = longer;
    }
    free(whose);
}

static bool open_access_log(
    const weir_up_options_t *options, unsigned loops, weir_observing_t *observing, char **ret_message)
{
    const weir_access_style_t style = {
        .format = options->access_log_json ? WEIR_ACCESS_JSON : WEIR_ACCESS_LOGFMT,
        .omits_queries = options->omit_queries,
    };
    if (options->access_log == NULL) {
        return true;
    }
    observing->access_log = weir_access_log_open(options->access_log, &style, loops, observing->metrics, ret_message);
    if (observing->access_log == NULL) {
        explain_refusal(options->access_log, ret_message);
    }
    return observing->access_log != NULL;
}

static bool open_traces(
    const weir_up_options_t *options, const weir_manifest_t *manifest, unsigned loops, weir_observing_t *observing)
{
    weir_otlp_settings_t settings;
    if (!weir_otlp_settings_read(environ, manifest->name, manifest->version, WEIR_VERSION, &settings)) {
        return false;
    }
    for (size_t i = 0; i < settings.warning_count; i++) {
        weir_log(WEIR_LOG_WARNING, "%s", settings.warnings[i]);
    }
    if (!settings.is_on) {
        weir_otlp_settings_free(&settings);
        return true;
    }
    observing->otlp =
        weir_otlp_new(&settings, options->omit_queries, WEIR_VERSION, weir_collector_post, loops, observing->metrics);
    return observing->otlp != NULL;
}

bool weir_observing_open(const weir_up_options_t *options, const weir_manifest_t *manifest, unsigned loops,
    weir_observing_t *ret_observing, char **ret_message)
{
    weir_observing_t observing = {.metrics = weir_metrics_new(loops)};
    *ret_message = NULL;
    if (observing.metrics == NULL || !open_access_log(options, loops, &observing, ret_message) ||
        !open_traces(options, manifest, loops, &observing)) {
        weir_observing_free(&observing);
        return false;
    }
    *ret_observing = observing;
    return true;
}

void weir_observing_give(const weir_observing_t *observing, weir_server_settings_t *settings)
{
    settings->metrics = observing->metrics;
    if (observing->access_log != NULL) {
        settings->sinks[settings->sink_count++] = weir_access_log_sink(observing->access_log);
    }
    if (observing->otlp != NULL) {
        settings->sinks[settings->sink_count++] = weir_otlp_sink(observing->otlp);
        settings->sampler = weir_otlp_sampler(observing->otlp);
    }
}

void weir_observing_start(weir_observing_t *observing)
{
    if (observing->access_log != NULL && !weir_access_log_start(observing->access_log)) {
        weir_log(WEIR_LOG_WARNING, "there is no access log, for no thread can be had for it: %s", strerror(errno));
    }
    if (observing->otlp != NULL && !weir_otlp_start(observing->otlp)) {
        weir_log(WEIR_LOG_WARNING, "no traces are exported, for no thread can be had for that: %s", strerror(errno));
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
    bool log_is_freed = weir_access_log_free(observing->access_log);
    bool otlp_is_freed = weir_otlp_free(observing->otlp);
    if (log_is_freed && otlp_is_freed) {
        weir_metrics_free(observing->metrics); /* else a thread that is left behind may still count */
    }
    *observing = (weir_observing_t){.metrics = NULL};
}
