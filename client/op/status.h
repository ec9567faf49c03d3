/* SPDX-License-Identifier: Apache-2.0 */
/* status - what the files of this operation share: status.c (course), status_log.c (the server's
 * log).  Nobody else includes it. */
#ifndef CLIENT_OP_STATUS_H
#define CLIENT_OP_STATUS_H

#include "client/op/events.h"
#include "client/op/find.h"
#include "client/op/people.h"
#include "client/op/recipients.h"
#include "client/op/row.h"
#include "common/transfer/header.h"
#include "common/transfer/statement.h"

/* A receipt of the log, and whose it is. */
struct status_receipt {
    size_t event; /* place of its event */
    struct buf raw;
    struct statement s;
    struct err problem; /* code 0: it counts */
};

struct status {
    struct satchel_op op;
    struct find find;
    satchel_recipient_cb *on_recipient;
    void (*on_transfer)(void *cookie, const struct satchel_transfer *t);
    void (*on_logged)(void *cookie, const struct satchel_logged *e);
    void (*on_proof)(void *cookie, const struct satchel_proof *p);
    void (*on_manifest)(void *cookie, const char *user_id, struct satchel_bytes manifest);
    void (*done)(void *cookie, const struct satchel_error *err, const struct satchel_status *r);
    struct op_job job;
    Satchel__StatusReply *reply; /* taken out of the answer */
    struct header header;
    struct hash32 header_hash;
    struct row row;       /* with `on_transfer`: what our own slot opens; empty: it is not there */
    struct statement end; /* the addendum, as it claims to be; number 0: there is none */
    struct hash32 wants[3]; /* manifests of header and addenda */
    struct person sender;
    struct people people;
    struct recipients recipients;
    struct satchel_status status;
    /* The log. */
    struct events events;
    uint8_t server_key[IDS_KEY_LEN];
    struct status_receipt *receipts;
    struct person *signers; /* one for each receipt */
    size_t n_receipts;
};

/* On the loop: tell the caller of the transfer and of its recipients. */
void status_tell(struct status *s);

/* Get the log, check it and its receipts, tell them, and end. */
void status_log(struct status *s);
void status_log_free(struct status *s);

#endif /* CLIENT_OP_STATUS_H */
