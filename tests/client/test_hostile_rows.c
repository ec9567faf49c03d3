/* SPDX-License-Identifier: Apache-2.0 */
/* A server that changes what it says of a transfer: a typed error, and no output file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/client/scene.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

/* ---- rows: every byte of header, signature, slot, proof, metadata
 * ----------------------------------- */

static void row_flip(struct fake *f, Satchel__Envelope *r, struct buf *tail, size_t n)
{
    Satchel__Transfer *t = r->transfer_reply->transfer;
    ProtobufCBinaryData *parts[] = {&t->header, &t->signature, &t->slot, &t->metadata,
                                    &t->proof[0]};
    size_t at = n / 8;

    (void)f;
    (void)tail;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (at < parts[i]->len) {
            parts[i]->data[at] ^= (uint8_t)(1 << n % 8);
            return;
        }
        at -= parts[i]->len;
    }
}

/* One bit of each byte; which one changes from byte to byte. */
static void every_byte_of_a_row(void **state)
{
    struct scene *g = *state;
    const Satchel__SealTransfer *seal;
    size_t bytes;

    send_to_bob(g);
    seal = g->fake.transfers[0].seal;
    bytes =
        seal->header.len + seal->signature.len + seal->slots[0]->slot.len + seal->metadata.len + 32;
    for (size_t i = 0; i < bytes; i += i < 800 ? 1 : 13) {
        struct plan p = {
            .kind = SATCHEL__ENVELOPE__BODY_TRANSFER_REPLY, .change = row_flip, .n = i * 8 + i % 8};
        struct ending *e = spoiled_get(g, p);

        /* Where it is told what is wrong before the signature is looked at, the code may differ. */
        if (e->code != SATCHEL_E_INTEGRITY && e->code != SATCHEL_E_UNSUPPORTED &&
            e->code != SATCHEL_E_NOTFOUND)
            fail_msg("byte %zu: %d %s", i, e->code, e->message);
    }
    assert_int_equal(g->fake.requests[SATCHEL__ENVELOPE__BODY_RELEASE], 0);
    assert_int_equal(do_get(&g->bob, NULL)->code, SATCHEL_OK);
    assert_output(g);
}

static void row_index(struct fake *f, Satchel__Envelope *r, struct buf *tail, size_t n)
{
    (void)f;
    (void)tail;
    r->transfer_reply->transfer->slot_index ^= (uint32_t)n;
}

static void row_no_proof(struct fake *f, Satchel__Envelope *r, struct buf *tail, size_t n)
{
    (void)f;
    (void)tail;
    (void)n;
    free(r->transfer_reply->transfer->proof[0].data);
    r->transfer_reply->transfer->n_proof = 0;
}

static void row_no_share(struct fake *f, Satchel__Envelope *r, struct buf *tail, size_t n)
{
    (void)f;
    (void)tail;
    (void)n;
    r->transfer_reply->transfer->share_meta.len = 0;
}

static void row_missing(struct fake *f, Satchel__Envelope *r, struct buf *tail, size_t n)
{
    (void)f;
    (void)tail;
    (void)n;
    satchel__transfer__free_unpacked(r->transfer_reply->transfer, NULL);
    r->transfer_reply->transfer = NULL;
}

static void row_state(struct fake *f, Satchel__Envelope *r, struct buf *tail, size_t n)
{
    (void)f;
    (void)tail;
    r->transfer_reply->transfer->state = (Satchel__SlotState)n;
    r->transfer_reply->transfer->share_meta.len = 0;
    r->transfer_reply->transfer->metadata.len = 0;
}

static void other_rows(void **state)
{
    static const struct {
        plan_change *change;
        size_t n;
        int code;
    } rows[] = {
        {row_index, 1, SATCHEL_E_INTEGRITY},
        {row_index, 0x80000000, SATCHEL_E_INTEGRITY},
        {row_no_proof, 0, SATCHEL_E_INTEGRITY},
        {row_no_share, 0, SATCHEL_E_INTEGRITY},
        {row_missing, 0, SATCHEL_E_PROTO},
        {row_state, SATCHEL__SLOT_STATE__SLOT_EXPIRED, SATCHEL_E_EXPIRED},
        {row_state, SATCHEL__SLOT_STATE__SLOT_REVOKED, SATCHEL_E_REVOKED},
        {row_state, SATCHEL__SLOT_STATE__DELETED, SATCHEL_E_NOTFOUND},
    };
    struct scene *g = *state;

    send_to_bob(g);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct plan p = {.kind = SATCHEL__ENVELOPE__BODY_TRANSFER_REPLY,
                         .change = rows[i].change,
                         .n = rows[i].n};

        assert_spoiled(g, p, rows[i].code);
    }
}

