/* SPDX-License-Identifier: Apache-2.0 */
/* Keys in the course of time: new encryption keys, lapsed ones, a recovery, comparing numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/local/profile.h"
#include "common/crypto/ed25519.h"
#include "common/crypto/kdf.h"
#include "common/transfer/header.h"
#include "common/transfer/manifest_build.h"
#include "common/transfer/statement.h"
#include "tests/client/scene.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

/* Somebody who registered ${days} ago and was away since. */
struct old_user {
    struct actor_handle h;
    struct secret isk, recovery;
    struct manifest *first;
};

static uint64_t days_ago(unsigned days)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return ((uint64_t)now.tv_sec - (uint64_t)days * 24 * 3600) * 1000;
}

static Satchel__Signed *signed_of(const struct manifest *m)
{
    Satchel__Signed *s = calloc(1, sizeof(*s));

    satchel__signed__init(s);
    s->body.len = m->body.len;
    s->body.data = malloc(m->body.len);
    memcpy(s->body.data, m->body.data, m->body.len);
    s->signature.len = sizeof(m->signature);
    s->signature.data = malloc(sizeof(m->signature));
    memcpy(s->signature.data, m->signature, sizeof(m->signature));
    return s;
}

static void make_profile(struct scene *g, struct old_user *u, uint64_t when)
{
    struct settings settings = {.server = g->fake.address, .pin = g->fake.pin_text};
    struct place place = {0};
    struct profile_plan plan = {
        .place = &place,
        .settings = &settings,
        .identity = {.username = "dave", .email = "dave@example.org", .now = when}};
    struct fake_user *f = &g->fake.users[g->fake.n_users++];
    struct profile *p = NULL;

    assert_int_equal(place_find(u->h.home, "default", &place, NULL), ERR_OK);
    assert_int_equal(ids_server(g->fake.server_key, &plan.identity.server), ERR_OK);
    assert_int_equal(profile_begin(&plan, &p, NULL), ERR_OK);
    assert_int_equal(secret_copy(&u->recovery, p->id->recovery.data, 32, NULL), ERR_OK);
    assert_int_equal(secret_copy(&u->isk, p->id->isk.data, 32, NULL), ERR_OK);
    assert_int_equal(manifest_parse(p->id->chain.m[0]->body, PART_OF(p->id->chain.m[0]->signature),
                                    &u->first, NULL),
                     ERR_OK);
    f->uid = p->id->uid;
    memcpy(f->username, "dave", sizeof("dave"));
    f->manifests[f->n++] = signed_of(u->first);
    assert_int_equal(profile_activate(p, NULL), ERR_OK);
    profile_close(p);
    place_free(&place);
}

static void old_user_make(struct scene *g, struct old_user *u, unsigned days)
{
    *u = (struct old_user){0};
    handle_open(g, &u->h, "dave", false);
    make_profile(g, u, days_ago(days));
    handle_again(&u->h);
}

static void old_user_free(struct old_user *u)
{
    handle_close(&u->h);
    secret_free(&u->isk);
    secret_free(&u->recovery);
    manifest_free(u->first);
}

/* Of a small send nobody is asked about whose newest manifest is pinned: then the server says that
 * it is another, and the transfer is for the new key. */
static void an_old_key_is_noticed(void **state)
{
    struct scene *g = *state;
    const unsigned *lookups = &g->fake.requests[SATCHEL__ENVELOPE__BODY_LOOKUP];
    struct old_user u;
    unsigned before;

    g->fake.compares = true;
    assert_int_equal(truncate(g->file, 1000), 0);
    old_user_make(g, &u, 28);
    handle_again(&g->alice);
    assert_int_equal(do_add(&g->alice, "dave")->code, SATCHEL_OK);
    assert_int_equal(do_ping(&u.h)->code, SATCHEL_OK); /* brings the new key */
    assert_int_equal(fake_find_user(&g->fake, "dave")->n, 2);
    for (unsigned i = 1; i < 3; i++) {
        before = *lookups;
        assert_int_equal(do_send(&g->alice, "dave")->code, SATCHEL_OK);
        assert_int_equal(g->fake.known, i); /* the second time it is right */
        assert_int_equal(*lookups - before, i == 1 ? 1 : 0);
        assert_int_equal(g->fake.n_transfers, i);
        assert_int_equal(do_get(&u.h, NULL)->code, SATCHEL_OK);
        assert_output(g);
    }
    old_user_free(&u);
}

