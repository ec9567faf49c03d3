/* SPDX-License-Identifier: Apache-2.0 */
/* lmdb_uploads - transfers on their way in: open, look, abort. */
#include <stdlib.h>
#include <string.h>

#include "server/store/lmdb_engine.h"
#include "server/store/lmdb_grow.h"
#include "server/store/lmdb_meta.h"
#include "server/store/lmdb_parts.h"

/* ---- load into a result ---- */

static int keep_slots(struct lmdb_txn *t, struct store_result *res, const uint8_t *tid,
                      struct store_upload *up)
{
    size_t n = lmdb_parts_slots(t, res, tid, NULL, &up->slots);

    up->nslots = n;
    return lmdb_txn_code(t);
}

static int load_open(struct lmdb_txn *t, const uint8_t *tid, struct store_upload *up)
{
    struct lmdb_upload u;
    int rc = lmdb_rows_load_upload(t, tid, &u);

    if (rc != ERR_OK)
        return rc;
    memcpy(up->sender, u.sender, sizeof(up->sender));
    memcpy(up->device, u.device, sizeof(up->device));
    up->created = u.created;
    up->lease = u.lease;
    up->expires = u.expires;
    up->opens_max = u.opens_max;
    up->policy = u.policy;
    up->body_max = u.body_max;
    up->grows = u.grows;
    up->bytes = u.bytes;
    up->pieces = u.pieces;
    return ERR_OK;
}

static int load_sealed(struct lmdb_txn *t, const uint8_t *tid, struct store_upload *up)
{
    struct lmdb_transfer v;
    int rc = lmdb_rows_load_transfer(t, tid, &v);

    if (rc != ERR_OK)
        return rc;
    memcpy(up->sender, v.sender, sizeof(up->sender));
    memcpy(up->device, v.device, sizeof(up->device));
    up->created = v.arrived;
    up->expires = v.expires;
    up->opens_max = v.opens_max;
    up->policy = v.policy;
    up->bytes = v.body_len;
    up->pieces = v.pieces;
    up->sealed = true;
    return ERR_OK;
}

/* All but its slots.  ERR_NOTFOUND also for somebody else's. */
static int load_itself(struct lmdb_txn *t, const uint8_t *tid, const uint8_t *sender,
                       struct store_upload *up)
{
    int rc = load_open(t, tid, up);

    if (rc == ERR_NOTFOUND)
        rc = load_sealed(t, tid, up);
    if (rc != ERR_OK)
        return rc;
    if (memcmp(up->sender, sender, STORE_UID_LEN) != 0)
        return ERR_NOTFOUND;
    memcpy(up->tid, tid, STORE_TID_LEN);
    return ERR_OK;
}

static int load(struct lmdb_txn *t, struct store_result *res, const uint8_t *tid,
                const uint8_t *sender)
{
    struct store_upload *up = &res->u.upload;
    int rc = load_itself(t, tid, sender, up);

    return rc == ERR_OK ? keep_slots(t, res, tid, up) : rc;
}

/* The writer does it, for whoever asks: slots are many, and nobody looks at them here. */
int lmdb_uploads_get(struct lmdb_txn *t, struct store_job *job)
{
    const struct store_upload_get *in = &job->in->upload_get;
    struct store_upload *up = &job->res->u.upload;
    int rc = load_itself(t, in->tid, in->sender, up);

    if (rc != ERR_OK || up->sealed)
        return rc;
    up->nslots = lmdb_parts_count_slots(t, in->tid);
    return lmdb_txn_code(t);
}

/* ---- who is to get it ---- */

/* What one user's mailbox gets. */
struct charge {
    const struct store_slot_new *slot; /* one of its slots */
    bool inbox, own;                   /* own: the sender's */
    size_t slots;
};

static int by_uid(const void *a, const void *b)
{
    const struct store_slot_new *const *x = a, *const *y = b;
    int d = memcmp((*x)->uid, (*y)->uid, STORE_UID_LEN);

    return d != 0 ? d : memcmp((*x)->ek, (*y)->ek, STORE_EK_LEN);
}

/*
 * Add up the slots of each user into ${charges} (room for nslots); ${sorted} is scratch of the same
 * length.  ERR_INVALID: two slots alike, too many of one user, one that nobody would list.
 */
static int add_up(const struct store_upload_open *in, const struct store_slot_new **sorted,
                  struct charge *charges, size_t *ret_n)
{
    struct charge *c = NULL;
    size_t n = 0;

    for (size_t i = 0; i < in->nslots; i++)
        sorted[i] = &in->slots[i];
    qsort(sorted, in->nslots, sizeof(*sorted), by_uid);
    for (size_t i = 0; i < in->nslots; i++) {
        const struct store_slot_new *s = sorted[i];

        if (i > 0 && by_uid(&sorted[i - 1], &sorted[i]) == 0)
            return ERR_INVALID;
        if (c == NULL || memcmp(c->slot->uid, s->uid, STORE_UID_LEN) != 0) {
            c = &charges[n++];
            *c = (struct charge){.slot = s, .own = memcmp(s->uid, in->sender, STORE_UID_LEN) == 0};
        }
        if (++c->slots > STORE_USER_SLOTS_MAX)
            return ERR_INVALID;
        if (!s->inbox && !c->own)
            return ERR_INVALID;
        c->inbox |= s->inbox;
    }
    *ret_n = n;
    return ERR_OK;
}

