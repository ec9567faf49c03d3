/* SPDX-License-Identifier: Apache-2.0 */
/* Where profiles are: homes, names, lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/local/place.h"
#include "common/fs.h"
#include "tests/unit/tmpdir.h"

static void homes_are_found(void **state)
{
    struct place p = {0};

    (void)state;
    unsetenv("SATCHEL_HOME");
    unsetenv("SATCHEL_PROFILE");
    setenv("HOME", "/h", 1);
    unsetenv("XDG_DATA_HOME");
    assert_int_equal(place_find(NULL, NULL, &p, NULL), ERR_OK);
    assert_string_equal(p.folder, "/h/.local/share/satchel/profiles/default");
    place_free(&p);
    setenv("XDG_DATA_HOME", "relative", 1);
    assert_int_equal(place_find(NULL, "", &p, NULL), ERR_OK);
    assert_string_equal(p.home, "/h/.local/share/satchel");
    place_free(&p);
    setenv("XDG_DATA_HOME", "/x", 1);
    setenv("SATCHEL_PROFILE", "work", 1);
    assert_int_equal(place_find("", NULL, &p, NULL), ERR_OK);
    assert_string_equal(p.folder, "/x/satchel/profiles/work");
    place_free(&p);
    setenv("SATCHEL_HOME", "/s", 1);
    assert_int_equal(place_find(NULL, "play", &p, NULL), ERR_OK);
    assert_string_equal(p.folder, "/s/profiles/play");
    place_free(&p);
    assert_int_equal(place_find("/o", "play", &p, NULL), ERR_OK);
    assert_string_equal(p.folder, "/o/profiles/play");
    place_free(&p);
    unsetenv("XDG_DATA_HOME");
}

static void bad_profile_names(void **state)
{
    static const char *const names[] = {
        ".", "..", "a/b", "A", "a b", "\xc3\xa4", "../x", "a23456789012345678901234567890123"};
    struct place p = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_int_equal(place_find("/h", names[i], &p, NULL), ERR_INVALID);
    assert_null(p.home);
    assert_int_equal(place_find("/h", "a2345678901234567890123456789012", &p, NULL), ERR_OK);
    place_free(&p);
}

enum { NAMES = 64 };

static void count(void *cookie, const char *name)
{
    char *names = cookie;

    (void)snprintf(names + strlen(names), NAMES - strlen(names), "%s ", name);
}

static void profiles_are_listed(void **state)
{
    static const char *const names[] = {"b", "a", "Not"};
    char all[NAMES] = "", home[TMPDIR_SIZE];
    struct place place = {0};

    (void)state;
    unsetenv("SATCHEL_HOME");
    unsetenv("SATCHEL_PROFILE");
    assert_non_null(tmpdir_make(home));
    assert_int_equal(place_find(home, NULL, &place, NULL), ERR_OK);
    assert_int_equal(place_each(&place, count, all, NULL), ERR_OK);
    assert_string_equal(all, "");
    for (size_t i = 0; i < 3; i++) {
        char path[128];

        snprintf(path, sizeof(path), "%s/profiles/%s", home, names[i]);
        assert_int_equal(fs_mkdirs(path, 0700, NULL), ERR_OK);
    }
    assert_int_equal(place_each(&place, count, all, NULL), ERR_OK);
    assert_string_equal(all, "a b ");
    place_free(&place);
    assert_int_equal(tmpdir_remove(home), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(homes_are_found),
        cmocka_unit_test(bad_profile_names),
        cmocka_unit_test(profiles_are_listed),
    };

    return cmocka_run_group_tests_name("place", tests, NULL, NULL);
}
