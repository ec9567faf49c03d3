/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client keeps, with the first, second, third ... allocation failing
 * until an operation passes untouched: out of memory and nothing else, nothing
 * handed out, nothing leaked (the address sanitizer looks), and what was on
 * the disk before can still be read.
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
#include "client/local/output.h"
#include "client/local/profile.h"
#include "tests/unit/alloc_fail.h"
#include "tests/unit/locked_heap.h"
#include "tests/unit/tmpdir.h"

#define NOW ((uint64_t)1800000000000)

static struct place place, fresh;
static struct profile *profile;
static struct contact contact;
static char dir[TMPDIR_SIZE];

/* ---- operations ------------------------------------------------------------------- */

static struct settings settings = {.server = (char *)"h:1", .ca_file = (char *)"system"};

static int begin_at(const struct place *at, struct profile **ret)
{
    struct profile_plan plan = {
        .place = at,
        .settings = &settings,
        .identity = {.username = "alice", .email = "a@example.org", .now = NOW}};

    return profile_begin(&plan, ret, NULL);
}

static int op_begin(void)
{
    struct profile *p = NULL;
    int rc = begin_at(&fresh, &p);

    assert_true((rc == ERR_OK) == (p != NULL));
    profile_close(p);
    return rc;
}

static int op_open(void)
{
    struct profile *p = NULL;
    int rc = profile_open(place.folder, NULL, &p, NULL);

    assert_true((rc == ERR_OK) == (p != NULL));
    profile_close(p);
    return rc;
}

static int op_look(void)
{
    struct profile_look l = {0};
    int rc = profile_look(place.folder, &l, NULL);

    if (rc == ERR_OK)
        assert_int_equal(l.state, PROFILE_PENDING);
    profile_look_free(&l);
    return rc;
}

static int op_next(void)
{
    struct identity *id = NULL;
    struct profile_care care = {.now = NOW + 29 * IDENTITY_DAY_MS};
    int rc = profile_plan_next(profile, &care, &id, NULL);

    assert_true((rc == ERR_OK) == (id != NULL));
    identity_unref(id);
    return rc;
}

static int op_contact_save(void)
{
    int rc = vault_lock(profile->vault, NULL);

    if (rc != ERR_OK)
        return rc;
    rc = contact_name(profile->vault, &contact, "somebody", "user", NULL);
    if (rc == ERR_OK)
        rc = contact_save(profile->vault, &contact, NULL);
    vault_unlock(profile->vault);
    return rc;
}

static int op_contact_load(void)
{
    struct contact c = {0};
    int rc = contact_load(profile->vault, &contact.chain.uid, &c, NULL);

    assert_true((rc == ERR_OK) == (c.chain.n > 0));
    contact_free(&c);
    return rc;
}

static int op_contact_find(void)
{
    struct uid uid;

    return contact_find(profile->vault, "somebody", &uid, NULL);
}

/* As after a record that the server has. */
static void keep_record(void)
{
    uint64_t mark = 0;

    assert_int_equal(backup_building(profile->vault, &mark, NULL), ERR_OK);
    assert_int_equal(backup_mark(profile->vault, mark, 1, NULL), ERR_OK);
    assert_false(backup_is_due(profile->vault));
}

/* What is gone here is not left in the server's copy alone: that is noted first. */
static int op_group_delete(void)
{
    long at = alloc_fail_at(-1);
    int rc;

    assert_int_equal(vault_lock(profile->vault, NULL), ERR_OK);
    assert_int_equal(group_make(profile->vault, "team", NULL), ERR_OK);
    keep_record();
    (void)alloc_fail_at(at);
    rc = group_delete(profile->vault, "team", NULL);
    at = alloc_fail_at(-1);
    assert_true(group_exists(profile->vault, "team") || backup_is_due(profile->vault));
    vault_unlock(profile->vault);
    (void)alloc_fail_at(at);
    return rc;
}

static int op_contact_delete(void)
{
    struct contact c = {0};
    long at = alloc_fail_at(-1);
    int rc;

    assert_int_equal(vault_lock(profile->vault, NULL), ERR_OK);
    assert_int_equal(contact_save(profile->vault, &contact, NULL), ERR_OK);
    keep_record();
    (void)alloc_fail_at(at);
    rc = contact_delete(profile->vault, &contact.chain.uid, NULL);
    at = alloc_fail_at(-1);
    assert_true(contact_load(profile->vault, &contact.chain.uid, &c, NULL) == ERR_OK ||
                backup_is_due(profile->vault));
    contact_free(&c);
    vault_unlock(profile->vault);
    (void)alloc_fail_at(at);
    return rc;
}

