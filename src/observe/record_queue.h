/*
 * record_queue.h: records of requests on their way from the thread that served them to one that may block: copies, with
 * their texts, in a bounded ring. One thread puts, one takes; nobody waits, and nothing is allocated.
 */
#ifndef WEIR_OBSERVE_RECORD_QUEUE_H
#define WEIR_OBSERVE_RECORD_QUEUE_H

#include "observe/record.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct weir_record_queue weir_record_queue_t;

/* A queue of so many bytes, rounded up to a power of two of 64 KiB at least. NULL: memory ran out. */
weir_record_queue_t *weir_record_queue_new(size_t bytes);

/* Free it, and what is in it. Nobody uses it any more. NULL is allowed. */
void weir_record_queue_free(weir_record_queue_t *own_queue);

/*
 * Put a copy of a record. False, and nothing is put, when there is no room. The thread that puts. This and
 * weir_record_queue_first are sequentially consistent: who puts and then finds that nobody sleeps has been seen.
 */
bool weir_record_queue_put(weir_record_queue_t *queue, const weir_request_record_t *record);

/* The oldest record, or NULL. It stays where it is until it is dropped, and so do its texts. The thread that takes. */
const weir_request_record_t *weir_record_queue_first(weir_record_queue_t *queue);

/* Drop the record that weir_record_queue_first returned. The thread that takes. */
void weir_record_queue_drop(weir_record_queue_t *queue);

/* Whether more than half of it is in use. Any thread. */
bool weir_record_queue_is_half_full(const weir_record_queue_t *queue);

#endif
