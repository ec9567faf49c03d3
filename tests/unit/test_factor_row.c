/* SPDX-License-Identifier: Apache-2.0 */
/* factor_row: which codes count, once, and what a stored row gives away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/crypto/base32.h"
#include "common/crypto/gcm.h"
#include "common/crypto/kdf.h"
#include "common/transfer/factor_code.h"
#include "server/factor_row.h"

#define NOW ((uint64_t)1800000000000) /* at the beginning of a step */

static const struct uid uid = {{1, 2, 3}};
static const struct factor_confirm confirming = {{{1, 2, 3}}, {{5}}, NOW};
static const struct totp totp = {HASH_SHA1, FACTOR_CODE_DIGITS, FACTOR_STEP};

/* The code of the step ${steps} away from NOW. */
static const char *code_at(const struct factor_row *r, int steps)
{
    static char code[TOTP_CODE_SIZE];

    assert_int_equal(totp_code(code, &totp, part_secret(&r->key),
                               (uint64_t)((int64_t)(NOW / 1000) + steps * FACTOR_STEP)),
                     ERR_OK);
    return code;
}

static int take(struct factor_row *r, int steps)
{
    return factor_row_take(r, &uid, code_at(r, steps), NOW);
}

static void activate(struct factor_row *r, char codes[FACTOR_CODES][FACTOR_CODE_TEXT])
{
    assert_int_equal(factor_row_enrol(r, NOW), ERR_OK);
    assert_int_equal(r->state, FACTOR_PENDING);
    assert_int_equal(factor_row_confirm(r, &confirming, codes), ERR_OK);
    assert_int_equal(r->state, FACTOR_ACTIVE);
}

/* What the client tells apart before it sends it is what is drawn here. */
static void test_kinds(void **state)
{
    static const char *const others[] = {"",
                                         "abc",
                                         "12345",
                                         "1234567",
                                         "12345a",
                                         "------",
                                         "123\t456",
                                         "ABCD-EFGH-IJKL-MNO",
                                         "ABCD-EFGH-IJKL-MNOPQ",
                                         "ABCD-EFGH-IJKL-MN01"};
    struct factor_row r = {0};
    char codes[FACTOR_CODES][FACTOR_CODE_TEXT];

    (void)state;
    activate(&r, codes);
    for (size_t i = 0; i < FACTOR_CODES; i++)
        assert_int_equal(factor_code_kind(codes[i], strlen(codes[i])), FACTOR_CODE_RECOVERY);
    assert_int_equal(factor_code_kind(code_at(&r, 0), FACTOR_CODE_DIGITS), FACTOR_CODE_ONE_TIME);
    assert_int_equal(factor_code_kind("123 456\n", 7), FACTOR_CODE_ONE_TIME);
    assert_int_equal(factor_code_kind("abcd efgh-2345 ijkl", 19), FACTOR_CODE_RECOVERY);
    assert_int_equal(factor_code_check("000000", NULL), ERR_OK);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_int_equal(factor_code_kind(others[i], strlen(others[i])), FACTOR_CODE_OTHER);
        assert_int_equal(factor_code_check(others[i], NULL), ERR_FACTOR);
    }
    factor_row_free(&r);
}

static void test_window_and_replay(void **state)
{
    struct factor_row r = {0};

    (void)state;
    assert_int_equal(factor_row_take(&r, &uid, "123456", NOW), ERR_FACTOR);
    assert_int_equal(factor_row_enrol(&r, NOW), ERR_OK);
    assert_int_equal(take(&r, -2), ERR_FACTOR);
    assert_int_equal(take(&r, 2), ERR_FACTOR);
    assert_int_equal(take(&r, -1), ERR_OK);
    assert_int_equal(take(&r, -1), ERR_FACTOR);
    assert_int_equal(take(&r, 0), ERR_OK);
    assert_int_equal(take(&r, 0), ERR_FACTOR);
    assert_int_equal(take(&r, -1), ERR_FACTOR); /* older than the last one */
    assert_int_equal(take(&r, 1), ERR_OK);
    assert_true(r.last == NOW / 1000 / FACTOR_STEP + 1);
    factor_row_free(&r);
}

