/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/shares_fix.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/fs.h"
#include "server/hedge.h"
#include "tests/exact/sample_net.h"

void shares_fix_make(struct shares_fix *f)
{
    struct buf b = {0};

    assert_non_null(tmpdir_make(f->dir));
    (void)snprintf(f->weights, sizeof(f->weights), "%s/w", f->dir);
    (void)snprintf(f->erasable, sizeof(f->erasable), "%s/e", f->dir);
    (void)snprintf(f->hedge, sizeof(f->hedge), "%s/h", f->dir);
    assert_int_equal(sample_net_file(SAMPLE_NET_SEED, &b, NULL), ERR_OK);
    assert_int_equal(fs_create(f->weights, b.data, b.len, 0600, NULL), ERR_OK);
    assert_int_equal(hedge_create(f->hedge, NULL), ERR_OK);
    buf_free(&b);
    assert_int_equal(uv_loop_init(&f->loop), 0);
}

void shares_fix_free(struct shares_fix *f)
{
    (void)uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    (void)unlink(f->weights);
    (void)unlink(f->erasable);
    (void)unlink(f->hedge);
    assert_int_equal(rmdir(f->dir), 0);
}

struct shares_config shares_fix_config(struct shares_fix *f)
{
    return (struct shares_config){.erasable = f->erasable,
                                  .hedge = f->hedge,
                                  .instances = {.weights = f->weights},
                                  .loop = &f->loop};
}
