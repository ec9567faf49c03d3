/* SPDX-License-Identifier: Apache-2.0 */
/* list - links embedded in their owners, both ways.  Threads: one at a time for each list. */
#ifndef CLIENT_CORE_LIST_H
#define CLIENT_CORE_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* A head is a link that points at itself when the list is empty. */
struct list {
    struct list *prev, *next;
};

static inline void list_init(struct list *l)
{
    l->prev = l->next = l;
}

static inline bool list_empty(const struct list *head)
{
    return head->next == head;
}

static inline void list_push(struct list *head, struct list *l)
{
    l->prev = head->prev;
    l->next = head;
    head->prev->next = l;
    head->prev = l;
}

/* Harmless for one that is in no list, if it was initialised. */
static inline void list_remove(struct list *l)
{
    l->prev->next = l->next;
    l->next->prev = l->prev;
    list_init(l);
}

/* The owner of a link. */
#define LIST_OWNER(link, type, member) ((type *)(void *)((char *)(link)-offsetof(type, member)))

#endif /* CLIENT_CORE_LIST_H */
