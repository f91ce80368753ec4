/*
 * test_settings_memory.c: variables, outbound hosts, networks and files with every allocation failing in turn. Linked
 * with --wrap for malloc, calloc and realloc; that nothing is left allocated is for the leak detector to say.
 */
#include "app/block_networks.h"
#include "app/files.h"
#include "app/variables.h"
#include "manifest_support.h"
#include "temporary.h"

#include <dirent.h>
#include <errno.h>

/* The linker makes these names. NOLINTBEGIN(cert-dcl37-c) */

/* Weak, so that a program that is linked without --wrap says so instead of not being linked. */
void *__real_malloc(size_t size) __attribute__((weak));
void *__real_calloc(size_t count, size_t size) __attribute__((weak));
void *__real_realloc(void *block, size_t size) __attribute__((weak));
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);

static unsigned long allocated; /* allocations so far */
static unsigned long fail_at;   /* the number of the one that fails; 0: none */
static bool fail_after;         /* and all that follow */

static bool refuse(void)
{
    allocated++;
    if (fail_at == 0 || allocated < fail_at || (allocated > fail_at && !fail_after))
        return false;
    errno = ENOMEM;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return refuse() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return refuse() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *block, size_t size)
{
    return refuse() ? NULL : __real_realloc(block, size);
}

/* NOLINTEND(cert-dcl37-c) */

static char directory[] = "/tmp/weir-settings-XXXXXX";

static int make(void **state)
{
    (void)state;
    char path[sizeof directory + 16];
    if (__real_malloc == NULL || mkdtemp(directory) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/.env", directory);
    FILE *file = fopen(path, "w");
    if (file == NULL || fputs("A=x\nSPIN_VARIABLE_FROM_FILE=\"$A y\"\n", file) < 0 || fclose(file) != 0)
        return -1;
    snprintf(path, sizeof path, "%s/v.json", directory);
    file = fopen(path, "w");
    return file == NULL || fputs("{\"a\": \"1\", \"b\": \"2\"}", file) < 0 || fclose(file) != 0 ? -1 : 0;
}

static int clean(void **state)
{
    (void)state;
    return temporary_remove(directory);
}

/* All that this file is about; true when all of it worked. Whatever fails leaves nothing. */
static bool prepare_all(void)
{
    weir_application_variable_t variables[] = {
        {"default", "example.com", false, {1, 1}}, {"from_file", NULL, true, {2, 1}}, {"a", NULL, false, {3, 1}}};
    weir_template_variable_t template = {"key", {"{{ default }}-{{ from_file }}-{{ a }}", {4, 1}}};
    weir_placed_text_t hosts[] = {
        {"http://*.{{ default }}", {5, 1}}, {"http://*.spin.internal", {5, 9}}, {"redis://a:1", {5, 19}}};
    weir_placed_text_t excluded = {"**/v*", {6, 1}};
    weir_files_t sources[] = {{"*", NULL, {7, 1}}, {".", "/all", {7, 9}}, {"v.json", "/w.json", {7, 19}}};
    weir_component_t component = {.id = "hello",
        .variable_count = 1,
        .files_count = COUNT(sources),
        .exclude_files_count = 1,
        .allowed_outbound_hosts_count = COUNT(hosts)};
    weir_manifest_t manifest = {
        .path = "spin.toml", .directory = directory, .variable_count = COUNT(variables), .component_count = 1};
    component.variables = &template;
    component.files = sources;
    component.exclude_files = &excluded;
    component.allowed_outbound_hosts = hosts;
    manifest.variables = variables;
    manifest.components = &component;
    static const char *const NETWORKS[] = {"private", "192.0.2.0/24"};
    static char *environment[] = {NULL};
    char argument[sizeof directory + 16];
    snprintf(argument, sizeof argument, "@%s/v.json", directory);

    weir_variable_list_t overrides = {0};
    weir_variables_t resolved = {0};
    weir_outbound_hosts_t outbound = {0};
    weir_block_networks_t networks = {0};
    weir_files_prepared_t files = {0};
    weir_files_settings_t settings = {.temporary_directory = directory};
    char *message = NULL;
    bool success = weir_variable_list_add_argument(&overrides, argument, &message) &&
                   weir_variables_resolve(&manifest, &overrides, environment, &resolved, &message) &&
                   weir_variables_outbound_hosts(&resolved, 0, &outbound, &message) &&
                   weir_block_networks_parse(NETWORKS, COUNT(NETWORKS), &networks, &message) &&
                   weir_files_prepare(&manifest, &settings, &files, &message);
    if (success) {
        assert_string_equal(resolved.components[0].variables[0].value, "example.com-x y-1");
        assert_int_equal(outbound.count, 3);
        assert_int_equal(files.components[0].mount_count, 1);
    }
    unsigned long at = fail_at;
    fail_at = 0;
    if (!success && at == 0)
        fail_msg("%s", message);
    free(message);
    assert_true(weir_files_remove(&files));
    weir_block_networks_free(&networks);
    weir_outbound_hosts_free(&outbound);
    weir_variables_free(&resolved);
    weir_variable_list_free(&overrides);
    return success;
}

static void each_allocation_may_fail(bool and_all_that_follow)
{
    allocated = 0;
    fail_at = 0;
    assert_true(prepare_all());
    unsigned long needed = allocated;
    assert_true(needed > 40);
    fail_after = and_all_that_follow;
    for (unsigned long i = 1; i <= needed; i++) {
        allocated = 0;
        fail_at = i;
        bool success = prepare_all();
        /* Some are not needed: a block is made smaller. */
        if (success && and_all_that_follow && i < needed / 2)
            fail_msg("allocation %lu failed, and nothing was said", i);
    }
    /* No copies were left by those that failed. */
    DIR *opened = opendir(directory);
    assert_non_null(opened);
    struct dirent *entry;
    while ((entry = readdir(opened)) != NULL)
        assert_null(strstr(entry->d_name, "weir-files-"));
    closedir(opened);
}

static void one_refused_allocation_leaves_nothing(void **state)
{
    (void)state;
    each_allocation_may_fail(false);
}

static void refused_allocations_leave_nothing(void **state)
{
    (void)state;
    each_allocation_may_fail(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_refused_allocation_leaves_nothing),
        cmocka_unit_test(refused_allocations_leave_nothing),
    };
    return cmocka_run_group_tests(tests, make, clean);
}
