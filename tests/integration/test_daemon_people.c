/* SPDX-License-Identifier: Apache-2.0 */
/* SetBlock: to whom is blocked, a user looks like one who is not there; PutAccount, Recover. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/crypto/ed25519.h"
#include "common/transfer/account.h"
#include "common/transfer/manifest_build.h"
#include "tests/integration/stage.h"

#define CODE(x) SATCHEL__CODE__##x

enum { STORE_RECORD = 144 * 1024 };

static Satchel__Code set_block(struct peer *p, const struct uid *who, bool blocked)
{
    Satchel__SetBlock msg = SATCHEL__SET_BLOCK__INIT;
    PEER_ENV(env, SET_BLOCK, set_block, &msg);

    PEER_BYTES(msg.user_id, who->b);
    msg.blocked = blocked;
    return peer_ask(p, &env);
}

static struct message *look_up(struct peer *p, const struct uid *who)
{
    Satchel__Lookup msg = SATCHEL__LOOKUP__INIT;
    PEER_ENV(env, LOOKUP, lookup, &msg);

    msg.who_case = SATCHEL__LOOKUP__WHO_USER_ID;
    PEER_BYTES(msg.user_id, who->b);
    return peer_call(p, &env);
}

/* The same words as for a user ID that nobody has. */
static void assert_absent(struct peer *p, const struct uid *who)
{
    struct uid nobody = {{9}};
    struct message *a = look_up(p, who), *b = look_up(p, &nobody);

    assert_non_null(a);
    assert_non_null(b);
    assert_int_equal(a->env->body_case, SATCHEL__ENVELOPE__BODY_ERROR);
    assert_int_equal(a->env->error->code, CODE(NOT_FOUND));
    assert_int_equal(b->env->error->code, CODE(NOT_FOUND));
    assert_string_equal(a->env->error->message, b->env->error->message);
    message_free(a);
    message_free(b);
}

static Satchel__Code open_to_bob(struct peer *p, uint32_t seed)
{
    const struct actor *who[] = {&alice, &bob};
    struct parcel x;
    Satchel__Code code;

    parcel_make(&x, who, 2, 1000, seed);
    code = parcel_open(p, &x);
    parcel_free(&x);
    return code;
}

static void test_who_is_blocked_finds_nobody(void **state)
{
    struct peer a, b, c;

    (void)state;
    stage_enter(&a, &alice);
    stage_enter(&b, &bob);
    stage_enter(&c, &carol);
    assert_int_equal(open_to_bob(&a, 1), OK);
    assert_int_equal(set_block(&b, &alice.u.uid, true), OK);
    assert_int_equal(set_block(&b, &alice.u.uid, true), OK);
    assert_absent(&a, &bob.u.uid);
    assert_int_equal(open_to_bob(&a, 2), CODE(NOT_FOUND));
    assert_int_equal(open_to_bob(&a, 1), OK); /* begun before: it goes on */
    /* Others are not concerned, nor is what bob asks for. */
    assert_int_equal(peer_code(look_up(&c, &bob.u.uid)), OK);
    assert_int_equal(peer_code(look_up(&b, &alice.u.uid)), OK);
    assert_int_equal(set_block(&b, &alice.u.uid, false), OK);
    assert_int_equal(peer_code(look_up(&a, &bob.u.uid)), OK);
    assert_int_equal(open_to_bob(&a, 3), OK);
    peer_close(&a);
    peer_close(&b);
    peer_close(&c);
}

static void test_blocks_that_are_refused(void **state)
{
    Satchel__SetBlock msg = SATCHEL__SET_BLOCK__INIT;
    struct uid nobody = {{9}};
    struct peer p;
    PEER_ENV(env, SET_BLOCK, set_block, &msg);

    (void)state;
    stage_greet(&p);
    assert_int_equal(set_block(&p, &alice.u.uid, true), CODE(BAD_STATE));
    peer_close(&p);
    stage_enter(&p, &bob);
    assert_int_equal(set_block(&p, &bob.u.uid, true), CODE(BAD_REQUEST));
    assert_int_equal(peer_ask(&p, &env), CODE(BAD_REQUEST)); /* nobody named */
    msg.user_id.data = nobody.b;
    msg.user_id.len = 19;
    assert_int_equal(peer_ask(&p, &env), CODE(BAD_REQUEST));
    /* Whether there is such a user is not told. */
    assert_int_equal(set_block(&p, &nobody, true), OK);
    assert_int_equal(set_block(&p, &nobody, false), OK);
    peer_close(&p);
}

/* ---- PutAccount, Recover ---- */

/* A record as the clients make it, of ${who}, with ${len} bytes in it. */
struct record {
    struct buf body;
    uint8_t sig[SIGNED_SIG_LEN];
    uint64_t number;
};

