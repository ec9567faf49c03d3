/* SPDX-License-Identifier: Apache-2.0 */
/* A server that changes keys or refuses uploads, a file that changes, a user who changes his mind.
 */
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

static void any_error(struct fake *f, Satchel__Envelope *r, struct buf *tail, size_t n)
{
    (void)f;
    (void)tail;
    fake_error(r, (Satchel__Code)n, "no");
}

/* ---- keys of others
 * ----------------------------------------------------------------------------------- */

static void lookup_other(struct fake *f, Satchel__Envelope *r, struct buf *tail, size_t n)
{
    const struct fake_user *mallory = fake_find_user(f, "carol");
    Satchel__LookupReply *m = r->lookup_reply;
    Satchel__Signed *s = m->manifests[0];

    (void)tail;
    if (n > 0) /* with the user ID that belongs to it */
        memcpy(m->user_id.data, mallory->uid.b, IDS_UID_LEN);
    s->body.data = realloc(s->body.data, mallory->manifests[0]->body.len);
    s->body.len = mallory->manifests[0]->body.len;
    memcpy(s->body.data, mallory->manifests[0]->body.data, s->body.len);
    memcpy(s->signature.data, mallory->manifests[0]->signature.data, 64);
}

static void lookup_flip(struct fake *f, Satchel__Envelope *r, struct buf *tail, size_t n)
{
    (void)f;
    (void)tail;
    r->lookup_reply->manifests[0]->body.data[n] ^= 1;
}

static void lookup_forge(struct fake *f, Satchel__Envelope *r, struct buf *tail, size_t n)
{
    (void)f;
    (void)tail;
    r->lookup_reply->manifests[0]->signature.data[n] ^= 1;
}

static void lookup_empty(struct fake *f, Satchel__Envelope *r, struct buf *tail, size_t n)
{
    (void)f;
    (void)tail;
    for (size_t i = 0; i < r->lookup_reply->n_manifests; i++)
        satchel__signed__free_unpacked(r->lookup_reply->manifests[i], NULL);
    r->lookup_reply->n_manifests = 0;
    r->lookup_reply->last_sequence = n;
}

/* Always one more, and it takes no room. */
static void lookup_endless(struct fake *f, Satchel__Envelope *r, struct buf *tail, size_t n)
{
    Satchel__Signed *s = r->lookup_reply->manifests[0];

    (void)f;
    (void)tail;
    s->body.len = s->signature.len = 0;
    r->lookup_reply->last_sequence = n;
}

static bool repeat_lookup(struct fake *f, const Satchel__Envelope *request)
{
    /* The fake serves what it has: ask it for the first again. */
    if (request->body_case == SATCHEL__ENVELOPE__BODY_LOOKUP)
        ((Satchel__Lookup *)(uintptr_t)request->lookup)->from_sequence = 1;
    (void)f;
    return true;
}

static void manifests_without_an_end(void **state)
{
    struct scene *g = *state;
    struct plan p = {
        .kind = SATCHEL__ENVELOPE__BODY_LOOKUP_REPLY, .change = lookup_endless, .n = SIZE_MAX};

    hostile(g, &p);
    g->fake.listen = repeat_lookup;
    assert_int_equal(do_add(&g->alice, "bob")->code, SATCHEL_E_LIMIT);
    g->fake.listen = NULL;
}

static void keys_of_somebody_else(void **state)
{
    static const struct {
        plan_change *change;
        size_t n;
        int first, pinned; /* the error at first sight, and with pinned keys */
    } rows[] = {
        {lookup_other, 0, SATCHEL_E_INTEGRITY, SATCHEL_E_INTEGRITY},
        {lookup_flip, 30, SATCHEL_E_INTEGRITY, SATCHEL_E_INTEGRITY},
        {lookup_forge, 9, SATCHEL_E_INTEGRITY, SATCHEL_E_INTEGRITY},
        {lookup_empty, 1, SATCHEL_E_PROTO, SATCHEL_E_PROTO},
        {lookup_empty, 0, SATCHEL_E_PROTO, SATCHEL_E_KEYCHANGED},
        /* By username alone Carol is who the server says; a pinned user is asked for by ID. */
        {lookup_other, 1, SATCHEL_OK, SATCHEL_E_PROTO},
    };
    struct scene *g = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct plan p = {
            .kind = SATCHEL__ENVELOPE__BODY_LOOKUP_REPLY, .change = rows[i].change, .n = rows[i].n};

        (void)satchel_contact_remove(g->alice.s, "bob", NULL);
        hostile(g, &p);
        assert_int_equal(do_add(&g->alice, "bob")->code, rows[i].first);
        honest(g);
        if (rows[i].first == SATCHEL_OK) /* Carol was pinned, and keeps her username */
            assert_int_equal(satchel_contact_remove(g->alice.s, "bob", NULL), SATCHEL_OK);
        assert_int_equal(do_add(&g->alice, "bob")->code, SATCHEL_OK);
        hostile(g, &p);
        assert_int_equal(do_send(&g->alice, "bob")->code, rows[i].pinned);
        honest(g);
        assert_int_equal(g->fake.n_transfers, 0);
        assert_int_equal(do_add(&g->alice, "bob")->code, SATCHEL_OK);
    }
}

