/*
 * fresh.h: a choice made by a fresh process, exactly as a program makes it at its start.
 */
#ifndef WEIR_BENCH_FRESH_H
#define WEIR_BENCH_FRESH_H

#include "weir/allocator.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is told of the choice. */
typedef struct weir_fresh {
    uint32_t magic;
    int32_t status; /* a weir_status_t, of weir_allocator_choose */
    bool works;     /* it has a rung */
    weir_rung_t rung;
    weir_needs_t needs; /* complete */
    weir_facts_t facts;
    double milliseconds;          /* to decide */
    double instance_microseconds; /* as its own trial had it */
    char summary[512];            /* as long as a choice's own, as are the next three */
    char reason[1024];
    char notice[4096];
    char advice[1024];
} weir_fresh_t;

/*
 * Choose in a child process that remembers nothing and of which nothing is remembered, within `milliseconds`. `options`
 * is used but for its cache and its server. Returns true with what the child told, also when nothing works there; false
 * when there was no answer, with the reason in `message`, one line, and `*ret_fresh` untouched.
 *
 * It forks, for under a user-mode emulator a program that is executed anew would leave it: call this while the process
 * has one thread.
 */
bool weir_fresh_choose(const weir_choose_options_t *options, uint32_t milliseconds, weir_fresh_t *ret_fresh,
    char *message, size_t message_size);

#endif
