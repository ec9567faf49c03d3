/* SPDX-License-Identifier: Apache-2.0 */
/* output: files that appear whole, the large ones on the disk while more comes. */
#include <errno.h>
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
#include "client/local/room.h"
#include "common/fs.h"
#include "tests/unit/tmpdir.h"

enum { PIECE = 256 * 1024, TAIL = 4097 };
static const uint64_t large = (96ULL << 20) + PIECE + TAIL; /* more than stays in the page cache */

struct state {
    char dir[TMPDIR_SIZE];
    struct output *output;
};

static int setup(void **state)
{
    struct state *s = calloc(1, sizeof(*s));
    struct output_spec spec = {.folder = s->dir};

    assert_non_null(tmpdir_make(s->dir));
    assert_int_equal(output_open(&spec, "name", &s->output, NULL), ERR_OK);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct state *s = *state;

    output_free(s->output);
    assert_int_equal(tmpdir_remove(s->dir), 0);
    free(s);
    return 0;
}

static void write_at(struct state *s, uint64_t offset, const uint8_t *data, size_t len)
{
    atomic_bool stop = false;

    assert_int_equal(output_write(s->output, offset, part(data, len), &stop, NULL), ERR_OK);
}

static char *path_of(const struct state *s, const char *name)
{
    char *path = fs_join(s->dir, name);

    assert_non_null(path);
    return path;
}

static bool is_there(const struct state *s, const char *name)
{
    char *path = path_of(s, name);
    bool yes = access(path, F_OK) == 0;

    free(path);
    return yes;
}

static void check_bytes(FILE *f, uint64_t offset, uint8_t value, size_t len)
{
    uint8_t *got = malloc(len);

    assert_non_null(got);
    assert_int_equal(fseeko(f, (off_t)offset, SEEK_SET), 0);
    assert_int_equal(fread(got, 1, len, f), len);
    for (size_t i = 0; i < len; i++)
        if (got[i] != value)
            fail_msg("byte %llu is %u, not %u", (unsigned long long)(offset + i), got[i], value);
    free(got);
}

/* The value of all bytes of piece ${i}. */
static uint8_t value_of(uint64_t i)
{
    return (uint8_t)(1 + i % 255);
}

static void write_piece(struct state *s, uint8_t *memory, uint64_t i)
{
    memset(memory, value_of(i), PIECE);
    write_at(s, i * PIECE, memory, PIECE);
}

/* The last piece has any length, and pieces come out of order: the bytes are the same. */
static void large_file_is_whole(void **state)
{
    struct state *s = *state;
    uint8_t *memory = malloc(PIECE);
    uint64_t pieces = large / PIECE;
    struct stat st;
    char *path = path_of(s, "name");
    FILE *f;

    assert_non_null(memory);
    assert_int_equal(output_expect(s->output, large, NULL), ERR_OK);
    for (uint64_t i = 0; i + 1 < pieces; i += 2) {
        write_piece(s, memory, i + 1);
        write_piece(s, memory, i);
    }
    if (pieces % 2 == 1)
        write_piece(s, memory, pieces - 1);
    memset(memory, 77, TAIL);
    write_at(s, pieces * PIECE, memory, TAIL);
    assert_false(is_there(s, "name"));
    assert_int_equal(output_commit(s->output, NULL), ERR_OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, large);
    f = fopen(path, "rb");
    assert_non_null(f);
    for (uint64_t i = 0; i < pieces; i++)
        check_bytes(f, i * PIECE, value_of(i), PIECE);
    check_bytes(f, pieces * PIECE, 77, TAIL);
    assert_int_equal(fclose(f), 0);
    free(memory);
    free(path);
}

/* Pieces that come last, or again, at the file's beginning are not lost behind the others. */
static void early_bytes_may_come_late(void **state)
{
    struct state *s = *state;
    uint8_t *memory = malloc(PIECE);
    uint64_t pieces = large / PIECE;
    char *path = path_of(s, "name");
    FILE *f;

    assert_non_null(memory);
    assert_int_equal(output_expect(s->output, pieces * PIECE, NULL), ERR_OK);
    for (uint64_t i = pieces; i-- > 0;)
        write_piece(s, memory, i);
    assert_int_equal(output_commit(s->output, NULL), ERR_OK);
    f = fopen(path, "rb");
    assert_non_null(f);
    for (uint64_t i = 0; i < pieces; i += 17)
        check_bytes(f, i * PIECE, value_of(i), PIECE);
    assert_int_equal(fclose(f), 0);
    free(memory);
    free(path);
}

