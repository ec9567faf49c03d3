/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Audit paths.  The input: 1 byte the size of a tree, 1 byte a leaf of it, 8
 * bytes index, 8 bytes size and 1 byte length of a hostile proof, then the
 * bytes of its path, which may also take hashes from the true tree.
 */
#include <string.h>

#include "common/buf.h"
#include "common/crypto/merkle.h"
#include "tests/fuzz/fuzz.h"

enum { LEAVES = 300 };

static merkle_hash leaves[LEAVES];

static void make_leaves(void)
{
    for (uint32_t i = 0; i < LEAVES; i++)
        MUST(merkle_leaf(leaves[i], &i, sizeof(i)) == ERR_OK);
}

/* The true proof is good, for this leaf, place and tree alone. */
static void check_true(size_t n, size_t index, const merkle_hash root, struct merkle_proof *proof)
{
    MUST(merkle_prove(proof, leaves, n, index) == ERR_OK);
    MUST(merkle_verify(proof, leaves[index], root) == ERR_OK);
    MUST(merkle_verify(proof, leaves[(index + 1) % LEAVES], root) == ERR_INTEGRITY);
    MUST(merkle_verify(proof, leaves[index], leaves[LEAVES - 1]) == ERR_INTEGRITY);
}

/* Hash by hash: an odd first byte takes the next 32 bytes, an even one a hash of the true path. */
static void read_path(struct rd *r, const struct merkle_proof *truth, struct merkle_proof *proof)
{
    for (size_t i = 0; i < MERKLE_DEPTH_MAX; i++) {
        uint8_t how = rd_u8(r);

        if ((how & 1) != 0 || truth->len == 0)
            rd_get(r, proof->path[i], MERKLE_LEN);
        else
            memcpy(proof->path[i], truth->path[how / 2 % truth->len], MERKLE_LEN);
    }
}

static bool is_true(const struct merkle_proof *a, const struct merkle_proof *b)
{
    return a->len == b->len && memcmp(a->path, b->path, a->len * sizeof(a->path[0])) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rd r = rd_make(data, size);
    size_t n = (size_t)rd_u8(&r) + 1, index = rd_u8(&r) % n;
    struct merkle_proof truth, proof = {.index = rd_u64(&r), .n = rd_u64(&r), .len = rd_u8(&r)};
    static bool begun;
    merkle_hash root;

    if (!begun)
        make_leaves();
    begun = true;
    if (proof.len == 255)
        proof.len = SIZE_MAX; /* no length of a path counts as given */
    MUST(merkle_root(root, leaves, n) == ERR_OK);
    check_true(n, index, root, &truth);
    read_path(&r, &truth, &proof);
    /* Another size may ask for the same path: what counts is that the hashes are the true ones. */
    if (merkle_verify(&proof, leaves[index], root) == ERR_OK)
        MUST(is_true(&proof, &truth) && proof.index < proof.n);
    proof.n = n;
    if (merkle_verify(&proof, leaves[index], root) == ERR_OK)
        MUST(is_true(&proof, &truth) && proof.index == index);
    MUST(merkle_verify(&proof, root, root) == ERR_INTEGRITY || n == 1);
    return 0;
}
