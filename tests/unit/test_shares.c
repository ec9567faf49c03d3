/* SPDX-License-Identifier: Apache-2.0 */
/* shares: the share service on a small deployment made for the test. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/log.h"
#include "server/store/erasable_file.h"
#include "tests/unit/shares_fix.h"

static struct shares_fix site;
static struct shares *service;
static unsigned done;

static void on_done(void *arg)
{
    unsigned *order = arg;

    done++;
    if (order != NULL)
        *order = done;
}

static void wait_for(unsigned n)
{
    while (done < n)
        (void)uv_run(&site.loop, UV_RUN_ONCE);
}

static void start(void)
{
    struct shares_config cfg = shares_fix_config(&site);

    assert_int_equal(shares_start(&service, &cfg, NULL), ERR_OK);
}

static void stop(void)
{
    done = 0;
    shares_stop(service, on_done, NULL);
    wait_for(1);
    service = NULL;
    done = 0;
}

static int setup(void **state)
{
    (void)state;
    shares_fix_make(&site);
    assert_int_equal(erasable_file_create(site.erasable, SHARES_FIX_NOW, NULL), ERR_OK);
    start();
    done = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (service != NULL)
        stop();
    shares_fix_free(&site);
    return 0;
}

static struct shares_job *job_of(size_t n, uint8_t mark)
{
    struct shares_job *job = shares_job_new(n);

    assert_non_null(job);
    for (size_t i = 0; i < n; i++) {
        memset(&job->items[i].place, mark, sizeof(job->items[i].place));
        job->items[i].place.uid.b[0] = (uint8_t)i;
        job->items[i].place.uid.b[1] = (uint8_t)(i >> 8);
        job->items[i].day = SHARES_FIX_DAY + 7;
    }
    return job;
}

/* A job that looks for what ${from} opened. */
static struct shares_job *find_of(const struct shares_job *from)
{
    struct shares_job *job = shares_job_new(from->n);

    assert_non_null(job);
    memcpy(job->items, from->items, from->n * sizeof(*job->items));
    return job;
}

static void run_open(struct shares_job *job)
{
    unsigned before = done;

    assert_int_equal(shares_open(service, job, on_done, NULL), ERR_OK);
    wait_for(before + 1);
    assert_int_equal(job->code, ERR_OK);
}

static void run_find(struct shares_job *job)
{
    unsigned before = done;

    assert_int_equal(shares_find(service, job, on_done, NULL), ERR_OK);
    wait_for(before + 1);
    assert_int_equal(job->code, ERR_OK);
}

static void test_found_as_opened_also_after_a_restart(void **state)
{
    struct shares_job *open = job_of(3, 1), *find;

    (void)state;
    run_open(open);
    assert_memory_not_equal(shares_meta(open, 0), shares_body(open, 0), SHARE_LEN);
    assert_memory_not_equal(shares_meta(open, 0), shares_meta(open, 1), SHARE_LEN);
    assert_int_not_equal(open->items[0].cell, open->items[1].cell);
    assert_int_equal(open->items[0].day_cell, open->items[1].day_cell);
    for (int restarted = 0; restarted < 2; restarted++) {
        find = find_of(open);
        run_find(find);
        assert_memory_equal(find->out.data, open->out.data, 3 * SHARES_SIZE);
        shares_job_free(find);
        if (!restarted) {
            stop();
            start();
        }
    }
    shares_job_free(open);
}

static void test_a_fresh_seed_each_time(void **state)
{
    struct shares_job *one = job_of(1, 1), *two = job_of(1, 1);

    (void)state;
    run_open(one);
    run_open(two);
    assert_memory_not_equal(one->out.data, two->out.data, SHARES_SIZE);
    shares_job_free(one);
    shares_job_free(two);
}

