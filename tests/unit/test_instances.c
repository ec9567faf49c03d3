/* SPDX-License-Identifier: Apache-2.0 */
/* shares_instances, instance_files: one key network after another, also when the power goes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

#include "common/crypto/hex.h"
#include "common/fs.h"
#include "server/hedge.h"
#include "server/shares_instances.h"
#include "server/store/erasable_file.h"
#include "tests/exact/sample_net.h"
#include "tests/unit/tmpdir.h"

enum { DAY = 20000, DAY_MS = 86400000, CUT = 42, CALLS_MAX = 100 };
#define NOW ((uint64_t)DAY * DAY_MS + 1000)

static char dir[TMPDIR_SIZE];
static char weights[96], next[96], old[96], card[96], next_card[96], erasable[96], hedge[96];
static uv_loop_t loop;
static struct shares *service;
static unsigned done;

/* ---- a power cut: the process ends before call number ${cut_at} of those that change files ----
 */

static unsigned cut_at, calls; /* 0: never */

static void count_call(void)
{
    calls++;
    if (cut_at != 0 && calls == cut_at)
        _exit(CUT);
}

#define WRAP(name, parameters, ...)                                                                \
    int __real_##name parameters;                                                                  \
    int __wrap_##name parameters;                                                                  \
    int __wrap_##name parameters                                                                   \
    {                                                                                              \
        count_call();                                                                              \
        return __real_##name(__VA_ARGS__);                                                         \
    }

WRAP(rename, (const char *from, const char *to), from, to)
WRAP(link, (const char *from, const char *to), from, to)
WRAP(unlink, (const char *path), path)
WRAP(fsync, (int fd), fd)

/* ---- a service of its own ---- */

static void on_done(void *arg)
{
    (void)arg;
    done++;
}

static void wait_for(unsigned n)
{
    while (done < n)
        (void)uv_run(&loop, UV_RUN_ONCE);
}

static struct shares_config config(void)
{
    return (struct shares_config){.erasable = erasable,
                                  .hedge = hedge,
                                  .instances = {weights, next, old, card, next_card},
                                  .loop = &loop};
}

static int start(struct err *err)
{
    struct shares_config cfg = config();

    return shares_start(&service, &cfg, err);
}

static void stop(void)
{
    unsigned before = done;

    shares_stop(service, on_done, NULL);
    wait_for(before + 1);
    service = NULL;
}

static void restart(void)
{
    stop();
    assert_int_equal(start(NULL), ERR_OK);
}

static void write_net(const char *path, uint64_t seed)
{
    struct buf b = {0};

    assert_int_equal(sample_net_file(seed, &b, NULL), ERR_OK);
    assert_int_equal(fs_replace(path, b.data, b.len, 0600, NULL), ERR_OK);
    buf_free(&b);
}

static void name(char *path, const char *last)
{
    (void)snprintf(path, 96, "%s/%s", dir, last);
}

