/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify - what a service says to systemd (sd_notify(3)) and takes from it
 * (sd_listen_fds(3)), without its library.  Without systemd every call does nothing.
 *
 * Threads: one at a time.  Never blocks for long: datagrams to a local socket.
 */
#ifndef SERVER_NOTIFY_H
#define SERVER_NOTIFY_H

#include <stdint.h>

/* Lines as in sd_notify(3): "READY=1", "STOPPING=1", "WATCHDOG=1", "STATUS=..." */
void notify_send(const char *lines);

/* RELOADING=1 with the MONOTONIC_USEC that Type=notify-reload wants. */
void notify_reloading(void);

/* Milliseconds within which WATCHDOG=1 must come, or 0: nobody waits for it. */
uint64_t notify_watchdog(void);

/*
 * How many sockets were passed to us, from descriptor NOTIFY_FIRST_FD on.  The
 * variables are removed from the environment.
 */
enum { NOTIFY_FIRST_FD = 3, NOTIFY_FDS_MAX = 16 };
int notify_listen_fds(void);

#endif /* SERVER_NOTIFY_H */
