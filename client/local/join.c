/* SPDX-License-Identifier: Apache-2.0 */
#include "client/local/join.h"

#include <stdio.h>
#include <string.h>

#include "client/local/pb_secret.h"
#include "common/crypto/hash.h"
#include "common/crypto/hpke.h"
#include "common/crypto/kdf.h"
#include "common/transfer/wire.h"
#include "proto/satchel.pb-c.h"

enum {
    OPENING_LEN = JOIN_NONCE_LEN + IDS_UID_LEN,
    ANSWER_STEP = 4096 /* an answer is padded to a multiple of it */
};

/* Each key here encrypts once. */
static const uint8_t nonce_0[GCM_NONCE_LEN];

/* ${what}: of memory that was missing it is also said which, if that is known. */
static int failed(int rc, const char *what, struct err *err)
{
    if (rc != ERR_NOMEM)
        return err_set(err, rc, "%s", what);
    if (err != NULL && err->code != rc)
        (void)err_set(err, rc, "%s", err_text(rc));
    err_wrap(err, "%s", what);
    return rc;
}

/* ---- requests ---- */

/* LP(label) || LP(server_id) || LP(id) */
static int place_of(const char *label, const struct join_meeting *m, struct buf *out)
{
    buf_lp_str(out, label);
    buf_lp(out, m->server.b, sizeof(m->server.b));
    buf_lp(out, m->code->id, sizeof(m->code->id));
    return buf_check(out, NULL);
}

/* F(S, name, once): a key that encrypts once, as ${once} is another one each time. */
static int key_of(const struct join_meeting *m, const char *name, struct part once,
                  struct secret *ret)
{
    int rc = secret_new(ret, KDF_LEN, NULL);

    return rc == ERR_OK ? kdf_f(ret->data, part_secret(&m->code->secret), name, PARTS(once)) : rc;
}

static int pack_request(const struct join_request *r, struct buf *out)
{
    Satchel__JoinRequest m = SATCHEL__JOIN_REQUEST__INIT;
    uint8_t *to;

    m.version = JOIN_VERSION;
    m.device_key = wire_data(part(r->device_key, sizeof(r->device_key)));
    m.box = wire_data(part(r->box, sizeof(r->box)));
    m.key = wire_data(part(r->key, sizeof(r->key)));
    if (r->has_pin)
        m.pin = wire_data(part(r->pin.b, sizeof(r->pin.b)));
    m.name = (char *)(uintptr_t)r->name;
    to = buf_reserve(out, satchel__join_request__get_packed_size(&m));
    if (to == NULL)
        return ERR_NOMEM;
    out->len += satchel__join_request__pack(&m, to);
    return ERR_OK;
}

int join_request_seal(const struct join_request *r, const struct join_meeting *m,
                      const uint8_t *salt, struct buf *out, struct err *err)
{
    struct buf plain = {0}, aad = {0};
    struct secret key = {0};
    uint8_t *to = NULL;
    int rc = pack_request(r, &plain);

    if (rc == ERR_OK)
        rc = place_of(KDF_PREFIX "join request", m, &aad);
    if (rc == ERR_OK)
        rc = key_of(m, "join request", part(salt, JOIN_SALT_LEN), &key);
    if (rc == ERR_OK) {
        to = buf_reserve(out, JOIN_SALT_LEN + plain.len + GCM_TAG_LEN);
        rc = to != NULL ? gcm_seal_once(key.data, nonce_0, part(aad.data, aad.len),
                                        part(plain.data, plain.len), to + JOIN_SALT_LEN)
                        : ERR_NOMEM;
    }
    if (rc == ERR_OK) {
        memcpy(to, salt, JOIN_SALT_LEN);
        out->len += JOIN_SALT_LEN + plain.len + GCM_TAG_LEN;
    }
    secret_free(&key);
    buf_free(&plain);
    buf_free(&aad);
    return rc == ERR_OK ? rc : failed(rc, "cannot seal a request to join", err);
}

static int take(const ProtobufCBinaryData *from, void *to, size_t len)
{
    if (from->len != len)
        return ERR_INVALID;
    memcpy(to, from->data, len);
    return ERR_OK;
}

static int take_name(const char *from, char to[IDENTITY_NAME_SIZE])
{
    if (!identity_name_fits(from))
        return ERR_INVALID;
    memcpy(to, from, strlen(from) + 1);
    return ERR_OK;
}

