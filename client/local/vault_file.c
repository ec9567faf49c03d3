/* SPDX-License-Identifier: Apache-2.0 */
#include "client/local/vault_file.h"

#include <string.h>

#include "common/crypto/gcm.h"
#include "common/crypto/hash.h"
#include "common/crypto/kdf.h"
#include "common/crypto/rng.h"
#include "common/crypto/scrypt.h"

enum {
    SALT_LEN = 32,
    SCRYPT_LOG_N = 17,
    SCRYPT_R = 8,
    SCRYPT_P = 1,
    SCRYPT_LOG_N_MAX = 22, /* what we are willing to pay for somebody else's numbers */
    SCRYPT_R_MAX = 32,
    SCRYPT_P_MAX = 16,
    POLICY_ALL = 1, /* every factor is needed */
    WRAP_LEN = VAULT_FILE_KEY_LEN + GCM_TAG_LEN,
    SUM_LEN = HASH_SHA256_LEN,
    CTX_LEN = HASH_SHA512_LEN,
};

static const char file_magic[8] = {'S', 'A', 'T', 'V', 'A', 'U', 'L', 'T'};
static const uint8_t nonce_0[GCM_NONCE_LEN];

struct factor {
    uint32_t kind;
    uint32_t log_n, r, p; /* of a passphrase */
    uint8_t salt[SALT_LEN];
};

/* A vault file taken apart. */
struct parsed {
    uint8_t id[VAULT_FILE_ID_LEN];
    struct factor factors[VAULT_FILE_FACTORS_MAX];
    uint32_t n;
    struct part head; /* all that ctx covers */
    const uint8_t *wrap;
};

int vault_file_shut(struct err *err)
{
    err_set(err, ERR_PASSPHRASE, "cannot open the vault: wrong passphrase or damaged vault");
    err_hint(err, "type the passphrase again; where it is lost, or the vault is damaged, 'satchel "
                  "recover --profile NEW' gets the account back with the recovery words");
    return ERR_PASSPHRASE;
}

void vault_keys_free(struct vault_keys *k)
{
    if (k != NULL)
        secret_free(&k->master);
}

int vault_file_new(struct vault_keys *ret, struct err *err)
{
    struct vault_keys k = {0};
    int rc = secret_new(&k.master, VAULT_FILE_KEY_LEN, err);

    if (rc == ERR_OK)
        rc = rng_bytes(k.id, sizeof(k.id));
    if (rc == ERR_OK)
        rc = rng_bytes(k.master.data, k.master.len);
    if (rc != ERR_OK) {
        vault_keys_free(&k);
        return err_set(err, rc, "cannot draw a master key");
    }
    *ret = k;
    return ERR_OK;
}

/* ---- the head: what ctx covers ---- */

static int put_factor(struct buf *out, const struct factor *f)
{
    size_t len = f->kind == VAULT_PASSPHRASE ? SALT_LEN + 12 : SALT_LEN;

    buf_u32(out, f->kind);
    buf_u32(out, (uint32_t)len);
    buf_put(out, f->salt, SALT_LEN);
    if (f->kind == VAULT_PASSPHRASE) {
        buf_u32(out, f->log_n);
        buf_u32(out, f->r);
        buf_u32(out, f->p);
    }
    return buf_check(out, NULL);
}

static int put_head(struct buf *out, const struct parsed *v)
{
    buf_put(out, file_magic, sizeof(file_magic));
    buf_u32(out, VAULT_FILE_VERSION);
    buf_put(out, v->id, sizeof(v->id));
    buf_u32(out, POLICY_ALL);
    buf_u32(out, v->n);
    for (uint32_t i = 0; i < v->n; i++) {
        int rc = put_factor(out, &v->factors[i]);

        if (rc != ERR_OK)
            return rc;
    }
    return buf_check(out, NULL);
}

/* h(LP("satchel/1 vault file") || all before it): finds damage before scrypt is paid for. */
static int checksum(struct part before, uint8_t ret_sum[SUM_LEN])
{
    static const uint8_t label[] = {0,   0,   0,   20,  's', 'a', 't', 'c', 'h', 'e', 'l', '/',
                                    '1', ' ', 'v', 'a', 'u', 'l', 't', ' ', 'f', 'i', 'l', 'e'};

    return hash_parts(HASH_SHA256, ret_sum, PARTS(PART_OF(label), before));
}

/* An undamaged file says what we cannot do: another version, policy or factor. */
static int unsupported(struct err *err, const char *what, uint32_t number)
{
    err_set(err, ERR_UNSUPPORTED, "the vault needs %s %u, which this version does not know", what,
            number);
    err_hint(err, "use a newer satchel");
    return ERR_UNSUPPORTED;
}

static bool is_device(uint32_t kind)
{
    return kind == VAULT_DEVICE || kind == VAULT_KEYRING;
}

