/*
 * doctor_compare.h: the choice that `weir doctor` makes, against the best that the hardware could give, and against
 * what `weir up` remembers.
 */
#ifndef WEIR_CLI_DOCTOR_COMPARE_H
#define WEIR_CLI_DOCTOR_COMPARE_H

#include "cli/diagnosis.h"

/*
 * weir_allocator_choose, with each trial on the status line. The trials fork from this process: WEIR_ERROR_THREADS when
 * it has a second thread.
 */
weir_status_t weir_doctor_choose(const weir_choose_options_t *options, weir_choice_t **ret_choice);

/* Time the diagnosis' choice against the best, and fill in its comparison. Forks; from a process with one thread. */
void weir_doctor_compare(weir_diagnosis_t *diagnosis);

/* Find what an earlier `weir up` with the same options decided, in the same environment. */
void weir_doctor_recall(weir_diagnosis_t *diagnosis);

#endif
