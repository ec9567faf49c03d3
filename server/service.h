/* SPDX-License-Identifier: Apache-2.0 */
/*
 * service - the life of the daemon: open everything, serve, drain, close
 * everything in the right order.
 *
 * SIGTERM and SIGINT drain: nothing new is accepted, clients hear Bye, what is
 * under way is finished for the set time; a second one cuts it off.  SIGHUP reloads.
 *
 * Threads: the loop's.  service_open() blocks on the disk.
 */
#ifndef SERVER_SERVICE_H
#define SERVER_SERVICE_H

#include "common/err.h"

struct daemon;

/* Open everything that ${config_path} names.  On failure nothing is left open. */
MUST_CHECK int service_open(struct daemon **ret_d, const char *config_path, struct err *err);

/* Serve until drained; then everything is closed and freed.  Returns the exit code. */
int service_run(struct daemon *d);

/* Begin to drain; again: cut off what is under way. */
void service_stop(struct daemon *d);

#endif /* SERVER_SERVICE_H */
