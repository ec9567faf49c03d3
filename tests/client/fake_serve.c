/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/client/fake_serve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "common/crypto/hash.h"
#include "common/crypto/rng.h"
#include "common/transfer/body.h"

static uint64_t now_ms(void)
{
    struct timeval tv;

    (void)gettimeofday(&tv, NULL);
    return (uint64_t)tv.tv_sec * 1000 + (uint64_t)tv.tv_usec / 1000;
}

ProtobufCBinaryData fake_bytes(const void *data, size_t len)
{
    ProtobufCBinaryData b = {len, malloc(len > 0 ? len : 1)};

    MUST(b.data != NULL);
    if (len > 0)
        memcpy(b.data, data, len);
    return b;
}

ProtobufCBinaryData fake_copy(ProtobufCBinaryData b)
{
    return fake_bytes(b.data, b.len);
}

void *fake_clone(const ProtobufCMessage *m)
{
    size_t len = protobuf_c_message_get_packed_size(m);
    uint8_t *raw = malloc(len + 1);
    void *out;

    MUST(raw != NULL);
    (void)protobuf_c_message_pack(m, raw);
    out = protobuf_c_message_unpack(m->descriptor, NULL, len, raw);
    MUST(out != NULL);
    free(raw);
    return out;
}

void *fake_make(const ProtobufCMessageDescriptor *d)
{
    void *m = malloc(d->sizeof_message);

    MUST(m != NULL);
    d->message_init(m);
    return m;
}

/* ---- users ------------------------------------------------------------------------- */

struct fake_user *fake_find_user(struct fake *f, const char *username)
{
    for (size_t i = 0; i < f->n_users; i++)
        if (strcmp(f->users[i].username, username) == 0)
            return &f->users[i];
    return NULL;
}

static struct fake_user *by_uid(struct fake *f, ProtobufCBinaryData uid)
{
    for (size_t i = 0; i < f->n_users; i++)
        if (uid.len == IDS_UID_LEN && memcmp(f->users[i].uid.b, uid.data, IDS_UID_LEN) == 0)
            return &f->users[i];
    return NULL;
}

static void on_hello(struct fake *f, const Satchel__Envelope *e, Satchel__Envelope *r)
{
    Satchel__HelloReply *m = fake_make(&satchel__hello_reply__descriptor);
    Satchel__Limits *l = fake_make(&satchel__limits__descriptor);
    struct server_id id;
    uint8_t nonce[32];

    (void)e;
    MUST(ids_server(f->server_key, &id) == ERR_OK);
    MUST(rng_bytes(nonce, sizeof(nonce)) == ERR_OK);
    m->version = 1;
    m->software = strdup("fake/1");
    m->server_id = fake_bytes(id.b, sizeof(id.b));
    m->server_key = fake_bytes(f->server_key, sizeof(f->server_key));
    m->nonce = fake_bytes(nonce, sizeof(nonce));
    m->time = now_ms();
    m->registration = f->registration;
    m->limits = l;
    l->max_transfer = (uint64_t)1 << 40;
    l->max_recipients = FAKE_SLOTS - 1;
    l->min_lifetime = 1000;
    l->max_lifetime = (uint64_t)30 * 24 * 3600 * 1000;
    l->window = f->window;
    l->page = 8;
    m->features = calloc(2, sizeof(*m->features));
    MUST(m->features != NULL);
    m->features[m->n_features++] = strdup("open-length");
    if (f->compares)
        m->features[m->n_features++] = strdup("known-manifest");
    r->body_case = SATCHEL__ENVELOPE__BODY_HELLO_REPLY;
    r->hello_reply = m;
}

