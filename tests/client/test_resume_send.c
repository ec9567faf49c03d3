/* SPDX-License-Identifier: Apache-2.0 */
/* A send that is cut, and gone on with: by itself, or by the same command. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <glob.h>
#include <sys/file.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/client/cut.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

enum {
    SMALL = 1000,                             /* bytes: one piece */
    LARGE = 79 * 262144 + CUT_LENGTH % 262144 /* more pieces than a client holds at a time */
};

/* Change one byte in place. */
static void change_file(struct scene *g, off_t at)
{
    int fd = open(g->file, O_WRONLY);

    assert_int_equal(pwrite(fd, "!", 1, at), 1);
    close(fd);
}

static size_t records(struct scene *g)
{
    char pattern[160];
    glob_t found;
    size_t n;

    snprintf(pattern, sizeof(pattern), "%s/profiles/default/records/upload-*", g->alice.home);
    n = glob(pattern, 0, NULL, &found) == 0 ? found.gl_pathc : 0;
    globfree(&found);
    return n;
}

/* ---- within a command ------------------------------------------------------------------ */

static void every_answer_may_be_cut(void **state)
{
    static const struct cut rows[] = {
        {SATCHEL__ENVELOPE__BODY_OPEN_TRANSFER_REPLY, 0, false},
        {SATCHEL__ENVELOPE__BODY_PIECE_ACK, 0, false},
        {SATCHEL__ENVELOPE__BODY_PIECE_ACK, CUT_PIECES / 2, false},
        {SATCHEL__ENVELOPE__BODY_PIECE_ACK, CUT_PIECES - 1, false},
        {SATCHEL__ENVELOPE__BODY_SEAL_REPLY, 0, false},
    };
    struct scene *g = *state;

    scene_fill_file(g, CUT_LENGTH);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cut c = rows[i];

        handle_retry(&g->alice, CUT_RETRY);
        g->fake.spoil = cut_answer;
        g->fake.cookie = &c;
        assert_int_equal(do_send(&g->alice, "bob")->code, SATCHEL_OK);
        honest(g);
        assert_true(c.done);
        assert_int_equal(g->alice.last.notices[SATCHEL_NOTICE_RETRY], 1);
        assert_int_equal(g->alice.last.sent, CUT_PIECES);
        assert_int_equal(g->fake.n_transfers, i + 1); /* the same upload */
        assert_int_equal(g->fake.repeats, 0);
        assert_int_equal(records(g), 0);
        assert_bob_gets_it(g);
    }
    assert_int_equal(g->fake.two_plaintexts, 0);
}

/* The piece is asked for again, on the same connection. */
static void a_busy_server_is_asked_again(void **state)
{
    struct scene *g = *state;
    struct cut c = {SATCHEL__ENVELOPE__BODY_PIECE_ACK, CUT_PIECES / 2, false};

    scene_fill_file(g, CUT_LENGTH);
    handle_retry(&g->alice, CUT_RETRY);
    g->fake.spoil = cut_busy;
    g->fake.cookie = &c;
    assert_int_equal(do_send(&g->alice, "bob")->code, SATCHEL_OK);
    honest(g);
    assert_true(c.done);
    assert_int_equal(g->alice.last.notices[SATCHEL_NOTICE_RETRY], 1);
    assert_non_null(strstr(g->alice.last.notice, "room is being made: trying again"));
    assert_int_equal(g->fake.n_transfers, 1);
    assert_int_equal(g->fake.repeats, 0);
    assert_int_equal(g->fake.two_plaintexts, 0);
    assert_bob_gets_it(g);
}

/* Pieces were on their way; the source changes before they are sealed again. */
static void a_change_meanwhile_never_leaves(void **state)
{
    struct scene *g = *state;
    struct cut c = {SATCHEL__ENVELOPE__BODY_PUT_PIECE, CUT_PIECES - 2, false};

    scene_fill_file(g, CUT_LENGTH);
    handle_retry(&g->alice, CUT_RETRY);
    g->fake.lose_from = CUT_PIECES / 2; /* they come, the sender does not know, they are lost */
    g->fake.listen = cut_request;
    g->fake.cookie = &c;
    begin_send(&g->alice, "bob", NULL);
    while (!c.done)
        uv_run(&g->loop, UV_RUN_ONCE);
    change_file(g, (off_t)(CUT_PIECES / 2) * 262144 + 99);
    g->fake.lose_from = 0;
    assert_int_equal(wait_for(&g->alice)->code, SATCHEL_E_IO);
    honest(g);
    assert_int_equal(g->fake.two_plaintexts, 0);
    assert_true(g->fake.transfers[0].was_seen[CUT_PIECES / 2]);
    assert_int_equal(records(g), 0);
}

