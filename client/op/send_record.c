/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of a send survives its process: a log (client/local/upload.h) of keys,
 * leaves and the sealed transfer, found again by the same command: the same
 * path, recipients and options.
 *
 *     find -> nothing            -> OpenTransfer, new keys, the log begins
 *          -> sealed             -> SealTransfer again: "duplicate", or now
 *          -> begun, same file   -> OpenTransfer finds the upload -> UploadState
 *          -> begun, but changed -> it is abandoned, and as with nothing
 * With `abandon`:
 *     find -> nothing, or begun     -> ERR_NOTFOUND, or AbandonUpload and the log goes
 *
 * Transfers of a few pieces have no log: they would pay for syncs that save nothing.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "client/op/send.h"
#include "common/crypto/hash.h"
#include "common/crypto/rng.h"

/* ---- the same command? --------------------------------------------------------------- */

static int compare_uids(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct uid));
}

static int command_digest(const struct send *s, struct hash32 *ret, struct err *err)
{
    struct uid uids[HEADER_SLOTS_MAX];
    char *path = realpath(s->path, NULL);
    struct buf b = {0};
    int rc;

    for (size_t i = 0; i < s->n_slots; i++)
        uids[i] = s->slots[i].uid;
    qsort(uids, s->n_slots, sizeof(uids[0]), compare_uids);
    buf_lp_str(&b, "satchel/1 same send");
    buf_lp_str(&b, path != NULL ? path : s->path);
    buf_lp_str(&b, s->name);
    buf_lp_str(&b, s->message);
    buf_lp_str(&b, s->media_type);
    buf_lp_u64(&b, s->lifetime);
    /* Only if there is one: records of sends without it keep their key. */
    if (s->expires != 0)
        buf_lp_u64(&b, s->expires);
    buf_lp_u32(&b, s->opens);
    buf_lp_u32(&b, s->no_padding);
    buf_lp_u32(&b, s->policy);
    buf_lp(&b, uids, s->n_slots * sizeof(uids[0]));
    rc = buf_check(&b, err);
    if (rc == ERR_OK && hash_sha256(ret->b, b.data, b.len) != ERR_OK)
        rc = err_set(err, ERR_INTERNAL, "cannot hash");
    buf_free(&b);
    free(path);
    return rc;
}

static bool same_mark(const struct source_mark *a, const struct source_mark *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->modified == b->modified && a->changed == b->changed;
}

/* The key that was chosen for this slot then, if the recipient still lists it. */
static const struct manifest_ek *past_ek(const struct send *s, const struct upload_slot *was)
{
    for (size_t i = 0; i < s->n_slots; i++) {
        const struct send_slot *now = &s->slots[i];
        const struct chain *chain =
            now->person != NULL ? person_chain(now->person, s->op.id) : &s->op.id->chain;

        if (memcmp(&now->uid, &was->uid, sizeof(was->uid)) == 0)
            return manifest_ek(chain_newest(chain), &was->ek);
    }
    return NULL;
}

/* Why the upload of ${p} cannot be gone on with; NULL: it can. */
static const char *unusable(const struct send *s, const struct upload_past *p)
{
    const struct upload *u = &p->upload;
    uint64_t now = handle_now();

    if (!same_mark(&u->mark, &source_facts(s->source)->mark) ||
        u->header.body_length != s->header.body_length)
        return "it has changed";
    if (u->lease <= now || u->header.expires <= now)
        return "the server does not keep it any longer";
    if (u->n_slots != s->n_slots)
        return "its recipients have changed";
    for (uint32_t i = 0; i < u->n_slots; i++)
        if (past_ek(s, &u->slots[i]) == NULL)
            return "a recipient's key has changed";
    if (p->leaves.len / IDS_HASH_LEN > body_pieces(s->header.body_length))
        return "its record is damaged";
    return NULL;
}

/* ---- a sealed transfer, as the log has it ------------------------------------------------- */

int send_record_sealed(struct send *s, struct err *err)
{
    struct buf b = {0};
    int rc;

    buf_lp(&b, s->packed_header.data, s->packed_header.len);
    buf_lp(&b, s->signature, sizeof(s->signature));
    buf_lp(&b, s->metadata.data, s->metadata.len);
    for (size_t i = 0; i < s->n_slots; i++) {
        buf_put(&b, s->slot_uids[i].b, IDS_UID_LEN);
        buf_lp(&b, s->packed_slots[i].data, s->packed_slots[i].len);
    }
    rc = buf_check(&b, err);
    if (rc == ERR_OK)
        rc = upload_log_sealed(s->log, part(b.data, b.len), err);
    buf_free(&b);
    return rc;
}

static void take_lp(struct rd *r, struct buf *out)
{
    uint32_t len = rd_u32(r);
    const uint8_t *p = rd_take(r, len);

    buf_reset(out);
    if (p != NULL)
        buf_put(out, p, len);
}

