/*
 * tune.c: times a program's own work with the knobs that the chosen rung could have.
 *
 * Rung and code stay as they are; what is kept resident, and when memory is given back, decides for a large guest more
 * than anything else, and only the guest itself shows how much it writes.
 */
#include "allocator/child.h"
#include "allocator/choice.h"
#include "allocator/configure.h"
#include "allocator/options.h"
#include "allocator/process.h"
#include "allocator/report.h"
#include "allocator/text.h"
#include "allocator/timing.h"
#include "allocator/translate.h"
#include "weir_bridge.h"

#include <errno.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MAGIC = 0x74756e65, TIME_NATIVE = 60, TIME_EMULATED = 600, THREADS_MOST = 16 };

/* Two settings whose costs are this close cost the same. */
static const double noise = 1.03;

static const double microseconds_most = 600e6;

typedef struct tuning {
    const weir_choice_t *choice;
    const weir_workload_t *workload;
    weir_knobs_t knobs[WEIR_VARIANTS_MAX];
    uint32_t count;
    bool timed; /* false: it is prepared, no more */
    /* Whether the first setting was ready, which means that all code is compiled; shared with the child. NULL: there is
     * no such memory. */
    atomic_bool *begun;
} tuning_t;

typedef struct tuning_report {
    uint32_t magic;
    double microseconds[WEIR_VARIANTS_MAX];
} tuning_report_t;

/* One setting, ready. */
typedef struct setting {
    const weir_workload_t *workload;
    wasm_engine_t *engine;
    void *prepared;
} setting_t;

/* ---- In the child ------------------------------------------------------------------------------------------------ */

static bool run_cycle(void *context, unsigned thread)
{
    const setting_t *setting = context;
    return setting->workload->cycle(setting->prepared, thread);
}

/* What is written to standard error is quoted by the parent. Takes the error. */
static void say(wasmtime_error_t *take_error)
{
    wasm_name_t message;
    wasmtime_error_message(take_error, &message);
    dprintf(STDERR_FILENO, "%.*s", (int)message.size, message.data);
    wasm_name_delete(&message);
    wasmtime_error_delete(take_error);
}

static bool make_setting(const tuning_t *tuning, uint32_t index, uint32_t threads, setting_t *setting)
{
    static const weir_budgets_t unbounded = {.arenas = 0};
    const weir_workload_t *workload = tuning->workload;
    weir_rung_t rung = *weir_choice_rung(tuning->choice);
    uint32_t slots = threads + tuning->knobs[index].decommit_batch;
    *setting = (setting_t){.workload = workload};
    /* Only as many slots as are used at once: the cost of one does not depend on how many there are. */
    rung.slots = rung.slots < slots ? rung.slots : slots;
    weir_rung_set_knobs(&rung, &tuning->knobs[index], &unbounded);
    wasm_config_t *config = workload->config_new(workload->context);
    if (config == NULL) {
        return false;
    }
    if (weir_rung_configure(&rung, config) != WEIR_OK) {
        wasm_config_delete(config);
        return false;
    }
    wasmtime_error_t *error = weir_engine_new(config, &setting->engine, NULL);
    if (error == NULL) {
        error = workload->prepare(workload->context, setting->engine, &setting->prepared);
        if (error == NULL) {
            return true;
        }
        weir_engine_delete(setting->engine);
    }
    if (index == 0) {
        say(error);
    } else {
        wasmtime_error_delete(error);
    }
    return false;
}

static bool write_report(int descriptor, const tuning_report_t *report)
{
    return write(descriptor, report, sizeof *report) == (ssize_t)sizeof *report;
}

static int run_tuning(int descriptor, void *context)
{
    const tuning_t *tuning = context;
    const weir_facts_t *facts = &tuning->choice->facts;
    uint32_t threads = weir_facts_processors(facts);
    threads = threads > THREADS_MOST ? THREADS_MOST : threads;
    const weir_rung_t *rung = weir_choice_rung(tuning->choice);
    threads = threads > rung->slots ? rung->slots : threads;
    tuning_report_t report = {.magic = MAGIC};
    setting_t settings[WEIR_VARIANTS_MAX];
    weir_timed_t timed[WEIR_VARIANTS_MAX];
    uint32_t places[WEIR_VARIANTS_MAX];
    size_t count = 0;
    weir_limit_arenas(tuning->choice->decision.pool.arenas);
    weir_huge_pages_set(false); /* each setting has its own, whatever the program has by now */
    for (uint32_t i = 0; i < tuning->count; i++) {
        if (make_setting(tuning, i, threads, &settings[count])) {
            timed[count] = (weir_timed_t){
                .cycle = run_cycle, .context = &settings[count], .huge_pages_off = tuning->knobs[i].huge_pages_off};
            places[count++] = i;
        } else if (i == 0) {
            return 1;
        }
        if (i == 0 && tuning->begun != NULL) {
            atomic_store(tuning->begun, true);
        }
    }
    if (tuning->timed) {
        bool emulated = weir_fact_is(facts->emulated, 1);
        weir_timing_run(timed, count, threads, emulated ? TIME_EMULATED : TIME_NATIVE);
        for (size_t i = 0; i < count; i++) {
            report.microseconds[places[i]] = timed[i].microseconds;
        }
    }
    /* What is prepared goes with the process: there is nothing in it that has to be put away. */
    return write_report(descriptor, &report) ? 0 : 1;
}

