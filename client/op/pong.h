/* SPDX-License-Identifier: Apache-2.0 */
/* pong - what is known of the server once we are logged in; for ping and doctor. */
#ifndef CLIENT_OP_PONG_H
#define CLIENT_OP_PONG_H

#include "client/core/handle.h"

/* ${l} is connected; the round trip is left out. */
void pong_fill(const struct link *l, struct satchel_pong *ret);

#endif /* CLIENT_OP_PONG_H */
