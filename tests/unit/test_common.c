/* SPDX-License-Identifier: Apache-2.0 */
/* common: errors, buffers, secrets and files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/fs.h"
#include "common/secret.h"
#include "common/show.h"

static void test_err_texts(void **state)
{
    struct err err = {0};

    (void)state;
    assert_string_equal(err_name(ERR_NOTFOUND), "notfound");
    assert_int_equal(err_exit_code(ERR_NOTFOUND), 3);
    assert_int_equal(err_exit_code(ERR_OK), 0);
    assert_string_equal(err_name(-9999), "internal");
    assert_int_equal(err_set(&err, ERR_IO, "cannot open '%s'", "x"), ERR_IO);
    err_hint(&err, "try again");
    err_wrap(&err, "inbox");
    assert_string_equal(err.msg, "inbox: cannot open 'x'");
    assert_string_equal(err.hint, "try again");
    assert_int_equal(err_set(NULL, ERR_IO, "nobody listens"), ERR_IO);
    err_wrap(NULL, "nobody");
    err_hint(NULL, "nobody");
}

static void test_err_never_overflows(void **state)
{
    struct err err = {0};

    (void)state;
    (void)err_set(&err, ERR_IO, "%0600d", 1);
    for (int i = 0; i < 20; i++)
        err_wrap(&err, "%0300d", i);
    assert_true(strlen(err.msg) < sizeof(err.msg));
}

static void test_buf_round_trip(void **state)
{
    struct buf b = {0};
    struct rd r;

    (void)state;
    buf_u8(&b, 7);
    buf_u16(&b, 0x0102);
    buf_u32(&b, 0x03040506);
    buf_u64(&b, 0x0708090a0b0c0d0eULL);
    buf_lp_str(&b, "abc");
    buf_lp_u32(&b, 9);
    assert_int_equal(buf_check(&b, NULL), ERR_OK);
    r = rd_make(b.data, b.len);
    assert_int_equal(rd_u8(&r), 7);
    assert_int_equal(rd_u16(&r), 0x0102);
    assert_int_equal(rd_u32(&r), 0x03040506);
    assert_true(rd_u64(&r) == 0x0708090a0b0c0d0eULL);
    assert_int_equal(rd_u32(&r), 3);
    assert_memory_equal(rd_take(&r, 3), "abc", 3);
    assert_int_equal(rd_u32(&r), 4);
    assert_int_equal(rd_u32(&r), 9);
    assert_true(rd_done(&r));
    buf_free(&b);
}

static void test_rd_stops_at_the_end(void **state)
{
    uint8_t raw[3] = {1, 2, 3}, out[8] = {9};
    struct rd r = rd_make(raw, sizeof(raw));

    (void)state;
    assert_int_equal(rd_u32(&r), 0);
    assert_true(r.bad);
    assert_int_equal(rd_u8(&r), 0); /* sticky, although a byte is left */
    rd_get(&r, out, sizeof(out));
    assert_int_equal(out[0], 0);
    assert_false(rd_done(&r));
    assert_null(rd_take(&r, SIZE_MAX));
}

/* NULL means out of memory, also when nothing is asked for. */
static void test_buf_reserves_nothing(void **state)
{
    struct buf b = {0};

    (void)state;
    assert_non_null(buf_reserve(&b, 0));
    buf_put(&b, NULL, 0);
    assert_int_equal(b.len, 0);
    buf_free(&b);
}

static void test_buf_refuses_impossible_sizes(void **state)
{
    struct buf b = {0};

    (void)state;
    assert_null(buf_reserve(&b, SIZE_MAX / 2 + 1));
    assert_int_equal(buf_check(&b, NULL), ERR_NOMEM);
    buf_put(&b, "x", 1); /* sticky */
    assert_int_equal(b.len, 0);
    buf_free(&b);
}

