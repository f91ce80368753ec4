/*
 * values.c: what arguments are, and answers that are results.
 */
#include "host/values.h"

bool weir_value_take_text(const weir_value_t *value, weir_bytes_t *ret_text)
{
    if (value->kind != WEIR_VALUE_TEXT) {
        return false;
    }
    *ret_text = value->bytes;
    return true;
}

bool weir_value_take_bytes(const weir_value_t *value, weir_bytes_t *ret_bytes)
{
    bool empty = value->kind == WEIR_VALUE_LIST && value->count == 0;
    if (value->kind != WEIR_VALUE_BYTES && !empty) {
        return false;
    }
    *ret_bytes = empty ? (weir_bytes_t){NULL, 0} : value->bytes;
    return true;
}

bool weir_value_take_integer(const weir_value_t *value, int64_t *ret_integer)
{
    if (value->kind != WEIR_VALUE_INTEGER) {
        return false;
    }
    *ret_integer = value->integer;
    return true;
}

void weir_answer_of_another_type(weir_host_call_t *own_call)
{
    weir_host_call_trap(own_call, "it is imported as of another type than its contract has");
}

void weir_answer_ok(weir_host_call_t *own_call, const weir_value_t *payload)
{
    weir_value_t result = {.kind = WEIR_VALUE_OK, .items = payload, .count = payload == NULL ? 0 : 1};
    weir_host_call_answer(own_call, &result);
}

void weir_answer_error(weir_host_call_t *own_call, const char *name, const char *text)
{
    weir_value_t words = weir_value_text(weir_bytes_of(text == NULL ? "" : text));
    weir_value_t error = weir_value_case(name, text == NULL ? NULL : &words);
    weir_value_t result = {.kind = WEIR_VALUE_ERROR, .items = &error, .count = 1};
    weir_host_call_answer(own_call, &result);
}
