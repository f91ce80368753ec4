/*
 * values.h: the values of a component's calls: what its arguments are, and answers as contracts have them.
 */
#ifndef WEIR_HOST_VALUES_H
#define WEIR_HOST_VALUES_H

#include "weir_bridge.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline weir_bytes_t weir_bytes_of(const char *text)
{
    return (weir_bytes_t){text, strlen(text)};
}

static inline weir_value_t weir_value_text(weir_bytes_t text)
{
    return (weir_value_t){.kind = WEIR_VALUE_TEXT, .bytes = text};
}

static inline weir_value_t weir_value_bytes(weir_bytes_t bytes)
{
    return (weir_value_t){.kind = WEIR_VALUE_BYTES, .bytes = bytes};
}

static inline weir_value_t weir_value_integer(int64_t integer)
{
    return (weir_value_t){.kind = WEIR_VALUE_INTEGER, .integer = integer};
}

static inline weir_value_t weir_value_list(const weir_value_t *items, size_t count)
{
    return (weir_value_t){.kind = WEIR_VALUE_LIST, .items = items, .count = count};
}

/* A case of a variant; `payload` may be NULL. */
static inline weir_value_t weir_value_case(const char *name, const weir_value_t *payload)
{
    return (weir_value_t){
        .kind = WEIR_VALUE_CASE, .bytes = weir_bytes_of(name), .items = payload, .count = payload == NULL ? 0 : 1};
}

/* What an argument is. Each returns false, and leaves the result untouched, when it is something else. */
bool weir_value_take_text(const weir_value_t *value, weir_bytes_t *ret_text);
bool weir_value_take_bytes(const weir_value_t *value, weir_bytes_t *ret_bytes);
bool weir_value_take_integer(const weir_value_t *value, int64_t *ret_integer);

/* A component says itself of what type its imports are: end one that calls a function as of another. */
void weir_answer_of_another_type(weir_host_call_t *own_call);

/* Answer a call whose function has a result. `payload` may be NULL; the error's text, too, for a case without one. */
void weir_answer_ok(weir_host_call_t *own_call, const weir_value_t *payload);
void weir_answer_error(weir_host_call_t *own_call, const char *name, const char *text);

#endif