static void on_register(struct fake *f, const Satchel__Envelope *e, Satchel__Envelope *r)
{
    const Satchel__Register *q = e->register_;
    struct fake_user *u = fake_find_user(f, q->username);
    Satchel__Manifest *manifest =
        satchel__manifest__unpack(NULL, q->manifest->body.len, q->manifest->body.data);

    MUST(manifest != NULL && manifest->user_id.len == IDS_UID_LEN);
    if (u != NULL && memcmp(u->uid.b, manifest->user_id.data, IDS_UID_LEN) != 0) {
        fake_error(r, SATCHEL__CODE__EXISTS, "the username is taken");
    } else {
        if (u == NULL) {
            MUST(f->n_users < FAKE_USERS);
            u = &f->users[f->n_users++];
            memcpy(u->uid.b, manifest->user_id.data, IDS_UID_LEN);
            (void)snprintf(u->username, sizeof(u->username), "%s", q->username);
            (void)snprintf(u->email, sizeof(u->email), "%s", q->email);
            u->manifests[u->n++] = fake_clone(&q->manifest->base);
        }
        r->body_case = SATCHEL__ENVELOPE__BODY_REGISTER_REPLY;
        r->register_reply = fake_make(&satchel__register_reply__descriptor);
        r->register_reply->user_id = fake_bytes(u->uid.b, IDS_UID_LEN);
    }
    satchel__manifest__free_unpacked(manifest, NULL);
}

static void on_login(struct fake *f, const Satchel__Envelope *e, Satchel__Envelope *r)
{
    struct fake_user *u = by_uid(f, e->login->user_id);

    if (u == NULL) {
        fake_error(r, SATCHEL__CODE__AUTH_FAILED, "login refused");
        return;
    }
    f->caller = u->uid;
    r->body_case = SATCHEL__ENVELOPE__BODY_LOGIN_REPLY;
    r->login_reply = fake_make(&satchel__login_reply__descriptor);
    r->login_reply->username = strdup(u->username);
    r->login_reply->sequence = u->n;
}

static void on_lookup(struct fake *f, const Satchel__Envelope *e, Satchel__Envelope *r)
{
    const Satchel__Lookup *q = e->lookup;
    struct fake_user *u = q->who_case == SATCHEL__LOOKUP__WHO_USERNAME
                              ? fake_find_user(f, q->username)
                              : by_uid(f, q->user_id);
    size_t from = q->from_sequence > 0 ? (size_t)q->from_sequence - 1 : 0;
    Satchel__LookupReply *m;

    if (u == NULL) {
        fake_error(r, SATCHEL__CODE__NOT_FOUND, "no such user");
        return;
    }
    m = fake_make(&satchel__lookup_reply__descriptor);
    m->user_id = fake_bytes(u->uid.b, IDS_UID_LEN);
    m->username = strdup(u->username);
    m->last_sequence = u->n;
    m->manifests = calloc(FAKE_MANIFESTS, sizeof(Satchel__Signed *));
    for (size_t i = from; i < u->n; i++)
        m->manifests[m->n_manifests++] = fake_clone(&u->manifests[i]->base);
    r->body_case = SATCHEL__ENVELOPE__BODY_LOOKUP_REPLY;
    r->lookup_reply = m;
}

void fake_done(Satchel__Envelope *r)
{
    r->body_case = SATCHEL__ENVELOPE__BODY_DONE;
    r->done = fake_make(&satchel__done__descriptor);
}

static void on_put_manifest(struct fake *f, const Satchel__Envelope *e, Satchel__Envelope *r)
{
    struct fake_user *u = by_uid(f, (ProtobufCBinaryData){IDS_UID_LEN, f->caller.b});

    const Satchel__Signed *m = e->put_manifest->manifest;
    const Satchel__Signed *last;

    MUST(u != NULL && u->n < FAKE_MANIFESTS);
    last = u->manifests[u->n - 1];
    if (last->body.len != m->body.len || memcmp(last->body.data, m->body.data, m->body.len) != 0)
        u->manifests[u->n++] = fake_clone(&m->base);
    fake_done(r);
}

static void on_ping(struct fake *f, const Satchel__Envelope *e, Satchel__Envelope *r)
{
    (void)f;
    (void)e;
    fake_done(r);
}

/* ---- uploads ------------------------------------------------------------------------- */

static struct fake_transfer *by_tid(struct fake *f, ProtobufCBinaryData tid)
{
    for (size_t i = f->n_transfers; i-- > 0;)
        if (tid.len == IDS_TID_LEN && memcmp(f->transfers[i].tid.b, tid.data, IDS_TID_LEN) == 0)
            return &f->transfers[i];
    return NULL;
}

static struct fake_transfer *by_key(struct fake *f, ProtobufCBinaryData key)
{
    for (size_t i = 0; i < f->n_transfers; i++)
        if (!f->transfers[i].abandoned && memcmp(f->transfers[i].key, key.data, 16) == 0)
            return &f->transfers[i];
    return NULL;
}

