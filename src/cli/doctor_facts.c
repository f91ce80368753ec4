/*
 * doctor_facts.c: which facts matter, and how they are shown.
 */
#include "cli/doctor_facts.h"

#include "allocator/budget.h"
#include "allocator/facts.h"
#include "allocator/phrases.h"
#include "allocator/report.h"
#include "allocator/text.h"
#include "allocator/translate.h"

#include <stdio.h>
#include <string.h>

enum {
    TEXT_MAX = 512,
    INDENT = 4,
    NAME_END = 46,           /* where values begin */
    FEW_CONNECTIONS = 4096,  /* more are of no interest */
    MANY_SERVERS = 4,        /* where there is room for the processes of so many, the limit is of no interest */
    USUAL_ADDRESS_BITS = 47, /* of user space, on x86-64 and most ARM64 kernels */
};

static void print_row(const weir_page_t *page, unsigned indent, const char *name, const char *value)
{
    char lead[TEXT_MAX] = "";
    weir_page_pad(lead, sizeof lead, indent);
    weir_text_append(lead, sizeof lead, "%s  ", name);
    weir_page_pad(lead, sizeof lead, NAME_END);
    weir_page_text(page, NAME_END, lead, WEIR_INK_PLAIN, value);
}

/* A fact's value; its words are in the catalogues as far as they are not names. */
static const char *value_text(const weir_facts_t *facts, const weir_fact_name_t *name, char *buffer, size_t size)
{
    weir_fact_text(facts, name, buffer, size);
    return weir_translate(buffer);
}

/* What somebody who sees those figures would otherwise worry about. */
static void print_fragmentation(const weir_page_t *page, const weir_facts_t *facts)
{
    if (facts->free_large_share.knowledge != WEIR_KNOWN) {
        return;
    }
    const char *text = weir_translate("How free memory is spread does not matter for ordinary pages, which weir is "
                                      "content with: blocks of 2 MiB are for transparent huge pages.");
    if (weir_fact_is(facts->huge_pages, WEIR_HUGE_PAGES_NEVER)) {
        text = weir_translate("How free memory is spread does not matter for ordinary pages, which weir is content "
                              "with: blocks of 2 MiB are for transparent huge pages, which are off here.");
    } else if (weir_fact_is(facts->huge_pages, WEIR_HUGE_PAGES_MADVISE)) {
        text = weir_translate("How free memory is spread does not matter for ordinary pages, which weir is content "
                              "with: blocks of 2 MiB are for transparent huge pages, which are made here only where a "
                              "program asks for them.");
    }
    weir_page_text(page, INDENT, "    ", WEIR_INK_PLAIN, text);
}

static void print_all(const weir_page_t *page, const weir_facts_t *facts)
{
    size_t count;
    const weir_fact_name_t *names = weir_fact_names(&count);
    for (unsigned group = 0; group < WEIR_FACT_GROUPS; group++) {
        weir_page_text(page, 2, "  ", WEIR_INK_BOLD, weir_translate(weir_fact_group_name((weir_fact_group_t)group)));
        for (size_t i = 0; i < count; i++) {
            if (names[i].group == (weir_fact_group_t)group) {
                char value[TEXT_MAX];
                char text[2 * TEXT_MAX] = "";
                weir_text_append(text, sizeof text, "%s [%s]", value_text(facts, &names[i], value, sizeof value),
                    weir_translate(weir_fact_get(facts, &names[i])->source));
                print_row(page, INDENT, weir_translate(names[i].meaning), text);
            }
        }
        if (group == WEIR_FACTS_MEMORY) {
            print_fragmentation(page, facts);
        }
    }
}

/* ---- Those that matter ------------------------------------------------------------------------------------------- */

/* A limit that there is, what of it is left for instances, and whether that is what bounds the choice. */
static void print_limit(
    const weir_page_t *page, const char *name, weir_fact_t fact, const weir_budget_t *budget, weir_limit_t limit)
{
    char text[TEXT_MAX] = "";
    if (fact.knowledge != WEIR_KNOWN) {
        return;
    }
    weir_text_append(text, sizeof text, "%s", weir_size_text(fact.value).text);
    if (budget->bounded && budget->limit == limit) {
        weir_text_append(
            text, sizeof text, weir_translate("; leaves %s for instances"), weir_size_text(budget->bytes).text);
    }
    print_row(page, 2, name, text);
}

static void print_memory(const weir_page_t *page, const weir_facts_t *facts)
{
    char text[TEXT_MAX] = "";
    if (facts->memory_total.knowledge == WEIR_KNOWN && facts->memory_available.knowledge == WEIR_KNOWN) {
        weir_text_append(text, sizeof text, weir_translate("%s available of %s"),
            weir_size_text(facts->memory_available.value).text, weir_size_text(facts->memory_total.value).text);
    } else {
        weir_text_append(text, sizeof text, "%s", weir_translate("unknown"));
    }
    print_row(page, 2, weir_translate("memory"), text);
}

