/* SPDX-License-Identifier: Apache-2.0 */
#include "client/op/recipients.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/local/contact.h"

int recipients_take(struct recipients *r, Satchel__RecipientStatus **rows, size_t n,
                    struct err *err)
{
    for (size_t i = 0; i < n; i++)
        if (rows[i]->user_id.len != IDS_UID_LEN)
            return err_set(err, ERR_PROTO, "the server's answer is malformed");
    r->names = calloc(n + 1, sizeof(*r->names));
    r->ids = calloc(n + 1, sizeof(*r->ids));
    if (r->names == NULL || r->ids == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    for (size_t i = 0; i < n; i++) {
        struct uid uid;

        memcpy(uid.b, rows[i]->user_id.data, IDS_UID_LEN);
        ids_uid_to_text(&uid, r->ids[i]);
    }
    r->rows = rows;
    r->n = n;
    return ERR_OK;
}

static int name_one(struct recipients *r, const struct satchel_op *op, size_t i, struct err *err)
{
    struct uid uid;
    struct contact c = {0};
    int rc;

    memcpy(uid.b, r->rows[i]->user_id.data, IDS_UID_LEN);
    if (memcmp(&uid, &op->id->uid, sizeof(uid)) == 0) {
        (void)snprintf(r->names[i], sizeof(r->names[i]), "%s", op->id->username);
        return ERR_OK;
    }
    rc = contact_load(op->s->profile->vault, &uid, &c, err);
    if (rc == ERR_OK)
        (void)snprintf(r->names[i], sizeof(r->names[i]), "%s", c.name);
    contact_free(&c);
    return rc == ERR_NOTFOUND ? ERR_OK : rc;
}

int recipients_name(struct recipients *r, const struct satchel_op *op, struct err *err)
{
    int rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < r->n; i++)
        rc = name_one(r, op, i, err);
    return rc;
}

struct satchel_recipient recipients_at(const struct recipients *r, size_t i)
{
    const Satchel__RecipientStatus *row = r->rows[i];

    return (struct satchel_recipient){.who = r->ids[i],
                                      .name = r->names[i],
                                      .user_id = r->ids[i],
                                      .state = (enum satchel_state)row->state,
                                      .opens_used = row->opens_used,
                                      .changed = row->changed,
                                      .received = row->received};
}

const char *recipients_label(const struct recipients *r, size_t i)
{
    return r->names[i][0] != '\0' ? r->names[i] : r->ids[i];
}

void recipients_tell(const struct recipients *r, const struct satchel_op *op,
                     satchel_recipient_cb *cb)
{
    for (size_t i = 0; cb != NULL && i < r->n && !op->ended; i++) {
        struct satchel_recipient to = recipients_at(r, i);

        cb(op->cookie, &to);
    }
}

void recipients_free(struct recipients *r)
{
    free(r->names);
    free(r->ids);
    *r = (struct recipients){0};
}
