/* SPDX-License-Identifier: Apache-2.0 */
/* lmdb_redo: what a record brings back, and what is none.  Link with --wrap=pread. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/store/lmdb_env.h"
#include "server/store/lmdb_redo.h"

enum { BLOCK = 4096 }; /* proto/FORMATS.md section 14.8 */

static char dir[64], path[96];
static struct lmdb_env *env;
static struct lmdb_redo *redo;
static unsigned unreadable, reads; /* which read of a record fails, counted from 1; 0: none */

ssize_t __real_pread(int fd, void *buf, size_t len, off_t at);
ssize_t __wrap_pread(int fd, void *buf, size_t len, off_t at);

ssize_t __wrap_pread(int fd, void *buf, size_t len, off_t at)
{
    if (at >= BLOCK && ++reads == unreadable) {
        errno = EIO;
        return -1;
    }
    return __real_pread(fd, buf, len, at);
}

static struct lmdb_key key_of(uint32_t n)
{
    struct lmdb_key k = {0};

    lmdb_key_u64(&k, n);
    return k;
}

static int setup(void **state)
{
    struct lmdb_env_config ec = {
        .path = dir, .tables = lmdb_tables_index, .ntables = T_INDEX_COUNT, .max = 16 << 20};

    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/satchel-redo-XXXXXX");
    if (mkdtemp(dir) == NULL)
        return -1;
    (void)snprintf(path, sizeof(path), "%s/redo", dir);
    return lmdb_env_open(&env, &ec, NULL) == ERR_OK && lmdb_redo_open(&redo, dir, NULL) == ERR_OK
               ? 0
               : -1;
}

static int teardown(void **state)
{
    static const char *const names[] = {"redo", "redo.new", "data.mdb", "lock.mdb"};
    char file[96];

    (void)state;
    lmdb_redo_close(redo);
    redo = NULL;
    lmdb_env_close(env);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        (void)snprintf(file, sizeof(file), "%s/%s", dir, names[i]);
        (void)unlink(file);
    }
    return rmdir(dir);
}

/* ---- helpers ---- */

static void note_put(struct buf *changes, uint32_t n, const char *value)
{
    struct lmdb_key k = key_of(n);

    lmdb_redo_note_put(changes, T_CELLS, part(k.bytes, k.len), part_str(value));
}

static void note_del(struct buf *changes, uint32_t n)
{
    struct lmdb_key k = key_of(n);

    lmdb_redo_note_del(changes, T_CELLS, part(k.bytes, k.len));
}

/* On what is committed now. */
static int try_write(const struct buf *changes)
{
    struct lmdb_txn t = {.env = env};
    int rc;

    assert_int_equal(lmdb_env_read(env, &t.txn), 0);
    rc = lmdb_redo_write(redo, &t, changes, NULL);
    lmdb_env_read_end(env, t.txn);
    return rc;
}

static void write_changes(struct buf *changes)
{
    assert_int_equal(try_write(changes), ERR_OK);
    buf_free(changes);
}

static void write_put(uint32_t n, const char *value)
{
    struct buf changes = {0};

    note_put(&changes, n, value);
    write_changes(&changes);
}

/* As after a crash: nothing of the process is left. */
static void open_again(void)
{
    lmdb_redo_close(redo);
    assert_int_equal(lmdb_redo_open(&redo, dir, NULL), ERR_OK);
}

/* Do the records again; returns what they came to. */
static int replay(bool *ret_any)
{
    struct lmdb_txn t = {.env = env};
    int rc;

    assert_int_equal(lmdb_env_write(env, 0, &t.txn), 0);
    *ret_any = lmdb_redo_replay(redo, &t);
    lmdb_redo_mark(&t);
    rc = lmdb_txn_code(&t);
    if (rc == ERR_OK) {
        assert_int_equal(lmdb_env_commit(env, t.txn), 0);
        lmdb_redo_begin_anew(redo);
    } else {
        lmdb_env_abort(env, t.txn);
    }
    buf_free(&t.row);
    return rc;
}

static bool any_again(void)
{
    bool any;

    open_again();
    assert_int_equal(replay(&any), ERR_OK);
    return any;
}

