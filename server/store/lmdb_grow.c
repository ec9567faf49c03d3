/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/lmdb_grow.h"

#include <string.h>

#include "server/store/lmdb_engine.h"
#include "server/store/lmdb_env.h"

enum { PAGE_HEAD = 16 }; /* bytes, LMDB's; a piece takes pages of its own */

bool lmdb_grow_has_room(const struct lmdb_user *u, uint64_t bytes, bool own)
{
    uint64_t room = u->quota > u->used ? u->quota - u->used : 0;
    uint64_t step = u->quota / STORE_ROOM_STEPS;

    if (u->quota == 0)
        return true;
    if (!own && bytes > step && step > 0)
        room -= room % step;
    return bytes <= room;
}

int lmdb_grow_check_store(struct lmdb_txn *t, const struct store_upload_open *in,
                          struct store_result *res)
{
    const struct lmdb_env *env = t->engine->bodies[lmdb_engine_body(t->engine, in->tid)];
    uint64_t pieces = in->body_max / STORE_PIECE_MAX + (in->body_max % STORE_PIECE_MAX > 0);
    struct lmdb_env_stats has;
    uint64_t paged, most;

    if (in->grows || in->body_max <= STORE_SMALL_MAX)
        return ERR_OK;
    most = lmdb_env_most(env);
    lmdb_env_stats(env, &has);
    paged = ((uint64_t)STORE_PIECE_MAX + PAGE_HEAD + has.page - 1) / has.page * has.page;
    if (pieces <= (most > has.live ? most - has.live : 0) / paged)
        return ERR_OK;
    return store_fail(res, ERR_FULL, "no room in the store");
}

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

/*
 * The recipients pay at the seal, as always; that they cannot is better known before.  Where there
 * is no room in several mailboxes the sender hears of his own, which he can do something about.
 */
int lmdb_grow_check(struct lmdb_txn *t, const uint8_t *tid, const struct lmdb_upload *u,
                    struct store_result *res)
{
    struct lmdb_key front = lmdb_rows_key(t, tid, ROW_RECIPIENT);
    uint64_t before = lmdb_grow_reserve(u->pieces), after = lmdb_grow_reserve(u->pieces + 1);
    uint8_t uid[STORE_UID_LEN];
    struct lmdb_user user;
    struct lmdb_walk w;
    bool on, fits = true;

    if (!u->grows || after == before)
        return ERR_OK;
    on = lmdb_walk_start(&w, t, T_ROWS, &front, front.len);
    for (; on && !res->own; on = lmdb_walk_next(&w)) {
        bool own = memcmp(w.key + LMDB_FRONT, u->sender, STORE_UID_LEN) == 0;

        memcpy(uid, w.key + LMDB_FRONT, sizeof(uid));
        if (lmdb_rows_load_user(t, uid, &user) == ERR_OK && /* or gone meanwhile */
            !lmdb_grow_has_room(&user, own ? after - before : after, own)) {
            fits = false;
            res->own = own;
        }
    }
    lmdb_walk_end(&w);
    if (lmdb_txn_code(t) != ERR_OK)
        return lmdb_txn_code(t);
    return fits ? ERR_OK : store_fail(res, ERR_QUOTA, "no room in a mailbox");
}

void lmdb_grow(struct lmdb_txn *t, const uint8_t *tid, const struct lmdb_upload *u)
{
    uint64_t more = lmdb_grow_reserve(u->pieces) - lmdb_grow_reserve(u->pieces - 1);
    struct lmdb_recipient v;

    if (!u->grows || more == 0 || lmdb_rows_load_recipient(t, tid, u->sender, &v) != ERR_OK)
        return;
    lmdb_parts_charge(t, u->sender, v.charge, v.charge + more);
    v.charge += more;
    lmdb_rows_save_recipient(t, tid, u->sender, &v);
}
