/*
 * sqlite_file.c: a store's file of SQLite opened, set up, and closed, and SQLite's errors in words.
 *
 * Locks of files belong to a process, and are gone once any of its descriptors of the file is closed (fcntl(2)):
 * nothing but SQLite may open the file here.
 */
#include "host/sqlite_file.h"

#include "app/text.h"
#include "observe/clock.h"
#include "observe/directory.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    BUSY_SECONDS = 5,
    BUSY_PAUSE_NANOSECONDS = 1000000, /* SQLite's own pauses grow, and who waits long then hardly gets its turn */
    DIRECTORY_MODE = 0700,
    ROW_BYTES_MAX = WEIR_KV_VALUE_BYTES_MAX + 2 * WEIR_KV_KEY_BYTES_MAX + 1024,
};

/*
 * The journal as a log of its own (WAL): one fsync(2) for each transaction, and who reads waits for nobody. Where it
 * cannot be had, because the file is read-only or the file system shares no memory, the usual journal is as safe.
 * Temporary tables in memory: the sandbox has no place for them. The table is Spin's own.
 */
static const char wanted_journal[] = "PRAGMA journal_mode=WAL";
static const char set_up[] = "PRAGMA synchronous=FULL;"
                             "PRAGMA temp_store=MEMORY;"
                             "PRAGMA journal_size_limit=67108864;"
                             "CREATE TABLE IF NOT EXISTS spin_key_value ("
                             "store TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (store, key))";

static const char *const texts[WEIR_SQLITE_STATEMENTS] = {
    [WEIR_SQLITE_BEGIN] = "BEGIN",
    [WEIR_SQLITE_BEGIN_WRITING] = "BEGIN IMMEDIATE",
    [WEIR_SQLITE_COMMIT] = "COMMIT",
    [WEIR_SQLITE_ROLLBACK] = "ROLLBACK",
    [WEIR_SQLITE_SAVE] = "SAVEPOINT request",
    [WEIR_SQLITE_FORGET_SAVED] = "RELEASE request",
    [WEIR_SQLITE_BACK_TO_SAVED] = "ROLLBACK TO request",
    [WEIR_SQLITE_GET] = "SELECT value FROM spin_key_value WHERE store = ?1 AND key = ?2",
    [WEIR_SQLITE_SET] = ("INSERT INTO spin_key_value (store, key, value) VALUES (?1, ?2, ?3) "
                         "ON CONFLICT (store, key) DO UPDATE SET value = excluded.value"),
    [WEIR_SQLITE_DELETE] = "DELETE FROM spin_key_value WHERE store = ?1 AND key = ?2",
    [WEIR_SQLITE_EXISTS] = "SELECT 1 FROM spin_key_value WHERE store = ?1 AND key = ?2",
    [WEIR_SQLITE_LIST] = "SELECT key FROM spin_key_value WHERE store = ?1 ORDER BY key",
    [WEIR_SQLITE_LIST_AFTER] = "SELECT key FROM spin_key_value WHERE store = ?1 AND key > ?2 ORDER BY key",
};

/* ---- Errors ------------------------------------------------------------------------------------------------------ */

/*
 * Whether an error may be gone once the file is opened anew. Not where the disk did not take a transaction: this
 * connection has rolled it back, and a new one could find it in the journal as if it had been committed.
 */
static bool is_of_connection(int code)
{
    if (code == SQLITE_IOERR_WRITE || code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_DIR_FSYNC ||
        code == SQLITE_IOERR_TRUNCATE)
        return false;
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
    case SQLITE_NOMEM:
    case SQLITE_FULL:
    case SQLITE_TOOBIG:
    case SQLITE_CONSTRAINT:
        return false;
    default:
        return true;
    }
}

/* What to do about an error, or NULL: nothing is known. */
static const char *remedy_of(int code)
{
    switch (code & 0xff) {
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return "see that its directory is there and that this user may write it and the file";
    case SQLITE_READONLY:
        return "let this user write the file and its directory";
    case SQLITE_NOTADB:
        return "move the file away, or name another one";
    case SQLITE_CORRUPT:
        return "put a backup in its place, or move it away, and an empty one is made";
    case SQLITE_FULL:
        return "make room on its disk";
    case SQLITE_IOERR:
        return "see what the system says of its disk";
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
        return "another program has held it for seconds: see which one, and end it or what it does";
    case SQLITE_TOOBIG:
        return "a key or value in it is larger than weir takes (64 KiB, 64 MiB)";
    default:
        return NULL;
    }
}

