/* SPDX-License-Identifier: Apache-2.0 */
/* receive: the checks of section 16, each with what it is for. */
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
#include "common/transfer/receive.h"
#include "common/transfer/statement.h"
#include "tests/sample/sample.h"

static int setup(void **state)
{
    struct sample *s = malloc(sizeof(*s));

    sample_make(s, 300000);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    sample_free(*state);
    free(*state);
    return 0;
}

static void test_all_is_well(void **state)
{
    struct sample *s = *state;
    struct sample_row row;
    struct err err;

    for (int who = 0; who < SAMPLE_RECIPIENTS; who++) {
        struct receive r = {0};
        struct body *b = NULL;
        struct hash32 hash;

        sample_row(s, who, &row);
        assert_int_equal(receive_check(&row.in, &r, &err), ERR_OK);
        assert_string_equal(r.metadata.name, s->metadata.name);
        assert_false(r.device_revoked_since);
        assert_int_equal(header_hash(row.in.header, &hash), ERR_OK);
        assert_memory_equal(&hash, &r.header_hash, sizeof(hash));
        assert_int_equal(receive_body(&row.in, &r, &s->share[who].body, &b, &err), ERR_OK);
        assert_int_equal(body_check_leaves(&r.header, s->leaves, s->n_leaves, &err), ERR_OK);
        body_free(b);
        receive_free(&r);
    }
    receive_free(NULL);
}

static void test_peek(void **state)
{
    struct sample *s = *state;
    struct receive_claim claim;
    struct sample_row row;
    struct err err;

    sample_row(s, SAMPLE_BOB, &row);
    assert_int_equal(receive_peek(row.in.header, row.in.slot, &claim, &err), ERR_OK);
    assert_memory_equal(&claim.sender, &s->user[0].uid, sizeof(claim.sender));
    assert_memory_equal(&claim.tid, &s->header.tid, sizeof(claim.tid));
    assert_memory_equal(&claim.ek_id, &s->user[1].key.id, sizeof(claim.ek_id));
    assert_memory_equal(&claim.manifest, &s->user[0].first->hash, sizeof(claim.manifest));
    assert_int_equal(receive_peek(part_str("x"), row.in.slot, &claim, &err), ERR_INTEGRITY);
    assert_int_equal(err.code, ERR_INTEGRITY);
    assert_int_equal(receive_peek(row.in.header, part_str("x"), &claim, &err), ERR_INTEGRITY);
}

/* ${in} must be refused with ${code} and a message with ${names}; nothing comes out. */
static void refused(const struct receive_in *in, int code, const char *names)
{
    struct receive r = {0};
    struct err err = {0};
    int rc = receive_check(in, &r, &err);

    if (rc != code || err.code != code || strstr(err.msg, names) == NULL)
        fail_msg("%s instead of %s '%s': %s", err_name(rc), err_name(code), names, err.msg);
    assert_int_equal(r.metadata.name[0], '\0');
    receive_free(&r);
}

/* Alice's chain with one more manifest, in which her device is revoked at ${revoked}. */
static void revoke(struct sample_user *u, uint64_t revoked)
{
    struct manifest_device devices[2] = {u->device, u->device};
    struct manifest_build_plan plan = {.previous = chain_newest(&u->chain),
                                       .created = SAMPLE_TIME,
                                       .devices = devices,
                                       .n_devices = 2,
                                       .eks = &u->key,
                                       .n_eks = 1};
    enum chain_change change;
    struct manifest *m = NULL;

    devices[0].revoked = revoked;
    sample_fill(77, devices[1].key, 32);
    assert_int_equal(manifest_build(&plan, &u->isk, &m, NULL), ERR_OK);
    assert_int_equal(chain_add(&u->chain, m, &change, NULL), ERR_OK);
}

