/* SPDX-License-Identifier: Apache-2.0 */
/* manifest_build, chain, safety: signed keys one behind the other, and compared. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/crypto/ed25519.h"
#include "common/transfer/chain.h"
#include "common/transfer/manifest_build.h"
#include "common/transfer/safety.h"
#include "tests/sample/sample.h"

static int setup(void **state)
{
    struct sample_user *alice = calloc(1, sizeof(*alice));

    assert_non_null(alice);
    sample_user(alice, "alice");
    *state = alice;
    return 0;
}

static int teardown(void **state)
{
    sample_user_free(*state);
    free(*state);
    return 0;
}

static struct manifest_build_plan next_plan(const struct sample_user *u,
                                            const struct manifest *previous)
{
    return (struct manifest_build_plan){.previous = previous,
                                        .created = previous->created + 1,
                                        .devices = &u->device,
                                        .n_devices = 1,
                                        .eks = &u->key,
                                        .n_eks = 1};
}

/* ${created} tells manifests of the same place apart. */
static struct manifest *next(const struct sample_user *u, const struct manifest *previous,
                             uint64_t created)
{
    struct manifest_build_plan plan = next_plan(u, previous);
    struct manifest *m = NULL;

    plan.created = created;
    assert_int_equal(manifest_build(&plan, &u->isk, &m, NULL), ERR_OK);
    return m;
}

static struct manifest *succeed(const struct sample_user *u, const struct manifest *previous,
                                uint32_t number, const struct secret *new_isk)
{
    struct manifest_build_plan plan = next_plan(u, previous);
    struct manifest_build_succession s = {
        .uid = u->uid, .number = number, .last_manifest = previous->hash};
    struct manifest *m = NULL;
    struct buf raw = {0};

    assert_int_equal(ed25519_public(s.identity_key, new_isk->data), ERR_OK);
    assert_int_equal(manifest_build_succession(&s, &u->rk, &raw, NULL), ERR_OK);
    plan.succession = part(raw.data, raw.len);
    assert_int_equal(manifest_build(&plan, &u->isk, &m, NULL), ERR_INTEGRITY); /* old key */
    assert_int_equal(manifest_build(&plan, new_isk, &m, NULL), ERR_OK);
    buf_free(&raw);
    return m;
}

static void test_follows(void **state)
{
    struct sample_user *u = *state;
    const struct manifest *first = u->first;
    struct manifest *second = next(u, first, 1), *fork = next(u, first, 2);
    struct manifest *third = next(u, second, 3);
    struct sample_user bob;
    struct err err;

    sample_user(&bob, "bob");
    assert_int_equal(manifest_follows(first, second, &err), ERR_OK);
    assert_int_equal(manifest_follows(second, third, &err), ERR_OK);
    assert_int_equal(manifest_follows(first, third, &err), ERR_PROTO);
    assert_int_equal(manifest_follows(second, second, &err), ERR_KEYCHANGED);
    assert_int_equal(manifest_follows(second, first, &err), ERR_KEYCHANGED);
    assert_int_equal(manifest_follows(second, fork, &err), ERR_KEYCHANGED);
    assert_int_equal(manifest_follows(fork, third, &err), ERR_KEYCHANGED);
    assert_int_equal(manifest_follows(first, bob.first, &err), ERR_KEYCHANGED);
    manifest_free(second);
    manifest_free(fork);
    manifest_free(third);
    sample_user_free(&bob);
}

