/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parcel - what users of a daemon under test send: every step of a transfer as
 * a call of its own, with fields that a test may spoil in between.  Functions
 * abort() when they fail locally, and give the daemon's code.
 */
#ifndef TESTS_INTEGRATION_PARCEL_H
#define TESTS_INTEGRATION_PARCEL_H

#include "tests/integration/actor.h"

enum { PARCEL_SLOTS_MAX = HEADER_SLOTS_MAX };

/* A transfer on its way; slot 0 is the sender's.  The arrays have room for a slot more than asked.
 */
struct parcel {
    const struct actor **who;
    Satchel__Role *role;
    size_t n;
    uint8_t upload_key[16];
    size_t knows; /* who[knows] is said to have this manifest; 0: nobody is */
    struct hash32 known;
    struct header header;
    struct secret cek, mek;
    struct share_pair *share;
    struct slot *slot;
    uint8_t *sealed; /* the body, or one piece that stands for all */
    bool same;       /* the latter */
    size_t sealed_len;
    struct hash32 *leaves;
    uint32_t pieces;
    struct buf metadata, header_raw, *slot_raw;
    uint8_t signature[SIGNED_SIG_LEN];
    struct metadata meta;
    uint32_t stored; /* from OpenTransferReply */
};

/* ${length} bytes from ${who[0]} to the others; ${seed} tells its keys and contents from others'.
 */
void parcel_make(struct parcel *x, const struct actor *const *who, size_t n, uint64_t length,
                 uint32_t seed);
void parcel_free(struct parcel *x);

/* OpenTransfer: fills in tid and shares. */
Satchel__Code parcel_open(struct peer *p, struct parcel *x);

/* The same without waiting: the id. */
uint64_t parcel_send_open(struct peer *p, struct parcel *x);

/* Encrypt the body, and make slots and header; after parcel_open(). */
void parcel_seal_body(struct parcel *x);
void parcel_sign(struct parcel *x); /* header -> header_raw and signature */

/*
 * The same without encrypting: all pieces have the same bytes, so that a body of any length
 * takes no memory.  Nobody can open it.
 */
void parcel_fake_body(struct parcel *x);

/* PutPiece: begin (the id), or begin and wait. */
uint64_t parcel_send_piece(struct peer *p, const struct parcel *x, uint32_t index);
Satchel__Code parcel_put(struct peer *p, const struct parcel *x, uint32_t index);
Satchel__Code parcel_put_all(struct peer *p, const struct parcel *x);

/* SealTransfer. */
uint64_t parcel_send_seal(struct peer *p, const struct parcel *x);
Satchel__Code parcel_seal(struct peer *p, const struct parcel *x);

/* All of the above. */
Satchel__Code parcel_deliver(struct peer *p, struct parcel *x);

/* GetTransfer, Release, GetLeaves, GetPieces as slot ${i}, with all checks of receive.h; the first
 * code that is not CODE_NONE.  Aborts if what came is not what was sent. */
Satchel__Code parcel_receive(struct peer *p, const struct parcel *x, size_t i);

/* GetPieces: begin (the id), and take one piece of it, which must be the one that was sent. */
uint64_t parcel_ask_pieces(struct peer *p, const struct parcel *x, uint32_t first, uint32_t count);
Satchel__Code parcel_take_piece(struct peer *p, const struct parcel *x, uint64_t id,
                                uint32_t index);

/* Release alone; ${ret_share} (32 bytes) may be NULL. */
Satchel__Code parcel_release(struct peer *p, const struct parcel *x, uint8_t *ret_share);

#endif /* TESTS_INTEGRATION_PARCEL_H */
