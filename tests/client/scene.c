/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/fs.h"
#include "tests/client/scene.h"
#include "tests/unit/tmpdir.h"

/* ---- callbacks ------------------------------------------------------------------ */

static struct ending *end(void *cookie, const struct satchel_error *err)
{
    struct actor_handle *h = cookie;

    assert_false(h->last.done); /* exactly once */
    h->last.done = true;
    if (err != NULL) {
        assert_int_not_equal(err->code, SATCHEL_OK);
        assert_string_not_equal(err->message, "");
        h->last.code = err->code;
        snprintf(h->last.message, sizeof(h->last.message), "%s", err->message);
        snprintf(h->last.hint, sizeof(h->last.hint), "%s", err->hint);
    }
    return &h->last;
}

static void on_notice(void *cookie, const struct satchel_notice *n)
{
    struct actor_handle *h = cookie;

    assert_string_not_equal(n->message, "");
    h->last.notices[n->kind]++;
    (void)snprintf(h->last.notice, sizeof(h->last.notice), "%s", n->message);
}

static void on_pin(void *cookie, const struct satchel_pin_question *q)
{
    struct actor_handle *h = cookie;

    h->pin_questions++;
    assert_string_equal(q->pin, h->scene->fake.pin_text);
    satchel_pin_answer(h->s, h->accept_pin);
}

static int on_words(void *cookie, const char *words)
{
    struct actor_handle *h = cookie;
    unsigned spaces = 0;

    for (; *words != '\0'; words++)
        spaces += *words == ' ';
    assert_int_equal(spaces, 23);
    h->scene->words++;
    return h->scene->expect_words;
}

static void on_registered(void *cookie, const struct satchel_error *err,
                          const struct satchel_registered *r)
{
    struct ending *e = end(cookie, err);

    if (r != NULL) {
        e->resumed = r->resumed;
        snprintf(e->id, sizeof(e->id), "%.32s", r->user_id);
    }
}

void scene_on_sent(void *cookie, const struct satchel_error *err, const struct satchel_sent *r)
{
    struct ending *e = end(cookie, err);

    assert_true((err == NULL) == (r != NULL));
    if (r != NULL) {
        memcpy(e->id, r->id, sizeof(e->id));
        e->sent = r->sent_pieces;
        e->kept = r->kept_pieces;
    }
}

void scene_on_got(void *cookie, const struct satchel_error *err, const struct satchel_got *r)
{
    struct ending *e = end(cookie, err);

    assert_true((err == NULL) == (r != NULL));
    if (r != NULL) {
        memcpy(e->path, r->path, sizeof(e->path));
        e->got = r->got_pieces;
        e->kept = r->kept_pieces;
        e->verified = r->verified;
    }
}

static void on_row(void *cookie, const struct satchel_transfer *t)
{
    struct actor_handle *h = cookie;

    h->last.rows++;
    if (t->problem != NULL) {
        h->last.problems++;
        h->last.problem = t->problem->code;
        assert_false(t->opened);
    }
}

static void on_listed(void *cookie, const struct satchel_error *err, const struct satchel_listed *r)
{
    (void)r;
    (void)end(cookie, err);
}

static void on_added(void *cookie, const struct satchel_error *err, const struct satchel_contact *c)
{
    (void)c;
    (void)end(cookie, err);
}

static void on_pong(void *cookie, const struct satchel_error *err, const struct satchel_pong *r)
{
    (void)r;
    (void)end(cookie, err);
}

static void on_status(void *cookie, const struct satchel_error *err, const struct satchel_status *r)
{
    (void)r;
    (void)end(cookie, err);
}

static void on_logged(void *cookie, const struct satchel_logged *e)
{
    struct actor_handle *h = cookie;

    h->last.rows++;
    h->last.problems += e->problem != NULL;
}

static void on_extended(void *cookie, const struct satchel_error *err,
                        const struct satchel_extended *r)
{
    (void)r;
    (void)end(cookie, err);
}

/* ---- operations -------------------------------------------------------------------- */

static void too_long(uv_timer_t *t)
{
    (void)t;
    fprintf(stderr, "an operation does not end\n");
    abort();
}

struct ending *wait_for(struct actor_handle *h)
{
    uv_timer_t guard;

    assert_int_equal(uv_timer_init(&h->scene->loop, &guard), 0);
    assert_int_equal(uv_timer_start(&guard, too_long, 200000, 0), 0);
    while (!h->last.done)
        uv_run(&h->scene->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&guard, NULL);
    uv_run(&h->scene->loop, UV_RUN_NOWAIT);
    return &h->last;
}

static void fresh(struct actor_handle *h)
{
    h->last = (struct ending){0};
}

/* A start that refuses at once is an ending as well. */
static struct ending *started(struct actor_handle *h, int code, const struct satchel_error *err)
{
    if (code == SATCHEL_OK)
        return wait_for(h);
    return end(h, err);
}

