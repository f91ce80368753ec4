/*
 * remedy.h: what a person can do where a choice is less than what was wanted, or nothing works.
 */
#ifndef WEIR_ALLOCATOR_REMEDY_H
#define WEIR_ALLOCATOR_REMEDY_H

#include "allocator/choice.h"

#include <stdbool.h>
#include <stddef.h>

/* What a remedy is for. */
typedef struct weir_remedy {
    weir_limit_t limit; /* that is in the way */
    bool starved;       /* trials hardly had a processor: more than any limit, that is in the way */
} weir_remedy_t;

/*
 * Whole sentences, one line, in the language of weir_language_set; "" where nothing is known to help. WEIR_REMEDY_MAX
 * bytes are enough. Returns `buffer`.
 */
const char *weir_remedy_text(const weir_choice_t *choice, const weir_remedy_t *remedy, char *buffer, size_t size);

/* Whether memories could grow further if fewer instances were wanted at once. Something works. */
bool weir_remedy_trades_slots(const weir_choice_t *choice);

#endif
