/*
 * deadline.h: time limits that are all of the same length. They run out in the order in which they were set, so a list
 * is all that is needed: setting, lifting and finding the next one take constant time. Where lengths differ, there is a
 * list for each. Times are milliseconds of one clock that never runs backwards.
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

/* ---- Of several lengths ------------------------------------------------------------------------------------------ */

enum { WEIR_DEADLINE_LENGTHS = 8 };

/* Time limits of different lengths. A list takes another length when nothing is in it. */
typedef struct weir_deadline_lists {
    weir_deadlines_t lists[WEIR_DEADLINE_LENGTHS];
} weir_deadline_lists_t;

static inline void weir_deadline_lists_init(weir_deadline_lists_t *lists)
{
    for (unsigned i = 0; i < WEIR_DEADLINE_LENGTHS; i++) {
        weir_deadlines_init(&lists->lists[i], 0);
    }
}

/*
 * Set a limit of this length, counted from `now`; one that was set already starts anew. In constant time while there
 * are not more lengths at once than lists; others share the last list, in order, which may take as long as that is.
 */
static inline void weir_deadline_lists_set(
    weir_deadline_lists_t *lists, weir_deadline_t *deadline, uint64_t delay, uint64_t now)
{
    weir_deadlines_t *last = &lists->lists[WEIR_DEADLINE_LENGTHS - 1];
    weir_link_remove(&deadline->link);
    for (weir_deadlines_t *list = lists->lists; list != last; list++) {
        if (list->delay == delay || weir_list_is_empty(&list->list)) {
            list->delay = delay;
            weir_deadline_set(list, deadline, now);
            return;
        }
    }
    deadline->at = now > UINT64_MAX - delay ? UINT64_MAX : now + delay;
    weir_link_t *next = &last->list.head;
    while (next->previous != &last->list.head &&
           WEIR_CONTAINER(next->previous, weir_deadline_t, link)->at > deadline->at) {
        next = next->previous;
    }
    weir_list_insert(next, &deadline->link);
}

/* As weir_deadlines_expire, but the oldest of each length. */
static inline weir_deadline_t *weir_deadline_lists_expire(weir_deadline_lists_t *lists, uint64_t now)
{
    weir_deadline_t *expired = NULL;
    for (unsigned i = 0; i < WEIR_DEADLINE_LENGTHS && expired == NULL; i++) {
        expired = weir_deadlines_expire(&lists->lists[i], now);
    }
    return expired;
}

static inline uint64_t weir_deadline_lists_next(const weir_deadline_lists_t *lists)
{
    uint64_t next = UINT64_MAX;
    for (unsigned i = 0; i < WEIR_DEADLINE_LENGTHS; i++) {
        uint64_t at = weir_deadlines_next(&lists->lists[i]);
        next = at < next ? at : next;
    }
    return next;
}

#endif
