/*
 * test_app_memory.c: an application is loaded with every allocation failing in turn, and what was allocated is counted.
 * Linked with --wrap for malloc, calloc, realloc, free and weir_toml_to_json. What the bridge allocates is let pass:
 * Rust's own library ends the process when memory runs out.
 */
#include "app/manifest.h"
#include "app/routes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir_bridge.h>

/* cmocka.h wants the others before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
/* clang-format on */

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* The linker makes these names. NOLINTBEGIN(cert-dcl37-c) */

/* Weak, so that a program that is linked without --wrap says so instead of not being linked. */
void *__real_malloc(size_t size) __attribute__((weak));
void *__real_calloc(size_t count, size_t size) __attribute__((weak));
void *__real_realloc(void *block, size_t size) __attribute__((weak));
void __real_free(void *block) __attribute__((weak));
bool __real_weir_toml_to_json(weir_bytes_t text, char **ret_json, char **ret_message, weir_position_t *ret_position)
    __attribute__((weak));
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
void __wrap_free(void *block);
bool __wrap_weir_toml_to_json(weir_bytes_t text, char **ret_json, char **ret_message, weir_position_t *ret_position);

static bool in_bridge;
static long blocks;             /* allocated and not freed */
static unsigned long allocated; /* allocations so far, without the bridge's */
static unsigned long fail_at;   /* the number of the allocation that fails; 0: none */
static bool fail_after;         /* and all that follow */

static bool refuse(void)
{
    if (in_bridge)
        return false;
    allocated++;
    if (fail_at == 0 || allocated < fail_at || (allocated > fail_at && !fail_after))
        return false;
    errno = ENOMEM;
    return true;
}

static void *counted(void *block)
{
    blocks += block != NULL ? 1 : 0;
    return block;
}

