/* SPDX-License-Identifier: Apache-2.0 */
/* lmdb_readers: neither kind of read has all threads, and each is served in order. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "server/store/lmdb_readers.h"

enum { JOBS = 40, WAIT_S = 20 };

/* What the threads and the test share; a job's kind stands in its phase. */
struct fix {
    struct lmdb_readers *r;
    struct store_job jobs[JOBS];
    unsigned njobs; /* submitted */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool held[LMDB_READ_KINDS];                           /* this and all below: under lock */
    unsigned running[LMDB_READ_KINDS], most, order[JOBS]; /* most: ever at once of a kind */
    unsigned done;
};

static struct fix fix;

static void run(struct lmdb_engine *e, struct store_job *job)
{
    (void)e;
    pthread_mutex_lock(&fix.lock);
    fix.running[job->phase]++;
    if (fix.running[job->phase] > fix.most)
        fix.most = fix.running[job->phase];
    pthread_cond_broadcast(&fix.changed);
    while (fix.held[job->phase])
        pthread_cond_wait(&fix.changed, &fix.lock);
    fix.running[job->phase]--;
    fix.order[fix.done++] = (unsigned)(job - fix.jobs);
    pthread_cond_broadcast(&fix.changed);
    pthread_mutex_unlock(&fix.lock);
}

static void begin(unsigned threads)
{
    fix = (struct fix){.njobs = 0};
    assert_int_equal(pthread_mutex_init(&fix.lock, NULL), 0);
    assert_int_equal(pthread_cond_init(&fix.changed, NULL), 0);
    assert_int_equal(lmdb_readers_open(&fix.r, threads, run, NULL, NULL), ERR_OK);
}

static void hold(enum lmdb_read kind, bool on)
{
    pthread_mutex_lock(&fix.lock);
    fix.held[kind] = on;
    pthread_cond_broadcast(&fix.changed);
    pthread_mutex_unlock(&fix.lock);
}

static void submit(enum lmdb_read kind, unsigned n)
{
    for (; n > 0; n--) {
        struct store_job *job = &fix.jobs[fix.njobs++];

        job->phase = kind;
        lmdb_readers_submit(fix.r, kind, job);
    }
}

/* Until ${what} is ${n}; false: it never was. */
static bool comes(const unsigned *what, unsigned n)
{
    struct timespec until;
    int rc = 0;
    bool yes;

    assert_int_equal(clock_gettime(CLOCK_REALTIME, &until), 0);
    until.tv_sec += WAIT_S;
    pthread_mutex_lock(&fix.lock);
    while (*what != n && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&fix.changed, &fix.lock, &until);
    yes = *what == n;
    pthread_mutex_unlock(&fix.lock);
    return yes;
}

static void end(void)
{
    lmdb_readers_close(fix.r); /* after what is queued */
    assert_int_equal(fix.done, fix.njobs);
    pthread_cond_destroy(&fix.changed);
    pthread_mutex_destroy(&fix.lock);
}

/* Many of one kind have been begun and will not end soon: one of the other is done all the same. */
static void one_kind_keeps_one_thread(void **state)
{
    static const enum lmdb_read kinds[] = {LMDB_READ_LONG, LMDB_READ_SHORT};

    (void)state;
    for (unsigned threads = 2; threads < 5; threads++)
        for (int i = 0; i < 2; i++) {
            begin(threads);
            hold(kinds[i], true);
            submit(kinds[i], 10);
            assert_true(comes(&fix.running[kinds[i]], threads - 1));
            submit(kinds[1 - i], 3);
            assert_true(comes(&fix.done, 3));
            hold(kinds[i], false);
            end();
            assert_int_equal(fix.most, threads - 1);
        }
}

/* A thread that has been waiting takes what may begin when another one goes. */
static void all_threads_work(void **state)
{
    (void)state;
    begin(3);
    hold(LMDB_READ_LONG, true);
    hold(LMDB_READ_SHORT, true);
    submit(LMDB_READ_LONG, 5);
    assert_true(comes(&fix.running[LMDB_READ_LONG], 2));
    submit(LMDB_READ_SHORT, 5);
    assert_true(comes(&fix.running[LMDB_READ_SHORT], 1));
    hold(LMDB_READ_LONG, false);
    assert_true(comes(&fix.done, 5));
    assert_true(comes(&fix.running[LMDB_READ_SHORT], 2));
    hold(LMDB_READ_SHORT, false);
    end();
}

static void first_come_first_served(void **state)
{
    unsigned last[LMDB_READ_KINDS] = {0};

    (void)state;
    begin(2);
    hold(LMDB_READ_LONG, true);
    for (int i = 0; i < 10; i++) {
        submit(LMDB_READ_LONG, 1);
        submit(LMDB_READ_SHORT, 1);
    }
    hold(LMDB_READ_LONG, false);
    end();
    for (unsigned i = 0; i < fix.done; i++) {
        unsigned kind = fix.jobs[fix.order[i]].phase;

        assert_true(fix.order[i] >= last[kind]);
        last[kind] = fix.order[i];
    }
}

static void one_thread_does_both(void **state)
{
    (void)state;
    begin(1);
    submit(LMDB_READ_LONG, 5);
    submit(LMDB_READ_SHORT, 5);
    assert_true(comes(&fix.done, 10));
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_kind_keeps_one_thread),
        cmocka_unit_test(all_threads_work),
        cmocka_unit_test(first_come_first_served),
        cmocka_unit_test(one_thread_does_both),
    };

    return cmocka_run_group_tests_name("lmdb_readers", tests, NULL, NULL);
}