static void make_record(const struct actor *who, uint64_t number, size_t len, struct record *r)
{
    static const uint8_t zeros[ACCOUNT_PLAIN_MAX];
    struct secret key = {0}, ephemeral = {0}, box = {0};
    uint8_t boxes[1][IDS_KEY_LEN];
    struct account_plan plan = {.uid = who->u.uid,
                                .number = number,
                                .device = who->u.device.id,
                                .boxes = (const uint8_t(*)[IDS_KEY_LEN])boxes,
                                .n_boxes = 1,
                                .content_key = &key,
                                .ephemeral = &ephemeral,
                                .device_key = &who->u.dsk};

    *r = (struct record){.number = number};
    sample_secret("content key", &key);
    sample_secret("ephemeral", &ephemeral);
    assert_int_equal(account_device_box(&who->u.dsk, &box, boxes[0], NULL), ERR_OK);
    assert_int_equal(account_seal(&plan, part(zeros, len), &r->body, r->sig, NULL), ERR_OK);
    secret_free(&key);
    secret_free(&ephemeral);
    secret_free(&box);
}

static Satchel__Code put_record(struct peer *p, struct record *r)
{
    Satchel__PutAccount msg = SATCHEL__PUT_ACCOUNT__INIT;
    Satchel__Signed record = SATCHEL__SIGNED__INIT;
    PEER_ENV(env, PUT_ACCOUNT, put_account, &msg);

    record.body = (ProtobufCBinaryData){r->body.len, r->body.data};
    PEER_BYTES(record.signature, r->sig);
    msg.number = r->number;
    msg.record = &record;
    return peer_ask(p, &env);
}

static Satchel__Code put_account(struct peer *p, const struct actor *who, uint64_t number,
                                 size_t len)
{
    struct record r;
    Satchel__Code code;

    make_record(who, number, len, &r);
    code = put_record(p, &r);
    buf_free(&r.body);
    return code;
}

static void test_account_records(void **state)
{
    Satchel__PutAccount msg = SATCHEL__PUT_ACCOUNT__INIT;
    struct record r;
    struct peer p;
    PEER_ENV(env, PUT_ACCOUNT, put_account, &msg);

    (void)state;
    stage_greet(&p);
    assert_int_equal(put_account(&p, &bob, 1, 100), CODE(BAD_STATE));
    peer_close(&p);
    stage_enter(&p, &bob);
    assert_int_equal(put_account(&p, &bob, 1, 100), OK);
    assert_int_equal(put_account(&p, &bob, 1, 100), OK);
    assert_int_equal(put_account(&p, &bob, 1, 5000), CODE(EXISTS));
    assert_int_equal(put_account(&p, &bob, 2, ACCOUNT_PLAIN_MAX), OK);
    assert_int_equal(put_account(&p, &bob, 1, 100), CODE(EXISTS));
    assert_int_equal(put_account(&p, &bob, 0, 100), CODE(BAD_REQUEST));
    msg.number = 3;
    assert_int_equal(peer_ask(&p, &env), CODE(BAD_REQUEST));
    make_record(&bob, 3, 100, &r);
    r.body.len = 0;
    assert_int_equal(put_record(&p, &r), CODE(BAD_REQUEST));
    assert_non_null(buf_reserve(&r.body, STORE_RECORD));
    r.body.len = STORE_RECORD;
    assert_int_equal(put_record(&p, &r), CODE(TOO_LARGE));
    buf_free(&r.body);
    peer_close(&p);
}

static uint64_t next_number(const struct actor *who)
{
    struct message *m;
    struct peer p;
    uint64_t next;

    stage_greet(&p);
    m = peer_wait(&p, actor_send_login(&p, who));
    assert_non_null(m);
    assert_int_equal(m->env->body_case, SATCHEL__ENVELOPE__BODY_LOGIN_REPLY);
    next = m->env->login_reply->account;
    message_free(m);
    peer_close(&p);
    return next;
}

/* Nobody can put the numbers out of reach, or something in the place that is no record. */
static void test_records_that_do_not_count(void **state)
{
    struct record r;
    struct peer p;

    (void)state;
    stage_enter(&p, &alice);
    assert_int_equal(put_account(&p, &alice, UINT64_MAX, 100), CODE(BAD_REQUEST));
    assert_int_equal(put_account(&p, &alice, 2, 100), CODE(BAD_REQUEST)); /* 1 is next */
    assert_int_equal(put_account(&p, &bob, 1, 100), CODE(BAD_REQUEST));
    make_record(&alice, 2, 100, &r);
    r.number = 1; /* the record says 2 */
    assert_int_equal(put_record(&p, &r), CODE(BAD_REQUEST));
    buf_free(&r.body);
    make_record(&alice, 1, 100, &r);
    r.sig[9] ^= 1;
    assert_int_equal(put_record(&p, &r), CODE(BAD_REQUEST));
    r.sig[9] ^= 1;
    assert_int_equal(next_number(&alice), 1);
    assert_int_equal(put_record(&p, &r), OK);
    assert_int_equal(next_number(&alice), 2);
    buf_free(&r.body);
    peer_close(&p);
}

