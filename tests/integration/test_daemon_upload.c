/* SPDX-License-Identifier: Apache-2.0 */
/* OpenTransfer, PutPiece, UploadState, AbandonUpload: what each does and refuses. */
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

static int setup(void **state)
{
    (void)state;
    stage_up("[limits]\nmax_transfer = 1M\nmax_recipients = 3\nuploads = 40");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return stage_down();
}

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

/* ---- OpenTransfer ---- */

static void test_what_open_refuses(void **state)
{
    static const struct {
        const char *what;
        Satchel__Code code;
    } cases[] = {
        {"created in the future", CODE(BAD_REQUEST)},  {"created long ago", CODE(BAD_REQUEST)},
        {"expires before created", CODE(BAD_REQUEST)}, {"expires too soon", CODE(BAD_REQUEST)},
        {"expires too late", CODE(TOO_LARGE)},         {"unknown policy", CODE(UNSUPPORTED)},
        {"another unknown policy", CODE(UNSUPPORTED)}, {"too long", CODE(TOO_LARGE)},
        {"impossibly long", CODE(TOO_LARGE)},          {"no sender", CODE(BAD_REQUEST)},
        {"sender is another", CODE(BAD_REQUEST)},      {"two senders", CODE(BAD_REQUEST)},
        {"the same user twice", CODE(BAD_REQUEST)},    {"unknown recipient", CODE(NOT_FOUND)},
        {"unknown role", CODE(UNSUPPORTED)},
    };
    struct actor stranger;

    (void)state;
    actor_make(&stranger, "stranger");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct parcel x;
        Satchel__Code code;

        stage_parcel(&x, 1000, 1000 + (uint32_t)i);
        x.header.created = a.time;
        x.header.expires = a.time + SAMPLE_DAY;
        switch (i) {
        case 0:
            x.header.created += SAMPLE_DAY + 600000;
            x.header.expires += 2 * SAMPLE_DAY;
            break;
        case 1:
            x.header.created -= SAMPLE_DAY + 600000;
            break;
        case 2:
            x.header.expires = x.header.created;
            break;
        case 3:
            x.header.expires = x.header.created + 30000;
            break;
        case 4:
            x.header.expires = x.header.created + 31 * SAMPLE_DAY;
            break;
        case 5:
            x.header.policy_flags = 1 << 7;
            break;
        case 6:
            x.header.policy_flags = HEADER_REQUIRE_OTP | 1 << 1;
            break;
        case 7:
            x.header.body_length = (1 << 20) + 1;
            break;
        case 8:
            x.header.body_length = UINT64_MAX;
            break;
        case 9:
            x.role[0] = SATCHEL__ROLE__RECIPIENT;
            break;
        case 10:
            x.who[0] = &bob;
            x.who[1] = &alice;
            break;
        case 11:
            x.role[1] = SATCHEL__ROLE__BOTH;
            break;
        case 12:
            x.who[2] = &bob;
            break;
        case 13:
            x.who[2] = &stranger;
            break;
        default:
            x.role[2] = (Satchel__Role)7;
        }
        code = parcel_open(&a, &x);
        if (code != cases[i].code)
            fail_msg("%s: %d", cases[i].what, code);
        parcel_free(&x);
    }
    actor_free(&stranger);
}

static void test_open_with_fields_of_wrong_size(void **state)
{
    uint8_t bytes[32] = {1};

    (void)state;
    for (int i = 0; i < 6; i++) {
        Satchel__OpenTransfer msg = SATCHEL__OPEN_TRANSFER__INIT;
        Satchel__Recipient row[5], *list[5];
        PEER_ENV(env, OPEN_TRANSFER, open_transfer, &msg);

        for (int k = 0; k < 5; k++) {
            satchel__recipient__init(&row[k]);
            row[k].user_id = (ProtobufCBinaryData){i == 1 ? 21 : 20, alice.u.uid.b};
            row[k].ek_id = (ProtobufCBinaryData){i == 2 ? 15 : 16, bytes};
            row[k].role = SATCHEL__ROLE__BOTH;
            row[k].known_manifest = (ProtobufCBinaryData){i == 5 ? 31 : 0, bytes};
            list[k] = &row[k];
        }
        msg.upload_key = (ProtobufCBinaryData){i == 0 ? 15 : 16, bytes};
        msg.recipients = list;
        msg.n_recipients = i == 3 ? 0 : i == 4 ? 5 : 1;
        msg.created = a.time;
        msg.expires = a.time + SAMPLE_DAY;
        assert_int_equal(peer_ask(&a, &env), i == 4 ? CODE(TOO_LARGE) : CODE(BAD_REQUEST));
    }
}

