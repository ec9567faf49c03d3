/* SPDX-License-Identifier: Apache-2.0 */
#include "models/train/curve.h"

#include <stdio.h>

#include "common/buf.h"
#include "common/fs.h"
#include "models/plot.h"

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

/* Both parts in units of their first value, so that one picture shows them. */
static int draw(const char *path, const struct progress *p, struct err *err)
{
    static double x[2][CURVE_MAX], y[2][CURVE_MAX];
    struct plot plot = {.title = "Training of previews",
                        .x = "round",
                        .y = "loss: bits, and squared error against none repaired, of the start"};
    size_t n[2] = {0, 0};

    for (unsigned i = 0; i < p->rounds; i++) {
        const struct curve_point *c = &p->curve[i];
        unsigned part = c->part == 0 ? 0 : 1;

        x[part][n[part]] = i + 1;
        y[part][n[part]++] = (double)(part == 0 ? c->loss / p->curve[0].loss : c->loss / c->before);
    }
    plot.series[plot.n++] = (struct plot_series){"estimator", x[0], y[0], n[0]};
    plot.series[plot.n++] = (struct plot_series){"repair", x[1], y[1], n[1]};
    return plot_write(path, &plot, err);
}

int curve_write(const char *out, const struct progress *p, struct err *err)
{
    char path[4096];

    int rc;

    (void)snprintf(path, sizeof(path), "%s.csv", out);
    rc = write_csv(path, p, err);
    (void)snprintf(path, sizeof(path), "%s.png", out);
    return rc == ERR_OK ? draw(path, p, err) : rc;
}