/* A failure stays until the bytes are forgotten, and what was there before stays as it was. */
static void test_buf_failure_is_sticky(void **state)
{
    struct buf b = {0};
    size_t cap;

    (void)state;
    buf_put(&b, "kept", 4);
    cap = b.cap;
    assert_null(buf_reserve(&b, SIZE_MAX));
    assert_null(buf_reserve(&b, SIZE_MAX - 4));     /* with the length it would wrap round */
    assert_null(buf_reserve(&b, SIZE_MAX / 2 - 3)); /* one more than the most there can be */
    buf_u64(&b, 1);
    buf_lp_str(&b, "lost");
    assert_int_equal(b.len, 4);
    assert_int_equal(b.cap, cap);
    assert_memory_equal(b.data, "kept", 4);
    assert_int_equal(buf_check(&b, NULL), ERR_NOMEM);
    buf_reset(&b);
    buf_put(&b, "new", 3);
    assert_int_equal(buf_check(&b, NULL), ERR_OK);
    assert_memory_equal(b.data, "new", 3);
    buf_free(&b);
}

/* A length that LP cannot say is refused before a byte is read. */
static void test_buf_lp_has_an_end(void **state)
{
    struct buf b = {0};

    (void)state;
    if (SIZE_MAX <= UINT32_MAX)
        skip();
    buf_lp(&b, "x", (size_t)UINT32_MAX + 1);
    assert_int_equal(b.len, 0);
    assert_int_equal(buf_check(&b, NULL), ERR_NOMEM);
    buf_free(&b);
}

/* Sizes from one byte to many, one by one and at once: what is written is what is read. */
static void test_buf_grows(void **state)
{
    struct buf b = {0};
    struct rd r;

    (void)state;
    for (uint32_t i = 0; i < 3000; i++) {
        size_t len = i % 97;
        uint8_t *to = buf_reserve(&b, len);

        assert_non_null(to);
        assert_true(b.cap - b.len >= len);
        memset(to, (int)(i % 251), len);
        b.len += len;
    }
    r = rd_make(b.data, b.len);
    for (uint32_t i = 0; i < 3000; i++) {
        size_t len = i % 97;
        const uint8_t *at = rd_take(&r, len);

        assert_non_null(at);
        assert_true(len == 0 || (at[0] == i % 251 && at[len - 1] == i % 251));
    }
    assert_true(rd_done(&r));
    buf_free(&b);
}

/* Lengths out of a hostile message: nothing is read past the end, whatever is asked. */
static void test_rd_hostile_lengths(void **state)
{
    static const uint8_t raw[] = {0xff, 0xff, 0xff, 0xff, 'a', 'b'};
    static const size_t lens[] = {3, (size_t)UINT32_MAX, SIZE_MAX / 2, SIZE_MAX - 3, SIZE_MAX};
    struct rd r;

    (void)state;
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        r = rd_make(raw, sizeof(raw));
        assert_int_equal(rd_u32(&r), UINT32_MAX);
        assert_null(rd_take(&r, lens[i]));
        assert_true(r.bad);
        assert_int_equal(r.left, 2); /* nothing was taken */
        assert_null(rd_take(&r, 0)); /* sticky */
        assert_int_equal(rd_u16(&r), 0);
        assert_true(rd_u64(&r) == 0);
        assert_false(rd_done(&r));
    }
    r = rd_make(NULL, 0);
    assert_true(rd_done(&r));
    (void)rd_take(&r, 0);
    assert_true(rd_done(&r));
    assert_int_equal(rd_u8(&r), 0);
    assert_false(rd_done(&r));
}

