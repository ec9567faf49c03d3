/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SealTransfer: make an upload visible, to all its recipients or to none.
 *
 * Happy path: the request fits together -> it fits the upload, which the connection knows or asks
 * the store for -> the manifest it names is one of the sender's and lists the device, whose
 * signature is good -> pieces sent before it on this connection are answered -> body_root is the
 * root over the stored leaves -> the store seals.  A body of one small piece that waits for this
 * seal goes in the same transaction; should that fail, both take the long way, which says why.  The
 * signatures are checked while the last pieces become durable: a small send has all of it in one
 * flight.
 *
 * What does not fit may be for an upload that was sealed meanwhile, by this connection or another
 * one: then the store compares the headers, and nothing else counts.
 *
 * Ways to fail: BAD_REQUEST names the field; BAD_STATE pieces are missing;
 * EXISTS sealed with another header; KEY_REUSED; NOT_FOUND; EXPIRED.
 */
#include <stdlib.h>
#include <string.h>

#include "common/crypto/hash.h"
#include "common/crypto/merkle.h"
#include "common/transfer/body.h"
#include "common/transfer/metadata.h"
#include "common/transfer/slot.h"
#include "server/conn.h"
#include "server/daemon.h"
#include "server/dispatch.h"
#include "server/flight.h"
#include "server/length.h"
#include "server/own_manifest.h"
#include "server/req.h"
#include "server/uploads.h"
#include "server/watch.h"

struct sealing {
    struct own_manifest own; /* first */
    struct header h;
    struct part *parts;            /* the slots as sent */
    struct store_slot_seal *slots; /* the same, with their keys */
    uint8_t (*leaves)[MERKLE_LEN]; /* of the slots */
    uint32_t pieces;
    struct merkle tree;   /* over the pieces */
    bool apart, together; /* its piece need not wait any more; goes with it now */
    struct err why;       /* what does not fit */
};

static void sealing_free(void *data)
{
    struct sealing *s = data;

    manifest_free(s->own.m);
    free(s->parts);
    free(s->slots);
    free(s->leaves);
    free(s);
}

/* ---- what the request alone shows ---- */

static int check_header(struct call *c, struct sealing *s, struct err *err)
{
    const Satchel__SealTransfer *msg = c->msg->seal_transfer;
    int rc = header_parse(part(msg->header.data, msg->header.len), &s->h, err);

    if (rc == ERR_OK)
        rc = header_check(&s->h, err);
    if (rc == ERR_OK && memcmp(s->h.sender.b, c->conn->uid.b, IDS_UID_LEN) != 0)
        rc = err_set(err, ERR_INVALID, "header: sender is another user");
    if (rc == ERR_OK && msg->signature.len != SIGNED_SIG_LEN)
        rc = err_set(err, ERR_INVALID, "signature has the wrong size");
    if (rc == ERR_OK && msg->n_slots != s->h.slots)
        rc = err_set(err, ERR_INVALID, "header: slots is not the number of slots");
    return rc;
}

static int check_metadata(const Satchel__SealTransfer *msg, const struct header *h, struct err *err)
{
    uint8_t hash[HASH_SHA256_LEN];

    if (msg->metadata.len == 0 || msg->metadata.len > METADATA_SEALED_MAX)
        return err_set(err, ERR_INVALID, "metadata has the wrong size");
    if (hash_sha256(hash, msg->metadata.data, msg->metadata.len) != ERR_OK)
        return err_set(err, ERR_INTERNAL, "cannot hash");
    if (memcmp(hash, h->metadata_hash.b, sizeof(hash)) != 0)
        return err_set(err, ERR_INVALID, "header: metadata_hash is not that of metadata");
    return ERR_OK;
}

static int take_slot(struct sealing *s, const Satchel__SealedSlot *from, uint32_t i,
                     struct err *err)
{
    struct slot slot;
    int rc;

    if (from->user_id.len != IDS_UID_LEN)
        return err_set(err, ERR_INVALID, "slots: user_id has the wrong size");
    s->parts[i] = part(from->slot.data, from->slot.len);
    rc = slot_parse(s->parts[i], &slot, err);
    if (rc == ERR_OK)
        rc = merkle_leaf(s->leaves[i], from->slot.data, from->slot.len);
    if (rc != ERR_OK)
        return rc;
    memcpy(s->slots[i].uid, from->user_id.data, sizeof(s->slots[i].uid));
    memcpy(s->slots[i].ek, slot.ek_id.b, sizeof(s->slots[i].ek));
    s->slots[i].position = i;
    s->slots[i].bytes = (struct store_blob){from->slot.data, from->slot.len};
    return ERR_OK;
}

