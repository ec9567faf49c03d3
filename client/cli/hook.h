/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hook - programs that are run for events: named by the user, or the desktop's
 * notify-send.  No shell is between: arguments and environment arrive as they are,
 * with control characters escaped (text.h).
 *
 * At most HOOK_MAX run at a time; one more waits for one of them to end.
 * Threads: one.
 */
#ifndef CLIENT_CLI_HOOK_H
#define CLIENT_CLI_HOOK_H

#include <stdbool.h>

#include "client/satchel.h"

enum { HOOK_MAX = 8 };

/* Is there such a program, by its path or in $PATH? */
bool hook_exists(const char *program);

/* Run ${program} with event, ID and name; it is told the rest in its environment. */
void hook_run(const char *program, const struct satchel_event *e);

/* Show ${e} on the desktop. */
void hook_notify(const struct satchel_event *e);

/* Forget those that have ended; with ${all} wait for the others too. */
void hook_reap(bool all);

#endif /* CLIENT_CLI_HOOK_H */
