/*
 * test_component_log.c: what components write, in real files and on standard error, and what is said of what is lost.
 */
#include "observe/component_log.h"
#include "temporary.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* cmocka.h wants the others before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
/* clang-format on */

enum { PATH_BYTES = 256, DEADLINE_SECONDS = 20 };

/* A directory of the test's own, and standard error in a file of it. */
typedef struct world {
    char directory[64];
    char logs_directory[PATH_BYTES]; /* not there yet */
    int saved_standard_error;
    weir_component_logs_t *logs;
} world_t;

static char *path_in(const world_t *world, const char *name)
{
    static char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", world->directory, name);
    return path;
}

static world_t begin(void)
{
    world_t world = {.directory = "/tmp/weir-component-log-XXXXXX"};
    assert_non_null(mkdtemp(world.directory));
    snprintf(world.logs_directory, sizeof world.logs_directory, "%s/state/logs", world.directory);
    int file = open(path_in(&world, "console"), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_true(file >= 0);
    world.saved_standard_error = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    assert_int_equal(dup2(file, STDERR_FILENO), STDERR_FILENO);
    close(file);
    return world;
}

static void make_logs(world_t *world, const char *directory)
{
    world->logs = weir_component_logs_new(directory, 2);
    assert_non_null(world->logs);
    weir_component_logs_add(world->logs, 0, "one", true);
    weir_component_logs_add(world->logs, 1, "two", false);
}

static void start(world_t *world, const char *directory)
{
    make_logs(world, directory);
    assert_true(weir_component_logs_start(world->logs));
}

static void write_text(world_t *world, size_t component, weir_component_stream_t stream, const char *text)
{
    weir_component_log_write(weir_component_logs_at(world->logs, component), stream, text, strlen(text));
}

/* All of a file, terminated, or NULL when it is not there. */
static char *read_file(const char *path, size_t *ret_size)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return NULL;
    size_t capacity = (size_t)WEIR_COMPONENT_LOG_PENDING_MAX * 2;
    char *bytes = malloc(capacity);
    assert_non_null(bytes);
    size_t size = fread(bytes, 1, capacity - 1, file);
    fclose(file);
    bytes[size] = '\0';
    if (ret_size != NULL)
        *ret_size = size;
    return bytes;
}

static void expect_file(const char *path, const char *expected)
{
    char *found = read_file(path, NULL);
    if (found == NULL)
        fail_msg("%s is not there", path);
    assert_string_equal(found, expected);
    free(found);
}

static bool file_is(const char *path, const char *expected)
{
    char *found = read_file(path, NULL);
    bool is = found != NULL && strcmp(found, expected) == 0;
    free(found);
    return is;
}

/* Until the writer has come to it. */
static void wait_for_file(const char *path, const char *expected)
{
    const struct timespec moment = {0, 1000000};
    for (int i = 0; i < DEADLINE_SECONDS * 1000 && !file_is(path, expected); i++)
        nanosleep(&moment, NULL);
    expect_file(path, expected);
}

/* How often a text is on the console. */
static size_t count_on_console(const world_t *world, const char *text)
{
    char *console = read_file(path_in(world, "console"), NULL);
    assert_non_null(console);
    size_t count = 0;
    for (const char *at = strstr(console, text); at != NULL; at = strstr(at + 1, text))
        count++;
    free(console);
    return count;
}

static void wait_for_console(const world_t *world, const char *text)
{
    const struct timespec moment = {0, 1000000};
    for (int i = 0; i < DEADLINE_SECONDS * 1000 && count_on_console(world, text) == 0; i++)
        nanosleep(&moment, NULL);
    assert_int_not_equal(count_on_console(world, text), 0);
}

static void finish_logs(world_t *world)
{
    weir_component_logs_free(world->logs);
    world->logs = NULL;
}

static void end(world_t *world)
{
    finish_logs(world);
    assert_int_equal(dup2(world->saved_standard_error, STDERR_FILENO), STDERR_FILENO);
    close(world->saved_standard_error);
    assert_int_equal(temporary_remove(world->directory), 0);
}

