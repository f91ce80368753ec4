/*
 * The least that a body costs on its way through a server: mirror PORT THREADS sends what it reads on 127.0.0.1 back as
 * it comes, 64 KiB at a time, and does nothing else: no guest, no log, no check. Until its standard input ends or a
 * signal comes.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BYTES = 65536, HEAD_BYTES = 128, THREADS_MOST = 64, EVENTS = 64, BACKLOG = 1024, SOCKETS_MOST = 4096 };

typedef struct connection {
    int socket;
    uint64_t body_left;  /* of the request that is being read */
    size_t input_size;   /* of a head that is not whole yet */
    size_t output_begin; /* what has not been sent */
    size_t output_end;
    char input[BYTES];
    char output[BYTES + HEAD_BYTES];
} connection_t;

static connection_t *connections[SOCKETS_MOST]; /* by their sockets */

/* False when the connection is over. Sets `*ret_waits` when the client does not take it now. */
static bool send_output(connection_t *connection, bool *ret_waits)
{
    while (connection->output_begin < connection->output_end) {
        ssize_t sent = send(connection->socket, connection->output + connection->output_begin,
            connection->output_end - connection->output_begin, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0) {
            *ret_waits = errno == EAGAIN;
            return *ret_waits;
        }
        connection->output_begin += (size_t)sent;
    }
    connection->output_begin = connection->output_end = 0;
    return true;
}

static uint64_t content_length(const char *head)
{
    static const char name[] = "content-length:";
    for (const char *line = strstr(head, "\r\n"); line != NULL; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, sizeof name - 1) == 0) {
            return strtoull(line + 2 + sizeof name - 1, NULL, 10);
        }
    }
    return 0;
}

/* Take a head, when it is whole, and what there is of its body. Returns false when there is no room for it. */
static bool take_head(connection_t *connection)
{
    connection->input[connection->input_size] = '\0';
    char *end = strstr(connection->input, "\r\n\r\n");
    if (end == NULL) {
        return connection->input_size < BYTES - 1;
    }
    *end = '\0';
    end += 4;
    uint64_t length = content_length(connection->input);
    size_t there = connection->input_size - (size_t)(end - connection->input);
    there = there < length ? there : (size_t)length;
    connection->output_end = (size_t)snprintf(
        connection->output, HEAD_BYTES, "HTTP/1.1 200 OK\r\ncontent-length: %llu\r\n\r\n", (unsigned long long)length);
    memcpy(connection->output + connection->output_end, end, there);
    connection->output_end += there;
    connection->body_left = length - there;
    connection->input_size = 0;
    return true;
}

static bool serve(connection_t *connection)
{
    for (;;) {
        bool waits = false;
        if (!send_output(connection, &waits) || waits) {
            return waits;
        }
        bool in_body = connection->body_left > 0;
        char *at = in_body ? connection->output : connection->input + connection->input_size;
        size_t room = in_body ? BYTES : BYTES - 1 - connection->input_size;
        room = in_body && connection->body_left < room ? (size_t)connection->body_left : room;
        ssize_t got = recv(connection->socket, at, room, MSG_DONTWAIT);
        if (got <= 0) {
            return got < 0 && errno == EAGAIN;
        }
        if (in_body) {
            connection->body_left -= (uint64_t)got;
            connection->output_end = (size_t)got;
        } else {
            connection->input_size += (size_t)got;
            if (!take_head(connection)) {
                return false;
            }
        }
    }
}

static bool open_connection(int socket)
{
    connections[socket] = calloc(1, sizeof *connections[socket]);
    if (connections[socket] != NULL) {
        connections[socket]->socket = socket;
    }
    return connections[socket] != NULL;
}

static void close_connection(int socket)
{
    free(connections[socket]);
    connections[socket] = NULL;
    close(socket);
}

static void *run(void *context)
{
    int poller = *(int *)context;
    struct epoll_event events[EVENTS];
    for (;;) {
        int count = epoll_wait(poller, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            if (!serve(connections[events[i].data.fd])) {
                close_connection(events[i].data.fd);
            }
        }
    }
    return NULL;
}

static void *accept_all(void *context)
{
    const int *descriptors = context; /* the listener, then each thread's poller, then -1 */
    for (size_t next = 1;; next = descriptors[next + 1] < 0 ? 1 : next + 1) {
        static const int on = 1;
        int accepted = accept(descriptors[0], NULL, NULL);
        if (accepted < 0 && (errno == ECONNABORTED || errno == EINTR)) {
            continue;
        }
        if (accepted >= SOCKETS_MOST) {
            errno = EMFILE;
            accepted = -1;
        }
        if (accepted < 0 || !open_connection(accepted)) {
            perror("mirror");
            exit(1);
        }
        setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.fd = accepted};
        if (epoll_ctl(descriptors[next], EPOLL_CTL_ADD, accepted, &event) != 0) {
            close_connection(accepted);
        }
    }
}

int main(int count, char **arguments)
{
    static int descriptors[THREADS_MOST + 2];
    if (count == 2 && strcmp(arguments[1], "--version") == 0) {
        puts("1");
        return 0;
    }
    unsigned long threads = count == 3 ? strtoul(arguments[2], NULL, 10) : 0;
    if (threads < 1 || threads > THREADS_MOST) {
        fputs("usage: mirror PORT THREADS\n", stderr);
        return 2;
    }
    struct sockaddr_in address = {.sin_family = AF_INET,
        .sin_port = htons((uint16_t)strtoul(arguments[1], NULL, 10)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(listener, BACKLOG) != 0) {
        perror("mirror");
        return 1;
    }
    descriptors[0] = listener;
    descriptors[threads + 1] = -1;
    pthread_t thread;
    for (unsigned long i = 1; i <= threads; i++) {
        descriptors[i] = epoll_create1(0);
        if (descriptors[i] < 0 || pthread_create(&thread, NULL, run, &descriptors[i]) != 0)
            return 1;
    }
    if (pthread_create(&thread, NULL, accept_all, descriptors) != 0)
        return 1;
    while (getchar() != EOF)
        ;
    return 0;
}
