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

#include <cmocka.h>

#include "common/log.h"
#include "server/shares_work.h"
#include "server/store/erasable_file.h"
#include "tests/unit/sectors.h"
#include "tests/unit/shares_fix.h"

enum { JOBS = 6 };

static struct shares_fix site;
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
        (void)uv_run(&site.loop, UV_RUN_ONCE);
    done = 0;
}

/* The sync that fails may be one of the start: then it is tried again. */
static void start(void)
{
    struct shares_config cfg = shares_fix_config(&site);
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
    (void)state;
    log_to(STDERR_FILENO, false);
    shares_fix_make(&site);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (service != NULL)
        stop();
    shares_fix_free(&site);
    sectors_free();
    return 0;
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
    (void)unlink(site.erasable);
    assert_int_equal(erasable_file_create(site.erasable, SHARES_FIX_NOW, NULL), ERR_OK);
    sectors_watch(site.erasable);
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
    static const uint32_t days[JOBS] = {SHARES_FIX_DAY + 1, SHARES_FIX_DAY + 2, SHARES_FIX_DAY + 3,
                                        SHARES_FIX_DAY + 1, SHARES_FIX_DAY + 2, SHARES_FIX_DAY + 3};
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
        const uint64_t first = SHARES_FIX_NOW << 16;

        begin(at);
        for (size_t i = 0; i < JOBS; i++) {
            jobs[i] = job_of((uint8_t)i, SHARES_FIX_DAY + 1 + (uint32_t)i % 2);
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

/* ---- erasures that share a journal ---- */

/*
 * Cells of each job, and the journals they are in: the first job is alone with the worker, the
 * second and third fill a journal, the fourth has no room left in it, the fifth fills more than
 * one, which it shares with nobody.
 */
static const struct {
    size_t cells;
    unsigned first, end; /* of its journals */
} erasures[] = {{1, 0, 1}, {400, 1, 2}, {600, 1, 2}, {1, 2, 3}, {1500, 3, 5}, {7, 5, 6}};

enum { ERASURES = sizeof(erasures) / sizeof(erasures[0]), JOURNALS = 6 };

/* The worker has taken what was queued. */
static void wait_until_taken(void)
{
    bool taken = false;

    while (!taken) {
        usleep(1000);
        pthread_mutex_lock(&service->lock);
        taken = service->first == NULL;
        pthread_mutex_unlock(&service->lock);
    }
}

/* All of them, numbers in a row; the first alone, the others together while that one is held. */
static void run_erasures(struct shares_job *jobs[ERASURES])
{
    uint64_t cell = (SHARES_FIX_NOW << 16) + 1;

    sectors_hold();
    for (size_t i = 0; i < ERASURES; i++) {
        jobs[i] = shares_job_new(erasures[i].cells);
        assert_non_null(jobs[i]);
        for (size_t k = 0; k < erasures[i].cells; k++)
            jobs[i]->items[k].cell = cell++;
        assert_int_equal(shares_erase(service, jobs[i], on_done, NULL), ERR_OK);
        if (i == 0)
            wait_until_taken();
    }
    sectors_go_on();
    wait_for(ERASURES);
}

/* Behind a power cut: what was said to be erased is, and nothing that nobody named. */
static void check_erased(struct shares_job *jobs[ERASURES])
{
    uint64_t cell = (SHARES_FIX_NOW << 16) + 1;
    struct erasable_file *f = NULL;
    struct secret key = {0};

    sectors_freeze();
    stop();
    sectors_reboot(0);
    assert_int_equal(erasable_file_open(&f, site.erasable, NULL), ERR_OK);
    assert_int_equal(erasable_file_read(f, cell - 1, &key, NULL), ERR_NOTFOUND);
    for (size_t i = 0; i < ERASURES; i++)
        for (size_t k = 0; k < erasures[i].cells; k++, cell++)
            if (jobs[i]->code == ERR_OK)
                assert_int_equal(erasable_file_read(f, cell, &key, NULL), ERR_EXPIRED);
    assert_int_equal(erasable_file_read(f, cell, &key, NULL), ERR_NOTFOUND);
    erasable_file_close(f);
}

/* Two syncs for each journal; one that fails fails those that share it, and nobody else. */
static void test_erasures_share_journals(void **state)
{
    unsigned before = 0;

    (void)state;
    for (unsigned at = 0; at <= 2 * JOURNALS; at++) {
        struct shares_job *jobs[ERASURES];

        begin(at == 0 ? 0 : before + at);
        if (at == 0)
            before = sectors_syncs();
        run_erasures(jobs);
        if (at == 0)
            assert_int_equal(sectors_syncs() - before, 2 * JOURNALS);
        for (size_t i = 0; i < ERASURES; i++) {
            bool fails = at > 2 * erasures[i].first && at <= 2 * erasures[i].end;

            assert_int_equal(jobs[i]->code, fails ? ERR_IO : ERR_OK);
        }
        check_erased(jobs);
        for (size_t i = 0; i < ERASURES; i++)
            shares_job_free(jobs[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_days_in_turn),
        cmocka_unit_test(test_days_over_restarts),
        cmocka_unit_test(test_an_erasure_in_between),
        cmocka_unit_test(test_erasures_share_journals),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
