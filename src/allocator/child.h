/*
 * child.h: runs a function in a child process that has a deadline, and tells apart every way in which that can end.
 */
#ifndef WEIR_ALLOCATOR_CHILD_H
#define WEIR_ALLOCATOR_CHILD_H

#include <stddef.h>
#include <stdint.h>

typedef enum weir_child_end {
    WEIR_CHILD_REPORTED = 0, /* the whole report came, and the child exited with status 0 */
    WEIR_CHILD_SILENT = 1,   /* it exited without a report: `detail` is its status */
    WEIR_CHILD_SHORT = 2,    /* it exited with a part of a report, or with more than one */
    WEIR_CHILD_SIGNAL = 3,   /* it died of a signal: `detail` is its number */
    WEIR_CHILD_DEADLINE = 4, /* it was not done in time and was killed */
    WEIR_CHILD_SYSTEM = 5,   /* there was no child, or its end cannot be known: `error_number` says why */
} weir_child_end_t;

typedef struct weir_child_result {
    weir_child_end_t end;
    int detail;
    int error_number;
    const char *call;              /* the call that `error_number` is from; constant */
    double milliseconds;           /* from fork to reaped */
    double processor_milliseconds; /* that it used, on all processors; 0 when that is not known */
    char complaint[200]; /* how what it wrote to standard error begins, on one line: a panic's message, for instance */
} weir_child_result_t;

/*
 * What the child does: write the report, in as many parts as it likes, and return its exit status. It runs in a copy
 * of a process with one thread. It must not return to the caller's code in any other way.
 */
typedef int (*weir_child_function_t)(int report_descriptor, void *context);

/*
 * Fork, run `function` in the child, and wait until it has ended, at most `milliseconds`; then it is killed. It is
 * always reaped. On WEIR_CHILD_REPORTED `report` holds exactly `size` bytes, which are not to be trusted; otherwise its
 * contents are undefined.
 *
 * The child is the first to go when memory runs out, dumps no core, dies with its parent, and its standard output and
 * error do not reach the parent's. Call this from a process with one thread: the child goes on to use what a fork from
 * many threads would leave locked.
 */
void weir_child_run(weir_child_function_t function, void *context, uint32_t milliseconds, void *report, size_t size,
    weir_child_result_t *ret_result);

/* A child that runs while its parent does something else. */
typedef struct weir_child weir_child_t;

/*
 * The first half of weir_child_run: fork. `context` may go afterwards, `report` is to stay until the second half. What
 * is refused is told by that. NULL: memory ran out, and there is no child.
 */
weir_child_t *weir_child_begin(
    weir_child_function_t function, void *context, uint32_t milliseconds, void *report, size_t size);

/* The second half: wait until it has ended, at most until its deadline. The process may have more threads by now. */
void weir_child_end(weir_child_t *own_child, weir_child_result_t *ret_result);

/* Be the first that the kernel takes when memory runs out, with all children. Where that is forbidden, nothing changes.
 */
void weir_child_volunteer_for_oom(void);

/* Milliseconds on a clock that only goes forward. */
double weir_clock_milliseconds(void);

#endif
