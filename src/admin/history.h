/*
 * history.h: what was in each of the last seconds, read once a second from what the loops have counted; and whether
 * they turn. One thread.
 */
#ifndef WEIR_ADMIN_HISTORY_H
#define WEIR_ADMIN_HISTORY_H

#include "observe/metrics.h"
#include "serve/server.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    WEIR_HISTORY_SECONDS = 120,
    WEIR_HISTORY_RATE_SECONDS = 60, /* over which a component's slower rate is */

    /* A loop in which one turn has lasted over so many readings is taken to be stuck. A turn is some time slices of
     * guests at most. Readings count, not time: a process that was stopped is not taken for stuck when it goes on. */
    WEIR_HISTORY_STUCK_READINGS = 10,
};

typedef struct weir_second {
    uint64_t requests;
    uint64_t errors; /* answered with a status from 500 on */
    double p50;      /* seconds to the response's head; below 0: there was none */
    double p99;
    uint64_t live;           /* instances, at its end */
    uint64_t resident_bytes; /* 0: the system does not tell */
} weir_second_t;

typedef struct weir_history {
    weir_server_t *server;
    weir_second_t seconds[WEIR_HISTORY_SECONDS]; /* a ring; the newest is before `next` */
    size_t next;
    size_t count;
    weir_distribution_t to_head; /* at the last reading, as are the next three */
    uint64_t requests;
    uint64_t errors;
    uint64_t at;                                              /* nanoseconds of CLOCK_MONOTONIC */
    double elapsed;                                           /* seconds between the last two readings */
    uint64_t (*of_components)[WEIR_HISTORY_RATE_SECONDS + 1]; /* own: by component, a ring with the same `turn` */
    double times[WEIR_HISTORY_RATE_SECONDS + 1];              /* when those were read, in seconds */
    size_t turn;
    struct {
        uint64_t busy_nanoseconds;
        double busy_fraction; /* of the last second */
        uint64_t turn_at;
        unsigned same_turn; /* readings in a row with that */
    } *loops;               /* own */
} weir_history_t;

/* Begin, with a first reading. False: memory ran out. */
bool weir_history_init(weir_history_t *history, weir_server_t *server);
void weir_history_destroy(weir_history_t *history);

/* A second has passed. */
void weir_history_read(weir_history_t *history);

/* A second that was, 0 the oldest that is remembered. */
const weir_second_t *weir_history_at(const weir_history_t *history, size_t index);

/* How many requests a second a component has had in the last second, or minute, or as long as it is known. */
double weir_history_rate(const weir_history_t *history, size_t component, unsigned seconds);

/* Whether every loop turns, or sleeps. */
bool weir_history_is_live(const weir_history_t *history);

#endif
