/* SPDX-License-Identifier: Apache-2.0 */
/* plot - lines in a coordinate system as a PNG file, drawn by cairo.  Threads: any. */
#ifndef MODELS_PLOT_H
#define MODELS_PLOT_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"

enum { PLOT_SERIES_MAX = 8 };

struct plot_series {
    const char *name;
    const double *x, *y;
    size_t n;
};

struct plot {
    const char *title, *x, *y;
    bool log_x, log_y; /* values of 0 and below are left out */
    struct plot_series series[PLOT_SERIES_MAX];
    size_t n;
};

/* Draw to ${path}.  ERR_IO, ERR_NOMEM; ERR_INVALID without any point. */
MUST_CHECK int plot_write(const char *path, const struct plot *p, struct err *err);

#endif /* MODELS_PLOT_H */
