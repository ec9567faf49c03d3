/* SPDX-License-Identifier: Apache-2.0 */
/* lmdb_users - users by user ID, name and e-mail address. */
#include <string.h>

#include "server/store/lmdb_engine.h"

/* ---- create ---- */

static bool blob_is(const struct store_blob *b, const void *p, size_t len)
{
    return b->len == len && memcmp(b->data, p, len) == 0;
}

/* Is the user that has this user ID the very one that is to be created? */
static bool same_user(struct lmdb_txn *t, const struct store_user_create *in,
                      const struct lmdb_user *u)
{
    struct lmdb_key key = lmdb_rows_key_manifest(in->uid, in->manifest_seq);
    struct rd r;

    if (!blob_is(&u->name, in->name, strlen(in->name)) ||
        !blob_is(&u->email, in->email, strlen(in->email)))
        return false;
    if (lmdb_txn_get(t, T_MANIFESTS, &key, &r) != ERR_OK)
        return false;
    (void)rd_u64(&r);
    return r.left == in->manifest.len && memcmp(r.p, in->manifest.data, r.left) == 0;
}

static int clash(struct store_result *res, enum store_clash which)
{
    (void)store_fail(res, ERR_EXISTS, "a user with these names exists");
    res->u.clash = which;
    return ERR_EXISTS;
}

/* ERR_EXISTS: there is such a row. */
static int check_free(struct lmdb_txn *t, enum lmdb_table table, const struct lmdb_key *key)
{
    int rc = lmdb_txn_get(t, table, key, NULL);

    return rc == ERR_NOTFOUND ? ERR_OK : rc == ERR_OK ? ERR_EXISTS : rc;
}

/* ERR_OK if neither name nor address is taken.  The name of a user who is gone stays his. */
static int check_names(struct lmdb_txn *t, const struct store_user_create *in,
                       struct store_result *res)
{
    struct lmdb_key name = lmdb_key_of(in->name, strlen(in->name));
    struct lmdb_key email = lmdb_key_of(in->email, strlen(in->email)), gone;
    int rc = lmdb_gone_name(t, in->name, name.len, &gone);

    if (rc == ERR_OK)
        rc = check_free(t, T_NAMES, &name);
    if (rc == ERR_OK)
        rc = check_free(t, T_GONE_NAMES, &gone);
    if (rc == ERR_EXISTS)
        return clash(res, STORE_CLASH_NAME);
    if (rc == ERR_OK)
        rc = check_free(t, T_EMAILS, &email);
    return rc == ERR_EXISTS ? clash(res, STORE_CLASH_EMAIL) : rc;
}

static int check_invite(struct lmdb_txn *t, const struct store_user_create *in,
                        struct store_result *res, struct lmdb_invite *ret)
{
    int rc;

    if (in->invite == NULL)
        return ERR_OK;
    rc = lmdb_rows_load_invite(t, in->invite, ret);
    if (rc == ERR_NOTFOUND || (rc == ERR_OK && (ret->left == 0 || ret->expires <= in->now)))
        return store_fail(res, ERR_REFUSED, "the invitation is not good");
    return rc;
}

static void put_user(struct lmdb_txn *t, const struct store_user_create *in)
{
    struct lmdb_key name = lmdb_key_of(in->name, strlen(in->name));
    struct lmdb_key email = lmdb_key_of(in->email, strlen(in->email));
    struct lmdb_key key = lmdb_rows_key_manifest(in->uid, in->manifest_seq);
    struct lmdb_user u = {
        .state = STORE_USER_ACTIVE,
        .created = in->now,
        .quota = in->quota,
        .manifest_seq = in->manifest_seq,
        .name = {(const uint8_t *)in->name, name.len},
        .email = {(const uint8_t *)in->email, email.len},
    };

    t->added[LMDB_USERS]++;
    lmdb_rows_save_user(t, in->uid, &u);
    lmdb_txn_put(t, T_NAMES, &name, in->uid, STORE_UID_LEN);
    lmdb_txn_put(t, T_EMAILS, &email, in->uid, STORE_UID_LEN);
    buf_reset(&t->row);
    buf_u64(&t->row, in->now);
    buf_put(&t->row, in->manifest.data, in->manifest.len);
    lmdb_txn_put_row(t, T_MANIFESTS, &key);
}

int lmdb_users_create(struct lmdb_txn *t, struct store_job *job)
{
    const struct store_user_create *in = &job->in->user_create;
    struct lmdb_invite invite = {0};
    struct lmdb_user u;
    int rc = lmdb_rows_load_user(t, in->uid, &u);

    if (rc == ERR_OK) {
        if (!same_user(t, in, &u))
            return clash(job->res, STORE_CLASH_UID);
        job->res->duplicate = true;
        return ERR_OK;
    }
    if (rc != ERR_NOTFOUND)
        return rc;
    /* The invitation first: who has none does not learn which names exist. */
    rc = check_invite(t, in, job->res, &invite);
    if (rc == ERR_OK)
        rc = check_names(t, in, job->res);
    if (rc != ERR_OK)
        return rc;
    put_user(t, in);
    if (in->invite != NULL) {
        invite.left--;
        lmdb_rows_save_invite(t, in->invite, &invite);
    }
    return ERR_OK;
}

