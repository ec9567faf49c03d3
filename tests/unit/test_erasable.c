/* SPDX-License-Identifier: Apache-2.0 */
/* erasable: requests on a loop, batches, and a disk that fails. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>
#include <uv.h>

#include "server/erasable.h"

enum { DAY0 = 20000, MANY = 300 };

static const uint64_t day_ms = 86400000;
#define NOW (DAY0 * day_ms + 1000)

/* ---- a disk that counts its syncs and can fail ---- */

static _Atomic unsigned syncs;
static _Atomic bool broken;

__attribute__((visibility("default"))) int fdatasync(int fd)
{
    syncs++;
    if (broken) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}

/* ---- fixture ---- */

struct fixture {
    char dir[64], path[96];
    uv_loop_t loop;
    struct erasable *e;
    struct erasable_result *res;
    unsigned pending, ended;
    bool closed;
};

static void on_closed(void *arg)
{
    ((struct fixture *)arg)->closed = true;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    if (f == NULL || uv_loop_init(&f->loop) != 0)
        return -1;
    (void)snprintf(f->dir, sizeof(f->dir), "%s/satchel-erasable-XXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (mkdtemp(f->dir) == NULL)
        return -1;
    (void)snprintf(f->path, sizeof(f->path), "%s/erasable.keys", f->dir);
    if (erasable_file_create(f->path, NOW, NULL) != ERR_OK ||
        erasable_open(&f->e, f->path, &f->loop, NULL) != ERR_OK)
        return -1;
    *state = f;
    return 0;
}

static void close_it(struct fixture *f)
{
    f->closed = false;
    erasable_close(f->e, on_closed, f);
    while (!f->closed)
        (void)uv_run(&f->loop, UV_RUN_ONCE);
    (void)uv_run(&f->loop, UV_RUN_DEFAULT);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    int rc;

    erasable_result_free(f->res);
    close_it(f);
    rc = uv_loop_close(&f->loop);
    (void)unlink(f->path);
    (void)rmdir(f->dir);
    free(f);
    return rc;
}

static void on_result(void *arg, struct erasable_result *res)
{
    struct fixture *f = arg;

    erasable_result_free(f->res);
    f->res = res;
    f->pending--;
    f->ended++;
}

/* After a start call: wait for its callback, and the others'. */
static struct erasable_result *wait_for(struct fixture *f, int rc, int code)
{
    assert_int_equal(rc, ERR_OK);
    f->pending++;
    while (f->pending > 0)
        (void)uv_run(&f->loop, UV_RUN_ONCE);
    if (f->res->code != code)
        fail_msg("got %d, not %d: %s", f->res->code, code, f->res->why);
    return f->res;
}

static void test_new_read_erase(void **state)
{
    struct fixture *f = *state;
    struct erasable_new in = {.day = DAY0 + 3, .n = 4};
    struct secret keys = {0}, day_key = {0};
    struct erasable_result *res;
    uint64_t cells[6], day_cell;

    res = wait_for(f, erasable_new(f->e, &in, on_result, f), ERR_OK);
    assert_int_equal(res->n, 4);
    assert_int_equal(res->keys.len, 4 * ERASABLE_KEY_LEN);
    assert_int_equal(res->day_key.len, ERASABLE_KEY_LEN);
    assert_false(secret_equal(res->keys.data, res->keys.data + 32, 32));
    memcpy(cells, res->cells, 4 * sizeof(cells[0]));
    day_cell = res->day_cell;
    secret_move(&keys, &res->keys);
    secret_move(&day_key, &res->day_key);
    /* The day has its key now. */
    res = wait_for(f, erasable_new(f->e, &in, on_result, f), ERR_OK);
    assert_true(res->cells[0] > cells[3]);
    assert_int_equal(res->day_cell, day_cell);
    assert_true(secret_equal(res->day_key.data, day_key.data, day_key.len));
    /* Across a restart. */
    close_it(f);
    assert_int_equal(erasable_open(&f->e, f->path, &f->loop, NULL), ERR_OK);
    cells[4] = day_cell;
    res = wait_for(f, erasable_read(f->e, cells, 5, on_result, f), ERR_OK);
    assert_true(secret_equal(res->keys.data, keys.data, keys.len));
    assert_true(secret_equal(res->keys.data + keys.len, day_key.data, day_key.len));
    (void)wait_for(f, erasable_erase(f->e, cells + 1, 2, on_result, f), ERR_OK);
    cells[5] = 77;
    res = wait_for(f, erasable_read(f->e, cells, 6, on_result, f), ERR_EXPIRED);
    assert_int_equal(res->codes[0], ERR_OK);
    assert_int_equal(res->codes[1], ERR_EXPIRED);
    assert_int_equal(res->codes[2], ERR_EXPIRED);
    assert_int_equal(res->codes[3], ERR_OK);
    assert_int_equal(res->codes[5], ERR_NOTFOUND);
    assert_true(secret_equal(res->keys.data, keys.data, 32));
    assert_true(secret_equal(res->keys.data + 32, (uint8_t[32]){0}, 32));
    secret_free(&keys);
    secret_free(&day_key);
}

static void test_keys_of_the_caller(void **state)
{
    struct fixture *f = *state;
    struct secret keys = {0}, day_key = {0};
    struct erasable_new in = {.day = DAY0, .n = 2, .keys = &keys, .day_key = &day_key};
    struct erasable_result *res;
    uint64_t cells[3];

    assert_int_equal(secret_copy(&keys,
                                 "0123456789abcdef0123456789abcdef"
                                 "ABCDEFGHIJKLMNOPABCDEFGHIJKLMNOP",
                                 64, NULL),
                     ERR_OK);
    assert_int_equal(secret_copy(&day_key, "dddddddddddddddddddddddddddddddd", 32, NULL), ERR_OK);
    res = wait_for(f, erasable_new(f->e, &in, on_result, f), ERR_OK);
    memcpy(cells, res->cells, 2 * sizeof(cells[0]));
    cells[2] = res->day_cell;
    res = wait_for(f, erasable_read(f->e, cells, 3, on_result, f), ERR_OK);
    assert_true(secret_equal(res->keys.data, keys.data, 64));
    assert_true(secret_equal(res->keys.data + 64, day_key.data, 32));
    day_key.data[0] = 'x'; /* only the first one for a day counts */
    res = wait_for(f, erasable_new(f->e, &in, on_result, f), ERR_OK);
    assert_int_equal(res->day_key.data[0], 'd');
    secret_truncate(&keys, 63);
    assert_int_equal(erasable_new(f->e, &in, on_result, f), ERR_INVALID);
    secret_free(&keys);
    secret_free(&day_key);
}

static void test_bad_requests(void **state)
{
    struct fixture *f = *state;
    struct erasable_new in = {.day = DAY0, .n = 0};
    uint64_t cells[1] = {0};

    assert_int_equal(erasable_new(f->e, &in, on_result, f), ERR_INVALID);
    in.n = ERASABLE_MAX + 1;
    assert_int_equal(erasable_new(f->e, &in, on_result, f), ERR_INVALID);
    assert_int_equal(erasable_read(f->e, cells, 0, on_result, f), ERR_INVALID);
    assert_int_equal(erasable_erase(f->e, cells, ERASABLE_MAX + 1, on_result, f), ERR_INVALID);
    in.n = 1;
    in.day = DAY0 - 1;
    (void)wait_for(f, erasable_new(f->e, &in, on_result, f), ERR_EXPIRED);
    in.day = DAY0 + ERASABLE_DAYS;
    (void)wait_for(f, erasable_new(f->e, &in, on_result, f), ERR_LIMIT);
    (void)wait_for(f, erasable_erase(f->e, cells, 1, on_result, f), ERR_OK);
}

static void test_one_sync_for_many(void **state)
{
    struct fixture *f = *state;
    struct erasable_new in = {.day = DAY0, .n = 2};
    uint64_t cells[ERASABLE_MAX];
    unsigned before, busy = 0;
    int rc;

    before = syncs;
    for (unsigned i = 0; i < MANY; i++) {
        assert_int_equal(erasable_new(f->e, &in, on_result, f), ERR_OK);
        f->pending++;
    }
    while (f->pending > 0)
        (void)uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(f->ended, MANY);
    assert_true(syncs - before < MANY / 2);
    /* Erasures that do not fit one journal are done in several. */
    for (unsigned i = 0; i < ERASABLE_MAX; i++)
        cells[i] = f->res->cells[0] - i;
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(erasable_erase(f->e, cells, 300, on_result, f), ERR_OK);
        f->pending++;
    }
    while (f->pending > 0) /* requests of two kinds end in any order */
        (void)uv_run(&f->loop, UV_RUN_ONCE);
    (void)wait_for(f, erasable_read(f->e, cells, 300, on_result, f), ERR_EXPIRED);
    /* The queue has an end. */
    do {
        rc = erasable_read(f->e, cells, 1, on_result, f);
        f->pending += rc == ERR_OK;
        busy += rc == ERR_BUSY;
    } while (rc == ERR_OK);
    assert_int_equal(busy, 1);
    (void)wait_for(f, (f->pending--, ERR_OK), ERR_EXPIRED);
}

