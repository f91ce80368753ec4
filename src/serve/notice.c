/*
 * notice.c: a time and a count for each kind of line. The loop that leaves one out sees to it that the count is told,
 * also when nothing happens any more.
 */
#include "serve/notice.h"

#include "serve/limits.h"
#include "serve/shared.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
    weir_log_level_t level;
    const char *one_left_out; /* after "1 more " */
    const char *left_out;     /* after "%u more " */
} words[WEIR_NOTICE_COUNT] = {
    [WEIR_NOTICE_FULL] = {WEIR_LOG_WARNING, "request was answered with 503 because too many waited for an instance",
        "requests were answered with 503 because too many waited for an instance"},
    [WEIR_NOTICE_WAITED] = {WEIR_LOG_WARNING, "request was answered with 503 after it had waited for an instance",
        "requests were answered with 503 after they had waited for an instance"},
    [WEIR_NOTICE_REFUSED] = {WEIR_LOG_WARNING, "instance was refused, and its request waits",
        "instances were refused, and their requests wait"},
    [WEIR_NOTICE_HTTP2] = {WEIR_LOG_WARNING, "client began with HTTP/2, which was answered with 505",
        "clients began with HTTP/2, which was answered with 505"},
    [WEIR_NOTICE_PROXY] = {WEIR_LOG_WARNING,
        "connection was closed because it brought no header of the PROXY protocol that counts",
        "connections were closed because they brought no header of the PROXY protocol that counts"},
    [WEIR_NOTICE_FORWARDED] = {WEIR_LOG_WARNING,
        "request was answered with 400 because its Forwarded headers contradict",
        "requests were answered with 400 because their Forwarded headers contradict"},
    [WEIR_NOTICE_ACCEPT] = {WEIR_LOG_WARNING, "time new connections had to wait", "times new connections had to wait"},
    [WEIR_NOTICE_CROWD] = {WEIR_LOG_WARNING, "connection was closed because its address had too many",
        "connections were closed because their addresses had too many"},
};

/* Whether a line may be written now; `*ret_left_out` were left out before it. */
static bool may_write(weir_loop_t *loop, weir_notice_t kind, bool counts, unsigned *ret_left_out)
{
    weir_notices_t *notices = &loop->server->notices;
    uint64_t now = loop->now + loop->lost; /* of the one clock that all loops share */
    pthread_mutex_lock(&notices->lock);
    bool may = now >= notices->kinds[kind].after;
    *ret_left_out = may ? notices->kinds[kind].left_out : 0;
    if (may && (counts || *ret_left_out > 0)) {
        notices->kinds[kind].left_out = 0;
        notices->kinds[kind].after = now + WEIR_NOTICE_MILLISECONDS;
    } else if (!may && counts) {
        notices->kinds[kind].left_out++;
    }
    if (!may) {
        uint64_t after = notices->kinds[kind].after;
        loop->notice_at = loop->notice_at == 0 || after < loop->notice_at ? after : loop->notice_at;
    }
    pthread_mutex_unlock(&notices->lock);
    return may;
}

static void tell_left_out(weir_notice_t kind, unsigned left_out)
{
    if (left_out > 0) {
        weir_log(
            words[kind].level, "%u more %s", left_out, left_out == 1 ? words[kind].one_left_out : words[kind].left_out);
    }
}

void weir_notice(weir_loop_t *loop, weir_notice_t kind, const char *format, ...)
{
    unsigned left_out;
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (may_write(loop, kind, true, &left_out)) {
        tell_left_out(kind, left_out);
        weir_log(words[kind].level, "%s", text);
    }
}

void weir_notice_flush(weir_loop_t *loop)
{
    if (loop->notice_at == 0 || loop->now + loop->lost < loop->notice_at) {
        return;
    }
    loop->notice_at = 0;
    for (unsigned kind = 0; kind < WEIR_NOTICE_COUNT; kind++) {
        unsigned left_out;
        if (may_write(loop, (weir_notice_t)kind, false, &left_out)) {
            tell_left_out((weir_notice_t)kind, left_out);
        }
    }
}
