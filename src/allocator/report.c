/*
 * report.c: what is said of a choice. Every cost in it was measured by a trial; every limit was read.
 */
#include "allocator/report.h"

#include "allocator/refusal.h"
#include "allocator/text.h"

#include <stdio.h>
#include <string.h>

/* ---- What stands in the way -------------------------------------------------------------------------------------- */

/* The first result that would have been all that was wanted. */
static const weir_trial_result_t *wanted_result(const weir_choice_t *choice)
{
    for (size_t i = 0; i < choice->decision.pool.count; i++) {
        if (weir_rung_is_full(
                &choice->decision.pool.ladder[i].rung, &choice->decision.pool.needs, choice->decision.strategy)) {
            return &choice->decision.pool.ladder[i];
        }
    }
    return NULL;
}

/* The result that shows what refused: what was wanted when it was tried or ruled out, else the first that failed. */
static const weir_trial_result_t *obstacle(const weir_choice_t *choice)
{
    const weir_trial_result_t *wanted = wanted_result(choice);
    if (wanted != NULL && wanted->verdict.limit != WEIR_LIMIT_NONE) {
        return wanted;
    }
    for (size_t i = 0; i < choice->decision.pool.count; i++) {
        if (choice->decision.pool.ladder[i].verdict.limit != WEIR_LIMIT_NONE) {
            return &choice->decision.pool.ladder[i];
        }
    }
    return NULL;
}

static bool is_interpreted(const weir_choice_t *choice)
{
    return weir_fact_is(choice->facts.executable_memory, 0);
}

/* The limit that a person must change for the choice to be better. */
static weir_limit_t deciding_limit(const weir_choice_t *choice)
{
    const weir_trial_result_t *result = obstacle(choice);
    if (is_interpreted(choice)) {
        return WEIR_LIMIT_EXECUTABLE;
    }
    return result == NULL ? WEIR_LIMIT_UNKNOWN : result->verdict.limit;
}

/* ---- The remedy -------------------------------------------------------------------------------------------------- */

static const char *remedy(weir_limit_t limit)
{
    switch (limit) {
    case WEIR_LIMIT_ADDRESS_SPACE:
        return "Raise the limit on address space (it limits reservations, not memory in use): ulimit -v unlimited, or "
               "LimitAS=infinity in a systemd unit.";
    case WEIR_LIMIT_ADDRESS_BITS:
        return "Use a kernel with larger virtual addresses (on ARM64 CONFIG_ARM64_VA_BITS=48).";
    case WEIR_LIMIT_COMMIT:
        return "Set vm.overcommit_memory=1 (sysctl -w vm.overcommit_memory=1), on the host, not inside a container.";
    case WEIR_LIMIT_DATA:
        return "Raise the limit on data: ulimit -d unlimited, or LimitDATA=infinity in a systemd unit.";
    case WEIR_LIMIT_CGROUP:
        return "Raise the memory limit of the container or unit: docker run --memory, resources.limits.memory in "
               "Kubernetes, MemoryMax= in a systemd unit.";
    case WEIR_LIMIT_MEMORY:
        return "Free memory, or add some.";
    case WEIR_LIMIT_MAPPINGS:
        return "Raise the number of mappings that a process may have (sysctl -w vm.max_map_count=262144), on the host, "
               "not inside a container.";
    case WEIR_LIMIT_EXECUTABLE:
        return "Let the program make memory executable: a seccomp filter, SELinux (execmem, deny_execmem) or "
               "MemoryDenyWriteExecute= in a systemd unit forbids it.";
    case WEIR_LIMIT_EMULATION:
        return "Run it natively: use a program or a container image built for this machine's processor.";
    case WEIR_LIMIT_NONE:
    case WEIR_LIMIT_UNKNOWN:
        break;
    }
    return "";
}

/* ---- Why --------------------------------------------------------------------------------------------------------- */

/* A verdict's message begins with "not tried: " where arithmetic spoke. */
static const char *without_prefix(const char *message)
{
    static const char prefix[] = "not tried: ";
    return strncmp(message, prefix, sizeof prefix - 1) == 0 ? message + sizeof prefix - 1 : message;
}

/* A rung with its article: "the standard pool, 1000 slots of 4 GiB". */
static void write_rung(const weir_rung_t *rung, char *buffer, size_t size)
{
    char text[128];
    weir_text_append(buffer, size, "%s%s", rung->tier == WEIR_TIER_ONDEMAND ? "allocation " : "the ",
        weir_rung_text(rung, text, sizeof text));
}

