/*
 * test_guest_file.c: which wasm files are served, and what is said of the others. Which exports make an HTTP guest is
 * Spin's (crates/http/src/trigger.rs, HandlerType::from_instance_pre).
 */
#include "guest_support.h"

#include <fcntl.h>
#include <sys/stat.h>

/* ---- Files in a folder of their own ---- */

typedef struct folder {
    char path[64];
    char file[128];
} folder_t;

static int folder_setup(void **state)
{
    folder_t *folder = calloc(1, sizeof *folder);
    if (folder == NULL)
        return -1;
    snprintf(folder->path, sizeof folder->path, "/tmp/weir-guest-XXXXXX");
    if (mkdtemp(folder->path) == NULL)
        return -1;
    snprintf(folder->file, sizeof folder->file, "%s/hello.wasm", folder->path);
    *state = folder;
    return 0;
}

static int folder_teardown(void **state)
{
    folder_t *folder = *state;
    remove(folder->file);
    rmdir(folder->path);
    free(folder);
    return 0;
}

static void write_file(const folder_t *folder, const void *bytes, size_t size)
{
    FILE *stream = fopen(folder->file, "wb");
    assert_non_null(stream);
    assert_int_equal(fwrite(bytes, 1, size, stream), size);
    assert_int_equal(fclose(stream), 0);
}

static wasm_byte_vec_t wasm_of(const char *wat)
{
    text_t text = {0};
    text_append(&text, wat, strlen(wat));
    wasm_byte_vec_t wasm = assemble(&text);
    free(text.bytes);
    return wasm;
}

static void write_wat(const folder_t *folder, const char *wat)
{
    wasm_byte_vec_t wasm = wasm_of(wat);
    write_file(folder, wasm.data, wasm.size);
    wasm_byte_vec_delete(&wasm);
}

static char manifest_path[] = "app/spin.toml";
static char component_id[] = "hello";

static bool load(folder_t *folder, weir_executor_t executor, weir_guest_file_t *file, char **message)
{
    weir_component_t component = {.id = component_id, .source = folder->file, .source_place = {12, 10}};
    weir_manifest_t manifest = {.path = manifest_path, .components = &component, .component_count = 1};
    return weir_guest_file_load(&manifest, &component, executor, file, message);
}

/* Load a file that must be refused; the message has the place, the file, and each part. */
static void check_refused(folder_t *folder, weir_executor_t executor, const char *what, const char *remedy)
{
    weir_guest_file_t file = {.size = 4711};
    char *message = NULL;
    assert_false(load(folder, executor, &file, &message));
    assert_int_equal(file.size, 4711);
    assert_non_null(message);
    char beginning[256];
    snprintf(beginning, sizeof beginning, "app/spin.toml:12:10: component \"hello\": \"%s\" ", folder->file);
    if (strncmp(message, beginning, strlen(beginning)) != 0 || strstr(message, what) == NULL ||
        strstr(message, remedy) == NULL || strpbrk(message, "\n\x1b") != NULL)
        fail_msg("%s\nhas not: %s ... %s", message, what, remedy);
    free(message);
}

/* ---- What is no WebAssembly ---- */

static void test_file_that_cannot_be_read_is_refused(void **state)
{
    folder_t *folder = *state;
    check_refused(folder, WEIR_EXECUTOR_HTTP, "cannot be opened: No such file or directory", "build the component");
    assert_int_equal(mkdir(folder->file, 0700), 0);
    check_refused(folder, WEIR_EXECUTOR_HTTP, "is not a file", "name the .wasm file");
    assert_int_equal(rmdir(folder->file), 0);
    /* A pipe that nobody writes to must not be waited for. */
    assert_int_equal(mkfifo(folder->file, 0600), 0);
    check_refused(folder, WEIR_EXECUTOR_HTTP, "is not a file", "name the .wasm file");
    assert_int_equal(unlink(folder->file), 0);
    write_file(folder, "", 0);
    check_refused(folder, WEIR_EXECUTOR_HTTP, "is empty", "build the component again");
    assert_int_equal(truncate(folder->file, (off_t)256 * 1024 * 1024 + 1), 0);
    check_refused(folder, WEIR_EXECUTOR_HTTP, "is larger than 256 MiB", "check that it is the right file");
}

