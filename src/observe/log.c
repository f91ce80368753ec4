/*
 * log.c: builds each line on the stack and hands it to the kernel in one piece, one thread at a time, so that lines do
 * not mix. What standard error does not take within a moment is counted and dropped: nobody who logs may be held up by
 * whoever reads the log.
 */
#include "observe/log.h"

#include "observe/clock.h"
#include "observe/escape.h"
#include "observe/standard_error.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    LINE_MAX_BYTES = 4096,   /* with its newline; what a pipe takes in one piece (PIPE_BUF) */
    CUT_NOTE_MAX_BYTES = 48, /* " [cut from 18446744073709551615 bytes]" */
    WAIT_MILLISECONDS = 100, /* how long a call waits in all: for its turn and for room */
    INTERRUPTIONS_MAX = 100,
};

static atomic_int highest_level = WEIR_LOG_INFO;
static atomic_uint lost_lines; /* since the last line that went out */
/* Somebody waited in vain, and there has been no room since: nobody waits now. */
static atomic_bool stalled;
static pthread_mutex_t writer_mutex = PTHREAD_MUTEX_INITIALIZER; /* held for moments only, never while writing */
static pthread_cond_t writer_left;
static bool writer_is_in;
static bool line_is_open; /* the last line was written in part only; of the one who is in */
static pthread_once_t init_once = PTHREAD_ONCE_INIT;
static bool colour;

typedef struct line {
    char bytes[LINE_MAX_BYTES];
    size_t size;
} line_t;

static void decide_colour(void)
{
    const char *no_color = getenv("NO_COLOR"); /* no-color.org: only when it is not empty */
    const char *term = getenv("TERM");
    colour = (no_color == NULL || no_color[0] == '\0') && (term == NULL || strcmp(term, "dumb") != 0) &&
             isatty(STDERR_FILENO) == 1;
}

static void init(void)
{
    decide_colour();
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes); /* none of these three fails on Linux */
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&writer_left, &attributes);
    pthread_condattr_destroy(&attributes);
}

/* ---- One writer at a time, and none for long --------------------------------------------------------------------- */

static int64_t give_up_at(void)
{
    return (int64_t)weir_monotonic_milliseconds() + WAIT_MILLISECONDS;
}

/* Become the one who writes. A mutex would do, but could not be waited for until a time of the monotonic clock. */
static bool writer_enter(int64_t deadline)
{
    const struct timespec until = weir_monotonic_moment((uint64_t)deadline * 1000000);
    pthread_mutex_lock(&writer_mutex);
    int error = 0;
    while (writer_is_in && !atomic_load(&stalled) && error != ETIMEDOUT)
        error = pthread_cond_timedwait(&writer_left, &writer_mutex, &until);
    bool entered = !writer_is_in;
    if (entered)
        writer_is_in = true;
    else if (error == ETIMEDOUT)
        atomic_store(&stalled, true);
    pthread_mutex_unlock(&writer_mutex);
    return entered;
}

static void writer_leave(void)
{
    pthread_mutex_lock(&writer_mutex);
    writer_is_in = false;
    pthread_cond_signal(&writer_left);
    pthread_mutex_unlock(&writer_mutex);
}

/* Wait until there is room on standard error. Returns false when there is none by `deadline`, or nobody may wait. */
static bool wait_for_room(int64_t deadline)
{
    while (!atomic_load(&stalled)) {
        int64_t left = deadline - (int64_t)weir_monotonic_milliseconds();
        struct pollfd wanted = {.fd = STDERR_FILENO, .events = POLLOUT};
        int ready = poll(&wanted, 1, left > 0 ? (int)left : 0);
        if (ready > 0)
            return (wanted.revents & POLLOUT) != 0 && left > 0;
        if (ready == 0)
            atomic_store(&stalled, true);
        else if (errno != EINTR)
            return false;
    }
    return false;
}

static bool has_room(void)
{
    struct pollfd wanted = {.fd = STDERR_FILENO, .events = POLLOUT};
    return poll(&wanted, 1, 0) > 0 && (wanted.revents & POLLOUT) != 0;
}

/* Write it all, or as much as can be had by `deadline`; returns whether all of it went out. */
static bool write_out(weir_standard_error_t *out, const char *bytes, size_t size, int64_t deadline)
{
    size_t written = 0;
    int interruptions = 0;
    while (written < size) {
        ssize_t count = weir_standard_error_write(out, bytes + written, size - written);
        if (count > 0)
            written += (size_t)count;
        else if (count < 0 && errno == EINTR && ++interruptions < INTERRUPTIONS_MAX)
            continue;
        else if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) && wait_for_room(deadline))
            continue;
        else
            break;
    }
    if (written > 0)
        line_is_open = bytes[written - 1] != '\n';
    /* A short line may still fit where nothing was read, so that alone does not end a stall. */
    if (written == size && atomic_load(&stalled) && has_room())
        atomic_store(&stalled, false);
    return written == size;
}

