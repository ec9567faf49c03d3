/* SPDX-License-Identifier: Apache-2.0 */
/* manifest: a user's signed keys, read and chosen from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/crypto/hash.h"
#include "common/transfer/manifest_build.h"
#include "proto/satchel.pb-c.h"
#include "tests/sample/sample.h"

enum { BIG = 70 };

/* A manifest of Alice taken apart; a test changes it and signs it again. */
struct draft {
    struct sample_user u;
    Satchel__Manifest *msg;
    Satchel__Device *devices[BIG], more_devices[BIG];
    Satchel__EncryptionKey *eks[BIG], more_eks[BIG];
    uint8_t keys[BIG][32];
};

static int setup(void **state)
{
    struct draft *d = calloc(1, sizeof(*d));

    sample_user(&d->u, "alice");
    d->msg = satchel__manifest__unpack(NULL, d->u.first->body.len, d->u.first->body.data);
    for (int i = 0; i < BIG; i++) {
        sample_fill((uint32_t)i + 100, d->keys[i], 32);
        satchel__device__init(&d->more_devices[i]);
        d->more_devices[i].key = (ProtobufCBinaryData){32, d->keys[i]};
        d->devices[i] = &d->more_devices[i];
        satchel__encryption_key__init(&d->more_eks[i]);
        d->more_eks[i].suite = 1;
        d->more_eks[i].not_after = 1;
        d->more_eks[i].key = (ProtobufCBinaryData){32, d->keys[i]};
        d->eks[i] = &d->more_eks[i];
    }
    *state = d;
    return 0;
}

static int teardown(void **state)
{
    struct draft *d = *state;

    satchel__manifest__free_unpacked(d->msg, NULL);
    sample_user_free(&d->u);
    free(d);
    return 0;
}

/* Sign and parse; the message is left as it was before ${change}. */
static int parse_changed(struct draft *d, void (*change)(struct draft *), struct err *err)
{
    Satchel__Manifest before = *d->msg;
    Satchel__Device device = *d->msg->devices[0];
    Satchel__EncryptionKey ek = *d->msg->keys[0];
    uint8_t *raw, sig[64];
    struct manifest *m = NULL;
    size_t len;
    int rc;

    change(d);
    len = satchel__manifest__get_packed_size(d->msg);
    raw = malloc(len + 1);
    satchel__manifest__pack(d->msg, raw);
    assert_int_equal(signed_make(SIGNED_MANIFEST, &d->u.isk, part(raw, len), sig, err), ERR_OK);
    rc = manifest_parse(part(raw, len), PART_OF(sig), &m, err);
    assert_true((rc == ERR_OK) == (m != NULL));
    manifest_free(m);
    free(raw);
    *d->msg = before;
    *d->msg->devices[0] = device;
    *d->msg->keys[0] = ek;
    return rc;
}

static void use_devices(struct draft *d, size_t n)
{
    d->msg->devices = d->devices;
    d->msg->n_devices = n;
}

static void use_eks(struct draft *d, size_t n)
{
    d->msg->keys = d->eks;
    d->msg->n_keys = n;
}