static uint64_t need(const struct store_upload_open *in, const struct charge *c)
{
    return (in->grows ? lmdb_grow_reserve(0) : in->body_max) + (uint64_t)c->slots * STORE_SLOT_COST;
}

/* Everybody is there for the sender and has room. */
static int check_charges(struct lmdb_txn *t, const struct store_upload_open *in,
                         const struct charge *charges, size_t n, struct store_result *res)
{
    struct lmdb_user u;
    int rc;

    for (size_t i = 0; i < n; i++) {
        const struct charge *c = &charges[i];

        rc = lmdb_rows_load_present(t, c->slot->uid, &u);
        if (rc == ERR_OK)
            rc = lmdb_rows_check_block(t, c->slot->uid, in->sender);
        if (rc != ERR_OK)
            return rc;
        if (!lmdb_grow_has_room(&u, need(in, c), c->own)) {
            (void)store_fail(res, ERR_QUOTA, "no room in a mailbox");
            res->u.over_quota = (size_t)(c->slot - in->slots);
            return ERR_QUOTA;
        }
    }
    return ERR_OK;
}

/* Whom the sender did not ask about has the keys that he knows. */
static int check_manifests(struct lmdb_txn *t, const struct store_upload_open *in,
                           struct store_result *res)
{
    struct lmdb_user u;
    int rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < in->nslots; i++) {
        const struct store_slot_new *s = &in->slots[i];

        if (!s->has_manifest)
            continue;
        rc = lmdb_rows_load_present(t, s->uid, &u);
        if (rc == ERR_OK)
            rc = lmdb_manifests_check(t, s->uid, u.manifest_seq, s->manifest);
    }
    return rc == ERR_BADSTATE ? store_fail(res, rc, "a user's newest manifest is another") : rc;
}

/*
 * May it be opened?  Users are there and not blocked, have room, have the manifests that the sender
 * knows; the store has room.  Charges in ${ret_charges}, which the caller frees in any case.
 */
static int check_open(struct lmdb_txn *t, const struct store_upload_open *in,
                      struct charge **ret_charges, size_t *ret_n, struct store_result *res)
{
    const struct store_slot_new **sorted = calloc(in->nslots, sizeof(*sorted));
    struct charge *charges = calloc(in->nslots, sizeof(*charges));
    int rc = sorted != NULL && charges != NULL ? add_up(in, sorted, charges, ret_n) : ERR_NOMEM;

    if (rc == ERR_OK)
        rc = check_charges(t, in, charges, *ret_n, res);
    if (rc == ERR_OK)
        rc = check_manifests(t, in, res);
    if (rc == ERR_OK)
        rc = lmdb_grow_check_store(t, in, res);
    free(sorted);
    *ret_charges = charges;
    return rc;
}

/* The transfer of this attempt; ERR_NOTFOUND: it is new. */
static int find_attempt(struct lmdb_txn *t, const struct store_upload_open *in,
                        uint8_t ret_tid[STORE_TID_LEN])
{
    struct lmdb_key idem = lmdb_key_of(in->sender, STORE_UID_LEN);
    struct rd r;
    int rc;

    lmdb_key_add(&idem, in->idem, STORE_IDEM_LEN);
    rc = lmdb_txn_get(t, T_IDEM, &idem, &r);
    if (rc == ERR_OK)
        rd_get(&r, ret_tid, STORE_TID_LEN);
    return rc;
}

int lmdb_uploads_check(struct lmdb_txn *t, struct store_job *job)
{
    const struct store_upload_open *in = &job->in->upload_check.open;
    struct charge *charges = NULL;
    uint8_t tid[STORE_TID_LEN];
    size_t n = 0;
    int rc = find_attempt(t, in, tid);

    job->res->duplicate = rc == ERR_OK;
    if (rc != ERR_NOTFOUND)
        return rc;
    rc = check_open(t, in, &charges, &n, job->res);
    free(charges);
    return rc;
}

/* ---- open ---- */

static void put_recipient(struct lmdb_txn *t, const struct store_upload_open *in,
                          const struct charge *c)
{
    struct lmdb_recipient v = {
        .life = STORE_LIVE,
        .views = (uint8_t)((c->inbox ? STORE_VIEW_INBOX : 0) | (c->own ? STORE_VIEW_SENT : 0)),
        .charge = c->own ? need(in, c) : 0, /* the others pay at the seal */
    };

    lmdb_rows_save_recipient(t, in->tid, c->slot->uid, &v);
    lmdb_parts_charge(t, c->slot->uid, 0, v.charge);
}

