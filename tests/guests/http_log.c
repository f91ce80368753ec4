/*
 * Writes to its standard streams: ordinary lines, a forged line of weir's log, control characters, a long line, and a
 * last line without its end. With a header x-pieces it writes a line in pieces, and half of one.
 */
#include "http_guest.h"

void exports_wasi_http_incoming_handler_handle(http_request_t request, http_outparam_t out)
{
    char pieces[8];
    http_header(request, "x-pieces", pieces, sizeof pieces);
    if (pieces[0] != '\0') {
        static const char *const written[] = {"all", " of ", "", "this is", " a line\nand", " half of one"};
        for (size_t i = 0; i < sizeof written / sizeof written[0]; i++)
            http_log(written[i]);
        http_reply_t reply = http_begin_text(out);
        http_require(http_write_text(reply, "in pieces\n"));
        http_require(http_end(reply));
        return;
    }
    static char long_line[20000];
    memset(long_line, 'x', sizeof long_line);
    long_line[sizeof long_line - 1] = '\n';
    http_require(write(STDOUT_FILENO, "first\nsecond\n", 13) == 13);
    http_log("weir: error: forged\n");
    http_log("before\rafter \x1b[31mred\x1b[0m\x07\n");
    http_require(write(STDERR_FILENO, long_line, sizeof long_line) == (ssize_t)sizeof long_line);
    http_log("unfinished");
    http_reply_t reply = http_begin_text(out);
    http_require(http_write_text(reply, "logged\n"));
    http_require(http_end(reply));
}
