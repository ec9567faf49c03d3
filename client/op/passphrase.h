/* SPDX-License-Identifier: Apache-2.0 */
/* passphrase - ask the caller for one.  Threads: the handle's own; blocks as long as the caller. */
#ifndef CLIENT_OP_PASSPHRASE_H
#define CLIENT_OP_PASSPHRASE_H

#include "client/satchel.h"
#include "common/err.h"
#include "common/secret.h"

/* ERR_PASSPHRASE: there is no ${ask}; ERR_CANCELED: it gave up; ERR_INVALID: an empty one. */
MUST_CHECK int passphrase_ask(satchel_passphrase_cb *ask, void *cookie, bool fresh,
                              struct secret *ret, struct err *err);

#endif /* CLIENT_OP_PASSPHRASE_H */
