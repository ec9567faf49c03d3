/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/lmdb_grow.h"

#include <string.h>

#include "server/store/lmdb_engine.h"

/*
 * Steps of an eighth of the largest power of two below: an upload reserves at most an eighth more
 * than it has, and all its steps together are few.
 */
uint64_t lmdb_grow_reserve(uint32_t pieces)
{
    uint64_t n = pieces > 0 ? pieces : 1, step = 1;

    while (step * 16 <= n)
        step *= 2;
    return (n + step - 1) / step * step * STORE_PIECE_MAX;
}

/* The recipients whose quota this transfer takes, at most STORE_SLOTS_MAX. */
static size_t charged(struct lmdb_txn *t, const uint8_t *tid,
                      uint8_t uids[STORE_SLOTS_MAX][STORE_UID_LEN])
{
    struct lmdb_key front = lmdb_rows_key(t, tid, ROW_RECIPIENT);
    struct lmdb_recipient v;
    struct lmdb_walk w;
    size_t n = 0;
    bool on = lmdb_walk_start(&w, t, T_ROWS, &front, front.len);

    for (; on && n < STORE_SLOTS_MAX; on = lmdb_walk_next(&w)) {
        if (lmdb_rows_read_recipient(t, w.value, &v) != ERR_OK)
            break;
        if (v.charge > 0)
            memcpy(uids[n++], w.key + LMDB_FRONT, STORE_UID_LEN);
    }
    lmdb_walk_end(&w);
    return n;
}

int lmdb_grow_check(struct lmdb_txn *t, const uint8_t *tid, const struct lmdb_upload *u,
                    struct store_result *res)
{
    uint64_t more = lmdb_grow_reserve(u->pieces + 1) - lmdb_grow_reserve(u->pieces);
    uint8_t uids[STORE_SLOTS_MAX][STORE_UID_LEN];
    struct lmdb_user user;
    size_t n;

    if (!u->grows || more == 0)
        return ERR_OK;
    n = charged(t, tid, uids);
    for (size_t i = 0; i < n; i++) {
        int rc = lmdb_rows_load_user(t, uids[i], &user);

        if (rc == ERR_NOTFOUND)
            continue; /* gone meanwhile: its copy reaches nobody */
        if (rc != ERR_OK)
            return rc;
        if (user.quota > 0 && (user.used > user.quota || more > user.quota - user.used))
            return store_fail(res, ERR_QUOTA, "no room in a mailbox");
    }
    return lmdb_txn_code(t);
}

void lmdb_grow(struct lmdb_txn *t, const uint8_t *tid, const struct lmdb_upload *u)
{
    uint64_t after = lmdb_grow_reserve(u->pieces);
    uint8_t uids[STORE_SLOTS_MAX][STORE_UID_LEN];
    struct lmdb_recipient v;
    size_t n;

    if (!u->grows || after == lmdb_grow_reserve(u->pieces - 1))
        return;
    n = charged(t, tid, uids);
    for (size_t i = 0; i < n; i++) {
        if (lmdb_rows_load_recipient(t, tid, uids[i], &v) != ERR_OK)
            return;
        lmdb_parts_charge(t, uids[i], v.charge, after);
        v.charge = after;
        lmdb_rows_save_recipient(t, tid, uids[i], &v);
    }
}
