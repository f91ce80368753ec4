/*
 * list.h: doubly linked lists whose links live within their elements: nothing is allocated, and an element that is at
 * hand is taken out in constant time. Not for sharing between threads.
 */
#ifndef WEIR_SERVE_LIST_H
#define WEIR_SERVE_LIST_H

#include <stdbool.h>
#include <stddef.h>

typedef struct weir_link {
    struct weir_link *next; /* NULL while it is in no list */
    struct weir_link *previous;
} weir_link_t;

/* A ring through `head`, which is no element. */
typedef struct weir_list {
    weir_link_t head;
} weir_list_t;

/* The element of type `type` whose member `member` the link is. */
#define WEIR_CONTAINER(link, type, member) ((type *)(void *)&((char *)(link))[-(ptrdiff_t)offsetof(type, member)])

static inline void weir_list_init(weir_list_t *list)
{
    list->head.next = &list->head;
    list->head.previous = &list->head;
}

static inline bool weir_list_is_empty(const weir_list_t *list)
{
    return list->head.next == &list->head;
}

/* The first link, or NULL. */
static inline weir_link_t *weir_list_first(const weir_list_t *list)
{
    return weir_list_is_empty(list) ? NULL : list->head.next;
}

/* The link after `link`, or NULL. */
static inline weir_link_t *weir_list_next(const weir_list_t *list, const weir_link_t *link)
{
    return link->next == &list->head ? NULL : link->next;
}

/* The last link, or NULL. */
static inline weir_link_t *weir_list_last(const weir_list_t *list)
{
    return weir_list_is_empty(list) ? NULL : list->head.previous;
}

static inline bool weir_link_is_linked(const weir_link_t *link)
{
    return link->next != NULL;
}

/* Append a link that is in no list. */
static inline void weir_list_append(weir_list_t *list, weir_link_t *link)
{
    link->next = &list->head;
    link->previous = list->head.previous;
    link->previous->next = link;
    list->head.previous = link;
}

/* Insert a link that is in no list before one that is. */
static inline void weir_list_insert(weir_link_t *next, weir_link_t *link)
{
    link->next = next;
    link->previous = next->previous;
    link->previous->next = link;
    next->previous = link;
}

/* Take a link out of the list it is in; nothing when it is in none. */
static inline void weir_link_remove(weir_link_t *link)
{
    if (link->next == NULL) {
        return;
    }
    link->previous->next = link->next;
    link->next->previous = link->previous;
    link->next = NULL;
    link->previous = NULL;
}

/* Move all elements of `from` to the empty list `to`, in order. */
static inline void weir_list_move(weir_list_t *from, weir_list_t *to)
{
    weir_link_t *first = weir_list_first(from);
    if (first == NULL) {
        return;
    }
    to->head = from->head;
    first->previous = &to->head;
    to->head.previous->next = &to->head;
    weir_list_init(from);
}

#endif