static int unpack_request(struct join_request *ret, const uint8_t *plain, size_t len)
{
    Satchel__JoinRequest *m = satchel__join_request__unpack(NULL, len, plain);
    struct join_request r = {0};
    int rc = m != NULL ? ERR_OK : ERR_INVALID;

    if (rc == ERR_OK && m->version != JOIN_VERSION)
        rc = ERR_UNSUPPORTED;
    if (rc == ERR_OK)
        rc = take(&m->device_key, r.device_key, sizeof(r.device_key));
    if (rc == ERR_OK)
        rc = take(&m->box, r.box, sizeof(r.box));
    if (rc == ERR_OK)
        rc = take(&m->key, r.key, sizeof(r.key));
    r.has_pin = rc == ERR_OK && m->pin.len > 0;
    if (r.has_pin)
        rc = take(&m->pin, r.pin.b, sizeof(r.pin.b));
    if (rc == ERR_OK)
        rc = take_name(m->name, r.name);
    satchel__join_request__free_unpacked(m, NULL);
    if (rc == ERR_OK)
        *ret = r;
    return rc;
}

int join_request_open(struct join_request *ret, const struct join_meeting *m, struct err *err)
{
    uint8_t plain[JOIN_REQUEST_MAX];
    const uint8_t *from = part_bytes(m->request);
    struct buf aad = {0};
    struct secret key = {0};
    size_t len = m->request.len - JOIN_SALT_LEN - GCM_TAG_LEN;
    int rc;

    if (m->request.len < JOIN_SALT_LEN + GCM_TAG_LEN || len > sizeof(plain))
        return err_set(err, ERR_INVALID, "not a request to join");
    rc = key_of(m, "join request", part(from, JOIN_SALT_LEN), &key);
    if (rc == ERR_OK)
        rc = place_of(KDF_PREFIX "join request", m, &aad);
    if (rc == ERR_OK)
        rc = gcm_open_once(key.data, nonce_0, part(aad.data, aad.len),
                           part(from + JOIN_SALT_LEN, m->request.len - JOIN_SALT_LEN), plain);
    if (rc == ERR_OK)
        rc = unpack_request(ret, plain, len);
    secret_free(&key);
    buf_free(&aad);
    return rc == ERR_OK ? rc : failed(rc, "the request to join cannot be opened", err);
}

/* ---- the opening ---- */

int join_opening_seal(const struct join_meeting *m, struct buf *out, struct err *err)
{
    struct secret plain = {0}, key = {0};
    struct buf aad = {0};
    uint8_t *to = NULL;
    int rc =
        m->code->nonce.len == JOIN_NONCE_LEN ? secret_new(&plain, OPENING_LEN, err) : ERR_INTERNAL;

    if (rc == ERR_OK) {
        memcpy(plain.data, m->code->nonce.data, JOIN_NONCE_LEN);
        memcpy(plain.data + JOIN_NONCE_LEN, m->code->uid.b, IDS_UID_LEN);
        rc = key_of(m, "join opening", m->request, &key);
    }
    if (rc == ERR_OK)
        rc = place_of(KDF_PREFIX "join opening", m, &aad);
    if (rc == ERR_OK) {
        to = buf_reserve(out, OPENING_LEN + GCM_TAG_LEN);
        rc = to != NULL ? gcm_seal_once(key.data, nonce_0, part(aad.data, aad.len),
                                        part_secret(&plain), to)
                        : ERR_NOMEM;
    }
    if (rc == ERR_OK)
        out->len += OPENING_LEN + GCM_TAG_LEN;
    secret_free(&plain);
    secret_free(&key);
    buf_free(&aad);
    return rc == ERR_OK ? rc : failed(rc, "cannot open the code for a new device", err);
}

static int take_opening(struct join_code *code, const struct secret *plain, struct err *err)
{
    struct secret nonce = {0};
    struct uid uid;
    int rc = secret_copy(&nonce, plain->data, JOIN_NONCE_LEN, err);

    memcpy(uid.b, plain->data + JOIN_NONCE_LEN, IDS_UID_LEN);
    if (rc == ERR_OK)
        rc = join_code_open(code, &nonce, &uid, err);
    secret_free(&nonce);
    return rc;
}

int join_opening_open(struct join_code *code, const struct join_meeting *m, struct part sealed,
                      struct err *err)
{
    struct secret plain = {0}, key = {0};
    struct buf aad = {0};
    int rc;

    if (sealed.len != OPENING_LEN + GCM_TAG_LEN)
        return err_set(err, ERR_INVALID, "not the opening of a code");
    rc = key_of(m, "join opening", m->request, &key);
    if (rc == ERR_OK)
        rc = place_of(KDF_PREFIX "join opening", m, &aad);
    if (rc == ERR_OK)
        rc = secret_new(&plain, OPENING_LEN, err);
    if (rc == ERR_OK)
        rc = gcm_open_once(key.data, nonce_0, part(aad.data, aad.len), sealed, plain.data);
    if (rc != ERR_OK)
        (void)failed(rc, "the opening of the code cannot be read", err);
    else
        rc = take_opening(code, &plain, err);
    secret_free(&plain);
    secret_free(&key);
    buf_free(&aad);
    return rc;
}

