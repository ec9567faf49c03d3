/* SPDX-License-Identifier: Apache-2.0 */
/* A server that tells events which do not fit the transfers they name: no name is told with them.
 */
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

enum { TOLD_MAX = 16 };

struct told {
    struct satchel_event events[TOLD_MAX];
    size_t n;
    bool ready, done;
};

static bool subscribe(struct fake *f, const Satchel__Envelope *e)
{
    Satchel__SubscribeReply m = SATCHEL__SUBSCRIBE_REPLY__INIT;
    Satchel__Envelope reply = SATCHEL__ENVELOPE__INIT;

    if (e->body_case != SATCHEL__ENVELOPE__BODY_SUBSCRIBE)
        return true;
    reply.id = e->id;
    reply.body_case = SATCHEL__ENVELOPE__BODY_SUBSCRIBE_REPLY;
    reply.subscribe_reply = &m;
    fake_send(f, &reply, NULL, 0);
    return false;
}

/* An event of the transfer that was sent last, which is said to be about ${who}. */
static void tell(struct scene *g, uint64_t number, Satchel__EventKind kind, const char *who)
{
    struct fake *f = &g->fake;
    Satchel__Event m = SATCHEL__EVENT__INIT;
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;

    m.number = number;
    m.time = 1;
    m.kind = kind;
    m.tid = (ProtobufCBinaryData){IDS_TID_LEN, f->transfers[f->n_transfers - 1].tid.b};
    m.user_id = (ProtobufCBinaryData){IDS_UID_LEN, fake_find_user(f, who)->uid.b};
    e.body_case = SATCHEL__ENVELOPE__BODY_EVENT;
    e.event = &m;
    fake_send(f, &e, NULL, 0);
}

static void on_ready(void *cookie)
{
    ((struct told *)cookie)->ready = true;
}

static void on_event(void *cookie, const struct satchel_event *e)
{
    struct told *t = cookie;

    assert_true(t->n < TOLD_MAX);
    t->events[t->n++] = *e;
}

static void on_done(void *cookie, const struct satchel_error *err)
{
    (void)err;
    ((struct told *)cookie)->done = true;
}

struct lie {
    Satchel__EventKind kind;
    const char *who;
    bool named;
    enum satchel_side side;
};

/* ${h} watches while the server tells ${n} events, all of the transfer that was sent last. */
static void assert_told(struct scene *g, struct actor_handle *h, const struct lie *lies, size_t n)
{
    struct told t = {0};
    struct satchel_watch_options o = {
        .cookie = &t, .on_ready = on_ready, .on_event = on_event, .done = on_done};
    struct satchel_op *op = NULL;

    g->fake.listen = subscribe;
    assert_int_equal(satchel_watch_start(h->s, &o, &op, NULL), SATCHEL_OK);
    while (!t.ready && !t.done)
        uv_run(&g->loop, UV_RUN_ONCE);
    assert_false(t.done);
    for (size_t i = 0; i < n; i++)
        tell(g, i + 1, lies[i].kind, lies[i].who);
    while (t.n < n && !t.done)
        uv_run(&g->loop, UV_RUN_ONCE);
    assert_false(t.done);
    satchel_cancel(op);
    while (!t.done)
        uv_run(&g->loop, UV_RUN_ONCE);
    for (size_t i = 0; i < n; i++)
        if (strcmp(t.events[i].name, lies[i].named ? "file" : "") != 0 ||
            t.events[i].side != lies[i].side)
            fail_msg("%zu: '%s', side %d", i, t.events[i].name, (int)t.events[i].side);
}

static void names_go_with_their_senders(void **state)
{
    static const struct lie lies[] = {
        {SATCHEL__EVENT_KIND__EVENT_ARRIVED, "alice", true, SATCHEL_SIDE_THEIRS},
        {SATCHEL__EVENT_KIND__EVENT_ARRIVED, "carol", false, SATCHEL_SIDE_THEIRS},
        {SATCHEL__EVENT_KIND__EVENT_EXTENDED, "alice", true, SATCHEL_SIDE_THEIRS},
        {SATCHEL__EVENT_KIND__EVENT_EXTENDED, "carol", false, SATCHEL_SIDE_THEIRS},
        {SATCHEL__EVENT_KIND__EVENT_REVOKED, "alice", true, SATCHEL_SIDE_THEIRS},
        {SATCHEL__EVENT_KIND__EVENT_REVOKED, "carol", false, SATCHEL_SIDE_THEIRS},
        {SATCHEL__EVENT_KIND__EVENT_EXPIRED, "alice", true, SATCHEL_SIDE_THEIRS},
        {SATCHEL__EVENT_KIND__EVENT_EXPIRED, "carol", false, SATCHEL_SIDE_THEIRS},
        /* Events that only its sender gets, and Bob is not. */
        {SATCHEL__EVENT_KIND__EVENT_RELEASED, "carol", false, SATCHEL_SIDE_OURS},
        {SATCHEL__EVENT_KIND__EVENT_DELETED, "alice", false, SATCHEL_SIDE_OURS},
    };
    struct scene *g = *state;

    send_to_bob(g);
    assert_told(g, &g->bob, lies, sizeof(lies) / sizeof(lies[0]));
}

/* Its sender is told of each recipient: who_id is not the sender there. */
static void names_of_what_we_sent(void **state)
{
    static const struct lie lies[] = {
        {SATCHEL__EVENT_KIND__EVENT_RELEASED, "bob", true, SATCHEL_SIDE_OURS},
        {SATCHEL__EVENT_KIND__EVENT_REVOKED, "bob", true, SATCHEL_SIDE_OURS},
        {SATCHEL__EVENT_KIND__EVENT_EXPIRED, "bob", true, SATCHEL_SIDE_OURS},
        {SATCHEL__EVENT_KIND__EVENT_ARRIVED, "bob", false, SATCHEL_SIDE_THEIRS},
        {SATCHEL__EVENT_KIND__EVENT_ARRIVED, "alice", true, SATCHEL_SIDE_THEIRS}, /* to herself */
    };
    struct scene *g = *state;

    send_to_bob(g);
    assert_told(g, &g->alice, lies, sizeof(lies) / sizeof(lies[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(names_go_with_their_senders),
        TEST(names_of_what_we_sent),
    };
    int failed = cmocka_run_group_tests_name("hostile watch", tests, NULL, NULL);

    uv_library_shutdown();
    return failed;
}
