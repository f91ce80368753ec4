/*
 * progress.h: a word on standard error about work that takes longer than people expect.
 */
#ifndef WEIR_CLI_PROGRESS_H
#define WEIR_CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct weir_progress weir_progress_t;

/* What is being compiled. */
typedef struct weir_progress_work {
    const char *component; /* must live until weir_progress_end */
    size_t size;           /* bytes */
    size_t number;         /* it is this one, from 1, of so many */
    size_t count;
    bool is_kept; /* for later starts */
} weir_progress_work_t;

/*
 * A component is being compiled: log so if it takes longer than a second, again from time to time, and
 * at the end how long it took. Several may be under way at once: they are first told of in the order in which they
 * began. `standard_error` is where the log is to go when standard error has been led elsewhere, as in a trial; -1:
 * nowhere else. Returns NULL, and nothing will be logged, when there is no thread to be had. It starts a thread.
 */
weir_progress_t *weir_progress_begin(const weir_progress_work_t *work, int standard_error);

/* It has been compiled, or not. NULL is allowed. */
void weir_progress_end(weir_progress_t *own_progress);

#endif
