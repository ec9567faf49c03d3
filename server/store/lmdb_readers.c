/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/lmdb_readers.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

/* Those of a kind. */
struct queue {
    struct store_job *first, **last;
    unsigned running; /* of them, by threads */
};

struct lmdb_readers {
    void (*run)(struct lmdb_engine *e, struct store_job *job);
    struct lmdb_engine *engine;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct queue queues[LMDB_READ_KINDS]; /* under lock */
    bool stop;                            /* under lock */
    unsigned most;                        /* threads for a kind */
    unsigned nthreads;
    pthread_t threads[];
};

/* Of a kind that may have one more thread; NULL: there is none.  The lock is held. */
static struct queue *choose(struct lmdb_readers *r)
{
    for (unsigned i = 0; i < LMDB_READ_KINDS; i++)
        if (r->queues[i].first != NULL && r->queues[i].running < r->most)
            return &r->queues[i];
    return NULL;
}

static struct store_job *take(struct queue *q)
{
    struct store_job *job = q->first;

    q->first = job->next;
    if (q->first == NULL)
        q->last = &q->first;
    return job;
}

/* What is left when it stops and may have no more threads is for those that it has. */
static void *reader_main(void *arg)
{
    struct lmdb_readers *r = arg;
    struct store_job *job;
    struct queue *q;

    pthread_mutex_lock(&r->lock);
    for (;;) {
        while ((q = choose(r)) == NULL && !r->stop)
            pthread_cond_wait(&r->wake, &r->lock);
        if (q == NULL)
            break;
        job = take(q);
        q->running++;
        pthread_mutex_unlock(&r->lock);
        r->run(r->engine, job);
        pthread_mutex_lock(&r->lock);
        q->running--;
    }
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

int lmdb_readers_open(struct lmdb_readers **ret_r, unsigned threads,
                      void (*run)(struct lmdb_engine *e, struct store_job *job),
                      struct lmdb_engine *e, struct err *err)
{
    struct lmdb_readers *r = calloc(1, sizeof(*r) + threads * sizeof(r->threads[0]));
    int rc;

    if (r == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    r->run = run;
    r->engine = e;
    r->most = threads > 1 ? threads - 1 : 1;
    for (unsigned i = 0; i < LMDB_READ_KINDS; i++)
        r->queues[i].last = &r->queues[i].first;
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->wake, NULL);
    for (; r->nthreads < threads; r->nthreads++) {
        rc = pthread_create(&r->threads[r->nthreads], NULL, reader_main, r);
        if (rc != 0) {
            lmdb_readers_close(r);
            return err_sys(err, rc, "cannot start a reading thread");
        }
    }
    *ret_r = r;
    return ERR_OK;
}

void lmdb_readers_close(struct lmdb_readers *r)
{
    if (r == NULL)
        return;
    pthread_mutex_lock(&r->lock);
    r->stop = true;
    pthread_cond_broadcast(&r->wake);
    pthread_mutex_unlock(&r->lock);
    for (unsigned i = 0; i < r->nthreads; i++)
        pthread_join(r->threads[i], NULL);
    pthread_cond_destroy(&r->wake);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

void lmdb_readers_submit(struct lmdb_readers *r, enum lmdb_read kind, struct store_job *job)
{
    struct queue *q = &r->queues[kind];

    job->next = NULL;
    pthread_mutex_lock(&r->lock);
    *q->last = job;
    q->last = &job->next;
    pthread_cond_signal(&r->wake);
    pthread_mutex_unlock(&r->lock);
}
