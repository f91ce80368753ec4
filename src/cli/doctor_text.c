/*
 * doctor_text.c: the diagnosis for a person: first what it comes to, then why, last what to do.
 */
#include "allocator/budget.h"
#include "allocator/phrases.h"
#include "allocator/plan.h"
#include "allocator/remedy.h"
#include "allocator/report.h"
#include "allocator/text.h"
#include "allocator/translate.h"
#include "cli/diagnosis.h"
#include "cli/doctor_facts.h"
#include "cli/doctor_ladder.h"
#include "cli/page.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    TEXT_MAX = 1024,
    INDENT = 2,
    COST_END = 18,
};

/* Two costs this close are the same. */
static const double noise = 1.1;

/* Costs are shown in tenths of a microsecond. */
static const double shown_step = 0.1;

/* ---- What it comes to -------------------------------------------------------------------------------------------- */

static const weir_trial_result_t *chosen_result(const weir_diagnosis_t *diagnosis)
{
    size_t count;
    const weir_trial_result_t *ladder = weir_choice_ladder(diagnosis->choice, &count);
    size_t index = weir_choice_index(diagnosis->choice);
    return index < count ? &ladder[index] : NULL;
}

/* What was timed, with what, and how many at a time. */
static void print_cost_in_short(const weir_page_t *page, const weir_diagnosis_t *diagnosis, const char *before)
{
    char text[TEXT_MAX] = "";
    const weir_rung_t *rung = weir_choice_rung(diagnosis->choice);
    const weir_decision_t *decision = &diagnosis->choice->decision;
    weir_text_append(text, sizeof text, "%s", before);
    if (decision->tuned_count > 0) {
        weir_text_append(text, sizeof text,
            weir_translate("Running each of the application's components once takes %.1f us; "),
            decision->tuned_variants[decision->tuned].instance_microseconds);
    } else {
        weir_text_append(text, sizeof text,
            weir_translate("An instance of a made-up guest takes %.1f us (create, write, run, drop); "),
            weir_report_cost(diagnosis->choice));
    }
    weir_text_append(text, sizeof text,
        weir_translate_count("at most %u request is handled at a time, others wait.",
            "at most %u requests are handled at a time, others wait.", rung->slots),
        rung->slots);
    if (weir_choice_is_reduced(diagnosis->choice) && rung->tier == WEIR_TIER_COMPACT) {
        weir_text_append(
            text, sizeof text, weir_translate(" A memory grows to %s at most."), weir_size_text(rung->slot_bytes).text);
    }
    weir_page_text(page, 0, "", WEIR_INK_PLAIN, text);
}

static void print_reduced(const weir_page_t *page, const weir_diagnosis_t *diagnosis)
{
    char phrase[WEIR_PHRASE_MAX];
    char text[TEXT_MAX] = "";
    const weir_rung_t *rung = weir_choice_rung(diagnosis->choice);
    const weir_trial_result_t *wanted = weir_report_wanted(diagnosis->choice);
    weir_phrase_rung(rung, phrase, sizeof phrase);
    if (rung->tier != WEIR_TIER_ONDEMAND) {
        weir_text_append(
            text, sizeof text, weir_translate("The pooling allocator is reduced automatically: %s."), phrase);
    } else if (diagnosis->strategy == WEIR_STRATEGY_ONDEMAND || weir_report_is_lessened(diagnosis->choice)) {
        weir_text_append(
            text, sizeof text, weir_translate("Allocation on demand is reduced automatically: %s."), phrase);
    } else {
        weir_text_append(
            text, sizeof text, weir_translate("The pooling allocator is disabled automatically: %s."), phrase);
    }
    if (weir_report_is_lessened(diagnosis->choice)) {
        weir_limit_t limit = WEIR_LIMIT_NONE;
        uint32_t usual = 0;
        weir_report_usual(diagnosis->choice, &limit, &usual);
        weir_text_append(text, sizeof text,
            weir_translate(" %u at a time are usual; %s has room for the memory of %u, the remedy is below."), usual,
            weir_phrase_limit(weir_choice_facts(diagnosis->choice), limit, phrase, sizeof phrase),
            weir_choice_needs(diagnosis->choice)->concurrency);
    } else if (rung->pulley && weir_fact_is(weir_choice_facts(diagnosis->choice)->executable_memory, 0)) {
        weir_text_append(text, sizeof text, "%s",
            weir_translate(" Wanted was native code; executable memory is refused here, so code is interpreted. The "
                           "remedy is below."));
    } else if (wanted != NULL) {
        weir_text_append(text, sizeof text, weir_translate(" Wanted was: %s; the remedy is below."),
            weir_phrase_rung(&wanted->rung, phrase, sizeof phrase));
    }
    weir_page_text(page, 0, "", WEIR_INK_WARNING, text);
    print_cost_in_short(page, diagnosis, weir_translate("That is normal, and applications behave as ever. "));
}

