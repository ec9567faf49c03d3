/* SPDX-License-Identifier: Apache-2.0 */
/*
 * people - who an operation deals with: names resolved, manifests looked up
 * at the server and held against the pinned ones (proto/FORMATS.md section 4),
 * several users at a time.
 *
 * WHO: a contact's name, a user ID, a username, an e-mail address; the last two
 * are looked up at the server only when no contact is pinned under them.  A user seen
 * for the first time is pinned and told as a notice, and so is an address: nobody has
 * checked that it is his.
 *
 * Strangers, who have only sent us something, are pinned in a bounded way: so many of them at most
 * (contact.h), none with more than STRANGER_KEPT bytes of manifests, and more than
 * STRANGER_RAW_MAX of them are not even looked at, whatever is pinned already.
 *
 * Threads: the loop's own.  Files and signatures are a worker's.
 */
#ifndef CLIENT_OP_PEOPLE_H
#define CLIENT_OP_PEOPLE_H

#include "client/core/op.h"
#include "client/local/contact.h"

/* Zero-initialise; fill in the first block. */
struct person {
    const char *who;      /* WHO; or NULL, and uid is set */
    struct uid uid;       /* set afterwards in any case */
    const char *new_name; /* a name to give him; NULL: keep */
    /* The username that the account record has of him, which is pinned whatever the server says;
     * NULL: what the server says when he is seen first. */
    const char *old_username;
    /* Do not ask the server if these manifests are pinned; NULL: ask. */
    const struct hash32 *wants;
    size_t n_wants;
    bool chosen; /* it is our choice to deal with him: set for ${who}; others are strangers */
    /* The server need not know him any more, or may hide him from us: what is pinned will do. */
    bool may_be_gone;

    /* Afterwards: */
    bool self;              /* it is ourselves: contact is empty but for the names */
    struct contact contact; /* with the whole chain */
    struct err err;         /* with `each_alone`: why he could not be found; code 0: he was */
    char username[IDS_USERNAME_TEXT]; /* as the server says; "": it was not asked */
    bool unasked;                     /* `pinned_will_do`, and he is pinned, with this newest: */
    struct hash32 newest;             /* manifest_digest() */

    /* Private. */
    struct op_job job;
    struct people *all;
    struct buf raw; /* manifests that came: u32 length, serialised Signed */
    uint64_t from;  /* first sequence asked for */
    uint64_t next;  /* next one to be asked for */
    uint64_t last;  /* newest at the server */
    size_t pinned;  /* manifests that were pinned before */
    bool known;     /* uid is */
    bool located;   /* the first step is done */
    bool fresh, succeeded;
    bool address;               /* the e-mail address is pinned for the first time */
    char email[IDS_EMAIL_TEXT]; /* he is looked up by it, folded; "": he is not */
};

struct people {
    struct satchel_op *op;
    struct person *p;
    size_t n;
    bool each_alone; /* a user who fails does not end the operation */
    bool skips;      /* with `each_alone`: nor does one for whom the server has no time now */
    /* Who is pinned is not asked about: the request that follows tells the server what is known of
     * him (PROTOCOL.md, known_manifest), and if that is old all are to be found again without. */
    bool pinned_will_do;
    void (*done)(struct satchel_op *op);
    /* Private. */
    size_t left;
    bool counted; /* under the vault's lock: how many strangers are pinned */
    size_t strangers;
};

/* Find all of them, then call done(); an error ends the operation.  ${all} must stay as it is. */
void people_find(struct people *all);

/* For workers, before people_find(), which then has no need of one: what is pinned of them.
 * ${all} is filled in already, and op->id is there.  Errors are those that would end it. */
MUST_CHECK int people_locate(struct people *all, struct err *err);

void person_free(struct person *p); /* empties it */

/* What to call them: never NULL. */
const char *person_name(const struct person *p);

/* Their manifests; our own for ourselves. */
const struct chain *person_chain(const struct person *p, const struct identity *me);

#endif /* CLIENT_OP_PEOPLE_H */
