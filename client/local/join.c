/* SPDX-License-Identifier: Apache-2.0 */
#include "client/local/join.h"

#include <string.h>

#include "client/local/pb_secret.h"
#include "common/crypto/base32.h"
#include "common/crypto/hash.h"
#include "common/crypto/hpke.h"
#include "common/crypto/kdf.h"
#include "common/crypto/rng.h"
#include "common/transfer/wire.h"
#include "proto/satchel.pb-c.h"

enum {
    VERSION = 1,
    CHECK_LEN = 4, /* behind the secret, against typing errors */
    CODE_LEN = JOIN_SECRET_LEN + CHECK_LEN,
    CODE_CHARS = 32, /* base32_len(CODE_LEN) */
    GROUP = 4,
    SALT_LEN = 32,
    ANSWER_STEP = 4096 /* an answer is padded to a multiple of it */
};

static const uint8_t nonce[GCM_NONCE_LEN];

/* ---- the code ---- */

void join_code_free(struct join_code *c)
{
    secret_free(&c->secret);
}

static int check_of(const struct secret *s, uint8_t ret[CHECK_LEN])
{
    uint8_t h[HASH_SHA256_LEN];
    int rc = hash_lp(HASH_SHA256, h, PARTS(part_str(KDF_PREFIX "join code"), part_secret(s)));

    if (rc == ERR_OK)
        memcpy(ret, h, CHECK_LEN);
    secret_wipe(h, sizeof(h));
    return rc;
}

int join_code_make(struct join_code *ret, struct secret *secret, struct err *err)
{
    uint8_t id[KDF_LEN];
    int rc = secret->len == JOIN_SECRET_LEN ? kdf_f(id, part_secret(secret), "join id", NULL, 0)
                                            : ERR_INTERNAL;

    if (rc != ERR_OK)
        return err_set(err, rc, "cannot make a code");
    memcpy(ret->id, id, JOIN_ID_LEN);
    secret_move(&ret->secret, secret);
    return ERR_OK;
}

int join_code_show(const struct join_code *c, struct secret *ret_text, struct err *err)
{
    struct secret plain = {0}, text = {0};
    char digits[CODE_CHARS + 1];
    int rc = secret_new(&plain, CODE_LEN, err);

    if (rc == ERR_OK)
        rc = secret_new(&text, JOIN_CODE_TEXT, err);
    if (rc == ERR_OK) {
        memcpy(plain.data, c->secret.data, JOIN_SECRET_LEN);
        rc = check_of(&c->secret, plain.data + JOIN_SECRET_LEN);
    }
    if (rc == ERR_OK) {
        char *to = (char *)text.data;

        base32_encode(digits, plain.data, CODE_LEN);
        for (size_t i = 0; i < CODE_CHARS; i++) {
            if (i > 0 && i % GROUP == 0)
                *to++ = '-';
            *to++ = digits[i];
        }
        secret_move(ret_text, &text);
    }
    secret_wipe(digits, sizeof(digits));
    secret_free(&plain);
    secret_free(&text);
    return rc;
}

/* The digits alone, in capitals; letters and numbers that look alike are told apart: base32 has no
 * 0, 1 and 8. */
static bool tidy(const char *text, char ret[CODE_CHARS + 1])
{
    size_t n = 0;

    for (; *text != '\0'; text++) {
        char c = *text;

        if (c == ' ' || c == '-' || c == '\t' || c == '\r' || c == '\n')
            continue;
        if (n == CODE_CHARS)
            return false;
        if (c >= 'a' && c <= 'z')
            c = (char)(c - 'a' + 'A');
        ret[n++] = c;
        if (c == '0')
            ret[n - 1] = 'O';
        else if (c == '1')
            ret[n - 1] = 'I';
        else if (c == '8')
            ret[n - 1] = 'B';
    }
    ret[n] = '\0';
    return n == CODE_CHARS;
}

int join_code_read(struct join_code *ret, const char *text, struct err *err)
{
    char digits[CODE_CHARS + 1];
    struct secret plain = {0};
    uint8_t check[CHECK_LEN] = {0};
    int rc = secret_new(&plain, CODE_LEN, err);

    if (rc == ERR_OK && !(tidy(text, digits) && base32_decode(plain.data, CODE_LEN, digits)))
        rc = err_set(err, ERR_INVALID, "a code has eight groups of four letters and digits");
    if (rc == ERR_OK) {
        struct secret s = {0};

        rc = secret_copy(&s, plain.data, JOIN_SECRET_LEN, err);
        if (rc == ERR_OK)
            rc = check_of(&s, check);
        if (rc == ERR_OK && !secret_equal(check, plain.data + JOIN_SECRET_LEN, CHECK_LEN))
            rc =
                err_set(err, ERR_INVALID, "the code was mistyped: its letters do not fit together");
        if (rc == ERR_OK)
            rc = join_code_make(ret, &s, err);
        secret_free(&s);
    }
    secret_wipe(digits, sizeof(digits));
    secret_free(&plain);
    return rc;
}

/* ---- requests ---- */

static int aad_of(const char *label, const struct server_id *server, const struct join_code *c,
                  struct buf *out)
{
    buf_lp_str(out, label);
    buf_lp(out, server->b, sizeof(server->b));
    buf_lp(out, c->id, sizeof(c->id));
    return buf_check(out, NULL);
}

/* The key of one request: the salt makes it another one each time. */
static int request_key(const struct join_code *c, const uint8_t salt[SALT_LEN], struct secret *ret)
{
    int rc = secret_new(ret, KDF_LEN, NULL);

    return rc == ERR_OK ? kdf_f(ret->data, part_secret(&c->secret), "join request",
                                PARTS(part(salt, SALT_LEN)))
                        : rc;
}