/* clang-format off */
static void nothing(struct draft *d) { (void)d; }
static void other_version(struct draft *d) { d->msg->version = 2; }
static void no_version(struct draft *d) { d->msg->version = 0; }
static void short_uid(struct draft *d) { d->msg->user_id.len--; }
static void short_isk(struct draft *d) { d->msg->first_identity_key.len--; }
static void no_rk(struct draft *d) { d->msg->recovery_key.len = 0; }
static void rk_differs(struct draft *d) { d->msg->recovery_key.data = d->keys[0]; }
static void isk_differs(struct draft *d) { d->msg->first_identity_key.data = d->keys[0]; }
static void uid_differs(struct draft *d) { d->msg->user_id.data = d->keys[0]; }
static void sequence_0(struct draft *d) { d->msg->sequence = 0; }
static void sequence_2(struct draft *d) { d->msg->sequence = 2; }
static void previous_in_first(struct draft *d) { d->msg->previous = d->more_eks[0].key; }
static void sequence_2_previous(struct draft *d) { sequence_2(d); previous_in_first(d); }
static void previous_short(struct draft *d) { sequence_2_previous(d); d->msg->previous.len = 31; }
static void account(struct draft *d) { d->msg->account = d->more_eks[0].key; }
static void account_short(struct draft *d) { account(d); d->msg->account.len = 31; }
static void account_long(struct draft *d) { d->msg->account = (ProtobufCBinaryData){33, d->keys[0]}; }
static void no_devices(struct draft *d) { d->msg->n_devices = 0; }
static void devices_64(struct draft *d) { use_devices(d, 64); }
static void devices_65(struct draft *d) { use_devices(d, 65); }
static void device_short(struct draft *d) { d->msg->devices[0]->key.len = 31; }
static void device_twice(struct draft *d) { d->devices[1] = d->devices[0]; use_devices(d, 2); }
static void no_keys(struct draft *d) { d->msg->n_keys = 0; }
static void keys_64(struct draft *d) { use_eks(d, 64); }
static void keys_65(struct draft *d) { use_eks(d, 65); }
static void key_short(struct draft *d) { d->msg->keys[0]->key.len = 31; }
static void key_twice(struct draft *d) { d->eks[1] = d->eks[0]; use_eks(d, 2); }
static void key_time(struct draft *d) { d->msg->keys[0]->not_after = d->msg->keys[0]->not_before; }
static void suite_0(struct draft *d) { d->msg->keys[0]->suite = 0; }
static void only_suite_2(struct draft *d) { d->msg->keys[0]->suite = 2; }
static void also_suite_2(struct draft *d) { d->more_eks[1].suite = 2; d->more_eks[1].key.len = 20; use_eks(d, 2); }
static void empty_suite_2(struct draft *d) { d->more_eks[1].suite = 2; d->more_eks[1].key.len = 0; use_eks(d, 2); }
/* clang-format on */

static void test_rules(void **state)
{
    static const struct {
        void (*change)(struct draft *);
        int code;
        const char *names;
    } rows[] = {
        {nothing, ERR_OK, ""},
        {other_version, ERR_UNSUPPORTED, "version"},
        {no_version, ERR_UNSUPPORTED, "version"},
        {short_uid, ERR_INVALID, "user_id"},
        {short_isk, ERR_INVALID, "first_identity_key"},
        {no_rk, ERR_INVALID, "recovery_key"},
        {rk_differs, ERR_INTEGRITY, "user_id"},
        {isk_differs, ERR_INTEGRITY, "user_id"},
        {uid_differs, ERR_INTEGRITY, "user_id"},
        {sequence_0, ERR_INVALID, "sequence"},
        {sequence_2, ERR_INVALID, "previous"},
        {sequence_2_previous, ERR_OK, ""},
        {previous_in_first, ERR_INVALID, "previous"},
        {previous_short, ERR_INVALID, "previous"},
        {account, ERR_OK, ""},
        {account_short, ERR_INVALID, "account"},
        {account_long, ERR_INVALID, "account"},
        {no_devices, ERR_INVALID, "devices"},
        {devices_64, ERR_OK, ""},
        {devices_65, ERR_INVALID, "devices"},
        {device_short, ERR_INVALID, "Device.key"},
        {device_twice, ERR_INVALID, "twice"},
        {no_keys, ERR_INVALID, "keys"},
        {keys_64, ERR_OK, ""},
        {keys_65, ERR_INVALID, "keys"},
        {key_short, ERR_INVALID, "keys"},
        {key_twice, ERR_INVALID, "twice"},
        {key_time, ERR_INVALID, "not_before"},
        {suite_0, ERR_INVALID, "suite"},
        {only_suite_2, ERR_INVALID, "suite 1"},
        {also_suite_2, ERR_OK, ""},
        {empty_suite_2, ERR_INVALID, "keys"},
    };
    struct err err = {0};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int rc = parse_changed(*state, rows[i].change, &err);

        if (rc != rows[i].code || (rc != ERR_OK && strstr(err.msg, rows[i].names) == NULL))
            fail_msg("row %zu: %s: %s", i, err_name(rc), rc == ERR_OK ? "" : err.msg);
        /* device_twice and key_twice change the lists */
        ((struct draft *)*state)->devices[1] = &((struct draft *)*state)->more_devices[1];
        ((struct draft *)*state)->eks[1] = &((struct draft *)*state)->more_eks[1];
    }
}

