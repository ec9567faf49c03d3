/* SPDX-License-Identifier: Apache-2.0 */
/*
 * op - what all operations share: waiting for the connection, requests, jobs
 * on workers, progress, and ending exactly once.
 *
 * An operation embeds struct satchel_op as its first member.  It goes on in
 * the callbacks of its requests and jobs, none of which comes after
 * op_end(); its memory goes when no job is left and `finish` has told the caller.
 *
 * Threads: the loop's own, but for `work` of a job.
 */
#ifndef CLIENT_CORE_OP_H
#define CLIENT_CORE_OP_H

#include "client/core/alarm.h"
#include "client/core/handle.h"

struct op_kind {
    enum link_need need;
    void (*begin)(struct satchel_op *op); /* the connection is where it is needed first */
    void (*stop)(struct satchel_op *op);  /* it has ended: wait for nothing any more; may be NULL */
    /* The connection could not be brought where it was needed; NULL: the operation ends. */
    void (*unlinked)(struct satchel_op *op, const struct err *why);
    /*
     * For operations that survive a lost connection (op_retry.c); both NULL: it ends them.
     * pause: requests are forgotten, wait for nothing any more but jobs, whose after() does not
     * come.  again: the connection stands, no job is left: go on from what is durable.
     */
    void (*pause)(struct satchel_op *op);
    void (*again)(struct satchel_op *op);
    void (*finish)(struct satchel_op *op, const struct satchel_error *err); /* call `done` */
    void (*free)(struct satchel_op *op); /* what it owns, and its memory */
};

struct satchel_op {
    struct satchel *s;
    const struct op_kind *kind;
    struct identity *id; /* ours, from `begin` on, if a profile is open */
    enum link_need need;
    void (*next)(struct satchel_op *op); /* what to do in the loop's next turn */
    struct list in_handle, in_link, requests;
    struct net_task turn;
    unsigned jobs;
    bool ended;
    bool linked; /* the connection was there once: from then on it may be lost */
    bool broken; /* it was lost: nothing is asked until it is there again */
    struct op_retry {
        struct alarm alarm;
        unsigned tries; /* since something durable came or went */
        unsigned delay; /* ms before the next one */
        uint64_t since; /* the loop's milliseconds at the first of them */
        int why;        /* code of what broke it last; 0: nothing did */
    } retry;
    struct err err;    /* why it ended; code 0: it succeeded */
    void *cookie;      /* the caller's, for all callbacks but `done`: */
    void *done_cookie; /* the same, or what a satchel_sync_*() call waits with */
    satchel_progress_cb *on_progress;
    struct satchel_progress progress;
    uint64_t told; /* the loop's milliseconds when progress was told last */
};

/*
 * Take up ${op} (zeroed memory of the kind's own structure, its options filled in) and begin
 * in a later turn.  If it fails (ERR_LIMIT, ERR_BADSTATE) the operation was freed.
 */
MUST_CHECK int op_start(struct satchel_op *op, struct satchel *s, const struct op_kind *kind,
                        void *cookie, struct satchel_op **ret, struct satchel_error *err);

/* For the starts: fill ${err} and return the code. */
int op_no_memory(struct satchel_error *err);

/* Bring the connection to ${need}, then call ${next}. */
void op_connect(struct satchel_op *op, enum link_need need, void (*next)(struct satchel_op *op));

/* For link.c: the connection is there. */
void op_go_on(struct satchel_op *op);

/* For link.c: it will not be there. */
void op_unlinked(struct satchel_op *op, const struct err *why);

/* Has it neither ended nor lost its connection? */
static inline bool op_going(const struct satchel_op *op)
{
    return !op->ended && !op->broken;
}

/*
 * The connection failed for ${why}: true if the operation goes on when it is there again, false
 * if nothing was done, because the reason is no passing one, or the operation is of a kind that
 * does not survive it, or has tried for too long.
 */
bool op_lost(struct satchel_op *op, const struct err *why);

/* Begin anew from again(), soon: for an operation that finds that it must. */
void op_restart(struct satchel_op *op);

/* Failures after which the same operation, begun again, may well succeed. */
bool op_may_pass(int code);

/* For op.c: what op_lost() needs, set up at the start. */
void op_retry_init(struct satchel_op *op);

/* For op.c: no job of a broken operation is left, so that again() may come after its delay. */
void op_retry_wait(struct satchel_op *op);

/* There is no connection, although nothing was asked that could have failed: as if it had. */
void op_unheard(struct satchel_op *op);

/* Something durable came or went: the patience of op_lost() begins anew. */
void op_advanced(struct satchel_op *op);

/* End: well with NULL, or for a reason.  Only the first call counts. */
void op_end(struct satchel_op *op, const struct err *why);
void op_fail(struct satchel_op *op, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);
void op_forget_requests(struct satchel_op *op); /* no callback of theirs comes any more */

/* ---- requests ---- */

typedef void op_answer_cb(struct satchel_op *op, void *arg, const struct answer *a);

/*
 * Ask; ${ask} without callback and cookie.  An error ends the operation (unless it goes on
 * after op_lost()); with ${errors} ${cb} gets it instead.  What cannot be asked ends it or breaks
 * it in any case: false is returned and the tail is not released.
 */
struct op_ask {
    struct ask ask;
    op_answer_cb *cb;
    void *arg;
    bool errors;
    bool stale;    /* it carries a one-time password, which does not outlast a wait: RATE ends it */
    bool recovers; /* a recovery code would be looked at where that one is not: RATE says so */
};
bool op_ask(struct satchel_op *op, const struct op_ask *ask);

/* ---- jobs ---- */

/*
 * Embedded in the operation, and at work once at a time.  An error of work() ends it; otherwise
 * after() is called, unless the operation has ended or broken meanwhile.  Of an operation that is
 * not going neither is called; nor if no job can be begun, which ends it with ERR_INTERNAL.
 */
struct op_job;
typedef int op_work(struct op_job *job, struct err *err); /* on a worker, off the loop */
typedef void op_after(struct op_job *job);
struct op_job {
    uv_work_t req;
    struct satchel_op *op;
    op_work *work;
    op_after *after; /* NULL: nothing to do */
    int rc;
    struct err err;
};
void op_job(struct satchel_op *op, struct op_job *job, op_work *work, op_after *after);

/* ---- progress ---- */

/* Tell the operation's caller that a phase begins; that ${done} bytes are done. */
void op_phase(struct satchel_op *op, enum satchel_phase phase);
void op_progress(struct satchel_op *op, uint64_t done);

#endif /* CLIENT_CORE_OP_H */
