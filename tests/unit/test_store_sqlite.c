/*
 * test_store_sqlite.c: what a store in a file of SQLite answers: every request, every bound, and what is wrong with
 * files, disks and memory.
 */
#include "host/store.h"
#include "store_support.h"
#include "temporary.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PATH_BYTES = 256 };

/* ---- What may be refused ----------------------------------------------------------------------------------------- */

/* NOLINTBEGIN(cert-dcl37-c): the linker makes these names */
void *__real_malloc(size_t size);
void *__real_realloc(void *block, size_t size);
int __real_fdatasync(int file);
void *__wrap_malloc(size_t size);
void *__wrap_realloc(void *block, size_t size);
int __wrap_fdatasync(int file);

static atomic_ulong allocated; /* allocations so far */
static atomic_ulong fail_at;   /* the number of the one that fails; 0: none */
static atomic_bool fail_after; /* and all that follow */
static atomic_ulong synced;    /* calls of fdatasync(2) */
static atomic_int sync_error;  /* what they fail with; 0: they do not */

static bool refuse(void)
{
    unsigned long number = atomic_fetch_add(&allocated, 1) + 1;
    unsigned long at = atomic_load(&fail_at);
    return at != 0 && (number == at || (number > at && atomic_load(&fail_after)));
}

void *__wrap_malloc(size_t size)
{
    return refuse() ? NULL : __real_malloc(size);
}

void *__wrap_realloc(void *block, size_t size)
{
    return refuse() ? NULL : __real_realloc(block, size);
}

int __wrap_fdatasync(int file)
{
    atomic_fetch_add(&synced, 1);
    if (atomic_load(&sync_error) != 0) {
        errno = atomic_load(&sync_error);
        return -1;
    }
    return __real_fdatasync(file);
}

/* NOLINTEND(cert-dcl37-c) */

static atomic_int write_error; /* what writes to files fail with; 0: they do not */

static ssize_t write_or_fail(int file, const void *bytes, size_t size, off_t at)
{
    if (atomic_load(&write_error) != 0) {
        errno = atomic_load(&write_error);
        return -1;
    }
    return pwrite(file, bytes, size, at);
}

/* ---- A directory of each test's own ------------------------------------------------------------------------------ */

static char directory[64];
static char path[PATH_BYTES];

static int begin(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/weir-store-XXXXXX");
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/.spin/sqlite_key_value.db", directory);
    return 0;
}

static int end(void **state)
{
    (void)state;
    return temporary_remove(directory);
}