static void print_verdict(const weir_page_t *page, const weir_diagnosis_t *diagnosis)
{
    char phrase[WEIR_PHRASE_MAX];
    char text[TEXT_MAX] = "";
    const weir_rung_t *rung = weir_choice_rung(diagnosis->choice);
    if (!weir_bounds_suffice(&diagnosis->bounds)) {
        char refusal[WEIR_BOUNDS_TEXT];
        weir_text_append(text, sizeof text, weir_translate("'weir up' cannot serve here: %s."),
            weir_bounds_refusal(&diagnosis->bounds, refusal, sizeof refusal));
        weir_page_text(page, 0, "", WEIR_INK_BAD, text);
        text[0] = '\0';
    }
    if (rung == NULL) {
        const char *notice = weir_choice_notice(diagnosis->choice);
        size_t size = strcspn(notice, "\n");
        snprintf(text, sizeof text, "%.*s", (int)size, notice);
        weir_page_text(page, 0, "", WEIR_INK_BAD, text);
        return;
    }
    if (weir_choice_is_reduced(diagnosis->choice)) {
        print_reduced(page, diagnosis);
        return;
    }
    weir_phrase_rung(rung, phrase, sizeof phrase);
    weir_text_append(text, sizeof text,
        weir_bounds_suffice(&diagnosis->bounds)
            ? weir_translate("All is well: the instance allocator gets what was wanted: %s.")
            : weir_translate("The instance allocator gets what was wanted: %s."),
        phrase);
    weir_page_text(page, 0, "", WEIR_INK_GOOD, text);
    print_cost_in_short(page, diagnosis, "");
}

/* ---- The choice -------------------------------------------------------------------------------------------------- */

static void print_variants(const weir_page_t *page, const weir_variant_t *variants, uint32_t count, uint32_t taken)
{
    for (uint32_t i = 0; i < count; i++) {
        char lead[64] = "";
        char text[WEIR_PHRASE_MAX];
        if (variants[i].instance_microseconds > 0) {
            snprintf(lead, sizeof lead, weir_translate("%10.1f us  "), variants[i].instance_microseconds);
        } else {
            snprintf(lead, sizeof lead, "    %s  ", weir_translate("did not work"));
        }
        weir_page_pad(lead, sizeof lead, COST_END);
        weir_phrase_knobs(&variants[i].knobs, text, sizeof text);
        if (i == taken) {
            weir_text_append(text, sizeof text, "%s", weir_translate(" (chosen)"));
        }
        weir_page_text(page, COST_END, lead, i == taken ? WEIR_INK_GOOD : WEIR_INK_PLAIN, text);
    }
}

/* Other work on the machine makes costs larger, never smaller: so an earlier setting is not given up for it. */
static void print_disturbance(const weir_page_t *page, const weir_verdict_t *verdict, uint32_t taken)
{
    double least = 0;
    for (uint32_t i = 0; i < verdict->variant_count; i++) {
        double cost = verdict->variants[i].instance_microseconds;
        least = cost > 0 && (least == 0 || cost < least) ? cost : least;
    }
    if (taken < verdict->variant_count && verdict->variants[taken].instance_microseconds > noise * least) {
        weir_page_text(page, INDENT, "  ", WEIR_INK_WARNING,
            weir_translate(
                "Other work on the machine disturbed this: in its quickest round the chosen one was as cheap "
                "as any, and it comes first."));
    }
}

