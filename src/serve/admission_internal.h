/*
 * admission_internal.h: what the two parts of admission have of each other: that of clients' requests (admission.c) and
 * that of calls from guest to guest (admission_chain.c). For the loop's own thread.
 */
#ifndef WEIR_SERVE_ADMISSION_INTERNAL_H
#define WEIR_SERVE_ADMISSION_INTERNAL_H

#include "serve/admission.h"

/*
 * Take a permit in a lane of the stake for a request of the queue's component, without regard to those that wait. The
 * depth is 0 for a client's request, else by how many guests it came. Returns false when there is none now.
 */
bool weir_admission_enter(weir_loop_t *loop, weir_stake_t *stake, weir_lane_t *lane, weir_queue_t *queue,
    unsigned depth, weir_permit_t *ret_permit);

/* An instance was refused: let the lane pause before it tries again, twice as long as the last time, within bounds. */
void weir_admission_pause(const weir_loop_t *loop, weir_lane_t *lane);

/* Calls from guest to guest that wait go ahead; where they can only wait for ever, the one that came last is refused.
 */
void weir_admission_admit_chained(weir_loop_t *loop, weir_stake_t *stake, size_t engine);

#endif
