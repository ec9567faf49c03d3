/* SPDX-License-Identifier: Apache-2.0 */
/* A get that is cut, by the network or by its caller, and what becomes of the partial file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/core/rate.h"
#include "client/local/output.h"
#include "common/fs.h"
#include "tests/client/cut.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

static char *part_of(struct scene *g)
{
    return fs_join(g->out, ".file.satchel-part");
}

static bool part_is_there(struct scene *g)
{
    char *part = part_of(g);
    bool there = access(part, F_OK) == 0;

    free(part);
    return there;
}

/* A get that asks for one piece after the other, ${pieces} a second. */
static void begin_slow_get(struct scene *g, unsigned pieces)
{
    begin_get_as(&g->bob, (struct satchel_get_options){.folder = g->out,
                                                       .limit_rate = (uint64_t)pieces * 262400});
}

/* ---- within a command ---------------------------------------------------------------- */

static void every_answer_may_be_cut(void **state)
{
    static const struct cut rows[] = {
        {SATCHEL__ENVELOPE__BODY_TRANSFER_REPLY, 0, false},
        {SATCHEL__ENVELOPE__BODY_RELEASE_REPLY, 0, false},
        {SATCHEL__ENVELOPE__BODY_LEAVES_REPLY, 0, false},
        {SATCHEL__ENVELOPE__BODY_PIECE, 0, false},
        {SATCHEL__ENVELOPE__BODY_PIECE, CUT_PIECES / 2, false},
        {SATCHEL__ENVELOPE__BODY_PIECE, CUT_PIECES - 1, false},
    };
    struct scene *g = *state;

    scene_fill_file(g, CUT_LENGTH);
    send_to_bob(g);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cut c = rows[i];

        handle_retry(&g->bob, CUT_RETRY);
        g->fake.spoil = cut_answer;
        g->fake.cookie = &c;
        assert_int_equal(do_get(&g->bob, NULL)->code, SATCHEL_OK);
        honest(g);
        assert_true(c.done);
        assert_int_equal(g->bob.last.notices[SATCHEL_NOTICE_RETRY], 1);
        assert_output(g);
    }
}

/* The one behind the pieces, and the one to the receipt, when the file is in its place. */
static void the_last_answers_may_be_cut(void **state)
{
    struct scene *g = *state;

    scene_fill_file(g, 5000);
    send_to_bob(g);
    for (unsigned after = 0; after < 2; after++) {
        struct cut c = {SATCHEL__ENVELOPE__BODY_DONE, after, false};

        handle_retry(&g->bob, CUT_RETRY);
        g->fake.spoil = cut_answer;
        g->fake.cookie = &c;
        assert_int_equal(do_get(&g->bob, NULL)->code, SATCHEL_OK);
        honest(g);
        assert_true(c.done);
        assert_int_equal(g->bob.last.notices[SATCHEL_NOTICE_RETRY], 1);
        assert_output(g);
    }
}

/* It is cut as above, and all connections behind it as well. */
static bool cut_for_good(struct fake *f, Satchel__Envelope *r, struct buf *tail)
{
    struct cut *c = f->cookie;

    if (!c->done)
        return cut_answer(f, r, tail);
    fake_drop(f);
    return false;
}

static void a_file_in_its_place_is_no_failure(void **state)
{
    struct scene *g = *state;
    struct cut c = {SATCHEL__ENVELOPE__BODY_DONE, 1, false};

    scene_fill_file(g, 5000);
    send_to_bob(g);
    handle_retry(&g->bob, 1000);
    g->fake.spoil = cut_for_good;
    g->fake.cookie = &c;
    assert_int_equal(do_get(&g->bob, NULL)->code, SATCHEL_OK);
    honest(g);
    assert_true(c.done);
    assert_true(g->bob.last.notices[SATCHEL_NOTICE_RETRY] > 0);
    assert_output(g);
}

static void a_descriptor_goes_on_too(void **state)
{
    struct scene *g = *state;
    struct cut c = {SATCHEL__ENVELOPE__BODY_PIECE, 9, false};
    char *path = fs_join(g->out, "file");
    struct satchel_get_options o = {.fd = open(path, O_WRONLY | O_CREAT, 0600)};

    scene_fill_file(g, CUT_LENGTH);
    send_to_bob(g);
    handle_retry(&g->bob, CUT_RETRY);
    g->fake.spoil = cut_answer;
    g->fake.cookie = &c;
    begin_get_as(&g->bob, o);
    assert_int_equal(wait_for(&g->bob)->code, SATCHEL_OK);
    honest(g);
    close(o.fd);
    free(path);
    assert_output(g);
}