/* ---- answers ---- */

void join_answer_free(struct join_answer *a)
{
    secret_free(&a->isk);
    secret_free(&a->account);
}

/* H over all that both sides know: an answer fits one request to one code at one server. */
static int ctx_of(const struct join_meeting *m, const uint8_t enc[HPKE_ENC_LEN],
                  uint8_t ret[HASH_SHA512_LEN])
{
    return hash_lp(HASH_SHA512, ret,
                   PARTS(part_str(KDF_PREFIX "join answer"), PART_OF(m->server.b),
                         PART_OF(m->code->id), part(enc, HPKE_ENC_LEN), m->request));
}

/* F(x, "join 1", ctx) xor F(secret, "join 2", ctx): good while one of the two is. */
static int answer_key(const struct join_meeting *m, const struct hpke *h,
                      const uint8_t ctx[HASH_SHA512_LEN], struct secret *ret)
{
    struct secret x = {0}, other = {0};
    int rc = secret_new(&x, KDF_LEN, NULL);

    if (rc == ERR_OK)
        rc = secret_new(&other, KDF_LEN, NULL);
    if (rc == ERR_OK)
        rc = secret_new(ret, KDF_LEN, NULL);
    if (rc == ERR_OK)
        rc = hpke_export(h, part_str(KDF_PREFIX "join kek"), x.data, x.len);
    if (rc == ERR_OK)
        rc = kdf_f(ret->data, part_secret(&x), "join 1", PARTS(part(ctx, HASH_SHA512_LEN)));
    if (rc == ERR_OK)
        rc = kdf_f(other.data, part_secret(&m->code->secret), "join 2",
                   PARTS(part(ctx, HASH_SHA512_LEN)));
    for (size_t i = 0; rc == ERR_OK && i < KDF_LEN; i++)
        ret->data[i] ^= other.data[i];
    secret_free(&x);
    secret_free(&other);
    return rc;
}

static int info_of(const struct join_meeting *m, struct buf *out)
{
    return place_of(KDF_PREFIX "join", m, out);
}

/* u32 length, message, zeros. */
static int pack_answer(const struct join_answer *a, struct secret *ret)
{
    Satchel__JoinAnswer m = SATCHEL__JOIN_ANSWER__INIT;
    struct secret bare = {0};
    int rc;

    m.version = JOIN_VERSION;
    m.identity_seed = wire_data(part(a->isk.data, a->isk.len));
    m.username = (char *)(uintptr_t)a->username;
    m.email = (char *)(uintptr_t)a->email;
    if (a->has_box)
        m.recovery_box = wire_data(part(a->recovery_box, sizeof(a->recovery_box)));
    m.manifest = wire_data(part(a->manifest.b, sizeof(a->manifest.b)));
    m.account = wire_data(part(a->account.data, a->account.len));
    m.name = (char *)(uintptr_t)a->name;
    rc = pb_secret_pack(&m.base, &bare, NULL);
    if (rc == ERR_OK)
        rc = secret_new(ret, (bare.len + 4 + ANSWER_STEP - 1) / ANSWER_STEP * ANSWER_STEP, NULL);
    if (rc == ERR_OK) {
        put_be32(ret->data, (uint32_t)bare.len);
        memcpy(ret->data + 4, bare.data, bare.len);
    }
    secret_free(&bare);
    return rc;
}

int join_answer_seal(const struct join_answer *a, const struct join_meeting *m,
                     const struct secret *ephemeral, struct buf *out, struct err *err)
{
    uint8_t ctx[HASH_SHA512_LEN], *to = NULL;
    struct secret plain = {0}, k = {0};
    struct buf info = {0};
    struct hpke h = {0};
    int rc = pack_answer(a, &plain);

    if (rc == ERR_OK)
        rc = info_of(m, &info);
    if (rc == ERR_OK) {
        to = buf_reserve(out, HPKE_ENC_LEN + plain.len + GCM_TAG_LEN);
        rc = to != NULL
                 ? hpke_encap(&h, to, m->joiner->key, part(info.data, info.len), ephemeral->data)
                 : ERR_NOMEM;
    }
    if (rc == ERR_OK)
        rc = ctx_of(m, to, ctx);
    if (rc == ERR_OK)
        rc = answer_key(m, &h, ctx, &k);
    if (rc == ERR_OK)
        rc = gcm_seal_once(k.data, nonce_0, PART_OF(ctx), part_secret(&plain), to + HPKE_ENC_LEN);
    if (rc == ERR_OK)
        out->len += HPKE_ENC_LEN + plain.len + GCM_TAG_LEN;
    hpke_free(&h);
    secret_free(&plain);
    secret_free(&k);
    buf_free(&info);
    return rc == ERR_OK ? rc : failed(rc, "cannot seal the answer to a new device", err);
}

