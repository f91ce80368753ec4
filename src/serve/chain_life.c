/*
 * chain_life.c: how a request from guest to guest comes to be and ends, and its waker, which is as that of a task.
 */
#include "guest/handover.h"
#include "observe/log.h"
#include "serve/chain_internal.h"
#include "serve/limits.h"

#include <stdlib.h>

/* ---- The waker --------------------------------------------------------------------------------------------------- */

static void release_chain(weir_chain_t *chain)
{
    if (atomic_fetch_sub_explicit(&chain->references, 1, memory_order_acq_rel) == 1) {
        weir_inbox_release(chain->inbox);
        free(chain);
    }
}

void weir_chain_make_ready(weir_chain_t *chain)
{
    if (chain->outgoing != NULL && !weir_link_is_linked(&chain->ready_link)) {
        weir_list_append(&chain->loop->ready_chains, &chain->ready_link);
    }
}

static void wake(void *context)
{
    weir_chain_t *chain = weir_take_from_bridge(context);
    if (weir_loop_is_own(chain->inbox)) {
        weir_chain_make_ready(chain);
    } else if (!atomic_exchange(&chain->woken, true)) {
        atomic_fetch_add_explicit(&chain->references, 1, memory_order_relaxed);
        weir_inbox_put(chain->inbox, &chain->message);
    }
    weir_give_to_bridge(chain);
}

static void release_waker(void *context)
{
    release_chain(weir_take_from_bridge(context));
}

void weir_chain_receive(weir_message_t *message)
{
    weir_chain_t *chain = WEIR_CONTAINER(message, weir_chain_t, message);
    atomic_store(&chain->woken, false);
    weir_chain_make_ready(chain);
    release_chain(chain);
}

/* ---- Its end ----------------------------------------------------------------------------------------------------- */

/* The task goes on alone, or was ended: the chain is over. */
void weir_chain_end(weir_chain_t *own_chain)
{
    weir_outgoing_t *outgoing = own_chain->outgoing;
    weir_task_t *task = own_chain->task;
    own_chain->outgoing = NULL; /* the waker may be called while it is being freed */
    own_chain->task = NULL;
    weir_link_remove(&own_chain->link);
    weir_link_remove(&own_chain->ready_link);
    weir_link_remove(&own_chain->waiting_link);
    weir_deadline_lift(&own_chain->deadline);
    own_chain->caller->chain_count--;
    if (task != NULL) {
        task->chain = NULL;
        weir_task_end(task);
    }
    weir_outgoing_free(outgoing);
    weir_request_body_free(&own_chain->collected);
    release_chain(own_chain);
}

void weir_chain_fail(weir_chain_t *own_chain, weir_outgoing_failure_t failure)
{
    weir_outgoing_fail(own_chain->outgoing, failure);
    weir_chain_end(own_chain);
}

/* ---- Its beginning ----------------------------------------------------------------------------------------------- */

void weir_chain_take(void *caller, weir_outgoing_t *own_outgoing)
{
    weir_task_t *task = caller;
    weir_chain_t *chain = NULL;
    weir_outgoing_failure_t failure = WEIR_OUTGOING_INTERNAL;
    if (task == NULL) {
        failure = WEIR_OUTGOING_DENIED; /* nobody serves it: an instance that is only being tried */
    } else if (task->depth >= WEIR_CHAIN_DEPTH_MAX) {
        weir_exchange_log(task->exchange, WEIR_LOG_WARNING,
            "a request to its own application was refused: %u are nested already", (unsigned)WEIR_CHAIN_DEPTH_MAX);
        failure = WEIR_OUTGOING_TOO_DEEP;
    } else if (task->chain_count >= WEIR_CHAINS_MAX) {
        failure = WEIR_OUTGOING_NO_ROOM;
    } else {
        chain = calloc(1, sizeof(*chain));
    }
    if (chain == NULL) {
        weir_outgoing_fail(own_outgoing, failure);
        weir_outgoing_free(own_outgoing);
        return;
    }
    atomic_init(&chain->references, 2);
    atomic_init(&chain->woken, false);
    chain->message.kind = WEIR_MESSAGE_CHAIN;
    chain->inbox = weir_inbox_retain(task->loop->inbox);
    chain->loop = task->loop;
    chain->outgoing = own_outgoing;
    chain->caller = task;
    chain->stake = task->permit.stake;
    chain->depth = task->depth + 1;
    task->chain_count++;
    weir_list_append(&task->chains, &chain->link);
    weir_chain_make_ready(chain);
    weir_give_to_bridge(chain);
    weir_outgoing_watch(own_outgoing, (weir_waker_t){.wake = wake, .release = release_waker, .context = chain});
}