/* Also for small ones behind a good one, of which the store is not asked before keys are drawn. */
static void test_open_with_a_manifest_that_is_known(void **state)
{
    static const Satchel__Code expected[] = {
        OK, CODE(BAD_STATE), OK, CODE(BAD_STATE), CODE(BAD_STATE), OK};
    const uint64_t lengths[] = {1000, PIECE + 1};

    (void)state;
    for (uint32_t i = 0; i < 2 * sizeof(expected) / sizeof(expected[0]); i++) {
        struct parcel x;

        stage_parcel(&x, lengths[i % 2], 2000 + i);
        x.knows = 1 + i % 2;
        assert_int_equal(manifest_digest(x.who[x.knows]->u.first, &x.known), ERR_OK);
        if (expected[i / 2] != OK)
            x.known.b[i % 32] ^= 1;
        assert_int_equal(parcel_open(&a, &x), expected[i / 2]);
        parcel_free(&x);
    }
}

static void test_open_again_gives_the_same(void **state)
{
    struct parcel x;
    uint8_t shares[3][2][SHARE_LEN];
    struct tid tid;
    struct peer b;

    (void)state;
    stage_parcel(&x, 3 * PIECE, 1);
    assert_int_equal(parcel_open(&a, &x), OK);
    parcel_seal_body(&x);
    tid = x.header.tid;
    for (int i = 0; i < 3; i++) {
        memcpy(shares[i][0], x.share[i].meta.data, SHARE_LEN);
        memcpy(shares[i][1], x.share[i].body.data, SHARE_LEN);
    }
    assert_int_equal(parcel_put(&a, &x, 1), OK);
    assert_int_equal(parcel_open(&a, &x), OK);
    assert_memory_equal(tid.b, x.header.tid.b, IDS_TID_LEN);
    assert_int_equal(x.stored, 1);
    for (int i = 0; i < 3; i++) {
        assert_memory_equal(shares[i][0], x.share[i].meta.data, SHARE_LEN);
        assert_memory_equal(shares[i][1], x.share[i].body.data, SHARE_LEN);
    }
    x.header.opens++; /* the same key, another transfer */
    assert_int_equal(parcel_open(&a, &x), CODE(EXISTS));
    x.header.opens--;
    x.who[2] = NULL;
    x.n = 2;
    assert_int_equal(parcel_open(&a, &x), CODE(EXISTS));
    x.n = 3;
    x.who[2] = &carol;
    x.header.body_length++;
    assert_int_equal(parcel_open(&a, &x), CODE(EXISTS));
    x.header.body_length--;
    assert_int_equal(parcel_put_all(&a, &x), OK);
    assert_int_equal(parcel_seal(&a, &x), OK);
    assert_int_equal(parcel_open(&a, &x), OK); /* also when it is sealed */
    assert_memory_equal(tid.b, x.header.tid.b, IDS_TID_LEN);
    stage_enter(&b, &bob);
    assert_int_equal(parcel_receive(&b, &x, 1), OK);
    peer_close(&b);
    parcel_free(&x);
}

static void test_the_same_key_of_another_user_is_another_upload(void **state)
{
    const struct actor *who[] = {&bob, &alice};
    struct parcel x, y;
    struct peer b;

    (void)state;
    stage_enter(&b, &bob);
    stage_parcel(&x, 5, 2);
    parcel_make(&y, who, 2, 5, 2);
    assert_int_equal(parcel_open(&a, &x), OK);
    assert_int_equal(parcel_open(&b, &y), OK);
    assert_memory_not_equal(x.header.tid.b, y.header.tid.b, IDS_TID_LEN);
    parcel_free(&x);
    parcel_free(&y);
    peer_close(&b);
}

/* ---- PutPiece ---- */

