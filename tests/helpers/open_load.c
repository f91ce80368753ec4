/*
 * An open-loop load over connections that it inherits, open and idle:
 *
 *     open_load SECONDS SEED RATE:DESCRIPTOR,...:TARGET...
 *
 * Requests of each kind arrive at RATE a second, at random (Poisson), whether or not earlier ones were answered, each
 * from one of many clients, which have a connection each: where that is busy it waits. Its latency counts from when it
 * was due, so that what waits is not left out. RATE 0: as many as are answered, for capacity. Prints a line for each
 * kind: how many were answered, and their latencies in microseconds (p50, p99, p99.9, the longest). One thread, so that
 * it takes little of what is measured. Anything but a response of 200, of some kilobytes at most, ends it with an
 * error.
 */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { KINDS = 8, CONNECTIONS = 1024, RESPONSE_BYTES = 8192, WAITING = 4096, EVENTS = 64 };

typedef struct connection {
    struct kind *kind;
    int descriptor;
    bool busy;
    int64_t due;              /* of the request that is under way; in nanoseconds */
    int64_t waiting[WAITING]; /* of those after it; a ring */
    size_t first, waiting_count;
    size_t size;
    char response[RESPONSE_BYTES];
} connection_t;

typedef struct kind {
    double rate;
    char request[512];
    size_t request_size;
    int64_t next; /* when the next one is due */
    connection_t *connections[CONNECTIONS];
    size_t connection_count;
    uint32_t *latencies; /* microseconds */
    size_t count, most;
} kind_t;

static kind_t kinds[KINDS];
static size_t kind_count;
static int64_t measured_from;
static uint64_t seed;
static bool stopping;

static void fail(const char *what)
{
    fprintf(stderr, "open_load: %s (%s)\n", what, strerror(errno));
    exit(1);
}

static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* xorshift64* */
static uint64_t draw(void)
{
    seed ^= seed >> 12;
    seed ^= seed << 25;
    seed ^= seed >> 27;
    return seed * 2685821657736338717U;
}

static int64_t time_between(const kind_t *kind)
{
    double uniform = ((double)(draw() >> 11) + 1) / 9007199254740993.0;
    return (int64_t)(-log(uniform) / kind->rate * 1e9);
}

static void send_request(connection_t *connection, int64_t due)
{
    const kind_t *kind = connection->kind;
    connection->busy = true;
    connection->due = due;
    connection->size = 0;
    if (send(connection->descriptor, kind->request, kind->request_size, MSG_NOSIGNAL) != (ssize_t)kind->request_size)
        fail("cannot send");
}

static void arrive(kind_t *kind, int64_t due)
{
    connection_t *connection = kind->connections[draw() % kind->connection_count];
    if (!connection->busy)
        send_request(connection, due);
    else if (connection->waiting_count == WAITING)
        fail("too many requests wait: the load is beyond what the server can do");
    else
        connection->waiting[(connection->first + connection->waiting_count++) % WAITING] = due;
}

static void note(kind_t *kind, int64_t due, int64_t at)
{
    if (due >= measured_from && kind->count < kind->most)
        kind->latencies[kind->count++] = (uint32_t)((at - due) / 1000);
}

static void answered(connection_t *connection)
{
    int64_t at = now();
    note(connection->kind, connection->due, at);
    connection->busy = false;
    if (stopping) {
        /* the connections are for the next load */
    } else if (connection->kind->rate == 0) {
        send_request(connection, at);
    } else if (connection->waiting_count > 0) {
        int64_t due = connection->waiting[connection->first];
        connection->first = (connection->first + 1) % WAITING;
        connection->waiting_count--;
        send_request(connection, due);
    }
}

static void receive(connection_t *connection)
{
    ssize_t got = recv(connection->descriptor, connection->response + connection->size,
        RESPONSE_BYTES - 1 - connection->size, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0)
        fail("a connection was closed");
    connection->size += (size_t)got;
    connection->response[connection->size] = '\0';
    const char *end = strstr(connection->response, "\r\n\r\n");
    if (end == NULL)
        return;
    const char *length = strcasestr(connection->response, "\r\ncontent-length:");
    bool is_chunked = strcasestr(connection->response, "\r\ntransfer-encoding: chunked") != NULL;
    if (strncmp(connection->response, "HTTP/1.1 200 ", 13) != 0 || (length == NULL && !is_chunked)) {
        fprintf(stderr, "open_load: not the response that was due: %.200s\n", connection->response);
        exit(1);
    }
    size_t whole = length == NULL ? 0 : (size_t)(end + 4 - connection->response) + strtoul(length + 17, NULL, 10);
    if (connection->size >= RESPONSE_BYTES - 1 || (length != NULL && connection->size > whole))
        fail("a response is too long");
    if (length != NULL ? connection->size == whole
                       : strcmp(connection->response + connection->size - 7, "\r\n0\r\n\r\n") == 0)
        answered(connection);
}

