/*
 * test_store.c: what a store finds again, and what it does not believe.
 */
#include "cache/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* cmocka.h wants the others before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
/* clang-format on */

#include "temporary.h"

enum { PATH_BYTES = 256, KIND = 'c', SIZE = 10000, OTHER_USER = 65534 };

#define PLENTY (UINT64_C(1) << 30)

static char root[PATH_BYTES];          /* a directory of the test's own */
static char directory[PATH_BYTES + 8]; /* the store's, in it */

static int make_root(void **state)
{
    (void)state;
    snprintf(root, sizeof root, "/tmp/weir-store-XXXXXX");
    if (mkdtemp(root) == NULL)
        return 1;
    snprintf(directory, sizeof directory, "%s/code", root);
    return 0;
}

static int remove_root(void **state)
{
    (void)state;
    return temporary_remove(root);
}

static weir_store_t *open_store(uint64_t most_bytes)
{
    const char *why = NULL;
    weir_store_t *store = weir_store_open(directory, most_bytes, &why);
    if (store == NULL)
        fail_msg("no store: %s", why);
    return store;
}

static weir_store_key_t key_of(unsigned number)
{
    weir_store_key_t key = {{0}};
    memcpy(key.bytes, &number, sizeof number);
    key.bytes[sizeof key.bytes - 1] = 0xab;
    return key;
}

static char *content_of(unsigned seed, size_t size)
{
    char *content = malloc(size + 1);
    assert_non_null(content);
    uint32_t number = seed * 2654435761U + 1;
    for (size_t i = 0; i < size; i++) {
        number = number * 1664525U + 1013904223U;
        content[i] = (char)(number >> 24);
    }
    return content;
}

static void put(const weir_store_t *store, unsigned number, size_t size)
{
    const weir_store_key_t key = key_of(number);
    char *content = content_of(number, size);
    const char *why = weir_store_put(store, KIND, &key, content, size);
    if (why != NULL)
        fail_msg("not put: %s", why);
    free(content);
}

/* Whether an entry is found; then it is what was put. */
static bool is_found(const weir_store_t *store, unsigned number, size_t size)
{
    const weir_store_key_t key = key_of(number);
    weir_stored_t stored;
    if (!weir_store_find(store, KIND, &key, &stored))
        return false;
    char *expected = content_of(number, size);
    char *found = malloc(size + 1);
    assert_non_null(found);
    assert_int_equal(stored.size, size);
    assert_int_equal(read(stored.descriptor, found, size), size);
    assert_memory_equal(found, expected, size);
    close(stored.descriptor);
    free(found);
    free(expected);
    return true;
}

/* The path of the only file whose name begins with a kind. */
static const char *path_of_entry(void)
{
    static char path[2 * PATH_BYTES + 300];
    unsigned count = 0;
    DIR *folder = opendir(directory);
    assert_non_null(folder);
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        if (entry->d_name[0] == KIND) {
            snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
            count++;
        }
    }
    closedir(folder);
    assert_int_equal(count, 1);
    return path;
}

static unsigned count_files(void)
{
    unsigned count = 0;
    DIR *folder = opendir(directory);
    assert_non_null(folder);
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder))
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 ? 1 : 0;
    closedir(folder);
    return count;
}

/* ---- Finding ----------------------------------------------------------------------------------------------------- */

static void test_what_was_put_is_found_by_its_key_and_kind_alone(void **state)
{
    (void)state;
    weir_store_t *store = open_store(PLENTY);
    weir_stored_t stored;
    assert_false(is_found(store, 1, SIZE));
    put(store, 1, SIZE);
    put(store, 2, 0);
    assert_true(is_found(store, 1, SIZE));
    assert_true(is_found(store, 2, 0));
    assert_false(is_found(store, 3, SIZE));
    const weir_store_key_t key = key_of(1);
    assert_false(weir_store_find(store, KIND + 1, &key, &stored));
    weir_store_free(store);
    store = open_store(PLENTY);
    assert_true(is_found(store, 1, SIZE));
    weir_store_free(store);
}

