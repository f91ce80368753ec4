/*
 * probe.c: what the child of a trial does.
 *
 * A rung is proved before it is timed: a system may grant reservations and fail to keep them, so as many instances as
 * are promised are held at once, with memory touched. The settings of its knobs change neither what is reserved nor the
 * code: they are timed in the same child, in small pools of the same slots, against each other.
 */
#include "allocator/probe.h"

#include "allocator/child.h"
#include "allocator/configure.h"
#include "allocator/contents.h"
#include "allocator/gang.h"
#include "allocator/subject.h"
#include "allocator/timing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

typedef struct probe {
    const weir_plan_t *plan;
    const weir_module_shape_t *shape;
    const weir_module_shape_t *expected;
    weir_probe_report_t *report;
    weir_trouble_t trouble;
    weir_subject_t subject;
    weir_instance_t *instances; /* those that are held */
    atomic_uint held;
    double hold_until;
} probe_t;

/* What the program will need beside instances is taken out of the trial's reach, where a limit counts it. */
static bool take_reserves(probe_t *probe)
{
    const struct {
        uint64_t bytes;
        int protection;
    } reserves[] = {
        {probe->plan->reserve_address, PROT_NONE},
        {probe->plan->reserve_commit, PROT_READ | PROT_WRITE},
    };
    for (size_t i = 0; i < sizeof reserves / sizeof reserves[0]; i++) {
        if (reserves[i].bytes == 0) {
            continue;
        }
        void *kept = mmap(NULL, (size_t)reserves[i].bytes, reserves[i].protection,
            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (kept == MAP_FAILED) {
            probe->trouble.error_number = errno;
            return weir_trouble_note(
                &probe->trouble, WEIR_OUTCOME_REFUSED, "reserve", "nothing is left for the program itself");
        }
    }
    return true;
}

/* ---- Many at once ------------------------------------------------------------------------------------------------ */

static bool hold_one(probe_t *probe, weir_instance_t *instance, uint32_t index)
{
    const int32_t mark = (int32_t)(index + 1);
    int32_t seen = 0;
    return weir_instance_open(&probe->subject, instance) &&
           weir_instance_call(&probe->subject, instance, "work", &mark, 1, &seen);
}

/* Each thread takes every so manieth instance. */
static void hold_share(weir_gang_t *gang, unsigned thread, void *context)
{
    probe_t *probe = context;
    uint32_t count = 0;
    for (uint32_t i = thread; i < probe->plan->hold && !atomic_load(&probe->trouble.taken); i += weir_gang_size(gang)) {
        bool enough = count >= 2 && weir_clock_milliseconds() > probe->hold_until;
        if (enough || !hold_one(probe, &probe->instances[i], i)) {
            break;
        }
        count++;
        atomic_fetch_add(&probe->held, 1);
    }
}

/* Each instance has its own mark, so that two that share memory give themselves away. */
static bool marks_are_right(probe_t *probe)
{
    for (uint32_t i = 0; i < probe->plan->hold; i++) {
        size_t size = 0;
        uint32_t found = 0;
        if (probe->instances[i].store == NULL) {
            continue;
        }
        const unsigned char *memory = weir_instance_memory(&probe->instances[i], &size);
        if (size < probe->shape->touched_at + sizeof found) {
            return weir_trouble_note(&probe->trouble, WEIR_OUTCOME_CONTENTS, "hold", "an instance's memory shrank");
        }
        memcpy(&found, memory + probe->shape->touched_at, sizeof found);
        const uint32_t marked = i + 1;
        /* WebAssembly's memory is little-endian everywhere. */
        const unsigned char bytes[] = {(unsigned char)marked, (unsigned char)(marked >> 8),
            (unsigned char)(marked >> 16), (unsigned char)(marked >> 24)};
        if (memcmp(bytes, &found, sizeof bytes) != 0) {
            return weir_trouble_note(&probe->trouble, WEIR_OUTCOME_CONTENTS, "hold", "two instances share memory");
        }
    }
    return true;
}

static bool hold_many(probe_t *probe)
{
    uint32_t wanted = probe->plan->hold;
    probe->instances = calloc(wanted, sizeof *probe->instances);
    if (probe->instances == NULL) {
        return weir_trouble_note(
            &probe->trouble, WEIR_OUTCOME_REFUSED, "hold", "no memory to keep a list of instances");
    }
    probe->hold_until = weir_clock_milliseconds() + probe->plan->hold_milliseconds;
    weir_gang_run(probe->plan->threads, hold_share, probe);
    bool good = !atomic_load(&probe->trouble.taken) && marks_are_right(probe);
    for (uint32_t i = 0; i < wanted; i++) {
        weir_instance_close(&probe->instances[i]);
    }
    free(probe->instances);
    probe->report->held = atomic_load(&probe->held);
    return good;
}

/* ---- Knobs ------------------------------------------------------------------------------------------------------- */

/* The rung that a setting is timed in: with as many slots as are in use at once, and no more. */
static weir_rung_t small_rung(const weir_plan_t *plan, const weir_knobs_t *knobs)
{
    static const weir_budgets_t unbounded = {.arenas = 0};
    weir_rung_t rung = plan->rung;
    uint32_t slots = plan->threads + knobs->decommit_batch;
    rung.slots = rung.slots < slots ? rung.slots : slots;
    weir_rung_set_knobs(&rung, knobs, &unbounded);
    return rung;
}

/* A setting that does not work is left out; that is no failure of the rung, as long as one works. */
static bool make_variant(
    const probe_t *probe, const weir_knobs_t *knobs, weir_trouble_t *trouble, weir_subject_t *subject)
{
    weir_rung_t rung = small_rung(probe->plan, knobs);
    bool good = weir_subject_make(subject, &rung, trouble) &&
                weir_subject_load(subject, &probe->plan->needs, probe->shape, probe->plan->code) &&
                weir_contents_check(subject, &rung, probe->shape, probe->expected, WEIR_CONTENTS_PLACES_QUICK);
    if (!good) {
        weir_subject_free(subject);
    }
    return good;
}

static bool time_knobs(probe_t *probe)
{
    weir_trouble_t troubles[WEIR_VARIANTS_MAX] = {{.outcome = WEIR_OUTCOME_PASSED}};
    weir_subject_t subjects[WEIR_VARIANTS_MAX];
    weir_timed_t timed[WEIR_VARIANTS_MAX];
    uint32_t places[WEIR_VARIANTS_MAX];
    size_t count = 0;
    const weir_trouble_t *trouble = NULL;
    bool wrong_contents = false;
    for (uint32_t i = 0; i < probe->plan->knob_count; i++) {
        if (make_variant(probe, &probe->plan->knobs[i], &troubles[i], &subjects[count])) {
            timed[count] = (weir_timed_t){.cycle = weir_subject_cycle,
                .context = &subjects[count],
                .huge_pages_off = probe->plan->knobs[i].huge_pages_off};
            places[count++] = i;
        } else if (trouble == NULL || (troubles[i].outcome == WEIR_OUTCOME_CONTENTS && !wrong_contents)) {
            trouble = &troubles[i];
            wrong_contents = trouble->outcome == WEIR_OUTCOME_CONTENTS;
        }
    }
    probe->report->threads = weir_timing_run(timed, count, probe->plan->threads, probe->plan->time_milliseconds);
    bool works = false;
    for (size_t i = 0; i < count; i++) {
        probe->report->microseconds[places[i]] = timed[i].microseconds;
        probe->report->least_microseconds[places[i]] = timed[i].least_microseconds;
        works = works || timed[i].microseconds > 0;
        if (timed[i].microseconds == 0 && trouble == NULL) {
            trouble = &troubles[places[i]];
        }
        weir_subject_free(&subjects[i]);
    }
    if (!works && trouble != NULL) {
        probe->trouble = *trouble;
    }
    return works;
}

/* The rung as it is: on demand there are no knobs, and elsewhere it has those that it is to be timed with. */
static bool time_subject(probe_t *probe)
{
    weir_timed_t timed = {
        .cycle = weir_subject_cycle, .context = &probe->subject, .huge_pages_off = probe->plan->rung.huge_pages_off};
    probe->report->threads = weir_timing_run(&timed, 1, probe->plan->threads, probe->plan->time_milliseconds);
    probe->report->microseconds[0] = timed.microseconds;
    probe->report->least_microseconds[0] = timed.least_microseconds;
    return timed.microseconds > 0;
}

/* ---- The whole --------------------------------------------------------------------------------------------------- */

static bool prove(probe_t *probe)
{
    const weir_plan_t *plan = probe->plan;
    uint32_t places = plan->time_milliseconds > 0 ? WEIR_CONTENTS_PLACES : WEIR_CONTENTS_PLACES_QUICK;
    weir_rung_t checked = plan->rung;
    if (plan->checks_little) {
        checked.memory_keep_resident_bytes = 0;
    }
    bool good = take_reserves(probe) && weir_subject_make(&probe->subject, &plan->rung, &probe->trouble);
    probe->report->engine_milliseconds = probe->subject.engine_milliseconds;
    return good && weir_subject_load(&probe->subject, &plan->needs, probe->shape, plan->code) &&
           weir_contents_check(&probe->subject, &checked, probe->shape, probe->expected, places) && hold_many(probe);
}

void weir_probe_run(const weir_plan_t *plan, const weir_module_shape_t *shape, const weir_module_shape_t *expected,
    weir_probe_report_t *report)
{
    probe_t probe = {.plan = plan, .shape = shape, .expected = expected, .report = report};
    *report = (weir_probe_report_t){.magic = WEIR_PROBE_MAGIC};
    weir_limit_arenas(plan->arenas);
    weir_huge_pages_set(plan->rung.huge_pages_off); /* whatever the program has by now */
    bool good = prove(&probe);
    if (good && plan->time_milliseconds > 0) {
        if (plan->knob_count == 0 || plan->rung.tier == WEIR_TIER_ONDEMAND) {
            good = time_subject(&probe);
        } else {
            /* Its reservation may be all that there is. */
            weir_subject_free(&probe.subject);
            good = time_knobs(&probe);
        }
    }
    /* What is still there goes with the process, which is faster. */
    report->outcome = good ? WEIR_OUTCOME_PASSED : (int32_t)probe.trouble.outcome;
    report->error_number = probe.trouble.error_number;
    report->usage = probe.trouble.usage;
    snprintf(report->stage, sizeof report->stage, "%s", probe.trouble.stage);
    snprintf(report->message, sizeof report->message, "%s", probe.trouble.message);
}
