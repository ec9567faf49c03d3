/* SPDX-License-Identifier: Apache-2.0 */
/* A vault in its folder: records, damage, passphrase, keyring and lock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/crypto/hex.h"
#include "common/fs.h"
#include "tests/unit/vault_fix.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

struct fixture {
    char path[64];
    struct vault *vault;
};

static int setup(void **state)
{
    struct fixture *s = calloc(1, sizeof(*s));

    (void)snprintf(s->path, sizeof(s->path), "/tmp/satchel-vault-XXXXXX");
    assert_non_null(mkdtemp(s->path));
    s->vault = vault_fix_create(s->path, NULL);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *s = *state;
    char *lock = fs_join(s->path, "lock");

    vault_close(s->vault);
    assert_int_equal(vault_destroy(s->path, NULL), ERR_OK);
    unlink(lock);
    assert_int_equal(rmdir(s->path), 0); /* nothing else was left behind */
    free(lock);
    free(s);
    return 0;
}

static void reopen(struct fixture *s)
{
    vault_close(s->vault);
    s->vault = NULL;
    assert_int_equal(vault_open(s->path, NULL, &s->vault, NULL), ERR_OK);
}

static void put(struct fixture *s, const char *table, const char *key, const char *text)
{
    uint8_t id[16];

    assert_int_equal(vault_id(s->vault, table, part_str(key), id, NULL), ERR_OK);
    assert_int_equal(vault_lock(s->vault, NULL), ERR_OK);
    assert_int_equal(vault_put(s->vault, table, id, part_str(text), NULL), ERR_OK);
    vault_unlock(s->vault);
}

static void records_come_back(void **state)
{
    struct fixture *s = *state;
    struct buf out = {0};
    struct secret sec = {0};
    uint64_t number = 0;
    uint8_t id[16], other[16];

    put(s, "contact", "alice", "one");
    put(s, "contact", "alice", "two");
    put(s, "empty", "alice", "");
    reopen(s);
    assert_int_equal(vault_id(s->vault, "contact", part_str("alice"), id, NULL), ERR_OK);
    assert_int_equal(vault_get(s->vault, "contact", id, &out, &number, NULL), ERR_OK);
    assert_int_equal(out.len, 3);
    assert_memory_equal(out.data, "two", 3);
    assert_int_equal(number, 2);
    assert_int_equal(vault_get_secret(s->vault, "contact", id, &sec, NULL), ERR_OK);
    assert_int_equal(sec.len, 3);
    assert_int_equal(vault_get(s->vault, "hedge", id, &out, NULL, NULL), ERR_NOTFOUND);
    assert_int_equal(out.len, 3);
    assert_int_equal(vault_id(s->vault, "empty", part_str("alice"), other, NULL), ERR_OK);
    assert_memory_not_equal(id, other, sizeof(id));
    buf_reset(&out);
    assert_int_equal(vault_get(s->vault, "empty", other, &out, NULL, NULL), ERR_OK);
    assert_int_equal(out.len, 0);
    assert_int_equal(vault_lock(s->vault, NULL), ERR_OK);
    assert_int_equal(vault_delete(s->vault, "contact", id, NULL), ERR_OK);
    assert_int_equal(vault_delete(s->vault, "contact", id, NULL), ERR_OK);
    vault_unlock(s->vault);
    assert_int_equal(vault_get(s->vault, "contact", id, &out, NULL, NULL), ERR_NOTFOUND);
    buf_free(&out);
    secret_free(&sec);
}

static int count_rows(void *cookie, const struct vault_row *row, struct err *err)
{
    size_t *seen = cookie;

    (void)err;
    assert_int_equal(row->plain.len, 3);
    *seen += 1;
    return ERR_OK;
}

static int stop_at_once(void *cookie, const struct vault_row *row, struct err *err)
{
    (void)row;
    *(size_t *)cookie += 1;
    return err_set(err, ERR_LIMIT, "enough");
}