static void test_sender(void **state)
{
    struct sample *s = *state;
    struct sample_row row;
    struct receive r = {0};
    struct chain empty = {.uid = s->user[SAMPLE_ALICE].uid};
    struct hash32 seen;
    struct err err;

    sample_row(s, SAMPLE_BOB, &row);
    row.in.chain = &s->user[SAMPLE_CAROL].chain;
    refused(&row.in, ERR_INTEGRITY, "Header.sender");
    row.in.chain = &empty;
    refused(&row.in, ERR_INTEGRITY, "Header.manifest");
    /* Revoked after the transfer was made, says its date: good only if it was seen before. */
    assert_int_equal(header_hash(row.in.header, &seen), ERR_OK);
    revoke(&s->user[SAMPLE_ALICE], SAMPLE_TIME + 1);
    row.in.chain = &s->user[SAMPLE_ALICE].chain;
    refused(&row.in, ERR_REVOKED, "revoked since");
    row.in.seen = &seen;
    assert_int_equal(receive_check(&row.in, &r, &err), ERR_OK);
    assert_true(r.device_revoked_since);
    receive_free(&r);
    row.in.seen = NULL;
    /* A later manifest may date the theft back. */
    revoke(&s->user[SAMPLE_ALICE], SAMPLE_TIME);
    refused(&row.in, ERR_REVOKED, "revoked");
    /* And the header's own manifest may say it. */
    s->header.manifest = chain_newest(&s->user[SAMPLE_ALICE].chain)->hash;
    sample_sign(s);
    sample_row(s, SAMPLE_BOB, &row);
    refused(&row.in, ERR_REVOKED, "revoked");
}

/* One more manifest, made at ${created}, that does not list the device any more. */
static void leave_out(struct sample_user *u, uint64_t created)
{
    struct manifest_device other = u->device;
    struct manifest_build_plan plan = {.previous = chain_newest(&u->chain),
                                       .created = created,
                                       .devices = &other,
                                       .n_devices = 1,
                                       .eks = &u->key,
                                       .n_eks = 1};
    enum chain_change change;
    struct manifest *m = NULL;

    sample_fill(77, other.key, 32);
    assert_int_equal(manifest_build(&plan, &u->isk, &m, NULL), ERR_OK);
    assert_int_equal(chain_add(&u->chain, m, &change, NULL), ERR_OK);
}

/* Only a header that was seen counts, as for a device that is listed as revoked. */
static void assert_only_seen(struct sample *s)
{
    struct receive r = {0};
    struct sample_row row;
    struct hash32 seen;
    struct err err;

    sample_row(s, SAMPLE_BOB, &row);
    refused(&row.in, ERR_REVOKED, "revoked since");
    assert_int_equal(header_hash(row.in.header, &seen), ERR_OK);
    row.in.seen = &seen;
    assert_int_equal(receive_check(&row.in, &r, &err), ERR_OK);
    assert_true(r.device_revoked_since);
    receive_free(&r);
    sample_row(s, SAMPLE_ALICE, &row); /* one's own count as well */
    assert_int_equal(receive_check(&row.in, &r, &err), ERR_OK);
    receive_free(&r);
}

/* Without room the list drops devices: that makes a thief's no better. */
static void test_device_dropped_from_the_list(void **state)
{
    struct sample *s = *state;
    struct sample_row row;

    revoke(&s->user[SAMPLE_ALICE], s->header.created + 1);
    leave_out(&s->user[SAMPLE_ALICE], s->header.created + 2);
    assert_only_seen(s);
    s->header.created++; /* of the time at which it was revoked */
    sample_sign(s);
    sample_row(s, SAMPLE_BOB, &row);
    refused(&row.in, ERR_REVOKED, "revoked");
    row.in.seen = &s->user[SAMPLE_ALICE].first->hash;
    refused(&row.in, ERR_REVOKED, "revoked");
}

/* Dropped without a word of when: it is out from then on. */
static void test_device_dropped_unrevoked(void **state)
{
    struct sample *s = *state;
    struct sample_row row;

    leave_out(&s->user[SAMPLE_ALICE], s->header.created + 1);
    assert_only_seen(s);
    leave_out(&s->user[SAMPLE_ALICE], s->header.created + 2);
    assert_only_seen(s);
    s->header.created++;
    sample_sign(s);
    sample_row(s, SAMPLE_BOB, &row);
    refused(&row.in, ERR_REVOKED, "was revoked");
}

/* An addendum that Alice's device signs at ${time}. */
static int check_addendum(struct sample *s, uint64_t time)
{
    struct sample_user *u = &s->user[SAMPLE_ALICE];
    struct statement said = {.version = STATEMENT_VERSION,
                             .tid = s->header.tid,
                             .user = u->uid,
                             .manifest = u->first->hash,
                             .device = u->device.id,
                             .time = time,
                             .number = 1,
                             .expires = time + SAMPLE_DAY};
    struct buf raw = {0};
    int rc;

    assert_int_equal(header_hash(part(s->header_raw.data, s->header_raw.len), &said.header),
                     ERR_OK);
    assert_int_equal(statement_make(SIGNED_EXTEND, &said, &u->dsk, &raw, NULL), ERR_OK);
    rc = statement_check(SIGNED_EXTEND, part(raw.data, raw.len), u->first, &u->chain, NULL);
    buf_free(&raw);
    return rc;
}