static int setup(void **state)
{
    (void)state;
    assert_non_null(tmpdir_make(dir));
    name(weights, "w");
    name(next, "n");
    name(old, "old");
    name(card, "card");
    name(next_card, "next.card");
    name(erasable, "e");
    name(hedge, "h");
    write_net(weights, 1);
    assert_int_equal(erasable_file_create(erasable, NOW, NULL), ERR_OK);
    assert_int_equal(hedge_create(hedge, NULL), ERR_OK);
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(start(NULL), ERR_OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (service != NULL)
        stop();
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    return tmpdir_remove(dir);
}

/* ---- jobs ---- */

typedef int start_fn(struct shares *s, struct shares_job *job, void (*cb)(void *), void *arg);

static int run(start_fn *begin, struct shares_job *job)
{
    unsigned before = done;

    assert_int_equal(begin(service, job, on_done, NULL), ERR_OK);
    wait_for(before + 1);
    return job->code;
}

static struct shares_job *open_one(uint8_t mark)
{
    struct shares_job *job = shares_job_new(1);

    assert_non_null(job);
    memset(&job->items[0].place, mark, sizeof(job->items[0].place));
    job->items[0].day = DAY + 7;
    assert_int_equal(run(shares_open, job), ERR_OK);
    return job;
}

/* The code of looking for what ${from} opened; the shares must be the same. */
static int find(const struct shares_job *from)
{
    struct shares_job *job = shares_job_new(1);
    int rc;

    assert_non_null(job);
    job->items[0] = from->items[0];
    assert_int_equal(run(shares_find, job), ERR_OK);
    rc = job->items[0].code;
    if (rc == ERR_OK)
        assert_memory_equal(job->out.data, from->out.data, SHARES_SIZE);
    shares_job_free(job);
    return rc;
}

static struct shares_instances list;

static int on_instances(start_fn *begin, const struct instance_id *id)
{
    struct shares_job *job = shares_job_new(0);
    int rc;

    assert_non_null(job);
    job->instances = &list;
    if (id != NULL)
        job->items[0].instance = *id;
    rc = run(begin, job);
    shares_job_free(job);
    return rc;
}

static void rotate_to(uint64_t seed)
{
    write_net(next, seed);
    assert_int_equal(on_instances(shares_rotate, NULL), ERR_OK);
    assert_false(fs_exists(next));
}

static bool is_instance(const struct shares_job *job, size_t i)
{
    return memcmp(&job->items[0].instance, &list.items[i].id, sizeof(list.items[i].id)) == 0;
}

static char *kept_path(const struct instance_id *id, const char *suffix, char path[160])
{
    char hex[2 * sizeof(id->b) + 1];

    hex_encode(hex, id->b, sizeof(id->b));
    (void)snprintf(path, 160, "%s/%s%s", old, hex, suffix);
    return path;
}

/* ---- tests ---- */

static void test_shares_outlive_a_rotation(void **state)
{
    struct shares_job *before = open_one(1), *after;

    (void)state;
    assert_int_equal(fs_replace(card, "one", 3, 0600, NULL), ERR_OK);
    assert_int_equal(fs_replace(next_card, "two", 3, 0600, NULL), ERR_OK);
    rotate_to(2);
    assert_false(fs_exists(next_card));
    assert_int_equal(list.n, 2);
    assert_int_equal(list.items[0].state, SHARES_CURRENT);
    assert_int_equal(list.items[1].state, SHARES_OLD);
    assert_true(is_instance(before, 1));
    after = open_one(1);
    assert_true(is_instance(after, 0));
    assert_memory_not_equal(after->out.data, before->out.data, SHARES_SIZE);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(find(before), ERR_OK);
        assert_int_equal(find(after), ERR_OK);
        restart();
        assert_int_equal(on_instances(shares_list, NULL), ERR_OK);
        assert_int_equal(list.n, 2);
        assert_true(is_instance(after, 0));
    }
    shares_job_free(before);
    shares_job_free(after);
}

/* Both instances in one gathering: each computes its own. */
static void test_old_and_new_side_by_side(void **state)
{
    enum { EACH = 100 };
    struct shares_job *open[2 * EACH], *found[2 * EACH];
    unsigned before;

    (void)state;
    for (unsigned i = 0; i < EACH; i++)
        open[i] = open_one((uint8_t)i);
    rotate_to(2);
    for (unsigned i = EACH; i < 2 * EACH; i++)
        open[i] = open_one((uint8_t)i);
    before = done;
    for (unsigned i = 0; i < 2 * EACH; i++) {
        unsigned k = i % 2 == 0 ? i / 2 : EACH + i / 2;

        found[k] = shares_job_new(1);
        assert_non_null(found[k]);
        found[k]->items[0] = open[k]->items[0];
        assert_int_equal(shares_find(service, found[k], on_done, NULL), ERR_OK);
    }
    wait_for(before + 2 * EACH);
    for (unsigned i = 0; i < 2 * EACH; i++) {
        assert_int_equal(found[i]->items[0].code, ERR_OK);
        assert_memory_equal(found[i]->out.data, open[i]->out.data, SHARES_SIZE);
        shares_job_free(found[i]);
        shares_job_free(open[i]);
    }
}