/* ---- the same command again --------------------------------------------------------------- */

/* End a send at a request of a kind; what it leaves is its record. */
static void break_off(struct scene *g, struct cut c)
{
    handle_retry(&g->alice, 0);
    g->fake.listen = cut_request;
    g->fake.cookie = &c;
    assert_int_equal(do_send(&g->alice, "bob")->code, SATCHEL_E_CLOSED);
    honest(g);
    assert_true(c.done);
    handle_again(&g->alice);
}

static void the_same_command_goes_on(void **state)
{
    struct scene *g = *state;

    scene_fill_file(g, CUT_LENGTH);
    break_off(g, (struct cut){SATCHEL__ENVELOPE__BODY_PUT_PIECE, CUT_PIECES / 2, false});
    assert_int_equal(records(g), 1);
    cut_moves_from = UINT64_MAX;
    begin_send(&g->alice, "bob", cut_on_progress);
    assert_int_equal(wait_for(&g->alice)->code, SATCHEL_OK);
    assert_int_equal(cut_moves_from, (uint64_t)(CUT_PIECES / 2) * 262144); /* not from nothing */
    assert_int_equal(g->alice.last.kept, CUT_PIECES / 2);
    assert_int_equal(g->alice.last.sent, CUT_PIECES - CUT_PIECES / 2);
    assert_int_equal(g->alice.last.notices[SATCHEL_NOTICE_KEPT], 1);
    assert_int_equal(g->fake.n_transfers, 1);
    assert_int_equal(g->fake.repeats, 0);
    assert_int_equal(g->fake.two_plaintexts, 0);
    assert_int_equal(records(g), 0);
    assert_bob_gets_it(g);
}

static void another_command_does_not(void **state)
{
    struct scene *g = *state;

    scene_fill_file(g, CUT_LENGTH);
    break_off(g, (struct cut){SATCHEL__ENVELOPE__BODY_PUT_PIECE, CUT_PIECES / 2, false});
    assert_int_equal(do_send(&g->alice, "carol")->code, SATCHEL_OK);
    assert_int_equal(g->alice.last.kept, 0);
    assert_int_equal(g->fake.n_transfers, 2);
    assert_int_equal(records(g), 1); /* bob's is still there */
    assert_int_equal(do_send(&g->alice, "bob")->code, SATCHEL_OK);
    assert_int_equal(g->alice.last.kept, CUT_PIECES / 2);
    assert_int_equal(records(g), 0);
}

/* Another content never meets the key and nonces of pieces that have left. */
static void a_changed_file_begins_anew(void **state)
{
    struct scene *g = *state;

    scene_fill_file(g, CUT_LENGTH);
    g->fake.lose_from = CUT_PIECES / 2;
    break_off(g, (struct cut){SATCHEL__ENVELOPE__BODY_PUT_PIECE, CUT_PIECES - 2, false});
    g->fake.lose_from = 0;
    change_file(g, (off_t)(CUT_PIECES / 2) * 262144 + 99);
    assert_int_equal(do_send(&g->alice, "bob")->code, SATCHEL_OK);
    assert_int_equal(g->alice.last.kept, 0);
    assert_int_equal(g->alice.last.sent, CUT_PIECES);
    assert_int_equal(g->alice.last.notices[SATCHEL_NOTICE_KEPT], 1);
    assert_int_equal(g->fake.n_transfers, 2);
    assert_true(g->fake.transfers[0].abandoned);
    assert_int_equal(g->fake.two_plaintexts, 0);
    /* Nor do the two transfers share a piece. */
    for (uint32_t i = 0; i < CUT_PIECES - 2; i++)
        assert_memory_not_equal(&g->fake.transfers[0].seen[i], &g->fake.transfers[1].seen[i], 32);
    assert_bob_gets_it(g);
}

