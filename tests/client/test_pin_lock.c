/* SPDX-License-Identifier: Apache-2.0 */
/* Who is looked up while somebody else holds the vault's lock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/core/handle.h"
#include "client/local/contact.h"
#include "tests/client/scene.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

static void nothing_is_pinned_without_the_lock(void **state)
{
    struct scene *g = *state;
    struct vault *v = g->alice.s->profile->vault;
    struct contact c = {0};
    struct uid carol = fake_find_user(&g->fake, "carol")->uid;

    assert_int_equal(do_add(&g->alice, "bob")->code, SATCHEL_OK);
    assert_int_equal(vault_lock(v, NULL), ERR_OK);
    /* Nothing of him would change: nobody has to wait. */
    assert_int_equal(do_add(&g->alice, "bob")->code, SATCHEL_OK);
    /* Another process may be pinning her just now. */
    assert_int_equal(do_add(&g->alice, "carol")->code, SATCHEL_E_LOCKED);
    assert_int_equal(contact_load(v, &carol, &c, NULL), ERR_NOTFOUND);
    vault_unlock(v);
    assert_int_equal(do_add(&g->alice, "carol")->code, SATCHEL_OK);
    assert_int_equal(contact_load(v, &carol, &c, NULL), ERR_OK);
    contact_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_pinned_without_the_lock),
    };
    int failed = cmocka_run_group_tests_name("pin lock", tests, NULL, NULL);

    uv_library_shutdown();
    return failed;
}
