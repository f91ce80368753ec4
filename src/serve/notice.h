/*
 * notice.h: lines of the log about what can happen for every request: of each kind one a second at most, with how many
 * were left out.
 */
#ifndef WEIR_SERVE_NOTICE_H
#define WEIR_SERVE_NOTICE_H

#include "observe/log.h"
#include "serve/loop.h"

#include <pthread.h>
#include <stdint.h>

typedef enum weir_notice {
    WEIR_NOTICE_FULL = 0,      /* 503: too many requests wait */
    WEIR_NOTICE_WAITED = 1,    /* 503: it waited for an instance until its time was over */
    WEIR_NOTICE_REFUSED = 2,   /* an instance was refused; its request waits */
    WEIR_NOTICE_HTTP2 = 3,     /* 505: a client began with HTTP/2 */
    WEIR_NOTICE_PROXY = 4,     /* closed: without a header of the PROXY protocol that counts */
    WEIR_NOTICE_FORWARDED = 5, /* 400: headers of proxies contradict each other */
    WEIR_NOTICE_ACCEPT = 6,    /* the system has nothing left for new connections, which wait */
    WEIR_NOTICE_CROWD = 7,     /* a connection was closed: its address has too many */
    WEIR_NOTICE_COUNT = 8,
} weir_notice_t;

/* Of a server; its lock guards all of it. */
typedef struct weir_notices {
    pthread_mutex_t lock;
    struct {
        uint64_t after; /* when the next line may be written */
        unsigned left_out;
    } kinds[WEIR_NOTICE_COUNT];
} weir_notices_t;

/* Write a line, or count it. That loop's thread. */
__attribute__((format(printf, 3, 4))) void weir_notice(weir_loop_t *loop, weir_notice_t kind, const char *format, ...);

/* Tell how many were left out since, when it is time for that and this loop left some out. That loop's thread. */
void weir_notice_flush(weir_loop_t *loop);

#endif
