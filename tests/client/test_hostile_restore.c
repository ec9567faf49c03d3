/* SPDX-License-Identifier: Apache-2.0 */
/* A server that calls contacts otherwise than the account record does, when they come back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/core/handle.h"
#include "client/local/backup.h"
#include "tests/client/scene.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

static struct vault *vault_of(const struct actor_handle *h)
{
    return h->s->profile->vault;
}

/* What alice knows is in the record, and nothing of it is back. */
static void lose_contacts(struct scene *g, const char *bob)
{
    struct vault *v = vault_of(&g->alice);
    struct secret plain = {0};
    struct backup_made made;

    assert_int_equal(vault_lock(v, NULL), ERR_OK);
    assert_int_equal(backup_build(v, g->alice.s->profile->id, &plain, &made, NULL), ERR_OK);
    vault_unlock(v);
    assert_int_equal(satchel_contact_remove(g->alice.s, bob, NULL), SATCHEL_OK);
    assert_int_equal(satchel_contact_remove(g->alice.s, "carol", NULL), SATCHEL_OK);
    assert_int_equal(vault_lock(v, NULL), ERR_OK);
    assert_int_equal(backup_note_rest(v, &plain, NULL), ERR_OK);
    vault_unlock(v);
    secret_free(&plain);
}

static void know_both(struct scene *g)
{
    assert_int_equal(do_add(&g->alice, "bob")->code, SATCHEL_OK);
    assert_int_equal(do_add(&g->alice, "carol")->code, SATCHEL_OK);
}

static void on_restored(void *cookie, const struct satchel_error *err,
                        const struct satchel_restored *r)
{
    struct actor_handle *h = cookie;

    h->last.done = true;
    h->last.code = err != NULL ? err->code : SATCHEL_OK;
    h->last.rows = r != NULL ? r->contacts : 0;
}

static void restore(struct scene *g, unsigned contacts)
{
    struct satchel_restore_options o = {.cookie = &g->alice, .done = on_restored};

    g->alice.last = (struct ending){0};
    assert_int_equal(satchel_restore_start(g->alice.s, &o, NULL, NULL), SATCHEL_OK);
    assert_int_equal(wait_for(&g->alice)->code, SATCHEL_OK);
    assert_int_equal(g->alice.last.rows, contacts);
}

/* Whom alice means by ${name}: the user that the server calls ${username} when it is honest. */
static void assert_means(struct scene *g, const char *name, const char *username)
{
    const struct fake_user *u = fake_find_user(&g->fake, username);
    struct uid uid;

    assert_int_equal(contact_find(vault_of(&g->alice), name, &uid, NULL), ERR_OK);
    assert_memory_equal(&uid, &u->uid, sizeof(uid));
}

static void rename_in(Satchel__Envelope *r, const char *username)
{
    free(r->lookup_reply->username);
    r->lookup_reply->username = strdup(username);
    assert_non_null(r->lookup_reply->username);
}

static void exchanged(struct fake *f, Satchel__Envelope *r, struct buf *tail, size_t n)
{
    (void)f;
    (void)tail;
    (void)n;
    rename_in(r, strcmp(r->lookup_reply->username, "carol") == 0 ? "bob" : "carol");
}

static void called_zoe(struct fake *f, Satchel__Envelope *r, struct buf *tail, size_t n)
{
    (void)f;
    (void)tail;
    (void)n;
    rename_in(r, "zoe");
}

static void called_nothing(struct fake *f, Satchel__Envelope *r, struct buf *tail, size_t n)
{
    (void)f;
    (void)tail;
    (void)n;
    rename_in(r, "");
}

/* What alice knows, her ${bob} with it, comes back from a server that changes its answers so. */
static void restore_changed(struct scene *g, const char *bob, plan_change *change)
{
    struct plan p = {.kind = SATCHEL__ENVELOPE__BODY_LOOKUP_REPLY, .change = change};

    lose_contacts(g, bob);
    hostile(g, &p);
    restore(g, 2);
    honest(g);
}

static void usernames_are_those_of_the_record(void **state)
{
    struct scene *g = *state;

    know_both(g);
    restore_changed(g, "bob", exchanged);
    assert_means(g, "carol", "carol");
    assert_means(g, "bob", "bob");
    assert_int_equal(g->alice.last.notices[SATCHEL_NOTICE_USERNAME], 2);
    assert_int_equal(g->alice.last.notices[SATCHEL_NOTICE_PINNED], 0);
}

static void a_name_of_ours_keeps_its_username(void **state)
{
    struct scene *g = *state;

    know_both(g);
    assert_int_equal(satchel_contact_rename(g->alice.s, "bob", "boss", NULL), SATCHEL_OK);
    restore_changed(g, "boss", exchanged);
    assert_means(g, "boss", "bob");
    assert_means(g, "bob", "bob");
    assert_means(g, "carol", "carol");
    assert_int_equal(g->alice.last.notices[SATCHEL_NOTICE_USERNAME], 2);
}

/* He has another username now: that is shown, and not followed. */
static void another_username_is_told(void **state)
{
    struct scene *g = *state;
    struct uid uid;

    know_both(g);
    restore_changed(g, "bob", called_zoe);
    assert_means(g, "carol", "carol");
    assert_int_equal(contact_find(vault_of(&g->alice), "zoe", &uid, NULL), ERR_NOTFOUND);
    assert_int_equal(g->alice.last.notices[SATCHEL_NOTICE_USERNAME], 2);
    assert_non_null(strstr(g->alice.last.notice, "'zoe'"));
}

static void the_same_username_is_not_worth_a_word(void **state)
{
    struct scene *g = *state;

    know_both(g);
    lose_contacts(g, "bob");
    restore(g, 2);
    assert_means(g, "bob", "bob");
    assert_means(g, "carol", "carol");
    assert_int_equal(g->alice.last.notices[SATCHEL_NOTICE_USERNAME], 0);
    restore_changed(g, "bob", called_nothing);
    assert_means(g, "carol", "carol");
    assert_int_equal(g->alice.last.notices[SATCHEL_NOTICE_USERNAME], 0);
}

/* Who was pinned under another name before it was his turn gets his own again. */
static void somebody_met_meanwhile_gets_his_name_back(void **state)
{
    struct scene *g = *state;
    struct plan p = {.kind = SATCHEL__ENVELOPE__BODY_LOOKUP_REPLY, .change = called_zoe};
    char carol[IDS_UID_TEXT];

    know_both(g);
    lose_contacts(g, "bob");
    ids_uid_to_text(&fake_find_user(&g->fake, "carol")->uid, carol);
    hostile(g, &p);
    assert_int_equal(do_add(&g->alice, carol)->code, SATCHEL_OK);
    honest(g);
    assert_means(g, "zoe", "carol");
    restore(g, 2);
    assert_means(g, "carol", "carol");
    assert_means(g, "bob", "bob");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(usernames_are_those_of_the_record),
        TEST(a_name_of_ours_keeps_its_username),
        TEST(another_username_is_told),
        TEST(the_same_username_is_not_worth_a_word),
        TEST(somebody_met_meanwhile_gets_his_name_back),
    };
    int failed = cmocka_run_group_tests_name("hostile restore", tests, NULL, NULL);

    uv_library_shutdown();
    return failed;
}