static int parse_factor(struct rd *r, struct factor *ret, struct err *err)
{
    struct factor f = {.kind = rd_u32(r)};
    uint32_t len = rd_u32(r);
    const uint8_t *at = rd_take(r, len);
    struct rd in = rd_make(at, at != NULL ? len : 0);

    if (at == NULL)
        return vault_file_shut(err);
    if (f.kind != VAULT_PASSPHRASE && !is_device(f.kind))
        return unsupported(err, "a factor of kind", f.kind);
    rd_get(&in, f.salt, SALT_LEN);
    if (f.kind == VAULT_PASSPHRASE) {
        f.log_n = rd_u32(&in);
        f.r = rd_u32(&in);
        f.p = rd_u32(&in);
        if (f.log_n < 1 || f.log_n > SCRYPT_LOG_N_MAX || f.r < 1 || f.r > SCRYPT_R_MAX || f.p < 1 ||
            f.p > SCRYPT_P_MAX)
            return vault_file_shut(err);
    }
    if (!rd_done(&in))
        return vault_file_shut(err);
    *ret = f;
    return ERR_OK;
}

static int parse_head(struct rd *r, struct parsed *v, struct err *err)
{
    uint32_t version, policy;

    rd_take(r, sizeof(file_magic));
    version = rd_u32(r);
    if (!r->bad && version != VAULT_FILE_VERSION)
        return unsupported(err, "version", version);
    rd_get(r, v->id, sizeof(v->id));
    policy = rd_u32(r);
    if (!r->bad && policy != POLICY_ALL)
        return unsupported(err, "policy", policy);
    v->n = rd_u32(r);
    if (r->bad || v->n < 1 || v->n > VAULT_FILE_FACTORS_MAX)
        return vault_file_shut(err);
    for (uint32_t i = 0; i < v->n; i++) {
        int rc = parse_factor(r, &v->factors[i], err);

        if (rc != ERR_OK)
            return rc;
        for (uint32_t j = 0; j < i; j++)
            if (is_device(v->factors[j].kind) == is_device(v->factors[i].kind))
                return vault_file_shut(err);
    }
    return ERR_OK;
}

static int parse(struct part file, struct parsed *ret, struct err *err)
{
    const uint8_t *bytes = file.data;
    struct parsed v = {0};
    uint8_t sum[SUM_LEN];
    struct rd r;
    int rc;

    if (file.len < sizeof(file_magic) + WRAP_LEN + SUM_LEN || file.len > VAULT_FILE_MAX ||
        memcmp(bytes, file_magic, sizeof(file_magic)) != 0)
        return vault_file_shut(err);
    rc = checksum(part(bytes, file.len - SUM_LEN), sum);
    if (rc != ERR_OK)
        return err_set(err, rc, "cannot check the vault");
    if (memcmp(sum, bytes + file.len - SUM_LEN, SUM_LEN) != 0)
        return vault_file_shut(err);
    v.head = part(bytes, file.len - SUM_LEN - WRAP_LEN);
    v.wrap = bytes + v.head.len;
    r = rd_make(v.head.data, v.head.len);
    rc = parse_head(&r, &v, err);
    if (rc != ERR_OK)
        return rc;
    if (!rd_done(&r))
        return vault_file_shut(err);
    *ret = v;
    return ERR_OK;
}

/* ---- keys of the factors ---- */

static int factor_key(const struct factor *f, const struct vault_factors *given,
                      struct secret *ret_key, struct err *err)
{
    struct scrypt_cost cost = {.r = f->r, .p = f->p, .max_mem = (uint64_t)1 << 30};
    struct secret key = {0};
    int rc;

    if (is_device(f->kind)) {
        if (given->device == NULL || given->device->len != VAULT_FILE_KEY_LEN)
            return vault_file_shut(err);
        return secret_copy(ret_key, given->device->data, given->device->len, err);
    }
    if (given->passphrase == NULL || given->passphrase->len == 0)
        return vault_file_shut(err);
    rc = secret_new(&key, VAULT_FILE_KEY_LEN, err);
    if (rc != ERR_OK)
        return rc;
    cost.n = (uint64_t)1 << f->log_n;
    rc = scrypt_derive(&cost, part_secret(given->passphrase), PART_OF(f->salt), key.data, key.len);
    if (rc == ERR_OK)
        secret_move(ret_key, &key);
    secret_free(&key);
    return rc == ERR_OK ? rc : err_set(err, rc, "cannot derive a key from the passphrase");
}

/* UK = exclusive or of F(k_i, "factor", u32(i), ctx). */
static int unlocking_key(const struct parsed *v, const uint8_t ctx[CTX_LEN],
                         const struct vault_factors *given, struct secret *ret_uk, struct err *err)
{
    struct secret uk = {0}, key = {0}, share = {0};
    int rc = secret_new(&uk, VAULT_FILE_KEY_LEN, err);

    if (rc == ERR_OK)
        rc = secret_new(&share, VAULT_FILE_KEY_LEN, err);
    for (uint32_t i = 0; rc == ERR_OK && i < v->n; i++) {
        uint8_t number[4];

        put_be32(number, i);
        rc = factor_key(&v->factors[i], given, &key, err);
        if (rc != ERR_OK)
            break;
        rc = kdf_f(share.data, part_secret(&key), "factor",
                   PARTS(PART_OF(number), part(ctx, CTX_LEN)));
        if (rc != ERR_OK)
            rc = err_set(err, rc, "cannot derive the vault's key");
        for (size_t b = 0; rc == ERR_OK && b < uk.len; b++)
            uk.data[b] ^= share.data[b];
    }
    if (rc == ERR_OK)
        secret_move(ret_uk, &uk);
    secret_free(&uk);
    secret_free(&key);
    secret_free(&share);
    return rc;
}

