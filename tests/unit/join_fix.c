/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/join_fix.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

const struct uid join_fix_owner = {{3, 1, 4}}, join_fix_somebody = {{2, 7}};

void join_fix_nonce(struct secret *ret, uint8_t fill)
{
    assert_int_equal(secret_new(ret, JOIN_NONCE_LEN, NULL), ERR_OK);
    memset(ret->data, fill, ret->len);
}

void join_fix_code(struct join_code *ret, uint8_t fill)
{
    struct secret nonce = {0};

    join_fix_nonce(&nonce, fill);
    assert_int_equal(join_code_make(ret, &nonce, &join_fix_owner, NULL), ERR_OK);
    assert_int_equal(nonce.len, 0);
}

void join_fix_read(const struct join_code *c, struct join_code *ret)
{
    struct secret text = {0};

    assert_int_equal(join_code_show(c, &text, NULL), ERR_OK);
    assert_int_equal(join_code_read(ret, (char *)text.data, NULL), ERR_OK);
    assert_memory_equal(ret->id, c->id, JOIN_ID_LEN);
    assert_int_equal(ret->nonce.len, 0);
    secret_free(&text);
}
