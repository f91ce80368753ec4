/*
 * Fails, each time in the way that the path names.
 */
#include "http_guest.h"

static volatile int sink;

/* Recursion without an end in sight, which the compiler does not turn into a loop. */
static int overflow_stack(volatile int *above)
{
    volatile int here[64];
    here[0] = *above + 1;
    return *above < 0 ? 0 : overflow_stack(here) + here[0];
}

void exports_wasi_http_incoming_handler_handle(http_request_t request, http_outparam_t out)
{
    char path[64];
    http_path_info(request, path, sizeof path);
    if (strcmp(path, "/trap") == 0) {
        __builtin_trap();
    } else if (strcmp(path, "/memory") == 0) {
        sink = *(volatile int *)(uintptr_t)0xfffffff0;
    } else if (strcmp(path, "/overflow") == 0) {
        sink = 1;
        sink = overflow_stack(&sink);
    } else if (strcmp(path, "/divide") == 0) {
        static volatile int one = 1;
        sink = 0;
        sink = one / sink;
    } else if (strcmp(path, "/abort") == 0) {
        abort();
    } else if (strcmp(path, "/exit") == 0) {
        exit(3);
    } else if (strcmp(path, "/nothing") == 0) {
        wasi_http_types_response_outparam_drop_own(out);
    } else if (strcmp(path, "/error") == 0) {
        wasi_http_types_result_own_outgoing_response_error_code_t result = {
            .is_err = true, .val = {.err = {.tag = WASI_HTTP_TYPES_ERROR_CODE_CONFIGURATION_ERROR}}};
        wasi_http_types_static_response_outparam_set(out, &result);
    } else if (strcmp(path, "/head-then-trap") == 0) {
        http_reply_t reply = http_begin_text(out);
        http_require(http_write_text(reply, "the first piece\n") && http_flush(reply));
        http_sleep(100); /* until the server has sent it */
        __builtin_trap();
    } else if (strcmp(path, "/end-then-trap") == 0) {
        http_reply_t reply = http_begin_text(out);
        http_require(http_write_text(reply, "all of it\n") && http_end(reply));
        http_log("about to trap\n");
        __builtin_trap();
    } else {
        http_require(http_end(http_begin_text(out)));
    }
}