/* Busy is a passing state of a server that is there. */
static bool say_busy(struct fake *f, Satchel__Envelope *r, struct buf *tail)
{
    (void)tail;
    if (!cut_is_now(f->cookie, r->body_case))
        return true;
    fake_error(r, SATCHEL__CODE__BUSY, "one moment");
    r->error->retry_after = 20;
    return true;
}

static void busy_is_waited_for(void **state)
{
    struct scene *g = *state;
    struct cut c = {.kind = SATCHEL__ENVELOPE__BODY_LEAVES_REPLY};

    scene_fill_file(g, CUT_LENGTH);
    send_to_bob(g);
    handle_retry(&g->bob, CUT_RETRY);
    g->fake.spoil = say_busy;
    g->fake.cookie = &c;
    assert_int_equal(do_get(&g->bob, NULL)->code, SATCHEL_OK);
    honest(g);
    assert_true(c.done);
    assert_output(g);
}

/* As cut_answer(), but the server has it no more. */
static bool say_gone(struct fake *f, Satchel__Envelope *r, struct buf *tail)
{
    struct cut *c = f->cookie;

    if (r->body_case != c->kind)
        return true;
    buf_reset(tail);
    fake_clear(r);
    fake_error(r, SATCHEL__CODE__NOT_FOUND, "");
    c->done = true;
    return true;
}

/* What became of it is asked once; a server that shows it and does not give it is told of. */
static void what_is_gone_is_looked_at_again(void **state)
{
    static const Satchel__Envelope__BodyCase kinds[] = {SATCHEL__ENVELOPE__BODY_LEAVES_REPLY,
                                                        SATCHEL__ENVELOPE__BODY_PIECE};
    struct scene *g = *state;

    scene_fill_file(g, CUT_LENGTH);
    send_to_bob(g);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct cut c = {.kind = kinds[i]};

        handle_retry(&g->bob, CUT_RETRY);
        g->fake.spoil = say_gone;
        g->fake.cookie = &c;
        assert_int_equal(do_get(&g->bob, NULL)->code, SATCHEL_E_NOTFOUND);
        honest(g);
        assert_true(c.done);
        assert_non_null(strstr(g->bob.last.message, "does not have all of it any more"));
        assert_int_equal(g->bob.last.notices[SATCHEL_NOTICE_RETRY], 0);
        assert_no_output(g);
    }
}

/* ---- the same command again -------------------------------------------------------------- */

/* End a get, of which some pieces have come, with the connection; what there is of it stays. */
static void break_off(struct scene *g)
{
    struct cut c = {SATCHEL__ENVELOPE__BODY_PIECE, CUT_PIECES / 2, false};

    handle_retry(&g->bob, 0);
    g->fake.spoil = cut_answer;
    g->fake.cookie = &c;
    begin_slow_get(g, 20);
    assert_int_equal(wait_for(&g->bob)->code, SATCHEL_E_CLOSED);
    honest(g);
    handle_again(&g->bob);
}

static struct ending *get_with_progress(struct scene *g)
{
    char id[SATCHEL_ID_SIZE];
    struct satchel_get_options o = {.id = id,
                                    .folder = g->out,
                                    .cookie = &g->bob,
                                    .on_progress = cut_on_progress,
                                    .done = scene_on_got};

    ids_tid_to_text(&g->fake.transfers[g->fake.n_transfers - 1].tid, id);
    cut_moves_from = UINT64_MAX;
    memset(&g->bob.last, 0, sizeof(g->bob.last));
    assert_int_equal(satchel_get_start(g->bob.s, &o, NULL, NULL), SATCHEL_OK);
    return wait_for(&g->bob);
}

