/*
 * inbox.c: a stack that any thread pushes onto without a lock and that the loop takes as a whole, and an eventfd that
 * is written only when the loop sleeps.
 */
#include "serve/inbox.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct weir_inbox {
    atomic_uint references;
    _Atomic(weir_message_t *) newest;
    /*
     * Set by the loop before it waits, cleared by whoever wakes it. The loop sets it and then looks for messages, a
     * sender puts a message and then looks at it: in the one order of sequentially consistent operations at least one
     * of the two sees the other.
     */
    atomic_bool sleeping;
    int event;
};

weir_inbox_t *weir_inbox_new(void)
{
    weir_inbox_t *inbox = calloc(1, sizeof(*inbox));
    if (inbox == NULL) {
        return NULL;
    }
    inbox->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (inbox->event < 0) {
        free(inbox);
        return NULL;
    }
    atomic_init(&inbox->references, 1);
    atomic_init(&inbox->newest, NULL);
    atomic_init(&inbox->sleeping, false);
    return inbox;
}

weir_inbox_t *weir_inbox_retain(weir_inbox_t *inbox)
{
    atomic_fetch_add_explicit(&inbox->references, 1, memory_order_relaxed);
    return inbox;
}

void weir_inbox_release(weir_inbox_t *own_inbox)
{
    if (atomic_fetch_sub_explicit(&own_inbox->references, 1, memory_order_acq_rel) == 1) {
        close(own_inbox->event);
        free(own_inbox);
    }
}

int weir_inbox_descriptor(const weir_inbox_t *inbox)
{
    return inbox->event;
}

static void signal_event(weir_inbox_t *inbox)
{
    uint64_t one = 1;
    /* It fails only when the counter is full, and then the edge has long been raised. */
    ssize_t written = write(inbox->event, &one, sizeof(one));
    (void)written;
}

void weir_inbox_put(weir_inbox_t *inbox, weir_message_t *message)
{
    weir_message_t *newest = atomic_load_explicit(&inbox->newest, memory_order_relaxed);
    do {
        message->next = newest;
    } while (!atomic_compare_exchange_weak_explicit(
        &inbox->newest, &newest, message, memory_order_seq_cst, memory_order_relaxed));
    if (atomic_load(&inbox->sleeping) && atomic_exchange(&inbox->sleeping, false)) {
        signal_event(inbox);
    }
}

void weir_inbox_wake(weir_inbox_t *inbox)
{
    signal_event(inbox);
}

weir_message_t *weir_inbox_take(weir_inbox_t *inbox)
{
    if (atomic_load_explicit(&inbox->newest, memory_order_relaxed) == NULL) {
        return NULL;
    }
    weir_message_t *message = atomic_exchange(&inbox->newest, NULL);
    weir_message_t *oldest = NULL;
    while (message != NULL) {
        weir_message_t *next = message->next;
        message->next = oldest;
        oldest = message;
        message = next;
    }
    return oldest;
}

bool weir_inbox_may_sleep(weir_inbox_t *inbox)
{
    atomic_store(&inbox->sleeping, true);
    if (atomic_load(&inbox->newest) == NULL) {
        return true;
    }
    atomic_store(&inbox->sleeping, false);
    return false;
}

void weir_inbox_awake(weir_inbox_t *inbox)
{
    atomic_store_explicit(&inbox->sleeping, false, memory_order_relaxed);
}