/* Commit with the mark, as the writer does. */
static void commit_mark(void)
{
    struct lmdb_txn t = {.env = env};

    assert_int_equal(lmdb_env_write(env, 0, &t.txn), 0);
    lmdb_redo_mark(&t);
    assert_int_equal(lmdb_txn_code(&t), ERR_OK);
    assert_int_equal(lmdb_env_commit(env, t.txn), 0);
    lmdb_redo_begin_anew(redo);
}

/* The row with that key; "" if it is not there. */
static const char *row_at(enum lmdb_table table, struct lmdb_key key)
{
    static char text[64];
    struct lmdb_txn t = {.env = env};
    struct rd r = {0};

    assert_int_equal(lmdb_env_read(env, &t.txn), 0);
    text[0] = '\0';
    if (lmdb_txn_get(&t, table, &key, &r) == ERR_OK)
        (void)snprintf(text, sizeof(text), "%.*s", (int)r.left, (const char *)r.p);
    lmdb_env_read_end(env, t.txn);
    return text;
}

static const char *row(uint32_t n)
{
    return row_at(T_CELLS, key_of(n));
}

/* Overwrite a byte of the file. */
static void damage(off_t at)
{
    int fd = open(path, O_RDWR);
    uint8_t byte = 0;

    assert_true(fd >= 0 && pread(fd, &byte, 1, at) == 1);
    byte ^= 0xff;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

/* ---- records ---- */

static void test_records_come_back(void **state)
{
    struct buf changes = {0};

    (void)state;
    write_put(1, "one");
    note_put(&changes, 1, "uno");
    note_put(&changes, 2, "");
    note_put(&changes, 3, "three");
    write_changes(&changes);
    note_del(&changes, 3);
    note_del(&changes, 99); /* a row that is not there is fine */
    write_changes(&changes);
    assert_true(any_again());
    assert_string_equal(row(1), "uno");
    assert_string_equal(row(3), "");
    assert_false(any_again()); /* once */
}

static void test_an_empty_log_says_nothing(void **state)
{
    (void)state;
    assert_false(any_again());
    write_put(1, "one");
    commit_mark();
    assert_false(any_again());
    assert_string_equal(row(1), ""); /* that was the commit's affair */
}

/* What is left in the file from before the last commit is old. */
static void test_old_records_stay_away(void **state)
{
    (void)state;
    for (uint32_t i = 1; i < 6; i++)
        write_put(i, "old");
    commit_mark();
    write_put(1, "new");
    assert_true(any_again());
    assert_string_equal(row(1), "new");
    assert_string_equal(row(2), "");
    write_put(3, "newer");
    assert_true(any_again());
    assert_string_equal(row(3), "newer");
    assert_string_equal(row(2), "");
}

/* Those of another store, or of a newer or older copy of the index. */
static void test_records_of_another_commit(void **state)
{
    struct lmdb_txn t = {.env = env};

    (void)state;
    write_put(1, "one");
    assert_int_equal(lmdb_env_write(env, 0, &t.txn), 0);
    lmdb_redo_mark(&t); /* and the file does not begin anew */
    assert_int_equal(lmdb_env_commit(env, t.txn), 0);
    assert_false(any_again());
    assert_string_equal(row(1), "");
}

/* It is not taken for an empty one: what was acknowledged may be in it. */
static void test_a_log_that_cannot_be_read(void **state)
{
    bool any;

    (void)state;
    write_put(1, "one");
    for (unreadable = 1; unreadable <= 2; unreadable++) {
        reads = 0;
        open_again();
        assert_int_equal(replay(&any), ERR_IO);
    }
    unreadable = 0;
    assert_true(any_again());
    assert_string_equal(row(1), "one");
}

/* While the process lives it knows what it has written. */
static void test_a_record_that_is_gone(void **state)
{
    bool any;

    (void)state;
    write_put(1, "one");
    write_put(2, "two");
    damage(2 * BLOCK + 60);
    assert_int_equal(replay(&any), ERR_CORRUPT);
    commit_mark(); /* a commit that has them after all */
    write_put(3, "three");
    assert_int_equal(replay(&any), ERR_OK);
    assert_string_equal(row(3), "three");
}

/* A record that was not written to its end is none, nor is one behind it. */
static void test_torn_records(void **state)
{
    static const off_t places[] = {3, 19, 23, 24, 55, 60};

    (void)state;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        write_put(1, "whole");
        write_put(2, "torn");
        write_put(3, "behind");
        damage(2 * BLOCK + places[i]);
        assert_true(any_again());
        assert_string_equal(row(1), "whole");
        assert_string_equal(row(2), "");
        assert_string_equal(row(3), "");
    }
}