/* Have SQLite do something with the file, as another program does. */
static sqlite3 *open_beside(const char *what)
{
    sqlite3 *connection;
    assert_int_equal(sqlite3_open(path, &connection), SQLITE_OK);
    if (sqlite3_exec(connection, what, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", what, sqlite3_errmsg(connection));
    return connection;
}

static void do_beside(const char *what)
{
    assert_int_equal(sqlite3_close(open_beside(what)), SQLITE_OK);
}

static void expect_failure(reply_t reply, const char *part)
{
    assert_int_equal(reply.status, WEIR_KV_FAILED);
    assert_non_null(reply.message);
    if (strstr(reply.message, part) == NULL)
        fail_msg("'%s' does not have '%s'", reply.message, part);
    assert_null(strchr(reply.message, '\n'));
    reply_end(&reply);
}

static reply_t try_set(weir_kv_store_t *store)
{
    static const weir_bytes_t key = {"key", 3};
    static const weir_bytes_t value = {"value", 5};
    return ask(store, (weir_kv_request_t){.operation = WEIR_KV_SET, .keys = &key, .key_count = 1, .values = &value});
}

static void expect_done(reply_t reply)
{
    if (reply.status != WEIR_KV_DONE)
        fail_msg("%s", reply.message);
    reply_end(&reply);
}

/* ---- Requests ---------------------------------------------------------------------------------------------------- */

typedef struct step {
    weir_kv_operation_t operation;
    const char *label; /* NULL: "default" */
    weir_bytes_t keys[4];
    size_t key_count;
    weir_bytes_t values[4];
    weir_optional_bytes_t expected;
    int64_t delta;
    weir_optional_bytes_t after;
    uint32_t most;
    weir_kv_status_t status; /* from here on what comes of it */
    const char *text;        /* NULL: "" */
    bool has_more;
    bool exists;
    int64_t number;
    const char *message; /* a part of it */
} step_t;

/* clang-format off */
static const step_t steps[] = {
    {WEIR_KV_GET, .keys = {BYTES("a")}, .key_count = 1, .text = "[-]"},
    {WEIR_KV_GET, .text = ""},
    {WEIR_KV_EXISTS, .keys = {BYTES("a")}, .key_count = 1, .exists = false},
    {WEIR_KV_LIST, .text = ""},
    {WEIR_KV_DELETE, .keys = {BYTES("a")}, .key_count = 1},
    {.operation = WEIR_KV_DELETE},
    {.operation = WEIR_KV_SET},
    /* Values are bytes, keys may be empty or hold NUL. */
    {WEIR_KV_SET, .keys = {BYTES("a")}, .key_count = 1, .values = {BYTES("1\0\xff")}},
    {WEIR_KV_SET, .keys = {BYTES("b"), BYTES("a\0"), BYTES(""), BYTES("a\0b")}, .key_count = 4,
        .values = {BYTES("2"), BYTES(""), BYTES("4"), BYTES("5")}},
    {WEIR_KV_GET, .keys = {BYTES("a\0"), BYTES("c"), BYTES(""), BYTES("a")}, .key_count = 4, .text = "[][-][4][1\\0\xff]"},
    {WEIR_KV_EXISTS, .keys = {BYTES("a\0")}, .key_count = 1, .exists = true},
    {WEIR_KV_EXISTS, .keys = {BYTES("a\0c")}, .key_count = 1, .exists = false},
    {WEIR_KV_GET, .keys = {BYTES("b"), BYTES("b")}, .key_count = 2, .text = "[2][2]"},
    /* The last one of a key that is set twice */
    {WEIR_KV_SET, .keys = {BYTES("b"), BYTES("b")}, .key_count = 2, .values = {BYTES("3"), BYTES("6")}},
    {WEIR_KV_GET, .keys = {BYTES("b")}, .key_count = 1, .text = "[6]"},
    /* Lists are sorted by bytes. */
    {WEIR_KV_SET, .keys = {BYTES("\xc3\xa9"), BYTES("B")}, .key_count = 2, .values = {BYTES(""), BYTES("")}},
    {WEIR_KV_LIST, .text = "[][B][a][a\\0][a\\0b][b][\xc3\xa9]"},
    {WEIR_KV_LIST, .most = 7, .text = "[][B][a][a\\0][a\\0b][b][\xc3\xa9]"},
    {WEIR_KV_LIST, .most = 3, .text = "[][B][a]", .has_more = true},
    {WEIR_KV_LIST, .after = SOME("a"), .most = 2, .text = "[a\\0][a\\0b]", .has_more = true},
    {WEIR_KV_LIST, .after = SOME("a\0b"), .most = 2, .text = "[b][\xc3\xa9]"},
    {WEIR_KV_LIST, .after = SOME(""), .most = 1, .text = "[B]", .has_more = true},
    {WEIR_KV_LIST, .after = SOME("\xc3\xa9"), .text = ""},
    {WEIR_KV_LIST, .after = SOME("aa"), .text = "[b][\xc3\xa9]"},
    /* Each label has keys of its own. */
    {WEIR_KV_LIST, "other", .text = ""},
    {WEIR_KV_SET, "other", .keys = {BYTES("a")}, .key_count = 1, .values = {BYTES("other")}},
    {WEIR_KV_GET, .keys = {BYTES("a")}, .key_count = 1, .text = "[1\\0\xff]"},
    {WEIR_KV_DELETE, .keys = {BYTES("a"), BYTES("none"), BYTES("b"), BYTES("B")}, .key_count = 4},
    {WEIR_KV_GET, "other", .keys = {BYTES("a")}, .key_count = 1, .text = "[other]"},
    {WEIR_KV_LIST, .text = "[][a\\0][a\\0b][\xc3\xa9]"},
    /* Numbers */
    {WEIR_KV_INCREMENT, .keys = {BYTES("n")}, .key_count = 1, .delta = 5, .number = 5},
    {WEIR_KV_INCREMENT, .keys = {BYTES("n")}, .key_count = 1, .delta = -12, .number = -7},
    {WEIR_KV_INCREMENT, .keys = {BYTES("n")}, .key_count = 1, .number = -7},
    {WEIR_KV_GET, .keys = {BYTES("n")}, .key_count = 1, .text = "[\xf9\xff\xff\xff\xff\xff\xff\xff]"},
    {WEIR_KV_SET, .keys = {BYTES("n")}, .key_count = 1, .values = {BYTES("\xff\xff\xff\xff\xff\xff\xff\x7f")}},
    {WEIR_KV_INCREMENT, .keys = {BYTES("n")}, .key_count = 1, .delta = 1, .status = WEIR_KV_FAILED,
        .message = "the number of key \"n\", 9223372036854775807, and 1 more do not fit into 64 bits"},
    {WEIR_KV_INCREMENT, .keys = {BYTES("n")}, .key_count = 1, .delta = INT64_MIN, .number = -1},
    {WEIR_KV_INCREMENT, .keys = {BYTES("m")}, .key_count = 1, .delta = INT64_MIN, .number = INT64_MIN},
    {WEIR_KV_INCREMENT, .keys = {BYTES("m")}, .key_count = 1, .delta = -1, .status = WEIR_KV_FAILED,
        .message = "do not fit"},
    {WEIR_KV_INCREMENT, .keys = {BYTES("a\0b")}, .key_count = 1, .delta = 1, .status = WEIR_KV_FAILED,
        .message = "the value of key \"a\" is no number to increment: it has 1 bytes"},
    {WEIR_KV_INCREMENT, .keys = {BYTES("a\0")}, .key_count = 1, .delta = 1, .status = WEIR_KV_FAILED,
        .message = "it has 0 bytes"},
    {WEIR_KV_GET, .keys = {BYTES("a\0b")}, .key_count = 1, .text = "[5]"},
    /* Swaps */
    {WEIR_KV_SWAP, .keys = {BYTES("s")}, .key_count = 1, .values = {BYTES("1")}, .expected = SOME(""),
        .status = WEIR_KV_CHANGED, .text = "[-]"},
    {WEIR_KV_SWAP, .keys = {BYTES("s")}, .key_count = 1, .values = {BYTES("1")}, .expected = NONE},
    {WEIR_KV_SWAP, .keys = {BYTES("s")}, .key_count = 1, .values = {BYTES("2")}, .expected = NONE,
        .status = WEIR_KV_CHANGED, .text = "[1]"},
    {WEIR_KV_SWAP, .keys = {BYTES("s")}, .key_count = 1, .values = {BYTES("2")}, .expected = SOME("1\0"),
        .status = WEIR_KV_CHANGED, .text = "[1]"},
    {WEIR_KV_SWAP, .keys = {BYTES("s")}, .key_count = 1, .values = {BYTES("")}, .expected = SOME("1")},
    {WEIR_KV_SWAP, .keys = {BYTES("s")}, .key_count = 1, .values = {BYTES("3")}, .expected = NONE,
        .status = WEIR_KV_CHANGED, .text = "[]"},
    {WEIR_KV_SWAP, .keys = {BYTES("s")}, .key_count = 1, .values = {BYTES("3")}, .expected = SOME("")},
    {WEIR_KV_GET, .keys = {BYTES("s")}, .key_count = 1, .text = "[3]"},
    /* What has another shape than its operation */
    {WEIR_KV_INCREMENT, .status = WEIR_KV_FAILED, .message = "is for one key"},
    {WEIR_KV_EXISTS, .keys = {BYTES("a"), BYTES("b")}, .key_count = 2, .status = WEIR_KV_FAILED,
        .message = "is for one key"},
    {WEIR_KV_LIST, .keys = {BYTES("a")}, .key_count = 1, .status = WEIR_KV_FAILED, .message = "without naming any"},
    {(weir_kv_operation_t)99, .status = WEIR_KV_FAILED, .message = "none that there is"},
};
/* clang-format on */

static void take_steps(weir_kv_store_t *store)
{
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        const step_t *step = &steps[i];
        reply_t reply = ask(store, (weir_kv_request_t){step->operation, step->label, step->keys, step->key_count,
                                       step->values, step->expected, step->delta, step->after, step->most});
        const char *text = step->text == NULL ? "" : step->text;
        if (reply.status != step->status || strcmp(reply.text, text) != 0 || reply.has_more != step->has_more ||
            reply.exists != step->exists || reply.number != step->number ||
            (reply.message == NULL) != (step->message == NULL) ||
            (step->message != NULL && strstr(reply.message, step->message) == NULL))
            fail_msg("step %zu: %d, %s, %d, %d, %jd, %s", i, reply.status, reply.text, reply.has_more, reply.exists,
                (intmax_t)reply.number, reply.message == NULL ? "" : reply.message);
        reply_end(&reply);
    }
}

static void test_answers_every_request_in_memory(void **state)
{
    (void)state;
    weir_kv_store_t *store = new_store(NULL);
    assert_string_equal(weir_kv_summary(store), "SQLite, in memory");
    take_steps(store);
    weir_kv_release(store);
}

static void test_answers_every_request_in_a_file(void **state)
{
    (void)state;
    char summary[PATH_BYTES + 16];
    struct stat facts;
    weir_kv_store_t *store = new_store(path);
    snprintf(summary, sizeof summary, "SQLite, %s", path);
    assert_string_equal(weir_kv_summary(store), summary);
    assert_int_equal(stat(path, &facts), -1); /* not before the first request */
    take_steps(store);
    snprintf(summary, sizeof summary, "%s/.spin", directory);
    assert_int_equal(stat(summary, &facts), 0);
    assert_int_equal(facts.st_mode & 077, 0);
    weir_kv_release(store);
    store = new_store(path); /* all is still there */
    expect_text(store, "s", "[3]");
    weir_kv_release(store);
}

static void test_takes_a_file_over_from_spin_and_leaves_it_usable(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "%s/of-spin.db", directory);
    /* As crates/key-value-spin/src/store.rs makes it, and increment there writes numbers. */
    do_beside(
        "CREATE TABLE IF NOT EXISTS spin_key_value (store TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, "
        "PRIMARY KEY (store, key));"
        "INSERT INTO spin_key_value VALUES ('default', 'counter', x'0500000000000000'), ('default', 'a', x'3100')");
    weir_kv_store_t *store = new_store(path);
    weir_bytes_t key = BYTES("counter");
    reply_t reply =
        ask(store, (weir_kv_request_t){.operation = WEIR_KV_INCREMENT, .keys = &key, .key_count = 1, .delta = 300});
    assert_int_equal(reply.status, WEIR_KV_DONE);
    assert_int_equal(reply.number, 305);
    reply_end(&reply);
    expect_text(store, "a", "[1\\0]");
    weir_kv_release(store);
    sqlite3 *beside = open_beside("");
    sqlite3_stmt *statement;
    assert_int_equal(
        sqlite3_prepare_v2(
            beside, "SELECT hex(value), typeof(value) FROM spin_key_value WHERE key = 'counter'", -1, &statement, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(statement, 0), "3101000000000000");
    assert_string_equal((const char *)sqlite3_column_text(statement, 1), "blob");
    sqlite3_finalize(statement);
    sqlite3_close(beside);
}

static void test_two_stores_share_a_file(void **state)
{
    (void)state;
    weir_kv_store_t *one = new_store(path);
    weir_kv_store_t *two = new_store(path);
    assert_int_equal(set_text(one, "a", "1"), WEIR_KV_DONE);
    expect_text(two, "a", "[1]");
    assert_int_equal(set_text(two, "a", "2"), WEIR_KV_DONE);
    expect_text(one, "a", "[2]");
    weir_kv_release(one);
    expect_text(two, "a", "[2]");
    weir_kv_release(two);
}

static void test_takes_any_name_for_a_file(void **state)
{
    (void)state;
    char before[PATH_BYTES];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(directory), 0);
    static const char *const names[] = {":memory:", "file:x?mode=memory", "a b%20c?d#e", "sub/\xc3\xa9"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        weir_kv_store_t *store = new_store(names[i]);
        expect_done(try_set(store));
        weir_kv_release(store);
        assert_int_equal(access(names[i], F_OK), 0);
    }
    assert_int_equal(chdir(before), 0);
    weir_kv_store_t *store;
    char *message = NULL;
    assert_false(weir_kv_new_sqlite("", &store, &message));
    assert_non_null(strstr(message, "name a file"));
    free(message);
}

