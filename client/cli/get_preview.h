/* SPDX-License-Identifier: Apache-2.0 */
/*
 * get_preview - shows the preview of a picture while it is received, on a
 * terminal: unpacked in a thread of its own, for that takes a while.
 *
 * Threads: one; between two transfers get_preview_end() is called.
 */
#ifndef CLIENT_CLI_GET_PREVIEW_H
#define CLIENT_CLI_GET_PREVIEW_H

#include "client/satchel.h"

/* Begin to unpack ${t}'s preview, if it has one and standard error is a terminal. */
void get_preview_begin(const struct satchel_transfer *t);

/* Draw it once, above the progress, if it is unpacked by now. */
void get_preview_show(void);

/* Wait for it, and draw it if that was not done. */
void get_preview_end(void);

#endif /* CLIENT_CLI_GET_PREVIEW_H */
