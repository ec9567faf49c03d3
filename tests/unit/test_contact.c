/* SPDX-License-Identifier: Apache-2.0 */
/* contact and group: what a client remembers of others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/local/backup.h"
#include "client/local/contact.h"
#include "client/local/group.h"
#include "client/local/identity.h"
#include "tests/unit/vault_fix.h"

/* Pin ${id} under a name of ours or, with NULL, the username alone. */
static int pin(struct vault_fix *s, const struct identity *id, const char *name,
               const char *username)
{
    struct contact c = {0};
    int rc;

    assert_int_equal(vault_lock(s->vault, NULL), ERR_OK);
    if (contact_load(s->vault, &id->uid, &c, NULL) != ERR_OK)
        c = vault_fix_contact(id);
    rc = contact_name(s->vault, &c, name, username, NULL);
    if (rc == ERR_OK)
        assert_int_equal(contact_save(s->vault, &c, NULL), ERR_OK);
    vault_unlock(s->vault);
    contact_free(&c);
    return rc;
}

static void assert_found(struct vault_fix *s, const char *name, const struct identity *id)
{
    struct uid uid;

    if (id == NULL) {
        assert_int_equal(contact_find(s->vault, name, &uid, NULL), ERR_NOTFOUND);
        return;
    }
    assert_int_equal(contact_find(s->vault, name, &uid, NULL), ERR_OK);
    assert_memory_equal(&uid, &id->uid, sizeof(uid));
}

static void contacts_come_back(void **state)
{
    struct vault_fix *s = *state;
    struct identity *bob = vault_fix_somebody(s), *alice = vault_fix_somebody(s);
    struct contact c = {0};

    assert_int_equal(contact_load(s->vault, &bob->uid, &c, NULL), ERR_NOTFOUND);
    assert_int_equal(pin(s, bob, "Bobby Tables", "bob"), ERR_OK);
    assert_int_equal(contact_load(s->vault, &bob->uid, &c, NULL), ERR_OK);
    assert_string_equal(c.name, "Bobby Tables");
    assert_string_equal(c.username, "bob");
    assert_true(c.named);
    assert_int_equal(c.added, VAULT_FIX_NOW);
    assert_int_equal(c.chain.n, 1);
    assert_memory_equal(&c.chain.m[0]->hash, &bob->chain.m[0]->hash, 32);
    contact_free(&c);
    assert_int_equal(contact_load(s->vault, &alice->uid, &c, NULL), ERR_NOTFOUND);
    assert_int_equal(vault_lock(s->vault, NULL), ERR_OK);
    assert_int_equal(contact_delete(s->vault, &bob->uid, NULL), ERR_OK);
    vault_unlock(s->vault);
    assert_int_equal(contact_load(s->vault, &bob->uid, &c, NULL), ERR_NOTFOUND);
    identity_unref(bob);
    identity_unref(alice);
}

static void names_resolve_in_order(void **state)
{
    struct vault_fix *s = *state;
    struct identity *a = vault_fix_somebody(s), *b = vault_fix_somebody(s),
                    *c = vault_fix_somebody(s);

    assert_int_equal(pin(s, a, NULL, "bob"), ERR_OK);
    assert_found(s, "bob", a);
    /* A name of ours goes before a username. */
    assert_int_equal(pin(s, b, "carol", "dave"), ERR_OK);
    assert_found(s, "carol", b);
    assert_found(s, "dave", b);
    assert_int_equal(pin(s, c, NULL, "carol"), ERR_OK);
    assert_found(s, "carol", b);
    assert_found(s, "nobody", NULL);
    /* The one whose name was taken is called by the user ID. */
    assert_found(s, c->uid_text, c);
    identity_unref(a);
    identity_unref(b);
    identity_unref(c);
}

