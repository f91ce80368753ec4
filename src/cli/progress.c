/*
 * progress.c: a thread that waits for a second, says something unless it was told before that all is done, and again at
 * ever longer intervals; and how long it took, once something was said.
 */
#include "cli/progress.h"

#include "allocator/text.h"
#include "allocator/translate.h"
#include "cli/status_line.h"
#include "observe/clock.h"
#include "observe/log.h"
#include "observe/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
    STACK_BYTES = 1 << 18, /* its thread calls little; the least that sanitizers are content with */
    FIRST_SECONDS = 1,
    SECOND_SECONDS = 10, /* then twice as long each time */
};

struct weir_progress {
    weir_progress_work_t work;
    int standard_error;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t ended_early;
    uint64_t began; /* nanoseconds of the monotonic clock */
    bool ended;
    bool said;                    /* with the mutex below, as the next one */
    struct weir_progress *before; /* that began before this one, and is under way */
};

/* Standard error is one for all: who leads it elsewhere for a line must be alone with it. */
static pthread_mutex_t standard_error_mutex = PTHREAD_MUTEX_INITIALIZER;

/* The last that began of those that are under way. */
static weir_progress_t *latest;

/* With the mutex for standard error held. */
__attribute__((format(printf, 2, 3))) static void say(const weir_progress_t *progress, const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    int now = -1;
    if (progress->standard_error >= 0) {
        now = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        dup2(progress->standard_error, STDERR_FILENO);
    }
    weir_status_clear(); /* of the command that this child is a part of */
    weir_log(WEIR_LOG_INFO, "%s", text);
    if (now >= 0) {
        dup2(now, STDERR_FILENO);
        close(now);
    }
}

/* Say of this one that it is being compiled, and before that of those that began before it: so numbers count up. */
static void say_beginning(weir_progress_t *progress)
{
    const weir_progress_work_t *work = &progress->work;
    char text[256] = "";
    if (progress->before != NULL) {
        say_beginning(progress->before);
    }
    if (progress->said) {
        return;
    }
    progress->said = true;
    weir_text_append(text, sizeof(text), weir_translate("compiling component %.100s (%s)"), work->component,
        weir_size_text(work->size).text);
    if (work->count > 1) {
        weir_text_append(text, sizeof(text), weir_translate(", %zu of %zu"), work->number, work->count);
    }
    say(progress, "%s%s", text,
        work->is_kept ? weir_translate("; a large one takes a while, but only once on this machine")
                      : weir_translate("; a large one takes a while"));
}

/* Into the list of those under way, or out of it. */
static void enlist(weir_progress_t *progress)
{
    pthread_mutex_lock(&standard_error_mutex);
    progress->before = latest;
    latest = progress;
    pthread_mutex_unlock(&standard_error_mutex);
}

static void delist(weir_progress_t *progress)
{
    pthread_mutex_lock(&standard_error_mutex);
    weir_progress_t **place = &latest;
    while (*place != progress) {
        place = &(*place)->before;
    }
    *place = progress->before;
    pthread_mutex_unlock(&standard_error_mutex);
}

/* Until this many seconds after the beginning; false: it ended before. With the mutex held. */
static bool wait_until(weir_progress_t *progress, uint64_t seconds)
{
    const struct timespec until = weir_monotonic_moment(progress->began + seconds * 1000000000);
    int error = 0;
    while (!progress->ended && error != ETIMEDOUT) {
        error = pthread_cond_timedwait(&progress->ended_early, &progress->mutex, &until);
    }
    return !progress->ended;
}

static void *tell(void *context)
{
    weir_progress_t *progress = context;
    pthread_mutex_lock(&progress->mutex);
    if (wait_until(progress, FIRST_SECONDS)) {
        pthread_mutex_lock(&standard_error_mutex);
        say_beginning(progress);
        pthread_mutex_unlock(&standard_error_mutex);
        for (uint64_t next = SECOND_SECONDS; wait_until(progress, next); next *= 2) {
            pthread_mutex_lock(&standard_error_mutex);
            say(progress, weir_translate("still compiling component %.100s, for %ld s"), progress->work.component,
                (long)next);
            pthread_mutex_unlock(&standard_error_mutex);
        }
    }
    pthread_mutex_unlock(&progress->mutex);
    return NULL;
}

static void free_progress(weir_progress_t *progress)
{
    pthread_cond_destroy(&progress->ended_early);
    pthread_mutex_destroy(&progress->mutex);
    free(progress);
}

weir_progress_t *weir_progress_begin(const weir_progress_work_t *work, int standard_error)
{
    weir_progress_t *progress = calloc(1, sizeof(*progress));
    if (progress == NULL) {
        return NULL;
    }
    progress->work = *work;
    progress->standard_error = standard_error;
    progress->began = weir_monotonic_nanoseconds();
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes); /* none of these fails on Linux */
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&progress->ended_early, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&progress->mutex, NULL);
    enlist(progress);
    if (weir_thread_start(&progress->thread, STACK_BYTES, tell, progress) != 0) {
        delist(progress);
        free_progress(progress);
        return NULL;
    }
    return progress;
}

void weir_progress_end(weir_progress_t *own_progress)
{
    if (own_progress == NULL) {
        return;
    }
    pthread_mutex_lock(&own_progress->mutex);
    own_progress->ended = true;
    pthread_cond_signal(&own_progress->ended_early);
    pthread_mutex_unlock(&own_progress->mutex);
    pthread_join(own_progress->thread, NULL);
    delist(own_progress);
    if (own_progress->said) {
        pthread_mutex_lock(&standard_error_mutex);
        say(own_progress, weir_translate("component %.100s took %.1f s"), own_progress->work.component,
            (double)(weir_monotonic_nanoseconds() - own_progress->began) * 1e-9);
        pthread_mutex_unlock(&standard_error_mutex);
    }
    free_progress(own_progress);
}
