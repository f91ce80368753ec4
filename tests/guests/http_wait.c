/*
 * Waits for as many milliseconds as the path says, on a timer of WASI, and answers. Says on standard error that it
 * waits.
 */
#include "http_guest.h"

void exports_wasi_http_incoming_handler_handle(http_request_t request, http_outparam_t out)
{
    char path[64];
    http_path_info(request, path, sizeof path);
    http_log("waiting\n");
    http_sleep(strtoull(path + 1, NULL, 10));
    http_reply_t reply = http_begin_text(out);
    http_require(http_write_text(reply, "waited\n"));
    http_require(http_end(reply));
}
