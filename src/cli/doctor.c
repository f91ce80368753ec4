/*
 * doctor.c: `weir doctor [--json]`: the same decision as `weir up` makes, without an application, and laid open.
 */
#include "cli/doctor.h"

#include "allocator/facts.h"
#include "allocator/text.h"
#include "cli/help.h"
#include "cli/json_text.h"
#include "cli/strategy.h"
#include "observe/log.h"
#include "weir/allocator.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Raised when a key changes its meaning or goes; new keys may come at any time. */
enum { SCHEMA_VERSION = 1 };

static const char doctor_help[] =
    "Say what this machine allows, what was tried, what was chosen and what would help.\n"
    "\n"
    "Usage: weir doctor [OPTION...]\n"
    "\n"
    "Options:\n"
    "      --json              one JSON document on standard output, and nothing else\n"
    "      --disable-pooling   judge as 'weir up --disable-pooling' would\n"
    "  -h, --help              print this\n"
    "\n"
    "Environment: SPIN_ALLOCATOR and SPIN_WASMTIME_POOLING, as for 'weir up'.\n"
    "\n"
    "Exit status: 0 something works, 1 nothing does, 2 the command line or the environment is wrong.\n";

typedef struct doctor_options {
    bool help;
    bool json;
    bool disable_pooling;
} doctor_options_t;

static bool parse_options(int argc, char **argv, doctor_options_t *ret_options)
{
    doctor_options_t options = {false, false, false};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            options.json = true;
        } else if (strcmp(argv[i], "--disable-pooling") == 0) {
            options.disable_pooling = true;
        } else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            options.help = true;
        } else {
            weir_log(WEIR_LOG_ERROR, "doctor has no option '%s'; it has --json, --disable-pooling and --help", argv[i]);
            return false;
        }
    }
    *ret_options = options;
    return true;
}

/* ---- JSON -------------------------------------------------------------------------------------------------------- */

static const char *knowledge_name(weir_knowledge_t knowledge)
{
    switch (knowledge) {
    case WEIR_UNKNOWN:
        return "unknown";
    case WEIR_KNOWN:
        return "known";
    case WEIR_UNLIMITED:
        return "unlimited";
    }
    return "unknown";
}

static json_t *json_number(uint64_t value)
{
    return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}

/* A fact's value: a number, a word, a list of words. */
static json_t *json_value(const weir_facts_t *facts, const weir_fact_name_t *name)
{
    const weir_fact_t *fact = weir_fact_get(facts, name);
    if (fact->knowledge != WEIR_KNOWN) {
        return json_null();
    }
    if (name->unit == WEIR_FACT_WORD || name->unit == WEIR_FACT_TEXT) {
        return json_string(weir_fact_word(facts, name));
    }
    if (name->unit != WEIR_FACT_SET) {
        return json_number(fact->value);
    }
    json_t *words = json_array();
    for (unsigned bit = 0; bit < 64; bit++) {
        const char *word = (fact->value >> bit & 1) != 0 ? weir_processor_flag_name(bit) : NULL;
        if (word != NULL) {
            json_array_append_new(words, json_string(word));
        }
    }
    return words;
}

static json_t *json_facts(const weir_facts_t *facts)
{
    size_t count;
    const weir_fact_name_t *names = weir_fact_names(&count);
    json_t *object = json_object();
    for (size_t i = 0; i < count; i++) {
        const weir_fact_t *fact = weir_fact_get(facts, &names[i]);
        json_t *described = json_pack("{s:s, s:o, s:s, s:s}", "knowledge", knowledge_name(fact->knowledge), "value",
            json_value(facts, &names[i]), "unit", weir_fact_unit_name(names[i].unit), "source", fact->source);
        if (fact == &facts->hypervisor && facts->hypervisor_signature[0] != '\0') {
            json_object_set_new(described, "signature", json_string(facts->hypervisor_signature));
        }
        json_object_set_new(object, names[i].name, described);
    }
    return object;
}

static json_t *json_needs(const weir_needs_t *needs)
{
    return json_pack("{s:o, s:o, s:i, s:i, s:i, s:i, s:i}", "minimum_memory_bytes",
        json_number(needs->minimum_memory_bytes), "maximum_memory_bytes", json_number(needs->maximum_memory_bytes),
        "memories", (int)needs->memories, "tables", (int)needs->tables, "table_elements", (int)needs->table_elements,
        "core_instances", (int)needs->core_instances, "concurrency", (int)needs->concurrency);
}

static json_t *json_rung(const weir_rung_t *rung, const weir_needs_t *needs)
{
    json_t *object = json_pack("{s:s, s:i, s:o, s:o, s:o, s:o, s:o, s:i, s:o, s:b}", "tier", weir_tier_name(rung->tier),
        "slots", (int)rung->slots, "slot_bytes", json_number(rung->slot_bytes), "guard_bytes",
        json_number(rung->guard_bytes), "growth_bytes", json_number(rung->growth_bytes), "memory_keep_resident_bytes",
        json_number(rung->memory_keep_resident_bytes), "table_keep_resident_bytes",
        json_number(rung->table_keep_resident_bytes), "table_elements", (int)rung->table_elements, "stack_bytes",
        json_number(rung->stack_bytes), "pulley", (int)rung->pulley);
    json_object_set_new(object, "address_bytes", json_number(weir_rung_address_bytes(rung, needs)));
    json_object_set_new(object, "commit_bytes", json_number(weir_rung_commit_bytes(rung, needs)));
    return object;
}