static struct fake_transfer *new_transfer(struct fake *f, const Satchel__OpenTransfer *q)
{
    struct fake_transfer *t = &f->transfers[f->n_transfers];

    MUST(f->n_transfers < FAKE_TRANSFERS && q->n_recipients <= FAKE_SLOTS);
    f->n_transfers++;
    MUST(rng_bytes(t->tid.b, sizeof(t->tid.b)) == ERR_OK);
    if (f->same_tid != NULL)
        t->tid = *f->same_tid;
    MUST(rng_bytes(t->share, sizeof(t->share)) == ERR_OK);
    t->n = q->n_recipients;
    memcpy(t->key, q->upload_key.data, 16);
    return t;
}

/* What the caller says to know of ${to}, if anything, is the newest there is. */
static bool knows_newest(struct fake *f, const Satchel__Recipient *to)
{
    const struct fake_user *u = by_uid(f, to->user_id);
    uint8_t hash[HASH_SHA256_LEN], raw[16384];
    size_t len;

    if (to->known_manifest.len == 0)
        return true;
    f->known++;
    MUST(u != NULL && to->known_manifest.len == sizeof(hash));
    len = satchel__signed__get_packed_size(u->manifests[u->n - 1]);
    MUST(len <= sizeof(raw));
    (void)satchel__signed__pack(u->manifests[u->n - 1], raw);
    MUST(hash_sha256(hash, raw, len) == ERR_OK);
    return memcmp(hash, to->known_manifest.data, sizeof(hash)) == 0;
}

static void on_open(struct fake *f, const Satchel__Envelope *e, Satchel__Envelope *r)
{
    const Satchel__OpenTransfer *q = e->open_transfer;
    Satchel__OpenTransferReply *m;
    struct fake_transfer *t;

    MUST(q->upload_key.len == 16);
    for (size_t i = 0; i < q->n_recipients; i++)
        if (!knows_newest(f, q->recipients[i])) {
            fake_error(r, SATCHEL__CODE__BAD_STATE, "a recipient has another manifest");
            return;
        }
    m = fake_make(&satchel__open_transfer_reply__descriptor);
    t = by_key(f, q->upload_key);
    if (t == NULL)
        t = new_transfer(f, q);
    m->lease = now_ms() + (uint64_t)7 * 24 * 3600 * 1000;
    m->tid = fake_bytes(t->tid.b, sizeof(t->tid.b));
    m->n_shares = t->n;
    m->shares = calloc(t->n + 1, sizeof(Satchel__SlotShares *));
    for (size_t i = 0; i < t->n; i++) {
        memcpy(t->who[i].b, q->recipients[i]->user_id.data, IDS_UID_LEN);
        t->role[i] = q->recipients[i]->role;
        m->shares[i] = fake_make(&satchel__slot_shares__descriptor);
        m->shares[i]->share_meta = fake_bytes(t->share[i][0], 32);
        m->shares[i]->share_body = fake_bytes(t->share[i][1], 32);
    }
    r->body_case = SATCHEL__ENVELOPE__BODY_OPEN_TRANSFER_REPLY;
    r->open_transfer_reply = m;
}

static void on_put(struct fake *f, const Satchel__Envelope *e, Satchel__Envelope *r,
                   struct buf *tail)
{
    const Satchel__PutPiece *q = e->put_piece;
    struct fake_transfer *t = by_tid(f, q->tid);

    struct hash32 leaf;

    MUST(t != NULL && q->index < FAKE_PIECES && q->leaf.len == 32);
    MUST(body_leaf(part(tail->data, tail->len), &leaf) == ERR_OK);
    MUST(memcmp(leaf.b, q->leaf.data, 32) == 0);
    if (t->abandoned) {
        fake_error(r, SATCHEL__CODE__NOT_FOUND, "no such upload");
        return;
    }
    f->puts++;
    f->repeats += t->pieces[q->index].len > 0;
    f->two_plaintexts +=
        t->was_seen[q->index] && memcmp(&t->seen[q->index], &leaf, sizeof(leaf)) != 0;
    t->was_seen[q->index] = true;
    t->seen[q->index] = leaf;
    if (f->lose_from > 0 && q->index >= f->lose_from)
        return;
    buf_free(&t->pieces[q->index]);
    t->pieces[q->index] = *tail;
    *tail = (struct buf){0};
    memcpy(t->leaves[q->index].b, q->leaf.data, 32);
    if (q->index >= t->n_pieces)
        t->n_pieces = q->index + 1;
    r->body_case = SATCHEL__ENVELOPE__BODY_PIECE_ACK;
    r->piece_ack = fake_make(&satchel__piece_ack__descriptor);
    r->piece_ack->index = q->index;
}

