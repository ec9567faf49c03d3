/* SPDX-License-Identifier: Apache-2.0 */
/* Large files, many operations at once, outputs of every kind, progress. */
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

#include "client/core/pool.h"
#include "common/fs.h"
#include "tests/client/scene.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

enum { LARGE = 15 * 1024 * 1024 + 77 /* bytes: more pieces than a handle holds at a time */ };

static void make_large(struct scene *g)
{
    uint8_t *bytes = malloc(LARGE);

    for (size_t i = 0; i < LARGE; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 4099);
    assert_int_equal(fs_replace(g->file, bytes, LARGE, 0600, NULL), ERR_OK);
    free(bytes);
}

static void assert_same(const char *one, const char *other)
{
    struct buf a = {0}, b = {0};

    assert_int_equal(fs_read(one, 2 * LARGE, &a, NULL), ERR_OK);
    assert_int_equal(fs_read(other, 2 * LARGE, &b, NULL), ERR_OK);
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.data, b.data, a.len);
    buf_free(&a);
    buf_free(&b);
}

/* ---- outputs ------------------------------------------------------------------------- */

/* What the options say of the output; the rest is filled in. */
static struct satchel_op *get_to(struct actor_handle *h, struct satchel_get_options o)
{
    char id[SATCHEL_ID_SIZE];
    struct fake *f = &h->scene->fake;
    struct satchel_op *op = NULL;

    ids_tid_to_text(&f->transfers[f->n_transfers - 1].tid, id);
    id[6] = '\0'; /* the beginning is enough */
    o.id = id;
    o.cookie = h;
    o.done = scene_on_got;
    h->last = (struct ending){0};
    assert_int_equal(satchel_get_start(h->s, &o, &op, NULL), SATCHEL_OK);
    return op;
}

static void large_files(void **state)
{
    struct scene *g = *state;
    char path[100];

    make_large(g);
    send_to_bob(g);
    assert_true(g->fake.puts > POOL_PIECES);
    get_to(&g->bob, (struct satchel_get_options){.folder = g->out});
    assert_int_equal(wait_for(&g->bob)->code, SATCHEL_OK);
    snprintf(path, sizeof(path), "%s/file", g->out);
    assert_string_equal(g->bob.last.path, path);
    assert_same(g->file, path);
    /* The same name again costs no open and touches nothing. */
    g->fake.requests[SATCHEL__ENVELOPE__BODY_RELEASE] = 0;
    get_to(&g->bob, (struct satchel_get_options){.folder = g->out});
    assert_int_equal(wait_for(&g->bob)->code, SATCHEL_E_EXISTS);
    assert_int_equal(g->fake.requests[SATCHEL__ENVELOPE__BODY_RELEASE], 0);
    get_to(&g->bob, (struct satchel_get_options){.file = path, .force = true});
    assert_int_equal(wait_for(&g->bob)->code, SATCHEL_OK);
    assert_same(g->file, path);
    assert_int_equal(unlink(path), 0);
    assert_no_output(g);
}

static void to_a_descriptor(void **state)
{
    struct scene *g = *state;
    char path[100];
    int fd;

    make_large(g);
    send_to_bob(g);
    snprintf(path, sizeof(path), "%s/stream", g->dir);
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    get_to(&g->bob, (struct satchel_get_options){.fd = fd});
    assert_int_equal(wait_for(&g->bob)->code, SATCHEL_OK);
    assert_string_equal(g->bob.last.path, "");
    close(fd);
    assert_same(g->file, path);
}

/* Nobody reads the pipe: the get waits, holds no more than its share, and can be left. */
static void to_a_pipe_that_nobody_reads(void **state)
{
    struct scene *g = *state;
    struct satchel_op *op;
    int ends[2];

    make_large(g);
    send_to_bob(g);
    assert_int_equal(pipe(ends), 0);
    op = get_to(&g->bob, (struct satchel_get_options){.fd = ends[1]});
    while (g->fake.requests[SATCHEL__ENVELOPE__BODY_GET_PIECES] < 2)
        uv_run(&g->loop, UV_RUN_ONCE);
    for (int i = 0; i < 50; i++)
        uv_run(&g->loop, UV_RUN_NOWAIT);
    assert_false(g->bob.last.done);
    satchel_cancel(op);
    assert_int_equal(wait_for(&g->bob)->code, SATCHEL_E_CANCELED);
    assert_true(g->fake.requests[SATCHEL__ENVELOPE__BODY_GET_PIECES] <= POOL_PIECES);
    close(ends[0]);
    /* A pipe without a reader is an error, not the end of the process. */
    get_to(&g->bob, (struct satchel_get_options){.fd = ends[1]});
    assert_int_equal(wait_for(&g->bob)->code, SATCHEL_E_IO);
    close(ends[1]);
}

