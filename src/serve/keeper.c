/*
 * keeper.c: two lists and a thread. A generation leaves the list that is ticked before it is freed.
 */
#include "serve/keeper.h"

#include "observe/thread.h"
#include "serve/limits.h"

#include <errno.h>

/* The first generation that is over, taken out of both lists; NULL when all are freed and no more will come. */
static weir_generation_t *next_retired(weir_keeper_t *keeper)
{
    weir_generation_t *generation = NULL;
    pthread_mutex_lock(&keeper->lock);
    while (weir_list_is_empty(&keeper->retired) && !(keeper->stop && weir_list_is_empty(&keeper->generations))) {
        pthread_cond_wait(&keeper->changed, &keeper->lock);
    }
    weir_link_t *first = weir_list_first(&keeper->retired);
    if (first != NULL) {
        generation = WEIR_CONTAINER(first, weir_generation_t, retired_link);
        weir_link_remove(&generation->retired_link);
        weir_link_remove(&generation->link);
    }
    pthread_mutex_unlock(&keeper->lock);
    return generation;
}

static void *keeper_main(void *argument)
{
    weir_keeper_t *keeper = argument;
    weir_generation_t *generation;
    while ((generation = next_retired(keeper)) != NULL) {
        weir_generation_free(generation);
        pthread_mutex_lock(&keeper->lock);
        keeper->count--;
        pthread_mutex_unlock(&keeper->lock);
    }
    return NULL;
}

bool weir_keeper_init(weir_keeper_t *keeper, weir_generation_t *own_first)
{
    *keeper = (weir_keeper_t){.current = own_first, .count = 1};
    atomic_init(&keeper->number, own_first->number);
    weir_list_init(&keeper->generations);
    weir_list_init(&keeper->retired);
    weir_list_append(&keeper->generations, &own_first->link);
    pthread_mutex_init(&keeper->lock, NULL);
    pthread_cond_init(&keeper->changed, NULL);
    int error = weir_thread_start(&keeper->thread, WEIR_LOOP_STACK_BYTES, keeper_main, keeper);
    if (error != 0) {
        weir_link_remove(&own_first->link);
        pthread_cond_destroy(&keeper->changed);
        pthread_mutex_destroy(&keeper->lock);
        errno = error;
        return false;
    }
    return true;
}

void weir_keeper_destroy(weir_keeper_t *keeper)
{
    weir_keeper_leave(keeper, keeper->current);
    pthread_mutex_lock(&keeper->lock);
    keeper->stop = true;
    pthread_cond_signal(&keeper->changed);
    pthread_mutex_unlock(&keeper->lock);
    pthread_join(keeper->thread, NULL);
    pthread_cond_destroy(&keeper->changed);
    pthread_mutex_destroy(&keeper->lock);
}

void weir_keeper_swap(weir_keeper_t *keeper, weir_generation_t *own_next)
{
    pthread_mutex_lock(&keeper->lock);
    weir_generation_t *previous = keeper->current;
    keeper->current = own_next;
    weir_list_append(&keeper->generations, &own_next->link);
    keeper->count++;
    atomic_store_explicit(&keeper->number, own_next->number, memory_order_release);
    pthread_mutex_unlock(&keeper->lock);
    weir_keeper_leave(keeper, previous);
}

weir_generation_t *weir_keeper_enter(weir_keeper_t *keeper)
{
    pthread_mutex_lock(&keeper->lock);
    weir_generation_t *generation = keeper->current;
    atomic_fetch_add_explicit(&generation->references, 1, memory_order_relaxed);
    pthread_mutex_unlock(&keeper->lock);
    return generation;
}

void weir_keeper_leave(weir_keeper_t *keeper, weir_generation_t *generation)
{
    if (atomic_fetch_sub_explicit(&generation->references, 1, memory_order_acq_rel) > 1) {
        return;
    }
    pthread_mutex_lock(&keeper->lock);
    weir_list_append(&keeper->retired, &generation->retired_link);
    pthread_cond_signal(&keeper->changed);
    pthread_mutex_unlock(&keeper->lock);
}

void weir_keeper_tick(weir_keeper_t *keeper)
{
    pthread_mutex_lock(&keeper->lock);
    for (weir_link_t *link = weir_list_first(&keeper->generations); link != NULL;
        link = weir_list_next(&keeper->generations, link)) {
        weir_generation_tick(WEIR_CONTAINER(link, weir_generation_t, link));
    }
    pthread_mutex_unlock(&keeper->lock);
}

void weir_keeper_visit(
    weir_keeper_t *keeper, void (*visit)(void *context, const weir_generation_t *generation), void *context)
{
    pthread_mutex_lock(&keeper->lock);
    for (weir_link_t *link = weir_list_first(&keeper->generations); link != NULL;
        link = weir_list_next(&keeper->generations, link)) {
        visit(context, WEIR_CONTAINER(link, weir_generation_t, link));
    }
    pthread_mutex_unlock(&keeper->lock);
}

unsigned weir_keeper_count(weir_keeper_t *keeper)
{
    pthread_mutex_lock(&keeper->lock);
    unsigned count = keeper->count;
    pthread_mutex_unlock(&keeper->lock);
    return count;
}
