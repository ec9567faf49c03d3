/* SPDX-License-Identifier: Apache-2.0 */
/*
 * share - the daemon's half of a key: derivation from a seed around the key
 * network's output, commitments, sealed seeds (proto/FORMATS.md sections 6, 10
 * and 11).
 *
 * The caller runs the network: share_input() gives what goes in,
 * share_output() takes what came out.
 *
 * Errors: ERR_INVALID (a secret of the wrong size), ERR_CORRUPT (a sealed seed
 * that does not open: damaged, or its cells were overwritten), ERR_NOMEM,
 * ERR_INTERNAL.  Threads: any.  Never blocks.
 */
#ifndef COMMON_TRANSFER_SHARE_H
#define COMMON_TRANSFER_SHARE_H

#include "common/buf.h"
#include "common/secret.h"
#include "common/transfer/ids.h"

enum {
    SHARE_LEN = 32,
    SHARE_SEED_LEN = 32,
    SHARE_INPUT_LEN = 256,   /* a */
    SHARE_OUTPUT_LEN = 1024, /* o */
    SHARE_CELL_LEN = 32,     /* day_key, slot_key */
    SHARE_NONCE_LEN = 12,
    SHARE_SEALED_LEN = 60
};

/* Whose share it is. */
struct share_place {
    struct tid tid;
    struct uid uid; /* of the recipient */
    struct ek_id ek_id;
};

enum share_part { SHARE_META, SHARE_BODY };

/* What goes into the network, bytes of 0 to 127; as secret as the share: wipe it. */
MUST_CHECK int share_input(const struct secret *seed, const struct share_place *place,
                           uint8_t ret_a[SHARE_INPUT_LEN]);

/*
 * Both shares from the seed and the network's output ${o} (SHARE_OUTPUT_LEN
 * bytes; wipe them too).  The secrets are made new, or overwritten in place if
 * they have SHARE_LEN bytes already.
 */
struct share_pair {
    struct secret meta, body;
};
MUST_CHECK int share_output(const struct secret *seed, const struct share_place *place,
                            const struct instance_id *instance, const uint8_t *o,
                            struct share_pair *ret_pair);
void share_pair_free(struct share_pair *pair); /* NULL is fine */

/* As share_output(), but only what is wanted: the rest of ${ret_pair} stays as it is. */
#define SHARE_WANT(part) (1U << (part))
enum { SHARE_WANT_BOTH = 3 };
struct share_from {
    const struct secret *seed;
    const struct share_place *place;
    const struct instance_id *instance;
    const uint8_t *o;
};
MUST_CHECK int share_output_some(const struct share_from *from, unsigned want,
                                 struct share_pair *ret_pair);

/* share_commit_part: public, stands in the slot. */
MUST_CHECK int share_commit(enum share_part part, const struct share_place *place,
                            const struct secret *share, struct hash32 *ret_commit);

/* The two cells of erasable.keys that a seed is sealed under. */
struct share_cells {
    const struct secret *day_key, *slot_key; /* SHARE_CELL_LEN bytes each */
};

/* ${nonce} is random, never repeated for the same cells. */
MUST_CHECK int share_seal_seed(const struct share_cells *cells, const struct share_place *place,
                               const struct secret *seed, const uint8_t nonce[SHARE_NONCE_LEN],
                               uint8_t ret_sealed[SHARE_SEALED_LEN]);
MUST_CHECK int share_open_seed(const struct share_cells *cells, const struct share_place *place,
                               struct part sealed, struct secret *ret_seed, struct err *err);

#endif /* COMMON_TRANSFER_SHARE_H */
