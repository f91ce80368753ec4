/*
 * Many clients at once, in one thread: clients ADDRESS PORT REQUEST_FILE MARK
 *
 * Each has a connection and sends the bytes of the file, to be answered with status 200 and a body in which MARK stands
 * once for each event. Told on standard input what to do, a line each, it answers each with a line of JSON:
 *
 *   open COUNT SECONDS    so many connections more
 *   ask WINDOW SECONDS    send the request on each that has asked nothing yet, at most WINDOW unanswered ones at a time
 *                         (0: all at once), and wait for the first event on each
 *   again                 let all that are open ask once more
 *   end SECONDS           wait until the server has closed each that was asked
 *
 * Times are in seconds from when a client's request was sent: `first` to its first event, `end` to the end of its
 * response. What is not done after SECONDS is counted as waiting. MARK may not begin twice within itself ("data:").
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CLIENTS = 65536, CONNECTING = 128, EVENTS = 256, REQUEST_BYTES = 65536, STATUS_BYTES = 12, LINE_BYTES = 128 };

typedef enum state { CONNECT, OPEN, ASKED, ANSWERED, ENDED, FAILED, STATES } state_t;

typedef struct client {
    int descriptor;
    state_t state;
    size_t matched;            /* of the mark, so far */
    size_t received;           /* of the response */
    char status[STATUS_BYTES]; /* its first bytes */
    uint64_t events;
    int64_t asked_at, first_at, ended_at; /* nanoseconds */
} client_t;

static struct sockaddr_in address;
static char request[REQUEST_BYTES];
static size_t request_size;
static const char *mark;
static size_t mark_size;
static client_t clients[CLIENTS];
static size_t client_count;
static size_t in_state[STATES];
static double sorted[CLIENTS];
static int epoll;

static void fail(const char *what)
{
    fprintf(stderr, "clients: %s (%s)\n", what, strerror(errno));
    exit(1);
}

static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void become(client_t *client, state_t state)
{
    in_state[client->state]--;
    in_state[state]++;
    client->state = state;
    if (state >= ENDED && client->descriptor >= 0) {
        close(client->descriptor);
        client->descriptor = -1;
    }
}

static void connect_one(void)
{
    client_t *client = &clients[client_count++];
    *client = (client_t){.state = CONNECT};
    in_state[CONNECT]++;
    client->descriptor = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (client->descriptor < 0)
        fail("no socket: too few open files are allowed");
    int yes = 1;
    setsockopt(client->descriptor, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = client};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, client->descriptor, &event) != 0)
        fail("a connection cannot be watched");
    if (connect(client->descriptor, (const struct sockaddr *)&address, sizeof address) != 0 && errno != EINPROGRESS)
        become(client, FAILED);
}

static void ask_one(client_t *client)
{
    client->received = client->matched = 0;
    client->asked_at = now();
    /* Requests are small, and nothing is on its way: the socket's buffer takes all of it. */
    if (send(client->descriptor, request, request_size, MSG_NOSIGNAL) != (ssize_t)request_size)
        become(client, FAILED);
    else
        become(client, ASKED);
}

/* Count the marks in what has come, and note its status line. */
static void take(client_t *client, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (client->received < STATUS_BYTES)
            client->status[client->received] = bytes[i];
        client->received++;
        client->matched = bytes[i] == mark[client->matched] ? client->matched + 1 : bytes[i] == mark[0];
        if (client->matched == mark_size) {
            client->matched = 0;
            client->events++;
            if (client->state == ASKED) {
                client->first_at = now();
                become(client, memcmp(client->status + 8, " 200", 4) == 0 ? ANSWERED : FAILED);
            }
        }
    }
}

static void receive(client_t *client)
{
    static char buffer[65536];
    for (;;) {
        ssize_t got = recv(client->descriptor, buffer, sizeof buffer, 0);
        if (got > 0) {
            take(client, buffer, (size_t)got);
            if (client->descriptor < 0)
                return;
        } else if (got < 0 && errno == EINTR) {
            continue;
        } else if (got < 0 && errno == EAGAIN) {
            return;
        } else {
            client->ended_at = now();
            become(client, got == 0 && client->state == ANSWERED ? ENDED : FAILED);
            return;
        }
    }
}

static void handle(client_t *client)
{
    if (client->state == CONNECT) {
        int error = 0;
        socklen_t size = sizeof error;
        struct sockaddr_in peer;
        socklen_t peer_size = sizeof peer;
        getsockopt(client->descriptor, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error != 0)
            become(client, FAILED);
        else if (getpeername(client->descriptor, (struct sockaddr *)&peer, &peer_size) == 0)
            become(client, OPEN);
        else
            return; /* it is not connected yet */
    }
    if (client->descriptor >= 0)
        receive(client);
}

