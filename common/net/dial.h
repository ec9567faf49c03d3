/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dial - from a host name to a connected TCP handle: resolve, then try the
 * addresses one after the other in the order the resolver gives (RFC 6724),
 * IPv6 and IPv4 alike, each for a limited time.
 *
 * Threads: the loop's own.  Never blocks: names are resolved in libuv's pool.
 */
#ifndef COMMON_NET_DIAL_H
#define COMMON_NET_DIAL_H

#include <uv.h>

#include "common/err.h"
#include "common/net/addr.h"

struct dial;

/*
 * ${tcp} is connected and now the callee's: uv_close() it, then free() it.  It is NULL
 * when no address answered; then ${err} is ERR_CONNECT with what happened at the last one.
 */
typedef void (*dial_done)(void *cookie, uv_tcp_t *tcp, const struct err *err);

struct dial_opts {
    uv_loop_t *loop;
    const struct addr *to; /* copied */
    unsigned connect_ms;   /* for resolving, and again for each address; 0: as long as it takes */
    dial_done on_done;
    void *cookie;
};

/* Begin.  Unless it is cancelled, ${on_done} is called once, later, from the loop.  ERR_NOMEM,
 * ERR_CONNECT: then it is not called. */
MUST_CHECK int dial_start(struct dial **ret, const struct dial_opts *opts, struct err *err);

/* Give up; ${on_done} will not be called.  Not after it was called. */
void dial_cancel(struct dial *d);

#endif /* COMMON_NET_DIAL_H */
