/*
 * strategy.h: which allocation strategy the environment and the command line ask for, in the words of Spin and of weir.
 */
#ifndef WEIR_CLI_STRATEGY_H
#define WEIR_CLI_STRATEGY_H

#include "weir/allocator.h"

#include <stdbool.h>

/*
 * Read SPIN_ALLOCATOR and SPIN_WASMTIME_POOLING, together with whether --disable-pooling was given. SPIN_ALLOCATOR wins
 * over both others, --disable-pooling over SPIN_WASMTIME_POOLING. On success returns true, stores the strategy and,
 * when they contradict each other, a one-line warning in `*ret_message`, otherwise NULL. On failure (a value that is
 * none) returns false, leaves `*ret_strategy` untouched and stores what is wrong, one line. The message is to be freed
 * with free(3); NULL also when memory ran out.
 */
bool weir_strategy_from_environment(bool disable_pooling_option, weir_strategy_t *ret_strategy, char **ret_message);

/*
 * Which of the two variables asks for a strategy, for messages: its name, and its value in `*ret_value`; NULL, with the
 * value left untouched, when none does.
 */
const char *weir_strategy_variable(const char **ret_value);

/*
 * What asks for a strategy by another name than the strategy's own: "SPIN_WASMTIME_POOLING=0", "--disable-pooling"; ""
 * when SPIN_ALLOCATOR decides, or nothing is asked for. Constant.
 */
const char *weir_strategy_wish(bool disable_pooling_option);

/* weir_strategy_from_environment for given values of the two variables, NULL when one is not set. */
bool weir_strategy_decide(const char *spin_allocator, const char *spin_wasmtime_pooling, bool disable_pooling_option,
    weir_strategy_t *ret_strategy, char **ret_message);

#endif
