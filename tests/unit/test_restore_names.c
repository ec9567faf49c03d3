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
#include "client/local/pb_secret.h"
#include "client/op/contacts.h"
#include "proto/vault.pb-c.h"
#include "tests/unit/vault_fix.h"

/* A record with bob, whom we call boss, carol, who has an address, and the group team of both;
 * nothing of it is back. */
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

static void give_address(struct vault *v, const struct identity *id, const char *email)
{
    struct contact c = {0};

    assert_int_equal(contact_load(v, &id->uid, &c, NULL), ERR_OK);
    (void)snprintf(c.email, sizeof(c.email), "%s", email);
    assert_int_equal(contact_save(v, &c, NULL), ERR_OK);
    contact_free(&c);
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
    give_address(v, p->carol, "carol@example.org");
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
    char *name = strdup(who);
    struct contacts_list to = {0}, given = {.who = &name, .n = 1};
    int rc;

    assert_non_null(name);
    rc = contacts_expand(v, &given, GROUP_MAX, &to, NULL);
    for (size_t i = 0; i < to.n; i++)
        free(to.who[i]);
    if (rc == ERR_OK)
        *ret_n = to.n;
    free(to.who);
    free(name);
    return rc;
}

static void assert_finds(struct vault *v, const char *name, const struct identity *id)
{
    struct uid uid;

    assert_int_equal(contact_find(v, name, &uid, NULL), id != NULL ? ERR_OK : ERR_NOTFOUND);
    if (id != NULL)
        assert_memory_equal(&uid, &id->uid, sizeof(uid));
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
    assert_int_equal(expand(v, "bob", &n), ERR_REFUSED); /* his username, besides our name */
    assert_int_equal(expand(v, "carol@example.org", &n), ERR_REFUSED);
    assert_int_equal(expand(v, "Carol@Example.ORG", &n), ERR_REFUSED);
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
    assert_finds(v, "carol", NULL);                         /* she is lost, and he is not she */
    backup_lost_free(&lost);
}

/* Names and usernames of the record are their owners', in whatever order they come back. */
static void usernames_are_not_exchanged(void **state)
{
    struct pending *p = *state;
    struct vault *v = p->now.vault;

    assert_int_equal(pin(v, p->thief, NULL, "carol"), ERR_OK); /* says the server */
    assert_int_equal(pin(v, p->bob, "boss", "carol"), ERR_OK);
    assert_finds(v, "carol", NULL);
    assert_int_equal(pin(v, p->thief, NULL, "bob"), ERR_OK);
    assert_int_equal(pin(v, p->thief, "carol", ""), ERR_EXISTS);
    assert_int_equal(pin(v, p->thief, "carol@example.org", ""), ERR_EXISTS);
    assert_int_equal(group_make(v, "carol", NULL), ERR_EXISTS);
    assert_int_equal(pin(v, p->carol, NULL, "carol"), ERR_OK);
    assert_int_equal(pin(v, p->bob, "boss", "bob"), ERR_OK);
    assert_int_equal(backup_note_rest(v, NULL, NULL), ERR_OK);
    assert_finds(v, "carol", p->carol);
    assert_finds(v, "boss", p->bob);
    assert_finds(v, "bob", p->bob);
}

/* The username of one may be our name for another: both come back. */
static void our_name_goes_before_a_username(void **state)
{
    struct pending *p = *state;
    struct vault *v = p->old.vault;
    struct secret plain = {0};
    struct backup_made made;
    size_t n = 0;

    assert_int_equal(vault_lock(v, NULL), ERR_OK);
    assert_int_equal(pin(v, p->thief, "bob", "robert"), ERR_OK);
    assert_int_equal(backup_build(v, p->self, &plain, &made, NULL), ERR_OK);
    vault_unlock(v);
    v = p->now.vault;
    assert_int_equal(backup_note_rest(v, &plain, NULL), ERR_OK);
    assert_int_equal(pin(v, p->thief, "bob", "robert"), ERR_OK);
    assert_int_equal(expand(v, "bob", &n), ERR_OK);
    assert_int_equal(pin(v, p->bob, "boss", "bob"), ERR_OK);
    assert_finds(v, "bob", p->thief);
    assert_finds(v, "boss", p->bob);
    secret_free(&plain);
}

static void the_record_says_what_they_were_called(void **state)
{
    struct pending *p = *state;
    struct backup_contact *list = NULL;
    size_t n = 0;

    assert_int_equal(backup_rest(p->now.vault, &list, &n, NULL), ERR_OK);
    assert_int_equal(n, 2);
    for (size_t i = 0; i < n; i++) {
        bool is_bob = memcmp(&list[i].uid, &p->bob->uid, sizeof(struct uid)) == 0;

        assert_string_equal(list[i].name, is_bob ? "boss" : "carol");
        assert_string_equal(list[i].username, is_bob ? "bob" : "carol");
    }
    free(list);
}

