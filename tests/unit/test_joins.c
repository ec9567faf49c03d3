/* SPDX-License-Identifier: Apache-2.0 */
/* Offers for new devices: how many there can be, of whom, and what they may hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "server/joins.h"

enum { NOW = 1000, LATER = 60 * 1000 };

/* The offer of user ${n}, from address ${from}. */
static int offer(struct joins *j, uint32_t n, uint32_t from)
{
    struct join_offer what = {.ends = NOW + LATER}, *o;

    memcpy(what.id, &n, sizeof(n));
    memcpy(what.uid.b, &n, sizeof(n));
    memcpy(what.address, &from, sizeof(from));
    return joins_offer(j, &what, NOW, &o);
}

static struct join_offer *find(struct joins *j, uint32_t n)
{
    uint8_t id[JOINS_ID_LEN] = {0};

    memcpy(id, &n, sizeof(n));
    return joins_find(j, id, NOW);
}

static void test_all_places(void **state)
{
    struct joins *j = NULL;

    (void)state;
    assert_int_equal(joins_new(&j, NULL), ERR_OK);
    for (uint32_t n = 0; n < JOINS_MAX; n++)
        assert_int_equal(offer(j, n, n / JOINS_ADDRESS_MAX), ERR_OK);
    assert_int_equal(offer(j, JOINS_MAX, JOINS_MAX), ERR_BUSY);
    assert_int_equal(offer(j, 5, 0), ERR_OK); /* it is there */
    joins_end(j, find(j, 7));
    assert_int_equal(offer(j, JOINS_MAX, JOINS_MAX), ERR_OK);
    assert_int_equal(offer(j, JOINS_MAX + 1, JOINS_MAX), ERR_BUSY);
    joins_tick(j, NOW + LATER);
    for (uint32_t n = 0; n < JOINS_MAX; n++)
        assert_int_equal(offer(j, n, n), ERR_OK);
    joins_free(j);
}

/* One address cannot take the places of all others. */
static void test_places_of_an_address(void **state)
{
    struct joins *j = NULL;

    (void)state;
    assert_int_equal(joins_new(&j, NULL), ERR_OK);
    for (uint32_t n = 0; n < JOINS_ADDRESS_MAX; n++)
        assert_int_equal(offer(j, n, 1), ERR_OK);
    assert_int_equal(offer(j, 100, 1), ERR_BUSY);
    assert_int_equal(offer(j, 100, 2), ERR_OK);
    assert_int_equal(offer(j, 3, 1), ERR_OK); /* it is there */
    joins_end(j, find(j, 3));
    assert_int_equal(offer(j, 101, 1), ERR_OK);
    joins_free(j);
}

/* Another one takes the place of a user's first, also where there is no further place. */
static void test_place_of_a_user(void **state)
{
    struct join_offer what = {.ends = NOW + LATER, .uid = {{9}}}, *o;
    struct joins *j = NULL;

    (void)state;
    assert_int_equal(joins_new(&j, NULL), ERR_OK);
    for (uint8_t n = 1; n <= 2 * JOINS_ADDRESS_MAX; n++) {
        what.id[0] = n;
        assert_int_equal(joins_offer(j, &what, NOW, &o), ERR_OK);
    }
    assert_null(find(j, 1));
    assert_non_null(find(j, 2 * JOINS_ADDRESS_MAX));
    joins_free(j);
}

/* The same with a request and an answer. */
static int answered(struct joins *j, uint32_t n, uint32_t from, struct part answer)
{
    assert_int_equal(offer(j, n, from), ERR_OK);
    assert_int_equal(joins_request(j, find(j, n), part("r", 1)), ERR_OK);
    return joins_answer(j, find(j, n), answer, NOW);
}

static void test_bytes_of_all_answers(void **state)
{
    static uint8_t answer[JOINS_ANSWER_MAX];
    struct joins *j = NULL;
    uint32_t n = 0;
    int rc = ERR_OK;

    (void)state;
    assert_int_equal(joins_new(&j, NULL), ERR_OK);
    for (; rc == ERR_OK && n < JOINS_MAX; n++)
        rc = answered(j, n, n, part(answer, sizeof(answer)));
    assert_int_equal(rc, ERR_BUSY);
    assert_int_equal(n - 1, JOINS_BYTES_MAX / sizeof(answer));
    joins_end(j, find(j, 0));
    assert_int_equal(joins_answer(j, find(j, n - 1), part(answer, sizeof(answer)), NOW), ERR_OK);
    joins_free(j);
}

/* One address cannot take the bytes of all others. */
static void test_bytes_of_an_address(void **state)
{
    static uint8_t answer[JOINS_ANSWER_MAX];
    struct joins *j = NULL;
    uint32_t n = 0;
    int rc = ERR_OK;

    (void)state;
    assert_int_equal(joins_new(&j, NULL), ERR_OK);
    for (; rc == ERR_OK && n < JOINS_ADDRESS_MAX; n++)
        rc = answered(j, n, 1, part(answer, sizeof(answer)));
    assert_int_equal(rc, ERR_BUSY);
    assert_int_equal(n - 1, JOINS_ADDRESS_BYTES_MAX / sizeof(answer));
    assert_int_equal(answered(j, 100, 2, part(answer, sizeof(answer))), ERR_OK);
    joins_end(j, find(j, 0));
    assert_int_equal(joins_answer(j, find(j, n - 1), part(answer, sizeof(answer)), NOW), ERR_OK);
    joins_free(j);
}

/* What opens a code is for one request. */
static void test_openings(void **state)
{
    struct joins *j = NULL;
    struct join_offer *o;

    (void)state;
    assert_int_equal(joins_new(&j, NULL), ERR_OK);
    assert_int_equal(offer(j, 1, 1), ERR_OK);
    o = find(j, 1);
    assert_int_equal(joins_request(j, o, part("r", 1)), ERR_OK);
    assert_int_equal(joins_open(j, o, part("first", 5)), ERR_OK);
    assert_int_equal(joins_open(j, o, part("first", 5)), ERR_OK); /* said again */
    assert_int_equal(joins_open(j, o, part("other", 5)), ERR_EXISTS);
    assert_memory_equal(o->opening.data, "first", 5);
    assert_true(joins_refuse(j, o));
    assert_int_equal(o->opening.len, 0);
    assert_int_equal(joins_request(j, o, part("s", 1)), ERR_OK);
    assert_int_equal(joins_open(j, o, part("other", 5)), ERR_OK);
    joins_free(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_places),          cmocka_unit_test(test_places_of_an_address),
        cmocka_unit_test(test_place_of_a_user),     cmocka_unit_test(test_bytes_of_all_answers),
        cmocka_unit_test(test_bytes_of_an_address), cmocka_unit_test(test_openings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
