/*
 * probe.c: what the child of a trial does.
 *
 * The engine is set up as weir's is (epochs, components, calls on fibers), so that stacks are pooled and touched as
 * they will be. A rung is proved before it is timed: a system may grant reservations and fail to keep them, or hand out
 * memory that still holds what an earlier instance wrote (qemu-user before 7.1 ignored MADV_DONTNEED).
 */
#include "allocator/probe.h"

#include "allocator/child.h"
#include "allocator/configure.h"
#include "allocator/text.h"
#include "weir_bridge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    CONTENTS_ROUNDS = 2,
    DIRTY_PLACES = 1024, /* at most, over a memory */
    BATCH_CYCLES = 4,
    BATCHES_LEAST = 5,
    BATCHES_MOST = 250,
    WARM_CYCLES = 3,
};

/* Far beyond what a trial lasts: nothing advances the epoch here. */
static const uint64_t epochs = UINT64_C(1) << 30;

/* Beyond what is kept resident, so that both ways of clearing a slot are seen. */
static const uint64_t growth_beyond_kept = UINT64_C(512) * 1024;

typedef struct probe {
    const weir_plan_t *plan;
    const weir_module_shape_t *shape;
    const weir_module_shape_t *expected;
    weir_probe_report_t *report;
    wasm_engine_t *engine;
    wasmtime_module_t *module;
    wasmtime_linker_t *linker;
    wasmtime_instance_pre_t *pre;
    uint64_t growth_pages; /* of 64 KiB, by which memories are grown to check contents */
} probe_t;

/* One instance and the store that it lives in. */
typedef struct instance {
    wasmtime_store_t *store;
    wasmtime_context_t *context;
    wasmtime_instance_t instance;
} instance_t;

/* ---- Verdicts ---------------------------------------------------------------------------------------------------- */

static bool fail(probe_t *probe, weir_outcome_t outcome, const char *stage, const char *message, size_t length)
{
    weir_probe_report_t *report = probe->report;
    report->outcome = (int32_t)outcome;
    weir_text_one_line(report->stage, sizeof report->stage, stage, strlen(stage));
    weir_text_one_line(report->message, sizeof report->message, message, length);
    weir_usage_read("", &report->usage);
    report->usage.address_space.source = NULL;
    report->usage.data.source = NULL;
    report->usage.mappings.source = NULL;
    return false;
}

static bool fail_words(probe_t *probe, weir_outcome_t outcome, const char *stage, const char *words)
{
    return fail(probe, outcome, stage, words, strlen(words));
}

/* Takes the error or the trap, of which at most one is there. True when neither is. */
static bool accept(probe_t *probe, const char *stage, wasmtime_error_t *error, wasm_trap_t *trap)
{
    wasm_byte_vec_t message;
    if (error == NULL && trap == NULL) {
        return true;
    }
    if (error != NULL) {
        wasmtime_error_message(error, &message);
        wasmtime_error_delete(error);
    } else {
        wasm_trap_message(trap, &message);
        wasm_trap_delete(trap);
    }
    fail(probe, WEIR_OUTCOME_REFUSED, stage, message.data, message.size);
    wasm_byte_vec_delete(&message);
    return false;
}

/* ---- Building ---------------------------------------------------------------------------------------------------- */

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
            probe->report->error_number = errno;
            return fail_words(probe, WEIR_OUTCOME_REFUSED, "reserve", "nothing is left for the program itself");
        }
    }
    return true;
}

static bool build_engine(probe_t *probe)
{
    double started = weir_clock_milliseconds();
    wasm_config_t *config = wasm_config_new();
    if (config == NULL) {
        return fail_words(probe, WEIR_OUTCOME_SYSTEM, "engine", "no memory for a configuration");
    }
    wasmtime_config_epoch_interruption_set(config, true);
    wasmtime_config_wasm_component_model_set(config, true);
    wasmtime_config_parallel_compilation_set(config, false); /* a child of a fork makes no threads */
    weir_status_t status = weir_rung_configure(&probe->plan->rung, config);
    if (status != WEIR_OK) {
        wasm_config_delete(config);
        return fail_words(probe, WEIR_OUTCOME_REFUSED, "configuration",
            status == WEIR_ERROR_UNAVAILABLE ? "this Wasmtime has no interpreter" : "no memory for a configuration");
    }
    int error_number = 0;
    wasmtime_error_t *error = weir_engine_new(config, &probe->engine, &error_number);
    probe->report->error_number = error_number;
    probe->report->engine_milliseconds = weir_clock_milliseconds() - started;
    return accept(probe, "engine", error, NULL);
}