/* The transfer was sealed; only the answer was lost. */
static void a_lost_answer_ends_as_done(void **state)
{
    struct scene *g = *state;
    struct cut c = {SATCHEL__ENVELOPE__BODY_SEAL_REPLY, 0, false};

    scene_fill_file(g, CUT_LENGTH);
    handle_retry(&g->alice, 0);
    g->fake.spoil = cut_answer;
    g->fake.cookie = &c;
    assert_int_equal(do_send(&g->alice, "bob")->code, SATCHEL_E_CLOSED);
    honest(g);
    assert_true(g->fake.transfers[0].sealed);
    handle_again(&g->alice);
    assert_int_equal(do_send(&g->alice, "bob")->code, SATCHEL_OK);
    assert_int_equal(g->fake.n_transfers, 1);
    assert_int_equal(g->fake.puts, CUT_PIECES);
    assert_int_equal(g->alice.last.sent, 0);
    assert_int_equal(records(g), 0);
    assert_bob_gets_it(g);
    /* From now on the same command is another transfer. */
    assert_int_equal(do_send(&g->alice, "bob")->code, SATCHEL_OK);
    assert_int_equal(g->fake.n_transfers, 2);
}

/* As cut_answer(), and its body is gone. */
static bool cut_when_over(struct fake *f, Satchel__Envelope *r, struct buf *tail)
{
    if (cut_answer(f, r, tail))
        return true;
    for (size_t i = 0; i < FAKE_PIECES; i++)
        buf_free(&f->transfers[f->n_transfers - 1].pieces[i]);
    return false;
}

/* Nobody can open it any more when the sender asks again, but it did arrive. */
static void a_lost_answer_of_one_that_is_over(void **state)
{
    struct scene *g = *state;

    handle_retry(&g->alice, CUT_RETRY);
    scene_fill_file(g, CUT_LENGTH);
    for (size_t i = 0; i < 2; i++) {
        struct cut c = {SATCHEL__ENVELOPE__BODY_SEAL_REPLY, 0, false};
        unsigned before = g->fake.puts;

        g->fake.spoil = cut_when_over;
        g->fake.cookie = &c;
        assert_int_equal(do_send(&g->alice, "bob")->code, SATCHEL_OK);
        honest(g);
        assert_true(c.done);
        assert_int_equal(g->fake.n_transfers, i + 1);
        assert_int_equal(g->fake.puts - before, i == 0 ? CUT_PIECES : 1);
        assert_int_equal(records(g), 0);
        assert_int_equal(truncate(g->file, SMALL), 0);
    }
}

/* The last pieces and the seal were on their way together, and none of them arrived. */
static void a_seal_without_its_pieces_goes_on(void **state)
{
    struct scene *g = *state;

    scene_fill_file(g, CUT_LENGTH);
    g->fake.lose_from = CUT_PIECES - 3;
    break_off(g, (struct cut){SATCHEL__ENVELOPE__BODY_SEAL_TRANSFER, 0, false});
    g->fake.lose_from = 0;
    assert_int_equal(do_send(&g->alice, "bob")->code, SATCHEL_OK);
    assert_int_equal(g->alice.last.kept, CUT_PIECES - 3);
    assert_int_equal(g->alice.last.sent, 3);
    assert_int_equal(g->fake.n_transfers, 1);
    assert_int_equal(g->fake.repeats, 0);
    assert_int_equal(g->fake.two_plaintexts, 0);
    assert_bob_gets_it(g);
}

/* The server forgot the upload: its keys are not used under another ID. */
static void an_upload_that_is_gone_begins_anew(void **state)
{
    struct scene *g = *state;

    scene_fill_file(g, CUT_LENGTH);
    break_off(g, (struct cut){SATCHEL__ENVELOPE__BODY_PUT_PIECE, CUT_PIECES / 2, false});
    g->fake.transfers[0].abandoned = true;
    assert_int_equal(do_send(&g->alice, "bob")->code, SATCHEL_OK);
    assert_int_equal(g->alice.last.kept, 0);
    for (uint32_t i = 0; i < CUT_PIECES / 2; i++)
        assert_memory_not_equal(&g->fake.transfers[0].seen[i],
                                &g->fake.transfers[g->fake.n_transfers - 1].seen[i], 32);
    assert_bob_gets_it(g);
}

