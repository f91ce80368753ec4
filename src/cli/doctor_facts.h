/*
 * doctor_facts.h: the facts for a person: those that matter to a choice, or all of them.
 */
#ifndef WEIR_CLI_DOCTOR_FACTS_H
#define WEIR_CLI_DOCTOR_FACTS_H

#include "cli/page.h"
#include "weir/allocator.h"

/* Print what was found of the machine: what bounds the choice and what is unusual; with `all` every fact. */
void weir_doctor_print_facts(const weir_page_t *page, const weir_choice_t *choice, weir_strategy_t strategy, bool all);

#endif
