/* SPDX-License-Identifier: Apache-2.0 */
/* recipients - rows of RecipientStatus with names, for the caller.  Threads: as each says. */
#ifndef CLIENT_OP_RECIPIENTS_H
#define CLIENT_OP_RECIPIENTS_H

#include "client/core/op.h"

/* {0} is none. */
struct recipients {
    Satchel__RecipientStatus **rows; /* borrowed from the answer that is kept */
    size_t n;
    char (*names)[SATCHEL_NAME_SIZE]; /* "" unknown */
    char (*ids)[IDS_UID_TEXT];
};

/* Look at an answer's rows, which must stay; ERR_PROTO: malformed, ERR_NOMEM. */
MUST_CHECK int recipients_take(struct recipients *r, Satchel__RecipientStatus **rows, size_t n,
                               struct err *err);

/* On a worker: what our contacts call them. */
MUST_CHECK int recipients_name(struct recipients *r, const struct satchel_op *op, struct err *err);

/* Recipient ${i} as the caller sees him; borrowed from ${r}. */
struct satchel_recipient recipients_at(const struct recipients *r, size_t i);

/* What to call him in a message: never "". */
const char *recipients_label(const struct recipients *r, size_t i);

/* On the loop: tell the caller of all; ends early when the operation does. */
void recipients_tell(const struct recipients *r, const struct satchel_op *op,
                     satchel_recipient_cb *cb);

void recipients_free(struct recipients *r);

#endif /* CLIENT_OP_RECIPIENTS_H */
