/* SPDX-License-Identifier: Apache-2.0 */
/* output: received files appear whole or not at all, whatever the sender calls them. */
#include <dirent.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fcntl.h>

#include <cmocka.h>

#include "client/local/output.h"
#include "client/local/output_name.h"
#include "common/fs.h"
#include "tests/unit/tmpdir.h"

struct state {
    char dir[TMPDIR_SIZE];
};

static const atomic_bool go_on;

static int setup(void **state)
{
    struct state *s = calloc(1, sizeof(*s));

    assert_non_null(tmpdir_make(s->dir));
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct state *s = *state;

    assert_int_equal(tmpdir_remove(s->dir), 0);
    free(s);
    return 0;
}

static size_t entries(const char *dir)
{
    DIR *d = opendir(dir);
    size_t n = 0;

    assert_non_null(d);
    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n - 2; /* "." and ".." */
}

static void assert_content(const char *dir, const char *name, const char *text)
{
    char *path = fs_join(dir, name);
    struct buf b = {0};

    assert_int_equal(fs_read(path, 1000, &b, NULL), ERR_OK);
    assert_int_equal(b.len, strlen(text));
    assert_memory_equal(b.data, text, b.len);
    buf_free(&b);
    free(path);
}

/* Write ${text} in two parts, the second one first. */
static void write_halves(struct output *o, const char *text)
{
    size_t half = strlen(text) / 2;

    assert_int_equal(output_write(o, half, part_str(text + half), &go_on, NULL), ERR_OK);
    assert_int_equal(output_write(o, 0, part(text, half), &go_on, NULL), ERR_OK);
}

static void put(const struct output_spec *spec, const char *name, const char *text)
{
    struct output *o = NULL;

    assert_int_equal(output_open(spec, name, &o, NULL), ERR_OK);
    write_halves(o, text);
    assert_int_equal(output_commit(o, NULL), ERR_OK);
    output_free(o);
}

static void file_in_a_folder(void **state)
{
    struct state *s = *state;
    struct output_spec spec = {.folder = s->dir};
    struct output *o = NULL;
    char *path = fs_join(s->dir, "hello.txt"), *part = fs_join(s->dir, ".hello.txt.satchel-part");

    assert_int_equal(output_open(&spec, "hello.txt", &o, NULL), ERR_OK);
    write_halves(o, "hello world");
    assert_false(fs_exists(path));
    assert_true(fs_exists(part));
    assert_string_equal(output_path(o), path);
    assert_false(output_in_order(o));
    assert_int_equal(output_commit(o, NULL), ERR_OK);
    output_free(o);
    assert_content(s->dir, "hello.txt", "hello world");
    assert_int_equal(entries(s->dir), 1);
    free(path);
    free(part);
}

static void nothing_is_left_without_commit(void **state)
{
    struct state *s = *state;
    struct output_spec spec = {.folder = s->dir};
    struct output *o = NULL;

    assert_int_equal(output_open(&spec, "hello.txt", &o, NULL), ERR_OK);
    write_halves(o, "hello world");
    output_free(o);
    assert_int_equal(entries(s->dir), 0);
}

static void names_are_kept_byte_for_byte(void **state)
{
    static const char *const names[] = {"a b",       "it's \"so\"", "line\nend", "\x1b[31mred",
                                        "\xff\xfe",  "-rf",         "~",         "$(id)",
                                        "\xc3\xa4.", "...",         "\\",        ".hidden"};
    struct state *s = *state;
    struct output_spec spec = {.folder = s->dir};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        put(&spec, names[i], "x");
        assert_content(s->dir, names[i], "x");
    }
}

static void long_names(void **state)
{
    struct state *s = *state;
    struct output_spec spec = {.folder = s->dir};
    struct output *a = NULL, *b = NULL;
    char one[257], other[256];

    memset(one, 'x', sizeof(one));
    one[255] = '\0';
    memcpy(other, one, sizeof(other));
    other[254] = 'y';
    /* Two that differ at their end alone do not get into each other's way. */
    assert_int_equal(output_open(&spec, one, &a, NULL), ERR_OK);
    assert_int_equal(output_open(&spec, other, &b, NULL), ERR_OK);
    assert_int_equal(output_commit(a, NULL), ERR_OK);
    assert_int_equal(output_commit(b, NULL), ERR_OK);
    output_free(a);
    output_free(b);
    assert_content(s->dir, one, "");
    assert_content(s->dir, other, "");
    one[255] = 'x';
    one[256] = '\0';
    assert_int_equal(output_open(&spec, one, &a, NULL), ERR_REFUSED);
}