/* A key that has ended is not guessed: there is likely another, and nobody is told of the old one.
 */
static void an_ended_key_is_not_guessed(void **state)
{
    struct scene *g = *state;
    struct old_user u;

    g->fake.compares = true;
    assert_int_equal(truncate(g->file, 1000), 0);
    old_user_make(g, &u, 40);
    handle_again(&g->alice);
    assert_int_equal(do_add(&g->alice, "dave")->code, SATCHEL_OK);
    assert_int_equal(do_ping(&u.h)->code, SATCHEL_OK); /* brings the new key */
    assert_int_equal(fake_find_user(&g->fake, "dave")->n, 2);
    assert_int_equal(do_send(&g->alice, "dave")->code, SATCHEL_OK);
    assert_int_equal(g->alice.last.notices[SATCHEL_NOTICE_LAPSED], 0);
    assert_int_equal(g->fake.known, 0);
    assert_int_equal(do_get(&u.h, NULL)->code, SATCHEL_OK);
    assert_output(g);
    old_user_free(&u);
}

static void a_new_key_comes_in_time(void **state)
{
    struct scene *g = *state;
    struct fake_user *dave;
    struct old_user u;
    char id[SATCHEL_ID_SIZE];

    old_user_make(g, &u, 28);
    dave = fake_find_user(&g->fake, "dave");
    /* Sent to the old key, received after the new one has come. */
    assert_int_equal(do_send(&g->alice, "dave")->code, SATCHEL_OK);
    assert_int_equal(g->alice.last.notices[SATCHEL_NOTICE_LAPSED], 0);
    memcpy(id, g->alice.last.id, sizeof(id));
    assert_int_equal(do_get(&u.h, id)->code, SATCHEL_OK);
    assert_int_equal(u.h.last.notices[SATCHEL_NOTICE_ROTATED], 1);
    assert_int_equal(dave->n, 2);
    assert_output(g);
    /* Once is enough. */
    handle_again(&u.h);
    assert_int_equal(do_ping(&u.h)->code, SATCHEL_OK);
    assert_int_equal(u.h.last.notices[SATCHEL_NOTICE_ROTATED], 0);
    assert_int_equal(g->fake.requests[SATCHEL__ENVELOPE__BODY_PUT_MANIFEST], 1);
    /* And the new one works, for those who knew the old one and for others. */
    assert_int_equal(do_send(&g->alice, "dave")->code, SATCHEL_OK);
    assert_int_equal(do_get(&u.h, NULL)->code, SATCHEL_OK);
    assert_output(g);
    assert_int_equal(do_send(&g->carol, "dave")->code, SATCHEL_OK);
    assert_int_equal(do_get(&u.h, NULL)->code, SATCHEL_OK);
    assert_output(g);
    assert_int_equal(do_get(&u.h, id)->code, SATCHEL_OK);
    assert_output(g);
    /* Headers name the manifest that is the newest at the server. */
    assert_int_equal(do_send(&u.h, "bob")->code, SATCHEL_OK);
    assert_int_equal(do_get(&g->bob, NULL)->code, SATCHEL_OK);
    assert_output(g);
    old_user_free(&u);
}

static void a_lapsed_key_is_used_and_told(void **state)
{
    struct scene *g = *state;
    struct old_user u;

    old_user_make(g, &u, 40);
    assert_int_equal(do_send(&g->alice, "dave")->code, SATCHEL_OK);
    assert_int_equal(g->alice.last.notices[SATCHEL_NOTICE_LAPSED], 1);
    assert_int_equal(do_get(&u.h, NULL)->code, SATCHEL_OK);
    assert_int_equal(u.h.last.notices[SATCHEL_NOTICE_ROTATED], 1);
    assert_output(g);
    assert_int_equal(do_send(&g->alice, "dave")->code, SATCHEL_OK);
    assert_int_equal(g->alice.last.notices[SATCHEL_NOTICE_LAPSED], 0);
    old_user_free(&u);
}

