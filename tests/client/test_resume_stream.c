/* SPDX-License-Identifier: Apache-2.0 */
/* A send of what cannot be read again, cut or held up in the middle: it goes on by itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <unistd.h>

#include <cmocka.h>

#include "common/fs.h"
#include "tests/client/cut.h"
#include "tests/client/fake_serve.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

enum {
    PIECES = 80, /* more than a client holds at a time */
    LENGTH = (PIECES - 1) * 262144 + 4321,
    SMALL = 1000,
    FEW = 10 * 262144 + 1,
    PART = 50000,   /* of a slow pipe */
    PATIENT = 60000 /* ms */
};

/* ---- a pipe ---- */

struct pipe {
    struct buf data;
    int ends[2];
    uv_thread_t writer;
    bool slow; /* it comes in small parts */
};

static void feed(void *arg)
{
    struct pipe *p = arg;
    size_t at = 0;
    ssize_t n = 0;

    for (; at < p->data.len && n >= 0; at += (size_t)n) {
        size_t len = p->data.len - at;

        if (p->slow)
            uv_sleep(5);
        n = write(p->ends[1], p->data.data + at, p->slow && len > PART ? PART : len);
    }
    close(p->ends[1]);
}

/* Alice sends Bob what comes out of a pipe, ${length} bytes. */
static struct ending *send_pipe(struct scene *g, size_t length, bool slow)
{
    const char *to = "bob";
    struct pipe p = {.ends = {-1, -1}, .slow = slow};
    struct satchel_send_options o = {
        .name = "file", .to = &to, .to_count = 1, .cookie = &g->alice, .done = scene_on_sent};
    struct ending *end;

    scene_fill_file(g, length);
    assert_int_equal(fs_read(g->file, length, &p.data, NULL), ERR_OK);
    assert_int_equal(pipe(p.ends), 0);
    assert_int_equal(uv_thread_create(&p.writer, feed, &p), 0);
    o.fd = p.ends[0];
    g->alice.last = (struct ending){0};
    assert_int_equal(satchel_send_start(g->alice.s, &o, NULL, NULL), SATCHEL_OK);
    end = wait_for(&g->alice);
    close(p.ends[0]);
    uv_thread_join(&p.writer);
    buf_free(&p.data);
    return end;
}

static struct ending *do_send_stream(struct scene *g, size_t length)
{
    return send_pipe(g, length, false);
}

/* ---- what passes ---- */

static void cut_and_goes_on(struct scene *g, struct cut c, size_t length)
{
    size_t before = g->fake.n_transfers;

    handle_retry(&g->alice, CUT_RETRY);
    g->fake.cookie = &c;
    assert_int_equal(do_send_stream(g, length)->code, SATCHEL_OK);
    honest(g);
    assert_true(c.done);
    assert_true(g->alice.last.notices[SATCHEL_NOTICE_RETRY] >= 1);
    assert_int_equal(g->fake.n_transfers, before + 1); /* the same upload */
    assert_int_equal(g->fake.repeats, 0);
    assert_int_equal(g->fake.two_plaintexts, 0);
    assert_bob_gets_it(g);
}