static json_t *json_result(const weir_trial_result_t *result, const weir_needs_t *needs)
{
    const weir_verdict_t *verdict = &result->verdict;
    bool passed = verdict->outcome == WEIR_OUTCOME_PASSED;
    json_t *object = json_rung(&result->rung, needs);
    json_object_set_new(object, "verdict", json_string(weir_outcome_name(verdict->outcome)));
    json_object_set_new(object, "message", json_string(verdict->message));
    json_object_set_new(object, "limit", json_string(weir_limit_name(verdict->limit)));
    json_object_set_new(object, "call", json_string(verdict->call));
    json_object_set_new(object, "refused_bytes", json_number(verdict->refused_bytes));
    json_object_set_new(object, "errno", json_integer(verdict->error_number));
    json_object_set_new(
        object, "instance_microseconds", passed ? json_real(verdict->instance_microseconds) : json_null());
    json_object_set_new(object, "engine_milliseconds", passed ? json_real(verdict->engine_milliseconds) : json_null());
    return object;
}

static json_t *json_choice(const weir_choice_t *choice, const weir_trial_result_t *ladder)
{
    size_t index = weir_choice_index(choice);
    if (index == SIZE_MAX) {
        return json_null();
    }
    json_t *object = json_rung(&ladder[index].rung, weir_choice_needs(choice));
    json_object_set_new(object, "reason", json_string(weir_choice_reason(choice)));
    json_object_set_new(object, "index", json_number(index));
    json_object_set_new(object, "reduced", json_boolean(weir_choice_is_reduced(choice)));
    json_object_set_new(object, "instance_microseconds", json_real(ladder[index].verdict.instance_microseconds));
    return object;
}

static int print_json(const weir_choice_t *choice, weir_strategy_t strategy)
{
    size_t count;
    const weir_trial_result_t *ladder = weir_choice_ladder(choice, &count);
    weir_json_begin();
    json_t *steps = json_array();
    for (size_t i = 0; i < count; i++) {
        json_array_append_new(steps, json_result(&ladder[i], weir_choice_needs(choice)));
    }
    json_t *document = json_pack("{s:i, s:s, s:o, s:o, s:o, s:o, s:s, s:s, s:s, s:f}", "version", SCHEMA_VERSION,
        "strategy", weir_strategy_name(strategy), "facts", json_facts(weir_choice_facts(choice)), "needs",
        json_needs(weir_choice_needs(choice)), "ladder", steps, "choice", json_choice(choice, ladder), "advice",
        weir_choice_advice(choice), "summary", weir_choice_summary(choice), "notice", weir_choice_notice(choice),
        "milliseconds", weir_choice_milliseconds(choice));
    char *text = weir_json_text(document);
    if (text == NULL) {
        errno = ENOMEM;
        return 1;
    }
    int written = fputs(text, stdout);
    free(text);
    return written < 0 ? 1 : 0;
}

/* ---- Text -------------------------------------------------------------------------------------------------------- */

enum { FACT_COLUMN = 40, FACT_WIDTH = 76 };

/* A value that is too long for its column goes on lines of its own. */
static void print_long(const char *meaning, const char *value, const char *source)
{
    printf("  %-*s %12s   %s\n", FACT_COLUMN, meaning, "", source);
    while (*value != '\0') {
        size_t length = strlen(value);
        if (length > FACT_WIDTH) {
            for (length = FACT_WIDTH; length > 0 && value[length] != ' '; length--) {
            }
            length = length == 0 ? FACT_WIDTH : length;
        }
        printf("      %.*s\n", (int)length, value);
        value += length;
        value += strspn(value, " ");
    }
}

static void print_fact(const weir_facts_t *facts, const weir_fact_name_t *name)
{
    char value[512];
    const weir_fact_t *fact = weir_fact_get(facts, name);
    weir_fact_text(facts, name, value, sizeof value);
    if (strlen(value) > 24) {
        print_long(name->meaning, value, fact->source);
    } else {
        printf("  %-*s %12s   %s\n", FACT_COLUMN, name->meaning, value, fact->source);
    }
}

/* What somebody who sees those figures would otherwise worry about. */
static void print_fragmentation(const weir_facts_t *facts)
{
    const weir_fact_t *huge = &facts->huge_pages;
    if (facts->free_large_share.knowledge != WEIR_KNOWN) {
        return;
    }
    const char *here = "";
    if (huge->knowledge == WEIR_KNOWN && huge->value == WEIR_HUGE_PAGES_NEVER) {
        here = ", which are off here";
    } else if (huge->knowledge == WEIR_KNOWN && huge->value == WEIR_HUGE_PAGES_MADVISE) {
        here = ", which are made here only where a program asks for them";
    }
    printf("  How free memory is spread does not matter for ordinary pages, which weir is content with:\n"
           "  blocks of 2 MiB are for transparent huge pages%s.\n",
        here);
}

