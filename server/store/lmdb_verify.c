/* SPDX-License-Identifier: Apache-2.0 */
/* lmdb_verify - look at every row and piece of some transfers. */
#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

#include "server/store/lmdb_engine.h"
#include "server/store/lmdb_parts.h"

enum { FAULTS_MAX = 256, PIECES_PER_CALL = 4096 };

struct check {
    struct lmdb_txn *t, *body;
    struct store_result *res;
    struct store_fault *faults; /* of FAULTS_MAX */
    uint8_t tid[STORE_TID_LEN];
};

static void fault(struct check *c, uint32_t piece, const char *what)
{
    struct store_fault *f;

    if (c->res->count == FAULTS_MAX)
        return;
    f = &c->faults[c->res->count++];
    memcpy(f->tid, c->tid, sizeof(f->tid));
    f->piece = piece;
    (void)snprintf(f->what, sizeof(f->what), "%s", what);
}

/* RFC 6962 leaf hash: SHA-256 of a zero byte and the piece. */
static bool leaf_fits(const struct rd *piece, const uint8_t *leaf)
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    uint8_t hash[STORE_HASH_LEN];
    bool ok = md != NULL && EVP_DigestInit_ex2(md, EVP_sha256(), NULL) == 1 &&
              EVP_DigestUpdate(md, "", 1) == 1 &&
              EVP_DigestUpdate(md, piece->p, piece->left) == 1 &&
              EVP_DigestFinal_ex(md, hash, NULL) == 1;

    EVP_MD_CTX_free(md);
    return ok && memcmp(hash, leaf, sizeof(hash)) == 0;
}

static void check_piece(struct check *c, const struct lmdb_walk *w)
{
    uint32_t index = get_be32(w->key + STORE_TID_LEN), len;
    struct lmdb_key key = lmdb_rows_key_piece(c->tid, index);
    struct rd leaf = w->value, piece;
    const uint8_t *hash = rd_take(&leaf, STORE_HASH_LEN);

    c->res->u.verify.pieces++;
    len = rd_u32(&leaf);
    if (hash == NULL || !rd_done(&leaf))
        fault(c, index, "leaf does not decode");
    else if (lmdb_txn_get(c->body, T_PIECES, &key, &piece) != ERR_OK)
        fault(c, index, "piece is missing");
    else if (piece.left != len)
        fault(c, index, "piece has another length");
    else if (!leaf_fits(&piece, hash))
        fault(c, index, "piece does not match its leaf");
}

static void check_pieces(struct check *c, const struct lmdb_transfer *tr)
{
    struct lmdb_key front = lmdb_key_of(c->tid, STORE_TID_LEN);
    struct lmdb_walk w;
    uint32_t n = 0;
    bool on;

    on = lmdb_walk_start(&w, c->t, T_LEAVES, &front, front.len);
    for (; on; on = lmdb_walk_next(&w), n++)
        check_piece(c, &w);
    lmdb_walk_end(&w);
    if (n != tr->pieces)
        fault(c, STORE_NO_PIECE, "not as many leaves as pieces");
}

/* Recipients and their slots decode, and the transfer counts them right. */
static void check_recipients(struct check *c, const struct lmdb_transfer *tr)
{
    struct lmdb_key front = lmdb_key_of(c->tid, STORE_TID_LEN);
    uint32_t live = 0, viewers = 0;
    struct lmdb_recipient v;
    struct lmdb_slot s;
    struct lmdb_walk w;
    bool on;

    on = lmdb_walk_start(&w, c->t, T_RECIPIENTS, &front, front.len);
    for (; on && lmdb_rows_read_recipient(c->t, w.value, &v) == ERR_OK; on = lmdb_walk_next(&w)) {
        live += v.life == STORE_LIVE;
        viewers += v.views != 0;
    }
    lmdb_walk_end(&w);
    on = lmdb_walk_start(&w, c->t, T_SLOTS, &front, front.len);
    for (; on && lmdb_rows_read_slot(c->t, w.value, &s) == ERR_OK; on = lmdb_walk_next(&w))
        if (s.bytes.len == 0)
            fault(c, STORE_NO_PIECE, "a slot was never sealed");
    lmdb_walk_end(&w);
    if (live != tr->live || viewers != tr->viewers)
        fault(c, STORE_NO_PIECE, "recipients are counted wrong");
}

static void check_transfer(struct check *c)
{
    struct lmdb_transfer tr;
    struct lmdb_header h;

    c->res->u.verify.transfers++;
    if (lmdb_rows_load_transfer(c->t, c->tid, &tr) != ERR_OK) {
        fault(c, STORE_NO_PIECE, "transfer does not decode");
    } else if (lmdb_rows_load_header(c->t, c->tid, &h) != ERR_OK) {
        fault(c, STORE_NO_PIECE, "header is missing or does not decode");
    } else {
        check_recipients(c, &tr);
        if (tr.body)
            check_pieces(c, &tr);
    }
    /* One damaged row must not hide the next: start over with a clean slate. */
    if (c->t->hard != 0)
        fault(c, STORE_NO_PIECE, "a row does not decode");
    c->t->hard = c->body->hard = 0;
}

int lmdb_verify_run(struct lmdb_txn *t, struct store_job *job)
{
    const struct store_verify *in = &job->in->verify;
    struct store_result *res = job->res;
    struct lmdb_engine *e = t->engine;
    struct lmdb_txn body = {0};
    struct check c = {.t = t, .body = &body, .res = res};
    struct lmdb_key start = {0};
    struct lmdb_walk w;
    bool on;
    int rc = ERR_OK;

    c.faults = lmdb_engine_alloc(t, res, FAULTS_MAX * sizeof(*c.faults));
    if (c.faults == NULL)
        return ERR_NOMEM;
    res->u.verify.faults = c.faults;
    if (in->after != NULL) {
        start = lmdb_key_of(in->after, STORE_TID_LEN);
        lmdb_key_add(&start, "", 1); /* the first key behind it */
    }
    on = lmdb_walk_start(&w, t, T_TRANSFERS, &start, 0);
    while (on && rc == ERR_OK && res->u.verify.transfers < in->limit &&
           res->u.verify.pieces < PIECES_PER_CALL) {
        memcpy(c.tid, w.key, sizeof(c.tid));
        rc = lmdb_engine_read(e, e->bodies[lmdb_engine_body(e, c.tid)], &body);
        if (rc != ERR_OK)
            break;
        check_transfer(&c);
        lmdb_engine_read_end(&body);
        memcpy(res->cursor, c.tid, sizeof(c.tid));
        on = lmdb_walk_next(&w);
    }
    lmdb_walk_end(&w);
    res->more = on;
    return rc;
}
