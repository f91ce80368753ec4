/*
 * holds.h: whether a choice suits guests that it was not made for. A pure function.
 */
#ifndef WEIR_ALLOCATOR_HOLDS_H
#define WEIR_ALLOCATOR_HOLDS_H

#include "weir/allocator.h"

#include <stddef.h>

typedef enum weir_holds {
    WEIR_HOLDS_NOT = 0,  /* an instance of some guest would find no room in a slot */
    WEIR_HOLDS = 1,      /* they fit, but another choice may be better for them */
    WEIR_HOLDS_WELL = 2, /* they fit, and nothing better is to be expected */
} weir_holds_t;

/* `before` are the needs of the guests that the choice was made for, by guest; `now` those of the others. Any thread.
 */
weir_holds_t weir_choice_holds(const weir_choice_t *choice, const weir_needs_t *before, size_t before_count,
    const weir_needs_t *now, size_t now_count);

#endif