static int check_slots(const Satchel__SealTransfer *msg, struct sealing *s, struct err *err)
{
    struct hash32 root;
    int rc = ERR_OK;

    s->parts = calloc(msg->n_slots, sizeof(*s->parts));
    s->slots = calloc(msg->n_slots, sizeof(*s->slots));
    s->leaves = calloc(msg->n_slots, sizeof(*s->leaves));
    if (s->parts == NULL || s->slots == NULL || s->leaves == NULL)
        return err_set(err, ERR_NOMEM, "too much at once");
    for (uint32_t i = 0; rc == ERR_OK && i < msg->n_slots; i++)
        rc = take_slot(s, msg->slots[i], i, err);
    if (rc == ERR_OK)
        rc = slot_root(s->parts, msg->n_slots, &root);
    if (rc == ERR_OK && memcmp(root.b, s->h.slots_root.b, sizeof(root.b)) != 0)
        rc = err_set(err, ERR_INVALID, "header: slots_root is not that of slots");
    return rc;
}

/* ---- the end ---- */

static void wait_for_pieces(struct call *c);

static void on_sealed(struct call *c)
{
    struct sealing *s = c->data;
    struct conn *conn = c->conn;
    struct call *piece = s->together ? req_piece_waiting(c, s->h.tid.b) : NULL;
    Satchel__Envelope env = SATCHEL__ENVELOPE__INIT;
    Satchel__SealReply reply = SATCHEL__SEAL_REPLY__INIT;

    if (s->together && c->res->code != ERR_OK) {
        s->together = false;
        s->apart = true;
        wait_for_pieces(c);
        return;
    }
    if (c->res->code == ERR_OK)
        conn_upload_sealed(conn, s->h.tid.b);
    if (piece != NULL)
        req_piece_stored(piece);
    if (conn->state == CONN_CLOSING)
        return; /* a failed send has closed it, and ${c} is gone */
    switch (c->res->code) {
    case ERR_OK:
        uploads_remove(c->d->uploads, &s->h.sender, &s->h.tid);
        for (size_t i = 0; i < c->msg->seal_transfer->n_slots; i++)
            watch_kick(c->d, s->slots[i].uid); /* the sender's among them */
        reply.duplicate = c->res->duplicate;
        reply.stored = c->res->u.seal.arrived;
        env.body_case = SATCHEL__ENVELOPE__BODY_SEAL_REPLY;
        env.seal_reply = &reply;
        call_reply(c, &env);
        return;
    case ERR_BADSTATE:
        call_error(c, ERR_BADSTATE, "%u pieces are missing", c->res->u.seal.missing);
        return;
    case ERR_EXISTS:
        call_error(c, ERR_EXISTS, "sealed with another header");
        return;
    case ERR_QUOTA:
        call_error(c, ERR_QUOTA, "%s",
                   c->res->own ? "your own mailbox is full" : "the mailbox of a recipient is full");
        return;
    case ERR_INVALID:
        call_error(c, ERR_INVALID, "slots or pieces are not those of the upload");
        return;
    default:
        call_failed(c);
    }
}

static void seal(struct call *c)
{
    const Satchel__SealTransfer *msg = c->msg->seal_transfer;
    const struct sealing *s = c->data;
    const struct call *piece = s->together ? req_piece_waiting(c, s->h.tid.b) : NULL;
    struct hash32 hash = {0};
    struct store_event_new event = {.kind = STORE_EVENT_STORED, .data = {hash.b, sizeof(hash.b)}};
    struct store_upload_seal in = {
        .header = {msg->header.data, msg->header.len},
        .sig = {msg->signature.data, msg->signature.len},
        .meta = {msg->metadata.data, msg->metadata.len},
        .slot_leaves = {&s->leaves[0][0], msg->n_slots * sizeof(*s->leaves)},
        .pieces = s->pieces,
        .body_len = length_sealed(s->h.body_length),
        .now = daemon_time(),
        .slots = s->slots,
        .nslots = msg->n_slots,
        .event = &event,
    };

    if (header_hash(part(msg->header.data, msg->header.len), &hash) != ERR_OK) {
        call_error(c, ERR_NOMEM, NULL);
        return;
    }
    memcpy(event.uid, s->h.sender.b, sizeof(event.uid));
    memcpy(in.tid, s->h.tid.b, sizeof(in.tid));
    memcpy(in.sender, s->h.sender.b, sizeof(in.sender));
    memcpy(in.cid, s->h.cid.b, sizeof(in.cid));
    if (piece != NULL) {
        in.piece = (struct store_blob){piece->tail.data, piece->tail.len};
        memcpy(in.leaf, s->h.body_root.b, sizeof(in.leaf));
    }
    call_store(c, store_upload_seal(c->d->port, &in, call_on_store, c), seal, on_sealed);
}

