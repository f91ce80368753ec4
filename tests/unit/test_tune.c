/*
 * test_tune.c: an application's own components as a workload, in a child process as a trial runs it: what is compiled
 * there is there for the parent and its other children, and no guest can hold the trial up.
 */
#include "allocator/child.h"
#include "cli/tune.h"
#include "guest/trial.h"
#include "guest_support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

enum {
    PATIENCE_MILLISECONDS = 100 * 1000, /* reached only by a test that fails */
    THREADS = 2,
    CYCLES = 20, /* a thread */
};

/* ---- An application on disk -------------------------------------------------------------------------------------- */

typedef struct folder {
    char path[64];
    weir_application_t application;
} folder_t;

static void write_file(const folder_t *folder, const char *name, const void *bytes, size_t size)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder->path, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void write_wasm(const folder_t *folder, const char *name, wasm_byte_vec_t own_wasm)
{
    write_file(folder, name, own_wasm.data, own_wasm.size);
    wasm_byte_vec_delete(&own_wasm);
}

static void load(folder_t *folder)
{
    char *message = NULL;
    if (!weir_application_load(folder->path, &folder->application, &message))
        fail_msg("%s", message);
}

/* An application of a component "c" at /c and a module "m" at /m/..., `extra` goes to the end of its manifest. */
static void folder_open(folder_t *folder, const step_t *component, const step_t *module, const char *extra)
{
    static const char manifest[] = "spin_manifest_version = 2\n[application]\nname = \"tuned\"\n"
                                   "[[trigger.http]]\nroute = \"/c\"\ncomponent = \"c\"\n"
                                   "[[trigger.http]]\nroute = \"/m/...\"\ncomponent = \"m\"\n"
                                   "executor = { type = \"wagi\" }\n"
                                   "[component.m]\nsource = \"m.wasm\"\n[component.c]\nsource = \"c.wasm\"\n";
    strcpy(folder->path, "/tmp/weir-tune-XXXXXX");
    assert_non_null(mkdtemp(folder->path));
    text_t text = {0};
    text_append(&text, manifest, sizeof manifest - 1);
    text_append(&text, extra, strlen(extra));
    write_file(folder, "spin.toml", text.bytes, text.size);
    free(text.bytes);
    write_wasm(folder, "c.wasm", component_of(component));
    write_wasm(folder, "m.wasm", module_of(module));
    load(folder);
}

static void folder_close(folder_t *folder)
{
    weir_application_free(&folder->application);
    static const char *const names[] = {"spin.toml", "c.wasm", "m.wasm"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", folder->path, names[i]);
        assert_int_equal(unlink(path), 0);
    }
    assert_int_equal(rmdir(folder->path), 0);
}

static const step_t answers[] = {
    {.kind = RESPOND, .number = 200}, {.kind = WRITE, .text = "hi"}, {.kind = FINISH}, {0}};
static const step_t answers_as_cgi[] = {{.kind = WRITE, .text = "content-type: text/plain\n\nhi"}, {0}};

/* ---- The child of a trial ---------------------------------------------------------------------------------------- */

typedef enum pool {
    ON_DEMAND = 0,
    POOL_OF_4 = 1,
} pool_t;

static wasm_engine_t *new_engine(const weir_workload_t *workload, pool_t pool)
{
    wasm_config_t *config = workload->config_new(workload->context);
    if (config != NULL && pool == POOL_OF_4) {
        wasmtime_pooling_allocation_config_t *pooling = wasmtime_pooling_allocation_config_new();
        wasmtime_pooling_allocation_config_total_component_instances_set(pooling, 4);
        wasmtime_pooling_allocation_config_total_core_instances_set(pooling, 16);
        wasmtime_pooling_allocation_config_total_memories_set(pooling, 8);
        wasmtime_pooling_allocation_config_total_tables_set(pooling, 16);
        wasmtime_pooling_allocation_config_total_stacks_set(pooling, 4);
        wasmtime_pooling_allocation_strategy_set(config, pooling);
        wasmtime_pooling_allocation_config_delete(pooling);
    }
    wasm_engine_t *engine = NULL;
    if (config == NULL || weir_engine_new(config, &engine, NULL) != NULL)
        return NULL;
    return engine;
}

typedef struct worker {
    const weir_workload_t *workload;
    void *prepared;
    unsigned number;
    unsigned succeeded;
    pthread_t thread;
} worker_t;

static void *run_worker(void *context)
{
    worker_t *worker = context;
    for (unsigned i = 0; i < CYCLES; i++)
        worker->succeeded += worker->workload->cycle(worker->prepared, worker->number) ? 1 : 0;
    return NULL;
}