static void test_days(void **state)
{
    struct fixture *f = *state;
    struct erasable_new in = {.day = DAY0, .n = 1};
    struct erasable_result *res;
    uint64_t day_cell;

    res = wait_for(f, erasable_new(f->e, &in, on_result, f), ERR_OK);
    day_cell = res->day_cell;
    (void)wait_for(f, erasable_destroy_days(f->e, NOW + 2 * day_ms, on_result, f), ERR_REFUSED);
    (void)wait_for(f, erasable_read(f->e, &day_cell, 1, on_result, f), ERR_OK);
    (void)wait_for(f, erasable_confirm(f->e, NOW + 2 * day_ms, on_result, f), ERR_OK);
    res = wait_for(f, erasable_destroy_days(f->e, NOW + 2 * day_ms + 1, on_result, f), ERR_OK);
    assert_int_equal(res->days, 1);
    (void)wait_for(f, erasable_read(f->e, &day_cell, 1, on_result, f), ERR_EXPIRED);
    (void)wait_for(f, erasable_new(f->e, &in, on_result, f), ERR_EXPIRED);
}

static void test_a_disk_that_fails(void **state)
{
    struct fixture *f = *state;
    struct erasable_new in = {.day = DAY0, .n = 1};
    struct erasable_result *res;
    uint64_t cell, day_cell;

    res = wait_for(f, erasable_new(f->e, &in, on_result, f), ERR_OK);
    cell = res->cells[0];
    day_cell = res->day_cell;
    broken = true;
    (void)wait_for(f, erasable_new(f->e, &in, on_result, f), ERR_IO);
    (void)wait_for(f, erasable_erase(f->e, &cell, 1, on_result, f), ERR_IO);
    in.day = DAY0 + 1;
    (void)wait_for(f, erasable_new(f->e, &in, on_result, f), ERR_IO);
    (void)wait_for(f, erasable_read(f->e, &cell, 1, on_result, f), ERR_OK); /* reads go on */
    broken = false;
    res = wait_for(f, erasable_new(f->e, &in, on_result, f), ERR_OK);
    assert_true(res->cells[0] > cell);
    (void)wait_for(f, erasable_erase(f->e, &cell, 1, on_result, f), ERR_OK);
    (void)wait_for(f, erasable_read(f->e, &cell, 1, on_result, f), ERR_EXPIRED);
    (void)wait_for(f, erasable_read(f->e, &day_cell, 1, on_result, f), ERR_OK);
}

static void test_close_with_work_under_way(void **state)
{
    struct fixture *f = *state;
    struct erasable_new in = {.day = DAY0, .n = 3};

    for (unsigned i = 0; i < 50; i++)
        assert_int_equal(erasable_new(f->e, &in, on_result, f), ERR_OK);
    f->pending = 50;
    close_it(f);
    assert_int_equal(f->ended, 50);
    assert_int_equal(erasable_open(&f->e, f->path, &f->loop, NULL), ERR_OK);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    static const struct CMUnitTest tests[] = {
        TEST(test_new_read_erase),
        TEST(test_keys_of_the_caller),
        TEST(test_bad_requests),
        TEST(test_one_sync_for_many),
        TEST(test_days),
        TEST(test_a_disk_that_fails),
        TEST(test_close_with_work_under_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