static bool build_module(probe_t *probe)
{
    char *text = weir_module_text(&probe->plan->needs, probe->shape);
    if (text == NULL) {
        return fail_words(probe, WEIR_OUTCOME_SYSTEM, "module", "no memory for the module's text");
    }
    wasm_byte_vec_t binary;
    wasmtime_error_t *error = wasmtime_wat2wasm(text, strlen(text), &binary);
    free(text);
    if (!accept(probe, "module", error, NULL)) {
        return false;
    }
    error = wasmtime_module_new(probe->engine, (const uint8_t *)binary.data, binary.size, &probe->module);
    wasm_byte_vec_delete(&binary);
    if (!accept(probe, "code", error, NULL)) {
        return false;
    }
    probe->linker = wasmtime_linker_new(probe->engine);
    error = wasmtime_linker_instantiate_pre(probe->linker, probe->module, &probe->pre);
    return accept(probe, "link", error, NULL);
}

static void tear_down(probe_t *probe)
{
    if (probe->pre != NULL) {
        wasmtime_instance_pre_delete(probe->pre);
    }
    if (probe->linker != NULL) {
        wasmtime_linker_delete(probe->linker);
    }
    if (probe->module != NULL) {
        wasmtime_module_delete(probe->module);
    }
    if (probe->engine != NULL) {
        wasm_engine_delete(probe->engine);
    }
}

/* ---- Instances --------------------------------------------------------------------------------------------------- */

static void finish(wasmtime_call_future_t *future)
{
    while (!wasmtime_call_future_poll(future)) {
        /* Nothing in the module waits, and the epoch stands still: the first poll completes it. */
    }
    wasmtime_call_future_delete(future);
}

static bool open_instance(probe_t *probe, instance_t *instance)
{
    wasm_trap_t *trap = NULL;
    wasmtime_error_t *error = NULL;
    instance->store = wasmtime_store_new(probe->engine, NULL, NULL);
    if (instance->store == NULL) {
        return fail_words(probe, WEIR_OUTCOME_REFUSED, "instance", "no memory for a store");
    }
    instance->context = wasmtime_store_context(instance->store);
    wasmtime_context_set_epoch_deadline(instance->context, epochs);
    finish(wasmtime_instance_pre_instantiate_async(probe->pre, instance->context, &instance->instance, &trap, &error));
    if (!accept(probe, "instance", error, trap)) {
        wasmtime_store_delete(instance->store);
        instance->store = NULL;
        return false;
    }
    return true;
}

static void close_instance(instance_t *instance)
{
    if (instance->store != NULL) {
        wasmtime_store_delete(instance->store);
        instance->store = NULL;
    }
}

static bool call(probe_t *probe, instance_t *instance, const char *name, const int32_t *arguments, size_t count,
    int32_t *ret_value, size_t result_count)
{
    wasmtime_extern_t function;
    if (!wasmtime_instance_export_get(instance->context, &instance->instance, name, strlen(name), &function)) {
        return fail_words(probe, WEIR_OUTCOME_SYSTEM, name, "the module lacks this export");
    }
    wasmtime_val_t values[3];
    for (size_t i = 0; i < count; i++) {
        values[i] = (wasmtime_val_t){.kind = WASMTIME_I32, .of = {.i32 = arguments[i]}};
    }
    wasmtime_val_t result = {.kind = WASMTIME_I32};
    wasm_trap_t *trap = NULL;
    wasmtime_error_t *error = NULL;
    finish(wasmtime_func_call_async(
        instance->context, &function.of.func, values, count, &result, result_count, &trap, &error));
    if (ret_value != NULL) {
        *ret_value = result.of.i32;
    }
    return accept(probe, name, error, trap);
}

static const unsigned char *memory_of(instance_t *instance, size_t *ret_size)
{
    wasmtime_extern_t memory;
    if (!wasmtime_instance_export_get(instance->context, &instance->instance, "memory", 6, &memory)) {
        *ret_size = 0;
        return NULL;
    }
    *ret_size = wasmtime_memory_data_size(instance->context, &memory.of.memory);
    return wasmtime_memory_data(instance->context, &memory.of.memory);
}

