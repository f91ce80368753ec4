/*
 * libmicrohttpd alone, as a ceiling: microhttpd PORT THREADS FILE CONTENT_TYPE answers every request on 127.0.0.1 with
 * the bytes of the file, until its standard input ends or a signal comes. `microhttpd --version` tells the library's.
 */
#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BYTES = 65536, CONNECTIONS = 20000, TIMEOUT_SECONDS = 60 };

static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *url, const char *method,
    const char *version, const char *data, size_t *data_size, void **request)
{
    static int begun;
    (void)url;
    (void)method;
    (void)version;
    (void)data;
    if (*request == NULL) { /* the head; the response is queued once the body has been read */
        *request = &begun;
        return MHD_YES;
    }
    if (*data_size > 0) {
        *data_size = 0;
        return MHD_YES;
    }
    return MHD_queue_response(connection, MHD_HTTP_OK, context);
}

int main(int count, char **arguments)
{
    static char bytes[BYTES];
    if (count == 2 && strcmp(arguments[1], "--version") == 0) {
        puts(MHD_get_version());
        return 0;
    }
    FILE *file = count == 5 ? fopen(arguments[3], "rb") : NULL;
    if (file == NULL) {
        fputs("usage: microhttpd PORT THREADS FILE CONTENT_TYPE\n", stderr);
        return 2;
    }
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    struct sockaddr_in address = {.sin_family = AF_INET,
        .sin_port = htons((uint16_t)strtoul(arguments[1], NULL, 10)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct MHD_Response *response = MHD_create_response_from_buffer(size, bytes, MHD_RESPMEM_PERSISTENT);
    if (response == NULL || MHD_add_response_header(response, "content-type", arguments[4]) != MHD_YES)
        return 1;
    struct MHD_Daemon *daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG, 0, NULL, NULL,
        answer, response, MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_THREAD_POOL_SIZE,
        (unsigned)strtoul(arguments[2], NULL, 10), MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)TIMEOUT_SECONDS, MHD_OPTION_END);
    if (daemon == NULL)
        return 1;
    while (getchar() != EOF)
        ;
    MHD_stop_daemon(daemon);
    MHD_destroy_response(response);
    return 0;
}