static void test_a_length_beyond_the_file(void **state)
{
    (void)state;
    write_put(1, "x");
    damage(BLOCK + 20); /* the highest byte of its length */
    assert_false(any_again());
    assert_string_equal(row(1), "");
}

static void test_full(void **state)
{
    struct buf changes = {0};
    char value[BLOCK] = {0};
    unsigned n = 0;
    int rc;

    (void)state;
    memset(value, 'v', sizeof(value) - 1);
    note_put(&changes, 1, value); /* two blocks */
    while ((rc = try_write(&changes)) == ERR_OK)
        n++;
    assert_int_equal(rc, ERR_FULL);
    assert_int_equal(n, (LMDB_REDO_LEN / BLOCK - 1) / 2);
    commit_mark();
    assert_int_equal(try_write(&changes), ERR_OK);
    buf_free(&changes);
    assert_true(any_again());
}

/* ${n} changes of 20 rows: long values, then short ones, and a row that comes and goes. */
static void note_many(struct buf *changes, uint32_t n)
{
    char long_value[BLOCK / 2] = {0}, last[16];

    memset(long_value, 'v', sizeof(long_value) - 1);
    for (uint32_t i = 0; i < n - 22; i++)
        note_put(changes, i % 20, long_value);
    for (uint32_t i = 0; i < 20; i++) {
        (void)snprintf(last, sizeof(last), "last %u", i);
        note_put(changes, i, last);
    }
    note_put(changes, 20, "comes");
    note_del(changes, 20);
}

/* Of a row that is changed more than once, if the changes are not many. */
static void test_only_the_last_change_takes_room(void **state)
{
    enum { FEW = 128 };
    static const uint32_t counts[] = {22, 23, 42, FEW, FEW + 1};
    char last[16];

    (void)state;
    for (size_t k = 0; k < sizeof(counts) / sizeof(counts[0]); k++) {
        struct buf changes = {0};
        uint8_t len[4];
        int fd = open(path, O_RDONLY);

        note_many(&changes, counts[k]);
        assert_int_equal(try_write(&changes), ERR_OK);
        assert_int_equal(pread(fd, len, sizeof(len), BLOCK + 20), 4);
        close(fd);
        if (counts[k] <= FEW)
            assert_true(get_be32(len) < 21 * 32);
        else
            assert_int_equal(get_be32(len), changes.len);
        buf_free(&changes);
        assert_true(any_again());
        for (uint32_t i = 0; i < 20; i++) {
            (void)snprintf(last, sizeof(last), "last %u", i);
            assert_string_equal(row(i), last);
        }
        assert_string_equal(row(20), "");
    }
}

/* The same key in another table, and a key that another one begins with. */
static void test_rows_that_look_alike_are_others(void **state)
{
    static const enum lmdb_table tables[] = {T_CELLS, T_CELLS, T_FEED, T_CELLS, T_CELLS};
    static const size_t lens[] = {7, 8, 8, 7, 6};
    static const char *const values[] = {"first", "long", "feed", "last", "short"};
    enum { N = sizeof(lens) / sizeof(lens[0]) };
    struct lmdb_key keys[N];
    struct buf changes = {0};

    (void)state;
    for (size_t i = 0; i < N; i++) {
        keys[i] = key_of(0);
        keys[i].len = lens[i];
        lmdb_redo_note_put(&changes, tables[i], part(keys[i].bytes, lens[i]), part_str(values[i]));
    }
    write_changes(&changes);
    assert_true(any_again());
    for (size_t i = 0; i < N; i++)
        assert_string_equal(row_at(tables[i], keys[i]), i == 0 ? values[3] : values[i]);
}

