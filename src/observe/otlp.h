/*
 * otlp.h: sends the spans of requests to a collector (OTLP/HTTP). Threads that serve hand over copies of records
 * through queues that are bounded; a thread of its own sends them in batches, and waits for the collector. While that
 * is away or slow, spans are lost and counted, and nobody else is held up.
 */
#ifndef WEIR_OBSERVE_OTLP_H
#define WEIR_OBSERVE_OTLP_H

#include "observe/metrics.h"
#include "observe/otlp_settings.h"
#include "observe/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    WEIR_OTLP_REASON_BYTES = 256,
    WEIR_OTLP_ANSWER_BYTES_MAX = 16 * 1024,
    WEIR_OTLP_MILLISECONDS_TO_END = 5000, /* that the last spans may take */
};

/* What is posted. Everything is borrowed for the time of the call. */
typedef struct weir_otlp_request {
    const char *url;
    const char *certificate; /* or NULL */
    const weir_otlp_text_t *headers;
    size_t header_count;
    const char *content_type;
    const char *body;
    size_t body_size;
    uint64_t timeout_milliseconds;
} weir_otlp_request_t;

typedef struct weir_otlp_answer {
    unsigned status;                       /* 0: there is no answer, and `reason` says why */
    uint64_t retry_after_milliseconds;     /* 0: it says nothing of that */
    char body[WEIR_OTLP_ANSWER_BYTES_MAX]; /* what fits */
    size_t body_size;
    char reason[WEIR_OTLP_REASON_BYTES];
} weir_otlp_answer_t;

/* Posts to a collector, and returns within the time limit. */
typedef void (*weir_otlp_post_t)(const weir_otlp_request_t *request, weir_otlp_answer_t *ret_answer);

typedef struct weir_otlp weir_otlp_t;

/*
 * Make an exporter for so many threads that serve. The settings are its own in every case, and zeroed. Spans are
 * counted in `metrics`, too, unless that is NULL; it is borrowed. NULL: memory ran out.
 */
weir_otlp_t *weir_otlp_new(weir_otlp_settings_t *take_settings, bool omits_queries, const char *version,
    weir_otlp_post_t post, unsigned loops, weir_metrics_t *metrics);

/* Start its thread, which takes no signals. Returns false with errno set when it cannot be had. */
bool weir_otlp_start(weir_otlp_t *otlp);

/* Which traces it takes; as long as the exporter. */
const weir_sampler_t *weir_otlp_sampler(const weir_otlp_t *otlp);

/* What takes the records. Never blocks. */
weir_request_sink_t weir_otlp_sink(weir_otlp_t *otlp);

/*
 * Send what is left, for WEIR_OTLP_MILLISECONDS_TO_END at most, end the thread and free the exporter. Nobody tells it
 * of anything any more. NULL is allowed. Returns false when the thread does not come back: then it may still be used,
 * and so may the metrics.
 */
bool weir_otlp_free(weir_otlp_t *own_otlp);

#endif
