/* SPDX-License-Identifier: Apache-2.0 */
/*
 * device_grant - what a device that is there gives to one that it lets in (proto/FORMATS.md section
 * 22).
 */
#ifndef CLIENT_OP_DEVICE_GRANT_H
#define CLIENT_OP_DEVICE_GRANT_H

#include "client/local/profile.h"
#include "client/op/device_guest.h"

struct device_grant {
    struct profile *profile;
    const struct device_guest *guest; /* whom the newest manifest lists */
    const char *name;                 /* of this machine */
};

/*
 * Seal the answer, appended to ${ret_answer}; the names of both are kept with the identity, which
 * ${ret_id} has from then on.  The errors of vault.h, backup.h and join.h.  Touches the disk: not
 * for the loop thread.
 */
MUST_CHECK int device_grant(const struct device_grant *g, struct identity **ret_id,
                            struct buf *ret_answer, struct err *err);

#endif /* CLIENT_OP_DEVICE_GRANT_H */
