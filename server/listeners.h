/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listeners - the sockets that new connections come from: addresses of the
 * settings, or what systemd passed (socket activation).
 *
 * Threads: loop thread only.
 */
#ifndef SERVER_LISTENERS_H
#define SERVER_LISTENERS_H

#include <uv.h>

#include "common/err.h"

struct daemon;
struct listeners;

/*
 * Bind and listen on all.  Sockets passed by systemd stand in place of the addresses.  Of the
 * default addresses the IPv6 one may be missing, where the system has no IPv6.  ERR_IO.
 */
MUST_CHECK int listeners_open(struct listeners **ret_l, struct daemon *d, struct err *err);

/* Accept nothing more; ${l} goes with the loop's next turns.  NULL is fine. */
void listeners_close(struct listeners *l);

/* The address in use of socket ${i} as "127.0.0.1:7743", NULL behind the last; valid as long as
 * ${l}. */
const char *listeners_address(const struct listeners *l, size_t i);

#endif /* SERVER_LISTENERS_H */
