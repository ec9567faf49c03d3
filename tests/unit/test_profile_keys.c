/* SPDX-License-Identifier: Apache-2.0 */
/* hedge, identity and profile: drawing keys, the next one in time, and devices that come and go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/crypto/hex.h"
#include "common/fs.h"
#include "common/transfer/manifest_build.h"
#include "tests/unit/profile_fix.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, profile_fix_setup, profile_fix_teardown)

/* ---- draws ---- */

static void draws_never_repeat_a_number(void **state)
{
    struct profile_fix *s = *state;
    struct profile *p = profile_fix_begin(s, "alice", ERR_OK);
    struct secret a = {0}, b = {0};
    struct buf record = {0};
    uint8_t id[VAULT_RECORD_ID_LEN];
    uint64_t before = 0, after = 0;

    assert_int_equal(vault_id(p->vault, "counter", part_str("hedge"), id, NULL), ERR_OK);
    assert_int_equal(vault_get(p->vault, "counter", id, &record, &before, NULL), ERR_OK);
    assert_int_equal(hedge_prepare(p->hedge, NULL), ERR_OK);
    assert_int_equal(vault_get(p->vault, "counter", id, &record, &after, NULL), ERR_OK);
    assert_int_equal(after, before + 1);
    assert_int_equal(hedge_prepare(p->hedge, NULL), ERR_OK);
    assert_int_equal(hedge_draw(p->hedge, "x", part(NULL, 0), &a, NULL), ERR_OK);
    assert_int_equal(hedge_draw(p->hedge, "x", part(NULL, 0), &b, NULL), ERR_OK);
    assert_false(secret_equal(a.data, b.data, HEDGE_LEN));
    /* One block was claimed, ahead of the first draw. */
    assert_int_equal(vault_get(p->vault, "counter", id, &record, &after, NULL), ERR_OK);
    assert_int_equal(after, before + 1);
    for (int i = 0; i < HEDGE_BLOCK; i++)
        assert_int_equal(hedge_draw(p->hedge, "x", part(NULL, 0), &a, NULL), ERR_OK);
    assert_int_equal(vault_get(p->vault, "counter", id, &record, &after, NULL), ERR_OK);
    assert_int_equal(after, before + 2);
    secret_free(&a);
    secret_free(&b);
    buf_free(&record);
    profile_close(p);
}

/* The counter is never guessed: neither from a record that is damaged nor from one at its end. */
static void damaged_counter_draws_nothing(void **state)
{
    static const uint8_t last[] = {0x08, 0xff, 0xff, 0xff, 0xff, 0xff,
                                   0xff, 0xff, 0xff, 0xff, 0x01};
    struct profile_fix *s = *state;
    struct profile *p = profile_fix_begin(s, "alice", ERR_OK);
    struct secret a = {0};
    char digits[2 * VAULT_RECORD_ID_LEN + 1], path[512];
    uint8_t id[VAULT_RECORD_ID_LEN];
    struct buf sealed = {0};

    assert_int_equal(vault_id(p->vault, "counter", part_str("hedge"), id, NULL), ERR_OK);
    hex_encode(digits, id, sizeof(id));
    (void)snprintf(path, sizeof(path), "%s/records/counter-%s", s->place.folder, digits);
    assert_int_equal(fs_read(path, 4096, &sealed, NULL), ERR_OK);
    sealed.data[sealed.len - 1] ^= 1;
    assert_int_equal(fs_replace(path, sealed.data, sealed.len, 0600, NULL), ERR_OK);
    assert_int_equal(hedge_draw(p->hedge, "x", part(NULL, 0), &a, NULL), ERR_CORRUPT);
    assert_int_equal(vault_put(p->vault, "counter", id, PART_OF(last), NULL), ERR_OK);
    assert_int_equal(hedge_draw(p->hedge, "x", part(NULL, 0), &a, NULL), ERR_CORRUPT);
    assert_null(a.data);
    buf_free(&sealed);
    profile_close(p);
}