static void the_same_command_goes_on(void **state)
{
    struct scene *g = *state;

    scene_fill_file(g, CUT_LENGTH);
    send_to_bob(g);
    break_off(g);
    assert_true(part_is_there(g));
    assert_int_equal(get_with_progress(g)->code, SATCHEL_OK);
    assert_int_equal(cut_moves_from, g->bob.last.kept * 262144); /* not from nothing */
    assert_int_equal(g->bob.last.got + g->bob.last.kept, CUT_PIECES);
    assert_true(g->bob.last.kept > 0);
    assert_int_equal(g->bob.last.notices[SATCHEL_NOTICE_KEPT], 1);
    assert_output(g);
}

static void ctrl_c_leaves_something(void **state)
{
    struct scene *g = *state;
    struct cut c = {SATCHEL__ENVELOPE__BODY_PIECE, CUT_PIECES / 2, false};

    scene_fill_file(g, CUT_LENGTH);
    send_to_bob(g);
    handle_retry(&g->bob, CUT_RETRY);
    g->fake.spoil = cut_answer;
    g->fake.cookie = &c;
    begin_slow_get(g, 20);
    while (g->bob.last.notices[SATCHEL_NOTICE_RETRY] == 0)
        uv_run(&g->loop, UV_RUN_ONCE);
    honest(g);
    handle_close(&g->bob); /* cancels while it waits for the next try */
    assert_int_equal(g->bob.last.code, SATCHEL_E_CANCELED);
    assert_true(part_is_there(g));
    handle_open(g, &g->bob, "bob", true);
    assert_int_equal(do_get(&g->bob, NULL)->code, SATCHEL_OK);
    assert_true(g->bob.last.kept > 0);
    assert_output(g);
}

/* Bytes that somebody changed meanwhile are not trusted, but asked for again. */
static void kept_bytes_are_checked(void **state)
{
    struct scene *g = *state;
    char *part = part_of(g);
    int fd;

    scene_fill_file(g, CUT_LENGTH);
    send_to_bob(g);
    break_off(g);
    fd = open(part, O_RDWR);
    assert_true(fd >= 0);
    for (off_t at = 5; at < CUT_LENGTH; at += 262144)
        assert_int_equal(pwrite(fd, "!!!!!!!!!", 9, at), 9);
    close(fd);
    assert_int_equal(do_get(&g->bob, NULL)->code, SATCHEL_OK);
    assert_int_equal(g->bob.last.kept, 0);
    assert_output(g);
    free(part);
}

/* The partial file of another transfer of the same name is nothing to go on with. */
static void another_transfer_is_not_mistaken(void **state)
{
    struct scene *g = *state;

    scene_fill_file(g, CUT_LENGTH);
    send_to_bob(g);
    break_off(g);
    send_to_bob(g); /* the same file, as another transfer */
    assert_int_equal(do_get(&g->bob, NULL)->code, SATCHEL_OK);
    assert_int_equal(g->bob.last.kept, 0);
    assert_int_equal(g->bob.last.notices[SATCHEL_NOTICE_KEPT], 1); /* that nothing is */
    assert_non_null(strstr(g->bob.last.notice, "another transfer of that name"));
    assert_output(g);
}

/* Nor is a file that nobody remembers; one that is too long is cut. */
static void a_stray_file_is_not_mistaken(void **state)
{
    struct scene *g = *state;
    char *part = part_of(g);

    scene_fill_file(g, CUT_LENGTH);
    send_to_bob(g);
    assert_int_equal(fs_create(part, "x", 1, 0600, NULL), ERR_OK);
    assert_int_equal(truncate(part, CUT_LENGTH + 100000), 0);
    assert_int_equal(do_get(&g->bob, NULL)->code, SATCHEL_OK);
    assert_int_equal(g->bob.last.kept, 0);
    assert_output(g);
    break_off(g);
    assert_int_equal(truncate(part, CUT_LENGTH + 100000), 0);
    assert_int_equal(do_get(&g->bob, NULL)->code, SATCHEL_OK);
    assert_output(g);
    free(part);
}

static bool flip_piece(struct fake *f, Satchel__Envelope *r, struct buf *tail)
{
    (void)f;
    if (r->body_case == SATCHEL__ENVELOPE__BODY_PIECE && r->piece->index == CUT_PIECES - 1)
        tail->data[7] ^= 1;
    return true;
}