void *__wrap_malloc(size_t size)
{
    return refuse() ? NULL : counted(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
    return refuse() ? NULL : counted(__real_calloc(count, size));
}

void *__wrap_realloc(void *block, size_t size)
{
    if (refuse())
        return NULL;
    void *moved = __real_realloc(block, size);
    blocks += block == NULL && moved != NULL ? 1 : 0;
    return moved;
}

void __wrap_free(void *block)
{
    blocks -= block != NULL ? 1 : 0;
    __real_free(block);
}

bool __wrap_weir_toml_to_json(weir_bytes_t text, char **ret_json, char **ret_message, weir_position_t *ret_position)
{
    in_bridge = true;
    bool success = __real_weir_toml_to_json(text, ret_json, ret_message, ret_position);
    in_bridge = false;
    return success;
}

/* NOLINTEND(cert-dcl37-c) */

static int check_wrapping(void **state)
{
    (void)state;
    if (__real_malloc == NULL || __real_weir_toml_to_json == NULL) {
        print_error("link this program with -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=free,"
                    "--wrap=weir_toml_to_json\n");
        return -1;
    }
    return 0;
}

/* Uses every part of the reader, and warns. */
static const char MANIFEST[] = "spin_manifest_version = 2\n"
                               "[application]\n"
                               "name = \"app\"\n"
                               "version = \"1\"\n"
                               "description = \"d\"\n"
                               "trigger.http.base = \"/\"\n"
                               "[[trigger.http]]\n"
                               "route = \"/a/...\"\n"
                               "component = \"one\"\n"
                               "executor = { type = \"wagi\" }\n"
                               "[[trigger.http]]\n"
                               "route = \"/:c.:d/...\"\n"
                               "component = \"one\"\n"
                               "[[trigger.http]]\n"
                               "route = \"/b\"\n"
                               "component = \"one\"\n"
                               "[[trigger.http]]\n"
                               "id = \"third\"\n"
                               "route = \"/b\"\n"
                               "component = { source = \"x.wasm\", environment = { A = \"1\" } }\n"
                               "[[trigger.http]]\n"
                               "route = \"b/\"\n"
                               "component = \"one\"\n"
                               "[[trigger.http]]\n"
                               "route = \"/.well-known/spin/?\"\n"
                               "component = \"one\"\n"
                               "[[trigger.http]]\n"
                               "route = { private = true }\n"
                               "component = { source = { url = \"https://a/\", digest = "
                               "\"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\" } }\n"
                               "[[trigger.http]]\n"
                               "route = \"/static\"\n"
                               "static_response = { body = \"b\", teapot = 1, headers = { a = \"1\", b = \"2\" } }\n"
                               "[variables]\n"
                               "v = { default = \"1\" }\n"
                               "w = { required = true, secret = true }\n"
                               "[component.one]\n"
                               "source = \"sub/one.wasm\"\n"
                               "description = \"d\"\n"
                               "variables = { x = \"{{ v }}\", y = \"{{ w }}\" }\n"
                               "files = [\"a/*\", { source = \"b\", destination = \"c\" }]\n"
                               "exclude_files = [\"d\", \"e\"]\n"
                               "allowed_outbound_hosts = [\"https://a\"]\n"
                               "allowed_http_hosts = [\"b:1\", \"self\"]\n"
                               "key_value_stores = [\"default\"]\n"
                               "[component.one.environment]\n"
                               "B = \"2\"\n"
                               "C = \"3\"\n"
                               "[component.one.build]\n"
                               "command = [\"make\", \"make install\"]\n"
                               "workdir = \"guest\"\n";

/* Each ends in another kind of message. */
static const char *const WRONG[] = {
    "",
    "\xff",
    "a = \n",
    "a = 1\na = 2\n",
    "name = \"a\"\nspin_version = \"1\"\n[[component]]\nid = \"A_b\"\n[component.trigger]\n",
    "spin_manifest_version = 2\n[application]\nname = \"\"\n[variables]\nA = {}\n",
    "spin_manifest_version = 2\n[application]\nname = \"\"\n[variables]\na = {}\n",
    "spin_manifest_version = 2\n[application]\nname = \"\"\n[[trigger.http]]\nroute = \"/\"\nstatic_response = { "
    "headers = { a = \"\\n\" } }\n",
    "spin_manifest_version = 2\n[aplication]\n",
    "spin_manifest_version = 2\n[application]\nname = 1\n",
    "spin_manifest_version = 2\n[application]\nname = \"\"\n[[trigger.http]]\nroute = \"/\"\ncomponent = \"b\"\n"
    "[component.one]\nsource = \"x\"\n[component.two]\nsource = \"x\"\n",
    "spin_manifest_version = 2\n[application]\nname = \"\"\n[[trigger.http]]\nroute = \"/\"\ncomponent = \"b_c\"\n",
    "spin_manifest_version = 2\n[application]\nname = \"\"\n[[trigger.http]]\nroute = \"/\"\ncomponent = \"one\"\n"
    "[component.one]\nsource = { url = \"x\" }\n",
    "spin_manifest_version = 2\n[application]\nname = \"\"\n[[trigger.http]]\nroute = \"/:\"\ncomponent = \"one\"\n"
    "[component.one]\nsource = \"x\"\n",
};

typedef enum outcome {
    SUCCEEDED,
    FAILED_WITH_MESSAGE,
    FAILED_WITHOUT_MESSAGE,
} outcome_t;

static outcome_t failed_with(char *message)
{
    outcome_t outcome = message != NULL ? FAILED_WITH_MESSAGE : FAILED_WITHOUT_MESSAGE;
    free(message);
    return outcome;
}

/* Load, build the routes, ask for one, and free it all again. */
static outcome_t load(const char *path)
{
    weir_manifest_t manifest, untouched;
    memset(&manifest, 0x5A, sizeof manifest);
    untouched = manifest;
    char *message = NULL;
    if (!weir_manifest_load(path, &manifest, &message)) {
        assert_memory_equal(&manifest, &untouched, sizeof manifest);
        return failed_with(message);
    }
    weir_routes_t *routes = NULL;
    if (!weir_routes_build(&manifest, &routes, &message)) {
        assert_null(routes);
        weir_manifest_free(&manifest);
        return failed_with(message);
    }
    unsigned long before = allocated;
    weir_route_match_t match;
    assert_true(weir_routes_match(routes, "/a/x", 4, &match));
    assert_true(weir_routes_match(routes, "/a.b", 4, &match));
    assert_int_equal(allocated, before); /* matching allocates nothing */
    weir_routes_free(routes);
    weir_manifest_free(&manifest);
    return SUCCEEDED;
}

/* Load with each allocation failing in turn; the outcome without a failure is `expected`. */
static void fail_each_allocation(const char *path, outcome_t expected)
{
    assert_int_equal(load(path), expected); /* what is allocated once for good is allocated now */
    unsigned long start = allocated;
    long blocks_before = blocks;
    assert_int_equal(load(path), expected);
    unsigned long needed = allocated - start;
    assert_int_equal(blocks, blocks_before);
    assert_true(needed > 0);
    for (unsigned long number = 1; number <= needed; number++) {
        for (int following = 0; following < 2; following++) {
            fail_at = allocated + number;
            fail_after = following == 1;
            outcome_t outcome = load(path);
            fail_at = 0;
            if (outcome == SUCCEEDED)
                fail_msg("%s: allocation %lu of %lu failed, and nobody noticed", path, number, needed);
            if (blocks != blocks_before)
                fail_msg("%s: %ld blocks are left after allocation %lu of %lu failed", path, blocks - blocks_before,
                    number, needed);
            if (following == 1 && outcome == FAILED_WITH_MESSAGE)
                fail_msg("%s: a message without memory for it, after allocation %lu failed", path, number);
        }
    }
    assert_int_equal(load(path), expected);
}

static char scratch[] = "/tmp/weir-test-app-memory-XXXXXX";

static const char *write_scratch(const char *name, const char *text)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", scratch, name);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(file >= 0);
    assert_int_equal(write(file, text, strlen(text)), strlen(text));
    close(file);
    return path;
}