/* False: damaged, and nothing of it is used. */
static bool take_sealed(struct send *s)
{
    struct rd r = rd_make(s->past.sealed.data, s->past.sealed.len);
    struct buf sig = {0};
    bool good;

    take_lp(&r, &s->packed_header);
    take_lp(&r, &sig);
    take_lp(&r, &s->metadata);
    for (size_t i = 0; i < s->n_slots; i++) {
        rd_get(&r, s->slot_uids[i].b, IDS_UID_LEN);
        take_lp(&r, &s->packed_slots[i]);
    }
    good =
        rd_done(&r) && sig.len == sizeof(s->signature) && s->packed_header.len > 0 &&
        header_parse(part(s->packed_header.data, s->packed_header.len), &s->header, NULL) == ERR_OK;
    if (good)
        memcpy(s->signature, sig.data, sizeof(s->signature));
    else
        buf_reset(&s->packed_header);
    buf_free(&sig);
    return good;
}

/* ---- finding --------------------------------------------------------------------------------- */

static int look(struct send *s, struct err *err)
{
    struct hash32 key;
    int rc = command_digest(s, &key, err);

    if (rc == ERR_OK)
        rc = upload_log_open(s->op.s->profile->vault, &key, &s->log, err);
    if (rc == ERR_LOCKED && s->abandon)
        err_hint(err, "interrupt that one first");
    else if (rc == ERR_LOCKED) /* by another process: then this is a second one */
        return ERR_OK;
    if (rc == ERR_OK)
        rc = upload_log_load(s->log, &s->past, err);
    if (rc == ERR_NOTFOUND)
        return ERR_OK;
    if (rc == ERR_CORRUPT)
        return upload_log_drop(s->log, err);
    return rc;
}

static int find_work(struct op_job *job, struct err *err)
{
    struct send *s = (struct send *)job->op;
    const char *why = NULL;
    int rc = look(s, err);

    if (rc != ERR_OK || s->past.upload.path == NULL || s->abandon)
        return rc;
    why = unusable(s, &s->past);
    s->resuming = why == NULL;
    if (why == NULL)
        return ERR_OK;
    s->stale = true;
    s->stale_tid = s->past.upload.header.tid;
    s->why_not = why;
    upload_past_free(&s->past);
    return upload_log_drop(s->log, err);
}

/* Take tid, keys, times and leaves of the earlier process. */
static int take_past(struct send *s, struct err *err)
{
    struct upload *u = &s->past.upload;
    uint32_t n = (uint32_t)(s->past.leaves.len / IDS_HASH_LEN);
    struct header *h = &s->header;
    int rc;

    memcpy(s->upload_key, u->key, sizeof(s->upload_key));
    h->tid = u->header.tid;
    memcpy(h->salt, u->header.salt, sizeof(h->salt));
    h->created = u->header.created;
    h->expires = u->header.expires;
    s->lease = u->lease;
    for (size_t i = 0; i < s->n_slots; i++)
        for (uint32_t j = 0; j < u->n_slots; j++)
            if (memcmp(&s->slots[i].uid, &u->slots[j].uid, sizeof(struct uid)) == 0)
                s->slots[i].ek = past_ek(s, &u->slots[j]);
    secret_free(&s->cek);
    secret_free(&s->mek);
    rc = secret_copy(&s->cek, u->cek.data, u->cek.len, err);
    if (rc == ERR_OK)
        rc = secret_copy(&s->mek, u->mek.data, u->mek.len, err);
    if (rc == ERR_OK && n > 0 && !send_leaves_room(s, n))
        rc = err_set(err, ERR_NOMEM, "out of memory");
    if (rc == ERR_OK && n > 0)
        memcpy(s->leaves, s->past.leaves.data, s->past.leaves.len);
    s->known = s->durable = s->written = n;
    return rc;
}

static void give_up(struct send *s)
{
    struct err err = {0};

    if (s->past.upload.path != NULL) {
        send_give_up(s);
        return;
    }
    err_set(&err, ERR_NOTFOUND, "nothing was left of an interrupted send of '%s'", s->name);
    err_hint(&err, "path, recipients and options must be those of the command that was "
                   "interrupted; 'satchel doctor' tells whether there is one");
    op_end(&s->op, &err);
}

static void decide(struct send *s)
{
    struct err err = {0};

    if (s->abandon) {
        give_up(s);
        return;
    }
    if (s->why_not != NULL)
        handle_notice(s->op.s, SATCHEL_NOTICE_KEPT, NULL,
                      "'%s': nothing of the interrupted send is kept: %s", s->name, s->why_not);
    s->why_not = NULL;
    if (s->resuming && take_past(s, &err) != ERR_OK) {
        op_end(&s->op, &err);
        return;
    }
    if (s->resuming && s->past.sealed.len > 0 && take_sealed(s)) {
        ids_tid_to_text(&s->header.tid, s->id);
        s->op.progress.id = s->id;
        s->n_pieces = s->kept = body_pieces(s->header.body_length);
        s->opened = true;
        send_seal(s);
        return;
    }
    send_open(s);
}

static void found(struct op_job *job)
{
    decide((struct send *)job->op);
}

