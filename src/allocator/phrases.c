/*
 * phrases.c: what is said of rungs, limits and verdicts. Translated as whole sentences with their numbers left out:
 * languages do not agree on the order of words.
 */
#include "allocator/phrases.h"

#include "allocator/budget.h"
#include "allocator/refusal.h"
#include "allocator/text.h"
#include "allocator/translate.h"
#include "allocator/trial.h"

#include <stdio.h>
#include <string.h>

/* ---- Rungs ------------------------------------------------------------------------------------------------------- */

static void append_ondemand(const weir_rung_t *rung, char *buffer, size_t size)
{
    if (rung->slot_bytes == 0) {
        weir_text_append(buffer, size,
            weir_translate_count(
                "on demand, %u instance, nothing reserved", "on demand, %u instances, nothing reserved", rung->slots),
            rung->slots);
    } else {
        weir_text_append(buffer, size,
            weir_translate_count("on demand, %u instance, %s reserved per memory",
                "on demand, %u instances, %s reserved per memory", rung->slots),
            rung->slots, weir_size_text(rung->slot_bytes).text);
    }
}

const char *weir_phrase_rung(const weir_rung_t *rung, char *buffer, size_t size)
{
    buffer[0] = '\0';
    switch (rung->tier) {
    case WEIR_TIER_STANDARD:
        weir_text_append(buffer, size,
            weir_translate_count("standard pool, %u slot of %s", "standard pool, %u slots of %s", rung->slots),
            rung->slots, weir_size_text(rung->slot_bytes).text);
        break;
    case WEIR_TIER_COMPACT:
        weir_text_append(buffer, size,
            weir_translate_count("compact pool, %u slot of %s", "compact pool, %u slots of %s", rung->slots),
            rung->slots, weir_size_text(rung->slot_bytes).text);
        break;
    case WEIR_TIER_ONDEMAND:
        append_ondemand(rung, buffer, size);
        break;
    }
    if (rung->pulley) {
        weir_text_append(buffer, size, "%s", weir_translate(", interpreted by Pulley"));
    }
    return buffer;
}

const char *weir_phrase_knobs(const weir_knobs_t *knobs, char *buffer, size_t size)
{
    buffer[0] = '\0';
    if (knobs->memory_keep_resident_bytes == 0) {
        weir_text_append(buffer, size, "%s", weir_translate("keeps nothing"));
    } else {
        weir_text_append(buffer, size, weir_translate("keeps %s per memory"),
            weir_size_text(knobs->memory_keep_resident_bytes).text);
    }
    if (knobs->pagemap_scan) {
        weir_text_append(buffer, size, "%s", weir_translate(", of what was written"));
    }
    if (knobs->decommit_batch > 1) {
        weir_text_append(buffer, size, weir_translate(", gives memory back %u slots at a time"), knobs->decommit_batch);
    }
    if (knobs->huge_pages_off) {
        weir_text_append(buffer, size, "%s", weir_translate(", without huge pages"));
    }
    return buffer;
}

/* ---- Limits ------------------------------------------------------------------------------------------------------ */

static const char *limit_name(weir_limit_t limit)
{
    switch (limit) {
    case WEIR_LIMIT_NONE:
        return "";
    case WEIR_LIMIT_ADDRESS_SPACE:
        return "RLIMIT_AS";
    case WEIR_LIMIT_ADDRESS_BITS:
        return weir_translate("the size of virtual addresses");
    case WEIR_LIMIT_COMMIT:
        return weir_translate("the commit limit");
    case WEIR_LIMIT_DATA:
        return "RLIMIT_DATA";
    case WEIR_LIMIT_CGROUP:
        return weir_translate("the control group's memory limit");
    case WEIR_LIMIT_MEMORY:
        return weir_translate("the machine's memory");
    case WEIR_LIMIT_MAPPINGS:
        return "vm.max_map_count";
    case WEIR_LIMIT_EXECUTABLE:
        return weir_translate("the ban on executable memory");
    case WEIR_LIMIT_EMULATION:
        return weir_translate("the user-mode emulator");
    case WEIR_LIMIT_PROCESSES:
        return weir_translate("the limit on processes (RLIMIT_NPROC, TasksMax= or pids.max)");
    case WEIR_LIMIT_FILE_SIZE:
        return "RLIMIT_FSIZE";
    case WEIR_LIMIT_UNKNOWN:
        break;
    }
    return weir_translate("an unknown limit");
}