/* Every bit of a signed manifest counts, and every length. */
static void test_flips_and_cuts(void **state)
{
    struct draft *d = *state;
    uint8_t expected[HASH_SHA256_LEN];
    struct hash32 digest;
    struct manifest *m = NULL;
    struct buf raw = {0};
    struct err err;

    assert_int_equal(manifest_pack(d->u.first, &raw, &err), ERR_OK);
    /* The good one is remembered, which must not help those that are like it but for a bit. */
    assert_int_equal(manifest_parse_signed(part(raw.data, raw.len), &m, &err), ERR_OK);
    manifest_free(m);
    m = NULL;
    for (size_t i = 0; i < raw.len; i++) {
        raw.data[i] ^= (uint8_t)(1U << i % 8);
        assert_int_not_equal(manifest_parse_signed(part(raw.data, raw.len), &m, &err), ERR_OK);
        raw.data[i] ^= (uint8_t)(1U << i % 8);
        assert_int_not_equal(manifest_parse_signed(part(raw.data, i), &m, &err), ERR_OK);
    }
    assert_null(m);
    assert_int_equal(manifest_parse_signed(part(raw.data, raw.len), &m, &err), ERR_OK);
    assert_memory_equal(&m->hash, &d->u.first->hash, sizeof(m->hash));
    assert_int_equal(manifest_digest(m, &digest), ERR_OK);
    assert_int_equal(hash_sha256(expected, raw.data, raw.len), ERR_OK);
    assert_memory_equal(digest.b, expected, sizeof(expected));
    manifest_free(m);
    manifest_free(NULL);
    buf_free(&raw);
}

static void test_too_large(void **state)
{
    struct draft *d = *state;
    uint8_t *raw = calloc(1, MANIFEST_MAX + 1), sig[64] = {0};
    struct manifest *m = NULL;
    struct err err;

    (void)d;
    assert_int_equal(manifest_parse(part(raw, MANIFEST_MAX + 1), PART_OF(sig), &m, &err),
                     ERR_INVALID);
    assert_int_equal(manifest_parse(part(raw, 10), part(sig, 63), &m, &err), ERR_INVALID);
    assert_int_equal(manifest_parse(part(NULL, 0), PART_OF(sig), &m, &err), ERR_UNSUPPORTED);
    free(raw);
}