static void put_upload(struct lmdb_txn *t, const struct store_upload_open *in)
{
    struct lmdb_key idem = lmdb_key_of(in->sender, STORE_UID_LEN);
    struct lmdb_key lease = lmdb_rows_key_time(in->lease, in->tid, NULL);
    struct lmdb_upload u = {
        .created = in->now,
        .lease = in->lease,
        .lease_row = in->lease,
        .expires = in->expires,
        .opens_max = in->opens_max,
        .policy = in->policy,
        .body_max = in->body_max,
        .grows = in->grows,
        .short_piece = STORE_NO_PIECE,
    };

    memcpy(u.sender, in->sender, sizeof(u.sender));
    memcpy(u.device, in->device, sizeof(u.device));
    memcpy(u.idem, in->idem, sizeof(u.idem));
    lmdb_key_add(&idem, in->idem, STORE_IDEM_LEN);
    lmdb_rows_save_upload(t, in->tid, &u);
    lmdb_txn_put(t, T_IDEM, &idem, in->tid, STORE_TID_LEN);
    lmdb_txn_put(t, T_LEASES, &lease, NULL, 0);
    t->added[LMDB_UPLOADS]++;
}

static void put_slot(struct lmdb_txn *t, const uint8_t *tid, const struct store_slot_new *s)
{
    struct lmdb_key key = lmdb_rows_key_slot(t, tid, s->uid, s->ek);
    struct lmdb_slot row = {
        .cell = s->cell, .day_cell = s->day_cell, .day = s->day, .seed = s->seed};

    memcpy(row.instance, s->instance, sizeof(row.instance));
    lmdb_rows_save_slot(t, &key, &row);
}

/* ERR_OK: this attempt is known, and its upload is in the result.  ERR_NOTFOUND: it is new. */
static int known_attempt(struct lmdb_txn *t, struct store_job *job)
{
    const struct store_upload_open *in = &job->in->upload_open;
    uint8_t tid[STORE_TID_LEN];
    struct lmdb_upload u;
    int rc = find_attempt(t, in, tid);

    if (rc != ERR_OK)
        return rc;
    rc = load(t, job->res, tid, in->sender);
    if (rc != ERR_OK)
        return rc == ERR_NOTFOUND ? lmdb_txn_fail(t, MDB_CORRUPTED) : rc;
    job->res->duplicate = true;
    if (!job->res->u.upload.sealed && job->res->u.upload.lease < in->lease) {
        rc = lmdb_rows_load_upload(t, tid, &u);
        u.lease = in->lease;
        if (rc == ERR_OK)
            lmdb_rows_save_upload(t, tid, &u);
        job->res->u.upload.lease = in->lease;
    }
    return lmdb_txn_code(t);
}

int lmdb_uploads_open(struct lmdb_txn *t, struct store_job *job)
{
    const struct store_upload_open *in = &job->in->upload_open;
    struct charge *charges = NULL;
    size_t n = 0;
    int rc = known_attempt(t, job);

    if (rc != ERR_NOTFOUND)
        return rc;
    /* Its number goes last: as long as something of an old one is left, its ID is taken. */
    if (lmdb_rows_number(t, in->tid) != 0)
        return store_fail(job->res, ERR_EXISTS, "the transfer ID is taken");
    if (lmdb_txn_code(t) != ERR_OK)
        return lmdb_txn_code(t);
    rc = check_open(t, in, &charges, &n, job->res);
    if (rc == ERR_OK) {
        lmdb_rows_add_tid(t, in->tid, lmdb_meta_next_number(t));
        put_upload(t, in);
        for (size_t i = 0; i < n; i++)
            put_recipient(t, in, &charges[i]);
        for (size_t i = 0; i < in->nslots; i++)
            put_slot(t, in->tid, &in->slots[i]);
        rc = load(t, job->res, in->tid, in->sender);
    }
    free(charges);
    return rc;
}

/* By the writer, like what it may look at. */
bool lmdb_uploads_early(const struct store_job *job)
{
    return job->op == STORE_OP_upload_get ||
           (job->op == STORE_OP_upload_open && job->in->upload_open.early);
}

/* ---- abort ---- */

int lmdb_uploads_abort(struct lmdb_txn *t, struct store_job *job)
{
    const struct store_upload_abort *in = &job->in->upload_abort;
    struct lmdb_transfer v;
    struct lmdb_upload u;
    int rc = lmdb_rows_load_upload(t, in->tid, &u);

    if (rc == ERR_OK && memcmp(u.sender, in->sender, STORE_UID_LEN) == 0) {
        lmdb_parts_drop_upload(t, in->tid, &u);
        return ERR_OK;
    }
    if (rc == ERR_NOTFOUND)
        rc = lmdb_rows_load_transfer(t, in->tid, &v);
    else if (rc == ERR_OK)
        return ERR_NOTFOUND;
    if (rc == ERR_OK && memcmp(v.sender, in->sender, STORE_UID_LEN) == 0)
        return store_fail(job->res, ERR_BADSTATE, "the transfer is sealed");
    return rc == ERR_OK ? ERR_NOTFOUND : rc;
}
