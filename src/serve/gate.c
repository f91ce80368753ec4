/*
 * gate.c: a count and a queue under one lock. A call that comes back goes to the first loop in the queue, so that the
 * one that gave it back, and asks at once for another, does not overtake those that wait.
 */
#include "serve/gate.h"

#include <stdlib.h>

bool weir_gate_init(
    weir_gate_t *gate, uint32_t calls, unsigned loops, void (*wake)(void *context, unsigned loop), void *context)
{
    *gate = (weir_gate_t){.wake = wake, .context = context, .loops = loops, .free = calls};
    gate->queue = calloc(loops, sizeof(*gate->queue));
    gate->queued = calloc(loops, sizeof(*gate->queued));
    gate->granted = calloc(loops, sizeof(*gate->granted));
    if (gate->queue == NULL || gate->queued == NULL || gate->granted == NULL) {
        free(gate->queue);
        free(gate->queued);
        free(gate->granted);
        return false;
    }
    pthread_mutex_init(&gate->lock, NULL);
    return true;
}

void weir_gate_destroy(weir_gate_t *gate)
{
    pthread_mutex_destroy(&gate->lock);
    free(gate->queue);
    free(gate->queued);
    free(gate->granted);
}

bool weir_gate_enter(weir_gate_t *gate, unsigned loop)
{
    bool entered = false;
    pthread_mutex_lock(&gate->lock);
    if (gate->granted[loop]) {
        gate->granted[loop] = false;
        entered = true;
    } else if (gate->free > 0) {
        /* Nobody is in the queue then: what came back would have been given to them. */
        gate->free--;
        entered = true;
    } else if (!gate->queued[loop]) {
        gate->queue[(gate->queue_first + gate->queue_size) % gate->loops] = loop;
        gate->queue_size++;
        gate->queued[loop] = true;
    }
    pthread_mutex_unlock(&gate->lock);
    return entered;
}

/* One has come back: keep it for whoever is first. */
static void pass_on(weir_gate_t *gate)
{
    if (gate->queue_size == 0) {
        gate->free++;
        return;
    }
    unsigned loop = gate->queue[gate->queue_first];
    gate->queue_first = (gate->queue_first + 1) % gate->loops;
    gate->queue_size--;
    gate->queued[loop] = false;
    gate->granted[loop] = true;
    gate->wake(gate->context, loop);
}

void weir_gate_decline(weir_gate_t *gate, unsigned loop)
{
    pthread_mutex_lock(&gate->lock);
    if (gate->granted[loop]) {
        gate->granted[loop] = false;
        pass_on(gate);
    } else if (gate->queued[loop]) {
        unsigned kept = 0;
        for (unsigned i = 0; i < gate->queue_size; i++) {
            unsigned other = gate->queue[(gate->queue_first + i) % gate->loops];
            if (other != loop) {
                gate->queue[(gate->queue_first + kept) % gate->loops] = other;
                kept++;
            }
        }
        gate->queue_size = kept;
        gate->queued[loop] = false;
    }
    pthread_mutex_unlock(&gate->lock);
}

void weir_gate_leave(weir_gate_t *gate)
{
    pthread_mutex_lock(&gate->lock);
    pass_on(gate);
    pthread_mutex_unlock(&gate->lock);
}
