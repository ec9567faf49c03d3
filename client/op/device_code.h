/* SPDX-License-Identifier: Apache-2.0 */
/* device_code - the one-time code for a new machine: drawn, and shown to people. */
#ifndef CLIENT_OP_DEVICE_CODE_H
#define CLIENT_OP_DEVICE_CODE_H

#include "client/local/join_code.h"
#include "client/local/profile.h"
#include "client/satchel.h"

/* One for a machine that is to come into our account, that of ${uid}.  The errors of hedge.h and
 * join_code.h.  Touches the disk: not for the loop thread. */
MUST_CHECK int device_code_draw(struct profile *p, const struct uid *uid, struct join_code *ret,
                                struct err *err);

/* Call ${o}->on_code, once: the code counts at the server of ${t} until ${expires}, ms since 1970.
 * ERR_NOMEM, ERR_INTERNAL.  Threads: the loop's own. */
MUST_CHECK int device_code_show(const struct join_code *code, const struct settings *t,
                                uint64_t expires, const struct satchel_device_add_options *o,
                                struct err *err);

#endif /* CLIENT_OP_DEVICE_CODE_H */
