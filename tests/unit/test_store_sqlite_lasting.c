/*
 * test_store_sqlite_lasting.c: a store in a file of SQLite loses nothing: not where threads and connections meet, and
 * not where a process is killed, however far it was. WEIR_KV_KILLS says how often one is.
 */
#include "host/store.h"
#include "store_support.h"
#include "temporary.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATH_BYTES = 256, KILLS = 20 };

static char directory[64];
static char path[PATH_BYTES];

static int begin(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/weir-store-XXXXXX");
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/store.db", directory);
    return 0;
}

static int end(void **state)
{
    (void)state;
    return temporary_remove(directory);
}

/* So many of somebody's requests are not answered yet. */
typedef struct window {
    sem_t room;
    atomic_uint failed;
} window_t;

static void submit(
    window_t *window, weir_kv_store_t *store, const weir_kv_request_t *request, weir_kv_done_t done, void *context)
{
    while (sem_wait(&window->room) != 0) {
    }
    weir_kv_submit(store, request, done, context);
}

static void wait_for_all(window_t *window, unsigned size)
{
    for (unsigned i = 0; i < size; i++) {
        while (sem_wait(&window->room) != 0) {
        }
    }
}

/* ---- Threads ----------------------------------------------------------------------------------------------------- */

enum { THREADS = 8, INCREMENTS = 1250, WINDOW = 16 };

static void take_number(void *context, const weir_kv_answer_t *answer)
{
    window_t *window = context;
    if (answer->status != WEIR_KV_DONE && atomic_fetch_add(&window->failed, 1) == 0)
        fprintf(stderr, "%s\n", answer->message);
    sem_post(&window->room);
}

static void *increment(void *context)
{
    weir_kv_store_t *store = context;
    weir_bytes_t key = BYTES("n");
    window_t window = {.failed = 0};
    sem_init(&window.room, 0, WINDOW);
    for (int i = 0; i < INCREMENTS; i++)
        submit(&window, store,
            &(weir_kv_request_t){
                .operation = WEIR_KV_INCREMENT, .label = "default", .keys = &key, .key_count = 1, .delta = 1},
            take_number, &window);
    wait_for_all(&window, WINDOW);
    return (void *)(uintptr_t)atomic_load(&window.failed);
}

static void test_threads_on_two_stores_of_a_file_lose_no_increment(void **state)
{
    (void)state;
    weir_kv_store_t *stores[2] = {new_store(path), new_store(path)};
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, increment, stores[i % 2]), 0);
    for (int i = 0; i < THREADS; i++) {
        void *failed;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    for (int i = 0; i < 2; i++) {
        expect_text(stores[i], "n", "[\x10'\\0\\0\\0\\0\\0\\0]"); /* 10000 */
        weir_kv_release(stores[i]);
    }
}

/* ---- Kills ------------------------------------------------------------------------------------------------------- */

/*
 * A process that writes keys from a number on, and prints each that was acknowledged. The keys "a" and "b" of a number
 * are set by one request, so that they are there together or not at all. The value is the number, and as many bytes as
 * it says.
 */
enum { CHILD_WINDOW = 32, VALUE_BYTES_MAX = 3000 };

static size_t make_value(unsigned number, char value[VALUE_BYTES_MAX + 16])
{
    int size = snprintf(value, VALUE_BYTES_MAX + 16, "%u:", number);
    size_t more = number * UINT32_C(2654435761) % VALUE_BYTES_MAX;
    memset(value + size, 'a' + (int)(number % 26), more);
    return (size_t)size + more;
}

typedef struct child_write {
    window_t *window;
    unsigned number;
} child_write_t;

static void print_number(void *context, const weir_kv_answer_t *answer)
{
    child_write_t *written = context;
    char line[32];
    int size = snprintf(line, sizeof line, "%s%u\n", answer->status == WEIR_KV_DONE ? "" : "failed: ", written->number);
    if (write(STDOUT_FILENO, line, (size_t)size) != size)
        _exit(1);
    sem_post(&written->window->room);
    free(written);
}