/* What a device says after it was revoked counts for nothing, listed or not. */
static void test_statement_of_a_revoked_device(void **state)
{
    struct sample *s = *state;
    uint64_t out = SAMPLE_TIME + 10;

    assert_int_equal(check_addendum(s, out), ERR_OK);
    revoke(&s->user[SAMPLE_ALICE], out);
    assert_int_equal(check_addendum(s, out - 1), ERR_OK);
    assert_int_equal(check_addendum(s, out), ERR_REVOKED);
    leave_out(&s->user[SAMPLE_ALICE], out + 5);
    assert_int_equal(check_addendum(s, out - 1), ERR_OK);
    assert_int_equal(check_addendum(s, out), ERR_REVOKED);
    assert_int_equal(check_addendum(s, out + 5), ERR_REVOKED);
}

/* Carol, a recipient, signs Alice's header, and sends it on as her own. */
static void test_signed_by_somebody_else(void **state)
{
    struct sample *s = *state;
    struct sample_user *carol = &s->user[SAMPLE_CAROL];
    struct sample_row row;
    struct err err;

    sample_row(s, SAMPLE_BOB, &row);
    assert_int_equal(signed_make(SIGNED_TRANSFER, &carol->dsk, row.in.header, s->signature, &err),
                     ERR_OK);
    refused(&row.in, ERR_INTEGRITY, "signature");
    s->header.device = carol->device.id;
    sample_sign(s);
    sample_row(s, SAMPLE_BOB, &row);
    refused(&row.in, ERR_INTEGRITY, "Header.device");
    s->header.sender = carol->uid;
    s->header.manifest = carol->first->hash;
    buf_reset(&s->header_raw);
    assert_int_equal(header_pack(&s->header, &s->header_raw, &err), ERR_OK);
    sample_row(s, SAMPLE_BOB, &row);
    assert_int_equal(signed_make(SIGNED_TRANSFER, &carol->dsk, row.in.header, s->signature, &err),
                     ERR_OK);
    row.in.chain = &carol->chain;
    refused(&row.in, ERR_INTEGRITY, "slot"); /* it is bound to Alice */
    row.in.signature.len = 63;
    refused(&row.in, ERR_INTEGRITY, "signature");
}

static void test_slot_of_another_recipient(void **state)
{
    struct sample *s = *state;
    struct sample_row bob, carol;

    sample_row(s, SAMPLE_BOB, &bob);
    sample_row(s, SAMPLE_CAROL, &carol);
    carol.in.me = bob.in.me;
    refused(&carol.in, ERR_INTEGRITY, "share"); /* with Carol's share: it names Bob */
    carol.in.share_meta = bob.in.share_meta;
    refused(&carol.in, ERR_INTEGRITY, "share");
    carol.in.me = &s->user[SAMPLE_CAROL].uid;
    carol.in.share_meta = &s->share[SAMPLE_CAROL].meta;
    carol.in.ek = bob.in.ek;
    refused(&carol.in, ERR_INTEGRITY, "another key");
    bob.in.slot = carol.in.slot;
    refused(&bob.in, ERR_INTEGRITY, "not one of this header"); /* Bob's place, Carol's slot */
}

static void test_slot_not_in_root(void **state)
{
    struct sample *s = *state;
    struct sample_row row;

    sample_row(s, SAMPLE_BOB, &row);
    row.in.slot_index = 0;
    refused(&row.in, ERR_INTEGRITY, "not one of this header");
    row.in.slot_index = 1;
    row.in.n_proof--;
    refused(&row.in, ERR_INTEGRITY, "not one of this header");
    row.in.n_proof++;
    row.path[0].b[0] ^= 1;
    refused(&row.in, ERR_INTEGRITY, "not one of this header");
    row.in.slot = part(row.in.slot.data, row.in.slot.len - 1);
    refused(&row.in, ERR_INTEGRITY, "Slot");
}

static void test_times(void **state)
{
    struct sample *s = *state;
    struct sample_row row;
    struct receive r = {0};
    struct err err;

    sample_row(s, SAMPLE_BOB, &row);
    row.in.now = s->header.expires;
    refused(&row.in, ERR_EXPIRED, "expired");
    row.in.now = UINT64_MAX;
    refused(&row.in, ERR_EXPIRED, "expired");
    row.in.now = s->header.expires - 1;
    assert_int_equal(receive_check(&row.in, &r, &err), ERR_OK);
    receive_free(&r);
    row.in.now = s->header.created - RECEIVE_CLOCK_MS;
    assert_int_equal(receive_check(&row.in, &r, &err), ERR_OK);
    receive_free(&r);
    row.in.now--;
    refused(&row.in, ERR_REFUSED, "future");
    row.in.now = 0;
    refused(&row.in, ERR_REFUSED, "future");
}

