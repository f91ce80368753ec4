/*
 * component_log.c: a buffer for each stream, and one thread that empties them into files. It opens a file for each
 * piece that it writes: so files can be moved, removed and rotated at any time, and none is held open.
 */
#include "observe/component_log.h"

#include "observe/clock.h"
#include "observe/directory.h"
#include "observe/log.h"
#include "observe/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    STACK_BYTES = 1 << 18, /* its thread calls little; the least that sanitizers are content with */
    STREAMS = 2,
    CAPACITY_KEPT = 64 * 1024,         /* of a buffer that was emptied; what is larger is freed */
    MILLISECONDS_BETWEEN_NEWS = 60000, /* of what was lost, for a file */
    SECONDS_TO_END = 2,
};

static const char *const stream_names[STREAMS] = {"stdout", "stderr"};

static atomic_ullong lost_in_all; /* bytes, of this process */

typedef struct buffer {
    char *bytes;
    size_t size;
    size_t capacity;
} buffer_t;

typedef struct stream {
    buffer_t waiting;  /* under the mutex, as the next */
    uint64_t overflow; /* bytes for which there was no room since the writer looked */
    uint64_t lost;     /* of the writer alone, as the rest: bytes that nobody was told of yet */
    int reason;        /* errno of the last loss, or 0: no room */
    uint64_t news_at;  /* milliseconds of the monotonic clock from which on losses are told again */
    bool line_is_open; /* the last byte that was written was no newline */
    bool is_broken;    /* and something is missing behind it */
} stream_t;

struct weir_component_log {
    weir_component_logs_t *logs;
    const char *id; /* NULL until it is added */
    bool shown;
    stream_t streams[STREAMS];
};

struct weir_component_logs {
    char *directory; /* NULL: no files */
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* something waits, or the end has come */
    pthread_cond_t ended;
    pthread_t thread;
    bool has_thread;
    bool is_ending;
    bool has_ended;
    size_t pending; /* bytes in all buffers, and in the writer's hands */
    size_t count;
    weir_component_log_t logs[];
};

/* ---- The directory ----------------------------------------------------------------------------------------------- */

/* Make a directory and those above it. False with errno set. */
static bool make_directory(const char *directory)
{
    struct stat facts;
    if (!weir_directory_make_parents(directory, 0777))
        return false;
    if (mkdir(directory, 0777) == 0)
        return true;
    if (errno != EEXIST || stat(directory, &facts) < 0)
        return false;
    errno = ENOTDIR;
    return S_ISDIR(facts.st_mode);
}

bool weir_component_logs_are_kept(const weir_component_logs_t *logs)
{
    return logs->directory != NULL;
}

bool weir_component_logs_make_directory(const weir_component_logs_t *logs)
{
    return logs->directory == NULL || (make_directory(logs->directory) && access(logs->directory, W_OK | X_OK) == 0);
}

