/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/draw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "client/cli/draw_chafa.h"

enum { SIDE = SATCHEL_PREVIEW_SIDE };

struct draw_size draw_size(const struct satchel_preview *p, unsigned columns)
{
    unsigned longer = p->width > p->height ? p->width : p->height, most = DRAW_SIDE;
    struct draw_size s = {1, 1};

    if (longer == 0)
        return s;
    /* A high picture is limited by its height: it needs fewer columns. */
    if (columns > 0 && p->width > 0 && columns < DRAW_SIDE * p->width / longer)
        most = columns * longer / p->width;
    s.width = (most * p->width + longer / 2) / longer;
    s.height = (most * p->height + longer / 2) / longer;
    if (s.width < 1)
        s.width = 1;
    if (s.height < 1)
        s.height = 1;
    return s;
}

/* How many columns the terminal ${fd} has; DRAW_SIDE if it is none. */
static unsigned columns_of(int fd)
{
    struct winsize w;

    return ioctl(fd, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 ? w.ws_col : DRAW_SIDE;
}

/* The mean of what output pixel (x, y) covers. */
static void pixel(const struct satchel_preview *p, struct draw_size s, unsigned x, unsigned y,
                  unsigned rgb[3])
{
    unsigned left = x * SIDE / s.width, right = ((x + 1) * SIDE + s.width - 1) / s.width;
    unsigned top = y * SIDE / s.height, bottom = ((y + 1) * SIDE + s.height - 1) / s.height;
    unsigned n = (right - left) * (bottom - top), sum[3] = {0};

    for (unsigned i = top; i < bottom; i++)
        for (unsigned j = left; j < right; j++)
            for (unsigned c = 0; c < 3; c++)
                sum[c] += p->rgb[(i * SIDE + j) * 3 + c];
    for (unsigned c = 0; c < 3; c++)
        rgb[c] = n > 0 ? (sum[c] + n / 2) / n : 0;
}

char *draw_line(const struct satchel_preview *p, struct draw_size size, unsigned line,
                char out[DRAW_LINE])
{
    unsigned upper[3], lower[3];
    size_t used = 0;

    for (unsigned x = 0; x < size.width && x < DRAW_SIDE; x++) {
        pixel(p, size, x, line * 2, upper);
        used += (size_t)snprintf(out + used, DRAW_LINE - used, "\x1b[38;2;%u;%u;%u", upper[0],
                                 upper[1], upper[2]);
        if (line * 2 + 1 < size.height) { /* below the last row of an odd number is nothing */
            pixel(p, size, x, line * 2 + 1, lower);
            used += (size_t)snprintf(out + used, DRAW_LINE - used, ";48;2;%u;%u;%u", lower[0],
                                     lower[1], lower[2]);
        }
        used += (size_t)snprintf(out + used, DRAW_LINE - used, "m\xe2\x96\x80");
    }
    (void)snprintf(out + used, DRAW_LINE - used, "\x1b[0m");
    return out;
}

static char *half_blocks(const struct satchel_preview *p, struct draw_size size)
{
    unsigned lines = (size.height + 1) / 2;
    char *text = malloc((size_t)lines * DRAW_LINE + 1), *at = text, line[DRAW_LINE];

    for (unsigned i = 0; text != NULL && i < lines; i++) {
        size_t len = strlen(draw_line(p, size, i, line));

        memcpy(at, line, len);
        at[len] = '\n';
        at += len + 1;
    }
    if (text != NULL)
        at[-1] = '\0';
    return text;
}

char *draw_text(const struct satchel_preview *p, int fd)
{
    struct draw_size size = draw_size(p, columns_of(fd));
    char *text;

    if (isatty(fd) != 1) /* colours are for terminals: elsewhere they are bytes in the way */
        return NULL;
    text = draw_chafa(p, size, fd);
    return text != NULL ? text : half_blocks(p, size);
}
