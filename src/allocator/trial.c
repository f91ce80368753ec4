/*
 * trial.c: runs the trial of a rung and turns its end into a verdict.
 */
#include "allocator/trial.h"

#include "allocator/refusal.h"
#include "allocator/text.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const double microseconds_most = 60e6; /* more than any deadline: such a report is not to be believed */

/* Two settings whose costs are this close cost the same: they were timed against each other. */
static const double noise = 1.03;

/* But not where they are further apart than this, however quick one's quickest round was. */
static const double far = 1.5;

/* What had a processor for less than this share of its time hardly had one. */
static const double starved_share = 0.25;

/* ---- Verdicts on refusals ---------------------------------------------------------------------------------------- */

static const char *refused_name(weir_refused_t what, const char *stage)
{
    switch (what) {
    case WEIR_REFUSED_MEMORIES:
        return "for memories";
    case WEIR_REFUSED_TABLES:
        return "for tables";
    case WEIR_REFUSED_STACKS:
        return "for stacks";
    case WEIR_REFUSED_CODE:
        return "for code";
    case WEIR_REFUSED_OTHER:
        break;
    }
    return strcmp(stage, "engine") == 0 ? "for the engine" : "for an instance";
}

/* "mmap of 4.1 TiB for memories was refused: Cannot allocate memory (errno 12); RLIMIT_AS is 64 GiB". */
static void describe_refusal(const weir_facts_t *facts, const weir_probe_report_t *report,
    const weir_refusal_t *refusal, weir_verdict_t *verdict)
{
    char *text = verdict->message;
    size_t size = sizeof verdict->message;
    char value[32];
    text[0] = '\0';
    if (refusal->error_number == 0) {
        weir_text_append(text, size, "%s: %s", report->stage, report->message);
        return;
    }
    weir_text_append(text, size, "%s", verdict->call[0] != '\0' ? verdict->call : "a system call");
    if (refusal->bytes != 0) {
        weir_text_append(text, size, " of %s", weir_size_text(refusal->bytes).text);
    }
    weir_text_append(text, size, " %s was refused", refused_name(refusal->what, report->stage));
    verdict->held = report->held;
    if (report->held > 0) {
        weir_text_append(text, size, " with %u instances held", (unsigned)report->held);
    }
    weir_text_append(text, size, ": %s (errno %d)", strerror(refusal->error_number), refusal->error_number);
    weir_limit_value_text(facts, verdict->limit, value, sizeof value);
    if (value[0] != '\0') {
        weir_text_append(text, size, "; %s is %s", weir_limit_name(verdict->limit), value);
    }
}

static void judge_refusal(
    const weir_facts_t *facts, const weir_plan_t *plan, const weir_probe_report_t *report, weir_verdict_t *verdict)
{
    weir_refusal_t refusal;
    weir_refusal_parse(report->message, strlen(report->message), &refusal);
    if (refusal.error_number == 0 && report->error_number > 0 && report->error_number < 4096) {
        refusal.error_number = report->error_number;
    }
    if (strcmp(report->stage, "reserve") == 0) {
        refusal.bytes = plan->reserve_address > plan->reserve_commit ? plan->reserve_address : plan->reserve_commit;
        snprintf(refusal.call, sizeof refusal.call, "mmap");
    }
    verdict->error_number = refusal.error_number;
    verdict->refused_bytes = refusal.bytes;
    snprintf(verdict->call, sizeof verdict->call, "%s", refusal.call);
    verdict->limit = weir_refusal_limit(facts, &report->usage, &plan->rung, &plan->needs, &refusal);
    describe_refusal(facts, report, &refusal, verdict);
}

/* ---- Verdicts on reports ----------------------------------------------------------------------------------------- */

static bool is_measured(double value)
{
    return isfinite(value) && value > 0 && value < microseconds_most;
}

static bool is_text(const char *text, size_t size)
{
    return memchr(text, '\0', size) != NULL;
}

static bool is_fact(const weir_fact_t *fact)
{
    return fact->knowledge == WEIR_UNKNOWN || fact->knowledge == WEIR_KNOWN;
}

static uint32_t count_costs(const weir_plan_t *plan)
{
    return plan->knob_count == 0 ? 1 : plan->knob_count;
}

/* Each is a measurement or says that there is none, and there is one. */
static bool are_costs(const weir_plan_t *plan, const weir_probe_report_t *report)
{
    bool one = plan->time_milliseconds == 0;
    for (uint32_t i = 0; i < count_costs(plan); i++) {
        double cost = report->microseconds[i];
        double fastest = report->least_microseconds[i];
        if (cost != 0 && (!is_measured(cost) || !is_measured(fastest) || fastest > cost)) {
            return false;
        }
        one = one || cost != 0;
    }
    return one;
}