/* ---- read ---- */

/* A blob of the map as a string in the result. */
static const char *keep_text(struct lmdb_txn *t, struct store_result *res,
                             const struct store_blob *b)
{
    char *s = lmdb_engine_alloc(t, res, b->len + 1);

    if (s != NULL)
        memcpy(s, b->data, b->len);
    return s;
}

static void keep_user(struct lmdb_txn *t, struct store_result *res, const uint8_t *uid,
                      const struct lmdb_user *u, struct store_user *ret)
{
    memcpy(ret->uid, uid, STORE_UID_LEN);
    ret->name = keep_text(t, res, &u->name);
    ret->email = keep_text(t, res, &u->email);
    ret->state = u->state;
    ret->created = u->created;
    ret->quota = u->quota;
    ret->used = u->used;
    ret->manifest_seq = u->manifest_seq;
}

int lmdb_users_get(struct lmdb_txn *t, struct store_job *job)
{
    const struct store_user_get *in = &job->in->user_get;
    struct store_result *res = job->res;
    uint8_t uid[STORE_UID_LEN];
    struct lmdb_user u;
    struct lmdb_key key;
    struct rd r;
    int rc = ERR_OK;

    memcpy(uid, in->uid, sizeof(uid));
    if (in->by != STORE_BY_UID) {
        key = lmdb_key_of(in->text, strlen(in->text));
        rc = lmdb_txn_get(t, in->by == STORE_BY_NAME ? T_NAMES : T_EMAILS, &key, &r);
        if (rc == ERR_OK)
            rd_get(&r, uid, sizeof(uid));
    }
    if (rc == ERR_OK && in->asker != NULL)
        rc = lmdb_rows_check_block(t, uid, in->asker);
    if (rc == ERR_OK)
        rc = lmdb_rows_load_user(t, uid, &u);
    if (rc != ERR_OK)
        return rc;
    keep_user(t, res, uid, &u, &res->u.user);
    return lmdb_txn_code(t);
}

int lmdb_users_list(struct lmdb_txn *t, struct store_job *job)
{
    const struct store_user_list *in = &job->in->user_list;
    struct store_result *res = job->res;
    struct store_user *list = lmdb_engine_alloc(t, res, in->limit * sizeof(*list));
    struct lmdb_key start = {0};
    struct lmdb_walk w;
    struct lmdb_user u;
    bool on;

    if (list == NULL)
        return ERR_NOMEM;
    if (in->after != NULL) {
        start = lmdb_key_of(in->after, STORE_UID_LEN);
        lmdb_key_add(&start, "", 1); /* the first key behind it */
    }
    on = lmdb_walk_start(&w, t, T_USERS, &start, 0);
    for (; on && lmdb_engine_page_open(res, in->limit); on = lmdb_walk_next(&w)) {
        if (lmdb_rows_load_user(t, w.key, &u) != ERR_OK)
            break;
        keep_user(t, res, w.key, &u, &list[res->count++]);
        memcpy(res->cursor, w.key, STORE_UID_LEN);
    }
    res->more = on;
    lmdb_walk_end(&w);
    res->u.users = list;
    return lmdb_txn_code(t);
}

/* ---- change ---- */

int lmdb_users_set_quota(struct lmdb_txn *t, struct store_job *job)
{
    const struct store_user_set_quota *in = &job->in->user_set_quota;
    struct lmdb_user u;
    int rc = lmdb_rows_load_user(t, in->uid, &u);

    if (rc != ERR_OK)
        return rc;
    job->res->duplicate = u.quota == in->quota;
    u.quota = in->quota;
    if (!job->res->duplicate)
        lmdb_rows_save_user(t, in->uid, &u);
    return ERR_OK;
}

int lmdb_users_set_state(struct lmdb_txn *t, struct store_job *job)
{
    const struct store_user_set_state *in = &job->in->user_set_state;
    struct lmdb_user u;
    int rc = lmdb_rows_load_user(t, in->uid, &u);

    if (rc != ERR_OK)
        return rc;
    job->res->duplicate = u.state == in->state;
    if (!job->res->duplicate && u.state == STORE_USER_DELETED)
        return store_fail(job->res, ERR_BADSTATE, "the user is deleted");
    u.state = (uint8_t)in->state;
    if (!job->res->duplicate)
        lmdb_rows_save_user(t, in->uid, &u);
    return ERR_OK;
}