static int op_seen(void)
{
    struct seen *s = NULL;
    struct seen_entry e = {.tid = {{1}}, .until = NOW};
    int rc = seen_new(profile->vault, &s, NULL);

    if (rc == ERR_OK)
        rc = seen_refresh(s, NULL);
    if (rc == ERR_OK)
        rc = seen_add(s, &e, 1, 0, NULL);
    if (rc == ERR_OK)
        rc = seen_find(s, &e, NULL);
    seen_free(s);
    return rc;
}

static int op_draw(void)
{
    struct hedge *h = NULL;
    struct secret drawn = {0};
    int rc = hedge_new(profile->vault, &profile->id->hedge, false, &h, NULL);

    if (rc == ERR_OK)
        rc = hedge_draw(h, "x", part(NULL, 0), &drawn, NULL);
    assert_true((rc == ERR_OK) == (drawn.data != NULL));
    secret_free(&drawn);
    hedge_free(h);
    return rc;
}

static int op_settings(void)
{
    struct settings s = {0};
    int rc = settings_copy(&profile->settings, &s, NULL);

    if (rc == ERR_OK)
        rc = settings_write(dir, &s, NULL);
    settings_free(&s);
    if (rc == ERR_OK)
        rc = settings_read(dir, &s, NULL);
    settings_free(&s);
    return rc;
}

static int op_output(void)
{
    struct output_spec spec = {.folder = dir, .force = true};
    struct output *o = NULL;
    int rc = output_open(&spec, "a file", &o, NULL);

    assert_true((rc == ERR_OK) == (o != NULL));
    if (rc == ERR_OK)
        rc = output_commit(o, NULL);
    output_free(o);
    return rc;
}

static int op_place(void)
{
    struct place p = {0};
    int rc = place_find(dir, "x", &p, NULL);

    place_free(&p);
    /* There is no home folder, as far as it can see. */
    return rc == ERR_INVALID ? ERR_NOMEM : rc;
}

/* ---- the loop ------------------------------------------------------------------------- */

static void run(int (*op)(void))
{
    long n = 0, left;
    int rc;

    do {
        (void)alloc_fail_at(n++);
        rc = op();
        left = alloc_fail_at(-1);
        if (left < 0 && rc != ERR_OK && rc != ERR_NOMEM)
            fail_msg("allocation %ld: %d", n - 1, rc);
        if (left >= 0)
            assert_int_equal(rc, ERR_OK);
    } while (left < 0 && n < 10000);
    assert_true(n > 1 && n < 10000);
    /* What was there before is still whole. */
    assert_int_equal(op_open(), ERR_OK);
}

#define NOMEM(op)                                                                                  \
    static void op##_without_memory(void **state)                                                  \
    {                                                                                              \
        (void)state;                                                                               \
        run(op);                                                                                   \
    }

NOMEM(op_begin)
NOMEM(op_open)
NOMEM(op_look)
NOMEM(op_next)
NOMEM(op_contact_save)
NOMEM(op_contact_load)
NOMEM(op_contact_find)
NOMEM(op_group_delete)
NOMEM(op_contact_delete)
NOMEM(op_seen)
NOMEM(op_draw)
NOMEM(op_settings)
NOMEM(op_output)
NOMEM(op_place)

/* What is on the disk is not damaged because there is no room for the keys in it. */
static void op_open_without_locked_memory(void **state)
{
    (void)state;
    locked_heap_run(op_open);
}

static int setup(void **state)
{
    (void)state;
    assert_non_null(tmpdir_make(dir));
    assert_int_equal(place_find(dir, "old", &place, NULL), ERR_OK);
    assert_int_equal(place_find(dir, "new", &fresh, NULL), ERR_OK);
    assert_int_equal(begin_at(&place, &profile), ERR_OK);
    contact.chain = profile->id->chain;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    profile_close(profile);
    place_free(&place);
    place_free(&fresh);
    return tmpdir_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(op_begin_without_memory),
        cmocka_unit_test(op_open_without_memory),
        cmocka_unit_test(op_look_without_memory),
        cmocka_unit_test(op_next_without_memory),
        cmocka_unit_test(op_contact_save_without_memory),
        cmocka_unit_test(op_contact_load_without_memory),
        cmocka_unit_test(op_contact_find_without_memory),
        cmocka_unit_test(op_group_delete_without_memory),
        cmocka_unit_test(op_contact_delete_without_memory),
        cmocka_unit_test(op_seen_without_memory),
        cmocka_unit_test(op_draw_without_memory),
        cmocka_unit_test(op_settings_without_memory),
        cmocka_unit_test(op_output_without_memory),
        cmocka_unit_test(op_place_without_memory),
        cmocka_unit_test(op_open_without_locked_memory),
    };

    return cmocka_run_group_tests_name("without memory", tests, setup, teardown);
}