/* ---- In the parent ----------------------------------------------------------------------------------------------- */

/* The earliest setting whose cost is the least, within noise; UINT32_MAX when none was measured. */
static uint32_t best_setting(const tuning_t *tuning, const tuning_report_t *report)
{
    double least = 0;
    for (uint32_t i = 0; i < tuning->count; i++) {
        double cost = report->microseconds[i];
        if (!isfinite(cost) || cost < 0 || cost > microseconds_most) {
            return UINT32_MAX;
        }
        least = cost > 0 && (least == 0 || cost < least) ? cost : least;
    }
    for (uint32_t i = 0; i < tuning->count; i++) {
        if (report->microseconds[i] > 0 && report->microseconds[i] <= least * noise) {
            return i;
        }
    }
    return UINT32_MAX;
}

/*
 * The trial's best, with all its knobs: it is not given up for what was not timed against it. Then what keeps what a
 * guest may write: its memory from the start, in steps, as far as the budget goes.
 */
static void list_settings(const weir_choice_t *choice, const weir_budgets_t *budgets, tuning_t *tuning)
{
    static const uint64_t sizes[] = {
        UINT64_C(256) << 10, UINT64_C(1) << 20, UINT64_C(2) << 20, UINT64_C(8) << 20, UINT64_C(32) << 20};
    const weir_needs_t *needs = weir_choice_needs(choice);
    const weir_rung_t *rung = weir_choice_rung(choice);
    tuning->knobs[tuning->count++] = weir_rung_knobs(rung);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        /* A guest that begins with less than the last size was covered by that. */
        if (i > 0 && sizes[i - 1] >= 2 * needs->minimum_memory_bytes) {
            break;
        }
        weir_knobs_t found[WEIR_VARIANTS_MAX];
        uint32_t count = weir_plan_knobs(&choice->facts, needs, budgets, rung, sizes[i], found);
        for (uint32_t j = 0; j < count; j++) {
            bool seen = false;
            for (uint32_t k = 0; k < tuning->count; k++) {
                seen = seen || weir_knobs_are_equal(&tuning->knobs[k], &found[j]);
            }
            bool plain = found[j].decommit_batch == 0 && !found[j].huge_pages_off;
            if (!seen && plain && tuning->count < WEIR_VARIANTS_MAX) {
                tuning->knobs[tuning->count++] = found[j];
            }
        }
    }
}

bool weir_choice_is_tuned(const weir_choice_t *choice, uint64_t fingerprint)
{
    return fingerprint != 0 && weir_choice_rung(choice) != NULL && choice->decision.tuned_fingerprint == fingerprint;
}

/* Why a child has no result, in words of its own. */
static void explain(const weir_child_result_t *result, char *text, size_t size)
{
    static const char refused[] = "memory allocation of ";
    const char *said = result->complaint;
    const char *memory = strstr(said, refused);
    text[0] = '\0';
    if (memory != NULL) {
        for (const char *next; (next = strstr(memory + 1, refused)) != NULL;) {
            memory = next; /* two threads speak at once */
        }
        /* What Rust adds to this sentence helps nobody here. */
        const char *end = strstr(memory, " failed");
        int length = (int)(end != NULL ? (size_t)(end - memory) + strlen(" failed") : strlen(memory));
        weir_text_append(text, size, weir_translate("memory was refused (%.*s)"), length, memory);
        return;
    }
    if (result->end == WEIR_CHILD_REPORTED) {
        weir_text_append(text, size, "%s", weir_translate("no instance could be run"));
    } else if (result->end == WEIR_CHILD_DEADLINE) {
        weir_text_append(
            text, size, weir_translate("it was not done after %.0f s, and ended"), result->milliseconds / 1e3);
    } else if (result->end == WEIR_CHILD_SYSTEM) {
        weir_text_append(text, size, weir_translate("no process could be had for it (%s: %s)"), result->call,
            strerror(result->error_number));
    } else if (result->end == WEIR_CHILD_SIGNAL) {
        weir_text_append(text, size, weir_translate("its process died of signal %d (%s)"), result->detail,
            strsignal(result->detail));
    } else {
        weir_text_append(text, size, weir_translate("its process ended with status %d"), result->detail);
    }
    if (said[0] != '\0') {
        weir_text_append(text, size, ": %s", said);
    }
}

