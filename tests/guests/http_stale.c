/*
 * As wagi_stale, for components. At /trap it fills its memory and traps.
 */
#include "http_guest.h"
#include "stale.h"

void exports_wasi_http_incoming_handler_handle(http_request_t request, http_outparam_t out)
{
    char path[16];
    char text[64];
    http_path_info(request, path, sizeof path);
    stale_check(text, sizeof text);
    http_require(strcmp(path, "/trap") != 0);
    http_reply_t reply = http_begin_text(out);
    http_require(http_write_text(reply, text));
    http_require(http_end(reply));
}
