/*
 * client_support.h: for the tests of the server: a client that writes what it is told to and reads what comes.
 */
#ifndef WEIR_TESTS_CLIENT_SUPPORT_H
#define WEIR_TESTS_CLIENT_SUPPORT_H

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PATIENCE_MILLISECONDS = 20000 };

/* A connection to the server, or -1 with errno set. */
static inline int dial(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client >= 0 && connect(client, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        int error = errno;
        close(client);
        errno = error;
        return -1;
    }
    return client;
}

static inline bool tell(int client, const char *text)
{
    return send(client, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text);
}

/* Read until `end` was read or the stream ends; the text is terminated. Returns its size. */
static inline size_t hear(int client, const char *end, char *text, size_t size)
{
    size_t heard = 0;
    text[0] = '\0';
    while (heard + 1 < size && (end == NULL || strstr(text, end) == NULL)) {
        struct pollfd descriptor = {.fd = client, .events = POLLIN};
        if (poll(&descriptor, 1, PATIENCE_MILLISECONDS) != 1) {
            break;
        }
        ssize_t more = recv(client, text + heard, size - 1 - heard, 0);
        if (more <= 0) {
            break;
        }
        heard += (size_t)more;
        text[heard] = '\0';
    }
    return heard;
}

/* Whether an answer is there from beginning to end. */
static inline bool is_whole(const char *answer, size_t size)
{
    const char *end = strstr(answer, "\r\n\r\n");
    if (end == NULL)
        return false;
    if (strcasestr(answer, "\r\nTransfer-Encoding: chunked\r\n") != NULL)
        return size >= 5 && strcmp(answer + size - 5, "0\r\n\r\n") == 0;
    const char *length = strcasestr(answer, "\r\nContent-Length: ");
    return length != NULL && size >= (size_t)(end + 4 - answer) + strtoul(length + 18, NULL, 10);
}

/* Read one answer on a connection that stays open, and take the chunks of its body together. */
static inline void hear_answer(int client, char *answer, size_t size)
{
    size_t heard = 0;
    answer[0] = '\0';
    while (heard + 1 < size && !is_whole(answer, heard)) {
        struct pollfd descriptor = {.fd = client, .events = POLLIN};
        ssize_t more =
            poll(&descriptor, 1, PATIENCE_MILLISECONDS) == 1 ? recv(client, answer + heard, size - 1 - heard, 0) : 0;
        if (more <= 0)
            return;
        heard += (size_t)more;
        answer[heard] = '\0';
    }
    if (strcasestr(answer, "\r\nTransfer-Encoding: chunked\r\n") == NULL)
        return;
    char *to = strstr(answer, "\r\n\r\n") + 4;
    const char *from = to;
    for (;;) {
        char *data;
        size_t chunk = strtoul(from, &data, 16);
        if (chunk == 0 || chunk > strlen(data))
            break;
        memmove(to, data + 2, chunk);
        to += chunk;
        from = data + 2 + chunk + 2;
    }
    *to = '\0';
}

#endif
