/*
 * trial_server.h: trials for a process that has threads: see weir_trial_server_start.
 */
#ifndef WEIR_ALLOCATOR_TRIAL_SERVER_H
#define WEIR_ALLOCATOR_TRIAL_SERVER_H

#include "allocator/facts.h"
#include "allocator/plan.h"
#include "weir/allocator.h"

/*
 * Have the server run the trial of a plan, which may name a file with code. Always gives a verdict: a server that is
 * gone or does not answer in time is one. Any thread; one trial at a time, the others wait.
 */
void weir_trial_server_run(
    weir_trial_server_t *server, const weir_facts_t *facts, const weir_plan_t *plan, weir_verdict_t *ret_verdict);

#endif
