/* SPDX-License-Identifier: Apache-2.0 */
/*
 * progress - the bar of a transfer.
 *
 * On a terminal, for anything over half a second: bar, bytes, rate, time left
 * and phase on one line of standard error.  With --json events on standard
 * output, at most ten a second.  Nothing when piped or with --quiet.
 */
#ifndef CLIENT_CLI_PROGRESS_H
#define CLIENT_CLI_PROGRESS_H

#include "client/satchel/base.h"

/* Begin a bar named ${label}, copied; ends the one before. */
void progress_begin(const char *label);

/* For satchel_send_options.on_progress and others; the cookie is not used. */
void progress_show(void *cookie, const struct satchel_progress *p);

/* A line of its own instead, while something is waited for; on a terminal alone. */
void progress_wait(const char *text);

/* Take the line off the screen, before anything else is printed. */
void progress_clear(void);

#endif /* CLIENT_CLI_PROGRESS_H */