static void test_many_jobs_share_batches_and_keep_their_order(void **state)
{
    enum { JOBS = 40, EACH = 5 };
    struct shares_job *open[JOBS], *find[JOBS];
    unsigned order[JOBS] = {0};
    struct shares_stats st;

    (void)state;
    for (unsigned i = 0; i < JOBS; i++) {
        open[i] = job_of(EACH, (uint8_t)i);
        assert_int_equal(shares_open(service, open[i], on_done, &order[i]), ERR_OK);
    }
    wait_for(JOBS);
    for (unsigned i = 0; i < JOBS; i++) {
        assert_int_equal(order[i], i + 1);
        assert_int_equal(open[i]->code, ERR_OK);
        find[i] = find_of(open[i]);
        assert_int_equal(shares_find(service, find[i], on_done, NULL), ERR_OK);
    }
    wait_for(2 * JOBS);
    for (unsigned i = 0; i < JOBS; i++) {
        assert_memory_equal(find[i]->out.data, open[i]->out.data, EACH * SHARES_SIZE);
        shares_job_free(open[i]);
        shares_job_free(find[i]);
    }
    shares_stats(service, &st);
    assert_int_equal(st.computed, 2 * JOBS * EACH);
    assert_true(st.batches < 2 * JOBS); /* or nothing was gathered */
    assert_in_range(st.largest, EACH + 1, 64);
    assert_int_equal(st.waiting, 0);
}

static void test_a_job_larger_than_a_batch(void **state)
{
    struct shares_job *open = job_of(257, 3), *find;

    (void)state;
    run_open(open);
    find = find_of(open);
    run_find(find);
    assert_memory_equal(find->out.data, open->out.data, 257 * SHARES_SIZE);
    shares_job_free(open);
    shares_job_free(find);
}

static void test_erased_cells_give_no_share(void **state)
{
    struct shares_job *open = job_of(3, 4), *erase = shares_job_new(1), *find;

    (void)state;
    run_open(open);
    erase->items[0].cell = open->items[1].cell;
    assert_int_equal(shares_erase(service, erase, on_done, NULL), ERR_OK);
    wait_for(2);
    assert_int_equal(erase->code, ERR_OK);
    find = find_of(open);
    run_find(find);
    assert_int_equal(find->items[0].code, ERR_OK);
    assert_int_equal(find->items[1].code, ERR_EXPIRED);
    assert_int_equal(find->items[2].code, ERR_OK);
    assert_memory_equal(shares_body(find, 2), shares_body(open, 2), SHARE_LEN);
    for (size_t i = 0; i < SHARES_SIZE; i++)
        assert_int_equal(shares_meta(find, 1)[i], 0);
    shares_job_free(open);
    shares_job_free(erase);
    shares_job_free(find);
}

static void test_rows_that_were_tampered_with(void **state)
{
    struct shares_job *open = job_of(4, 5), *find;

    (void)state;
    run_open(open);
    find = find_of(open);
    find->items[0].sealed[20] ^= 1;
    find->items[1].place.uid.b[5] ^= 1;
    find->items[2].instance.b[0] ^= 1;
    find->items[3].cell = 1 << 30;
    run_find(find);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(find->items[i].code, ERR_CORRUPT);
    shares_job_free(open);
    shares_job_free(find);
}

static void test_days_end(void **state)
{
    struct shares_job *open = job_of(1, 6), *days = shares_job_new(0), *find;

    (void)state;
    open->items[0].day = SHARES_FIX_DAY;
    run_open(open);
    days->now = SHARES_FIX_NOW;
    assert_int_equal(shares_end_days(service, days, on_done, NULL), ERR_OK);
    wait_for(2);
    assert_int_equal(days->code, ERR_OK);
    find = find_of(open);
    run_find(find);
    assert_int_equal(find->items[0].code, ERR_OK);
    shares_job_free(find);

    /* A jump is refused until it is confirmed. */
    days->now = SHARES_FIX_NOW + 3 * (uint64_t)SHARES_FIX_DAY_MS;
    assert_int_equal(shares_end_days(service, days, on_done, NULL), ERR_OK);
    wait_for(4);
    assert_int_equal(days->code, ERR_REFUSED);
    assert_int_equal(shares_confirm_clock(service, days, on_done, NULL), ERR_OK);
    wait_for(5);
    assert_int_equal(days->code, ERR_OK);
    days->now++;
    assert_int_equal(shares_end_days(service, days, on_done, NULL), ERR_OK);
    wait_for(6);
    assert_int_equal(days->code, ERR_OK);
    find = find_of(open);
    run_find(find);
    assert_int_equal(find->items[0].code, ERR_EXPIRED);
    shares_job_free(find);
    shares_job_free(open);

    open = job_of(1, 7); /* nothing more for a day that has ended */
    open->items[0].day = SHARES_FIX_DAY;
    assert_int_equal(shares_open(service, open, on_done, NULL), ERR_OK);
    wait_for(8);
    assert_int_equal(open->code, ERR_EXPIRED);
    shares_job_free(open);
    shares_job_free(days);
}

