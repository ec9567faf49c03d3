/* SPDX-License-Identifier: Apache-2.0 */
/* hpke: the vectors of RFC 9180 (tests/vectors/hpke_rfc9180.json) and what must be refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/crypto/hex.h"
#include "common/crypto/hpke.h"

#define INFO "Ode on a Grecian Urn"
#define PT   "Beauty is truth, truth beauty"

/* Base mode, KEM 0x0020, KDF 0x0003.  Exports of 32 bytes for the contexts "", "\0" and
 * "TestContext". */
static const struct vector {
    uint16_t aead;
    const char *ikm_r, *ikm_e, *sk_r, *pk_r, *enc, *exports[3];
} vectors[] = {
    {0x0001,
     "59a9b44375a297d452fc18e5bba1a64dec709f23109486fce2d3a5428ed2000a",
     "895221ae20f39cbf46871d6ea162d44b84dd7ba9cc7a3c80f16d6ea4242cd6d4",
     "ddfbb71d7ea8ebd98fa9cc211aa7b535d258fe9ab4a08bc9896af270e35aad35",
     "adf16c696b87995879b27d470d37212f38a58bfe7f84e6d50db638b8f2c22340",
     "8998da4c3d6ade83c53e861a022c046db909f1c31107196ab4c2f4dd37e1a949",
     {"846a732d3dd7d974ec41c3b3dcc871ad2e6bcbd4da9235cb9775ec7278d4aac1",
      "74556ec046a23049f4c9d9ca36aecf195a27a780c53766ceedf81eaa15ea6dad",
      "8b9f09cc299227800f159c64a8026b27538f5be27c33789d511ecc0aaa1ad1ae"}},
    {0x0002,
     "a0484936abc95d587acf7034156229f9970e9dfa76773754e40fb30e53c9de16",
     "e72b39232ee9ef9f6537a72afe28f551dbe632006aa1b300a00518883a3f2dc1",
     "bdd8943c1e60191f3ea4e69fc4f322aa1086db9650f1f952fdce88395a4bd1af",
     "aa7bddcf5ca0b2c0cf760b5dffc62740a8e761ec572032a809bebc87aaf7575e",
     "c12ba9fb91d7ebb03057d8bea4398688dcc1d1d1ff3b97f09b96b9bf89bd1e4a",
     {"e0c5b2c8c3af6ea743bf51b48f75d965f5eb71fce668c550863b14b75f61840c",
      "782f53407c273fdd8ffe55fe9540b5c209dcf74beeffb38a807948b354fca3b3",
      "af616a8dc3fa47900b8e68f878fba983134b4b608bcad9c0f743d2aa7c1a781b"}},
    {0x0003,
     "969bb169aa9c24a501ee9d962e96c310226d427fb6eb3fc579d9882dbc708315",
     "636d1237a5ae674c24caa0c32a980d3218d84f916ba31e16699892d27103a2a9",
     "fad15f488c09c167bd18d8f48f282e30d944d624c5676742ad820119de44ea91",
     "06aa193a5612d89a1935c33f1fda3109fcdf4b867da4c4507879f184340b0e0e",
     "1d38fc578d4209ea0ef3ee5f1128ac4876a9549d74dc2d2f46e75942a6188244",
     {"5b6120165c82456080db3c730b886b07129e0aec9b5f7beae9e5bbd103c67f2d",
      "30890b81a37b14b818c462ae5b680b4273cdc7a1ce5ca86d30d482fbe4323e7a",
      "b0b5c19ae0daf8d005593f5755d6e8cab29bd3c5c8245823586d009d15aa5237"}},
    {0xffff,
     "dff9a966e02b161472f167c0d4252d400069449e62384beb78111cb596220921",
     "3cfbc97dece2c497126df8909efbdd3d56b3bbe97ddf6555c99a04ff4402474c",
     "7596739457c72bbd6758c7021cfcb4d2fcd677d1232896b8f00da223c5519c36",
     "9a83674c1bc12909fd59635ba1445592b82a7c01d4dad3ffc8f3975e76c43732",
     "444fbbf83d64fef654dfb2a17997d82ca37cd8aeb8094371da33afb95e0c5b0e",
     {"de6f58a2f01bbdf050d262c11cccb40313c454ebd438614b73a77b9a29d003e3",
      "b226100bc74552085b115aa2078fe5063a453c32f59ee096893fd7cbeeeb3ce7",
      "cf6fd26feb7a558cf682dd0fb9852120036763024338b0b2622e44296b828cfb"}},
};

