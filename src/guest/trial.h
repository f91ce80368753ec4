/*
 * trial.h: one run of a guest without a client, to see what an instance of it costs: as the server would run it, on a
 * made-up request, or no further than to its instance.
 */
#ifndef WEIR_GUEST_TRIAL_H
#define WEIR_GUEST_TRIAL_H

#include "guest/guest.h"

typedef enum weir_guest_trial {
    WEIR_GUEST_TRIAL_DONE = 0,        /* it came to its end, whatever its answer was */
    WEIR_GUEST_TRIAL_LATE = 1,        /* it was not done in time, and was ended */
    WEIR_GUEST_TRIAL_NO_INSTANCE = 2, /* none could be had */
    WEIR_GUEST_TRIAL_NO_REQUEST = 3,  /* its route is none that a request could be made for, or memory ran out */
} weir_guest_trial_t;

/*
 * Run a guest on GET for a path of `route` (what "/..." stands for is left empty), without a body; the header
 * User-Agent says what it is. The response is read to its end and dropped, and the guest is run to its own end, for at
 * most `milliseconds`; that holds for a guest that spins only while the engine's epoch goes on. Any thread, any number
 * at once.
 */
weir_guest_trial_t weir_guest_try_request(const weir_guest_t *guest, const weir_route_t *route, uint32_t milliseconds);

/* Make an instance of a guest, and drop it. As above otherwise. */
weir_guest_trial_t weir_guest_try_instance(const weir_guest_t *guest, uint32_t milliseconds);

/*
 * Whether an instance of a guest can be made; one that is not there after `milliseconds` may yet be. If not, returns
 * false and stores why, one line to be freed with free(3), or NULL when memory ran out. As above otherwise.
 */
bool weir_guest_prove_instance(const weir_guest_t *guest, uint32_t milliseconds, char **ret_reason);

#endif