static void a_damaged_record_begins_anew(void **state)
{
    struct scene *g = *state;
    char pattern[160];
    glob_t found;
    int fd;

    scene_fill_file(g, CUT_LENGTH);
    break_off(g, (struct cut){SATCHEL__ENVELOPE__BODY_PUT_PIECE, CUT_PIECES / 2, false});
    snprintf(pattern, sizeof(pattern), "%s/profiles/default/records/upload-*", g->alice.home);
    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    fd = open(found.gl_pathv[0], O_WRONLY);
    assert_int_equal(pwrite(fd, "?", 1, 100), 1); /* in the first entry, which is not the last */
    close(fd);
    globfree(&found);
    assert_int_equal(do_send(&g->alice, "bob")->code, SATCHEL_OK);
    assert_int_equal(g->alice.last.kept, 0);
    assert_int_equal(g->fake.two_plaintexts, 0);
    assert_bob_gets_it(g);
}

/* ---- given up ------------------------------------------------------------------------------ */

static struct ending *give_up(struct scene *g, const char *to)
{
    struct satchel_send_options o = {.path = g->file,
                                     .to = &to,
                                     .to_count = 1,
                                     .message = "a word with it", /* as do_send() */
                                     .abandon = true,
                                     .cookie = &g->alice,
                                     .done = scene_on_sent};

    memset(&g->alice.last, 0, sizeof(g->alice.last));
    assert_int_equal(satchel_send_start(g->alice.s, &o, NULL, NULL), SATCHEL_OK);
    return wait_for(&g->alice);
}

/* Before the transfer is sealed, with ${length} LARGE; with fewer pieces it may be already. */
static void break_off_early(struct scene *g, size_t length)
{
    scene_fill_file(g, length);
    break_off(g, (struct cut){SATCHEL__ENVELOPE__BODY_PUT_PIECE, CUT_PIECES / 2, false});
    assert_int_equal(records(g), 1);
}

static void what_was_interrupted_is_given_up(void **state)
{
    struct scene *g = *state;
    char id[SATCHEL_ID_SIZE];

    break_off_early(g, CUT_LENGTH);
    assert_int_equal(unlink(g->file), 0); /* it is not needed for that */
    assert_int_equal(give_up(g, "bob")->code, SATCHEL_OK);
    ids_tid_to_text(&g->fake.transfers[0].tid, id);
    assert_string_equal(g->alice.last.id, id);
    assert_true(g->fake.transfers[0].abandoned);
    assert_int_equal(records(g), 0);
    scene_fill_file(g, CUT_LENGTH);
    assert_int_equal(do_send(&g->alice, "bob")->code, SATCHEL_OK);
    assert_int_equal(g->alice.last.kept, 0);
    assert_bob_gets_it(g);
}

static void only_what_there_is_is_given_up(void **state)
{
    struct scene *g = *state;

    break_off_early(g, LARGE);
    assert_int_equal(give_up(g, "carol")->code, SATCHEL_E_NOTFOUND);
    assert_string_not_equal(g->alice.last.hint, "");
    assert_false(g->fake.transfers[0].abandoned);
    assert_int_equal(records(g), 1);
    /* The server has forgotten it: what is left here goes. */
    g->fake.transfers[0].abandoned = true;
    assert_int_equal(give_up(g, "bob")->code, SATCHEL_OK);
    assert_int_equal(records(g), 0);
    assert_int_equal(give_up(g, "bob")->code, SATCHEL_E_NOTFOUND);
    assert_int_equal(records(g), 0);
}

/* Whoever sends it holds its record. */
static void what_is_being_sent_is_not_given_up(void **state)
{
    struct scene *g = *state;
    char pattern[160];
    glob_t found;
    int fd;

    break_off_early(g, CUT_LENGTH);
    snprintf(pattern, sizeof(pattern), "%s/profiles/default/records/upload-*", g->alice.home);
    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    fd = open(found.gl_pathv[0], O_RDWR);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    assert_int_equal(give_up(g, "bob")->code, SATCHEL_E_LOCKED);
    assert_string_not_equal(g->alice.last.hint, "");
    close(fd);
    globfree(&found);
    assert_false(g->fake.transfers[0].abandoned);
    assert_int_equal(records(g), 1);
}