static bool is_report(const weir_plan_t *plan, const weir_probe_report_t *report)
{
    bool texts = is_text(report->stage, sizeof report->stage) && is_text(report->message, sizeof report->message);
    bool facts =
        is_fact(&report->usage.address_space) && is_fact(&report->usage.data) && is_fact(&report->usage.mappings);
    if (report->magic != WEIR_PROBE_MAGIC || !texts || !facts) {
        return false;
    }
    switch ((weir_outcome_t)report->outcome) {
    case WEIR_OUTCOME_PASSED:
        return is_measured(report->engine_milliseconds) && are_costs(plan, report);
    case WEIR_OUTCOME_REFUSED:
    case WEIR_OUTCOME_CONTENTS:
    case WEIR_OUTCOME_SYSTEM:
        return true;
    case WEIR_OUTCOME_NOT_TRIED:
    case WEIR_OUTCOME_DEADLINE:
    case WEIR_OUTCOME_SIGNAL:
    case WEIR_OUTCOME_EXIT:
    case WEIR_OUTCOME_REPORT:
        break;
    }
    return false;
}

/* The earliest setting whose cost is, or may be but for what disturbed it, the least within noise. */
static void judge_costs(const weir_plan_t *plan, const weir_probe_report_t *report, weir_verdict_t *verdict)
{
    double least = 0;
    verdict->engine_milliseconds = report->engine_milliseconds;
    verdict->held = report->held;
    verdict->threads = report->threads;
    if (plan->time_milliseconds == 0) {
        return;
    }
    verdict->variant_count = count_costs(plan);
    for (uint32_t i = 0; i < verdict->variant_count; i++) {
        double cost = report->microseconds[i];
        weir_knobs_t knobs = plan->knob_count == 0 ? weir_rung_knobs(&plan->rung) : plan->knobs[i];
        verdict->variants[i] = (weir_variant_t){knobs, cost};
        least = cost != 0 && (least == 0 || cost < least) ? cost : least;
    }
    for (uint32_t i = verdict->variant_count; i-- > 0;) {
        double cost = report->microseconds[i];
        if (cost != 0 && report->least_microseconds[i] <= least * noise && cost <= least * far) {
            verdict->variant = i;
            verdict->instance_microseconds = cost;
            verdict->least_microseconds = report->least_microseconds[i];
        }
    }
}

static void judge_report(
    const weir_facts_t *facts, const weir_plan_t *plan, const weir_probe_report_t *report, weir_verdict_t *verdict)
{
    if (!is_report(plan, report)) {
        verdict->outcome = WEIR_OUTCOME_REPORT;
        snprintf(verdict->message, sizeof verdict->message, "%s", WEIR_REPORT_MAKES_NO_SENSE);
        return;
    }
    verdict->outcome = (weir_outcome_t)report->outcome;
    if (verdict->outcome == WEIR_OUTCOME_PASSED) {
        judge_costs(plan, report, verdict);
    } else if (verdict->outcome == WEIR_OUTCOME_REFUSED) {
        judge_refusal(facts, plan, report, verdict);
    } else {
        weir_text_append(verdict->message, sizeof verdict->message, "%s: %s", report->stage, report->message);
    }
}

/* ---- Verdicts on ends -------------------------------------------------------------------------------------------- */

static void complain(weir_verdict_t *verdict, const weir_child_result_t *result)
{
    if (result->complaint[0] != '\0') {
        weir_text_append(verdict->message, sizeof verdict->message, "; it said: %s", result->complaint);
    }
}

/* SIGKILL comes from the kernel when memory runs out, and then from the tightest limit on what may be touched. */
static weir_limit_t killer(const weir_facts_t *facts, int signal_number)
{
    if (signal_number != SIGKILL) {
        return WEIR_LIMIT_UNKNOWN;
    }
    return facts->cgroup_limit.knowledge == WEIR_KNOWN ? WEIR_LIMIT_CGROUP : WEIR_LIMIT_MEMORY;
}

