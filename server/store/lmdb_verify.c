/* SPDX-License-Identifier: Apache-2.0 */
/* lmdb_verify - look at every row and piece of some transfers. */
#include <stdio.h>
#include <string.h>

#include "common/crypto/merkle.h"
#include "server/store/lmdb_engine.h"
#include "server/store/lmdb_parts.h"

/* Few pieces at a time: a read that stays open keeps the writer from using pages again. */
enum {
    PIECES_PER_READ = 64,
    PIECES_PER_CALL = 4096,
    FAULTS_PER_CALL = 256,
    FAULTS_PER_READ = PIECES_PER_READ + STORE_SLOTS_MAX + 4, /* of the transfer itself: at most 4 */
    FAULTS_MAX = FAULTS_PER_CALL + FAULTS_PER_READ
};

struct check {
    struct lmdb_txn *t, *body;
    struct store_result *res;
    struct store_fault *faults; /* of FAULTS_MAX */
    uint8_t tid[STORE_TID_LEN];
    uint32_t piece; /* the next one of ${tid} to look at */
    bool done;      /* with ${tid} */
};

static void fault(struct check *c, uint32_t piece, const char *what)
{
    struct store_fault *f;

    if (c->res->count == FAULTS_MAX)
        return; /* more slots than a transfer has */
    f = &c->faults[c->res->count++];
    memcpy(f->tid, c->tid, sizeof(f->tid));
    f->piece = piece;
    (void)snprintf(f->what, sizeof(f->what), "%s", what);
}

static bool leaf_fits(const struct rd *piece, const uint8_t *leaf)
{
    uint8_t hash[MERKLE_LEN];

    return merkle_leaf(hash, piece->p, piece->left) == ERR_OK &&
           memcmp(hash, leaf, sizeof(hash)) == 0;
}

static void check_piece(struct check *c, const struct lmdb_walk *w)
{
    uint32_t index = get_be32(w->key + LMDB_FRONT), len;
    struct lmdb_key key = lmdb_rows_key_piece(c->tid, index);
    struct rd leaf = w->value, piece = w->value;
    const uint8_t *hash = rd_take(&leaf, STORE_HASH_LEN);

    c->res->u.verify.pieces++;
    len = rd_u32(&leaf);
    if (hash == NULL || leaf.bad)
        fault(c, index, "leaf does not decode");
    else if (!lmdb_parts_leaf_piece(&piece) &&
             lmdb_txn_get(c->body, T_PIECES, &key, &piece) != ERR_OK)
        fault(c, index, "piece is missing");
    else if (piece.left != len)
        fault(c, index, "piece has another length");
    else if (!leaf_fits(&piece, hash))
        fault(c, index, "piece does not match its leaf");
}

static void check_pieces(struct check *c, const struct lmdb_transfer *tr)
{
    struct lmdb_key start = lmdb_rows_key_nth(c->t, c->tid, ROW_LEAF, c->piece);
    struct lmdb_walk w;
    unsigned n = 0;
    bool on;

    on = lmdb_walk_start(&w, c->t, T_ROWS, &start, LMDB_FRONT);
    for (; on && n < PIECES_PER_READ; on = lmdb_walk_next(&w), n++) {
        if (get_be32(w.key + LMDB_FRONT) != c->piece)
            break;
        check_piece(c, &w);
        c->piece++;
    }
    lmdb_walk_end(&w);
    c->done = n < PIECES_PER_READ;
    if (c->done && (on || c->piece != tr->pieces))
        fault(c, c->piece, "leaf is missing, or one too many");
}

