/*
 * test_remember.c: what is remembered of a decision, and what is not believed.
 */
#include "allocator/remember.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* cmocka.h wants the others before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
/* clang-format on */

#include "temporary.h"

enum { KEY = 0x1234, PATH_BYTES = 256 };

static char root[PATH_BYTES]; /* a directory of the test's own */
static const char code[] = "as if it were compiled code";

static int make_root(void **state)
{
    (void)state;
    snprintf(root, sizeof root, "/tmp/weir-memory-XXXXXX");
    return mkdtemp(root) == NULL ? 1 : 0;
}

static int remove_root(void **state)
{
    (void)state;
    return temporary_remove(root);
}

static const char *within(const char *name)
{
    static char paths[4][2 * PATH_BYTES];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", root, name);
    return path;
}

static weir_decision_t *new_decision(void)
{
    weir_decision_t *decision = calloc(1, sizeof *decision);
    assert_non_null(decision);
    decision->pool.count = 2;
    decision->pool.index = 1;
    for (size_t i = 0; i < 2; i++) {
        decision->pool.ladder[i].rung = (weir_rung_t){.tier = WEIR_TIER_COMPACT, .slots = 7, .slot_bytes = 1 << 20};
        decision->pool.ladder[i].verdict =
            (weir_verdict_t){.outcome = WEIR_OUTCOME_PASSED, .instance_microseconds = 8.5};
    }
    return decision;
}

/* Load it; true when it was believed, and then it must be what was saved. */
static bool load(const char *directory, uint64_t key)
{
    weir_decision_t *loaded = calloc(1, sizeof *loaded);
    weir_decision_t *saved = new_decision();
    void *loaded_code = NULL;
    size_t size = 0;
    assert_non_null(loaded);
    bool believed = weir_memory_load(directory, key, loaded, &loaded_code, &size);
    if (believed) {
        assert_memory_equal(loaded, saved, sizeof *loaded);
        assert_int_equal(size, sizeof code);
        assert_memory_equal(loaded_code, code, sizeof code);
    } else {
        assert_null(loaded_code);
        assert_int_equal(loaded->pool.count, 0);
    }
    free(loaded_code);
    free(loaded);
    free(saved);
    return believed;
}

static const char *save(const char *directory, uint64_t key)
{
    weir_decision_t *decision = new_decision();
    const char *trouble = weir_memory_save(directory, key, decision, code, sizeof code);
    free(decision);
    return trouble;
}

static const char *file_in(const char *directory)
{
    static char path[3 * PATH_BYTES];
    snprintf(path, sizeof path, "%s/allocator-%016x", directory, KEY);
    return path;
}

/* ---- What is believed -------------------------------------------------------------------------------------------- */