/* Wait for what happens next; false once the time is over. */
static bool turn(int64_t deadline)
{
    struct epoll_event events[EVENTS];
    int64_t left = deadline - now();
    if (left <= 0)
        return false;
    int ready = epoll_wait(epoll, events, EVENTS, (int)(left / 1000000) + 1);
    if (ready < 0 && errno != EINTR)
        fail("no events");
    for (int i = 0; i < ready; i++) {
        client_t *client = events[i].data.ptr;
        if (client->descriptor >= 0)
            handle(client);
    }
    return true;
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;
    return (left > right) - (left < right);
}

/* The times in `sorted`, as members of a JSON object. */
static void print_times(const char *name, size_t count)
{
    qsort(sorted, count, sizeof *sorted, compare);
    if (count > 0)
        printf(", \"%s\": {\"p50\": %.6f, \"p99\": %.6f, \"most\": %.6f}", name, sorted[(count - 1) / 2],
            sorted[(size_t)(0.99 * (double)(count - 1))], sorted[count - 1]);
}

static void print_report(int64_t began)
{
    size_t firsts = 0;
    size_t ends = 0;
    uint64_t events = 0;
    for (size_t i = 0; i < client_count; i++) {
        events += clients[i].events;
        if (clients[i].state == ANSWERED || clients[i].state == ENDED)
            sorted[firsts++] = (double)(clients[i].first_at - clients[i].asked_at) / 1e9;
    }
    printf(
        "{\"seconds\": %.6f, \"connecting\": %zu, \"open\": %zu, \"waiting\": %zu, \"answered\": %zu, \"ended\": %zu, "
        "\"failed\": %zu, \"events\": %llu",
        (double)(now() - began) / 1e9, in_state[CONNECT], in_state[OPEN], in_state[ASKED], in_state[ANSWERED],
        in_state[ENDED], in_state[FAILED], (unsigned long long)events);
    print_times("first", firsts);
    for (size_t i = 0; i < client_count; i++) {
        if (clients[i].state == ENDED)
            sorted[ends++] = (double)(clients[i].ended_at - clients[i].asked_at) / 1e9;
    }
    print_times("end", ends);
    printf("}\n");
    fflush(stdout);
}

static void open_more(size_t count, int64_t deadline)
{
    if (count > CLIENTS - client_count)
        fail("too many connections");
    size_t until = client_count + count;
    do {
        while (client_count < until && in_state[CONNECT] < CONNECTING)
            connect_one();
    } while ((client_count < until || in_state[CONNECT] > 0) && turn(deadline));
}

static void ask_all(size_t window, int64_t deadline)
{
    size_t next = 0;
    do {
        for (; next < client_count && (window == 0 || in_state[ASKED] < window); next++) {
            if (clients[next].state == OPEN)
                ask_one(&clients[next]);
        }
    } while ((next < client_count || in_state[ASKED] > 0) && turn(deadline));
}

static void let_ask_again(void)
{
    for (size_t i = 0; i < client_count; i++) {
        if (clients[i].state == ANSWERED)
            become(&clients[i], OPEN);
    }
}

static void obey(const char *line)
{
    size_t count = 0;
    double seconds = 0;
    int64_t began = now();
    if (sscanf(line, "open %zu %lf", &count, &seconds) == 2) {
        open_more(count, began + (int64_t)(seconds * 1e9));
    } else if (sscanf(line, "ask %zu %lf", &count, &seconds) == 2) {
        ask_all(count, began + (int64_t)(seconds * 1e9));
    } else if (strncmp(line, "again", 5) == 0) {
        let_ask_again();
    } else if (sscanf(line, "end %lf", &seconds) == 1) {
        while (in_state[ASKED] + in_state[ANSWERED] > 0 && turn(began + (int64_t)(seconds * 1e9)))
            ;
    } else {
        fprintf(stderr, "clients: what is: %s", line);
        exit(2);
    }
    print_report(began);
}

int main(int count, char **arguments)
{
    if (count != 5 || inet_pton(AF_INET, arguments[1], &address.sin_addr) != 1) {
        fprintf(stderr, "usage: clients ADDRESS PORT REQUEST_FILE MARK\n");
        return 2;
    }
    address.sin_family = AF_INET;
    address.sin_port = htons((uint16_t)strtoul(arguments[2], NULL, 10));
    FILE *file = fopen(arguments[3], "rb");
    if (file == NULL)
        fail(arguments[3]);
    request_size = fread(request, 1, sizeof request, file);
    fclose(file);
    mark = arguments[4];
    mark_size = strlen(mark);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0 || mark_size == 0)
        fail("no epoll, or no mark");
    char line[LINE_BYTES];
    while (fgets(line, sizeof line, stdin) != NULL)
        obey(line);
    return 0;
}
