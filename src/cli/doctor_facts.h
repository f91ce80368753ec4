/*
 * doctor_facts.h: the facts for a person: those that matter to a choice, or all of them.
 */
#ifndef WEIR_CLI_DOCTOR_FACTS_H
#define WEIR_CLI_DOCTOR_FACTS_H

#include "cli/diagnosis.h"
#include "cli/page.h"

/* Print what was found of the machine: what bounds the choice and what is unusual; with `all` every fact. */
void weir_doctor_print_facts(const weir_page_t *page, const weir_diagnosis_t *diagnosis, bool all);

#endif