static void test_pieces_in_any_order_and_twice(void **state)
{
    struct parcel x;

    (void)state;
    stage_parcel(&x, 3 * PIECE, 10);
    assert_int_equal(parcel_open(&a, &x), OK);
    parcel_seal_body(&x);
    assert_int_equal(x.pieces, 4);
    for (uint32_t i = x.pieces; i-- > 0;)
        assert_int_equal(parcel_put(&a, &x, i), OK);
    assert_int_equal(parcel_put(&a, &x, 2), OK);
    x.leaves[2].b[0] ^= 1; /* another piece under the same number */
    assert_int_equal(parcel_put(&a, &x, 2), CODE(EXISTS));
    x.leaves[2].b[0] ^= 1;
    assert_int_equal(parcel_seal(&a, &x), OK);
    assert_int_equal(parcel_put(&a, &x, 2), OK); /* as before: its acknowledgement was lost */
    x.leaves[2].b[0] ^= 1;
    assert_int_not_equal(parcel_put(&a, &x, 2), OK);
    parcel_free(&x);
}

static void test_what_pieces_are_refused(void **state)
{
    static const struct {
        uint32_t index;
        size_t tail, tid, leaf;
        Satchel__Code code;
    } cases[] = {
        {2, 5, 16, 32, CODE(BAD_REQUEST)},      {1000000, 262400, 16, 32, CODE(BAD_REQUEST)},
        {0, 262399, 16, 32, CODE(BAD_REQUEST)}, {0, 0, 16, 32, CODE(BAD_REQUEST)},
        {1, 262400, 16, 32, CODE(BAD_REQUEST)}, {1, 15, 16, 32, CODE(BAD_REQUEST)},
        {0, 262400, 15, 32, CODE(BAD_REQUEST)}, {0, 262400, 16, 31, CODE(BAD_REQUEST)},
        {0, 262400, 16, 32, CODE(CODE_NONE)},
    };
    static uint8_t bytes[262400];
    uint8_t leaf[40] = {0};
    struct parcel x;

    (void)state;
    stage_parcel(&x, PIECE, 11);
    assert_int_equal(parcel_open(&a, &x), OK);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        Satchel__PutPiece msg = SATCHEL__PUT_PIECE__INIT;
        PEER_ENV(env, PUT_PIECE, put_piece, &msg);
        uint64_t id;

        msg.tid = (ProtobufCBinaryData){cases[i].tid, x.header.tid.b};
        msg.index = cases[i].index;
        msg.leaf = (ProtobufCBinaryData){cases[i].leaf, leaf};
        id = peer_send(&a, &env, bytes, cases[i].tail);
        if (peer_code(peer_wait(&a, id)) != cases[i].code)
            fail_msg("%zu", i);
    }
    parcel_free(&x);
}

static void test_somebody_elses_upload(void **state)
{
    struct parcel x;
    struct peer b;

    (void)state;
    stage_parcel(&x, 5, 12);
    assert_int_equal(parcel_open(&a, &x), OK);
    parcel_seal_body(&x);
    stage_enter(&b, &bob);
    assert_int_equal(parcel_put(&b, &x, 0), CODE(NOT_FOUND));
    assert_int_equal(parcel_seal(&b, &x), CODE(BAD_REQUEST)); /* the header says alice */
    assert_int_equal(parcel_put(&a, &x, 0), OK);
    peer_close(&b);
    parcel_free(&x);
}

/* ---- UploadState, AbandonUpload ---- */

static struct message *upload_state(struct peer *p, const struct parcel *x, uint32_t from)
{
    Satchel__UploadState msg = SATCHEL__UPLOAD_STATE__INIT;
    PEER_ENV(env, UPLOAD_STATE, upload_state, &msg);

    PEER_BYTES(msg.tid, x->header.tid.b);
    msg.from = from;
    return peer_call(p, &env);
}

static Satchel__Code abandon(struct peer *p, const struct parcel *x)
{
    Satchel__AbandonUpload msg = SATCHEL__ABANDON_UPLOAD__INIT;
    PEER_ENV(env, ABANDON_UPLOAD, abandon_upload, &msg);

    PEER_BYTES(msg.tid, x->header.tid.b);
    return peer_ask(p, &env);
}

