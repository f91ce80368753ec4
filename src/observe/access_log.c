/*
 * access_log.c: one thread that empties the queues, makes lines of what is in them and writes these in large pieces. It
 * sleeps until there is something; then it looks every few milliseconds, so that a busy server wakes it rarely.
 */
#include "observe/access_log.h"

#include "observe/clock.h"
#include "observe/log.h"
#include "observe/record_queue.h"
#include "observe/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    STACK_BYTES = 1 << 18,
    PIECE_BYTES = 2 * WEIR_ACCESS_LINE_BYTES, /* of lines that are written together */
    PAUSE_MILLISECONDS = 10,                  /* between looks, while there is something */
    WAIT_MILLISECONDS = 500,                  /* for a reader, before it is seen whether the end has come */
    NEWS_MILLISECONDS = 10 * 1000,            /* between lines about what was lost */
};

typedef enum rest {
    REST_NONE = 0,
    REST_PAUSE = 1, /* it is woken when a queue gets full */
    REST_SLEEP = 2, /* and then by everything */
} rest_t;

struct weir_access_log {
    char *path; /* own; NULL: a standard stream */
    const char *name;
    int file;      /* the writer's */
    bool is_owned; /* it is to be closed */
    bool is_pipe;  /* or a socket or terminal: what is written at once stays together up to PIPE_BUF bytes alone */
    weir_access_style_t style;
    weir_metrics_t *metrics; /* or NULL */
    unsigned queue_count;

    sem_t wake;
    sem_t ended;
    atomic_int rest;     /* a rest_t: how the writer waits for `wake` */
    atomic_bool reopens; /* asked for */
    atomic_bool is_ending;
    atomic_bool gives_up; /* at the end: what is not taken at once is lost */
    atomic_uint_least64_t written;
    atomic_uint_least64_t lost;

    /* The writer's. */
    pthread_t thread;
    bool has_thread;
    uint64_t told; /* of what was lost */
    uint64_t tell_at;
    int reason; /* errno of the last loss; 0: no room in a queue */
    bool line_is_open;
    size_t size; /* of what is in `piece` */
    unsigned lines;
    char piece[PIECE_BYTES];
    weir_record_queue_t *queues[];
};

/* ---- The file ---------------------------------------------------------------------------------------------------- */

/* A named pipe without a reader is opened all the same, as its own reader: writing to it must not fail until one comes.
 */
static int open_file(const char *path)
{
    int flags = O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    int file = open(path, flags | O_WRONLY, 0640);
    return file < 0 && errno == ENXIO ? open(path, flags | O_RDWR, 0640) : file;
}

static void look_at_file(weir_access_log_t *log)
{
    struct stat facts;
    log->is_pipe = fstat(log->file, &facts) < 0 || !S_ISREG(facts.st_mode);
}

static void close_file(weir_access_log_t *log)
{
    if (log->is_owned && log->file >= 0)
        close(log->file);
    log->file = -1;
}

static void reopen(weir_access_log_t *log)
{
    if (!atomic_exchange(&log->reopens, false) || log->path == NULL)
        return;
    int file = open_file(log->path);
    if (file < 0) {
        char text[128];
        weir_log(WEIR_LOG_WARNING, "the access log %s cannot be opened anew: %s; the one before is still written to",
            log->name, strerror_r(errno, text, sizeof text));
        return;
    }
    close_file(log);
    log->file = file;
    log->line_is_open = false;
    look_at_file(log);
}

/* ---- Writing ----------------------------------------------------------------------------------------------------- */

static const char *reason_of(int error, char *text, size_t size)
{
    if (error == 0)
        return "more came than it took meanwhile";
    return error == EAGAIN ? "nobody reads it" : strerror_r(error, text, size);
}

/* Tell of what was lost since that was last done, unless it was a moment ago; `always` at the end. */
static void tell(weir_access_log_t *log, bool always)
{
    uint64_t lost = atomic_load_explicit(&log->lost, memory_order_relaxed);
    uint64_t now = lost == log->told ? 0 : weir_monotonic_milliseconds();
    char text[128];
    if (lost == log->told || (now < log->tell_at && !always))
        return;
    weir_log(WEIR_LOG_WARNING, "lost %" PRIu64 " %s of the access log %s: %s", lost - log->told,
        lost - log->told == 1 ? "line" : "lines", log->name, reason_of(log->reason, text, sizeof text));
    log->told = lost;
    log->tell_at = now + NEWS_MILLISECONDS;
    log->reason = 0;
}

static void count(
    weir_access_log_t *log, atomic_uint_least64_t *own_count, weir_process_counter_t counter, unsigned lines)
{
    atomic_fetch_add_explicit(own_count, lines, memory_order_relaxed);
    if (log->metrics != NULL)
        weir_metrics_count(log->metrics, counter, lines);
}

static void lose(weir_access_log_t *log, unsigned lines, int reason)
{
    count(log, &log->lost, WEIR_PROCESS_ACCESS_LINES_LOST, lines);
    log->reason = reason;
}