/* An earlier version made it: it stays as it is. */
static void test_a_shorter_file(void **state)
{
    struct buf changes = {0};
    char value[BLOCK] = {0};
    unsigned n = 0;
    int rc;

    (void)state;
    lmdb_redo_close(redo);
    assert_int_equal(truncate(path, LMDB_REDO_LEN_OLD), 0);
    assert_int_equal(lmdb_redo_open(&redo, dir, NULL), ERR_OK);
    memset(value, 'v', sizeof(value) - 1);
    note_put(&changes, 1, value); /* two blocks */
    while ((rc = try_write(&changes)) == ERR_OK)
        n++;
    assert_int_equal(rc, ERR_FULL);
    assert_int_equal(n, (LMDB_REDO_LEN_OLD / BLOCK - 1) / 2);
    buf_free(&changes);
    assert_true(any_again());
}

static void test_larger_than_the_file(void **state)
{
    struct buf changes = {0};

    (void)state;
    assert_non_null(buf_reserve(&changes, LMDB_REDO_LEN));
    changes.len = LMDB_REDO_LEN;
    memset(changes.data, 0, changes.len);
    assert_int_equal(try_write(&changes), ERR_FULL);
    buf_free(&changes);
}

/* Sound, but no changes. */
static void test_records_that_make_no_sense(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } bad[] = {
        {"\0\0\0\0\0\1k", 7},                    /* neither put nor delete */
        {"\2\377\0\0\0\1k", 7},                  /* no such table */
        {"\2\20\0\0\0\0", 6},                    /* no key */
        {"\2\20\0\0\0\2k", 7},                   /* a key beyond the end */
        {"\1\20\0\0\0\1k\377\377\377\377v", 12}, /* a value beyond the end */
        {"\1\20\0\0\0\1k", 7},                   /* no value */
        {"\2", 1},
    };
    bool any;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct buf changes = {0};

        buf_put(&changes, bad[i].bytes, bad[i].len);
        write_changes(&changes);
        open_again();
        assert_int_equal(replay(&any), ERR_CORRUPT);
        commit_mark();
    }
}

/* ---- the file ---- */

static void test_other_files(void **state)
{
    struct err err = {0};
    struct lmdb_redo *r = NULL;
    int fd;

    (void)state;
    damage(9); /* its version */
    assert_int_equal(lmdb_redo_open(&r, dir, &err), ERR_UNSUPPORTED);
    damage(0);
    assert_int_equal(lmdb_redo_open(&r, dir, &err), ERR_CORRUPT);
    fd = open(path, O_WRONLY | O_TRUNC);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(lmdb_redo_open(&r, dir, &err), ERR_CORRUPT);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("elsewhere", path), 0);
    assert_int_equal(lmdb_redo_open(&r, dir, &err), ERR_IO);
    assert_null(r);
}

/* With a disk of its own, if we may make one. */
static void test_a_full_disk(void **state)
{
    struct lmdb_redo *r = NULL;
    struct err err = {0};
    char small[80];
    int rc;

    (void)state;
    (void)snprintf(small, sizeof(small), "%s/small", dir);
    assert_int_equal(mkdir(small, 0700), 0);
    if (mount("tmpfs", small, "tmpfs", 0, "size=1m") != 0) {
        assert_int_equal(rmdir(small), 0);
        skip();
    }
    rc = lmdb_redo_open(&r, small, &err);
    assert_int_equal(umount(small), 0);
    assert_int_equal(rmdir(small), 0);
    assert_int_equal(rc, ERR_FULL);
    assert_null(r);
}

static void test_it_has_its_blocks(void **state)
{
    struct stat st;

    (void)state;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, LMDB_REDO_LEN);
    assert_true(st.st_blocks * 512 >= LMDB_REDO_LEN);
    assert_int_equal(st.st_mode & 07777, 0600);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_records_come_back),
        TEST(test_records_of_another_commit),
        TEST(test_a_log_that_cannot_be_read),
        TEST(test_a_record_that_is_gone),
        TEST(test_an_empty_log_says_nothing),
        TEST(test_old_records_stay_away),
        TEST(test_torn_records),
        TEST(test_a_length_beyond_the_file),
        TEST(test_full),
        TEST(test_only_the_last_change_takes_room),
        TEST(test_rows_that_look_alike_are_others),
        TEST(test_a_shorter_file),
        TEST(test_larger_than_the_file),
        TEST(test_records_that_make_no_sense),
        TEST(test_other_files),
        TEST(test_a_full_disk),
        TEST(test_it_has_its_blocks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
