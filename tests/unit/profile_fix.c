/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/profile_fix.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

int profile_fix_setup(void **state)
{
    struct profile_fix *s = calloc(1, sizeof(*s));

    unsetenv("SATCHEL_HOME");
    unsetenv("SATCHEL_PROFILE");
    assert_non_null(tmpdir_make(s->home));
    assert_int_equal(place_find(s->home, NULL, &s->place, NULL), ERR_OK);
    *state = s;
    return 0;
}

int profile_fix_teardown(void **state)
{
    struct profile_fix *s = *state;

    place_free(&s->place);
    assert_int_equal(tmpdir_remove(s->home), 0);
    free(s);
    return 0;
}

struct profile *profile_fix_begin(struct profile_fix *s, const char *username, int expect)
{
    struct settings settings = {.server = (char *)"[::1]:7743", .pin = (char *)PROFILE_FIX_PIN};
    struct profile_plan plan = {
        .place = &s->place,
        .settings = &settings,
        .identity = {.username = username, .email = "a@example.org", .now = PROFILE_FIX_NOW}};
    struct profile *p = NULL;

    memset(plan.identity.server.b, 9, sizeof(plan.identity.server.b));
    assert_int_equal(profile_begin(&plan, &p, NULL), expect);
    return p;
}

struct profile *profile_fix_reopen(struct profile_fix *s, struct profile *p, int expect)
{
    profile_close(p);
    p = NULL;
    assert_int_equal(profile_open(s->place.folder, NULL, &p, NULL), expect);
    return p;
}
