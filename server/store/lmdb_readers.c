/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/lmdb_readers.h"

#include <pthread.h>
#include <stdlib.h>

struct lmdb_readers {
    void (*run)(struct lmdb_engine *e, struct store_job *job);
    struct lmdb_engine *engine;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct store_job *first, **last; /* under lock */
    bool stop;                       /* under lock */
    unsigned nthreads;
    pthread_t threads[];
};

static void *reader_main(void *arg)
{
    struct lmdb_readers *r = arg;
    struct store_job *job;

    pthread_mutex_lock(&r->lock);
    for (;;) {
        while (r->first == NULL && !r->stop)
            pthread_cond_wait(&r->wake, &r->lock);
        job = r->first;
        if (job == NULL)
            break;
        r->first = job->next;
        if (r->first == NULL)
            r->last = &r->first;
        pthread_mutex_unlock(&r->lock);
        r->run(r->engine, job);
        pthread_mutex_lock(&r->lock);
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
    r->last = &r->first;
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

void lmdb_readers_submit(struct lmdb_readers *r, struct store_job *job)
{
    job->next = NULL;
    pthread_mutex_lock(&r->lock);
    *r->last = job;
    r->last = &job->next;
    pthread_cond_signal(&r->wake);
    pthread_mutex_unlock(&r->lock);
}
