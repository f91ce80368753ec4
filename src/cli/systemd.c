/*
 * systemd.c: the protocols are some lines each, so they are here: libsystemd would take time to be loaded at each
 * start.
 */
#include "cli/systemd.h"

#include "observe/clock.h"
#include "observe/log.h"
#include "observe/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
    FIRST_DESCRIPTOR = 3,  /* SD_LISTEN_FDS_START */
    MOST_DESCRIPTORS = 64, /* that are looked at */
    STATE_BYTES = 512,     /* of a message */
    STACK_BYTES = 256 * 1024
};

/* Constant once weir_systemd_init was called. */
static int notify_socket = -1; /* connected; -1: nobody is to be told */
static uint64_t watchdog_microseconds;
static int descriptor_count;

static struct {
    pthread_t thread;
    bool started;
    weir_server_t *server;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    bool stop;
} watchdog = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- The environment --------------------------------------------------------------------------------------------- */

/* A decimal number and nothing else; `otherwise` when it is none. */
static uint64_t number_of(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    char *end;
    if (text == NULL || text[0] < '0' || text[0] > '9') {
        return otherwise;
    }
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0' ? value : otherwise;
}

static bool is_ours(const char *name, uint64_t otherwise)
{
    return number_of(name, otherwise) == (uint64_t)getpid();
}

/*
 * A path, or a name in the abstract namespace, which "@" stands for. Connected now, for a process that is confined may
 * reach no other's sockets there.
 */
static void open_notify_socket(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = getenv("NOTIFY_SOCKET");
    size_t size = path == NULL ? 0 : strlen(path);
    if (size < 2 || (path[0] != '/' && path[0] != '@') || size >= sizeof(address.sun_path)) {
        return;
    }
    memcpy(address.sun_path, path, size + 1);
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size + 1);
    if (path[0] == '@') {
        address.sun_path[0] = '\0';
        length--; /* its length counts, not a NUL */
    }
    notify_socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const struct timeval patience = {2, 0}; /* with a manager whose queue is full */
    setsockopt(notify_socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    if (notify_socket >= 0 && connect(notify_socket, (const struct sockaddr *)&address, length) < 0) {
        weir_log(WEIR_LOG_WARNING, "the service manager cannot be told anything: %s", strerror(errno));
        close(notify_socket);
        notify_socket = -1;
    }
}

void weir_systemd_init(void)
{
    static const char *const names[] = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_PID", "LISTEN_FDS",
        "LISTEN_FDNAMES", "LISTEN_PIDFDID"};
    watchdog_microseconds = is_ours("WATCHDOG_PID", (uint64_t)getpid()) ? number_of("WATCHDOG_USEC", 0) : 0;
    uint64_t count = is_ours("LISTEN_PID", 0) ? number_of("LISTEN_FDS", 0) : 0;
    descriptor_count = count > MOST_DESCRIPTORS ? MOST_DESCRIPTORS : (int)count;
    for (int i = 0; i < descriptor_count; i++) {
        fcntl(FIRST_DESCRIPTOR + i, F_SETFD, FD_CLOEXEC);
    }
    open_notify_socket();
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        unsetenv(names[i]);
    }
}

int weir_systemd_socket(int *ret_descriptor, char **ret_message)
{
    if (descriptor_count <= 1) {
        *ret_descriptor = FIRST_DESCRIPTOR;
        return descriptor_count;
    }
    if (asprintf(ret_message,
            "%d sockets were handed over (LISTEN_FDS), and weir serves on one; leave one ListenStream= in the socket "
            "unit",
            descriptor_count) < 0) {
        *ret_message = NULL;
    }
    return -1;
}

/* ---- What it is told --------------------------------------------------------------------------------------------- */

static void notify(const char *state)
{
    if (notify_socket >= 0 && send(notify_socket, state, strlen(state), MSG_NOSIGNAL) < 0) {
        weir_log(WEIR_LOG_DEBUG, "the service manager cannot be told: %s", strerror(errno));
    }
}

void weir_systemd_ready(const char *status)
{
    char state[STATE_BYTES];
    size_t before = (size_t)snprintf(state, sizeof(state), "READY=1%s", status == NULL ? "" : "\nSTATUS=");
    snprintf(state + before, sizeof(state) - before, "%s", status == NULL ? "" : status);
    /* A line is an assignment: what is told of files and guests must not begin another. */
    for (char *at = state + before; *at != '\0'; at++) {
        *at = (unsigned char)*at < 0x20 ? ' ' : *at;
    }
    notify(state);
}

void weir_systemd_reloading(void)
{
    char state[STATE_BYTES];
    snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=reloading",
        weir_monotonic_nanoseconds() / 1000);
    notify(state);
}

void weir_systemd_stopping(uint64_t milliseconds)
{
    char state[STATE_BYTES];
    snprintf(state, sizeof(state), "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRIu64 "\nSTATUS=ending after what is in flight",
        milliseconds * 1000);
    notify(state);
}

void weir_systemd_extend(uint64_t milliseconds)
{
    char state[STATE_BYTES];
    snprintf(state, sizeof(state), "EXTEND_TIMEOUT_USEC=%" PRIu64, milliseconds * 1000);
    notify(state);
}

/* ---- The watchdog ------------------------------------------------------------------------------------------------ */

/* Wait, with the lock; true when it is to stop. */
static bool wait_for_stop(uint64_t microseconds)
{
    const struct timespec until = weir_monotonic_after(microseconds * 1000);
    int error = 0;
    while (!watchdog.stop && error != ETIMEDOUT) {
        error = pthread_cond_timedwait(&watchdog.changed, &watchdog.lock, &until);
    }
    return watchdog.stop;
}

/* Four times in the time that is given; twice may be missed. */
static void *watch(void *context)
{
    (void)context;
    pthread_mutex_lock(&watchdog.lock);
    do {
        if (weir_server_has_turned(watchdog.server)) {
            notify("WATCHDOG=1");
            weir_server_nudge(watchdog.server);
        }
    } while (!wait_for_stop(watchdog_microseconds / 4));
    pthread_mutex_unlock(&watchdog.lock);
    return NULL;
}

void weir_systemd_watchdog_start(weir_server_t *server)
{
    if (notify_socket < 0 || watchdog_microseconds == 0) {
        return;
    }
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&watchdog.changed, &attributes);
    pthread_condattr_destroy(&attributes);
    watchdog.server = server;
    weir_server_nudge(server);
    int error = weir_thread_start(&watchdog.thread, STACK_BYTES, watch, NULL);
    watchdog.started = error == 0;
    if (error != 0) {
        weir_log(WEIR_LOG_WARNING, "the watchdog is not told that weir is alive: no thread could be had: %s",
            strerror(error));
    }
}

void weir_systemd_watchdog_stop(void)
{
    if (!watchdog.started) {
        return;
    }
    pthread_mutex_lock(&watchdog.lock);
    watchdog.stop = true;
    pthread_cond_signal(&watchdog.changed);
    pthread_mutex_unlock(&watchdog.lock);
    pthread_join(watchdog.thread, NULL);
    watchdog.started = false;
}