/* Wait until it takes more, or there is no use in that. */
static bool wait_for_room(weir_access_log_t *log)
{
    while (!atomic_load(&log->gives_up)) {
        struct pollfd wanted = {.fd = log->file, .events = POLLOUT};
        int ready = poll(&wanted, 1, WAIT_MILLISECONDS);
        if (ready > 0)
            return true;
        tell(log, false); /* of what found no room meanwhile */
        if (ready < 0 && errno != EINTR)
            return false;
    }
    errno = EAGAIN;
    return false;
}

/* Write all of it, or as much as can be; returns how much, with errno set when that is less. */
static size_t write_all(weir_access_log_t *log, const char *bytes, size_t size)
{
    size_t written = 0;
    while (written < size) {
        ssize_t count = write(log->file, bytes + written, size - written);
        if (count > 0)
            written += (size_t)count;
        else if (count == 0 || (errno != EINTR && !((errno == EAGAIN || errno == EWOULDBLOCK) && wait_for_room(log))))
            break;
    }
    return written;
}

/* The end of the last line that ends within so many bytes; of the first one, if that is longer. */
static size_t whole_lines(const char *bytes, size_t size, size_t most)
{
    const char *end = memrchr(bytes, '\n', size < most ? size : most);
    if (end == NULL)
        end = memchr(bytes, '\n', size);
    return end == NULL ? size : (size_t)(end - bytes) + 1;
}

static unsigned count_lines(const char *bytes, size_t size)
{
    unsigned lines = 0;
    const char *end = bytes + size;
    while (bytes < end && (bytes = memchr(bytes, '\n', (size_t)(end - bytes))) != NULL) {
        lines++;
        bytes++;
    }
    return lines;
}

/*
 * Write the piece. Lines that are not taken whole are lost, so that what comes later is not held up by them; the next
 * one begins a line of its own.
 */
static void flush(weir_access_log_t *log)
{
    size_t at = 0;
    reopen(log);
    while (at < log->size) {
        size_t size = whole_lines(log->piece + at, log->size - at, log->is_pipe ? PIPE_BUF : log->size);
        if (log->line_is_open && write_all(log, "\n", 1) != 1) {
            lose(log, count_lines(log->piece + at, log->size - at), errno);
            break;
        }
        log->line_is_open = false;
        size_t written = write_all(log, log->piece + at, size);
        int error = errno;
        unsigned lines = count_lines(log->piece + at, written);
        count(log, &log->written, WEIR_PROCESS_ACCESS_LINES_WRITTEN, lines);
        log->line_is_open = written > 0 && log->piece[at + written - 1] != '\n';
        if (written < size) {
            lose(log, count_lines(log->piece + at, log->size - at) - lines, error);
            break;
        }
        at += size;
    }
    log->size = 0;
    tell(log, false);
}

/* Make lines of what is in the queues, in turn; returns whether there was anything. */
static bool empty_queues(weir_access_log_t *log)
{
    bool any = false;
    for (bool more = true; more;) {
        more = false;
        for (unsigned i = 0; i < log->queue_count; i++) {
            const weir_request_record_t *record = weir_record_queue_first(log->queues[i]);
            if (record == NULL)
                continue;
            log->size += weir_access_line(record, &log->style, log->piece + log->size);
            weir_record_queue_drop(log->queues[i]);
            if (log->size > PIECE_BYTES - WEIR_ACCESS_LINE_BYTES)
                flush(log);
            any = more = true;
        }
    }
    if (log->size > 0)
        flush(log);
    return any;
}

/* ---- The thread -------------------------------------------------------------------------------------------------- */

static void pause_until_woken(weir_access_log_t *log)
{
    atomic_store(&log->rest, REST_PAUSE);
    (void)weir_semaphore_wait(&log->wake, PAUSE_MILLISECONDS);
    atomic_store(&log->rest, REST_NONE);
}

/* Sleep until there is something to do; what came before it was seen that it sleeps is found by looking once more. */
static void sleep_until_woken(weir_access_log_t *log)
{
    atomic_store(&log->rest, REST_SLEEP);
    bool any = atomic_load(&log->is_ending) || atomic_load(&log->reopens);
    for (unsigned i = 0; i < log->queue_count && !any; i++)
        any = weir_record_queue_first(log->queues[i]) != NULL;
    while (!any && sem_wait(&log->wake) < 0 && errno == EINTR) {
        /* again */
    }
    atomic_store(&log->rest, REST_NONE);
}

static void *write_lines(void *context)
{
    weir_access_log_t *log = context;
    for (;;) {
        bool is_ending = atomic_load(&log->is_ending); /* before the last look */
        bool any = empty_queues(log);
        reopen(log);
        if (is_ending && !any)
            break;
        if (any && !is_ending) {
            pause_until_woken(log);
        } else if (!any) {
            tell(log, false);
            sleep_until_woken(log);
        }
    }
    sem_post(&log->ended);
    return NULL;
}

static void wake(weir_access_log_t *log)
{
    if (atomic_exchange(&log->rest, REST_NONE) != REST_NONE)
        sem_post(&log->wake);
}

