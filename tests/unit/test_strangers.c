/* SPDX-License-Identifier: Apache-2.0 */
/* Strangers, who have only sent us something: they fill neither the vault nor the account record.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/local/backup.h"
#include "client/local/contact.h"
#include "client/local/group.h"
#include "client/local/identity.h"
#include "tests/unit/vault_fix.h"

enum { STRANGERS = CONTACT_STRANGERS_MAX };

enum { CHOSEN = 1, REPLACED = 2 };

/* Pin somebody at ${when}, with an address that takes room in the record. */
static void pin_at(struct vault_fix *s, struct uid *ret_uid, uint64_t when, int what)
{
    struct identity *id = vault_fix_somebody(s);
    struct contact c = vault_fix_contact(id);

    c.added = when;
    c.chosen = (what & CHOSEN) != 0;
    c.replaced = (what & REPLACED) != 0;
    memset(c.email, 'x', 240);
    c.email[100] = '@';
    assert_int_equal(vault_lock(s->vault, NULL), ERR_OK);
    assert_int_equal(contact_name(s->vault, &c, NULL, "", NULL), ERR_OK);
    assert_int_equal(contact_save(s->vault, &c, NULL), ERR_OK);
    vault_unlock(s->vault);
    *ret_uid = id->uid;
    contact_free(&c);
    identity_unref(id);
}

static size_t bound(struct vault_fix *s)
{
    size_t left = 0;

    assert_int_equal(vault_lock(s->vault, NULL), ERR_OK);
    assert_int_equal(contact_bound_strangers(s->vault, &left, NULL), ERR_OK);
    vault_unlock(s->vault);
    return left;
}

/* They fill neither the vault nor the record for a recovery. */
static void strangers_make_room(void **state)
{
    struct vault_fix *s = *state;
    struct identity *self = vault_fix_somebody(s);
    struct uid *uids = calloc(STRANGERS, sizeof(*uids)), friend;
    struct backup_contact *list = NULL;
    struct backup_made made;
    struct secret plain = {0};
    struct contact c = {0};
    size_t n;
    bool found = false;

    for (size_t i = 0; i < STRANGERS - 1; i++)
        pin_at(s, &uids[i], VAULT_FIX_NOW + i, 0);
    assert_int_equal(bound(s), STRANGERS - 1);
    pin_at(s, &friend, VAULT_FIX_NOW - 1, CHOSEN); /* the oldest, but no stranger */
    pin_at(s, &uids[STRANGERS - 1], VAULT_FIX_NOW + STRANGERS, 0);
    assert_int_equal(vault_lock(s->vault, NULL), ERR_OK);
    assert_int_equal(backup_build(s->vault, self, &plain, &made, NULL), ERR_OK);
    assert_int_equal(backup_note_rest(s->vault, &plain, NULL), ERR_OK);
    vault_unlock(s->vault);
    assert_int_equal(made.left_out, 0); /* of those who count */
    assert_int_equal(backup_rest(s->vault, &list, &n, NULL), ERR_OK);
    assert_in_range(n, 10, STRANGERS - 1);
    for (size_t i = 0; i < n; i++)
        found |= memcmp(&list[i].uid, &friend, sizeof(friend)) == 0;
    assert_true(found);
    assert_int_equal(bound(s), CONTACT_STRANGERS_LEFT);
    assert_int_equal(contact_load(s->vault, &uids[0], &c, NULL), ERR_NOTFOUND);
    assert_int_equal(contact_load(s->vault, &uids[STRANGERS - 1], &c, NULL), ERR_OK);
    contact_free(&c);
    assert_int_equal(contact_load(s->vault, &friend, &c, NULL), ERR_OK);
    contact_free(&c);
    secret_free(&plain);
    free(list);
    free(uids);
    identity_unref(self);
}

static bool is_pinned(struct vault_fix *s, const struct uid *uid)
{
    struct contact c = {0};
    int rc = contact_load(s->vault, uid, &c, NULL);

    assert_true(rc == ERR_OK || rc == ERR_NOTFOUND);
    contact_free(&c);
    return rc == ERR_OK;
}

/* A server that replaces keys does not make them any less strangers. */
static void replaced_keys_count(void **state)
{
    struct vault_fix *s = *state;
    struct uid *uids = calloc(STRANGERS, sizeof(*uids));

    for (size_t i = 0; i < STRANGERS; i++)
        pin_at(s, &uids[i], VAULT_FIX_NOW + i, i < 200 ? REPLACED : 0);
    assert_int_equal(bound(s), CONTACT_STRANGERS_LEFT);
    /* Those who have nothing to tell went first, then the oldest. */
    for (size_t i = 0; i < STRANGERS; i++)
        assert_int_equal(is_pinned(s, &uids[i]), i >= 8 && i < 200);
    free(uids);
}

/* Who is in a group stays, and counts in the record, whatever his contact says. */
static void members_are_no_strangers(void **state)
{
    struct vault_fix *s = *state;
    struct uid *uids = calloc(STRANGERS + 1, sizeof(*uids));
    struct identity *self = vault_fix_somebody(s);
    struct backup_contact *list = NULL;
    struct secret plain = {0};
    struct backup_made made;
    bool found = false;
    size_t n;

    for (size_t i = 0; i <= STRANGERS; i++)
        pin_at(s, &uids[i], VAULT_FIX_NOW + i, 0);
    assert_int_equal(vault_lock(s->vault, NULL), ERR_OK);
    assert_int_equal(group_add(s->vault, "all", &uids[1], NULL), ERR_OK);
    assert_int_equal(group_add(s->vault, "all", &uids[0], NULL), ERR_OK);
    assert_int_equal(group_add(s->vault, "some", &uids[0], NULL), ERR_OK);
    assert_int_equal(group_remove(s->vault, "all", &uids[1], NULL), ERR_OK);
    assert_int_equal(backup_build(s->vault, self, &plain, &made, NULL), ERR_OK);
    assert_int_equal(backup_note_rest(s->vault, &plain, NULL), ERR_OK);
    vault_unlock(s->vault);
    assert_int_equal(backup_rest(s->vault, &list, &n, NULL), ERR_OK);
    assert_in_range(n, 10, STRANGERS);
    for (size_t i = 0; i < n; i++)
        found |= memcmp(&list[i].uid, &uids[0], sizeof(*uids)) == 0;
    assert_true(found);
    assert_int_equal(bound(s), CONTACT_STRANGERS_LEFT);
    assert_true(is_pinned(s, &uids[0]));
    assert_false(is_pinned(s, &uids[1]));
    secret_free(&plain);
    free(list);
    free(uids);
    identity_unref(self);
}

static void ranks(void **state)
{
    struct contact c = {0};

    (void)state;
    assert_int_equal(contact_rank(&c), CONTACT_STRANGER);
    c.chosen = true;
    assert_int_equal(contact_rank(&c), 3);
    c.blocked = true;
    assert_int_equal(contact_rank(&c), 2);
    c.named = true;
    assert_int_equal(contact_rank(&c), 1);
    c.verified[0] = '1';
    assert_int_equal(contact_rank(&c), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranks),
        cmocka_unit_test_setup_teardown(strangers_make_room, vault_fix_setup, vault_fix_teardown),
        cmocka_unit_test_setup_teardown(replaced_keys_count, vault_fix_setup, vault_fix_teardown),
        cmocka_unit_test_setup_teardown(members_are_no_strangers, vault_fix_setup,
                                        vault_fix_teardown),
    };

    return cmocka_run_group_tests_name("strangers", tests, NULL, NULL);
}