static void test_choose_ek(void **state)
{
    struct draft *d = *state;
    struct manifest_ek eks[4] = {{0}};
    struct manifest_build_plan plan = {.recovery_key = d->u.rk_public,
                                       .devices = &d->u.device,
                                       .n_devices = 1,
                                       .eks = eks,
                                       .n_eks = 4};
    const uint64_t day = SAMPLE_DAY;
    const struct manifest_ek *ek = NULL;
    struct manifest *m = NULL;
    bool lapsed = false;
    struct err err;

    for (uint64_t i = 0; i < 4; i++) {
        eks[i].suite = i == 3 ? 2 : 1;
        eks[i].key = PART_OF(d->keys[i]);
        eks[i].not_before = (100 + 30 * i) * day;
        eks[i].not_after = (130 + 30 * i) * day;
    }
    assert_int_equal(manifest_build(&plan, &d->u.isk, &m, &err), ERR_OK);
    assert_int_equal(manifest_choose_ek(m, 110 * day, &ek, &lapsed, &err), ERR_OK);
    assert_memory_equal(ek->key.data, d->keys[0], 32);
    assert_false(lapsed);
    assert_int_equal(manifest_choose_ek(m, 130 * day, &ek, &lapsed, &err), ERR_OK);
    assert_memory_equal(ek->key.data, d->keys[1], 32);
    assert_int_equal(manifest_choose_ek(m, 195 * day, &ek, &lapsed, &err), ERR_OK);
    assert_memory_equal(ek->key.data, d->keys[2], 32); /* never one of suite 2 */
    assert_true(lapsed);
    assert_int_equal(manifest_choose_ek(m, 99 * day, &ek, &lapsed, &err), ERR_OK);
    assert_memory_equal(ek->key.data, d->keys[0], 32); /* within a day */
    assert_false(lapsed);
    ek = NULL;
    assert_int_equal(manifest_choose_ek(m, 99 * day - 1, &ek, &lapsed, &err), ERR_NOTFOUND);
    assert_null(ek);
    assert_non_null(manifest_ek(m, &m->eks[3].id));
    assert_null(manifest_ek(m, &d->u.key.id));
    manifest_free(m);
}

/* The same keys in the reverse order give the same choice. */
static void test_choose_ek_order(void **state)
{
    struct draft *d = *state;
    struct manifest_ek eks[2] = {{.suite = 1, .not_before = 20, .not_after = 30},
                                 {.suite = 1, .not_before = 10, .not_after = 20}};
    struct manifest_build_plan plan = {.recovery_key = d->u.rk_public,
                                       .devices = &d->u.device,
                                       .n_devices = 1,
                                       .eks = eks,
                                       .n_eks = 2};
    const struct manifest_ek *ek = NULL;
    struct manifest *m = NULL;
    bool lapsed;
    struct err err;

    eks[0].key = PART_OF(d->keys[0]);
    eks[1].key = PART_OF(d->keys[1]);
    assert_int_equal(manifest_build(&plan, &d->u.isk, &m, &err), ERR_OK);
    assert_int_equal(manifest_choose_ek(m, 15, &ek, &lapsed, &err), ERR_OK);
    assert_int_equal(ek->not_before, 10);
    assert_int_equal(manifest_choose_ek(m, 25, &ek, &lapsed, &err), ERR_OK);
    assert_int_equal(ek->not_before, 20);
    assert_int_equal(manifest_choose_ek(m, 5, &ek, &lapsed, &err), ERR_OK);
    assert_int_equal(ek->not_before, 10);
    manifest_free(m);
}

static void test_device_at(void **state)
{
    struct draft *d = *state;
    struct manifest_device devices[1] = {d->u.device};
    struct manifest_build_plan plan = {.recovery_key = d->u.rk_public,
                                       .devices = devices,
                                       .n_devices = 1,
                                       .eks = &d->u.key,
                                       .n_eks = 1};
    const struct manifest_device *found = NULL;
    struct device_id other = {{1}};
    struct manifest *m = NULL;
    struct err err;

    devices[0].revoked = 1000;
    assert_int_equal(manifest_build(&plan, &d->u.isk, &m, &err), ERR_OK);
    assert_int_equal(manifest_device_at(m, &d->u.device.id, 1000, &found, &err), ERR_REVOKED);
    assert_int_equal(manifest_device_at(m, &other, 999, &found, &err), ERR_NOTFOUND);
    assert_null(found);
    assert_int_equal(manifest_device_at(m, &d->u.device.id, 999, &found, &err), ERR_OK);
    assert_memory_equal(found->key, d->u.device.key, 32);
    manifest_free(m);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_rules),     TEST(test_flips_and_cuts),  TEST(test_too_large),
        TEST(test_choose_ek), TEST(test_choose_ek_order), TEST(test_device_at),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
