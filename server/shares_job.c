/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "server/shares_work.h"

struct shares_hold *shares_hold_new(void)
{
    struct shares_hold *h = calloc(1, sizeof(*h));

    if (h != NULL)
        atomic_init(&h->n, 1);
    return h;
}

struct shares_hold *shares_hold_take(struct shares_hold *h)
{
    atomic_fetch_add(&h->n, 1);
    return h;
}

void shares_hold_drop(struct shares_hold *h)
{
    if (h != NULL && atomic_fetch_sub(&h->n, 1) == 1)
        free(h);
}

struct shares_job *shares_job_new(size_t n)
{
    struct shares_job *job = calloc(1, sizeof(*job));

    if (job == NULL)
        return NULL;
    job->n = n;
    job->items = calloc(n > 0 ? n : 1, sizeof(*job->items));
    if (job->items == NULL) {
        free(job);
        return NULL;
    }
    return job;
}

void shares_job_free(void *arg)
{
    struct shares_job *job = arg;

    if (job == NULL)
        return;
    shares_hold_drop(job->hold);
    secret_free(&job->out);
    free(job->items);
    secret_wipe(job, sizeof(*job));
    free(job);
}