struct ending *do_register(struct actor_handle *h, const char *username, const char *pin)
{
    char email[64];
    struct satchel_register_options o = {.server = h->scene->fake.address,
                                         .pin = pin,
                                         .username = username,
                                         .email = email,
                                         .no_passphrase = true,
                                         .cookie = h,
                                         .on_words = on_words,
                                         .done = on_registered};
    struct satchel_error err = {0};

    snprintf(email, sizeof(email), "%s@example.org", username);
    fresh(h);
    return started(h, satchel_register_start(h->s, &o, NULL, &err), &err);
}

struct satchel_op *begin_send(struct actor_handle *h, const char *to, satchel_progress_cb *progress)
{
    struct satchel_send_options o = {.path = h->scene->file,
                                     .to = &to,
                                     .to_count = 1,
                                     .message = "a word with it",
                                     .cookie = h,
                                     .on_progress = progress,
                                     .done = scene_on_sent};
    struct satchel_op *op = NULL;

    fresh(h);
    assert_int_equal(satchel_send_start(h->s, &o, &op, NULL), SATCHEL_OK);
    assert_false(h->last.done);
    return op;
}

struct ending *do_send(struct actor_handle *h, const char *to)
{
    begin_send(h, to, NULL);
    return wait_for(h);
}

struct satchel_op *begin_get_as(struct actor_handle *h, struct satchel_get_options o)
{
    char last[SATCHEL_ID_SIZE];
    struct fake *f = &h->scene->fake;
    struct satchel_op *op = NULL;

    if (o.id == NULL) {
        ids_tid_to_text(&f->transfers[f->n_transfers - 1].tid, last);
        o.id = last;
    }
    o.cookie = h;
    o.done = scene_on_got;
    fresh(h);
    assert_int_equal(satchel_get_start(h->s, &o, &op, NULL), SATCHEL_OK);
    assert_false(h->last.done);
    return op;
}

struct satchel_op *begin_get(struct actor_handle *h)
{
    return begin_get_as(h, (struct satchel_get_options){.folder = h->scene->out});
}

struct ending *do_get(struct actor_handle *h, const char *id)
{
    begin_get_as(h, (struct satchel_get_options){.id = id, .folder = h->scene->out});
    return wait_for(h);
}

struct ending *do_list(struct actor_handle *h, enum satchel_folder folder)
{
    struct satchel_list_options o = {
        .folder = folder, .cookie = h, .on_transfer = on_row, .done = on_listed};
    struct satchel_error err = {0};

    fresh(h);
    return started(h, satchel_list_start(h->s, &o, NULL, &err), &err);
}

struct ending *do_add(struct actor_handle *h, const char *who)
{
    struct satchel_contact_add_options o = {.who = who, .cookie = h, .done = on_added};
    struct satchel_error err = {0};

    fresh(h);
    return started(h, satchel_contact_add_start(h->s, &o, NULL, &err), &err);
}

struct ending *do_ping(struct actor_handle *h)
{
    struct satchel_ping_options o = {.cookie = h, .done = on_pong};
    struct satchel_error err = {0};

    fresh(h);
    return started(h, satchel_ping_start(h->s, &o, NULL, &err), &err);
}

struct ending *do_status(struct actor_handle *h, const char *id)
{
    struct satchel_status_options o = {.id = id, .cookie = h, .done = on_status};
    struct satchel_error err = {0};

    fresh(h);
    return started(h, satchel_status_start(h->s, &o, NULL, &err), &err);
}

struct ending *do_log(struct actor_handle *h, const char *id)
{
    struct satchel_status_options o = {
        .id = id, .cookie = h, .on_logged = on_logged, .done = on_status};
    struct satchel_error err = {0};

    fresh(h);
    return started(h, satchel_status_start(h->s, &o, NULL, &err), &err);
}

struct ending *do_extend(struct actor_handle *h, const char *id, uint64_t lifetime)
{
    struct satchel_extend_options o = {
        .id = id, .lifetime = lifetime, .cookie = h, .done = on_extended};
    struct satchel_error err = {0};

    fresh(h);
    return started(h, satchel_extend_start(h->s, &o, NULL, &err), &err);
}

/* ---- outputs -------------------------------------------------------------------------- */

void assert_no_output(struct scene *g)
{
    if (rmdir(g->out) != 0)
        fail_msg("something is left in '%s'", g->out);
    assert_int_equal(mkdir(g->out, 0700), 0);
}

void assert_output(struct scene *g)
{
    char *path = fs_join(g->out, "file");
    struct buf sent = {0}, got = {0};

    assert_int_equal(fs_read(g->file, SCENE_MOST, &sent, NULL), ERR_OK);
    assert_int_equal(fs_read(path, SCENE_MOST, &got, NULL), ERR_OK);
    assert_int_equal(sent.len, got.len);
    assert_memory_equal(sent.data, got.data, sent.len);
    assert_int_equal(unlink(path), 0);
    assert_no_output(g);
    buf_free(&sent);
    buf_free(&got);
    free(path);
}

