/*
 * progress.c: a thread that waits for a second, and says something unless it was told before that all is done.
 */
#include "cli/progress.h"

#include "observe/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct weir_progress {
    const char *component;
    int standard_error;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t ended_early;
    bool ended;
};

static void say(const weir_progress_t *progress)
{
    int now = -1;
    if (progress->standard_error >= 0) {
        now = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        dup2(progress->standard_error, STDERR_FILENO);
    }
    weir_log(WEIR_LOG_INFO, "compiling component %s; a large one takes a while", progress->component);
    if (now >= 0) {
        dup2(now, STDERR_FILENO);
        close(now);
    }
}

static void *wait_a_second(void *context)
{
    weir_progress_t *progress = context;
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec++;
    int error = 0;
    pthread_mutex_lock(&progress->mutex);
    while (!progress->ended && error != ETIMEDOUT) {
        error = pthread_cond_timedwait(&progress->ended_early, &progress->mutex, &until);
    }
    if (!progress->ended) {
        say(progress);
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

weir_progress_t *weir_progress_begin(const char *component, int standard_error)
{
    weir_progress_t *progress = calloc(1, sizeof(*progress));
    if (progress == NULL) {
        return NULL;
    }
    progress->component = component;
    progress->standard_error = standard_error;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes); /* none of these fails on Linux */
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&progress->ended_early, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&progress->mutex, NULL);
    if (pthread_create(&progress->thread, NULL, wait_a_second, progress) != 0) {
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
    free_progress(own_progress);
}
