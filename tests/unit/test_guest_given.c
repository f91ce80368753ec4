/*
 * test_guest_given.c: what guests are given, and nothing else: directories, environment and variables; and what becomes
 * of imports that nobody gives. The guests are those of tests/guests.
 */
#include "exchange_support.h"

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <sys/stat.h>

/* ---- Guests with settings ---- */

/* A guest of tests/guests, or no bytes: the test is then skipped. */
static wasm_byte_vec_t guest_file(const char *name)
{
    wasm_byte_vec_t wasm = {0, NULL};
    const char *folder = getenv("WEIR_TEST_GUESTS");
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s.wasm", folder != NULL ? folder : ".", name);
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        print_message("%s: %s: the guests of the preset release are needed\n", path, strerror(errno));
        return wasm;
    }
    text_t bytes = {0};
    char piece[65536];
    size_t size;
    while ((size = fread(piece, 1, sizeof piece, file)) > 0)
        text_append(&bytes, piece, size);
    fclose(file);
    wasm_byte_vec_new(&wasm, bytes.size, bytes.bytes);
    free(bytes.bytes);
    return wasm;
}

typedef struct made {
    stage_t stage;
    char *log;     /* of its making */
    char *message; /* of its failure */
} made_t;

/* Make a guest with settings; false and a message where it is refused. */
static bool make(made_t *made, engine_t *engine, wasm_byte_vec_t wasm, const weir_guest_settings_t *settings)
{
    stage_t *stage = &made->stage;
    stage_prepare(stage, engine);
    made->message = NULL;
    weir_guest_file_t file = {.bytes = wasm.data, .size = wasm.size};
    weir_guest_code_t *code = weir_guest_code_new();
    assert_non_null(code);
    if (!weir_guest_code_compile(code, engine->engine, &stage->manifest, &stage->component, &file, &made->message))
        fail_msg("%s", made->message);
    capture_t capture = capture_begin();
    bool good = weir_guest_new(
        engine->engine, &stage->manifest, &stage->component, code, settings, &stage->guest, &made->message);
    made->log = capture_end(capture);
    weir_guest_code_free(code);
    wasm_byte_vec_delete(&wasm);
    return good;
}

static void unmake(made_t *made)
{
    stage_free(&made->stage);
    free(made->log);
    free(made->message);
}

/* The answer's body to a query, to be freed; the status must be `status`. */
static char *ask_for(const made_t *made, const char *query, uint16_t status)
{
    char target[PATH_MAX];
    snprintf(target, sizeof target, "/hi/x?%s", query);
    answer_t answer = run(&made->stage, &(ask_t){.target = target});
    if (answer.status != status)
        fail_msg("%s: status %u: %s", query, answer.status, answer.log);
    text_append(&answer.body, "", 1);
    char *body = answer.body.bytes;
    answer.body.bytes = NULL;
    answer_free(&answer);
    return body;
}

static void check_answer(const made_t *made, const char *query, const char *expected)
{
    char *body = ask_for(made, query, 200);
    assert_string_equal(body, expected);
    free(body);
}

/* ---- Directories ---- */

static char *new_folder(void)
{
    char *folder = strdup("/tmp/weir-test-given-XXXXXX");
    assert_non_null(folder);
    assert_non_null(mkdtemp(folder));
    return folder;
}

static int remove_one(const char *path, const struct stat *facts, int kind, struct FTW *where)
{
    (void)facts;
    (void)kind;
    (void)where;
    return remove(path);
}

static void write_text(const char *folder, const char *name, const char *text)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static bool is_there(const char *folder, const char *name)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return access(path, F_OK) == 0;
}

