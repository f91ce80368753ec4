/*
 * subject.h: a rung's engine with the trial's module in it, and instances of that. For the child of a trial.
 */
#ifndef WEIR_ALLOCATOR_SUBJECT_H
#define WEIR_ALLOCATOR_SUBJECT_H

#include "allocator/facts.h"
#include "allocator/module.h"
#include "weir/allocator.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What went wrong first. Zero it before use. Threads may share it. */
typedef struct weir_trouble {
    atomic_bool taken;      /* somebody writes, or has written, the rest */
    weir_outcome_t outcome; /* REFUSED, CONTENTS or SYSTEM */
    int error_number;
    char stage[32];     /* what was being done */
    weir_usage_t usage; /* at that moment; the sources are left out */
    char message[600];  /* Wasmtime's, on one line; or what was wrong */
} weir_trouble_t;

/* Note what went wrong, unless something did before. Returns false. Any thread. */
bool weir_trouble_note(weir_trouble_t *trouble, weir_outcome_t outcome, const char *stage, const char *words);

typedef struct weir_subject {
    weir_trouble_t *trouble; /* borrowed: where its failures are noted */
    wasm_engine_t *engine;
    wasmtime_module_t *module;
    wasmtime_linker_t *linker;
    wasmtime_instance_pre_t *pre;
    double engine_milliseconds; /* that its engine took to be made */
} weir_subject_t;

/* Make the engine of a rung, set up as weir's is. Returns false when that is refused. Free it with weir_subject_free in
 * either case. */
bool weir_subject_make(weir_subject_t *subject, const weir_rung_t *rung, weir_trouble_t *trouble);

/*
 * Load the module of a shape: from `code` (a descriptor of a file with what an earlier trial compiled for an engine of
 * the same reservation and guard; -1: none) when it has some that suits, else by compiling, whose result is then left
 * there.
 */
bool weir_subject_load(weir_subject_t *subject, const weir_needs_t *needs, const weir_module_shape_t *shape, int code);

/* Free what it has. All its instances must be closed. */
void weir_subject_free(weir_subject_t *subject);

/* One instance and the store that it lives in. */
typedef struct weir_instance {
    wasmtime_store_t *store;
    wasmtime_context_t *context;
    wasmtime_instance_t instance;
} weir_instance_t;

/* Create an instance; on failure there is none. Any thread, one at a time for each instance, as are the next two. */
bool weir_instance_open(const weir_subject_t *subject, weir_instance_t *instance);

/* Drop it; does nothing for one that is zeroed or closed already. */
void weir_instance_close(weir_instance_t *instance);

/* Call an export with `count` arguments, at most 3. `ret_value` receives the result, of which there is one unless it is
 * NULL. */
bool weir_instance_call(const weir_subject_t *subject, weir_instance_t *instance, const char *name,
    const int32_t *arguments, size_t count, int32_t *ret_value);

/* Its first memory, and the size of that in bytes. */
const unsigned char *weir_instance_memory(weir_instance_t *instance, size_t *ret_size);

/* Create an instance, have it write its memory and compute for a while, and drop it: what is timed. `context` is a
 * weir_subject_t. Any thread. */
bool weir_subject_cycle(void *context, unsigned thread);

#endif