/* The server gives a name that is pinned to somebody else: he is not asked for by name. */
static void a_username_changes_hands(void **state)
{
    struct scene *g = *state;
    struct fake_user *bob = fake_find_user(&g->fake, "bob"), *carol;

    assert_int_equal(do_add(&g->alice, "bob")->code, SATCHEL_OK);
    carol = fake_find_user(&g->fake, "carol");
    memcpy(bob->username, "robert", sizeof("robert"));
    memcpy(carol->username, "bob", sizeof("bob"));
    assert_int_equal(do_send(&g->alice, "bob")->code, SATCHEL_OK);
    assert_memory_equal(&g->fake.transfers[0].who[0], &bob->uid, sizeof(bob->uid));
}

/* Neither does what it says of them when they are looked up again turn two contacts around. */
static void names_stay_with_their_keys(void **state)
{
    struct scene *g = *state;
    struct fake_user *bob = fake_find_user(&g->fake, "bob");
    struct fake_user *carol = fake_find_user(&g->fake, "carol");
    struct satchel_contact c;

    assert_int_equal(do_add(&g->alice, "bob")->code, SATCHEL_OK);
    assert_int_equal(do_add(&g->alice, "carol")->code, SATCHEL_OK);
    (void)snprintf(bob->username, sizeof(bob->username), "%s", "robert");
    (void)snprintf(carol->username, sizeof(carol->username), "%s", "bob");
    assert_int_equal(do_add(&g->alice, "bob")->code, SATCHEL_OK);
    assert_int_equal(do_add(&g->alice, "carol")->code, SATCHEL_OK);
    assert_int_equal(do_send(&g->alice, "bob")->code, SATCHEL_OK);
    assert_memory_equal(&g->fake.transfers[0].who[0], &bob->uid, sizeof(bob->uid));
    assert_int_equal(satchel_contact_get(g->alice.s, "carol", &c, NULL), SATCHEL_OK);
    assert_string_equal(c.name, "carol");
    assert_string_equal(c.username, "carol");
    assert_int_equal(satchel_contact_get(g->alice.s, "robert", &c, NULL), SATCHEL_E_NOTFOUND);
}

/* ---- keys that are not asked for
 * --------------------------------------------------------------------------------------------- */

/* A small file: for a larger one everybody is asked about. */
static void make_small(struct scene *g)
{
    g->fake.compares = true;
    assert_int_equal(truncate(g->file, 1000), 0);
}

static unsigned lookups(const struct scene *g)
{
    return g->fake.requests[SATCHEL__ENVELOPE__BODY_LOOKUP];
}

static void send_asks(struct scene *g, unsigned asked, unsigned known, int code)
{
    unsigned before = lookups(g);

    g->fake.known = 0;
    assert_int_equal(do_send(&g->alice, "bob")->code, code);
    assert_int_equal(lookups(g) - before, asked);
    assert_int_equal(g->fake.known, known);
}

static void who_is_pinned_is_not_asked_about(void **state)
{
    struct scene *g = *state;

    send_asks(g, 1, 0, SATCHEL_OK); /* a large file, a server that does not compare */
    make_small(g);
    send_asks(g, 1, 0, SATCHEL_OK); /* it did not when we greeted it */
    handle_again(&g->alice);
    send_asks(g, 0, 1, SATCHEL_OK);
    assert_int_equal(do_get(&g->bob, NULL)->code, SATCHEL_OK);
    assert_output(g);
    assert_int_equal(truncate(g->file, 1 << 20), 0);
    send_asks(g, 1, 0, SATCHEL_OK);
    make_small(g);
    g->fake.compares = false;
    handle_again(&g->alice);
    send_asks(g, 1, 0, SATCHEL_OK);
}