/* Bob is shown the slot that is Alice's, with a right proof. */
static void slot_of_another_recipient(void **state)
{
    struct scene *g = *state;
    struct fake_transfer *t;
    struct uid bob;

    send_to_bob(g);
    t = &g->fake.transfers[0];
    bob = fake_find_user(&g->fake, "bob")->uid;
    /* The row is made for the caller by slot owner: exchange the owners. */
    for (size_t i = 0; i < 2; i++) {
        uint8_t *owner = t->seal->slots[i]->user_id.data;
        const struct uid *other =
            memcmp(owner, bob.b, IDS_UID_LEN) == 0 ? &fake_find_user(&g->fake, "alice")->uid : &bob;

        memcpy(owner, other->b, IDS_UID_LEN);
    }
    assert_int_equal(do_get(&g->bob, NULL)->code, SATCHEL_E_INTEGRITY);
    assert_no_output(g);
}

/* Carol's transfer to Bob is shown where Alice's was asked for. */
static void transfer_by_somebody_else(void **state)
{
    struct scene *g = *state;
    char id[SATCHEL_ID_SIZE];
    struct fake_transfer *a, *c, hold;

    send_to_bob(g);
    memcpy(id, g->alice.last.id, sizeof(id));
    assert_int_equal(do_send(&g->carol, "bob")->code, SATCHEL_OK);
    a = &g->fake.transfers[0];
    c = &g->fake.transfers[1];
    hold = *a;
    *a = *c;
    *c = hold;
    a->tid = hold.tid;
    c->tid.b[0] ^= 1;
    assert_int_equal(do_get(&g->bob, id)->code, SATCHEL_E_INTEGRITY);
    assert_no_output(g);
    assert_int_equal(do_status(&g->bob, id)->code, SATCHEL_E_INTEGRITY);
}

/* Two transfers of Alice under one ID: whichever Bob has seen first is the one. */
static void another_header_under_the_same_id(void **state)
{
    struct scene *g = *state;
    struct tid tid = {{7}};
    struct ending *e;

    g->fake.same_tid = &tid;
    send_to_bob(g);
    assert_int_equal(do_list(&g->bob, SATCHEL_INBOX)->problems, 0);
    send_to_bob(g);
    e = do_list(&g->bob, SATCHEL_INBOX);
    assert_int_equal(e->rows, 2);
    assert_int_equal(e->problems, 1);
    assert_int_equal(e->problem, SATCHEL_E_INTEGRITY);
    handle_again(&g->bob); /* it is remembered on the disk */
    assert_int_equal(do_get(&g->bob, NULL)->code, SATCHEL_E_INTEGRITY);
    assert_no_output(g);
    /* Carol never saw the first one, but both come on one page to her. */
    assert_int_equal(do_list(&g->alice, SATCHEL_SENT)->problems, 1);
}

/* ---- listings
 * ------------------------------------------------------------------------------------- */

static void list_flip(struct fake *f, Satchel__Envelope *r, struct buf *tail, size_t n)
{
    (void)f;
    (void)tail;
    r->list_reply->transfers[0]->signature.data[n] ^= 1;
}

static void list_garbage(struct fake *f, Satchel__Envelope *r, struct buf *tail, size_t n)
{
    (void)f;
    (void)tail;
    memset(r->list_reply->transfers[0]->header.data, 0xff, n);
}

static void list_endless(struct fake *f, Satchel__Envelope *r, struct buf *tail, size_t n)
{
    Satchel__ListReply *m = r->list_reply;

    (void)f;
    (void)tail;
    for (size_t i = 0; i < m->n_transfers; i++)
        satchel__transfer__free_unpacked(m->transfers[i], NULL);
    m->n_transfers = 0;
    m->more = true;
    m->cursor.data = calloc(1, n);
    m->cursor.len = n;
}

/* The same page again and again. */
static void list_circle(struct fake *f, Satchel__Envelope *r, struct buf *tail, size_t n)
{
    Satchel__ListReply *m = r->list_reply;

    (void)f;
    (void)tail;
    m->more = true;
    free(m->cursor.data);
    m->cursor.data = calloc(1, n);
    m->cursor.len = n;
}

