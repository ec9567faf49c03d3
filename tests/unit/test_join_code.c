/* SPDX-License-Identifier: Apache-2.0 */
/* Codes for new devices. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/crypto/base32.h"
#include "tests/unit/join_fix.h"

static void test_base32(void **state)
{
    uint8_t back[8];

    (void)state;
    assert_true(base32_decode(back, 6, "MZXW6YTBOI"));
    assert_memory_equal(back, "foobar", 6);
    assert_false(base32_decode(back, 6, "MZXW6YTBOj"));
    assert_false(base32_decode(back, 6, "MZXW6YTB"));
    assert_true(base32_decode(back, 1, "MY"));
    assert_false(base32_decode(back, 1, "MZ")); /* a bit that is left over */
}

static void test_a_code_as_it_is_typed(void **state)
{
    struct join_code c = {0}, back = {0};
    struct secret text = {0};
    char typed[128];
    size_t n = 0;

    (void)state;
    join_fix_code(&c, 0x5a);
    assert_int_equal(join_code_show(&c, &text, NULL), ERR_OK);
    assert_int_equal(text.len, JOIN_CODE_TEXT);
    assert_int_equal(strlen((char *)text.data), JOIN_CODE_TEXT - 1);
    assert_int_equal(join_code_read(&back, (char *)text.data, NULL), ERR_OK);
    assert_memory_equal(back.id, c.id, JOIN_ID_LEN);
    join_code_free(&back);
    for (const char *p = (char *)text.data; *p != '\0'; p++) {
        char ch = *p == 'O' ? '0' : *p == 'I' ? '1' : *p == 'B' ? '8' : *p;

        typed[n++] = (char)(ch >= 'A' && ch <= 'Z' ? ch - 'A' + 'a' : ch == '-' ? ' ' : ch);
    }
    memcpy(typed + n, " \r", 3);
    assert_int_equal(join_code_read(&back, typed, NULL), ERR_OK);
    assert_memory_equal(back.id, c.id, JOIN_ID_LEN);
    join_code_free(&back);
    secret_free(&text);
    join_code_free(&c);
}

/* Every letter that is another one is noticed, and nothing else is taken for a code. */
static void test_codes_that_are_none(void **state)
{
    static const char *const bad[] = {"",
                                      "ABCD",
                                      "!",
                                      "ABCD-EFGH-ABCD-EFGH-ABCD-EFGH-ABCD-EFG",
                                      "ABCD-EFGH-ABCD-EFGH-ABCD-EFGH-ABCD-EFGHA",
                                      "AB\xc3\xa4-EFGH-ABCD-EFGH-ABCD-EFGH-ABCD-EFGH"};
    struct join_code c = {0}, back = {0};
    struct secret text = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(join_code_read(&back, bad[i], NULL), ERR_INVALID);
    join_fix_code(&c, 3);
    assert_int_equal(join_code_show(&c, &text, NULL), ERR_OK);
    for (size_t i = 0; i + 1 < text.len; i++) {
        uint8_t was = text.data[i];

        if (was == '-')
            continue;
        text.data[i] = was == 'A' ? 'C' : 'A';
        assert_int_equal(join_code_read(&back, (char *)text.data, NULL), ERR_INVALID);
        text.data[i] = was;
    }
    secret_free(&text);
    join_code_free(&c);
}

/* A code is of one nonce and one user. */
static void test_what_a_code_is_made_of(void **state)
{
    struct join_code c = {0}, back = {0};
    struct secret nonce = {0}, none = {0};

    (void)state;
    join_fix_code(&c, 0x11);
    join_fix_read(&c, &back);
    join_fix_nonce(&nonce, 0x12);
    assert_int_equal(join_code_open(&back, &nonce, &join_fix_owner, NULL), ERR_INTEGRITY);
    nonce.data[5] = 0x11;
    assert_int_equal(join_code_open(&back, &nonce, &join_fix_owner, NULL), ERR_INTEGRITY);
    memset(nonce.data, 0x11, nonce.len);
    assert_int_equal(join_code_open(&back, &nonce, &join_fix_somebody, NULL), ERR_INTEGRITY);
    assert_int_equal(back.nonce.len, 0);
    assert_int_equal(join_code_open(&back, &none, &join_fix_owner, NULL), ERR_INTERNAL);
    assert_int_equal(join_code_open(&back, &nonce, &join_fix_owner, NULL), ERR_OK);
    assert_int_equal(back.nonce.len, JOIN_NONCE_LEN);
    assert_memory_equal(&back.uid, &join_fix_owner, sizeof(join_fix_owner));
    join_code_free(&back);
    assert_int_equal(join_code_make(&back, &none, &join_fix_owner, NULL), ERR_INTERNAL);
    join_code_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base32),
        cmocka_unit_test(test_a_code_as_it_is_typed),
        cmocka_unit_test(test_codes_that_are_none),
        cmocka_unit_test(test_what_a_code_is_made_of),
    };

    (void)secret_setup();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