static void hostile_names_are_refused(void **state)
{
    static const char *const names[] = {"", ".", "..", "/", "a/b", "../x", "/etc/passwd", "a/"};
    struct state *s = *state;
    struct output_spec spec = {.folder = s->dir};
    struct output *o = NULL;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_int_equal(output_open(&spec, names[i], &o, NULL), ERR_REFUSED);
    assert_null(o);
    assert_int_equal(entries(s->dir), 0);
}

static void existing_files_stay(void **state)
{
    struct state *s = *state;
    struct output_spec spec = {.folder = s->dir};
    struct output *o = NULL;
    struct err err = {0};

    put(&spec, "f", "old");
    assert_int_equal(output_open(&spec, "f", &o, &err), ERR_EXISTS);
    assert_string_not_equal(err.hint, "");
    spec.force = true;
    put(&spec, "f", "new");
    assert_content(s->dir, "f", "new");
    assert_int_equal(entries(s->dir), 1);
}

/* Somebody makes the file while it is received. */
static void late_rival(void **state)
{
    struct state *s = *state;
    struct output_spec spec = {.folder = s->dir};
    struct output *o = NULL;
    char *path = fs_join(s->dir, "f");

    assert_int_equal(output_open(&spec, "f", &o, NULL), ERR_OK);
    write_halves(o, "mine");
    assert_int_equal(fs_create(path, "theirs", 6, 0600, NULL), ERR_OK);
    assert_int_equal(output_commit(o, NULL), ERR_EXISTS);
    output_free(o);
    assert_content(s->dir, "f", "theirs");
    assert_int_equal(entries(s->dir), 1);
    free(path);
}

static void folders_are_in_the_way(void **state)
{
    struct state *s = *state;
    struct output_spec spec = {.folder = s->dir, .force = true};
    struct output *o = NULL;
    char *path = fs_join(s->dir, "f");

    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(output_open(&spec, "f", &o, NULL), ERR_EXISTS);
    spec.folder = path;
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(output_open(&spec, "f", &o, NULL), ERR_NOTFOUND);
    free(path);
}

/* Neither before nor while the file is received: a pipe stays a pipe, with force too. */
static void pipes_are_in_the_way(void **state)
{
    struct state *s = *state;
    struct output_spec spec = {.folder = s->dir, .force = true};
    char *path = fs_join(s->dir, "f");
    struct output *o = NULL;
    struct err err = {0};
    struct stat st;

    assert_int_equal(output_open(&spec, "f", &o, NULL), ERR_OK);
    write_halves(o, "mine");
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(output_commit(o, NULL), ERR_EXISTS);
    output_free(o);
    for (int force = 0; force <= 1; force++) {
        spec.force = force != 0;
        assert_int_equal(output_open(&spec, "f", &o, &err), ERR_EXISTS);
        assert_non_null(strstr(err.msg, "is a named pipe"));
        assert_non_null(strstr(err.hint, "-o -"));
    }
    assert_int_equal(lstat(path, &st), 0);
    assert_true(S_ISFIFO(st.st_mode));
    assert_int_equal(entries(s->dir), 1);
    free(path);
    spec.file = "/dev/null";
    spec.folder = NULL;
    assert_int_equal(output_open(&spec, "f", &o, &err), ERR_EXISTS);
    assert_non_null(strstr(err.msg, "is a device"));
}

static void links_are_not_followed(void **state)
{
    struct state *s = *state;
    struct output_spec spec = {.folder = s->dir};
    struct output *o = NULL;
    char *target = fs_join(s->dir, "target"), *link = fs_join(s->dir, "f"),
         *part = fs_join(s->dir, ".f.satchel-part");

    assert_int_equal(fs_create(target, "old", 3, 0600, NULL), ERR_OK);
    assert_int_equal(symlink(target, part), 0);
    assert_int_equal(output_open(&spec, "f", &o, NULL), ERR_IO);
    assert_content(s->dir, "target", "old");
    assert_int_equal(unlink(part), 0);
    assert_int_equal(symlink(target, link), 0);
    assert_int_equal(output_open(&spec, "f", &o, NULL), ERR_EXISTS);
    spec.force = true;
    put(&spec, "f", "new");
    assert_content(s->dir, "target", "old");
    assert_content(s->dir, "f", "new");
    free(target);
    free(link);
    free(part);
}

static void a_hard_link_is_in_the_way(void **state)
{
    struct state *s = *state;
    struct output_spec spec = {.folder = s->dir};
    struct output *o = NULL;
    char *target = fs_join(s->dir, "target"), *part = fs_join(s->dir, ".f.satchel-part");

    assert_int_equal(fs_create(target, "old", 3, 0600, NULL), ERR_OK);
    assert_int_equal(link(target, part), 0);
    assert_int_equal(output_open(&spec, "f", &o, NULL), ERR_REFUSED);
    assert_content(s->dir, "target", "old");
    free(target);
    free(part);
}