const char *weir_phrase_limit(const weir_facts_t *facts, weir_limit_t limit, char *buffer, size_t size)
{
    char value[32];
    snprintf(buffer, size, "%s", limit_name(limit));
    if (limit == WEIR_LIMIT_ADDRESS_BITS && facts->address_bits.knowledge == WEIR_KNOWN) {
        weir_text_append(buffer, size, weir_translate(" (%llu bits)"), (unsigned long long)facts->address_bits.value);
    } else if (weir_limit_value_text(facts, limit, value, sizeof value)[0] != '\0') {
        weir_text_append(buffer, size, weir_translate(" (%s)"), value);
    }
    return buffer;
}

static const char *phrase_simple_remedy(weir_limit_t limit)
{
    switch (limit) {
    case WEIR_LIMIT_ADDRESS_SPACE:
        return weir_translate("Raise the limit on address space (it limits reservations, not memory in use): "
                              "'ulimit -v unlimited', or 'LimitAS=infinity' in a systemd unit.");
    case WEIR_LIMIT_ADDRESS_BITS:
        return weir_translate("Use a kernel with larger virtual addresses (on ARM64 'CONFIG_ARM64_VA_BITS=48').");
    case WEIR_LIMIT_COMMIT:
        return weir_translate("Let the kernel promise more memory than there is: 'sysctl -w vm.overcommit_memory=1', "
                              "on the host, not inside a container.");
    case WEIR_LIMIT_DATA:
        return weir_translate(
            "Raise the limit on data: 'ulimit -d unlimited', or 'LimitDATA=infinity' in a systemd unit.");
    case WEIR_LIMIT_CGROUP:
        return weir_translate("Raise the memory limit of the container or unit: 'docker run --memory', "
                              "'resources.limits.memory' in Kubernetes, 'MemoryMax=' in a systemd unit.");
    case WEIR_LIMIT_MEMORY:
        return weir_translate("Free memory, or add some.");
    case WEIR_LIMIT_MAPPINGS:
        return weir_translate("Raise the number of mappings that a process may have: "
                              "'sysctl -w vm.max_map_count=262144', on the host, not inside a container.");
    case WEIR_LIMIT_EXECUTABLE:
        return weir_translate("Let the program make memory executable: a seccomp filter, SELinux ('execmem', "
                              "'deny_execmem') or 'MemoryDenyWriteExecute=' in a systemd unit forbids it.");
    case WEIR_LIMIT_EMULATION:
        return weir_translate(
            "Run it natively: use a program or a container image built for this machine's processor.");
    case WEIR_LIMIT_PROCESSES:
        return weir_translate("Allow more processes and threads: 'ulimit -u' for all of this user's, 'TasksMax=' in a "
                              "systemd unit, 'pids.max' of the control group ('docker run --pids-limit').");
    case WEIR_LIMIT_FILE_SIZE:
        return weir_translate("Raise the limit on the size of files (it counts those in memory, too), the hard one: "
                              "'ulimit -f unlimited', or 'LimitFSIZE=infinity' in a systemd unit.");
    case WEIR_LIMIT_NONE:
    case WEIR_LIMIT_UNKNOWN:
        break;
    }
    return "";
}

const char *weir_phrase_remedy(const weir_facts_t *facts, weir_limit_t limit, char *buffer, size_t size)
{
    buffer[0] = '\0';
    if (limit == WEIR_LIMIT_ADDRESS_SPACE && facts->address_space_hard_limit.knowledge == WEIR_KNOWN) {
        weir_text_append(buffer, size,
            weir_translate("Raise the limit on address space (it limits reservations, not memory in use). Beyond the "
                           "hard limit, which is %s, that is for root: 'ulimit -v unlimited' in root's shell, 'as' in "
                           "/etc/security/limits.conf, 'LimitAS=infinity' in a systemd unit, or the settings of the "
                           "container."),
            weir_size_text(facts->address_space_hard_limit.value).text);
    } else if (limit == WEIR_LIMIT_DATA && facts->data_hard_limit.knowledge == WEIR_KNOWN) {
        weir_text_append(buffer, size,
            weir_translate("Raise the limit on data. Beyond the hard limit, which is %s, that is for root: 'ulimit -d "
                           "unlimited' in root's shell, 'data' in /etc/security/limits.conf, 'LimitDATA=infinity' in a "
                           "systemd unit, or the settings of the container."),
            weir_size_text(facts->data_hard_limit.value).text);
    } else {
        weir_text_append(buffer, size, "%s", phrase_simple_remedy(limit));
    }
    return buffer;
}