static void test_chain(void **state)
{
    struct sample_user *u = *state;
    struct chain *c = &u->chain;
    enum chain_change change;
    struct sample_user bob;
    struct err err;
    struct manifest *second = next(u, u->first, 1), *third = next(u, second, 2);
    struct hash32 none = {{0}};

    sample_user(&bob, "bob");
    assert_int_equal(chain_add(c, next(u, second, 9), &change, &err), ERR_PROTO);
    assert_int_equal(chain_add(c, second, &change, &err), ERR_OK);
    assert_int_equal(change, CHAIN_GREW);
    assert_int_equal(chain_add(c, next(u, u->first, 1), &change, &err), ERR_OK);
    assert_int_equal(change, CHAIN_SAME);
    assert_int_equal(chain_add(c, next(u, u->first, 7), &change, &err), ERR_KEYCHANGED);
    assert_int_equal(chain_add(c, third, &change, &err), ERR_OK);
    assert_int_equal(chain_add(c, next(u, u->first, 7), &change, &err), ERR_KEYCHANGED);
    assert_int_equal(chain_add(c, next(&bob, bob.first, 1), &change, &err), ERR_INTEGRITY);
    assert_int_equal(c->n, 3);
    assert_ptr_equal(chain_newest(c), third);
    assert_ptr_equal(chain_find(c, &second->hash), second);
    assert_null(chain_find(c, &none));
    chain_free(&bob.chain);
    assert_null(chain_newest(&bob.chain));
    assert_int_equal(chain_add(&bob.chain, next(u, third, 1), &change, &err), ERR_INTEGRITY);
    bob.chain.uid = u->uid;
    assert_int_equal(chain_add(&bob.chain, next(u, third, 1), &change, &err), ERR_PROTO);
    sample_user_free(&bob);
}

/* A thief of ISK made manifests 2 and 3; RK goes back to 1. */
static void test_succession_overrides(void **state)
{
    struct sample_user *u = *state;
    struct chain *c = &u->chain;
    struct manifest *second = next(u, u->first, 1), *third = next(u, second, 2);
    struct secret isk_1 = {0}, isk_2 = {0};
    struct sample_user heir = *u;
    struct manifest *good, *after;
    enum chain_change change;
    struct err err;

    sample_secret("isk 1", &isk_1);
    sample_secret("isk 2", &isk_2);
    heir.isk = isk_1;
    assert_int_equal(chain_add(c, second, &change, &err), ERR_OK);
    assert_int_equal(chain_add(c, third, &change, &err), ERR_OK);
    good = succeed(u, u->first, 1, &isk_1);
    assert_int_equal(good->sequence, 2);
    assert_memory_not_equal(good->identity_key, u->isk_public, 32);
    assert_int_equal(manifest_follows(third, good, &err), ERR_KEYCHANGED);
    assert_int_equal(chain_add(c, good, &change, &err), ERR_OK);
    assert_int_equal(change, CHAIN_SUCCEEDED);
    assert_int_equal(c->n, 2);
    assert_ptr_equal(chain_newest(c), good);
    /* The thief cannot come back, neither with the old key nor without the succession. */
    assert_int_equal(chain_add(c, next(u, u->first, 1), &change, &err), ERR_KEYCHANGED);
    assert_int_equal(chain_add(c, succeed(u, u->first, 1, &isk_2), &change, &err), ERR_KEYCHANGED);
    assert_int_equal(c->n, 2);
    after = next(&heir, good, 5);
    assert_int_equal(after->n_successions, 1);
    assert_int_equal(chain_add(c, after, &change, &err), ERR_OK);
    assert_int_equal(change, CHAIN_GREW);
    assert_int_equal(chain_add(c, succeed(u, after, 2, &isk_2), &change, &err), ERR_OK);
    assert_int_equal(change, CHAIN_SUCCEEDED);
    assert_int_equal(c->n, 4);
    secret_free(&isk_1);
    secret_free(&isk_2);
}

static void grow(struct chain *c, const struct sample_user *u, size_t n)
{
    enum chain_change change;

    while (c->n < n)
        assert_int_equal(chain_add(c, next(u, chain_newest(c), c->n), &change, NULL), ERR_OK);
}

/* A chain that somebody has filled: a recovery finds room, behind what successions there are. */
static void test_room_for_a_recovery(void **state)
{
    struct sample_user *u = *state;
    struct chain *c = &u->chain;
    struct sample_user heir = *u;
    struct secret isk_1 = {0};
    enum chain_change change;

    sample_secret("isk 1", &isk_1);
    heir.isk = isk_1;
    chain_make_room(c);
    assert_int_equal(c->n, 1);
    grow(c, u, CHAIN_MAX / 2);
    chain_make_room(c);
    assert_int_equal(c->n, CHAIN_MAX / 2);
    grow(c, u, CHAIN_MAX / 2 + 9);
    chain_make_room(c);
    assert_int_equal(c->n, CHAIN_MAX / 2);
    grow(c, u, CHAIN_MAX / 2 + 4);
    assert_int_equal(chain_add(c, succeed(u, chain_newest(c), 1, &isk_1), &change, NULL), ERR_OK);
    grow(c, &heir, CHAIN_MAX);
    assert_int_equal(chain_add(c, next(&heir, chain_newest(c), 1), &change, NULL), ERR_LIMIT);
    chain_make_room(c);
    assert_int_equal(c->n, CHAIN_MAX / 2 + 5);
    assert_int_equal(chain_newest(c)->n_successions, 1);
    secret_free(&isk_1);
}