static void check_directories(engine_t *engine, const char *guest)
{
    wasm_byte_vec_t wasm = guest_file(guest);
    if (wasm.size == 0)
        skip();
    char *folder = new_folder();
    char inner[PATH_MAX];
    char outside_link[PATH_MAX + 8];
    snprintf(inner, sizeof inner, "%s/given", folder);
    assert_int_equal(mkdir(inner, 0700), 0);
    write_text(folder, "secret", "not given\n");
    write_text(inner, "plain", "given\n");
    snprintf(outside_link, sizeof outside_link, "%s/out", inner);
    assert_int_equal(symlink("../secret", outside_link), 0);
    const weir_mount_t mounts[] = {
        {.host_path = inner, .guest_path = "/"},
        {.host_path = inner, .guest_path = "/writable", .writable = true},
    };
    made_t made;
    const weir_guest_settings_t settings = {.executor = WEIR_EXECUTOR_WAGI, .mounts = mounts, .mount_count = 2};
    if (!make(&made, engine, wasm, &settings))
        fail_msg("%s", made.message);
    made.stage.trigger.wagi_argv = (char[]){"files ${ARGS}"};

    check_answer(&made, "read&/plain", "read given\n\n");
    check_answer(&made, "read&plain", "read given\n\n");
    /* Read-only where it is not writable: crates/factor-wasi/src/lib.rs */
    char *refused = ask_for(&made, "write&/new", 200);
    assert_memory_equal(refused, "error ", 6);
    free(refused);
    refused = ask_for(&made, "remove&/plain", 200);
    assert_memory_equal(refused, "error ", 6);
    free(refused);
    assert_false(is_there(inner, "new"));
    assert_true(is_there(inner, "plain"));
    check_answer(&made, "write&/writable/new", "written\n");
    assert_true(is_there(inner, "new"));
    check_answer(&made, "read&/new", "read by a guest\n\n");
    /* Nothing outside: not by dots, not by a name of the host, not by a link, be it the guest's own or the host's. */
    static const char *const outside[] = {"read&/../secret", "read&../secret", "read&/writable/../../secret",
        "read&/out", "read&/writable/out", "read&/etc/passwd", "read&/proc/self/environ", "link&/writable/link",
        "list&/../.."};
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
        char *answer = ask_for(&made, outside[i], 200);
        print_message("  %s: %s", outside[i], answer);
        assert_memory_equal(answer, "error ", 6);
        assert_null(strstr(answer, "not given"));
        assert_null(strstr(answer, "root:"));
        free(answer);
    }
    unmake(&made);
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(folder);
}

static void test_a_module_sees_its_directories_and_nothing_else(void **state)
{
    check_directories(*state, "wagi_files");
}

static void test_a_component_sees_its_directories_and_nothing_else(void **state)
{
    check_directories(*state, "program_files");
}

static void test_a_directory_that_is_not_there_is_said_when_the_guest_is_made(void **state)
{
    wasm_byte_vec_t wasm = guest_file("program_files");
    if (wasm.size == 0)
        skip();
    const weir_mount_t mount = {.host_path = "/nonexistent/directory", .guest_path = "/"};
    made_t made;
    assert_false(make(&made, *state, wasm,
        &(weir_guest_settings_t){.executor = WEIR_EXECUTOR_WAGI, .mounts = &mount, .mount_count = 1}));
    assert_non_null(strstr(made.message, "\"/nonexistent/directory\" cannot be opened"));
    unmake(&made);
}

/* ---- Environment ---- */

static void check_environment(engine_t *engine, const char *guest)
{
    wasm_byte_vec_t wasm = guest_file(guest);
    if (wasm.size == 0)
        skip();
    assert_int_equal(setenv("WEIR_TEST_OF_THE_HOST", "not given", 1), 0);
    weir_variable_t given[] = {{(char[]){"ONE"}, (char[]){"manifest"}}, {(char[]){"TWO"}, (char[]){"manifest"}}};
    const weir_variable_t command_line[] = {{(char[]){"TWO"}, (char[]){"command line"}},
        {(char[]){"THREE"}, (char[]){"first"}}, {(char[]){"THREE"}, (char[]){"a=b"}}};
    const weir_guest_settings_t settings = {
        .executor = WEIR_EXECUTOR_WAGI, .environment = command_line, .environment_count = 3};
    made_t made;
    stage_environment = given;
    stage_environment_count = 2;
    bool good = make(&made, engine, wasm, &settings);
    stage_environment_count = 0;
    if (!good)
        fail_msg("%s", made.message);
    char *body = ask_for(&made, "", 200);
    assert_non_null(strstr(body, "environment ONE=manifest\n"));
    assert_non_null(strstr(body, "environment TWO=command line\n")); /* Spin: the command line's wins */
    assert_null(strstr(body, "TWO=manifest"));
    assert_non_null(strstr(body, "environment THREE=a=b\n"));
    assert_null(strstr(body, "THREE=first"));
    assert_null(strstr(body, "WEIR_TEST_OF_THE_HOST"));
    assert_null(strstr(body, "environment PATH="));
    free(body);
    unmake(&made);
}

