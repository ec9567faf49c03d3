/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/forge.h"

#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/pb_walk.h"

static const struct actor *actor_of(const struct world *w, uint8_t which)
{
    return &w->who[which % WORLD_USERS];
}

static const struct parcel *parcel_of(const struct world *w, uint8_t which)
{
    return &w->parcel[which % WORLD_PARCELS];
}

struct part forge_piece(const struct world *w, uint8_t which, uint32_t index)
{
    const struct parcel *x = parcel_of(w, which);
    size_t at = (size_t)(index % x->pieces) * BODY_PIECE_SEALED;

    return part(x->sealed + at, body_sealed_len(x->header.body_length, index % x->pieces));
}

/* ---- what stands for what ------------------------------------------------ */

typedef struct part find(const struct world *w, uint8_t which);

#define FIND(name, what)                                                                           \
    static struct part find_##name(const struct world *w, uint8_t which)                           \
    {                                                                                              \
        return what;                                                                               \
    }
#define HEADER_FIELD(name) FIND(name, PART_OF(parcel_of(w, which)->header.name.b))
#define BUF_PART(b)        part((b).data, (b).len)

FIND(user, PART_OF(actor_of(w, which)->u.uid.b))
FIND(user_device, PART_OF(actor_of(w, which)->u.device.id.b))
FIND(key, PART_OF(actor_of(w, which)->u.key.id.b))
FIND(upload_key, PART_OF(parcel_of(w, which)->upload_key))
FIND(leaf,
     PART_OF(parcel_of(w, which)->leaves[which / WORLD_PARCELS % parcel_of(w, which)->pieces].b))
FIND(body, which % 5 == 4 ? BUF_PART(w->next->body) : BUF_PART(actor_of(w, which)->u.first->body))
FIND(header, BUF_PART(parcel_of(w, which)->header_raw))
FIND(slot, BUF_PART(parcel_of(w, which)->slot_raw[which / WORLD_PARCELS % 2]))
FIND(metadata, BUF_PART(parcel_of(w, which)->metadata))
FIND(salt, PART_OF(parcel_of(w, which)->header.salt))
HEADER_FIELD(tid)
HEADER_FIELD(sender)
HEADER_FIELD(manifest)
HEADER_FIELD(device)
HEADER_FIELD(kid)
HEADER_FIELD(cid)
HEADER_FIELD(mkid)
HEADER_FIELD(commitment)
HEADER_FIELD(body_root)
HEADER_FIELD(metadata_hash)
HEADER_FIELD(slots_root)

static const struct {
    const char *message, *field; /* NULL: of any message */
    find *find;
} truths[] = {
    {NULL, "tid", find_tid},
    {NULL, "user_id", find_user},
    {NULL, "ek_id", find_key},
    {NULL, "upload_key", find_upload_key},
    {NULL, "leaf", find_leaf},
    {"Login", "device", find_user_device},
    {"Signed", "body", find_body},
    {"SealTransfer", "header", find_header},
    {"SealTransfer", "metadata", find_metadata},
    {"SealedSlot", "slot", find_slot},
    {"Header", "sender", find_sender},
    {"Header", "manifest", find_manifest},
    {"Header", "device", find_device},
    {"Header", "kid", find_kid},
    {"Header", "cid", find_cid},
    {"Header", "mkid", find_mkid},
    {"Header", "salt", find_salt},
    {"Header", "commitment", find_commitment},
    {"Header", "body_root", find_body_root},
    {"Header", "metadata_hash", find_metadata_hash},
    {"Header", "slots_root", find_slots_root},
};

static void forge_bytes(const struct world *w, const char *message, const char *field,
                        ProtobufCBinaryData *b)
{
    if (b->len != 1)
        return;
    for (size_t i = 0; i < sizeof(truths) / sizeof(truths[0]); i++)
        if (strcmp(truths[i].field, field) == 0 &&
            (truths[i].message == NULL || strcmp(truths[i].message, message) == 0)) {
            pb_set_bytes(b, truths[i].find(w, b->data[0]));
            return;
        }
}

static void forge_number(const struct world *w, const char *field, uint64_t *n)
{
    const struct header *h = &w->parcel[WORLD_BEGUN].header;

    if (*n != 1)
        return;
    if (strcmp(field, "time") == 0 || strcmp(field, "created") == 0)
        *n = h->created;
    else if (strcmp(field, "expires") == 0)
        *n = h->expires;
    else if (strcmp(field, "body_length") == 0)
        *n = h->body_length;
}