static void on_seal(struct fake *f, const Satchel__Envelope *e, Satchel__Envelope *r)
{
    Satchel__Header *h =
        satchel__header__unpack(NULL, e->seal_transfer->header.len, e->seal_transfer->header.data);
    struct fake_transfer *t;

    MUST(h != NULL);
    t = by_tid(f, h->tid);
    MUST(t != NULL);
    if (t->abandoned) {
        satchel__header__free_unpacked(h, NULL);
        fake_error(r, SATCHEL__CODE__NOT_FOUND, "no such upload");
        return;
    }
    for (uint32_t i = 0; !t->sealed && i < body_pieces(h->body_length); i++)
        if (i >= t->n_pieces || t->pieces[i].len == 0) {
            satchel__header__free_unpacked(h, NULL);
            fake_error(r, SATCHEL__CODE__BAD_STATE, "pieces are missing");
            return;
        }
    satchel__seal_transfer__free_unpacked(t->seal, NULL);
    t->seal = fake_clone(&e->seal_transfer->base);
    if (!t->sealed)
        fake_log_stored(f, t);
    t->sealed = true;
    satchel__header__free_unpacked(h, NULL);
    r->body_case = SATCHEL__ENVELOPE__BODY_SEAL_REPLY;
    r->seal_reply = fake_make(&satchel__seal_reply__descriptor);
    r->seal_reply->stored = now_ms();
}

static void on_upload_state(struct fake *f, const Satchel__Envelope *e, Satchel__Envelope *r)
{
    const struct fake_transfer *t = by_tid(f, e->upload_state->tid);
    Satchel__UploadStateReply *m;

    if (t == NULL || t->sealed || t->abandoned) {
        fake_error(r, SATCHEL__CODE__NOT_FOUND, "no such upload");
        return;
    }
    m = fake_make(&satchel__upload_state_reply__descriptor);
    m->pieces = calloc(FAKE_PIECES, sizeof(Satchel__Range *));
    for (uint32_t i = e->upload_state->from; i < t->n_pieces; i++) {
        Satchel__Range *one;

        if (t->pieces[i].len == 0)
            continue;
        one = fake_make(&satchel__range__descriptor);
        one->first = i;
        one->count = 1;
        m->pieces[m->n_pieces++] = one;
    }
    r->body_case = SATCHEL__ENVELOPE__BODY_UPLOAD_STATE_REPLY;
    r->upload_state_reply = m;
}

static void on_abandon(struct fake *f, const Satchel__Envelope *e, Satchel__Envelope *r)
{
    struct fake_transfer *t = by_tid(f, e->abandon_upload->tid);
    bool gone = t == NULL || t->sealed || t->abandoned;

    if (t != NULL)
        t->abandoned = true; /* it was asked to */
    if (gone)
        fake_error(r, SATCHEL__CODE__NOT_FOUND, "no such upload");
    else
        fake_done(r);
}

/* ---- downloads -------------------------------------------------------------------------- */

/* Which of the recipients is the caller; t->n: none. */
static size_t place_of_caller(const struct fake *f, const struct fake_transfer *t)
{
    size_t i = 0;

    while (i < t->n && memcmp(&t->who[i], &f->caller, sizeof(f->caller)) != 0)
        i++;
    return i;
}