/* Names and appending: Spin's crates/trigger/src/cli/stdio.rs. */
static void test_each_stream_is_appended_to_its_file_byte_for_byte(void **state)
{
    (void)state;
    world_t world = begin();
    assert_int_equal(mkdir(path_in(&world, "state"), 0700), 0);
    assert_int_equal(mkdir(world.logs_directory, 0700), 0);
    FILE *before = fopen(path_in(&world, "state/logs/one_stdout.txt"), "we");
    assert_non_null(before);
    fputs("earlier\n", before);
    fclose(before);
    start(&world, world.logs_directory);
    write_text(&world, 0, WEIR_COMPONENT_STDOUT, "first\n");
    write_text(&world, 0, WEIR_COMPONENT_STDERR, "an error\r\n\x1b[31m");
    write_text(&world, 1, WEIR_COMPONENT_STDOUT, "of the other");
    write_text(&world, 0, WEIR_COMPONENT_STDOUT, "sec");
    write_text(&world, 0, WEIR_COMPONENT_STDOUT, "ond\n");
    finish_logs(&world); /* which writes what waits */
    expect_file(path_in(&world, "state/logs/one_stdout.txt"), "earlier\nfirst\nsecond\n");
    expect_file(path_in(&world, "state/logs/one_stderr.txt"), "an error\r\n\x1b[31m");
    expect_file(path_in(&world, "state/logs/two_stdout.txt"), "of the other");
    assert_int_not_equal(access(path_in(&world, "state/logs/two_stderr.txt"), F_OK), 0);
    end(&world);
}

static void test_the_directory_is_made_when_there_is_something_to_write(void **state)
{
    (void)state;
    world_t world = begin();
    start(&world, world.logs_directory);
    assert_int_not_equal(access(path_in(&world, "state"), F_OK), 0);
    write_text(&world, 1, WEIR_COMPONENT_STDERR, "x\n");
    wait_for_file(path_in(&world, "state/logs/two_stderr.txt"), "x\n");
    end(&world);
}

static void test_without_a_directory_there_are_no_files_and_the_console_is_as_ever(void **state)
{
    (void)state;
    world_t world = begin();
    start(&world, NULL);
    write_text(&world, 0, WEIR_COMPONENT_STDOUT, "hello\n");
    write_text(&world, 1, WEIR_COMPONENT_STDOUT, "hello\n");
    expect_file(path_in(&world, "console"), "[one stdout] hello\n");
    end(&world);
}

static void test_nothing_on_the_console_can_look_like_a_line_of_others(void **state)
{
    (void)state;
    world_t world = begin();
    start(&world, world.logs_directory);
    write_text(&world, 0, WEIR_COMPONENT_STDERR, "a\nweir: error: b\n\r[two stdout] c\x1b[1A\n");
    expect_file(path_in(&world, "console"),
        "[one stderr] a\n[one stderr] weir: error: b\n[one stderr] \\r[two stdout] c\\x1b[1A\n");
    end(&world);
}

static void test_truncating_empties_the_files_of_components_and_no_others(void **state)
{
    (void)state;
    world_t world = begin();
    static const char *const names[] = {"one_stdout.txt", "two_stderr.txt", "three_stdout.txt"};
    for (size_t i = 0; i < 3; i++) {
        FILE *file = fopen(path_in(&world, names[i]), "we");
        assert_non_null(file);
        fputs("old\n", file);
        fclose(file);
    }
    make_logs(&world, world.directory);
    weir_component_logs_truncate(world.logs);
    expect_file(path_in(&world, "one_stdout.txt"), "");
    expect_file(path_in(&world, "two_stderr.txt"), "");
    expect_file(path_in(&world, "three_stdout.txt"), "old\n");
    assert_int_not_equal(access(path_in(&world, "one_stderr.txt"), F_OK), 0);
    end(&world);
}