/* ---- Bounds ------------------------------------------------------------------------------------------------------ */

static void test_keeps_its_bounds(void **state)
{
    (void)state;
    size_t size = (size_t)WEIR_KV_VALUE_BYTES_MAX + 1;
    char *large = malloc(size);
    assert_non_null(large);
    memset(large, 'x', size);
    weir_kv_store_t *store = new_store(path);
    weir_bytes_t key = {large, WEIR_KV_KEY_BYTES_MAX};
    weir_bytes_t value = {large, WEIR_KV_VALUE_BYTES_MAX};
    weir_kv_request_t request = {.operation = WEIR_KV_SET, .keys = &key, .key_count = 1, .values = &value};
    expect_done(ask(store, request)); /* just within them */
    key.size++;
    expect_failure(ask(store, request), "64 KiB");
    key.size = 1;
    value.size++;
    expect_failure(ask(store, request), "64 MiB");
    value.size--;

    weir_bytes_t keys[3] = {{large, 1}, {large, 2}, {large, 3}};
    weir_bytes_t values[3] = {value, value, value};
    request = (weir_kv_request_t){.operation = WEIR_KV_SET, .keys = keys, .key_count = 3, .values = values};
    expect_failure(ask(store, request), "the request is larger than the 128 MiB");
    request.key_count = SIZE_MAX / 2;
    request.operation = WEIR_KV_GET;
    expect_failure(ask(store, request), "the request is larger than the 128 MiB");

    /* Two of the largest values do not fit into an answer, one does. */
    request = (weir_kv_request_t){.operation = WEIR_KV_SET, .keys = keys, .key_count = 1, .values = values};
    expect_done(ask(store, request));
    keys[1] = keys[0];
    request = (weir_kv_request_t){.operation = WEIR_KV_GET, .keys = keys, .key_count = 1};
    expect_done(ask(store, request));
    request.key_count = 2;
    expect_failure(ask(store, request), "128 MiB that an answer");
    expect_done(try_set(store));
    weir_kv_release(store);
    free(large);
}