/* A file of a component, or -1 with errno set. `flags` are those of open(2) beside O_WRONLY. */
static int open_file(const weir_component_log_t *log, int stream, int flags)
{
    char path[4096];
    int length = snprintf(path, sizeof path, "%s/%s_%s.txt", log->logs->directory, log->id, stream_names[stream]);
    if (length < 0 || (size_t)length >= sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    flags |= O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
    int file = open(path, flags, 0666);
    if (file < 0 && errno == ENOENT && (flags & O_CREAT) != 0 && make_directory(log->logs->directory))
        file = open(path, flags, 0666);
    struct stat facts;
    if (file >= 0 && (fstat(file, &facts) < 0 || !S_ISREG(facts.st_mode))) {
        close(file);
        errno = EINVAL;
        return -1;
    }
    return file;
}

/* Why a file was refused, for people; `text` is room for it. */
static const char *reason_of(int error, char *text, size_t size)
{
    if (error == 0)
        return "more was written than the disk could take meanwhile";
    if (error == ELOOP)
        return "it is a symbolic link, which weir does not follow there";
    if (error == EINVAL)
        return "it is no regular file";
    return strerror_r(error, text, size);
}

/* ---- The writer -------------------------------------------------------------------------------------------------- */

/* Tell of what was lost, unless that was done a moment ago; `always` at the end. */
static void tell(weir_component_log_t *log, int index, bool always)
{
    stream_t *stream = &log->streams[index];
    uint64_t now = weir_monotonic_milliseconds();
    if (stream->lost == 0 || (now < stream->news_at && !always))
        return;
    char text[128];
    weir_log(WEIR_LOG_WARNING, "lost %ju bytes that component %s wrote to %s: cannot write %s/%s_%s.txt: %s",
        (uintmax_t)stream->lost, log->id, stream_names[index], log->logs->directory, log->id, stream_names[index],
        reason_of(stream->reason, text, sizeof text));
    stream->lost = 0;
    stream->news_at = now + MILLISECONDS_BETWEEN_NEWS;
}

/* Write it all, or as much as the file takes; returns how much, with errno set when that is less. */
static size_t write_all(int file, const char *bytes, size_t size)
{
    size_t written = 0;
    while (written < size) {
        ssize_t count = write(file, bytes + written, size - written);
        if (count > 0)
            written += (size_t)count;
        else if (count == 0 || errno != EINTR)
            break;
    }
    return written;
}

uint64_t weir_component_logs_lost(void)
{
    return atomic_load_explicit(&lost_in_all, memory_order_relaxed);
}

static void note_lost(stream_t *stream, uint64_t bytes)
{
    stream->lost += bytes;
    atomic_fetch_add_explicit(&lost_in_all, bytes, memory_order_relaxed);
}

/* Append a piece to its file; what it does not take is lost. */
static void append(weir_component_log_t *log, int index, const char *bytes, size_t size)
{
    stream_t *stream = &log->streams[index];
    size_t written = 0;
    int file = open_file(log, index, O_APPEND | O_CREAT);
    int error = errno;
    if (file >= 0) {
        bool ready = !stream->is_broken || !stream->line_is_open || write_all(file, "\n", 1) == 1;
        if (ready)
            written = write_all(file, bytes, size);
        error = errno;
        close(file);
    }
    if (written > 0) {
        stream->is_broken = false;
        stream->line_is_open = bytes[written - 1] != '\n';
    }
    if (written < size) {
        note_lost(stream, size - written);
        stream->reason = error;
        stream->is_broken = true;
    }
}

/* Take over what waits of a stream, and write it. The mutex is held before and afterwards. */
static void empty(weir_component_logs_t *logs, weir_component_log_t *log, int index)
{
    stream_t *stream = &log->streams[index];
    buffer_t taken = stream->waiting;
    uint64_t overflow = stream->overflow;
    if (taken.size == 0 && overflow == 0)
        return;
    stream->waiting = (buffer_t){NULL, 0, 0};
    stream->overflow = 0;
    pthread_mutex_unlock(&logs->mutex);
    if (taken.size > 0)
        append(log, index, taken.bytes, taken.size);
    if (overflow > 0) {
        note_lost(stream, overflow);
        stream->reason = 0;
        stream->is_broken = true;
    }
    tell(log, index, false);
    pthread_mutex_lock(&logs->mutex);
    logs->pending -= taken.size;
    if (stream->waiting.bytes == NULL && taken.capacity <= CAPACITY_KEPT) {
        taken.size = 0;
        stream->waiting = taken;
    } else {
        free(taken.bytes);
    }
}

static bool something_waits(const weir_component_logs_t *logs)
{
    for (size_t i = 0; i < logs->count; i++) {
        for (int index = 0; index < STREAMS; index++) {
            if (logs->logs[i].streams[index].waiting.size > 0 || logs->logs[i].streams[index].overflow > 0)
                return true;
        }
    }
    return false;
}

static void *write_files(void *context)
{
    weir_component_logs_t *logs = context;
    pthread_mutex_lock(&logs->mutex);
    for (;;) {
        while (!logs->is_ending && !something_waits(logs))
            pthread_cond_wait(&logs->changed, &logs->mutex);
        if (!something_waits(logs))
            break;
        for (size_t i = 0; i < logs->count; i++) {
            for (int index = 0; index < STREAMS; index++)
                empty(logs, &logs->logs[i], index);
        }
    }
    logs->has_ended = true;
    pthread_cond_signal(&logs->ended);
    pthread_mutex_unlock(&logs->mutex);
    return NULL;
}

/* ---- Logs -------------------------------------------------------------------------------------------------------- */

weir_component_logs_t *weir_component_logs_new(const char *directory, size_t count)
{
    weir_component_logs_t *logs = calloc(1, sizeof *logs + count * sizeof logs->logs[0]);
    if (logs == NULL)
        return NULL;
    if (directory != NULL && (logs->directory = strdup(directory)) == NULL) {
        free(logs);
        return NULL;
    }
    logs->count = count;
    for (size_t i = 0; i < count; i++)
        logs->logs[i].logs = logs;
    pthread_mutex_init(&logs->mutex, NULL);
    pthread_cond_init(&logs->changed, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes); /* none of these three fails on Linux */
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&logs->ended, &attributes);
    pthread_condattr_destroy(&attributes);
    return logs;
}