/* ---- the next encryption key ---- */

static int plan_next(struct profile *p, uint64_t now, struct identity **ret)
{
    /* Nothing is erased on the way. */
    struct profile_care care = {.now = now, .max_lifetime = UINT64_MAX};

    return profile_plan_next(p, &care, ret, NULL);
}

static int promote(struct profile *p, const struct identity *planned, uint64_t now,
                   uint64_t max_lifetime, struct identity **ret)
{
    struct profile_care care = {.now = now, .erase_at = now, .max_lifetime = max_lifetime};

    return profile_promote(p, &planned->next->hash, &care, ret, NULL);
}

static struct identity *rotate(struct profile *p, uint64_t now, uint64_t max_lifetime)
{
    struct identity *id = NULL, *done = NULL;

    assert_int_equal(plan_next(p, now, &id), ERR_OK);
    if (id->next != NULL) {
        assert_int_equal(promote(p, id, now, max_lifetime, &done), ERR_OK);
        identity_unref(id);
        id = done;
    }
    return id;
}

static void next_key_comes_in_time(void **state)
{
    struct profile_fix *s = *state;
    struct profile *p = profile_fix_begin(s, "alice", ERR_OK);
    uint64_t end = p->id->keys[0].not_after, late = end - IDENTITY_EARLY_MS + 1;
    struct identity *id = NULL, *again = NULL;
    struct ek_id first = p->id->keys[0].id;

    assert_int_equal(end, PROFILE_FIX_NOW + IDENTITY_EPOCH_MS);
    assert_false(identity_due(p->id, late - 1));
    assert_true(identity_due(p->id, late));
    assert_int_equal(plan_next(p, late - 1, &id), ERR_OK);
    assert_null(id->next);
    identity_unref(id);

    /* Planned twice, as after a lost answer: the same one. */
    assert_int_equal(plan_next(p, late, &id), ERR_OK);
    assert_int_equal(plan_next(p, late + 5, &again), ERR_OK);
    assert_non_null(id->next);
    assert_memory_equal(&id->next->hash, &again->next->hash, 32);
    assert_int_equal(id->next->sequence, 2);
    assert_int_equal(id->next->n_eks, 2);
    assert_non_null(identity_ek(id, &id->next_key.id));
    identity_unref(id);

    assert_int_equal(promote(p, again, late, 0, &id), ERR_OK);
    assert_null(id->next);
    assert_int_equal(id->n_keys, 2);
    assert_int_equal(id->chain.n, 2);
    assert_memory_equal(&id->keys[1].id, &again->next_key.id, sizeof(struct ek_id));
    assert_non_null(identity_ek(id, &first));
    assert_false(identity_due(id, late));
    identity_unref(id);

    p = profile_fix_reopen(s, p, ERR_OK);
    assert_int_equal(p->id->n_keys, 2);
    assert_int_equal(p->id->chain.n, 2);
    identity_unref(again);
    profile_close(p);
}

/* Neither its clock nor its longest lifetime lets a server keep old keys for long. */
static void a_server_does_not_hold_back_erasing(void **state)
{
    const uint64_t day = (uint64_t)24 * 3600 * 1000, now = 1000 * day;
    struct settings s = {0};
    struct profile_care care = profile_care_for(&s, now, 0, UINT64_MAX);

    (void)state;
    assert_int_equal(care.now, now);
    assert_int_equal(care.erase_at, now - day);
    assert_int_equal(care.max_lifetime, 60 * day);
    /* Small differences count, and shorter lives. */
    care = profile_care_for(&s, now, now - 1000, 30 * day);
    assert_int_equal(care.erase_at, now - 1000);
    assert_int_equal(care.max_lifetime, 30 * day);
    care = profile_care_for(&s, now, now + 5 * day, 30 * day);
    assert_int_equal(care.erase_at, now);
    /* What it said in the beginning may be more. */
    settings_pin_lifetime(&s, 90 * day);
    assert_int_equal(profile_care_for(&s, now, now, UINT64_MAX).max_lifetime, 90 * day);
    settings_pin_lifetime(&s, 7 * day);
    assert_int_equal(profile_care_for(&s, now, now, UINT64_MAX).max_lifetime, 60 * day);
    settings_pin_lifetime(&s, UINT64_MAX);
    assert_int_equal(settings_lifetime(&s), 3660 * day);
}

