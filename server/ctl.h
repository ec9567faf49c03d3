/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ctl - the operator's socket, DIR/satcheld.sock, mode 0600.
 *
 * Who connects must be root or the daemon's own user.  A client sends one line,
 * words with single spaces between, and hears lines of JSON:
 *
 *     {"item":{...}}                      one of a list
 *     {"event":"progress",...}            of verify
 *     {"result":{...}}                    the last one, or
 *     {"error":{"code","message","hint"}} the last one
 *
 * Threads: loop thread only.  Never blocks: the store does the work.
 */
#ifndef SERVER_CTL_H
#define SERVER_CTL_H

#include "common/err.h"

struct ctl;
struct daemon;

enum { CTL_LINE_MAX = 1024, CTL_CLIENTS_MAX = 8 };

/* Bind and listen.  ERR_IO. */
MUST_CHECK int ctl_open(struct ctl **ret_c, struct daemon *d, struct err *err);

/* Drop all clients; ${on_closed} comes later, when nothing of theirs is under way; then ${c} is
 * gone. */
void ctl_close(struct ctl *c, void (*on_closed)(void *arg), void *arg);

#endif /* SERVER_CTL_H */
