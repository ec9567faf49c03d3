/* SPDX-License-Identifier: Apache-2.0 */
/* lifetime - how long the server keeps a transfer, and what to say to who asks for more. */
#ifndef CLIENT_OP_LIFETIME_H
#define CLIENT_OP_LIFETIME_H

#include "client/core/session.h"

/*
 * The lifetime of a new transfer, ${asked} ms of it, or 0: seven days as far as the server allows.
 * ERR_TOOLARGE with a hint: it does not keep them so long, or so short.
 */
MUST_CHECK int lifetime_choose(const struct session_hello *limits, uint64_t asked, uint64_t *ret,
                               struct err *err);

/* May what was sent at ${created} end at ${expires}, as was asked at ${now}?  ERR_TOOLARGE with a
 * hint. */
MUST_CHECK int lifetime_check_end(const struct session_hello *limits, uint64_t created,
                                  uint64_t expires, uint64_t now, struct err *err);

#endif /* CLIENT_OP_LIFETIME_H */