static void old_keys_are_erased_when_nothing_needs_them(void **state)
{
    struct profile_fix *s = *state;
    struct profile *p = profile_fix_begin(s, "alice", ERR_OK);
    struct ek_id first = p->id->keys[0].id;
    uint64_t life = 7 * IDENTITY_DAY_MS, now = PROFILE_FIX_NOW + 28 * IDENTITY_DAY_MS;
    struct identity *id = rotate(p, now, life);

    assert_int_equal(id->n_keys, 2);
    identity_unref(id);
    /* Away for a year: the second key was the newest all the time, so it stays. */
    now += 365 * IDENTITY_DAY_MS;
    id = rotate(p, now, life);
    assert_int_equal(id->n_keys, 2);
    assert_null(identity_ek(id, &first));
    assert_int_equal(chain_newest(&id->chain)->n_eks, 1);
    identity_unref(id);
    now += 28 * IDENTITY_DAY_MS;
    id = rotate(p, now, life);
    assert_int_equal(id->n_keys, 2);
    identity_unref(id);
    profile_close(p);
}

/* A key goes when its last transfer can be gone, not when the next key comes. */
static void old_keys_go_without_a_new_one(void **state)
{
    struct profile_fix *s = *state;
    struct profile *p = profile_fix_begin(s, "alice", ERR_OK);
    struct ek_id first = p->id->keys[0].id;
    uint64_t life = 7 * IDENTITY_DAY_MS, end = p->id->keys[0].not_after;
    uint64_t gone = end + life + IDENTITY_DAY_MS;
    struct profile_care care = {.now = gone - 1, .erase_at = gone - 1, .max_lifetime = life};
    struct identity *id = rotate(p, PROFILE_FIX_NOW + 28 * IDENTITY_DAY_MS, life);

    assert_false(identity_has_old(id, gone - 1, life));
    assert_true(identity_has_old(id, gone, life));
    identity_unref(id);
    assert_int_equal(profile_plan_next(p, &care, &id, NULL), ERR_OK);
    assert_non_null(identity_ek(id, &first));
    identity_unref(id);
    /* Of our clock and the server's the earlier one counts. */
    care.now = gone;
    assert_int_equal(profile_plan_next(p, &care, &id, NULL), ERR_OK);
    assert_non_null(identity_ek(id, &first));
    identity_unref(id);
    care.erase_at = gone;
    assert_int_equal(profile_plan_next(p, &care, &id, NULL), ERR_OK);
    assert_null(identity_ek(id, &first));
    assert_null(id->next);
    identity_unref(id);
    p = profile_fix_reopen(s, p, ERR_OK);
    assert_null(identity_ek(p->id, &first));
    assert_int_equal(p->id->n_keys, 1);
    profile_close(p);
}