static bool refuse_put(struct fake *f, Satchel__Envelope *r, struct buf *tail)
{
    (void)tail;
    if (r->body_case == SATCHEL__ENVELOPE__BODY_DONE &&
        f->requests[SATCHEL__ENVELOPE__BODY_GET_PIECES] == 0)
        fake_error(r, SATCHEL__CODE__BUSY, "not now");
    return true;
}

static void a_new_key_that_is_refused(void **state)
{
    struct scene *g = *state;
    struct old_user u;

    old_user_make(g, &u, 28);
    assert_int_equal(do_send(&g->alice, "dave")->code, SATCHEL_OK);
    g->fake.spoil = refuse_put;
    assert_int_equal(do_get(&u.h, NULL)->code, SATCHEL_OK); /* the old one still works */
    assert_int_equal(u.h.last.notices[SATCHEL_NOTICE_KEY_FAILED], 1);
    assert_output(g);
    honest(g);
    handle_again(&u.h);
    assert_int_equal(do_ping(&u.h)->code, SATCHEL_OK);
    assert_int_equal(u.h.last.notices[SATCHEL_NOTICE_ROTATED], 1);
    old_user_free(&u);
}

/* The server keeps account records, and another device's has come between. */
static bool overtake(struct fake *f, Satchel__Envelope *r, struct buf *tail)
{
    (void)tail;
    if (r->body_case == SATCHEL__ENVELOPE__BODY_LOGIN_REPLY)
        r->login_reply->account = 1;
    else if (r->body_case == SATCHEL__ENVELOPE__BODY_ERROR &&
             f->requests[SATCHEL__ENVELOPE__BODY_PUT_ACCOUNT] == 1) {
        fake_clear(r);
        fake_error(r, SATCHEL__CODE__EXISTS, "a newer account record is there");
    }
    return true;
}

/* That is no failure: it is said as what it is. */
static void another_device_was_faster(void **state)
{
    struct scene *g = *state;

    g->fake.spoil = overtake;
    handle_again(&g->bob);
    assert_int_equal(do_ping(&g->bob)->code, SATCHEL_OK);
    assert_int_equal(g->fake.requests[SATCHEL__ENVELOPE__BODY_PUT_ACCOUNT], 1);
    assert_int_equal(g->bob.last.notices[SATCHEL_NOTICE_KEY_FAILED], 1);
    assert_non_null(strstr(g->bob.last.notice, "nothing is lost"));
    assert_null(strstr(g->bob.last.notice, "account record"));
}

static bool drop_put(struct fake *f, Satchel__Envelope *r, struct buf *tail)
{
    (void)tail;
    if (f->requests[SATCHEL__ENVELOPE__BODY_PUT_MANIFEST] != 1 ||
        r->body_case != SATCHEL__ENVELOPE__BODY_DONE)
        return true;
    fake_drop(f);
    return false;
}

/* The server has it, but its answer is lost: the next login learns of it, and nothing goes out
 * again. */
static void a_new_key_with_a_lost_answer(void **state)
{
    struct scene *g = *state;
    struct old_user u;

    old_user_make(g, &u, 28);
    g->fake.spoil = drop_put;
    assert_int_equal(do_ping(&u.h)->code, SATCHEL_E_CLOSED);
    /* Others use the new key already. */
    assert_int_equal(do_send(&g->alice, "dave")->code, SATCHEL_OK);
    honest(g);
    handle_again(&u.h);
    assert_int_equal(do_get(&u.h, NULL)->code, SATCHEL_OK);
    assert_int_equal(u.h.last.notices[SATCHEL_NOTICE_ROTATED], 1);
    assert_output(g);
    assert_int_equal(fake_find_user(&g->fake, "dave")->n, 2);
    assert_int_equal(g->fake.requests[SATCHEL__ENVELOPE__BODY_PUT_MANIFEST], 1);
    old_user_free(&u);
}

/* ---- another device ------------------------------------------------------------- */