static void forge_value(void *cookie, const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f,
                        void *value)
{
    const struct world *w = cookie;

    if (f->type == PROTOBUF_C_TYPE_BYTES)
        forge_bytes(w, m->descriptor->short_name, f->name, value);
    else if (f->type == PROTOBUF_C_TYPE_UINT64)
        forge_number(w, f->name, value);
}

static void forge_message(const struct world *w, ProtobufCMessage *m)
{
    pb_walk(m, forge_value, (void *)(uintptr_t)w);
}

/* ---- signatures, when all else is as it will be sent ---------------------------- */

static bool wants(const ProtobufCBinaryData *sig, const struct world *w, const struct actor **by)
{
    if (sig->len != 1)
        return false;
    *by = actor_of(w, sig->data[0]);
    return true;
}

static void sign_manifest(const struct world *w, Satchel__Signed *s)
{
    const struct actor *by = NULL;
    uint8_t sig[SIGNED_SIG_LEN];

    if (s == NULL || !wants(&s->signature, w, &by))
        return;
    MUST(signed_make(SIGNED_MANIFEST, &by->u.isk, part(s->body.data, s->body.len), sig, NULL) ==
         ERR_OK);
    pb_set_bytes(&s->signature, PART_OF(sig));
}

static void sign_register(const struct world *w, struct peer *p, Satchel__Register *msg)
{
    const struct actor *by = NULL;
    struct login_registration r = {.server = p->server};
    uint8_t sig[SIGNED_SIG_LEN];

    if (strcmp(msg->username, "dave") == 0)
        pb_set_text(&msg->username, w->who[WORLD_DAVE].u.name);
    if (strcmp(msg->email, "dave") == 0)
        pb_set_text(&msg->email, w->who[WORLD_DAVE].email);
    r.username = msg->username;
    r.email = msg->email;
    sign_manifest(w, msg->manifest);
    if (!wants(&msg->signature, w, &by) || !peer_exporter(p, r.exporter))
        return;
    r.manifest = by->u.first->hash;
    if (login_register_sign(&r, &by->u.isk, sig, NULL) == ERR_OK) /* names may be too long */
        pb_set_bytes(&msg->signature, PART_OF(sig));
}

static void sign_login(const struct world *w, struct peer *p, Satchel__Login *msg)
{
    const struct actor *by = NULL;
    struct login l = {.server = p->server, .time = msg->time};
    uint8_t sig[SIGNED_SIG_LEN];

    if (!wants(&msg->signature, w, &by) || !peer_exporter(p, l.exporter))
        return;
    l.uid = by->u.uid;
    l.device = by->u.device.id;
    memcpy(l.nonce, p->nonce, sizeof(l.nonce));
    MUST(login_sign(&l, &by->u.dsk, sig, NULL) == ERR_OK);
    pb_set_bytes(&msg->signature, PART_OF(sig));
}

/* A header that is written out may have forged fields of its own. */
static void sign_seal(const struct world *w, Satchel__SealTransfer *msg)
{
    Satchel__Header *h = satchel__header__unpack(NULL, msg->header.len, msg->header.data);
    const struct actor *by = NULL;
    uint8_t sig[SIGNED_SIG_LEN];

    if (h != NULL) {
        size_t len = 0;
        uint8_t *raw;

        forge_message(w, &h->base);
        raw = pb_pack(&h->base, &len);
        pb_set_bytes(&msg->header, part(raw, len));
        free(raw);
        satchel__header__free_unpacked(h, NULL);
    }
    if (!wants(&msg->signature, w, &by))
        return;
    MUST(signed_make(SIGNED_TRANSFER, &by->u.dsk, part(msg->header.data, msg->header.len), sig,
                     NULL) == ERR_OK);
    pb_set_bytes(&msg->signature, PART_OF(sig));
}

void forge_envelope(const struct world *w, struct peer *p, Satchel__Envelope *env)
{
    forge_message(w, &env->base);
    if (env->body_case == SATCHEL__ENVELOPE__BODY_REGISTER)
        sign_register(w, p, env->register_);
    else if (env->body_case == SATCHEL__ENVELOPE__BODY_LOGIN)
        sign_login(w, p, env->login);
    else if (env->body_case == SATCHEL__ENVELOPE__BODY_PUT_MANIFEST)
        sign_manifest(w, env->put_manifest->manifest);
    else if (env->body_case == SATCHEL__ENVELOPE__BODY_SEAL_TRANSFER)
        sign_seal(w, env->seal_transfer);
}