const char *weir_phrase_more_time(void)
{
    return weir_translate("Try again when there is less other work, or let this have a larger share of the processors: "
                          "'nice', 'docker run --cpus', 'resources.limits.cpu' in Kubernetes, 'CPUQuota=' in a "
                          "systemd unit.");
}

/* ---- Obstacles --------------------------------------------------------------------------------------------------- */

/* What arithmetic said, worked out again: the ladder's budgets are a function of what is here. */
static void append_arithmetic(const weir_facts_t *facts, const weir_needs_t *needs, weir_strategy_t strategy,
    const weir_trial_result_t *result, char *buffer, size_t size)
{
    weir_budgets_t budgets;
    uint64_t asked = 0;
    const char *what = NULL;
    char limit[128];
    weir_budgets_make(facts, needs, strategy == WEIR_STRATEGY_POOLING, &budgets);
    const weir_budget_t *budget =
        weir_rung_overdraws(&result->rung, needs, weir_facts_page_size(facts), &budgets, &asked, &what);
    if (budget == NULL) {
        weir_text_append(buffer, size,
            weir_translate_count("%u is all that fits, too few to be worth a pool of this kind",
                "%u are all that fit, too few to be worth a pool of this kind", result->rung.slots),
            result->rung.slots);
        return;
    }
    weir_size_text_t asked_text = weir_size_text(asked);
    weir_size_text_t left_text = weir_size_text(budget->bytes);
    weir_phrase_limit(facts, budget->limit, limit, sizeof limit);
    if (budget == &budgets.mappings) {
        weir_text_append(buffer, size, weir_translate("it takes about %llu mappings, and %s leaves %llu"),
            (unsigned long long)asked, limit, (unsigned long long)budget->bytes);
    } else if (budget->limit == WEIR_LIMIT_EMULATION) {
        weir_text_append(buffer, size,
            weir_translate("it takes %s of address space, and a user-mode emulator, which pays for each page that is "
                           "reserved, is asked for %s at most"),
            asked_text.text, left_text.text);
    } else if (budget == &budgets.address) {
        weir_text_append(buffer, size, weir_translate("it takes %s of address space, and %s leaves %s for instances"),
            asked_text.text, limit, left_text.text);
    } else if (budget == &budgets.commit) {
        weir_text_append(buffer, size, weir_translate("it takes %s of writable memory, and %s leaves %s for instances"),
            asked_text.text, limit, left_text.text);
    } else {
        weir_text_append(buffer, size, weir_translate("it takes %s of memory, and %s leaves %s for instances"),
            asked_text.text, limit, left_text.text);
    }
}

/* "ENOMEM". */
static const char *error_name(int number, char *buffer, size_t size)
{
    const char *name = strerrorname_np(number);
    if (name == NULL) {
        snprintf(buffer, size, "errno %d", number);
        return buffer;
    }
    return name;
}

static void append_refusal(const weir_facts_t *facts, const weir_verdict_t *verdict, char *buffer, size_t size)
{
    char number[32];
    char limit[128];
    const char *error = error_name(verdict->error_number, number, sizeof number);
    const char *call = verdict->call;
    if (verdict->error_number == 0) {
        weir_text_append(buffer, size, weir_translate("Wasmtime refused it: %s"), verdict->message);
        return;
    }
    if (call[0] == '\0') {
        weir_text_append(buffer, size, weir_translate("a system call was refused (%s)"), error);
    } else if (verdict->refused_bytes != 0) {
        weir_text_append(buffer, size, weir_translate("%s of %s was refused (%s)"), call,
            weir_size_text(verdict->refused_bytes).text, error);
    } else {
        weir_text_append(buffer, size, weir_translate("%s was refused (%s)"), call, error);
    }
    if (verdict->held > 0) {
        weir_text_append(buffer, size,
            weir_translate_count(" with %u instance held", " with %u instances held", verdict->held), verdict->held);
    }
    if (verdict->limit != WEIR_LIMIT_NONE && verdict->limit != WEIR_LIMIT_UNKNOWN) {
        weir_phrase_limit(facts, verdict->limit, limit, sizeof limit);
        weir_text_append(buffer, size, weir_translate(" by %s"), limit);
    }
}