/* Another device of Dave's publishes a manifest behind ${before}. */
static struct manifest *publish(struct scene *g, const struct old_user *u,
                                const struct manifest *before)
{
    struct fake_user *dave = fake_find_user(&g->fake, "dave");
    struct manifest_build_plan plan = {.previous = before,
                                       .created = days_ago(0),
                                       .devices = before->devices,
                                       .n_devices = before->n_devices,
                                       .eks = before->eks,
                                       .n_eks = before->n_eks};
    struct manifest *m = NULL;

    assert_int_equal(manifest_build(&plan, &u->isk, &m, NULL), ERR_OK);
    dave->manifests[dave->n++] = signed_of(m);
    return m;
}

/* The login of the very same command brings it. */
static void a_receipt_names_what_the_login_brought(void **state)
{
    struct scene *g = *state;
    const struct fake_transfer *t = g->fake.transfers;
    const struct fake_event *e;
    struct statement receipt;
    struct manifest *newest;
    struct old_user u;

    old_user_make(g, &u, 1);
    assert_int_equal(do_send(&g->alice, "dave")->code, SATCHEL_OK);
    newest = publish(g, &u, u.first);
    assert_int_equal(do_get(&u.h, NULL)->code, SATCHEL_OK);
    assert_output(g);
    e = &t->events[t->n_events - 1];
    assert_int_equal(statement_read(part(e->data, e->len), &receipt, NULL), ERR_OK);
    assert_memory_equal(&receipt.manifest, &newest->hash, sizeof(newest->hash));
    manifest_free(newest);
    old_user_free(&u);
}

static bool drop_opened(struct fake *f, Satchel__Envelope *r, struct buf *tail)
{
    (void)tail;
    if (r->body_case != SATCHEL__ENVELOPE__BODY_OPEN_TRANSFER_REPLY ||
        f->requests[SATCHEL__ENVELOPE__BODY_OPEN_TRANSFER] != 1)
        return true;
    fake_drop(f);
    return false;
}

/* It came after the login of this connection; the next one, in the same send, brings it. */
static void a_header_names_what_the_next_connection_brought(void **state)
{
    struct scene *g = *state;
    const Satchel__SealTransfer *seal;
    struct manifest *newest;
    struct old_user u;
    struct header h;

    old_user_make(g, &u, 1);
    u.h.retry_ms = 60000;
    handle_again(&u.h);
    assert_int_equal(do_ping(&u.h)->code, SATCHEL_OK);
    newest = publish(g, &u, u.first);
    g->fake.spoil = drop_opened;
    assert_int_equal(do_send(&u.h, "bob")->code, SATCHEL_OK);
    assert_int_equal(u.h.last.notices[SATCHEL_NOTICE_RETRY], 1);
    seal = g->fake.transfers[g->fake.n_transfers - 1].seal;
    assert_int_equal(header_parse(part(seal->header.data, seal->header.len), &h, NULL), ERR_OK);
    assert_memory_equal(&h.manifest, &newest->hash, sizeof(newest->hash));
    assert_int_equal(do_get(&g->bob, NULL)->code, SATCHEL_OK);
    assert_output(g);
    manifest_free(newest);
    old_user_free(&u);
}

/* ---- recovery ------------------------------------------------------------------- */

/* Dave has lost his keys and names a new identity key with his recovery words. */
static void recover(struct scene *g, struct old_user *u)
{
    struct manifest_build_succession s = {
        .uid = u->first->uid, .number = 1, .last_manifest = u->first->hash};
    struct manifest_build_plan plan = {.previous = u->first,
                                       .created = days_ago(0),
                                       .devices = u->first->devices,
                                       .n_devices = u->first->n_devices,
                                       .eks = u->first->eks,
                                       .n_eks = u->first->n_eks};
    struct fake_user *dave = fake_find_user(&g->fake, "dave");
    struct secret rk = {0}, isk = {0};
    struct buf succession = {0};
    struct manifest *m = NULL;

    assert_int_equal(secret_new(&rk, 32, NULL), ERR_OK);
    assert_int_equal(kdf_f(rk.data, part_secret(&u->recovery), "recovery key", NULL, 0), ERR_OK);
    assert_int_equal(secret_copy(&isk, "a new identity key, of 32 bytes.", 32, NULL), ERR_OK);
    assert_int_equal(ed25519_public(s.identity_key, isk.data), ERR_OK);
    assert_int_equal(manifest_build_succession(&s, &rk, &succession, NULL), ERR_OK);
    plan.succession = part(succession.data, succession.len);
    assert_int_equal(manifest_build(&plan, &isk, &m, NULL), ERR_OK);
    dave->manifests[dave->n++] = signed_of(m);
    manifest_free(m);
    buf_free(&succession);
    secret_free(&rk);
    secret_free(&isk);
}

