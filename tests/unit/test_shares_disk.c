/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shares on a disk that loses what was written before a sync that failed, as Linux does: it is
 * read as written, later syncs succeed, and a power cut shows what is really there.  Whatever was
 * acknowledged must be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

#include "common/fs.h"
#include "common/log.h"
#include "server/hedge.h"
#include "server/shares.h"
#include "server/store/erasable_file.h"
#include "tests/exact/sample_net.h"
#include "tests/unit/sectors.h"

enum { DAY = 20000, DAY_MS = 86400000, JOBS = 6 };
#define NOW ((uint64_t)DAY * DAY_MS + 1000)

static char dir[64], weights[80], erasable[80], hedge[80];
static uv_loop_t loop;
static struct shares *service;
static unsigned done;

static void on_done(void *arg)
{
    (void)arg;
    done++;
}

static void wait_for(unsigned n)
{
    while (done < n)
        (void)uv_run(&loop, UV_RUN_ONCE);
    done = 0;
}

/* The sync that fails may be one of the start: then it is tried again. */
static void start(void)
{
    struct shares_config cfg = {
        .erasable = erasable, .hedge = hedge, .instances = {.weights = weights}, .loop = &loop};

    int rc = shares_start(&service, &cfg, NULL);

    if (rc == ERR_IO)
        rc = shares_start(&service, &cfg, NULL);
    assert_int_equal(rc, ERR_OK);
}

static void stop(void)
{
    shares_stop(service, on_done, NULL);
    wait_for(1);
    service = NULL;
}

static int setup(void **state)
{
    struct buf b = {0};

    (void)state;
    log_to(STDERR_FILENO, false);
    (void)snprintf(dir, sizeof(dir), "/tmp/satchel-shares-XXXXXX");
    assert_non_null(mkdtemp(dir));
    (void)snprintf(weights, sizeof(weights), "%s/w", dir);
    (void)snprintf(erasable, sizeof(erasable), "%s/e", dir);
    (void)snprintf(hedge, sizeof(hedge), "%s/h", dir);
    assert_int_equal(sample_net_file(SAMPLE_NET_SEED, &b, NULL), ERR_OK);
    assert_int_equal(fs_create(weights, b.data, b.len, 0600, NULL), ERR_OK);
    assert_int_equal(hedge_create(hedge, NULL), ERR_OK);
    buf_free(&b);
    assert_int_equal(uv_loop_init(&loop), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (service != NULL)
        stop();
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    sectors_free();
    (void)unlink(weights);
    (void)unlink(erasable);
    (void)unlink(hedge);
    return rmdir(dir);
}

/* A job that opens one for somebody, on ${day}. */
static struct shares_job *job_of(uint8_t mark, uint32_t day)
{
    struct shares_job *job = shares_job_new(1);

    assert_non_null(job);
    memset(&job->items[0].place, mark, sizeof(job->items[0].place));
    job->items[0].day = day;
    return job;
}

/* Power off and on; what ${jobs} were told is still there, and the same. */
static void check_behind_a_cut(struct shares_job **jobs, size_t n)
{
    sectors_freeze();
    stop();
    sectors_reboot(0);
    start();
    for (size_t i = 0; i < n; i++) {
        struct shares_job *find;

        if (jobs[i]->code != ERR_OK)
            continue;
        find = shares_job_new(1);
        assert_non_null(find);
        find->items[0] = jobs[i]->items[0];
        assert_int_equal(shares_find(service, find, on_done, NULL), ERR_OK);
        wait_for(1);
        assert_int_equal(find->code, ERR_OK);
        assert_int_equal(find->items[0].code, ERR_OK);
        assert_memory_equal(find->out.data, jobs[i]->out.data, SHARES_SIZE);
        shares_job_free(find);
    }
    stop();
}

/* A deployment of its own, on which the ${at}-th sync is lost. */
static void begin(unsigned at)
{
    (void)unlink(erasable);
    assert_int_equal(erasable_file_create(erasable, NOW, NULL), ERR_OK);
    sectors_watch(erasable);
    sectors_lose_at(at);
    start();
}

static void run_open(struct shares_job *job)
{
    assert_int_equal(shares_open(service, job, on_done, NULL), ERR_OK);
    wait_for(1);
}

/* One day's key is lost, another day is used, then the first again. */
static void days_in_turn(bool restarts)
{
    static const uint32_t days[JOBS] = {DAY + 1, DAY + 2, DAY + 3, DAY + 1, DAY + 2, DAY + 3};
    unsigned syncs = 1;

    for (unsigned at = 1; at <= syncs; at++) {
        struct shares_job *jobs[JOBS];
        unsigned failed = 0;

        begin(at);
        for (size_t i = 0; i < JOBS; i++) {
            jobs[i] = job_of((uint8_t)i, days[i]);
            run_open(jobs[i]);
            failed += jobs[i]->code != ERR_OK;
            if (restarts) {
                stop();
                start();
            }
        }
        assert_in_range(failed, 0, 1); /* one sync, one failure: then it goes on */
        syncs = at == 1 ? sectors_syncs() : syncs;
        check_behind_a_cut(jobs, JOBS);
        for (size_t i = 0; i < JOBS; i++)
            shares_job_free(jobs[i]);
    }
    assert_in_range(syncs, 4, 80);
}

static void test_days_in_turn(void **state)
{
    (void)state;
    days_in_turn(false);
}

/* A daemon that was started again reads what its predecessor wrote, lost or not. */
static void test_days_over_restarts(void **state)
{
    (void)state;
    days_in_turn(true);
}

/* The sync that fails may be one that another job of the same gathering asked for. */
static void test_an_erasure_in_between(void **state)
{
    enum { ERASED = 3 };
    unsigned syncs = 1;

    (void)state;
    for (unsigned at = 1; at <= syncs; at++) {
        struct shares_job *jobs[JOBS], *erase[JOBS];
        const uint64_t first = NOW << 16;

        begin(at);
        for (size_t i = 0; i < JOBS; i++) {
            jobs[i] = job_of((uint8_t)i, DAY + 1 + (uint32_t)i % 2);
            erase[i] = shares_job_new(1);
            assert_non_null(erase[i]);
            erase[i]->items[0].cell = first + ERASED + i; /* of days that have no key */
            assert_int_equal(shares_open(service, jobs[i], on_done, NULL), ERR_OK);
            assert_int_equal(shares_erase(service, erase[i], on_done, NULL), ERR_OK);
        }
        wait_for(2 * JOBS);
        syncs = at == 1 ? sectors_syncs() : syncs;
        check_behind_a_cut(jobs, JOBS);
        for (size_t i = 0; i < JOBS; i++) {
            shares_job_free(jobs[i]);
            shares_job_free(erase[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_days_in_turn),
        cmocka_unit_test(test_days_over_restarts),
        cmocka_unit_test(test_an_erasure_in_between),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