static Satchel__Transfer *row_of(const struct fake *f, const struct fake_transfer *t)
{
    Satchel__Transfer *row = fake_make(&satchel__transfer__descriptor);
    size_t me = place_of_caller(f, t), n = t->seal->n_slots, at = 0, path_len = 0;
    struct part slots[FAKE_SLOTS];
    struct hash32 path[SLOT_PROOF_MAX];

    for (size_t i = 0; i < n; i++) {
        slots[i] = part(t->seal->slots[i]->slot.data, t->seal->slots[i]->slot.len);
        if (memcmp(t->seal->slots[i]->user_id.data, f->caller.b, IDS_UID_LEN) == 0)
            at = i;
    }
    MUST(slot_path(slots, n, at, path, &path_len) == ERR_OK);
    row->header = fake_copy(t->seal->header);
    row->signature = fake_copy(t->seal->signature);
    row->slot = fake_copy(t->seal->slots[at]->slot);
    row->slot_index = (uint32_t)at;
    row->proof = calloc(path_len + 1, sizeof(ProtobufCBinaryData));
    for (size_t i = 0; i < path_len; i++)
        row->proof[row->n_proof++] = fake_bytes(path[i].b, sizeof(path[i].b));
    row->metadata = fake_copy(t->seal->metadata);
    row->share_meta = fake_bytes(t->share[me][0], 32);
    row->state = t->state;
    row->stored = now_ms();
    if (t->addendum != NULL)
        row->addendum = fake_clone(&t->addendum->base);
    return row;
}

static void on_list(struct fake *f, const Satchel__Envelope *e, Satchel__Envelope *r)
{
    Satchel__ListReply *m = fake_make(&satchel__list_reply__descriptor);
    bool sent = e->list_transfers->folder == SATCHEL__FOLDER__SENT;

    m->transfers = calloc(FAKE_TRANSFERS, sizeof(Satchel__Transfer *));
    for (size_t i = 0; i < f->n_transfers; i++) {
        const struct fake_transfer *t = &f->transfers[i];
        size_t me = place_of_caller(f, t);

        if (t->sealed && me < t->n &&
            t->role[me] != (sent ? SATCHEL__ROLE__RECIPIENT : SATCHEL__ROLE__SENDER))
            m->transfers[m->n_transfers++] = row_of(f, t);
    }
    r->body_case = SATCHEL__ENVELOPE__BODY_LIST_REPLY;
    r->list_reply = m;
}

/* The transfer asked for, if the caller may see it; otherwise the answer is NOT_FOUND. */
struct fake_transfer *fake_wanted(struct fake *f, ProtobufCBinaryData tid, Satchel__Envelope *r)
{
    struct fake_transfer *t = by_tid(f, tid);

    if (t != NULL && t->sealed && place_of_caller(f, t) < t->n)
        return t;
    fake_error(r, SATCHEL__CODE__NOT_FOUND, "no such transfer");
    return NULL;
}

static void on_get(struct fake *f, const Satchel__Envelope *e, Satchel__Envelope *r)
{
    const struct fake_transfer *t = fake_wanted(f, e->get_transfer->tid, r);

    if (t == NULL)
        return;
    r->body_case = SATCHEL__ENVELOPE__BODY_TRANSFER_REPLY;
    r->transfer_reply = fake_make(&satchel__transfer_reply__descriptor);
    r->transfer_reply->transfer = row_of(f, t);
}

static void on_release(struct fake *f, const Satchel__Envelope *e, Satchel__Envelope *r)
{
    const struct fake_transfer *t = fake_wanted(f, e->release->tid, r);

    if (t == NULL)
        return;
    r->body_case = SATCHEL__ENVELOPE__BODY_RELEASE_REPLY;
    r->release_reply = fake_make(&satchel__release_reply__descriptor);
    r->release_reply->share_body = fake_bytes(t->share[place_of_caller(f, t)][1], 32);
}

static void on_leaves(struct fake *f, const Satchel__Envelope *e, Satchel__Envelope *r)
{
    const Satchel__GetLeaves *q = e->get_leaves;
    const struct fake_transfer *t = fake_wanted(f, q->tid, r);

    if (t == NULL)
        return;
    MUST(q->first + q->count <= t->n_pieces);
    r->body_case = SATCHEL__ENVELOPE__BODY_LEAVES_REPLY;
    r->leaves_reply = fake_make(&satchel__leaves_reply__descriptor);
    r->leaves_reply->first = q->first;
    r->leaves_reply->leaves = fake_bytes(t->leaves + q->first, (size_t)q->count * 32);
}

