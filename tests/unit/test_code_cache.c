/*
 * test_code_cache.c: when a wasm file is known without being read, and when code is taken for a file's.
 */
#include "guest/code_cache.h"
#include "guest_support.h"
#include "temporary.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

/* What the cache takes for the time: files are known only when they have been left alone for some seconds. */
static time_t seconds_ahead;
/* NOLINTBEGIN(cert-dcl37-c,bugprone-reserved-identifier,readability-non-const-parameter): as the linker wants them */
time_t __real_time(time_t *ret_time) __attribute__((weak));
time_t __wrap_time(time_t *ret_time);
time_t __wrap_time(time_t *ret_time)
{
    (void)ret_time;
    return __real_time(NULL) + seconds_ahead;
}
/* NOLINTEND(cert-dcl37-c,bugprone-reserved-identifier,readability-non-const-parameter) */

static const step_t answers[] = {{.kind = END}};
static const step_t answers_late[] = {{.kind = TRAP}, {.kind = END}};

typedef struct stage {
    char root[64];
    char directory[80];
    char source[80];
    weir_component_t component;
    weir_manifest_t manifest;
    weir_store_t *cache;
} stage_t;

static void write_wasm(const stage_t *stage, wasm_byte_vec_t own_wasm)
{
    FILE *file = fopen(stage->source, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(own_wasm.data, 1, own_wasm.size, file), own_wasm.size);
    assert_int_equal(fclose(file), 0);
    wasm_byte_vec_delete(&own_wasm);
}

static void stage_open(stage_t *stage)
{
    static char id[] = "cached";
    static char path[] = "spin.toml";
    const char *why;
    memset(stage, 0, sizeof *stage);
    strcpy(stage->root, "/tmp/weir-code-XXXXXX");
    assert_non_null(mkdtemp(stage->root));
    snprintf(stage->directory, sizeof stage->directory, "%s/code", stage->root);
    snprintf(stage->source, sizeof stage->source, "%s/guest.wasm", stage->root);
    stage->component = (weir_component_t){.id = id, .source = stage->source, .source_place = {7, 10}};
    stage->manifest = (weir_manifest_t){.path = path, .components = &stage->component, .component_count = 1};
    stage->cache = weir_code_cache_open(stage->directory, &why);
    assert_non_null(stage->cache);
    write_wasm(stage, component_of(answers));
    seconds_ahead = 60;
}

static void stage_close(stage_t *stage)
{
    weir_store_free(stage->cache);
    assert_int_equal(temporary_remove(stage->root), 0);
}

/* Load the file; whether it had to be read. */
static bool is_read(
    const stage_t *stage, weir_executor_t executor, weir_guest_file_t *ret_file, weir_wasm_digest_t *ret_digest)
{
    char *message = NULL;
    if (!weir_code_cache_load_file(
            stage->cache, &stage->manifest, &stage->component, executor, ret_file, ret_digest, &message))
        fail_msg("%s", message);
    return ret_file->bytes != NULL;
}

static bool is_read_again(const stage_t *stage)
{
    weir_guest_file_t file;
    weir_wasm_digest_t digest;
    bool read = is_read(stage, WEIR_EXECUTOR_HTTP, &file, &digest);
    weir_guest_file_free(&file);
    return read;
}

/* ---- Files ------------------------------------------------------------------------------------------------------- */

static void test_a_file_that_was_left_alone_is_known_with_all_that_is_asked_of_it(void **state)
{
    (void)state;
    stage_t stage;
    weir_guest_file_t first;
    weir_guest_file_t second;
    weir_wasm_digest_t digests[2];
    stage_open(&stage);
    assert_true(is_read(&stage, WEIR_EXECUTOR_HTTP, &first, &digests[0]));
    assert_false(is_read(&stage, WEIR_EXECUTOR_HTTP, &second, &digests[1]));
    assert_memory_equal(&digests[0], &digests[1], sizeof digests[0]);
    assert_int_equal(first.size, second.size);
    weir_needs_t needs[2] = {{.concurrency = 1}, {.concurrency = 1}};
    weir_guest_file_add_needs(&first, &needs[0]);
    weir_guest_file_add_needs(&second, &needs[1]);
    assert_memory_equal(&needs[0], &needs[1], sizeof needs[0]);
    assert_int_equal(weir_guest_file_executor(&first), weir_guest_file_executor(&second));
    assert_int_equal(first.facts.minimum_memory_bytes, second.facts.minimum_memory_bytes);
    weir_guest_file_free(&first);
    weir_guest_file_free(&second);
    stage_close(&stage);
}

static void test_a_file_that_may_have_changed_within_its_times_is_not_known(void **state)
{
    (void)state;
    stage_t stage;
    stage_open(&stage);
    seconds_ahead = 0;
    assert_true(is_read_again(&stage));
    assert_true(is_read_again(&stage));
    seconds_ahead = -60; /* a clock that was set back */
    assert_true(is_read_again(&stage));
    seconds_ahead = 60;
    assert_true(is_read_again(&stage));
    assert_false(is_read_again(&stage));
    stage_close(&stage);
}