static void print_limits(const weir_page_t *page, const weir_facts_t *facts, const weir_budgets_t *budgets)
{
    print_limit(page, weir_translate("address space limit (RLIMIT_AS)"), facts->address_space_limit, &budgets->address,
        WEIR_LIMIT_ADDRESS_SPACE);
    print_limit(page, weir_translate("data limit (RLIMIT_DATA)"), facts->data_limit, &budgets->commit, WEIR_LIMIT_DATA);
    print_limit(page, weir_translate("control group's memory limit"), facts->cgroup_limit, &budgets->resident,
        WEIR_LIMIT_CGROUP);
    if (weir_fact_is(facts->overcommit_mode, 2)) {
        print_limit(page, weir_translate("commit limit"), facts->commit_limit, &budgets->commit, WEIR_LIMIT_COMMIT);
    }
}

/* The facts whose value is worth a line when it is not the usual one, and which that is. */
static void print_place(const weir_page_t *page, const weir_facts_t *facts)
{
    static const struct {
        const char *name;
        uint64_t usual;
    } places[] = {
        {"hypervisor", WEIR_HYPERVISOR_NONE},
        {"container", WEIR_CONTAINER_NONE},
        {"gvisor", 0},
        {"wsl", WEIR_WSL_NONE},
        {"android", 0},
    };
    size_t count;
    const weir_fact_name_t *names = weir_fact_names(&count);
    for (size_t i = 0; i < count; i++) {
        const weir_fact_t *fact = weir_fact_get(facts, &names[i]);
        for (size_t j = 0; j < sizeof places / sizeof places[0]; j++) {
            if (strcmp(names[i].name, places[j].name) == 0 && fact->knowledge == WEIR_KNOWN &&
                fact->value != places[j].usual) {
                char value[TEXT_MAX];
                print_row(page, 2, weir_translate(names[i].meaning), value_text(facts, &names[i], value, sizeof value));
            }
        }
    }
}

/* What is not as usual, and what follows from it. */
static void print_unusual(const weir_page_t *page, const weir_facts_t *facts, const weir_budgets_t *budgets)
{
    char text[TEXT_MAX] = "";
    if (facts->file_size_limit.knowledge == WEIR_KNOWN) {
        print_row(page, 2, weir_translate("file size limit (RLIMIT_FSIZE)"),
            weir_size_text(facts->file_size_limit.value).text);
    }
    if (weir_fact_is(facts->emulated, 1)) {
        print_row(page, 2, weir_translate("user-mode emulator (qemu-user)"),
            weir_translate("yes; it pays in time and memory for each page that is reserved"));
    }
    if (weir_fact_is(facts->executable_memory, 0)) {
        print_row(page, 2, weir_translate("executable memory"), weir_translate("refused; so code is interpreted"));
    }
    if (facts->address_bits.knowledge == WEIR_KNOWN && facts->address_bits.value < USUAL_ADDRESS_BITS) {
        weir_text_append(text, sizeof text, weir_translate("%llu; leaves %s for instances"),
            (unsigned long long)facts->address_bits.value, weir_size_text(budgets->address.bytes).text);
        print_row(page, 2, weir_translate("bits of a user-space address"), text);
    }
    if (weir_fact_is(facts->cgroup_kills_group, 1) && facts->cgroup_limit.knowledge == WEIR_KNOWN) {
        print_row(page, 2, weir_translate("out of memory ends the whole group"),
            weir_translate("yes; so trials hold fewer instances, and arithmetic judges the rest"));
    }
    print_place(page, facts);
}

/* What the choice depends on and could not be read: it bounds nothing, and the trial has to show it. */
static void print_unknown(const weir_page_t *page, const weir_facts_t *facts)
{
    size_t count;
    const weir_fact_name_t *names = weir_fact_names(&count);
    char text[TEXT_MAX] = "";
    const weir_fact_t *const needed[] = {&facts->processors, &facts->page_size, &facts->memory_total,
        &facts->memory_available, &facts->overcommit_mode, &facts->address_space_limit, &facts->address_space_used,
        &facts->data_limit, &facts->address_bits, &facts->cgroup_limit, &facts->mappings_limit,
        &facts->executable_memory, &facts->emulated};
    for (size_t i = 0; i < count; i++) {
        const weir_fact_t *fact = weir_fact_get(facts, &names[i]);
        for (size_t j = 0; j < sizeof needed / sizeof needed[0]; j++) {
            if (fact == needed[j] && fact->knowledge == WEIR_UNKNOWN) {
                weir_text_append(text, sizeof text, "%s%s", text[0] == '\0' ? "" : weir_translate(", "),
                    weir_translate(names[i].meaning));
            }
        }
    }
    if (text[0] != '\0') {
        print_row(page, 2, weir_translate("could not be read"), text);
    }
}

