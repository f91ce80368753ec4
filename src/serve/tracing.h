/*
 * tracing.h: the headers of W3C trace context on requests: where a request stands in a trace, and what its guest, and
 * those that the guest requests something of, are told of that.
 *
 * Where spans are exported, each request has one, and guests see it as their parent. Where they are not, the headers
 * are for guests and those behind them alone, and pass as they came. As in Spin, what a guest requests carries the
 * trace on; a guest that sets these headers itself is let be, where Spin would write over them (crates/
 * factor-outbound-http/src/wasi.rs).
 */
#ifndef WEIR_SERVE_TRACING_H
#define WEIR_SERVE_TRACING_H

#include "observe/trace.h"
#include "weir_bridge.h"

#include <stddef.h>

/* The headers for whoever is called within a context. It must not be moved. */
typedef struct weir_tracing {
    weir_pair_t headers[2]; /* traceparent, tracestate */
    size_t count;           /* 0: it is part of no trace */
    char parent[WEIR_TRACEPARENT_BYTES + 1];
    weir_tracestate_t state;
} weir_tracing_t;

/*
 * Where a request with these headers stands: the context of its traceparent, or none (all zero) when there is none,
 * more than one, or a malformed one. With a sampler a span is begun there. Borrowed for the time of this function.
 */
void weir_tracing_begin(
    const weir_pair_t *headers, size_t count, const weir_sampler_t *sampler, weir_trace_context_t *ret_context);

/*
 * The headers that carry a request's context on: its traceparent, and its tracestate if that is sound and came with the
 * trace. `headers` are the request's.
 */
void weir_tracing_carry(
    const weir_trace_context_t *context, const weir_pair_t *headers, size_t count, weir_tracing_t *ret_tracing);

/* Have these headers in place of those of the request, if there is room: `most` in all. Returns how many there are. */
size_t weir_tracing_replace(const weir_tracing_t *tracing, weir_pair_t *headers, size_t count, size_t most);

#endif
