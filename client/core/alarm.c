/* SPDX-License-Identifier: Apache-2.0 */
#include "client/core/alarm.h"

#include <stdlib.h>

struct alarms {
    uv_timer_t timer;
    struct list waiting; /* the earliest first */
};

static void arm(struct alarms *all);

static void on_timer(uv_timer_t *timer)
{
    struct alarms *all = timer->data;
    uint64_t now = uv_now(timer->loop);

    while (!list_empty(&all->waiting)) {
        struct alarm *a = LIST_OWNER(all->waiting.next, struct alarm, link);

        if (a->at > now)
            break;
        list_remove(&a->link);
        a->ready(a);
    }
    arm(all);
}

static void arm(struct alarms *all)
{
    uint64_t now = uv_now(all->timer.loop);
    struct alarm *first;

    if (list_empty(&all->waiting)) {
        (void)uv_timer_stop(&all->timer);
        return;
    }
    first = LIST_OWNER(all->waiting.next, struct alarm, link);
    (void)uv_timer_start(&all->timer, on_timer, first->at > now ? first->at - now : 0, 0);
}

int alarms_new(uv_loop_t *loop, struct alarms **ret, struct err *err)
{
    struct alarms *all = calloc(1, sizeof(*all));

    if (all == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    list_init(&all->waiting);
    (void)uv_timer_init(loop, &all->timer); /* cannot fail */
    all->timer.data = all;
    *ret = all;
    return ERR_OK;
}

static void on_closed(uv_handle_t *h)
{
    free(h->data);
}

void alarms_free(struct alarms *all)
{
    if (all != NULL)
        uv_close((uv_handle_t *)&all->timer, on_closed);
}

void alarm_init(struct alarm *a, void (*ready)(struct alarm *a))
{
    list_init(&a->link);
    a->ready = ready;
}

void alarm_set(struct alarms *all, struct alarm *a, uint64_t ms)
{
    struct list *at;

    list_remove(&a->link);
    uv_update_time(all->timer.loop);
    a->at = uv_now(all->timer.loop) + ms;
    for (at = all->waiting.prev; at != &all->waiting; at = at->prev)
        if (LIST_OWNER(at, struct alarm, link)->at <= a->at)
            break;
    list_push(at->next, &a->link); /* behind `at` */
    arm(all);
}

/* The timer may go off once for nothing. */
void alarm_clear(struct alarm *a)
{
    list_remove(&a->link);
}
