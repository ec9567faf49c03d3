/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_types - what the mailbox store keeps, as its callers see it.
 *
 * Sizes are in bytes, times in milliseconds since 1970.  To the store a blob
 * is opaque; each has a largest size, above which a request is ERR_TOOLARGE.
 * Records that come out of the store live in the memory of their result
 * (store_result.h) and go when it is freed.
 */
#ifndef SERVER_STORE_TYPES_H
#define SERVER_STORE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    STORE_UID_LEN = 20,
    STORE_TID_LEN = 16,
    STORE_EK_LEN = 16,
    STORE_INSTANCE_LEN = 16,
    STORE_DEVICE_LEN = 16,
    STORE_IDEM_LEN = 16, /* drawn by the client, names one attempt to send */
    STORE_HASH_LEN = 32,
    STORE_CID_LEN = 32,

    STORE_NAME_MAX = 64,   /* user name; compared as bytes: the caller brings it to one form */
    STORE_EMAIL_MAX = 254, /* likewise */
    STORE_MANIFEST_MAX = 65536,
    STORE_HEADER_MAX = 8192,
    STORE_SIG_MAX = 4096,
    STORE_META_MAX = 131072,   /* ciphertext of the metadata */
    STORE_SLOT_MAX = 4096,     /* bytes of one sealed recipient slot */
    STORE_SEED_MAX = 256,      /* one sealed seed */
    STORE_EVENT_MAX = 4096,    /* data of one event */
    STORE_FACTOR_MAX = 1024,   /* a user's sealed second factor */
    STORE_SLOTS_MAX = 512,     /* slots of one transfer, the sender's own included */
    STORE_USER_SLOTS_MAX = 16, /* of those, for one user */
    STORE_OPENS_MAX = 64,      /* devices of one recipient that may open one transfer */
    STORE_RETURNS_MAX = 16,    /* opens that one recipient of a transfer may give back */
    STORE_REPEATS_MAX = 128,   /* its claims of the same open again that its log tells of */
    STORE_PIECE_MAX = 262400,  /* FORMATS.md: every piece but the last has this length */
    STORE_SMALL_MAX = 16384,   /* a last piece up to this length is kept with the rows */
    STORE_SLOT_COST = 4096,    /* of a quota, for the rows of a slot, beside body and metadata */
    STORE_ROOM_STEPS = 16,     /* of a quota: what others learn of the room in a mailbox */
    STORE_FIND_WALK = 100000,  /* newest rows of a box that a search by prefix reads */
    STORE_ACCOUNT_MAX = 144 * 1024, /* bytes of an account record */
    STORE_CLEAR_MAX = 256,          /* rows of one part of clearing a deleted user's mailbox */
    STORE_BLOCKS_MAX = 256,         /* senders that one user may block */
    STORE_LIST_MAX = 1000,          /* rows of one page; a page also ends near 1 MiB of blobs */
    STORE_FIND_MAX = 16,            /* transfers of one search */
    STORE_LEAVES_MAX = 7168,        /* leaf hashes of one page */
    STORE_PIECES_MAX = 16,          /* pieces of one read: at most 4 MiB */
    STORE_CURSOR_LEN = 24,          /* a place in a mailbox: time, then transfer */
    STORE_PLACE_LEN = 20            /* a place in the whole store: transfer, then piece */
};

struct store_blob {
    const uint8_t *data; /* may be NULL when ${len} is 0 */
    size_t len;
};

/* Rows of a recipient that is not live any more stay so long after the transfer's expiry. */
#define STORE_ENDED_MS ((uint64_t)30 * 86400000)

/* A CID is known so long after its seal, and as long as its transfer is there. */
#define STORE_CID_MS ((uint64_t)365 * 86400000)

enum store_user_state { STORE_USER_ACTIVE = 1, STORE_USER_SUSPENDED, STORE_USER_DELETED };

struct store_user {
    uint8_t uid[STORE_UID_LEN];
    const char *name, *email;
    enum store_user_state state;
    uint64_t created, quota, used; /* used includes what the own unfinished uploads reserve */
    uint64_t manifest_seq;         /* the newest one */
};

struct store_account {
    uint64_t number, stored; /* number 0: there is none, or it is from before a recovery */
    struct store_blob bytes;
};

struct store_manifest {
    uint64_t seq, stored;
    struct store_blob bytes;
};

struct store_invite {
    uint8_t hash[STORE_HASH_LEN]; /* of the code */
    uint64_t created, expires;
    uint32_t uses, left;
};

/* What a user's second factor is, sealed; no bytes: there is none any more. */
struct store_factor {
    uint64_t number; /* rises by one with every writing, also when it was removed in between */
    struct store_blob bytes;
};

/* One slot: one recipient's encryption key.  Cells are numbers in erasable.keys. */
struct store_slot {
    uint8_t uid[STORE_UID_LEN], ek[STORE_EK_LEN], instance[STORE_INSTANCE_LEN];
    uint64_t cell, day_cell;
    uint32_t day;            /* UTC days since 1970: the day of expiry */
    uint32_t position;       /* of its leaf among the transfer's slots; set by the seal */
    struct store_blob seed;  /* sealed seed */
    struct store_blob bytes; /* the sealed slot; empty before the seal */
};