static int fill_answer(const Satchel__JoinAnswer *m, struct join_answer *a, struct err *err)
{
    int rc = m->version == JOIN_VERSION ? ERR_OK : ERR_UNSUPPORTED;

    if (rc == ERR_OK && (m->identity_seed.len != 32 || m->account.len == 0 ||
                         ids_check_username(m->username, NULL) != ERR_OK))
        rc = ERR_INVALID;
    if (rc == ERR_OK)
        rc = ids_fold_email(m->email, a->email, NULL);
    if (rc == ERR_OK)
        rc = take(&m->manifest, a->manifest.b, sizeof(a->manifest.b));
    a->has_box = rc == ERR_OK && m->recovery_box.len > 0;
    if (a->has_box)
        rc = take(&m->recovery_box, a->recovery_box, sizeof(a->recovery_box));
    if (rc == ERR_OK)
        rc = take_name(m->name, a->name);
    if (rc == ERR_OK)
        rc = secret_copy(&a->isk, m->identity_seed.data, m->identity_seed.len, err);
    if (rc == ERR_OK)
        rc = secret_copy(&a->account, m->account.data, m->account.len, err);
    if (rc == ERR_OK)
        memcpy(a->username, m->username, strlen(m->username) + 1);
    return rc;
}

static int unpack_answer(const struct secret *plain, struct join_answer *ret, struct err *err)
{
    ProtobufCMessage *m = NULL;
    struct join_answer a = {0};
    size_t len = get_be32(plain->data);
    int rc = len <= plain->len - 4 ? ERR_OK : ERR_INVALID;

    if (rc == ERR_OK)
        rc = pb_secret_unpack(&satchel__join_answer__descriptor, part(plain->data + 4, len), &m,
                              err);
    if (rc == ERR_CORRUPT)
        rc = ERR_INVALID;
    if (rc == ERR_OK)
        rc = fill_answer((const Satchel__JoinAnswer *)m, &a, err);
    satchel__join_answer__free_unpacked((Satchel__JoinAnswer *)m, &pb_secret_allocator);
    if (rc == ERR_OK)
        *ret = a;
    else
        join_answer_free(&a);
    return rc;
}

int join_answer_open(struct join_answer *ret, const struct join_meeting *m,
                     const struct secret *key, struct part sealed, struct err *err)
{
    uint8_t ctx[HASH_SHA512_LEN];
    struct secret plain = {0}, k = {0};
    struct buf info = {0};
    struct hpke h = {0};
    const uint8_t *from = part_bytes(sealed);
    int rc;

    if (sealed.len < HPKE_ENC_LEN + 4 + GCM_TAG_LEN || sealed.len > JOIN_ANSWER_MAX)
        return err_set(err, ERR_INVALID, "not an answer to a new device");
    rc = info_of(m, &info);
    if (rc == ERR_OK)
        rc = hpke_decap(&h, from, key->data, part(info.data, info.len));
    if (rc == ERR_OK)
        rc = ctx_of(m, from, ctx);
    if (rc == ERR_OK)
        rc = answer_key(m, &h, ctx, &k);
    if (rc == ERR_OK)
        rc = secret_new(&plain, sealed.len - HPKE_ENC_LEN - GCM_TAG_LEN, err);
    if (rc == ERR_OK)
        rc = gcm_open_once(k.data, nonce_0, PART_OF(ctx),
                           part(from + HPKE_ENC_LEN, sealed.len - HPKE_ENC_LEN), plain.data);
    if (rc == ERR_OK)
        rc = unpack_answer(&plain, ret, err);
    hpke_free(&h);
    secret_free(&plain);
    secret_free(&k);
    buf_free(&info);
    return rc == ERR_OK ? rc : failed(rc, "the answer of the other device cannot be opened", err);
}

/* ---- the number ---- */

int join_check(const struct join_meeting *m, char ret_text[JOIN_CHECK_TEXT], struct err *err)
{
    const struct join_code *c = m->code;
    uint8_t bytes[KDF_LEN] = {0};
    int rc = c->nonce.len == JOIN_NONCE_LEN
                 ? kdf_f(bytes, part_secret(&c->nonce), "join number",
                         PARTS(PART_OF(m->server.b), PART_OF(c->id), PART_OF(c->uid.b), m->request))
                 : ERR_INTERNAL;
    unsigned number = get_be32(bytes) % 1000000;

    if (rc != ERR_OK)
        return err_set(err, rc, "cannot make the number of a request to join");
    (void)snprintf(ret_text, JOIN_CHECK_TEXT, "%03u %03u", number / 1000, number % 1000);
    return ERR_OK;
}