static void print_facts(const weir_facts_t *facts)
{
    size_t count;
    const weir_fact_name_t *names = weir_fact_names(&count);
    for (unsigned group = 0; group < WEIR_FACT_GROUPS; group++) {
        printf("%s%s\n", group == 0 ? "" : "\n", weir_fact_group_name((weir_fact_group_t)group));
        for (size_t i = 0; i < count; i++) {
            if (names[i].group == (weir_fact_group_t)group) {
                print_fact(facts, &names[i]);
            }
        }
        if (group == WEIR_FACTS_MEMORY) {
            print_fragmentation(facts);
        }
    }
}

static void print_step(const weir_trial_result_t *result, const weir_needs_t *needs, bool chosen)
{
    const weir_rung_t *rung = &result->rung;
    const weir_verdict_t *verdict = &result->verdict;
    printf("  %s %-8s %6" PRIu32 " %8s %8s %9s %9s  %-6s  ", chosen ? "->" : "  ", weir_tier_name(rung->tier),
        rung->slots, weir_size_text(rung->slot_bytes).text, weir_size_text(rung->memory_keep_resident_bytes).text,
        weir_size_text(weir_rung_address_bytes(rung, needs)).text,
        weir_size_text(weir_rung_commit_bytes(rung, needs)).text, rung->pulley ? "pulley" : "native");
    if (verdict->outcome == WEIR_OUTCOME_PASSED) {
        printf("passed: %.1f us per instance, engine in %.1f ms\n", verdict->instance_microseconds,
            verdict->engine_milliseconds);
    } else if (verdict->outcome == WEIR_OUTCOME_NOT_TRIED) {
        printf("%s\n", verdict->message[0] != '\0' ? verdict->message : weir_outcome_name(verdict->outcome));
    } else {
        printf("%s: %s\n", weir_outcome_name(verdict->outcome), verdict->message);
    }
}

static void print_ladder(const weir_choice_t *choice)
{
    size_t count;
    const weir_trial_result_t *ladder = weir_choice_ladder(choice, &count);
    printf("\nWhat was considered\n");
    printf("     %-8s %6s %8s %8s %9s %9s  %-6s  %s\n", "tier", "slots", "slot", "kept", "reserved", "writable", "code",
        "verdict");
    for (size_t i = 0; i < count; i++) {
        print_step(&ladder[i], weir_choice_needs(choice), i == weir_choice_index(choice));
    }
}

static int print_text(const weir_choice_t *choice)
{
    print_facts(weir_choice_facts(choice));
    print_ladder(choice);
    printf("\nThe choice\n  %s\n  %s\n", weir_choice_summary(choice), weir_choice_reason(choice));
    const char *notice = weir_choice_notice(choice);
    if (notice[0] != '\0') {
        printf("\n%s\n", notice);
    } else {
        printf("\nNothing to remedy: this machine grants all that was wanted.\n");
    }
    return ferror(stdout) ? 1 : 0;
}

/* ---- The command ------------------------------------------------------------------------------------------------- */

static int report(const weir_choice_t *choice, const doctor_options_t *options, weir_strategy_t strategy)
{
    int status = options->json ? print_json(choice, strategy) : print_text(choice);
    if (fflush(stdout) != 0 || status != 0) {
        weir_log(WEIR_LOG_ERROR, "cannot write the report to standard output: %s", strerror(errno));
        return 1;
    }
    return weir_choice_rung(choice) == NULL ? 1 : 0;
}

int weir_doctor_main(int argc, char **argv)
{
    doctor_options_t options;
    if (!parse_options(argc, argv, &options)) {
        return 2;
    }
    if (options.help) {
        return weir_help_print(doctor_help);
    }
    weir_choose_options_t choose;
    weir_choose_options_init(&choose);
    char *message = NULL;
    if (!weir_strategy_from_environment(options.disable_pooling, &choose.strategy, &message)) {
        weir_log(WEIR_LOG_ERROR, "%s", message != NULL ? message : "out of memory");
        free(message);
        return 2;
    }
    if (message != NULL) {
        weir_log(WEIR_LOG_WARNING, "%s", message);
        free(message);
    }
    weir_choice_t *choice = NULL;
    weir_status_t status = weir_allocator_choose(&choose, &choice);
    if (choice == NULL) {
        weir_log(WEIR_LOG_ERROR, "no choice could be made: %s",
            status == WEIR_ERROR_MEMORY ? "out of memory" : "the allocator's library failed");
        return 1;
    }
    int exit_status = report(choice, &options, choose.strategy);
    weir_choice_free(choice);
    return exit_status;
}
