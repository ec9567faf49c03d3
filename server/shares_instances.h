/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shares_instances - the key networks that the share service has loaded: the current one, with
 * which transfers are opened, and those of before, which regenerate what was opened with them.
 *
 * Jobs as in shares.h, without items; job->instances is the caller's.
 */
#ifndef SERVER_SHARES_INSTANCES_H
#define SERVER_SHARES_INSTANCES_H

#include "server/shares.h"

enum { SHARES_INSTANCES_MAX = 8 }; /* loaded at a time: about 3 MiB each */

enum shares_instance_state {
    SHARES_CURRENT = 1,
    SHARES_OLD,
    SHARES_NEXT /* trained, not in use */
};

struct shares_instance {
    struct instance_id id;
    uint64_t made; /* ms since 1970: when it was trained */
    enum shares_instance_state state;
    bool idle; /* no job that opened a transfer with it is left: what they opened is in the store */
};

struct shares_instances {
    struct shares_instance items[SHARES_INSTANCES_MAX + 1];
    size_t n;
    struct err err; /* why it failed */
};

/* Fill in job->instances. */
MUST_CHECK int shares_list(struct shares *s, struct shares_job *job, void (*cb)(void *), void *arg);

/*
 * Make the instance that waits the current one, durably; the one before stays loaded.  job->code:
 * ERR_NOTFOUND: none waits; ERR_LIMIT: SHARES_INSTANCES_MAX are loaded; ERR_EXISTS: it is loaded
 * already; ERR_CORRUPT, ERR_INTERNAL: it does not compute what it must; ERR_BADSTATE: the file is
 * not that of the one in use; ERR_IO.  job->instances is filled in, whatever the code.
 */
MUST_CHECK int shares_rotate(struct shares *s, struct shares_job *job, void (*cb)(void *),
                             void *arg);

/*
 * Unload the old instance job->items[0].instance and wipe its weights: no slot needs it.
 * job->code: ERR_NOTFOUND; ERR_BADSTATE: it is current, or not idle; ERR_IO: not wiped, which the
 * next start makes up for.  Of job->instances only the error is set.
 */
MUST_CHECK int shares_drop(struct shares *s, struct shares_job *job, void (*cb)(void *), void *arg);

#endif /* SERVER_SHARES_INSTANCES_H */