/* The pieces themselves; Done follows as the answer. */
static void on_pieces(struct fake *f, const Satchel__Envelope *e, Satchel__Envelope *r)
{
    const Satchel__GetPieces *q = e->get_pieces;
    const struct fake_transfer *t = fake_wanted(f, q->tid, r);

    for (uint32_t i = q->first; t != NULL && i < q->first + q->count; i++) {
        Satchel__Envelope piece = SATCHEL__ENVELOPE__INIT;
        struct buf tail = {0};

        MUST(i < t->n_pieces);
        buf_put(&tail, t->pieces[i].data, t->pieces[i].len);
        piece.id = e->id;
        piece.body_case = SATCHEL__ENVELOPE__BODY_PIECE;
        piece.piece = fake_make(&satchel__piece__descriptor);
        piece.piece->index = i;
        fake_answer(f, &piece, &tail);
        buf_free(&tail);
    }
    if (t != NULL)
        fake_done(r);
}

static void on_find(struct fake *f, const Satchel__Envelope *e, Satchel__Envelope *r)
{
    Satchel__FindReply *m = fake_make(&satchel__find_reply__descriptor);

    m->found = calloc(FAKE_TRANSFERS, sizeof(Satchel__Found *));
    for (size_t i = 0; i < f->n_transfers; i++) {
        const struct fake_transfer *t = &f->transfers[i];
        char text[IDS_TID_TEXT];
        size_t me = place_of_caller(f, t);

        ids_tid_to_text(&t->tid, text);
        if (me == t->n ||
            strncmp(text, e->find_transfers->prefix, strlen(e->find_transfers->prefix)) != 0)
            continue;
        m->found[m->n_found] = fake_make(&satchel__found__descriptor);
        m->found[m->n_found]->tid = fake_bytes(t->tid.b, sizeof(t->tid.b));
        m->found[m->n_found++]->role = t->role[me];
    }
    r->body_case = SATCHEL__ENVELOPE__BODY_FIND_REPLY;
    r->find_reply = m;
}

/* ---- dispatch ------------------------------------------------------------------------------ */

typedef void handler(struct fake *f, const Satchel__Envelope *e, Satchel__Envelope *r);

static handler *const handlers[100] = {
    [SATCHEL__ENVELOPE__BODY_HELLO] = on_hello,
    [SATCHEL__ENVELOPE__BODY_REGISTER] = on_register,
    [SATCHEL__ENVELOPE__BODY_LOGIN] = on_login,
    [SATCHEL__ENVELOPE__BODY_LOOKUP] = on_lookup,
    [SATCHEL__ENVELOPE__BODY_PUT_MANIFEST] = on_put_manifest,
    [SATCHEL__ENVELOPE__BODY_PING] = on_ping,
    [SATCHEL__ENVELOPE__BODY_OPEN_TRANSFER] = on_open,
    [SATCHEL__ENVELOPE__BODY_SEAL_TRANSFER] = on_seal,
    [SATCHEL__ENVELOPE__BODY_UPLOAD_STATE] = on_upload_state,
    [SATCHEL__ENVELOPE__BODY_ABANDON_UPLOAD] = on_abandon,
    [SATCHEL__ENVELOPE__BODY_LIST_TRANSFERS] = on_list,
    [SATCHEL__ENVELOPE__BODY_GET_TRANSFER] = on_get,
    [SATCHEL__ENVELOPE__BODY_RELEASE] = on_release,
    [SATCHEL__ENVELOPE__BODY_GET_LEAVES] = on_leaves,
    [SATCHEL__ENVELOPE__BODY_GET_PIECES] = on_pieces,
    [SATCHEL__ENVELOPE__BODY_FIND_TRANSFERS] = on_find,
    [SATCHEL__ENVELOPE__BODY_STATUS] = fake_log_status,
    [SATCHEL__ENVELOPE__BODY_PUT_RECEIPT] = fake_log_receipt,
    [SATCHEL__ENVELOPE__BODY_EXTEND] = fake_log_extend,
    [SATCHEL__ENVELOPE__BODY_LIST_EVENTS] = fake_log_events,
};

void fake_serve(struct fake *f, const Satchel__Envelope *e, Satchel__Envelope *r, struct buf *tail)
{
    if (e->body_case == SATCHEL__ENVELOPE__BODY_PUT_PIECE)
        on_put(f, e, r, tail);
    else if (handlers[e->body_case] != NULL)
        handlers[e->body_case](f, e, r);
    else
        fake_error(r, SATCHEL__CODE__UNSUPPORTED, "the fake does not know this");
}
