/* SPDX-License-Identifier: Apache-2.0 */
/*
 * writer_fix - an lmdb_writer on a small store of its own, whose jobs do what a test says, and
 * which naps as long as the test says, and a second one that yields to it; their clock can
 * be stopped.  Link with --wrap=nanosleep,--wrap=clock_gettime.
 */
#ifndef TESTS_UNIT_WRITER_FIX_H
#define TESTS_UNIT_WRITER_FIX_H

#include <pthread.h>

#include "server/store/lmdb_writer.h"

enum {
    JOBS = 4000,
    MANY = 60,
    CEILING = 4 << 20, /* bytes of the map, and with room ahead: */
    ROOMY = 64 << 20,
    FAR = 1 << 30 /* s: where the clock may stand: nothing gets due */
};

/* What a job does, in job->note[0], to the row job->note[1]. */
enum deed {
    PUT,
    CROWD_PUT,  /* gathers */
    RECORD_PUT, /* a record will do */
    PUT_PAGE,
    PUT_LARGE,
    DELETE,
    DELETE_MANY, /* MANY rows */
    FAIL_CLEAN,
    FAIL_AFTER_A_CHANGE,
    BREAK,
    BREAK_AFTER_A_CHANGE,
    PASS,
    EARLY,
    EARLY_FAIL,
    SEES /* fails clean unless its row is there */
};

struct writer_fix {
    char dir[64];
    struct lmdb_env *e;
    struct lmdb_redo *redo;       /* of w; NULL: it has none */
    struct lmdb_writer *w, *bulk; /* bulk yields to w */
    int64_t count; /* writer's: of rows that were put, which a row of meta says too */
    struct store_job jobs[JOBS];
    struct store_result results[JOBS];
    pthread_mutex_t lock;
    pthread_cond_t cond;
    unsigned njobs;
    unsigned done, naps, /* this and the next lines: under lock */
        held;   /* while not 0 the writer waits in its first job, and does not wake from a nap */
    bool waits; /* it does */
    struct timespec now; /* that writers see; 0: the time as it is */
    unsigned order[JOBS];
};

/* Set-up and tear-down of cmocka, whose state is a struct writer_fix; one at a time. */
int writer_fix_setup(void **state);
int writer_fix_setup_redo(void **state);  /* with a log */
int writer_fix_setup_roomy(void **state); /* and a map with room ahead, up to ROOMY */
int writer_fix_teardown(void **state);

/* Close the writers; the tear-down does it otherwise. */
void writer_fix_close(struct writer_fix *f);

/* Say whether the writer waits, see `held`. */
void writer_fix_hold(struct writer_fix *f, unsigned held);

/* Wait until the writer waits. */
void writer_fix_wait_held(struct writer_fix *f);

/* Let the writers' clock stand still at so many seconds. */
void writer_fix_set_clock(struct writer_fix *f, time_t seconds);

/* Submit a job for the row ${n} that says that it brings so many bytes (0); returns its index. */
unsigned writer_fix_submit_bytes(struct writer_fix *f, enum deed deed, uint32_t n, size_t bytes);
unsigned writer_fix_submit(struct writer_fix *f, enum deed deed, uint32_t n);

/* Submit a job for ${row} to bulk; returns its index. */
unsigned writer_fix_submit_bulk(struct writer_fix *f, uint32_t row, size_t bytes);

/* Wait until all that were submitted are done. */
void writer_fix_wait(struct writer_fix *f);

/* Is the row ${n} there, for a reader? */
bool writer_fix_has(struct writer_fix *f, uint32_t n);

/* How many rows were put, as the store says: PUT, RECORD_PUT and EARLY count. */
uint64_t writer_fix_count(struct writer_fix *f);

/* How many commits there were. */
uint64_t writer_fix_commits(struct writer_fix *f);

/* Put rows from ${from} on until not even a small one has room. */
void writer_fix_fill(struct writer_fix *f, uint32_t from);

#endif /* TESTS_UNIT_WRITER_FIX_H */