static void test_state_of_an_upload(void **state)
{
    const Satchel__UploadStateReply *r;
    struct message *m;
    struct parcel x;
    struct peer b;

    (void)state;
    stage_parcel(&x, 3 * PIECE, 30);
    assert_int_equal(parcel_open(&a, &x), OK);
    parcel_seal_body(&x);
    for (uint32_t i = 0; i < 4; i++)
        if (i != 1)
            assert_int_equal(parcel_put(&a, &x, i), OK);
    m = upload_state(&a, &x, 0);
    assert_non_null(m);
    assert_int_equal(m->env->body_case, SATCHEL__ENVELOPE__BODY_UPLOAD_STATE_REPLY);
    r = m->env->upload_state_reply;
    assert_int_equal(r->n_pieces, 2);
    assert_int_equal(r->pieces[0]->first, 0);
    assert_int_equal(r->pieces[0]->count, 1);
    assert_int_equal(r->pieces[1]->first, 2);
    assert_int_equal(r->pieces[1]->count, 2);
    assert_false(r->more);
    message_free(m);
    m = upload_state(&a, &x, 3);
    assert_int_equal(m->env->upload_state_reply->pieces[0]->first, 3);
    message_free(m);
    stage_enter(&b, &bob);
    assert_int_equal(peer_code(upload_state(&b, &x, 0)), CODE(NOT_FOUND));
    assert_int_equal(abandon(&b, &x), CODE(NOT_FOUND));
    peer_close(&b);
    parcel_free(&x);
}

static void test_an_abandoned_upload_is_gone(void **state)
{
    struct parcel x;

    (void)state;
    stage_parcel(&x, 5, 31);
    assert_int_equal(parcel_open(&a, &x), OK);
    parcel_seal_body(&x);
    assert_int_equal(parcel_put(&a, &x, 0), OK);
    assert_int_equal(abandon(&a, &x), OK);
    assert_int_equal(parcel_seal(&a, &x), CODE(NOT_FOUND));
    assert_int_equal(peer_code(upload_state(&a, &x, 0)), CODE(NOT_FOUND));
    parcel_free(&x);
    stage_parcel(&x, 5, 32); /* a sealed one is no upload */
    assert_int_equal(parcel_deliver(&a, &x), OK);
    assert_int_equal(abandon(&a, &x), CODE(NOT_FOUND));
    parcel_free(&x);
}

static void test_too_many_uploads(void **state)
{
    struct parcel x[42];
    struct peer c;
    Satchel__Code code = OK;
    uint32_t n = 0;

    (void)state;
    stage_enter(&c, &carol);
    for (; n < 42 && code == OK; n++) {
        const struct actor *who[] = {&carol, &bob};

        parcel_make(&x[n], who, 2, 5, 500 + n);
        code = parcel_open(&c, &x[n]);
    }
    assert_int_equal(n, 41); /* forty went */
    assert_int_equal(code, CODE(RATE));
    assert_int_equal(parcel_open(&c, &x[7]), OK); /* those may go on */
    assert_int_equal(abandon(&c, &x[3]), OK);
    assert_int_equal(parcel_open(&c, &x[40]), OK);
    while (n > 0)
        parcel_free(&x[--n]);
    peer_close(&c);
}

/* Requests that do not wait for answers are counted all the same. */
static void test_too_many_uploads_at_once(void **state)
{
    enum { MANY = 50 };
    struct parcel x[MANY];
    uint64_t ids[MANY];
    unsigned opened = 0, refused = 0;
    struct peer p;

    (void)state;
    stage_enter(&p, &bob);
    for (uint32_t i = 0; i < MANY; i++) {
        const struct actor *who[] = {&bob, &carol};

        parcel_make(&x[i], who, 2, 5, 600 + i);
        ids[i] = parcel_send_open(&p, &x[i]);
    }
    for (uint32_t i = 0; i < MANY; i++) {
        Satchel__Code code = peer_code(peer_wait(&p, ids[i]));

        opened += code == OK;
        refused += code == CODE(RATE);
        parcel_free(&x[i]);
    }
    assert_in_range(opened, 20, 40); /* he may have some already */
    assert_int_equal(refused, MANY - opened);
    peer_close(&p);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, enter, leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_open_refuses),
        TEST(test_open_with_fields_of_wrong_size),
        TEST(test_open_with_a_manifest_that_is_known),
        TEST(test_open_again_gives_the_same),
        TEST(test_the_same_key_of_another_user_is_another_upload),
        TEST(test_pieces_in_any_order_and_twice),
        TEST(test_what_pieces_are_refused),
        TEST(test_somebody_elses_upload),
        TEST(test_state_of_an_upload),
        TEST(test_an_abandoned_upload_is_gone),
        TEST(test_too_many_uploads),
        TEST(test_too_many_uploads_at_once),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
