/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One ciphertext that AES-GCM opens under two keys, for metadata and for the
 * body: what a sender would show two recipients as two files.  The commitments
 * refuse it.  GHASH is linear, so one block of ciphertext can be solved for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/evp.h>

#include "common/crypto/gcm.h"
#include "common/crypto/hash.h"
#include "common/crypto/hkdf.h"
#include "common/crypto/kdf.h"
#include "common/transfer/receive.h"
#include "tests/sample/sample.h"

enum { BLOCK = 16 };

/* An element of GF(2^128) as in NIST SP 800-38D, first bit first. */
struct gf {
    uint64_t hi, lo;
};

static struct gf gf_load(const uint8_t *p)
{
    return (struct gf){get_be64(p), get_be64(p + 8)};
}

static void gf_store(uint8_t *p, struct gf x)
{
    put_be64(p, x.hi);
    put_be64(p + 8, x.lo);
}

static struct gf gf_add(struct gf a, struct gf b)
{
    return (struct gf){a.hi ^ b.hi, a.lo ^ b.lo};
}

static struct gf gf_mul(struct gf x, struct gf y)
{
    struct gf z = {0, 0};

    for (int i = 0; i < 128; i++) {
        uint64_t bit = i < 64 ? x.hi >> (63 - i) & 1 : x.lo >> (127 - i) & 1;
        uint64_t carry = y.lo & 1;

        if (bit != 0)
            z = gf_add(z, y);
        y.lo = y.lo >> 1 | y.hi << 63;
        y.hi = y.hi >> 1 ^ (carry != 0 ? (uint64_t)0xe1 << 56 : 0);
    }
    return z;
}

/* x^(2^128 - 2) */
static struct gf gf_inverse(struct gf x)
{
    struct gf power = x, result = {(uint64_t)1 << 63, 0};

    for (int i = 1; i < 128; i++) {
        power = gf_mul(power, power);
        result = gf_mul(result, power);
    }
    return result;
}

static void aes_block(const uint8_t key[32], const uint8_t in[BLOCK], uint8_t out[BLOCK])
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n = 0;

    assert_int_equal(EVP_EncryptInit_ex(ctx, EVP_aes_256_ecb(), NULL, key, NULL), 1);
    assert_int_equal(EVP_EncryptUpdate(ctx, out, &n, in, BLOCK), 1);
    EVP_CIPHER_CTX_free(ctx);
}

struct gcm_key {
    uint8_t key[32], nonce[12];
    struct gf h, mask; /* the hash key, and what the tag is masked with */
};

static void prepare(struct gcm_key *k)
{
    uint8_t block[BLOCK] = {0}, out[BLOCK];

    aes_block(k->key, block, out);
    k->h = gf_load(out);
    memcpy(block, k->nonce, 12);
    block[15] = 1;
    aes_block(k->key, block, out);
    k->mask = gf_load(out);
}

static struct gf ghash_bytes(struct gf h, struct gf acc, struct part p)
{
    for (size_t at = 0; at < p.len; at += BLOCK) {
        uint8_t block[BLOCK] = {0};
        size_t n = p.len - at < BLOCK ? p.len - at : BLOCK;

        memcpy(block, (const uint8_t *)p.data + at, n);
        acc = gf_mul(gf_add(acc, gf_load(block)), h);
    }
    return acc;
}

static struct gf make_tag(const struct gcm_key *k, struct part aad, struct part c)
{
    struct gf acc = ghash_bytes(k->h, (struct gf){0, 0}, aad);

    acc = ghash_bytes(k->h, acc, c);
    acc = gf_mul(gf_add(acc, (struct gf){aad.len * 8, c.len * 8}), k->h);
    return gf_add(acc, k->mask);
}

