/*
 * doctor_json.c: the diagnosis for programs. docs/doctor-json.md and docs/doctor.schema.json describe each member; keep
 * them in step.
 */
#include "allocator/facts.h"
#include "allocator/phrases.h"
#include "allocator/plan.h"
#include "allocator/report.h"
#include "cli/diagnosis.h"
#include "cli/json_text.h"
#include "observe/escape.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Raised when a member changes its meaning or goes; new members may come at any time. */
enum { SCHEMA_VERSION = 1 };

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

/* For programs: what weir_limit_name says, as one word. */
static const char *limit_word(weir_limit_t limit)
{
    switch (limit) {
    case WEIR_LIMIT_NONE:
        return NULL;
    case WEIR_LIMIT_ADDRESS_SPACE:
        return "address_space";
    case WEIR_LIMIT_ADDRESS_BITS:
        return "address_bits";
    case WEIR_LIMIT_COMMIT:
        return "commit";
    case WEIR_LIMIT_DATA:
        return "data";
    case WEIR_LIMIT_CGROUP:
        return "cgroup";
    case WEIR_LIMIT_MEMORY:
        return "memory";
    case WEIR_LIMIT_MAPPINGS:
        return "mappings";
    case WEIR_LIMIT_EXECUTABLE:
        return "executable";
    case WEIR_LIMIT_EMULATION:
        return "emulation";
    case WEIR_LIMIT_PROCESSES:
        return "processes";
    case WEIR_LIMIT_FILE_SIZE:
        return "file_size";
    case WEIR_LIMIT_UNKNOWN:
        break;
    }
    return "unknown";
}

/* A cost; null when there is none. */
static json_t *json_cost(double value)
{
    return value > 0 ? json_real(value) : json_null();
}

static json_t *json_word(const char *word)
{
    return word == NULL ? json_null() : json_string(word);
}

/* A path may be of any bytes, and JSON is UTF-8: then it is shown as a log shows it. */
static json_t *json_path(const char *path)
{
    size_t left = path == NULL ? 0 : strlen(path);
    if (path == NULL || weir_utf8_is_valid(path, left)) {
        return json_word(path);
    }
    char *text = malloc(left * WEIR_ESCAPE_MAX);
    size_t size = 0;
    while (text != NULL && left > 0) {
        size_t shown;
        size_t taken = weir_escape_next(path, left, text + size, &shown);
        size += shown;
        path += taken;
        left -= taken;
    }
    json_t *string = text == NULL ? NULL : json_stringn(text, size);
    free(text);
    return string;
}

static void set(json_t *object, const char *name, json_t *own_value)
{
    json_object_set_new(object, name, own_value);
}

/* ---- What was found ---------------------------------------------------------------------------------------------- */

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
        return weir_json_number(fact->value);
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
            set(described, "signature", json_string(facts->hypervisor_signature));
        }
        set(object, names[i].name, described);
    }
    return object;
}

static json_t *json_budget(const weir_budget_t *budget)
{
    return budget->bounded ? json_pack("{s:o, s:o, s:s}", "left", weir_json_number(budget->bytes), "limit_at",
                                 weir_json_number(budget->limit_at), "limit_id", limit_word(budget->limit))
                           : json_null();
}

/* What the limits leave for instances. */
static json_t *json_budgets(const weir_diagnosis_t *diagnosis)
{
    weir_budgets_t budgets;
    weir_budgets_make(weir_choice_facts(diagnosis->choice), weir_choice_needs(diagnosis->choice),
        diagnosis->strategy == WEIR_STRATEGY_POOLING, &budgets);
    return json_pack("{s:o, s:o, s:o, s:o}", "address_space", json_budget(&budgets.address), "commit",
        json_budget(&budgets.commit), "resident", json_budget(&budgets.resident), "mappings",
        json_budget(&budgets.mappings));
}

static json_t *json_needs(const weir_needs_t *needs)
{
    return json_pack("{s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I}", "minimum_memory_bytes",
        weir_json_number(needs->minimum_memory_bytes), "maximum_memory_bytes",
        weir_json_number(needs->maximum_memory_bytes), "wasm_bytes", weir_json_number(needs->wasm_bytes), "memories",
        (json_int_t)needs->memories, "tables", (json_int_t)needs->tables, "table_elements",
        (json_int_t)needs->table_elements, "core_instances", (json_int_t)needs->core_instances, "stacks",
        (json_int_t)needs->stacks, "concurrency", (json_int_t)needs->concurrency);
}