static int pack_request(const struct join_request *r, struct buf *out)
{
    Satchel__JoinRequest m = SATCHEL__JOIN_REQUEST__INIT;
    uint8_t *to;

    m.version = VERSION;
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

int join_request_seal(const struct join_request *r, const struct join_code *c,
                      const struct server_id *server, struct buf *out, struct err *err)
{
    struct buf plain = {0}, aad = {0};
    struct secret key = {0};
    uint8_t *to = NULL;
    int rc = pack_request(r, &plain);

    if (rc == ERR_OK)
        rc = aad_of(KDF_PREFIX "join request", server, c, &aad);
    if (rc == ERR_OK) {
        to = buf_reserve(out, SALT_LEN + plain.len + GCM_TAG_LEN);
        rc = to != NULL ? rng_bytes(to, SALT_LEN) : ERR_NOMEM;
    }
    if (rc == ERR_OK)
        rc = request_key(c, to, &key);
    if (rc == ERR_OK)
        rc = gcm_seal_once(key.data, nonce, part(aad.data, aad.len), part(plain.data, plain.len),
                           to + SALT_LEN);
    if (rc == ERR_OK)
        out->len += SALT_LEN + plain.len + GCM_TAG_LEN;
    secret_free(&key);
    buf_free(&plain);
    buf_free(&aad);
    return rc == ERR_OK ? rc : err_set(err, rc, "cannot seal a request to join");
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

    if (rc == ERR_OK && m->version != VERSION)
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

int join_request_open(struct join_request *ret, const struct join_code *c,
                      const struct server_id *server, struct part sealed, struct err *err)
{
    uint8_t plain[JOIN_REQUEST_MAX];
    struct buf aad = {0};
    struct secret key = {0};
    size_t len = sealed.len - SALT_LEN - GCM_TAG_LEN;
    int rc;

    if (sealed.len < SALT_LEN + GCM_TAG_LEN || len > sizeof(plain))
        return err_set(err, ERR_INVALID, "not a request to join");
    rc = request_key(c, sealed.data, &key);
    if (rc == ERR_OK)
        rc = aad_of(KDF_PREFIX "join request", server, c, &aad);
    if (rc == ERR_OK)
        rc = gcm_open_once(key.data, nonce, part(aad.data, aad.len),
                           part(part_bytes(sealed) + SALT_LEN, sealed.len - SALT_LEN), plain);
    if (rc == ERR_OK)
        rc = unpack_request(ret, plain, len);
    secret_free(&key);
    buf_free(&aad);
    return rc == ERR_OK ? rc : err_set(err, rc, "the request to join cannot be opened");
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
    return aad_of(KDF_PREFIX "join", &m->server, m->code, out);
}

/* u32 length, message, zeros. */
static int pack_answer(const struct join_answer *a, struct secret *ret)
{
    Satchel__JoinAnswer m = SATCHEL__JOIN_ANSWER__INIT;
    struct secret bare = {0};
    int rc;

    m.version = VERSION;
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
                     const uint8_t key[IDS_KEY_LEN], const struct secret *ephemeral,
                     struct buf *out, struct err *err)
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
        rc = to != NULL ? hpke_encap(&h, to, key, part(info.data, info.len), ephemeral->data)
                        : ERR_NOMEM;
    }
    if (rc == ERR_OK)
        rc = ctx_of(m, to, ctx);
    if (rc == ERR_OK)
        rc = answer_key(m, &h, ctx, &k);
    if (rc == ERR_OK)
        rc = gcm_seal_once(k.data, nonce, PART_OF(ctx), part_secret(&plain), to + HPKE_ENC_LEN);
    if (rc == ERR_OK)
        out->len += HPKE_ENC_LEN + plain.len + GCM_TAG_LEN;
    hpke_free(&h);
    secret_free(&plain);
    secret_free(&k);
    buf_free(&info);
    return rc == ERR_OK ? rc : err_set(err, rc, "cannot seal the answer to a new device");
}

static int take_secret(const ProtobufCBinaryData *from, struct secret *ret)
{
    return secret_copy(ret, from->data, from->len, NULL);
}

static int fill_answer(const Satchel__JoinAnswer *m, struct join_answer *a)
{
    int rc = m->version == VERSION ? ERR_OK : ERR_UNSUPPORTED;

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
        rc = take_secret(&m->identity_seed, &a->isk);
    if (rc == ERR_OK)
        rc = take_secret(&m->account, &a->account);
    if (rc == ERR_OK)
        memcpy(a->username, m->username, strlen(m->username) + 1);
    return rc;
}

static int unpack_answer(const struct secret *plain, struct join_answer *ret)
{
    Satchel__JoinAnswer *m = NULL;
    struct join_answer a = {0};
    size_t len = get_be32(plain->data);
    int rc = len <= plain->len - 4 ? ERR_OK : ERR_INVALID;

    if (rc == ERR_OK) {
        m = satchel__join_answer__unpack(&pb_secret_allocator, len, plain->data + 4);
        rc = m != NULL ? fill_answer(m, &a) : ERR_INVALID;
        satchel__join_answer__free_unpacked(m, &pb_secret_allocator);
    }
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
        rc = secret_new(&plain, sealed.len - HPKE_ENC_LEN - GCM_TAG_LEN, NULL);
    if (rc == ERR_OK)
        rc = gcm_open_once(k.data, nonce, PART_OF(ctx),
                           part(from + HPKE_ENC_LEN, sealed.len - HPKE_ENC_LEN), plain.data);
    if (rc == ERR_OK)
        rc = unpack_answer(&plain, ret);
    hpke_free(&h);
    secret_free(&plain);
    secret_free(&k);
    buf_free(&info);
    return rc == ERR_OK ? rc : err_set(err, rc, "the answer of the other device cannot be opened");
}
