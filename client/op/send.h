/* SPDX-License-Identifier: Apache-2.0 */
/* send - what the files of this operation share: send.c (course), send_body.c (pieces),
 * send_seal.c (metadata, slots, header).  Nobody else includes it. */
#ifndef CLIENT_OP_SEND_H
#define CLIENT_OP_SEND_H

#include "client/local/source.h"
#include "client/op/people.h"
#include "common/crypto/merkle.h"
#include "common/transfer/receive.h"

/* A piece between the file and the connection. */
struct send_piece {
    struct op_job job;
    uint8_t *buffer; /* of the pool; NULL: this place is free */
    uint32_t index;
    bool sealed;
    struct hash32 leaf;
};

/* A slot to be made; the sender's own among them. */
struct send_slot {
    const struct person *person; /* NULL: ourselves */
    struct uid uid;
    const struct manifest_ek *ek;
    Satchel__Role role;
    struct secret share[2]; /* by enum share_part */
};

struct send {
    struct satchel_op op;
    /* Options. */
    char *path, *name, *message, *media_type;
    char **to;
    size_t n_to;
    uint64_t lifetime;
    uint32_t opens, policy;
    bool no_padding;
    satchel_recipient_cb *on_recipient;
    void (*done)(void *cookie, const struct satchel_error *err, const struct satchel_sent *r);

    struct op_job job, numbers;
    struct source *source;
    atomic_bool stop;       /* for workers: it has ended */
    uint64_t size;          /* of what the source gives */
    struct person *persons; /* n_to */
    struct people people;
    struct send_slot *slots;
    size_t n_slots, n_recipients; /* recipients are without our copy */
    uint8_t upload_key[16];

    struct header header;
    bool opened, sealed; /* the daemon has an upload; it has the transfer */
    struct secret cek, mek;
    struct body *body;

    /* The pipeline: read and sealed in any order, sent in order. */
    struct send_piece pieces[POOL_PIECES];
    struct pool_waiter waiter;
    uint32_t n_pieces, next_read, next_sent, acked;
    struct merkle tree;

    /* Sealed. */
    struct buf metadata, packed_header, *packed_slots;
    struct uid *slot_uids; /* in the order of the slots tree */
    uint8_t signature[SIGNED_SIG_LEN];
    char id[SATCHEL_ID_SIZE];
};

/* Draw keys on a worker, then send all pieces, then send_seal(). */
void send_body(struct send *s);

/* Give back what is held of the pool; no job runs any more. */
void send_body_free(struct send *s);

/* Make metadata, slots and header on a worker and seal the transfer. */
void send_seal(struct send *s);

#endif /* CLIENT_OP_SEND_H */
