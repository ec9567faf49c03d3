/* SPDX-License-Identifier: Apache-2.0 */
/* Opens: claimed once, continued by the same device, committed by a receipt, raced for by two. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/transfer/statement.h"
#include "tests/integration/stage.h"

#define CODE(x)  SATCHEL__CODE__##x
#define SETTINGS "[limits]\nmin_lifetime = 1s\n"

enum { RACES = 50, CUTS = 20 };

static int setup(void **state)
{
    (void)state;
    stage_up(SETTINGS);
    stage_add_device();
    return 0;
}

static void deliver(struct parcel *x, uint64_t length, uint32_t seed, uint32_t opens)
{
    struct peer p;

    stage_enter(&p, &alice);
    stage_parcel(x, length, seed);
    x->header.opens = opens;
    assert_int_equal(parcel_deliver(&p, x), OK);
    peer_close(&p);
}

/* What ${who} says of ${x} in a receipt. */
static struct statement receipt_of(const struct parcel *x, const struct actor *who)
{
    struct statement s = {.tid = x->header.tid,
                          .user = who->u.uid,
                          .manifest = who->u.first->hash,
                          .device = who->u.device.id,
                          .time = x->header.created};

    assert_int_equal(header_hash(part(x->header_raw.data, x->header_raw.len), &s.header), ERR_OK);
    return s;
}

/* PutReceipt; ${s} NULL: without a receipt. */
static Satchel__Code put(struct peer *p, const struct parcel *x, const struct statement *s,
                         const struct secret *key)
{
    Satchel__PutReceipt msg = SATCHEL__PUT_RECEIPT__INIT;
    Satchel__Signed receipt = SATCHEL__SIGNED__INIT;
    PEER_ENV(env, PUT_RECEIPT, put_receipt, &msg);
    struct buf raw = {0}, body = {0};
    uint8_t sig[SIGNED_SIG_LEN];
    Satchel__Code code;

    PEER_BYTES(msg.tid, x->header.tid.b);
    if (s != NULL) {
        assert_int_equal(statement_make(SIGNED_RECEIPT, s, key, &raw, NULL), ERR_OK);
        assert_int_equal(signed_unpack(part(raw.data, raw.len), STATEMENT_MAX, &body, sig, NULL),
                         ERR_OK);
        receipt.body = (ProtobufCBinaryData){body.len, body.data};
        PEER_BYTES(receipt.signature, sig);
        msg.receipt = &receipt;
    }
    code = peer_ask(p, &env);
    buf_free(&raw);
    buf_free(&body);
    return code;
}

static uint32_t opens_used(const struct parcel *x, Satchel__SlotState *ret_state)
{
    Satchel__Status msg = SATCHEL__STATUS__INIT;
    PEER_ENV(env, STATUS, status, &msg);
    struct message *m;
    struct peer p;
    uint32_t used = 0;

    PEER_BYTES(msg.tid, x->header.tid.b);
    stage_enter(&p, &alice);
    m = peer_call(&p, &env);
    for (size_t i = 0; i < m->env->status_reply->n_recipients; i++) {
        const Satchel__RecipientStatus *r = m->env->status_reply->recipients[i];

        if (memcmp(r->user_id.data, bob.u.uid.b, IDS_UID_LEN) == 0) {
            used = r->opens_used;
            *ret_state = r->state;
        }
    }
    message_free(m);
    peer_close(&p);
    return used;
}

/* ---- receipts ---- */