/* ctx = H(LP("satchel/1 vault") || LP(head)); the head holds vault ID, policy and salts. */
static int context(struct part head, uint8_t ret_ctx[CTX_LEN])
{
    return hash_lp(HASH_SHA512, ret_ctx, PARTS(part_str(KDF_PREFIX "vault"), head));
}

static void add_factor(struct parsed *v, enum vault_factor kind)
{
    struct factor *f = &v->factors[v->n++];

    f->kind = kind;
    f->log_n = SCRYPT_LOG_N;
    f->r = SCRYPT_R;
    f->p = SCRYPT_P;
}

int vault_file_wrap(const struct vault_keys *keys, const struct vault_factors *factors,
                    struct buf *out, struct err *err)
{
    struct parsed v = {0};
    struct buf file = {0};
    struct secret uk = {0};
    uint8_t ctx[CTX_LEN], wrap[WRAP_LEN], sum[SUM_LEN];
    int rc = ERR_OK;

    memcpy(v.id, keys->id, sizeof(v.id));
    if (factors->passphrase != NULL)
        add_factor(&v, VAULT_PASSPHRASE);
    if (factors->device != NULL)
        add_factor(&v, factors->keyring ? VAULT_KEYRING : VAULT_DEVICE);
    if (v.n == 0)
        return err_set(err, ERR_INVALID, "a vault needs a factor");
    for (uint32_t i = 0; rc == ERR_OK && i < v.n; i++)
        rc = rng_bytes(v.factors[i].salt, SALT_LEN);
    if (rc == ERR_OK)
        rc = put_head(&file, &v);
    if (rc == ERR_OK)
        rc = context(part(file.data, file.len), ctx);
    if (rc != ERR_OK) {
        rc = err_set(err, rc, "cannot make a vault");
        goto done;
    }
    rc = unlocking_key(&v, ctx, factors, &uk, err);
    if (rc != ERR_OK)
        goto done;
    /* The key is used once: its salts were drawn above. */
    rc = gcm_seal_once(uk.data, nonce_0, PART_OF(ctx), part_secret(&keys->master), wrap);
    buf_put(&file, wrap, sizeof(wrap));
    if (rc == ERR_OK)
        rc = checksum(part(file.data, file.len), sum);
    buf_put(&file, sum, sizeof(sum));
    buf_put(out, file.data, file.len);
    if (rc == ERR_OK)
        rc = file.failed ? ERR_NOMEM : buf_check(out, NULL);
    if (rc != ERR_OK)
        rc = err_set(err, rc, "cannot make a vault");
done:
    secret_free(&uk);
    buf_free(&file);
    return rc;
}

int vault_file_unwrap(struct part file, const struct vault_factors *factors, struct vault_keys *ret,
                      struct err *err)
{
    struct vault_keys k = {0};
    struct secret uk = {0};
    struct parsed v;
    uint8_t ctx[CTX_LEN];
    int rc = parse(file, &v, err);

    if (rc != ERR_OK)
        return rc;
    rc = context(v.head, ctx);
    if (rc != ERR_OK)
        return err_set(err, rc, "cannot open the vault");
    rc = unlocking_key(&v, ctx, factors, &uk, err);
    if (rc == ERR_OK)
        rc = secret_new(&k.master, VAULT_FILE_KEY_LEN, err);
    if (rc != ERR_OK)
        goto done;
    memcpy(k.id, v.id, sizeof(k.id));
    rc = gcm_open_once(uk.data, nonce_0, PART_OF(ctx), part(v.wrap, WRAP_LEN), k.master.data);
    if (rc == ERR_OK) {
        *ret = k;
        k = (struct vault_keys){0};
    } else {
        rc = rc == ERR_INTEGRITY ? vault_file_shut(err) : err_set(err, rc, "cannot open the vault");
    }
done:
    vault_keys_free(&k);
    secret_free(&uk);
    return rc;
}

int vault_file_look(struct part file, struct vault_view *ret, struct err *err)
{
    struct vault_view view = {0};
    struct parsed v;
    int rc = parse(file, &v, err);

    if (rc != ERR_OK)
        return rc;
    memcpy(view.id, v.id, sizeof(view.id));
    for (uint32_t i = 0; i < v.n; i++) {
        view.passphrase = view.passphrase || v.factors[i].kind == VAULT_PASSPHRASE;
        view.keyring = view.keyring || v.factors[i].kind == VAULT_KEYRING;
    }
    *ret = view;
    return ERR_OK;
}
