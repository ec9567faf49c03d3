/* SPDX-License-Identifier: Apache-2.0 */
/* output: what stands behind standard output is durable before anybody is told so. */
#include <errno.h>
#include <fcntl.h>
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

#include "client/local/output.h"
#include "tests/unit/tmpdir.h"

/* The disk: what was synced, and what it says. */
static struct {
    int fail; /* errno; 0: it does it */
    unsigned calls;
    ino_t inode;   /* of the last one */
    off_t written; /* its length then */
} disk;

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    struct stat st;

    disk.calls++;
    if (fstat(fd, &st) == 0) {
        disk.inode = st.st_ino;
        disk.written = st.st_size;
    }
    if (disk.fail != 0) {
        errno = disk.fail;
        return -1;
    }
    return __real_fsync(fd);
}

/* Write a few bytes to ${fd} as a get does and commit; the code, and the message in ${ret}. */
static int put(int fd, int fail, struct err *ret)
{
    struct output_spec spec = {.fd = fd};
    struct output *o = NULL;
    atomic_bool stop = false;
    int rc;

    memset(&disk, 0, sizeof(disk));
    disk.fail = fail;
    assert_int_equal(output_open(&spec, "name", &o, NULL), ERR_OK);
    assert_int_equal(output_write(o, 0, part("bytes", 5), &stop, NULL), ERR_OK);
    assert_int_equal(disk.calls, 0);
    rc = output_commit(o, ret);
    output_free(o);
    return rc;
}

static void test_a_file(void **state)
{
    char dir[TMPDIR_SIZE], path[TMPDIR_SIZE + 8];
    struct stat st;
    struct err err;
    int fd;

    (void)state;
    assert_non_null(tmpdir_make(dir));
    (void)snprintf(path, sizeof(path), "%s/out", dir);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(put(fd, 0, &err), ERR_OK);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(disk.calls, 1);
    assert_true(disk.inode == st.st_ino && disk.written == 5);
    assert_int_equal(put(fd, EIO, &err), ERR_IO);
    assert_non_null(strstr(err.msg, "cannot sync the output: "));
    assert_int_equal(put(fd, ENOSPC, &err), ERR_IO);
    assert_int_equal(close(fd), 0);
    assert_int_equal(tmpdir_remove(dir), 0);
}

/* A pipe has nothing to sync, and says so. */
static void test_a_pipe(void **state)
{
    char got[16];
    int ends[2];
    struct err err;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(put(ends[1], 0, &err), ERR_OK);
    assert_int_equal(read(ends[0], got, sizeof(got)), 5);
    assert_memory_equal(got, "bytes", 5);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

/* Nor do others that say so in their own way. */
static void test_what_cannot_be_synced(void **state)
{
    static const int says[] = {EINVAL, EROFS, ENOTSUP};
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    struct err err;

    (void)state;
    assert_true(fd >= 0);
    for (size_t i = 0; i < sizeof(says) / sizeof(says[0]); i++)
        assert_int_equal(put(fd, says[i], &err), ERR_OK);
    (void)close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_file),
        cmocka_unit_test(test_a_pipe),
        cmocka_unit_test(test_what_cannot_be_synced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