static int write_until_killed(const char *where, unsigned number)
{
    weir_kv_store_t *store = new_store(where);
    window_t window = {.failed = 0};
    sem_init(&window.room, 0, CHILD_WINDOW);
    for (;; number++) {
        char value[VALUE_BYTES_MAX + 16];
        char names[2][32];
        weir_bytes_t keys[2];
        weir_bytes_t values[2];
        for (int i = 0; i < 2; i++) {
            int size = snprintf(names[i], sizeof names[i], "%c%u", 'a' + i, number);
            keys[i] = (weir_bytes_t){names[i], (size_t)size};
            values[i] = (weir_bytes_t){value, make_value(number, value)};
        }
        child_write_t *written = malloc(sizeof *written);
        if (written == NULL)
            return 1;
        *written = (child_write_t){&window, number};
        submit(&window, store,
            &(weir_kv_request_t){
                .operation = WEIR_KV_SET, .label = "default", .keys = keys, .key_count = 2, .values = values},
            print_number, written);
    }
}

/* Kill a writer after it has acknowledged so many, and so many microseconds; returns the first number that it did not
 * print. */
static unsigned kill_writer(unsigned first, unsigned acknowledged, useconds_t microseconds)
{
    int ends[2];
    char number[16];
    snprintf(number, sizeof number, "%u", first);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        execl("/proc/self/exe", "writer", path, number, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    FILE *printed = fdopen(ends[0], "r");
    assert_non_null(printed);
    char line[64];
    unsigned next = first;
    bool is_killed = false;
    while (fgets(line, sizeof line, printed) != NULL && strchr(line, '\n') != NULL) {
        char expected[64];
        snprintf(expected, sizeof expected, "%u\n", next++);
        assert_string_equal(line, expected);
        if (!is_killed && next - first >= acknowledged) {
            usleep(microseconds);
            kill(child, SIGKILL);
            is_killed = true;
        }
    }
    fclose(printed);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(is_killed && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    return next;
}

/* Whether the keys of a number are there; both or none of them is. */
static bool is_there(weir_kv_store_t *store, unsigned number)
{
    char value[VALUE_BYTES_MAX + 16];
    char expected[2 * VALUE_BYTES_MAX + 64];
    char names[2][32];
    weir_bytes_t keys[2];
    int size = (int)make_value(number, value);
    for (int i = 0; i < 2; i++)
        keys[i] = (weir_bytes_t){names[i], (size_t)snprintf(names[i], sizeof names[i], "%c%u", 'a' + i, number)};
    snprintf(expected, sizeof expected, "[%.*s][%.*s]", size, value, size, value);
    reply_t reply = ask(store, (weir_kv_request_t){.operation = WEIR_KV_GET, .keys = keys, .key_count = 2});
    assert_int_equal(reply.status, WEIR_KV_DONE);
    bool there = strcmp(reply.text, expected) == 0;
    if (!there)
        assert_string_equal(reply.text, "[-][-]");
    reply_end(&reply);
    return there;
}

static void expect_sound_file(void)
{
    sqlite3 *connection;
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_open(path, &connection), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(connection, "PRAGMA integrity_check", -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(statement, 0), "ok");
    sqlite3_finalize(statement);
    sqlite3_close(connection);
}

static void test_what_was_acknowledged_outlives_a_killed_process(void **state)
{
    (void)state;
    const char *wanted = getenv("WEIR_KV_KILLS");
    long kills = wanted == NULL ? KILLS : strtol(wanted, NULL, 10);
    unsigned next = 0;
    unsigned seed = (unsigned)getpid();
    print_message("seed %u\n", seed);
    for (long i = 0; i < kills; i++) {
        unsigned first = next;
        next = kill_writer(first, 1 + (unsigned)rand_r(&seed) % 300, (useconds_t)rand_r(&seed) % 3000);
        weir_kv_store_t *store = new_store(path);
        for (unsigned number = first; number < next; number++) {
            if (!is_there(store, number))
                fail_msg("%u was acknowledged, and is gone", number);
        }
        /* What was not acknowledged may be there, up to what was asked for at once. */
        for (unsigned number = next; number < next + CHILD_WINDOW + 1; number++)
            is_there(store, number);
        weir_kv_release(store);
        next += CHILD_WINDOW + 1;
    }
    expect_sound_file();
}

int main(int count, char **arguments)
{
    if (count == 3)
        return write_until_killed(arguments[1], (unsigned)strtoul(arguments[2], NULL, 10));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_threads_on_two_stores_of_a_file_lose_no_increment, begin, end),
        cmocka_unit_test_setup_teardown(test_what_was_acknowledged_outlives_a_killed_process, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
