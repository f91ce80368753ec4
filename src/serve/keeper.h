/*
 * keeper.h: which generations there are: the current one, those whose last requests are under way, and those that are
 * over, which a thread of its own frees, because that can take long.
 */
#ifndef WEIR_SERVE_KEEPER_H
#define WEIR_SERVE_KEEPER_H

#include "serve/generation_internal.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct weir_keeper {
    _Atomic(uint64_t) number; /* of the current generation, to be compared with one's own without the lock */
    pthread_mutex_t lock;     /* guards what follows */
    pthread_cond_t changed;
    weir_generation_t *current;
    weir_list_t generations; /* all that nobody frees yet */
    weir_list_t retired;     /* those among them that are over */
    unsigned count;          /* of all that are not freed yet */
    bool stop;
    pthread_t thread;
} weir_keeper_t;

/*
 * Start with a generation, which was prepared with the number 1. Returns false with errno set, and owns nothing, when
 * its thread cannot be started.
 */
bool weir_keeper_init(weir_keeper_t *keeper, weir_generation_t *own_first);

/* Let go of the current generation, and wait until all are freed: nobody has a reference any more. */
void weir_keeper_destroy(weir_keeper_t *keeper);

/* Make a generation, which was prepared with a larger number, the current one. Any thread, one at a time. */
void weir_keeper_swap(weir_keeper_t *keeper, weir_generation_t *own_next);

/* The current generation, with a reference more. Any thread. */
weir_generation_t *weir_keeper_enter(weir_keeper_t *keeper);

/* Drop a reference; after the last one the generation is freed. Any thread. */
void weir_keeper_leave(weir_keeper_t *keeper, weir_generation_t *generation);

/* Let the time slices of all guests of all generations end. Any thread. */
void weir_keeper_tick(weir_keeper_t *keeper);

/* Have something done with each generation that is not over, the oldest first, under the lock: briefly. Any thread. */
void weir_keeper_visit(
    weir_keeper_t *keeper, void (*visit)(void *context, const weir_generation_t *generation), void *context);

/* How many generations are not freed yet: whatever one has, such as its pools, is there until then. Any thread. */
unsigned weir_keeper_count(weir_keeper_t *keeper);

#endif