static void tables_are_walked(void **state)
{
    struct fixture *s = *state;
    size_t seen = 0;

    put(s, "contact", "alice", "one");
    put(s, "contact", "bob", "two");
    put(s, "contacts", "bob", "four");
    put(s, "con", "bob", "four");
    assert_int_equal(vault_each(s->vault, "contact", count_rows, &seen, NULL), ERR_OK);
    assert_int_equal(seen, 2);
    seen = 0;
    assert_int_equal(vault_each(s->vault, "contact", stop_at_once, &seen, NULL), ERR_LIMIT);
    assert_int_equal(seen, 1);
    seen = 0;
    assert_int_equal(vault_each(s->vault, "none", count_rows, &seen, NULL), ERR_OK);
    assert_int_equal(seen, 0);
}

static void files_are_private(void **state)
{
    static const char *const names[] = {"vault", "device", "lock"};
    struct fixture *s = *state;
    struct stat st;

    for (size_t i = 0; i < 3; i++) {
        char *path = fs_join(s->path, names[i]);

        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
        free(path);
    }
}

/* Numbers of writings rise: one that cannot be read now does not begin again. */
static void unreadable_records_are_not_written(void **state)
{
    struct fixture *s = *state;
    char digits[33], name[64], *path;
    uint8_t id[16];
    struct err err = {0};

    put(s, "t", "k", "one");
    assert_int_equal(vault_id(s->vault, "t", part_str("k"), id, NULL), ERR_OK);
    hex_encode(digits, id, sizeof(id));
    (void)snprintf(name, sizeof(name), "records/t-%s", digits);
    path = fs_join(s->path, name);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink(path, path), 0);
    assert_int_equal(vault_lock(s->vault, NULL), ERR_OK);
    assert_int_equal(vault_put(s->vault, "t", id, part_str("two"), &err), ERR_IO);
    assert_string_not_equal(err.msg, "");
    vault_unlock(s->vault);
    assert_int_equal(unlink(path), 0);
    /* A damaged one does. */
    assert_int_equal(fs_create(path, "damage", 6, 0600, NULL), ERR_OK);
    put(s, "t", "k", "three");
    free(path);
}

static void damaged_files(void **state)
{
    struct fixture *s = *state;
    char *device = fs_join(s->path, "device"), *key = fs_join(s->path, "vault");
    struct buf bytes = {0};
    struct vault *v = NULL;
    struct vault_view view;
    struct err err = {0};

    assert_int_equal(fs_read(key, 4096, &bytes, NULL), ERR_OK);
    assert_int_equal(unlink(device), 0);
    /* Whether it is there can be seen by all who can look: that it is not is said. */
    assert_int_equal(vault_open(s->path, NULL, &v, &err), ERR_CORRUPT);
    assert_non_null(strstr(err.msg, device));
    assert_non_null(strstr(err.hint, "satchel recover"));
    assert_int_equal(fs_replace(device, "short", 5, 0600, NULL), ERR_OK);
    assert_int_equal(vault_open(s->path, NULL, &v, NULL), ERR_PASSPHRASE);
    assert_int_equal(fs_replace(key, "", 0, 0600, NULL), ERR_OK);
    assert_int_equal(vault_open(s->path, NULL, &v, NULL), ERR_PASSPHRASE);
    assert_int_equal(vault_look(s->path, &view, NULL), ERR_PASSPHRASE);
    assert_non_null(buf_reserve(&bytes, 8192));
    memset(bytes.data + bytes.len, 0, 8000);
    assert_int_equal(fs_replace(key, bytes.data, bytes.len + 8000, 0600, NULL), ERR_OK);
    assert_int_equal(vault_open(s->path, NULL, &v, NULL), ERR_PASSPHRASE);
    assert_int_equal(unlink(key), 0);
    assert_int_equal(vault_open(s->path, NULL, &v, NULL), ERR_NOTFOUND);
    assert_int_equal(vault_look(s->path, &view, NULL), ERR_NOTFOUND);
    assert_null(v);
    buf_free(&bytes);
    free(device);
    free(key);
}

