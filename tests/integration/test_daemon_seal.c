/* SPDX-License-Identifier: Apache-2.0 */
/* SealTransfer: visible to all or to none, and every field that the daemon can see is checked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/integration/stage.h"

#define CODE(x) SATCHEL__CODE__##x

enum { PIECE = 262144 };

static struct peer a; /* alice */

static int enter(void **state)
{
    (void)state;
    stage_enter(&a, &alice);
    return 0;
}

static int leave(void **state)
{
    (void)state;
    peer_close(&a);
    return 0;
}

/* ---- SealTransfer ---- */

/* A bad signature is seen before anybody looks for the manifest. */
static void test_a_forged_header_costs_no_search(void **state)
{
    struct message *m;
    struct parcel x;

    (void)state;
    stage_parcel(&x, 1000, 77);
    assert_int_equal(parcel_open(&a, &x), OK);
    parcel_seal_body(&x);
    memset(x.header.manifest.b, 9, sizeof(x.header.manifest.b));
    parcel_sign(&x);
    assert_int_equal(parcel_put_all(&a, &x), OK);
    for (int i = 0; i < 2; i++) {
        m = peer_wait(&a, parcel_send_seal(&a, &x));
        assert_non_null(m);
        assert_int_equal(m->env->body_case, SATCHEL__ENVELOPE__BODY_ERROR);
        assert_int_equal(m->env->error->code, CODE(BAD_REQUEST));
        assert_non_null(strstr(m->env->error->message, i == 0 ? "manifest" : "signature"));
        message_free(m);
        x.signature[7] ^= 1;
    }
    parcel_free(&x);
}

/* Everything in one flight: the seal waits for the pieces before it. */
static void test_a_flight(void **state)
{
    struct parcel x;
    uint64_t ids[4], seal;

    (void)state;
    stage_parcel(&x, 3 * PIECE, 20);
    assert_int_equal(parcel_open(&a, &x), OK);
    parcel_seal_body(&x);
    for (uint32_t i = 0; i < 4; i++)
        ids[i] = parcel_send_piece(&a, &x, i);
    seal = parcel_send_seal(&a, &x);
    assert_int_equal(peer_code(peer_wait(&a, seal)), OK);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(peer_code(peer_wait(&a, ids[i])), OK);
    parcel_free(&x);
}

/* The body has so many pieces, which the sender may read. */
static void check_body(const struct parcel *x, uint32_t pieces)
{
    uint64_t id = parcel_ask_pieces(&a, x, 0, pieces);

    for (uint32_t i = 0; i < pieces; i++) {
        struct message *m = peer_wait(&a, id);

        assert_non_null(m);
        assert_int_equal(m->env->body_case, SATCHEL__ENVELOPE__BODY_PIECE);
        message_free(m);
    }
    assert_int_equal(peer_code(peer_wait(&a, id)), OK);
}

/* One small piece becomes durable with its seal; each has its own answer. */
static void test_a_small_flight(void **state)
{
    struct parcel x;
    uint64_t piece, again, seal;

    (void)state;
    stage_parcel(&x, 1000, 40);
    assert_int_equal(parcel_open(&a, &x), OK);
    parcel_seal_body(&x);
    piece = parcel_send_piece(&a, &x, 0);
    again = parcel_send_piece(&a, &x, 0);
    seal = parcel_send_seal(&a, &x);
    assert_int_equal(peer_code(peer_wait(&a, seal)), OK);
    assert_int_equal(peer_code(peer_wait(&a, piece)), OK);
    assert_int_equal(peer_code(peer_wait(&a, again)), OK);
    check_body(&x, 1);
    parcel_free(&x);
}

/* A seal that is refused leaves the piece to itself, and comes again alone. */
static void test_a_small_flight_with_a_bad_seal(void **state)
{
    struct parcel x;
    uint64_t piece, seal;

    (void)state;
    stage_parcel(&x, 1000, 41);
    assert_int_equal(parcel_open(&a, &x), OK);
    parcel_seal_body(&x);
    x.signature[0] ^= 1;
    piece = parcel_send_piece(&a, &x, 0);
    seal = parcel_send_seal(&a, &x);
    assert_int_equal(peer_code(peer_wait(&a, seal)), SATCHEL__CODE__BAD_REQUEST);
    assert_int_equal(peer_code(peer_wait(&a, piece)), OK);
    x.signature[0] ^= 1;
    seal = parcel_send_seal(&a, &x);
    assert_int_equal(peer_code(peer_wait(&a, seal)), OK);
    check_body(&x, 1);
    parcel_free(&x);
}