/* What the disk says of the file of keys is in the log. */
static void test_the_cause_of_a_failure_is_logged(void **state)
{
    struct rlimit before, small;
    struct shares_job *job = job_of(1, 9);
    char text[2048] = "";
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    small = (struct rlimit){.rlim_cur = 4096, .rlim_max = before.rlim_max};
    log_to(ends[1], false);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_int_equal(shares_open(service, job, on_done, NULL), ERR_OK);
    wait_for(1);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    log_to(STDERR_FILENO, false);
    assert_int_not_equal(job->code, ERR_OK);
    close(ends[1]);
    assert_true(read(ends[0], text, sizeof(text) - 1) > 0);
    close(ends[0]);
    assert_non_null(strstr(text, "shares_failed"));
    assert_non_null(strstr(text, strerror(EFBIG)));
    shares_job_free(job);
}

static void on_room(void *arg)
{
    ++*(unsigned *)arg;
}

static void test_the_queue_is_bounded(void **state)
{
    struct shares_job *full = job_of(SHARES_ITEMS_MAX, 8), *more = job_of(1, 9);
    unsigned told = 0;

    (void)state;
    shares_on_room(service, on_room, &told);
    assert_int_equal(shares_open(service, full, on_done, NULL), ERR_OK);
    assert_int_equal(shares_open(service, more, on_done, NULL), ERR_BUSY);
    assert_int_equal(shares_find(service, more, on_done, NULL), ERR_BUSY);
    wait_for(1);
    assert_int_equal(full->code, ERR_OK);
    assert_int_equal(told, 1); /* who was refused may try again */
    assert_int_equal(shares_open(service, more, on_done, NULL), ERR_OK);
    wait_for(2);
    assert_int_equal(more->code, ERR_OK);
    assert_int_equal(told, 1); /* nobody was */
    shares_job_free(full);
    shares_job_free(more);
    shares_job_free(NULL);
}

static void test_a_damaged_instance_does_not_start(void **state)
{
    struct shares_config cfg = shares_fix_config(&site);
    struct shares *s = NULL;
    FILE *f;

    (void)state;
    stop();
    f = fopen(site.weights, "r+");
    assert_non_null(f);
    assert_int_equal(fseek(f, 5000, SEEK_SET), 0);
    assert_int_equal(fputc(0x5a, f), 0x5a);
    assert_int_equal(fputc(0x5a, f), 0x5a);
    fclose(f);
    assert_int_equal(shares_start(&s, &cfg, NULL), ERR_CORRUPT);
    assert_null(s);
    cfg.instances.weights = "/nonexistent";
    assert_int_equal(shares_start(&s, &cfg, NULL), ERR_NOTFOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_found_as_opened_also_after_a_restart, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_fresh_seed_each_time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_jobs_share_batches_and_keep_their_order, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_job_larger_than_a_batch, setup, teardown),
        cmocka_unit_test_setup_teardown(test_erased_cells_give_no_share, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rows_that_were_tampered_with, setup, teardown),
        cmocka_unit_test_setup_teardown(test_days_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_cause_of_a_failure_is_logged, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_queue_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_damaged_instance_does_not_start, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