typedef struct bytes_case {
    const char *bytes;
    size_t size;
    const char *what;
    const char *remedy;
} bytes_case_t;

#define BYTES(text) text, sizeof(text) - 1

static void test_file_that_is_not_wasm_is_refused(void **state)
{
    folder_t *folder = *state;
    static const bytes_case_t cases[] = {
        {BYTES("\0as"), "is truncated", "build the component again"},
        {BYTES("\0asm"), "is truncated", "build the component again"},
        {BYTES("\0asm\x01\0"), "is truncated", "build the component again"},
        {BYTES("<html>\n<body>"), "is not WebAssembly: it begins with <html>\\n", "name the .wasm file"},
        {BYTES("\x7f"
               "ELF\x02\x01\x01\0"),
            "is not WebAssembly: it begins with", "name the .wasm file"},
        {BYTES("\x1b[31m"), "is not WebAssembly: it begins with", "name the .wasm file"},
        {BYTES("(module)"), "is WebAssembly text", "translate it"},
        {BYTES("(component)"), "is WebAssembly text", "translate it"},
        {BYTES("\0asm\xff\0\0\0"), "is not valid WebAssembly", "build the component again"},
        {BYTES("\0asm\x01\0\0\0\x01\x02\x03\x04"), "is not valid WebAssembly", "build the component again"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_file(folder, cases[i].bytes, cases[i].size);
        check_refused(folder, WEIR_EXECUTOR_HTTP, cases[i].what, cases[i].remedy);
    }
}

static void test_wasm_cut_anywhere_is_refused(void **state)
{
    folder_t *folder = *state;
    wasm_byte_vec_t wasms[] = {module_of((const step_t[]){text_step(WRITE, "hello"), step(END)}),
        component_of((const step_t[]){number_step(RESPOND, 200), step(FINISH), step(END)})};
    static const weir_executor_t executors[] = {WEIR_EXECUTOR_WAGI, WEIR_EXECUTOR_HTTP};
    for (int i = 0; i < 2; i++) {
        for (size_t size = 8; size < wasms[i].size; size += 1 + wasms[i].size / 97) {
            write_file(folder, wasms[i].data, size);
            /* Between two sections the cut does not show by itself, but what is missing does. */
            check_refused(folder, executors[i], "\"", ";");
        }
        write_file(folder, wasms[i].data, wasms[i].size - 1);
        check_refused(folder, executors[i], "is truncated: ", "build the component again");
        write_file(folder, wasms[i].data, wasms[i].size);
        weir_guest_file_t file;
        char *message;
        assert_true(load(folder, executors[i], &file, &message));
        weir_guest_file_free(&file);
        wasm_byte_vec_delete(&wasms[i]);
    }
}

/* ---- Exports and executors ---- */

#define EXPORT(name) "(component (instance $i) (export \"" name "\" (instance $i)))"
#define EXPORTS(a, b) "(component (instance $i) (export \"" a "\" (instance $i)) (export \"" b "\" (instance $i)))"

/* Of a type that comes from elsewhere. */
#define ASYNC_FUNCTION                                                                                                 \
    "(type $t (func async)) (component (alias outer 1 $t (type $t)) (core module $m (func (export \"f\")))"            \
    " (core instance $i (instantiate $m)) (func (type $t) (canon lift (core func $i \"f\"))))"

typedef struct wat_case {
    const char *wat;
    weir_executor_t executor;
    const char *what; /* NULL: served */
    const char *remedy;
} wat_case_t;

static const wat_case_t wat_cases[] = {
    {"(module (func (export \"_start\")))", WEIR_EXECUTOR_WAGI, NULL, NULL},
    {"(module (func (export \"_start\")))", 0, NULL, NULL},
    {"(module (func (export \"_start\")))", WEIR_EXECUTOR_HTTP, "is a core module",
        "set executor = { type = \"wagi\" } in its [[trigger.http]]"},
    {"(module)", WEIR_EXECUTOR_WAGI, "exports no \"_start\"; it exports nothing", "target wasm32-wasip1"},
    {"(module (func (export \"main\")) (memory (export \"memory\") 1))", WEIR_EXECUTOR_WAGI, "it exports main, memory",
        "target wasm32-wasip1"},
    {"(module (func (export \"_start2\")))", 0, "exports no \"_start\"; it exports _start2", "target wasm32-wasip1"},
    {"(module (func (export \"evil\\1b[31m\\0anext\")))", WEIR_EXECUTOR_WAGI, "it exports evil\\x1b[31m",
        "target wasm32-wasip1"},

    {EXPORT("wasi:http/incoming-handler@0.2.0"), WEIR_EXECUTOR_HTTP, NULL, NULL},
    {EXPORT("wasi:http/incoming-handler@0.2.12"), WEIR_EXECUTOR_HTTP, NULL, NULL},
    {EXPORT("wasi:http/incoming-handler@0.2.0"), 0, NULL, NULL},
    {EXPORTS("wasi:cli/run@0.2.0", "wasi:http/incoming-handler@0.2.0"), WEIR_EXECUTOR_HTTP, NULL, NULL},
    {EXPORTS("wasi:cli/run@0.2.0", "wasi:http/incoming-handler@0.2.0"), 0, NULL, NULL},
    {EXPORT("wasi:http/incoming-handler@0.2.0"), WEIR_EXECUTOR_WAGI,
        "handles HTTP itself (it exports a handler of wasi:http), and the executor \"wagi\" runs programs",
        "leave out executor = { type = \"wagi\" } in its [[trigger.http]]"},
    {"(module (func (export \"wasi:http/incoming-handler@0.2.0#handle\")) (@custom \"component-type\" \"\"))",
        WEIR_EXECUTOR_WAGI, "handles HTTP itself", "leave out executor = { type = \"wagi\" } in its [[trigger.http]]"},
    {EXPORT("wasi:http/handler@0.3.0"), WEIR_EXECUTOR_HTTP, NULL, NULL},
    {EXPORT("wasi:http/handler@0.3.1"), 0, NULL, NULL},
    {EXPORT("wasi:http/handler@0.3.0"), WEIR_EXECUTOR_WAGI, "handles HTTP itself",
        "leave out executor = { type = \"wagi\" } in its [[trigger.http]]"},
    {EXPORT("wasi:http/types@0.3.0"), WEIR_EXECUTOR_WAGI, "exports no program (wasi:cli/run@0.2.x)",
        "it exports wasi:http/types@0.3.0; build it as a command"},
    {EXPORT("wasi:cli/run@0.2.0"), WEIR_EXECUTOR_HTTP, "is a program (it exports wasi:cli/run)",
        "set executor = { type = \"wagi\" } in its [[trigger.http]]"},
    {EXPORT("wasi:cli/run@0.2.0-rc-2023-11-10"), WEIR_EXECUTOR_WAGI, "does not run, wasi:cli/run@0.2.0-rc-2023-11-10",
        "rebuild it for WASI 0.2"},
    {EXPORT("wasi:cli/run@0.3.0"), WEIR_EXECUTOR_WAGI, "does not run, wasi:cli/run@0.3.0", "rebuild it for WASI 0.2"},
    {EXPORT("wasi:cli/environment@0.2.0"), WEIR_EXECUTOR_HTTP,
        "exports no HTTP handler (wasi:http/incoming-handler@0.2.x or wasi:http/handler@0.3.x)",
        "it exports wasi:cli/environment@0.2.0; check that it was built for the http trigger"},
    {"(component (import \"spin:variables/variables@3.0.0\" (instance (export \"get\" (func async (result u32)))))"
     " (instance $i) (export \"wasi:http/incoming-handler@0.2.0\" (instance $i)))",
        WEIR_EXECUTOR_HTTP, NULL, NULL},
    {"(component " ASYNC_FUNCTION " (instance $i) (export \"wasi:http/incoming-handler@0.2.0\" (instance $i)))",
        WEIR_EXECUTOR_HTTP, NULL, NULL},
    {"(component (component " ASYNC_FUNCTION ") (instance $i) (export \"wasi:http/handler@0.3.0\" (instance $i)))",
        WEIR_EXECUTOR_HTTP, NULL, NULL},
    /* Spin: crates/componentize/src/lib.rs, EXPORT_INTERFACES */
    {"(module (func (export \"handle-http-request\")))", WEIR_EXECUTOR_HTTP, "fermyon:spin/inbound-http",
        "rebuild it with a current Spin SDK"},
    {"(module (func (export \"_start\")) (@custom \"component-type:x\" \"nonsense\"))", WEIR_EXECUTOR_HTTP,
        "is a core module that cannot be made a component: ", "build it as a component"},
    {"(component)", WEIR_EXECUTOR_HTTP, "it exports nothing", "http trigger"},
    {EXPORT("wasi:http/incoming-handler@0.2.0-rc-2023-10-18"), WEIR_EXECUTOR_HTTP,
        "does not serve, wasi:http/incoming-handler@0.2.0-rc-2023-10-18", "rebuild it"},
    {EXPORT("wasi:http/incoming-handler@0.2.0-rc-2023-11-10"), 0,
        "does not serve, wasi:http/incoming-handler@0.2.0-rc-2023-11-10", "rebuild it"},
    {EXPORT("wasi:http/handler@0.3.0-rc-2026-03-15"), WEIR_EXECUTOR_HTTP,
        "does not serve, wasi:http/handler@0.3.0-rc-2026-03-15", "rebuild it for wasi:http 0.3.0"},
    {EXPORT("wasi:http/handler@0.4.0"), WEIR_EXECUTOR_HTTP, "does not serve, wasi:http/handler@0.4.0",
        "rebuild it for wasi:http 0.3.0"},
    {EXPORT("fermyon:spin/inbound-http"), WEIR_EXECUTOR_HTTP, "does not serve, fermyon:spin/inbound-http",
        "rebuild it"},
    {EXPORTS("wasi:http/incoming-handler@0.2.0", "fermyon:spin/inbound-http"), WEIR_EXECUTOR_HTTP,
        "exports several HTTP handlers", "it exports wasi:http/incoming-handler@0.2.0, fermyon:spin/inbound-http"},
    {EXPORTS("wasi:http/incoming-handler@0.2.0", "wasi:http/handler@0.3.0"), WEIR_EXECUTOR_HTTP,
        "exports several HTTP handlers", "build it with one of them"},
};

static void test_exports_decide_what_is_served(void **state)
{
    folder_t *folder = *state;
    for (size_t i = 0; i < sizeof wat_cases / sizeof wat_cases[0]; i++) {
        const wat_case_t *expected = &wat_cases[i];
        print_message("  %s\n", expected->wat);
        write_wat(folder, expected->wat);
        if (expected->what != NULL) {
            check_refused(folder, expected->executor, expected->what, expected->remedy);
            continue;
        }
        weir_guest_file_t file;
        char *message = NULL;
        if (!load(folder, expected->executor, &file, &message))
            fail_msg("%s", message);
        bool is_module = strncmp(expected->wat, "(module", 7) == 0;
        assert_int_equal(weir_guest_file_executor(&file), is_module ? WEIR_EXECUTOR_WAGI : WEIR_EXECUTOR_HTTP);
        weir_guest_file_free(&file);
        assert_null(file.bytes);
    }
}

static void test_long_lists_of_exports_are_shortened(void **state)
{
    folder_t *folder = *state;
    text_t wat = {0};
    text_format(&wat, "(module");
    for (int i = 0; i < 500; i++)
        text_format(&wat, " (func (export \"function_number_%d\"))", i);
    text_format(&wat, ")");
    write_wat(folder, wat.bytes);
    free(wat.bytes);
    check_refused(folder, WEIR_EXECUTOR_WAGI, "it exports function_number_0, function_number_1, ", "more; build it");
    char name[1001];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    wat = (text_t){0};
    text_format(&wat, "(module (func (export \"%s\")))", name);
    write_wat(folder, wat.bytes);
    free(wat.bytes);
    check_refused(folder, WEIR_EXECUTOR_WAGI, "xxx...; build it", "build it");
}

static void test_a_bare_file_is_named_without_a_place(void **state)
{
    folder_t *folder = *state;
    weir_component_t component = {.id = component_id, .source = folder->file};
    weir_manifest_t manifest = {.path = folder->file, .components = &component, .component_count = 1};
    weir_guest_file_t file;
    char *message = NULL;
    assert_false(weir_guest_file_load(&manifest, &component, 0, &file, &message));
    char beginning[300];
    snprintf(beginning, sizeof beginning, "%s: component \"hello\": ", folder->file);
    assert_memory_equal(message, beginning, strlen(beginning));
    free(message);
}

static weir_executor_t executor_alone(folder_t *folder, const char *wat)
{
    write_wat(folder, wat);
    weir_guest_file_t file;
    char *message = NULL;
    if (!load(folder, 0, &file, &message))
        fail_msg("%s", message);
    weir_executor_t executor = weir_guest_file_executor(&file);
    weir_guest_file_free(&file);
    return executor;
}

/* As an application, where no manifest says how it wants to be called. */
static void test_a_file_alone_is_served_as_what_it_exports(void **state)
{
    folder_t *folder = *state;
    assert_int_equal(executor_alone(folder, EXPORT("wasi:cli/run@0.2.6")), WEIR_EXECUTOR_WAGI);
    assert_int_equal(executor_alone(folder, EXPORT("wasi:http/incoming-handler@0.2.6")), WEIR_EXECUTOR_HTTP);
    assert_int_equal(
        executor_alone(folder, EXPORTS("wasi:cli/run@0.2.6", "wasi:http/incoming-handler@0.2.6")), WEIR_EXECUTOR_HTTP);
}

/* ---- Needs ---- */

static void test_needs_cover_every_file(void **state)
{
    folder_t *folder = *state;
    static const char *const wats[] = {
        "(module (func (export \"_start\")) (memory 17) (table 300 funcref))",
        "(module (func (export \"_start\")) (memory 2) (memory 3) (table 5 funcref) (table 6 funcref))",
    };
    weir_needs_t needs = {.concurrency = 7};
    for (size_t i = 0; i < sizeof wats / sizeof wats[0]; i++) {
        write_wat(folder, wats[i]);
        weir_guest_file_t file;
        char *message = NULL;
        assert_true(load(folder, WEIR_EXECUTOR_WAGI, &file, &message));
        weir_guest_file_add_needs(&file, &needs);
        weir_guest_file_free(&file);
    }
    assert_int_equal(needs.minimum_memory_bytes, 17 * 65536);
    assert_int_equal(needs.memories, 2);
    assert_int_equal(needs.tables, 2);
    assert_int_equal(needs.table_elements, 300);
    assert_int_equal(needs.core_instances, 1);
    assert_int_equal(needs.concurrency, 7);
    assert_int_equal(needs.maximum_memory_bytes, 0);
}

/* Wasmtime makes an instance of a nested component each time that it is instantiated. */
static void test_nested_components_count_as_often_as_they_are_instantiated(void **state)
{
    (void)state;
    static const char wat[] = "(component"
                              " (component $inner"
                              "  (core module $m (memory 3) (table 7 funcref))"
                              "  (core instance (instantiate $m)))"
                              " (core module $n (memory 1))"
                              " (core instance (instantiate $n))"
                              " (instance (instantiate $inner))"
                              " (instance (instantiate $inner))"
                              " (instance (instantiate $inner)))";
    wasm_byte_vec_t wasm;
    wasmtime_error_t *error = wasmtime_wat2wasm(wat, sizeof wat - 1, &wasm);
    assert_null(error);
    weir_guest_facts_t facts;
    error = weir_guest_inspect((weir_bytes_t){wasm.data, wasm.size}, &facts);
    assert_null(error);
    assert_int_equal(facts.kind, WEIR_GUEST_COMPONENT);
    assert_int_equal(facts.core_instances, 4);
    assert_int_equal(facts.memories, 4);
    assert_int_equal(facts.tables, 3);
    assert_int_equal(facts.minimum_memory_bytes, 3 * 65536);
    assert_int_equal(facts.initial_memory_bytes, (1 + 3 * 3) * 65536);
    assert_int_equal(facts.minimum_table_elements, 7);
    weir_guest_facts_free(&facts);
    wasm_byte_vec_delete(&wasm);
}

/* What is async, and what is not although it looks so; and how many fibers that may take. */
static void test_what_needs_concurrency_is_told_from_what_does_not(void **state)
{
    (void)state;
    static const struct {
        const char *wat;
        bool needs;
        uint32_t stacks;
    } cases[] = {
        {"(component)", false, 1},
        {"(module (import \"async\" \"get\" (func)))", false, 1},
        {"(component (import \"a:b/async@1.0.0\" (instance (export \"get\" (func (result u32))))))", false, 1},
        {"(component (import \"a:b/c@1.0.0\" (instance (export \"get\" (func async (result u32))))))", true, 1},
        {"(component (component (import \"a:b/c@1.0.0\" (instance (export \"get\" (func async))))))", true, 1},
        {"(component (core func (canon waitable-set.new)))", true, 1},
        {"(component (type (stream u8)))", true, 1},
        {"(component " ASYNC_FUNCTION ")", true, 2},
        {"(component (component " ASYNC_FUNCTION ") (component " ASYNC_FUNCTION "))", true, 3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        wasm_byte_vec_t wasm = wasm_of(cases[i].wat);
        weir_guest_facts_t facts;
        assert_null(weir_guest_inspect((weir_bytes_t){wasm.data, wasm.size}, &facts));
        print_message("  %s\n", cases[i].wat);
        assert_int_equal(facts.needs_concurrency, cases[i].needs);
        assert_int_equal(facts.stacks, cases[i].stacks);
        weir_guest_facts_free(&facts);
        wasm_byte_vec_delete(&wasm);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nested_components_count_as_often_as_they_are_instantiated),
        cmocka_unit_test(test_what_needs_concurrency_is_told_from_what_does_not),
        cmocka_unit_test_setup_teardown(test_file_that_cannot_be_read_is_refused, folder_setup, folder_teardown),
        cmocka_unit_test_setup_teardown(test_file_that_is_not_wasm_is_refused, folder_setup, folder_teardown),
        cmocka_unit_test_setup_teardown(test_wasm_cut_anywhere_is_refused, folder_setup, folder_teardown),
        cmocka_unit_test_setup_teardown(test_exports_decide_what_is_served, folder_setup, folder_teardown),
        cmocka_unit_test_setup_teardown(test_long_lists_of_exports_are_shortened, folder_setup, folder_teardown),
        cmocka_unit_test_setup_teardown(test_a_bare_file_is_named_without_a_place, folder_setup, folder_teardown),
        cmocka_unit_test_setup_teardown(test_a_file_alone_is_served_as_what_it_exports, folder_setup, folder_teardown),
        cmocka_unit_test_setup_teardown(test_needs_cover_every_file, folder_setup, folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