static void every_answer_may_be_cut(void **state)
{
    static const struct cut rows[] = {
        {SATCHEL__ENVELOPE__BODY_OPEN_TRANSFER_REPLY, 0, false},
        {SATCHEL__ENVELOPE__BODY_PIECE_ACK, 0, false},
        {SATCHEL__ENVELOPE__BODY_PIECE_ACK, PIECES / 2, false},
        {SATCHEL__ENVELOPE__BODY_PIECE_ACK, PIECES - 1, false},
        {SATCHEL__ENVELOPE__BODY_SEAL_REPLY, 0, false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ((struct scene *)*state)->fake.spoil = cut_answer;
        cut_and_goes_on(*state, rows[i], LENGTH);
    }
}

static void every_request_may_be_cut(void **state)
{
    static const struct cut rows[] = {
        {SATCHEL__ENVELOPE__BODY_PUT_PIECE, 0, false},
        {SATCHEL__ENVELOPE__BODY_PUT_PIECE, PIECES / 2, false},
        {SATCHEL__ENVELOPE__BODY_PUT_PIECE, PIECES - 1, false},
        {SATCHEL__ENVELOPE__BODY_SEAL_TRANSFER, 0, false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ((struct scene *)*state)->fake.listen = cut_request;
        cut_and_goes_on(*state, rows[i], LENGTH);
    }
}

static void one_piece_may_be_cut(void **state)
{
    struct scene *g = *state;

    g->fake.spoil = cut_answer;
    cut_and_goes_on(g, (struct cut){SATCHEL__ENVELOPE__BODY_PIECE_ACK, 0, false}, SMALL);
}

static void a_busy_server_is_asked_again(void **state)
{
    struct scene *g = *state;

    g->fake.spoil = cut_busy;
    cut_and_goes_on(g, (struct cut){SATCHEL__ENVELOPE__BODY_PIECE_ACK, PIECES / 2, false}, LENGTH);
}

/* A piece is half read when the connection goes. */
static void a_slow_pipe_goes_on(void **state)
{
    struct scene *g = *state;
    struct cut c = {SATCHEL__ENVELOPE__BODY_PIECE_ACK, 4, false};

    handle_retry(&g->alice, CUT_RETRY);
    g->fake.spoil = cut_answer;
    g->fake.cookie = &c;
    assert_int_equal(send_pipe(g, FEW, true)->code, SATCHEL_OK);
    honest(g);
    assert_true(c.done);
    assert_int_equal(g->fake.repeats, 0);
    assert_int_equal(g->fake.two_plaintexts, 0);
    assert_bob_gets_it(g);
}

/* ---- what does not ---- */

/* The connection is cut, and the server has lost what it had acknowledged. */
static bool lose_and_cut(struct fake *f, Satchel__Envelope *r, struct buf *tail)
{
    struct cut *c = f->cookie;

    if (cut_answer(f, r, tail))
        return true;
    if (c->kind == SATCHEL__ENVELOPE__BODY_PIECE_ACK)
        buf_free(&f->transfers[0].pieces[1]);
    return false;
}

static void a_lost_piece_is_told(void **state)
{
    struct scene *g = *state;
    struct cut c = {SATCHEL__ENVELOPE__BODY_PIECE_ACK, 70, false};

    handle_retry(&g->alice, CUT_RETRY);
    g->fake.spoil = lose_and_cut;
    g->fake.cookie = &c;
    assert_int_equal(do_send_stream(g, LENGTH)->code, SATCHEL_E_CLOSED);
    assert_non_null(strstr(g->alice.last.message, "has lost what it had of 'file'"));
    assert_true(c.done);
    honest(g);
}

/* Busy when it is to seal; then it has no piece of what it has acknowledged. */
static bool lose_all(struct fake *f, Satchel__Envelope *r, struct buf *tail)
{
    const struct cut *c = f->cookie;

    if (!c->done)
        return cut_busy(f, r, tail);
    if (r->body_case == SATCHEL__ENVELOPE__BODY_ERROR) {
        fake_clear(r);
        r->body_case = SATCHEL__ENVELOPE__BODY_UPLOAD_STATE_REPLY;
        r->upload_state_reply = fake_make(&satchel__upload_state_reply__descriptor);
    }
    return true;
}

/* Nothing else is sealed in the place of what was there, and what is said is true. */
static void a_pipe_is_not_read_again(void **state)
{
    struct scene *g = *state;
    struct cut c = {SATCHEL__ENVELOPE__BODY_SEAL_REPLY, 0, false};

    handle_retry(&g->alice, CUT_RETRY);
    g->fake.spoil = lose_all;
    g->fake.cookie = &c;
    assert_int_equal(do_send_stream(g, SMALL)->code, SATCHEL_E_CLOSED);
    assert_non_null(strstr(g->alice.last.message, "has lost what it had of 'file'"));
    assert_non_null(strstr(g->alice.last.hint, "cannot be read again"));
    honest(g);
    assert_true(c.done);
    assert_int_equal(g->fake.two_plaintexts, 0);
}

/* It says that it has what was never sent. */
static bool invent_pieces(struct fake *f, Satchel__Envelope *r, struct buf *tail)
{
    if (r->body_case == SATCHEL__ENVELOPE__BODY_UPLOAD_STATE_REPLY) {
        Satchel__UploadStateReply *m = r->upload_state_reply;

        m->pieces[m->n_pieces - 1]->count += 60;
    }
    return cut_answer(f, r, tail);
}

static void invented_pieces_are_noticed(void **state)
{
    struct scene *g = *state;
    struct cut c = {SATCHEL__ENVELOPE__BODY_PIECE_ACK, 5, false};

    handle_retry(&g->alice, CUT_RETRY);
    g->fake.spoil = invent_pieces;
    g->fake.cookie = &c;
    assert_int_not_equal(do_send_stream(g, LENGTH)->code, SATCHEL_OK);
    assert_true(c.done);
    assert_int_equal(g->fake.n_transfers, 1);
    assert_false(g->fake.transfers[0].sealed);
    honest(g);
}

/* Nobody is there any more: it ends, and what was held is given back. */
static void patience_ends(void **state)
{
    struct scene *g = *state;
    struct cut c = {SATCHEL__ENVELOPE__BODY_PIECE_ACK, 5, false};

    g->fake.spoil = cut_answer;
    g->fake.cookie = &c;
    assert_int_equal(do_send_stream(g, LENGTH)->code, SATCHEL_E_CLOSED);
    honest(g);
    handle_again(&g->alice);
    assert_int_equal(do_send_stream(g, FEW)->code, SATCHEL_OK);
    assert_bob_gets_it(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_answer_may_be_cut),
        TEST(every_request_may_be_cut),
        TEST(one_piece_may_be_cut),
        TEST(a_busy_server_is_asked_again),
        TEST(a_slow_pipe_goes_on),
        TEST(a_lost_piece_is_told),
        TEST(a_pipe_is_not_read_again),
        TEST(invented_pieces_are_noticed),
        TEST(patience_ends),
    };
    int failed = cmocka_run_group_tests_name("resume_stream", tests, NULL, NULL);

    uv_library_shutdown();
    return failed;
}