/* Choose the last block of ${c} (whole blocks) so that both keys give one tag; write it behind. */
static void collide(const struct gcm_key *a, const struct gcm_key *b, struct part aad, uint8_t *c,
                    size_t len)
{
    uint8_t *last = c + len - BLOCK;
    struct gf difference, factor;

    memset(last, 0, BLOCK);
    difference = gf_add(make_tag(a, aad, part(c, len)), make_tag(b, aad, part(c, len)));
    /* The last block is multiplied by h squared: itself, then the block of lengths. */
    factor = gf_add(gf_mul(a->h, a->h), gf_mul(b->h, b->h));
    gf_store(last, gf_mul(difference, gf_inverse(factor)));
    gf_store(c + len, make_tag(a, aad, part(c, len)));
}

static void test_tag_is_gcms(void **state)
{
    struct gcm_key k = {0};
    uint8_t plain[40], out[56], tag[BLOCK];

    (void)state;
    sample_fill(1, k.key, 32);
    sample_fill(2, k.nonce, 12);
    sample_fill(3, plain, sizeof(plain));
    prepare(&k);
    assert_int_equal(gcm_seal_once(k.key, k.nonce, part_str("abc"), PART_OF(plain), out), ERR_OK);
    gf_store(tag, make_tag(&k, part_str("abc"), part(out, 40)));
    assert_memory_equal(tag, out + 40, BLOCK);
}

/* Carol's slot wraps other keys than Bob's. */
static void give_carol(struct sample *s, struct secret *mek, struct secret *cek)
{
    struct secret was_mek = {0}, was_cek = {0};
    struct slot bob, alice;

    sample_seal_slots(s);
    bob = s->slot[SAMPLE_BOB];
    alice = s->slot[SAMPLE_ALICE];
    secret_move(&was_mek, &s->mek);
    secret_move(&was_cek, &s->cek);
    secret_move(&s->mek, mek);
    secret_move(&s->cek, cek);
    sample_seal_slots(s);
    s->slot[SAMPLE_BOB] = bob;
    s->slot[SAMPLE_ALICE] = alice;
    secret_move(mek, &s->mek);
    secret_move(cek, &s->cek);
    secret_move(&s->mek, &was_mek);
    secret_move(&s->cek, &was_cek);
    sample_pack_slots(s);
    sample_sign(s);
}

static void meta_key(const struct secret *mek, const struct tid *tid, struct gcm_key *k)
{
    memset(k->nonce, 0, sizeof(k->nonce));
    assert_int_equal(kdf_f(k->key, part_secret(mek), "meta", PARTS(PART_OF(tid->b))), ERR_OK);
    prepare(k);
}

static void test_metadata(void **state)
{
    enum { LEN = 1024 };
    struct sample s;
    struct secret mek = {0}, cek = {0};
    struct gcm_key bob, carol;
    struct sample_row row;
    struct receive r = {0};
    struct buf aad = {0};
    uint8_t *c, out[LEN];
    struct err err;

    (void)state;
    sample_make(&s, 100);
    sample_secret("mek of carol", &mek);
    assert_int_equal(secret_copy(&cek, s.cek.data, s.cek.len, NULL), ERR_OK);
    meta_key(&s.mek, &s.header.tid, &bob);
    meta_key(&mek, &s.header.tid, &carol);
    buf_lp_str(&aad, "satchel/1 meta");
    buf_lp(&aad, s.header.tid.b, sizeof(s.header.tid));
    c = s.sealed_metadata.data;
    assert_int_equal(s.sealed_metadata.len, LEN + 16);
    collide(&bob, &carol, part(aad.data, aad.len), c, LEN);
#define OPENS(k) gcm_open_once((k).key, (k).nonce, part(aad.data, aad.len), part(c, LEN + 16), out)
    assert_int_equal(OPENS(bob), ERR_OK); /* the attack is real */
    assert_int_equal(OPENS(carol), ERR_OK);
#undef OPENS
    assert_int_equal(hash_sha256(s.header.metadata_hash.b, c, LEN + 16), ERR_OK);
    give_carol(&s, &mek, &cek);
    sample_row(&s, SAMPLE_CAROL, &row);
    assert_int_equal(receive_check(&row.in, &r, &err), ERR_INTEGRITY);
    assert_non_null(strstr(err.msg, "Header.mkid"));
    receive_free(&r);
    secret_free(&mek);
    secret_free(&cek);
    buf_free(&aad);
    sample_free(&s);
}