static void small_file_has_its_own_length(void **state)
{
    struct state *s = *state;
    char *path = path_of(s, "name");
    struct stat st;

    assert_int_equal(output_expect(s->output, 5, NULL), ERR_OK);
    write_at(s, 0, (const uint8_t *)"hello", 5);
    assert_int_equal(output_commit(s->output, NULL), ERR_OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 5);
    free(path);
}

/* Pieces around 4 GiB and behind 100 GiB, in a file that is all hole else. */
static void far_pieces_are_where_they_belong(void **state)
{
    static const uint64_t at[] = {(4ULL << 30) - PIECE, 4ULL << 30, 100ULL << 30, 0};
    struct state *s = *state;
    uint8_t *memory = malloc(PIECE);
    char *path = path_of(s, "name");
    struct stat st;
    FILE *f;

    assert_non_null(memory);
    for (uint64_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
        memset(memory, value_of(i), PIECE);
        write_at(s, at[i], memory, PIECE);
    }
    assert_true(output_read(s->output, at[2], memory, PIECE));
    assert_int_equal(memory[PIECE - 1], value_of(2));
    assert_false(output_read(s->output, at[2] - PIECE, memory, PIECE)); /* a hole */
    assert_int_equal(output_commit(s->output, NULL), ERR_OK);
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_size == (off_t)(at[2] + PIECE));
    f = fopen(path, "rb");
    assert_non_null(f);
    for (uint64_t i = 0; i < sizeof(at) / sizeof(at[0]); i++)
        check_bytes(f, at[i], value_of(i), PIECE);
    assert_int_equal(fclose(f), 0);
    free(memory);
    free(path);
}

static void no_disk_is_that_large(void **state)
{
    struct state *s = *state;
    struct err err = {0};

    assert_int_equal(output_expect(s->output, 1ULL << 62, &err), ERR_IO);
    assert_non_null(strstr(err.msg, "no room for"));
    assert_non_null(strstr(err.hint, "free some space"));
    output_free(s->output);
    s->output = NULL;
    assert_false(is_there(s, "name"));
    assert_false(is_there(s, ".name.satchel-part"));
}

/* A folder's archive, before anything of it was fetched. */
static void nor_for_a_folder(void **state)
{
    struct state *s = *state;
    struct output_spec spec = {.folder = s->dir, .unpack = "top"};
    struct output *o;
    struct err err = {0};

    assert_int_equal(output_open(&spec, "top", &o, NULL), ERR_OK);
    assert_int_equal(output_expect(o, 1ULL << 62, &err), ERR_IO);
    assert_non_null(strstr(err.msg, "top': it needs 4.0 EiB, the disk has "));
    assert_non_null(strstr(err.hint, "free some space"));
    output_free(o);
    assert_false(is_there(s, ".top.satchel-part"));
}

static void only_a_full_disk_wants_space(void **state)
{
    static const struct {
        int errnum;
        bool full;
    } rows[] = {{ENOSPC, true}, {EDQUOT, true}, {EIO, false}, {EFBIG, false}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct err err = {0};

        room_hint(rows[i].errnum, &err);
        assert_int_equal(err.hint[0] != '\0', rows[i].full);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(large_file_is_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(early_bytes_may_come_late, setup, teardown),
        cmocka_unit_test_setup_teardown(small_file_has_its_own_length, setup, teardown),
        cmocka_unit_test_setup_teardown(far_pieces_are_where_they_belong, setup, teardown),
        cmocka_unit_test_setup_teardown(no_disk_is_that_large, setup, teardown),
        cmocka_unit_test_setup_teardown(nor_for_a_folder, setup, teardown),
        cmocka_unit_test(only_a_full_disk_wants_space),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