static void test_an_answer_of_keys_is_bounded(void **state)
{
    (void)state;
    weir_kv_store_t *store = new_store(path);
    expect_done(try_set(store));
    /* 2,100 keys of nearly 64 KiB, as another program may write them: 131 MiB */
    do_beside("WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 2100) "
              "INSERT INTO spin_key_value SELECT 'many', printf('%065500d', i), '' FROM n");
    weir_kv_request_t request = {.operation = WEIR_KV_LIST, .label = "many"};
    expect_failure(ask(store, request), "128 MiB that an answer");
    request.most = 2050;
    reply_t reply = ask(store, request);
    assert_int_equal(reply.status, WEIR_KV_DONE);
    assert_true(reply.has_more);
    assert_true(reply.count > 2000 && reply.count < 2050);
    size_t first = reply.count;
    char *last = malloc(65501);
    assert_non_null(last);
    memcpy(last, reply.text + strlen(reply.text) - 65501, 65500);
    reply_end(&reply);
    request.after = (weir_optional_bytes_t){true, {last, 65500}};
    reply = ask(store, request);
    assert_int_equal(reply.status, WEIR_KV_DONE);
    assert_false(reply.has_more);
    assert_int_equal(first + reply.count, 2100);
    reply_end(&reply);
    free(last);
    weir_kv_release(store);
}

