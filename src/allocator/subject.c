/*
 * subject.c: a rung's engine with the trial's module in it, and instances of that.
 *
 * The engine is set up as weir's is (epochs, components, calls on fibers), so that stacks are pooled and touched as
 * they will be.
 */
#include "allocator/subject.h"

#include "allocator/child.h"
#include "allocator/configure.h"
#include "allocator/text.h"
#include "weir_bridge.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CODE_BYTES_MOST = 16 * 1024 * 1024 };

/* Far beyond what a trial lasts: nothing advances the epoch here. */
static const uint64_t epochs = UINT64_C(1) << 30;

/* ---- Trouble ----------------------------------------------------------------------------------------------------- */

static bool note(weir_trouble_t *trouble, weir_outcome_t outcome, const char *stage, const char *words, size_t length)
{
    if (!atomic_exchange(&trouble->taken, true)) {
        trouble->outcome = outcome;
        weir_text_one_line(trouble->stage, sizeof trouble->stage, stage, strlen(stage));
        weir_text_one_line(trouble->message, sizeof trouble->message, words, length);
        weir_usage_read("", &trouble->usage);
        trouble->usage.address_space.source = NULL;
        trouble->usage.data.source = NULL;
        trouble->usage.mappings.source = NULL;
    }
    return false;
}

bool weir_trouble_note(weir_trouble_t *trouble, weir_outcome_t outcome, const char *stage, const char *words)
{
    return note(trouble, outcome, stage, words, strlen(words));
}

/* Takes the error or the trap, of which at most one is there. True when neither is. */
static bool accept(weir_trouble_t *trouble, const char *stage, wasmtime_error_t *error, wasm_trap_t *trap)
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
    note(trouble, WEIR_OUTCOME_REFUSED, stage, message.data, message.size);
    wasm_byte_vec_delete(&message);
    return false;
}

/* ---- The engine -------------------------------------------------------------------------------------------------- */

bool weir_subject_make(weir_subject_t *subject, const weir_rung_t *rung, weir_trouble_t *trouble)
{
    *subject = (weir_subject_t){.trouble = trouble};
    double started = weir_clock_milliseconds();
    wasm_config_t *config = wasm_config_new();
    if (config == NULL) {
        return weir_trouble_note(trouble, WEIR_OUTCOME_SYSTEM, "engine", "no memory for a configuration");
    }
    wasmtime_config_epoch_interruption_set(config, true);
    wasmtime_config_wasm_component_model_set(config, true);
    wasmtime_config_concurrency_support_set(config, false);  /* the module has nothing async */
    wasmtime_config_parallel_compilation_set(config, false); /* the module is small: threads would cost more */
    weir_status_t status = weir_rung_configure(rung, config);
    if (status != WEIR_OK) {
        wasm_config_delete(config);
        return weir_trouble_note(trouble, WEIR_OUTCOME_REFUSED, "configuration",
            status == WEIR_ERROR_UNAVAILABLE ? "this Wasmtime has no interpreter" : "no memory for a configuration");
    }
    int error_number = 0;
    wasmtime_error_t *error = weir_engine_new(config, &subject->engine, &error_number);
    bool made = accept(trouble, "engine", error, NULL);
    if (!made && trouble->error_number == 0) {
        trouble->error_number = error_number;
    }
    subject->engine_milliseconds = weir_clock_milliseconds() - started;
    return made;
}

void weir_subject_free(weir_subject_t *subject)
{
    if (subject->pre != NULL) {
        wasmtime_instance_pre_delete(subject->pre);
    }
    if (subject->linker != NULL) {
        wasmtime_linker_delete(subject->linker);
    }
    if (subject->module != NULL) {
        wasmtime_module_delete(subject->module);
    }
    if (subject->engine != NULL) {
        weir_engine_delete(subject->engine);
    }
    *subject = (weir_subject_t){.trouble = subject->trouble};
}

/* ---- The module -------------------------------------------------------------------------------------------------- */

/* Code that does not suit this engine, or is damaged, is refused by Wasmtime, and compiled anew. */
static bool load_compiled(weir_subject_t *subject, int code)
{
    struct stat status;
    if (code < 0 || fstat(code, &status) != 0 || status.st_size <= 0 || status.st_size > CODE_BYTES_MOST) {
        return false;
    }
    size_t size = (size_t)status.st_size;
    void *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, code, 0);
    if (bytes == MAP_FAILED) {
        return false;
    }
    wasmtime_error_t *error = wasmtime_module_deserialize(subject->engine, bytes, size, &subject->module);
    munmap(bytes, size);
    if (error != NULL) {
        wasmtime_error_delete(error);
        subject->module = NULL;
    }
    return error == NULL;
}