/* How many instances are wanted at once, and why so many. */
static json_t *json_concurrency(const weir_choice_t *choice)
{
    weir_limit_t limit = WEIR_LIMIT_NONE;
    uint32_t usual = weir_choice_needs(choice)->concurrency;
    weir_report_usual(choice, &limit, &usual);
    return json_pack("{s:I, s:b, s:I, s:o}", "wanted", (json_int_t)weir_choice_needs(choice)->concurrency, "stated",
        (int)choice->stated, "usual", (json_int_t)usual, "limit_id", json_word(limit_word(limit)));
}

/* ---- What was tried ---------------------------------------------------------------------------------------------- */

static void set_knobs(json_t *object, const weir_knobs_t *knobs)
{
    set(object, "memory_keep_resident_bytes", weir_json_number(knobs->memory_keep_resident_bytes));
    set(object, "decommit_batch", json_integer(knobs->decommit_batch));
    set(object, "huge_pages_off", json_boolean(knobs->huge_pages_off));
    set(object, "pagemap_scan", json_boolean(knobs->pagemap_scan));
}

static json_t *json_rung(const weir_rung_t *rung, const weir_needs_t *needs)
{
    json_t *object = json_object();
    weir_knobs_t knobs = weir_rung_knobs(rung);
    set(object, "tier", json_string(weir_tier_name(rung->tier)));
    set(object, "slots", json_integer(rung->slots));
    set(object, "spare_slots", json_integer(rung->spare_slots));
    set(object, "slot_bytes", weir_json_number(rung->slot_bytes));
    set(object, "guard_bytes", weir_json_number(rung->guard_bytes));
    set(object, "growth_bytes", weir_json_number(rung->growth_bytes));
    set_knobs(object, &knobs);
    set(object, "table_keep_resident_bytes", weir_json_number(rung->table_keep_resident_bytes));
    set(object, "stack_keep_resident_bytes", weir_json_number(rung->stack_keep_resident_bytes));
    set(object, "warm_slots", json_integer(rung->warm_slots));
    set(object, "table_elements", json_integer(rung->table_elements));
    set(object, "memories_per_slot", json_integer(rung->memories_per_slot));
    set(object, "tables_per_slot", json_integer(rung->tables_per_slot));
    set(object, "core_instances_per_slot", json_integer(rung->core_instances_per_slot));
    set(object, "stacks_per_slot", json_integer(rung->stacks_per_slot));
    set(object, "stack_bytes", weir_json_number(rung->stack_bytes));
    set(object, "pulley", json_boolean(rung->pulley));
    set(object, "address_bytes", weir_json_number(weir_rung_address_bytes(rung, needs)));
    set(object, "commit_bytes", weir_json_number(weir_rung_commit_bytes(rung, needs)));
    return object;
}

/* Settings of the knobs, with what an instance costs with each. */
static json_t *json_variants(const weir_variant_t *variants, uint32_t count, uint32_t taken)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < count; i++) {
        json_t *object = json_object();
        set_knobs(object, &variants[i].knobs);
        set(object, "instance_microseconds", json_cost(variants[i].instance_microseconds));
        set(object, "chosen", json_boolean(i == taken));
        json_array_append_new(array, object);
    }
    return array;
}

static json_t *json_result(
    const weir_choice_t *choice, const weir_decided_t *decided, const weir_trial_result_t *result)
{
    const weir_verdict_t *verdict = &result->verdict;
    char explanation[WEIR_PHRASE_MAX];
    bool passed = verdict->outcome == WEIR_OUTCOME_PASSED;
    json_t *object = json_rung(&result->rung, &decided->needs);
    weir_report_obstacle_text(choice, decided, result, explanation, sizeof explanation);
    set(object, "verdict", json_string(weir_outcome_name(verdict->outcome)));
    set(object, "message", json_string(verdict->message));
    set(object, "explanation", json_string(explanation));
    set(object, "limit", json_string(weir_limit_name(verdict->limit)));
    set(object, "limit_id", json_word(limit_word(verdict->limit)));
    set(object, "call", json_string(verdict->call));
    set(object, "refused_bytes", weir_json_number(verdict->refused_bytes));
    set(object, "errno", json_integer(verdict->error_number));
    set(object, "detail", json_integer(verdict->detail));
    set(object, "held", json_integer(verdict->held));
    set(object, "threads", json_integer(verdict->threads));
    set(object, "instance_microseconds", passed ? json_cost(verdict->instance_microseconds) : json_null());
    set(object, "engine_milliseconds", passed ? json_cost(verdict->engine_milliseconds) : json_null());
    set(object, "variants", json_variants(verdict->variants, verdict->variant_count, verdict->variant));
    return object;
}