static void test_refuses_a_row_of_another_program_that_is_too_large(void **state)
{
    (void)state;
    weir_kv_store_t *store = new_store(path);
    expect_done(try_set(store));
    do_beside("INSERT INTO spin_key_value VALUES ('default', 'large', zeroblob(70000000))");
    weir_bytes_t key = BYTES("large");
    expect_failure(ask(store, (weir_kv_request_t){.operation = WEIR_KV_GET, .keys = &key, .key_count = 1}),
        "larger than weir takes");
    expect_text(store, "key", "[value]");
    weir_kv_release(store);
}

/* Holds the store's thread up, in its first answer. */
typedef struct gate {
    sem_t reached;
    sem_t open;
} gate_t;

static void wait_at_gate(void *context, const weir_kv_answer_t *answer)
{
    (void)answer;
    gate_t *gate = context;
    sem_post(&gate->reached);
    while (sem_wait(&gate->open) != 0) {
    }
}

static void hold_up(weir_kv_store_t *store, gate_t *gate)
{
    sem_init(&gate->reached, 0, 0);
    sem_init(&gate->open, 0, 0);
    weir_kv_submit(store, &(weir_kv_request_t){.operation = WEIR_KV_LIST, .label = "none"}, wait_at_gate, gate);
    while (sem_wait(&gate->reached) != 0) {
    }
}

typedef struct tally {
    atomic_uint done;
    atomic_uint failed;
    atomic_uint refused; /* too many */
} tally_t;

static void count(void *context, const weir_kv_answer_t *answer)
{
    tally_t *tally = context;
    if (answer->status != WEIR_KV_FAILED)
        atomic_fetch_add(&tally->done, 1);
    else if (strstr(answer->message, "too many requests wait") != NULL)
        atomic_fetch_add(&tally->refused, 1);
    else
        atomic_fetch_add(&tally->failed, 1);
}

static void test_refuses_at_once_what_would_wait_beyond_its_bounds(void **state)
{
    (void)state;
    weir_kv_store_t *store = new_store(path);
    gate_t gate;
    tally_t tally = {0};
    weir_bytes_t key = BYTES("n");
    hold_up(store, &gate);
    for (int i = 0; i < 20000; i++)
        weir_kv_submit(store,
            &(weir_kv_request_t){
                .operation = WEIR_KV_INCREMENT, .label = "default", .keys = &key, .key_count = 1, .delta = 1},
            count, &tally);
    assert_int_equal(atomic_load(&tally.done), 0);
    assert_int_equal(atomic_load(&tally.refused), 20000 - 16384);
    sem_post(&gate.open);
    reply_t reply = ask(store, (weir_kv_request_t){.operation = WEIR_KV_GET, .keys = &key, .key_count = 1});
    while (reply.status == WEIR_KV_FAILED) { /* there may still be no room for it */
        reply_end(&reply);
        reply = ask(store, (weir_kv_request_t){.operation = WEIR_KV_GET, .keys = &key, .key_count = 1});
    }
    assert_string_equal(reply.text, "[\\0@\\0\\0\\0\\0\\0\\0]"); /* 16384 */
    reply_end(&reply);
    assert_int_equal(atomic_load(&tally.done), 16384);
    weir_kv_release(store);
}

/* ---- Transactions ------------------------------------------------------------------------------------------------ */

static void test_all_that_waits_shares_a_sync(void **state)
{
    (void)state;
    weir_kv_store_t *store = new_store(path);
    gate_t gate;
    tally_t tally = {0};
    weir_bytes_t key = BYTES("n");
    unsigned long before = atomic_load(&synced);
    expect_done(try_set(store));
    assert_true(atomic_load(&synced) > before); /* before it was answered */
    hold_up(store, &gate);
    before = atomic_load(&synced);
    for (int i = 0; i < 500; i++)
        weir_kv_submit(store,
            &(weir_kv_request_t){
                .operation = WEIR_KV_INCREMENT, .label = "default", .keys = &key, .key_count = 1, .delta = 1},
            count, &tally);
    sem_post(&gate.open);
    expect_text(store, "key", "[value]");
    assert_int_equal(atomic_load(&tally.done), 500);
    assert_int_equal(atomic_load(&synced) - before, 1);
    weir_kv_release(store);
}