static void test_pieces_are_missing(void **state)
{
    struct parcel x;

    (void)state;
    stage_parcel(&x, 2 * PIECE, 21);
    assert_int_equal(parcel_open(&a, &x), OK);
    parcel_seal_body(&x);
    assert_int_equal(parcel_seal(&a, &x), CODE(BAD_STATE));
    assert_int_equal(parcel_put(&a, &x, 0), OK);
    assert_int_equal(parcel_put(&a, &x, 2), OK);
    assert_int_equal(parcel_seal(&a, &x), CODE(BAD_STATE));
    assert_int_equal(parcel_put(&a, &x, 1), OK);
    assert_int_equal(parcel_seal(&a, &x), OK);
    parcel_free(&x);
}

static bool seal_reply(const struct parcel *x, bool *ret_duplicate)
{
    struct message *m = peer_wait(&a, parcel_send_seal(&a, x));
    bool ok = m != NULL && m->env->body_case == SATCHEL__ENVELOPE__BODY_SEAL_REPLY;

    if (ok)
        *ret_duplicate = m->env->seal_reply->duplicate;
    message_free(m);
    return ok;
}

static void test_sealed_twice(void **state)
{
    bool duplicate = true;
    struct parcel x;

    (void)state;
    stage_parcel(&x, 5, 22);
    assert_int_equal(parcel_open(&a, &x), OK);
    parcel_seal_body(&x);
    assert_int_equal(parcel_put_all(&a, &x), OK);
    assert_true(seal_reply(&x, &duplicate));
    assert_false(duplicate);
    assert_true(seal_reply(&x, &duplicate));
    assert_true(duplicate);
    x.header.tweak = 5;
    parcel_sign(&x);
    assert_int_equal(parcel_seal(&a, &x), CODE(EXISTS));
    parcel_free(&x);
}

/* ${x}, which ${a} has opened, is sealed by another connection. */
static void seal_elsewhere(const struct parcel *x)
{
    struct peer b;

    stage_enter(&b, &alice);
    assert_int_equal(parcel_put_all(&b, x), OK);
    assert_int_equal(parcel_seal(&b, x), OK);
    peer_close(&b);
}

/* What a connection remembers of an upload is no more than that: another one has sealed it. */
static void test_sealed_behind_the_back_of_its_connection(void **state)
{
    bool duplicate = false;
    struct parcel x;

    (void)state;
    stage_parcel(&x, 5, 42);
    assert_int_equal(parcel_open(&a, &x), OK);
    parcel_seal_body(&x);
    seal_elsewhere(&x);
    assert_true(seal_reply(&x, &duplicate));
    assert_true(duplicate);
    x.header.tweak = 5;
    parcel_sign(&x);
    assert_int_equal(parcel_seal(&a, &x), CODE(EXISTS));
    parcel_free(&x);
}

/* Another header, in whatever it differs: the first one has won, and that is what is said. */
static void test_another_header_was_sealed_meanwhile(void **state)
{
    struct parcel x;

    (void)state;
    stage_parcel(&x, 1000, 43);
    assert_int_equal(parcel_open(&a, &x), OK);
    parcel_seal_body(&x);
    seal_elsewhere(&x);
    for (int i = 0; i < 8; i++) {
        struct header good = x.header;
        uint64_t piece = 0;
        Satchel__Code code;

        switch (i) {
        case 0:
            x.header.created++;
            break;
        case 1:
            x.header.expires++;
            break;
        case 2:
            x.header.policy_flags = HEADER_REQUIRE_OTP;
            break;
        case 3:
            x.header.opens = 9;
            break;
        case 4:
            x.header.body_length += PIECE; /* which would have a piece more */
            break;
        case 5:
            x.header.body_root.b[0] ^= 1;
            break;
        case 6:
            x.header.tweak = 5;
            break;
        default: /* with its piece, in one flight */
            x.header.body_root.b[0] ^= 1;
            x.leaves[0].b[0] ^= 1;
            piece = parcel_send_piece(&a, &x, 0);
            x.leaves[0].b[0] ^= 1;
        }
        parcel_sign(&x);
        code = parcel_seal(&a, &x);
        if (code != CODE(EXISTS))
            fail_msg("%d: %d", i, code);
        if (piece != 0)
            assert_int_equal(peer_code(peer_wait(&a, piece)), CODE(EXISTS));
        x.header = good;
    }
    parcel_free(&x);
}

