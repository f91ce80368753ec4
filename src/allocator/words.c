/*
 * words.c: the names of tiers, strategies, outcomes and limits, and the strategy that a word stands for.
 */
#include "allocator/translate.h"
#include "weir/allocator.h"

#include <string.h>

const char *weir_tier_name(weir_tier_t tier)
{
    switch (tier) {
    case WEIR_TIER_STANDARD:
        return WEIR_TRANSLATABLE("standard");
    case WEIR_TIER_COMPACT:
        return WEIR_TRANSLATABLE("compact");
    case WEIR_TIER_ONDEMAND:
        return "ondemand";
    }
    return "unknown";
}

const char *weir_strategy_name(weir_strategy_t strategy)
{
    switch (strategy) {
    case WEIR_STRATEGY_AUTO:
        return "auto";
    case WEIR_STRATEGY_POOLING:
        return "pooling";
    case WEIR_STRATEGY_COMPACT:
        return "compact";
    case WEIR_STRATEGY_ONDEMAND:
        return "ondemand";
    case WEIR_STRATEGY_ANY_POOL:
        return "any pool";
    }
    return "unknown";
}

bool weir_strategy_from_name(const char *name, weir_strategy_t *ret_strategy)
{
    static const weir_strategy_t strategies[] = {
        WEIR_STRATEGY_AUTO, WEIR_STRATEGY_POOLING, WEIR_STRATEGY_COMPACT, WEIR_STRATEGY_ONDEMAND};
    if (name == NULL) {
        return false;
    }
    for (size_t i = 0; i < sizeof strategies / sizeof strategies[0]; i++) {
        if (strcmp(name, weir_strategy_name(strategies[i])) == 0) {
            *ret_strategy = strategies[i];
            return true;
        }
    }
    return false;
}

const char *weir_outcome_name(weir_outcome_t outcome)
{
    switch (outcome) {
    case WEIR_OUTCOME_NOT_TRIED:
        return "not tried";
    case WEIR_OUTCOME_PASSED:
        return "passed";
    case WEIR_OUTCOME_REFUSED:
        return "refused";
    case WEIR_OUTCOME_CONTENTS:
        return "wrong contents";
    case WEIR_OUTCOME_DEADLINE:
        return "deadline";
    case WEIR_OUTCOME_SIGNAL:
        return "signal";
    case WEIR_OUTCOME_EXIT:
        return "exit";
    case WEIR_OUTCOME_REPORT:
        return "short report";
    case WEIR_OUTCOME_SYSTEM:
        return "no trial";
    }
    return "unknown";
}

const char *weir_limit_name(weir_limit_t limit)
{
    switch (limit) {
    case WEIR_LIMIT_NONE:
        return "";
    case WEIR_LIMIT_UNKNOWN:
        return "an unknown limit";
    case WEIR_LIMIT_ADDRESS_SPACE:
        return "RLIMIT_AS";
    case WEIR_LIMIT_ADDRESS_BITS:
        return "the size of virtual addresses";
    case WEIR_LIMIT_COMMIT:
        return "the commit limit";
    case WEIR_LIMIT_DATA:
        return "RLIMIT_DATA";
    case WEIR_LIMIT_CGROUP:
        return "the control group's memory limit";
    case WEIR_LIMIT_MEMORY:
        return "the machine's memory";
    case WEIR_LIMIT_MAPPINGS:
        return "vm.max_map_count";
    case WEIR_LIMIT_EXECUTABLE:
        return "the ban on executable memory";
    case WEIR_LIMIT_EMULATION:
        return "the user-mode emulator";
    case WEIR_LIMIT_PROCESSES:
        return "the limit on processes";
    case WEIR_LIMIT_FILE_SIZE:
        return "RLIMIT_FSIZE";
    }
    return "an unknown limit";
}