static void test_its_files_are_for_this_user_alone(void **state)
{
    (void)state;
    struct stat status;
    const mode_t mask = umask(0);
    weir_store_t *store = open_store(PLENTY);
    put(store, 1, SIZE);
    umask(mask);
    assert_int_equal(stat(directory, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    assert_int_equal(stat(path_of_entry(), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0400);
    weir_store_free(store);
}

static void test_an_entry_of_another_name_is_not_believed(void **state)
{
    (void)state;
    weir_store_t *store = open_store(PLENTY);
    char path[2 * PATH_BYTES + 300];
    put(store, 1, SIZE);
    snprintf(path, sizeof path, "%s", path_of_entry());
    put(store, 2, SIZE);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rename(path_of_entry(), path), 0);
    assert_false(is_found(store, 1, SIZE));
    weir_store_free(store);
}

/* ---- Damage ------------------------------------------------------------------------------------------------------ */

static void flip(const char *path, off_t at)
{
    assert_int_equal(chmod(path, 0600), 0);
    int file = open(path, O_RDWR | O_CLOEXEC);
    char byte;
    assert_int_equal(pread(file, &byte, 1, at), 1);
    byte = (char)(byte ^ 0x10);
    assert_int_equal(pwrite(file, &byte, 1, at), 1);
    close(file);
}

static void test_damage_anywhere_is_seen_and_repaired(void **state)
{
    (void)state;
    weir_store_t *store = open_store(PLENTY);
    enum { SMALL = 300, WHOLE = SMALL + WEIR_STORE_TRAILER_BYTES };
    for (off_t at = 0; at < WHOLE; at++) {
        put(store, 1, SMALL);
        flip(path_of_entry(), at);
        assert_false(is_found(store, 1, SMALL));
    }
    put(store, 1, SMALL);
    assert_true(is_found(store, 1, SMALL));
    weir_store_free(store);
}

static void test_a_file_of_another_length_is_not_believed(void **state)
{
    (void)state;
    static const long lengths[] = {0, 1, WEIR_STORE_TRAILER_BYTES - 1, WEIR_STORE_TRAILER_BYTES, SIZE - 1, SIZE,
        SIZE + 1, SIZE + WEIR_STORE_TRAILER_BYTES - 1, SIZE + WEIR_STORE_TRAILER_BYTES + 1, 2 * SIZE};
    weir_store_t *store = open_store(PLENTY);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        put(store, 1, SIZE);
        const char *path = path_of_entry();
        assert_int_equal(chmod(path, 0600), 0);
        assert_int_equal(truncate(path, lengths[i]), 0);
        assert_false(is_found(store, 1, SIZE));
    }
    weir_store_free(store);
}

static void test_an_entry_that_is_no_file_is_not_waited_for(void **state)
{
    (void)state;
    weir_store_t *store = open_store(PLENTY);
    char path[2 * PATH_BYTES + 300];
    char target[PATH_BYTES + 16];
    put(store, 1, SIZE);
    snprintf(path, sizeof path, "%s", path_of_entry());
    snprintf(target, sizeof target, "%s/elsewhere", root);
    assert_int_equal(rename(path, target), 0);
    assert_int_equal(symlink(target, path), 0);
    assert_false(is_found(store, 1, SIZE));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_false(is_found(store, 1, SIZE));
    put(store, 1, SIZE);
    assert_true(is_found(store, 1, SIZE));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_false(is_found(store, 1, SIZE));
    const weir_store_key_t key = key_of(1);
    assert_non_null(weir_store_put(store, KIND, &key, "x", 1));
    assert_int_equal(count_files(), 1);
    weir_store_free(store);
}

/* ---- Others ------------------------------------------------------------------------------------------------------ */

static void test_what_others_may_write_is_not_believed(void **state)
{
    (void)state;
    static const mode_t modes[] = {0420, 0402, 0622, 0666};
    weir_store_t *store = open_store(PLENTY);
    put(store, 1, SIZE);
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        assert_int_equal(chmod(path_of_entry(), modes[i]), 0);
        assert_false(is_found(store, 1, SIZE));
    }
    assert_int_equal(chmod(path_of_entry(), 0444), 0); /* to be read is no harm */
    assert_true(is_found(store, 1, SIZE));
    weir_store_free(store);
}