static void take(void *context, const weir_request_record_t *record)
{
    weir_access_log_t *log = context;
    weir_record_queue_t *queue = log->queues[record->loop < log->queue_count ? record->loop : 0];
    if (!weir_record_queue_put(queue, record))
        count(log, &log->lost, WEIR_PROCESS_ACCESS_LINES_LOST, 1);
    int rest = atomic_load(&log->rest);
    if (rest == REST_SLEEP || (rest == REST_PAUSE && weir_record_queue_is_half_full(queue)))
        wake(log);
}

/* ---- The log ----------------------------------------------------------------------------------------------------- */

static bool set_target(weir_access_log_t *log, const char *path, char **ret_message)
{
    bool is_output = strcmp(path, "-") == 0;
    if (is_output || strcmp(path, "stderr") == 0) {
        log->file = is_output ? STDOUT_FILENO : STDERR_FILENO;
        log->name = is_output ? "on standard output" : "on standard error";
        look_at_file(log);
        return true;
    }
    log->path = strdup(path);
    log->name = log->path;
    log->file = log->path == NULL ? -1 : open_file(path);
    log->is_owned = true;
    if (log->file < 0) {
        char text[128];
        int error = errno;
        if (log->path == NULL ||
            asprintf(ret_message,
                "the access log '%s' cannot be opened: %s; name a file that may be written to, '-' "
                "for standard output, or 'stderr'",
                path, strerror_r(error, text, sizeof text)) < 0)
            *ret_message = NULL;
        return false;
    }
    look_at_file(log);
    return true;
}

static void free_log(weir_access_log_t *log)
{
    close_file(log);
    for (unsigned i = 0; i < log->queue_count; i++)
        weir_record_queue_free(log->queues[i]);
    sem_destroy(&log->wake);
    sem_destroy(&log->ended);
    free(log->path);
    free(log);
}

weir_access_log_t *weir_access_log_open(
    const char *path, const weir_access_style_t *style, unsigned loops, weir_metrics_t *metrics, char **ret_message)
{
    *ret_message = NULL;
    weir_access_log_t *log = calloc(1, sizeof *log + loops * sizeof(weir_record_queue_t *));
    if (log == NULL)
        return NULL;
    log->file = -1;
    log->style = *style;
    log->metrics = metrics;
    sem_init(&log->wake, 0, 0);
    sem_init(&log->ended, 0, 0);
    bool made = set_target(log, path, ret_message);
    while (made && log->queue_count < loops) {
        log->queues[log->queue_count] = weir_record_queue_new(WEIR_ACCESS_LOG_QUEUE_BYTES);
        made = log->queues[log->queue_count] != NULL;
        log->queue_count += made ? 1 : 0;
    }
    if (!made) {
        free_log(log);
        return NULL;
    }
    return log;
}

bool weir_access_log_start(weir_access_log_t *log)
{
    int error = weir_thread_start_unsignalled(&log->thread, STACK_BYTES, write_lines, log);
    log->has_thread = error == 0;
    errno = error;
    return log->has_thread;
}

weir_request_sink_t weir_access_log_sink(weir_access_log_t *log)
{
    return (weir_request_sink_t){take, log};
}

void weir_access_log_reopen(weir_access_log_t *log)
{
    atomic_store(&log->reopens, true);
    wake(log);
}

void weir_access_log_count(const weir_access_log_t *log, uint64_t *ret_written, uint64_t *ret_lost)
{
    *ret_written = atomic_load_explicit(&log->written, memory_order_relaxed);
    *ret_lost = atomic_load_explicit(&log->lost, memory_order_relaxed);
}

/* Wait for the thread's end as long as lines are taken. False when it has not ended: something holds it up. */
static bool end_thread(weir_access_log_t *log)
{
    if (!log->has_thread)
        return true;
    atomic_store(&log->is_ending, true);
    sem_post(&log->wake);
    uint64_t written;
    uint64_t before;
    uint64_t lost;
    bool has_ended;
    weir_access_log_count(log, &written, &lost);
    do {
        has_ended = weir_semaphore_wait(&log->ended, WEIR_ACCESS_LOG_SECONDS_TO_END * 1000);
        before = written;
        weir_access_log_count(log, &written, &lost);
    } while (!has_ended && written != before);
    if (!has_ended) { /* what it waits for is given up: that needs a moment, unless it does not come back at all */
        atomic_store(&log->gives_up, true);
        has_ended = weir_semaphore_wait(&log->ended, WEIR_ACCESS_LOG_SECONDS_TO_END * 1000);
    }
    if (has_ended)
        pthread_join(log->thread, NULL);
    else
        pthread_detach(log->thread);
    return has_ended;
}

bool weir_access_log_free(weir_access_log_t *own_log)
{
    if (own_log == NULL)
        return true;
    if (!end_thread(own_log)) {
        weir_log(WEIR_LOG_WARNING, "the access log %s took nothing for %d seconds: its last lines are not in it",
            own_log->name, WEIR_ACCESS_LOG_SECONDS_TO_END);
        return false; /* the thread may still use it, and the process ends */
    }
    tell(own_log, true);
    free_log(own_log);
    return true;
}
