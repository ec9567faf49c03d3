/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/store_request.h"

#include <stddef.h>
#include <string.h>

/* Copies into ${at}; while that is NULL it only counts. */
struct pack {
    uint8_t *at;
    size_t len;
};

/* Returns the copy of ${len} bytes at ${p}, or ${p} itself while counting. */
static void *pack(struct pack *k, const void *p, size_t len)
{
    uint8_t *to;

    if (p == NULL)
        return NULL;
    k->len = (k->len + 7) & ~(size_t)7; /* arrays of structures are packed too */
    to = k->at != NULL ? k->at + k->len : NULL;
    k->len += len;
    if (to == NULL)
        return (void *)p;
    if (len > 0)
        memcpy(to, p, len);
    return to;
}

static void pack_blob(struct pack *k, struct store_blob *b)
{
    b->data = pack(k, b->len > 0 ? b->data : NULL, b->len);
}

static void pack_event(struct pack *k, const struct store_event_new **event)
{
    struct store_event_new copy;
    struct store_event_new *at;

    if (*event == NULL)
        return;
    copy = **event;
    at = pack(k, *event, sizeof(copy));
    pack_blob(k, &copy.data);
    if (k->at != NULL)
        *at = copy;
    *event = at;
}

static int check_blob(const struct store_blob *b, size_t min, size_t max)
{
    if (b->len > max)
        return ERR_TOOLARGE;
    return b->len < min || (b->len > 0 && b->data == NULL) ? ERR_INVALID : ERR_OK;
}

static int check_text(const char *s, size_t max)
{
    size_t len = s != NULL ? strnlen(s, max + 1) : 0;

    return len == 0 ? ERR_INVALID : len > max ? ERR_TOOLARGE : ERR_OK;
}

static int check_event(const struct store_event_new *event)
{
    return event == NULL ? ERR_OK : check_blob(&event->data, 0, STORE_EVENT_MAX);
}

/* The first failure of a run of checks. */
static int first_of(int a, int b)
{
    return a != ERR_OK ? a : b;
}

/* ---- users ---- */

static int check_user_create(const union store_request *in)
{
    const struct store_user_create *q = &in->user_create;
    int rc = first_of(check_text(q->name, STORE_NAME_MAX), check_text(q->email, STORE_EMAIL_MAX));

    return first_of(rc, check_blob(&q->manifest, 1, STORE_MANIFEST_MAX));
}

static void copy_user_create(struct pack *k, union store_request *in)
{
    struct store_user_create *q = &in->user_create;

    q->name = pack(k, q->name, strlen(q->name) + 1);
    q->email = pack(k, q->email, strlen(q->email) + 1);
    q->invite = pack(k, q->invite, STORE_HASH_LEN);
    pack_blob(k, &q->manifest);
}

static int check_user_get(const union store_request *in)
{
    const struct store_user_get *q = &in->user_get;

    if (q->by == STORE_BY_UID)
        return ERR_OK;
    if (q->by != STORE_BY_NAME && q->by != STORE_BY_EMAIL)
        return ERR_INVALID;
    return check_text(q->text, q->by == STORE_BY_NAME ? STORE_NAME_MAX : STORE_EMAIL_MAX);
}

static void copy_user_get(struct pack *k, union store_request *in)
{
    struct store_user_get *q = &in->user_get;

    if (q->by != STORE_BY_UID)
        q->text = pack(k, q->text, strlen(q->text) + 1);
    q->asker = pack(k, q->asker, STORE_UID_LEN);
}

static void copy_user_list(struct pack *k, union store_request *in)
{
    in->user_list.after = pack(k, in->user_list.after, STORE_UID_LEN);
}

static int check_user_set_state(const union store_request *in)
{
    enum store_user_state s = in->user_set_state.state;

    return s < STORE_USER_ACTIVE || s > STORE_USER_DELETED ? ERR_INVALID : ERR_OK;
}

static int check_manifest_put(const union store_request *in)
{
    const struct store_manifest_put *q = &in->manifest_put;

    if (q->drop_factor && q->newest == 0)
        return ERR_INVALID;
    return check_blob(&q->bytes, 1, STORE_MANIFEST_MAX);
}

static void copy_manifest_put(struct pack *k, union store_request *in)
{
    pack_blob(k, &in->manifest_put.bytes);
}

static int check_account_put(const union store_request *in)
{
    const struct store_account_put *q = &in->account_put;

    return q->number == 0 ? ERR_INVALID : check_blob(&q->bytes, 1, STORE_ACCOUNT_MAX);
}