char *weir_sqlite_explain(weir_sqlite_file_t *file, int code)
{
    if (is_of_connection(code))
        file->is_suspect = true;
    if ((code & 0xff) == SQLITE_NOMEM)
        return NULL;
    sqlite3 *connection = file->connection;
    bool is_latest = connection != NULL && sqlite3_extended_errcode(connection) == code;
    int error = connection == NULL ? 0 : sqlite3_system_errno(connection);
    int primary = code & 0xff;
    bool is_of_system = error != 0 && (primary == SQLITE_CANTOPEN || primary == SQLITE_IOERR);
    const char *remedy = remedy_of(code);
    char reason[128] = "";
    weir_text_t text = {0};
    weir_text_format(&text, "the key-value store ");
    if (file->path == NULL)
        weir_text_format(&text, "in memory");
    else
        weir_text_add_escaped(&text, file->path, strlen(file->path));
    weir_text_format(&text, " cannot be used: %s", is_latest ? sqlite3_errmsg(connection) : sqlite3_errstr(code));
    if (is_of_system)
        weir_text_format(&text, " (%s)", strerror_r(error, reason, sizeof reason));
    if (remedy != NULL)
        weir_text_format(&text, ": %s", remedy);
    return weir_text_take(&text);
}

/* ---- Opening ----------------------------------------------------------------------------------------------------- */

static int wait_for_lock(void *context, int attempts)
{
    weir_sqlite_file_t *file = context;
    const struct timespec pause = {0, BUSY_PAUSE_NANOSECONDS};
    uint64_t now = weir_monotonic_nanoseconds();
    if (attempts == 0)
        file->busy_until = now + BUSY_SECONDS * UINT64_C(1000000000);
    if (now >= file->busy_until)
        return 0;
    nanosleep(&pause, NULL);
    return 1;
}

/* Open the connection alone. Leaves one behind for the error's words. */
static int connect_to(weir_sqlite_file_t *file)
{
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    if (file->path == NULL)
        return sqlite3_open_v2(":memory:", &file->connection, flags, NULL);
    char location[PATH_MAX + 2];
    /* A relative path could be taken for "file:..." or ":memory:" otherwise. */
    int size = snprintf(location, sizeof location, "%s%s", file->path[0] == '/' ? "" : "./", file->path);
    if (size < 0 || (size_t)size >= sizeof location)
        return SQLITE_CANTOPEN;
    int code = sqlite3_open_v2(location, &file->connection, flags, NULL);
    if ((code & 0xff) != SQLITE_CANTOPEN || sqlite3_system_errno(file->connection) != ENOENT ||
        !weir_directory_make_parents(file->path, DIRECTORY_MODE))
        return code;
    sqlite3_close(file->connection);
    file->connection = NULL;
    return sqlite3_open_v2(location, &file->connection, flags, NULL);
}

/* Whoever made the file may have put code into it, which is not run, and rows larger than a store's. */
static void restrict_connection(weir_sqlite_file_t *file)
{
    sqlite3_db_config(file->connection, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)NULL);
    sqlite3_db_config(file->connection, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, (int *)NULL);
    sqlite3_db_config(file->connection, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, (int *)NULL);
    sqlite3_db_config(file->connection, SQLITE_DBCONFIG_ENABLE_VIEW, 0, (int *)NULL);
    sqlite3_limit(file->connection, SQLITE_LIMIT_LENGTH, ROW_BYTES_MAX);
    sqlite3_limit(file->connection, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_busy_handler(file->connection, wait_for_lock, file);
}

static int prepare_all(weir_sqlite_file_t *file)
{
    int code = SQLITE_OK;
    for (int i = 0; i < WEIR_SQLITE_STATEMENTS && code == SQLITE_OK; i++)
        code =
            sqlite3_prepare_v3(file->connection, texts[i], -1, SQLITE_PREPARE_PERSISTENT, &file->statements[i], NULL);
    return code;
}

/* Whether the file is no longer at its path, or another one is there. */
static bool has_moved(const weir_sqlite_file_t *file)
{
    int moved = 0;
    return sqlite3_file_control(file->connection, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK && moved != 0;
}

bool weir_sqlite_open(weir_sqlite_file_t *file, bool to_write, char **ret_message)
{
    /* What is in memory cannot be opened anew, and is never read-only. */
    if (file->connection != NULL && file->path != NULL &&
        (file->is_suspect || (to_write && sqlite3_db_readonly(file->connection, "main") != 0) || has_moved(file)))
        weir_sqlite_close(file);
    if (file->connection != NULL)
        return true;
    int code = connect_to(file);
    if (code == SQLITE_OK) {
        restrict_connection(file);
        sqlite3_exec(file->connection, wanted_journal, NULL, NULL, NULL);
        code = sqlite3_exec(file->connection, set_up, NULL, NULL, NULL);
    }
    if (code == SQLITE_OK)
        code = prepare_all(file);
    if (code == SQLITE_OK)
        return true;
    *ret_message = weir_sqlite_explain(file, code);
    weir_sqlite_close(file);
    return false;
}

void weir_sqlite_close(weir_sqlite_file_t *file)
{
    for (int i = 0; i < WEIR_SQLITE_STATEMENTS; i++) {
        sqlite3_finalize(file->statements[i]);
        file->statements[i] = NULL;
    }
    sqlite3_close(file->connection);
    file->connection = NULL;
    file->is_suspect = false;
}

int weir_sqlite_do(weir_sqlite_file_t *file, weir_sqlite_statement_t statement)
{
    int code = sqlite3_step(file->statements[statement]);
    sqlite3_reset(file->statements[statement]);
    return code == SQLITE_DONE || code == SQLITE_ROW ? SQLITE_OK : code;
}
