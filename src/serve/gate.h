/*
 * gate.h: the calls of an engine that no loop has for itself, because they do not divide evenly among the loops. A loop
 * that wants one and finds none is told when its turn has come, in the order in which the loops asked; so even one call
 * for many loops goes round.
 */
#ifndef WEIR_SERVE_GATE_H
#define WEIR_SERVE_GATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Guarded by its lock, except what is constant. */
typedef struct weir_gate {
    pthread_mutex_t lock;
    void (*wake)(void *context, unsigned loop); /* constant, as are the next two */
    void *context;
    unsigned loops;
    uint32_t free;
    unsigned *queue; /* own: a ring of the loops that have asked, each at most once */
    unsigned queue_first;
    unsigned queue_size;
    bool *queued;  /* own: by loop */
    bool *granted; /* own: by loop; a call is kept for it */
} weir_gate_t;

/*
 * Prepare a gate with so many calls to give, fewer than there are loops. `wake(context, loop)` is called, on any
 * thread, when a call is kept for a loop that asked. Returns false when memory ran out, with nothing to free.
 */
bool weir_gate_init(
    weir_gate_t *gate, uint32_t calls, unsigned loops, void (*wake)(void *context, unsigned loop), void *context);

/* Undo weir_gate_init. */
void weir_gate_destroy(weir_gate_t *gate);

/* Take a call. Returns false when there is none: then this loop has asked, and it is told when it should try again. */
bool weir_gate_enter(weir_gate_t *gate, unsigned loop);

/* This loop does not want one after all: forget that it asked, or pass on what is kept for it. */
void weir_gate_decline(weir_gate_t *gate, unsigned loop);

/* Give a call back. */
void weir_gate_leave(weir_gate_t *gate);

#endif