static void test_what_cannot_be_put_in_use(void **state)
{
    struct shares_job *before = open_one(1);

    (void)state;
    assert_int_equal(on_instances(shares_rotate, NULL), ERR_NOTFOUND);
    assert_non_null(strstr(list.err.hint, "satcheld train"));
    write_net(next, 1); /* the one in use */
    assert_int_equal(on_instances(shares_rotate, NULL), ERR_EXISTS);
    assert_int_equal(fs_replace(next, "not weights", 11, 0600, NULL), ERR_OK);
    assert_int_equal(on_instances(shares_rotate, NULL), ERR_CORRUPT);
    assert_int_equal(list.n, 1);
    assert_true(is_instance(before, 0));
    assert_int_equal(find(before), ERR_OK);
    rotate_to(2);       /* a good one in its place */
    write_net(next, 1); /* one that was in use before */
    assert_int_equal(on_instances(shares_rotate, NULL), ERR_EXISTS);
    assert_int_equal(find(before), ERR_OK);
    shares_job_free(before);
}

/* Somebody has put another file in the place of the current one: it must not be taken for it. */
static void test_a_file_that_is_not_the_one_in_use(void **state)
{
    (void)state;
    write_net(weights, 3);
    write_net(next, 2);
    assert_int_equal(on_instances(shares_rotate, NULL), ERR_BADSTATE);
    assert_non_null(strstr(list.err.hint, "restart"));
    write_net(weights, 1);
    assert_int_equal(on_instances(shares_rotate, NULL), ERR_OK); /* what waits was kept */
}

static void test_a_limit(void **state)
{
    struct err err = {0};
    char extra[160];

    (void)state;
    for (uint64_t i = 2; i <= SHARES_INSTANCES_MAX; i++)
        rotate_to(i);
    write_net(next, 100);
    assert_int_equal(on_instances(shares_rotate, NULL), ERR_LIMIT);
    assert_non_null(strstr(list.err.hint, "instance list"));
    assert_int_equal(list.n, SHARES_INSTANCES_MAX + 1);
    assert_int_equal(list.items[SHARES_INSTANCES_MAX].state, SHARES_NEXT);
    stop();
    write_net(kept_path(&list.items[SHARES_INSTANCES_MAX].id, ".weights", extra), 100);
    assert_int_equal(start(&err), ERR_LIMIT);
    assert_non_null(strstr(err.msg, old));
}

static void test_drop(void **state)
{
    struct shares_job *before = open_one(1);
    struct instance_id first = before->items[0].instance, unknown = {{1}};
    char path[160];

    (void)state;
    assert_int_equal(on_instances(shares_drop, &first), ERR_BADSTATE); /* current */
    rotate_to(2);
    assert_false(list.items[1].idle);
    assert_int_equal(on_instances(shares_drop, &first), ERR_BADSTATE); /* somebody opens with it */
    assert_int_equal(on_instances(shares_drop, &unknown), ERR_NOTFOUND);
    assert_int_equal(find(before), ERR_OK);
    shares_job_free(before);
    before = open_one(2);
    assert_int_equal(on_instances(shares_list, NULL), ERR_OK);
    assert_true(list.items[1].idle);
    assert_false(list.items[0].idle);
    assert_true(fs_exists(kept_path(&first, ".weights", path)));
    assert_int_equal(on_instances(shares_drop, &first), ERR_OK);
    assert_false(fs_exists(path));
    assert_false(fs_exists(kept_path(&first, ".gone", path)));
    assert_int_equal(on_instances(shares_list, NULL), ERR_OK);
    assert_int_equal(list.n, 1);
    assert_int_equal(find(before), ERR_OK);
    before->items[0].instance = first; /* a row that names what is gone */
    assert_int_equal(find(before), ERR_CORRUPT);
    shares_job_free(before);
}

/* The bytes of a dropped instance, seen through a second name of its file. */
static void test_dropped_weights_are_overwritten(void **state)
{
    struct shares_job *before = open_one(1);
    struct instance_id first = before->items[0].instance;
    char path[160], other[96];
    struct buf b = {0};

    (void)state;
    shares_job_free(before);
    rotate_to(2);
    name(other, "other");
    assert_int_equal(link(kept_path(&first, ".weights", path), other), 0);
    assert_int_equal(on_instances(shares_drop, &first), ERR_OK);
    assert_int_equal(fs_read(other, KEYNET_FILE_LEN, &b, NULL), ERR_OK);
    assert_int_equal(b.len, KEYNET_FILE_LEN);
    for (size_t i = 0; i < b.len; i++)
        assert_int_equal(b.data[i], 0);
    buf_free(&b);
}

