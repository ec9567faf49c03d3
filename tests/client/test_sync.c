/* SPDX-License-Identifier: Apache-2.0 */
/* satchel_sync_send(): a send as one call, on a worker, while the loop is the server's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/client/scene.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

/* A call, and what came of it: nothing is asserted on the worker. */
struct call {
    uv_work_t req;
    char home[80];
    struct satchel_send_options o;
    int opened, code;
    struct satchel_sent sent;
    struct satchel_error err;
    unsigned ended; /* calls of its `done`, which is for the others */
    bool over;
};

static void on_sent(void *cookie, const struct satchel_error *err, const struct satchel_sent *r)
{
    (void)err;
    (void)r;
    ((struct call *)cookie)->ended++;
}

static void call_work(uv_work_t *req)
{
    struct call *c = req->data;
    struct satchel_options so = {.place.home = c->home};
    struct satchel *s = NULL;

    c->opened = satchel_new(&s, NULL, &so, NULL);
    if (c->opened == SATCHEL_OK)
        c->opened = satchel_open(s, NULL, NULL, NULL);
    if (c->opened == SATCHEL_OK)
        c->code = satchel_sync_send(s, &c->o, &c->sent, &c->err);
    satchel_close(s, NULL, NULL);
}

static void called(uv_work_t *req, int status)
{
    (void)status;
    ((struct call *)req->data)->over = true;
}

/* Alice sends ${path} to ${to} with a handle that has a loop of its own. */
static void do_call(struct scene *g, const char *path, const char *to, struct call *c)
{
    const char *names[] = {to};

    *c = (struct call){.o = {.path = path, .to = names, .to_count = 1, .cookie = c}};
    c->o.done = on_sent;
    c->req.data = c;
    memset(&c->sent, 0x55, sizeof(c->sent));
    memcpy(c->home, g->alice.home, sizeof(c->home));
    assert_int_equal(uv_queue_work(&g->loop, &c->req, call_work, called), 0);
    while (!c->over)
        uv_run(&g->loop, UV_RUN_ONCE);
    assert_int_equal(c->opened, SATCHEL_OK);
    assert_int_equal(c->ended, 0);
}

static void it_returns_what_was_sent(void **state)
{
    struct scene *g = *state;
    struct call c;
    char id[SATCHEL_ID_SIZE];

    do_call(g, g->file, "bob", &c);
    assert_int_equal(c.code, SATCHEL_OK);
    assert_int_equal(c.err.code, SATCHEL_OK);
    assert_int_equal(g->fake.n_transfers, 1);
    ids_tid_to_text(&g->fake.transfers[0].tid, id);
    assert_string_equal(c.sent.id, id);
    assert_string_equal(c.sent.name, "file");
    assert_int_equal(c.sent.size, SCENE_FILE);
    assert_int_equal(c.sent.recipients, 1);
    assert_int_equal(c.sent.sent_pieces, 3);
    assert_int_equal(do_get(&g->bob, NULL)->code, SATCHEL_OK);
    assert_output(g);
}

/* What it should fill is left alone, and the error says what was wrong. */
static void it_returns_why_it_failed(void **state)
{
    static const struct {
        const char *path, *to;
        int code;
        const char *said;
    } rows[] = {
        {NULL, "nobody", SATCHEL_E_NOTFOUND, "no user 'nobody'"},
        {"/nonexistent/file", "bob", SATCHEL_E_NOTFOUND, "/nonexistent/file"},
        {"", "bob", SATCHEL_E_INVALID, "no file to send"}, /* the start fails */
    };
    struct scene *g = *state;
    struct satchel_sent untouched;
    struct call c;

    memset(&untouched, 0x55, sizeof(untouched));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        do_call(g, rows[i].path != NULL ? rows[i].path : g->file, rows[i].to, &c);
        assert_int_equal(c.code, rows[i].code);
        assert_int_equal(c.err.code, rows[i].code);
        assert_non_null(strstr(c.err.message, rows[i].said));
        assert_memory_equal(&c.sent, &untouched, sizeof(untouched));
    }
    assert_int_equal(g->fake.n_transfers, 0);
}

/* It would have to run the caller's loop. */
static void a_handle_on_a_loop_has_none(void **state)
{
    struct scene *g = *state;
    const char *to = "bob";
    struct satchel_send_options o = {.path = g->file, .to = &to, .to_count = 1};
    struct satchel_error err = {0};

    assert_int_equal(satchel_sync_send(g->alice.s, &o, NULL, &err), SATCHEL_E_BADSTATE);
    assert_int_equal(err.code, SATCHEL_E_BADSTATE);
    assert_int_equal(g->fake.n_transfers, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_returns_what_was_sent),
        TEST(it_returns_why_it_failed),
        TEST(a_handle_on_a_loop_has_none),
    };
    int failed = cmocka_run_group_tests_name("sync", tests, NULL, NULL);

    uv_library_shutdown();
    return failed;
}