/* Where that leaves few connections. */
static void print_bounds(const weir_page_t *page, const weir_bounds_t *bounds)
{
    char text[TEXT_MAX] = "";
    const weir_bounds_room_t files = {bounds->room.descriptors, UINT64_MAX, UINT64_MAX};
    weir_text_append(text, sizeof text, "%llu", (unsigned long long)bounds->room.descriptors);
    if (weir_bounds_lack_descriptors(bounds)) {
        weir_text_append(text, sizeof text, weir_translate("; %llu is the least to serve with"),
            (unsigned long long)bounds->fewest_descriptors);
        print_row(page, 2, weir_translate("limit on open files (RLIMIT_NOFILE)"), text);
    } else if (bounds->connections < FEW_CONNECTIONS) {
        if (bounds->connections == weir_bounds_connections(&files, false)) {
            print_row(page, 2, weir_translate("limit on open files (RLIMIT_NOFILE)"), text);
        }
        snprintf(text, sizeof text, weir_translate("%u at most, by the limits"), bounds->connections);
        print_row(page, 2, weir_translate("connections at a time"), text);
    }
}

/* A limit on processes that leaves few. */
static void print_processes(
    const weir_page_t *page, const weir_bounds_t *bounds, const char *name, weir_fact_t limit, weir_fact_t others)
{
    char text[TEXT_MAX] = "";
    uint64_t taken = others.knowledge == WEIR_KNOWN ? others.value : 0;
    if (limit.knowledge != WEIR_KNOWN || limit.value > weir_add(taken, MANY_SERVERS * (uint64_t)bounds->fewest_tasks)) {
        return;
    }
    weir_text_append(text, sizeof text, "%llu", (unsigned long long)limit.value);
    if (others.knowledge == WEIR_KNOWN) {
        weir_text_append(text, sizeof text, weir_translate(", of which others have %llu"), (unsigned long long)taken);
    }
    if (weir_bounds_lack_tasks(bounds)) {
        weir_text_append(text, sizeof text, weir_translate("; %llu is the least to serve with"),
            (unsigned long long)bounds->fewest_tasks);
    }
    print_row(page, 2, name, text);
}

static void print_all_processes(const weir_page_t *page, const weir_bounds_t *bounds)
{
    const weir_tasks_t *tasks = &bounds->tasks;
    print_processes(page, bounds, weir_translate("limit on processes (RLIMIT_NPROC)"), tasks->limit, tasks->used);
    print_processes(
        page, bounds, weir_translate("group's limit on processes (pids.max)"), tasks->group_limit, tasks->group_used);
}

/* How many requests are wanted at a time, and what makes it so many. */
static void print_wanted(const weir_page_t *page, const weir_choice_t *choice)
{
    char text[TEXT_MAX] = "";
    char phrase[WEIR_PHRASE_MAX];
    weir_limit_t limit;
    uint32_t usual;
    weir_text_append(text, sizeof text, "%u", weir_choice_needs(choice)->concurrency);
    if (weir_report_usual(choice, &limit, &usual)) {
        weir_text_append(text, sizeof text, weir_translate(": as many as %s has room for the memory of; %u are usual"),
            weir_phrase_limit(weir_choice_facts(choice), limit, phrase, sizeof phrase), usual);
    }
    print_row(page, 2, weir_translate("requests wanted at a time"), text);
}

void weir_doctor_print_facts(const weir_page_t *page, const weir_diagnosis_t *diagnosis, bool all)
{
    const weir_choice_t *choice = diagnosis->choice;
    const weir_facts_t *facts = weir_choice_facts(choice);
    weir_budgets_t budgets;
    char text[TEXT_MAX];
    if (all) {
        print_all(page, facts);
        print_bounds(page, &diagnosis->bounds);
        print_all_processes(page, &diagnosis->bounds);
        return;
    }
    weir_budgets_make(facts, weir_choice_needs(choice), diagnosis->strategy == WEIR_STRATEGY_POOLING, &budgets);
    snprintf(text, sizeof text, "%u", weir_facts_processors(facts));
    print_row(page, 2, weir_translate("processors"), text);
    print_memory(page, facts);
    print_limits(page, facts, &budgets);
    print_bounds(page, &diagnosis->bounds);
    print_all_processes(page, &diagnosis->bounds);
    print_unusual(page, facts, &budgets);
    print_unknown(page, facts);
    print_wanted(page, choice);
}
