/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent - a process that keeps the keys of one vault for a time, so that
 * opening it needs no passphrase.
 *
 * It listens on a Unix socket in $XDG_RUNTIME_DIR/satchel (0700), or without that in the profile's
 * own folder, and talks to processes of its own user alone; both sides look at who the other is.
 * The keys reach it through a pipe, live in locked memory that is in no core dump, and end with it:
 * at its time, at agent_end(), or at a signal.  FORMATS.md section 15.5 has the bytes.
 *
 * All functions block, for at most some seconds.  Threads: any.
 */
#ifndef CLIENT_LOCAL_AGENT_H
#define CLIENT_LOCAL_AGENT_H

#include "client/local/vault_file.h"

/* The longest time an agent lives, ms. */
#define AGENT_MS_MAX ((uint64_t)7 * 24 * 3600 * 1000)

/* The keys that the agent of ${folder} (a profile's) keeps.  ERR_NOTFOUND: there is none;
 * ERR_REFUSED: another user's; ERR_PROTO, ERR_IO, ERR_NOMEM. */
MUST_CHECK int agent_ask(const char *folder, struct vault_keys *ret);

struct agent_plan {
    const char *folder;
    const char *program; /* run with the argument "agent": ends in agent_run() */
    uint64_t ms;         /* until it ends, at most AGENT_MS_MAX */
};

/* Start one, in place of another. */
MUST_CHECK int agent_start(const struct agent_plan *plan, const struct vault_keys *keys,
                           struct err *err);

/* End it; ${ret_was} (may be NULL): there was one. */
MUST_CHECK int agent_end(const char *folder, bool *ret_was, struct err *err);

/*
 * Be the agent: keys and time come on standard input, the listening socket is descriptor 3.
 * Returns when it is over.
 */
MUST_CHECK int agent_run(struct err *err);

#endif /* CLIENT_LOCAL_AGENT_H */
