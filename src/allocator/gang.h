/*
 * gang.h: a few threads that do the same thing at the same time, in step. For the child of a trial, which ends with
 * them.
 */
#ifndef WEIR_ALLOCATOR_GANG_H
#define WEIR_ALLOCATOR_GANG_H

typedef struct weir_gang weir_gang_t;

enum { WEIR_GANG_MOST = 64 }; /* threads */

/* What each thread does; they are numbered from 0, and number 0 is the caller's own. */
typedef void (*weir_gang_function_t)(weir_gang_t *gang, unsigned thread, void *context);

/*
 * Run `function` on `threads` threads at once and wait until all have returned. Where the system refuses threads there
 * are fewer of them, at least the caller's own. Returns how many there were.
 */
unsigned weir_gang_run(unsigned threads, weir_gang_function_t function, void *context);

/* How many threads there are. For the threads of the gang. */
unsigned weir_gang_size(const weir_gang_t *gang);

/* Wait until every thread of the gang has called this as often. */
void weir_gang_meet(weir_gang_t *gang);

#endif
