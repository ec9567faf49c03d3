/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_mail - requests about sealed transfers.  Rules as in store_users.h;
 * "Codes: ERR_NOTFOUND" stands for missing and for somebody else's alike.
 *
 * A recipient is LIVE until its slot is spent, expired, revoked or deleted.  The
 * change that ends a life also puts the recipient's cells on the list of due
 * cells, in the same transaction: the caller erases them in erasable.keys and
 * then says store_cells_done().  What a crash leaves behind is still on that list.
 * The body goes when no live recipient is left, the rows when nobody lists them; who has not
 * deleted it lists it until STORE_ENDED_MS after its expiry.
 */
#ifndef SERVER_STORE_MAIL_H
#define SERVER_STORE_MAIL_H

#include "server/store/store_types.h"
#include "server/store/store_uploads.h"

/*
 * u.mails: one page of the inbox (transfers not deleted from it), by arrival.  Costs the
 * same however large the box is.  ${cursor}: STORE_CURSOR_LEN bytes of the page
 * before (res->cursor), NULL for the first page; it stays good when rows go.
 */
struct store_inbox_list {
    uint8_t uid[STORE_UID_LEN];
    const uint8_t *cursor;
    size_t limit;
    bool newest_first;
};

/* The same for what ${uid} has sent. */
struct store_sent_list {
    uint8_t uid[STORE_UID_LEN];
    const uint8_t *cursor;
    size_t limit;
    bool newest_first;
};

/* u.mail: what recipient ${uid} has of it (me, slots).  Codes: ERR_NOTFOUND. */
struct store_slot_get {
    uint8_t tid[STORE_TID_LEN], uid[STORE_UID_LEN];
};

/* u.mail: as its sender sees it (all recipients).  Codes: ERR_NOTFOUND. */
struct store_transfer_get {
    uint8_t tid[STORE_TID_LEN], sender[STORE_UID_LEN];
    bool all_slots; /* the slots of all recipients, not only the sender's own */
};

/*
 * u.found: transfers in ${uid}'s boxes whose ID begins with ${digits} (1 to 32) hex digits of
 * ${prefix}; ${limit} at most STORE_FIND_MAX.  Reads the keys of both boxes, the newest
 * STORE_FIND_WALK of each; with all digits none.
 */
struct store_mail_find {
    uint8_t uid[STORE_UID_LEN], prefix[STORE_TID_LEN];
    unsigned digits;
    size_t limit;
};

/*
 * u.leaves: leaf hashes of stored pieces ${from} and up, for the sender, and recipients with a
 * view; of an upload that is not sealed, for its sender.  Codes: ERR_NOTFOUND: also when the body
 * is gone.
 */
struct store_leaves_get {
    uint8_t tid[STORE_TID_LEN], uid[STORE_UID_LEN];
    uint32_t from;
    size_t limit; /* at most STORE_LEAVES_MAX */
};

/*
 * u.pieces: copies of ${limit} (at most STORE_PIECES_MAX) pieces from ${from}, fewer at
 * the end.  Memory for them is bounded for the whole store: ERR_BUSY from the
 * start call when too much is under way.  For LIVE and SPENT recipients and the
 * sender.  Codes: ERR_NOTFOUND: also when the body is gone.
 */
struct store_pieces_get {
    uint8_t tid[STORE_TID_LEN], uid[STORE_UID_LEN];
    uint32_t from;
    size_t limit;
};

enum store_move {
    STORE_MOVE_CLAIM = 1, /* a device takes an open, or its own open again; u.slot.claim */
    STORE_MOVE_GIVE_BACK, /* claim number ${claim}: its share never left */
    STORE_MOVE_COMMIT,    /* the device has got it all; the last one makes it SPENT */
    STORE_MOVE_RECEIVED,  /* a receipt came; ${event} carries it */
    STORE_MOVE_EXPIRE
};

/*
 * u.slot.  Doing a move twice: duplicate (a claim counts again, but uses no second open).
 * EXPIRE of one not LIVE comes too late: a duplicate, u.slot.life says why.
 * Codes: ERR_NOTFOUND; ERR_EXPIRED, ERR_REVOKED, ERR_SPENT: not LIVE (CLAIM, COMMIT);
 * ERR_SPENT: no open left; ERR_LIMIT: STORE_OPENS_MAX devices; ERR_BADSTATE:
 * GIVE_BACK of an open claimed again since or committed, or by a recipient that has given back
 * STORE_RETURNS_MAX (it stays used), COMMIT without a claim, EXPIRE before its time.  The event is
 * appended only if something changed; of claims of the same open again STORE_REPEATS_MAX times for
 * a recipient.
 */