/* Recipients and their slots decode, and the transfer counts them right. */
static void check_recipients(struct check *c, const struct lmdb_transfer *tr)
{
    struct lmdb_key front = lmdb_rows_key(c->t, c->tid, ROW_RECIPIENT);
    uint32_t live = 0, viewers = 0;
    struct lmdb_recipient v;
    struct lmdb_slot s;
    struct lmdb_walk w;
    bool on;

    on = lmdb_walk_start(&w, c->t, T_ROWS, &front, front.len);
    for (; on && lmdb_rows_read_recipient(c->t, w.value, &v) == ERR_OK; on = lmdb_walk_next(&w)) {
        live += v.life == STORE_LIVE;
        viewers += v.views != 0;
    }
    lmdb_walk_end(&w);
    front = lmdb_rows_key(c->t, c->tid, ROW_SLOT);
    on = lmdb_walk_start(&w, c->t, T_ROWS, &front, front.len);
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
    int rc = lmdb_rows_load_transfer(c->t, c->tid, &tr);

    c->done = true;
    if (rc == ERR_NOTFOUND)
        return; /* deleted meanwhile */
    c->res->u.verify.transfers += c->piece == 0;
    if (rc != ERR_OK) {
        fault(c, STORE_NO_PIECE, "transfer does not decode");
    } else if (lmdb_rows_load_header(c->t, c->tid, &h) != ERR_OK) {
        fault(c, STORE_NO_PIECE, "header is missing or does not decode");
    } else {
        if (c->piece == 0)
            check_recipients(c, &tr);
        if (tr.body)
            check_pieces(c, &tr);
    }
    if (c->t->hard != 0)
        fault(c, STORE_NO_PIECE, "a row does not decode");
}

/* The transfer behind ${after}; false: there is none, or *ret_rc is an error. */
static bool next_transfer(struct lmdb_engine *e, const uint8_t *after, uint8_t *tid, int *ret_rc)
{
    struct lmdb_key start = {0};
    struct lmdb_txn t = {0};
    struct lmdb_walk w;
    bool on = false;

    if (after != NULL) {
        start = lmdb_key_of(after, STORE_TID_LEN);
        lmdb_key_add(&start, "", 1); /* the first key behind it */
    }
    *ret_rc = lmdb_engine_read(e, e->index, &t);
    if (*ret_rc == ERR_OK) {
        on = lmdb_walk_start(&w, &t, T_TIDS, &start, 0);
        if (on)
            memcpy(tid, w.key, STORE_TID_LEN);
        lmdb_walk_end(&w);
        *ret_rc = lmdb_txn_code(&t);
    }
    lmdb_engine_read_end(&t);
    return on && *ret_rc == ERR_OK;
}

static int check_one(struct lmdb_engine *e, struct check *c)
{
    struct lmdb_txn t = {0}, body = {0};
    int rc = lmdb_engine_read(e, e->bodies[lmdb_engine_body(e, c->tid)], &body);

    if (rc == ERR_OK)
        rc = lmdb_engine_read(e, e->index, &t);
    if (rc == ERR_OK) {
        c->t = &t;
        c->body = &body;
        check_transfer(c);
    }
    lmdb_engine_read_end(&t);
    lmdb_engine_read_end(&body);
    return rc;
}

/* The cursor: transfer and next piece; behind the last piece STORE_NO_PIECE. */
static void read_cursor(struct check *c, const uint8_t *cursor)
{
    c->done = true;
    if (cursor == NULL)
        return;
    memcpy(c->tid, cursor, sizeof(c->tid));
    c->piece = get_be32(cursor + sizeof(c->tid));
    c->done = c->piece == STORE_NO_PIECE;
}

static void write_cursor(const struct check *c, uint8_t *cursor)
{
    memcpy(cursor, c->tid, sizeof(c->tid));
    put_be32(cursor + sizeof(c->tid), c->done ? STORE_NO_PIECE : c->piece);
}

int lmdb_verify_run(struct lmdb_txn *t, struct store_job *job)
{
    const struct store_verify *in = &job->in->verify;
    struct store_result *res = job->res;
    struct check c = {.res = res};
    const uint8_t *after = in->cursor;
    int rc = ERR_OK;

    c.faults = lmdb_engine_alloc(t, res, FAULTS_MAX * sizeof(*c.faults));
    if (c.faults == NULL)
        return ERR_NOMEM;
    res->u.verify.faults = c.faults;
    read_cursor(&c, in->cursor);
    while (rc == ERR_OK) {
        if (c.done) {
            res->more = next_transfer(t->engine, after, c.tid, &rc);
            if (!res->more || res->u.verify.transfers == in->limit)
                break;
            c.piece = 0;
        }
        if (res->u.verify.pieces >= PIECES_PER_CALL || res->count >= FAULTS_PER_CALL)
            break;
        rc = check_one(t->engine, &c);
        write_cursor(&c, res->cursor);
        after = res->cursor;
        res->more = true;
    }
    return rc;
}