static Satchel__Code upload_state(const struct parcel *x)
{
    Satchel__UploadState msg = SATCHEL__UPLOAD_STATE__INIT;
    PEER_ENV(env, UPLOAD_STATE, upload_state, &msg);

    PEER_BYTES(msg.tid, x->header.tid.b);
    return peer_ask(&a, &env);
}

static Satchel__Code revoke(const struct parcel *x)
{
    Satchel__Revoke msg = SATCHEL__REVOKE__INIT;
    PEER_ENV(env, REVOKE, revoke, &msg);

    PEER_BYTES(msg.tid, x->header.tid.b);
    return peer_ask(&a, &env);
}

/* It arrived, and its body is gone, before the sender heard of it. */
static void test_sealed_and_over(void **state)
{
    static const uint64_t lengths[] = {5, 2 * PIECE};

    (void)state;
    for (uint32_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        bool duplicate = false;
        struct parcel x;

        stage_parcel(&x, lengths[i], 44 + i);
        assert_int_equal(parcel_open(&a, &x), OK);
        parcel_seal_body(&x);
        seal_elsewhere(&x);
        assert_int_equal(revoke(&x), OK);
        assert_int_equal(peer_code(peer_wait(&a, parcel_ask_pieces(&a, &x, 0, 1))),
                         CODE(NOT_FOUND));
        assert_true(seal_reply(&x, &duplicate));
        assert_true(duplicate);
        x.header.tweak = 5;
        parcel_sign(&x);
        assert_int_equal(parcel_seal(&a, &x), CODE(EXISTS));
        parcel_free(&x);
    }
}

/* Of one that was sealed the seal tells, not the pieces, whether they are there or gone. */
static void test_a_transfer_is_no_upload(void **state)
{
    struct parcel x;

    (void)state;
    stage_parcel(&x, 2 * PIECE, 46);
    assert_int_equal(parcel_open(&a, &x), OK);
    parcel_seal_body(&x);
    assert_int_equal(parcel_put_all(&a, &x), OK);
    assert_int_equal(upload_state(&x), OK);
    assert_int_equal(parcel_seal(&a, &x), OK);
    assert_int_equal(upload_state(&x), CODE(NOT_FOUND));
    assert_int_equal(revoke(&x), OK);
    assert_int_equal(upload_state(&x), CODE(NOT_FOUND));
    parcel_free(&x);
}

static void test_a_content_key_twice(void **state)
{
    struct parcel x, y;

    (void)state;
    stage_parcel(&x, 5, 23);
    stage_parcel(&y, 5, 24);
    assert_int_equal(parcel_deliver(&a, &x), OK);
    secret_free(&y.cek);
    assert_int_equal(secret_copy(&y.cek, x.cek.data, x.cek.len, NULL), ERR_OK);
    assert_int_equal(parcel_deliver(&a, &y), CODE(KEY_REUSED));
    parcel_free(&x);
    parcel_free(&y);
}

/* Each field that the daemon can see, wrong in a header that is signed all the same. */
static void test_headers_that_do_not_fit(void **state)
{
    static const char *const cases[] = {
        "tid",          "sender",    "manifest",    "device", "created",    "expires",
        "policy_flags", "opens",     "body_length", "slots",  "slots_root", "metadata_hash",
        "body_root",    "signature", "version",     "suite",  "no manifest"};
    struct parcel x;

    (void)state;
    stage_parcel(&x, PIECE, 25);
    assert_int_equal(parcel_open(&a, &x), OK);
    parcel_seal_body(&x);
    assert_int_equal(parcel_put_all(&a, &x), OK);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct header good = x.header;
        Satchel__Code code, want = CODE(BAD_REQUEST);

        switch (i) {
        case 0:
            x.header.tid.b[3] ^= 1;
            want = CODE(NOT_FOUND);
            break;
        case 1:
            x.header.sender = bob.u.uid;
            break;
        case 2:
            x.header.manifest = bob.u.first->hash;
            break;
        case 3:
            x.header.device = bob.u.device.id;
            break;
        case 4:
            x.header.created++;
            break;
        case 5:
            x.header.expires++;
            break;
        case 6:
            x.header.policy_flags = HEADER_REQUIRE_OTP;
            break;
        case 7:
            x.header.opens = 9;
            break;
        case 8:
            x.header.body_length--;
            break;
        case 9:
            x.header.slots = 2;
            break;
        case 10:
            x.header.slots_root.b[0] ^= 1;
            break;
        case 11:
            x.header.metadata_hash.b[0] ^= 1;
            break;
        case 12:
            x.header.body_root.b[0] ^= 1;
            break;
        case 16:
            memset(x.header.manifest.b, 0, sizeof(x.header.manifest.b));
            break;
        default:
            break;
        }
        parcel_sign(&x);
        if (i == 13)
            x.signature[0] ^= 1;
        if (i == 14 || i == 15) { /* version and suite stand first: 08 01 10 01 */
            x.header_raw.data[i == 14 ? 1 : 3] = 9;
            want = CODE(UNSUPPORTED);
        }
        code = parcel_seal(&a, &x);
        if (code != want)
            fail_msg("%s: %d", cases[i], code);
        x.header = good;
    }
    parcel_sign(&x);
    assert_int_equal(parcel_seal(&a, &x), OK);
    parcel_free(&x);
}

