/*
 * test_access_log.c: lines reach their file from several threads, also while it is moved and opened anew; and where
 * they do not, for want of room or of somebody who takes them, nobody is held up, each one is counted, and later ones
 * get there.
 */
#include "observe/access_log.h"
#include "observe/record_queue.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

static const weir_access_style_t style = {WEIR_ACCESS_LOGFMT, false};

static weir_request_record_t record_of(unsigned loop, const char *target)
{
    return (weir_request_record_t){.component = "it",
        .route = "/...",
        .method = "GET",
        .target = target,
        .host = "localhost",
        .client = "127.0.0.1:1",
        .loop = loop,
        .minor = 1,
        .status = 200,
        .begun_wall = 1790000000000000000};
}

/* ---- The queue ----------------------------------------------------------------------------------------------------- */

static void test_records_come_out_as_they_were_put_in_all_around_the_ring(void **state)
{
    (void)state;
    enum { RECORDS = 5000, LONGEST = 4000 };
    weir_record_queue_t *queue = weir_record_queue_new(1);
    assert_non_null(queue);
    static char target[LONGEST + 1];
    memset(target, 'x', LONGEST);
    for (unsigned put = 0, taken = 0; taken < RECORDS;) {
        /* Many sizes, a few records at a time in the ring. */
        for (; put < RECORDS && put < taken + 1 + put % 9; put++) {
            weir_request_record_t record = record_of(put, target + (put * 37) % LONGEST);
            record.component = put % 2 == 0 ? NULL : "odd";
            assert_true(weir_record_queue_put(queue, &record));
        }
        const weir_request_record_t *first = weir_record_queue_first(queue);
        assert_non_null(first);
        assert_int_equal(first->loop, taken);
        assert_string_equal(first->target, target + (taken * 37) % LONGEST);
        assert_string_equal(first->client, "127.0.0.1:1");
        if (taken % 2 == 0)
            assert_null(first->component);
        else
            assert_string_equal(first->component, "odd");
        weir_record_queue_drop(queue);
        taken++;
    }
    assert_null(weir_record_queue_first(queue));
    weir_record_queue_free(queue);
}

static void test_a_full_queue_takes_nothing_and_loses_nothing(void **state)
{
    (void)state;
    weir_record_queue_t *queue = weir_record_queue_new(1);
    weir_request_record_t record = record_of(0, "/");
    unsigned put = 0;
    assert_false(weir_record_queue_is_half_full(queue));
    for (; weir_record_queue_put(queue, &record); put++)
        record.loop++;
    assert_in_range(put, 100, 1000);
    assert_true(weir_record_queue_is_half_full(queue));
    assert_int_equal(weir_record_queue_first(queue)->loop, 0);
    weir_record_queue_drop(queue);
    assert_true(weir_record_queue_put(queue, &record));
    for (unsigned i = 1; i <= put; i++) {
        assert_int_equal(weir_record_queue_first(queue)->loop, i);
        weir_record_queue_drop(queue);
    }
    assert_null(weir_record_queue_first(queue));
    weir_record_queue_free(queue);
}

/* ---- The log ------------------------------------------------------------------------------------------------------- */

typedef struct world {
    char directory[64];
    char path[96];
    char moved[96];
    weir_access_log_t *log;
} world_t;

static world_t world_new(void)
{
    world_t world = {.directory = "/tmp/weir-access-XXXXXX"};
    assert_non_null(mkdtemp(world.directory));
    snprintf(world.path, sizeof world.path, "%s/log", world.directory);
    snprintf(world.moved, sizeof world.moved, "%s/moved", world.directory);
    return world;
}

static void open_log(world_t *world, const char *path, unsigned loops)
{
    char *message;
    world->log = weir_access_log_open(path, &style, loops, NULL, &message);
    assert_non_null(world->log);
    assert_true(weir_access_log_start(world->log));
}

static void tell(world_t *world, unsigned loop, const char *target)
{
    weir_request_record_t record = record_of(loop, target);
    weir_request_sink_t sink = weir_access_log_sink(world->log);
    sink.tell(sink.context, &record);
}

static void world_free(world_t *world)
{
    unlink(world->path);
    unlink(world->moved);
    assert_int_equal(rmdir(world->directory), 0);
}

static unsigned lines_of(const char *path)
{
    FILE *file = fopen(path, "r");
    unsigned lines = 0;
    char text[4096];
    while (file != NULL && fgets(text, sizeof text, file) != NULL) {
        assert_non_null(strstr(text, "time=2026-09-21T14:13:20.000Z client=127.0.0.1:1 method=GET target=/"));
        assert_non_null(strchr(text, '\n'));
        lines++;
    }
    if (file != NULL)
        fclose(file);
    return lines;
}

static void count(const world_t *world, uint64_t *ret_written, uint64_t *ret_lost)
{
    weir_access_log_count(world->log, ret_written, ret_lost);
}

