/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/loopq.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

struct loopq {
    uv_async_t async;
    pthread_mutex_t lock;
    struct loopq_item *first, **last; /* under lock */
    void (*on_closed)(void *arg);
    void *arg;
};

static void on_wake(uv_async_t *async)
{
    struct loopq *q = async->data;
    struct loopq_item *item, *next;

    pthread_mutex_lock(&q->lock);
    item = q->first;
    q->first = NULL;
    q->last = &q->first;
    pthread_mutex_unlock(&q->lock);
    /* The last item may close the queue; its memory lives on until on_gone(). */
    for (; item != NULL; item = next) {
        next = item->next;
        item->run(item);
    }
}

int loopq_open(struct loopq **ret_q, uv_loop_t *loop, struct err *err)
{
    struct loopq *q = calloc(1, sizeof(*q));
    int rc;

    if (q == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    rc = uv_async_init(loop, &q->async, on_wake);
    if (rc != 0) {
        free(q);
        return err_set(err, ERR_IO, "cannot watch for finished work: %s", uv_strerror(rc));
    }
    q->async.data = q;
    q->last = &q->first;
    pthread_mutex_init(&q->lock, NULL);
    *ret_q = q;
    return ERR_OK;
}

void loopq_post(struct loopq *q, struct loopq_item *item)
{
    loopq_post_all(q, item, item);
}

void loopq_post_all(struct loopq *q, struct loopq_item *first, struct loopq_item *last)
{
    last->next = NULL;
    pthread_mutex_lock(&q->lock);
    *q->last = first;
    q->last = &last->next;
    /* Under the lock: the loop cannot see the items, and close the queue, before this is over. */
    (void)uv_async_send(&q->async);
    pthread_mutex_unlock(&q->lock);
}

static void on_gone(uv_handle_t *handle)
{
    struct loopq *q = handle->data;

    if (q->on_closed != NULL)
        q->on_closed(q->arg);
    pthread_mutex_destroy(&q->lock);
    free(q);
}

void loopq_close(struct loopq *q, void (*on_closed)(void *arg), void *arg)
{
    assert(q->first == NULL);
    q->on_closed = on_closed;
    q->arg = arg;
    uv_close((uv_handle_t *)&q->async, on_gone);
}