static bool is_verified(struct scene *g, const char *who)
{
    struct satchel_contact c;

    assert_int_equal(satchel_contact_get(g->alice.s, who, &c, NULL), SATCHEL_OK);
    return c.verified;
}

static void a_recovery_is_told_and_undoes_verification(void **state)
{
    struct scene *g = *state;
    struct old_user u;

    old_user_make(g, &u, 1);
    assert_int_equal(do_add(&g->alice, "dave")->code, SATCHEL_OK);
    assert_int_equal(satchel_contact_verify(g->alice.s, "dave", NULL, NULL), SATCHEL_OK);
    assert_true(is_verified(g, "dave"));
    assert_int_equal(do_send(&g->alice, "dave")->code, SATCHEL_OK);
    assert_int_equal(g->alice.last.notices[SATCHEL_NOTICE_SUCCESSION], 0);
    recover(g, &u);
    assert_int_equal(do_send(&g->alice, "dave")->code, SATCHEL_E_KEYCHANGED);
    assert_int_equal(g->alice.last.notices[SATCHEL_NOTICE_SUCCESSION], 1);
    assert_false(is_verified(g, "dave"));
    /* Nothing goes there until somebody has looked. */
    assert_int_equal(do_send(&g->alice, "dave")->code, SATCHEL_E_KEYCHANGED);
    assert_int_equal(g->alice.last.notices[SATCHEL_NOTICE_SUCCESSION], 0);
    assert_int_equal(satchel_contact_accept(g->alice.s, "nobody", NULL), SATCHEL_E_NOTFOUND);
    assert_int_equal(satchel_contact_accept(g->alice.s, "dave", NULL), SATCHEL_OK);
    assert_int_equal(do_send(&g->alice, "dave")->code, SATCHEL_OK);
    assert_false(is_verified(g, "dave"));
    assert_int_equal(satchel_contact_verify(g->alice.s, "dave", NULL, NULL), SATCHEL_OK);
    assert_int_equal(do_send(&g->alice, "dave")->code, SATCHEL_OK);
    old_user_free(&u);
}

/* The old identity key, in the hands of a thief, names another manifest with the same number. */
static void a_fork_stops_everything(void **state)
{
    struct scene *g = *state;
    struct fake_user *dave;
    struct manifest *fork = NULL;
    struct manifest_build_plan plan = {0};
    struct old_user u;

    old_user_make(g, &u, 28);
    assert_int_equal(do_ping(&u.h)->code, SATCHEL_OK); /* publishes number 2 */
    assert_int_equal(do_add(&g->alice, "dave")->code, SATCHEL_OK);
    dave = fake_find_user(&g->fake, "dave");
    plan.previous = u.first;
    plan.created = days_ago(0);
    plan.devices = u.first->devices;
    plan.n_devices = u.first->n_devices;
    plan.eks = u.first->eks;
    plan.n_eks = u.first->n_eks;
    assert_int_equal(manifest_build(&plan, &u.isk, &fork, NULL), ERR_OK);
    satchel__signed__free_unpacked(dave->manifests[1], NULL);
    dave->manifests[1] = signed_of(fork);
    assert_int_equal(do_send(&g->alice, "dave")->code, SATCHEL_E_KEYCHANGED);
    assert_string_not_equal(g->alice.last.hint, "");
    /* The server goes back to an older list. */
    satchel__signed__free_unpacked(dave->manifests[--dave->n], NULL);
    assert_int_equal(do_send(&g->alice, "dave")->code, SATCHEL_E_KEYCHANGED);
    assert_int_equal(g->fake.n_transfers, 0);
    manifest_free(fork);
    old_user_free(&u);
}