/* ---- hostility ------------------------------------------------------------ */

static bool spoil(struct fake *f, Satchel__Envelope *r, struct buf *tail)
{
    struct plan *p = f->cookie;

    if (r->body_case != p->kind || p->after > 0) {
        p->after -= r->body_case == p->kind && p->after > 0;
        return true;
    }
    if (p->change != NULL)
        p->change(f, r, tail, p->n);
    return !p->swallow;
}

void plan_flip(struct fake *f, Satchel__Envelope *r, struct buf *tail, size_t n)
{
    (void)f;
    (void)r;
    tail->data[n % tail->len] ^= 1;
}

void honest(struct scene *g)
{
    g->fake.spoil = NULL;
    g->fake.listen = NULL;
}

void hostile(struct scene *g, struct plan *p)
{
    g->fake.spoil = spoil;
    g->fake.cookie = p;
}

struct ending *spoiled_get(struct scene *g, struct plan p)
{
    struct ending *e;

    hostile(g, &p);
    e = do_get(&g->bob, NULL);
    assert_no_output(g);
    honest(g);
    return e;
}

void assert_spoiled(struct scene *g, struct plan p, int code)
{
    struct ending *e = spoiled_get(g, p);

    if (e->code != code)
        fail_msg("%d instead of %d: %s", e->code, code, e->message);
}

void send_to_bob(struct scene *g)
{
    assert_int_equal(do_send(&g->alice, "bob")->code, SATCHEL_OK);
}

/* ---- handles -------------------------------------------------------------------------- */

static void open_handle(struct actor_handle *h)
{
    unsigned patience = h->scene->patience != 0 ? h->scene->patience : 30000;
    struct satchel_options o = {.place.home = h->home,
                                .connect_timeout = patience,
                                .request_timeout = patience,
                                .retry_time = h->retry_ms != 0 ? h->retry_ms : 1,
                                .cookie = h,
                                .on_notice = on_notice,
                                .on_pin = h->pin_questions != 99 ? on_pin : NULL};

    assert_int_equal(satchel_new(&h->s, &h->scene->loop, &o, NULL), SATCHEL_OK);
}

void handle_open(struct scene *g, struct actor_handle *h, const char *name, bool registered)
{
    h->scene = g;
    snprintf(h->home, sizeof(h->home), "%.60s/%s", g->dir, name);
    open_handle(h);
    if (registered)
        assert_int_equal(satchel_open(h->s, NULL, NULL, NULL), SATCHEL_OK);
}

static void on_handle_closed(void *cookie)
{
    ((struct actor_handle *)cookie)->closed = true;
}

void handle_close(struct actor_handle *h)
{
    h->closed = false;
    satchel_close(h->s, on_handle_closed, h);
    while (!h->closed)
        uv_run(&h->scene->loop, UV_RUN_ONCE);
    h->s = NULL;
}

void handle_again(struct actor_handle *h)
{
    handle_close(h);
    open_handle(h);
    assert_int_equal(satchel_open(h->s, NULL, NULL, NULL), SATCHEL_OK);
}

void handle_retry(struct actor_handle *h, unsigned ms)
{
    h->retry_ms = ms;
    handle_again(h);
}

static void make_user(struct scene *g, struct actor_handle *h, const char *name)
{
    handle_open(g, h, name, false);
    assert_int_equal(do_register(h, name, g->fake.pin_text)->code, SATCHEL_OK);
}

void scene_fill_file(struct scene *g, size_t length)
{
    uint8_t *bytes = malloc(length);

    assert_non_null(bytes);
    for (size_t i = 0; i < length; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 4099);
    assert_int_equal(fs_replace(g->file, bytes, length, 0600, NULL), ERR_OK);
    free(bytes);
}

int scene_setup(void **state)
{
    struct scene *g = calloc(1, sizeof(*g));

    assert_non_null(tmpdir_make(g->dir));
    snprintf(g->file, sizeof(g->file), "%.60s/file", g->dir);
    snprintf(g->out, sizeof(g->out), "%.60s/out", g->dir);
    assert_int_equal(mkdir(g->out, 0700), 0);
    scene_fill_file(g, SCENE_FILE);
    assert_int_equal(uv_loop_init(&g->loop), 0);
    fake_start(&g->fake, &g->loop);
    make_user(g, &g->alice, "alice");
    make_user(g, &g->bob, "bob");
    make_user(g, &g->carol, "carol");
    *state = g;
    return 0;
}

int scene_teardown(void **state)
{
    struct scene *g = *state;
    struct actor_handle *all[] = {&g->alice, &g->bob, &g->carol};

    for (size_t i = 0; i < 3; i++)
        if (all[i]->s != NULL)
            handle_close(all[i]);
    fake_stop(&g->fake);
    uv_run(&g->loop, UV_RUN_DEFAULT);
    fake_free(&g->fake);
    uv_run(&g->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&g->loop), 0);
    assert_int_equal(tmpdir_remove(g->dir), 0);
    free(g);
    return 0;
}