/* Cycles that succeeded on an engine, or the negated step that failed. */
static int run_on(const weir_workload_t *workload, pool_t pool)
{
    wasm_engine_t *engine = new_engine(workload, pool);
    if (engine == NULL)
        return -1;
    void *prepared;
    wasmtime_error_t *error = workload->prepare(workload->context, engine, &prepared);
    if (error != NULL) {
        wasmtime_error_delete(error);
        wasm_engine_delete(engine);
        return -2;
    }
    worker_t workers[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (worker_t){.workload = workload, .prepared = prepared, .number = i};
        if (pthread_create(&workers[i].thread, NULL, run_worker, &workers[i]) != 0)
            return -3;
    }
    unsigned succeeded = 0;
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        succeeded += workers[i].succeeded;
    }
    workload->release(prepared);
    wasm_engine_delete(engine);
    return (int)succeeded;
}

typedef struct trial {
    const weir_application_t *application;
    bool requests;
    uint32_t request_milliseconds;
} trial_t;

typedef struct report {
    int on_demand;
    int pooled;
} report_t;

static int run_trial(int descriptor, void *context)
{
    const trial_t *trial = context;
    weir_application_work_t *work =
        weir_application_work_new(trial->application, trial->requests, trial->request_milliseconds);
    if (work == NULL)
        return 1;
    const weir_workload_t workload = weir_application_workload(work);
    report_t report = {.on_demand = run_on(&workload, ON_DEMAND)};
    report.pooled = run_on(&workload, POOL_OF_4);
    free(work);
    return write(descriptor, &report, sizeof report) == sizeof report ? 0 : 1;
}

static report_t try_application(const weir_application_t *application, bool requests, uint32_t milliseconds)
{
    trial_t trial = {application, requests, milliseconds};
    report_t report;
    weir_child_result_t result;
    weir_child_run(run_trial, &trial, PATIENCE_MILLISECONDS, &report, sizeof report, &result);
    if (result.end != WEIR_CHILD_REPORTED)
        fail_msg("end %d, detail %d: %s", (int)result.end, result.detail, result.complaint);
    return report;
}

static void assert_all_succeeded(report_t report)
{
    assert_int_equal(report.on_demand, THREADS * CYCLES);
    assert_int_equal(report.pooled, THREADS * CYCLES);
}

/* ---- Code -------------------------------------------------------------------------------------------------------- */

static bool all_code_is_there(const weir_application_t *application)
{
    for (size_t i = 0; i < application->manifest.component_count; i++) {
        if (!weir_guest_code_is_there(application->codes[i]))
            return false;
    }
    return true;
}

/* Nothing can be compiled from the files any more. */
static void spoil_files(weir_application_t *application)
{
    for (size_t i = 0; i < application->manifest.component_count; i++)
        memset(application->files[i].bytes, 0, application->files[i].size);
}

static unsigned count_threads(void)
{
    unsigned count = 0;
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    for (struct dirent *entry = readdir(tasks); entry != NULL; entry = readdir(tasks))
        count += entry->d_name[0] != '.' ? 1 : 0;
    closedir(tasks);
    return count;
}

/* Put the descriptors of this process that are memory for code into `descriptors`; returns how many there are. */
static size_t find_memories(int *descriptors, size_t most)
{
    size_t count = 0;
    for (int descriptor = 0; descriptor < 256; descriptor++) {
        char path[32];
        char target[64] = "";
        snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
        if (readlink(path, target, sizeof target - 1) > 0 && strstr(target, "memfd:weir-code") != NULL) {
            assert_true(count < most);
            descriptors[count++] = descriptor;
        }
    }
    return count;
}

static void test_components_and_modules_run_in_a_child_on_any_engine(void **state)
{
    (void)state;
    folder_t folder;
    folder_open(&folder, answers, answers_as_cgi, "");
    assert_all_succeeded(try_application(&folder.application, true, PATIENCE_MILLISECONDS));
    assert_all_succeeded(try_application(&folder.application, false, PATIENCE_MILLISECONDS));
    assert_int_equal(count_threads(), 1);
    folder_close(&folder);
}

static void test_code_that_one_child_compiled_is_loaded_by_the_next(void **state)
{
    (void)state;
    folder_t folder;
    folder_open(&folder, answers, answers_as_cgi, "");
    assert_false(all_code_is_there(&folder.application));
    assert_all_succeeded(try_application(&folder.application, true, PATIENCE_MILLISECONDS));
    assert_true(all_code_is_there(&folder.application));
    spoil_files(&folder.application);
    assert_all_succeeded(try_application(&folder.application, true, PATIENCE_MILLISECONDS));
    folder_close(&folder);
}