static void test_near_the_beginning_of_time(void **state)
{
    struct factor_row r = {0};
    char code[TOTP_CODE_SIZE];

    (void)state;
    assert_int_equal(factor_row_enrol(&r, 0), ERR_OK);
    assert_int_equal(totp_code(code, &totp, part_secret(&r.key), 30), ERR_OK);
    assert_int_equal(factor_row_take(&r, &uid, code, 0), ERR_OK);
    factor_row_free(&r);
}

static void test_how_a_code_may_be_typed(void **state)
{
    static const char *const bad[] = {
        "", " ", "12345", "1234567", "12345a", "ABCDEFGHIJKLMNOPQ", "ABCD-EFGH-IJKL-MNOP"};
    struct factor_row r = {0};
    char codes[FACTOR_CODES][FACTOR_CODE_TEXT], text[16];

    (void)state;
    activate(&r, codes);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(factor_row_take(&r, &uid, bad[i], NOW), ERR_FACTOR);
    (void)snprintf(text, sizeof(text), " %.3s-%s ", code_at(&r, 0), code_at(&r, 0) + 3);
    assert_int_equal(factor_row_take(&r, &uid, text, NOW), ERR_OK);
    factor_row_free(&r);
}

static void test_recovery_codes_count_once(void **state)
{
    struct factor_row r = {0};
    char codes[FACTOR_CODES][FACTOR_CODE_TEXT], lower[FACTOR_CODE_TEXT];
    const struct uid other = {{9}};

    (void)state;
    activate(&r, codes);
    assert_int_equal(factor_row_take(&r, &other, codes[3], NOW), ERR_FACTOR);
    for (size_t i = 0; i < sizeof(lower); i++)
        lower[i] = (char)(codes[3][i] >= 'A' ? codes[3][i] - 'A' + 'a' : codes[3][i]);
    assert_int_equal(factor_row_take(&r, &uid, lower, NOW), ERR_OK);
    assert_int_equal(r.n, FACTOR_CODES - 1);
    assert_int_equal(factor_row_take(&r, &uid, codes[3], NOW), ERR_FACTOR);
    for (int i = 0; i < FACTOR_CODES; i++)
        assert_int_equal(factor_row_take(&r, &uid, codes[i], NOW), i == 3 ? ERR_FACTOR : ERR_OK);
    assert_int_equal(r.n, 0);
    assert_int_equal(take(&r, 0), ERR_OK);
    factor_row_free(&r);
    /* A pending row has none, and those of before are gone. */
    assert_int_equal(factor_row_enrol(&r, NOW), ERR_OK);
    assert_int_equal(factor_row_take(&r, &uid, codes[0], NOW), ERR_FACTOR);
    factor_row_free(&r);
}