static void test_a_module_has_the_manifests_and_the_command_lines_environment(void **state)
{
    check_environment(*state, "wagi_environment");
}

static void test_a_component_has_the_manifests_and_the_command_lines_environment(void **state)
{
    check_environment(*state, "program_environment");
}

/* ---- Variables ---- */

static void test_variables_are_served_through_each_contract(void **state)
{
    wasm_byte_vec_t wasm = guest_file("contracts");
    if (wasm.size == 0)
        skip();
    const weir_variable_t variables[] = {{(char[]){"greeting"}, (char[]){"hall\xc3\xb3, you"}},
        {(char[]){"empty"}, (char[]){""}}, {(char[]){"a1_b2"}, (char[]){"third"}}};
    made_t made;
    if (!make(&made, *state, wasm,
            &(weir_guest_settings_t){.executor = WEIR_EXECUTOR_WAGI, .variables = variables, .variable_count = 3}))
        fail_msg("%s", made.message);
    check_answer(&made, "variables&greeting", "ok hall\xc3\xb3, you\n");
    check_answer(&made, "variables&empty", "ok \n");
    check_answer(&made, "config&a1_b2", "ok third\n");
    check_answer(&made, "store&greeting", "ok hall\xc3\xb3, you\n");
    check_answer(
        &made, "store-all", "name greeting\nvalue hall\xc3\xb3, you\nname empty\nvalue \nname a1_b2\nvalue third\n");
    /* Which error for what: crates/factor-variables/src/host.rs; which names are valid: crates/expressions/src/lib.rs,
     * Key::validate. */
    static const struct {
        const char *query;
        const char *beginning;
    } errors[] = {
        {"variables&absent", "undefined "},
        {"variables&Greeting", "invalid-name "},
        {"variables&", "invalid-name "},
        {"variables&1a", "invalid-name "},
        {"variables&_a", "invalid-name "},
        {"variables&a_", "invalid-name "},
        {"variables&a__b", "invalid-name "},
        {"variables&a-b", "invalid-name "},
        {"config&absent", "provider "},
        {"config&A", "invalid-key "},
        {"store&absent", "none\n"},
        {"store&A", "none\n"},
    };
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        char *answer = ask_for(&made, errors[i].query, 200);
        print_message("  %s: %s", errors[i].query, answer);
        assert_memory_equal(answer, errors[i].beginning, strlen(errors[i].beginning));
        free(answer);
    }
    unmake(&made);
}

/* ---- Imports that nothing provides ---- */

static void test_an_import_of_spins_platform_is_warned_of_once_and_traps_when_called(void **state)
{
    wasm_byte_vec_t wasm = guest_file("contracts");
    if (wasm.size == 0)
        skip();
    made_t made;
    if (!make(&made, *state, wasm, &(weir_guest_settings_t){.executor = WEIR_EXECUTOR_WAGI}))
        fail_msg("%s", made.message);
    assert_string_equal(made.log, "weir: warning: component hello imports fermyon:spin/mqtt@2.0.0, which weir does "
                                  "not provide; a call to it traps\n");
    check_answer(&made, "nothing", "nothing called\n");
    answer_t answer = run(&made.stage, &(ask_t){.target = "/hi/x?mqtt"});
    assert_int_equal(answer.status, 500);
    assert_int_equal(answer.body.size, 0);
    assert_non_null(strstr(answer.log, "component hello: trapped: "));
    assert_non_null(strstr(answer.log, "fermyon:spin/mqtt@2.0.0#[static]connection.open"));
    answer_free(&answer);
    unmake(&made);
}

static void test_the_warning_is_not_repeated_for_a_guest_that_is_made_again(void **state)
{
    for (int discarded = 0; discarded < 2; discarded++) {
        wasm_byte_vec_t wasm = guest_file("contracts");
        if (wasm.size == 0)
            skip();
        const weir_guest_settings_t settings = {.executor = WEIR_EXECUTOR_WAGI,
            .output = discarded ? WEIR_GUEST_OUTPUT_DISCARDED : WEIR_GUEST_OUTPUT_LOGGED,
            .relinked = !discarded};
        made_t made;
        assert_true(make(&made, *state, wasm, &settings));
        assert_string_equal(made.log, "");
        unmake(&made);
    }
}