/* What fails a check leaves nothing, not even what was right before. */
static void a_failed_check_leaves_nothing(void **state)
{
    struct scene *g = *state;

    scene_fill_file(g, CUT_LENGTH);
    send_to_bob(g);
    break_off(g);
    g->fake.spoil = flip_piece;
    assert_int_equal(do_get(&g->bob, NULL)->code, SATCHEL_E_INTEGRITY);
    honest(g);
    assert_no_output(g);
    g->fake.transfers[0].state = SATCHEL__SLOT_STATE__SLOT_REVOKED;
    assert_int_not_equal(do_get(&g->bob, NULL)->code, SATCHEL_OK);
    assert_no_output(g);
}

/* A server that is gone for good is not waited for for ever. */
static void patience_ends(void **state)
{
    struct scene *g = *state;
    struct cut c = {SATCHEL__ENVELOPE__BODY_PIECE, 3, false};

    scene_fill_file(g, CUT_LENGTH);
    send_to_bob(g);
    handle_retry(&g->bob, 1000);
    g->fake.spoil = cut_answer;
    g->fake.cookie = &c;
    begin_get(&g->bob);
    while (!c.done)
        uv_run(&g->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&g->fake.listener, NULL);
    assert_int_equal(wait_for(&g->bob)->code, SATCHEL_E_CONNECT);
    assert_true(g->bob.last.notices[SATCHEL_NOTICE_RETRY] >= 1);
    honest(g);
    /* For the teardown. */
    assert_int_equal(uv_tcp_init(&g->loop, &g->fake.listener), 0);
}

static void a_limit_is_kept(void **state)
{
    struct scene *g = *state;
    uint64_t begun;

    scene_fill_file(g, CUT_LENGTH);
    send_to_bob(g);
    begun = uv_hrtime();
    begin_slow_get(g, 4);
    assert_int_equal(wait_for(&g->bob)->code, SATCHEL_OK);
    /* 19 pieces behind the first, four a second, but for what may come at once. */
    assert_true(uv_hrtime() - begun > (uint64_t)4000 * 1000000);
    assert_output(g);
}

/* A busy machine: the rate's alarm comes when all is asked for, and the disk is slow. */
static struct {
    bool busy;
    _Atomic unsigned commits;
} machine;

enum { ALARM_MS = 300, COMMIT_MS = 600 };

bool __real_rate_take(struct rate *r, struct alarms *alarms, uv_loop_t *loop, uint64_t n);
bool __wrap_rate_take(struct rate *r, struct alarms *alarms, uv_loop_t *loop, uint64_t n);
bool __wrap_rate_take(struct rate *r, struct alarms *alarms, uv_loop_t *loop, uint64_t n)
{
    if (!machine.busy)
        return __real_rate_take(r, alarms, loop, n);
    alarm_set(alarms, &r->alarm, ALARM_MS);
    return true;
}

int __real_output_commit(struct output *o, struct err *err);
int __wrap_output_commit(struct output *o, struct err *err);
int __wrap_output_commit(struct output *o, struct err *err)
{
    if (machine.busy) {
        machine.commits++;
        uv_sleep(COMMIT_MS);
    }
    return __real_output_commit(o, err);
}

/* Otherwise the second would find the name of the first, and call the get a failure. */
static void there_is_one_commit(void **state)
{
    struct scene *g = *state;

    scene_fill_file(g, 5000);
    send_to_bob(g);
    machine.busy = true;
    begin_slow_get(g, 20);
    assert_int_equal(wait_for(&g->bob)->code, SATCHEL_OK);
    machine.busy = false;
    assert_int_equal(machine.commits, 1);
    assert_output(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_answer_may_be_cut),
        TEST(the_last_answers_may_be_cut),
        TEST(a_file_in_its_place_is_no_failure),
        TEST(a_descriptor_goes_on_too),
        TEST(busy_is_waited_for),
        TEST(what_is_gone_is_looked_at_again),
        TEST(the_same_command_goes_on),
        TEST(ctrl_c_leaves_something),
        TEST(kept_bytes_are_checked),
        TEST(another_transfer_is_not_mistaken),
        TEST(a_stray_file_is_not_mistaken),
        TEST(a_failed_check_leaves_nothing),
        TEST(patience_ends),
        TEST(a_limit_is_kept),
        TEST(there_is_one_commit),
    };
    int failed = cmocka_run_group_tests_name("resume_get", tests, NULL, NULL);

    uv_library_shutdown();
    return failed;
}