/* Messages of the vector for AES-256-GCM, all of the same text; the associated data is
 * "Count-<seq>". */
static const struct {
    uint64_t seq;
    const char *aad, *ct;
} messages[] = {
    {0, "Count-0",
     "186cbeffd80fd68862b09d968a944c9f1ecc1c3f5dbcd1e26973ec30a9856f006f7bb472c3e30fff57ced669fc"},
    {1, "Count-1",
     "26f19180ac025f865e8383809317e472474b91afbdbd0e402800bca5c299157fefd833aec48ec220eedd683c31"},
    {4, "Count-4",
     "4558f5d21269e98b9594f8c07654785f368062beb1cd4c139e58df02353c2f123e6e553f3e39241dcc91f95af3"},
    {255, "Count-255",
     "93c55dd1896ae569b5b411365a943366e4110c8160f94443a9f322e4ceb5f42dc06a37e1a8777da79c48f9525a"},
    {256, "Count-256",
     "ded681b1585b7fab0daff1bb000eacbb470dc304b2387bacdc7e230e54ccf86dd0fa9c5efe63f0c4ab7be889a6"},
};

enum { OURS = 1, VECTORS = sizeof(vectors) / sizeof(vectors[0]) };

static void from_hex(uint8_t *out, const char *text)
{
    assert_int_equal(hex_decode(out, text, strlen(text)), ERR_OK);
}

static void assert_hex(const uint8_t *got, size_t len, const char *want)
{
    char text[257];

    hex_encode(text, got, len);
    assert_string_equal(text, want);
}

static void check_exports(const struct hpke *h, const struct vector *v)
{
    const struct part contexts[3] = {{NULL, 0}, {"", 1}, part_str("TestContext")};
    uint8_t out[32];

    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(hpke_export(h, contexts[i], out, sizeof(out)), ERR_OK);
        assert_hex(out, sizeof(out), v->exports[i]);
    }
}

/* Every suite's exports from the recipient's side. */
static void test_vectors_decap(void **state)
{
    (void)state;
    for (size_t i = 0; i < VECTORS; i++) {
        struct hpke h = {0};
        uint8_t ikm[32], sk[32], pk[32], enc[32];

        from_hex(ikm, vectors[i].ikm_r);
        from_hex(enc, vectors[i].enc);
        assert_int_equal(hpke_keypair(PART_OF(ikm), sk, pk), ERR_OK);
        assert_hex(sk, 32, vectors[i].sk_r);
        assert_hex(pk, 32, vectors[i].pk_r);
        assert_int_equal(hpke_decap_for(&h, vectors[i].aead, enc, sk, part_str(INFO)), ERR_OK);
        check_exports(&h, &vectors[i]);
        hpke_free(&h);
        hpke_free(&h);
    }
}

static struct hpke sender(uint8_t enc[HPKE_ENC_LEN])
{
    struct hpke h = {0};
    uint8_t ikm[32], pk[32];

    from_hex(ikm, vectors[OURS].ikm_e);
    from_hex(pk, vectors[OURS].pk_r);
    assert_int_equal(hpke_encap(&h, enc, pk, part_str(INFO), ikm), ERR_OK);
    return h;
}

