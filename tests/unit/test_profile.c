/* SPDX-License-Identifier: Apache-2.0 */
/* settings and profile: a user on this machine, from registering to what is lost or damaged. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/fs.h"
#include "tests/unit/profile_fix.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, profile_fix_setup, profile_fix_teardown)

/* ---- settings ---- */

static void settings_come_back(void **state)
{
    struct profile_fix *s = *state;
    struct settings a = {.state = SETTINGS_ACTIVE,
                         .server = (char *)"[::1]:7743",
                         .ca_file = (char *)"/a b/#\"ca\"\\.pem",
                         .username = (char *)"x",
                         .user_id = (char *)"sat1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq"},
                    b = {0};

    assert_int_equal(settings_read(s->home, &b, NULL), ERR_NOTFOUND);
    assert_int_equal(settings_write(s->home, &a, NULL), ERR_OK);
    assert_int_equal(settings_read(s->home, &b, NULL), ERR_OK);
    assert_int_equal(b.state, SETTINGS_ACTIVE);
    assert_string_equal(b.server, a.server);
    assert_string_equal(b.ca_file, a.ca_file);
    assert_string_equal(b.username, a.username);
    assert_string_equal(b.user_id, a.user_id);
    assert_null(b.pin);
    settings_free(&b);
}

static void damaged_settings(void **state)
{
    static const char *const texts[] = {"", "[profile]\nstate = active\n", "\xff\xfe", "state=1",
                                        "[profile]\nstate = maybe\nserver = x\nusername = a\n"};
    struct profile_fix *s = *state;
    struct settings b = {0};
    char *path = fs_join(s->home, "settings");

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(fs_replace(path, texts[i], strlen(texts[i]), 0600, NULL), ERR_OK);
        assert_int_equal(settings_read(s->home, &b, NULL), ERR_CORRUPT);
    }
    free(path);
}

/* ---- a profile's life ---- */

static void registration_can_be_repeated(void **state)
{
    struct profile_fix *s = *state;
    struct profile_look look = {0};
    struct profile *p;
    struct uid uid;

    assert_int_equal(profile_look(s->place.folder, &look, NULL), ERR_OK);
    assert_int_equal(look.state, PROFILE_NONE);
    p = profile_fix_begin(s, "alice", ERR_OK);
    uid = p->id->uid;
    assert_int_equal(p->id->recovery.len, 32);
    assert_int_equal(profile_look(s->place.folder, &look, NULL), ERR_OK);
    assert_int_equal(look.state, PROFILE_PENDING);
    assert_false(look.passphrase);
    assert_string_equal(look.settings.username, "alice");
    profile_look_free(&look);

    p = profile_fix_reopen(s, p, ERR_OK);
    assert_memory_equal(&p->id->uid, &uid, sizeof(uid));
    assert_int_equal(p->id->recovery.len, 32);
    assert_int_equal(p->id->chain.n, 1);
    assert_int_equal(profile_activate(p, NULL), ERR_OK);
    assert_int_equal(p->id->recovery.len, 0);

    p = profile_fix_reopen(s, p, ERR_OK);
    assert_int_equal(p->settings.state, SETTINGS_ACTIVE);
    assert_int_equal(p->id->recovery.len, 0);
    assert_string_equal(p->settings.pin, PROFILE_FIX_PIN);
    assert_null(profile_fix_begin(s, "bob", ERR_EXISTS));
    profile_close(p);
}

static void pending_can_be_replaced_and_discarded(void **state)
{
    struct profile_fix *s = *state;
    struct profile *p = profile_fix_begin(s, "alice", ERR_OK);
    char *begun = fs_join(s->place.folder, "begun"), *vault = fs_join(s->place.folder, "vault");
    struct uid uid = p->id->uid;

    profile_close(p);
    p = profile_fix_begin(s, "bob", ERR_OK);
    assert_string_equal(p->id->username, "bob");
    assert_memory_not_equal(&p->id->uid, &uid, sizeof(uid));
    assert_int_equal(profile_discard(p, NULL), ERR_OK);
    assert_false(fs_exists(s->place.folder));
    assert_null(profile_fix_reopen(s, NULL, ERR_NOTFOUND));
    p = profile_fix_begin(s, "bob", ERR_OK);
    assert_true(fs_exists(vault));
    assert_int_equal(mkdir(begun, 0700), 0); /* no mark can be made, as on a full disk */
    assert_int_equal(profile_discard(p, NULL), ERR_OK);
    assert_false(fs_exists(vault));
    assert_int_equal(rmdir(begun), 0);
    free(vault);
    free(begun);
}

/* Killed between the settings and the identity: the seed goes when the profile is opened. */
static void seed_is_forgotten_after_a_crash(void **state)
{
    struct profile_fix *s = *state;
    struct profile *p = profile_fix_begin(s, "alice", ERR_OK);

    p->settings.state = SETTINGS_ACTIVE;
    assert_int_equal(settings_write(p->folder, &p->settings, NULL), ERR_OK);
    p = profile_fix_reopen(s, p, ERR_OK);
    assert_int_equal(p->id->recovery.len, 0);
    profile_close(p);
}

