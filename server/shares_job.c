/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "server/shares.h"

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
    secret_free(&job->out);
    free(job->items);
    secret_wipe(job, sizeof(*job));
    free(job);
}