/* Write `line_count` whole lines by `deadline`, or count them as lost. Tells how many were lost before. */
static void emit(const char *bytes, size_t size, unsigned line_count, int64_t deadline)
{
    if (!writer_enter(deadline)) {
        atomic_fetch_add(&lost_lines, line_count);
        return;
    }
    weir_standard_error_t out;
    weir_standard_error_open(&out);
    unsigned lost = 0;
    if ((line_is_open && !write_out(&out, "\n", 1, deadline)) || !write_out(&out, bytes, size, deadline))
        atomic_fetch_add(&lost_lines, line_count);
    else
        lost = atomic_exchange(&lost_lines, 0);
    if (lost > 0) {
        char note[80];
        int length =
            snprintf(note, sizeof note, "weir: warning: %u log line%s lost\n", lost, lost == 1 ? " was" : "s were");
        if (!write_out(&out, note, (size_t)length, deadline))
            atomic_fetch_add(&lost_lines, lost);
    }
    weir_standard_error_close(&out);
    writer_leave();
}

/* ---- Lines ------------------------------------------------------------------------------------------------------- */

static void line_append(line_t *line, const char *text)
{
    size_t size = strlen(text);
    memcpy(line->bytes + line->size, text, size);
    line->size += size;
}

/* Append as many characters as fit below `limit`; returns how many bytes of the text were taken. */
static size_t line_append_escaped(line_t *line, const char *bytes, size_t size, size_t limit)
{
    size_t taken = 0;
    while (taken < size) {
        char shown[WEIR_ESCAPE_MAX];
        size_t shown_size;
        size_t step = weir_escape_next(bytes + taken, size - taken, shown, &shown_size);
        if (line->size + shown_size > limit)
            break;
        memcpy(line->bytes + line->size, shown, shown_size);
        line->size += shown_size;
        taken += step;
    }
    return taken;
}

static const char *level_label(weir_log_level_t level)
{
    switch (level) {
    case WEIR_LOG_ERROR:
        return colour ? "\x1b[1;31merror:\x1b[0m " : "error: ";
    case WEIR_LOG_WARNING:
        return colour ? "\x1b[1;33mwarning:\x1b[0m " : "warning: ";
    case WEIR_LOG_INFO:
        return "";
    case WEIR_LOG_DEBUG:
        return colour ? "\x1b[2mdebug:\x1b[0m " : "debug: ";
    }
    return "";
}

void weir_log_set_level(weir_log_level_t level)
{
    atomic_store(&highest_level, (int)level);
}

void weir_log(weir_log_level_t level, const char *format, ...)
{
    if ((int)level > atomic_load(&highest_level))
        return;
    int saved_errno = errno;
    pthread_once(&init_once, init);

    char text[LINE_MAX_BYTES];
    va_list arguments;
    va_start(arguments, format);
    errno = saved_errno; /* for %m */
    int formatted = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (formatted < 0) /* nothing better is at hand than the format itself */
        formatted = snprintf(text, sizeof text, "%s", format);
    size_t whole_size = (size_t)formatted;
    size_t size = whole_size < sizeof text ? whole_size : sizeof text - 1; /* its end is not shown then */

    line_t line;
    line.size = 0;
    line_append(&line, "weir: ");
    line_append(&line, level_label(level));
    size_t start = line.size;
    size_t taken = line_append_escaped(&line, text, size, LINE_MAX_BYTES - 1);
    if (taken < whole_size) {
        line.size = start;
        line_append_escaped(&line, text, size, LINE_MAX_BYTES - 1 - CUT_NOTE_MAX_BYTES);
        char note[CUT_NOTE_MAX_BYTES];
        snprintf(note, sizeof note, " [cut from %zu bytes]", whole_size);
        line_append(&line, note);
    }
    line_append(&line, "\n");
    emit(line.bytes, line.size, 1, give_up_at());
    errno = saved_errno;
}

void weir_log_guest(const char *component, const char *stream, const char *bytes, size_t size)
{
    int saved_errno = errno;
    pthread_once(&init_once, init);
    int64_t deadline = give_up_at();
    line_t prefix = {.size = 0};
    line_append(&prefix, "[");
    line_append_escaped(&prefix, component, strlen(component), 256);
    line_append(&prefix, " ");
    line_append_escaped(&prefix, stream, strlen(stream), 320);
    line_append(&prefix, "] ");

    /* Short lines that came together go out together: still one write a line at most, and none is torn. */
    line_t batch;
    batch.size = 0;
    unsigned batch_lines = 0;
    size_t taken = 0;
    while (taken < size) {
        const char *newline = memchr(bytes + taken, '\n', size - taken);
        size_t end = newline != NULL ? (size_t)(newline - bytes) : size;
        size_t text_end = newline != NULL && end > taken && bytes[end - 1] == '\r' ? end - 1 : end;
        /* A line that is too long for one goes on in further ones; the guest's text is not cut. */
        do {
            line_t line;
            line.size = 0;
            memcpy(line.bytes, prefix.bytes, prefix.size);
            line.size = prefix.size;
            taken += line_append_escaped(&line, bytes + taken, text_end - taken, LINE_MAX_BYTES - 1);
            line_append(&line, "\n");
            if (batch.size + line.size > LINE_MAX_BYTES) {
                emit(batch.bytes, batch.size, batch_lines, deadline);
                batch.size = 0;
                batch_lines = 0;
            }
            memcpy(batch.bytes + batch.size, line.bytes, line.size);
            batch.size += line.size;
            batch_lines++;
        } while (taken < text_end);
        taken = newline != NULL ? end + 1 : size;
    }
    if (batch.size > 0)
        emit(batch.bytes, batch.size, batch_lines, deadline);
    errno = saved_errno;
}
