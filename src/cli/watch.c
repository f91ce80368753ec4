/*
 * watch.c: inotify(7) on directories says when to look, and what stat(2) says of the files whether anything has
 * changed.
 *
 * Directories, because editors and builds put new files in the place of old ones, and because files may not be there
 * yet. After each look all is watched anew: directories come and go, and the manifest names others.
 */
#include "cli/watch.h"

#include "cli/watched.h"
#include "observe/clock.h"
#include "observe/log.h"
#include "observe/thread.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

enum {
    QUIET_MILLISECONDS = 300,         /* without a change: then it is looked */
    RESTLESS_MILLISECONDS = 5 * 1000, /* or after so long, if there is no end to them */
    POLL_MILLISECONDS = 2 * 1000,     /* where not all can be watched */
    WATCHES_MAX = 8 * 1024,           /* the kernel's memory: about a KiB each */
    STACK_BYTES = 1024 * 1024
};

#define EVENTS                                                                                                         \
    (IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF)

struct weir_watch {
    weir_watched_t watched;
    int notifier;   /* inotify's, or -1 */
    bool has_gaps;  /* not all can be watched */
    bool has_told;  /* of that */
    int stop;       /* an eventfd */
    uint64_t state; /* of everything, when it was looked at last */
    void (*changed)(void *context);
    void *context;
    pthread_t thread;
    bool started;
};

/* ---- Looking ----------------------------------------------------------------------------------------------------- */

typedef struct looking {
    int notifier;
    unsigned count;
    bool has_gaps;
} looking_t;

static void watch_directory(void *context, const char *path)
{
    looking_t *looking = context;
    if (looking->notifier < 0 || looking->count >= WATCHES_MAX) {
        looking->has_gaps = true;
        return;
    }
    looking->count++;
    if (inotify_add_watch(looking->notifier, path, EVENTS | IN_ONLYDIR) < 0 && errno != ENOENT && errno != ENOTDIR) {
        looking->has_gaps = true; /* ENOSPC: fs.inotify.max_user_watches */
    }
}

/* Watch all there is now, and see how it is: in that order, so that no change is missed. */
static uint64_t look(weir_watch_t *watch)
{
    looking_t looking = {.notifier = inotify_init1(IN_NONBLOCK | IN_CLOEXEC)};
    weir_watched_list(&watch->watched);
    uint64_t state = weir_watched_look(&watch->watched, watch_directory, &looking);
    if (watch->notifier >= 0) {
        close(watch->notifier);
    }
    watch->notifier = looking.notifier;
    watch->has_gaps = looking.has_gaps;
    if (watch->has_gaps && !watch->has_told) {
        watch->has_told = true;
        weir_log(WEIR_LOG_INFO,
            "--watch: not all directories can be watched (fs.inotify.max_user_watches); it is looked every %d s",
            POLL_MILLISECONDS / 1000);
    }
    return state;
}

weir_watch_t *weir_watch_new(const weir_up_options_t *options)
{
    weir_watch_t *watch = calloc(1, sizeof(*watch));
    if (watch == NULL) {
        return NULL;
    }
    watch->notifier = -1;
    watch->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (watch->stop < 0) {
        free(watch);
        return NULL;
    }
    weir_watched_init(&watch->watched, options);
    watch->state = look(watch);
    return watch;
}

bool weir_watch_has_changed(weir_watch_t *watch)
{
    return look(watch) != watch->state;
}

void weir_watch_look_again(weir_watch_t *watch)
{
    watch->state = look(watch);
}

/* ---- The thread -------------------------------------------------------------------------------------------------- */

/* What has happened does not matter, for it is looked at everything. */
static void drop_events(int notifier)
{
    char buffer[4096];
    while (read(notifier, buffer, sizeof(buffer)) > 0) {
    }
}

/* What a wait ended with. */
typedef enum wait_end { STOPPED, HAPPENED, TIME_IS_OVER } wait_end_t;

static wait_end_t wait_for_event(const weir_watch_t *watch, int milliseconds)
{
    struct pollfd polled[2] = {{watch->stop, POLLIN, 0}, {watch->notifier, POLLIN, 0}};
    int ready = poll(polled, 2, milliseconds);
    if (ready < 0 && errno != EINTR) {
        return STOPPED;
    }
    if (polled[0].revents != 0) {
        return STOPPED;
    }
    if (ready > 0 && polled[1].revents != 0) {
        drop_events(watch->notifier);
        return HAPPENED;
    }
    return TIME_IS_OVER;
}

/* Until something has happened, and nothing more for a moment. False: it is over. */
static bool wait_for_change(const weir_watch_t *watch)
{
    wait_end_t end = wait_for_event(watch, watch->has_gaps ? POLL_MILLISECONDS : -1);
    uint64_t until = weir_monotonic_milliseconds() + RESTLESS_MILLISECONDS;
    while (end == HAPPENED && weir_monotonic_milliseconds() < until) {
        end = wait_for_event(watch, QUIET_MILLISECONDS);
    }
    return end != STOPPED;
}

static void *watch_main(void *argument)
{
    weir_watch_t *watch = argument;
    do {
        /* At once, too: what has changed since it was loaded is to be loaded. */
        uint64_t state = look(watch);
        if (state != watch->state) {
            watch->state = state;
            watch->changed(watch->context);
        }
    } while (wait_for_change(watch));
    return NULL;
}

bool weir_watch_start(weir_watch_t *watch, void (*changed)(void *context), void *context)
{
    watch->changed = changed;
    watch->context = context;
    int error = weir_thread_start(&watch->thread, STACK_BYTES, watch_main, watch);
    watch->started = error == 0;
    errno = error;
    return watch->started;
}

void weir_watch_free(weir_watch_t *own_watch)
{
    if (own_watch == NULL) {
        return;
    }
    if (own_watch->started) {
        eventfd_write(own_watch->stop, 1);
        pthread_join(own_watch->thread, NULL);
    }
    if (own_watch->notifier >= 0) {
        close(own_watch->notifier);
    }
    close(own_watch->stop);
    weir_watched_free(&own_watch->watched);
    free(own_watch);
}
