/* SPDX-License-Identifier: Apache-2.0 */
/* lmdb_invites - invitations by the hash of their code. */
#include <string.h>

#include "server/store/lmdb_engine.h"

int lmdb_invites_create(struct lmdb_txn *t, struct store_job *job)
{
    const struct store_invite_create *in = &job->in->invite_create;
    struct lmdb_invite v;
    int rc = lmdb_rows_load_invite(t, in->hash, &v);

    if (rc == ERR_OK) {
        if (v.created != in->now || v.expires != in->expires || v.uses != in->uses)
            return store_fail(job->res, ERR_EXISTS, "the invitation exists");
        job->res->duplicate = true;
        return ERR_OK;
    }
    if (rc != ERR_NOTFOUND)
        return rc;
    v = (struct lmdb_invite){in->now, in->expires, in->uses, in->uses};
    lmdb_rows_save_invite(t, in->hash, &v);
    return ERR_OK;
}

int lmdb_invites_list(struct lmdb_txn *t, struct store_job *job)
{
    const struct store_invite_list *in = &job->in->invite_list;
    struct store_result *res = job->res;
    struct store_invite *list = lmdb_engine_alloc(t, res, in->limit * sizeof(*list)), *to;
    struct lmdb_key start = {0};
    struct lmdb_invite v;
    struct lmdb_walk w;
    bool on;

    if (list == NULL)
        return ERR_NOMEM;
    if (in->after != NULL) {
        start = lmdb_key_of(in->after, STORE_HASH_LEN);
        lmdb_key_add(&start, "", 1); /* the first key behind it */
    }
    on = lmdb_walk_start(&w, t, T_INVITES, &start, 0);
    for (; on && lmdb_engine_page_open(res, in->limit); on = lmdb_walk_next(&w)) {
        if (lmdb_rows_read_invite(t, w.value, &v) != ERR_OK)
            break;
        to = &list[res->count++];
        *to = (struct store_invite){
            .created = v.created, .expires = v.expires, .uses = v.uses, .left = v.left};
        memcpy(to->hash, w.key, STORE_HASH_LEN);
        memcpy(res->cursor, w.key, STORE_HASH_LEN);
    }
    res->more = on;
    lmdb_walk_end(&w);
    res->u.invites = list;
    return lmdb_txn_code(t);
}