static void test_any_other_import_is_an_error_that_names_it(void **state)
{
    wasm_byte_vec_t wasm = guest_file("elsewhere");
    if (wasm.size == 0)
        skip();
    made_t made;
    assert_false(make(&made, *state, wasm, &(weir_guest_settings_t){.executor = WEIR_EXECUTOR_WAGI}));
    assert_non_null(strstr(made.message, "spin.toml:7:10: component \"hello\": "));
    assert_non_null(strstr(made.message, "elsewhere:things/thing@1.0.0"));
    assert_string_equal(made.log, "");
    unmake(&made);
}

static void test_any_other_import_traps_when_that_is_asked_for(void **state)
{
    wasm_byte_vec_t wasm = guest_file("elsewhere");
    if (wasm.size == 0)
        skip();
    made_t made;
    if (!make(&made, *state, wasm,
            &(weir_guest_settings_t){.executor = WEIR_EXECUTOR_WAGI, .trap_unknown_imports = true}))
        fail_msg("%s", made.message);
    assert_non_null(strstr(made.log, "imports elsewhere:things/thing@1.0.0"));
    check_answer(&made, "", "not called\n");
    free(ask_for(&made, "call", 500));
    unmake(&made);
}

static wasm_byte_vec_t wat_bytes(const char *wat)
{
    text_t text = {0};
    text_append(&text, wat, strlen(wat));
    wasm_byte_vec_t wasm = assemble(&text);
    free(text.bytes);
    return wasm;
}

static void test_modules_imports_are_judged_alike(void **state)
{
    static const char wasi[] = "(module (import \"wasi_snapshot_preview1\" \"of_the_future\" (func))"
                               " (memory (export \"memory\") 1) (func (export \"_start\") (call 0)))";
    static const char other[] = "(module (import \"env\" \"touch\" (func (param i32)))"
                                " (memory (export \"memory\") 1) (func (export \"_start\") (call 0 (i32.const 1))))";
    made_t made;
    assert_true(make(&made, *state, wat_bytes(wasi), &(weir_guest_settings_t){0}));
    assert_non_null(strstr(made.log, "imports wasi_snapshot_preview1.of_the_future"));
    answer_t answer = run(&made.stage, &(ask_t){0});
    assert_int_equal(answer.status, 500);
    assert_non_null(strstr(answer.log, "wasi_snapshot_preview1.of_the_future"));
    answer_free(&answer);
    unmake(&made);
    assert_false(make(&made, *state, wat_bytes(other), &(weir_guest_settings_t){0}));
    assert_non_null(strstr(made.message, "env::touch"));
    unmake(&made);
    assert_true(make(&made, *state, wat_bytes(other), &(weir_guest_settings_t){.trap_unknown_imports = true}));
    assert_non_null(strstr(made.log, "imports env.touch"));
    unmake(&made);
}

static unsigned count_lines(const char *text)
{
    unsigned count = 0;
    for (; *text != '\0'; text++)
        count += *text == '\n' ? 1 : 0;
    return count;
}

/* A Python component imports dozens that it never calls. */
static void test_imports_that_nothing_provides_are_named_in_one_line(void **state)
{
    static const char two[] = "(module (import \"wasi_snapshot_preview1\" \"of_the_future\" (func))"
                              " (import \"wasi_snapshot_preview1\" \"of_another\" (func))"
                              " (memory (export \"memory\") 1) (func (export \"_start\")))";
    made_t made;
    assert_true(make(&made, *state, wat_bytes(two), &(weir_guest_settings_t){0}));
    assert_string_equal(made.log,
        "weir: warning: component hello imports wasi_snapshot_preview1.of_the_future, "
        "wasi_snapshot_preview1.of_another, which weir does not provide; a call to one of them traps\n");
    unmake(&made);

    /* However many there are, all are named, in lines that are not cut. */
    enum { MANY = 300 };
    text_t wat = {0};
    text_append(&wat, "(module", 7);
    for (unsigned i = 0; i < MANY; i++) {
        char line[96];
        int size = snprintf(line, sizeof line, "(import \"wasi_snapshot_preview1\" \"number_%u_of_many\" (func))", i);
        text_append(&wat, line, (size_t)size);
    }
    static const char end[] = "(memory (export \"memory\") 1) (func (export \"_start\")))";
    text_append(&wat, end, sizeof end - 1);
    assert_true(make(&made, *state, assemble(&wat), &(weir_guest_settings_t){0}));
    free(wat.bytes);
    assert_in_range(count_lines(made.log), 2, MANY / 20);
    for (unsigned i = 0; i < MANY; i++) {
        char name[64];
        snprintf(name, sizeof name, " wasi_snapshot_preview1.number_%u_of_many,", i);
        assert_non_null(strstr(made.log, name));
    }
    unmake(&made);
}

