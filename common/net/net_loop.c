/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/net_loop.h"

#include <signal.h>
#include <stdlib.h>

/* Large enough that a system call costs little for each byte, small enough for the cache. */
enum { SLAB = 256 * 1024, SPARE_MAX = 1024 * 1024 };

struct net_loop {
    uv_loop_t *loop;
    uv_idle_t idle;       /* active exactly while there are tasks */
    struct net_task todo; /* ring; its own run is unused */
    struct buf spare;
    char *slab;
};

static void on_turn(uv_idle_t *idle);

static void ring_init(struct net_task *ring)
{
    ring->prev = ring->next = ring;
}

static void ignore_sigpipe(void)
{
    struct sigaction sa = {0};

    if (sigaction(SIGPIPE, NULL, &sa) != 0 || sa.sa_handler != SIG_DFL)
        return;
    sa.sa_handler = SIG_IGN;
    (void)sigaction(SIGPIPE, &sa, NULL);
}

int net_loop_new(struct net_loop **ret, uv_loop_t *loop, struct err *err)
{
    struct net_loop *n = calloc(1, sizeof(*n));

    if (n == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    n->slab = malloc(SLAB);
    if (n->slab == NULL) {
        free(n);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    ignore_sigpipe();
    n->loop = loop;
    ring_init(&n->todo);
    (void)uv_idle_init(loop, &n->idle); /* cannot fail, nor can start and stop */
    n->idle.data = n;
    *ret = n;
    return ERR_OK;
}

static void on_closed(uv_handle_t *h)
{
    struct net_loop *n = h->data;

    buf_free(&n->spare);
    free(n->slab);
    free(n);
}

void net_loop_free(struct net_loop *n)
{
    if (n != NULL)
        uv_close((uv_handle_t *)&n->idle, on_closed);
}

uv_loop_t *net_loop_uv(const struct net_loop *n)
{
    return n->loop;
}

uv_buf_t net_loop_slab(struct net_loop *n)
{
    return uv_buf_init(n->slab, SLAB);
}

/* ---- tasks ------------------------------------------------------------ */

void net_loop_later(struct net_loop *n, struct net_task *task)
{
    if (task->next != NULL)
        return;
    task->prev = n->todo.prev;
    task->next = &n->todo;
    task->prev->next = task;
    n->todo.prev = task;
    (void)uv_idle_start(&n->idle, on_turn);
}

void net_loop_forget(struct net_task *task)
{
    if (task->next == NULL)
        return;
    task->prev->next = task->next;
    task->next->prev = task->prev;
    task->prev = task->next = NULL;
}

/* Idle handles run before the loop waits; while one is active it does not wait. */
static void on_turn(uv_idle_t *idle)
{
    struct net_loop *n = idle->data;
    struct net_task now = n->todo;

    /* What these tasks queue belongs to the next turn, so that the loop gets to its sockets. */
    if (n->todo.next == &n->todo) {
        (void)uv_idle_stop(idle);
        return;
    }
    now.prev->next = now.next->prev = &now;
    ring_init(&n->todo);
    while (now.next != &now) {
        struct net_task *task = now.next;

        net_loop_forget(task);
        task->run(task);
    }
    if (n->todo.next == &n->todo)
        (void)uv_idle_stop(idle);
}

/* ---- buffers ----------------------------------------------------------- */

void net_loop_borrow(struct net_loop *n, struct buf *ret)
{
    *ret = n->spare;
    n->spare = (struct buf){0};
}

void net_loop_return(struct net_loop *n, struct buf *b)
{
    buf_reset(b);
    if (b->cap > n->spare.cap && b->cap <= SPARE_MAX) {
        buf_free(&n->spare);
        n->spare = *b;
        *b = (struct buf){0};
    }
    buf_free(b);
}