static void addresses_find_whom_they_were_pinned_to(void **state)
{
    struct vault_fix *s = *state;
    struct identity *a = vault_fix_somebody(s), *b = vault_fix_somebody(s);
    struct contact c = {0};

    assert_int_equal(pin(s, a, NULL, "bob"), ERR_OK);
    assert_int_equal(pin(s, b, "bob@example.com", "x"), ERR_OK);
    assert_found(s, "bob@example.org", NULL);
    assert_int_equal(contact_load(s->vault, &a->uid, &c, NULL), ERR_OK);
    snprintf(c.email, sizeof(c.email), "bob@example.org");
    assert_int_equal(vault_lock(s->vault, NULL), ERR_OK);
    assert_int_equal(contact_save(s->vault, &c, NULL), ERR_OK);
    vault_unlock(s->vault);
    contact_free(&c);
    assert_found(s, "bob@example.org", a);
    assert_found(s, "BOB@Example.org", a);
    assert_found(s, "bob@example.com", b); /* a name */
    assert_found(s, "", NULL);
    assert_found(s, "bob@example", NULL);
    identity_unref(a);
    identity_unref(b);
}

static void names_are_unique(void **state)
{
    struct vault_fix *s = *state;
    struct identity *a = vault_fix_somebody(s), *b = vault_fix_somebody(s);

    assert_int_equal(pin(s, a, "bob", "x"), ERR_OK);
    assert_int_equal(pin(s, b, "bob", "y"), ERR_EXISTS);
    assert_int_equal(pin(s, a, "bob", "x"), ERR_OK);
    assert_int_equal(pin(s, a, "robert", "x"), ERR_OK);
    assert_int_equal(pin(s, b, "bob", "y"), ERR_OK);
    assert_found(s, "bob", b);
    assert_found(s, "robert", a);
    /* What the server says later does not change a name of ours. */
    assert_int_equal(pin(s, a, NULL, "zoe"), ERR_OK);
    assert_found(s, "robert", a);
    assert_found(s, "zoe", a);
    identity_unref(a);
    identity_unref(b);
}

static void usernames_of_a_hostile_server(void **state)
{
    struct vault_fix *s = *state;
    struct identity *a = vault_fix_somebody(s);

    assert_int_equal(pin(s, a, NULL, "evil\x1b[31m"), ERR_OK);
    assert_found(s, "evil\x1b[31m", NULL);
    assert_found(s, a->uid_text, a);
    identity_unref(a);
}

static void bad_contact_names(void **state)
{
    char longest[65];
    const char *const names[] = {"",     "a,b",   "a\nb",
                                 "\x7f", "\xff",  " a",
                                 "a ",   longest, "sat1ysssskdv2345wr92yd067zxmf8kytfaye4lhpw"};

    (void)state;
    memset(longest, 'a', sizeof(longest));
    longest[64] = '\0';
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_int_equal(contact_check_name(names[i], NULL), ERR_INVALID);
    longest[63] = '\0';
    assert_int_equal(contact_check_name(longest, NULL), ERR_OK);
    assert_int_equal(contact_check_name("\xc3\x84nne d'Arc", NULL), ERR_OK);
}

static int count_rows(void *cookie, const struct contact *c, const struct manifest *newest,
                      struct err *err)
{
    (void)err;
    assert_memory_equal(&c->chain.uid, &newest->uid, sizeof(newest->uid));
    *(int *)cookie += 1;
    return ERR_OK;
}

static void contacts_are_walked(void **state)
{
    struct vault_fix *s = *state;
    struct identity *a = vault_fix_somebody(s), *b = vault_fix_somebody(s);
    int n = 0;

    assert_int_equal(pin(s, a, NULL, "a"), ERR_OK);
    assert_int_equal(pin(s, b, NULL, "b"), ERR_OK);
    assert_int_equal(contact_each(s->vault, count_rows, &n, NULL), ERR_OK);
    assert_int_equal(n, 2);
    identity_unref(a);
    identity_unref(b);
}