void weir_trial_judge(const weir_facts_t *facts, const weir_plan_t *plan, const weir_child_result_t *result,
    const weir_probe_report_t *report, weir_verdict_t *ret_verdict)
{
    weir_verdict_t verdict = {.outcome = WEIR_OUTCOME_SYSTEM,
        .limit = WEIR_LIMIT_UNKNOWN,
        .detail = result->detail,
        .processor_milliseconds = result->processor_milliseconds};
    char *text = verdict.message;
    size_t size = sizeof verdict.message;
    switch (result->end) {
    case WEIR_CHILD_REPORTED:
        judge_report(facts, plan, report, &verdict);
        verdict.limit = verdict.outcome == WEIR_OUTCOME_PASSED ? WEIR_LIMIT_NONE : verdict.limit;
        break;
    case WEIR_CHILD_SILENT:
        verdict.outcome = WEIR_OUTCOME_EXIT;
        weir_text_append(text, size, "the trial exited with status %d and no report", result->detail);
        complain(&verdict, result);
        break;
    case WEIR_CHILD_SHORT:
        verdict.outcome = WEIR_OUTCOME_REPORT;
        weir_text_append(text, size, "the trial's report was cut short");
        complain(&verdict, result);
        break;
    case WEIR_CHILD_SIGNAL:
        verdict.outcome = WEIR_OUTCOME_SIGNAL;
        verdict.limit = killer(facts, result->detail);
        weir_text_append(text, size, "the trial died of signal %d (%s)", result->detail, strsignal(result->detail));
        complain(&verdict, result);
        break;
    case WEIR_CHILD_DEADLINE:
        verdict.outcome = WEIR_OUTCOME_DEADLINE;
        verdict.detail = (int)(plan->deadline < INT_MAX ? plan->deadline : INT_MAX);
        verdict.limit = weir_fact_is(facts->emulated, 1) ? WEIR_LIMIT_EMULATION : WEIR_LIMIT_UNKNOWN;
        weir_text_append(text, size, "not done after %.1f s, and killed", (double)plan->deadline / 1e3);
        complain(&verdict, result);
        break;
    case WEIR_CHILD_SYSTEM:
        verdict.error_number = result->error_number;
        verdict.limit = weir_limit_of_fork(result->call, result->error_number);
        snprintf(verdict.call, sizeof verdict.call, "%s", result->call);
        weir_text_append(text, size, "no trial: %s: %s (errno %d)", result->call, strerror(result->error_number),
            result->error_number);
        break;
    }
    *ret_verdict = verdict;
}

bool weir_verdict_is_starved(const weir_verdict_t *verdict)
{
    return verdict->outcome == WEIR_OUTCOME_DEADLINE && verdict->processor_milliseconds > 0 &&
           verdict->processor_milliseconds < starved_share * verdict->detail;
}

/* ---- Running ----------------------------------------------------------------------------------------------------- */

static bool write_all(int descriptor, const void *bytes, size_t size)
{
    const char *at = bytes;
    while (size > 0) {
        ssize_t written = write(descriptor, at, size);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return false;
        }
        at += written;
        size -= (size_t)written;
    }
    return true;
}

/* As far as this process may. False: no further than it was. */
static bool raise_limit(int resource)
{
    const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
    struct rlimit limit;
    if (getrlimit(resource, &limit) != 0) {
        return false;
    }
    if (limit.rlim_cur == RLIM_INFINITY || setrlimit(resource, &unlimited) == 0) {
        return true;
    }
    bool higher = limit.rlim_cur != limit.rlim_max;
    limit.rlim_cur = limit.rlim_max;
    return higher && setrlimit(resource, &limit) == 0;
}

static int run_probe(int report_descriptor, void *context)
{
    const weir_plan_t *plan = context;
    weir_module_shape_t shape;
    weir_probe_report_t report;
    if (plan->raise_limits && (!raise_limit(RLIMIT_AS) || !raise_limit(RLIMIT_DATA))) {
        return 1;
    }
    weir_module_shape_make(&plan->needs, &shape);
    weir_probe_run(plan, &shape, &shape, &report);
    return write_all(report_descriptor, &report, sizeof report) ? 0 : 1;
}

void weir_trial_run(const weir_facts_t *facts, const weir_plan_t *plan, weir_verdict_t *ret_verdict)
{
    weir_plan_t copy = *plan;
    weir_probe_report_t report;
    weir_child_result_t result;
    weir_child_run(run_probe, &copy, plan->deadline, &report, sizeof report, &result);
    weir_trial_judge(facts, plan, &result, &report, ret_verdict);
}

struct weir_trial {
    weir_plan_t plan;
    weir_probe_report_t report;
    weir_child_t *child;
};

weir_trial_t *weir_trial_begin(const weir_plan_t *plan)
{
    weir_trial_t *trial = malloc(sizeof *trial);
    if (trial != NULL) {
        trial->plan = *plan;
        trial->child = weir_child_begin(run_probe, &trial->plan, plan->deadline, &trial->report, sizeof trial->report);
        if (trial->child == NULL) {
            free(trial);
            trial = NULL;
        }
    }
    return trial;
}

void weir_trial_end(weir_trial_t *own_trial, const weir_facts_t *facts, weir_verdict_t *ret_verdict)
{
    weir_child_result_t result;
    weir_child_end(own_trial->child, &result);
    weir_trial_judge(facts, &own_trial->plan, &result, &own_trial->report, ret_verdict);
    free(own_trial);
}