struct store_slot_update {
    uint8_t tid[STORE_TID_LEN], uid[STORE_UID_LEN]; /* uid: the recipient */
    enum store_move move;
    uint8_t device[STORE_DEVICE_LEN]; /* CLAIM, GIVE_BACK, COMMIT */
    uint32_t claim;                   /* GIVE_BACK */
    uint64_t now;
    const struct store_event_new *event; /* NULL: none */
};

/*
 * u.mail: end the life of ${sender}'s recipients ${uids}, or of all of them, his own copy
 * included: in one transaction, each with its event.  The answer has all recipients as they are
 * now, and the slots of those named: their cells are to be erased, whether or not this call ended
 * them.  Nothing left to end: duplicate.  Codes: ERR_NOTFOUND: no such transfer of his, or one of
 * ${uids} is no recipient (nothing was changed).
 */
struct store_revoke {
    uint8_t tid[STORE_TID_LEN], sender[STORE_UID_LEN];
    const uint8_t *uids; /* STORE_UID_LEN bytes each */
    size_t nuids;        /* at most STORE_SLOTS_MAX; 0: all */
    uint64_t now;
};

/* A slot's seed under fresh cells, durable in erasable.keys. */
struct store_slot_move {
    uint8_t uid[STORE_UID_LEN], ek[STORE_EK_LEN];
    uint64_t old_cell; /* the one it must have still */
    uint64_t cell, day_cell;
    uint32_t day;
    struct store_blob seed;
};

/*
 * u.cells: the transfer ends at ${expires}; in one transaction with an event of kind
 * STORE_EVENT_EXTENDED.  ${slots} are those of all LIVE recipients.  The answer has the
 * cells that are to be erased now: those the slots had, and fresh ones of recipients that are not
 * LIVE any more; they are on the list of due cells as well.  Codes: ERR_NOTFOUND; ERR_EXPIRED:
 * at ${now}; ERR_EXISTS: ${number} was used for another addendum (the same: duplicate, no cells);
 * ERR_BADSTATE: ${number} is not the next one, or a LIVE slot is not as it was: read again.
 */
struct store_extend {
    uint8_t tid[STORE_TID_LEN], sender[STORE_UID_LEN];
    uint64_t now, expires;
    uint32_t number;
    struct store_blob addendum; /* 1 to STORE_EVENT_MAX bytes */
    const struct store_slot_move *slots;
    size_t nslots; /* at most STORE_SLOTS_MAX */
};

enum store_view { STORE_VIEW_INBOX = 1, STORE_VIEW_SENT = 2 };

/* Remove ${uid}'s own view of a transfer; a recipient without a view is DELETED.  Codes:
 * ERR_NOTFOUND. */
struct store_slot_delete {
    uint8_t tid[STORE_TID_LEN], uid[STORE_UID_LEN];
    enum store_view view;
    uint64_t now;
};

/* u.due: LIVE recipients whose expiry is at or before ${now}, the oldest first. */
struct store_expired_list {
    uint64_t now;
    size_t limit;
};

/*
 * u.event (without data).  ${seq} is the number it must get, 0 for whichever is next.  Codes:
 * ERR_NOTFOUND; ERR_EXISTS: that number is taken (by the same event: duplicate); ERR_BADSTATE: it
 * is not the next one.
 */
struct store_event_append {
    uint8_t tid[STORE_TID_LEN];
    uint32_t seq;
    uint64_t now;
    struct store_event_new event;
};

/* u.events from number ${from}, rising.  Only for the sender.  Codes: ERR_NOTFOUND. */
struct store_event_list {
    uint8_t tid[STORE_TID_LEN], sender[STORE_UID_LEN];
    uint32_t from;
    size_t limit;
};

/* u.feed: what ${uid} is told behind number ${after}, rising. */
struct store_feed_list {
    uint8_t uid[STORE_UID_LEN];
    uint64_t after;
    size_t limit;
};

/* u.cells: cells to be erased, the lowest numbers first. */
struct store_cells_due {
    size_t limit;
};

/* These cells are erased.  Unknown ones are ignored. */
struct store_cells_done {
    const uint64_t *cells;
    size_t ncells;   /* at most STORE_LIST_MAX */
    bool background; /* no client waits for it */
};

/*
 * u.verify: look at up to ${limit} transfers from ${cursor} (NULL: from the first; else
 * STORE_PLACE_LEN bytes of res->cursor, while ${more}): rows complete and readable, every piece
 * there and its hash the leaf's.  A page ends after about a GiB of pieces or some hundred faults,
 * also inside a transfer; every fault is told.
 */
struct store_verify {
    const uint8_t *cursor;
    size_t limit;
};

#endif /* SERVER_STORE_MAIL_H */
