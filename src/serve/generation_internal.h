/*
 * generation_internal.h: a generation as the server's threads see it: what is constant, and what each loop has of it.
 */
#ifndef WEIR_SERVE_GENERATION_INTERNAL_H
#define WEIR_SERVE_GENERATION_INTERNAL_H

#include "observe/metrics.h"
#include "serve/gate.h"
#include "serve/generation.h"
#include "serve/list.h"
#include "serve/queue.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* What one loop has of one engine. That loop's thread only. */
typedef struct weir_lane {
    uint32_t share;      /* calls that the loop may have at once, for itself */
    uint32_t own;        /* of these in use */
    uint32_t borrowed;   /* and calls in use that came through the gate */
    bool asked;          /* the gate knows that the loop wants one */
    uint32_t components; /* how many there are on this engine */
    uint32_t busy;       /* of them hold an instance */
    weir_list_t turns;   /* their queues in which requests wait, in the order of their turns */
    weir_list_t chained; /* requests from guest to guest that wait, and go ahead of those */
    /* After an instance was refused: when to try again, and for how long it was waited last; 0: none was refused since
     * one was had. */
    uint64_t retry_at;
    unsigned pause;
    /* How fast instances are given back while requests wait: when one was, for the last time (0: nobody has waited
     * since), and the mean time between two, in 1/1024 ms. */
    uint64_t left_at;
    uint64_t interval;
} weir_lane_t;

/* What one loop has of a generation. That loop's thread only. */
typedef struct weir_stake {
    struct weir_generation *generation;
    weir_link_t link;     /* in the loop's `stakes`: the generations that it has a reference to */
    uint32_t calls;       /* in all lanes, and answers of its routes that are under way */
    weir_lane_t *lanes;   /* own: one an engine */
    weir_queue_t *queues; /* own: one a guest, by component */
} weir_stake_t;

struct weir_generation {
    /* Constant. */
    weir_generation_parts_t parts; /* with arrays of its own */
    char *info;                    /* own: what /.well-known/spin/info answers */
    size_t info_size;
    bool may_chain;                 /* a guest may request something of another */
    unsigned loop_count;            /* 0 until a server has it, as are the next four */
    weir_stake_t *stakes;           /* own: by loop, each that loop's */
    weir_gate_t *gates;             /* own: by engine; its lock is its own */
    uint64_t number;                /* they count from 1 */
    const weir_counted_t **counted; /* own: by guest, as what its requests are counted */

    atomic_uint references; /* one of the server while it is the current one, one of each loop that has a stake in it */
    weir_link_t link;       /* in the server's `generations`, whose lock guards it and the next one */
    weir_link_t retired_link;
};

/*
 * Prepare it for a server's loops, with one reference. `wake(context, loop)` is the gates'; the metrics must outlive
 * it. Returns false, and changes nothing, when memory ran out.
 */
bool weir_generation_prepare(weir_generation_t *generation, unsigned loops, uint64_t number, weir_metrics_t *metrics,
    void (*wake)(void *context, unsigned loop), void *context);

/* Let all of its guests' time slices end. Any thread that knows that it is not freed meanwhile. */
void weir_generation_tick(const weir_generation_t *generation);

#endif
