/*
 * otlp_settings.h: OpenTelemetry's environment variables, as far as they are about traces sent over OTLP (its
 * specification: configuration/sdk-environment-variables.md, protocol/exporter.md).
 */
#ifndef WEIR_OBSERVE_OTLP_SETTINGS_H
#define WEIR_OBSERVE_OTLP_SETTINGS_H

#include "observe/otlp_span.h"
#include "observe/trace.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    WEIR_OTLP_HEADERS_MAX = 64,
    WEIR_OTLP_RESOURCE_MAX = 64,
    WEIR_OTLP_QUEUE_MAX = 1 << 20, /* spans that wait, at most */
    WEIR_OTLP_WARNINGS_MAX = 32,
};

typedef struct weir_otlp_settings {
    bool is_on;        /* spans are exported */
    char *url;         /* own, as all texts: where to */
    char *certificate; /* a PEM file of authorities; NULL: the usual ones */
    bool json;
    weir_otlp_text_t headers[WEIR_OTLP_HEADERS_MAX];
    size_t header_count;
    weir_otlp_text_t resource[WEIR_OTLP_RESOURCE_MAX];
    size_t resource_count;
    weir_sampler_t sampler;
    uint64_t timeout_milliseconds; /* of one attempt */
    uint64_t export_milliseconds;  /* of all attempts at one batch */
    uint64_t delay_milliseconds;   /* that a span waits at most for others */
    uint32_t queue_size;
    uint32_t batch_size;
    char *warnings[WEIR_OTLP_WARNINGS_MAX]; /* one line each: what is not served, or malformed */
    size_t warning_count;
} weir_otlp_settings_t;

/*
 * Read the variables from an environment, as environ(7). They are on when there is an endpoint, as in Spin
 * (crates/telemetry/src/env.rs), and nothing switches them off. A variable that is malformed is warned of and counts as
 * not set, as OpenTelemetry wants it; so does one that weir does not serve. `application` and `app_version` (or NULL)
 * name the service, where the variables do not. Returns false when memory ran out; there is nothing to free then.
 */
bool weir_otlp_settings_read(char *const *environment, const char *application, const char *app_version,
    const char *version, weir_otlp_settings_t *ret_settings);

/* Free what they own, and zero them. */
void weir_otlp_settings_free(weir_otlp_settings_t *settings);

#endif
