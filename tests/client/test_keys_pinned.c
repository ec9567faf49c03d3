/* SPDX-License-Identifier: Apache-2.0 */
/* What is pinned of others: a recovery, a fork, strangers, comparing numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/crypto/ed25519.h"
#include "common/crypto/kdf.h"
#include "tests/client/old_user.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

/* ---- recovery ------------------------------------------------------------------- */

/* Dave has lost his keys and names a new identity key with his recovery words. */
static void recover(struct scene *g, struct old_user *u)
{
    struct manifest_build_succession s = {
        .uid = u->first->uid, .number = 1, .last_manifest = u->first->hash};
    struct manifest_build_plan plan = old_user_plan(u->first);
    struct secret rk = {0}, isk = {0};
    struct buf succession = {0};

    assert_int_equal(secret_new(&rk, 32, NULL), ERR_OK);
    assert_int_equal(kdf_f(rk.data, part_secret(&u->recovery), "recovery key", NULL, 0), ERR_OK);
    assert_int_equal(secret_copy(&isk, "a new identity key, of 32 bytes.", 32, NULL), ERR_OK);
    assert_int_equal(ed25519_public(s.identity_key, isk.data), ERR_OK);
    assert_int_equal(manifest_build_succession(&s, &rk, &succession, NULL), ERR_OK);
    plan.succession = part(succession.data, succession.len);
    manifest_free(old_user_publish(g, &plan, &isk));
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
    struct manifest_build_plan plan;
    struct manifest *fork = NULL;
    struct fake_user *dave;
    struct old_user u;

    old_user_make(g, &u, 28);
    assert_int_equal(do_ping(&u.h)->code, SATCHEL_OK); /* publishes number 2 */
    assert_int_equal(do_add(&g->alice, "dave")->code, SATCHEL_OK);
    dave = fake_find_user(&g->fake, "dave");
    plan = old_user_plan(u.first);
    assert_int_equal(manifest_build(&plan, &u.isk, &fork, NULL), ERR_OK);
    satchel__signed__free_unpacked(dave->manifests[1], NULL);
    dave->manifests[1] = old_user_signed(fork);
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
    struct manifest_build_plan plan = old_user_plan(u->first);
    struct manifest *made[LARGE];
    size_t bytes = 0;

    for (size_t i = 0; i < DEVICES; i++) {
        devices[i] = u->first->devices[0];
        devices[i].key[0] ^= (uint8_t)i;
    }
    plan.devices = devices;
    plan.n_devices = DEVICES;
    for (size_t i = 0; i < LARGE; i++) {
        made[i] = old_user_publish(g, &plan, &u->isk);
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
        TEST(a_recovery_is_told_and_undoes_verification),
        TEST(a_fork_stops_everything),
        TEST(a_stranger_has_little_room),
        TEST(numbers_are_compared),
    };
    int failed = cmocka_run_group_tests_name("pinned keys", tests, NULL, NULL);

    uv_library_shutdown();
    return failed;
}