/* What the made-up guest cost is of no interest beside what the application does. */
static void print_knobs(const weir_page_t *page, const weir_diagnosis_t *diagnosis, bool verbose)
{
    const weir_verdict_t *verdict = &chosen_result(diagnosis)->verdict;
    const weir_decision_t *decision = &diagnosis->choice->decision;
    bool tuned = decision->tuned_count > 0;
    if (verdict->variant_count > 1 && (!tuned || verbose)) {
        weir_page_text(page, INDENT, "  ", WEIR_INK_PLAIN,
            weir_translate("In its trial, an instance of the made-up guest with each setting:"));
        uint32_t taken = tuned ? UINT32_MAX : weir_report_variant(diagnosis->choice);
        print_variants(page, verdict->variants, verdict->variant_count, taken);
        print_disturbance(page, verdict, taken);
    }
    if (tuned) {
        weir_page_text(page, INDENT, "  ", WEIR_INK_PLAIN,
            weir_translate("In a process of its own, each of the application's components run once, with each setting; "
                           "that decides:"));
        print_variants(page, decision->tuned_variants, decision->tuned_count, decision->tuned);
    }
}

static void print_sizes(const weir_page_t *page, const weir_diagnosis_t *diagnosis)
{
    char text[TEXT_MAX] = "";
    const weir_rung_t *rung = weir_choice_rung(diagnosis->choice);
    const weir_needs_t *needs = weir_choice_needs(diagnosis->choice);
    if (rung->tier == WEIR_TIER_ONDEMAND) {
        weir_text_append(text, sizeof text,
            weir_translate("When all instances are in use they take %s of address space, of which %s is writable."),
            weir_size_text(weir_rung_address_bytes(rung, needs)).text,
            weir_size_text(weir_rung_commit_bytes(rung, needs)).text);
    } else {
        weir_text_append(text, sizeof text,
            weir_translate("It reserves %s of address space, of which %s can become writable; memory that is not used "
                           "is not taken."),
            weir_size_text(weir_rung_address_bytes(rung, needs)).text,
            weir_size_text(weir_rung_commit_bytes(rung, needs)).text);
    }
    weir_page_text(page, INDENT, "  ", WEIR_INK_PLAIN, text);
}

/* The cost against the best that the hardware could give. */
/* Why there is no comparison. */
static const char *say_unmeasured(const weir_facts_t *facts, const weir_rung_t *chosen)
{
    if (chosen->pulley && weir_fact_is(facts->executable_memory, 0)) {
        return weir_translate("Against the best that the hardware could give: unknown, since native code cannot be "
                              "measured where executable memory is refused.");
    }
    bool limited = facts->address_space_limit.knowledge == WEIR_KNOWN || facts->data_limit.knowledge == WEIR_KNOWN;
    if (limited && chosen->tier != WEIR_TIER_STANDARD) {
        return weir_translate("Against the best that the hardware could give: unknown, since no standard pool can be "
                              "measured within these limits, and weir may not raise them for a trial.");
    }
    return weir_translate("Against the best that the hardware could give: unknown, since its trial for that failed, or "
                          "took too long.");
}

