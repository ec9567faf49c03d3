/* SPDX-License-Identifier: Apache-2.0 */
/*
 * device_grant - what a device that is there gives to one that it lets in (proto/FORMATS.md section
 * 22), and whether that one talks to the right server.
 */
#ifndef CLIENT_OP_DEVICE_GRANT_H
#define CLIENT_OP_DEVICE_GRANT_H

#include "client/local/join.h"
#include "client/local/profile.h"

/*
 * Between the new machine and the server stands nobody: it sees the key that ${ours} has pinned.
 * ERR_PIN.  Threads: any.  Never blocks.
 */
MUST_CHECK int device_grant_check_pin(const struct settings *ours,
                                      const struct join_request *joiner, struct err *err);

/* The entry of a manifest for who joins; its times are not set.  ERR_INTERNAL.  Threads: any. */
MUST_CHECK int device_grant_entry(const struct join_request *joiner, struct manifest_device *ret);

struct device_grant {
    struct profile *profile;
    const struct join_meeting *meeting;
    const struct join_request *joiner;
    const struct manifest_device *device; /* as the newest manifest lists it */
    const char *name;                     /* of this machine */
};

/*
 * Seal the answer, appended to ${ret_answer}; the names of both are kept with the identity, which
 * ${ret_id} has from then on.  The errors of vault.h, backup.h and join.h.  Touches the disk: not
 * for the loop thread.
 */
MUST_CHECK int device_grant(const struct device_grant *g, struct identity **ret_id,
                            struct buf *ret_answer, struct err *err);

/* A code of our own, for one machine.  Touches the disk: not for the loop thread. */
MUST_CHECK int device_grant_code(struct profile *p, struct join_code *ret, struct err *err);

#endif /* CLIENT_OP_DEVICE_GRANT_H */
