/*
 * strategy.c: the switches for the allocator. Spin knows SPIN_WASMTIME_POOLING and --disable-pooling; SPIN_ALLOCATOR is
 * weir's, and says more.
 */
#include "cli/strategy.h"

#include "allocator/translate.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A switch that was used, and what it asks for. */
typedef struct wish {
    bool given;
    bool pool;        /* it asks for a pool, or not */
    const char *text; /* as it was written */
} wish_t;

__attribute__((format(printf, 2, 3))) static void say(char **ret_message, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(ret_message, format, arguments) < 0) {
        *ret_message = NULL;
    }
    va_end(arguments);
}

static bool read_pooling(const char *value, wish_t *ret_wish, char **ret_message)
{
    if (value == NULL) {
        return true;
    }
    bool is_one = strcmp(value, "1") == 0;
    if (!is_one && strcmp(value, "0") != 0) {
        say(ret_message, weir_translate("SPIN_WASMTIME_POOLING is '%s'; it can be 1 (a pool) or 0 (on demand)"), value);
        return false;
    }
    *ret_wish = (wish_t){true, is_one, is_one ? "SPIN_WASMTIME_POOLING=1" : "SPIN_WASMTIME_POOLING=0"};
    return true;
}

/* Whether a strategy does what a switch asks for. */
static bool grants(weir_strategy_t strategy, wish_t wish)
{
    if (!wish.given) {
        return true;
    }
    if (wish.pool) {
        return strategy != WEIR_STRATEGY_ONDEMAND && strategy != WEIR_STRATEGY_AUTO;
    }
    return strategy == WEIR_STRATEGY_ONDEMAND;
}

bool weir_strategy_decide(const char *spin_allocator, const char *spin_wasmtime_pooling, bool disable_pooling_option,
    weir_strategy_t *ret_strategy, char **ret_message)
{
    wish_t variable = {false, false, ""};
    wish_t option = {disable_pooling_option, false, "--disable-pooling"};
    weir_strategy_t strategy = WEIR_STRATEGY_AUTO;
    *ret_message = NULL;
    if (spin_allocator != NULL && !weir_strategy_from_name(spin_allocator, &strategy)) {
        say(ret_message, weir_translate("SPIN_ALLOCATOR is '%s'; it can be auto, pooling, compact or ondemand"),
            spin_allocator);
        return false;
    }
    if (!read_pooling(spin_wasmtime_pooling, &variable, ret_message)) {
        return false;
    }
    if (spin_allocator != NULL) {
        bool grants_variable = grants(strategy, variable);
        bool grants_option = grants(strategy, option);
        if (!grants_variable || !grants_option) {
            say(ret_message, weir_translate("SPIN_ALLOCATOR=%s wins over %s%s%s"), spin_allocator,
                grants_variable ? "" : variable.text, !grants_variable && !grants_option ? weir_translate(" and ") : "",
                grants_option ? "" : option.text);
        }
    } else if (option.given) {
        strategy = WEIR_STRATEGY_ONDEMAND;
        if (!grants(strategy, variable)) {
            say(ret_message, weir_translate("%s wins over %s"), option.text, variable.text);
        }
    } else if (variable.given) {
        strategy = variable.pool ? WEIR_STRATEGY_ANY_POOL : WEIR_STRATEGY_ONDEMAND;
    }
    *ret_strategy = strategy;
    return true;
}

/* SPIN_ALLOCATOR; an empty one is what a file of containers says for none. */
static const char *spin_allocator_given(void)
{
    const char *value = getenv("SPIN_ALLOCATOR");
    return value != NULL && value[0] == '\0' ? NULL : value;
}

const char *weir_strategy_variable(const char **ret_value)
{
    const char *allocator = spin_allocator_given();
    const char *value = allocator != NULL ? allocator : getenv("SPIN_WASMTIME_POOLING");
    if (value == NULL) {
        return NULL;
    }
    *ret_value = value;
    return allocator != NULL ? "SPIN_ALLOCATOR" : "SPIN_WASMTIME_POOLING";
}

const char *weir_strategy_wish(bool disable_pooling_option)
{
    const char *pooling = getenv("SPIN_WASMTIME_POOLING");
    if (spin_allocator_given() != NULL) {
        return "";
    }
    if (disable_pooling_option) {
        return "--disable-pooling";
    }
    if (pooling == NULL) {
        return "";
    }
    return strcmp(pooling, "1") == 0 ? "SPIN_WASMTIME_POOLING=1" : "SPIN_WASMTIME_POOLING=0";
}

bool weir_strategy_from_environment(bool disable_pooling_option, weir_strategy_t *ret_strategy, char **ret_message)
{
    return weir_strategy_decide(
        spin_allocator_given(), getenv("SPIN_WASMTIME_POOLING"), disable_pooling_option, ret_strategy, ret_message);
}