/* ---- strangers ---------------------------------------------------------------------- */

enum { LARGE = 22, DEVICES = MANIFEST_DEVICES_MAX };

/* Dave has many devices, and a manifest for each whim: more than a stranger has room for. */
static void grow(struct scene *g, const struct old_user *u)
{
    static struct manifest_device devices[DEVICES];
    struct fake_user *dave = fake_find_user(&g->fake, "dave");
    struct manifest_build_plan plan = {.previous = u->first,
                                       .created = days_ago(0),
                                       .devices = devices,
                                       .n_devices = DEVICES,
                                       .eks = u->first->eks,
                                       .n_eks = u->first->n_eks};
    struct manifest *made[LARGE];
    size_t bytes = 0;

    for (size_t i = 0; i < DEVICES; i++) {
        devices[i] = u->first->devices[0];
        devices[i].key[0] ^= (uint8_t)i;
    }
    for (size_t i = 0; i < LARGE; i++) {
        assert_int_equal(manifest_build(&plan, &u->isk, &made[i], NULL), ERR_OK);
        dave->manifests[dave->n++] = signed_of(made[i]);
        bytes += made[i]->body.len;
        plan.previous = made[i];
    }
    assert_in_range(bytes, 65537, 1000000);
    for (size_t i = 0; i < LARGE; i++)
        manifest_free(made[i]);
}

/* How many Lookups a look at Alice's inbox takes; all its rows are sound. */
static unsigned lookups_of_list(struct scene *g)
{
    unsigned before = g->fake.requests[SATCHEL__ENVELOPE__BODY_LOOKUP];

    assert_int_equal(do_list(&g->alice, SATCHEL_INBOX)->code, SATCHEL_OK);
    assert_int_equal(g->alice.last.problems, 0);
    return g->fake.requests[SATCHEL__ENVELOPE__BODY_LOOKUP] - before;
}

static void lookup_large(struct fake *f, Satchel__Envelope *r, struct buf *tail, size_t n)
{
    Satchel__LookupReply *m = r->lookup_reply;
    Satchel__Signed *s = m->manifests[0];

    (void)f;
    (void)tail;
    s->body.data = realloc(s->body.data, n);
    assert_non_null(s->body.data);
    memset(s->body.data, 0, n);
    s->body.len = n;
    m->last_sequence = SIZE_MAX;
}

static bool from_the_first(struct fake *f, const Satchel__Envelope *request)
{
    (void)f;
    if (request->body_case == SATCHEL__ENVELOPE__BODY_LOOKUP)
        ((Satchel__Lookup *)(uintptr_t)request->lookup)->from_sequence = 1;
    return true;
}

/* One small manifest that is pinned makes no room for large ones. */
static void a_stranger_has_little_room(void **state)
{
    struct plan p = {
        .kind = SATCHEL__ENVELOPE__BODY_LOOKUP_REPLY, .change = lookup_large, .n = 100000};
    struct scene *g = *state;
    struct old_user u;
    unsigned before;

    old_user_make(g, &u, 1);
    assert_int_equal(do_send(&u.h, "alice")->code, SATCHEL_OK);
    assert_int_equal(lookups_of_list(g), 1);
    assert_int_equal(lookups_of_list(g), 0); /* pinned */
    grow(g, &u);
    handle_again(&u.h);
    assert_int_equal(do_send(&u.h, "alice")->code, SATCHEL_OK);
    assert_true(lookups_of_list(g) > 0);
    assert_true(lookups_of_list(g) > 0); /* what came was used, not kept */
    before = g->fake.requests[SATCHEL__ENVELOPE__BODY_LOOKUP];
    hostile(g, &p);
    g->fake.listen = from_the_first;
    assert_int_equal(do_list(&g->alice, SATCHEL_INBOX)->code, SATCHEL_OK);
    assert_int_equal(g->alice.last.problem, SATCHEL_E_LIMIT);
    assert_in_range(g->fake.requests[SATCHEL__ENVELOPE__BODY_LOOKUP] - before, 2, 30);
    honest(g);
    g->fake.listen = NULL;
    /* Who is dealt with is no stranger any more. */
    assert_int_equal(do_get(&g->alice, NULL)->code, SATCHEL_OK);
    assert_output(g);
    assert_int_equal(lookups_of_list(g), 0);
    old_user_free(&u);
}