static void test_a_file_and_a_directory_that_were_removed_are_made_anew(void **state)
{
    (void)state;
    world_t world = begin();
    start(&world, world.logs_directory);
    write_text(&world, 1, WEIR_COMPONENT_STDOUT, "first\n");
    wait_for_file(path_in(&world, "state/logs/two_stdout.txt"), "first\n");
    assert_int_equal(unlink(path_in(&world, "state/logs/two_stdout.txt")), 0);
    write_text(&world, 1, WEIR_COMPONENT_STDOUT, "second\n");
    wait_for_file(path_in(&world, "state/logs/two_stdout.txt"), "second\n");
    assert_int_equal(temporary_remove(path_in(&world, "state")), 0);
    write_text(&world, 1, WEIR_COMPONENT_STDOUT, "third\n");
    wait_for_file(path_in(&world, "state/logs/two_stdout.txt"), "third\n");
    finish_logs(&world);
    expect_file(path_in(&world, "console"), "");
    end(&world);
}

/* A limit on the size of files stands for a full disk: it takes a part, and then nothing. */
static void test_a_full_disk_costs_the_lines_that_it_does_not_take_and_is_told_once(void **state)
{
    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    world_t world = begin();
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    start(&world, world.logs_directory);
    const struct rlimit little = {500, before.rlim_max};
    char line[701];
    memset(line, 'x', 699);
    line[699] = '\n';
    line[700] = '\0';
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    write_text(&world, 1, WEIR_COMPONENT_STDOUT, line);
    wait_for_console(&world, "lost 200 bytes that component two wrote to stdout");
    write_text(&world, 1, WEIR_COMPONENT_STDOUT, "lost\n");
    write_text(&world, 1, WEIR_COMPONENT_STDERR, "another file\n");
    wait_for_file(path_in(&world, "state/logs/two_stderr.txt"), "another file\n");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(count_on_console(&world, "lost "), 1);
    assert_int_equal(count_on_console(&world, "two_stdout.txt: File too large"), 1);
    write_text(&world, 1, WEIR_COMPONENT_STDOUT, "taken again\n");
    line[500] = '\0';
    strcat(line, "\ntaken again\n"); /* on a line of its own */
    wait_for_file(path_in(&world, "state/logs/two_stdout.txt"), line);
    finish_logs(&world);
    assert_int_equal(count_on_console(&world, "lost 5 bytes that component two wrote to stdout"), 1);
    end(&world);
}