/* ---- Contents ---------------------------------------------------------------------------------------------------- */

static uint32_t dirty_step(uint64_t bytes)
{
    uint64_t step = bytes / DIRTY_PLACES / WEIR_MODULE_PAGE * WEIR_MODULE_PAGE;
    return step < WEIR_MODULE_PAGE ? WEIR_MODULE_PAGE : (uint32_t)step;
}

static bool is_fresh(probe_t *probe, instance_t *instance, uint64_t from, uint64_t to)
{
    unsigned char expected[WEIR_MODULE_PAGE];
    size_t size = 0;
    const unsigned char *memory = memory_of(instance, &size);
    uint32_t step = dirty_step(to - from);
    if (size != to) {
        return fail_words(
            probe, WEIR_OUTCOME_CONTENTS, "contents", "a fresh memory has not the size that it begins with");
    }
    for (uint64_t at = from; at < to; at += step) {
        weir_module_expected_page(probe->expected, at, expected);
        if (memcmp(memory + at, expected, WEIR_MODULE_PAGE) != 0) {
            return fail_words(probe, WEIR_OUTCOME_CONTENTS, "contents",
                "a fresh instance's memory is not what the module says: it holds what an earlier instance wrote");
        }
    }
    /* The data segments, wherever the steps fell. */
    for (unsigned i = 0; i < WEIR_MODULE_SEGMENTS; i++) {
        uint64_t at = probe->expected->segment_at[i] / WEIR_MODULE_PAGE * WEIR_MODULE_PAGE;
        weir_module_expected_page(probe->expected, at, expected);
        if (at >= from && at < to && memcmp(memory + at, expected, WEIR_MODULE_PAGE) != 0) {
            return fail_words(probe, WEIR_OUTCOME_CONTENTS, "contents",
                "a fresh instance's data segments are not as the module has them");
        }
    }
    return true;
}

static bool make_dirty(probe_t *probe, instance_t *instance, uint64_t from, uint64_t to)
{
    const int32_t arguments[] = {(int32_t)from, (int32_t)to, (int32_t)dirty_step(to - from)};
    if (!call(probe, instance, "dirty", arguments, 3, NULL, 0)) {
        return false;
    }
    for (unsigned i = 0; i < WEIR_MODULE_SEGMENTS && from == 0; i++) {
        const int32_t at = (int32_t)probe->shape->segment_at[i];
        const int32_t segment[] = {at, at + 16, 1};
        if (!call(probe, instance, "dirty", segment, 3, NULL, 0)) {
            return false;
        }
    }
    return true;
}

static bool check_instance(probe_t *probe, instance_t *instance)
{
    uint64_t size = probe->shape->memory_bytes;
    if (!is_fresh(probe, instance, 0, size) || !make_dirty(probe, instance, 0, size)) {
        return false;
    }
    if (probe->growth_pages == 0) {
        return true;
    }
    const int32_t pages = (int32_t)probe->growth_pages;
    int32_t before = -1;
    if (!call(probe, instance, "grow", &pages, 1, &before, 1)) {
        return false;
    }
    if (before < 0) {
        bool pool = probe->plan->rung.tier != WEIR_TIER_ONDEMAND;
        probe->growth_pages = 0;
        return !pool || fail_words(probe, WEIR_OUTCOME_REFUSED, "growth", "a memory could not grow within its slot");
    }
    uint64_t grown = size + probe->growth_pages * 64 * 1024;
    return is_fresh(probe, instance, size, grown) && make_dirty(probe, instance, size, grown);
}

static bool check_contents(probe_t *probe)
{
    const weir_rung_t *rung = &probe->plan->rung;
    uint64_t size = probe->shape->memory_bytes;
    uint64_t kept = rung->memory_keep_resident_bytes;
    uint64_t most = rung->tier == WEIR_TIER_ONDEMAND ? size + growth_beyond_kept : rung->slot_bytes;
    uint64_t wanted = (kept > size ? kept : size) + growth_beyond_kept;
    wanted = wanted > most ? most : wanted;
    probe->growth_pages = wanted > size ? (wanted - size) / (64 * 1024) : 0;
    for (unsigned round = 0; round < CONTENTS_ROUNDS; round++) {
        instance_t instance = {.store = NULL};
        bool good = open_instance(probe, &instance) && check_instance(probe, &instance);
        close_instance(&instance);
        if (!good) {
            return false;
        }
    }
    return true;
}