static void test_receipts_that_are_refused(void **state)
{
    struct statement s, wrong;
    Satchel__SlotState now;
    struct parcel x;
    struct peer p;

    (void)state;
    deliver(&x, 10, 1, 0);
    stage_enter(&p, &bob);
    s = receipt_of(&x, &bob);
    assert_int_equal(put(&p, &x, &s, &bob.u.dsk), CODE(BAD_STATE)); /* never opened */
    assert_int_equal(put(&p, &x, NULL, NULL), CODE(BAD_STATE));
    assert_int_equal(parcel_release(&p, &x, NULL), OK);
    assert_int_equal(put(&p, &x, &s, &carol.u.dsk), CODE(BAD_REQUEST)); /* another key */
    wrong = s;
    wrong.tid.b[0] ^= 1;
    assert_int_equal(put(&p, &x, &wrong, &bob.u.dsk), CODE(BAD_REQUEST));
    wrong = s;
    wrong.header.b[0] ^= 1;
    assert_int_equal(put(&p, &x, &wrong, &bob.u.dsk), CODE(BAD_REQUEST));
    wrong = s;
    wrong.user = carol.u.uid;
    assert_int_equal(put(&p, &x, &wrong, &bob.u.dsk), CODE(BAD_REQUEST));
    wrong = s;
    wrong.device = carol.u.device.id;
    assert_int_equal(put(&p, &x, &wrong, &bob.u.dsk), CODE(BAD_REQUEST));
    wrong = s;
    wrong.expires = 1;
    assert_int_equal(put(&p, &x, &wrong, &bob.u.dsk), CODE(BAD_REQUEST));
    wrong = s;
    wrong.manifest = carol.u.first->hash;
    assert_int_equal(put(&p, &x, &wrong, &bob.u.dsk), CODE(BAD_REQUEST));
    wrong = s;
    wrong.time = SAMPLE_TIME; /* long ago */
    assert_int_equal(put(&p, &x, &wrong, &bob.u.dsk), CODE(BAD_REQUEST));
    assert_int_equal(opens_used(&x, &now), 1);
    assert_int_equal(now, SATCHEL__SLOT_STATE__RELEASED);
    assert_int_equal(put(&p, &x, &s, &bob.u.dsk), OK);
    assert_int_equal(put(&p, &x, &s, &bob.u.dsk), OK); /* again */
    assert_int_equal(opens_used(&x, &now), 1);
    assert_int_equal(now, SATCHEL__SLOT_STATE__RECEIVED);
    assert_int_equal(parcel_release(&p, &x, NULL), OK); /* opens without a limit go on */
    peer_close(&p);
    parcel_free(&x);
}

static void test_the_last_commit_spends_the_slot(void **state)
{
    struct actor other = stage_second_device();
    struct parcel x;
    struct peer one, two;

    (void)state;
    deliver(&x, 10, 2, 2);
    stage_enter(&one, &bob);
    stage_enter(&two, &other);
    assert_int_equal(parcel_release(&one, &x, NULL), OK);
    assert_int_equal(put(&one, &x, NULL, NULL), OK);
    assert_int_equal(parcel_release(&one, &x, NULL), OK); /* one open is left: the cell is there */
    assert_int_equal(parcel_release(&two, &x, NULL), OK);
    assert_int_equal(parcel_release(&two, &x, NULL), OK); /* not committed yet */
    assert_int_equal(put(&two, &x, NULL, NULL), OK);
    assert_int_equal(parcel_release(&two, &x, NULL), CODE(SPENT));
    assert_int_equal(parcel_release(&one, &x, NULL), CODE(SPENT));
    peer_close(&one);
    peer_close(&two);
    parcel_free(&x);
}

/* ---- races ---- */

static uint64_t send_release(struct peer *p, const struct parcel *x)
{
    Satchel__Release msg = SATCHEL__RELEASE__INIT;
    PEER_ENV(env, RELEASE, release, &msg);

    PEER_BYTES(msg.tid, x->header.tid.b);
    return peer_send(p, &env, NULL, 0);
}

/* Two devices ask 25 times each for the one open, all at once: one device gets it. */
static void test_races(void **state)
{
    struct actor who[2] = {bob, stage_second_device()};
    struct peer p[2];
    struct parcel x;

    (void)state;
    for (uint32_t turn = 0; turn < 4; turn++) {
        uint64_t ids[RACES];
        unsigned got[2] = {0}, spent[2] = {0};
        Satchel__SlotState now;

        deliver(&x, 10, 10 + turn, 1);
        for (int i = 0; i < 2; i++)
            stage_enter(&p[i], &who[i]);
        for (unsigned i = 0; i < RACES; i++)
            ids[i] = send_release(&p[(i + turn) % 2], &x);
        for (unsigned i = 0; i < RACES; i++) {
            Satchel__Code code = peer_code(peer_wait(&p[(i + turn) % 2], ids[i]));

            assert_true(code == OK || code == CODE(SPENT));
            *(code == OK ? &got[(i + turn) % 2] : &spent[(i + turn) % 2]) += 1;
        }
        assert_true((got[0] == 0) != (got[1] == 0)); /* one of them, and always that one */
        assert_int_equal(got[0] + got[1], RACES / 2);
        assert_int_equal(spent[0] + spent[1], RACES / 2);
        assert_int_equal(opens_used(&x, &now), 1);
        for (int i = 0; i < 2; i++)
            peer_close(&p[i]);
        parcel_free(&x);
    }
}

/* ---- a download that is cut again and again ---- */