static void test_stored_bytes(void **state)
{
    struct factor_row r = {0}, back = {0};
    char codes[FACTOR_CODES][FACTOR_CODE_TEXT];
    struct secret key = {0}, wrong = {0};
    const struct uid other = {{9}};
    struct buf bytes = {0};

    (void)state;
    assert_int_equal(secret_new(&key, 32, NULL), ERR_OK);
    assert_int_equal(secret_copy(&wrong, "another key of thirty-two bytes!", 32, NULL), ERR_OK);
    activate(&r, codes);
    assert_int_equal(take(&r, 0), ERR_OK);
    assert_int_equal(factor_row_renew(&r), ERR_OK);
    assert_int_equal(factor_row_seal(&r, &key, &uid, 7, &bytes), ERR_OK);
    assert_true(bytes.len <= FACTOR_SEALED_MAX);
    /* Neither the key nor a hash shows. */
    assert_null(memmem(bytes.data, bytes.len, r.key.data, 8));
    assert_null(memmem(bytes.data, bytes.len, r.codes[0], 8));

    struct store_factor stored = {7, {bytes.data, bytes.len}};

    assert_int_equal(factor_row_open(&back, &key, &uid, &stored), ERR_OK);
    assert_int_equal(back.state, FACTOR_ACTIVE);
    assert_true(back.last == r.last && back.since == NOW && back.n == FACTOR_CODES);
    assert_true(back.enrolled == NOW && back.device.b[0] == 5);
    assert_memory_equal(back.codes, r.codes, sizeof(r.codes));
    assert_memory_equal(back.key.data, r.key.data, FACTOR_KEY_LEN);
    assert_memory_equal(back.next.data, r.next.data, FACTOR_KEY_LEN);
    assert_int_equal(factor_row_open(&back, &wrong, &uid, &stored), ERR_CORRUPT);
    assert_int_equal(factor_row_open(&back, &key, &other, &stored), ERR_CORRUPT);
    stored.number = 8; /* an older writing in a newer one's place */
    assert_int_equal(factor_row_open(&back, &key, &uid, &stored), ERR_CORRUPT);
    stored.number = 7;
    for (size_t i = 0; i < bytes.len; i++) {
        bytes.data[i] ^= 4;
        assert_int_equal(factor_row_open(&back, &key, &uid, &stored), ERR_CORRUPT);
        bytes.data[i] ^= 4;
    }
    for (stored.bytes.len = 1; stored.bytes.len < bytes.len; stored.bytes.len++)
        assert_int_equal(factor_row_open(&back, &key, &uid, &stored), ERR_CORRUPT);
    assert_int_equal(back.state, FACTOR_ACTIVE); /* untouched by failures */
    stored.bytes.len = 0;
    assert_int_equal(factor_row_open(&back, &key, &uid, &stored), ERR_OK);
    assert_int_equal(back.state, FACTOR_NONE);
    factor_row_free(&r);
    factor_row_free(&back);
    secret_free(&key);
    secret_free(&wrong);
    buf_free(&bytes);
}

static int miss(struct factor_row *r, uint64_t now)
{
    return factor_row_take(r, &uid, "000000", now);
}

/* Only an active one that has been so for days is its owner's for sure. */
static void test_it_settles(void **state)
{
    struct factor_row r = {0};
    char codes[FACTOR_CODES][FACTOR_CODE_TEXT];

    (void)state;
    assert_false(factor_row_settled(&r, NOW)); /* there is none */
    assert_int_equal(factor_row_enrol(&r, NOW), ERR_OK);
    assert_false(factor_row_settled(&r, NOW + FACTOR_SETTLED_MS)); /* pending */
    factor_row_free(&r);
    activate(&r, codes);
    assert_false(factor_row_settled(&r, r.since));
    assert_false(factor_row_settled(&r, r.since + FACTOR_SETTLED_MS - 1));
    assert_true(factor_row_settled(&r, r.since + FACTOR_SETTLED_MS));
    assert_false(factor_row_settled(&r, r.since - 1)); /* a clock that goes back */
    assert_false(factor_row_settled(&r, 0));
    factor_row_free(&r);
}