/* Killed between the two records of a promotion. */
static void promotion_is_finished_after_a_crash(void **state)
{
    struct profile_fix *s = *state;
    struct profile *p = profile_fix_begin(s, "alice", ERR_OK);
    struct identity *id = NULL, *planned = NULL;
    struct buf chain = {0};
    uint64_t now = PROFILE_FIX_NOW + 29 * IDENTITY_DAY_MS;
    uint8_t record[VAULT_RECORD_ID_LEN];

    assert_int_equal(plan_next(p, now, &planned), ERR_OK);
    /* The chain of the promoted identity with the identity record of the planned one. */
    assert_int_equal(promote(p, planned, now, 0, &id), ERR_OK);
    identity_unref(id);
    assert_int_equal(vault_id(p->vault, "chain", part_str("self"), record, NULL), ERR_OK);
    assert_int_equal(vault_get(p->vault, "chain", record, &chain, NULL, NULL), ERR_OK);
    assert_int_equal(vault_lock(p->vault, NULL), ERR_OK);
    assert_int_equal(identity_save(planned, p->vault, NULL), ERR_OK);
    assert_int_equal(vault_put(p->vault, "chain", record, part(chain.data, chain.len), NULL),
                     ERR_OK);
    vault_unlock(p->vault);
    identity_unref(planned);

    p = profile_fix_reopen(s, p, ERR_OK);
    assert_null(p->id->next);
    assert_int_equal(p->id->n_keys, 2);
    assert_int_equal(p->id->chain.n, 2);
    buf_free(&chain);
    profile_close(p);
}

/* ---- devices ---- */

/* Give ${p} a second device, whose ID is ${ret}. */
static void add_device(struct profile *p, uint64_t now, struct device_id *ret)
{
    struct manifest_device other = {.key = {7}};
    struct identity_change change = {.add = &other};
    struct identity *id = NULL, *done = NULL;

    assert_int_equal(ids_device(other.key, &other.id), ERR_OK);
    assert_int_equal(profile_plan_change(p, &change, now, &id, NULL), ERR_OK);
    assert_int_equal(promote(p, id, now, IDENTITY_DAY_MS, &done), ERR_OK);
    identity_unref(id);
    identity_unref(p->id);
    p->id = done;
    *ret = other.id;
}

static void revoking_a_device_takes_a_new_key(void **state)
{
    struct profile_fix *s = *state;
    struct profile *p = profile_fix_begin(s, "alice", ERR_OK);
    struct device_id other = {{1}};
    struct identity_change change = {.revoke = &other};
    struct identity *id = NULL, *done = NULL;
    uint64_t now = PROFILE_FIX_NOW + IDENTITY_DAY_MS;
    const struct manifest *m;

    assert_int_equal(profile_plan_change(p, &change, now, &id, NULL), ERR_NOTFOUND);
    add_device(p, now, &other);
    assert_int_equal(profile_plan_change(p, &change, now + 1, &id, NULL), ERR_OK);
    m = id->next;
    assert_int_equal(m->n_devices, 2);
    assert_int_equal(manifest_device(m, &other)->revoked, now + 1);
    assert_int_equal(m->n_eks, 1); /* the one that the device did not know */
    assert_memory_equal(&m->eks[0].id, &id->next_key.id, sizeof(struct ek_id));
    /* One change at a time. */
    assert_int_equal(profile_plan_change(p, &change, now + 1, &done, NULL), ERR_BUSY);
    assert_int_equal(promote(p, id, now + 1, IDENTITY_DAY_MS, &done), ERR_OK);
    assert_int_equal(done->n_keys, 2); /* what is on its way can be read */
    identity_unref(id);
    identity_unref(done);
    assert_int_equal(profile_plan_change(p, &change, now + 2, &id, NULL), ERR_REVOKED);
    profile_close(p);
}

/* Nobody but the device that goes would have the new one. */
static void a_device_that_goes_leaves_the_keys(void **state)
{
    struct profile_fix *s = *state;
    struct profile *p = profile_fix_begin(s, "alice", ERR_OK);
    struct device_id self = p->id->device, other;
    struct identity_change change = {.revoke = &self};
    struct identity *id = NULL, *done = NULL;
    uint64_t now = PROFILE_FIX_NOW + IDENTITY_DAY_MS;
    const struct manifest *m;

    add_device(p, now, &other);
    assert_int_equal(profile_plan_change(p, &change, now + 1, &id, NULL), ERR_OK);
    m = id->next;
    assert_int_equal(manifest_device(m, &self)->revoked, now + 1);
    assert_int_equal(m->n_eks, 1);
    assert_memory_equal(&m->eks[0].id, &id->keys[0].id, sizeof(struct ek_id));
    assert_int_equal(promote(p, id, now + 1, IDENTITY_DAY_MS, &done), ERR_OK);
    assert_int_equal(done->n_keys, 1);
    identity_unref(id);
    identity_unref(done);
    profile_close(p);
}