static void copy_account_put(struct pack *k, union store_request *in)
{
    pack_blob(k, &in->account_put.bytes);
}

static int check_factor_put(const union store_request *in)
{
    const struct store_factor_put *q = &in->factor_put;

    return q->number == 0 ? ERR_INVALID : check_blob(&q->bytes, 0, STORE_FACTOR_MAX);
}

static void copy_factor_put(struct pack *k, union store_request *in)
{
    pack_blob(k, &in->factor_put.bytes);
}

static int check_invite_create(const union store_request *in)
{
    return in->invite_create.uses == 0 ? ERR_INVALID : ERR_OK;
}

static void copy_invite_list(struct pack *k, union store_request *in)
{
    in->invite_list.after = pack(k, in->invite_list.after, STORE_HASH_LEN);
}

/* ---- uploads ---- */

static int check_open(const struct store_upload_open *q)
{
    if (q->nslots == 0 || q->slots == NULL || q->lease <= q->now || q->expires <= q->now)
        return ERR_INVALID;
    /* A large piece is looked at where what was opened early is not seen yet. */
    if (q->early && (q->grows || q->body_max > STORE_SMALL_MAX))
        return ERR_INVALID;
    return q->nslots > STORE_SLOTS_MAX ? ERR_TOOLARGE : ERR_OK;
}

static int check_upload_check(const union store_request *in)
{
    return check_open(&in->upload_check.open);
}

static int check_upload_open(const union store_request *in)
{
    const struct store_upload_open *q = &in->upload_open;
    int rc = check_open(q);

    for (size_t i = 0; i < q->nslots && rc == ERR_OK; i++)
        rc = check_blob(&q->slots[i].seed, 1, STORE_SEED_MAX);
    return rc;
}

static void copy_open(struct pack *k, struct store_upload_open *q)
{
    const struct store_slot_new *from = q->slots;
    struct store_slot_new *to;

    q->slots = to = pack(k, from, q->nslots * sizeof(*from));
    for (size_t i = 0; i < q->nslots; i++) {
        struct store_blob seed = from[i].seed;

        pack_blob(k, &seed);
        if (k->at != NULL)
            to[i].seed = seed;
    }
}

static void copy_upload_check(struct pack *k, union store_request *in)
{
    copy_open(k, &in->upload_check.open);
}

static void copy_upload_open(struct pack *k, union store_request *in)
{
    copy_open(k, &in->upload_open);
}

static int check_piece_put(const union store_request *in)
{
    const struct store_piece_put *q = &in->piece_put;

    if (q->data == NULL || q->len == 0 || q->index == STORE_NO_PIECE)
        return ERR_INVALID;
    return q->len > STORE_PIECE_MAX ? ERR_TOOLARGE : ERR_OK;
}

static int check_upload_seal(const union store_request *in)
{
    const struct store_upload_seal *q = &in->upload_seal;
    int rc = first_of(check_blob(&q->header, 1, STORE_HEADER_MAX),
                      check_blob(&q->sig, 1, STORE_SIG_MAX));

    rc = first_of(rc, check_blob(&q->meta, 1, STORE_META_MAX));
    rc = first_of(rc, check_blob(&q->piece, 0, STORE_SMALL_MAX));
    rc = first_of(rc, check_event(q->event));
    if (rc != ERR_OK)
        return rc;
    if (q->piece.len > 0 && (q->pieces != 1 || q->piece.len != q->body_len))
        return ERR_INVALID;
    if (q->nslots == 0 || q->slots == NULL || q->nslots > STORE_SLOTS_MAX)
        return ERR_INVALID;
    if (q->slot_leaves.len != q->nslots * STORE_HASH_LEN || q->slot_leaves.data == NULL)
        return ERR_INVALID;
    for (size_t i = 0; i < q->nslots && rc == ERR_OK; i++)
        rc = q->slots[i].position >= q->nslots ? ERR_INVALID
                                               : check_blob(&q->slots[i].bytes, 1, STORE_SLOT_MAX);
    return rc;
}

static void copy_upload_seal(struct pack *k, union store_request *in)
{
    struct store_upload_seal *q = &in->upload_seal;
    const struct store_slot_seal *from = q->slots;
    struct store_slot_seal *to;

    pack_blob(k, &q->header);
    pack_blob(k, &q->sig);
    pack_blob(k, &q->meta);
    pack_blob(k, &q->piece);
    pack_blob(k, &q->slot_leaves);
    pack_event(k, &q->event);
    q->slots = to = pack(k, from, q->nslots * sizeof(*from));
    for (size_t i = 0; i < q->nslots; i++) {
        struct store_blob bytes = from[i].bytes;

        pack_blob(k, &bytes);
        if (k->at != NULL)
            to[i].bytes = bytes;
    }
}