/* The old one counts until the new one has given a code; the new one has to settle again. */
static void test_renewing(void **state)
{
    struct factor_confirm by = confirming;
    struct factor_row r = {0};
    char codes[FACTOR_CODES][FACTOR_CODE_TEXT], old[FACTOR_CODE_TEXT];

    (void)state;
    assert_int_equal(factor_row_renew(&r), ERR_BADSTATE); /* there is none */
    assert_int_equal(factor_row_take_new(&r, &uid, "123456", NOW), ERR_BADSTATE);
    activate(&r, codes);
    assert_int_equal(factor_row_take_new(&r, &uid, code_at(&r, 0), NOW), ERR_BADSTATE);
    memcpy(old, codes[0], sizeof(old));
    for (uint64_t age = 1; age <= FACTOR_SETTLED_MS; age += FACTOR_SETTLED_MS - 1) {
        struct factor_row key = {.state = FACTOR_PENDING};

        r.since = NOW - age;
        r.last = 0;
        assert_int_equal(factor_row_renew(&r), ERR_OK);
        assert_int_equal(take(&r, 0), ERR_OK); /* the old one counts on */
        r.last = 0;
        assert_int_equal(factor_row_take_new(&r, &uid, code_at(&r, 1), NOW), ERR_FACTOR);
        key.key = r.next;
        assert_int_equal(factor_row_take_new(&r, &uid, code_at(&key, 0), NOW), ERR_OK);
        by.device.b[0]++;
        assert_int_equal(factor_row_confirm(&r, &by, codes), ERR_OK);
        assert_true(r.since == NOW);
        assert_true(r.enrolled == NOW && r.device.b[0] == by.device.b[0]);
        assert_int_equal(take(&r, 0), ERR_FACTOR); /* used to confirm */
        assert_int_equal(take(&r, 1), ERR_OK);
        assert_int_equal(factor_row_take(&r, &uid, old, NOW), ERR_FACTOR);
    }
    factor_row_free(&r);
}

/* Nobody guesses at a key that waits: wrong codes count as those of the active one do. */
static void test_guesses_at_a_renewal(void **state)
{
    struct factor_row r = {0};
    char codes[FACTOR_CODES][FACTOR_CODE_TEXT];

    (void)state;
    activate(&r, codes);
    assert_int_equal(factor_row_renew(&r), ERR_OK);
    for (uint32_t i = 1; i <= 5; i++) {
        assert_true(r.next.len > 0);
        assert_int_equal(factor_row_take_new(&r, &uid, "not it", NOW), ERR_FACTOR);
        assert_int_equal(r.failed, i);
    }
    assert_int_equal(r.next.len, 0); /* that renewal is over */
    assert_int_equal(factor_row_take_new(&r, &uid, "not it", NOW), ERR_BADSTATE);
    assert_int_equal(factor_row_renew(&r), ERR_OK);
    assert_int_equal(factor_row_take_new(&r, &uid, "not it", NOW), ERR_RATE);
    factor_row_free(&r);
}

/* Five cost nothing; then the wait doubles, up to half a day.  Nothing is looked at meanwhile. */
static void test_wrong_ones_have_to_wait(void **state)
{
    enum { MINUTE = 60000, HOUR = 60 * MINUTE };
    struct factor_row r = {0};
    char codes[FACTOR_CODES][FACTOR_CODE_TEXT];
    uint64_t now = NOW, wait = 0;

    (void)state;
    assert_int_equal(factor_row_enrol(&r, NOW), ERR_OK);
    for (int i = 0; i < 9; i++)
        assert_int_equal(miss(&r, NOW), ERR_FACTOR); /* pending: it is its owner */
    factor_row_free(&r);
    activate(&r, codes);
    for (uint32_t i = 1; i <= 5; i++) {
        assert_int_equal(factor_row_wait(&r, now), 0);
        assert_int_equal(miss(&r, now), ERR_FACTOR);
        assert_int_equal(r.failed, i);
    }
    assert_int_equal(factor_row_wait(&r, now), 2 * MINUTE);
    assert_int_equal(factor_row_wait(&r, now + MINUTE), MINUTE);
    assert_int_equal(miss(&r, now), ERR_RATE);
    assert_int_equal(factor_row_take(&r, &uid, code_at(&r, 0), NOW),
                     ERR_RATE); /* good, but early */
    assert_int_equal(r.failed, 5);
    for (int i = 0; i < 30; i++) {
        uint64_t next = factor_row_wait(&r, now);

        assert_true(next >= wait && next <= 12 * HOUR);
        wait = next;
        now += wait;
        assert_int_equal(miss(&r, now - 1), ERR_RATE);
        assert_int_equal(miss(&r, now), ERR_FACTOR);
    }
    assert_int_equal(wait, 12 * HOUR);
    /* A clock that goes back opens nothing, and does not wait longer than ever. */
    assert_in_range(factor_row_wait(&r, NOW), 1, 12 * HOUR);
    /* What nobody guesses does not wait; a good code ends the row of wrong ones. */
    assert_int_equal(factor_row_take(&r, &uid, "ABCD-EFGH-IJKL-MNOP", now), ERR_FACTOR);
    assert_int_equal(factor_row_take(&r, &uid, codes[0], now), ERR_OK);
    assert_int_equal(r.failed, 0);
    assert_int_equal(factor_row_wait(&r, now), 0);
    factor_row_free(&r);
}