static void print_comparison(const weir_page_t *page, const weir_comparison_t *comparison, const weir_facts_t *facts,
    const weir_rung_t *chosen, bool lessened)
{
    char text[TEXT_MAX] = "";
    char rung[WEIR_PHRASE_MAX];
    double ratio = comparison->choice_microseconds / comparison->best_microseconds;
    if (!comparison->measured) {
        weir_text_append(text, sizeof text, "%s", say_unmeasured(facts, chosen));
    } else if (comparison->same) {
        weir_text_append(text, sizeof text, "%s",
            lessened
                ? weir_translate("Against the best that the hardware could give: this is it, for so many at a time.")
                : weir_translate("Against the best that the hardware could give: this is it, nothing is held back "
                                 "by a limit."));
    } else {
        weir_phrase_rung(&comparison->best, rung, sizeof rung);
        /* As they are shown, so that none is said to be less than the same. */
        bool equal =
            lround(comparison->choice_microseconds / shown_step) == lround(comparison->best_microseconds / shown_step);
        if (ratio > noise) {
            weir_text_append(text, sizeof text,
                weir_translate("Against the best that the hardware could give (%s): %.1f times as much."), rung, ratio);
        } else if (ratio >= 1 || equal) {
            weir_text_append(text, sizeof text,
                weir_translate("Against the best that the hardware could give (%s): no more."), rung);
        } else {
            weir_text_append(text, sizeof text,
                weir_translate("Against the best that the hardware could give: this is it, and costs less than %s."),
                rung);
        }
        weir_text_append(text, sizeof text,
            weir_translate_count(
                " For that, both were timed once more, in turns, on %u thread, with the made-up guest; "
                "the least of %u rounds: chosen %.1f us, %s %.1f us.",
                " For that, both were timed once more, in turns, on %u threads, with the made-up guest; the least of "
                "%u rounds: chosen %.1f us, %s %.1f us.",
                comparison->threads),
            comparison->threads, comparison->rounds, comparison->choice_microseconds, rung,
            comparison->best_microseconds);
        if (comparison->beyond) {
            weir_text_append(text, sizeof text, "%s",
                weir_translate(
                    " The best was timed in a process that had raised its limits on address space and data."));
        }
    }
    weir_page_text(page, INDENT, "  ", WEIR_INK_PLAIN, text);
}

static void print_choice(const weir_page_t *page, const weir_diagnosis_t *diagnosis)
{
    char text[TEXT_MAX] = "";
    char knobs_text[WEIR_PHRASE_MAX];
    const weir_rung_t *rung = weir_choice_rung(diagnosis->choice);
    weir_knobs_t knobs = weir_rung_knobs(rung);
    weir_phrase_rung(rung, text, sizeof text);
    if (rung->tier != WEIR_TIER_ONDEMAND) {
        weir_text_append(
            text, sizeof text, weir_translate("; it %s"), weir_phrase_knobs(&knobs, knobs_text, sizeof knobs_text));
    }
    weir_page_text(page, INDENT, "  ", WEIR_INK_GOOD, text);
    text[0] = '\0';
    weir_text_append(text, sizeof text, weir_translate("Why: %s."), weir_choice_reason(diagnosis->choice));
    weir_page_text(page, INDENT, "  ", WEIR_INK_PLAIN, text);
    print_sizes(page, diagnosis);
}

/* ---- Components -------------------------------------------------------------------------------------------------- */

static void print_apart(const weir_page_t *page, const weir_diagnosis_t *diagnosis)
{
    const weir_decision_t *decision = &diagnosis->choice->decision;
    const weir_rung_t *apart = weir_choice_rung_apart(diagnosis->choice);
    char text[TEXT_MAX] = "";
    char phrase[WEIR_PHRASE_MAX];
    weir_rung_t joined;
    if (apart == NULL) {
        return;
    }
    weir_page_heading(page, weir_translate("Components in an engine of their own"));
    for (size_t i = 0; i < diagnosis->guest_count; i++) {
        if (decision->apart[i]) {
            const weir_component_t *component = &diagnosis->application.manifest.components[diagnosis->components[i]];
            snprintf(text, sizeof text, weir_translate("%s: its memory begins with %s"), component->id,
                weir_size_text(diagnosis->guests[i].minimum_memory_bytes).text);
            weir_page_text(page, INDENT + INDENT, "  ", WEIR_INK_PLAIN, text);
        }
    }
    text[0] = '\0';
    weir_text_append(text, sizeof text, weir_translate("They are allocated apart: %s. "),
        weir_phrase_rung(apart, phrase, sizeof phrase));
    if (weir_report_joined_pool(diagnosis->choice, &joined)) {
        weir_text_append(text, sizeof text,
            weir_translate("With them in it, the pool for all would be no more than %s."),
            weir_phrase_rung(&joined, phrase, sizeof phrase));
    } else {
        weir_text_append(text, sizeof text, "%s", weir_translate("With them there would be no pool at all."));
    }
    weir_page_text(page, INDENT, "  ", WEIR_INK_PLAIN, text);
}

/* ---- What to do -------------------------------------------------------------------------------------------------- */