/* Only the last answer was lost: to take it back is a matter for revoke. */
static void what_has_arrived_is_not_given_up(void **state)
{
    struct scene *g = *state;
    struct cut c = {SATCHEL__ENVELOPE__BODY_SEAL_REPLY, 0, false};
    char id[SATCHEL_ID_SIZE];

    scene_fill_file(g, CUT_LENGTH);
    handle_retry(&g->alice, 0);
    g->fake.spoil = cut_answer;
    g->fake.cookie = &c;
    assert_int_equal(do_send(&g->alice, "bob")->code, SATCHEL_E_CLOSED);
    honest(g);
    handle_again(&g->alice);
    assert_int_equal(give_up(g, "bob")->code, SATCHEL_E_BADSTATE);
    ids_tid_to_text(&g->fake.transfers[0].tid, id);
    assert_non_null(strstr(g->alice.last.hint, id));
    assert_int_equal(records(g), 0);
    assert_bob_gets_it(g);
}

/* ---- small ones --------------------------------------------------------------------------- */

static void small_files_leave_no_record(void **state)
{
    struct scene *g = *state;

    break_off(g, (struct cut){SATCHEL__ENVELOPE__BODY_SEAL_TRANSFER, 0, false});
    assert_int_equal(records(g), 0);
    assert_int_equal(do_send(&g->alice, "bob")->code, SATCHEL_OK);
    assert_int_equal(g->alice.last.kept, 0);
    assert_bob_gets_it(g);
}

enum { HOLDS = 64 }; /* more than there are worker threads */

/* All workers rest until the gate is opened. */
struct hold {
    uv_work_t work[HOLDS];
    uv_sem_t gate;
    unsigned left;
    bool begun;
};

static void rest(uv_work_t *work)
{
    struct hold *h = work->data;

    uv_sem_wait(&h->gate);
    uv_sem_post(&h->gate); /* the next one, too */
}

static void rested(uv_work_t *work, int status)
{
    assert_int_equal(status, 0);
    ((struct hold *)work->data)->left--;
}

/* The only piece is about to be given to a worker, who makes the seal as well: cut while he does.
 */
static void hold_and_cut(void *cookie, const struct satchel_progress *p)
{
    struct actor_handle *a = cookie;
    struct hold *h = a->scene->fake.cookie;

    if (p->phase != SATCHEL_PHASE_TRANSFER || h->begun)
        return;
    h->begun = true;
    for (; h->left < HOLDS; h->left++) {
        h->work[h->left].data = h;
        assert_int_equal(uv_queue_work(&a->scene->loop, &h->work[h->left], rest, rested), 0);
    }
    fake_drop(&a->scene->fake);
}

/* The piece and its seal are made while there is no connection: they arrive once. */
static void cut_while_the_seal_is_made(void **state)
{
    struct scene *g = *state;
    const unsigned *asked = g->fake.requests;
    struct hold h = {0};

    assert_int_equal(truncate(g->file, SMALL), 0);
    assert_int_equal(uv_sem_init(&h.gate, 0), 0);
    handle_retry(&g->alice, CUT_RETRY);
    g->fake.cookie = &h;
    begin_send(&g->alice, "bob", hold_and_cut);
    while (!h.begun)
        uv_run(&g->loop, UV_RUN_ONCE);
    for (int i = 0; i < 20; i++) /* the end of the connection is seen, too */
        uv_run(&g->loop, UV_RUN_NOWAIT);
    assert_int_equal(g->fake.puts, 0);
    uv_sem_post(&h.gate);
    assert_int_equal(wait_for(&g->alice)->code, SATCHEL_OK);
    while (h.left > 0)
        uv_run(&g->loop, UV_RUN_ONCE);
    uv_sem_destroy(&h.gate);
    assert_int_equal(g->alice.last.notices[SATCHEL_NOTICE_RETRY], 1);
    assert_int_equal(asked[SATCHEL__ENVELOPE__BODY_OPEN_TRANSFER], 1);
    assert_int_equal(asked[SATCHEL__ENVELOPE__BODY_UPLOAD_STATE], 1);
    assert_int_equal(asked[SATCHEL__ENVELOPE__BODY_SEAL_TRANSFER], 1);
    assert_int_equal(g->fake.n_transfers, 1);
    assert_int_equal(g->fake.puts, 1);
    assert_int_equal(g->fake.two_plaintexts, 0);
    assert_bob_gets_it(g);
}

/* As cut_request(), and the server forgets what it had opened. */
static bool forget_upload(struct fake *f, const Satchel__Envelope *e)
{
    size_t n = f->n_transfers;

    if (cut_request(f, e))
        return true;
    f->transfers[n - 1].abandoned = true;
    return false;
}