static void test_complete_code_cannot_be_changed(void **state)
{
    (void)state;
    folder_t folder;
    folder_open(&folder, answers, answers_as_cgi, "");
    assert_all_succeeded(try_application(&folder.application, false, PATIENCE_MILLISECONDS));
    int memories[4];
    size_t count = find_memories(memories, 4);
    assert_int_equal(count, 2);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(pwrite(memories[i], "x", 1, 0), -1);
        assert_int_equal(errno, EPERM);
        assert_int_equal(ftruncate(memories[i], 1), -1);
        assert_int_equal(errno, EPERM);
        assert_true(mmap(NULL, 1, PROT_WRITE, MAP_SHARED, memories[i], 0) == MAP_FAILED);
    }
    folder_close(&folder);
}

/* As a child that is killed in the midst of it. */
static int write_half(int descriptor, void *context)
{
    (void)descriptor;
    (void)context;
    int memories[4];
    size_t count = find_memories(memories, 4);
    for (size_t i = 0; i < count; i++) {
        if (pwrite(memories[i], "\177ELF", 4, 0) != 4)
            return 1;
    }
    return raise(SIGKILL);
}

static void test_code_that_is_not_complete_is_not_loaded(void **state)
{
    (void)state;
    folder_t folder;
    folder_open(&folder, answers, answers_as_cgi, "");
    char none;
    weir_child_result_t result;
    weir_child_run(write_half, NULL, PATIENCE_MILLISECONDS, &none, sizeof none, &result);
    assert_int_equal(result.end, WEIR_CHILD_SIGNAL);
    assert_false(all_code_is_there(&folder.application));
    assert_all_succeeded(try_application(&folder.application, true, PATIENCE_MILLISECONDS));
    folder_close(&folder);
}

/* Make the guests for an engine of another kind than the code is for. */
static int link_for_another_kind(int descriptor, void *context)
{
    weir_application_t *application = context;
    wasm_engine_t *engine;
    wasm_config_t *config = weir_application_config_new(application);
    wasmtime_config_epoch_interruption_set(config, false);
    if (weir_engine_new(config, &engine, NULL) != NULL)
        return 1;
    char *message = NULL;
    weir_guest_t *guests[8];
    assert_true(application->manifest.component_count <= 8);
    bool linked = weir_application_link(application, (weir_guest_engine_t){engine, 0}, (weir_guest_engine_t){NULL, 0},
        WEIR_GUEST_OUTPUT_LOGGED, guests, &message);
    char made = linked ? 'y' : 'n';
    free(message);
    return write(descriptor, &made, 1) == 1 ? 0 : 1;
}

static char make_for_another_kind(weir_application_t *application)
{
    char made = '?';
    weir_child_result_t result;
    weir_child_run(link_for_another_kind, application, PATIENCE_MILLISECONDS, &made, 1, &result);
    assert_int_equal(result.end, WEIR_CHILD_REPORTED);
    return made;
}

static void test_code_for_another_kind_of_engine_is_compiled_again(void **state)
{
    (void)state;
    folder_t folder;
    folder_open(&folder, answers, answers_as_cgi, "");
    assert_all_succeeded(try_application(&folder.application, false, PATIENCE_MILLISECONDS));
    assert_int_equal(make_for_another_kind(&folder.application), 'y');
    spoil_files(&folder.application);
    assert_int_equal(make_for_another_kind(&folder.application), 'n');
    folder_close(&folder);
}

/* ---- Guests that do not do as they should ------------------------------------------------------------------------ */

static void test_guests_that_fail_count_all_the_same(void **state)
{
    (void)state;
    const step_t traps[] = {step(TRAP), step(END)};
    const step_t exits[] = {number_step(EXIT, 1), step(END)};
    folder_t folder;
    folder_open(&folder, traps, exits, "");
    assert_all_succeeded(try_application(&folder.application, true, PATIENCE_MILLISECONDS));
    folder_close(&folder);
}

/* An hour each. If they were run on requests in each cycle, the child would not be done in time. */
static void test_guests_that_wait_or_spin_hold_nobody_up(void **state)
{
    (void)state;
    const step_t spins[] = {number_step(WORK, UINT32_MAX), step(END)};
    const step_t waits[] = {number_step(SLEEP, 3600 * 1000), step(END)};
    enum { LONG_MILLISECONDS = 5000 };
    assert_true(LONG_MILLISECONDS * 2 * CYCLES > PATIENCE_MILLISECONDS);
    folder_t folder;
    folder_open(&folder, spins, waits, "");
    assert_all_succeeded(try_application(&folder.application, true, LONG_MILLISECONDS));
    folder_close(&folder);
}

