/* SPDX-License-Identifier: Apache-2.0 */
/* Whose the names of the account record are, while contacts and groups are still coming back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/local/backup.h"
#include "client/local/group.h"
#include "client/op/contacts.h"
#include "tests/unit/vault_fix.h"

/* A record with bob, whom we call boss, carol, and the group team of both; nothing of it is back.
 */
struct pending {
    struct vault_fix old, now;
    struct identity *self, *bob, *carol, *thief;
};

/* Pin ${id} under a name of ours or, with NULL, the username alone.  With the lock. */
static int pin(struct vault *v, const struct identity *id, const char *name, const char *username)
{
    struct contact c = {0};
    int rc;

    if (contact_load(v, &id->uid, &c, NULL) != ERR_OK)
        c = vault_fix_contact(id);
    rc = contact_name(v, &c, name, username, NULL);
    if (rc == ERR_OK)
        assert_int_equal(contact_save(v, &c, NULL), ERR_OK);
    contact_free(&c);
    return rc;
}

static int setup(void **state)
{
    struct pending *p = calloc(1, sizeof(*p));
    struct secret plain = {0};
    struct backup_made made;
    struct vault *v;

    assert_non_null(p);
    vault_fix_make(&p->old);
    vault_fix_make(&p->now);
    v = p->old.vault;
    p->self = vault_fix_somebody(&p->old);
    p->bob = vault_fix_somebody(&p->old);
    p->carol = vault_fix_somebody(&p->old);
    p->thief = vault_fix_somebody(&p->old);
    assert_int_equal(vault_lock(v, NULL), ERR_OK);
    assert_int_equal(pin(v, p->bob, "boss", "bob"), ERR_OK);
    assert_int_equal(pin(v, p->carol, NULL, "carol"), ERR_OK);
    assert_int_equal(group_add(v, "team", &p->bob->uid, NULL), ERR_OK);
    assert_int_equal(group_add(v, "team", &p->carol->uid, NULL), ERR_OK);
    assert_int_equal(group_make(v, "empty", NULL), ERR_OK);
    assert_int_equal(backup_build(v, p->self, &plain, &made, NULL), ERR_OK);
    vault_unlock(v);
    assert_int_equal(vault_lock(p->now.vault, NULL), ERR_OK);
    assert_int_equal(backup_note_rest(p->now.vault, &plain, NULL), ERR_OK);
    secret_free(&plain);
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    struct pending *p = *state;

    vault_unlock(p->now.vault);
    vault_fix_free(&p->old);
    vault_fix_free(&p->now);
    identity_unref(p->self);
    identity_unref(p->bob);
    identity_unref(p->carol);
    identity_unref(p->thief);
    free(p);
    return 0;
}

static void strangers_do_not_get_them(void **state)
{
    static const char *const names[] = {"team", "boss", "empty"};
    struct pending *p = *state;
    struct vault *v = p->now.vault;
    struct uid uid;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_int_equal(pin(v, p->thief, NULL, names[i]), ERR_OK);
        assert_int_equal(contact_find(v, names[i], &uid, NULL), ERR_NOTFOUND);
        assert_int_equal(pin(v, p->thief, names[i], ""), ERR_EXISTS);
    }
    assert_int_equal(group_add(v, "boss", &p->thief->uid, NULL), ERR_EXISTS);
    assert_int_equal(pin(v, p->bob, "boss", "bob"), ERR_OK); /* his own */
    assert_int_equal(backup_note_rest(v, NULL, NULL), ERR_OK);
    assert_int_equal(pin(v, p->thief, NULL, "team"), ERR_OK); /* nothing holds it any more */
    assert_int_equal(contact_find(v, "team", &uid, NULL), ERR_OK);
}

static void groups_come_back(void **state)
{
    struct pending *p = *state;
    struct vault *v = p->now.vault;
    struct backup_lost lost = {0};
    struct group g;

    assert_int_equal(pin(v, p->thief, NULL, "team"), ERR_OK);
    assert_int_equal(pin(v, p->bob, "boss", "bob"), ERR_OK);
    assert_int_equal(backup_make_groups(v, &lost, NULL), ERR_OK);
    assert_int_equal(lost.n, 0);
    assert_int_equal(group_load(v, "team", &g, NULL), ERR_OK);
    assert_int_equal(g.n, 1); /* carol is gone */
    assert_memory_equal(&g.members[0], &p->bob->uid, sizeof(struct uid));
    assert_int_equal(group_load(v, "empty", &g, NULL), ERR_OK);
    assert_int_equal(g.n, 0);
    backup_lost_free(&lost);
}

/* A vault in which somebody has the name already, whoever gave it to him. */
static void a_lost_group_is_named(void **state)
{
    struct pending *p = *state;
    struct vault *v = p->now.vault;
    struct contact c = vault_fix_contact(p->thief);
    struct backup_lost lost = {0};

    (void)snprintf(c.name, sizeof(c.name), "team");
    assert_int_equal(contact_save(v, &c, NULL), ERR_OK);
    contact_free(&c);
    assert_int_equal(backup_make_groups(v, &lost, NULL), ERR_OK);
    assert_int_equal(lost.n, 1);
    assert_string_equal(lost.names[0], "team");
    assert_false(group_exists(v, "team"));
    assert_true(group_exists(v, "empty"));
    backup_lost_free(&lost);
}

static int expand(struct vault *v, const char *who, size_t *ret_n)
{
    char *name = strdup(who), **to = NULL;
    int rc;

    assert_non_null(name);
    rc = contacts_expand(v, &name, 1, GROUP_MAX, &to, ret_n, NULL);
    for (size_t i = 0; rc == ERR_OK && i < *ret_n; i++)
        free(to[i]);
    free(to);
    free(name);
    return rc;
}

static void nothing_is_sent_to_them(void **state)
{
    struct pending *p = *state;
    struct vault *v = p->now.vault;
    struct backup_lost lost = {0};
    char text[IDS_UID_TEXT];
    size_t n = 0;

    assert_int_equal(pin(v, p->thief, NULL, "carol"), ERR_OK); /* says the server */
    assert_int_equal(expand(v, "team", &n), ERR_REFUSED);
    assert_int_equal(expand(v, "boss", &n), ERR_REFUSED);
    assert_int_equal(expand(v, "carol", &n), ERR_REFUSED);
    assert_int_equal(expand(v, "empty", &n), ERR_REFUSED);
    assert_int_equal(expand(v, "dave", &n), ERR_OK); /* not of the record */
    ids_uid_to_text(&p->bob->uid, text);
    assert_int_equal(expand(v, text, &n), ERR_OK); /* nobody else can have it */
    assert_int_equal(pin(v, p->bob, "boss", "bob"), ERR_OK);
    assert_int_equal(expand(v, "boss", &n), ERR_OK);
    assert_int_equal(backup_make_groups(v, &lost, NULL), ERR_OK);
    assert_int_equal(backup_note_rest(v, NULL, NULL), ERR_OK);
    assert_int_equal(expand(v, "team", &n), ERR_OK);
    assert_int_equal(n, 1);
    assert_int_equal(expand(v, "empty", &n), ERR_NOTFOUND); /* it has nobody in it */
    backup_lost_free(&lost);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(strangers_do_not_get_them, setup, teardown),
        cmocka_unit_test_setup_teardown(groups_come_back, setup, teardown),
        cmocka_unit_test_setup_teardown(a_lost_group_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_is_sent_to_them, setup, teardown),
    };

    return cmocka_run_group_tests_name("restore_names", tests, NULL, NULL);
}