static void print_remedy(const weir_page_t *page, const weir_diagnosis_t *diagnosis)
{
    const weir_rung_t *rung = weir_choice_rung(diagnosis->choice);
    const char *advice = weir_choice_advice(diagnosis->choice);
    char text[TEXT_MAX];
    weir_page_heading(page, weir_translate("Remedy"));
    if (!weir_bounds_suffice(&diagnosis->bounds)) {
        weir_page_text(page, INDENT, "  ", WEIR_INK_PLAIN, weir_bounds_remedy(&diagnosis->bounds));
        /* Where no remedy of the allocator's own is known, that may be it. */
        if (!weir_choice_is_reduced(diagnosis->choice) ? rung != NULL : advice[0] == '\0') {
            return;
        }
    }
    if (!weir_choice_is_reduced(diagnosis->choice)) {
        const weir_comparison_t *comparison = &diagnosis->comparison;
        bool costly = diagnosis->strategy != WEIR_STRATEGY_AUTO && comparison->measured &&
                      comparison->choice_microseconds > noise * comparison->best_microseconds;
        if (costly) {
            snprintf(text, sizeof text,
                weir_translate("It was asked for (%s). If nothing is asked for, weir takes what costs least."),
                weir_report_wish(diagnosis->choice));
        } else {
            snprintf(text, sizeof text, "%s",
                weir_report_usual(diagnosis->choice, NULL, NULL)
                    ? weir_translate("There is nothing to remedy. For more requests at a time: more memory, or "
                                     "'--max-concurrency' with more of them.")
                    : weir_translate("There is nothing to remedy."));
        }
        weir_page_text(page, INDENT, "  ", WEIR_INK_PLAIN, text);
        return;
    }
    weir_page_text(page, INDENT, "  ", WEIR_INK_PLAIN,
        advice[0] != '\0'
            ? advice
            : weir_translate("None is known: nothing that was read from this machine explains what was refused. 'weir "
                             "doctor --json' has what the system said."));
    if (rung != NULL && weir_remedy_trades_slots(diagnosis->choice)) {
        snprintf(text, sizeof text,
            weir_translate("If memories must grow beyond %s, ask for fewer requests at a time, and each gets a larger "
                           "slot: '--max-concurrency %u', for example."),
            weir_size_text(rung->slot_bytes).text, rung->slots < 8 ? 1 : rung->slots / 4);
        weir_page_text(page, INDENT, "  ", WEIR_INK_PLAIN, text);
    }
}

/* ---- What is remembered ------------------------------------------------------------------------------------------ */

static void print_one_remembered(const weir_page_t *page, const weir_diagnosis_t *diagnosis)
{
    const weir_remembered_t *remembered = &diagnosis->remembered;
    char text[TEXT_MAX] = "";
    char phrase[WEIR_PHRASE_MAX];
    char since[32] = "";
    struct tm local;
    if (localtime_r(&remembered->since, &local) != NULL) {
        strftime(since, sizeof since, "%Y-%m-%d %H:%M", &local);
    }
    weir_text_append(text, sizeof text, weir_translate("For this application 'weir up' remembers since %s: %s"), since,
        weir_phrase_rung(&remembered->rung, phrase, sizeof phrase));
    if (remembered->rung.tier != WEIR_TIER_ONDEMAND) {
        weir_knobs_t knobs = weir_rung_knobs(&remembered->rung);
        weir_text_append(
            text, sizeof text, weir_translate("; it %s"), weir_phrase_knobs(&knobs, phrase, sizeof phrase));
    }
    weir_text_append(text, sizeof text, "%s",
        remembered->same ? weir_translate(". That is what was chosen above.")
        : remembered->same_size
            ? weir_translate(". That is what was chosen above, with another setting.")
            : weir_translate(". That is not what was chosen above, and is taken as long as it works."));
    weir_page_text(page, INDENT, "  ", remembered->same_size ? WEIR_INK_PLAIN : WEIR_INK_WARNING, text);
    if (diagnosis->memory_trouble == NULL) {
        weir_page_text(page, INDENT, "  ", WEIR_INK_PLAIN,
            weir_translate("To forget it and decide anew: 'weir up --decide-anew' with this application."));
    } else {
        snprintf(text, sizeof text, weir_translate("It stays, since nothing can be changed in %s: %s."),
            diagnosis->memory_directory, weir_translate(diagnosis->memory_trouble));
        weir_page_text(page, INDENT, "  ", WEIR_INK_WARNING, text);
    }
}

