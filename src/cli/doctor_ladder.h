/*
 * doctor_ladder.h: for a person, what was tried, and what was not and why.
 */
#ifndef WEIR_CLI_DOCTOR_LADDER_H
#define WEIR_CLI_DOCTOR_LADDER_H

#include "cli/page.h"
#include "weir/allocator.h"

/* Print the ladder of a choice: with `verbose` each step of it, otherwise one of each kind, and the others counted. */
void weir_doctor_print_ladder(const weir_page_t *page, const weir_choice_t *choice, bool verbose);

#endif
