/*
 * log.c: builds each line on the stack and hands it to the kernel in one write(2), so that no lock is needed and
 * lines of several threads do not mix. What standard error does not take within a moment is counted and dropped.
 */
#include "observe/log.h"

#include "observe/escape.h"

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
    LINE_MAX_BYTES = 4096,       /* with its newline; what a pipe takes in one piece (PIPE_BUF) */
    CUT_NOTE_MAX_BYTES = 48,     /* " [cut from 18446744073709551615 bytes]" */
    FULL_WAIT_MILLISECONDS = 20, /* how long a line waits for a full, non-blocking standard error */
    INTERRUPTIONS_MAX = 100,
};

static atomic_int highest_level = WEIR_LOG_INFO;
static atomic_bool guests_are_shown = true;
static atomic_uint lost_lines;   /* since the last line that went out */
static atomic_bool line_is_open; /* the last line was written in part only */
static pthread_once_t colour_once = PTHREAD_ONCE_INIT;
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

static int64_t now_milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Wait until standard error takes more or `deadline` is over. */
static bool wait_for_space(int64_t deadline)
{
    for (;;) {
        int64_t left = deadline - now_milliseconds();
        if (left <= 0)
            return false;
        struct pollfd wanted = {.fd = STDERR_FILENO, .events = POLLOUT};
        int ready = poll(&wanted, 1, (int)left);
        if (ready > 0)
            return (wanted.revents & POLLOUT) != 0;
        if (ready == 0 || errno != EINTR)
            return false;
    }
}

/* Write it all, or as much as can be had soon; returns whether all of it went out. */
static bool write_out(const char *bytes, size_t size)
{
    /* Who has lost a line before does not wait again: a reader that hangs must not slow down every line. */
    int64_t deadline = atomic_load(&lost_lines) == 0 ? now_milliseconds() + FULL_WAIT_MILLISECONDS : 0;
    size_t written = 0;
    int interruptions = 0;
    while (written < size) {
        ssize_t count = write(STDERR_FILENO, bytes + written, size - written);
        if (count > 0)
            written += (size_t)count;
        else if (count < 0 && errno == EINTR && ++interruptions < INTERRUPTIONS_MAX)
            continue;
        else if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) && deadline > 0 && wait_for_space(deadline))
            continue;
        else
            break;
    }
    if (written > 0)
        atomic_store(&line_is_open, bytes[written - 1] != '\n');
    return written == size;
}

/* Write `line_count` whole lines. Makes good for what was lost before, as far as it can. */
static void emit(const char *bytes, size_t size, unsigned line_count)
{
    if (atomic_exchange(&line_is_open, false) && !write_out("\n", 1))
        atomic_store(&line_is_open, true);
    if (!write_out(bytes, size)) {
        atomic_fetch_add(&lost_lines, line_count);
        return;
    }
    unsigned lost = atomic_exchange(&lost_lines, 0);
    if (lost > 0) {
        char note[80];
        int length =
            snprintf(note, sizeof note, "weir: warning: %u log line%s lost\n", lost, lost == 1 ? " was" : "s were");
        if (!write_out(note, (size_t)length))
            atomic_fetch_add(&lost_lines, lost);
    }
}

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
    pthread_once(&colour_once, decide_colour);

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
    emit(line.bytes, line.size, 1);
    errno = saved_errno;
}

void weir_log_show_guests(bool show)
{
    atomic_store(&guests_are_shown, show);
}

void weir_log_guest(const char *component, const char *stream, const char *bytes, size_t size)
{
    if (!atomic_load(&guests_are_shown))
        return;
    int saved_errno = errno;
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
                emit(batch.bytes, batch.size, batch_lines);
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
        emit(batch.bytes, batch.size, batch_lines);
    errno = saved_errno;
}
