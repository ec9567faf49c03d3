/* SPDX-License-Identifier: Apache-2.0 */
/* A server that changes what others sent: a typed error, and no output file. */
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

/* ---- the honest way ------------------------------------------------------------------- */

static void honest_round_trip(void **state)
{
    struct scene *g = *state;
    struct ending *e;

    send_to_bob(g);
    assert_int_equal(g->alice.last.notices[SATCHEL_NOTICE_PINNED], 1);
    assert_int_equal(g->fake.puts, 3);
    e = do_list(&g->bob, SATCHEL_INBOX);
    assert_int_equal(e->code, SATCHEL_OK);
    assert_int_equal(e->rows, 1);
    assert_int_equal(e->problems, 0);
    assert_int_equal(do_list(&g->alice, SATCHEL_SENT)->rows, 1);
    assert_int_equal(do_list(&g->alice, SATCHEL_INBOX)->rows, 0);
    e = do_get(&g->bob, NULL);
    assert_int_equal(e->code, SATCHEL_OK);
    assert_true(e->verified);
    assert_output(g);
    assert_int_equal(do_get(&g->alice, NULL)->code, SATCHEL_OK); /* the sender's own copy */
    assert_output(g);
    assert_int_equal(do_get(&g->carol, NULL)->code, SATCHEL_E_NOTFOUND);
    assert_no_output(g);
    assert_int_equal(g->fake.connections, 3);
}

/* ---- pieces ------------------------------------------------------------------------------------
 */

static void piece_cut(struct fake *f, Satchel__Envelope *r, struct buf *tail, size_t n)
{
    (void)f;
    (void)r;
    tail->len -= n;
}

static void piece_grow(struct fake *f, Satchel__Envelope *r, struct buf *tail, size_t n)
{
    (void)f;
    (void)r;
    (void)n;
    if (r->piece->index == 2)
        buf_u8(tail, 0);
}

static void piece_index(struct fake *f, Satchel__Envelope *r, struct buf *tail, size_t n)
{
    (void)f;
    (void)tail;
    r->piece->index = (uint32_t)n;
}

static void piece_other(struct fake *f, Satchel__Envelope *r, struct buf *tail, size_t n)
{
    const struct fake_transfer *t = &f->transfers[f->n_transfers - 1];

    buf_reset(tail);
    if (r->piece->index < 2)
        buf_put(tail, t->pieces[n ^ r->piece->index].data, t->pieces[n ^ r->piece->index].len);
    else
        buf_put(tail, t->pieces[2].data, t->pieces[2].len);
}

static void piece_twice(struct fake *f, Satchel__Envelope *r, struct buf *tail, size_t n)
{
    (void)n;
    fake_send(f, r, tail->data, tail->len);
}

static void piece_done(struct fake *f, Satchel__Envelope *r, struct buf *tail, size_t n)
{
    (void)f;
    (void)n;
    buf_reset(tail);
    fake_clear(r);
    r->body_case = SATCHEL__ENVELOPE__BODY_DONE;
    r->done = calloc(1, sizeof(*r->done));
    satchel__done__init(r->done);
}

static void done_early(void **state)
{
    struct scene *g = *state;
    struct plan p = {.kind = SATCHEL__ENVELOPE__BODY_PIECE, .change = piece_done};

    send_to_bob(g);
    assert_spoiled(g, p, SATCHEL_E_PROTO);
}

static void spoiled_pieces(void **state)
{
    static const struct {
        plan_change *change;
        size_t n;
        unsigned after;
        int code;
    } rows[] = {
        {plan_flip, 0, 0, SATCHEL_E_INTEGRITY},      {plan_flip, 262399, 0, SATCHEL_E_INTEGRITY},
        {plan_flip, 100000, 1, SATCHEL_E_INTEGRITY}, {plan_flip, 5, 2, SATCHEL_E_INTEGRITY},
        {piece_cut, 1, 0, SATCHEL_E_PROTO},          {piece_cut, 262400, 0, SATCHEL_E_PROTO},
        {piece_cut, 16, 2, SATCHEL_E_PROTO},         {piece_grow, 0, 2, SATCHEL_E_PROTO},
        {piece_index, 1, 0, SATCHEL_E_PROTO},        {piece_index, 0xffffffff, 0, SATCHEL_E_PROTO},
        {piece_index, 3, 2, SATCHEL_E_PROTO},        {piece_other, 1, 0, SATCHEL_E_INTEGRITY},
        {piece_twice, 0, 0, SATCHEL_E_PROTO},        {piece_twice, 0, 2, SATCHEL_E_PROTO},
    };
    struct scene *g = *state;

    send_to_bob(g);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct plan p = {.kind = SATCHEL__ENVELOPE__BODY_PIECE,
                         .change = rows[i].change,
                         .n = rows[i].n,
                         .after = rows[i].after};

        assert_spoiled(g, p, rows[i].code);
    }
    assert_int_equal(do_get(&g->bob, NULL)->code, SATCHEL_OK);
    assert_output(g);
}