static json_t *json_ladder(const weir_choice_t *choice, const weir_decided_t *decided)
{
    json_t *steps = json_array();
    for (size_t i = 0; i < decided->count; i++) {
        json_array_append_new(steps, json_result(choice, decided, &decided->ladder[i]));
    }
    return steps;
}

/* ---- What was chosen --------------------------------------------------------------------------------------------- */

static json_t *json_tuned(const weir_decision_t *decision)
{
    return decision->tuned_count == 0 ? json_null()
                                      : json_variants(decision->tuned_variants, decision->tuned_count, decision->tuned);
}

static json_t *json_choice(const weir_diagnosis_t *diagnosis)
{
    const weir_choice_t *choice = diagnosis->choice;
    const weir_decided_t *pool = &choice->decision.pool;
    if (weir_choice_rung(choice) == NULL) {
        return json_null();
    }
    json_t *object = json_rung(&pool->ladder[pool->index].rung, &pool->needs);
    set(object, "reason", json_string(weir_choice_reason(choice)));
    set(object, "index", weir_json_number(pool->index));
    set(object, "reduced", json_boolean(weir_choice_is_reduced(choice)));
    set(object, "remembered", json_boolean(weir_choice_is_remembered(choice)));
    set(object, "instance_microseconds", json_cost(weir_report_cost(choice)));
    set(object, "tuned", json_tuned(&choice->decision));
    return object;
}

/* The place in the ladder of a result that is in it, or null. */
static json_t *json_place(const weir_choice_t *choice, const weir_trial_result_t *result)
{
    return result == NULL ? json_null() : json_integer((json_int_t)(result - choice->decision.pool.ladder));
}

static json_t *json_comparison(const weir_comparison_t *comparison)
{
    return comparison->measured
               ? json_pack("{s:s, s:I, s:o, s:b, s:o, s:o, s:I, s:f}", "tier", weir_tier_name(comparison->best.tier),
                     "slots", (json_int_t)comparison->best.slots, "slot_bytes",
                     weir_json_number(comparison->best.slot_bytes), "limits_raised", comparison->beyond,
                     "best_microseconds", json_cost(comparison->best_microseconds), "choice_microseconds",
                     json_cost(comparison->choice_microseconds), "threads", (json_int_t)comparison->threads, "excess",
                     comparison->choice_microseconds / comparison->best_microseconds - 1)
               : json_null();
}

/* ---- Components -------------------------------------------------------------------------------------------------- */

static json_t *json_components(const weir_diagnosis_t *diagnosis)
{
    json_t *array = json_array();
    for (size_t i = 0; i < diagnosis->guest_count; i++) {
        const weir_component_t *component = &diagnosis->application.manifest.components[diagnosis->components[i]];
        json_array_append_new(
            array, json_pack("{s:s, s:b, s:o}", "id", component->id, "apart",
                       (int)weir_choice_is_apart(diagnosis->choice, i), "needs", json_needs(&diagnosis->guests[i])));
    }
    return array;
}

static json_t *json_apart(const weir_diagnosis_t *diagnosis)
{
    const weir_choice_t *choice = diagnosis->choice;
    const weir_decided_t *rest = &choice->decision.rest;
    weir_rung_t joined;
    if (choice->decision.apart_count == 0) {
        return json_null();
    }
    const weir_rung_t *rung = weir_choice_rung_apart(choice);
    json_t *object = json_object();
    set(object, "rung", rung == NULL ? json_null() : json_rung(rung, &rest->needs));
    set(object, "pool_with_them",
        weir_report_joined_pool(choice, &joined) ? json_rung(&joined, &choice->decision.pool.needs) : json_null());
    set(object, "ladder", json_ladder(choice, rest));
    return object;
}

