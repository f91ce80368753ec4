/*
 * report.h: what is said of a choice.
 */
#ifndef WEIR_ALLOCATOR_REPORT_H
#define WEIR_ALLOCATOR_REPORT_H

#include "allocator/choice.h"

/* Write the summary, the reason, the notice and the advice of a choice that has everything else. */
void weir_report_write(weir_choice_t *choice);

#endif