static void await_written(const world_t *world, uint64_t lines)
{
    const struct timespec step = {0, 1000000};
    uint64_t written;
    uint64_t lost;
    do {
        nanosleep(&step, NULL);
        count(world, &written, &lost);
    } while (written < lines);
}

static void test_what_was_told_is_in_the_file_when_the_log_has_ended(void **state)
{
    (void)state;
    world_t world = world_new();
    mode_t mask = umask(0);
    open_log(&world, world.path, 2);
    umask(mask);
    struct stat facts;
    assert_int_equal(stat(world.path, &facts), 0);
    assert_int_equal(facts.st_mode & 07777, 0640);
    for (unsigned i = 0; i < 300; i++)
        tell(&world, i % 2, "/a");
    weir_access_log_free(world.log);
    assert_int_equal(lines_of(world.path), 300);
    open_log(&world, world.path, 1); /* and what was there stays */
    tell(&world, 0, "/b");
    weir_access_log_free(world.log);
    assert_int_equal(lines_of(world.path), 301);
    world_free(&world);
}

static void test_a_line_is_written_at_once_when_nothing_else_happens(void **state)
{
    (void)state;
    world_t world = world_new();
    open_log(&world, world.path, 1);
    for (uint64_t i = 1; i <= 20; i++) {
        tell(&world, 0, "/a");
        await_written(&world, i); /* else it ends by the time limit of the test */
        assert_int_equal(lines_of(world.path), i);
    }
    weir_access_log_free(world.log);
    world_free(&world);
}

enum { TELLERS = 3, TOLD = 10000 };

typedef struct teller {
    world_t *world;
    unsigned loop;
} teller_t;

/* As fast as lines are written, so that all of them find room. */
static void *tell_many(void *context)
{
    enum { AHEAD = 300 };
    static atomic_uint told;
    const teller_t *teller = context;
    for (unsigned i = 0; i < TOLD; i++) {
        uint64_t written;
        uint64_t lost;
        tell(teller->world, teller->loop, "/many");
        unsigned all = atomic_fetch_add(&told, 1) + 1;
        for (count(teller->world, &written, &lost); all > written + lost + AHEAD; count(teller->world, &written, &lost))
            sched_yield();
    }
    return NULL;
}

static void test_no_line_is_lost_or_torn_while_the_file_is_moved(void **state)
{
    (void)state;
    world_t world = world_new();
    unsigned found = 0;
    uint64_t written;
    uint64_t lost;
    pthread_t threads[TELLERS];
    teller_t tellers[TELLERS];
    open_log(&world, world.path, TELLERS);
    for (unsigned i = 0; i < TELLERS; i++) {
        tellers[i] = (teller_t){&world, i};
        assert_int_equal(pthread_create(&threads[i], NULL, tell_many, &tellers[i]), 0);
    }
    for (unsigned turn = 0; turn < 20; turn++) {
        const struct timespec step = {0, 1000000};
        assert_int_equal(rename(world.path, world.moved), 0);
        weir_access_log_reopen(world.log);
        while (access(world.path, F_OK) != 0)
            nanosleep(&step, NULL);
        found += lines_of(world.moved); /* nothing more comes to it */
    }
    for (unsigned i = 0; i < TELLERS; i++)
        pthread_join(threads[i], NULL);
    await_written(&world, (uint64_t)TELLERS * TOLD);
    count(&world, &written, &lost);
    weir_access_log_free(world.log);
    found += lines_of(world.path);
    assert_int_equal(lost, 0);
    assert_int_equal(found, TELLERS * TOLD);
    world_free(&world);
}