/* What cannot be left behind costs the next trial some time, no more. */
static void leave_compiled(const weir_subject_t *subject, int code)
{
    wasm_byte_vec_t bytes;
    if (code < 0) {
        return;
    }
    wasmtime_error_t *error = wasmtime_module_serialize(subject->module, &bytes);
    if (error != NULL) {
        wasmtime_error_delete(error);
        return;
    }
    ssize_t written = ftruncate(code, 0) == 0 ? pwrite(code, bytes.data, bytes.size, 0) : -1;
    if (written != (ssize_t)bytes.size && ftruncate(code, 0) != 0) {
        /* Wasmtime will refuse a part. */
    }
    wasm_byte_vec_delete(&bytes);
}

static bool compile(weir_subject_t *subject, const weir_needs_t *needs, const weir_module_shape_t *shape)
{
    char *text = weir_module_text(needs, shape);
    if (text == NULL) {
        return weir_trouble_note(subject->trouble, WEIR_OUTCOME_SYSTEM, "module", "no memory for the module's text");
    }
    wasm_byte_vec_t binary;
    wasmtime_error_t *error = wasmtime_wat2wasm(text, strlen(text), &binary);
    free(text);
    if (!accept(subject->trouble, "module", error, NULL)) {
        return false;
    }
    error = wasmtime_module_new(subject->engine, (const uint8_t *)binary.data, binary.size, &subject->module);
    wasm_byte_vec_delete(&binary);
    return accept(subject->trouble, "code", error, NULL);
}

bool weir_subject_load(weir_subject_t *subject, const weir_needs_t *needs, const weir_module_shape_t *shape, int code)
{
    if (!load_compiled(subject, code)) {
        if (!compile(subject, needs, shape)) {
            return false;
        }
        leave_compiled(subject, code);
    }
    subject->linker = wasmtime_linker_new(subject->engine);
    wasmtime_error_t *error = wasmtime_linker_instantiate_pre(subject->linker, subject->module, &subject->pre);
    return accept(subject->trouble, "link", error, NULL);
}

/* ---- Instances --------------------------------------------------------------------------------------------------- */

static void finish(wasmtime_call_future_t *future)
{
    while (!wasmtime_call_future_poll(future)) {
        /* Nothing in the module waits, and the epoch stands still: the first poll completes it. */
    }
    wasmtime_call_future_delete(future);
}

bool weir_instance_open(const weir_subject_t *subject, weir_instance_t *instance)
{
    wasm_trap_t *trap = NULL;
    wasmtime_error_t *error = NULL;
    instance->store = wasmtime_store_new(subject->engine, NULL, NULL);
    if (instance->store == NULL) {
        return weir_trouble_note(subject->trouble, WEIR_OUTCOME_REFUSED, "instance", "no memory for a store");
    }
    instance->context = wasmtime_store_context(instance->store);
    wasmtime_context_set_epoch_deadline(instance->context, epochs);
    finish(
        wasmtime_instance_pre_instantiate_async(subject->pre, instance->context, &instance->instance, &trap, &error));
    if (!accept(subject->trouble, "instance", error, trap)) {
        wasmtime_store_delete(instance->store);
        instance->store = NULL;
        return false;
    }
    return true;
}

void weir_instance_close(weir_instance_t *instance)
{
    if (instance->store != NULL) {
        wasmtime_store_delete(instance->store);
        instance->store = NULL;
    }
}

bool weir_instance_call(const weir_subject_t *subject, weir_instance_t *instance, const char *name,
    const int32_t *arguments, size_t count, int32_t *ret_value)
{
    wasmtime_extern_t function;
    if (!wasmtime_instance_export_get(instance->context, &instance->instance, name, strlen(name), &function)) {
        return weir_trouble_note(subject->trouble, WEIR_OUTCOME_SYSTEM, name, "the module lacks this export");
    }
    wasmtime_val_t values[3];
    for (size_t i = 0; i < count; i++) {
        values[i] = (wasmtime_val_t){.kind = WASMTIME_I32, .of = {.i32 = arguments[i]}};
    }
    wasmtime_val_t result = {.kind = WASMTIME_I32};
    wasm_trap_t *trap = NULL;
    wasmtime_error_t *error = NULL;
    finish(wasmtime_func_call_async(
        instance->context, &function.of.func, values, count, &result, ret_value == NULL ? 0 : 1, &trap, &error));
    if (ret_value != NULL) {
        *ret_value = result.of.i32;
    }
    return accept(subject->trouble, name, error, trap);
}

const unsigned char *weir_instance_memory(weir_instance_t *instance, size_t *ret_size)
{
    wasmtime_extern_t memory;
    if (!wasmtime_instance_export_get(instance->context, &instance->instance, "memory", 6, &memory)) {
        *ret_size = 0;
        return NULL;
    }
    *ret_size = wasmtime_memory_data_size(instance->context, &memory.of.memory);
    return wasmtime_memory_data(instance->context, &memory.of.memory);
}

bool weir_subject_cycle(void *context, unsigned thread)
{
    const weir_subject_t *subject = context;
    const int32_t mark = (int32_t)(thread + 1);
    int32_t seen = 0;
    weir_instance_t instance = {.store = NULL};
    bool good =
        weir_instance_open(subject, &instance) && weir_instance_call(subject, &instance, "work", &mark, 1, &seen);
    weir_instance_close(&instance);
    return good;
}
