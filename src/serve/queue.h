/*
 * queue.h: the requests that wait on one loop for an instance of one engine, apart for each component: first come,
 * first served within a component, and in turn among components. So a burst on one component lengthens its own queue
 * alone. All of it is for the loop's own thread.
 */
#ifndef WEIR_SERVE_QUEUE_H
#define WEIR_SERVE_QUEUE_H

#include "serve/list.h"

#include <stdbool.h>
#include <stdint.h>

/* What a loop knows of one component: who waits, and how many instances it holds. Zero, but for the list, is empty. */
typedef struct weir_queue {
    weir_link_t link;    /* in the turns of its lane, while somebody waits */
    weir_list_t waiting; /* waiters, the oldest first */
    uint32_t count;      /* of them */
    uint32_t calls;      /* instances that are held */
} weir_queue_t;

/* One that waits, within what is waiting. All zero: it does not. */
typedef struct weir_waiter {
    weir_link_t link;
    weir_queue_t *queue; /* while it waits */
    uint64_t number;     /* they are numbered as they come */
} weir_waiter_t;

/* Prepare an empty queue. */
void weir_queue_init(weir_queue_t *queue);

/* Let one wait that does not, in its place by number. A queue in which nobody waited has its turn after all others. */
void weir_queue_add(weir_list_t *turns, weir_queue_t *queue, weir_waiter_t *waiter);

/* Let one wait no more. Returns false when it did not. */
bool weir_queue_remove(weir_waiter_t *waiter);

/* The one that has waited longest in a queue; NULL when nobody waits. */
weir_waiter_t *weir_queue_oldest(const weir_queue_t *queue);

/* The queue has had its turn: the next is after all others that wait. Nothing when nobody waits in it. */
void weir_queue_pass(weir_list_t *turns, weir_queue_t *queue);

/*
 * Who gives way in these turns so that one more of `newcomer` can wait: the youngest of the longest queue, if that is
 * longer than the newcomer's will be. NULL: nobody does. `longer_than` is the length that a queue must exceed at least.
 */
weir_waiter_t *weir_queue_excess(const weir_list_t *turns, const weir_queue_t *newcomer, uint32_t longer_than);

#endif