static void test_a_reader_that_stalls_holds_up_nobody_and_gets_later_lines(void **state)
{
    (void)state;
    enum { MANY = 5000 };
    world_t world = world_new();
    uint64_t written;
    uint64_t lost;
    assert_int_equal(mkfifo(world.path, 0600), 0);
    int reader = open(world.path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(reader >= 0);
    open_log(&world, world.path, 1);
    for (unsigned i = 0; i < MANY; i++)
        tell(&world, 0, "/stalled");
    count(&world, &written, &lost);
    assert_true(lost > 0);
    assert_true(written + lost < MANY); /* some wait, in the queue and in the pipe */
    /* It reads again: what waited comes, whole, and what is told from now on. */
    FILE *lines = fdopen(reader, "r");
    assert_int_equal(fcntl(reader, F_SETFL, 0), 0);
    char text[4096];
    do {
        tell(&world, 0, "/late"); /* once all that waited has come, there is room for it */
        assert_non_null(fgets(text, sizeof text, lines));
        assert_int_equal(strncmp(text, "time=2026-", 10), 0);
        assert_non_null(strchr(text, '\n'));
    } while (strstr(text, "/late") == NULL);
    weir_access_log_free(world.log);
    fclose(lines);
    world_free(&world);
}

static void test_an_end_waits_for_a_stalled_reader_for_a_bounded_time(void **state)
{
    (void)state;
    world_t world = world_new();
    assert_int_equal(mkfifo(world.path, 0600), 0);
    int reader = open(world.path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    open_log(&world, world.path, 1);
    for (unsigned i = 0; i < 2000; i++)
        tell(&world, 0, "/stalled");
    weir_access_log_free(world.log); /* else it ends by the time limit of the test */
    close(reader);
    world_free(&world);
}

static void test_a_pipe_without_a_reader_is_no_obstacle(void **state)
{
    (void)state;
    world_t world = world_new();
    assert_int_equal(mkfifo(world.path, 0600), 0);
    open_log(&world, world.path, 1);
    tell(&world, 0, "/early");
    await_written(&world, 1);
    int reader = open(world.path, O_RDONLY | O_CLOEXEC);
    char text[4096];
    assert_true(read(reader, text, sizeof text) > 0);
    close(reader);
    weir_access_log_free(world.log);
    world_free(&world);
}

static void test_lines_for_a_pipe_whose_reader_left_are_lost_until_another_one_comes(void **state)
{
    (void)state;
    world_t world = world_new();
    char text[4096];
    uint64_t written;
    uint64_t lost;
    assert_int_equal(mkfifo(world.path, 0600), 0);
    int reader = open(world.path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    open_log(&world, world.path, 1); /* which has a reader: the log does not open it as one itself */
    close(reader);
    do {
        tell(&world, 0, "/nobody");
        count(&world, &written, &lost);
    } while (lost == 0);
    assert_int_equal(written, 0);
    reader = open(world.path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    do {
        tell(&world, 0, "/somebody");
        count(&world, &written, &lost);
    } while (written == 0);
    ssize_t size = read(reader, text, sizeof text - 1);
    assert_true(size > 0);
    text[size] = '\0';
    assert_int_equal(strncmp(text, "time=2026-", 10), 0);
    close(reader);
    weir_access_log_free(world.log);
    world_free(&world);
}

static void test_a_full_disk_is_survived(void **state)
{
    (void)state;
    world_t world = world_new();
    uint64_t written;
    uint64_t lost;
    open_log(&world, "/dev/full", 1);
    do {
        tell(&world, 0, "/full");
        count(&world, &written, &lost);
    } while (lost == 0);
    assert_int_equal(written, 0);
    weir_access_log_free(world.log);
    world_free(&world);
}

static void test_a_place_that_cannot_be_written_to_is_named(void **state)
{
    (void)state;
    static const char *const paths[] = {"/", "/nowhere/at/all", "/proc/version/x"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        char *message = NULL;
        assert_null(weir_access_log_open(paths[i], &style, 1, NULL, &message));
        assert_non_null(message);
        assert_non_null(strstr(message, paths[i]));
        assert_null(strchr(message, '\n'));
        free(message);
    }
}

static void test_a_file_that_cannot_be_opened_anew_is_still_written_to(void **state)
{
    (void)state;
    world_t world = world_new();
    char inside[160];
    snprintf(inside, sizeof inside, "%s/sub", world.directory);
    assert_int_equal(mkdir(inside, 0700), 0);
    char path[170];
    snprintf(path, sizeof path, "%s/log", inside);
    open_log(&world, path, 1);
    assert_int_equal(rename(path, world.path), 0);
    assert_int_equal(rmdir(inside), 0);
    weir_access_log_reopen(world.log);
    tell(&world, 0, "/a");
    weir_access_log_free(world.log);
    assert_int_equal(lines_of(world.path), 1);
    world_free(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records_come_out_as_they_were_put_in_all_around_the_ring),
        cmocka_unit_test(test_a_full_queue_takes_nothing_and_loses_nothing),
        cmocka_unit_test(test_what_was_told_is_in_the_file_when_the_log_has_ended),
        cmocka_unit_test(test_a_line_is_written_at_once_when_nothing_else_happens),
        cmocka_unit_test(test_no_line_is_lost_or_torn_while_the_file_is_moved),
        cmocka_unit_test(test_a_reader_that_stalls_holds_up_nobody_and_gets_later_lines),
        cmocka_unit_test(test_an_end_waits_for_a_stalled_reader_for_a_bounded_time),
        cmocka_unit_test(test_a_pipe_without_a_reader_is_no_obstacle),
        cmocka_unit_test(test_lines_for_a_pipe_whose_reader_left_are_lost_until_another_one_comes),
        cmocka_unit_test(test_a_full_disk_is_survived),
        cmocka_unit_test(test_a_place_that_cannot_be_written_to_is_named),
        cmocka_unit_test(test_a_file_that_cannot_be_opened_anew_is_still_written_to),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