static void append_signal(const weir_facts_t *facts, const weir_verdict_t *verdict, char *buffer, size_t size)
{
    char limit[128];
    const char *name = sigabbrev_np(verdict->detail);
    if (name != NULL) {
        weir_text_append(buffer, size, weir_translate("its trial was ended by SIG%s"), name);
    } else {
        weir_text_append(buffer, size, weir_translate("its trial was ended by signal %d"), verdict->detail);
    }
    if (verdict->limit != WEIR_LIMIT_NONE && verdict->limit != WEIR_LIMIT_UNKNOWN) {
        weir_phrase_limit(facts, verdict->limit, limit, sizeof limit);
        weir_text_append(buffer, size, weir_translate(", and behind that is probably %s"), limit);
    }
}

const char *weir_phrase_obstacle(const weir_facts_t *facts, const weir_needs_t *needs, weir_strategy_t strategy,
    const weir_trial_result_t *result, char *buffer, size_t size)
{
    const weir_verdict_t *verdict = &result->verdict;
    char number[32];
    buffer[0] = '\0';
    switch (verdict->outcome) {
    case WEIR_OUTCOME_NOT_TRIED:
        if (verdict->limit != WEIR_LIMIT_NONE) {
            append_arithmetic(facts, needs, strategy, result, buffer, size);
        } else {
            weir_text_append(buffer, size, "%s", weir_phrase_untried(verdict));
        }
        break;
    case WEIR_OUTCOME_PASSED:
        break;
    case WEIR_OUTCOME_REFUSED:
        append_refusal(facts, verdict, buffer, size);
        break;
    case WEIR_OUTCOME_CONTENTS:
        weir_text_append(buffer, size, "%s", weir_translate("a fresh instance saw what an earlier one had written"));
        break;
    case WEIR_OUTCOME_DEADLINE:
        if (weir_verdict_is_starved(verdict)) {
            weir_text_append(buffer, size,
                weir_translate("its trial was not done in %.0f s, of which it had a processor for %.0f ms"),
                verdict->detail / 1e3, verdict->processor_milliseconds);
        } else {
            weir_text_append(buffer, size, "%s", weir_translate("its trial was not done within its deadline"));
        }
        break;
    case WEIR_OUTCOME_SIGNAL:
        append_signal(facts, verdict, buffer, size);
        break;
    case WEIR_OUTCOME_EXIT:
        weir_text_append(buffer, size, weir_translate("its trial exited with status %d"), verdict->detail);
        break;
    case WEIR_OUTCOME_REPORT:
        weir_text_append(buffer, size, "%s",
            strcmp(verdict->message, WEIR_REPORT_MAKES_NO_SENSE) == 0
                ? weir_translate("its trial's report makes no sense")
                : weir_translate("its trial's report was cut short"));
        break;
    case WEIR_OUTCOME_SYSTEM:
        weir_text_append(buffer, size, weir_translate("its trial could not be run: %s (%s)"),
            verdict->call[0] != '\0' ? verdict->call : verdict->message,
            error_name(verdict->error_number, number, sizeof number));
        if (verdict->limit == WEIR_LIMIT_PROCESSES) {
            weir_text_append(buffer, size, weir_translate(", by %s"), limit_name(verdict->limit));
        }
        break;
    }
    return buffer;
}

const char *weir_phrase_untried(const weir_verdict_t *verdict)
{
    /* As search.c has them. */
    static const char *const reasons[] = {
        WEIR_TRANSLATABLE("a larger one of its kind works"),
        WEIR_TRANSLATABLE("native code works"),
        WEIR_TRANSLATABLE("a pool works"),
        WEIR_TRANSLATABLE("nothing worked within 30 s"),
        WEIR_TRANSLATABLE("the machine is too busy for more trials"),
        WEIR_TRANSLATABLE("something works, and others are tried only as far as 4 s suffice"),
        WEIR_TRANSLATABLE("something works, and others are tried only as far as 0.2 s suffice"),
    };
    static const char prefix[] = "not tried: ";
    const char *message = verdict->message;
    if (strncmp(message, prefix, sizeof prefix - 1) == 0) {
        message += sizeof prefix - 1;
    }
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (strcmp(message, reasons[i]) == 0) {
            return weir_translate(reasons[i]);
        }
    }
    return message;
}