static int prepare_fails(int descriptor, void *context)
{
    weir_application_t *application = context;
    weir_application_work_t *work = weir_application_work_new(application, true, PATIENCE_MILLISECONDS);
    const weir_workload_t workload = weir_application_workload(work);
    wasm_engine_t *engine = new_engine(&workload, ON_DEMAND);
    void *prepared;
    wasmtime_error_t *error = workload.prepare(workload.context, engine, &prepared);
    if (error == NULL)
        return 1;
    char messages[2][512] = {"", ""};
    wasm_name_t text;
    wasmtime_error_message(error, &text);
    snprintf(messages[0], sizeof messages[0], "%.*s", (int)text.size, text.data);
    char *message = NULL;
    weir_guest_t *guests[8];
    assert_true(application->manifest.component_count <= 8);
    if (weir_application_link(application, (weir_guest_engine_t){engine, 0}, (weir_guest_engine_t){NULL, 0},
            WEIR_GUEST_OUTPUT_LOGGED, guests, &message))
        return 2;
    snprintf(messages[1], sizeof messages[1], "%s", message);
    return write(descriptor, messages, sizeof messages) == sizeof messages ? 0 : 3;
}

static void test_guest_that_cannot_be_linked_is_told_of_in_the_same_words(void **state)
{
    (void)state;
    static const char wat[] = "(module (import \"env\" \"missing\" (func)) (func (export \"_start\")))";
    folder_t folder;
    folder_open(&folder, answers, answers_as_cgi, "");
    text_t text = {0};
    text_append(&text, wat, sizeof wat - 1);
    write_wasm(&folder, "m.wasm", assemble(&text));
    free(text.bytes);
    weir_application_free(&folder.application);
    load(&folder);
    char messages[2][512];
    weir_child_result_t result;
    weir_child_run(prepare_fails, &folder.application, PATIENCE_MILLISECONDS, messages, sizeof messages, &result);
    assert_int_equal(result.end, WEIR_CHILD_REPORTED);
    assert_non_null(strstr(messages[1], "component \"m\": "));
    assert_non_null(strstr(messages[1], "m.wasm\" cannot be compiled or linked: "));
    assert_non_null(strstr(messages[1], "missing"));
    assert_string_equal(messages[0], messages[1]);
    folder_close(&folder);
}

/* ---- What it stands for ------------------------------------------------------------------------------------------ */

static uint64_t fingerprint(const step_t *component, const char *extra, bool requests)
{
    folder_t folder;
    folder_open(&folder, component, answers_as_cgi, extra);
    weir_application_work_t *work = weir_application_work_new(&folder.application, requests, 1);
    uint64_t value = weir_application_workload(work).fingerprint;
    free(work);
    folder_close(&folder);
    return value;
}

static void test_fingerprint_tells_applications_apart(void **state)
{
    (void)state;
    const step_t others[] = {number_step(RESPOND, 201), step(FINISH), step(END)};
    const uint64_t values[] = {
        fingerprint(answers, "", true),
        fingerprint(answers, "", false),
        fingerprint(others, "", true),
        fingerprint(answers, "environment = { A = \"1\" }\n", true),
        fingerprint(answers, "environment = { A = \"2\" }\n", true),
        fingerprint(answers, "environment = { A1 = \"\" }\n", true),
    };
    const size_t count = sizeof values / sizeof values[0];
    for (size_t i = 0; i < count; i++) {
        assert_int_not_equal(values[i], 0);
        for (size_t k = 0; k < i; k++)
            assert_int_not_equal(values[i], values[k]);
    }
    assert_int_equal(fingerprint(answers, "", true), values[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_components_and_modules_run_in_a_child_on_any_engine),
        cmocka_unit_test(test_code_that_one_child_compiled_is_loaded_by_the_next),
        cmocka_unit_test(test_complete_code_cannot_be_changed),
        cmocka_unit_test(test_code_that_is_not_complete_is_not_loaded),
        cmocka_unit_test(test_code_for_another_kind_of_engine_is_compiled_again),
        cmocka_unit_test(test_guests_that_fail_count_all_the_same),
        cmocka_unit_test(test_guests_that_wait_or_spin_hold_nobody_up),
        cmocka_unit_test(test_guest_that_cannot_be_linked_is_told_of_in_the_same_words),
        cmocka_unit_test(test_fingerprint_tells_applications_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