/* ---- contacts ---------------------------------------------------------------------- */

static void count(void *cookie, const struct satchel_contact *c)
{
    assert_int_equal(strlen(c->safety), 71);
    *(int *)cookie += 1;
}

static void numbers_are_compared(void **state)
{
    struct scene *g = *state;
    struct satchel_contact seen_by_alice, seen_by_bob;
    char digits[64], wrong[72];
    int n = 0;

    assert_int_equal(do_add(&g->alice, "bob")->code, SATCHEL_OK);
    assert_int_equal(do_add(&g->bob, "alice")->code, SATCHEL_OK);
    assert_int_equal(satchel_contact_get(g->alice.s, "bob", &seen_by_alice, NULL), SATCHEL_OK);
    assert_int_equal(satchel_contact_get(g->bob.s, "alice", &seen_by_bob, NULL), SATCHEL_OK);
    assert_string_equal(seen_by_alice.safety, seen_by_bob.safety);
    for (size_t i = 0, k = 0; seen_by_alice.safety[i] != '\0'; i++)
        if (seen_by_alice.safety[i] != ' ') {
            digits[k++] = seen_by_alice.safety[i];
            digits[k] = '\0';
        }
    memcpy(wrong, seen_by_alice.safety, sizeof(wrong));
    wrong[70] = wrong[70] == '0' ? '1' : '0';
    assert_int_equal(satchel_contact_verify(g->alice.s, "bob", wrong, NULL), SATCHEL_E_INTEGRITY);
    assert_int_equal(satchel_contact_verify(g->alice.s, "bob", "", NULL), SATCHEL_E_INVALID);
    assert_false(is_verified(g, "bob"));
    assert_int_equal(satchel_contact_verify(g->alice.s, "bob", digits, NULL), SATCHEL_OK);
    assert_true(is_verified(g, "bob"));
    assert_int_equal(satchel_contact_verify(g->alice.s, "nobody", NULL, NULL), SATCHEL_E_NOTFOUND);
    assert_int_equal(do_add(&g->alice, "carol")->code, SATCHEL_OK);
    assert_int_equal(do_add(&g->alice, "alice")->code, SATCHEL_E_INVALID);
    assert_int_equal(do_add(&g->alice, "No Such User!")->code, SATCHEL_E_INVALID);
    assert_int_equal(do_add(&g->alice, "nobody")->code, SATCHEL_E_NOTFOUND);
    assert_int_equal(satchel_contact_list(g->alice.s, count, &n, NULL), SATCHEL_OK);
    assert_int_equal(n, 2);
    assert_int_equal(satchel_contact_remove(g->alice.s, seen_by_alice.user_id, NULL), SATCHEL_OK);
    assert_int_equal(satchel_contact_get(g->alice.s, "bob", &seen_by_alice, NULL),
                     SATCHEL_E_NOTFOUND);
    assert_int_equal(satchel_contact_remove(g->alice.s, "bob", NULL), SATCHEL_E_NOTFOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_key_comes_in_time),
        TEST(an_old_key_is_noticed),
        TEST(an_ended_key_is_not_guessed),
        TEST(a_lapsed_key_is_used_and_told),
        TEST(a_new_key_that_is_refused),
        TEST(a_new_key_with_a_lost_answer),
        TEST(a_receipt_names_what_the_login_brought),
        TEST(a_header_names_what_the_next_connection_brought),
        TEST(a_recovery_is_told_and_undoes_verification),
        TEST(a_fork_stops_everything),
        TEST(a_stranger_has_little_room),
        TEST(another_device_was_faster),
        TEST(numbers_are_compared),
    };
    int failed = cmocka_run_group_tests_name("keys in the course of time", tests, NULL, NULL);

    uv_library_shutdown();
    return failed;
}
