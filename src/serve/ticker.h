/*
 * ticker.h: the epoch tick, which ends the time slice of a guest that spins. A spinning guest occupies its loop's
 * thread, so the tick has a thread of its own; it sleeps while no guest runs.
 */
#ifndef WEIR_SERVE_TICKER_H
#define WEIR_SERVE_TICKER_H

#include <stdbool.h>
#include <stdint.h>

/*
 * How long a slice lasts at most, where nothing else is wanted. Spin's is 10; with 2 light requests beside guests that
 * compute had a third of the latency (p99), for 1 % more CPU time or less; with 1 no less, and it cost 2 to 6 %.
 */
#define WEIR_TICK_MILLISECONDS 2

/* No ticks: guests run until they wait or end. */
#define WEIR_TICK_NEVER UINT32_MAX

typedef struct weir_ticker weir_ticker_t;

/*
 * Start ticking for threads numbered from 0 to `threads` - 1: `tick(context)` is called every `milliseconds`, on the
 * ticker's thread, as long as at least one of them is between weir_ticker_begin and weir_ticker_end. With
 * WEIR_TICK_NEVER it never is, and there is no such thread. Returns NULL with errno set on failure.
 */
weir_ticker_t *weir_ticker_new(unsigned threads, uint32_t milliseconds, void (*tick)(void *context), void *context);

/* Stop ticking and join the thread. NULL is allowed. No thread may begin or end any more. */
void weir_ticker_free(weir_ticker_t *own_ticker);

/* Thread number `thread` begins, or ends, running guest code. Cheap: no system call unless the ticker sleeps. */
void weir_ticker_begin(weir_ticker_t *ticker, unsigned thread);
void weir_ticker_end(weir_ticker_t *ticker, unsigned thread);

/* How often it has ticked, modulo 2^32. Any thread. */
uint32_t weir_ticker_count(const weir_ticker_t *ticker);

#endif