static void test_a_broken_download(void **state)
{
    struct actor other = stage_second_device();
    uint8_t first[SHARE_LEN], again[SHARE_LEN];
    struct statement s;
    Satchel__SlotState now;
    struct parcel x;
    struct peer p, o;
    uint32_t done = 0;

    (void)state;
    deliver(&x, CUTS * 262144, 30, 1);
    stage_enter(&p, &bob);
    assert_int_equal(parcel_release(&p, &x, first), OK);
    for (unsigned cut = 0; cut < CUTS; cut++) {
        uint64_t id = parcel_ask_pieces(&p, &x, done, 2); /* of which one is taken */

        assert_int_equal(parcel_take_piece(&p, &x, id, done++), OK);
        peer_close(&p);
        if (cut % 4 == 3) {
            site_kill(&stage_site);
            site_start(&stage_site, SETTINGS);
        }
        stage_enter(&o, &other);
        assert_int_equal(parcel_release(&o, &x, NULL), CODE(SPENT));
        peer_close(&o);
        stage_enter(&p, &bob);
        assert_int_equal(parcel_release(&p, &x, again), OK);
        assert_memory_equal(first, again, SHARE_LEN);
    }
    assert_int_equal(parcel_receive(&p, &x, 1), OK);
    s = receipt_of(&x, &bob);
    assert_int_equal(put(&p, &x, &s, &bob.u.dsk), OK);
    assert_int_equal(opens_used(&x, &now), 1);
    assert_int_equal(now, SATCHEL__SLOT_STATE__RECEIVED);
    assert_int_equal(parcel_release(&p, &x, NULL), CODE(SPENT));
    stage_enter(&o, &other);
    assert_int_equal(parcel_release(&o, &x, NULL), CODE(SPENT));
    peer_close(&o);
    peer_close(&p);
    parcel_free(&x);
}

/* ---- what is told ---- */

static uint64_t subscribe(struct peer *p, uint64_t after, bool from_now)
{
    Satchel__Subscribe msg = SATCHEL__SUBSCRIBE__INIT;
    PEER_ENV(env, SUBSCRIBE, subscribe, &msg);
    struct message *m;
    uint64_t last;

    msg.after = after;
    msg.from_now = from_now;
    m = peer_call(p, &env);
    assert_non_null(m);
    assert_int_equal(m->env->body_case, SATCHEL__ENVELOPE__BODY_SUBSCRIBE_REPLY);
    last = m->env->subscribe_reply->last;
    message_free(m);
    return last;
}

static uint64_t next_event(struct peer *p, Satchel__EventKind kind)
{
    struct message *m = peer_wait(p, 0);
    uint64_t number;

    assert_non_null(m);
    assert_int_equal(m->env->body_case, SATCHEL__ENVELOPE__BODY_EVENT);
    assert_int_equal(m->env->event->kind, kind);
    number = m->env->event->number;
    message_free(m);
    return number;
}

static void test_subscriptions(void **state)
{
    struct parcel x, y;
    struct peer p;
    uint64_t last, number;

    (void)state;
    stage_enter(&p, &carol);
    last = subscribe(&p, 0, true);
    deliver(&x, 10, 40, 0);
    number = next_event(&p, SATCHEL__EVENT_KIND__EVENT_ARRIVED);
    assert_int_equal(number, last + 1);
    peer_close(&p);
    deliver(&y, 10, 41, 0); /* while nobody listens */
    stage_enter(&p, &carol);
    assert_int_equal(subscribe(&p, number, false), number + 1);
    assert_int_equal(next_event(&p, SATCHEL__EVENT_KIND__EVENT_ARRIVED), number + 1);
    assert_int_equal(subscribe(&p, number - 1, false), number + 1); /* from there again */
    assert_int_equal(next_event(&p, SATCHEL__EVENT_KIND__EVENT_ARRIVED), number);
    assert_int_equal(next_event(&p, SATCHEL__EVENT_KIND__EVENT_ARRIVED), number + 1);
    assert_int_equal(subscribe(&p, UINT64_MAX, false), number + 1); /* of a lost future */
    peer_close(&p);
    parcel_free(&x);
    parcel_free(&y);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_receipts_that_are_refused),
        cmocka_unit_test(test_the_last_commit_spends_the_slot),
        cmocka_unit_test(test_races),
        cmocka_unit_test(test_a_broken_download),
        cmocka_unit_test(test_subscriptions),
    };

    return cmocka_run_group_tests(tests, setup, stage_teardown);
}
