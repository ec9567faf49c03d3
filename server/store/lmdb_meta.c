/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/lmdb_meta.h"

#include <string.h>

#include "server/store/lmdb_engine.h"

/* ---- counts ---- */

uint64_t lmdb_meta_next_number(struct lmdb_txn *t)
{
    return t->engine->next_number++;
}

void lmdb_meta_save_counts(struct lmdb_txn *t)
{
    struct lmdb_key key = lmdb_key_of("counts", 6);
    struct lmdb_engine *e = t->engine;

    buf_reset(&t->row);
    for (unsigned i = 0; i < LMDB_COUNTERS; i++)
        buf_u64(&t->row, e->counts[i] + (uint64_t)t->added[i]);
    buf_u64(&t->row, e->next_number);
    lmdb_txn_put_row(t, T_META, &key);
}

void lmdb_meta_add_counts(struct lmdb_txn *t)
{
    struct lmdb_engine *e = t->engine;

    for (unsigned i = 0; i < LMDB_COUNTERS; i++)
        e->counts[i] += (uint64_t)t->added[i];
}

void lmdb_meta_load_counts(struct lmdb_txn *t)
{
    struct lmdb_key key = lmdb_key_of("counts", 6);
    struct lmdb_engine *e = t->engine;
    struct rd r;

    e->next_number = 1;
    if (lmdb_txn_get(t, T_META, &key, &r) != ERR_OK)
        return;
    for (unsigned i = 0; i < LMDB_COUNTERS; i++)
        e->counts[i] = rd_u64(&r);
    e->next_number = rd_u64(&r);
    if (!rd_done(&r))
        (void)lmdb_txn_fail(t, MDB_CORRUPTED);
}

void lmdb_meta_restore_counts(struct lmdb_txn *t)
{
    uint64_t next = t->engine->next_number;

    lmdb_meta_load_counts(t);
    if (t->engine->next_number < next)
        t->engine->next_number = next;
}

/* ---- version ---- */

static int read_meta(struct lmdb_txn *t, const char *name, uint32_t *ret)
{
    struct lmdb_key key = lmdb_key_of(name, strlen(name));
    struct rd r;
    int rc = lmdb_txn_get(t, T_META, &key, &r);

    if (rc == ERR_OK)
        *ret = rd_u32(&r);
    return rc;
}

static void write_meta(struct lmdb_txn *t, const char *name, uint32_t value)
{
    struct lmdb_key key = lmdb_key_of(name, strlen(name));
    uint8_t be[4];

    put_be32(be, value);
    lmdb_txn_put(t, T_META, &key, be, sizeof(be));
}

int lmdb_meta_check(struct lmdb_txn *t, unsigned bodies, unsigned *ret_bodies, struct err *err)
{
    uint32_t schema = 0, n = 0;
    int rc = read_meta(t, "schema", &schema);

    if (rc == ERR_NOTFOUND) {
        write_meta(t, "schema", LMDB_SCHEMA);
        write_meta(t, "bodies", bodies);
        *ret_bodies = bodies;
        return lmdb_txn_code(t);
    }
    if (rc == ERR_OK && schema > LMDB_SCHEMA)
        return err_set(err, ERR_UNSUPPORTED, "the store has schema %u, this version knows up to %u",
                       (unsigned)schema, (unsigned)LMDB_SCHEMA);
    if (rc == ERR_OK)
        rc = read_meta(t, "bodies", &n);
    if (rc != ERR_OK || schema == 0 || n == 0 || n > LMDB_BODIES_MAX)
        return err_set(err, ERR_CORRUPT, "the store's meta rows make no sense");
    /* What an earlier version wrote is read as it is; what we write it would not find. */
    if (schema < LMDB_SCHEMA)
        write_meta(t, "schema", LMDB_SCHEMA);
    *ret_bodies = n;
    return lmdb_txn_code(t);
}
