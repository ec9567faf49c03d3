/* SPDX-License-Identifier: Apache-2.0 */
/*
 * merkle - tree hashes over SHA-256 (RFC 6962 section 2.1, RFC 9162 section 2.1).
 *
 * Trees are given by the hashes of their leaves.  Errors: ERR_INVALID,
 * ERR_INTEGRITY, ERR_NOMEM, ERR_INTERNAL.  Threads: any.  Never blocks.
 */
#ifndef COMMON_CRYPTO_MERKLE_H
#define COMMON_CRYPTO_MERKLE_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

enum { MERKLE_LEN = 32, MERKLE_DEPTH_MAX = 64 };

typedef uint8_t merkle_hash[MERKLE_LEN];

/* SHA-256(0x00 || data) */
MUST_CHECK int merkle_leaf(merkle_hash ret_leaf, const void *data, size_t len);

/* Root of ${n} leaves; of none, the hash of nothing. */
MUST_CHECK int merkle_root(merkle_hash ret_root, const merkle_hash *leaves, size_t n);

/* The same for leaves that come one at a time.  Zero-initialised is a tree without leaves. */
struct merkle {
    uint64_t n;
    merkle_hash
        peaks[MERKLE_DEPTH_MAX]; /* one for each bit of ${n} that is set: its full subtree */
};

/* The next leaf. */
MUST_CHECK int merkle_add(struct merkle *m, const merkle_hash leaf);

/* Root of what was added so far; more may be added after it. */
MUST_CHECK int merkle_finish(const struct merkle *m, merkle_hash ret_root);

struct merkle_proof {
    uint64_t index, n; /* leaf ${index} of ${n} */
    size_t len;
    merkle_hash path[MERKLE_DEPTH_MAX]; /* from the leaf's sibling up */
};

/* The proof that leaf ${index} is in the tree.  ERR_INVALID: there is no such leaf. */
MUST_CHECK int merkle_prove(struct merkle_proof *ret_proof, const merkle_hash *leaves, size_t n,
                            size_t index);

/* Check a proof (RFC 9162 section 2.1.3.2); index, n and len may come from outside.  ERR_INTEGRITY
 * if it is not good. */
MUST_CHECK int merkle_verify(const struct merkle_proof *proof, const merkle_hash leaf,
                             const merkle_hash root);

#endif /* COMMON_CRYPTO_MERKLE_H */