static void verification_holds_for_one_pair_of_keys(void **state)
{
    struct vault_fix *s = *state;
    struct identity *me = vault_fix_somebody(s), *other_me = vault_fix_somebody(s),
                    *bob = vault_fix_somebody(s);
    struct contact c = vault_fix_contact(bob);
    char number[SAFETY_TEXT], other[SAFETY_TEXT];
    bool verified = true;

    assert_int_equal(contact_safety(&c, c.chain.m[0], me->chain.m[0], number, &verified, NULL),
                     ERR_OK);
    assert_false(verified);
    assert_int_equal(strlen(number), 71);
    memcpy(c.verified, number, sizeof(number));
    assert_int_equal(contact_safety(&c, c.chain.m[0], me->chain.m[0], number, &verified, NULL),
                     ERR_OK);
    assert_true(verified);
    assert_int_equal(contact_safety(&c, c.chain.m[0], other_me->chain.m[0], other, &verified, NULL),
                     ERR_OK);
    assert_false(verified);
    assert_string_not_equal(number, other);
    contact_free(&c);
    identity_unref(me);
    identity_unref(other_me);
    identity_unref(bob);
}

/* A record that holds something else than a contact of this user. */
static void contacts_that_do_not_hold_together(void **state)
{
    struct vault_fix *s = *state;
    struct identity *a = vault_fix_somebody(s), *b = vault_fix_somebody(s);
    struct contact mixed = vault_fix_contact(a), c = {0};
    uint8_t id[VAULT_RECORD_ID_LEN];

    mixed.chain.uid = b->uid; /* a's manifests under b's ID */
    assert_int_equal(vault_lock(s->vault, NULL), ERR_OK);
    assert_int_equal(contact_save(s->vault, &mixed, NULL), ERR_OK);
    assert_int_equal(contact_load(s->vault, &b->uid, &c, NULL), ERR_CORRUPT);
    assert_int_equal(vault_id(s->vault, "contact", PART_OF(a->uid.b), id, NULL), ERR_OK);
    assert_int_equal(vault_put(s->vault, "contact", id, part_str("\xff\xff"), NULL), ERR_OK);
    vault_unlock(s->vault);
    assert_int_equal(contact_load(s->vault, &a->uid, &c, NULL), ERR_CORRUPT);
    contact_free(&mixed);
    identity_unref(a);
    identity_unref(b);
}

/* ---- groups ---- */

static int count_group(void *cookie, const struct group *g, struct err *err)
{
    size_t *n = cookie;

    (void)err;
    *n += g->n;
    return ERR_OK;
}

static void groups_hold_members(void **state)
{
    struct vault_fix *s = *state;
    struct group *g = calloc(1, sizeof(*g));
    struct uid a = {{1}}, b = {{2}};
    size_t n = 0;

    assert_int_equal(vault_lock(s->vault, NULL), ERR_OK);
    assert_int_equal(group_load(s->vault, "team", g, NULL), ERR_NOTFOUND);
    assert_false(group_exists(s->vault, "team"));
    assert_int_equal(group_remove(s->vault, "team", &a, NULL), ERR_NOTFOUND);
    assert_int_equal(group_add(s->vault, "team", &a, NULL), ERR_OK);
    assert_int_equal(group_add(s->vault, "team", &a, NULL), ERR_OK); /* once */
    assert_int_equal(group_add(s->vault, "team", &b, NULL), ERR_OK);
    assert_int_equal(group_add(s->vault, "other", &b, NULL), ERR_OK);
    assert_int_equal(group_load(s->vault, "team", g, NULL), ERR_OK);
    assert_int_equal(g->n, 2);
    assert_string_equal(g->name, "team");
    assert_memory_equal(&g->members[0], &a, sizeof(a));
    assert_int_equal(group_each(s->vault, count_group, &n, NULL), ERR_OK);
    assert_int_equal(n, 3);
    assert_int_equal(group_remove(s->vault, "team", &a, NULL), ERR_OK);
    assert_int_equal(group_remove(s->vault, "team", &a, NULL), ERR_NOTFOUND);
    assert_int_equal(group_forget(s->vault, &b, NULL), ERR_OK); /* the last one of both */
    assert_int_equal(group_load(s->vault, "team", g, NULL), ERR_OK);
    assert_int_equal(g->n, 0);
    assert_true(group_exists(s->vault, "other"));
    assert_int_equal(group_delete(s->vault, "team", NULL), ERR_OK);
    assert_int_equal(group_delete(s->vault, "team", NULL), ERR_NOTFOUND);
    assert_false(group_exists(s->vault, "team"));
    vault_unlock(s->vault);
    free(g);
}

