/* SPDX-License-Identifier: Apache-2.0 */
#include "models/train/curve.h"

#include <stdio.h>

#include "common/buf.h"
#include "common/fs.h"

static int write_csv(const char *path, const struct progress *p, struct err *err)
{
    struct buf b = {0};
    char line[128];
    int rc;

    buf_put(&b, "round,part,loss,before,seconds\n", 31);
    for (unsigned i = 0; i < p->rounds; i++) {
        const struct curve_point *c = &p->curve[i];
        int n = snprintf(line, sizeof(line), "%u,%s,%.7g,%.7g,%.1f\n", i + 1,
                         c->part == 0 ? "estimator" : "repair", (double)c->loss, (double)c->before,
                         (double)c->seconds);

        buf_put(&b, line, (size_t)n);
    }
    rc = buf_check(&b, err);
    if (rc == ERR_OK)
        rc = fs_replace(path, b.data, b.len, 0644, err);
    buf_free(&b);
    return rc;
}

int curve_write(const char *out, const struct progress *p, struct err *err)
{
    char path[4096];

    (void)snprintf(path, sizeof(path), "%s.csv", out);
    return write_csv(path, p, err);
}
