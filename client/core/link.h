/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link - the connection of a handle: made when an operation needs it, brought
 * as far as it needs (greeted, or logged in), made anew after it was lost.
 *
 *     DOWN -> PREPARING -> DIALING -> GREETED -> LOGIN -> (ROTATING) -> READY
 *              ^   ASKING <-'  '-> DOWN on any failure
 *
 * What other devices of ours have changed is learnt after the login.  When an encryption key nears
 * its end, the next one is published then, before any operation goes on.
 *
 * Threads: the loop's own.  Never blocks: files are read on workers.
 */
#ifndef CLIENT_CORE_LINK_H
#define CLIENT_CORE_LINK_H

#include "client/core/list.h"
#include "client/core/session.h"
#include "client/local/identity.h"
#include "client/local/settings.h"

struct satchel;
struct satchel_op;

enum link_state {
    LINK_DOWN,
    LINK_PREPARING, /* reading certificates */
    LINK_DIALING,
    LINK_ASKING, /* is this pin right? */
    LINK_GREETED,
    LINK_LOGIN,
    LINK_ROTATING,
    LINK_READY
};

enum link_need { LINK_NEED_NOTHING, LINK_NEED_GREETED, LINK_NEED_READY };

struct link {
    struct satchel *s;
    enum link_state state;
    struct session *session; /* from DIALING on, until it has closed */
    struct settings target;  /* server, pin, ca_file */
    SSL_CTX *ctx;
    struct list waiting; /* operations, by their link `in_link` */
    struct pin asked;    /* in ASKING */
    bool asking;         /* the session closes because its pin is to be confirmed */
    bool on_trial; /* a pin that nobody knows is taken: another device will tell if it is right */
    bool retarget; /* the session closes because it goes to another server */
    uint64_t quota, used;
    uint64_t server_sequence; /* of our newest manifest at the server */
    uint64_t account;         /* number of the next account record; 0: the server keeps none */
    unsigned jobs;            /* workers that still use this */
};

/* No connection yet. */
void link_init(struct link *l, struct satchel *s);

/* Everything is closed: free what is left. */
void link_free(struct link *l);

/* Where to connect to; an open connection to somewhere else is dropped.  Strings are copied. */
MUST_CHECK int link_target(struct link *l, const struct settings *target, struct err *err);

/* Bring the connection to where ${op} needs it, then let it begin; or end it. */
void link_wait(struct link *l, struct satchel_op *op);
void link_forget(struct satchel_op *op); /* it does not wait any more */

/* For catchup.c: what other devices have changed is known, as far as it can be. */
void link_caught_up(struct link *l);

/* For rotate.c: all that comes before operations is done. */
void link_ready(struct link *l);

/* The answer to the question. */
void link_pin_answer(struct link *l, bool accept);

/* No more operations: close politely. */
void link_close(struct link *l);

/* Nothing is open or running. */
bool link_idle(const struct link *l);

#endif /* CLIENT_CORE_LINK_H */