void send_record_find(struct send *s)
{
    bool worth = s->abandon || (source_facts(s->source)->again &&
                                body_pieces(s->header.body_length) >= SEND_RECORD_MIN);

    if (s->looked || !worth) {
        decide(s);
        return;
    }
    s->looked = true;
    op_job(&s->op, &s->job, find_work, found);
}

/* ---- writing ---- */

int send_record_begin(struct send *s, struct err *err)
{
    struct upload u = {.header = s->header,
                       .lease = s->lease,
                       .mark = source_facts(s->source)->mark,
                       .path = s->path,
                       .n_slots = (uint32_t)s->n_slots};
    struct err swept = {0};
    int rc = upload_log_drop(s->log, err);

    /* Others whose time is over go at the same time; what cannot be read is in nobody's way. */
    if (rc == ERR_OK &&
        upload_each(s->op.s->profile->vault, handle_now(), NULL, NULL, &swept) == ERR_NOMEM)
        rc = err_set(err, ERR_NOMEM, "out of memory");
    memcpy(u.key, s->upload_key, sizeof(u.key));
    u.slots = calloc(s->n_slots, sizeof(*u.slots));
    if (rc == ERR_OK && u.slots == NULL)
        rc = err_set(err, ERR_NOMEM, "out of memory");
    for (size_t i = 0; rc == ERR_OK && i < s->n_slots; i++) {
        u.slots[i].uid = s->slots[i].uid;
        u.slots[i].ek = s->slots[i].ek->id;
    }
    if (rc == ERR_OK)
        rc = secret_copy(&u.cek, s->cek.data, s->cek.len, err);
    if (rc == ERR_OK)
        rc = secret_copy(&u.mek, s->mek.data, s->mek.len, err);
    if (rc == ERR_OK)
        rc = upload_log_begin(s->log, &u, err);
    u.path = NULL;
    upload_free(&u);
    return rc;
}

static int leaves_work(struct op_job *job, struct err *err)
{
    struct send *s = (struct send *)job->op;
    int rc = upload_log_leaves(s->log, s->written, s->batch, s->n_batch, err);

    if (rc == ERR_OK)
        s->written += s->n_batch;
    return rc;
}

static void leaves_written(struct op_job *job)
{
    struct send *s = (struct send *)job->op;

    s->recording = false;
    s->durable = s->written;
    send_record_leaves(s);
    send_body_flush(s);
}

void send_record_leaves(struct send *s)
{
    uint32_t n = s->next_leaf > s->durable ? s->next_leaf - s->durable : 0;

    if (s->log == NULL || s->recording || n == 0 || !op_going(&s->op))
        return;
    if (n < SEND_RECORD_BATCH && s->next_leaf < s->n_pieces && s->unacked > 0)
        return; /* the next acknowledgement comes back here */
    s->n_batch = n < POOL_PIECES ? n : POOL_PIECES;
    memcpy(s->batch, s->leaves + s->durable, s->n_batch * sizeof(s->batch[0]));
    s->recording = true;
    op_job(&s->op, &s->record_job, leaves_work, leaves_written);
}

/* ---- ending ---- */

bool send_record_stays(const struct send *s)
{
    if (s->abandon) /* BADSTATE: there is nothing that could be given up */
        return s->log != NULL && s->op.err.code != ERR_OK && s->op.err.code != ERR_BADSTATE;
    return s->log != NULL && !s->sealed && s->op.err.code != ERR_OK && op_may_pass(s->op.err.code);
}

void send_start_over(struct send *s, const char *why)
{
    s->start_over = true;
    s->stale = true;
    s->stale_tid = s->resuming ? s->past.upload.header.tid : s->header.tid;
    s->why_not = why;
    op_restart(&s->op);
}

bool send_was_forgotten(struct send *s, const struct err *why)
{
    enum { FORGOTTEN_MAX = 8 };

    if (why->code != ERR_NOTFOUND || s->acked > 0 || ++s->forgotten > FORGOTTEN_MAX)
        return false;
    send_start_over(s, NULL); /* nothing was kept that people could know of */
    return true;
}

static int forget_work(struct op_job *job, struct err *err)
{
    struct send *s = (struct send *)job->op;

    return s->log != NULL ? upload_log_drop(s->log, err) : ERR_OK;
}

static void forgotten(struct op_job *job)
{
    struct send *s = (struct send *)job->op;

    s->start_over = false;
    send_look_up(&s->op);
}

void send_start_anew(struct send *s)
{
    s->written = 0;
    send_body_reset(s);
    upload_past_free(&s->past);
    secret_free(&s->cek);
    secret_free(&s->mek);
    body_free(s->body);
    free(s->have);
    s->body = NULL;
    s->have = NULL;
    for (size_t i = 0; i < s->n_slots; i++)
        buf_free(&s->packed_slots[i]);
    buf_free(&s->packed_header);
    buf_free(&s->metadata);
    s->known = s->checked = s->kept = s->acked = s->n_pieces = 0;
    s->opened = s->resuming = s->asked = false;
    s->op.progress.pieces_kept = 0;
    op_job(&s->op, &s->job, forget_work, forgotten);
}