/* ---- Many at once ------------------------------------------------------------------------------------------------ */

static bool hold_one(probe_t *probe, instance_t *instance, uint32_t index)
{
    const int32_t mark = (int32_t)(index + 1);
    int32_t seen = 0;
    return open_instance(probe, instance) && call(probe, instance, "work", &mark, 1, &seen, 1);
}

/* Each instance has its own mark, so that two that share memory give themselves away. */
static bool marks_are_right(probe_t *probe, instance_t *instances, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        size_t size = 0;
        const unsigned char *memory = memory_of(&instances[i], &size);
        uint32_t found = 0;
        if (size < probe->shape->touched_at + sizeof found) {
            return fail_words(probe, WEIR_OUTCOME_CONTENTS, "hold", "an instance's memory shrank");
        }
        memcpy(&found, memory + probe->shape->touched_at, sizeof found);
        const uint32_t marked = i + 1;
        /* WebAssembly's memory is little-endian everywhere. */
        const unsigned char bytes[] = {(unsigned char)marked, (unsigned char)(marked >> 8),
            (unsigned char)(marked >> 16), (unsigned char)(marked >> 24)};
        if (memcmp(bytes, &found, sizeof bytes) != 0) {
            return fail_words(probe, WEIR_OUTCOME_CONTENTS, "hold", "two instances share memory");
        }
    }
    return true;
}

static bool hold_many(probe_t *probe)
{
    uint32_t wanted = probe->plan->hold;
    instance_t *instances = calloc(wanted, sizeof *instances);
    if (instances == NULL) {
        return fail_words(probe, WEIR_OUTCOME_REFUSED, "hold", "no memory to keep a list of instances");
    }
    double started = weir_clock_milliseconds();
    uint32_t held = 0;
    bool good = true;
    while (
        good && held < wanted && (held < 2 || weir_clock_milliseconds() - started < probe->plan->hold_milliseconds)) {
        good = hold_one(probe, &instances[held], held);
        held += good ? 1 : 0;
    }
    good = good && marks_are_right(probe, instances, held);
    for (uint32_t i = 0; i < wanted; i++) {
        close_instance(&instances[i]);
    }
    free(instances);
    probe->report->held = held;
    return good;
}

/* ---- Timing ------------------------------------------------------------------------------------------------------ */

static bool cycle(probe_t *probe)
{
    const int32_t mark = 1;
    int32_t seen = 0;
    instance_t instance = {.store = NULL};
    bool good = open_instance(probe, &instance) && call(probe, &instance, "work", &mark, 1, &seen, 1);
    close_instance(&instance);
    return good;
}

static int compare_doubles(const void *first, const void *second)
{
    double a = *(const double *)first;
    double b = *(const double *)second;
    return a < b ? -1 : a > b ? 1 : 0;
}

static bool time_cycle(probe_t *probe)
{
    double batches[BATCHES_MOST];
    unsigned count = 0;
    for (unsigned i = 0; i < WARM_CYCLES; i++) {
        if (!cycle(probe)) {
            return false;
        }
    }
    double started = weir_clock_milliseconds();
    double now = started;
    while (count < BATCHES_MOST && (count < BATCHES_LEAST || now - started < probe->plan->time_milliseconds)) {
        double before = now;
        for (unsigned i = 0; i < BATCH_CYCLES; i++) {
            if (!cycle(probe)) {
                return false;
            }
        }
        now = weir_clock_milliseconds();
        batches[count++] = (now - before) * 1e3 / BATCH_CYCLES;
    }
    qsort(batches, count, sizeof batches[0], compare_doubles);
    probe->report->instance_microseconds = batches[count / 2];
    return true;
}

void weir_probe_run(const weir_plan_t *plan, const weir_module_shape_t *shape, const weir_module_shape_t *expected,
    weir_probe_report_t *report)
{
    memset(report, 0, sizeof *report);
    report->magic = WEIR_PROBE_MAGIC;
    probe_t probe = {.plan = plan, .shape = shape, .expected = expected, .report = report};
    weir_limit_arenas(plan->arenas);
    bool good = take_reserves(&probe) && build_engine(&probe) && build_module(&probe) && check_contents(&probe) &&
                hold_many(&probe) && time_cycle(&probe);
    tear_down(&probe);
    if (good) {
        report->outcome = WEIR_OUTCOME_PASSED;
    }
}