/* A refusal is believed when it is about keys that were asked about. */
static void a_refusal_is_asked_about_once(void **state)
{
    static const struct {
        Satchel__Code said;
        int code;
        unsigned asked;
    } rows[] = {{SATCHEL__CODE__BAD_STATE, SATCHEL_E_BADSTATE, 1},
                {SATCHEL__CODE__NOT_FOUND, SATCHEL_E_NOTFOUND, 1},
                {SATCHEL__CODE__QUOTA, SATCHEL_E_QUOTA, 0}}; /* has nothing to do with keys */
    struct scene *g = *state;

    make_small(g);
    handle_again(&g->alice);
    assert_int_equal(do_add(&g->alice, "bob")->code, SATCHEL_OK);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct plan p = {.kind = SATCHEL__ENVELOPE__BODY_OPEN_TRANSFER_REPLY,
                         .change = any_error,
                         .n = rows[i].said};

        hostile(g, &p);
        send_asks(g, rows[i].asked, 1, rows[i].code);
        honest(g);
        send_asks(g, 0, 1, SATCHEL_OK);
    }
}

/* Keys that do not follow from the pinned ones come with the second look, as with a first one. */
static void a_refusal_brings_no_other_keys(void **state)
{
    struct scene *g = *state;
    struct fake_user *bob = fake_find_user(&g->fake, "bob");
    struct fake_user *carol = fake_find_user(&g->fake, "carol");
    struct plan p = {.kind = SATCHEL__ENVELOPE__BODY_LOOKUP_REPLY, .change = lookup_other, .n = 0};
    Satchel__Signed *own = bob->manifests[0];

    make_small(g);
    handle_again(&g->alice);
    assert_int_equal(do_add(&g->alice, "bob")->code, SATCHEL_OK);
    bob->manifests[0] = carol->manifests[0];
    hostile(g, &p);
    send_asks(g, 1, 1, SATCHEL_E_INTEGRITY);
    honest(g);
    bob->manifests[0] = own;
    assert_int_equal(g->fake.n_transfers, 0);
}

/* ---- sending
 * -------------------------------------------------------------------------------------------- */

static void open_shares(struct fake *f, Satchel__Envelope *r, struct buf *tail, size_t n)
{
    Satchel__OpenTransferReply *m = r->open_transfer_reply;

    (void)f;
    (void)tail;
    switch (n) {
    case 0:
        satchel__slot_shares__free_unpacked(m->shares[--m->n_shares], NULL);
        break;
    case 1:
        m->shares[1]->share_meta.len = 31;
        break;
    default:
        m->tid.len = 15;
    }
}

static void ack_index(struct fake *f, Satchel__Envelope *r, struct buf *tail, size_t n)
{
    (void)f;
    (void)tail;
    r->piece_ack->index += (uint32_t)n;
}

static void spoiled_sends(void **state)
{
    static const struct {
        Satchel__Envelope__BodyCase kind;
        plan_change *change;
        size_t n;
        int code;
    } rows[] = {
        {SATCHEL__ENVELOPE__BODY_OPEN_TRANSFER_REPLY, open_shares, 0, SATCHEL_E_PROTO},
        {SATCHEL__ENVELOPE__BODY_OPEN_TRANSFER_REPLY, open_shares, 1, SATCHEL_E_PROTO},
        {SATCHEL__ENVELOPE__BODY_OPEN_TRANSFER_REPLY, open_shares, 2, SATCHEL_E_PROTO},
        {SATCHEL__ENVELOPE__BODY_OPEN_TRANSFER_REPLY, any_error, SATCHEL__CODE__QUOTA,
         SATCHEL_E_QUOTA},
        {SATCHEL__ENVELOPE__BODY_OPEN_TRANSFER_REPLY, any_error, SATCHEL__CODE__TOO_LARGE,
         SATCHEL_E_TOOLARGE},
        {SATCHEL__ENVELOPE__BODY_PIECE_ACK, ack_index, 1, SATCHEL_E_PROTO},
        {SATCHEL__ENVELOPE__BODY_PIECE_ACK, any_error, SATCHEL__CODE__FULL, SATCHEL_E_FULL},
        {SATCHEL__ENVELOPE__BODY_SEAL_REPLY, any_error, SATCHEL__CODE__KEY_REUSED,
         SATCHEL_E_KEYREUSED},
        {SATCHEL__ENVELOPE__BODY_SEAL_REPLY, any_error, SATCHEL__CODE__BAD_REQUEST,
         SATCHEL_E_BADREQUEST},
    };
    struct scene *g = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct plan p = {.kind = rows[i].kind, .change = rows[i].change, .n = rows[i].n};
        bool opened = rows[i].kind != SATCHEL__ENVELOPE__BODY_OPEN_TRANSFER_REPLY;

        hostile(g, &p);
        assert_int_equal(do_send(&g->alice, "bob")->code, rows[i].code);
        honest(g);
        /* An answer later, what was begun has been given back. */
        assert_int_equal(do_ping(&g->alice)->code, SATCHEL_OK);
        assert_int_equal(g->fake.transfers[g->fake.n_transfers - 1].abandoned, opened);
    }
}

