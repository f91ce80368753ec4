/*
 * doctor_ladder.c: what was tried, one entry for each kind; what is alike is summed up.
 */
#include "cli/doctor_ladder.h"

#include "allocator/phrases.h"
#include "allocator/report.h"
#include "allocator/text.h"
#include "allocator/translate.h"

#include <stdio.h>
#include <string.h>

enum {
    TEXT_MAX = 1024,
    INDENT = 2,
    LABEL_END = 14, /* where the text behind a label begins */
};

static void print_result(
    const weir_page_t *page, const char *label, weir_ink_t ink, const weir_rung_t *rung, const char *text)
{
    char phrase[WEIR_PHRASE_MAX];
    char lead[64] = "  ";
    weir_text_append(lead, sizeof lead, "%s ", label);
    weir_page_pad(lead, sizeof lead, LABEL_END);
    weir_page_text(page, LABEL_END, lead, ink, weir_phrase_rung(rung, phrase, sizeof phrase));
    weir_page_text(page, LABEL_END + INDENT, "", WEIR_INK_PLAIN, text);
}

static void print_passed(const weir_page_t *page, const weir_trial_result_t *result, bool chosen)
{
    const weir_verdict_t *verdict = &result->verdict;
    char text[TEXT_MAX] = "";
    weir_text_append(text, sizeof text, weir_translate("%.1f us per instance; engine made in %.1f ms"),
        verdict->instance_microseconds, verdict->engine_milliseconds);
    if (verdict->held >= result->rung.slots) {
        weir_text_append(text, sizeof text,
            weir_translate_count("; %u instance held at once", "; all %u instances held at once", verdict->held),
            verdict->held);
    } else if (verdict->held > 0) {
        weir_text_append(
            text, sizeof text, weir_translate("; %u of %u instances held at once"), verdict->held, result->rung.slots);
    }
    if (verdict->held > 0) {
        weir_text_append(text, sizeof text, weir_translate_count(" on %u thread", " on %u threads", verdict->threads),
            verdict->threads);
    }
    print_result(page, chosen ? weir_translate("chosen") : weir_translate("works"),
        chosen ? WEIR_INK_GOOD : WEIR_INK_PLAIN, &result->rung, text);
}

static const char *failure_label(const weir_verdict_t *verdict)
{
    switch (verdict->outcome) {
    case WEIR_OUTCOME_NOT_TRIED:
        return weir_translate("too large");
    case WEIR_OUTCOME_REFUSED:
        return weir_translate("refused");
    case WEIR_OUTCOME_DEADLINE:
        return weir_translate("too slow");
    case WEIR_OUTCOME_PASSED:
    case WEIR_OUTCOME_CONTENTS:
    case WEIR_OUTCOME_SIGNAL:
    case WEIR_OUTCOME_EXIT:
    case WEIR_OUTCOME_REPORT:
    case WEIR_OUTCOME_SYSTEM:
        break;
    }
    return weir_translate("failed");
}

static bool is_ruled_out(const weir_trial_result_t *result)
{
    return result->verdict.outcome == WEIR_OUTCOME_NOT_TRIED && result->verdict.limit != WEIR_LIMIT_NONE;
}

static bool is_needless(const weir_trial_result_t *result)
{
    return result->verdict.outcome == WEIR_OUTCOME_NOT_TRIED && result->verdict.limit == WEIR_LIMIT_NONE;
}

/* Whether an earlier step of that tier was ruled out by the same limit: one of them is enough. */
static bool was_said(const weir_trial_result_t *ladder, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (is_ruled_out(&ladder[i]) && ladder[i].rung.tier == ladder[index].rung.tier &&
            ladder[i].verdict.limit == ladder[index].verdict.limit) {
            return true;
        }
    }
    return false;
}

/* No process could be had, and for the same reason none for an earlier step. */
static bool failed_before(const weir_trial_result_t *ladder, size_t index)
{
    const weir_verdict_t *verdict = &ladder[index].verdict;
    for (size_t i = 0; verdict->outcome == WEIR_OUTCOME_SYSTEM && i < index; i++) {
        const weir_verdict_t *earlier = &ladder[i].verdict;
        if (earlier->outcome == WEIR_OUTCOME_SYSTEM && earlier->error_number == verdict->error_number &&
            strcmp(earlier->call, verdict->call) == 0) {
            return true;
        }
    }
    return false;
}