static void passphrase_is_asked_for(void **state)
{
    struct fixture *s = *state;
    struct secret right = vault_fix_secret("p"), wrong = vault_fix_secret("q");
    struct vault *v = NULL;
    struct vault_view view = {0};

    vault_close(s->vault);
    s->vault = vault_fix_create(s->path, &right);
    assert_int_equal(vault_look(s->path, &view, NULL), ERR_OK);
    assert_true(view.passphrase);
    assert_int_equal(vault_open(s->path, NULL, &v, NULL), ERR_PASSPHRASE);
    assert_int_equal(vault_open(s->path, &wrong, &v, NULL), ERR_PASSPHRASE);
    assert_int_equal(vault_open(s->path, &right, &v, NULL), ERR_OK);
    vault_close(v);
    secret_free(&right);
    secret_free(&wrong);
}

static void keyring_out_of_reach(void **state)
{
    struct fixture *s = *state;
    char *device = fs_join(s->path, "device");
    struct vault *v = NULL;
    struct err err = {0};

    /* Nothing has changed: the secret is where it was. */
    assert_int_equal(unsetenv("DBUS_SESSION_BUS_ADDRESS"), 0);
    assert_int_equal(vault_lock(s->vault, NULL), ERR_OK);
    assert_int_equal(vault_move_device(s->vault, NULL, true, &err), ERR_IO);
    assert_true(err.hint[0] != '\0');
    assert_int_equal(vault_move_device(s->vault, NULL, false, NULL), ERR_OK);
    vault_unlock(s->vault);
    assert_true(fs_exists(device));
    assert_int_equal(vault_open(s->path, NULL, &v, NULL), ERR_OK);
    vault_close(v);
    free(device);
}

static void keyring_is_chosen(void **state)
{
    struct fixture *s = *state;
    struct lock *lock = NULL;
    struct vault *v = NULL;
    char *path = fs_join(s->path, "lock");

    vault_close(s->vault);
    s->vault = NULL;
    assert_int_equal(lock_open(path, &lock, NULL), ERR_OK);
    assert_int_equal(lock_take(lock, VAULT_LOCK_MS, NULL), ERR_OK);
    assert_int_equal(unsetenv("DBUS_SESSION_BUS_ADDRESS"), 0);
    assert_int_equal(setenv("SATCHEL_KEYRING", "maybe", 1), 0);
    assert_int_equal(vault_create(s->path, NULL, lock, &v, NULL), ERR_INVALID);
    assert_int_equal(setenv("SATCHEL_KEYRING", "on", 1), 0);
    assert_int_equal(vault_create(s->path, NULL, lock, &v, NULL), ERR_IO);
    assert_null(v);
    /* Unasked it is left alone where it cannot be reached, also at a display. */
    assert_int_equal(unsetenv("SATCHEL_KEYRING"), 0);
    assert_int_equal(setenv("DISPLAY", ":0", 1), 0);
    assert_int_equal(setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus", 1), 0);
    assert_int_equal(vault_create(s->path, NULL, lock, &s->vault, NULL), ERR_OK);
    vault_unlock(s->vault);
    assert_int_equal(unsetenv("DBUS_SESSION_BUS_ADDRESS"), 0);
    assert_int_equal(vault_open(s->path, NULL, &v, NULL), ERR_OK);
    vault_close(v);
    free(path);
}

static void one_writer_at_a_time(void **state)
{
    struct fixture *s = *state;
    char *path = fs_join(s->path, "lock");
    struct lock *other = NULL;
    struct err err = {0};

    assert_int_equal(lock_open(path, &other, NULL), ERR_OK);
    assert_int_equal(vault_lock(s->vault, NULL), ERR_OK);
    assert_int_equal(lock_take(other, 0, &err), ERR_LOCKED);
    assert_string_not_equal(err.hint, "");
    vault_unlock(s->vault);
    assert_int_equal(lock_take(other, 0, NULL), ERR_OK);
    lock_give(other);
    lock_close(other);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(records_come_back),    TEST(tables_are_walked),
        TEST(files_are_private),    TEST(unreadable_records_are_not_written),
        TEST(damaged_files),        TEST(passphrase_is_asked_for),
        TEST(keyring_out_of_reach), TEST(keyring_is_chosen),
        TEST(one_writer_at_a_time),
    };

    return cmocka_run_group_tests_name("folder of a vault", tests, NULL, NULL);
}
