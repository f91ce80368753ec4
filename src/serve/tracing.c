/*
 * tracing.c: finds, makes and exchanges the headers of trace context.
 */
#include "serve/tracing.h"

#include "guest/header_filter.h"

#include <string.h>

static const char parent_name[] = "traceparent";
static const char state_name[] = "tracestate";

static bool is_named(weir_pair_t header, const char *name, size_t size)
{
    return header.name.size == size && weir_header_is(header.name, name);
}

static bool is_parent(weir_pair_t header)
{
    return is_named(header, parent_name, sizeof(parent_name) - 1);
}

static bool is_state(weir_pair_t header)
{
    return is_named(header, state_name, sizeof(state_name) - 1);
}

void weir_tracing_begin(
    const weir_pair_t *headers, size_t count, const weir_sampler_t *sampler, weir_trace_context_t *ret_context)
{
    const weir_pair_t *found = NULL;
    unsigned times = 0;
    weir_trace_context_t context = {.flags = 0};
    for (size_t i = 0; i < count; i++) {
        if (is_parent(headers[i])) {
            found = &headers[i];
            times++;
        }
    }
    if (times == 1) {
        (void)weir_traceparent_parse(found->value.data, found->value.size, &context);
    }
    if (sampler != NULL) {
        weir_trace_begin(sampler, &context);
    }
    *ret_context = context;
}

/* Whether a context goes on with a trace that came with the request: a tracestate counts only with a traceparent. */
static bool came_along(const weir_trace_context_t *context)
{
    static const unsigned char none[sizeof(context->parent_id)];
    return memcmp(context->parent_id, none, sizeof(none)) != 0;
}

void weir_tracing_carry(
    const weir_trace_context_t *context, const weir_pair_t *headers, size_t count, weir_tracing_t *ret_tracing)
{
    weir_tracing_t *tracing = ret_tracing;
    tracing->count = 0;
    tracing->state.size = 0;
    tracing->state.members = 0;
    tracing->state.is_broken = false;
    if (!weir_trace_is_set(context)) {
        return;
    }
    weir_traceparent_write(context, tracing->parent);
    tracing->headers[tracing->count++] =
        (weir_pair_t){{parent_name, sizeof(parent_name) - 1}, {tracing->parent, WEIR_TRACEPARENT_BYTES}};
    for (size_t i = 0; came_along(context) && i < count; i++) {
        if (is_state(headers[i])) {
            weir_tracestate_add(&tracing->state, headers[i].value.data, headers[i].value.size);
        }
    }
    if (!tracing->state.is_broken && tracing->state.size > 0) {
        tracing->headers[tracing->count++] =
            (weir_pair_t){{state_name, sizeof(state_name) - 1}, {tracing->state.text, tracing->state.size}};
    }
}

size_t weir_tracing_replace(const weir_tracing_t *tracing, weir_pair_t *headers, size_t count, size_t most)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (!is_parent(headers[i]) && !is_state(headers[i])) {
            headers[kept++] = headers[i];
        }
    }
    for (size_t i = 0; i < tracing->count && kept < most; i++) {
        headers[kept++] = tracing->headers[i];
    }
    return kept;
}