static void write_why(const weir_choice_t *choice, char *buffer, size_t size)
{
    const weir_trial_result_t *result = obstacle(choice);
    if (is_interpreted(choice)) {
        weir_text_append(buffer, size, "executable memory is refused here, so code is interpreted");
        if (result != NULL) {
            weir_text_append(buffer, size, "; ");
        }
    }
    if (result != NULL) {
        write_rung(&result->rung, buffer, size);
        weir_text_append(buffer, size, ": %s", without_prefix(result->verdict.message));
    } else if (!is_interpreted(choice)) {
        weir_text_append(buffer, size, "native code did not work");
    }
}

/* ---- Cost -------------------------------------------------------------------------------------------------------- */

/* The cheapest rung of another tier that was measured, to compare with. */
static const weir_trial_result_t *comparison(const weir_choice_t *choice)
{
    const weir_trial_result_t *best = NULL;
    const weir_trial_result_t *chosen = &choice->decision.pool.ladder[choice->decision.pool.index];
    for (size_t i = 0; i < choice->decision.pool.count; i++) {
        const weir_trial_result_t *result = &choice->decision.pool.ladder[i];
        bool comparable = result->verdict.outcome == WEIR_OUTCOME_PASSED && result->rung.tier != chosen->rung.tier;
        if (comparable &&
            (best == NULL || result->verdict.instance_microseconds < best->verdict.instance_microseconds)) {
            best = result;
        }
    }
    return best;
}

static void write_cost(const weir_choice_t *choice, char *buffer, size_t size)
{
    const weir_trial_result_t *chosen = &choice->decision.pool.ladder[choice->decision.pool.index];
    const weir_trial_result_t *wanted = wanted_result(choice);
    const weir_trial_result_t *other = comparison(choice);
    weir_text_append(buffer, size, "a new instance takes %.1f us here", chosen->verdict.instance_microseconds);
    if (other != NULL) {
        weir_text_append(buffer, size, ", and %.1f us with ", other->verdict.instance_microseconds);
        write_rung(&other->rung, buffer, size);
    }
    if (wanted == NULL || wanted->verdict.outcome != WEIR_OUTCOME_PASSED) {
        weir_text_append(buffer, size, "; what was wanted could not be measured");
    }
}

/* ---- The texts --------------------------------------------------------------------------------------------------- */

static void write_summary(weir_choice_t *choice)
{
    char rung[128];
    size_t size = sizeof choice->summary;
    if (choice->decision.pool.index == SIZE_MAX) {
        snprintf(choice->summary, size, "allocator: none works (asked for: %s; %u tried in %.0f ms)",
            weir_strategy_name(choice->decision.strategy), choice->decision.pool.trials, choice->milliseconds);
        return;
    }
    const weir_trial_result_t *chosen = &choice->decision.pool.ladder[choice->decision.pool.index];
    weir_rung_text(&chosen->rung, rung, sizeof rung);
    snprintf(choice->summary, size, "allocator: %s (measured: %.1f us per instance; ", rung,
        chosen->verdict.instance_microseconds);
    if (choice->decision.strategy != WEIR_STRATEGY_AUTO) {
        weir_text_append(choice->summary, size, "asked for: %s; ", weir_strategy_name(choice->decision.strategy));
    }
    weir_text_append(choice->summary, size, "chosen among %u by trial in %.0f ms)", choice->decision.pool.trials,
        choice->milliseconds);
}

static void write_reason(weir_choice_t *choice)
{
    size_t size = sizeof choice->reason;
    if (choice->decision.pool.index == SIZE_MAX) {
        snprintf(choice->reason, size, "nothing that was asked for works here");
        return;
    }
    const weir_trial_result_t *chosen = &choice->decision.pool.ladder[choice->decision.pool.index];
    const weir_trial_result_t *other = NULL;
    for (size_t i = 0; i < choice->decision.pool.count; i++) {
        const weir_trial_result_t *result = &choice->decision.pool.ladder[i];
        bool passed = i != choice->decision.pool.index && result->verdict.outcome == WEIR_OUTCOME_PASSED;
        if (passed && (other == NULL || result->verdict.instance_microseconds < other->verdict.instance_microseconds)) {
            other = result;
        }
    }
    if (other == NULL) {
        snprintf(choice->reason, size, "the only one that was found to work");
        return;
    }
    char rung[128];
    weir_rung_text(&other->rung, rung, sizeof rung);
    const char *why = chosen->verdict.instance_microseconds < other->verdict.instance_microseconds
                          ? "the cheapest that works"
                          : "as cheap as any within noise, and preferred";
    snprintf(choice->reason, size, "%s: %.1f us per instance; next is %s, %s kept, at %.1f us", why,
        chosen->verdict.instance_microseconds, rung, weir_size_text(other->rung.memory_keep_resident_bytes).text,
        other->verdict.instance_microseconds);
}