/* A component says itself of what type its imports are: one that is not the host's type must not end in a panic. */
static void test_a_variable_contract_of_another_type_is_an_error(void **state)
{
    static const char wat[] = "(component"
                              " (import \"fermyon:spin/variables@2.0.0\" (instance $v (export \"get\" (func%s))))"
                              " (core func $get (canon lower (func $v \"get\")))"
                              " (core module $m (import \"\" \"get\" (func $get%s))"
                              "  (func (export \"run\") (result i32) (call $get%s) (drop) (i32.const 0)))"
                              " (core instance $i (instantiate $m (with \"\" (instance (export \"get\" (func $get))))))"
                              " (func $run (result (result)) (canon lift (core func $i \"run\")))"
                              " (instance $out (export \"run\" (func $run)))"
                              " (export \"wasi:cli/run@0.2.0\" (instance $out)))";
    static const struct {
        const char *type;
        const char *core_type;
        const char *argument;
        const char *log;
    } cases[] = {
        {" (result u32)", " (result i32)", "", "as of another type"},
        {" (param \"key\" u32) (result u32)", " (param i32) (result i32)", " (i32.const 1)", "type mismatch"},
    };
    for (size_t i = 0; i < 2; i++) {
        char text[2048];
        snprintf(text, sizeof text, wat, cases[i].type, cases[i].core_type, cases[i].argument);
        made_t made;
        if (!make(&made, *state, wat_bytes(text), &(weir_guest_settings_t){.executor = WEIR_EXECUTOR_WAGI}))
            fail_msg("%s", made.message);
        answer_t answer = run(&made.stage, &(ask_t){0});
        assert_int_equal(answer.status, 500);
        if (strstr(answer.log, cases[i].log) == NULL || strstr(answer.log, "panicked") != NULL)
            fail_msg("%s", answer.log);
        answer_free(&answer);
        unmake(&made);
    }
}

static weir_outbound_way_t deny(void *context, const char *scheme, const char *host, int port, const char *path)
{
    (void)context;
    (void)scheme;
    (void)host;
    (void)port;
    (void)path;
    return WEIR_OUTBOUND_DENIED;
}

static bool deny_lookup(void *context, const char *name)
{
    (void)context;
    (void)name;
    return false;
}

static bool deny_address(void *context, const struct sockaddr *address, uint32_t size, weir_address_use_t use)
{
    (void)context;
    (void)address;
    (void)size;
    (void)use;
    return false;
}

static void count(void *context)
{
    ++*(int *)context;
}

/* A policy is the service's, if there is one: whoever cannot make one goes on to own it. */
static void test_a_policy_is_released_once_and_by_who_owns_it(void **state)
{
    static const char *const wats[] = {"(module (import \"env\" \"touch\" (func (param i32)))"
                                       " (memory (export \"memory\") 1) (func (export \"_start\")))",
        "(module (memory (export \"memory\") 1) (func (export \"_start\")))"};
    const engine_t *engine = *state;
    for (int good = 0; good < 2; good++) {
        int released = 0;
        const weir_outbound_policy_t policy = {.size = sizeof policy,
            .context = &released,
            .decide = deny,
            .may_look_up = deny_lookup,
            .address_is_allowed = deny_address,
            .release = count};
        const weir_service_settings_t settings = {.size = sizeof settings, .outbound = &policy};
        wasm_byte_vec_t wasm = wat_bytes(wats[good]), code;
        assert_null(weir_code_compile(engine->engine, (weir_bytes_t){wasm.data, wasm.size}, &code));
        wasm_byte_vec_delete(&wasm);
        weir_service_t *service = NULL;
        wasmtime_error_t *error =
            weir_service_new_from_bytes(engine->engine, (weir_bytes_t){code.data, code.size}, &settings, &service);
        wasm_byte_vec_delete(&code);
        assert_int_equal(error == NULL, good);
        assert_int_equal(released, 0);
        if (error != NULL)
            wasmtime_error_delete(error);
        weir_service_free(service);
        assert_int_equal(released, good);
    }
}