/* How many steps are left out, since what would be said of them was said of others. */
static void print_unsaid(const weir_page_t *page, const char *label, unsigned unsaid)
{
    char text[TEXT_MAX];
    char lead[64] = "  ";
    if (unsaid == 0) {
        return;
    }
    weir_text_append(lead, sizeof lead, "%s ", label);
    weir_page_pad(lead, sizeof lead, LABEL_END);
    snprintf(text, sizeof text,
        weir_translate_count("%u more, for the same reasons", "%u more, for the same reasons", unsaid), unsaid);
    weir_page_text(page, LABEL_END, lead, WEIR_INK_WARNING, text);
}

/* The steps that were not tried for one reason each, in a sentence. */
static void print_needless(const weir_page_t *page, const weir_trial_result_t *ladder, size_t count)
{
    char text[TEXT_MAX] = "";
    for (size_t i = 0; i < count; i++) {
        const char *reason = is_needless(&ladder[i]) ? weir_phrase_untried(&ladder[i].verdict) : NULL;
        unsigned same = 0;
        bool earlier = false;
        for (size_t j = 0; reason != NULL && j < count; j++) {
            if (is_needless(&ladder[j]) && strcmp(weir_phrase_untried(&ladder[j].verdict), reason) == 0) {
                same++;
                earlier = earlier || j < i;
            }
        }
        if (same > 0 && !earlier) {
            weir_text_append(text, sizeof text, "%s", text[0] == '\0' ? "" : weir_translate("; "));
            weir_text_append(text, sizeof text, weir_translate("%u because %s"), same, reason);
        }
    }
    if (text[0] != '\0') {
        char lead[64] = "  ";
        weir_text_append(lead, sizeof lead, "%s ", weir_translate("not tried"));
        weir_page_pad(lead, sizeof lead, LABEL_END);
        weir_text_append(text, sizeof text, "%s", weir_translate("."));
        weir_page_text(page, LABEL_END, lead, WEIR_INK_PLAIN, text);
    }
}

void weir_doctor_print_ladder(const weir_page_t *page, const weir_choice_t *choice, bool verbose)
{
    size_t count;
    const weir_trial_result_t *ladder = weir_choice_ladder(choice, &count);
    char text[TEXT_MAX];
    unsigned unsaid = 0;
    unsigned failed = 0;
    if (weir_choice_rung(choice) != NULL) {
        weir_page_text(page, INDENT, "  ", WEIR_INK_PLAIN,
            weir_translate("Each in a process of its own, timed with a made-up guest: create an instance, write to it, "
                           "run it, drop it."));
    }
    for (size_t i = 0; i < count; i++) {
        if (ladder[i].verdict.outcome == WEIR_OUTCOME_PASSED) {
            print_passed(page, &ladder[i], i == weir_choice_index(choice));
        } else if (is_ruled_out(&ladder[i]) && !verbose && was_said(ladder, i)) {
            unsaid++;
        } else if (!verbose && failed_before(ladder, i)) {
            failed++;
        } else if (!is_needless(&ladder[i]) || verbose) {
            weir_report_obstacle_text(choice, &choice->decision.pool, &ladder[i], text, sizeof text);
            print_result(page,
                is_needless(&ladder[i]) ? weir_translate("not tried") : failure_label(&ladder[i].verdict),
                is_needless(&ladder[i]) ? WEIR_INK_PLAIN : WEIR_INK_WARNING, &ladder[i].rung, text);
            if (verbose && ladder[i].verdict.outcome != WEIR_OUTCOME_NOT_TRIED) {
                weir_page_text(page, LABEL_END + INDENT, "", WEIR_INK_PLAIN, ladder[i].verdict.message);
            }
        }
    }
    print_unsaid(page, weir_translate("too large"), unsaid);
    print_unsaid(page, weir_translate("failed"), failed);
    if (!verbose) {
        print_needless(page, ladder, count);
    }
}
