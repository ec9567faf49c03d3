/* SPDX-License-Identifier: Apache-2.0 */
/*
 * draw_chafa - a preview for a terminal by libchafa, which knows what the
 * terminal can show; loaded when it is needed, and only where it is installed.
 *
 * Threads: one.
 */
#ifndef CLIENT_CLI_DRAW_CHAFA_H
#define CLIENT_CLI_DRAW_CHAFA_H

#include "client/cli/draw.h"

/*
 * The picture as text with a line end after each but the last line; free() it.
 * NULL if libchafa is not there, or was not when Satchel was built.
 */
char *draw_chafa(const struct satchel_preview *p, struct draw_size size, int fd);

#endif /* CLIENT_CLI_DRAW_CHAFA_H */