static void groups_and_contacts_have_different_names(void **state)
{
    struct vault_fix *s = *state;
    struct contact c = {0};
    struct identity *id = vault_fix_somebody(s);
    enum chain_change change;
    struct manifest *m = NULL;
    struct buf raw = {0};
    struct uid a = {{1}};

    assert_int_equal(vault_lock(s->vault, NULL), ERR_OK);
    c.chain.uid = id->uid;
    assert_int_equal(manifest_pack(id->chain.m[0], &raw, NULL), ERR_OK);
    assert_int_equal(manifest_parse_signed(part(raw.data, raw.len), &m, NULL), ERR_OK);
    assert_int_equal(chain_add(&c.chain, m, &change, NULL), ERR_OK);
    assert_int_equal(group_add(s->vault, "team", &a, NULL), ERR_OK);
    assert_int_equal(contact_name(s->vault, &c, "team", "bob", NULL), ERR_EXISTS);
    assert_int_equal(contact_name(s->vault, &c, NULL, "team", NULL), ERR_OK);
    assert_string_not_equal(c.name, "team"); /* the user ID instead */
    assert_int_equal(contact_name(s->vault, &c, "bob", "bob", NULL), ERR_OK);
    assert_int_equal(contact_save(s->vault, &c, NULL), ERR_OK);
    assert_int_equal(group_add(s->vault, "bob", &a, NULL), ERR_EXISTS);
    assert_int_equal(group_add(s->vault, "a,b", &a, NULL), ERR_INVALID);
    assert_int_equal(group_add(s->vault, "", &a, NULL), ERR_INVALID);
    vault_unlock(s->vault);
    contact_free(&c);
    buf_free(&raw);
    identity_unref(id);
}

static void groups_are_limited(void **state)
{
    struct vault_fix *s = *state;
    struct uid u = {{0}};

    assert_int_equal(vault_lock(s->vault, NULL), ERR_OK);
    for (unsigned i = 0; i < GROUP_MAX; i++) {
        u.b[0] = (uint8_t)i;
        assert_int_equal(group_add(s->vault, "all", &u, NULL), ERR_OK);
    }
    u.b[1] = 1;
    assert_int_equal(group_add(s->vault, "all", &u, NULL), ERR_LIMIT);
    vault_unlock(s->vault);
}

static void groups_that_do_not_hold_together(void **state)
{
    /* A member of 3 bytes; no name; another version. */
    static const struct {
        const char *bytes;
        size_t len;
    } bad[] = {{"\x08\x01\x12\x01x\x1a\x03yyy", 10},
               {"\x08\x01\x1a\x14yyyyyyyyyyyyyyyyyyyy", 24},
               {"\x08\x02\x12\x01x\x1a\x14yyyyyyyyyyyyyyyyyyyy", 27},
               {"\xff", 1}};
    struct vault_fix *s = *state;
    struct group *g = calloc(1, sizeof(*g));
    uint8_t id[VAULT_RECORD_ID_LEN];

    assert_int_equal(vault_id(s->vault, "group", part_str("x"), id, NULL), ERR_OK);
    assert_int_equal(vault_lock(s->vault, NULL), ERR_OK);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(vault_put(s->vault, "group", id, part(bad[i].bytes, bad[i].len), NULL),
                         ERR_OK);
        assert_int_equal(group_load(s->vault, "x", g, NULL), ERR_CORRUPT);
    }
    vault_unlock(s->vault);
    free(g);
}