/* Wrong ones are stored; a row from before they were counted opens. */
static void test_stored_failures(void **state)
{
    struct factor_row r = {0}, back = {0};
    char codes[FACTOR_CODES][FACTOR_CODE_TEXT];
    uint8_t plain[1 + 1 + FACTOR_KEY_LEN + 8 + 8 + 4] = {1, FACTOR_ACTIVE}, k[KDF_LEN];
    uint8_t old[GCM_NONCE_LEN + sizeof(plain) + GCM_TAG_LEN] = {0};
    struct buf bytes = {0}, aad = {0};
    struct secret key = {0};

    (void)state;
    assert_int_equal(secret_new(&key, 32, NULL), ERR_OK);
    activate(&r, codes);
    assert_int_equal(miss(&r, NOW + 7), ERR_FACTOR);
    assert_int_equal(factor_row_seal(&r, &key, &uid, 7, &bytes), ERR_OK);
    assert_int_equal(
        factor_row_open(&back, &key, &uid, &(struct store_factor){7, {bytes.data, bytes.len}}),
        ERR_OK);
    assert_true(back.failed == 1 && back.failed_at == NOW + 7);

    buf_lp_str(&aad, KDF_PREFIX "factor row");
    buf_lp(&aad, uid.b, sizeof(uid.b));
    buf_lp_u64(&aad, 7);
    assert_int_equal(kdf_f(k, part_secret(&key), "factor", PARTS(PART_OF(uid.b))), ERR_OK);
    assert_int_equal(
        gcm_seal_once(k, old, part(aad.data, aad.len), PART_OF(plain), old + GCM_NONCE_LEN),
        ERR_OK);
    assert_int_equal(
        factor_row_open(&back, &key, &uid, &(struct store_factor){7, {old, sizeof(old)}}), ERR_OK);
    assert_true(back.state == FACTOR_ACTIVE && back.failed == 0 && back.n == 0);
    plain[0] = 3; /* of a newer daemon */
    assert_int_equal(
        gcm_seal_once(k, old, part(aad.data, aad.len), PART_OF(plain), old + GCM_NONCE_LEN),
        ERR_OK);
    assert_int_equal(
        factor_row_open(&back, &key, &uid, &(struct store_factor){7, {old, sizeof(old)}}),
        ERR_CORRUPT);
    factor_row_free(&r);
    factor_row_free(&back);
    secret_free(&key);
    buf_free(&bytes);
    buf_free(&aad);
}

/* RFC 4648 section 10. */
static void test_base32(void **state)
{
    static const char *const want[] = {"",        "MY",       "MZXQ",      "MZXW6",
                                       "MZXW6YQ", "MZXW6YTB", "MZXW6YTBOI"};
    char text[16];

    (void)state;
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        base32_encode(text, "foobar", i);
        assert_string_equal(text, want[i]);
        assert_int_equal(base32_len(i), strlen(want[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_window_and_replay),
        cmocka_unit_test(test_near_the_beginning_of_time),
        cmocka_unit_test(test_how_a_code_may_be_typed),
        cmocka_unit_test(test_recovery_codes_count_once),
        cmocka_unit_test(test_stored_bytes),
        cmocka_unit_test(test_it_settles),
        cmocka_unit_test(test_renewing),
        cmocka_unit_test(test_guesses_at_a_renewal),
        cmocka_unit_test(test_wrong_ones_have_to_wait),
        cmocka_unit_test(test_stored_failures),
        cmocka_unit_test(test_base32),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
