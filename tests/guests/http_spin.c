/*
 * Computes for ever and never lets go. Says on standard error that it has begun.
 */
#include "http_guest.h"

void exports_wasi_http_incoming_handler_handle(http_request_t request, http_outparam_t out)
{
    (void)request;
    (void)out;
    http_log("spinning\n");
    for (volatile uint64_t i = 0;; i++) {
    }
}
