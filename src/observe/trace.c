/*
 * trace.c: W3C Trace Context, level 2 (https://www.w3.org/TR/trace-context-2/, sections 3.2 and 3.3), and
 * OpenTelemetry's samplers (its specification, trace/sdk.md).
 */
#include "observe/trace.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

/* ---- traceparent ------------------------------------------------------------------------------------------------- */

/* The value of a digit, or -1; capital letters are none. */
static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool parse_bytes(const char *text, unsigned char *ret_bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        int high = digit_of(text[2 * i]);
        int low = digit_of(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        ret_bytes[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

static bool is_zero(const unsigned char *bytes, size_t size)
{
    unsigned char any = 0;
    for (size_t i = 0; i < size; i++)
        any |= bytes[i];
    return any == 0;
}

bool weir_traceparent_parse(const char *text, size_t size, weir_trace_context_t *ret_context)
{
    enum { VERSION_AT = 0, TRACE_AT = 3, PARENT_AT = 36, FLAGS_AT = 53 };
    unsigned char version;
    unsigned char flags;
    weir_trace_context_t context = {.flags = 0};
    bool has_form = size >= WEIR_TRACEPARENT_BYTES && text[TRACE_AT - 1] == '-' && text[PARENT_AT - 1] == '-' &&
                    text[FLAGS_AT - 1] == '-' && parse_bytes(text + VERSION_AT, &version, 1) &&
                    parse_bytes(text + TRACE_AT, context.trace_id, sizeof context.trace_id) &&
                    parse_bytes(text + PARENT_AT, context.parent_id, sizeof context.parent_id) &&
                    parse_bytes(text + FLAGS_AT, &flags, 1);
    if (!has_form || version == 0xff || is_zero(context.trace_id, sizeof context.trace_id) ||
        is_zero(context.parent_id, sizeof context.parent_id))
        return false;
    bool may_be_longer = version != 0 && size > WEIR_TRACEPARENT_BYTES && text[WEIR_TRACEPARENT_BYTES] == '-';
    if (size != WEIR_TRACEPARENT_BYTES && !may_be_longer)
        return false;
    context.flags = flags & (WEIR_TRACE_SAMPLED | WEIR_TRACE_RANDOM);
    *ret_context = context;
    return true;
}

void weir_trace_write_id(const unsigned char *bytes, size_t size, char *ret_text)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        ret_text[2 * i] = digits[bytes[i] >> 4];
        ret_text[2 * i + 1] = digits[bytes[i] & 0xf];
    }
    ret_text[2 * size] = '\0';
}

bool weir_trace_is_set(const weir_trace_context_t *context)
{
    return !is_zero(context->trace_id, sizeof context->trace_id);
}

bool weir_trace_has_span(const weir_trace_context_t *context)
{
    return !is_zero(context->span_id, sizeof context->span_id);
}

void weir_traceparent_write(const weir_trace_context_t *context, char ret_text[WEIR_TRACEPARENT_BYTES + 1])
{
    const unsigned char *parent = weir_trace_has_span(context) ? context->span_id : context->parent_id;
    memcpy(ret_text, "00-", 3);
    weir_trace_write_id(context->trace_id, sizeof context->trace_id, ret_text + 3);
    ret_text[35] = '-';
    weir_trace_write_id(parent, sizeof context->span_id, ret_text + 36);
    ret_text[52] = '-';
    weir_trace_write_id(&context->flags, 1, ret_text + 53);
}

/* ---- tracestate -------------------------------------------------------------------------------------------------- */

static bool is_small_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool key_is_valid(const char *key, size_t size)
{
    if (size == 0 || size > 256 || !is_small_or_digit(key[0]))
        return false;
    for (size_t i = 1; i < size; i++) {
        if (!is_small_or_digit(key[i]) && (key[i] == '\0' || strchr("_-*/@", key[i]) == NULL))
            return false;
    }
    return true;
}

/* Blanks around it are off already. */
static bool value_is_valid(const char *value, size_t size)
{
    if (size == 0 || size > 256)
        return false;
    for (size_t i = 0; i < size; i++) {
        if (value[i] < 0x20 || value[i] > 0x7e || value[i] == ',' || value[i] == '=')
            return false;
    }
    return true;
}

/* Whether one of the members before has this key. */
static bool has_key(const weir_tracestate_t *state, const char *key, size_t size)
{
    const char *at = state->text;
    const char *end = state->text + state->size;
    while (at < end) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *past = comma == NULL ? end : comma;
        if ((size_t)(past - at) > size && memcmp(at, key, size) == 0 && at[size] == '=')
            return true;
        at = comma == NULL ? end : comma + 1;
    }
    return false;
}