/* ---- mail ---- */

static void copy_inbox_list(struct pack *k, union store_request *in)
{
    in->inbox_list.cursor = pack(k, in->inbox_list.cursor, STORE_CURSOR_LEN);
}

static void copy_sent_list(struct pack *k, union store_request *in)
{
    in->sent_list.cursor = pack(k, in->sent_list.cursor, STORE_CURSOR_LEN);
}

static int check_slot_update(const union store_request *in)
{
    const struct store_slot_update *q = &in->slot_update;

    if (q->move < STORE_MOVE_CLAIM || q->move > STORE_MOVE_EXPIRE)
        return ERR_INVALID;
    return check_event(q->event);
}

static void copy_slot_update(struct pack *k, union store_request *in)
{
    pack_event(k, &in->slot_update.event);
}

static int check_revoke(const union store_request *in)
{
    const struct store_revoke *q = &in->revoke;

    if (q->nuids > STORE_SLOTS_MAX)
        return ERR_TOOLARGE;
    return q->nuids > 0 && q->uids == NULL ? ERR_INVALID : ERR_OK;
}

static void copy_revoke(struct pack *k, union store_request *in)
{
    struct store_revoke *q = &in->revoke;

    q->uids = pack(k, q->uids, q->nuids * STORE_UID_LEN);
}

static int check_extend(const union store_request *in)
{
    const struct store_extend *q = &in->extend;
    int rc = check_blob(&q->addendum, 1, STORE_EVENT_MAX);

    if (rc == ERR_OK && q->nslots > STORE_SLOTS_MAX)
        rc = ERR_TOOLARGE;
    if (rc == ERR_OK && (q->nslots == 0 || q->slots == NULL || q->number == 0))
        rc = ERR_INVALID;
    for (size_t i = 0; i < q->nslots && rc == ERR_OK; i++)
        rc = check_blob(&q->slots[i].seed, 1, STORE_SEED_MAX);
    return rc;
}

static void copy_extend(struct pack *k, union store_request *in)
{
    struct store_extend *q = &in->extend;
    const struct store_slot_move *from = q->slots;
    struct store_slot_move *to;

    pack_blob(k, &q->addendum);
    q->slots = to = pack(k, from, q->nslots * sizeof(*from));
    for (size_t i = 0; i < q->nslots; i++) {
        struct store_blob seed = from[i].seed;

        pack_blob(k, &seed);
        if (k->at != NULL)
            to[i].seed = seed;
    }
}

static int check_slot_delete(const union store_request *in)
{
    enum store_view v = in->slot_delete.view;

    return v != STORE_VIEW_INBOX && v != STORE_VIEW_SENT ? ERR_INVALID : ERR_OK;
}

static int check_mail_find(const union store_request *in)
{
    unsigned digits = in->mail_find.digits;

    return digits < 1 || digits > 2 * STORE_TID_LEN ? ERR_INVALID : ERR_OK;
}

static int check_event_append(const union store_request *in)
{
    return check_event(&in->event_append.event);
}

static void copy_event_append(struct pack *k, union store_request *in)
{
    pack_blob(k, &in->event_append.event.data);
}

static int check_cells_done(const union store_request *in)
{
    const struct store_cells_done *q = &in->cells_done;

    if (q->ncells > STORE_LIST_MAX)
        return ERR_TOOLARGE;
    return q->ncells == 0 || q->cells == NULL ? ERR_INVALID : ERR_OK;
}

static void copy_cells_done(struct pack *k, union store_request *in)
{
    struct store_cells_done *q = &in->cells_done;

    q->cells = pack(k, q->cells, q->ncells * sizeof(*q->cells));
}

static void copy_verify(struct pack *k, union store_request *in)
{
    in->verify.cursor = pack(k, in->verify.cursor, STORE_PLACE_LEN);
}

static void copy_instances(struct pack *k, union store_request *in)
{
    in->instances.cursor = pack(k, in->instances.cursor, STORE_TID_LEN);
}

