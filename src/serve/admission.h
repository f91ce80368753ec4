/*
 * admission.h: which request gets an instance, and when. Each engine of a generation has a bound on the calls that it
 * may hold; the loops have equal shares of it, and what is left over goes through its gate. Requests beyond that wait,
 * apart for each engine: those of one component in the order in which they came, the components in turn (queue.h).
 *
 * So none shuts out another: where too many wait, the youngest of the component that has most waiting gives way to one
 * of a component that has fewer, and of the instances some are kept for components that hold none.
 *
 * Calls that are still under way in earlier generations count against the bound of the current one, so that a swap
 * never means more instances than before. But each loop may always have one in the current generation, however long the
 * earlier calls last.
 *
 * What a guest requests of its own application needs an instance too, while its caller keeps one. It goes ahead of the
 * clients' requests, on the caller's loop and in the caller's generation, and some instances are kept for it. Where all
 * are held by callers that wait nevertheless, one of them is refused at once, so that the others go on.
 *
 * All of it is for the loop's own thread.
 */
#ifndef WEIR_SERVE_ADMISSION_H
#define WEIR_SERVE_ADMISSION_H

#include "serve/generation_internal.h"
#include "serve/loop.h"

#include <stdbool.h>
#include <stdint.h>

struct weir_chain;
struct weir_connection;

/* Leave to have one instance. */
typedef struct weir_permit {
    weir_stake_t *stake;
    weir_lane_t *lane;   /* of the stake, as the next one */
    weir_queue_t *queue; /* of the component */
    bool borrowed;       /* it came through the gate */
} weir_permit_t;

/* The loop enters the server's current generation for the first time, or leaves for good. Any thread. */
void weir_admission_init(weir_loop_t *loop);
void weir_admission_destroy(weir_loop_t *loop);

/* Enter the server's current generation, if there is a new one; those that wait go with it. */
void weir_admission_refresh(weir_loop_t *loop);

/* Take a permit for a request that was just examined. Returns false when it has to wait. */
bool weir_admission_take(struct weir_connection *connection, weir_permit_t *ret_permit);

/* Let it wait; where there are too many, another may have to give way. Returns false when it cannot. */
bool weir_admission_wait(struct weir_connection *connection);

/* In how many seconds there may be an instance for one that is turned away now: as long as it takes, at the pace at
 * which instances are given back, until those that wait have theirs. From 1 to WEIR_RETRY_AFTER_MAX_SECONDS. */
unsigned weir_admission_retry_after(const struct weir_connection *connection);

/* Let one wait again whose instance was refused, in its old place, and let its lane pause. */
void weir_admission_wait_again(struct weir_connection *connection);

/* It waits no more; nothing when it does not. */
void weir_admission_withdraw(struct weir_connection *connection);

/* The same for what a guest requests. Refused ones wait again with `was_refused`, and let their lane pause. */
bool weir_admission_chain_take(struct weir_chain *chain, weir_permit_t *ret_permit);
void weir_admission_chain_wait(struct weir_chain *chain, bool was_refused);

/* Start as many of those that wait as there are permits. */
void weir_admission_admit(weir_loop_t *loop);

/* There is an instance: whatever was refused before, pauses begin anew. */
void weir_admission_succeeded(const weir_permit_t *permit);

/* The instance is gone. */
void weir_admission_leave(weir_loop_t *loop, const weir_permit_t *permit);

/*
 * Let what the loop's generation is made of live as long as the answer that the connection has from its routes. No
 * instance is counted. Released when the request is over; nothing when nothing is held.
 */
void weir_admission_hold(struct weir_connection *connection);
void weir_admission_release(struct weir_connection *connection);

/* When the next pause is over; UINT64_MAX when none is under way. */
uint64_t weir_admission_next(const weir_loop_t *loop);

/* The limits of a component, and the milliseconds that one of its requests may take until its response's head. */
const weir_limits_t *weir_admission_limits(const weir_stake_t *stake, size_t component);
uint64_t weir_admission_time(const weir_loop_t *loop, const weir_stake_t *stake, size_t component);

/* The same limits, of the component that a request's match leads to in the loop's generation. */
const weir_limits_t *weir_admission_limits_of(const struct weir_connection *connection);

/* A limit of the server as a whole, in the loop's generation. 0: there is none. */
uint64_t weir_admission_server_limit(const weir_loop_t *loop, weir_serving_limit_t limit);

/* The guest that a request's match leads to, in the loop's generation. */
const weir_guest_t *weir_admission_guest(const struct weir_connection *connection);

#endif