/* What a later version of an interface of WASI adds traps, and the rest of the interface is served all the same. */
static void test_what_a_later_minor_of_wasi_adds_traps_and_no_more_than_that(void **state)
{
    static const char wat[] =
        "(component"
        " (import \"wasi:random/insecure-seed@0.2.77\" (instance $seed"
        "  (export \"insecure-seed\" (func (result (tuple u64 u64))))"
        "  (export \"of-the-future\" (func))))"
        " (import \"wasi:cli/exit@0.2.77\" (instance $exit (export \"exit\" (func (param \"status\" (result))))))"
        " (core func $exit (canon lower (func $exit \"exit\")))"
        " (core func $future (canon lower (func $seed \"of-the-future\")))"
        " (core module $m (import \"\" \"exit\" (func $exit (param i32))) (import \"\" \"future\" (func $future))"
        "  (func (export \"run\") (result i32) (call $%s) (i32.const 0)))"
        " (core instance $i (instantiate $m"
        "  (with \"\" (instance (export \"exit\" (func $exit)) (export \"future\" (func $future))))))"
        " (func $run (result (result)) (canon lift (core func $i \"run\")))"
        " (instance $out (export \"run\" (func $run)))"
        " (export \"wasi:cli/run@0.2.77\" (instance $out)))";
    static const struct {
        const char *call;
        const char *log;
    } cases[] = {
        {"exit (i32.const 0)", "ended without writing to its standard output"},
        {"future", "it called wasi:random/insecure-seed@0.2.77#of-the-future"},
    };
    for (size_t i = 0; i < 2; i++) {
        char text[2048];
        snprintf(text, sizeof text, wat, cases[i].call);
        made_t made;
        if (!make(&made, *state, wat_bytes(text), &(weir_guest_settings_t){.executor = WEIR_EXECUTOR_WAGI}))
            fail_msg("%s", made.message);
        assert_int_equal(count_of(made.log, "warning"), 1);
        assert_non_null(strstr(made.log, "wasi:random/insecure-seed@0.2.77"));
        answer_t answer = run(&made.stage, &(ask_t){0});
        assert_int_equal(answer.status, 500);
        if (strstr(answer.log, cases[i].log) == NULL)
            fail_msg("%s", answer.log);
        answer_free(&answer);
        unmake(&made);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_module_sees_its_directories_and_nothing_else),
        cmocka_unit_test(test_a_component_sees_its_directories_and_nothing_else),
        cmocka_unit_test(test_a_directory_that_is_not_there_is_said_when_the_guest_is_made),
        cmocka_unit_test(test_a_module_has_the_manifests_and_the_command_lines_environment),
        cmocka_unit_test(test_a_component_has_the_manifests_and_the_command_lines_environment),
        cmocka_unit_test(test_variables_are_served_through_each_contract),
        cmocka_unit_test(test_an_import_of_spins_platform_is_warned_of_once_and_traps_when_called),
        cmocka_unit_test(test_the_warning_is_not_repeated_for_a_guest_that_is_made_again),
        cmocka_unit_test(test_any_other_import_is_an_error_that_names_it),
        cmocka_unit_test(test_any_other_import_traps_when_that_is_asked_for),
        cmocka_unit_test(test_imports_that_nothing_provides_are_named_in_one_line),
        cmocka_unit_test(test_modules_imports_are_judged_alike),
        cmocka_unit_test(test_a_variable_contract_of_another_type_is_an_error),
        cmocka_unit_test(test_a_policy_is_released_once_and_by_who_owns_it),
        cmocka_unit_test(test_what_a_later_minor_of_wasi_adds_traps_and_no_more_than_that),
    };
    return cmocka_run_group_tests(tests, engine_setup, engine_teardown);
}
