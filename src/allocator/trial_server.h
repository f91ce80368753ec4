/*
 * trial_server.h: trials for a process that has threads: see weir_trial_server_start.
 */
#ifndef WEIR_ALLOCATOR_TRIAL_SERVER_H
#define WEIR_ALLOCATOR_TRIAL_SERVER_H

#include "allocator/facts.h"
#include "allocator/plan.h"
#include "weir/allocator.h"

#include <stdbool.h>
#include <sys/types.h>

/*
 * As weir_trial_server_start; the server calls `enter` with `context` at once, to close what is its parent's alone, and
 * `confine` with `context` before its first trial, and a tenth of a second after its start if there was none, to give
 * up what trials do not need. They fork, read /proc, take and map memory and memory files, start threads, and write to
 * standard error.
 */
weir_status_t weir_trial_server_start_confined(
    void (*enter)(void *context), void (*confine)(void *context), void *context, weir_trial_server_t **ret_server);

/* The process of a server, or 0 where `server` is NULL. Any thread. */
pid_t weir_trial_server_process(const weir_trial_server_t *server);

/*
 * Have the server run the trial of a plan, which may name a file with code. Always gives a verdict: a server that is
 * gone or does not answer in time is one. Any thread; one trial at a time, the others wait.
 */
void weir_trial_server_run(
    weir_trial_server_t *server, const weir_facts_t *facts, const weir_plan_t *plan, weir_verdict_t *ret_verdict);

/*
 * What a spawned process does: `channel` is its end of a pair of sockets, and it has one thread, and what this process
 * had when the trial server was started. When it returns the process ends with that status.
 */
typedef int (*weir_spawned_function_t)(int channel);

/*
 * Have the server fork a process, which runs a function of this program. On success stores this side's end of the pair
 * of sockets (SOCK_SEQPACKET, close-on-exec), whose closing the process should take for its end: it dies with the
 * server in any case. One at a time: false, with errno EBUSY, while another has not ended, and with others where it
 * cannot be had. Any thread.
 */
bool weir_trial_server_spawn(weir_trial_server_t *server, weir_spawned_function_t function, int *ret_channel);

#endif
