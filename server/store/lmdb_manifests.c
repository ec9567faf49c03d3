/* SPDX-License-Identifier: Apache-2.0 */
/* lmdb_manifests - a user's manifests by number. */
#include <string.h>

#include "server/store/lmdb_engine.h"

int lmdb_manifests_put(struct lmdb_txn *t, struct store_job *job)
{
    const struct store_manifest_put *in = &job->in->manifest_put;
    struct lmdb_key key = lmdb_rows_key_manifest(in->uid, in->seq);
    struct lmdb_user u;
    struct rd r;
    int rc = lmdb_rows_load_present(t, in->uid, &u);

    if (rc != ERR_OK)
        return rc;
    rc = lmdb_txn_get(t, T_MANIFESTS, &key, &r);
    if (rc == ERR_OK) {
        (void)rd_u64(&r);
        if (r.left != in->bytes.len || memcmp(r.p, in->bytes.data, r.left) != 0)
            return store_fail(job->res, ERR_EXISTS, "another manifest has this number");
        job->res->duplicate = true;
        return ERR_OK;
    }
    if (rc != ERR_NOTFOUND)
        return rc;
    if (in->seq != u.manifest_seq + 1)
        return store_fail(job->res, ERR_BADSTATE, "the manifest's number is not the next one");
    u.manifest_seq = in->seq;
    lmdb_rows_save_user(t, in->uid, &u);
    buf_reset(&t->row);
    buf_u64(&t->row, in->now);
    buf_put(&t->row, in->bytes.data, in->bytes.len);
    lmdb_txn_put_row(t, T_MANIFESTS, &key);
    return ERR_OK;
}

int lmdb_manifests_list(struct lmdb_txn *t, struct store_job *job)
{
    const struct store_manifest_list *in = &job->in->manifest_list;
    struct lmdb_key start = lmdb_rows_key_manifest(in->uid, in->from);
    struct store_result *res = job->res;
    struct store_manifest *list, *m;
    struct store_blob bytes;
    struct lmdb_user u;
    struct lmdb_walk w;
    bool on;
    int rc = lmdb_rows_load_user(t, in->uid, &u);

    if (rc != ERR_OK)
        return rc;
    list = lmdb_engine_alloc(t, res, in->limit * sizeof(*list));
    if (list == NULL)
        return ERR_NOMEM;
    on = lmdb_walk_start(&w, t, T_MANIFESTS, &start, STORE_UID_LEN);
    for (; on && lmdb_engine_page_open(res, in->limit); on = lmdb_walk_next(&w)) {
        m = &list[res->count++];
        m->seq = get_be64(w.key + STORE_UID_LEN);
        m->stored = rd_u64(&w.value);
        bytes = (struct store_blob){w.value.p, w.value.left};
        m->bytes = lmdb_engine_keep(t, res, &bytes);
    }
    res->more = on;
    lmdb_walk_end(&w);
    res->u.manifests = list;
    return lmdb_txn_code(t);
}