static void rewrite(stage_t *stage)
{
    write_wasm(stage, component_of(answers_late));
}

/* The same bytes, size, inode and time of modification. */
static void touch(stage_t *stage)
{
    struct stat status;
    assert_int_equal(stat(stage->source, &status), 0);
    int file = open(stage->source, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(file, "\0asm", 4, 0), 4);
    const struct timespec times[2] = {status.st_atim, status.st_mtim};
    assert_int_equal(futimens(file, times), 0);
    close(file);
}

static void replace(stage_t *stage)
{
    char other[96];
    snprintf(other, sizeof other, "%s.old", stage->source);
    assert_int_equal(rename(stage->source, other), 0);
    write_wasm(stage, component_of(answers));
}

static void move(stage_t *stage)
{
    const char *const before = stage->source;
    char other[96];
    snprintf(other, sizeof other, "%s.new", before);
    assert_int_equal(rename(before, other), 0);
    strcat(stage->source, ".new");
}

static void no_cache(stage_t *stage)
{
    weir_store_free(stage->cache);
    stage->cache = NULL;
}

static void test_a_file_that_is_not_the_same_is_read(void **state)
{
    (void)state;
    static void (*const changes[])(stage_t *stage) = {rewrite, touch, replace, move, no_cache};
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        stage_t stage;
        stage_open(&stage);
        assert_true(is_read_again(&stage));
        assert_false(is_read_again(&stage));
        changes[i](&stage);
        assert_true(is_read_again(&stage));
        stage_close(&stage);
    }
}

static void test_what_is_known_is_known_for_one_executor(void **state)
{
    (void)state;
    stage_t stage;
    weir_guest_file_t file;
    weir_wasm_digest_t digest;
    stage_open(&stage);
    assert_true(is_read_again(&stage));
    assert_true(is_read(&stage, 0, &file, &digest));
    weir_guest_file_free(&file);
    char *message = NULL;
    write_wasm(&stage, module_of(answers));
    assert_false(weir_code_cache_load_file(
        stage.cache, &stage.manifest, &stage.component, WEIR_EXECUTOR_HTTP, &file, &digest, &message));
    assert_non_null(message);
    free(message);
    stage_close(&stage);
}

static void test_a_file_that_was_changed_meanwhile_is_refused(void **state)
{
    (void)state;
    stage_t stage;
    weir_guest_file_t file;
    weir_wasm_digest_t digest;
    char *message = NULL;
    stage_open(&stage);
    is_read(&stage, WEIR_EXECUTOR_HTTP, &file, &digest);
    weir_guest_file_free(&file);
    assert_true(
        weir_code_cache_read_file(&stage.manifest, &stage.component, WEIR_EXECUTOR_HTTP, &digest, &file, &message));
    assert_non_null(file.bytes);
    weir_guest_file_free(&file);
    rewrite(&stage);
    assert_false(
        weir_code_cache_read_file(&stage.manifest, &stage.component, WEIR_EXECUTOR_HTTP, &digest, &file, &message));
    assert_non_null(strstr(message, "spin.toml:7:10: "));
    assert_non_null(strstr(message, "changed meanwhile"));
    free(message);
    stage_close(&stage);
}

/* What was fetched is verified where it is kept, and loaded later, by its path. */
static void test_a_file_is_loaded_only_if_it_has_the_digest_of_the_manifest(void **state)
{
    (void)state;
    stage_t stage;
    weir_guest_file_t file;
    weir_wasm_digest_t digest;
    char hex[2 * WEIR_SHA256_BYTES + 1], *message = NULL;
    stage_open(&stage);
    is_read(&stage, WEIR_EXECUTOR_HTTP, &file, &digest);
    weir_guest_file_free(&file);
    for (size_t i = 0; i < WEIR_SHA256_BYTES; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest.bytes[i]);
    stage.component.source_digest = hex;
    assert_false(is_read(&stage, WEIR_EXECUTOR_HTTP, &file, &digest)); /* it is known, and the same */
    weir_guest_file_free(&file);
    hex[0] = hex[0] == '0' ? '1' : '0';
    for (int is_known = 1; is_known >= 0; is_known--) {
        const weir_store_t *cache = is_known ? stage.cache : NULL;
        assert_false(weir_code_cache_load_file(
            cache, &stage.manifest, &stage.component, WEIR_EXECUTOR_HTTP, &file, &digest, &message));
        assert_non_null(strstr(message, "spin.toml:7:10: "));
        assert_non_null(strstr(message, "not what was fetched and verified"));
        free(message);
    }
    stage_close(&stage);
}

/* ---- Code -------------------------------------------------------------------------------------------------------- */

typedef void (*configure_t)(wasm_config_t *config);