static void test_a_request_that_fails_undoes_no_other(void **state)
{
    (void)state;
    weir_kv_store_t *store = new_store(path);
    gate_t gate;
    reply_t replies[4];
    weir_bytes_t keys[] = {BYTES("text"), BYTES("n"), BYTES("after")};
    weir_bytes_t values[] = {BYTES("no number"), BYTES("2"), BYTES("3")};
    hold_up(store, &gate);
    const weir_kv_request_t requests[4] = {
        {.operation = WEIR_KV_SET, .label = "default", .keys = keys, .key_count = 1, .values = values},
        {.operation = WEIR_KV_INCREMENT, .label = "default", .keys = keys, .key_count = 1, .delta = 1},
        {.operation = WEIR_KV_INCREMENT, .label = "default", .keys = &keys[1], .key_count = 1, .delta = 1},
        {.operation = WEIR_KV_SET, .label = "default", .keys = &keys[2], .key_count = 1, .values = &values[2]},
    };
    for (int i = 0; i < 4; i++) {
        reply_begin(&replies[i]);
        weir_kv_submit(store, &requests[i], take_reply, &replies[i]);
    }
    sem_post(&gate.open);
    for (int i = 0; i < 4; i++) {
        reply_wait(&replies[i]);
        assert_int_equal(replies[i].status, i == 1 ? WEIR_KV_FAILED : WEIR_KV_DONE);
        reply_end(&replies[i]);
    }
    expect_text(store, "text", "[no number]");
    expect_text(store, "after", "[3]");
    weir_kv_release(store);
}

static void test_several_keys_are_set_all_or_none(void **state)
{
    (void)state;
    weir_kv_store_t *store = new_store(path);
    expect_done(try_set(store));
    /* What makes the second of three fail */
    do_beside("CREATE UNIQUE INDEX one_of_a_kind ON spin_key_value (value)");
    weir_bytes_t keys[] = {BYTES("a"), BYTES("b"), BYTES("c")};
    weir_bytes_t values[] = {BYTES("1"), BYTES("1"), BYTES("3")};
    weir_kv_request_t request = {.operation = WEIR_KV_SET, .keys = keys, .key_count = 3, .values = values};
    expect_failure(ask(store, request), "constraint");
    expect_text(store, "a", "[-]");
    values[1] = (weir_bytes_t)BYTES("2");
    expect_done(ask(store, request));
    expect_text(store, "c", "[3]");
    weir_kv_release(store);
}

