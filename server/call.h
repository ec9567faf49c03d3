/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call - one request from its frame to its answer.
 *
 * A handler is a chain of steps.  Each step ends in exactly one of
 *
 *     call_store(c, store_x(...), this_step, next_step)   something is under way
 *     call_shares(c, shares_x(...), this_step, next_step)
 *     call_reply(), call_done(), call_error()             answered: c may be gone
 *     call_hold(c, next_step)                             until call_wake()
 *     !call_pays(c, n, this_step)                         until there is something to pay with
 *
 * and nothing touches ${c} after it.  The result of a store operation is c->res
 * in the next step, whatever its code; it lives until the one after.
 *
 * A connection may go, and a deadline may pass, while something is under way:
 * the call is then answered already, and is freed instead of taking its next
 * step - unless its row says `finish`, then the steps go on and their answers
 * lead nowhere.  Such steps must not use c->conn.
 *
 * Threads: loop thread only.  Never blocks.
 */
#ifndef SERVER_CALL_H
#define SERVER_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include <proto/satchel.pb-c.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/transfer/ids.h"
#include "server/store/store.h"

struct call;
struct conn;
struct daemon;
struct dispatch_row;
struct factor_try;
struct shares_job;
typedef void call_step(struct call *c);

struct call {
    struct call *prev, *next; /* of the connection, in the order begun */
    struct daemon *d;
    struct conn *conn; /* NULL: nobody waits for the answer any more */
    const struct dispatch_row *row;
    uint64_t id;
    Satchel__Envelope *msg;    /* the request */
    struct buf tail;           /* its raw bytes; a handler may take them */
    struct store_result *res;  /* of the last store operation */
    void *data;                /* the handler's own, */
    void (*drop)(void *data);  /* freed by this */
    struct factor_try *factor; /* of factor.h; NULL: none was asked for */
    uint64_t since;            /* uv_now() when what is under way was started; 0: nothing is */
    size_t queued;             /* bytes of tail, message and result that count against the limits */
    bool answered;
    /* Private to call.c. */
    call_step *then, *again;
    struct call *waiting_next;
    size_t counted; /* of queued: the result */
    bool busy, waiting, held;
};

/*
 * The outcome of a store start call that named call_on_store and ${c} as callback.  FULL becomes
 * BUSY while there is something to collect: whoever comes again then hears the truth.
 */
void call_store(struct call *c, int rc, call_step *self, call_step *then);
void call_on_store(void *arg, struct store_result *res);

/* call_store() for one that may bring ${bytes}: they are under way before its result is there. */
void call_store_bytes(struct call *c, size_t bytes, int rc, call_step *self, call_step *then);

/* The same for jobs of the share service. */
void call_shares(struct call *c, int rc, call_step *self, call_step *then);
void call_on_shares(void *arg);

/* Tell the store that the cells of ${job}, 1 to STORE_LIST_MAX, are erased: store_cells_done(), as
 * call_store() has it. */
void call_cells_done(struct call *c, const struct shares_job *job, call_step *self,
                     call_step *then);

/*
 * The request makes more work than most: it counts like ${n} further ones of its user, at most a
 * quarter of those of a second.  False: there are not so many left now; it rests, without its
 * result, and goes on with ${self}, which asks again.  With ${self} NULL it is refused: one that
 * holds memory is not to rest.  Some are left for requests that cost no more than themselves.  Only
 * while c->conn is there.
 */
bool call_pays(struct call *c, size_t n, call_step *self);

/* So many pieces whose rows are walked, and perhaps hashed, count like a request. */
enum { CALL_PIECES = 16 };

/* Rest until call_wake(). */
void call_hold(struct call *c, call_step *then);
void call_wake(struct call *c);

/* Answer with the body set in ${env}; its id is filled in. */
void call_reply(struct call *c, Satchel__Envelope *env);
void call_done(struct call *c);

/* Answer with an error; ${fmt} is the message for people, NULL for the code's own words.  What is
 * our fault (INTERNAL) is logged with these words, and the peer hears the code's own. */
void call_error(struct call *c, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* The same, with advice when to try again, in ms. */
void call_later(struct call *c, int code, uint64_t retry_after);

/* What the peer, or the log, hears of ${res} beside its code; NULL: the code's own words. */
const char *call_why(const struct store_result *res);

/* From the code of c->res, for codes a handler has no words of its own for. */
void call_failed(struct call *c);

/* Make one, last in the connection's list.  Takes ${msg}, which has ${bytes}, and ${tail} if it
 * returns one; NULL: no memory. */
struct call *call_new(struct conn *conn, const struct dispatch_row *row, Satchel__Envelope *msg,
                      size_t bytes, struct buf *tail);

/* The connection has gone: no answer will be sent.  May free ${c}. */
void call_orphan(struct call *c);

/* The store has been silent for too long: answer BUSY. */
void call_give_up(struct call *c);

/* There is room in the store again: try those that wait. */
void call_on_room(struct daemon *d);

/* Is ${time}, of something that a client has just made, within LOGIN_CLOCK_MS of ours? */
bool call_time_is_near(uint64_t time);

/*
 * Fields of fixed size.  False: not that long, answered with BAD_REQUEST that
 * names the field; the handler returns.
 */
bool call_take(struct call *c, const ProtobufCBinaryData *from, const char *field, void *to,
               size_t len);

#endif /* SERVER_CALL_H */
