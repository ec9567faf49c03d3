/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_result - the outcome of one store operation.
 *
 * Ownership: the callback owns the result and everything in it, may keep it as
 * long as it likes, and frees it with store_result_free().  Nothing in it
 * points into the store: a kept result pins no page and no transaction.
 * Threads: one at a time.
 */
#ifndef SERVER_STORE_RESULT_H
#define SERVER_STORE_RESULT_H

#include "common/err.h"
#include "server/store/store_instances.h"
#include "server/store/store_types.h"

/* Which of its unique values stood in the way of a new user. */
enum store_clash { STORE_CLASH_NONE, STORE_CLASH_UID, STORE_CLASH_NAME, STORE_CLASH_EMAIL };

/* A piece; its bytes are malloc()ed one by one: see store_piece_take(). */
struct store_piece {
    uint32_t index;
    uint8_t *data;
    size_t len;
};

#define STORE_NO_PIECE UINT32_MAX

struct store_fault {
    uint8_t tid[STORE_TID_LEN];
    uint32_t piece; /* STORE_NO_PIECE: a row */
    char what[64];
};

struct store_result {
    /*
     * ERR_OK: read, or written durably (an upload_open with `early` perhaps not
     * yet).  ERR_TIMEOUT: unknown, perhaps written
     * (engines over a network): read again or repeat, every write is guarded so
     * that repeating it is harmless.  Anything else: nothing was changed.
     * Codes every operation may give: ERR_NOMEM, ERR_IO, ERR_FULL (no room on
     * the disk or under the configured ceiling), ERR_CORRUPT.  The others stand
     * with each request.
     */
    int code;
    bool duplicate; /* ERR_OK, and it had been done before: nothing was changed */
    bool more;      /* lists: there are rows behind this page */
    bool own;       /* ERR_QUOTA of piece_put and upload_seal: of the sender's own mailbox */
    char why[128];  /* for the log, with ERR_BUSY for the peer: what failed; no names, no keys */
    /* Lists: ask on from here while ${more}. */
    uint8_t cursor[STORE_HASH_LEN];
    size_t count; /* rows in the list below */
    union {
        enum store_clash clash;                 /* user_create with ERR_EXISTS */
        struct store_user user;                 /* user_get */
        const struct store_user *users;         /* user_list */
        const struct store_manifest *manifests; /* manifest_list */
        const struct store_invite *invites;     /* invite_list */
        struct store_account account;           /* account_get */
        struct store_factor factor;             /* factor_get */
        struct {
            uint8_t uid[STORE_UID_LEN]; /* whose, while there was something */
            const uint64_t *cells;      /* ${count} of them, at most STORE_LIST_MAX */
        } cleared;                      /* user_clear */
        struct store_upload upload;     /* upload_open, upload_get */
        size_t over_quota;              /* upload_open with ERR_QUOTA: slot number */
        struct {
            const struct store_range *ranges;
            uint32_t next; /* ask on from this piece while ${more} */
        } pieces_durable;  /* upload_pieces */
        struct {
            uint32_t missing; /* ERR_BADSTATE: pieces that are not durable */
            uint64_t arrived; /* ERR_OK */
        } seal;               /* upload_seal */
        struct {
            uint32_t uploads, transfers, pieces; /* removed by this call */
        } collect;                               /* collect; call again while ${more} */
        struct store_mail mail;                  /* slot_get, transfer_get */
        const struct store_mail *mails;          /* inbox_list, sent_list */
        const struct store_found *found;         /* mail_find */
        const uint8_t *leaves;                   /* leaves_get: ${count} times 32 bytes */
        struct store_piece *pieces;              /* pieces_get */
        struct {
            enum store_life life;       /* after the move */
            uint32_t opens_used, claim; /* claim: number of this claim, from 1 */
            uint8_t sender[STORE_UID_LEN], uid[STORE_UID_LEN]; /* of the transfer, as asked */
        } slot; /* slot_update; slot_delete: sender */
        struct {
            const struct store_feed_row *rows;
            uint64_t newest;                        /* number of the user's newest row; 0: none */
        } feed;                                     /* feed_list */
        const struct store_due *due;                /* expired_list */
        struct store_event event;                   /* event_append; without data */
        const struct store_event *events;           /* event_list */
        const uint64_t *cells;                      /* cells_due */
        const struct store_instance_use *instances; /* instances: each once in a page */
        struct {
            uint64_t transfers, pieces;       /* looked at */
            const struct store_fault *faults; /* ${count} of them */
        } verify;                             /* verify */
    } u;
    bool pieces_inside;         /* u.pieces holds pieces to be freed */
    size_t bytes;               /* of memory */
    struct store_chunk *memory; /* what the other pointers above point to */
};

/* NULL is fine. */
void store_result_free(struct store_result *res);

/* Take piece ${i} of a pieces_get() out of ${res}; free() it.  NULL if taken already. */
uint8_t *store_piece_take(struct store_result *res, size_t i);

/* For engines: ${len} zeroed bytes that live as long as ${res}; NULL when out of memory. */
void *store_result_alloc(struct store_result *res, size_t len);

/* For engines: make it as new, to do the operation again. */
void store_result_reset(struct store_result *res);

#endif /* SERVER_STORE_RESULT_H */