static void test_slots_that_do_not_fit(void **state)
{
    struct part parts[3];
    struct parcel x;

    (void)state;
    stage_parcel(&x, 5, 26);
    assert_int_equal(parcel_open(&a, &x), OK);
    parcel_seal_body(&x);
    assert_int_equal(parcel_put_all(&a, &x), OK);
    x.who[1] = &carol; /* given to one another */
    x.who[2] = &bob;
    assert_int_equal(parcel_seal(&a, &x), CODE(BAD_REQUEST));
    x.who[1] = &bob;
    assert_int_equal(parcel_seal(&a, &x), CODE(BAD_REQUEST)); /* one twice */
    x.who[2] = &carol;
    x.n = 2;
    assert_int_equal(parcel_seal(&a, &x), CODE(BAD_REQUEST)); /* one missing */
    x.n = 3;
    x.slot_raw[1].len--;
    assert_int_equal(parcel_seal(&a, &x), CODE(BAD_REQUEST)); /* malformed */
    x.slot_raw[1].len++;
    x.slot[1].ek_id.b[0] ^= 1; /* well-formed, but not the key that was opened for */
    buf_reset(&x.slot_raw[1]);
    assert_int_equal(slot_pack(&x.slot[1], &x.slot_raw[1], NULL), ERR_OK);
    for (int i = 0; i < 3; i++)
        parts[i] = part(x.slot_raw[i].data, x.slot_raw[i].len);
    assert_int_equal(slot_root(parts, 3, &x.header.slots_root), ERR_OK);
    parcel_sign(&x);
    assert_int_equal(parcel_seal(&a, &x), CODE(BAD_REQUEST));
    parcel_free(&x);
}

static void test_metadata_of_impossible_size(void **state)
{
    struct parcel x;

    (void)state;
    stage_parcel(&x, 5, 27);
    assert_int_equal(parcel_open(&a, &x), OK);
    parcel_seal_body(&x);
    assert_int_equal(parcel_put_all(&a, &x), OK);
    assert_non_null(buf_reserve(&x.metadata, 40000));
    memset(x.metadata.data + x.metadata.len, 1, 40000);
    x.metadata.len += 40000;
    assert_int_equal(parcel_seal(&a, &x), CODE(BAD_REQUEST));
    x.metadata.len = 0;
    assert_int_equal(parcel_seal(&a, &x), CODE(BAD_REQUEST));
    parcel_free(&x);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, enter, leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_forged_header_costs_no_search),
        TEST(test_a_flight),
        TEST(test_a_small_flight),
        TEST(test_a_small_flight_with_a_bad_seal),
        TEST(test_pieces_are_missing),
        TEST(test_sealed_twice),
        TEST(test_sealed_behind_the_back_of_its_connection),
        TEST(test_another_header_was_sealed_meanwhile),
        TEST(test_sealed_and_over),
        TEST(test_a_transfer_is_no_upload),
        TEST(test_a_content_key_twice),
        TEST(test_headers_that_do_not_fit),
        TEST(test_slots_that_do_not_fit),
        TEST(test_metadata_of_impossible_size),
    };

    return cmocka_run_group_tests(tests, stage_setup, stage_teardown);
}