static void test_vectors_encap(void **state)
{
    uint8_t enc[32], ct[sizeof(PT) - 1 + GCM_TAG_LEN], pt[sizeof(PT) - 1];
    struct hpke h = sender(enc);

    (void)state;
    assert_int_equal(vectors[OURS].aead, HPKE_AES_256_GCM);
    assert_hex(enc, 32, vectors[OURS].enc);
    check_exports(&h, &vectors[OURS]);
    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
        const struct part aad = part_str(messages[i].aad);

        assert_int_equal(hpke_seal(&h, messages[i].seq, aad, part_str(PT), ct), ERR_OK);
        assert_hex(ct, sizeof(ct), messages[i].ct);
        assert_int_equal(hpke_open(&h, messages[i].seq, aad, PART_OF(ct), pt), ERR_OK);
        assert_memory_equal(pt, PT, sizeof(pt));
        assert_int_equal(hpke_open(&h, messages[i].seq + 1, aad, PART_OF(ct), pt), ERR_INTEGRITY);
    }
    hpke_free(&h);
}

static void test_other_info_or_key_gives_other_keys(void **state)
{
    uint8_t enc[32], sk[32], ct[3 + GCM_TAG_LEN], pt[3];
    struct hpke h = sender(enc), r = {0};

    (void)state;
    from_hex(sk, vectors[OURS].sk_r);
    assert_int_equal(hpke_seal(&h, 0, part(NULL, 0), part_str("abc"), ct), ERR_OK);
    assert_int_equal(hpke_decap(&r, enc, sk, part_str(INFO)), ERR_OK);
    assert_int_equal(hpke_open(&r, 0, part(NULL, 0), PART_OF(ct), pt), ERR_OK);
    assert_int_equal(hpke_decap(&r, enc, sk, part_str("Ode")), ERR_OK); /* replaces the first */
    assert_int_equal(hpke_open(&r, 0, part(NULL, 0), PART_OF(ct), pt), ERR_INTEGRITY);
    sk[7] ^= 1;
    assert_int_equal(hpke_decap(&r, enc, sk, part_str(INFO)), ERR_OK);
    assert_int_equal(hpke_open(&r, 0, part(NULL, 0), PART_OF(ct), pt), ERR_INTEGRITY);
    sk[7] ^= 1;
    enc[7] ^= 1;
    assert_int_equal(hpke_decap(&r, enc, sk, part_str(INFO)), ERR_OK);
    assert_int_equal(hpke_open(&r, 0, part(NULL, 0), PART_OF(ct), pt), ERR_INTEGRITY);
    hpke_free(&r);
    hpke_free(&h);
}

static void test_refusals(void **state)
{
    static const uint8_t zeros[32], ikm[32] = {1};
    static uint8_t big[HPKE_EXPORT_CONTEXT_MAX + 1];
    uint8_t enc[32], sk[32], pk[32], out[32] = {0};
    struct hpke h = {0};

    (void)state;
    from_hex(sk, vectors[OURS].sk_r);
    assert_int_equal(hpke_keypair(part(ikm, 31), sk, pk), ERR_INVALID);
    assert_int_equal(hpke_encap(&h, enc, zeros, part_str(INFO), ikm), ERR_INTEGRITY);
    assert_int_equal(hpke_decap(&h, zeros, sk, part_str(INFO)), ERR_INTEGRITY);
    assert_null(h.kept.data);
    h = sender(enc);
    assert_int_equal(hpke_export(&h, part(NULL, 0), out, 0), ERR_INVALID);
    assert_int_equal(hpke_export(&h, part(NULL, 0), out, HPKE_EXPORT_MAX + 1), ERR_INVALID);
    assert_int_equal(hpke_export(&h, PART_OF(big), out, 32), ERR_INVALID);
    assert_int_equal(hpke_export(&h, part(big, HPKE_EXPORT_CONTEXT_MAX), out, 32), ERR_OK);
    assert_int_equal(hpke_decap_for(&h, 0xffff, enc, sk, part_str(INFO)), ERR_OK);
    assert_int_equal(hpke_seal(&h, 0, part(NULL, 0), part(NULL, 0), out), ERR_UNSUPPORTED);
    assert_int_equal(hpke_open(&h, 0, part(NULL, 0), part(out, 16), out), ERR_UNSUPPORTED);
    hpke_free(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors_decap),
        cmocka_unit_test(test_vectors_encap),
        cmocka_unit_test(test_other_info_or_key_gives_other_keys),
        cmocka_unit_test(test_refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