static bool forget_opening(struct fake *f, Satchel__Envelope *r, struct buf *tail)
{
    size_t n = f->n_transfers;

    if (cut_answer(f, r, tail))
        return true;
    f->transfers[n - 1].abandoned = true;
    return false;
}

/* What held nothing yet may be gone with a server that stopped: it is begun again, by itself. */
static void a_forgotten_upload_begins_anew(void **state)
{
    static const struct cut rows[] = {{SATCHEL__ENVELOPE__BODY_SEAL_TRANSFER, 0, false},
                                      {SATCHEL__ENVELOPE__BODY_PUT_PIECE, 0, false},
                                      {SATCHEL__ENVELOPE__BODY_OPEN_TRANSFER_REPLY, 0, false}};
    struct scene *g = *state;

    handle_retry(&g->alice, CUT_RETRY);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cut c = rows[i];

        g->fake.cookie = &c;
        if (i < 2)
            g->fake.listen = forget_upload;
        else
            g->fake.spoil = forget_opening;
        assert_int_equal(do_send(&g->alice, "bob")->code, SATCHEL_OK);
        honest(g);
        assert_true(c.done);
        assert_int_equal(g->fake.n_transfers, 2 * (i + 1));
        assert_true(g->fake.transfers[2 * i + 1].sealed);
        assert_int_equal(g->fake.two_plaintexts, 0);
    }
}

/* The upload is gone when its piece comes, though nobody hung up. */
static bool lose_upload(struct fake *f, const Satchel__Envelope *e)
{
    struct cut *c = f->cookie;

    if (e->body_case == SATCHEL__ENVELOPE__BODY_PUT_PIECE && !c->done) {
        c->done = true;
        f->transfers[f->n_transfers - 1].abandoned = true;
    }
    return true;
}

static void an_upload_lost_by_a_server_that_stands(void **state)
{
    struct scene *g = *state;
    struct cut c = {0};

    g->fake.cookie = &c;
    g->fake.listen = lose_upload;
    handle_retry(&g->alice, CUT_RETRY);
    assert_int_equal(do_send(&g->alice, "bob")->code, SATCHEL_OK);
    honest(g);
    assert_true(c.done);
    assert_int_equal(g->fake.n_transfers, 2);
    assert_true(g->fake.transfers[1].sealed);
    assert_int_equal(g->fake.two_plaintexts, 0);
}

/* No memory for a piece.  Whoever waited for it would be called at once, and again. */
static bool no_memory;

void *__real_aligned_alloc(size_t align, size_t len);
void *__wrap_aligned_alloc(size_t align, size_t len);
void *__wrap_aligned_alloc(size_t align, size_t len)
{
    return no_memory ? NULL : __real_aligned_alloc(align, len);
}

static void without_memory_it_ends(void **state)
{
    struct scene *g = *state;

    scene_fill_file(g, CUT_LENGTH);
    no_memory = true;
    assert_int_equal(do_send(&g->alice, "bob")->code, SATCHEL_E_NOMEM);
    no_memory = false;
    assert_int_equal(records(g), 1);
    handle_again(&g->alice);
    assert_int_equal(do_send(&g->alice, "bob")->code, SATCHEL_OK);
    assert_int_equal(records(g), 0);
    assert_bob_gets_it(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_answer_may_be_cut),
        TEST(a_busy_server_is_asked_again),
        TEST(a_change_meanwhile_never_leaves),
        TEST(the_same_command_goes_on),
        TEST(another_command_does_not),
        TEST(a_changed_file_begins_anew),
        TEST(a_lost_answer_ends_as_done),
        TEST(a_seal_without_its_pieces_goes_on),
        TEST(an_upload_that_is_gone_begins_anew),
        TEST(a_damaged_record_begins_anew),
        TEST(what_was_interrupted_is_given_up),
        TEST(only_what_there_is_is_given_up),
        TEST(what_is_being_sent_is_not_given_up),
        TEST(what_has_arrived_is_not_given_up),
        TEST(small_files_leave_no_record),
        TEST(a_forgotten_upload_begins_anew),
        TEST(an_upload_lost_by_a_server_that_stands),
        TEST(cut_while_the_seal_is_made),
        TEST(a_lost_answer_of_one_that_is_over),
        TEST(without_memory_it_ends),
    };
    int failed = cmocka_run_group_tests_name("resume_send", tests, NULL, NULL);

    uv_library_shutdown();
    return failed;
}