static void left_over_parts_are_taken_up(void **state)
{
    struct state *s = *state;
    struct output_spec spec = {.folder = s->dir};
    char *part = fs_join(s->dir, ".f.satchel-part");

    assert_int_equal(fs_create(part, "a long rest of somebody", 23, 0600, NULL), ERR_OK);
    put(&spec, "f", "short");
    assert_content(s->dir, "f", "short");
    assert_int_equal(entries(s->dir), 1);
    free(part);
}

static void two_at_once(void **state)
{
    struct state *s = *state;
    struct output_spec spec = {.folder = s->dir};
    struct output *a = NULL, *b = NULL;
    struct err err = {0};

    assert_int_equal(output_open(&spec, "f", &a, NULL), ERR_OK);
    assert_int_equal(output_open(&spec, "f", &b, &err), ERR_LOCKED);
    assert_string_not_equal(err.hint, "");
    write_halves(a, "first");
    assert_int_equal(output_commit(a, NULL), ERR_OK);
    output_free(a);
    assert_content(s->dir, "f", "first");
}

static void a_file_of_the_users_choice(void **state)
{
    struct state *s = *state;
    char *path = fs_join(s->dir, "mine");
    struct output_spec spec = {.file = path};
    struct output *o = NULL;

    put(&spec, "../theirs", "x"); /* the sender's name does not matter */
    assert_content(s->dir, "mine", "x");
    spec.file = s->dir;
    assert_int_equal(output_open(&spec, "x", &o, NULL), ERR_EXISTS);
    spec.file = "/tmp/no-such-folder-here/x";
    assert_int_equal(output_open(&spec, "x", &o, NULL), ERR_NOTFOUND);
    spec.file = "somewhere/";
    assert_int_equal(output_open(&spec, "x", &o, NULL), ERR_INVALID);
    free(path);
}

static void descriptors_get_bytes_at_once(void **state)
{
    int ends[2];
    struct output_spec spec = {.fd = -1};
    struct output *o = NULL;
    char text[16] = "";

    (void)state;
    assert_int_equal(pipe(ends), 0);
    spec.fd = ends[1];
    assert_int_equal(output_open(&spec, "../x", &o, NULL), ERR_OK);
    assert_true(output_in_order(o));
    assert_int_equal(output_write(o, 0, part_str("hello"), &go_on, NULL), ERR_OK);
    assert_int_equal(read(ends[0], text, sizeof(text)), 5);
    assert_string_equal(text, "hello");
    assert_string_equal(output_path(o), "");
    assert_int_equal(output_commit(o, NULL), ERR_OK);
    output_free(o);
    assert_int_equal(write(ends[1], "x", 1), 1); /* it is still the caller's */
    close(ends[0]);
    close(ends[1]);
}

static void a_full_pipe_can_be_left(void **state)
{
    static const atomic_bool stop = true;
    static char block[4096];
    int ends[2];
    struct output_spec spec = {.fd = -1};
    struct output *o = NULL;

    (void)state;
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    while (write(ends[1], block, sizeof(block)) > 0)
        ;
    spec.fd = ends[1];
    assert_int_equal(output_open(&spec, "x", &o, NULL), ERR_OK);
    assert_int_equal(output_write(o, 0, part(block, 1), &stop, NULL), ERR_CANCELED);
    output_free(o);
    close(ends[0]);
    close(ends[1]);
}

struct reading {
    int fd;
    size_t len, wrong;
};

/* Reads as many bytes, each the low ones of its place, in small steps. */
static void *read_slowly(void *arg)
{
    struct reading *r = arg;
    uint8_t block[1000];

    for (size_t at = 0; at < r->len;) {
        ssize_t n = read(r->fd, block, sizeof(block));

        for (ssize_t i = 0; i < n; i++, at++)
            r->wrong += block[i] != (uint8_t)(at % 251);
        if (n <= 0)
            break;
    }
    return NULL;
}

