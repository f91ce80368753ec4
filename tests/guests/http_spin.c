/*
 * Computes for ever and never lets go: at /after once the head of its response is sent, at /late once all of it is,
 * else without one. Says on standard error that it has begun.
 */
#include "http_guest.h"

#include <string.h>

void exports_wasi_http_incoming_handler_handle(http_request_t request, http_outparam_t out)
{
    char path[64];
    http_path_info(request, path, sizeof path);
    bool after = strcmp(path, "/after") == 0;
    bool late = strcmp(path, "/late") == 0;
    if (after || late) {
        http_reply_t reply = http_begin_text(out);
        http_require(http_write_text(reply, "spinning\n"));
        http_require(http_flush(reply));
        if (late)
            http_require(http_end(reply));
    }
    http_log("spinning\n");
    for (volatile uint64_t i = 0;; i++) {
    }
}