static void test_a_directory_that_others_may_write_is_not_used(void **state)
{
    (void)state;
    const char *why = NULL;
    weir_store_t *first = open_store(PLENTY);
    put(first, 1, SIZE);
    weir_store_free(first);
    const char *const paths[] = {directory, root};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(chmod(paths[i], 0770), 0);
        assert_null(weir_store_open(directory, PLENTY, &why));
        assert_non_null(strstr(why, "others may write"));
        assert_int_equal(chmod(paths[i], 0703), 0);
        assert_null(weir_store_open(directory, PLENTY, &why));
        assert_int_equal(chmod(paths[i], 0755), 0);
        weir_store_t *store = open_store(PLENTY);
        assert_true(is_found(store, 1, SIZE));
        weir_store_free(store);
    }
}

static void test_what_is_another_users_is_not_believed(void **state)
{
    (void)state;
    const char *why = NULL;
    if (geteuid() != 0)
        skip(); /* only root can give files away */
    weir_store_t *store = open_store(PLENTY);
    put(store, 1, SIZE);
    assert_int_equal(chown(path_of_entry(), OTHER_USER, OTHER_USER), 0);
    assert_false(is_found(store, 1, SIZE));
    put(store, 1, SIZE);
    assert_true(is_found(store, 1, SIZE));
    weir_store_free(store);
    assert_int_equal(chown(directory, OTHER_USER, OTHER_USER), 0);
    assert_null(weir_store_open(directory, PLENTY, &why));
    assert_non_null(strstr(why, "another user"));
}

static void test_a_directory_above_that_nobody_can_take_it_from_will_do(void **state)
{
    (void)state;
    assert_int_equal(chmod(root, 01777), 0); /* as /tmp */
    weir_store_t *store = open_store(PLENTY);
    put(store, 1, SIZE);
    assert_true(is_found(store, 1, SIZE));
    weir_store_free(store);
    if (geteuid() == 0) {
        const char *why;
        assert_int_equal(chmod(root, 0755), 0);
        assert_int_equal(chown(root, OTHER_USER, OTHER_USER), 0);
        assert_null(weir_store_open(directory, PLENTY, &why));
    }
}

/* ---- A bound ----------------------------------------------------------------------------------------------------- */

