/* SPDX-License-Identifier: Apache-2.0 */
/*
 * joins - where a new device of a user meets one that is there (PROTOCOL.md, OfferJoin and Join).
 *
 * An offer is a name that both have from a one-time code, what the new device has sent, what opens
 * the code for it, and what it is answered, all sealed.  Offers are in memory alone: after a
 * restart they are gone, and whoever made one makes it again with the same code.  They end by
 * themselves; their number and their bytes are limited: one for each user, some for each address,
 * so that one network cannot take the places or the bytes of all others.
 *
 * Threads: loop thread only.  Never blocks.
 */
#ifndef SERVER_JOINS_H
#define SERVER_JOINS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/transfer/ids.h"

enum {
    JOINS_ID_LEN = 16,
    JOINS_ADDRESS_LEN = 16,
    JOINS_MAX = 1024,       /* offers at a time: of everybody, */
    JOINS_ADDRESS_MAX = 16, /* of one address; a user has one */
    JOINS_REQUEST_MAX = 2048,
    JOINS_OPENING_MAX = 256,
    JOINS_ANSWER_MAX = 160 * 1024,
    JOINS_WRONG_MAX = 5 /* requests that were refused: then the offer ends */
};
#define JOINS_LIFETIME_MAX      ((uint64_t)60 * 60 * 1000)
#define JOINS_ANSWERED_MS       ((uint64_t)2 * 60 * 1000) /* so long an answer waits to be taken */
#define JOINS_BYTES_MAX         ((size_t)16 << 20)        /* of all answers, */
#define JOINS_ADDRESS_BYTES_MAX ((size_t)1 << 20)         /* of those to offers of one address */
#define JOINS_WAIT_MS           ((uint64_t)20 * 1000) /* so long a side that asks is kept waiting */

struct call;
struct joins;

/* An offer; valid until the loop is left, or it is ended. */
struct join_offer {
    uint8_t id[JOINS_ID_LEN];
    struct uid uid;
    uint8_t address[JOINS_ADDRESS_LEN]; /* of the connection that made it */
    uint64_t ends;                      /* of the clock that never goes back, as all times here */
    uint32_t version;                   /* of what is sealed, as who offers has said */
    struct buf request, refused, opening, answer;
    unsigned wrong;
};

/* Without an offer; free with joins_free().  ERR_NOMEM. */
MUST_CHECK int joins_new(struct joins **ret_j, struct err *err);
void joins_free(struct joins *j); /* nobody waits; NULL is fine */

/* NULL: there is none, or it is over. */
struct join_offer *joins_find(struct joins *j, const uint8_t id[JOINS_ID_LEN], uint64_t now);

/*
 * Make one in place of another one of the same user; with the same ID of the same user it stays as
 * it is.  ERR_EXISTS: another user has this ID; ERR_BUSY: too many of all, or of
 * its address; ERR_NOMEM.
 */
MUST_CHECK int joins_offer(struct joins *j, const struct join_offer *what, uint64_t now,
                           struct join_offer **ret);

/* Take what the new device has sent.  ERR_BUSY: another request is not dealt with yet;
 * ERR_EXISTS: another one was answered; ERR_REFUSED: this one was refused. */
MUST_CHECK int joins_request(struct joins *j, struct join_offer *o, struct part request);

/* What came is told this before it is answered.  ERR_EXISTS: it was told something else. */
MUST_CHECK int joins_open(struct joins *j, struct join_offer *o, struct part opening);

/* Answer what came; the offer ends soon.  ERR_BUSY: too many bytes, of all or of its address;
 * ERR_EXISTS: it was answered otherwise. */
MUST_CHECK int joins_answer(struct joins *j, struct join_offer *o, struct part answer,
                            uint64_t now);

/* What came is not good: wait for another one, unless that were too many.  True: it goes on. */
bool joins_refuse(struct joins *j, struct join_offer *o);

/* Take an offer back: it is freed, and who waits for it hears that it is over. */
void joins_end(struct joins *j, struct join_offer *o);
void joins_end_user(struct joins *j, const struct uid *uid); /* whatever he offers */

/*
 * ${c}, held, waits until something happens to the offer ${id}; embedded in what ${c}
 * owns, and given back by joins_forget() when that goes.
 */
struct join_wait {
    struct join_wait *prev, *next;
    struct joins *j;
    struct call *c;
    uint8_t id[JOINS_ID_LEN];
    uint64_t until; /* then the answer is that there is nothing yet */
    uint64_t round; /* private */
};
void joins_wait(struct joins *j, struct join_wait *w);
void joins_forget(struct join_wait *w);

/* Once a second: what is over ends.  Those who wait for it look again in conn_tick(). */
void joins_tick(struct joins *j, uint64_t now);

#endif /* SERVER_JOINS_H */
