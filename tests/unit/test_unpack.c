/* SPDX-License-Identifier: Apache-2.0 */
/* unpack: an archive is as hostile as its sender; what it may not hold never reaches the disk. */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fcntl.h>

#include <archive.h>
#include <archive_entry.h>
#include <cmocka.h>

#include "client/local/beneath.h"
#include "client/local/tree.h"
#include "client/local/unpack.h"
#include "common/buf.h"
#include "common/fs.h"
#include "tests/unit/tmpdir.h"

struct state {
    char dir[TMPDIR_SIZE];
    char *in; /* a folder in it, to unpack in */
    int fd;   /* of that */
    struct archive *a;
    struct buf tar;
    bool over;
};

static const atomic_bool go_on;

static la_ssize_t keep(struct archive *a, void *cookie, const void *data, size_t len)
{
    struct state *s = cookie;

    if (s->over) {
        archive_set_error(a, EINTR, "over");
        return -1;
    }
    buf_put(&s->tar, data, len);
    return (la_ssize_t)len;
}

static int setup(void **state)
{
    struct state *s = calloc(1, sizeof(*s));

    assert_non_null(tmpdir_make(s->dir));
    s->in = fs_join(s->dir, "in");
    assert_int_equal(mkdir(s->in, 0700), 0);
    s->fd = open(s->in, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(s->fd >= 0);
    s->a = archive_write_new();
    assert_int_equal(archive_write_set_format_pax(s->a), ARCHIVE_OK);
    assert_int_equal(archive_write_set_options(s->a, "hdrcharset=BINARY"), ARCHIVE_OK);
    assert_int_equal(archive_write_set_bytes_per_block(s->a, 0), ARCHIVE_OK);
    assert_int_equal(archive_write_open(s->a, s, NULL, keep, NULL), ARCHIVE_OK);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct state *s = *state;

    s->over = true; /* or it fills up what is not there */
    archive_write_free(s->a);
    close(s->fd);
    (void)chmod(s->in, 0700);
    assert_int_equal(tmpdir_remove(s->dir), 0);
    buf_free(&s->tar);
    free(s->in);
    free(s);
    return 0;
}

/* ---- making archives ------------------------------------------------------------------- */

struct item {
    const char *path;
    mode_t mode;        /* kind and permissions */
    const char *target; /* of a link; with AE_IFREG: of another name */
    const char *text;
};

static void add(struct state *s, const struct item *i)
{
    struct archive_entry *e = archive_entry_new();
    size_t len = i->text != NULL ? strlen(i->text) : 0;

    archive_entry_copy_pathname(e, i->path);
    archive_entry_set_mode(e, i->mode);
    archive_entry_set_mtime(e, 1000000000, 5);
    archive_entry_set_size(e, (la_int64_t)len);
    if (i->target != NULL && (i->mode & S_IFMT) == S_IFREG)
        archive_entry_copy_hardlink(e, i->target);
    else if (i->target != NULL)
        archive_entry_copy_symlink(e, i->target);
    assert_true(archive_write_header(s->a, e) >= ARCHIVE_WARN);
    if (len > 0)
        assert_int_equal(archive_write_data(s->a, i->text, len), len);
    archive_entry_free(e);
}

#define DIR_AT(p)     (&(struct item){p, S_IFDIR | 0755, NULL, NULL})
#define FILE_AT(p, t) (&(struct item){p, S_IFREG | 0644, NULL, t})
#define LINK_AT(p, t) (&(struct item){p, S_IFLNK | 0777, t, NULL})
#define NAME_AT(p, t) (&(struct item){p, S_IFREG | 0644, t, NULL})

/* Unpack ${len} bytes of what was written, in steps. */
static int unpack_some(struct state *s, size_t len, struct err *err)
{
    struct unpack *u = NULL;
    int rc, end;

    assert_int_equal(unpack_new(s->fd, "top", &u, NULL), ERR_OK);
    for (size_t at = 0; at < len; at += 1000) {
        rc =
            unpack_write(u, part(s->tar.data + at, len - at < 1000 ? len - at : 1000), &go_on, err);
        if (rc != ERR_OK) {
            unpack_free(u);
            return rc;
        }
    }
    rc = unpack_end(u, err);
    end = unpack_end(u, NULL);
    assert_int_equal(rc, end);
    unpack_free(u);
    return rc;
}

static int unpack_all(struct state *s, struct err *err)
{
    assert_int_equal(archive_write_close(s->a), ARCHIVE_OK);
    return unpack_some(s, s->tar.len, err);
}

static bool there(const struct state *s, const char *name)
{
    struct stat st;

    return fstatat(s->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* ---- what may be there --------------------------------------------------------------------- */

static void test_good(void **state)
{
    struct state *s = *state;
    struct stat st, other;
    char target[20];
    struct err err = {0};

    add(s, &(struct item){"top/", S_IFDIR | 01750, NULL, NULL});
    add(s, &(struct item){"top/file", S_IFREG | 06741, NULL, "text"});
    add(s, DIR_AT("top/a/"));
    add(s, &(struct item){"top/a/b", S_IFDIR | 0500, NULL, NULL});
    add(s, FILE_AT("top/a/b/new\nline \x1b \xe4", "1"));
    add(s, LINK_AT("top/a/link", "../file"));
    add(s, NAME_AT("top/a/same", "top/file"));
    add(s, FILE_AT("top/last", ""));
    assert_int_equal(unpack_all(s, &err), ERR_OK);
    assert_int_equal(fstat(s->fd, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0750);
    assert_int_equal(st.st_mtim.tv_sec, 1000000000);
    assert_int_equal(st.st_mtim.tv_nsec, 5);
    assert_int_equal(fstatat(s->fd, "file", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0741); /* neither set-user-ID nor set-group-ID */
    assert_int_equal(st.st_size, 4);
    assert_int_equal(st.st_mtim.tv_nsec, 5);
    assert_int_equal(fstatat(s->fd, "a/same", &other, 0), 0);
    assert_int_equal(st.st_ino, other.st_ino);
    assert_int_equal(fstatat(s->fd, "a/b", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0500);
    assert_int_equal(st.st_mtim.tv_sec, 1000000000);
    assert_true(there(s, "a/b/new\nline \x1b \xe4"));
    assert_int_equal(readlinkat(s->fd, "a/link", target, sizeof(target)), 7);
    assert_true(there(s, "last"));
    assert_int_equal(fchmodat(s->fd, "a/b", 0700, 0), 0);
}

/* Whose files these become decides who else may read them. */
static void test_umask(void **state)
{
    struct state *s = *state;
    mode_t before = umask(027);
    struct stat st;

    add(s, &(struct item){"top/", S_IFDIR | 0777, NULL, NULL});
    add(s, &(struct item){"top/file", S_IFREG | 0666, NULL, "text"});
    add(s, &(struct item){"top/tool", S_IFREG | 0755, NULL, "text"});
    add(s, &(struct item){"top/a/", S_IFDIR | 0777, NULL, NULL});
    add(s, FILE_AT("top/a/b", "1"));
    assert_int_equal(unpack_all(s, NULL), ERR_OK);
    assert_int_equal(umask(before), 027); /* nobody has changed it */
    assert_int_equal(fstat(s->fd, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0750);
    assert_int_equal(fstatat(s->fd, "file", &st, 0), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    assert_int_equal(fstatat(s->fd, "tool", &st, 0), 0);
    assert_int_equal(st.st_mode & 0777, 0750);
    assert_int_equal(fstatat(s->fd, "a", &st, 0), 0);
    assert_int_equal(st.st_mode & 0777, 0750);
}

static void test_deep(void **state)
{
    struct state *s = *state;
    char path[PATH_MAX] = "top";
    size_t len = 3;

    add(s, DIR_AT(path));
    for (int i = 0; i <= TREE_DEPTH_MAX; i++) {
        len += (size_t)snprintf(path + len, sizeof(path) - len, "/d");
        add(s, DIR_AT(path));
    }
    assert_int_equal(unpack_all(s, NULL), ERR_REFUSED);
}

/* ---- what may not ------------------------------------------------------------------------------
 */

/* After the top folder and "top/a", these; the last one is refused. */
static void refused(struct state *s, const struct item *first, const struct item *second)
{
    struct err err = {0};
    struct stat st;

    add(s, DIR_AT("top"));
    add(s, DIR_AT("top/a"));
    add(s, first);
    if (second != NULL)
        add(s, second);
    assert_int_equal(unpack_all(s, &err), ERR_REFUSED);
    assert_non_null(strstr(err.msg, "archive holds"));
    assert_int_not_equal(err.hint[0], 0);
    /* Nothing beside the folder. */
    assert_int_not_equal(fstatat(s->fd, "../x", &st, AT_SYMLINK_NOFOLLOW), 0);
}

#define REFUSED(name, ...)                                                                         \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        refused(*state, __VA_ARGS__);                                                              \
    }

REFUSED(absolute, FILE_AT("/tmp/x", "1"), NULL)
REFUSED(absolute_behind_the_top, FILE_AT("top//x", "1"), NULL)
REFUSED(dots, FILE_AT("top/../x", "1"), NULL)
REFUSED(dots_deeper, FILE_AT("top/a/../../../x", "1"), NULL)
REFUSED(dots_at_the_end, DIR_AT("top/a/.."), NULL)
REFUSED(dot, FILE_AT("top/./x", "1"), NULL)
REFUSED(other_top, FILE_AT("x", "1"), NULL)
REFUSED(longer_top, FILE_AT("topx/x", "1"), NULL)
REFUSED(top_again, DIR_AT("top"), NULL)
REFUSED(no_folder, FILE_AT("top/b/x", "1"), NULL)
REFUSED(folder_left, FILE_AT("top/x", "1"), FILE_AT("top/a/x", "1"))
REFUSED(twice, FILE_AT("top/x", "1"), FILE_AT("top/x", "2"))
REFUSED(folder_twice, DIR_AT("top/a"), NULL)
REFUSED(link_up, LINK_AT("top/l", ".."), NULL)
REFUSED(link_absolute, LINK_AT("top/l", "/etc"), NULL)
REFUSED(link_up_in_the_middle, LINK_AT("top/a/l", "b/../../.."), NULL)
REFUSED(link_to_nothing, LINK_AT("top/l", ""), NULL)
REFUSED(through_a_link, LINK_AT("top/l", "a"), FILE_AT("top/l/x", "1"))
REFUSED(over_a_link, LINK_AT("top/l", "a/x"), FILE_AT("top/l", "1"))
REFUSED(name_outside, NAME_AT("top/n", "../x"), NULL)
REFUSED(name_absolute, NAME_AT("top/n", "/etc/passwd"), NULL)
REFUSED(name_of_nothing, NAME_AT("top/n", "top/none"), NULL)
REFUSED(name_of_a_link, LINK_AT("top/l", "a"), NAME_AT("top/n", "top/l"))
REFUSED(name_of_a_folder, NAME_AT("top/n", "top/a"), NULL)
REFUSED(name_of_the_top, NAME_AT("top/n", "top"), NULL)
REFUSED(name_through_a_link, LINK_AT("top/l", "a"), NAME_AT("top/n", "top/l/x"))
REFUSED(fifo, &(struct item){"top/f", S_IFIFO | 0644, NULL, NULL}, NULL)
REFUSED(device, &(struct item){"top/d", S_IFCHR | 0644, NULL, NULL}, NULL)
REFUSED(block_device, &(struct item){"top/d", S_IFBLK | 0644, NULL, NULL}, NULL)

static void test_no_top(void **state)
{
    struct state *s = *state;

    add(s, FILE_AT("top/x", "1"));
    assert_int_equal(unpack_all(s, NULL), ERR_REFUSED);
    assert_false(there(s, "x"));
}

static void test_top_is_a_file(void **state)
{
    struct state *s = *state;

    add(s, FILE_AT("top", "1"));
    assert_int_equal(unpack_all(s, NULL), ERR_REFUSED);
}

/* ---- damage -------------------------------------------------------------------------------------
 */

static void test_damaged(void **state)
{
    struct state *s = *state;
    struct err err = {0};

    assert_int_equal(unpack_some(s, 0, &err), ERR_INTEGRITY);
    buf_put(&s->tar, "this is no archive at all, whatever its sender says", 51);
    assert_int_equal(unpack_some(s, 51, &err), ERR_INTEGRITY);
    assert_non_null(strstr(err.msg, "damaged"));
    s->tar.len = 0;
    assert_int_equal(archive_write_close(s->a), ARCHIVE_OK); /* an end without a beginning */
    assert_int_equal(unpack_some(s, s->tar.len, &err), ERR_INTEGRITY);
}

/* A length that nothing follows, however huge, takes no room. */
static void test_truncated(void **state)
{
    struct state *s = *state;
    struct archive_entry *e = archive_entry_new();
    struct stat st;

    add(s, DIR_AT("top"));
    archive_entry_copy_pathname(e, "top/huge");
    archive_entry_set_mode(e, S_IFREG | 0644);
    archive_entry_set_size(e, (la_int64_t)1 << 60);
    assert_int_equal(archive_write_header(s->a, e), ARCHIVE_OK);
    assert_int_equal(archive_write_data(s->a, "abc", 3), 3);
    archive_entry_free(e);
    assert_int_equal(unpack_some(s, s->tar.len, NULL), ERR_INTEGRITY);
    assert_int_equal(fstatat(s->fd, "huge", &st, 0), 0);
    assert_true(st.st_blocks < 100);
}

static void test_stopped(void **state)
{
    struct state *s = *state;
    static const atomic_bool stop = true;
    struct unpack *u = NULL;
    struct err err = {0};

    add(s, DIR_AT("top"));
    add(s, FILE_AT("top/file", "text"));
    assert_int_equal(unpack_new(s->fd, "top", &u, NULL), ERR_OK);
    assert_int_equal(unpack_write(u, part(s->tar.data, s->tar.len), &stop, &err), ERR_CANCELED);
    unpack_free(u);
    assert_int_equal(unpack_new(s->fd, "top", &u, NULL), ERR_OK);
    unpack_free(u); /* nothing was written */
    unpack_free(NULL);
}

static void test_links_that_stay(void **state)
{
    static const struct {
        const char *target;
        size_t depth;
        bool stays;
    } rows[] = {
        {"a", 0, true},       {"./a/b", 0, true},     {"..", 1, true},
        {"../../a", 2, true}, {".././../a", 2, true}, {"...", 0, true},
        {"..a", 0, true},     {"a/", 0, true},        {"..", 0, false},
        {"../..", 1, false},  {"a/..", 5, false},     {"/", 5, false},
        {"", 5, false},       {"//a", 5, false},      {"a/../../..", 1, false},
        {"./..", 0, false},   {"../a/..", 2, false},  {"..//..", 1, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (beneath_link_stays(rows[i].target, rows[i].depth) != rows[i].stays)
            fail_msg("'%s' at %zu", rows[i].target, rows[i].depth);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(test_##f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(good),
        TEST(umask),
        TEST(deep),
        TEST(absolute),
        TEST(absolute_behind_the_top),
        TEST(dots),
        TEST(dots_deeper),
        TEST(dots_at_the_end),
        TEST(dot),
        TEST(other_top),
        TEST(longer_top),
        TEST(top_again),
        TEST(no_folder),
        TEST(folder_left),
        TEST(twice),
        TEST(folder_twice),
        TEST(link_up),
        TEST(link_absolute),
        TEST(link_up_in_the_middle),
        TEST(link_to_nothing),
        TEST(through_a_link),
        TEST(over_a_link),
        TEST(name_outside),
        TEST(name_absolute),
        TEST(name_of_nothing),
        TEST(name_of_a_link),
        TEST(name_of_a_folder),
        TEST(name_of_the_top),
        TEST(name_through_a_link),
        TEST(fifo),
        TEST(device),
        TEST(block_device),
        TEST(no_top),
        TEST(top_is_a_file),
        TEST(damaged),
        TEST(truncated),
        TEST(stopped),
        cmocka_unit_test(test_links_that_stay),
    };

    return cmocka_run_group_tests_name("unpack", tests, NULL, NULL);
}