static int make_scratch(void **state)
{
    (void)state;
    return mkdtemp(scratch) != NULL ? 0 : -1;
}

static int remove_scratch(void **state)
{
    (void)state;
    static const char *const NAMES[] = {"spin.toml", "lone.wasm"};
    for (size_t i = 0; i < COUNT(NAMES); i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", scratch, NAMES[i]);
        unlink(path);
    }
    return rmdir(scratch);
}

static void a_manifest_that_is_right_survives_each_failing_allocation(void **state)
{
    (void)state;
    fail_each_allocation(write_scratch("spin.toml", MANIFEST), SUCCEEDED);
    fail_each_allocation(scratch, SUCCEEDED); /* by its directory */
}

static void a_manifest_that_is_wrong_survives_each_failing_allocation(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(WRONG); i++)
        fail_each_allocation(write_scratch("spin.toml", WRONG[i]), FAILED_WITH_MESSAGE);
}

static void a_lone_wasm_file_survives_each_failing_allocation(void **state)
{
    (void)state;
    const char *path = write_scratch("lone.wasm", "");
    weir_manifest_t manifest;
    char *message = NULL;
    unsigned long start = allocated;
    long blocks_before = blocks;
    assert_true(weir_manifest_load(path, &manifest, &message));
    unsigned long needed = allocated - start;
    weir_manifest_free(&manifest);
    assert_int_equal(blocks, blocks_before);
    for (unsigned long number = 1; number <= needed; number++) {
        fail_at = allocated + number;
        bool loaded = weir_manifest_load(path, &manifest, &message);
        fail_at = 0;
        assert_false(loaded);
        assert_null(message);
        assert_int_equal(blocks, blocks_before);
    }
}

static void a_file_that_is_not_there_survives_each_failing_allocation(void **state)
{
    (void)state;
    fail_each_allocation("/nonexistent/spin.toml", FAILED_WITH_MESSAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_manifest_that_is_right_survives_each_failing_allocation, check_wrapping),
        cmocka_unit_test_setup(a_manifest_that_is_wrong_survives_each_failing_allocation, check_wrapping),
        cmocka_unit_test_setup(a_lone_wasm_file_survives_each_failing_allocation, check_wrapping),
        cmocka_unit_test_setup(a_file_that_is_not_there_survives_each_failing_allocation, check_wrapping),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