/* What stops a send comes back from the vault, until it was seen. */
static void a_replaced_key_must_be_seen(void **state)
{
    struct vault_fix *s = *state;
    struct contact c = {.name = "bob", .replaced = true, .blocked = true}, back = {0};
    struct identity *id = vault_fix_somebody(s);
    enum chain_change change;
    struct manifest *m = NULL;
    struct buf raw = {0};

    c.chain.uid = id->uid;
    assert_int_equal(manifest_pack(id->chain.m[0], &raw, NULL), ERR_OK);
    assert_int_equal(manifest_parse_signed(part(raw.data, raw.len), &m, NULL), ERR_OK);
    assert_int_equal(chain_add(&c.chain, m, &change, NULL), ERR_OK);
    assert_int_equal(vault_lock(s->vault, NULL), ERR_OK);
    assert_int_equal(contact_save(s->vault, &c, NULL), ERR_OK);
    assert_int_equal(contact_load(s->vault, &id->uid, &back, NULL), ERR_OK);
    vault_unlock(s->vault);
    assert_true(back.replaced);
    assert_true(back.blocked);
    assert_int_equal(contact_check_seen(&back, NULL), ERR_KEYCHANGED);
    back.replaced = false;
    assert_int_equal(contact_check_seen(&back, NULL), ERR_OK);
    contact_free(&c);
    contact_free(&back);
    buf_free(&raw);
    identity_unref(id);
}

/* ---- what a recovery has still to bring back ---- */

/* The record's plaintext, as it would be made now; the caller frees it. */
static void build(struct vault_fix *s, const struct identity *self, struct secret *ret)
{
    struct backup_made made;

    assert_int_equal(vault_lock(s->vault, NULL), ERR_OK);
    assert_int_equal(backup_build(s->vault, self, ret, &made, NULL), ERR_OK);
    vault_unlock(s->vault);
}

static void note_rest(struct vault_fix *s, const struct secret *plain)
{
    assert_int_equal(vault_lock(s->vault, NULL), ERR_OK);
    assert_int_equal(backup_note_rest(s->vault, plain, NULL), ERR_OK);
    vault_unlock(s->vault);
}

/* Forget ${id}, as a machine does that never knew him. */
static void forget(struct vault_fix *s, const struct identity *id)
{
    assert_int_equal(vault_lock(s->vault, NULL), ERR_OK);
    assert_int_equal(contact_delete(s->vault, &id->uid, NULL), ERR_OK);
    assert_int_equal(group_remove(s->vault, "team", &id->uid, NULL), ERR_OK);
    vault_unlock(s->vault);
}