/* check, copy: NULL if there is nothing to check, nothing it points to. */
static const struct {
    size_t size, limit_at, limit_max; /* where the limit of a list stands; limit_max 0: no list */
    int (*check)(const union store_request *in);
    void (*copy)(struct pack *k, union store_request *in);
} table[STORE_OP_COUNT] = {
#define ROW(op, check, copy) [STORE_OP_##op] = {sizeof(struct store_##op), 0, 0, check, copy}
#define LIST(op, max, check, copy)                                                                 \
    [STORE_OP_##                                                                                   \
        op] = {sizeof(struct store_##op), offsetof(struct store_##op, limit), max, check, copy}
    ROW(user_create, check_user_create, copy_user_create),
    ROW(user_get, check_user_get, copy_user_get),
    LIST(user_list, STORE_LIST_MAX, NULL, copy_user_list),
    ROW(user_set_quota, NULL, NULL),
    ROW(user_set_state, check_user_set_state, NULL),
    ROW(user_delete, NULL, NULL),
    LIST(user_clear, STORE_CLEAR_MAX, NULL, NULL),
    ROW(block_set, NULL, NULL),
    ROW(account_put, check_account_put, copy_account_put),
    ROW(account_get, NULL, NULL),
    ROW(manifest_put, check_manifest_put, copy_manifest_put),
    LIST(manifest_list, STORE_LIST_MAX, NULL, NULL),
    ROW(invite_create, check_invite_create, NULL),
    LIST(invite_list, STORE_LIST_MAX, NULL, copy_invite_list),
    ROW(factor_get, NULL, NULL),
    ROW(factor_put, check_factor_put, copy_factor_put),
    ROW(upload_check, check_upload_check, copy_upload_check),
    ROW(upload_open, check_upload_open, copy_upload_open),
    ROW(upload_get, NULL, NULL),
    ROW(piece_put, check_piece_put, NULL),
    LIST(upload_pieces, STORE_LIST_MAX, NULL, NULL),
    ROW(upload_seal, check_upload_seal, copy_upload_seal),
    ROW(upload_abort, NULL, NULL),
    LIST(collect, STORE_LIST_MAX, NULL, NULL),
    LIST(inbox_list, STORE_LIST_MAX, NULL, copy_inbox_list),
    LIST(sent_list, STORE_LIST_MAX, NULL, copy_sent_list),
    ROW(slot_get, NULL, NULL),
    ROW(transfer_get, NULL, NULL),
    LIST(mail_find, STORE_FIND_MAX, check_mail_find, NULL),
    LIST(leaves_get, STORE_LEAVES_MAX, NULL, NULL),
    LIST(pieces_get, STORE_PIECES_MAX, NULL, NULL),
    ROW(slot_update, check_slot_update, copy_slot_update),
    ROW(slot_delete, check_slot_delete, NULL),
    ROW(revoke, check_revoke, copy_revoke),
    ROW(extend, check_extend, copy_extend),
    LIST(expired_list, STORE_LIST_MAX, NULL, NULL),
    ROW(event_append, check_event_append, copy_event_append),
    LIST(event_list, STORE_LIST_MAX, NULL, NULL),
    LIST(feed_list, STORE_LIST_MAX, NULL, NULL),
    LIST(cells_due, STORE_LIST_MAX, NULL, NULL),
    ROW(cells_done, check_cells_done, copy_cells_done),
    LIST(instances, STORE_LIST_MAX, NULL, copy_instances),
    LIST(verify, STORE_LIST_MAX, NULL, copy_verify),
#undef LIST
#undef ROW
};

size_t store_request_size(enum store_op op)
{
    return table[op].size;
}

int store_request_check(enum store_op op, union store_request *in)
{
    size_t *limit = (size_t *)(void *)((char *)in + table[op].limit_at);

    if (table[op].limit_max > 0 && (*limit == 0 || *limit > table[op].limit_max))
        *limit = table[op].limit_max;
    return table[op].check != NULL ? table[op].check(in) : ERR_OK;
}

size_t store_request_extra(enum store_op op, const union store_request *in)
{
    union store_request scratch = *in;
    struct pack k = {0};

    if (table[op].copy != NULL)
        table[op].copy(&k, &scratch);
    return k.len;
}

void store_request_copy(enum store_op op, union store_request *in, void *extra)
{
    struct pack k = {.at = extra};

    if (table[op].copy != NULL)
        table[op].copy(&k, in);
}

size_t store_request_bulk(enum store_op op, const union store_request *in)
{
    if (op == STORE_OP_piece_put)
        return in->piece_put.len;
    if (op == STORE_OP_pieces_get)
        return in->pieces_get.limit * STORE_PIECE_MAX;
    return 0;
}
