/*
 * component_log.h: what components write to their standard streams, kept in a file for each stream and shown on the
 * console. A thread of its own writes the files: who logs hands over a copy, and is held up by no disk.
 */
#ifndef WEIR_OBSERVE_COMPONENT_LOG_H
#define WEIR_OBSERVE_COMPONENT_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum weir_component_stream {
    WEIR_COMPONENT_STDOUT = 0,
    WEIR_COMPONENT_STDERR = 1,
} weir_component_stream_t;

enum {
    WEIR_COMPONENT_LOG_PENDING_MAX = 4 * 1024 * 1024, /* bytes that wait to be written, of all components */
};

/* The logs of an application's components, and the log of one of them. */
typedef struct weir_component_logs weir_component_logs_t;
typedef struct weir_component_log weir_component_log_t;

/*
 * Logs for `count` components. `directory` is where "ID_stdout.txt" and "ID_stderr.txt" are appended to, as Spin does
 * (crates/trigger/src/cli/stdio.rs); it is made as soon as there is something to write. NULL: there are no files.
 * Returns NULL when memory ran out.
 */
weir_component_logs_t *weir_component_logs_new(const char *directory, size_t count);

/* Set up a component's log, before anything is written; `id` is borrowed. It is shown on the console if `shown`. */
void weir_component_logs_add(weir_component_logs_t *logs, size_t index, const char *id, bool shown);

/* Whether there is a directory, and so a thread that writes files. */
bool weir_component_logs_are_kept(const weir_component_logs_t *logs);

/*
 * Make the directory now, rather than when there is something to write, and see whether files can be made in it.
 * Returns false with errno set when not. Without a directory there is nothing to do.
 */
bool weir_component_logs_make_directory(const weir_component_logs_t *logs);

/* Empty the files of all components that are there already. What cannot be emptied is logged. */
void weir_component_logs_truncate(weir_component_logs_t *logs);

/*
 * Start the thread that writes files. It takes no signals. Returns false with errno set when it cannot be had; then
 * what is written to files is lost. Without a directory there is nothing to start.
 */
bool weir_component_logs_start(weir_component_logs_t *logs);

/* The log of a component that was added. It lives as long as the logs. */
weir_component_log_t *weir_component_logs_at(weir_component_logs_t *logs, size_t index);

/*
 * Write what a component wrote: to its file byte for byte, and to the console as weir_log_guest does, line by line and
 * escaped. Any thread. Never waits for a disk, and for the console only as weir_log does. What a file does not take (a
 * full disk, a directory that may not be written to, more than WEIR_COMPONENT_LOG_PENDING_MAX waiting) is lost, which
 * is logged once a minute at most; a line that was cut by that ends there. A file that was removed is made anew. Files
 * that are no regular ones, and symbolic links, are not written to.
 */
void weir_component_log_write(
    weir_component_log_t *log, weir_component_stream_t stream, const char *bytes, size_t size);

/*
 * Write what waits, for two seconds at most, end the thread, and free the logs. Nobody may write any more. NULL is
 * allowed.
 */
void weir_component_logs_free(weir_component_logs_t *own_logs);

/* How many bytes that components wrote were lost in this process, for whatever reason: never written to their files.
 * Any thread. */
uint64_t weir_component_logs_lost(void);

#endif