static struct message *recover(struct peer *p, const struct actor *who, const struct secret *rk,
                               const struct manifest *next)
{
    Satchel__Recover msg = SATCHEL__RECOVER__INIT;
    Satchel__Signed manifest = SATCHEL__SIGNED__INIT;
    struct login_recovery facts = {.who = PART_OF(who->u.uid.b)};
    uint8_t sig[SIGNED_SIG_LEN];
    PEER_ENV(env, RECOVER, recover, &msg);

    facts.server = p->server;
    assert_true(peer_exporter(p, facts.exporter));
    if (next != NULL) {
        facts.manifest = next->body;
        manifest.body = (ProtobufCBinaryData){next->body.len, (uint8_t *)next->body.data};
        manifest.signature =
            (ProtobufCBinaryData){SIGNED_SIG_LEN, (uint8_t *)(uintptr_t)next->signature};
        msg.manifest = &manifest;
    }
    assert_int_equal(login_recovery_sign(&facts, rk, sig, NULL), ERR_OK);
    msg.who_case = SATCHEL__RECOVER__WHO_USER_ID;
    PEER_BYTES(msg.user_id, who->u.uid.b);
    msg.signature = (ProtobufCBinaryData){sizeof(sig), sig};
    return peer_call(p, &env);
}

static void test_recover(void **state)
{
    struct secret isk = {0};
    struct manifest *next;
    struct message *m;
    struct peer p, old;
    struct manifest_device first;
    struct secret was;

    (void)state;
    assert_int_equal(secret_new(&isk, 32, NULL), ERR_OK);
    isk.data[0] = 77;
    next = actor_succeed(&carol, carol.u.first, &bob.u.device, &isk);
    stage_enter(&old, &carol);
    assert_int_equal(put_account(&old, &carol, 1, 100), OK);
    assert_int_equal(put_account(&old, &carol, 2, 5000), OK);
    stage_greet(&p);
    /* Another's key, a user who is not there: the same. */
    assert_int_equal(peer_code(recover(&p, &carol, &bob.u.rk, NULL)), CODE(AUTH_FAILED));
    assert_int_equal(peer_code(recover(&p, &carol, &bob.u.rk, next)), CODE(AUTH_FAILED));
    assert_int_equal(peer_code(recover(&p, &bob, &carol.u.rk, next)), CODE(AUTH_FAILED));
    m = recover(&p, &carol, &carol.u.rk, NULL);
    assert_non_null(m);
    assert_int_equal(m->env->body_case, SATCHEL__ENVELOPE__BODY_RECOVER_REPLY);
    assert_int_equal(m->env->recover_reply->n_manifests, 1);
    assert_int_equal(m->env->recover_reply->last_sequence, 1);
    assert_string_equal(m->env->recover_reply->username, "carol");
    assert_non_null(m->env->recover_reply->record);
    assert_in_range(m->env->recover_reply->record->body.len, 8192, ACCOUNT_BODY_MAX);
    message_free(m);
    /* A manifest without a new succession is for PutManifest. */
    assert_int_equal(peer_code(recover(&p, &carol, &carol.u.rk, carol.u.first)), OK); /* stored */
    assert_int_equal(peer_code(recover(&p, &carol, &carol.u.rk, next)), OK);
    assert_int_equal(peer_code(recover(&p, &carol, &carol.u.rk, next)), OK); /* again */
    assert_true(peer_ended(&old)); /* the old device is out */
    peer_close(&old);
    peer_close(&p);
    stage_greet(&p);
    assert_int_equal(actor_login(&p, &carol), CODE(AUTH_FAILED));
    peer_close(&p);
    /* Whatever numbers there were: the new device begins with 1.  Until then the record stays. */
    was = carol.u.dsk;
    carol.u.dsk = bob.u.dsk;
    first = carol.u.device;
    carol.u.device = bob.u.device;
    assert_int_equal(next_number(&carol), 1);
    stage_greet(&p);
    m = recover(&p, &carol, &carol.u.rk, NULL);
    assert_non_null(m->env->recover_reply->record);
    message_free(m);
    peer_close(&p);
    stage_enter(&p, &carol);
    assert_int_equal(put_account(&p, &carol, 3, 100), CODE(BAD_REQUEST));
    assert_int_equal(put_account(&p, &carol, 1, 100), OK);
    assert_int_equal(next_number(&carol), 2);
    peer_close(&p);
    carol.u.dsk = was;
    carol.u.device = first;
    manifest_free(next);
    secret_free(&isk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_is_blocked_finds_nobody),
        cmocka_unit_test(test_blocks_that_are_refused),
        cmocka_unit_test(test_account_records),
        cmocka_unit_test(test_records_that_do_not_count),
        cmocka_unit_test(test_recover),
    };

    return cmocka_run_group_tests(tests, stage_setup, stage_teardown);
}