/* ---- the leaves of the body, page by page ---- */

static void get_leaves(struct call *c);
static void get_upload(struct call *c);

static void on_leaves(struct call *c)
{
    struct sealing *s = c->data;
    merkle_hash root;
    int rc = ERR_OK;

    if (c->res->code == ERR_NOTFOUND) { /* also of a transfer that has no body any more */
        s->why.code = ERR_NOTFOUND;
        get_upload(c);
        return;
    }
    if (c->res->code != ERR_OK) {
        call_failed(c);
        return;
    }
    for (size_t i = 0; rc == ERR_OK && i < c->res->count; i++)
        rc = merkle_add(&s->tree, c->res->u.leaves + i * MERKLE_LEN);
    if (rc == ERR_OK && c->res->more && s->tree.n < s->pieces) {
        get_leaves(c);
        return;
    }
    if (rc == ERR_OK)
        rc = merkle_finish(&s->tree, root);
    if (rc != ERR_OK) {
        call_error(c, rc, NULL);
        return;
    }
    if (s->tree.n < s->pieces)
        rc = err_set(&s->why, ERR_BADSTATE, "%u pieces are missing",
                     s->pieces - (uint32_t)s->tree.n);
    else if (memcmp(root, s->h.body_root.b, sizeof(root)) != 0)
        rc = err_set(&s->why, ERR_INVALID, "header: body_root is not that of the pieces");
    if (rc != ERR_OK)
        get_upload(c);
    else
        seal(c);
}

static void get_leaves(struct call *c)
{
    const struct sealing *s = c->data;
    uint64_t left = s->pieces - s->tree.n + 1; /* one too many would show */
    struct store_leaves_get in = {.from = (uint32_t)s->tree.n,
                                  .limit = left < STORE_LEAVES_MAX ? left : STORE_LEAVES_MAX};

    memcpy(in.tid, s->h.tid.b, sizeof(in.tid));
    memcpy(in.uid, s->h.sender.b, sizeof(in.uid));
    call_store(c, store_leaves_get(c->d->port, &in, call_on_store, c), get_leaves, on_leaves);
}

/* Pieces that came before this request, on this connection, have their turn first. */
static bool pieces_under_way(const struct call *c)
{
    for (const struct call *p = c->prev; p != NULL; p = p->prev)
        if (p->row->tail)
            return true;
    return false;
}

bool req_seal_wants_piece(const struct call *c, const uint8_t *tid)
{
    const struct sealing *s = c->data;

    return c->row->body == SATCHEL__ENVELOPE__BODY_SEAL_TRANSFER && s != NULL && !s->apart &&
           memcmp(s->h.tid.b, tid, IDS_TID_LEN) == 0;
}

/* Is the one piece of the body here, and what the header says?  The root of one leaf is the leaf.
 */
static bool has_piece(const struct call *c)
{
    const struct sealing *s = c->data;
    const struct call *piece = s->apart ? NULL : req_piece_waiting(c, s->h.tid.b);

    return piece != NULL && s->pieces == 1 && piece->tail.len == length_sealed(s->h.body_length) &&
           memcmp(piece->msg->put_piece->leaf.data, s->h.body_root.b, IDS_HASH_LEN) == 0;
}

static void wait_for_pieces(struct call *c)
{
    struct sealing *s = c->data;

    s->together = has_piece(c);
    s->apart = !s->together;
    if (s->together)
        seal(c);
    else if (pieces_under_way(c))
        call_hold(c, wait_for_pieces);
    else if (call_pays(c, s->pieces / CALL_PIECES, NULL)) /* all are read and hashed */
        get_leaves(c);
}

/* ---- the manifest and its device ---- */

static int check_device(struct call *c, const struct manifest *m, struct err *err)
{
    const Satchel__SealTransfer *msg = c->msg->seal_transfer;
    const struct sealing *s = c->data;
    const struct manifest_device *device = NULL;
    int rc = manifest_device_at(m, &s->h.device, s->h.created, &device, err);

    if (rc != ERR_OK)
        return err_set(err, ERR_INVALID, "header: device is not one of the manifest");
    if (header_verify(part(msg->header.data, msg->header.len),
                      part(msg->signature.data, msg->signature.len), device->key, err) != ERR_OK)
        return err_set(err, ERR_INVALID, "signature is not good");
    return ERR_OK;
}

/* The manifest that the header names is here: go on with its device. */
static void on_manifest(struct call *c)
{
    struct err err = {0};

    if (check_device(c, c->conn->manifest, &err) != ERR_OK)
        call_error(c, ERR_INVALID, "%s", err.msg);
    else
        wait_for_pieces(c);
}