/* A changed piece behind good ones: what has left has left, but the end is an error. */
static void a_late_fault_on_a_descriptor(void **state)
{
    struct scene *g = *state;
    struct plan p = {.kind = SATCHEL__ENVELOPE__BODY_PIECE, .after = 40, .change = plan_flip};
    char path[100];
    struct buf got = {0}, sent = {0};
    int fd;

    make_large(g);
    send_to_bob(g);
    snprintf(path, sizeof(path), "%s/stream", g->dir);
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    hostile(g, &p);
    get_to(&g->bob, (struct satchel_get_options){.fd = fd});
    assert_int_equal(wait_for(&g->bob)->code, SATCHEL_E_INTEGRITY);
    close(fd);
    assert_int_equal(fs_read(path, LARGE, &got, NULL), ERR_OK);
    assert_int_equal(fs_read(g->file, LARGE, &sent, NULL), ERR_OK);
    /* Nothing of the changed piece, and all that came is right. */
    assert_true(got.len <= (size_t)40 * 262144);
    assert_memory_equal(got.data, sent.data, got.len);
    buf_free(&got);
    buf_free(&sent);
}

static void wrong_outputs(void **state)
{
    struct scene *g = *state;
    struct satchel_get_options o = {
        .id = "00", .folder = "a", .file = "b", .cookie = &g->bob, .done = scene_on_got};
    struct satchel_error err = {0};

    send_to_bob(g);
    assert_int_equal(satchel_get_start(g->bob.s, &o, NULL, &err), SATCHEL_E_INVALID);
    assert_string_equal(err.name, "invalid");
    assert_int_equal(err.exit_code, 2);
    o.folder = NULL;
    o.id = "not hex";
    assert_int_equal(satchel_get_start(g->bob.s, &o, NULL, NULL), SATCHEL_E_INVALID);
    get_to(&g->bob, (struct satchel_get_options){.folder = "/nonexistent/folder"});
    assert_int_equal(wait_for(&g->bob)->code, SATCHEL_E_NOTFOUND);
    assert_int_equal(g->fake.requests[SATCHEL__ENVELOPE__BODY_RELEASE], 0);
    assert_int_equal(do_get(&g->bob, "ffff")->code, SATCHEL_E_NOTFOUND);
}

/* ---- many at once ----------------------------------------------------------------------- */

static unsigned finished;

static void on_one_sent(void *cookie, const struct satchel_error *err, const struct satchel_sent *r)
{
    (void)cookie;
    assert_null(err);
    assert_int_equal(r->recipients, 1);
    finished++;
}

/* An end that has passed, and two ends, of which one would be forgotten. */
static void wrong_ends(void **state)
{
    struct scene *g = *state;
    const char *to = "bob";
    struct satchel_send_options o = {
        .path = g->file, .to = &to, .to_count = 1, .expires = 1, .cookie = g, .done = on_one_sent};
    struct satchel_error err = {0};

    send_to_bob(g);
    assert_int_equal(satchel_send_start(g->alice.s, &o, NULL, &err), SATCHEL_E_INVALID);
    assert_string_equal(err.name, "invalid");
    o.expires = UINT64_MAX;
    o.lifetime = 1000;
    assert_int_equal(satchel_send_start(g->alice.s, &o, NULL, NULL), SATCHEL_E_INVALID);
}

static void on_one_got(void *cookie, const struct satchel_error *err, const struct satchel_got *r)
{
    (void)cookie;
    assert_null(err);
    assert_true(r->verified);
    finished++;
}

static void many_at_once(void **state)
{
    enum { MANY = FAKE_TRANSFERS - 2 };
    struct scene *g = *state;
    const char *to = "bob";
    struct satchel_send_options send = {
        .path = g->file, .to = &to, .to_count = 1, .cookie = g, .done = on_one_sent};

    finished = 0;
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(satchel_send_start(g->alice.s, &send, NULL, NULL), SATCHEL_OK);
    while (finished < MANY)
        uv_run(&g->loop, UV_RUN_ONCE);
    assert_int_equal(g->fake.n_transfers, MANY);
    finished = 0;
    for (unsigned i = 0; i < MANY; i++) {
        char id[SATCHEL_ID_SIZE], path[100];
        struct satchel_get_options get = {.id = id, .file = path, .cookie = g, .done = on_one_got};

        ids_tid_to_text(&g->fake.transfers[i].tid, id);
        snprintf(path, sizeof(path), "%s/%u", g->out, i);
        assert_int_equal(satchel_get_start(g->bob.s, &get, NULL, NULL), SATCHEL_OK);
    }
    while (finished < MANY)
        uv_run(&g->loop, UV_RUN_ONCE);
    for (unsigned i = 0; i < MANY; i++) {
        char path[100];

        snprintf(path, sizeof(path), "%s/%u", g->out, i);
        assert_same(g->file, path);
        assert_int_equal(unlink(path), 0);
    }
    assert_no_output(g);
    assert_int_equal(g->fake.connections, 3); /* of three users */
}

static void on_pong(void *cookie, const struct satchel_error *err, const struct satchel_pong *r)
{
    (void)cookie;
    (void)err;
    (void)r;
    finished++;
}

