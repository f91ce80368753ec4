/*
 * access_log.h: a line for each request that is over, in a file, a pipe or a standard stream. Threads that serve hand
 * over copies through queues that are bounded, and a thread of the log's own writes: no disk and no reader holds a
 * request up. What there is no room for, or is not taken, is counted, and told of in the log.
 */
#ifndef WEIR_OBSERVE_ACCESS_LOG_H
#define WEIR_OBSERVE_ACCESS_LOG_H

#include "observe/access_line.h"
#include "observe/metrics.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    WEIR_ACCESS_LOG_QUEUE_BYTES = 256 * 1024, /* for each thread that serves */
    WEIR_ACCESS_LOG_SECONDS_TO_END = 2,       /* that it is waited for at the end, while nothing is taken */
};

typedef struct weir_access_log weir_access_log_t;

/*
 * Open the log: `path` is a file's or a named pipe's, "-" for standard output or "stderr". A file is appended to; one
 * that is made belongs to this user, and its group may read it. `loops` is how many threads will serve: records name
 * one below that. Lines are counted in `metrics`, too, unless that is NULL; it is borrowed. On failure returns NULL and
 * stores a one-line message, to be freed with free(3), or NULL when memory ran out.
 */
weir_access_log_t *weir_access_log_open(
    const char *path, const weir_access_style_t *style, unsigned loops, weir_metrics_t *metrics, char **ret_message);

/* Start its thread, which takes no signals. Returns false with errno set when it cannot be had. */
bool weir_access_log_start(weir_access_log_t *log);

/* What takes the records. Never blocks. */
weir_request_sink_t weir_access_log_sink(weir_access_log_t *log);

/*
 * Open the file anew, by its name, before the next line is written, for programs that have moved it: what was told
 * before goes to either. Where that fails, the old one is kept, which is logged. Standard streams stay as they are. Any
 * thread; async-signal-safe.
 */
void weir_access_log_reopen(weir_access_log_t *log);

/* How many lines were written, and how many were lost. Any thread. */
void weir_access_log_count(const weir_access_log_t *log, uint64_t *ret_written, uint64_t *ret_lost);

/*
 * Write what is left, end the thread and free the log. Nobody tells it of anything any more. Waits while lines are
 * taken, and WEIR_ACCESS_LOG_SECONDS_TO_END after the last that was; then the rest is lost, and told of. NULL is
 * allowed. Returns false when the thread does not come back: then it, and the metrics, may still be used.
 */
bool weir_access_log_free(weir_access_log_t *own_log);

#endif