static void test_replay(void **state)
{
    struct sample *s = *state;
    struct hash32 seen;
    struct sample_row row;
    struct receive r = {0};
    struct err err;

    sample_row(s, SAMPLE_BOB, &row);
    assert_int_equal(header_hash(row.in.header, &seen), ERR_OK);
    row.in.seen = &seen;
    assert_int_equal(receive_check(&row.in, &r, &err), ERR_OK);
    receive_free(&r);
    seen.b[0] ^= 1;
    refused(&row.in, ERR_INTEGRITY, "another header");
}

static void test_metadata(void **state)
{
    struct sample *s = *state;
    struct metadata long_one = s->metadata;
    struct sample_row row;
    struct buf other = {0};

    sample_row(s, SAMPLE_BOB, &row);
    s->sealed_metadata.data[5] ^= 1;
    refused(&row.in, ERR_INTEGRITY, "metadata_hash");
    s->sealed_metadata.data[5] ^= 1;
    row.in.metadata.len = 0;
    refused(&row.in, ERR_INTEGRITY, "metadata_hash");
    /* A sender who lies about the length. */
    long_one.length = s->header.body_length + 1;
    assert_int_equal(metadata_seal(&s->mek, &s->header.tid, &long_one, &other, NULL), ERR_OK);
    memcpy(s->sealed_metadata.data, other.data, other.len);
    assert_int_equal(hash_sha256(s->header.metadata_hash.b, other.data, other.len), ERR_OK);
    sample_sign(s);
    sample_row(s, SAMPLE_BOB, &row);
    refused(&row.in, ERR_INTEGRITY, "Metadata.length");
    buf_free(&other);
}

/* MKID is looked at before anything is decrypted: ciphertext for one key, header for another. */
static void test_key_match(void **state)
{
    struct sample *s = *state;
    struct sample_row row;
    struct receive r = {0};
    struct body *b = NULL;
    struct secret other = {0}, was = {0};
    struct err err;

    sample_secret("another key", &other);
    secret_move(&was, &s->mek);
    secret_move(&s->mek, &other);
    sample_seal_slots(s); /* the slots hold another MEK */
    sample_pack_slots(s);
    sample_sign(s);
    sample_row(s, SAMPLE_BOB, &row);
    refused(&row.in, ERR_INTEGRITY, "mkid");
    secret_move(&other, &s->mek);
    secret_move(&s->mek, &was);
    secret_move(&was, &s->cek);
    secret_move(&s->cek, &other);
    sample_seal_slots(s); /* now another CEK */
    sample_pack_slots(s);
    sample_sign(s);
    sample_row(s, SAMPLE_BOB, &row);
    assert_int_equal(receive_check(&row.in, &r, &err), ERR_OK);
    assert_int_equal(receive_body(&row.in, &r, &s->share[SAMPLE_BOB].body, &b, &err),
                     ERR_INTEGRITY);
    assert_non_null(strstr(err.msg, "kid"));
    assert_int_equal(receive_body(&row.in, &r, &s->share[SAMPLE_BOB].meta, &b, &err),
                     ERR_INTEGRITY);
    assert_non_null(strstr(err.msg, "share"));
    assert_null(b);
    receive_free(&r);
    secret_free(&was);
}

/* A row of an expired transfer: no share, no metadata, but who sent it. */
static void test_origin_alone(void **state)
{
    struct sample *s = *state;
    struct sample_row row;
    struct receive r = {0};
    struct err err;

    sample_row(s, SAMPLE_BOB, &row);
    row.in.share_meta = NULL;
    row.in.metadata = part(NULL, 0);
    row.in.now = UINT64_MAX;
    assert_int_equal(receive_origin(&row.in, &r, &err), ERR_OK);
    assert_memory_equal(&r.header.tid, &s->header.tid, sizeof(r.header.tid));
    assert_null(r.mek.data);
    receive_free(&r);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_all_is_well),
        TEST(test_peek),
        TEST(test_sender),
        TEST(test_device_dropped_from_the_list),
        TEST(test_device_dropped_unrevoked),
        TEST(test_statement_of_a_revoked_device),
        TEST(test_signed_by_somebody_else),
        TEST(test_slot_of_another_recipient),
        TEST(test_slot_not_in_root),
        TEST(test_times),
        TEST(test_replay),
        TEST(test_metadata),
        TEST(test_key_match),
        TEST(test_origin_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
