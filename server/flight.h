/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flight - a body of one small piece: PutPiece (req_piece.c) waits a moment for the SealTransfer
 * (req_seal.c) that follows in the same flight, and both become durable in one transaction.
 *
 * Threads: loop thread only.  Never blocks.
 */
#ifndef SERVER_FLIGHT_H
#define SERVER_FLIGHT_H

#include "server/call.h"

/* Of req_seal.c: is ${c} a seal of ${tid} that may still take its piece? */
bool req_seal_wants_piece(const struct call *c, const uint8_t *tid);

/* Of req_piece.c: the PutPiece of ${tid} before ${c} on its connection that waits; NULL: none. */
struct call *req_piece_waiting(const struct call *c, const uint8_t *tid);

/* Of req_piece.c: the seal has stored what ${piece} brought: acknowledge it.  It is gone then. */
void req_piece_stored(struct call *piece);

#endif /* SERVER_FLIGHT_H */