static json_t *json_remembered(const weir_remembered_t *remembered)
{
    char since[32] = "";
    struct tm utc;
    if (!remembered->found) {
        return json_null();
    }
    if (gmtime_r(&remembered->since, &utc) != NULL) {
        strftime(since, sizeof since, "%Y-%m-%dT%H:%M:%SZ", &utc);
    }
    const weir_rung_t *rung = &remembered->rung;
    weir_knobs_t knobs = weir_rung_knobs(rung);
    json_t *object = json_pack("{s:s, s:b, s:s, s:I, s:o, s:b}", "since", since, "same", (int)remembered->same, "tier",
        weir_tier_name(rung->tier), "slots", (json_int_t)rung->slots, "slot_bytes", weir_json_number(rung->slot_bytes),
        "pulley", (int)rung->pulley);
    set_knobs(object, &knobs);
    return object;
}

/* The value of a fact that is known; otherwise null. */
static json_t *json_known(weir_fact_t fact)
{
    return fact.knowledge == WEIR_KNOWN ? weir_json_number(fact.value) : json_null();
}

/* Whether a server can be had here, whatever the allocator. */
static json_t *json_serving(const weir_bounds_t *bounds)
{
    char refusal[WEIR_BOUNDS_TEXT];
    const weir_tasks_t *tasks = &bounds->tasks;
    return json_pack("{s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:s}", "possible", (int)weir_bounds_suffice(bounds),
        "open_files", weir_json_number(bounds->room.descriptors), "least_open_files",
        weir_json_number(bounds->fewest_descriptors), "processes_limit", json_known(tasks->limit),
        "processes_of_others", json_known(tasks->used), "group_processes_limit", json_known(tasks->group_limit),
        "group_processes_of_others", json_known(tasks->group_used), "least_processes", (json_int_t)bounds->fewest_tasks,
        "connections", (json_int_t)bounds->connections, "refusal",
        weir_bounds_refusal(bounds, refusal, sizeof refusal));
}

/* What has to be remedied first. */
static json_t *json_advice(const weir_diagnosis_t *diagnosis)
{
    const char *remedy = weir_bounds_remedy(&diagnosis->bounds);
    return json_string(remedy[0] != '\0' ? remedy : weir_choice_advice(diagnosis->choice));
}

/* ---- The whole --------------------------------------------------------------------------------------------------- */

static json_t *make_document(const weir_diagnosis_t *diagnosis)
{
    const weir_choice_t *choice = diagnosis->choice;
    json_t *document = json_object();
    set(document, "version", json_integer(SCHEMA_VERSION));
    set(document, "weir", json_string(WEIR_VERSION));
    set(document, "wasmtime", json_string(WASMTIME_VERSION));
    set(document, "strategy", json_string(weir_strategy_name(diagnosis->strategy)));
    set(document, "facts", json_facts(weir_choice_facts(choice)));
    set(document, "budgets", json_budgets(diagnosis));
    set(document, "needs", json_needs(weir_choice_needs(choice)));
    set(document, "concurrency", json_concurrency(choice));
    set(document, "ladder", json_ladder(choice, &choice->decision.pool));
    set(document, "choice", json_choice(diagnosis));
    set(document, "wanted", json_place(choice, weir_report_wanted(choice)));
    set(document, "obstacle", json_place(choice, weir_report_obstacle(choice)));
    set(document, "runner_up", json_place(choice, weir_report_runner_up(choice, false)));
    set(document, "comparison", json_comparison(&diagnosis->comparison));
    set(document, "components", json_components(diagnosis));
    set(document, "apart", json_apart(diagnosis));
    set(document, "memory",
        json_pack("{s:o, s:s, s:o}", "directory", json_path(diagnosis->memory_directory), "note",
            diagnosis->memory_trouble == NULL ? "" : diagnosis->memory_trouble, "remembered",
            json_remembered(&diagnosis->remembered)));
    set(document, "serving", json_serving(&diagnosis->bounds));
    set(document, "advice", json_advice(diagnosis));
    set(document, "summary", json_string(weir_choice_summary(choice)));
    set(document, "notice", json_string(weir_choice_notice(choice)));
    set(document, "trials", json_integer(choice->decision.pool.trials));
    set(document, "milliseconds", json_real(weir_choice_milliseconds(choice)));
    set(document, "total_milliseconds", json_real(diagnosis->total_milliseconds));
    return document;
}

bool weir_diagnosis_print_json(const weir_diagnosis_t *diagnosis)
{
    weir_json_begin();
    char *text = weir_json_text(make_document(diagnosis));
    if (text == NULL) {
        return false;
    }
    fputs(text, stdout);
    free(text);
    return true;
}
