/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/merkle.h"

#include <string.h>

#include "common/crypto/hash.h"

int merkle_leaf(merkle_hash ret_leaf, const void *data, size_t len)
{
    return hash_parts(HASH_SHA256, ret_leaf, PARTS({"\0", 1}, {data, len}));
}

/* SHA-256(0x01 || left || right); ${ret} may be one of them. */
static int node(merkle_hash ret, const merkle_hash left, const merkle_hash right)
{
    uint8_t both[1 + 2 * MERKLE_LEN] = {1};

    /* Put together first: in three parts it takes twice as long. */
    memcpy(both + 1, left, MERKLE_LEN);
    memcpy(both + 1 + MERKLE_LEN, right, MERKLE_LEN);
    return hash_sha256(ret, both, sizeof(both));
}

int merkle_add(struct merkle *m, const merkle_hash leaf)
{
    merkle_hash up;
    size_t level = 0;
    int rc = ERR_OK;

    if (m->n == UINT64_MAX)
        return ERR_INVALID;
    memcpy(up, leaf, MERKLE_LEN);
    /* Like adding one to a binary number: each carry joins two full subtrees. */
    for (; rc == ERR_OK && (m->n >> level & 1) != 0; level++)
        rc = node(up, m->peaks[level], up);
    if (rc != ERR_OK)
        return rc;
    memcpy(m->peaks[level], up, MERKLE_LEN);
    m->n++;
    return ERR_OK;
}

int merkle_finish(const struct merkle *m, merkle_hash ret_root)
{
    merkle_hash root;
    bool begun = false;
    int rc = ERR_OK;

    if (m->n == 0)
        return hash_sha256(ret_root, "", 0);
    for (size_t level = 0; rc == ERR_OK && level < MERKLE_DEPTH_MAX; level++) {
        if ((m->n >> level & 1) == 0)
            continue;
        if (begun)
            rc = node(root, m->peaks[level], root);
        else
            memcpy(root, m->peaks[level], MERKLE_LEN);
        begun = true;
    }
    if (rc == ERR_OK)
        memcpy(ret_root, root, MERKLE_LEN);
    return rc;
}

int merkle_root(merkle_hash ret_root, const merkle_hash *leaves, size_t n)
{
    struct merkle m = {0};
    int rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < n; i++)
        rc = merkle_add(&m, leaves[i]);
    return rc == ERR_OK ? merkle_finish(&m, ret_root) : rc;
}

/* The largest power of two smaller than ${n}, for n > 1. */
static size_t split(size_t n)
{
    size_t k = 1;

    while (k < n - k)
        k *= 2;
    return k;
}

int merkle_prove(struct merkle_proof *ret_proof, const merkle_hash *leaves, size_t n, size_t index)
{
    struct merkle_proof proof = {.index = index, .n = n};
    merkle_hash down[MERKLE_DEPTH_MAX];
    size_t first = 0, size = n;

    if (index >= n)
        return ERR_INVALID;
    /* Down from the root, noting the half that is not ours. */
    while (size > 1) {
        const size_t k = split(size);
        const bool left = index - first < k;
        int rc = merkle_root(down[proof.len], leaves + first + (left ? k : 0), left ? size - k : k);

        if (rc != ERR_OK)
            return rc;
        proof.len++;
        first += left ? 0 : k;
        size = left ? k : size - k;
    }
    for (size_t i = 0; i < proof.len; i++)
        memcpy(proof.path[i], down[proof.len - 1 - i], MERKLE_LEN);
    *ret_proof = proof;
    return ERR_OK;
}

int merkle_verify(const struct merkle_proof *proof, const merkle_hash leaf, const merkle_hash root)
{
    uint64_t fn = proof->index, sn;
    merkle_hash r;

    if (proof->index >= proof->n || proof->len > MERKLE_DEPTH_MAX)
        return ERR_INTEGRITY;
    sn = proof->n - 1;
    memcpy(r, leaf, MERKLE_LEN);
    for (size_t i = 0; i < proof->len; i++) {
        int rc;

        if (sn == 0)
            return ERR_INTEGRITY;
        if ((fn & 1) != 0 || fn == sn) {
            rc = node(r, proof->path[i], r);
            while ((fn & 1) == 0 && fn != 0) {
                fn >>= 1;
                sn >>= 1;
            }
        } else {
            rc = node(r, r, proof->path[i]);
        }
        if (rc != ERR_OK)
            return rc;
        fn >>= 1;
        sn >>= 1;
    }
    return sn == 0 && secret_equal(r, root, MERKLE_LEN) ? ERR_OK : ERR_INTEGRITY;
}
