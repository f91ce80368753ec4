/*
 * deadline.h: time limits that are all of the same length. They run out in the order in which they were set, so a list
 * is all that is needed: setting, lifting and finding the next one take constant time. Times are milliseconds of one
 * clock that never runs backwards.
 */
#ifndef WEIR_SERVE_DEADLINE_H
#define WEIR_SERVE_DEADLINE_H

#include "serve/list.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct weir_deadlines {
    weir_list_t list;
    uint64_t delay;
} weir_deadlines_t;

typedef struct weir_deadline {
    weir_link_t link;
    uint64_t at;
} weir_deadline_t;

static inline void weir_deadlines_init(weir_deadlines_t *deadlines, uint64_t delay)
{
    weir_list_init(&deadlines->list);
    deadlines->delay = delay;
}

/* Set the limit, counted from `now`; one that was set already starts anew. */
static inline void weir_deadline_set(weir_deadlines_t *deadlines, weir_deadline_t *deadline, uint64_t now)
{
    weir_link_remove(&deadline->link);
    deadline->at = now > UINT64_MAX - deadlines->delay ? UINT64_MAX : now + deadlines->delay;
    weir_list_append(&deadlines->list, &deadline->link);
}

/* Lift it; nothing when it was not set. */
static inline void weir_deadline_lift(weir_deadline_t *deadline)
{
    weir_link_remove(&deadline->link);
}

static inline bool weir_deadline_is_set(const weir_deadline_t *deadline)
{
    return weir_link_is_linked(&deadline->link);
}

/* Take out one that has run out, the oldest first; NULL when none has. */
static inline weir_deadline_t *weir_deadlines_expire(weir_deadlines_t *deadlines, uint64_t now)
{
    weir_link_t *first = weir_list_first(&deadlines->list);
    if (first == NULL) {
        return NULL;
    }
    weir_deadline_t *deadline = WEIR_CONTAINER(first, weir_deadline_t, link);
    if (deadline->at > now) {
        return NULL;
    }
    weir_link_remove(first);
    return deadline;
}

/* When the next one runs out; UINT64_MAX when none is set. */
static inline uint64_t weir_deadlines_next(const weir_deadlines_t *deadlines)
{
    weir_link_t *first = weir_list_first(&deadlines->list);
    return first == NULL ? UINT64_MAX : WEIR_CONTAINER(first, weir_deadline_t, link)->at;
}

#endif