static void on_found(struct call *c)
{
    struct sealing *s = c->data;

    manifest_free(c->conn->manifest);
    c->conn->manifest = s->own.m;
    s->own.m = NULL;
    on_manifest(c);
}

/* A device that seals what it has signed: the connection knows its key, without its manifest. */
static bool is_forged(const struct call *c)
{
    const Satchel__SealTransfer *msg = c->msg->seal_transfer;
    const struct sealing *s = c->data;

    return memcmp(&s->h.device, &c->conn->device, sizeof(s->h.device)) == 0 &&
           header_verify(part(msg->header.data, msg->header.len),
                         part(msg->signature.data, msg->signature.len), c->conn->device_key,
                         NULL) != ERR_OK;
}

/* Looking for it is work: what is no good for other reasons does not come so far. */
static void get_manifest(struct call *c)
{
    struct sealing *s = c->data;

    if (is_forged(c)) {
        call_error(c, ERR_INVALID, "signature is not good");
        return;
    }
    s->own = (struct own_manifest){
        .uid = s->h.sender, .hash = s->h.manifest, .what = "header", .then = on_found};
    own_manifest_find(c);
}

/* ---- the upload ---- */

static int check_upload(const struct sealing *s, const struct conn_upload *up, struct err *err)
{
    struct header_facts facts = {.tid = s->h.tid,
                                 .sender = s->h.sender,
                                 .device = s->h.device, /* whichever of the sender's seals it */
                                 .created = up->created,
                                 .expires = up->expires,
                                 .policy_flags = up->policy,
                                 .opens = up->opens,
                                 .body_length = up->body_length,
                                 .slots = up->slots};

    if (up->grows && s->h.body_length < facts.body_length)
        facts.body_length = s->h.body_length;
    return header_matches(&s->h, &facts, err);
}

/* The upload is ${up}, as far as anybody knows: the store will see whether it is there. */
static void on_known(struct call *c, const struct conn_upload *up)
{
    struct sealing *s = c->data;
    int rc = check_upload(s, up, &s->why);

    s->pieces = body_pieces(s->h.body_length);
    if (rc != ERR_OK)
        get_upload(c);
    else if (c->conn->manifest != NULL &&
             memcmp(&c->conn->manifest->hash, &s->h.manifest, sizeof(s->h.manifest)) == 0)
        on_manifest(c); /* nearly always the one of the seal before */
    else
        get_manifest(c);
}

static void on_upload(struct call *c)
{
    struct sealing *s = c->data;
    const struct store_upload *up = &c->res->u.upload;
    struct conn_upload known = {.created = up->created,
                                .expires = up->expires,
                                .grows = up->grows,
                                .policy = up->policy,
                                .opens = up->opens_max,
                                .slots = (uint32_t)up->nslots};

    if (c->res->code != ERR_OK) {
        call_failed(c);
    } else if (up->sealed) { /* the store compares the headers */
        s->pieces = body_pieces(s->h.body_length);
        s->apart = true;
        seal(c);
    } else if (s->why.code != ERR_OK) {
        call_error(c, s->why.code, s->why.msg[0] != '\0' ? "%s" : NULL, s->why.msg);
    } else if (!length_from_sealed(up->body_max, &known.body_length)) {
        call_error(c, ERR_CORRUPT, "an upload of impossible length");
    } else {
        on_known(c, &known);
    }
}

/* The first step, or the last before something is refused: is it sealed by now? */
static void get_upload(struct call *c)
{
    const struct sealing *s = c->data;
    struct store_upload_get in;

    memcpy(in.tid, s->h.tid.b, sizeof(in.tid));
    memcpy(in.sender, s->h.sender.b, sizeof(in.sender));
    call_store(c, store_upload_get(c->d->port, &in, call_on_store, c), get_upload, on_upload);
}

void req_seal(struct call *c)
{
    const Satchel__SealTransfer *msg = c->msg->seal_transfer;
    struct sealing *s = calloc(1, sizeof(*s));
    const struct conn_upload *up;
    struct err err = {0};
    int rc;

    if (s == NULL) {
        call_error(c, ERR_NOMEM, NULL);
        return;
    }
    c->data = s;
    c->drop = sealing_free;
    rc = check_header(c, s, &err);
    if (rc == ERR_OK)
        rc = check_metadata(msg, &s->h, &err);
    if (rc == ERR_OK)
        rc = check_slots(msg, s, &err);
    if (rc != ERR_OK) {
        call_error(c, rc, "%s", err.msg);
        return;
    }
    up = conn_find_upload(c->conn, s->h.tid.b);
    if (up != NULL && !up->sealed)
        on_known(c, up);
    else
        get_upload(c);
}