/* ---- leaves -------------------------------------------------------------------------------------
 */

static void leaf_flip(struct fake *f, Satchel__Envelope *r, struct buf *tail, size_t n)
{
    (void)f;
    (void)tail;
    r->leaves_reply->leaves.data[n] ^= 1;
}

static void leaf_cut(struct fake *f, Satchel__Envelope *r, struct buf *tail, size_t n)
{
    (void)f;
    (void)tail;
    r->leaves_reply->leaves.len -= n;
}

static void leaf_swap(struct fake *f, Satchel__Envelope *r, struct buf *tail, size_t n)
{
    uint8_t *at = r->leaves_reply->leaves.data, hold[32];

    (void)f;
    (void)tail;
    (void)n;
    memcpy(hold, at, 32);
    memcpy(at, at + 32, 32);
    memcpy(at + 32, hold, 32);
}

static void leaf_more(struct fake *f, Satchel__Envelope *r, struct buf *tail, size_t n)
{
    ProtobufCBinaryData *l = &r->leaves_reply->leaves;

    (void)f;
    (void)tail;
    l->data = realloc(l->data, l->len + n);
    memset(l->data + l->len, 0, n);
    l->len += n;
}

static void leaf_first(struct fake *f, Satchel__Envelope *r, struct buf *tail, size_t n)
{
    (void)f;
    (void)tail;
    r->leaves_reply->first += (uint32_t)n;
}

static void spoiled_leaves(void **state)
{
    static const struct {
        plan_change *change;
        size_t n;
    } rows[] = {{leaf_flip, 0}, {leaf_flip, 95}, {leaf_cut, 1},   {leaf_cut, 96},
                {leaf_swap, 0}, {leaf_more, 32}, {leaf_first, 1}, {leaf_more, 7}};
    struct scene *g = *state;

    send_to_bob(g);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct plan p = {
            .kind = SATCHEL__ENVELOPE__BODY_LEAVES_REPLY, .change = rows[i].change, .n = rows[i].n};

        assert_spoiled(g, p, SATCHEL_E_INTEGRITY);
    }
}

/* ---- shares -------------------------------------------------------------------------------------
 */

static void share_body(struct fake *f, Satchel__Envelope *r, struct buf *tail, size_t n)
{
    (void)f;
    (void)tail;
    if (n < 32)
        r->release_reply->share_body.data[n] ^= 1;
    else
        r->release_reply->share_body.len = n - 32;
}

static void share_meta(struct fake *f, Satchel__Envelope *r, struct buf *tail, size_t n)
{
    (void)f;
    (void)tail;
    if (n < 32)
        r->transfer_reply->transfer->share_meta.data[n] ^= 1;
    else
        r->transfer_reply->transfer->share_meta.len = n - 32;
}

static void wrong_shares(void **state)
{
    static const size_t places[] = {0, 31, 32, 63};
    struct scene *g = *state;

    send_to_bob(g);
    for (size_t i = 0; i < 4; i++) {
        struct plan body = {.kind = SATCHEL__ENVELOPE__BODY_RELEASE_REPLY,
                            .change = share_body,
                            .n = places[i]},
                    meta = {.kind = SATCHEL__ENVELOPE__BODY_TRANSFER_REPLY,
                            .change = share_meta,
                            .n = places[i]};

        assert_spoiled(g, body, SATCHEL_E_INTEGRITY);
        assert_spoiled(g, meta, SATCHEL_E_INTEGRITY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(honest_round_trip), TEST(done_early),   TEST(spoiled_pieces),
        TEST(spoiled_leaves),    TEST(wrong_shares),
    };
    int failed = cmocka_run_group_tests_name("hostile bytes", tests, NULL, NULL);

    uv_library_shutdown();
    return failed;
}
