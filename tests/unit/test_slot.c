/* SPDX-License-Identifier: Apache-2.0 */
/* slot: sealing, opening, the tree over slots. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/transfer/slot.h"
#include "tests/sample/sample.h"

static int setup(void **state)
{
    struct sample *s = malloc(sizeof(*s));

    sample_make(s, 10);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    sample_free(*state);
    free(*state);
    return 0;
}

static struct slot_open opening(const struct sample *s, int who)
{
    return (struct slot_open){.header = &s->header,
                              .to = &s->user[who].uid,
                              .slot = &s->slot[who],
                              .ek = &s->user[who].ek};
}

static void test_everyone_opens_his_own(void **state)
{
    struct sample *s = *state;
    struct secret key = {0};
    struct err err;

    for (int i = 0; i < SAMPLE_RECIPIENTS; i++) {
        struct slot_open in = opening(s, i);

        assert_int_equal(slot_open(&in, SHARE_META, &s->share[i].meta, &key, &err), ERR_OK);
        assert_true(secret_equal(key.data, s->mek.data, SLOT_KEY_LEN));
        assert_int_equal(slot_open(&in, SHARE_BODY, &s->share[i].body, &key, &err), ERR_OK);
        assert_true(secret_equal(key.data, s->cek.data, SLOT_KEY_LEN));
    }
    secret_free(&key);
}

/* Both halves are needed, and of the right kind. */
static void test_wrong_halves(void **state)
{
    struct sample *s = *state;
    struct slot_open in = opening(s, SAMPLE_BOB);
    struct secret key = {0}, zeros = {0}, cut = {0};
    struct err err;

    assert_int_equal(secret_new(&zeros, 32, &err), ERR_OK);
    assert_int_equal(secret_new(&cut, 31, &err), ERR_OK);
#define REFUSED(part, share, code, names)                                                          \
    do {                                                                                           \
        assert_int_equal(slot_open(&in, part, share, &key, &err), code);                           \
        assert_non_null(strstr(err.msg, names));                                                   \
    } while (0)
    REFUSED(SHARE_META, &zeros, ERR_INTEGRITY, "share");
    REFUSED(SHARE_META, &cut, ERR_INTEGRITY, "share");
    REFUSED(SHARE_META, &s->share[SAMPLE_BOB].body, ERR_INTEGRITY, "share");
    REFUSED(SHARE_BODY, &s->share[SAMPLE_BOB].meta, ERR_INTEGRITY, "share");
    REFUSED(SHARE_META, &s->share[SAMPLE_CAROL].meta, ERR_INTEGRITY, "share");
    in.ek = &s->user[SAMPLE_CAROL].ek;
    REFUSED(SHARE_META, &s->share[SAMPLE_BOB].meta, ERR_INTEGRITY, "another key");
    in.ek = &cut;
    REFUSED(SHARE_META, &s->share[SAMPLE_BOB].meta, ERR_INVALID, "size");
    in = opening(s, SAMPLE_BOB);
    in.slot = &s->slot[SAMPLE_CAROL];
    REFUSED(SHARE_META, &s->share[SAMPLE_BOB].meta, ERR_INTEGRITY, "share");
    REFUSED(SHARE_META, &s->share[SAMPLE_CAROL].meta, ERR_INTEGRITY, "share");
#undef REFUSED
    assert_null(key.data);
    secret_free(&zeros);
    secret_free(&cut);
}

/* Everything in ctx is bound: a change of one bit and the wraps do not open. */
static void test_context(void **state)
{
    struct sample *s = *state;
    struct slot_open in = opening(s, SAMPLE_BOB);
    struct secret key = {0};
    struct header h;
    struct err err;

    in.header = &h;
#define BOUND(field)                                                                               \
    do {                                                                                           \
        h = s->header;                                                                             \
        h.field ^= 1;                                                                              \
        assert_int_equal(slot_open(&in, SHARE_META, &s->share[SAMPLE_BOB].meta, &key, &err),       \
                         ERR_INTEGRITY);                                                           \
        assert_int_equal(slot_open(&in, SHARE_BODY, &s->share[SAMPLE_BOB].body, &key, &err),       \
                         ERR_INTEGRITY);                                                           \
    } while (0)
    BOUND(version);
    BOUND(suite);
    BOUND(tid.b[3]);
    BOUND(sender.b[3]);
    BOUND(commitment.b[3]);
    BOUND(tweak);
    BOUND(kid.b[3]);
    BOUND(cid.b[3]);
    BOUND(mkid.b[3]);
    BOUND(created);
    BOUND(expires);
    BOUND(policy_flags);
    BOUND(opens);
#undef BOUND
    assert_null(key.data);
}

