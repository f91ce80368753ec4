/*
 * log_rate.h: lines about what can happen for every request, so that whoever causes them cannot fill the log: some at
 * once, then one a second, with how many were left out.
 */
#ifndef WEIR_OBSERVE_LOG_RATE_H
#define WEIR_OBSERVE_LOG_RATE_H

#include "observe/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>

enum { WEIR_LOG_RATE_BURST = 50 };

/* The lines about one thing. Any thread. */
typedef struct weir_log_rate {
    int64_t empty_at; /* on the monotonic clock, in milliseconds: when no line would count any more */
    uint64_t left_out;
    pthread_mutex_t lock;
} weir_log_rate_t;

void weir_log_rate_init(weir_log_rate_t *rate);

/* Tell how many lines about `what` were left out since the last one. Nobody may use it any more. */
void weir_log_rate_destroy(weir_log_rate_t *rate, const char *what);

/*
 * Write a line as weir_log does, "WHAT: TEXT", or count it; the one that is written tells of those before it. 50 are
 * written at once, and one more for each second that has passed.
 */
__attribute__((format(printf, 4, 5))) void weir_log_rated(
    weir_log_rate_t *rate, weir_log_level_t level, const char *what, const char *format, ...);

#endif