/* A record that is made before the contacts are back keeps them, each once. */
static void a_record_keeps_what_is_not_back_yet(void **state)
{
    struct vault_fix *s = *state;
    struct identity *self = vault_fix_somebody(s), *bob = vault_fix_somebody(s),
                    *carol = vault_fix_somebody(s);
    struct secret first = {0}, second = {0};
    struct backup_contact *list = NULL;
    struct backup_lost lost = {0};
    struct contact c = {0};
    struct group team;
    size_t n = 0;

    assert_int_equal(pin(s, bob, "Robert", "bob"), ERR_OK);
    assert_int_equal(pin(s, carol, NULL, "carol"), ERR_OK);
    assert_int_equal(vault_lock(s->vault, NULL), ERR_OK);
    assert_int_equal(group_add(s->vault, "team", &bob->uid, NULL), ERR_OK);
    assert_int_equal(group_add(s->vault, "team", &carol->uid, NULL), ERR_OK);
    assert_int_equal(contact_load(s->vault, &bob->uid, &c, NULL), ERR_OK);
    c.blocked = true;
    assert_int_equal(contact_save(s->vault, &c, NULL), ERR_OK);
    contact_free(&c);
    vault_unlock(s->vault);
    build(s, self, &first);
    note_rest(s, &first);
    forget(s, bob);
    forget(s, carol);
    assert_int_equal(pin(s, bob, NULL, "bob"), ERR_OK); /* looked up, and no more */
    build(s, self, &second);
    note_rest(s, &second);
    assert_int_equal(backup_rest(s->vault, &list, &n, NULL), ERR_OK);
    assert_int_equal(n, 2);
    for (size_t i = 0; i < n; i++) {
        bool is_bob = memcmp(&list[i].uid, &bob->uid, sizeof(bob->uid)) == 0;

        assert_string_equal(list[i].name, is_bob ? "Robert" : "carol");
        assert_int_equal(list[i].blocked, is_bob);
        assert_int_equal(list[i].named, is_bob);
    }
    free(list);
    /* The groups are made of those that are contacts again. */
    assert_int_equal(pin(s, carol, NULL, "carol"), ERR_OK);
    assert_int_equal(vault_lock(s->vault, NULL), ERR_OK);
    assert_int_equal(backup_make_groups(s->vault, &lost, NULL), ERR_OK);
    assert_int_equal(lost.n, 0);
    vault_unlock(s->vault);
    assert_int_equal(group_load(s->vault, "team", &team, NULL), ERR_OK);
    assert_int_equal(team.n, 2);
    /* When all is back only what is known counts. */
    note_rest(s, NULL);
    secret_free(&second);
    build(s, self, &second);
    note_rest(s, &second);
    assert_int_equal(backup_rest(s->vault, &list, &n, NULL), ERR_OK);
    assert_int_equal(n, 2);
    for (size_t i = 0; i < n; i++)
        assert_false(list[i].blocked);
    free(list);
    secret_free(&first);
    secret_free(&second);
    identity_unref(self);
    identity_unref(bob);
    identity_unref(carol);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(contacts_come_back, vault_fix_setup, vault_fix_teardown),
        cmocka_unit_test_setup_teardown(names_resolve_in_order, vault_fix_setup,
                                        vault_fix_teardown),
        cmocka_unit_test_setup_teardown(addresses_find_whom_they_were_pinned_to, vault_fix_setup,
                                        vault_fix_teardown),
        cmocka_unit_test_setup_teardown(names_are_unique, vault_fix_setup, vault_fix_teardown),
        cmocka_unit_test_setup_teardown(usernames_of_a_hostile_server, vault_fix_setup,
                                        vault_fix_teardown),
        cmocka_unit_test_setup_teardown(bad_contact_names, vault_fix_setup, vault_fix_teardown),
        cmocka_unit_test_setup_teardown(contacts_are_walked, vault_fix_setup, vault_fix_teardown),
        cmocka_unit_test_setup_teardown(verification_holds_for_one_pair_of_keys, vault_fix_setup,
                                        vault_fix_teardown),
        cmocka_unit_test_setup_teardown(contacts_that_do_not_hold_together, vault_fix_setup,
                                        vault_fix_teardown),
        cmocka_unit_test_setup_teardown(groups_hold_members, vault_fix_setup, vault_fix_teardown),
        cmocka_unit_test_setup_teardown(groups_and_contacts_have_different_names, vault_fix_setup,
                                        vault_fix_teardown),
        cmocka_unit_test_setup_teardown(groups_are_limited, vault_fix_setup, vault_fix_teardown),
        cmocka_unit_test_setup_teardown(groups_that_do_not_hold_together, vault_fix_setup,
                                        vault_fix_teardown),
        cmocka_unit_test_setup_teardown(a_replaced_key_must_be_seen, vault_fix_setup,
                                        vault_fix_teardown),
        cmocka_unit_test_setup_teardown(a_record_keeps_what_is_not_back_yet, vault_fix_setup,
                                        vault_fix_teardown),
    };

    return cmocka_run_group_tests_name("contact", tests, NULL, NULL);
}