static void test_small_order_keys(void **state)
{
    struct sample *s = *state;
    uint8_t zero[32] = {0};
    struct manifest_ek ek = {.suite = 1, .key = PART_OF(zero)};
    struct slot_seal in = {.header = &s->header,
                           .to = &s->user[1].uid,
                           .ek = &ek,
                           .share = {&s->share[1].meta, &s->share[1].body},
                           .mek = &s->mek,
                           .cek = &s->cek,
                           .ephemeral = &s->cek};
    struct slot slot = s->slot[SAMPLE_BOB], sealed;
    struct slot_open out = opening(s, SAMPLE_BOB);
    struct secret key = {0}, cut = {0};
    struct err err;

    assert_int_equal(slot_seal(&in, &sealed, &err), ERR_INTEGRITY);
    memset(slot.enc, 0, sizeof(slot.enc));
    out.slot = &slot;
    assert_int_equal(slot_open(&out, SHARE_META, &s->share[1].meta, &key, &err), ERR_INTEGRITY);
    assert_null(key.data);
    ek.suite = 2;
    assert_int_equal(slot_seal(&in, &sealed, &err), ERR_UNSUPPORTED);
    in.ek = &s->user[1].key;
    assert_int_equal(secret_new(&cut, 31, &err), ERR_OK);
    in.ephemeral = &cut;
    assert_int_equal(slot_seal(&in, &sealed, &err), ERR_INVALID);
    secret_free(&cut);
}

/* The half that is made ahead gives the slot that it gives at once. */
static void test_sealing_ahead(void **state)
{
    struct sample *s = *state;
    struct hpke_kem kem = {0}, none = {0};
    struct slot_seal in = {.header = &s->header,
                           .to = &s->user[1].uid,
                           .ek = &s->user[1].key,
                           .share = {&s->share[1].meta, &s->share[1].body},
                           .mek = &s->mek,
                           .cek = &s->cek,
                           .ephemeral = &s->cek};
    struct slot at_once, ahead;
    struct err err;

    assert_int_equal(slot_seal(&in, &at_once, &err), ERR_OK);
    assert_int_equal(slot_encap(in.ek, &s->cek, &kem, &err), ERR_OK);
    in.ephemeral = NULL;
    in.kem = &kem;
    assert_int_equal(slot_seal(&in, &ahead, &err), ERR_OK);
    assert_memory_equal(&ahead, &at_once, sizeof(ahead));
    in.kem = &none;
    assert_int_equal(slot_seal(&in, &ahead, &err), ERR_INVALID);
    secret_free(&kem.shared);
}

static void test_bad_keys_ahead(void **state)
{
    struct sample *s = *state;
    uint8_t zero[32] = {0};
    struct manifest_ek ek = {.suite = 1, .key = PART_OF(zero)};
    struct secret cut = {0};
    struct hpke_kem kem = {0};
    struct err err;

    assert_int_equal(slot_encap(&ek, &s->cek, &kem, &err), ERR_INTEGRITY);
    ek.suite = 2;
    assert_int_equal(slot_encap(&ek, &s->cek, &kem, &err), ERR_UNSUPPORTED);
    ek = s->user[1].key;
    ek.key.len--;
    assert_int_equal(slot_encap(&ek, &s->cek, &kem, &err), ERR_UNSUPPORTED);
    assert_int_equal(secret_new(&cut, 31, &err), ERR_OK);
    assert_int_equal(slot_encap(&s->user[1].key, &cut, &kem, &err), ERR_INVALID);
    assert_null(kem.shared.data);
    secret_free(&cut);
}

