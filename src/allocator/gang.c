/*
 * gang.c: a few threads that do the same thing at the same time.
 */
#include "allocator/gang.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

enum { STACK_BYTES = 1024 * 1024 };

struct weir_gang {
    weir_gang_function_t function;
    void *context;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool begun; /* `size` is final */
    unsigned size;
    unsigned waiting;
    unsigned meetings;
};

typedef struct member {
    weir_gang_t *gang;
    unsigned thread;
} member_t;

static void *run_member(void *argument)
{
    const member_t *member = argument;
    weir_gang_t *gang = member->gang;
    pthread_mutex_lock(&gang->lock);
    while (!gang->begun) {
        pthread_cond_wait(&gang->changed, &gang->lock);
    }
    pthread_mutex_unlock(&gang->lock);
    gang->function(gang, member->thread, gang->context);
    return NULL;
}

unsigned weir_gang_run(unsigned threads, weir_gang_function_t function, void *context)
{
    pthread_t handles[WEIR_GANG_MOST] = {0};
    member_t members[WEIR_GANG_MOST];
    weir_gang_t gang = {.function = function,
        .context = context,
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .changed = PTHREAD_COND_INITIALIZER,
        .size = 1};
    pthread_attr_t attributes;
    threads = threads > WEIR_GANG_MOST ? WEIR_GANG_MOST : threads;
    if (threads > 1 && pthread_attr_init(&attributes) == 0) {
        pthread_attr_setstacksize(&attributes, STACK_BYTES);
        while (gang.size < threads) {
            members[gang.size] = (member_t){&gang, gang.size};
            if (pthread_create(&handles[gang.size], &attributes, run_member, &members[gang.size]) != 0) {
                break;
            }
            gang.size++;
        }
        pthread_attr_destroy(&attributes);
    }
    pthread_mutex_lock(&gang.lock);
    gang.begun = true;
    pthread_cond_broadcast(&gang.changed);
    pthread_mutex_unlock(&gang.lock);
    function(&gang, 0, context);
    for (unsigned i = 1; i < gang.size; i++) {
        pthread_join(handles[i], NULL);
    }
    return gang.size;
}

unsigned weir_gang_size(const weir_gang_t *gang)
{
    return gang->size;
}

void weir_gang_meet(weir_gang_t *gang)
{
    if (gang->size == 1) {
        return;
    }
    pthread_mutex_lock(&gang->lock);
    unsigned meeting = gang->meetings;
    if (++gang->waiting == gang->size) {
        gang->waiting = 0;
        gang->meetings++;
        pthread_cond_broadcast(&gang->changed);
    }
    while (meeting == gang->meetings) {
        pthread_cond_wait(&gang->changed, &gang->lock);
    }
    pthread_mutex_unlock(&gang->lock);
}
