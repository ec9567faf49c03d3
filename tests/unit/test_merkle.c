/* SPDX-License-Identifier: Apache-2.0 */
/* merkle: published roots and proofs, every tree of up to 40 leaves, damaged proofs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/crypto/hash.h"
#include "common/crypto/hex.h"
#include "common/crypto/merkle.h"

enum { LEAVES = 40 };

static void from_hex(uint8_t *out, const char *text)
{
    assert_int_equal(hex_decode(out, text, strlen(text)), ERR_OK);
}

/* The reference tree of Certificate Transparency: eight inputs, the root after each. */
static void test_published_roots(void **state)
{
    static const char *const inputs[8] = {"",
                                          "00",
                                          "10",
                                          "2021",
                                          "3031",
                                          "40414243",
                                          "5051525354555657",
                                          "606162636465666768696a6b6c6d6e6f"};
    static const char *const roots[8] = {
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    };
    struct merkle m = {0};
    merkle_hash leaves[8], root, want;

    (void)state;
    assert_int_equal(merkle_finish(&m, root), ERR_OK);
    from_hex(want, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_memory_equal(root, want, MERKLE_LEN);
    for (size_t i = 0; i < 8; i++) {
        uint8_t data[16];

        from_hex(data, inputs[i]);
        from_hex(want, roots[i]);
        assert_int_equal(merkle_leaf(leaves[i], data, strlen(inputs[i]) / 2), ERR_OK);
        assert_int_equal(merkle_add(&m, leaves[i]), ERR_OK);
        assert_int_equal(merkle_finish(&m, root), ERR_OK);
        assert_memory_equal(root, want, MERKLE_LEN);
        assert_int_equal(merkle_root(root, leaves, i + 1), ERR_OK);
        assert_memory_equal(root, want, MERKLE_LEN);
    }
}

/* tests/vectors/merkle_inclusion.txt: good proofs and proofs with one thing wrong. */
static void test_published_proofs(void **state)
{
    FILE *f = fopen(SATCHEL_VECTORS "/merkle_inclusion.txt", "r");
    char leaf_hex[65], root_hex[65], path[1025], verdict[5];
    unsigned long long index = 0, n = 0;
    size_t good = 0, bad = 0;

    (void)state;
    assert_non_null(f);
    while (fscanf(f, "%llu %llu %64s %64s %1024s %4s", &index, &n, leaf_hex, root_hex, path,
                  verdict) == 6) {
        struct merkle_proof proof = {.index = index, .n = n};
        merkle_hash leaf, root;
        int rc;

        from_hex(leaf, leaf_hex);
        from_hex(root, root_hex);
        if (strcmp(path, "-") != 0) {
            proof.len = strlen(path) / (size_t)(2 * MERKLE_LEN);
            from_hex(proof.path[0], path);
        }
        rc = merkle_verify(&proof, leaf, root);
        if (strcmp(verdict, "good") == 0) {
            assert_int_equal(rc, ERR_OK);
            good++;
        } else {
            assert_int_equal(rc, ERR_INTEGRITY);
            bad++;
        }
    }
    assert_true(feof(f));
    (void)fclose(f);
    assert_int_equal(good, 6);
    assert_int_equal(bad, 66);
}

/* RFC 6962 section 2.1 as it is written. */
static void by_definition(merkle_hash ret, const merkle_hash *leaves, size_t n)
{
    merkle_hash left, right;
    size_t k = 1;

    if (n == 1) {
        memcpy(ret, leaves[0], MERKLE_LEN);
        return;
    }
    while (k * 2 < n)
        k *= 2;
    by_definition(left, leaves, k);
    by_definition(right, leaves + k, n - k);
    assert_int_equal(hash_parts(HASH_SHA256, ret, PARTS({"\1", 1}, PART_OF(left), PART_OF(right))),
                     ERR_OK);
}

static void make_leaves(merkle_hash leaves[LEAVES])
{
    for (uint8_t i = 0; i < LEAVES; i++)
        assert_int_equal(merkle_leaf(leaves[i], &i, 1), ERR_OK);
}

static void test_every_small_tree(void **state)
{
    merkle_hash leaves[LEAVES], root, want;
    struct merkle m = {0};

    (void)state;
    make_leaves(leaves);
    for (size_t n = 1; n <= LEAVES; n++) {
        by_definition(want, leaves, n);
        assert_int_equal(merkle_root(root, leaves, n), ERR_OK);
        assert_memory_equal(root, want, MERKLE_LEN);
        assert_int_equal(merkle_add(&m, leaves[n - 1]), ERR_OK);
        assert_int_equal(merkle_finish(&m, root), ERR_OK);
        assert_memory_equal(root, want, MERKLE_LEN);
    }
    m.n = UINT64_MAX;
    assert_int_equal(merkle_add(&m, leaves[0]), ERR_INVALID);
}

static void test_every_small_proof(void **state)
{
    merkle_hash leaves[LEAVES], root;

    (void)state;
    make_leaves(leaves);
    for (size_t n = 1; n <= LEAVES; n++) {
        assert_int_equal(merkle_root(root, leaves, n), ERR_OK);
        for (size_t i = 0; i < n; i++) {
            struct merkle_proof p = {0};

            assert_int_equal(merkle_prove(&p, leaves, n, i), ERR_OK);
            assert_int_equal(merkle_verify(&p, leaves[i], root), ERR_OK);
            assert_int_equal(merkle_verify(&p, leaves[(i + 1) % LEAVES], root), ERR_INTEGRITY);
            for (size_t k = 0; k < p.len; k++) {
                p.path[k][31] ^= 1;
                assert_int_equal(merkle_verify(&p, leaves[i], root), ERR_INTEGRITY);
                p.path[k][31] ^= 1;
            }
            p.index ^= 1;
            if (n > 1)
                assert_int_equal(merkle_verify(&p, leaves[i], root), ERR_INTEGRITY);
        }
    }
}

static void test_impossible_proofs(void **state)
{
    merkle_hash leaves[LEAVES], root;
    struct merkle_proof p = {.index = 99}, q;

    (void)state;
    make_leaves(leaves);
    assert_int_equal(merkle_prove(&p, leaves, LEAVES, LEAVES), ERR_INVALID);
    assert_int_equal(merkle_prove(&p, leaves, 0, 0), ERR_INVALID);
    assert_int_equal(p.index, 99);
    assert_int_equal(merkle_root(root, leaves, LEAVES), ERR_OK);
    assert_int_equal(merkle_prove(&p, leaves, LEAVES, 5), ERR_OK);
    q = p, q.n = 0;
    assert_int_equal(merkle_verify(&q, leaves[5], root), ERR_INTEGRITY);
    q = p, q.index = UINT64_MAX;
    assert_int_equal(merkle_verify(&q, leaves[5], root), ERR_INTEGRITY);
    q = p, q.len = MERKLE_DEPTH_MAX + 1;
    assert_int_equal(merkle_verify(&q, leaves[5], root), ERR_INTEGRITY);
    q = p, q.len--;
    assert_int_equal(merkle_verify(&q, leaves[5], root), ERR_INTEGRITY);
    q = p, q.n = UINT64_MAX;
    assert_int_equal(merkle_verify(&q, leaves[5], root), ERR_INTEGRITY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_roots),   cmocka_unit_test(test_published_proofs),
        cmocka_unit_test(test_every_small_tree),  cmocka_unit_test(test_every_small_proof),
        cmocka_unit_test(test_impossible_proofs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