static void print_remembered(const weir_page_t *page, const weir_diagnosis_t *diagnosis)
{
    char text[TEXT_MAX] = "";
    weir_page_heading(page, weir_translate("What is remembered"));
    if (diagnosis->memory_directory == NULL) {
        weir_text_append(text, sizeof text, "%s",
            weir_translate("'weir up' remembers nothing, since neither XDG_CACHE_HOME nor HOME names a directory: it "
                           "decides anew at each start."));
    } else if (diagnosis->remembered.found) {
        print_one_remembered(page, diagnosis);
        return;
    } else if (diagnosis->memory_trouble != NULL) {
        weir_text_append(text, sizeof text,
            weir_translate("'weir up' remembers nothing, since nothing can be kept in %s: %s. It decides anew at each "
                           "start."),
            diagnosis->memory_directory, weir_translate(diagnosis->memory_trouble));
    } else if (diagnosis->has_application) {
        weir_text_append(text, sizeof text,
            weir_translate("Nothing in %s for this application in this environment: the next 'weir up' decides anew."),
            diagnosis->memory_directory);
    } else {
        weir_text_append(text, sizeof text,
            weir_translate("'weir up' remembers its decision for each application in %s, and proves it again at each "
                           "start. 'weir doctor APP' shows it, 'weir up --decide-anew' makes it anew."),
            diagnosis->memory_directory);
    }
    weir_page_text(page, INDENT, "  ", WEIR_INK_PLAIN, text);
}

static void print_end(const weir_page_t *page, const weir_diagnosis_t *diagnosis, bool verbose)
{
    char text[TEXT_MAX] = "";
    weir_text_append(text, sizeof text,
        diagnosis->has_application
            ? weir_translate("Decided anew in %.0f ms, and not remembered; with comparing, and compiling and timing "
                             "the application's components, it took %.1f s.")
            : weir_translate("Decided anew in %.0f ms, and not remembered; with comparing, it took %.1f s."),
        weir_choice_milliseconds(diagnosis->choice), diagnosis->total_milliseconds / 1000);
    if (!verbose) {
        weir_text_append(text, sizeof text, "%s",
            weir_translate(" '--verbose' shows all facts and all that was considered, '--json' everything."));
    }
    fputc('\n', page->stream);
    weir_page_text(page, 0, "", WEIR_INK_PLAIN, text);
}

void weir_diagnosis_print_text(const weir_diagnosis_t *diagnosis, bool verbose)
{
    weir_page_t page;
    weir_page_init(&page);
    print_verdict(&page, diagnosis);
    if (!diagnosis->has_application) {
        weir_page_text(&page, 0, "", WEIR_INK_PLAIN,
            weir_translate("No application was given: all that follows is for a usual small component. 'weir doctor -f "
                           "APP' judges for an application."));
    }
    weir_page_heading(&page, weir_translate("What was found"));
    weir_doctor_print_facts(&page, diagnosis, verbose);
    weir_page_heading(&page, weir_translate("What was tried"));
    weir_doctor_print_ladder(&page, diagnosis->choice, verbose);
    if (weir_choice_rung(diagnosis->choice) != NULL) {
        weir_page_heading(&page, weir_translate("What was chosen"));
        print_choice(&page, diagnosis);
        weir_page_heading(&page, weir_translate("What it costs"));
        print_knobs(&page, diagnosis, verbose);
        print_comparison(&page, &diagnosis->comparison, weir_choice_facts(diagnosis->choice),
            weir_choice_rung(diagnosis->choice), weir_report_usual(diagnosis->choice, NULL, NULL));
    }
    print_apart(&page, diagnosis);
    print_remedy(&page, diagnosis);
    print_remembered(&page, diagnosis);
    print_end(&page, diagnosis, verbose);
}
