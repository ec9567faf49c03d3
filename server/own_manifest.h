/* SPDX-License-Identifier: Apache-2.0 */
/*
 * own_manifest - the manifest of a user that something he has signed names.
 *
 * It is looked for among those that are stored, in pages from the newest back: nearly always it is
 * the newest.  Each page behind the first is charged to the user as a look-up.
 *
 * Threads: loop thread only.  Never blocks.
 */
#ifndef SERVER_OWN_MANIFEST_H
#define SERVER_OWN_MANIFEST_H

#include "common/transfer/manifest.h"
#include "server/call.h"

struct own_manifest {
    struct uid uid;
    struct hash32 hash;
    const char *what;   /* for the error: "header", "addendum" */
    call_step *then;    /* when it is found */
    struct manifest *m; /* found; for the handler to take or to free */
    uint64_t next;      /* private: the page to look through begins here */
};

/*
 * Find the manifest ${o}->hash of ${o}->uid and go on with ${o}->then.  ${o} stands first in
 * c->data.  BAD_REQUEST: he has no such manifest; RATE: so many look-ups are not free.
 */
void own_manifest_find(struct call *c);

/* Was ${device} listed in ${o}->m and not revoked at ${at}?  ERR_INVALID, which names ${o}->what.
 */
MUST_CHECK int own_manifest_check(const struct own_manifest *o, const struct device_id *device,
                                  uint64_t at, struct err *err);

#endif /* SERVER_OWN_MANIFEST_H */
