/* SPDX-License-Identifier: Apache-2.0 */
#include "models/plot.h"

#include <cairo.h>
#include <math.h>
#include <stdio.h>

enum { WIDTH = 800, HEIGHT = 500, LEFT = 80, RIGHT = 20, TOP = 40, BOTTOM = 50, TICKS = 5 };

struct axis {
    bool log;
    double low, high, from, to; /* values, already as logarithms, and pixels */
};

static double value(const struct axis *a, double v)
{
    return a->log ? log10(v) : v;
}

static bool drawable(const struct axis *a, double v)
{
    return isfinite(v) && (!a->log || v > 0);
}

static double at(const struct axis *a, double v)
{
    return a->from + (value(a, v) - a->low) / (a->high - a->low) * (a->to - a->from);
}

static void stretch(struct axis *a, const double *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!drawable(a, v[i]))
            continue;
        a->low = fmin(a->low, value(a, v[i]));
        a->high = fmax(a->high, value(a, v[i]));
    }
}

static void text(cairo_t *c, double x, double y, double anchor, const char *s)
{
    cairo_text_extents_t e;

    cairo_text_extents(c, s, &e);
    cairo_move_to(c, x - anchor * e.width, y);
    cairo_show_text(c, s);
}

static void ticks(cairo_t *c, const struct axis *x, const struct axis *y)
{
    char label[32];

    for (int i = 0; i <= TICKS; i++) {
        double share = (double)i / TICKS, vx = x->low + share * (x->high - x->low);
        double vy = y->low + share * (y->high - y->low);
        double px = x->from + share * (x->to - x->from), py = y->from + share * (y->to - y->from);

        cairo_set_source_rgb(c, 0.85, 0.85, 0.85);
        cairo_move_to(c, px, y->from);
        cairo_line_to(c, px, y->to);
        cairo_move_to(c, x->from, py);
        cairo_line_to(c, x->to, py);
        cairo_stroke(c);
        cairo_set_source_rgb(c, 0, 0, 0);
        (void)snprintf(label, sizeof(label), "%.3g", x->log ? pow(10, vx) : vx);
        text(c, px, y->from + 18, 0.5, label);
        (void)snprintf(label, sizeof(label), "%.3g", y->log ? pow(10, vy) : vy);
        text(c, x->from - 8, py + 4, 1, label);
    }
}

static void line(cairo_t *c, const struct plot_series *s, size_t number, const struct axis *x,
                 const struct axis *y)
{
    static const double colours[PLOT_SERIES_MAX][3] = {
        {0.12, 0.47, 0.71}, {0.84, 0.15, 0.16}, {0.17, 0.63, 0.17}, {1.0, 0.5, 0.05},
        {0.58, 0.4, 0.74},  {0.55, 0.34, 0.29}, {0.5, 0.5, 0.5},    {0.1, 0.75, 0.81}};
    bool drawn = false;

    cairo_set_source_rgb(c, colours[number][0], colours[number][1], colours[number][2]);
    for (size_t i = 0; i < s->n; i++) {
        if (!drawable(x, s->x[i]) || !drawable(y, s->y[i]))
            continue;
        if (drawn)
            cairo_line_to(c, at(x, s->x[i]), at(y, s->y[i]));
        else
            cairo_move_to(c, at(x, s->x[i]), at(y, s->y[i]));
        drawn = true;
    }
    cairo_stroke(c);
    for (size_t i = 0; i < s->n && s->n < 20; i++)
        if (drawable(x, s->x[i]) && drawable(y, s->y[i])) {
            cairo_arc(c, at(x, s->x[i]), at(y, s->y[i]), 3, 0, 2 * M_PI);
            cairo_fill(c);
        }
    text(c, WIDTH - RIGHT - 8, TOP + 18 + 16 * (double)number, 1, s->name);
}

static void draw(cairo_t *c, const struct plot *p, const struct axis *x, const struct axis *y)
{
    cairo_set_source_rgb(c, 1, 1, 1);
    cairo_paint(c);
    cairo_set_line_width(c, 1.5);
    cairo_select_font_face(c, "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(c, 12);
    ticks(c, x, y);
    text(c, WIDTH / 2.0, HEIGHT - 12, 0.5, p->x);
    text(c, 8, TOP - 10, 0, p->y);
    for (size_t i = 0; i < p->n; i++)
        line(c, &p->series[i], i, x, y);
    cairo_set_source_rgb(c, 0, 0, 0);
    cairo_set_font_size(c, 14);
    text(c, WIDTH / 2.0, 20, 0.5, p->title);
}

int plot_write(const char *path, const struct plot *p, struct err *err)
{
    struct axis x = {p->log_x, INFINITY, -INFINITY, LEFT, WIDTH - RIGHT};
    struct axis y = {p->log_y, INFINITY, -INFINITY, HEIGHT - BOTTOM, TOP};
    cairo_surface_t *surface;
    cairo_t *c;
    cairo_status_t rc;

    for (size_t i = 0; i < p->n; i++) {
        stretch(&x, p->series[i].x, p->series[i].n);
        stretch(&y, p->series[i].y, p->series[i].n);
    }
    if (!(x.low <= x.high) || !(y.low <= y.high))
        return err_set(err, ERR_INVALID, "%s: nothing to draw", path);
    x.high += x.high > x.low ? 0 : 1;
    y.high += y.high > y.low ? 0 : 1;
    surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, WIDTH, HEIGHT);
    c = cairo_create(surface);
    draw(c, p, &x, &y);
    cairo_destroy(c);
    rc = cairo_surface_write_to_png(surface, path);
    cairo_surface_destroy(surface);
    if (rc != CAIRO_STATUS_SUCCESS)
        return err_set(err, rc == CAIRO_STATUS_NO_MEMORY ? ERR_NOMEM : ERR_IO, "%s: %s", path,
                       cairo_status_to_string(rc));
    return ERR_OK;
}
