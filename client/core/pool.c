/* SPDX-License-Identifier: Apache-2.0 */
#include "client/core/pool.h"

#include <stdlib.h>

#include "common/transfer/body.h"

struct buffer {
    struct pool *pool;
    unsigned holders;
    _Alignas(64) uint8_t data[BODY_PIECE_SEALED];
};

struct pool {
    struct net_loop *net;
    struct net_task turn;
    unsigned left;
    struct buffer *spare[POOL_PIECES];
    unsigned n_spare;
    struct list waiters;
};

static void on_turn(struct net_task *task)
{
    struct pool *p = LIST_OWNER(task, struct pool, turn);

    while (p->left > 0 && !list_empty(&p->waiters)) {
        struct pool_waiter *w = LIST_OWNER(p->waiters.next, struct pool_waiter, link);

        list_remove(&w->link);
        w->ready(w);
    }
}

int pool_new(struct net_loop *net, struct pool **ret, struct err *err)
{
    struct pool *p = calloc(1, sizeof(*p));

    if (p == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    p->net = net;
    p->left = POOL_PIECES;
    p->turn.run = on_turn;
    list_init(&p->waiters);
    *ret = p;
    return ERR_OK;
}

void pool_free(struct pool *p)
{
    if (p == NULL)
        return;
    net_loop_forget(&p->turn);
    while (p->n_spare > 0)
        free(p->spare[--p->n_spare]);
    free(p);
}

uint8_t *pool_take(struct pool *p)
{
    struct buffer *b;

    if (p->left == 0)
        return NULL;
    b = p->n_spare > 0 ? p->spare[--p->n_spare] : aligned_alloc(64, sizeof(*b));
    if (b == NULL)
        return NULL;
    b->pool = p;
    b->holders = 1;
    p->left--;
    return b->data;
}

static struct buffer *buffer_of(void *data)
{
    return LIST_OWNER(data, struct buffer, data);
}

void pool_hold(uint8_t *buffer)
{
    buffer_of(buffer)->holders++;
}

void pool_give(void *buffer)
{
    struct buffer *b;

    if (buffer == NULL)
        return;
    b = buffer_of(buffer);
    if (--b->holders > 0)
        return;
    b->pool->spare[b->pool->n_spare++] = b;
    pool_credit_give(b->pool, 1);
}

bool pool_has_left(const struct pool *p)
{
    return p->left > 0;
}

unsigned pool_credit(struct pool *p, unsigned n)
{
    if (n > p->left)
        n = p->left;
    p->left -= n;
    return n;
}

void pool_credit_give(struct pool *p, unsigned n)
{
    p->left += n;
    if (p->left > 0 && !list_empty(&p->waiters))
        net_loop_later(p->net, &p->turn);
}

void pool_waiter_init(struct pool_waiter *w, void (*ready)(struct pool_waiter *w))
{
    list_init(&w->link);
    w->ready = ready;
}

void pool_wait(struct pool *p, struct pool_waiter *w)
{
    if (list_empty(&w->link))
        list_push(&p->waiters, &w->link);
    if (p->left > 0)
        net_loop_later(p->net, &p->turn);
}

void pool_forget(struct pool_waiter *w)
{
    list_remove(&w->link);
}
