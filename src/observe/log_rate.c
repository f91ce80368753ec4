/*
 * log_rate.c: a bucket of lines that empties by one a second, kept as the time at which it will be empty.
 */
#include "observe/log_rate.h"

#include "observe/clock.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

enum { LINE_MILLISECONDS = 1000 };

void weir_log_rate_init(weir_log_rate_t *rate)
{
    *rate = (weir_log_rate_t){.empty_at = 0};
    pthread_mutex_init(&rate->lock, NULL);
}

static void tell(const char *what, uint64_t left_out)
{
    if (left_out > 0)
        weir_log(WEIR_LOG_WARNING, "%s: %ju more such %s left out", what, (uintmax_t)left_out,
            left_out == 1 ? "line was" : "lines were");
}

void weir_log_rate_destroy(weir_log_rate_t *rate, const char *what)
{
    tell(what, rate->left_out);
    pthread_mutex_destroy(&rate->lock);
}

/* Whether a line may be written now; then `*ret_left_out` were left out before it. */
static bool take(weir_log_rate_t *rate, uint64_t *ret_left_out)
{
    int64_t now = (int64_t)weir_monotonic_milliseconds();
    pthread_mutex_lock(&rate->lock);
    int64_t empty_at = rate->empty_at > now ? rate->empty_at : now;
    bool may = empty_at - now <= (int64_t)(WEIR_LOG_RATE_BURST - 1) * LINE_MILLISECONDS;
    if (may) {
        rate->empty_at = empty_at + LINE_MILLISECONDS;
        *ret_left_out = rate->left_out;
        rate->left_out = 0;
    } else {
        rate->left_out++;
    }
    pthread_mutex_unlock(&rate->lock);
    return may;
}

void weir_log_rated(weir_log_rate_t *rate, weir_log_level_t level, const char *what, const char *format, ...)
{
    int saved_errno = errno;
    uint64_t left_out;
    if (take(rate, &left_out)) {
        char text[4096]; /* weir_log cuts at that */
        va_list arguments;
        va_start(arguments, format);
        errno = saved_errno; /* for %m */
        vsnprintf(text, sizeof text, format, arguments);
        va_end(arguments);
        tell(what, left_out);
        weir_log(level, "%s: %s", what, text);
    }
    errno = saved_errno;
}
