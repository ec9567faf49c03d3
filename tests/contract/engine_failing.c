/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/engine_failing.h"

#include <stdlib.h>

struct failing {
    void *inner;
    unsigned every, count; /* count: loop thread only */
    bool after;
};

static void on_inner_done(struct store_job *job)
{
    job->on_done = NULL;
    store_result_reset(job->res);
    (void)store_fail(job->res, ERR_TIMEOUT, "the answer got lost");
    store_job_done(job);
}

static void submit(void *impl, struct store_job *job)
{
    struct failing *f = impl;
    bool fails = (!f->after || store_op_writes(job->op)) && ++f->count % f->every == 0;

    if (fails && !f->after) {
        (void)store_fail(job->res, ERR_IO, "this engine fails now and then");
        store_job_done(job);
        return;
    }
    if (fails)
        job->on_done = on_inner_done;
    store_lmdb_ops.submit(f->inner, job);
}

static void close_inner(void *impl)
{
    struct failing *f = impl;

    store_lmdb_ops.close(f->inner);
    free(f);
}

static void stats(const void *impl, struct store_stats *st)
{
    const struct failing *f = impl;

    store_lmdb_ops.stats(f->inner, st);
}

static const struct store_ops failing_ops = {
    .name = "failing", .close = close_inner, .submit = submit, .stats = stats};

int engine_failing_open(struct store **ret_s, const struct store_config *cfg, unsigned every,
                        bool after, struct err *err)
{
    struct failing *f = calloc(1, sizeof(*f));
    int rc;

    if (f == NULL)
        return ERR_NOMEM;
    f->every = every;
    f->after = after;
    rc = store_lmdb_ops.open(&f->inner, cfg, err);
    if (rc == ERR_OK)
        rc = store_open_impl(ret_s, &failing_ops, f, err);
    if (rc != ERR_OK)
        free(f);
    return rc;
}
