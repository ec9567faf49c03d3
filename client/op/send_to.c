/* SPDX-License-Identifier: Apache-2.0 */
/* Whom a send goes to: names of groups taken apart. */
#include <stdlib.h>

#include "client/op/send.h"

void send_free_to(struct send *s)
{
    for (size_t i = 0; s->to != NULL && i < s->n_to; i++)
        free(s->to[i]);
    free(s->to);
    s->to = NULL;
}

int send_expand(struct send *s, size_t max, struct err *err)
{
    char **to = NULL;
    size_t n = 0;
    int rc = contacts_expand(s->op.s->profile->vault, s->to, s->n_to, max, &to, &n, err);

    if (rc != ERR_OK)
        return rc;
    send_free_to(s);
    s->to = to;
    s->n_to = n;
    s->persons = calloc(n, sizeof(*s->persons));
    s->slots = calloc(n + 1, sizeof(*s->slots));
    s->packed_slots = calloc(n + 1, sizeof(*s->packed_slots));
    s->slot_uids = calloc(n + 1, sizeof(*s->slot_uids));
    if (s->persons == NULL || s->slots == NULL || s->packed_slots == NULL || s->slot_uids == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    for (size_t i = 0; i < n; i++)
        s->persons[i].who = s->to[i];
    return ERR_OK;
}