static void parse(char *text, int epoll, double seconds)
{
    kind_t *kind = &kinds[kind_count++];
    char *descriptors = strchr(text, ':');
    char *target = descriptors == NULL ? NULL : strchr(descriptors + 1, ':');
    if (target == NULL)
        fail("a kind is RATE:DESCRIPTOR,...:TARGET");
    kind->rate = strtod(text, NULL);
    *target = '\0';
    kind->request_size =
        (size_t)snprintf(kind->request, sizeof kind->request, "GET %s HTTP/1.1\r\nHost: load\r\n\r\n", target + 1);
    kind->most = (size_t)((kind->rate == 0 ? 500000 : kind->rate * 2) * seconds) + 1000;
    kind->latencies = malloc(kind->most * sizeof *kind->latencies);
    if (kind->latencies == NULL)
        fail("out of memory");
    for (char *one = strtok(descriptors + 1, ","); one != NULL; one = strtok(NULL, ",")) {
        connection_t *connection = calloc(1, sizeof *connection);
        if (connection == NULL || kind->connection_count == CONNECTIONS)
            fail("too many connections");
        connection->kind = kind;
        connection->descriptor = atoi(one);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, connection->descriptor, &event) != 0)
            fail("a connection cannot be watched");
        kind->connections[kind->connection_count++] = connection;
    }
}

static int compare(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

static uint32_t quantile(const kind_t *kind, double share)
{
    return kind->count == 0 ? 0 : kind->latencies[(size_t)(share * (double)(kind->count - 1))];
}

/* Send what is due, and set the timer to when more is. */
static void send_due(int timer)
{
    int64_t next = INT64_MAX;
    int64_t at = now();
    for (size_t i = 0; i < kind_count; i++) {
        kind_t *kind = &kinds[i];
        while (kind->rate > 0 && kind->next <= at) {
            arrive(kind, kind->next);
            kind->next += time_between(kind);
        }
        next = kind->rate > 0 && kind->next < next ? kind->next : next;
    }
    if (next != INT64_MAX) {
        struct itimerspec until = {.it_value = {next / 1000000000, next % 1000000000}};
        timerfd_settime(timer, TFD_TIMER_ABSTIME, &until, NULL);
    }
}

static bool is_any_busy(void)
{
    for (size_t i = 0; i < kind_count; i++) {
        for (size_t k = 0; k < kinds[i].connection_count; k++) {
            if (kinds[i].connections[k]->busy)
                return true;
        }
    }
    return false;
}

int main(int count, char **arguments)
{
    if (count < 4 || count > KINDS + 3)
        fail("usage: open_load SECONDS SEED RATE:DESCRIPTOR,...:TARGET...");
    double seconds = strtod(arguments[1], NULL);
    seed = strtoull(arguments[2], NULL, 10) * 2654435769U + 88172645463325252U;
    int epoll = epoll_create1(0);
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = NULL};
    if (epoll < 0 || timer < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &event) != 0)
        fail("no epoll or timer");
    for (int i = 3; i < count; i++)
        parse(arguments[i], epoll, seconds);
    int64_t begin = now();
    int64_t end = begin + (int64_t)(seconds * 1e9);
    measured_from = begin + (end - begin) / 10; /* the rest is for warming up */
    for (size_t i = 0; i < kind_count; i++) {
        kinds[i].next = begin;
        for (size_t k = 0; kinds[i].rate == 0 && k < kinds[i].connection_count; k++)
            send_request(kinds[i].connections[k], begin);
    }
    while (!stopping || is_any_busy()) {
        struct epoll_event events[EVENTS];
        stopping = now() >= end;
        if (!stopping)
            send_due(timer);
        int ready = epoll_wait(epoll, events, EVENTS, 100);
        for (int i = 0; i < ready; i++) {
            if (events[i].data.ptr != NULL)
                receive(events[i].data.ptr);
        }
    }
    /* What was due and was not even sent has waited at least until then. */
    for (size_t i = 0; i < kind_count; i++) {
        kind_t *kind = &kinds[i];
        size_t done = kind->count;
        for (size_t k = 0; k < kind->connection_count; k++) {
            const connection_t *connection = kind->connections[k];
            for (size_t j = 0; j < connection->waiting_count; j++)
                note(kind, connection->waiting[(connection->first + j) % WAITING], end);
        }
        qsort(kind->latencies, kind->count, sizeof *kind->latencies, compare);
        printf("%zu %u %u %u %u\n", done, quantile(kind, 0.5), quantile(kind, 0.99), quantile(kind, 0.999),
            quantile(kind, 1));
    }
    return 0;
}