static void test_what_cannot_be_a_log_is_not_written_to(void **state)
{
    (void)state;
    world_t world = begin();
    FILE *precious = fopen(path_in(&world, "precious"), "we");
    assert_non_null(precious);
    fclose(precious);
    assert_int_equal(symlink("precious", path_in(&world, "one_stdout.txt")), 0);
    assert_int_equal(mkfifo(path_in(&world, "one_stderr.txt"), 0600), 0);
    int reader = open(path_in(&world, "one_stderr.txt"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_int_equal(mkdir(path_in(&world, "two_stdout.txt"), 0700), 0);
    start(&world, world.directory);
    write_text(&world, 0, WEIR_COMPONENT_STDOUT, "a\n");
    write_text(&world, 0, WEIR_COMPONENT_STDERR, "b\n");
    write_text(&world, 1, WEIR_COMPONENT_STDOUT, "c\n");
    wait_for_console(&world, "one_stdout.txt: it is a symbolic link");
    wait_for_console(&world, "one_stderr.txt: it is no regular file");
    wait_for_console(&world, "two_stdout.txt: Is a directory");
    finish_logs(&world);
    expect_file(path_in(&world, "precious"), "");
    char byte;
    assert_int_equal(read(reader, &byte, 1), 0);
    close(reader);
    end(&world);
}

static void test_a_directory_that_cannot_be_made_costs_the_lines_alone(void **state)
{
    (void)state;
    world_t world = begin();
    char directory[PATH_BYTES];
    snprintf(directory, sizeof directory, "%s/console/logs", world.directory); /* below a file */
    start(&world, directory);
    write_text(&world, 0, WEIR_COMPONENT_STDOUT, "shown\n");
    wait_for_console(&world, "one_stdout.txt: Not a directory");
    write_text(&world, 0, WEIR_COMPONENT_STDOUT, "shown, too\n");
    finish_logs(&world);
    assert_int_equal(count_on_console(&world, "[one stdout] shown\n"), 1);
    assert_int_equal(count_on_console(&world, "[one stdout] shown, too\n"), 1);
    end(&world);
}

/* Before the writer starts, it takes nothing: as a disk that is held up. */
static void test_no_more_waits_than_is_allowed_and_the_rest_is_told(void **state)
{
    (void)state;
    enum { PIECE = 64 * 1024, PIECES = WEIR_COMPONENT_LOG_PENDING_MAX / PIECE };
    world_t world = begin();
    make_logs(&world, world.logs_directory);
    char *piece = malloc(PIECE);
    assert_non_null(piece);
    memset(piece, 'p', PIECE);
    for (int i = 0; i < PIECES + 3; i++)
        weir_component_log_write(weir_component_logs_at(world.logs, 1), WEIR_COMPONENT_STDOUT, piece, PIECE);
    free(piece);
    assert_true(weir_component_logs_start(world.logs));
    wait_for_console(&world, "lost 196608 bytes that component two wrote to stdout");
    size_t size;
    free(read_file(path_in(&world, "state/logs/two_stdout.txt"), &size));
    assert_int_equal(size, WEIR_COMPONENT_LOG_PENDING_MAX);
    write_text(&world, 1, WEIR_COMPONENT_STDERR, "taken\n");
    wait_for_file(path_in(&world, "state/logs/two_stderr.txt"), "taken\n");
    end(&world);
}

typedef struct author {
    world_t *world;
    int number;
} author_t;

enum { AUTHORS = 4, LINES = 2000 };

static void *write_lines(void *context)
{
    const author_t *author = context;
    for (int i = 0; i < LINES; i++) {
        char line[64];
        snprintf(line, sizeof line, "author %d line %d\n", author->number, i);
        write_text(author->world, 1, WEIR_COMPONENT_STDOUT, line);
    }
    return NULL;
}

static void test_lines_of_several_threads_are_all_there_and_whole(void **state)
{
    (void)state;
    world_t world = begin();
    start(&world, world.logs_directory);
    pthread_t threads[AUTHORS];
    author_t authors[AUTHORS];
    for (int i = 0; i < AUTHORS; i++) {
        authors[i] = (author_t){&world, i};
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, &authors[i]), 0);
    }
    for (int i = 0; i < AUTHORS; i++)
        pthread_join(threads[i], NULL);
    finish_logs(&world);
    char *text = read_file(path_in(&world, "state/logs/two_stdout.txt"), NULL);
    assert_non_null(text);
    int next[AUTHORS] = {0};
    for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1) {
        int author;
        int number;
        assert_int_equal(sscanf(line, "author %d line %d\n", &author, &number), 2);
        assert_in_range(author, 0, AUTHORS - 1);
        assert_int_equal(number, next[author]++);
    }
    for (int i = 0; i < AUTHORS; i++)
        assert_int_equal(next[i], LINES);
    free(text);
    end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_stream_is_appended_to_its_file_byte_for_byte),
        cmocka_unit_test(test_the_directory_is_made_when_there_is_something_to_write),
        cmocka_unit_test(test_without_a_directory_there_are_no_files_and_the_console_is_as_ever),
        cmocka_unit_test(test_nothing_on_the_console_can_look_like_a_line_of_others),
        cmocka_unit_test(test_truncating_empties_the_files_of_components_and_no_others),
        cmocka_unit_test(test_a_file_and_a_directory_that_were_removed_are_made_anew),
        cmocka_unit_test(test_a_full_disk_costs_the_lines_that_it_does_not_take_and_is_told_once),
        cmocka_unit_test(test_what_cannot_be_a_log_is_not_written_to),
        cmocka_unit_test(test_a_directory_that_cannot_be_made_costs_the_lines_alone),
        cmocka_unit_test(test_no_more_waits_than_is_allowed_and_the_rest_is_told),
        cmocka_unit_test(test_lines_of_several_threads_are_all_there_and_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