/* ---- What is wrong with files ------------------------------------------------------------------------------------ */

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(name, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void test_says_what_is_wrong_with_a_file_and_recovers(void **state)
{
    (void)state;
    char parent[PATH_BYTES];
    snprintf(parent, sizeof parent, "%s/.spin", directory);
    weir_kv_store_t *store = new_store(path);

    write_file(parent, "a file where the directory is to be");
    expect_failure(try_set(store), "sqlite_key_value.db cannot be used: unable to open database file");
    assert_int_equal(unlink(parent), 0);
    expect_done(try_set(store));
    weir_kv_release(store);

    char long_text[4096];
    memset(long_text, '#', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    write_file(path, long_text);
    store = new_store(path);
    expect_failure(try_set(store), "file is not a database: move the file away");
    assert_int_equal(unlink(path), 0);
    expect_done(try_set(store));
    expect_text(store, "key", "[value]");

    /* Another file in its place, or none, while it is open */
    assert_int_equal(temporary_remove(parent), 0);
    expect_text(store, "key", "[-]");
    expect_done(try_set(store));
    assert_int_equal(access(path, F_OK), 0);
    weir_kv_release(store);

    assert_int_equal(unlink(path), 0);
    do_beside("CREATE TABLE spin_key_value (other TEXT)");
    store = new_store(path);
    expect_failure(try_set(store), "no such column");
    weir_kv_release(store);
}

static void test_reads_a_file_that_it_may_not_write(void **state)
{
    (void)state;
    char parent[PATH_BYTES];
    snprintf(parent, sizeof parent, "%s/.spin", directory);
    weir_kv_store_t *store = new_store(path);
    expect_done(try_set(store));
    weir_kv_release(store);
    do_beside("PRAGMA journal_mode=DELETE");
    assert_int_equal(chmod(directory, 0755), 0);
    assert_int_equal(chmod(parent, 0555), 0);
    assert_int_equal(chmod(path, 0444), 0);
    bool is_root = geteuid() == 0;
    if (is_root)
        assert_int_equal(seteuid(65534), 0); /* whom modes bind */
    store = new_store(path);
    expect_failure(try_set(store), "readonly database: let this user write the file and its directory");
    expect_text(store, "key", "[value]");
    if (is_root)
        assert_int_equal(seteuid(0), 0);
    assert_int_equal(chmod(path, 0666), 0);
    assert_int_equal(chmod(parent, 0777), 0);
    expect_done(try_set(store));
    weir_kv_release(store);

    /* A directory in which none may be made */
    assert_int_equal(temporary_remove(parent), 0);
    assert_int_equal(chmod(directory, 0555), 0);
    if (is_root)
        assert_int_equal(seteuid(65534), 0);
    store = new_store(path);
    expect_failure(try_set(store), "see that its directory is there");
    weir_kv_release(store);
    if (is_root)
        assert_int_equal(seteuid(0), 0);
    assert_int_equal(chmod(directory, 0755), 0);
}

static void test_says_that_a_file_is_locked_for_too_long(void **state)
{
    (void)state;
    weir_kv_store_t *store = new_store(path);
    expect_done(try_set(store));
    sqlite3 *beside = open_beside("BEGIN IMMEDIATE");
    expect_failure(try_set(store), "database is locked: another program has held it");
    expect_text(store, "key", "[value]"); /* who reads waits for nobody */
    assert_int_equal(sqlite3_exec(beside, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(beside);
    expect_done(try_set(store));
    weir_kv_release(store);
}

/* Writes that were not committed did not happen; what reads in the same transaction still is answered. */
static void expect_failed_commit(weir_kv_store_t *store, atomic_int *error, int value, const char *message)
{
    gate_t gate;
    reply_t replies[3];
    weir_bytes_t keys[] = {BYTES("key"), BYTES("n")};
    weir_bytes_t anew = BYTES("new");
    const weir_kv_request_t requests[3] = {
        {.operation = WEIR_KV_SET, .label = "default", .keys = keys, .key_count = 1, .values = &anew},
        {.operation = WEIR_KV_GET, .label = "default", .keys = keys, .key_count = 1},
        {.operation = WEIR_KV_INCREMENT, .label = "default", .keys = &keys[1], .key_count = 1, .delta = 1},
    };
    hold_up(store, &gate);
    for (int i = 0; i < 3; i++) {
        reply_begin(&replies[i]);
        weir_kv_submit(store, &requests[i], take_reply, &replies[i]);
    }
    atomic_store(error, value);
    sem_post(&gate.open);
    for (int i = 0; i < 3; i++)
        reply_wait(&replies[i]);
    atomic_store(error, 0);
    expect_failure(replies[0], message);
    expect_failure(replies[2], message);
    assert_int_equal(replies[1].status, WEIR_KV_DONE);
    assert_string_equal(replies[1].text, "[value]");
    reply_end(&replies[1]);
    expect_text(store, "key", "[value]");
    expect_text(store, "n", "[-]");
}

static void test_writes_that_the_disk_does_not_take_have_failed(void **state)
{
    (void)state;
    sqlite3_vfs *system = sqlite3_vfs_find(NULL);
    weir_kv_store_t *store = new_store(path);
    expect_done(try_set(store));
    static const char *const calls[] = {"pwrite", "pwrite64"};
    for (int i = 0; i < 2; i++)
        system->xSetSystemCall(system, calls[i], (sqlite3_syscall_ptr)write_or_fail);
    expect_failed_commit(store, &write_error, ENOSPC, "database or disk is full: make room on its disk");
    expect_failed_commit(store, &write_error, EIO, "disk I/O error: see what the system says");
    expect_failed_commit(store, &sync_error, EIO, "disk I/O error: see what the system says");
    for (int i = 0; i < 2; i++)
        system->xSetSystemCall(system, calls[i], NULL);
    expect_done(try_set(store));
    weir_kv_release(store);
}

/* ---- Memory ------------------------------------------------------------------------------------------------------ */

/* Everything that a store does. Whether all of it worked; what did not has failed with words. */
static bool use_all(const char *where)
{
    weir_kv_store_t *store;
    char *message = NULL;
    bool good = true;
    if (!weir_kv_new_sqlite(where, &store, &message)) {
        free(message);
        return false;
    }
    weir_bytes_t keys[] = {BYTES("a"), BYTES("b")};
    weir_bytes_t values[] = {BYTES("1"), BYTES("2")};
    weir_bytes_t number = BYTES("n");
    const weir_kv_request_t requests[] = {
        {.operation = WEIR_KV_SET, .label = "x", .keys = keys, .key_count = 2, .values = values},
        {.operation = WEIR_KV_GET, .label = "x", .keys = keys, .key_count = 2},
        {.operation = WEIR_KV_INCREMENT, .label = "x", .keys = &number, .key_count = 1, .delta = 1},
        {.operation = WEIR_KV_SWAP,
            .label = "x",
            .keys = keys,
            .key_count = 1,
            .values = values,
            .expected = SOME("1")},
        {.operation = WEIR_KV_LIST, .label = "x"},
        {.operation = WEIR_KV_DELETE, .label = "x", .keys = keys, .key_count = 2},
        {.operation = WEIR_KV_EXISTS, .label = "x", .keys = keys, .key_count = 1},
    };
    tally_t tally = {0};
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        unsigned failed = atomic_load(&tally.failed);
        weir_kv_submit(store, &requests[i], count, &tally);
        good = good && atomic_load(&tally.failed) == failed;
    }
    weir_kv_release(store); /* waits */
    assert_int_equal(atomic_load(&tally.done) + atomic_load(&tally.failed), sizeof requests / sizeof requests[0]);
    return good && atomic_load(&tally.failed) == 0;
}

static void test_answers_when_memory_runs_out(void **state)
{
    (void)state;
    for (int variant = 0; variant < 4; variant++) {
        const char *where = variant % 2 == 0 ? NULL : path;
        bool all = false;
        assert_true(use_all(where)); /* the directory is there */
        atomic_store(&fail_after, variant >= 2);
        unsigned long number;
        for (number = 1;; number++) {
            atomic_store(&allocated, 0);
            atomic_store(&fail_at, number);
            all = use_all(where);
            atomic_store(&fail_at, 0);
            if (atomic_load(&allocated) < number)
                break;
        }
        assert_true(number > 20);
        assert_true(all);
        assert_true(use_all(where));
    }
}

/* ---- The end ----------------------------------------------------------------------------------------------------- */

typedef struct ending {
    weir_kv_store_t *store;
    sem_t released;
} ending_t;

static void release_within(void *context, const weir_kv_answer_t *answer)
{
    ending_t *ending = context;
    assert_int_equal(answer->status, WEIR_KV_DONE);
    weir_kv_release(ending->store);
    sem_post(&ending->released);
}

static void test_is_released_from_within_an_answer(void **state)
{
    (void)state;
    ending_t ending = {.store = new_store(path)};
    tally_t tally = {0};
    sem_init(&ending.released, 0, 0);
    const weir_kv_request_t request = {.operation = WEIR_KV_LIST, .label = "x"};
    gate_t gate;
    hold_up(ending.store, &gate);
    weir_kv_submit(ending.store, &request, release_within, &ending);
    for (int i = 0; i < 2000; i++) /* more than a transaction: some come after the release */
        weir_kv_submit(ending.store, &request, count, &tally);
    sem_post(&gate.open);
    while (sem_wait(&ending.released) != 0) {
    }
    const struct timespec moment = {0, 1000000};
    for (int i = 0; i < 20000 && atomic_load(&tally.done) < 2000; i++)
        nanosleep(&moment, NULL);
    assert_int_equal(atomic_load(&tally.done), 2000);
}

static void test_the_last_release_waits_for_what_was_submitted(void **state)
{
    (void)state;
    tally_t tally = {0};
    weir_kv_release(new_store(path)); /* that was never asked */
    weir_kv_store_t *store = new_store(path);
    weir_bytes_t key = BYTES("n");
    assert_ptr_equal(weir_kv_hold(store), store);
    weir_kv_release(store);
    for (int i = 0; i < 3000; i++)
        weir_kv_submit(store,
            &(weir_kv_request_t){
                .operation = WEIR_KV_INCREMENT, .label = "default", .keys = &key, .key_count = 1, .delta = 1},
            count, &tally);
    weir_kv_release(store);
    assert_int_equal(atomic_load(&tally.done), 3000);
    weir_kv_release(NULL);
    char journal[PATH_BYTES + 8];
    snprintf(journal, sizeof journal, "%s-wal", path);
    assert_int_equal(access(journal, F_OK), -1); /* it was closed in order */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_answers_every_request_in_memory, begin, end),
        cmocka_unit_test_setup_teardown(test_answers_every_request_in_a_file, begin, end),
        cmocka_unit_test_setup_teardown(test_takes_a_file_over_from_spin_and_leaves_it_usable, begin, end),
        cmocka_unit_test_setup_teardown(test_two_stores_share_a_file, begin, end),
        cmocka_unit_test_setup_teardown(test_takes_any_name_for_a_file, begin, end),
        cmocka_unit_test_setup_teardown(test_keeps_its_bounds, begin, end),
        cmocka_unit_test_setup_teardown(test_an_answer_of_keys_is_bounded, begin, end),
        cmocka_unit_test_setup_teardown(test_refuses_a_row_of_another_program_that_is_too_large, begin, end),
        cmocka_unit_test_setup_teardown(test_refuses_at_once_what_would_wait_beyond_its_bounds, begin, end),
        cmocka_unit_test_setup_teardown(test_all_that_waits_shares_a_sync, begin, end),
        cmocka_unit_test_setup_teardown(test_a_request_that_fails_undoes_no_other, begin, end),
        cmocka_unit_test_setup_teardown(test_several_keys_are_set_all_or_none, begin, end),
        cmocka_unit_test_setup_teardown(test_says_what_is_wrong_with_a_file_and_recovers, begin, end),
        cmocka_unit_test_setup_teardown(test_reads_a_file_that_it_may_not_write, begin, end),
        cmocka_unit_test_setup_teardown(test_says_that_a_file_is_locked_for_too_long, begin, end),
        cmocka_unit_test_setup_teardown(test_writes_that_the_disk_does_not_take_have_failed, begin, end),
        cmocka_unit_test_setup_teardown(test_answers_when_memory_runs_out, begin, end),
        cmocka_unit_test_setup_teardown(test_is_released_from_within_an_answer, begin, end),
        cmocka_unit_test_setup_teardown(test_the_last_release_waits_for_what_was_submitted, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