struct store_upload {
    uint8_t tid[STORE_TID_LEN], sender[STORE_UID_LEN], device[STORE_DEVICE_LEN];
    uint64_t created, lease, expires;
    uint32_t opens_max, policy; /* as given to store_upload_open() */
    uint64_t body_max, bytes;   /* allowed, durable */
    uint32_t pieces;            /* durable */
    bool grows;                 /* body_max is a bound only */
    bool sealed;                /* it is a transfer by now: lease and body_max are 0 */
    const struct store_slot *slots;
    size_t nslots;
};

/* Pieces ${first} to ${first} + ${count} - 1 are durable. */
struct store_range {
    uint32_t first, count;
};

/* What everyone entitled to a transfer sees alike. */
struct store_transfer {
    uint8_t tid[STORE_TID_LEN], sender[STORE_UID_LEN], device[STORE_DEVICE_LEN];
    uint64_t arrived, expires, body_len;
    uint32_t pieces, opens_max, policy;
    struct store_blob header, sig, meta;
    struct store_blob addendum;    /* the newest; empty: it was never extended */
    struct store_blob slot_leaves; /* leaf hashes of all slots, in order, 32 bytes each */
};

/* Only a LIVE recipient's shares may be released; the others are final. */
enum store_life { STORE_LIVE = 1, STORE_SPENT, STORE_EXPIRED, STORE_REVOKED, STORE_DELETED };

enum store_open_state { STORE_CLAIMED = 1, STORE_COMMITTED };

struct store_open_row {
    uint8_t device[STORE_DEVICE_LEN];
    enum store_open_state state;
    uint32_t claims; /* how often this device has claimed this open */
    uint64_t at;     /* first claim */
};

struct store_recipient {
    uint8_t uid[STORE_UID_LEN];
    enum store_life life;
    bool in_inbox;       /* it is listed there */
    uint64_t received;   /* when its receipt came; 0 before */
    uint64_t ended;      /* when it ceased to be LIVE; 0: it is, or nobody noted it */
    uint32_t opens_used; /* claimed and committed */
    const struct store_open_row *opens;
    size_t nopens;
};

/*
 * One line of a mailbox.  Inbox: ${me} and its slots.  Sent: ${me} and slots of the sender's own
 * slot if it has one, and all recipients (the sender's own included).
 */
struct store_mail {
    struct store_transfer t;
    bool has_me;
    struct store_recipient me;
    const struct store_slot *slots;
    size_t nslots;
    const struct store_recipient *recipients;
    size_t nrecipients;
};

/* A transfer found by the beginning of its ID. */
struct store_found {
    uint8_t tid[STORE_TID_LEN];
    unsigned views; /* enum store_view, or-ed: in which boxes it is */
};

struct store_due {
    uint8_t tid[STORE_TID_LEN], uid[STORE_UID_LEN];
    uint64_t expires;
};

/* What happened: numbers of enum event_log_kind. */
enum store_event_kind {
    STORE_EVENT_STORED = 1,
    STORE_EVENT_RELEASED,
    STORE_EVENT_GIVEN_BACK,
    STORE_EVENT_COMMITTED,
    STORE_EVENT_RECEIVED,
    STORE_EVENT_EXPIRED,
    STORE_EVENT_REVOKED,
    STORE_EVENT_DELETED,
    STORE_EVENT_EXTENDED
};

/* What a user is told: numbers of EventKind in satchel.proto. */
enum store_feed_kind {
    STORE_FEED_STORED = 1,
    STORE_FEED_ARRIVED,
    STORE_FEED_RELEASED,
    STORE_FEED_RECEIVED,
    STORE_FEED_EXPIRED,
    STORE_FEED_REVOKED,
    STORE_FEED_DELETED,
    STORE_FEED_EXTENDED,
    STORE_FEED_FACTOR,          /* of no transfer: tid is zeros, other the user */
    STORE_FEED_FACTOR_ENROLLED, /* the same, but tid is the device that did it */
    STORE_FEED_FACTOR_REMOVED
};

#define STORE_FEED_MS ((uint64_t)30 * 86400000) /* how long it is kept */

struct store_feed_row {
    uint64_t number; /* of this user, from 1 */
    uint64_t at;
    uint16_t kind;
    uint8_t tid[STORE_TID_LEN];
    uint8_t other[STORE_UID_LEN]; /* who sent it, or whose state has changed */
};

/* hash = SHA-256 of the row as FORMATS.md section 14.4 has it, ${prev} included. */
struct store_event {
    uint32_t seq; /* from 1 */
    uint16_t kind;
    uint64_t at;
    uint8_t uid[STORE_UID_LEN]; /* whom it concerns: FORMATS.md section 14.4 */
    struct store_blob data;
    uint8_t prev[STORE_HASH_LEN], hash[STORE_HASH_LEN];
};

#endif /* SERVER_STORE_TYPES_H */