/*
 * Have a child do it. All settings at once take more memory than one: a child that failed is followed by one that has
 * the first setting alone, where code need not be compiled twice for it. Returns the best setting, or UINT32_MAX,
 * with the reason in the choice's note.
 */
static uint32_t run_children(weir_choice_t *choice, tuning_t *tuning, uint32_t milliseconds, tuning_report_t *report)
{
    const double began = weir_clock_milliseconds();
    double left = milliseconds;
    for (;;) {
        weir_child_result_t result;
        weir_child_run(run_tuning, tuning, (uint32_t)left, report, sizeof *report, &result);
        if (result.end == WEIR_CHILD_REPORTED && report->magic == MAGIC) {
            uint32_t best = tuning->timed ? best_setting(tuning, report) : 0;
            if (best != UINT32_MAX) {
                return best;
            }
        }
        explain(&result, choice->tune_note, sizeof choice->tune_note);
        /* What has no result took its time, too. */
        choice->milliseconds += result.milliseconds;
        left = milliseconds - (weir_clock_milliseconds() - began);
        bool ended = result.end != WEIR_CHILD_DEADLINE && result.end != WEIR_CHILD_SYSTEM;
        if (!ended || tuning->count == 1 || left < 1 || tuning->begun == NULL || !atomic_load(tuning->begun)) {
            return UINT32_MAX;
        }
        tuning->count = 1;
    }
}

weir_status_t weir_choice_tune(weir_choice_t *choice, const weir_workload_t *workload, uint32_t milliseconds)
{
    const weir_rung_t *rung = weir_choice_rung(choice);
    weir_decision_t *decision = &choice->decision;
    weir_workload_t complete;
    weir_status_t status = weir_workload_read(workload, &complete);
    if (rung == NULL || status != WEIR_OK) {
        return rung == NULL ? WEIR_ERROR_INVALID : status;
    }
    workload = &complete;
    if (weir_process_has_threads()) {
        return WEIR_ERROR_THREADS;
    }
    if (!weir_choice_await(choice)) {
        return WEIR_ERROR_UNAVAILABLE;
    }
    weir_budgets_t budgets;
    tuning_t tuning = {.choice = choice, .workload = workload};
    tuning_report_t report;
    weir_budgets_make(&choice->facts, weir_choice_needs(choice), true, &budgets);
    bool known = weir_choice_is_tuned(choice, workload->fingerprint);
    if (known || rung->tier == WEIR_TIER_ONDEMAND) {
        tuning.knobs[0] = weir_rung_knobs(rung);
        tuning.count = 1;
    } else {
        if (choice->facts.pagemap_scan.knowledge == WEIR_UNKNOWN) {
            /* The choice was remembered, without a need of it. */
            weir_facts_t facts = choice->facts;
            weir_facts_read_executable(weir_machine_real(), &facts);
            choice->facts.pagemap_scan = facts.pagemap_scan;
        }
        list_settings(choice, &budgets, &tuning);
    }
    tuning.timed = !known;
    const uint32_t wanted = tuning.count;
    void *page = mmap(NULL, sizeof *tuning.begun, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    tuning.begun = page != MAP_FAILED ? page : NULL;
    uint32_t best = run_children(choice, &tuning, milliseconds, &report);
    if (tuning.begun != NULL) {
        munmap(tuning.begun, sizeof *tuning.begun);
    }
    if (best == UINT32_MAX) {
        if (!known) { /* what is there is another program's */
            decision->tuned_fingerprint = 0;
            decision->tuned_count = 0;
        }
        weir_report_write(choice);
        return WEIR_ERROR_UNAVAILABLE;
    }
    choice->tune_note[0] = '\0';
    if (known) {
        return WEIR_OK;
    }
    weir_decided_t *pool = &decision->pool;
    weir_rung_set_knobs(&pool->ladder[pool->index].rung, &tuning.knobs[best], &budgets);
    /* The next start has the code already, and room for more settings. */
    decision->tuned_fingerprint = tuning.count == wanted ? workload->fingerprint : 0;
    decision->tuned = best;
    decision->tuned_count = tuning.count;
    for (uint32_t i = 0; i < tuning.count; i++) {
        decision->tuned_variants[i] = (weir_variant_t){tuning.knobs[i], report.microseconds[i]};
    }
    weir_choice_keep(choice);
    weir_report_write(choice);
    return WEIR_OK;
}