/* Key and nonce of the first chunk, as C2SP chunked encryption derives them. */
static void chunk_key(const struct secret *cek, const struct header *h, struct gcm_key *k)
{
    uint8_t tweak[4] = {0}, k_body[32], context[32], okm[76];
    struct buf info = {0};

    assert_int_equal(
        hash_lp(HASH_SHA256, context,
                PARTS(part_str("satchel/1 body ctx"), PART_OF(h->tid.b), PART_OF(h->sender.b))),
        ERR_OK);
    assert_int_equal(
        kdf_f(k_body, part_secret(cek), "body", PARTS(PART_OF(tweak), PART_OF(h->tid.b))), ERR_OK);
    buf_put(&info, "c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM", 48); /* with its NUL */
    buf_put(&info, h->salt, sizeof(h->salt));
    buf_put(&info, context, sizeof(context));
    assert_int_equal(
        hkdf_expand(HASH_SHA512, PART_OF(k_body), part(info.data, info.len), okm, sizeof(okm)),
        ERR_OK);
    memcpy(k->key, okm, 32);
    memcpy(k->nonce, okm + 32, 12);
    prepare(k);
    buf_free(&info);
}

static int open_with(const struct sample *s, const struct secret *cek)
{
    struct body *b = NULL;
    uint8_t out[BODY_PAD_MIN + 16];
    int rc;

    assert_int_equal(body_new(cek, &s->header, &b, NULL), ERR_OK);
    rc = body_open_piece(b, 0, &s->leaves[0], sample_piece(s, 0), out);
    body_free(b);
    return rc;
}

static void test_body(void **state)
{
    struct sample s;
    struct secret mek = {0}, cek = {0};
    struct gcm_key bob, carol;
    struct sample_row row;
    struct receive r = {0};
    struct body *b = NULL;
    struct err err;

    (void)state;
    sample_make(&s, 100);
    assert_int_equal(s.sealed_len, BODY_PAD_MIN + 16);
    sample_secret("cek of carol", &cek);
    assert_int_equal(secret_copy(&mek, s.mek.data, s.mek.len, NULL), ERR_OK);
    chunk_key(&s.cek, &s.header, &bob);
    chunk_key(&cek, &s.header, &carol);
    collide(&bob, &carol, part(NULL, 0), s.sealed, BODY_PAD_MIN);
    assert_int_equal(body_leaf(part(s.sealed, s.sealed_len), &s.leaves[0]), ERR_OK);
    assert_int_equal(body_root(s.leaves, 1, &s.header.body_root), ERR_OK);
    assert_int_equal(open_with(&s, &s.cek), ERR_OK); /* the attack is real */
    assert_int_equal(open_with(&s, &cek), ERR_OK);
    give_carol(&s, &mek, &cek);
    sample_row(&s, SAMPLE_CAROL, &row);
    assert_int_equal(receive_check(&row.in, &r, &err), ERR_OK);
    assert_int_equal(receive_body(&row.in, &r, &s.share[SAMPLE_CAROL].body, &b, &err),
                     ERR_INTEGRITY);
    assert_non_null(strstr(err.msg, "the body's key does not fit"));
    /* Were it not for KID and CID, the commitment. */
    assert_int_equal(body_kid(&cek, 0, &s.header.kid), ERR_OK);
    assert_int_equal(body_cid(&cek, &s.header.cid), ERR_OK);
    assert_int_equal(body_match(&cek, &s.header, &b, &err), ERR_INTEGRITY);
    assert_non_null(strstr(err.msg, "commitment"));
    assert_null(b);
    receive_free(&r);
    secret_free(&mek);
    secret_free(&cek);
    sample_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tag_is_gcms),
        cmocka_unit_test(test_metadata),
        cmocka_unit_test(test_body),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
