/* SPDX-License-Identifier: Apache-2.0 */
/*
 * draw - a preview as characters: by libchafa where it is installed, else half
 * blocks in 24-bit colours, two pixels in each, so that pixels are about as
 * high as wide.
 *
 * Threads: any.
 */
#ifndef CLIENT_CLI_DRAW_H
#define CLIENT_CLI_DRAW_H

#include <stddef.h>

#include "client/satchel.h"

enum {
    DRAW_SIDE = 48,            /* pixels of the longer side, at most */
    DRAW_LINE = DRAW_SIDE * 48 /* bytes of a line, with its colours and NUL */
};

struct draw_size {
    unsigned width, height; /* pixels: columns, and half lines */
};

/* As large as ${columns} allow, at least 1 x 1; the ratio of ${p} is kept. */
struct draw_size draw_size(const struct satchel_preview *p, unsigned columns);

/* Line ${line} of (height + 1) / 2, without a line end.  Returns ${out}. */
char *draw_line(const struct satchel_preview *p, struct draw_size size, unsigned line,
                char out[DRAW_LINE]);

/*
 * The whole picture for ${fd}: by libchafa for a terminal where that is
 * installed, else in half blocks.  Without a last line end; free() it.  NULL:
 * ${fd} is no terminal, or out of memory.
 */
char *draw_text(const struct satchel_preview *p, int fd);

#endif /* CLIENT_CLI_DRAW_H */