static void test_succession_rules(void **state)
{
    struct sample_user *u = *state;
    struct manifest_build_plan plan = next_plan(u, u->first);
    struct manifest_build_succession s = {
        .uid = u->uid, .number = 1, .last_manifest = u->first->hash};
    struct manifest *m = NULL;
    struct buf raw = {0};
    struct err err;

    memcpy(s.identity_key, u->isk_public, 32);
#define BUILD(change, key, code)                                                                   \
    do {                                                                                           \
        struct manifest_build_succession was = s;                                                  \
        change;                                                                                    \
        buf_reset(&raw);                                                                           \
        assert_int_equal(manifest_build_succession(&s, key, &raw, &err), ERR_OK);                  \
        s = was;                                                                                   \
        plan.succession = part(raw.data, raw.len);                                                 \
        assert_int_equal(manifest_build(&plan, &u->isk, &m, &err), code);                          \
    } while (0)
    BUILD(s.number = 2, &u->rk, ERR_INVALID);
    BUILD(s.number = 0, &u->rk, ERR_INVALID);
    BUILD(s.uid.b[0] ^= 1, &u->rk, ERR_INVALID);
    BUILD((void)0, &u->isk, ERR_INTEGRITY); /* not RK */
    BUILD(s.last_manifest.b[0] ^= 1, &u->rk, ERR_KEYCHANGED);
    BUILD(s.identity_key[0] ^= 1, &u->rk, ERR_INTEGRITY);
    assert_null(m);
    BUILD((void)0, &u->rk, ERR_OK);
#undef BUILD
    manifest_free(m);
    plan.succession = part_str("not a Signed");
    assert_int_equal(manifest_build(&plan, &u->isk, &m, &err), ERR_INVALID);
    buf_free(&raw);
}

static void test_build_refuses(void **state)
{
    struct sample_user *u = *state;
    struct manifest_build_plan plan = next_plan(u, u->first);
    struct manifest *m = NULL;
    struct err err;

    assert_int_equal(manifest_build(&plan, &u->dsk, &m, &err), ERR_INTEGRITY);
    plan.n_devices = 0;
    assert_int_equal(manifest_build(&plan, &u->isk, &m, &err), ERR_INVALID);
    plan.n_devices = MANIFEST_DEVICES_MAX + 1;
    assert_int_equal(manifest_build(&plan, &u->isk, &m, &err), ERR_INVALID);
    plan = next_plan(u, u->first);
    plan.previous = NULL; /* and no recovery key */
    assert_int_equal(manifest_build(&plan, &u->isk, &m, &err), ERR_INVALID);
    assert_null(m);
}

static void test_safety_number(void **state)
{
    struct sample_user *u = *state;
    struct sample_user bob, carol;
    char ab[SAFETY_TEXT], ba[SAFETY_TEXT], ac[SAFETY_TEXT];

    sample_user(&bob, "bob");
    sample_user(&carol, "carol");
    assert_int_equal(safety_number(u->first, bob.first, ab), ERR_OK);
    assert_int_equal(safety_number(bob.first, u->first, ba), ERR_OK);
    assert_int_equal(safety_number(carol.first, u->first, ac), ERR_OK);
    assert_string_equal(ab, ba);
    assert_string_not_equal(ab, ac);
    assert_int_equal(strlen(ab), SAFETY_TEXT - 1);
    assert_int_equal(strspn(ab, "0123456789"), 5);
    sample_user_free(&bob);
    sample_user_free(&carol);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_follows),
        TEST(test_chain),
        TEST(test_succession_overrides),
        TEST(test_room_for_a_recovery),
        TEST(test_succession_rules),
        TEST(test_build_refuses),
        TEST(test_safety_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