/* What belongs to the whole process is for its main() to decide, not for the first secret. */
static void test_secret_leaves_the_process_alone(void **state)
{
    struct rlimit before, after;
    int dumpable = prctl(PR_GET_DUMPABLE);
    struct secret s = {0};

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_CORE, &before), 0);
    assert_int_equal(secret_new(&s, 32, NULL), ERR_OK);
    secret_free(&s);
    assert_int_equal(prctl(PR_GET_DUMPABLE), dumpable);
    assert_int_equal(dumpable, 1);
    assert_int_equal(getrlimit(RLIMIT_CORE, &after), 0);
    assert_true(before.rlim_cur == after.rlim_cur && before.rlim_max == after.rlim_max);
    assert_true(secret_setup());
}

static void test_secret_guards_a_program(void **state)
{
    int status = 0;
    pid_t child = fork();

    (void)state;
    assert_true(child >= 0);
    if (child == 0) {
        struct rlimit limit = {1, 1};

        secret_guard_process();
        _exit(getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_max == 0 &&
                      prctl(PR_GET_DUMPABLE) == 0 && secret_setup()
                  ? 0
                  : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void test_secret_is_wiped_when_cut(void **state)
{
    struct secret s = {0}, t = {0};

    (void)state;
    assert_int_equal(secret_copy(&s, "0123456789", 10, NULL), ERR_OK);
    secret_truncate(&s, 4);
    assert_int_equal(s.len, 4);
    assert_memory_equal(s.data + 4, "\0\0\0\0\0\0", 6);
    secret_move(&t, &s);
    assert_null(s.data);
    assert_true(secret_equal(t.data, "0123", 4));
    assert_false(secret_equal(t.data, "0124", 4));
    secret_free(&t);
    secret_free(&t);
    secret_free(NULL);
}

static void test_secret_heap_has_an_end(void **state)
{
    struct secret s = {0};

    (void)state;
    assert_int_equal(secret_new(&s, 1 << 24, NULL), ERR_NOMEM);
    assert_null(s.data);
}

static char *temp_dir(void)
{
    char *dir = strdup("/tmp/satchel-common-XXXXXX");

    assert_non_null(mkdtemp(dir));
    return dir;
}

static void test_fs_replace_and_create(void **state)
{
    char *dir = temp_dir(), *path = fs_join(dir, "a");
    struct buf b = {0};
    struct secret s = {0};
    struct stat st;
    struct err err;

    (void)state;
    assert_int_equal(fs_read(path, 10, &b, &err), ERR_NOTFOUND);
    assert_int_equal(fs_create(path, "one", 3, 0600, &err), ERR_OK);
    assert_int_equal(fs_create(path, "two", 3, 0600, &err), ERR_EXISTS);
    assert_int_equal(fs_replace(path, "three", 5, 0600, &err), ERR_OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(fs_read(path, 4, &b, &err), ERR_TOOLARGE);
    assert_int_equal(fs_read(path, 5, &b, &err), ERR_OK);
    assert_memory_equal(b.data, "three", 5);
    assert_int_equal(fs_read_secret(path, 5, &s, &err), ERR_OK);
    assert_memory_equal(s.data, "three", 5);
    assert_int_equal(fs_read(dir, 5, &b, &err), ERR_IO); /* a folder */
    assert_int_equal(fs_replace("/nonexistent/x", "y", 1, 0600, &err), ERR_IO);
    buf_free(&b);
    secret_free(&s);
    assert_int_equal(unlink(path), 0); /* and no temporary file is left: */
    assert_int_equal(rmdir(dir), 0);
    free(path);
    free(dir);
}

static void test_fs_mkdirs(void **state)
{
    char *dir = temp_dir(), *deep = fs_join(dir, "x/y"), *x = fs_join(dir, "x");
    char *file = fs_join(dir, "file"), *below = fs_join(dir, "file/y");

    (void)state;
    assert_int_equal(fs_mkdirs(deep, 0700, NULL), ERR_OK);
    assert_int_equal(fs_mkdirs(deep, 0700, NULL), ERR_OK);
    assert_true(fs_exists(deep));
    assert_int_equal(fs_sync_dir(deep, NULL), ERR_OK);
    assert_int_equal(fs_create(file, "", 0, 0600, NULL), ERR_OK);
    assert_int_equal(fs_mkdirs(file, 0700, NULL), ERR_EXISTS);
    assert_int_not_equal(fs_mkdirs(below, 0700, NULL), ERR_OK);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(rmdir(deep) | rmdir(x) | rmdir(dir), 0);
    assert_int_equal(fs_sync_dir(deep, NULL), ERR_IO);
    free(file);
    free(below);
    free(deep);
    free(x);
    free(dir);
}

static void test_show(void **state)
{
    const uint64_t hour = 3600000;
    char size[SHOW_SIZE], time[SHOW_TIME];

    (void)state;
    assert_string_equal(show_size(1023, size), "1023 B");
    assert_string_equal(show_size(1048575, size), "1.0 MiB");
    assert_string_equal(show_time(1763712000123, time), "2025-11-21T08:00:00.123Z");
    assert_string_equal(show_date(1763712000123, time), "2025-11-21");
    assert_string_equal(show_time(UINT64_MAX, time), "never");
    assert_string_equal(show_date(UINT64_MAX, time), "never");
    assert_string_equal(show_minute(1763712000123, time), "2025-11-21 08:00 UTC");
    assert_string_equal(show_minute(1763712059999, time), "2025-11-21 08:00 UTC");
    assert_string_equal(show_minute(UINT64_MAX, time), "never");
    assert_string_equal(show_span(99999, size), "99s");
    assert_string_equal(show_span(36 * hour, size), "36h");
    assert_string_equal(show_span(49 * hour - 1, size), "2d");
    assert_string_equal(show_span_near(0, size), "0s");
    assert_string_equal(show_span_near(499, size), "0s");
    assert_string_equal(show_span_near(500, size), "1s");
    assert_string_equal(show_span_near(99499, size), "99s");
    assert_string_equal(show_span_near(99500, size), "2m");
    assert_string_equal(show_span_near(10 * hour / 60 - 1000, size), "10m");
    assert_string_equal(show_span_near(99 * hour / 60, size), "99m");
    assert_string_equal(show_span_near(100 * hour / 60 - 1, size), "2h");
    assert_string_equal(show_span_near(36 * hour + hour / 2 - 1, size), "36h");
    assert_string_equal(show_span_near(47 * hour + hour / 2 - 1, size), "47h");
    assert_string_equal(show_span_near(48 * hour - 1, size), "2d");
    assert_string_equal(show_span_near(60 * hour - 1, size), "2d");
    assert_string_equal(show_span_near(7 * 24 * hour - 5000, size), "7d");
    assert_string_equal(show_span_near(UINT64_MAX, size), "213503982335d");
    assert_string_equal(show_span_words(1000, time), "1 second");
    assert_string_equal(show_span_words(90 * hour / 60, time), "90 minutes");
    assert_string_equal(show_span_words(720 * hour, time), "30 days");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_show),
        cmocka_unit_test(test_err_texts),
        cmocka_unit_test(test_err_never_overflows),
        cmocka_unit_test(test_buf_round_trip),
        cmocka_unit_test(test_rd_stops_at_the_end),
        cmocka_unit_test(test_buf_reserves_nothing),
        cmocka_unit_test(test_buf_refuses_impossible_sizes),
        cmocka_unit_test(test_buf_failure_is_sticky),
        cmocka_unit_test(test_buf_lp_has_an_end),
        cmocka_unit_test(test_buf_grows),
        cmocka_unit_test(test_rd_hostile_lengths),
        cmocka_unit_test(test_secret_leaves_the_process_alone),
        cmocka_unit_test(test_secret_guards_a_program),
        cmocka_unit_test(test_secret_is_wiped_when_cut),
        cmocka_unit_test(test_secret_heap_has_an_end),
        cmocka_unit_test(test_fs_replace_and_create),
        cmocka_unit_test(test_fs_mkdirs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
