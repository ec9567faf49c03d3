/* SPDX-License-Identifier: Apache-2.0 */
/*
 * device_guest - who has come to our offer with its code, and wants to be one of our devices
 * (proto/FORMATS.md section 22).
 *
 * A code is opened for one request: from then on nobody else can come with it, as he would know
 * what the number of his request is going to be.
 *
 * Threads: any; one at a time.  Never blocks.
 */
#ifndef CLIENT_OP_DEVICE_GUEST_H
#define CLIENT_OP_DEVICE_GUEST_H

#include "client/local/join.h"
#include "client/local/settings.h"
#include "client/satchel.h"
#include "common/transfer/manifest.h"

/* Zero-initialise; then set the first two.  Free with device_guest_free(). */
struct device_guest {
    const struct join_code *code; /* one of our own */
    struct server_id server;

    struct buf request; /* sealed, as it came; empty: nobody has */
    struct join_request what;
    struct manifest_device entry; /* for a manifest; its times are not set */
    char check[JOIN_CHECK_TEXT];
    struct buf opening; /* sealed, for this request; empty: the code is not opened yet */
};
void device_guest_free(struct device_guest *g); /* may be used again */

/*
 * A request has come; the one that is there already is fine.  ERR_EXISTS: the code was opened for
 * another one; ERR_UNSUPPORTED: of another version; ERR_INVALID, ERR_INTEGRITY: not of this code;
 * ERR_NOMEM, ERR_INTERNAL.  What was there stays when it fails.
 */
MUST_CHECK int device_guest_take(struct device_guest *g, struct part sealed, struct err *err);

/* Between the new machine and the server stands nobody: it sees the key that ${ours} has pinned.
 * ERR_PIN. */
MUST_CHECK int device_guest_check_pin(const struct device_guest *g, const struct settings *ours,
                                      struct err *err);

/* Open the code for the request that is there: `opening`. */
MUST_CHECK int device_guest_open(struct device_guest *g, struct err *err);

/* For people. */
void device_guest_show(const struct device_guest *g, struct satchel_joiner *ret);

/* Where both meet; valid as long as ${g} and what it has. */
struct join_meeting device_guest_meeting(const struct device_guest *g);

#endif /* CLIENT_OP_DEVICE_GUEST_H */