static void change_file(void *cookie, const struct satchel_progress *p)
{
    struct actor_handle *h = cookie;
    FILE *f;

    if (p->phase != SATCHEL_PHASE_TRANSFER)
        return;
    f = fopen(h->scene->file, "r+");
    assert_non_null(f);
    assert_int_equal(fputs("changed", f) >= 0, 1);
    fclose(f);
}

static void truncate_file(void *cookie, const struct satchel_progress *p)
{
    struct actor_handle *h = cookie;

    if (p->phase == SATCHEL_PHASE_TRANSFER)
        assert_int_equal(truncate(h->scene->file, 10), 0);
}

static void a_file_that_changes_is_not_sent(void **state)
{
    struct scene *g = *state;

    begin_send(&g->alice, "bob", change_file);
    assert_int_equal(wait_for(&g->alice)->code, SATCHEL_E_IO);
    begin_send(&g->alice, "bob", truncate_file);
    assert_int_equal(wait_for(&g->alice)->code, SATCHEL_E_IO);
    assert_int_equal(do_ping(&g->alice)->code, SATCHEL_OK);
    assert_true(g->fake.transfers[0].abandoned);
    assert_true(g->fake.transfers[1].abandoned);
    assert_int_equal(do_list(&g->bob, SATCHEL_INBOX)->rows, 0);
}

/* ---- cancelling
 * ---------------------------------------------------------------------------------------- */

static struct satchel_op *victim;

static bool cancel_now(struct fake *f, Satchel__Envelope *r, struct buf *tail)
{
    (void)tail;
    if (r->body_case == *(Satchel__Envelope__BodyCase *)f->cookie && victim != NULL) {
        satchel_cancel(victim);
        victim = NULL;
    }
    return true;
}

static void cancel_at(void **state, Satchel__Envelope__BodyCase kind)
{
    struct scene *g = *state;

    g->fake.spoil = cancel_now;
    g->fake.cookie = &kind;
    victim = begin_get(&g->bob);
    assert_int_equal(wait_for(&g->bob)->code, SATCHEL_E_CANCELED);
    assert_null(victim);
    assert_no_output(g);
    honest(g);
    /* The connection is still good. */
    assert_int_equal(do_get(&g->bob, NULL)->code, SATCHEL_OK);
    assert_output(g);
}

static void a_get_can_be_cancelled_anywhere(void **state)
{
    static const Satchel__Envelope__BodyCase kinds[] = {
        SATCHEL__ENVELOPE__BODY_LOGIN_REPLY,  SATCHEL__ENVELOPE__BODY_TRANSFER_REPLY,
        SATCHEL__ENVELOPE__BODY_LOOKUP_REPLY, SATCHEL__ENVELOPE__BODY_RELEASE_REPLY,
        SATCHEL__ENVELOPE__BODY_LEAVES_REPLY, SATCHEL__ENVELOPE__BODY_PIECE,
    };
    struct scene *g = *state;

    send_to_bob(g);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        handle_again(&g->bob);
        cancel_at(state, kinds[i]);
    }
    /* Before it has begun. */
    satchel_cancel(begin_get(&g->bob));
    assert_int_equal(wait_for(&g->bob)->code, SATCHEL_E_CANCELED);
    assert_no_output(g);
}

static bool close_now(struct fake *f, Satchel__Envelope *r, struct buf *tail)
{
    struct scene *g = f->cookie;

    (void)tail;
    if (r->body_case == SATCHEL__ENVELOPE__BODY_PIECE && g->bob.s != NULL) {
        satchel_close(g->bob.s, NULL, NULL);
        g->bob.s = NULL;
    }
    return true;
}

static void a_handle_can_be_closed_in_the_middle(void **state)
{
    struct scene *g = *state;

    send_to_bob(g);
    g->fake.spoil = close_now;
    g->fake.cookie = g;
    (void)begin_get(&g->bob);
    assert_int_equal(wait_for(&g->bob)->code, SATCHEL_E_CANCELED);
    assert_no_output(g);
    honest(g);
    handle_open(g, &g->bob, "bob", true);
    assert_int_equal(do_get(&g->bob, NULL)->code, SATCHEL_OK);
    assert_output(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(keys_of_somebody_else),
        TEST(manifests_without_an_end),
        TEST(a_username_changes_hands),
        TEST(names_stay_with_their_keys),
        TEST(who_is_pinned_is_not_asked_about),
        TEST(a_refusal_is_asked_about_once),
        TEST(a_refusal_brings_no_other_keys),
        TEST(spoiled_sends),
        TEST(a_file_that_changes_is_not_sent),
        TEST(a_get_can_be_cancelled_anywhere),
        TEST(a_handle_can_be_closed_in_the_middle),
    };
    int failed = cmocka_run_group_tests_name("hostile keys", tests, NULL, NULL);

    uv_library_shutdown();
    return failed;
}
