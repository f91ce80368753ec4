/*
 * compile.c: compiles an application's components, several at once.
 *
 * Wasmtime compiles a component's functions on all processors, but reads it, puts the result together and writes it out
 * on one; meanwhile the other processors can have the next component.
 */
#include "cli/application.h"
#include "cli/memory_reading.h"
#include "cli/progress.h"
#include "observe/thread.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

enum {
    THREADS_MOST = 8,
    STACK_BYTES = 8 * 1024 * 1024, /* as a main thread has: the compiler recurses as deep as types nest */
};

/* What compiling takes, as a multiple of the wasm: 403 MiB were seen for 12 MiB of JavaScript. */
static const uint64_t memory_per_wasm = 48;

/* Of wasm that is compiled at once, a single larger file aside. */
static const uint64_t wasm_bytes_most = UINT64_C(32) << 20;

typedef struct compilation {
    const weir_application_t *application;
    const wasm_engine_t *engine;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    uint64_t bytes_most; /* of wasm at once */
    size_t count;        /* components to compile */
    size_t begun;        /* of them */
    size_t next;         /* the first component that nobody has looked at */
    size_t bytes_under_way;
    bool failed;
    char *message; /* of the first that failed */
} compilation_t;

/* One of several, in the order in which they begin, or the only one. */
static weir_progress_t *begin(compilation_t *compilation, weir_progress_work_t *work, int standard_error)
{
    if (compilation == NULL) {
        return weir_progress_begin(work, standard_error);
    }
    pthread_mutex_lock(&compilation->mutex);
    work->number = ++compilation->begun;
    work->count = compilation->count;
    weir_progress_t *progress = weir_progress_begin(work, standard_error);
    pthread_mutex_unlock(&compilation->mutex);
    return progress;
}

/* `compilation` that it is part of, or NULL. */
static bool compile_component(const weir_application_t *application, size_t component, compilation_t *compilation,
    const wasm_engine_t *engine, char **ret_message)
{
    const weir_manifest_t *manifest = &application->manifest;
    const weir_component_t *its_component = &manifest->components[component];
    const weir_guest_file_t *file = &application->files[component];
    weir_guest_file_t again = {.bytes = NULL};
    if (file->bytes == NULL) {
        if (!weir_code_cache_read_file(manifest, its_component, weir_application_executor(application, component),
                &application->digests[component], &again, ret_message)) {
            return false;
        }
        file = &again;
    }
    weir_progress_work_t work = {.component = its_component->id,
        .size = file->size,
        .number = 1,
        .count = 1,
        .is_kept = application->cache != NULL};
    weir_progress_t *progress = begin(compilation, &work, application->standard_error);
    bool compiled =
        weir_guest_code_compile(application->codes[component], engine, manifest, its_component, file, ret_message);
    weir_progress_end(progress);
    weir_guest_file_free(&again);
    return compiled;
}

bool weir_application_compile_one(
    const weir_application_t *application, size_t component, const wasm_engine_t *engine, char **ret_message)
{
    return compile_component(application, component, NULL, engine, ret_message);
}

bool weir_application_lacks_code(const weir_application_t *application, size_t component)
{
    const weir_guest_code_t *code = application->codes[component];
    return code != NULL && !application->apart[component] && !weir_guest_code_is_there(code);
}

/* Take a component to compile, when there is room for it. With the mutex held. SIZE_MAX: there is none left. */
static size_t take_next(compilation_t *compilation)
{
    const weir_application_t *application = compilation->application;
    for (;;) {
        size_t count = application->manifest.component_count;
        while (compilation->next < count && !weir_application_lacks_code(application, compilation->next)) {
            compilation->next++;
        }
        if (compilation->failed || compilation->next == count) {
            return SIZE_MAX;
        }
        size_t size = application->files[compilation->next].size;
        if (compilation->bytes_under_way == 0 || compilation->bytes_under_way + size <= compilation->bytes_most) {
            compilation->bytes_under_way += size;
            return compilation->next++;
        }
        pthread_cond_wait(&compilation->changed, &compilation->mutex);
    }
}