static void test_a_damaged_old_one_does_not_start(void **state)
{
    struct shares_job *before = open_one(1);
    struct err err = {0};
    char path[160];

    (void)state;
    rotate_to(2);
    stop();
    write_net(kept_path(&before->items[0].instance, ".weights", path), 5); /* another's name */
    assert_int_equal(start(&err), ERR_CORRUPT);
    assert_non_null(strstr(err.msg, path));
    assert_int_equal(fs_replace(path, "short", 5, 0600, NULL), ERR_OK);
    assert_int_equal(start(&err), ERR_CORRUPT);
    shares_job_free(before);
}

/* ---- cuts ---- */

/* In a process of its own: what the share worker does with files in a rotation, or in a drop. */
static int child(const struct instance_id *current, bool drop)
{
    struct instance_paths p = {weights, next, old, card, next_card};
    struct instance_loaded got = {0};
    struct instance_files *f = NULL;
    int rc;

    if (instance_files_open(&f, &p, NULL) != ERR_OK)
        return 1;
    rc = drop ? instance_files_remove(f, current, NULL) : instance_files_take(f, &got, NULL);
    if (rc == ERR_OK && !drop)
        rc = instance_files_switch(f, current, NULL);
    keynet_free(got.net);
    instance_files_close(f);
    return rc == ERR_OK ? 0 : 1;
}

/* True: it was cut off before its call number ${at}. */
static bool cut(unsigned at, const struct instance_id *current, bool drop)
{
    int status = 0;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        cut_at = at;
        calls = 0;
        _exit(child(current, drop));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_true(WEXITSTATUS(status) == CUT || WEXITSTATUS(status) == 0);
    return WEXITSTATUS(status) == CUT;
}

static void test_a_rotation_cut_anywhere_leaves_old_or_new(void **state)
{
    struct shares_job *before = open_one(1);
    struct instance_id first = before->items[0].instance;
    unsigned at = 1, olds = 0, news = 0;
    bool more = true;

    (void)state;
    for (; more; at++) {
        assert_true(at < CALLS_MAX);
        stop();
        (void)tmpdir_remove(old);
        (void)unlink(next);
        write_net(weights, 1);
        write_net(next, 2);
        more = cut(at, &first, false);
        assert_int_equal(start(NULL), ERR_OK);
        assert_int_equal(find(before), ERR_OK);
        assert_int_equal(on_instances(shares_list, NULL), ERR_OK);
        if (is_instance(before, 0)) { /* then it can be done again */
            olds++;
            assert_int_equal(list.n, 2);
            assert_int_equal(list.items[1].state, SHARES_NEXT);
            assert_int_equal(on_instances(shares_rotate, NULL), ERR_OK);
        } else {
            news++;
            assert_int_equal(list.n, 2);
            assert_int_equal(list.items[1].state, SHARES_OLD);
        }
        restart();
        assert_int_equal(find(before), ERR_OK);
    }
    assert_true(olds > 2);
    assert_true(news > 1);
    shares_job_free(before);
}

static void test_a_drop_cut_anywhere_leaves_all_or_nothing(void **state)
{
    struct shares_job *before = open_one(1);
    struct instance_id first = before->items[0].instance;
    unsigned at = 1, kept = 0, gone = 0;
    char path[160];
    bool more = true;

    (void)state;
    rotate_to(2);
    for (; more; at++) {
        assert_true(at < CALLS_MAX);
        stop();
        write_net(kept_path(&first, ".weights", path), 1);
        more = cut(at, &first, true);
        assert_int_equal(start(NULL), ERR_OK);
        if (find(before) == ERR_OK) {
            kept++;
        } else {
            gone++;
            assert_false(fs_exists(path));
        }
        assert_false(fs_exists(kept_path(&first, ".gone", path)));
    }
    assert_int_equal(kept, 1);
    assert_true(gone > 2);
    shares_job_free(before);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_rotation_cut_anywhere_leaves_old_or_new),
        TEST(a_drop_cut_anywhere_leaves_all_or_nothing),
        TEST(shares_outlive_a_rotation),
        TEST(old_and_new_side_by_side),
        TEST(what_cannot_be_put_in_use),
        TEST(a_file_that_is_not_the_one_in_use),
        TEST(a_limit),
        TEST(drop),
        TEST(dropped_weights_are_overwritten),
        TEST(a_damaged_old_one_does_not_start),
    };

    (void)setenv("OMP_NUM_THREADS", "1", 1); /* the cuts fork */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
