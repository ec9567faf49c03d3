/* SPDX-License-Identifier: Apache-2.0 */
/* output: the hidden folder in which a received one is made goes with all that is in it, and with
 * nothing else. */
#include <dirent.h>
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

#include <cmocka.h>

#include "client/local/output.h"
#include "client/local/tree.h"
#include "common/fs.h"
#include "tests/unit/tmpdir.h"

#define PART ".got.satchel-part"

struct state {
    char dir[TMPDIR_SIZE];
    int fd;
};

static int setup(void **state)
{
    struct state *s = calloc(1, sizeof(*s));

    assert_non_null(tmpdir_make(s->dir));
    s->fd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(s->fd >= 0);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct state *s = *state;

    close(s->fd);
    assert_int_equal(tmpdir_remove(s->dir), 0);
    free(s);
    return 0;
}

static void make_folder(const struct state *s, const char *path)
{
    assert_int_equal(mkdirat(s->fd, path, 0700), 0);
}

static void make_file(const struct state *s, const char *path)
{
    int fd = openat(s->fd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    close(fd);
}

static bool is_there(const struct state *s, const char *path)
{
    struct stat st;

    return fstatat(s->fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static struct output *open_tree(const struct state *s)
{
    struct output_spec spec = {.folder = s->dir, .unpack = "got"};
    struct output *o = NULL;

    assert_int_equal(output_open(&spec, "got", &o, NULL), ERR_OK);
    return o;
}

/* Files, links out of it, folders in folders, and modes that let nobody in. */
static void fill(const struct state *s)
{
    char name[64];

    make_folder(s, PART "/a");
    make_folder(s, PART "/a/b");
    make_folder(s, PART "/closed");
    make_file(s, PART "/closed/f");
    make_file(s, PART "/a/b/f");
    for (int i = 0; i < 300; i++) {
        (void)snprintf(name, sizeof(name), PART "/a/%d", i);
        make_file(s, name);
    }
    assert_int_equal(symlinkat("../kept", s->fd, PART "/link"), 0);
    assert_int_equal(symlinkat("../../kept/f", s->fd, PART "/a/link"), 0);
    assert_int_equal(fchmodat(s->fd, PART "/a/b", 0500, 0), 0);
    assert_int_equal(fchmodat(s->fd, PART "/closed", 0, 0), 0);
}

static void all_of_it_goes(void **state)
{
    const struct state *s = *state;
    struct output *o = open_tree(s);

    make_folder(s, "kept");
    make_file(s, "kept/f");
    fill(s);
    output_free(o);
    assert_false(is_there(s, PART));
    /* So does what somebody left who is gone, and what is below stays usable. */
    make_folder(s, PART);
    fill(s);
    o = open_tree(s);
    assert_false(is_there(s, PART "/a"));
    assert_false(is_there(s, PART "/closed"));
    output_free(o);
    assert_false(is_there(s, PART));
    assert_true(is_there(s, "kept/f"));
}

/* As deep as a folder may be that comes. */
static void deep_ones_go_too(void **state)
{
    const struct state *s = *state;
    struct output *o = open_tree(s);
    int at = openat(s->fd, PART, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    for (int i = 0; i < TREE_DEPTH_MAX; i++) {
        int next;

        assert_int_equal(mkdirat(at, "d", 0700), 0);
        next = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(next >= 0);
        close(at);
        at = next;
    }
    close(at);
    output_free(o);
    assert_false(is_there(s, PART));
}

/* Where others may rename, something else may have its name by now. */
static void another_folder_of_its_name_is_left_alone(void **state)
{
    const struct state *s = *state;
    struct output *o = open_tree(s);

    make_file(s, PART "/f");
    make_folder(s, "work");
    make_file(s, "work/f");
    assert_int_equal(renameat(s->fd, PART, s->fd, "aside"), 0);
    assert_int_equal(renameat(s->fd, "work", s->fd, PART), 0);
    output_free(o);
    assert_true(is_there(s, PART "/f"));
    assert_false(is_there(s, "aside/f"));
}

static void two_at_once(void **state)
{
    const struct state *s = *state;
    struct output_spec spec = {.folder = s->dir, .unpack = "got"};
    struct output *o = open_tree(s), *other = NULL;
    struct err err = {0};

    make_file(s, PART "/f");
    assert_int_equal(output_open(&spec, "got", &other, &err), ERR_LOCKED);
    assert_string_not_equal(err.hint, "");
    assert_true(is_there(s, PART "/f"));
    output_free(o);
    output_free(open_tree(s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_of_it_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(deep_ones_go_too, setup, teardown),
        cmocka_unit_test_setup_teardown(another_folder_of_its_name_is_left_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(two_at_once, setup, teardown),
    };

    return cmocka_run_group_tests_name("output_tree", tests, NULL, NULL);
}
