/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mail - a stored transfer as the wire shows it: rows of listings, states, the
 * items that the share service needs.  Pure.  Threads: any.
 */
#ifndef SERVER_MAIL_H
#define SERVER_MAIL_H

#include <proto/satchel.pb-c.h>

#include "server/shares.h"
#include "server/store/store_types.h"

/* What regenerates the shares of ${slot}.  False: the row is damaged. */
bool mail_share_item(struct shares_item *item, const uint8_t tid[STORE_TID_LEN],
                     const struct store_slot *slot);

/* May metadata and its share still be given to ${m}'s owner? */
bool mail_is_open(const struct store_mail *m, uint64_t now);

/* A Signed with memory of its own. */
struct mail_signed {
    Satchel__Signed msg;
    struct buf body;
    uint8_t sig[64];
};

/* The newest addendum of ${t}; NULL: none, or out of memory.  Free with buf_free(&s->body). */
Satchel__Signed *mail_addendum(struct mail_signed *s, const struct store_transfer *t);

/* A row, with memory of its own; what it shows is borrowed from ${m} and ${share_meta}. */
struct mail_row {
    Satchel__Transfer msg;
    struct mail_signed addendum;
    ProtobufCBinaryData proof[64];
    uint8_t hashes[64][32];
};

/*
 * ${m} as its owner sees it; ${share_meta} (32 bytes) NULL: none, then no metadata either.
 * ERR_CORRUPT: the rows do not fit together.
 */
MUST_CHECK int mail_row(struct mail_row *ret_row, const struct store_mail *m,
                        const uint8_t *share_meta, uint64_t now);

/* Rows of a status; they borrow from the recipients they were made of. */
struct mail_statuses {
    Satchel__RecipientStatus *rows, **at;
    size_t n;
};

/*
 * What became of ${n} recipients of ${t}; the sender's own copy is left out, unless it is the only
 * one or he sent it to himself.  ERR_NOMEM.
 */
MUST_CHECK int mail_statuses(struct mail_statuses *ret, const struct store_transfer *t,
                             const struct store_recipient *recipients, size_t n);
void mail_statuses_free(struct mail_statuses *l);

#endif /* SERVER_MAIL_H */
