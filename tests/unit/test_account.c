/* SPDX-License-Identifier: Apache-2.0 */
/* account: sealing, opening, and everything that must not open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/crypto/ed25519.h"
#include "common/transfer/account.h"

struct state {
    struct secret seed, other_seed, dsk, content, ephemeral;
    uint8_t boxes[2][IDS_KEY_LEN];
    struct account_plan plan;
    struct buf body;
    uint8_t sig[SIGNED_SIG_LEN];
};

static void fill(struct secret *s, uint8_t with)
{
    assert_int_equal(secret_new(s, 32, NULL), ERR_OK);
    memset(s->data, with, 32);
}

static int setup(void **state)
{
    struct state *s = calloc(1, sizeof(*s));
    struct secret box = {0};

    fill(&s->seed, 1);
    fill(&s->other_seed, 2);
    fill(&s->dsk, 3);
    fill(&s->content, 4);
    fill(&s->ephemeral, 5);
    assert_int_equal(account_recovery_box(&s->other_seed, &box, s->boxes[0], NULL), ERR_OK);
    assert_int_equal(account_recovery_box(&s->seed, &box, s->boxes[1], NULL), ERR_OK);
    secret_free(&box);
    s->plan = (struct account_plan){.uid = {{7}},
                                    .number = 3,
                                    .device = {{8}},
                                    .boxes = (const uint8_t(*)[IDS_KEY_LEN])s->boxes,
                                    .n_boxes = 2,
                                    .content_key = &s->content,
                                    .ephemeral = &s->ephemeral,
                                    .device_key = &s->dsk};
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct state *s = *state;

    secret_free(&s->seed);
    secret_free(&s->other_seed);
    secret_free(&s->dsk);
    secret_free(&s->content);
    secret_free(&s->ephemeral);
    buf_free(&s->body);
    free(s);
    return 0;
}

static void seal(struct state *s, struct part plain)
{
    buf_reset(&s->body);
    assert_int_equal(account_seal(&s->plan, plain, &s->body, s->sig, NULL), ERR_OK);
}

static int open_with(const struct state *s, const struct secret *seed, struct secret *ret)
{
    struct secret box = {0};
    uint8_t public[IDS_KEY_LEN];
    int rc = account_recovery_box(seed, &box, public, NULL);

    assert_int_equal(rc, ERR_OK);
    rc = account_open(part(s->body.data, s->body.len), &box, ret, NULL);
    secret_free(&box);
    return rc;
}

static void comes_back_for_each_box(void **state)
{
    struct state *s = *state;
    struct account_claim claim;
    struct secret plain = {0};
    uint8_t public[IDS_KEY_LEN];

    seal(s, part_str("keys and contacts"));
    assert_int_equal(account_peek(part(s->body.data, s->body.len), &claim, NULL), ERR_OK);
    assert_memory_equal(&claim.uid, &s->plan.uid, sizeof(claim.uid));
    assert_memory_equal(&claim.device, &s->plan.device, sizeof(claim.device));
    assert_int_equal(claim.number, 3);
    assert_int_equal(ed25519_public(public, s->dsk.data), ERR_OK);
    assert_int_equal(signed_check(SIGNED_ACCOUNT, public, part(s->body.data, s->body.len),
                                  PART_OF(s->sig), NULL),
                     ERR_OK);
    assert_int_equal(open_with(s, &s->seed, &plain), ERR_OK);
    assert_int_equal(plain.len, 17);
    assert_memory_equal(plain.data, "keys and contacts", 17);
    assert_int_equal(open_with(s, &s->other_seed, &plain), ERR_OK);
    assert_int_equal(plain.len, 17);
    secret_free(&plain);
}

static void not_for_others(void **state)
{
    struct state *s = *state;
    struct secret plain = {0}, stranger = {0};

    fill(&stranger, 9);
    seal(s, part_str("x"));
    assert_int_equal(open_with(s, &stranger, &plain), ERR_NOTFOUND);
    assert_null(plain.data);
    secret_free(&stranger);
}

/* Any byte changed: nothing is opened, or the signature does not hold. */
static void damage_shows(void **state)
{
    struct state *s = *state;
    struct secret plain = {0};
    uint8_t public[IDS_KEY_LEN];

    seal(s, part_str("keys and contacts"));
    assert_int_equal(ed25519_public(public, s->dsk.data), ERR_OK);
    for (size_t i = 0; i < s->body.len; i += i < 400 ? 1 : 61) {
        s->body.data[i] ^= 1;
        assert_int_equal(signed_check(SIGNED_ACCOUNT, public, part(s->body.data, s->body.len),
                                      PART_OF(s->sig), NULL),
                         ERR_INTEGRITY);
        if (i >= s->body.len - 4096) /* the sealed part */
            assert_int_equal(open_with(s, &s->seed, &plain), ERR_INTEGRITY);
        s->body.data[i] ^= 1;
    }
    s->body.len--;
    assert_int_equal(open_with(s, &s->seed, &plain), ERR_INVALID);
    s->body.len = 0;
    assert_int_equal(open_with(s, &s->seed, &plain), ERR_UNSUPPORTED);
    secret_free(&plain);
}

static void sizes(void **state)
{
    struct state *s = *state;
    struct secret plain = {0};
    uint8_t *big = calloc(1, ACCOUNT_PLAIN_MAX + 1);
    size_t small, at_edge;

    assert_non_null(big);
    seal(s, part("", 0));
    small = s->body.len;
    seal(s, part(big, 4092));
    assert_int_equal(s->body.len, small); /* the server does not learn how much there is */
    seal(s, part(big, 4093));
    at_edge = s->body.len;
    assert_in_range(at_edge, small + ACCOUNT_STEP, small + ACCOUNT_STEP + 2);
    seal(s, part(big, ACCOUNT_PLAIN_MAX));
    assert_true(s->body.len <= ACCOUNT_BODY_MAX);
    assert_int_equal(open_with(s, &s->seed, &plain), ERR_OK);
    assert_int_equal(plain.len, ACCOUNT_PLAIN_MAX);
    assert_int_equal(
        account_seal(&s->plan, part(big, ACCOUNT_PLAIN_MAX + 1), &s->body, s->sig, NULL),
        ERR_INVALID);
    s->plan.n_boxes = 0;
    assert_int_equal(account_seal(&s->plan, part(big, 1), &s->body, s->sig, NULL), ERR_INVALID);
    s->plan.n_boxes = ACCOUNT_BOXES_MAX + 1;
    assert_int_equal(account_seal(&s->plan, part(big, 1), &s->body, s->sig, NULL), ERR_INVALID);
    secret_free(&plain);
    free(big);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(comes_back_for_each_box, setup, teardown),
        cmocka_unit_test_setup_teardown(not_for_others, setup, teardown),
        cmocka_unit_test_setup_teardown(damage_shows, setup, teardown),
        cmocka_unit_test_setup_teardown(sizes, setup, teardown),
    };

    return cmocka_run_group_tests_name("account", tests, NULL, NULL);
}
