/*
 * sqlite_file.h: a store's file of SQLite: a connection with its prepared statements, which one thread uses, and what
 * its errors are in words. Private to this room.
 */
#ifndef WEIR_HOST_SQLITE_FILE_H
#define WEIR_HOST_SQLITE_FILE_H

#include "host/store_internal.h"

#include <sqlite3.h>
#include <stdint.h>

typedef enum weir_sqlite_statement {
    WEIR_SQLITE_BEGIN,
    WEIR_SQLITE_BEGIN_WRITING,
    WEIR_SQLITE_COMMIT,
    WEIR_SQLITE_ROLLBACK,
    WEIR_SQLITE_SAVE,
    WEIR_SQLITE_FORGET_SAVED,
    WEIR_SQLITE_BACK_TO_SAVED,
    WEIR_SQLITE_GET,
    WEIR_SQLITE_SET,
    WEIR_SQLITE_DELETE,
    WEIR_SQLITE_EXISTS,
    WEIR_SQLITE_LIST,
    WEIR_SQLITE_LIST_AFTER,
    WEIR_SQLITE_STATEMENTS,
} weir_sqlite_statement_t;

/* Zero it, but for the path, to begin: it is closed. */
typedef struct weir_sqlite_file {
    const char *path;    /* NULL: in memory */
    sqlite3 *connection; /* NULL while it is closed */
    sqlite3_stmt *statements[WEIR_SQLITE_STATEMENTS];
    uint64_t busy_until; /* of the monotonic clock: until then another's lock is waited for */
    bool is_suspect;     /* an error was such that it is to be opened anew */
} weir_sqlite_file_t;

/*
 * Have the file open: made if it is missing, opened anew after an error, when another file has taken its place, or when
 * it could only be read and is to be written now. On failure it is closed, and the message is to be freed with free(3),
 * NULL when memory ran out.
 */
bool weir_sqlite_open(weir_sqlite_file_t *file, bool to_write, char **ret_message);

/* Close it, if it is open. What was in memory is gone. */
void weir_sqlite_close(weir_sqlite_file_t *file);

/* Run a statement that takes and yields nothing. Returns SQLite's code. */
int weir_sqlite_do(weir_sqlite_file_t *file, weir_sqlite_statement_t statement);

/*
 * Why the last call has failed with this code, and what to do about it; to be freed with free(3), NULL when memory ran
 * out. Notes whether the file is to be opened anew.
 */
char *weir_sqlite_explain(weir_sqlite_file_t *file, int code);

/*
 * Carry a request out in the transaction that has begun, and gather its answer; where it fails alone, that says so, and
 * nothing of it is left. Otherwise returns SQLite's code, and the transaction has failed as a whole.
 */
int weir_sqlite_run(weir_sqlite_file_t *file, weir_kv_job_t *job);

#endif
