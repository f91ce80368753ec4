/*
 * inbox.h: how other threads reach an event loop: they put messages into its inbox, and the loop's epoll wakes when one
 * is there. The inbox outlives the loop as long as somebody may still write to it, so it is counted.
 */
#ifndef WEIR_SERVE_INBOX_H
#define WEIR_SERVE_INBOX_H

#include <stdbool.h>

typedef enum weir_message_kind {
    WEIR_MESSAGE_WAKE = 1,       /* within a weir_task_t: its guest is worth polling */
    WEIR_MESSAGE_CHAIN = 3,      /* within a weir_chain_t: it may go on */
    WEIR_MESSAGE_CONNECTION = 2, /* within a weir_arrival_t: a connection that another loop accepted */
} weir_message_kind_t;

/* Lives within what is sent; in at most one inbox at a time. */
typedef struct weir_message {
    struct weir_message *next;
    weir_message_kind_t kind;
} weir_message_t;

typedef struct weir_inbox weir_inbox_t;

/* A new inbox with one reference, or NULL with errno set. */
weir_inbox_t *weir_inbox_new(void);

/* Count one reference more, one less. The last one frees it. Any thread. */
weir_inbox_t *weir_inbox_retain(weir_inbox_t *inbox);
void weir_inbox_release(weir_inbox_t *own_inbox);

/*
 * The descriptor to be watched with EPOLLIN | EPOLLET: it is never read, each write to it is a new edge. It belongs to
 * the inbox.
 */
int weir_inbox_descriptor(const weir_inbox_t *inbox);

/* Put a message in, and wake the loop when it sleeps. Any thread. */
void weir_inbox_put(weir_inbox_t *inbox, weir_message_t *message);

/* Wake the loop, whether it sleeps or is about to. Any thread. */
void weir_inbox_wake(weir_inbox_t *inbox);

/* Take all messages, the oldest first, linked by `next`; NULL when there are none. The loop's thread only. */
weir_message_t *weir_inbox_take(weir_inbox_t *inbox);

/*
 * Announce that the loop is about to wait: from now on a message wakes it. Returns false when one is there already, and
 * the loop must not wait. weir_inbox_awake takes the announcement back. The loop's thread only.
 */
bool weir_inbox_may_sleep(weir_inbox_t *inbox);
void weir_inbox_awake(weir_inbox_t *inbox);

#endif