/* A note that is damaged keeps nobody from sending to a user ID, which is said. */
static void a_damaged_note_says_what_to_do(void **state)
{
    struct pending *p = *state;
    struct vault *v = p->now.vault;
    uint8_t id[VAULT_RECORD_ID_LEN];
    char text[IDS_UID_TEXT];
    struct err err = {0};
    char *who = text;
    struct contacts_list to, given = {.who = &who, .n = 1};
    size_t n = 0;

    assert_int_equal(vault_id(v, "restore", part_str("self"), id, NULL), ERR_OK);
    assert_int_equal(vault_put(v, "restore", id, part_str("no message"), NULL), ERR_OK);
    (void)snprintf(text, sizeof(text), "dave");
    assert_int_equal(contacts_expand(v, &given, GROUP_MAX, &to, &err), ERR_CORRUPT);
    assert_non_null(strstr(err.hint, "user ID"));
    assert_non_null(strstr(err.hint, "contacts restore"));
    ids_uid_to_text(&p->bob->uid, text);
    assert_int_equal(expand(v, text, &n), ERR_OK);
}

/* A note of ${n} contacts, in ${now}. */
static void note_many(struct vault *v, size_t n, struct secret *ret_plain)
{
    Satchel__Account m = SATCHEL__ACCOUNT__INIT;
    Satchel__AccountContact *rows = calloc(n, sizeof(*rows)), **list = calloc(n, sizeof(*list));
    char(*names)[32] = calloc(n, sizeof(*names));
    uint8_t uid[IDS_UID_LEN] = {1}, hash[IDS_HASH_LEN] = {2};

    assert_true(rows != NULL && list != NULL && names != NULL);
    for (size_t i = 0; i < n; i++) {
        satchel__account_contact__init(&rows[i]);
        (void)snprintf(names[i], sizeof(names[i]), "contact-%zu", i);
        rows[i].name = names[i];
        rows[i].user_id = (ProtobufCBinaryData){sizeof(uid), uid};
        rows[i].manifest = (ProtobufCBinaryData){sizeof(hash), hash};
        list[i] = &rows[i];
    }
    m.version = 1;
    m.n_contacts = n;
    m.contacts = list;
    assert_int_equal(pb_secret_pack(&m.base, ret_plain, NULL), ERR_OK);
    assert_int_equal(backup_note_rest(v, ret_plain, NULL), ERR_OK);
    free(names);
    free(list);
    free(rows);
}

/* Names are looked for on several workers at once, and a note may be long. */
static void little_locked_memory_will_do(void **state)
{
    enum { CHUNK = 16 * 1024, CHUNKS = 80, ROWS = 300 };
    struct pending *p = *state;
    struct vault *v = p->now.vault;
    struct secret plain = {0}, *hoard = calloc(CHUNKS, sizeof(*hoard));
    struct identity_key keys[IDENTITY_KEYS_MAX] = {0};
    struct backup_contact *list = NULL;
    enum backup_claim claim;
    struct err err = {0};
    size_t n = 0, taken = 0;

    assert_non_null(hoard);
    note_many(v, ROWS, &plain);
    while (taken < CHUNKS && secret_new(&hoard[taken], CHUNK, NULL) == ERR_OK)
        taken++;
    assert_true(taken > 2 && taken < CHUNKS);
    secret_free(&hoard[--taken]); /* a little is left */
    secret_free(&hoard[--taken]);
    assert_int_equal(backup_claims(v, "contact-7", NULL, &claim, NULL), ERR_OK);
    assert_int_equal(claim, BACKUP_USERNAME);
    assert_int_equal(backup_rest(v, &list, &n, NULL), ERR_OK);
    assert_int_equal(n, ROWS);
    assert_int_equal(backup_keys(part_secret(&plain), keys, &n, &err), ERR_NOMEM);
    while (taken > 0)
        secret_free(&hoard[--taken]);
    assert_int_equal(backup_keys(part_secret(&plain), keys, &n, NULL), ERR_OK);
    assert_int_equal(n, 0);
    assert_int_equal(backup_keys(part_str("no message"), keys, &n, NULL), ERR_CORRUPT);
    secret_free(&plain);
    free(list);
    free(hoard);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(strangers_do_not_get_them, setup, teardown),
        cmocka_unit_test_setup_teardown(groups_come_back, setup, teardown),
        cmocka_unit_test_setup_teardown(a_lost_group_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_is_sent_to_them, setup, teardown),
        cmocka_unit_test_setup_teardown(usernames_are_not_exchanged, setup, teardown),
        cmocka_unit_test_setup_teardown(our_name_goes_before_a_username, setup, teardown),
        cmocka_unit_test_setup_teardown(the_record_says_what_they_were_called, setup, teardown),
        cmocka_unit_test_setup_teardown(little_locked_memory_will_do, setup, teardown),
        cmocka_unit_test_setup_teardown(a_damaged_note_says_what_to_do, setup, teardown),
    };

    return cmocka_run_group_tests_name("restore_names", tests, NULL, NULL);
}