static void a_pipe_takes_more_than_it_holds(void **state)
{
    enum { LEN = 3 << 20 };
    uint8_t *bytes = malloc(LEN);
    struct output_spec spec = {.fd = -1};
    struct reading r = {.len = LEN};
    struct output *o = NULL;
    pthread_t reader;
    int ends[2];

    (void)state;
    assert_non_null(bytes);
    for (size_t i = 0; i < LEN; i++)
        bytes[i] = (uint8_t)(i % 251);
    assert_int_equal(pipe(ends), 0);
    spec.fd = ends[1];
    r.fd = ends[0];
    assert_int_equal(output_open(&spec, "x", &o, NULL), ERR_OK);
    assert_int_equal(pthread_create(&reader, NULL, read_slowly, &r), 0);
    assert_int_equal(output_write(o, 0, part(bytes, LEN), &go_on, NULL), ERR_OK);
    assert_int_equal(pthread_join(reader, NULL), 0);
    assert_int_equal(r.wrong, 0);
    /* Others who write to it block as before. */
    assert_int_equal(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0);
    output_free(o);
    close(ends[1]);
    assert_int_equal(read(ends[0], bytes, 1), 0); /* nothing of ours keeps it open */
    close(ends[0]);
    free(bytes);
}

static void a_pipe_without_reader(void **state)
{
    struct output_spec spec = {.fd = -1};
    struct output *o = NULL;
    struct err err = {0};
    int ends[2];

    (void)state;
    (void)signal(SIGPIPE, SIG_IGN);
    assert_int_equal(pipe(ends), 0);
    spec.fd = ends[1];
    assert_int_equal(output_open(&spec, "x", &o, NULL), ERR_OK);
    close(ends[0]);
    assert_int_equal(output_write(o, 0, part_str("hello"), &go_on, &err), ERR_IO);
    output_free(o);
    close(ends[1]);
}

/* A time of the sender's, and one that no file system knows. */
static void a_file_has_the_time_it_had(void **state)
{
    struct state *s = *state;
    static const uint64_t times[] = {1234567890123, UINT64_MAX};
    struct output_spec spec = {.folder = s->dir, .fd = -1, .force = true};
    char *path = fs_join(s->dir, "f");
    struct stat st;

    for (size_t i = 0; i < 2; i++) {
        struct output *o = NULL;

        spec.modified = times[i];
        assert_int_equal(output_open(&spec, "f", &o, NULL), ERR_OK);
        write_halves(o, "text");
        assert_int_equal(output_commit(o, NULL), ERR_OK);
        output_free(o);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mtim.tv_sec == 1234567890, i == 0);
    }
    free(path);
}

static void names_that_do_no_harm(void **state)
{
    static const struct {
        const char *name, *safe;
    } rows[] = {
        {".bash_login", "_bash_login"},
        {"-rf", "_rf"},
        {"..", "_."},
        {"a.-b", "a.-b"},
        {"two\nlines\x1b[2J\x7f", "two_lines_[2J_"},
        {"csi\xc2\x9b", "csi_"},
        {"inv\xe2\x80\xae"
         "fdp.exe",
         "inv_fdp.exe"},
        {"iso\xe2\x81\xa6x", "iso_x"},
        {"\xc3\xa4\xe5\xad\x97 \xe2\x80\x94.txt", "\xc3\xa4\xe5\xad\x97 \xe2\x80\x94.txt"},
        {"latin-\xe4.txt", "latin-\xe4.txt"},
        {"cut \xe2\x80", "cut \xe2\x80"},
    };
    char safe[64];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool changed = strcmp(rows[i].name, rows[i].safe) != 0;

        assert_int_equal(output_name_safe(rows[i].name, safe, sizeof(safe)), changed);
        assert_string_equal(safe, rows[i].safe);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_that_do_no_harm),
        cmocka_unit_test_setup_teardown(a_file_has_the_time_it_had, setup, teardown),
        cmocka_unit_test_setup_teardown(file_in_a_folder, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_is_left_without_commit, setup, teardown),
        cmocka_unit_test_setup_teardown(names_are_kept_byte_for_byte, setup, teardown),
        cmocka_unit_test_setup_teardown(long_names, setup, teardown),
        cmocka_unit_test_setup_teardown(hostile_names_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(existing_files_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(late_rival, setup, teardown),
        cmocka_unit_test_setup_teardown(folders_are_in_the_way, setup, teardown),
        cmocka_unit_test_setup_teardown(pipes_are_in_the_way, setup, teardown),
        cmocka_unit_test_setup_teardown(links_are_not_followed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_hard_link_is_in_the_way, setup, teardown),
        cmocka_unit_test_setup_teardown(left_over_parts_are_taken_up, setup, teardown),
        cmocka_unit_test_setup_teardown(two_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_of_the_users_choice, setup, teardown),
        cmocka_unit_test_setup_teardown(descriptors_get_bytes_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_pipe_can_be_left, setup, teardown),
        cmocka_unit_test(a_pipe_takes_more_than_it_holds),
        cmocka_unit_test(a_pipe_without_reader),
    };

    return cmocka_run_group_tests_name("output", tests, NULL, NULL);
}
