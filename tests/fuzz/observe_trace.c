/*
 * observe_trace.c: fuzzes the headers of W3C trace context: the first line is a traceparent, each further one a header
 * tracestate.
 */
#include "fuzz.h"
#include "observe/trace.h"

/* What was collected holds when it is parsed again, and is the same then. */
static void check_collected(const weir_tracestate_t *state)
{
    weir_tracestate_t again = {.size = 0};
    must_hold(state->size <= WEIR_TRACESTATE_BYTES_MAX && state->members <= WEIR_TRACESTATE_MEMBERS_MAX);
    must_hold((state->size == 0) == (state->members == 0));
    for (size_t i = 0; i < state->size; i++)
        must_hold(state->text[i] >= 0x20 && state->text[i] < 0x7f);
    weir_tracestate_add(&again, state->text, state->size);
    must_hold(!again.is_broken && again.members == state->members && again.size == state->size);
    must_hold(memcmp(again.text, state->text, state->size) == 0);
}

static void check_context(const weir_trace_context_t *parsed)
{
    char text[WEIR_TRACEPARENT_BYTES + 1];
    weir_trace_context_t again;
    must_hold(weir_trace_is_set(parsed) && !weir_trace_has_span(parsed));
    weir_traceparent_write(parsed, text);
    must_hold(strlen(text) == WEIR_TRACEPARENT_BYTES);
    must_hold(weir_traceparent_parse(text, strlen(text), &again) && memcmp(&again, parsed, sizeof again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *part;
    size_t length = take_part(&data, &size, '\n', &part);
    char *text = copy_text(part, length);
    weir_trace_context_t context;
    if (weir_traceparent_parse(text, length, &context))
        check_context(&context);
    free(text);
    weir_tracestate_t state = {.size = 0};
    while (size > 0) {
        length = take_part(&data, &size, '\n', &part);
        text = copy_text(part, length);
        weir_tracestate_add(&state, text, length);
        free(text);
    }
    if (!state.is_broken)
        check_collected(&state);
    return 0;
}