static void too_many_at_once(void **state)
{
    struct scene *g = *state;
    struct satchel_ping_options o = {.done = on_pong};

    finished = 0;
    for (unsigned i = 0; i < SATCHEL_MAX_OPS; i++)
        assert_int_equal(satchel_ping_start(g->bob.s, &o, NULL, NULL), SATCHEL_OK);
    assert_int_equal(satchel_ping_start(g->bob.s, &o, NULL, NULL), SATCHEL_E_LIMIT);
    while (finished < SATCHEL_MAX_OPS)
        uv_run(&g->loop, UV_RUN_ONCE);
    assert_int_equal(do_ping(&g->bob)->code, SATCHEL_OK);
}

/* A file of one piece: OpenTransfer, then piece and seal in one flight. */
static bool hold_acks(struct fake *f, Satchel__Envelope *r, struct buf *tail)
{
    (void)f;
    (void)tail;
    return r->body_case != SATCHEL__ENVELOPE__BODY_PIECE_ACK;
}

static void small_files_take_one_flight(void **state)
{
    struct scene *g = *state;

    assert_int_equal(truncate(g->file, 100), 0);
    g->fake.spoil = hold_acks; /* the seal does not wait for them */
    send_to_bob(g);
    honest(g);
    assert_int_equal(do_get(&g->bob, NULL)->code, SATCHEL_OK);
    assert_output(g);
    assert_int_equal(truncate(g->file, 0), 0);
    send_to_bob(g);
    assert_int_equal(do_get(&g->bob, NULL)->code, SATCHEL_OK);
    assert_output(g);
}

/* PROTOCOL.md: six bytes of time, in milliseconds, then random ones. */
static bool look_at_key(struct fake *f, const Satchel__Envelope *e)
{
    enum { TIME_LEN = 6, MINUTE = 60000 };
    const Satchel__OpenTransfer *m = e->open_transfer;
    uint8_t be[8] = {0};

    if (e->body_case != SATCHEL__ENVELOPE__BODY_OPEN_TRANSFER)
        return true;
    memcpy(be + sizeof(be) - TIME_LEN, m->upload_key.data, TIME_LEN);
    assert_in_range(get_be64(be), m->created, m->created + MINUTE);
    for (size_t i = 0; i < f->n_transfers; i++)
        assert_memory_not_equal(f->transfers[i].key + TIME_LEN, m->upload_key.data + TIME_LEN,
                                sizeof(f->transfers[i].key) - TIME_LEN);
    return true;
}

static void upload_keys_begin_with_the_time(void **state)
{
    struct scene *g = *state;

    g->fake.listen = look_at_key;
    send_to_bob(g);
    send_to_bob(g);
    assert_int_equal(g->fake.n_transfers, 2);
    honest(g);
}

/* ---- progress ----------------------------------------------------------------------------- */

static struct {
    unsigned calls, finals;
    enum satchel_phase phase;
    uint64_t done;
} heard;

static void on_progress(void *cookie, const struct satchel_progress *p)
{
    (void)cookie;
    assert_true(p->phase >= heard.phase);
    assert_true(p->done <= p->total && p->done >= heard.done);
    assert_string_not_equal(satchel_phase_name(p->phase), "");
    if (p->phase == SATCHEL_PHASE_TRANSFER) {
        assert_int_equal(p->total, LARGE);
        assert_int_equal(strlen(p->id), 32);
    }
    heard.calls++;
    heard.finals += p->phase == SATCHEL_PHASE_TRANSFER && p->done == p->total;
    heard.phase = p->phase;
    heard.done = p->done;
}

static void progress_goes_forward(void **state)
{
    struct scene *g = *state;

    make_large(g);
    memset(&heard, 0, sizeof(heard));
    begin_send(&g->alice, "bob", on_progress);
    assert_int_equal(wait_for(&g->alice)->code, SATCHEL_OK);
    assert_int_equal(heard.finals, 1);
    assert_int_equal(heard.phase, SATCHEL_PHASE_FINISH);
    assert_true(heard.calls >= 4);
    memset(&heard, 0, sizeof(heard));
    get_to(&g->bob, (struct satchel_get_options){.folder = g->out, .on_progress = on_progress});
    assert_int_equal(wait_for(&g->bob)->code, SATCHEL_OK);
    assert_int_equal(heard.finals, 1);
    assert_int_equal(heard.phase, SATCHEL_PHASE_FINISH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(large_files),
        TEST(to_a_descriptor),
        TEST(to_a_pipe_that_nobody_reads),
        TEST(a_late_fault_on_a_descriptor),
        TEST(wrong_outputs),
        TEST(wrong_ends),
        TEST(many_at_once),
        TEST(too_many_at_once),
        TEST(small_files_take_one_flight),
        TEST(upload_keys_begin_with_the_time),
        TEST(progress_goes_forward),
    };
    int failed = cmocka_run_group_tests_name("traffic", tests, NULL, NULL);

    uv_library_shutdown();
    return failed;
}