/* Another ephemeral, another slot; the same one, the same slot. */
static void test_sealing_is_fresh(void **state)
{
    struct sample *s = *state;
    struct slot first = s->slot[SAMPLE_BOB];

    sample_seal_slots(s);
    assert_memory_equal(&first, &s->slot[SAMPLE_BOB], sizeof(first));
    assert_memory_not_equal(s->slot[1].enc, s->slot[2].enc, SLOT_ENC_LEN);
    assert_memory_not_equal(s->slot[1].wrap[0], s->slot[2].wrap[0], SLOT_WRAP_LEN);
}

static void test_parse(void **state)
{
    struct sample *s = *state;
    struct part raw = s->slot_part[SAMPLE_BOB];
    uint8_t longer[SLOT_MAX + 1] = {0};
    struct slot back;
    struct err err;

    assert_int_equal(slot_parse(raw, &back, &err), ERR_OK);
    assert_memory_equal(&back, &s->slot[SAMPLE_BOB], sizeof(back));
    for (size_t i = 0; i < raw.len; i++)
        assert_int_equal(slot_parse(part(raw.data, i), &back, &err), ERR_INVALID);
    memcpy(longer, raw.data, raw.len);
    assert_int_equal(slot_parse(PART_OF(longer), &back, &err), ERR_INVALID);
}

static void test_tree(void **state)
{
    struct sample *s = *state;
    struct part slots[HEADER_SLOTS_MAX];
    uint8_t bytes[HEADER_SLOTS_MAX][4];
    struct hash32 path[SLOT_PROOF_MAX];
    struct part parts[SLOT_PROOF_MAX + 1];
    size_t n;
    struct err err;

    for (uint32_t i = 0; i < HEADER_SLOTS_MAX; i++) {
        put_be32(bytes[i], i);
        slots[i] = PART_OF(bytes[i]);
    }
    for (uint32_t count = 1; count <= HEADER_SLOTS_MAX; count += count < 10 ? 1 : 49) {
        struct header h = {.slots = count};

        assert_int_equal(slot_root(slots, count, &h.slots_root), ERR_OK);
        for (uint32_t i = 0; i < count; i += 1 + count / 7) {
            struct slot_proof p = {.slot = slots[i], .index = i, .path = parts};

            assert_int_equal(slot_path(slots, count, i, path, &n), ERR_OK);
            for (size_t k = 0; k < n; k++)
                parts[k] = PART_OF(path[k].b);
            p.path_len = n;
            assert_int_equal(slot_in_root(&p, &h, &err), ERR_OK);
            p.index = (i + 1) % count;
            assert_true(count == 1 || slot_in_root(&p, &h, &err) == ERR_INTEGRITY);
            p.index = i + count;
            assert_int_equal(slot_in_root(&p, &h, &err), ERR_INTEGRITY);
            p.index = i;
            p.slot = slots[(i + 1) % HEADER_SLOTS_MAX];
            assert_int_equal(slot_in_root(&p, &h, &err), ERR_INTEGRITY);
            p.slot = slots[i];
            p.path_len = n + 1;
            parts[n] = PART_OF(h.slots_root.b);
            assert_int_equal(slot_in_root(&p, &h, &err), ERR_INTEGRITY);
            if (n == 0)
                continue;
            p.path_len = n - 1;
            assert_int_equal(slot_in_root(&p, &h, &err), ERR_INTEGRITY);
            p.path_len = n;
            parts[0].len = 31;
            assert_int_equal(slot_in_root(&p, &h, &err), ERR_INTEGRITY);
        }
    }
    assert_int_equal(slot_path(slots, 3, 3, path, &n), ERR_INVALID);
    assert_int_equal(slot_path(slots, 0, 0, path, &n), ERR_INVALID);
    (void)s;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_everyone_opens_his_own),
        TEST(test_wrong_halves),
        TEST(test_context),
        TEST(test_small_order_keys),
        TEST(test_sealing_is_fresh),
        TEST(test_sealing_ahead),
        TEST(test_bad_keys_ahead),
        TEST(test_parse),
        TEST(test_tree),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