static void what_was_saved_is_loaded(void **state)
{
    (void)state;
    const char *directory = within("a/new/place");
    assert_false(load(directory, KEY));
    assert_null(save(directory, KEY));
    assert_true(load(directory, KEY));
    assert_false(load(directory, KEY + 1));
    assert_null(save(directory, KEY)); /* in its place */
    assert_true(load(directory, KEY));
    struct stat status;
    assert_int_equal(stat(directory, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    assert_int_equal(stat(file_in(directory), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
}

static size_t read_whole(const char *path, char **ret_bytes)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    size_t size = (size_t)ftell(file);
    rewind(file);
    *ret_bytes = malloc(size);
    assert_non_null(*ret_bytes);
    assert_int_equal(fread(*ret_bytes, 1, size, file), size);
    fclose(file);
    return size;
}

static void write_whole(const char *path, const char *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void what_was_saved_can_be_looked_at_and_forgotten(void **state)
{
    (void)state;
    const char *directory = within("forgetful");
    weir_decision_t *seen = calloc(1, sizeof *seen);
    time_t since = 0;
    assert_non_null(seen);
    assert_int_equal(weir_memory_forget(directory, KEY), WEIR_FORGOTTEN_NOTHING); /* there is not even a directory */
    assert_false(weir_memory_look(directory, KEY, seen, &since));
    assert_int_equal(since, 0);
    assert_null(save(directory, KEY));
    assert_null(save(directory, KEY + 1));
    const struct timespec times[2] = {{1700000000, 0}, {1700000000, 0}};
    assert_int_equal(utimensat(AT_FDCWD, file_in(directory), times, 0), 0);
    assert_true(weir_memory_look(directory, KEY, seen, &since));
    assert_int_equal(since, 1700000000);
    assert_int_equal(seen->pool.ladder[1].rung.slots, 7);
    assert_int_equal(weir_memory_forget(directory, KEY), WEIR_FORGOTTEN);
    assert_int_equal(weir_memory_forget(directory, KEY), WEIR_FORGOTTEN_NOTHING);
    assert_false(load(directory, KEY));
    assert_false(weir_memory_look(directory, KEY, seen, &since));
    assert_true(load(directory, KEY + 1));
    free(seen);
}

static void damage_is_noticed_wherever_it_is(void **state)
{
    (void)state;
    const char *directory = within("damage");
    char *bytes;
    assert_null(save(directory, KEY));
    size_t size = read_whole(file_in(directory), &bytes);
    /* Every byte of the header and the code, and every so manieth between. */
    for (size_t at = 0; at < size; at += at < 64 || at + 64 > size ? 1 : 97) {
        bytes[at] ^= 0x20;
        write_whole(file_in(directory), bytes, size);
        if (load(directory, KEY)) {
            fail_msg("byte %zu is wrong, and nobody noticed", at);
        }
        bytes[at] ^= 0x20;
    }
    const size_t sizes[] = {0, 1, 39, 40, 41, size / 2, size - 1};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        write_whole(file_in(directory), bytes, sizes[i]);
        assert_false(load(directory, KEY));
    }
    write_whole(file_in(directory), bytes, size);
    assert_true(load(directory, KEY));
    /* And it is rewritten when it is damaged. */
    write_whole(file_in(directory), bytes, 10);
    assert_null(save(directory, KEY));
    assert_true(load(directory, KEY));
    free(bytes);
}

static void what_others_may_write_is_not_believed(void **state)
{
    (void)state;
    const char *directory = within("others");
    assert_null(save(directory, KEY));
    static const mode_t modes[] = {0620, 0602, 0666, 0777};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        assert_int_equal(chmod(file_in(directory), modes[i]), 0);
        assert_false(load(directory, KEY));
    }
    assert_null(save(directory, KEY)); /* a file of ours takes its place */
    assert_true(load(directory, KEY));
    assert_int_equal(chmod(directory, 0770), 0);
    assert_false(load(directory, KEY));
    assert_non_null(save(directory, KEY));
    assert_int_equal(chmod(directory, 0755), 0);
    assert_true(load(directory, KEY));
}

static void what_belongs_to_another_user_is_not_believed(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        print_message("skipped: only root can give a file away\n");
        skip();
    }
    const char *directory = within("foreign");
    assert_null(save(directory, KEY));
    assert_int_equal(chown(file_in(directory), 12345, (gid_t)-1), 0);
    assert_false(load(directory, KEY));
    assert_null(save(directory, KEY));
    assert_true(load(directory, KEY));
    assert_int_equal(chown(directory, 12345, (gid_t)-1), 0);
    assert_false(load(directory, KEY));
    assert_non_null(save(directory, KEY));
}

static void what_is_no_file_is_not_read(void **state)
{
    (void)state;
    const char *directory = within("kinds");
    assert_null(save(directory, KEY));
    const char *file = file_in(directory);
    assert_int_equal(rename(file, within("kinds/real")), 0);
    assert_int_equal(symlink("real", file), 0);
    assert_false(load(directory, KEY));
    assert_int_equal(unlink(file), 0);
    assert_int_equal(mkfifo(file, 0600), 0); /* and nobody waits for a writer */
    assert_false(load(directory, KEY));
    assert_int_equal(unlink(file), 0);
    assert_int_equal(mkdir(file, 0700), 0);
    assert_false(load(directory, KEY));
    assert_non_null(save(directory, KEY));
}

static void a_place_that_cannot_be_is_said(void **state)
{
    (void)state;
    write_whole(within("a-file"), "x", 1);
    assert_non_null(save(within("a-file/below"), KEY));
    assert_non_null(save("/proc/nothing/here", KEY));
    assert_false(load(within("a-file/below"), KEY));
}

static void old_decisions_make_room_for_new_ones(void **state)
{
    (void)state;
    const char *directory = within("many");
    for (uint64_t key = 0; key < 100; key++) {
        assert_null(save(directory, key));
    }
    assert_true(load(directory, 99));
    assert_false(load(directory, 0));
    unsigned count = 0;
    DIR *folder = opendir(directory);
    assert_non_null(folder);
    while (readdir(folder) != NULL) {
        count++;
    }
    closedir(folder);
    assert_in_range(count, 3, 2 + 32); /* with . and .. */
}

/* ---- What is plausible ------------------------------------------------------------------------------------------- */

static void a_decision_that_makes_no_sense_is_not_plausible(void **state)
{
    weir_decision_t *decision = new_decision();
    (void)state;
    assert_true(weir_decision_is_plausible(decision));
#define ABSURD(statement)                                                                                              \
    do {                                                                                                               \
        weir_decision_t *changed = new_decision();                                                                     \
        changed->statement;                                                                                            \
        if (weir_decision_is_plausible(changed)) {                                                                     \
            fail_msg("plausible: %s", #statement);                                                                     \
        }                                                                                                              \
        free(changed);                                                                                                 \
    } while (0)
    ABSURD(pool.count = 0);
    ABSURD(pool.count = WEIR_LADDER_MAX + 1);
    ABSURD(pool.index = 2);
    ABSURD(pool.index = SIZE_MAX);
    ABSURD(strategy = 99);
    ABSURD(tuned_count = WEIR_VARIANTS_MAX + 1);
    ABSURD(tuned_fingerprint = 1);
    ABSURD(apart_count = WEIR_GUESTS_MAX + 1);
    ABSURD(apart_count = 1); /* without a rung for it */
    ABSURD(pool.ladder[0].rung.tier = 0);
    ABSURD(pool.ladder[0].rung.tier = 9);
    ABSURD(pool.ladder[1].rung.slots = 0);
    ABSURD(pool.ladder[1].verdict.outcome = WEIR_OUTCOME_REFUSED);
    ABSURD(pool.ladder[0].verdict.outcome = 77);
    ABSURD(pool.ladder[0].verdict.limit = 77);
    ABSURD(pool.ladder[0].verdict.variant_count = WEIR_VARIANTS_MAX + 1);
    ABSURD(pool.ladder[0].verdict.instance_microseconds = -1);
    ABSURD(pool.ladder[0].verdict.engine_milliseconds = 1.0 / 0.0);
    memset(decision->pool.ladder[0].verdict.message, 'x', sizeof decision->pool.ladder[0].verdict.message);
    assert_false(weir_decision_is_plausible(decision));
    free(decision);
}

/* ---- Where ------------------------------------------------------------------------------------------------------- */

static void the_directory_follows_option_and_environment(void **state)
{
    static const struct {
        const char *option;
        const char *cache;
        const char *home;
        const char *expected;
    } cases[] = {
        {"/some/where", "/cache", "/home/me", "/some/where"},
        {"", "/cache", "/home/me", NULL},
        {NULL, "/cache", "/home/me", "/cache/weir"},
        {NULL, "relative", "/home/me", "/home/me/.cache/weir"},
        {NULL, "", "/home/me", "/home/me/.cache/weir"},
        {NULL, NULL, "/home/me", "/home/me/.cache/weir"},
        {NULL, NULL, "", NULL},
        {NULL, NULL, NULL, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cases[i].cache == NULL ? unsetenv("XDG_CACHE_HOME") : setenv("XDG_CACHE_HOME", cases[i].cache, 1);
        cases[i].home == NULL ? unsetenv("HOME") : setenv("HOME", cases[i].home, 1);
        char *directory = weir_memory_directory(cases[i].option);
        if (cases[i].expected == NULL) {
            assert_null(directory);
        } else {
            assert_string_equal(directory, cases[i].expected);
        }
        free(directory);
    }
}

static void the_key_depends_on_what_matters(void **state)
{
    weir_facts_t facts = {.size = sizeof facts, .memory_total = {WEIR_KNOWN, 1 << 30, "test"}};
    weir_choose_options_t options;
    (void)state;
    weir_choose_options_init(&options);
    uint64_t key = weir_memory_key(&facts, &options);
    assert_int_equal(weir_memory_key(&facts, &options), key);
    facts.memory_available = (weir_fact_t){WEIR_KNOWN, 12345, "test"}; /* changes all the time */
    assert_int_equal(weir_memory_key(&facts, &options), key);
    options.strategy = WEIR_STRATEGY_COMPACT;
    assert_int_not_equal(weir_memory_key(&facts, &options), key);
    options.strategy = WEIR_STRATEGY_AUTO;
    options.needs.concurrency = 5;
    assert_int_not_equal(weir_memory_key(&facts, &options), key);
    options.needs.concurrency = 0;
    const weir_needs_t guests[] = {{.memories = 1}, {.memories = 2}};
    options.guests = guests;
    options.guest_count = 1;
    uint64_t one = weir_memory_key(&facts, &options);
    options.guest_count = 2;
    assert_int_not_equal(weir_memory_key(&facts, &options), one);
    options.guest_count = 0;
    facts.address_space_limit = (weir_fact_t){WEIR_KNOWN, 1 << 20, "test"};
    assert_int_not_equal(weir_memory_key(&facts, &options), key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_saved_is_loaded),
        cmocka_unit_test(what_was_saved_can_be_looked_at_and_forgotten),
        cmocka_unit_test(damage_is_noticed_wherever_it_is),
        cmocka_unit_test(what_others_may_write_is_not_believed),
        cmocka_unit_test(what_belongs_to_another_user_is_not_believed),
        cmocka_unit_test(what_is_no_file_is_not_read),
        cmocka_unit_test(a_place_that_cannot_be_is_said),
        cmocka_unit_test(old_decisions_make_room_for_new_ones),
        cmocka_unit_test(a_decision_that_makes_no_sense_is_not_plausible),
        cmocka_unit_test(the_directory_follows_option_and_environment),
        cmocka_unit_test(the_key_depends_on_what_matters),
    };
    umask(022);
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