/* ${p} lists as many devices as there may be; of them those at ${from} and behind are revoked. */
static void fill_devices(struct profile *p, size_t from)
{
    const struct manifest *newest = chain_newest(&p->id->chain);
    struct manifest_device devices[MANIFEST_DEVICES_MAX] = {newest->devices[0]};
    struct manifest_build_plan plan = {.previous = newest,
                                       .created = PROFILE_FIX_NOW,
                                       .devices = devices,
                                       .n_devices = MANIFEST_DEVICES_MAX,
                                       .eks = newest->eks,
                                       .n_eks = newest->n_eks};
    enum chain_change change;
    struct manifest *m = NULL;

    for (size_t i = 0; i < MANIFEST_DEVICES_MAX; i++) {
        if (i > 0)
            devices[i].key[0] = (uint8_t)i;
        devices[i].revoked = i >= from ? PROFILE_FIX_NOW + i : 0;
    }
    assert_int_equal(manifest_build(&plan, &p->id->isk, &m, NULL), ERR_OK);
    assert_int_equal(chain_add(&p->id->chain, m, &change, NULL), ERR_OK);
}

/* A recovery when those from ${from} on are revoked: all but ${gone} are listed, revoked. */
static void assert_recovery_drops(struct profile_fix *s, size_t from, size_t gone)
{
    struct profile *p = profile_fix_begin(s, "alice", ERR_OK);
    struct identity_plan plan = {
        .username = "alice", .email = "a@example.org", .now = PROFILE_FIX_NOW + IDENTITY_DAY_MS};
    struct identity_recovery r = {.seed = &p->id->recovery, .chain = &p->id->chain};
    const struct manifest *before, *m;
    struct identity *id = NULL;

    fill_devices(p, from);
    before = chain_newest(r.chain); /* the new identity takes it over */
    assert_int_equal(vault_lock(p->vault, NULL), ERR_OK);
    assert_int_equal(identity_recover(&plan, &r, p->vault, &id, NULL), ERR_OK);
    vault_unlock(p->vault);
    m = chain_newest(&id->chain);
    assert_int_equal(m->n_devices, MANIFEST_DEVICES_MAX);
    for (size_t i = 0; i < before->n_devices; i++) {
        const struct manifest_device *was = &before->devices[i];
        const struct manifest_device *is = manifest_device(m, &was->id);

        assert_int_equal(is == NULL, i == gone);
        if (is != NULL)
            assert_int_equal(is->revoked, was->revoked != 0 ? was->revoked : plan.now);
    }
    assert_memory_equal(&m->devices[m->n_devices - 1].id, &id->device, sizeof(id->device));
    identity_unref(id);
    assert_int_equal(profile_discard(p, NULL), ERR_OK);
}

static void a_recovery_without_room_drops_who_was_out_before(void **state)
{
    assert_recovery_drops(*state, MANIFEST_DEVICES_MAX, 0); /* none was */
    assert_recovery_drops(*state, 40, 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(draws_never_repeat_a_number),
        TEST(damaged_counter_draws_nothing),
        TEST(next_key_comes_in_time),
        cmocka_unit_test(a_server_does_not_hold_back_erasing),
        TEST(old_keys_are_erased_when_nothing_needs_them),
        TEST(old_keys_go_without_a_new_one),
        TEST(revoking_a_device_takes_a_new_key),
        TEST(a_device_that_goes_leaves_the_keys),
        TEST(a_recovery_without_room_drops_who_was_out_before),
        TEST(promotion_is_finished_after_a_crash),
    };

    return cmocka_run_group_tests_name("keys of a profile", tests, NULL, NULL);
}
