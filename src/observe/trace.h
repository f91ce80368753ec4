/*
 * trace.h: where requests stand in traces, as W3C Trace Context (level 2) writes it into the headers traceparent and
 * tracestate; new identifiers; and which traces are exported. Any thread, unless said otherwise.
 */
#ifndef WEIR_OBSERVE_TRACE_H
#define WEIR_OBSERVE_TRACE_H

#include "observe/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    WEIR_TRACEPARENT_BYTES = 55,
    WEIR_TRACESTATE_BYTES_MAX = 512, /* of all its headers together; a longer one is not carried on */
    WEIR_TRACESTATE_MEMBERS_MAX = 32,
    WEIR_TRACE_ID_TEXT = 32,
    WEIR_SPAN_ID_TEXT = 16,
};

/* Flags of a context. */
enum {
    WEIR_TRACE_SAMPLED = 0x01,
    WEIR_TRACE_RANDOM = 0x02, /* the trace's identifier was made at random */
};

/*
 * Parse the value of a traceparent: identifiers of trace and parent, and the flags that are known; the span's own
 * identifier becomes zero. Version 00 has this length exactly; of later ones, but not ff, what 00 has is taken. Letters
 * are small, and no identifier is all zero. Returns false, and leaves `*ret_context` untouched, for anything else.
 */
bool weir_traceparent_parse(const char *text, size_t size, weir_trace_context_t *ret_context);

/*
 * Write a context for whoever is called within it, in version 00: the parent is its span or, where it has none of its
 * own, its parent. Terminated.
 */
void weir_traceparent_write(const weir_trace_context_t *context, char ret_text[WEIR_TRACEPARENT_BYTES + 1]);

/* The members of a tracestate as they are collected, in order. Zeroed to begin with; not terminated. */
typedef struct weir_tracestate {
    char text[WEIR_TRACESTATE_BYTES_MAX];
    size_t size;
    unsigned members;
    bool is_broken; /* it is malformed or too long: nothing of it counts */
} weir_tracestate_t;

/*
 * Add the value of a header tracestate to those before it. Empty members are left out. A key that comes twice, a
 * character that may not be there, or more than the bounds above: broken.
 */
void weir_tracestate_add(weir_tracestate_t *state, const char *text, size_t size);

/* Whether a context is part of a trace. */
bool weir_trace_is_set(const weir_trace_context_t *context);

/* Whether it has a span of its own: one that weir has begun, to be exported if the trace is sampled. */
bool weir_trace_has_span(const weir_trace_context_t *context);

/* In hexadecimal digits, terminated. */
void weir_trace_write_id(const unsigned char *bytes, size_t size, char *ret_text);

/* Random bytes that are not all zero, at most 64. From the system, which is asked once for many. */
void weir_trace_random(unsigned char *ret_bytes, size_t size);

/* Which traces are exported (OpenTelemetry's samplers). */
typedef enum weir_sampler_kind {
    WEIR_SAMPLER_ALWAYS_ON = 0,
    WEIR_SAMPLER_ALWAYS_OFF = 1,
    WEIR_SAMPLER_RATIO = 2,
} weir_sampler_kind_t;

typedef struct weir_sampler {
    weir_sampler_kind_t kind;
    bool parent_decides; /* where there is one */
    double ratio;        /* 0 to 1; of the traces */
} weir_sampler_t;

/*
 * Begin a span in the trace of `context`, or in a new one where it is part of none, and decide whether it is sampled:
 * its identifier, flags and, of a new trace, the trace's are set.
 */
void weir_trace_begin(const weir_sampler_t *sampler, weir_trace_context_t *context);

#endif