static void bad_rows_do_not_hide_the_others(void **state)
{
    struct scene *g = *state;
    struct plan p = {.kind = SATCHEL__ENVELOPE__BODY_LIST_REPLY, .change = list_flip};
    struct ending *e;

    send_to_bob(g);
    send_to_bob(g);
    hostile(g, &p);
    e = do_list(&g->bob, SATCHEL_INBOX);
    assert_int_equal(e->code, SATCHEL_OK);
    assert_int_equal(e->rows, 2);
    assert_int_equal(e->problems, 1);
    assert_int_equal(e->problem, SATCHEL_E_INTEGRITY);
    p = (struct plan){.kind = SATCHEL__ENVELOPE__BODY_LIST_REPLY, .change = list_garbage, .n = 20};
    e = do_list(&g->bob, SATCHEL_INBOX);
    assert_int_equal(e->rows, 2);
    assert_int_equal(e->problems, 1);
    p = (struct plan){.kind = SATCHEL__ENVELOPE__BODY_LIST_REPLY, .change = list_endless, .n = 8};
    assert_int_equal(do_list(&g->bob, SATCHEL_INBOX)->code, SATCHEL_E_PROTO);
    p.n = 129;
    assert_int_equal(do_list(&g->bob, SATCHEL_INBOX)->code, SATCHEL_E_PROTO);
    p = (struct plan){.kind = SATCHEL__ENVELOPE__BODY_LIST_REPLY, .change = list_circle, .n = 24};
    assert_int_equal(do_list(&g->bob, SATCHEL_INBOX)->code, SATCHEL_E_PROTO);
}

/* ---- an end that comes between the row and the share ---- */

static void refuse(struct fake *f, Satchel__Envelope *r, struct buf *tail, size_t n)
{
    (void)f;
    (void)tail;
    fake_error(r, (Satchel__Code)n, "no share any more");
}

static void a_refused_release_says_whom_to_ask(void **state)
{
    static const struct {
        Satchel__Code wire;
        int code;
        const char *hint;
    } rows[] = {
        {SATCHEL__CODE__EXPIRED, SATCHEL_E_EXPIRED, "ask alice to send it again"},
        {SATCHEL__CODE__SPENT, SATCHEL_E_SPENT, "ask alice to send it again"},
        {SATCHEL__CODE__REVOKED, SATCHEL_E_REVOKED, ""},
    };
    struct scene *g = *state;

    send_to_bob(g);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct plan p = {.kind = SATCHEL__ENVELOPE__BODY_RELEASE_REPLY,
                         .change = refuse,
                         .n = (size_t)rows[i].wire};
        const struct ending *e = spoiled_get(g, p);

        assert_int_equal(e->code, rows[i].code);
        assert_string_equal(e->hint, rows[i].hint);
        assert_non_null(strstr(e->message, "transfer '"));
    }
}

/* The server shows it as open when it has just expired: the client says what the server would. */
static void it_expired_a_moment_ago(void **state)
{
    struct scene *g = *state;
    const struct ending *e;
    char id[SATCHEL_ID_SIZE];

    send_to_bob(g);
    memcpy(id, g->alice.last.id, sizeof(id));
    assert_int_equal(do_extend(&g->alice, id, 1000)->code, SATCHEL_OK);
    for (int i = 0; i < 1000 && do_list(&g->bob, SATCHEL_INBOX)->problems == 0; i++)
        uv_sleep(10);
    assert_int_equal(g->bob.last.problem, SATCHEL_E_EXPIRED);
    e = do_get(&g->bob, id);
    assert_int_equal(e->code, SATCHEL_E_EXPIRED);
    assert_non_null(strstr(e->message, "it expired on "));
    assert_string_equal(e->hint, "ask alice to send it again");
    assert_no_output(g);
}

/* ---- another transfer than the one that was looked for ---- */

static void found_other(struct fake *f, Satchel__Envelope *r, struct buf *tail, size_t n)
{
    (void)f;
    (void)tail;
    r->find_reply->found[0]->tid.data[n / 8] ^= (uint8_t)(0x80 >> n % 8);
}

/* The beginning that was typed is compared with the one ID that comes, digit for digit. */
static void another_id_is_found(void **state)
{
    struct scene *g = *state;
    struct ending *e;
    char prefix[8] = "";

    send_to_bob(g);
    memcpy(prefix, g->alice.last.id, 7);
    for (size_t bit = 0; bit < 28; bit++) {
        struct plan p = {
            .kind = SATCHEL__ENVELOPE__BODY_FIND_REPLY, .change = found_other, .n = bit};

        hostile(g, &p);
        e = do_get(&g->bob, prefix);
        assert_int_equal(e->code, SATCHEL_E_PROTO);
    }
    honest(g);
    assert_int_equal(g->fake.requests[SATCHEL__ENVELOPE__BODY_GET_TRANSFER], 0);
    assert_int_equal(do_get(&g->bob, prefix)->code, SATCHEL_OK);
    assert_output(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_byte_of_a_row),
        TEST(other_rows),
        TEST(slot_of_another_recipient),
        TEST(transfer_by_somebody_else),
        TEST(another_header_under_the_same_id),
        TEST(bad_rows_do_not_hide_the_others),
        TEST(a_refused_release_says_whom_to_ask),
        TEST(it_expired_a_moment_ago),
        TEST(another_id_is_found),
    };
    int failed = cmocka_run_group_tests_name("hostile rows", tests, NULL, NULL);

    uv_library_shutdown();
    return failed;
}
