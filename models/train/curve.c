/* SPDX-License-Identifier: Apache-2.0 */
#include "models/train/curve.h"

#include <stdio.h>

#include "common/buf.h"
#include "common/fs.h"
#include "models/plot.h"

const char *const curve_parts[CURVE_PARTS] = {"estimator", "repair", "details"};

static int write_csv(const char *path, const struct progress *p, struct err *err)
{
    struct buf b = {0};
    char line[128];
    int rc;

    buf_put(&b, "round,part,loss,before,seconds\n", 31);
    for (unsigned i = 0; i < p->rounds; i++) {
        const struct curve_point *c = &p->curve[i];
        int n = snprintf(line, sizeof(line), "%u,%s,%.7g,%.7g,%.1f\n", i + 1, curve_parts[c->part],
                         (double)c->loss, (double)c->before, (double)c->seconds);

        buf_put(&b, line, (size_t)n);
    }
    rc = buf_check(&b, err);
    if (rc == ERR_OK)
        rc = fs_replace(path, b.data, b.len, 0644, err);
    buf_free(&b);
    return rc;
}

/* All parts in units of their first value, so that one picture shows them. */
static int draw(const char *path, const struct progress *p, struct err *err)
{
    static double x[CURVE_PARTS][CURVE_MAX], y[CURVE_PARTS][CURVE_MAX];
    struct plot plot = {.title = "Training of previews",
                        .x = "round",
                        .y = "loss: bits of the start, squared error of what comes in"};
    size_t n[CURVE_PARTS] = {0};
    float first[CURVE_PARTS];

    for (unsigned i = 0; i < p->rounds; i++) {
        const struct curve_point *c = &p->curve[i];
        unsigned part = c->part;

        if (n[part] == 0)
            first[part] = c->loss;
        x[part][n[part]] = i + 1;
        y[part][n[part]++] = (double)(c->loss / (part == 1 ? c->before : first[part]));
    }
    for (int part = 0; part < CURVE_PARTS; part++)
        plot.series[plot.n++] = (struct plot_series){curve_parts[part], x[part], y[part], n[part]};
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