/* The last rung that was really tried: native where there is one, since interpreting is for other troubles. */
static const weir_trial_result_t *last_tried(const weir_choice_t *choice)
{
    const weir_trial_result_t *last = NULL;
    for (size_t i = 0; i < choice->decision.pool.count; i++) {
        const weir_trial_result_t *result = &choice->decision.pool.ladder[i];
        bool tried = result->verdict.outcome != WEIR_OUTCOME_NOT_TRIED;
        if (tried && (last == NULL || last->rung.pulley || !result->rung.pulley)) {
            last = result;
        }
    }
    return last;
}

static void write_unavailable(weir_choice_t *choice)
{
    size_t size = sizeof choice->notice;
    if (choice->decision.strategy == WEIR_STRATEGY_AUTO) {
        snprintf(choice->notice, size, "No allocation strategy works on this machine.\nWhy: ");
    } else {
        snprintf(choice->notice, size,
            "The allocation strategy that was asked for (%s) cannot be had on this machine, and is not replaced by "
            "another.\nWhy: ",
            weir_strategy_name(choice->decision.strategy));
    }
    write_why(choice, choice->notice, size);
    const weir_trial_result_t *last = last_tried(choice);
    if (last != NULL && last != obstacle(choice)) {
        weir_text_append(choice->notice, size, ".\nThe least that was tried: ");
        write_rung(&last->rung, choice->notice, size);
        weir_text_append(choice->notice, size, ": %s", last->verdict.message);
    }
    weir_text_append(choice->notice, size, ".");
}

static void write_fallback(weir_choice_t *choice)
{
    char rung[128];
    size_t size = sizeof choice->notice;
    const weir_rung_t *chosen = &choice->decision.pool.ladder[choice->decision.pool.index].rung;
    const weir_trial_result_t *full = wanted_result(choice);
    weir_rung_text(chosen, rung, sizeof rung);
    bool disabled = chosen->tier == WEIR_TIER_ONDEMAND && choice->decision.strategy != WEIR_STRATEGY_ONDEMAND;
    snprintf(choice->notice, size, "%s automatically: %s",
        disabled                             ? "The pooling allocator was disabled"
        : chosen->tier == WEIR_TIER_ONDEMAND ? "Allocation on demand was reduced"
                                             : "The pooling allocator was reduced",
        rung);
    if (full != NULL) {
        weir_text_append(choice->notice, size, ", instead of ");
        write_rung(&full->rung, choice->notice, size);
    } else if (is_interpreted(choice)) {
        weir_text_append(choice->notice, size, ", instead of native code");
    }
    weir_text_append(choice->notice, size, ".\nWhy: ");
    write_why(choice, choice->notice, size);
    weir_text_append(choice->notice, size,
        ".\nThis is normal and changes no behaviour within its bounds: at most %u request%s at a time, others wait",
        chosen->slots, chosen->slots == 1 ? "" : "s");
    if (chosen->tier == WEIR_TIER_COMPACT) {
        weir_text_append(choice->notice, size,
            "; and a memory grows to %s at most (more when fewer requests at a time are wanted)",
            weir_size_text(chosen->slot_bytes).text);
    }
    weir_text_append(choice->notice, size, ".\nCost: ");
    write_cost(choice, choice->notice, size);
    weir_text_append(choice->notice, size, ".");
}

void weir_report_write(weir_choice_t *choice)
{
    choice->notice[0] = '\0';
    choice->advice[0] = '\0';
    write_summary(choice);
    write_reason(choice);
    if (!weir_choice_is_reduced(choice)) {
        return;
    }
    if (choice->decision.pool.index == SIZE_MAX) {
        write_unavailable(choice);
    } else {
        write_fallback(choice);
    }
    snprintf(choice->advice, sizeof choice->advice, "%s", remedy(deciding_limit(choice)));
    if (choice->advice[0] != '\0') {
        weir_text_append(choice->notice, sizeof choice->notice, "\nRemedy: %s", choice->advice);
    }
}