static void age(const char *path, time_t seconds)
{
    const struct timespec times[2] = {{time(NULL) - seconds, 0}, {time(NULL) - seconds, 0}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void path_of(unsigned number, char *path, size_t size)
{
    const weir_store_key_t key = key_of(number);
    size_t at = (size_t)snprintf(path, size, "%s/%c-", directory, KIND);
    for (size_t i = 0; i < sizeof key.bytes; i++)
        at += (size_t)snprintf(path + at, size - at, "%02x", key.bytes[i]);
}

static void test_those_used_least_recently_go_when_there_are_too_many(void **state)
{
    (void)state;
    enum { BLOCK = 4096, BLOCKS = 3, MOST = 3 * BLOCKS * BLOCK, EACH = (BLOCKS - 1) * BLOCK + 1 };
    weir_store_t *store = open_store(MOST);
    char path[2 * PATH_BYTES + 300];
    for (unsigned i = 1; i <= 3; i++) {
        put(store, i, EACH);
        path_of(i, path, sizeof path);
        age(path, 1000 * (4 - (time_t)i)); /* 1 is the oldest */
    }
    assert_true(is_found(store, 1, EACH)); /* and now the one that was used last */
    put(store, 4, EACH);
    assert_false(is_found(store, 2, EACH));
    assert_true(is_found(store, 1, EACH));
    assert_true(is_found(store, 3, EACH));
    assert_true(is_found(store, 4, EACH));
    weir_store_free(store);
}

static void test_an_entry_larger_than_the_bound_is_kept_alone(void **state)
{
    (void)state;
    weir_store_t *store = open_store(SIZE);
    put(store, 1, 10);
    put(store, 2, 2 * SIZE);
    assert_int_equal(count_files(), 1);
    assert_true(is_found(store, 2, 2 * SIZE));
    weir_store_free(store);
}

static void test_what_a_writer_left_goes_and_what_one_is_at_stays(void **state)
{
    (void)state;
    static const char *const names[] = {".weir-new-left", ".weir-new-at-it"};
    weir_store_t *store = open_store(PLENTY);
    char path[2][PATH_BYTES + 32];
    for (size_t i = 0; i < 2; i++) {
        snprintf(path[i], sizeof path[i], "%s/%s", directory, names[i]);
        close(open(path[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    }
    age(path[0], 3600);
    put(store, 1, SIZE);
    assert_int_equal(access(path[0], F_OK), -1);
    assert_int_equal(access(path[1], F_OK), 0);
    weir_store_free(store);
}

static void test_what_is_not_the_stores_is_left_alone(void **state)
{
    (void)state;
    static const char *const names[] = {"notes", "c-1", "f-0123456789abcdef", "newer", "c-" /* and 64 digits */};
    weir_store_t *store = open_store(SIZE);
    char path[PATH_BYTES + 128];
    char *content = content_of(1, 10 * SIZE);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s%s", directory, names[i],
            i == 4 ? "0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef" : "");
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        assert_int_equal(fwrite(content, 1, (size_t)10 * SIZE, file), 10 * SIZE);
        fclose(file);
        age(path, 100000);
    }
    free(content);
    put(store, 1, 100);
    put(store, 2, SIZE);
    assert_false(is_found(store, 1, 100));
    assert_int_equal(count_files(), 6);
    weir_store_free(store);
}

/* ---- Where it cannot be written ---------------------------------------------------------------------------------- */

/* Run a test in a namespace of its own, where it may mount. Exit status 77: that cannot be had here. */
static void with_mounts(int (*test)(void))
{
    const pid_t child = fork();
    if (child == 0) {
        if (unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
            _exit(77);
        if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
            _exit(77);
        _exit(test());
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        skip(); /* no namespaces here */
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* In the child: assertions of cmocka would unwind into a copy of the parent. Returns the line that failed. */
#define EXPECT(condition)                                                                                              \
    if (!(condition))                                                                                                  \
    return __LINE__ % 70 + 1

static int try_full(void)
{
    const char *why;
    if (mkdir(directory, 0700) != 0 || mount("tmpfs", directory, "tmpfs", 0, "size=64k,mode=700") != 0)
        return 77;
    weir_store_t *store = weir_store_open(directory, PLENTY, &why);
    EXPECT(store != NULL);
    const weir_store_key_t small = key_of(1);
    const weir_store_key_t large = key_of(2);
    char *content = content_of(2, 200 * 1024);
    EXPECT(weir_store_put(store, KIND, &small, content, 100) == NULL);
    why = weir_store_put(store, KIND, &large, content, 200 * 1024);
    EXPECT(why != NULL && strcmp(why, "there is no space left") == 0);
    EXPECT(count_files() == 1);
    weir_stored_t stored;
    EXPECT(weir_store_find(store, KIND, &small, &stored));
    free(content);
    return 0;
}

static void test_a_full_disk_is_told_and_leaves_nothing_behind(void **state)
{
    (void)state;
    with_mounts(try_full);
}

static int try_read_only(void)
{
    const char *why;
    const weir_store_key_t key = key_of(1);
    weir_stored_t stored;
    if (mkdir(directory, 0700) != 0 || mount("tmpfs", directory, "tmpfs", 0, "size=64k,mode=700") != 0)
        return 77;
    weir_store_t *store = weir_store_open(directory, PLENTY, &why);
    EXPECT(store != NULL && weir_store_put(store, KIND, &key, "content", 7) == NULL);
    weir_store_free(store);
    EXPECT(mount(NULL, directory, NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0);
    store = weir_store_open(directory, PLENTY, &why);
    EXPECT(store != NULL && weir_store_find(store, KIND, &key, &stored));
    why = weir_store_put(store, KIND, &key, "changed", 7);
    EXPECT(why != NULL && strcmp(why, "it may not be written") == 0);
    return 0;
}

static void test_a_read_only_store_is_read(void **state)
{
    (void)state;
    with_mounts(try_read_only);
}

/* ---- Several ----------------------------------------------------------------------------------------------------- */

static void test_many_processes_at_once_see_whole_entries_or_none(void **state)
{
    (void)state;
    enum { PROCESSES = 4, ROUNDS = 60, KEYS = 3 };
    pid_t children[PROCESSES];
    weir_store_free(open_store(PLENTY));
    for (unsigned p = 0; p < PROCESSES; p++) {
        children[p] = fork();
        if (children[p] != 0)
            continue;
        const char *why;
        weir_store_t *store = weir_store_open(directory, (uint64_t)2 * (SIZE + 4096), &why); /* so that some go */
        unsigned wrong = store == NULL ? 1 : 0;
        for (unsigned i = 0; i < ROUNDS && wrong == 0; i++) {
            const weir_store_key_t key = key_of((i + p) % KEYS);
            char *content = content_of((i + p) % KEYS, SIZE);
            weir_stored_t stored;
            char found[SIZE];
            if (weir_store_find(store, KIND, &key, &stored)) {
                wrong += stored.size != SIZE || read(stored.descriptor, found, SIZE) != SIZE ||
                         memcmp(found, content, SIZE) != 0;
                close(stored.descriptor);
            } else {
                wrong += weir_store_put(store, KIND, &key, content, SIZE) != NULL;
            }
            free(content);
        }
        _exit(wrong != 0);
    }
    for (unsigned p = 0; p < PROCESSES; p++) {
        int status;
        assert_int_equal(waitpid(children[p], &status, 0), children[p]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
}

/* ---- Where it is ------------------------------------------------------------------------------------------------- */

static void test_the_directory_is_the_users(void **state)
{
    (void)state;
    static const struct {
        const char *cache;
        const char *home;
        const char *expected;
    } cases[] = {
        {"/var/cache/me", "/home/me", "/var/cache/me/weir/code"},
        {NULL, "/home/me", "/home/me/.cache/weir/code"},
        {"relative", "/home/me", "/home/me/.cache/weir/code"},
        {"", "/home/me", "/home/me/.cache/weir/code"},
        {NULL, "relative", NULL},
        {NULL, NULL, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cases[i].cache == NULL ? unsetenv("XDG_CACHE_HOME") : setenv("XDG_CACHE_HOME", cases[i].cache, 1);
        cases[i].home == NULL ? unsetenv("HOME") : setenv("HOME", cases[i].home, 1);
        char *found = weir_store_directory("code");
        if (cases[i].expected == NULL)
            assert_null(found);
        else
            assert_string_equal(found, cases[i].expected);
        free(found);
    }
}

#define IN_ROOT(test) cmocka_unit_test_setup_teardown(test, make_root, remove_root)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_ROOT(test_what_was_put_is_found_by_its_key_and_kind_alone),
        IN_ROOT(test_its_files_are_for_this_user_alone),
        IN_ROOT(test_an_entry_of_another_name_is_not_believed),
        IN_ROOT(test_damage_anywhere_is_seen_and_repaired),
        IN_ROOT(test_a_file_of_another_length_is_not_believed),
        IN_ROOT(test_an_entry_that_is_no_file_is_not_waited_for),
        IN_ROOT(test_what_others_may_write_is_not_believed),
        IN_ROOT(test_a_directory_that_others_may_write_is_not_used),
        IN_ROOT(test_a_directory_above_that_nobody_can_take_it_from_will_do),
        IN_ROOT(test_what_is_another_users_is_not_believed),
        IN_ROOT(test_those_used_least_recently_go_when_there_are_too_many),
        IN_ROOT(test_an_entry_larger_than_the_bound_is_kept_alone),
        IN_ROOT(test_what_a_writer_left_goes_and_what_one_is_at_stays),
        IN_ROOT(test_what_is_not_the_stores_is_left_alone),
        IN_ROOT(test_a_full_disk_is_told_and_leaves_nothing_behind),
        IN_ROOT(test_a_read_only_store_is_read),
        IN_ROOT(test_many_processes_at_once_see_whole_entries_or_none),
        cmocka_unit_test(test_the_directory_is_the_users),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