void weir_component_logs_add(weir_component_logs_t *logs, size_t index, const char *id, bool shown)
{
    logs->logs[index].id = id;
    logs->logs[index].shown = shown;
}

weir_component_log_t *weir_component_logs_at(weir_component_logs_t *logs, size_t index)
{
    return &logs->logs[index];
}

void weir_component_logs_truncate(weir_component_logs_t *logs)
{
    for (size_t i = 0; logs->directory != NULL && i < logs->count; i++) {
        for (int index = 0; logs->logs[i].id != NULL && index < STREAMS; index++) {
            char text[128];
            int file = open_file(&logs->logs[i], index, O_TRUNC);
            if (file >= 0)
                close(file);
            else if (errno != ENOENT)
                weir_log(WEIR_LOG_WARNING, "cannot empty %s/%s_%s.txt: %s", logs->directory, logs->logs[i].id,
                    stream_names[index], reason_of(errno, text, sizeof text));
        }
    }
}

bool weir_component_logs_start(weir_component_logs_t *logs)
{
    if (logs->directory == NULL)
        return true;
    int error = weir_thread_start_unsignalled(&logs->thread, STACK_BYTES, write_files, logs);
    logs->has_thread = error == 0;
    if (error != 0) { /* nobody would empty the buffers */
        free(logs->directory);
        logs->directory = NULL;
        errno = error;
    }
    return error == 0;
}

/* Make room for `size` more bytes. */
static bool reserve(buffer_t *buffer, size_t size)
{
    size_t wanted = buffer->size + size;
    if (wanted <= buffer->capacity)
        return true;
    size_t capacity = buffer->capacity < 4096 ? 4096 : buffer->capacity;
    while (capacity < wanted)
        capacity *= 2;
    char *bytes = realloc(buffer->bytes, capacity);
    if (bytes == NULL)
        return false;
    buffer->bytes = bytes;
    buffer->capacity = capacity;
    return true;
}

void weir_component_log_write(weir_component_log_t *log, weir_component_stream_t stream, const char *bytes, size_t size)
{
    weir_component_logs_t *logs = log->logs;
    int saved_errno = errno;
    if (size > 0 && logs->directory != NULL) {
        stream_t *into = &log->streams[stream];
        pthread_mutex_lock(&logs->mutex);
        bool has_room = size <= WEIR_COMPONENT_LOG_PENDING_MAX - logs->pending && reserve(&into->waiting, size);
        if (has_room) {
            memcpy(into->waiting.bytes + into->waiting.size, bytes, size);
            into->waiting.size += size;
            logs->pending += size;
        } else {
            into->overflow += size;
        }
        pthread_cond_signal(&logs->changed);
        pthread_mutex_unlock(&logs->mutex);
    }
    errno = saved_errno;
    if (log->shown)
        weir_log_guest(log->id, stream_names[stream], bytes, size);
}

/* End the thread. False when it has not ended in time: a disk holds it up. */
static bool end_thread(weir_component_logs_t *logs)
{
    if (!logs->has_thread)
        return true;
    const struct timespec until = weir_monotonic_after(SECONDS_TO_END * UINT64_C(1000000000));
    pthread_mutex_lock(&logs->mutex);
    logs->is_ending = true;
    pthread_cond_signal(&logs->changed);
    int error = 0;
    while (!logs->has_ended && error != ETIMEDOUT)
        error = pthread_cond_timedwait(&logs->ended, &logs->mutex, &until);
    bool has_ended = logs->has_ended;
    pthread_mutex_unlock(&logs->mutex);
    if (has_ended)
        pthread_join(logs->thread, NULL);
    else
        pthread_detach(logs->thread);
    return has_ended;
}

void weir_component_logs_free(weir_component_logs_t *own_logs)
{
    if (own_logs == NULL)
        return;
    if (!end_thread(own_logs)) {
        weir_log(WEIR_LOG_WARNING, "%s took nothing for %d seconds: the last lines of components are not in it",
            own_logs->directory, SECONDS_TO_END);
        return; /* the thread may still use them, and the process ends */
    }
    for (size_t i = 0; i < own_logs->count; i++) {
        for (int index = 0; index < STREAMS; index++) {
            tell(&own_logs->logs[i], index, true);
            free(own_logs->logs[i].streams[index].waiting.bytes);
        }
    }
    pthread_mutex_destroy(&own_logs->mutex);
    pthread_cond_destroy(&own_logs->changed);
    pthread_cond_destroy(&own_logs->ended);
    free(own_logs->directory);
    free(own_logs);
}