static void *compile(void *context)
{
    compilation_t *compilation = context;
    pthread_mutex_lock(&compilation->mutex);
    size_t component;
    while ((component = take_next(compilation)) != SIZE_MAX) {
        char *message = NULL;
        pthread_mutex_unlock(&compilation->mutex);
        bool compiled =
            compile_component(compilation->application, component, compilation, compilation->engine, &message);
        pthread_mutex_lock(&compilation->mutex);
        compilation->bytes_under_way -= compilation->application->files[component].size;
        if (!compiled && !compilation->failed) {
            compilation->failed = true;
            compilation->message = message;
        } else {
            free(message);
        }
        pthread_cond_broadcast(&compilation->changed);
    }
    pthread_mutex_unlock(&compilation->mutex);
    return NULL;
}

/* 0 where it is not known. */
static uint64_t memory_left(const weir_memory_reading_t *reading)
{
    uint64_t left = reading->available.knowledge == WEIR_KNOWN ? reading->available.value : 0;
    if (reading->group_limit.knowledge == WEIR_UNLIMITED) {
        return left;
    }
    if (reading->group_limit.knowledge != WEIR_KNOWN || reading->group_used.knowledge != WEIR_KNOWN ||
        reading->group_used.value >= reading->group_limit.value) {
        return 0;
    }
    uint64_t group_left = reading->group_limit.value - reading->group_used.value;
    return group_left < left ? group_left : left;
}

/* How much wasm half of the memory that is left will do for. 0, which is one component at a time, where nobody knows.
 */
static uint64_t count_wasm_bytes(void)
{
    weir_memory_reader_t *reader = weir_memory_reader_new();
    weir_memory_reading_t reading;
    uint64_t left = 0;
    if (reader != NULL) {
        weir_memory_reader_read(reader, &reading);
        left = memory_left(&reading);
        weir_memory_reader_free(reader);
    }
    uint64_t bytes = left / 2 / memory_per_wasm;
    return bytes < wasm_bytes_most ? bytes : wasm_bytes_most;
}

static size_t count_wanted(const weir_application_t *application)
{
    size_t wanted = 0;
    for (size_t i = 0; i < application->manifest.component_count; i++) {
        wanted += weir_application_lacks_code(application, i) ? 1 : 0;
    }
    return wanted;
}

/* How many of `wanted` components are worth being compiled at once. */
static size_t count_threads(size_t wanted)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    size_t processors = sched_getaffinity(0, sizeof(set), &set) == 0 ? (size_t)CPU_COUNT(&set) : 1;
    size_t most = processors < THREADS_MOST ? processors : THREADS_MOST;
    return wanted < most ? wanted : most;
}

bool weir_application_compile(const weir_application_t *application, const wasm_engine_t *engine, char **ret_message)
{
    compilation_t compilation = {.application = application,
        .engine = engine,
        .bytes_most = count_wasm_bytes(),
        .count = count_wanted(application)};
    pthread_t threads[THREADS_MOST];
    size_t started = 0;
    pthread_mutex_init(&compilation.mutex, NULL); /* none of these fails on Linux */
    pthread_cond_init(&compilation.changed, NULL);
    /* This thread is one of them; the others are as many as can be had. */
    for (size_t wanted = count_threads(compilation.count); started + 1 < wanted; started++) {
        if (weir_thread_start(&threads[started], STACK_BYTES, compile, &compilation) != 0) {
            break;
        }
    }
    compile(&compilation);
    for (size_t i = 0; i < started; i++) {
        pthread_join(threads[i], NULL);
    }
    pthread_cond_destroy(&compilation.changed);
    pthread_mutex_destroy(&compilation.mutex);
    if (compilation.failed) {
        *ret_message = compilation.message;
    }
    return !compilation.failed;
}
