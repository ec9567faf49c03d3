/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sample - users and a whole transfer with fixed keys, for tests, vectors and
 * fuzzing.  Nothing in it is random: the same calls give the same bytes.
 *
 * Every function aborts when it fails: here that is a bug of the test.
 * Threads: any; one object from one at a time.
 */
#ifndef TESTS_SAMPLE_SAMPLE_H
#define TESTS_SAMPLE_SAMPLE_H

#include "common/transfer/body.h"
#include "common/transfer/chain.h"
#include "common/transfer/metadata.h"
#include "common/transfer/receive.h"
#include "common/transfer/slot.h"

/* 2026-01-01 00:00 UTC, and some milliseconds. */
#define SAMPLE_TIME ((uint64_t)1767225600000)
#define SAMPLE_DAY  ((uint64_t)24 * 3600 * 1000)

/* 32 bytes that depend on the text alone: h("satchel sample " || text). */
void sample_bytes(const char *text, uint8_t ret_bytes[32]);
void sample_secret(const char *text, struct secret *ret_s); /* the same */

/* ${len} bytes that depend on the number alone. */
void sample_fill(uint32_t seed, uint8_t *ret_bytes, size_t len);

struct sample_user {
    const char *name;
    struct secret isk, rk, dsk, ek; /* seeds; private key */
    uint8_t isk_public[32], rk_public[32];
    struct manifest_device device;
    uint8_t ek_public[32];
    struct manifest_ek key; /* points to ek_public */
    struct uid uid;
    struct manifest *first; /* owned by the chain */
    struct chain chain;     /* the one manifest */
};

/* One device, one key that began a day before SAMPLE_TIME and lasts 30 days. */
void sample_user(struct sample_user *u, const char *name);
void sample_user_free(struct sample_user *u);

enum { SAMPLE_RECIPIENTS = 3, SAMPLE_ALICE = 0, SAMPLE_BOB = 1, SAMPLE_CAROL = 2 };

/* Alice sends to Bob and Carol (and has a slot herself). */
struct sample {
    struct sample_user user[SAMPLE_RECIPIENTS];
    struct secret cek, mek;
    struct share_pair share[SAMPLE_RECIPIENTS];
    struct metadata metadata;
    struct buf sealed_metadata;
    struct header header;
    struct slot slot[SAMPLE_RECIPIENTS];
    /* Serialised; slot_part[] are views of slot_raw[], in the order of the tree. */
    struct buf header_raw, slot_raw[SAMPLE_RECIPIENTS];
    struct part slot_part[SAMPLE_RECIPIENTS];
    uint8_t signature[SIGNED_SIG_LEN];
    uint8_t *plain, *sealed; /* the padded body */
    size_t sealed_len, n_leaves;
    struct hash32 *leaves;
};

/* With a file of ${length} bytes (sample_fill() with seed 1), padded. */
void sample_make(struct sample *s, uint64_t length);
void sample_free(struct sample *s);

/* Steps of sample_make(), to be repeated after something was changed. */
void sample_seal_slots(struct sample *s); /* s->header, shares, keys -> s->slot[] */
void sample_pack_slots(struct sample *s); /* s->slot[] -> slot_raw, header.slots_root */
void sample_sign(struct sample *s);       /* s->header -> header_raw, signature */
void sample_sign_raw(struct sample *s);   /* header_raw -> signature */
struct part sample_piece(const struct sample *s, uint32_t index); /* sealed */

/* What recipient ${who} gets, with the proof in ${path}; what he knows is right. */
struct sample_row {
    struct receive_in in;
    struct hash32 path[SLOT_PROOF_MAX];
    struct part proof[SLOT_PROOF_MAX];
};
void sample_row(const struct sample *s, int who, struct sample_row *ret_row);

#endif /* TESTS_SAMPLE_SAMPLE_H */