static wasm_engine_t *new_engine(configure_t configure)
{
    wasm_config_t *config = wasm_config_new();
    wasm_engine_t *engine = NULL;
    if (configure != NULL)
        configure(config);
    wasmtime_error_t *error = weir_engine_new(config, &engine, NULL);
    if (error != NULL)
        fail_msg("%s", "no engine");
    return engine;
}

static void interrupt(wasm_config_t *config)
{
    wasmtime_config_epoch_interruption_set(config, true);
}

static void use_fuel(wasm_config_t *config)
{
    wasmtime_config_consume_fuel_set(config, true);
}

static void check_bounds(wasm_config_t *config)
{
    wasmtime_config_memory_reservation_set(config, 1 << 20);
}

static void optimize_nothing(wasm_config_t *config)
{
    wasmtime_config_cranelift_opt_level_set(config, WASMTIME_OPT_LEVEL_NONE);
}

static void interpret(wasm_config_t *config)
{
    wasmtime_error_t *error = wasmtime_config_target_set(config, "pulley64");
    assert_null(error);
}

static void test_code_is_found_by_all_that_decides_whether_it_fits(void **state)
{
    (void)state;
    static const configure_t configures[] = {NULL, interrupt, use_fuel, check_bounds, optimize_nothing, interpret};
    enum { COUNT = sizeof configures / sizeof configures[0] };
    const weir_wasm_digest_t digest = {{1}};
    const weir_wasm_digest_t other = {{2}};
    weir_store_key_t keys[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        wasm_engine_t *engine = new_engine(configures[i]);
        wasm_engine_t *twin = new_engine(configures[i]);
        keys[i] = weir_code_cache_key(engine, &digest);
        const weir_store_key_t again = weir_code_cache_key(twin, &digest);
        const weir_store_key_t another = weir_code_cache_key(engine, &other);
        assert_memory_equal(&keys[i], &again, sizeof again);
        assert_memory_not_equal(&keys[i], &another, sizeof another);
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(&keys[i], &keys[j], sizeof keys[i]);
        weir_engine_delete(engine);
        weir_engine_delete(twin);
    }
}

static void test_code_that_was_kept_makes_guests(void **state)
{
    (void)state;
    stage_t stage;
    weir_guest_file_t file;
    weir_wasm_digest_t digest;
    char *message = NULL;
    stage_open(&stage);
    is_read(&stage, WEIR_EXECUTOR_HTTP, &file, &digest);
    wasm_engine_t *engine = new_engine(interrupt);
    const weir_store_key_t key = weir_code_cache_key(engine, &digest);
    weir_guest_code_t *compiled = weir_guest_code_new();
    weir_guest_code_t *found = weir_guest_code_new();
    assert_false(weir_code_cache_find(stage.cache, &key, found));
    assert_false(weir_guest_code_is_there(found));
    if (!weir_guest_code_compile(compiled, engine, &stage.manifest, &stage.component, &file, &message))
        fail_msg("%s", message);
    assert_null(weir_code_cache_put(stage.cache, &key, compiled));
    assert_true(weir_code_cache_find(stage.cache, &key, found));
    assert_true(weir_guest_code_is_there(found));
    const weir_guest_settings_t settings = {.output = WEIR_GUEST_OUTPUT_DISCARDED};
    weir_guest_t *guest;
    if (!weir_guest_new(engine, &stage.manifest, &stage.component, found, &settings, &guest, &message))
        fail_msg("%s", message);
    weir_guest_free(guest);
    /* It is an error, and no harm, to take it for another engine; and it can be compiled anew in its place. */
    wasm_engine_t *other = new_engine(use_fuel);
    assert_false(weir_guest_new(other, &stage.manifest, &stage.component, found, &settings, &guest, &message));
    free(message);
    message = NULL;
    assert_true(weir_guest_code_compile(found, other, &stage.manifest, &stage.component, &file, &message));
    assert_true(weir_guest_new(other, &stage.manifest, &stage.component, found, &settings, &guest, &message));
    weir_guest_free(guest);
    weir_guest_code_free(compiled);
    weir_guest_code_free(found);
    weir_guest_file_free(&file);
    weir_engine_delete(engine);
    weir_engine_delete(other);
    stage_close(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_file_that_was_left_alone_is_known_with_all_that_is_asked_of_it),
        cmocka_unit_test(test_a_file_that_may_have_changed_within_its_times_is_not_known),
        cmocka_unit_test(test_a_file_that_is_not_the_same_is_read),
        cmocka_unit_test(test_what_is_known_is_known_for_one_executor),
        cmocka_unit_test(test_a_file_that_was_changed_meanwhile_is_refused),
        cmocka_unit_test(test_a_file_is_loaded_only_if_it_has_the_digest_of_the_manifest),
        cmocka_unit_test(test_code_is_found_by_all_that_decides_whether_it_fits),
        cmocka_unit_test(test_code_that_was_kept_makes_guests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
