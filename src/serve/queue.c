/*
 * queue.c: lists of lists. Dropping from the longest queue gives each component that has more to say than there is room
 * for an equal share of the room, without any being set aside for those that are silent.
 */
#include "serve/queue.h"

void weir_queue_init(weir_queue_t *queue)
{
    *queue = (weir_queue_t){.count = 0};
    weir_list_init(&queue->waiting);
}

void weir_queue_add(weir_list_t *turns, weir_queue_t *queue, weir_waiter_t *waiter)
{
    /* Nearly always the last: an earlier one only when its instance was refused, or routes have changed. */
    weir_link_t *end = &queue->waiting.head;
    weir_link_t *next = end;
    while (next->previous != end && WEIR_CONTAINER(next->previous, weir_waiter_t, link)->number > waiter->number) {
        next = next->previous;
    }
    weir_list_insert(next, &waiter->link);
    waiter->queue = queue;
    queue->count++;
    if (!weir_link_is_linked(&queue->link)) {
        weir_list_append(turns, &queue->link);
    }
}

bool weir_queue_remove(weir_waiter_t *waiter)
{
    weir_queue_t *queue = waiter->queue;
    if (queue == NULL) {
        return false;
    }
    weir_link_remove(&waiter->link);
    waiter->queue = NULL;
    queue->count--;
    if (queue->count == 0) {
        weir_link_remove(&queue->link);
    }
    return true;
}

weir_waiter_t *weir_queue_oldest(const weir_queue_t *queue)
{
    weir_link_t *first = weir_list_first(&queue->waiting);
    return first == NULL ? NULL : WEIR_CONTAINER(first, weir_waiter_t, link);
}

void weir_queue_pass(weir_list_t *turns, weir_queue_t *queue)
{
    if (queue->count > 0) {
        weir_link_remove(&queue->link);
        weir_list_append(turns, &queue->link);
    }
}

weir_waiter_t *weir_queue_excess(const weir_list_t *turns, const weir_queue_t *newcomer, uint32_t longer_than)
{
    const weir_queue_t *longest = NULL;
    uint32_t least = newcomer->count + 1 > longer_than ? newcomer->count + 1 : longer_than;
    for (weir_link_t *link = weir_list_first(turns); link != NULL; link = weir_list_next(turns, link)) {
        const weir_queue_t *queue = WEIR_CONTAINER(link, weir_queue_t, link);
        if (queue->count > least) {
            longest = queue;
            least = queue->count;
        }
    }
    return longest == NULL ? NULL : WEIR_CONTAINER(weir_list_last(&longest->waiting), weir_waiter_t, link);
}
