/*
 * otlp_span.h: requests as spans of OpenTelemetry, in the messages of OTLP 1.x (opentelemetry-proto,
 * collector/trace/v1), as protobuf or as JSON. Pure functions but for where a buffer grows.
 */
#ifndef WEIR_OBSERVE_OTLP_SPAN_H
#define WEIR_OBSERVE_OTLP_SPAN_H

#include "observe/otlp_message.h"
#include "observe/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An attribute of the resource: who sends the spans. */
typedef struct weir_otlp_text {
    char *name;
    char *value;
} weir_otlp_text_t;

typedef struct weir_otlp_form {
    bool json;
    bool omits_queries;
} weir_otlp_form_t;

/*
 * Begin a request to a collector that has spans of this resource; then add the records of requests, and end it. Texts
 * that are no UTF-8 get U+FFFD in its places. Each request is a span of the kind SERVER (OpenTelemetry's semantic
 * conventions for HTTP, stable since 1.23) and, where a guest was started, one of the kind INTERNAL below it.
 */
void weir_otlp_begin(weir_otlp_bytes_t *bytes, const weir_otlp_form_t *form, const weir_otlp_text_t *resource,
    size_t resource_count, const char *version);
void weir_otlp_add(weir_otlp_bytes_t *bytes, const weir_otlp_form_t *form, const weir_request_record_t *record);
void weir_otlp_end(weir_otlp_bytes_t *bytes, const weir_otlp_form_t *form);

#endif
