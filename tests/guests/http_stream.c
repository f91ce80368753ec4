/*
 * Streams: /forever, a server-sent event every 20 ms until the client is gone; /pieces/COUNT/MILLISECONDS, so many
 * events at that distance; /bulk/BYTES, so many bytes (byte i is i mod 251) as fast as they are taken.
 */
#include "http_guest.h"

#include <stdio.h>

enum { PATTERN = 251 };

static bool write_event(http_reply_t reply, uint64_t number)
{
    char event[40];
    int length = snprintf(event, sizeof event, "data: %llu\n\n", (unsigned long long)number);
    return http_write(reply, event, (size_t)length) && http_flush(reply);
}

static void write_pieces(http_reply_t reply, uint64_t count, uint64_t milliseconds)
{
    for (uint64_t i = 0; i < count; i++) {
        if (i > 0)
            http_sleep(milliseconds);
        if (i == count - 1)
            http_log("writing the last piece\n");
        if (!write_event(reply, i))
            return;
    }
}

static void write_bulk(http_reply_t reply, uint64_t size)
{
    static uint8_t bytes[PATTERN * 256];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i % PATTERN);
    while (size > 0) {
        size_t piece = size < sizeof bytes ? (size_t)size : sizeof bytes;
        if (!http_write(reply, bytes, piece))
            return;
        size -= piece;
    }
    http_log("all is written\n");
}

void exports_wasi_http_incoming_handler_handle(http_request_t request, http_outparam_t out)
{
    char path[64];
    unsigned long long first = 0;
    unsigned long long second = 0;
    http_path_info(request, path, sizeof path);
    wasi_http_types_own_headers_t headers = wasi_http_types_constructor_fields();
    http_require(http_append(headers, "content-type", "text/event-stream", strlen("text/event-stream")));
    http_reply_t reply = http_begin(out, 200, headers);
    if (strcmp(path, "/forever") == 0) {
        for (uint64_t i = 0; write_event(reply, i); i++)
            http_sleep(20);
        http_log("the client is gone\n");
    } else if (sscanf(path, "/pieces/%llu/%llu", &first, &second) == 2) {
        write_pieces(reply, first, second);
    } else if (sscanf(path, "/bulk/%llu", &first) == 1) {
        write_bulk(reply, first);
    } else {
        __builtin_trap();
    }
    http_end(reply);
}
