/* SPDX-License-Identifier: Apache-2.0 */
/* lmdb_manifests - a user's manifests by number. */
#include <string.h>

#include "common/crypto/hash.h"
#include "server/store/lmdb_engine.h"
#include "server/store/lmdb_parts.h"

/* Those of ${uid} from number ${from} on, up to the newest, ${last}. */
static void remove_from(struct lmdb_txn *t, const uint8_t *uid, uint64_t from, uint64_t last)
{
    for (uint64_t seq = from; seq <= last && lmdb_txn_code(t) == ERR_OK; seq++) {
        struct lmdb_key key = lmdb_rows_key_manifest(uid, seq);

        lmdb_txn_del(t, T_MANIFESTS, &key);
    }
}

int lmdb_manifests_check(struct lmdb_txn *t, const uint8_t *uid, uint64_t seq, const uint8_t *hash)
{
    struct lmdb_key key = lmdb_rows_key_manifest(uid, seq);
    uint8_t found[STORE_HASH_LEN];
    struct rd r;
    int rc = lmdb_txn_get(t, T_MANIFESTS, &key, &r);

    if (rc == ERR_NOTFOUND)
        return ERR_BADSTATE;
    if (rc != ERR_OK)
        return rc;
    (void)rd_u64(&r);
    rc = hash_sha256(found, r.p, r.left);
    return rc == ERR_OK && memcmp(found, hash, sizeof(found)) != 0 ? ERR_BADSTATE : rc;
}

/* Has it the number that it needs? */
static bool is_next(const struct store_manifest_put *in, const struct lmdb_user *u)
{
    if (in->again)
        return false;
    if (in->newest == 0)
        return in->seq == u->manifest_seq + 1;
    return u->manifest_seq == in->newest && in->seq >= 2 && in->seq <= in->newest + 1;
}

/* Numbers come again after a recovery: are the manifests still those that the caller has seen? */
static int check_fits(struct lmdb_txn *t, const struct store_manifest_put *in,
                      const struct lmdb_user *u, struct store_result *res)
{
    int rc;

    if (!is_next(in, u))
        return store_fail(res, ERR_BADSTATE, "the manifest's number is not the next one");
    rc = lmdb_manifests_check(t, in->uid, in->seq - 1, in->before);
    if (rc == ERR_OK && in->newest != 0)
        rc = lmdb_manifests_check(t, in->uid, in->newest, in->newest_hash);
    return rc == ERR_BADSTATE ? store_fail(res, rc, "other manifests are there by now") : rc;
}

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
        job->res->duplicate = r.left == in->bytes.len && memcmp(r.p, in->bytes.data, r.left) == 0;
        if (job->res->duplicate)
            return ERR_OK;
        if (in->newest == 0)
            return store_fail(job->res, ERR_EXISTS, "another manifest has this number");
    } else if (rc != ERR_NOTFOUND) {
        return rc;
    }
    rc = check_fits(t, in, &u, job->res);
    if (rc != ERR_OK)
        return rc;
    if (in->newest != 0) {
        remove_from(t, in->uid, in->seq, u.manifest_seq);
        rc = lmdb_accounts_renumber(t, in->uid);
        if (rc == ERR_OK && in->drop_factor)
            rc = lmdb_factors_drop(t, in->uid);
        if (rc != ERR_OK)
            return rc;
    }
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