static void files_are_private(void **state)
{
    static const char *const names[] = {"", "vault", "device", "settings", "lock", "records"};
    struct profile_fix *s = *state;
    struct profile *p = profile_fix_begin(s, "alice", ERR_OK);

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char *path = fs_join(s->place.folder, names[i]);
        struct stat st;

        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 077, 0);
        free(path);
    }
    profile_close(p);
}

static void settings_of_somebody_else(void **state)
{
    struct profile_fix *s = *state;
    struct profile *p = profile_fix_begin(s, "alice", ERR_OK);

    assert_int_equal(settings_set(&p->settings.username, "mallory", NULL), ERR_OK);
    assert_int_equal(settings_write(p->folder, &p->settings, NULL), ERR_OK);
    assert_null(profile_fix_reopen(s, p, ERR_CORRUPT));
}

/* Neither shown as free nor begun anew: the keys are somebody's. */
static void assert_kept(struct profile_fix *s, const char *settings, const char *hint)
{
    struct profile_look look = {0};
    struct err err = {0};
    char *device = fs_join(s->place.folder, "device");
    struct buf keys = {0};

    assert_int_equal(fs_read(device, 32, &keys, NULL), ERR_OK);
    assert_int_equal(profile_look(s->place.folder, &look, &err), ERR_CORRUPT);
    assert_non_null(strstr(err.msg, settings));
    assert_non_null(strstr(err.hint, hint));
    assert_null(profile_fix_begin(s, "bob", ERR_CORRUPT));
    assert_int_equal(fs_read(device, 32, &keys, NULL), ERR_OK);
    assert_memory_equal(keys.data, keys.data + 32, 32);
    buf_free(&keys);
    free(device);
}

static void lost_settings_free_no_keys(void **state)
{
    struct profile_fix *s = *state;
    struct profile *p = profile_fix_begin(s, "alice", ERR_OK);
    char *settings = fs_join(s->place.folder, "settings");

    assert_int_equal(profile_activate(p, NULL), ERR_OK);
    profile_close(p);
    assert_int_equal(unlink(settings), 0);
    assert_kept(s, settings, "satchel profile reset"); /* if there are no words */
    assert_int_equal(fs_replace(settings, "", 0, 0600, NULL), ERR_OK);
    assert_kept(s, settings, "satchel recover");
    assert_int_equal(profile_erase(s->place.folder, NULL), ERR_OK);
    profile_close(profile_fix_begin(s, "bob", ERR_OK));
    free(settings);
}

/* Killed before the settings were there: such keys are nobody's yet. */
static void keys_without_settings_after_a_crash(void **state)
{
    struct profile_fix *s = *state;
    struct profile *p = profile_fix_begin(s, "alice", ERR_OK);
    struct profile_look look = {0};
    char *settings = fs_join(s->place.folder, "settings");
    char *begun = fs_join(s->place.folder, "begun");

    assert_false(fs_exists(begun));
    profile_close(p);
    assert_int_equal(unlink(settings), 0);
    assert_int_equal(fs_create(begun, "", 0, 0600, NULL), ERR_OK);
    assert_int_equal(profile_look(s->place.folder, &look, NULL), ERR_OK);
    assert_int_equal(look.state, PROFILE_NONE);
    p = profile_fix_begin(s, "bob", ERR_OK);
    assert_false(fs_exists(begun));
    assert_int_equal(fs_create(begun, "", 0, 0600, NULL), ERR_OK); /* left over */
    assert_int_equal(profile_activate(p, NULL), ERR_OK);
    assert_false(fs_exists(begun));
    profile_close(p);
    free(settings);
    free(begun);
}

/* Remove the files of a folder whose names begin so. */
static void remove_all(const char *folder, const char *prefix)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;

    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL)
        if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0)
            assert_int_equal(unlinkat(dirfd(dir), entry->d_name, 0), 0);
    closedir(dir);
}

static void every_record_matters(void **state)
{
    struct profile_fix *s = *state;
    struct profile *p = profile_fix_begin(s, "alice", ERR_OK);
    char *records = fs_join(s->place.folder, "records");

    profile_close(p);
    remove_all(records, "chain-");
    assert_null(profile_fix_reopen(s, NULL, ERR_CORRUPT));
    remove_all(records, "identity-");
    assert_null(profile_fix_reopen(s, NULL, ERR_CORRUPT));
    free(records);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(settings_come_back),
        TEST(damaged_settings),
        TEST(registration_can_be_repeated),
        TEST(pending_can_be_replaced_and_discarded),
        TEST(seed_is_forgotten_after_a_crash),
        TEST(files_are_private),
        TEST(settings_of_somebody_else),
        TEST(lost_settings_free_no_keys),
        TEST(keys_without_settings_after_a_crash),
        TEST(every_record_matters),
    };

    return cmocka_run_group_tests_name("profile", tests, NULL, NULL);
}