static bool add_member(weir_tracestate_t *state, const char *member, size_t size)
{
    const char *equals = memchr(member, '=', size);
    if (equals == NULL)
        return false;
    size_t key_size = (size_t)(equals - member);
    size_t needed = size + (state->size > 0 ? 1 : 0);
    bool fits = state->members < WEIR_TRACESTATE_MEMBERS_MAX && needed <= sizeof state->text - state->size;
    if (!fits || !key_is_valid(member, key_size) || !value_is_valid(equals + 1, size - key_size - 1) ||
        has_key(state, member, key_size))
        return false;
    if (state->size > 0)
        state->text[state->size++] = ',';
    memcpy(state->text + state->size, member, size);
    state->size += size;
    state->members++;
    return true;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

void weir_tracestate_add(weir_tracestate_t *state, const char *text, size_t size)
{
    size_t at = 0;
    while (at < size && !state->is_broken) {
        const char *comma = memchr(text + at, ',', size - at);
        size_t end = comma == NULL ? size : (size_t)(comma - text);
        size_t first = at;
        size_t last = end;
        while (first < last && is_blank(text[first]))
            first++;
        while (last > first && is_blank(text[last - 1]))
            last--;
        state->is_broken = last > first && !add_member(state, text + first, last - first);
        at = end + 1;
    }
}

/* ---- Identifiers ------------------------------------------------------------------------------------------------- */

/* Fill from the system; where that is refused, which sandboxes can do, with what at least differs. */
static void fill(unsigned char *bytes, size_t size)
{
    size_t filled = 0;
    while (filled < size) {
        ssize_t count = getrandom(bytes + filled, size - filled, 0);
        if (count > 0)
            filled += (size_t)count;
        else if (count == 0 || errno != EINTR)
            break;
    }
    if (filled == size)
        return;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    /* splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators) */
    uint64_t state = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec + ((uint64_t)getpid() << 40) +
                     (uint64_t)(uintptr_t)bytes;
    for (; filled < size; filled++) {
        state += 0x9e3779b97f4a7c15u;
        uint64_t mixed = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9u;
        mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
        bytes[filled] = (unsigned char)(mixed >> 56);
    }
}

void weir_trace_random(unsigned char *ret_bytes, size_t size)
{
    enum { BATCH = 1024 };
    static _Thread_local unsigned char batch[BATCH];
    static _Thread_local size_t left;
    do {
        if (left < size) {
            fill(batch, sizeof batch);
            left = sizeof batch;
        }
        left -= size;
        memcpy(ret_bytes, batch + left, size);
    } while (is_zero(ret_bytes, size));
}

/* ---- Sampling ---------------------------------------------------------------------------------------------------- */

/* The last 63 bits against the ratio, as OpenTelemetry's SDKs for Go and Rust: so all of them decide the same. */
static bool is_in_ratio(const weir_trace_context_t *context, double ratio)
{
    uint64_t last = 0;
    for (size_t i = 8; i < sizeof context->trace_id; i++)
        last = last << 8 | context->trace_id[i];
    return ratio >= 1 || (ratio > 0 && last >> 1 < (uint64_t)(ratio * 9223372036854775808.0));
}

void weir_trace_begin(const weir_sampler_t *sampler, weir_trace_context_t *context)
{
    bool has_parent = weir_trace_is_set(context);
    /* A trace that begins here is random, but does not say so: OpenTelemetry's SDK for Rust, which Spin has, refuses
     * both flags together in version 00 (opentelemetry-sdk/src/propagation/trace_context.rs). */
    unsigned char flags = context->flags & WEIR_TRACE_RANDOM;
    bool sampled = has_parent && (context->flags & WEIR_TRACE_SAMPLED) != 0;
    if (!has_parent) {
        weir_trace_random(context->trace_id, sizeof context->trace_id);
        flags = 0;
    }
    if (!has_parent || !sampler->parent_decides) {
        sampled = sampler->kind == WEIR_SAMPLER_ALWAYS_ON ||
                  (sampler->kind == WEIR_SAMPLER_RATIO && is_in_ratio(context, sampler->ratio));
    }
    weir_trace_random(context->span_id, sizeof context->span_id);
    context->flags = flags | (sampled ? WEIR_TRACE_SAMPLED : 0);
}
