/* SPDX-License-Identifier: Apache-2.0 */
#include "server/factor_row.h"

#include <string.h>

#include "common/crypto/base32.h"
#include "common/crypto/gcm.h"
#include "common/crypto/kdf.h"
#include "common/crypto/rng.h"

enum {
    VERSION = 3,     /* 1 did not count wrong ones, 2 did not say who enrolled it */
    CODE_BYTES = 10, /* of randomness in a recovery code */
    PLAIN_HEAD = 1 + 1 + FACTOR_KEY_LEN + 8 + 8 + 4,
    PLAIN_TAIL = 4 + 8 + 8 + IDS_DEVICE_LEN + 1,
    FREE_TRIES = 5,        /* wrong ones that cost nothing */
    WAIT_MS = 2 * 60000,   /* behind the last of them, then twice as long with each */
    WAIT_MAX_MS = 43200000 /* twelve hours */
};

static const struct totp rfc6238 = {HASH_SHA1, FACTOR_CODE_DIGITS, FACTOR_STEP};

void factor_row_free(struct factor_row *r)
{
    secret_free(&r->key);
    secret_free(&r->next);
    *r = (struct factor_row){0};
}

/* ---- codes ---- */

static int hash_code(const struct uid *uid, const char *code, uint8_t ret[HASH_SHA256_LEN])
{
    return hash_lp(
        HASH_SHA256, ret,
        PARTS(part_str(KDF_PREFIX "recovery code"), PART_OF(uid->b), part(code, FACTOR_CODE_LEN)));
}

static int draw_key(struct secret *ret)
{
    int rc = secret_new(ret, FACTOR_KEY_LEN, NULL);

    return rc == ERR_OK ? rng_bytes(ret->data, ret->len) : rc;
}

int factor_row_enrol(struct factor_row *r, uint64_t now_ms)
{
    struct factor_row fresh = {.state = FACTOR_PENDING, .since = now_ms};
    int rc = draw_key(&fresh.key);

    if (rc != ERR_OK) {
        factor_row_free(&fresh);
        return rc;
    }
    factor_row_free(r);
    *r = fresh;
    return ERR_OK;
}

int factor_row_renew(struct factor_row *r)
{
    if (r->state != FACTOR_ACTIVE)
        return ERR_BADSTATE;
    secret_free(&r->next);
    return draw_key(&r->next);
}

static int draw_code(const struct uid *uid, char text[FACTOR_CODE_TEXT],
                     uint8_t hash[HASH_SHA256_LEN])
{
    uint8_t raw[CODE_BYTES];
    char code[FACTOR_CODE_LEN + 1], *to = text;
    int rc = rng_bytes(raw, sizeof(raw));

    if (rc != ERR_OK)
        return rc;
    base32_encode(code, raw, sizeof(raw));
    for (size_t i = 0; i < FACTOR_CODE_LEN; i++) {
        if (i > 0 && i % 4 == 0)
            *to++ = '-';
        *to++ = code[i];
    }
    *to = '\0';
    rc = hash_code(uid, code, hash);
    secret_wipe(raw, sizeof(raw));
    secret_wipe(code, sizeof(code));
    return rc;
}

int factor_row_confirm(struct factor_row *r, const struct factor_confirm *by,
                       char codes[FACTOR_CODES][FACTOR_CODE_TEXT])
{
    int rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < FACTOR_CODES; i++)
        rc = draw_code(&by->uid, codes[i], r->codes[i]);
    if (rc != ERR_OK)
        return rc;
    r->since = by->now_ms;
    if (r->next.len > 0) {
        secret_free(&r->key);
        r->key = r->next;
        r->next = (struct secret){0};
        r->last = r->next_last;
    }
    r->n = FACTOR_CODES;
    r->state = FACTOR_ACTIVE;
    r->failed = 0;
    r->failed_at = 0;
    r->enrolled = by->now_ms;
    r->device = by->device;
    return ERR_OK;
}

bool factor_row_settled(const struct factor_row *r, uint64_t now_ms)
{
    return r->state == FACTOR_ACTIVE && now_ms > r->since && now_ms - r->since >= FACTOR_SETTLED_MS;
}

/* Without blanks and '-', in capitals; the length, or 0 if it is too long. */
static size_t tidy(const char *code, char ret[FACTOR_CODE_LEN + 1])
{
    size_t len = 0;

    for (; *code != '\0'; code++) {
        if (*code == ' ' || *code == '-')
            continue;
        if (len == FACTOR_CODE_LEN)
            return 0;
        ret[len++] = (char)(*code >= 'a' && *code <= 'z' ? *code - 'a' + 'A' : *code);
    }
    ret[len] = '\0';
    return len;
}

/* Every step that may count is computed, whichever matches. */
static int take_totp(struct factor_row *r, const char *code, uint64_t now_ms)
{
    uint64_t now = now_ms / 1000 / FACTOR_STEP, found = 0;

    for (uint64_t step = now > 0 ? now - 1 : 0; step <= now + 1; step++) {
        char want[TOTP_CODE_SIZE];
        int rc = totp_code(want, &rfc6238, part_secret(&r->key), step * FACTOR_STEP);

        if (rc != ERR_OK)
            return rc;
        if (secret_equal(want, code, FACTOR_CODE_DIGITS) && step > r->last && found == 0)
            found = step;
        secret_wipe(want, sizeof(want));
    }
    if (found == 0)
        return ERR_FACTOR;
    r->last = found;
    return ERR_OK;
}

uint64_t factor_row_wait(const struct factor_row *r, uint64_t now_ms)
{
    uint64_t wait = WAIT_MS, since = now_ms > r->failed_at ? now_ms - r->failed_at : 0;

    if (r->failed < FREE_TRIES)
        return 0;
    for (uint32_t i = FREE_TRIES; i < r->failed && wait < WAIT_MAX_MS; i++)
        wait *= 2;
    if (wait > WAIT_MAX_MS)
        wait = WAIT_MAX_MS;
    return wait > since ? wait - since : 0;
}

static void count_wrong(struct factor_row *r, uint64_t now_ms)
{
    r->failed += r->failed < UINT32_MAX;
    r->failed_at = now_ms;
}

/* A row that is pending grants nothing, and its key was shown a moment ago. */
static int try_totp(struct factor_row *r, const char *code, uint64_t now_ms)
{
    int rc;

    if (r->state != FACTOR_ACTIVE)
        return take_totp(r, code, now_ms);
    if (factor_row_wait(r, now_ms) > 0)
        return ERR_RATE;
    rc = take_totp(r, code, now_ms);
    if (rc == ERR_FACTOR)
        count_wrong(r, now_ms);
    return rc;
}

static int take_recovery(struct factor_row *r, const struct uid *uid, const char *code)
{
    uint8_t hash[HASH_SHA256_LEN];
    uint32_t found = FACTOR_CODES;
    int rc = hash_code(uid, code, hash);

    if (rc != ERR_OK)
        return rc;
    for (uint32_t i = 0; i < r->n; i++)
        if (secret_equal(r->codes[i], hash, sizeof(hash)))
            found = i;
    if (found == FACTOR_CODES)
        return ERR_FACTOR;
    r->n--;
    memmove(r->codes[found], r->codes[r->n], sizeof(hash));
    memset(r->codes[r->n], 0, sizeof(hash));
    return ERR_OK;
}

int factor_row_take(struct factor_row *r, const struct uid *uid, const char *code, uint64_t now_ms)
{
    char text[FACTOR_CODE_LEN + 1];
    size_t len = tidy(code, text);
    int rc = ERR_FACTOR;

    if (r->state != FACTOR_NONE && len == FACTOR_CODE_DIGITS)
        rc = try_totp(r, text, now_ms);
    else if (r->state == FACTOR_ACTIVE && len == FACTOR_CODE_LEN)
        rc = take_recovery(r, uid, text);
    if (rc == ERR_OK) {
        r->failed = 0;
        r->failed_at = 0;
    }
    secret_wipe(text, sizeof(text));
    return rc;
}

int factor_row_take_new(struct factor_row *r, const struct uid *uid, const char *code,
                        uint64_t now_ms)
{
    struct factor_row fresh = {.state = FACTOR_PENDING, .key = r->next};
    int rc;

    if (r->state == FACTOR_PENDING)
        return factor_row_take(r, uid, code, now_ms);
    if (r->next.len == 0)
        return ERR_BADSTATE;
    if (factor_row_wait(r, now_ms) > 0)
        return ERR_RATE;
    rc = factor_row_take(&fresh, uid, code, now_ms);
    if (rc == ERR_OK)
        r->next_last = fresh.last;
    else if (rc == ERR_FACTOR)
        count_wrong(r, now_ms);
    if (rc == ERR_FACTOR && r->failed >= FREE_TRIES)
        secret_free(&r->next); /* its owner begins anew, and nobody guesses on */
    return rc;
}

/* ---- bytes ---- */

static int seal_key(const struct secret *key, const struct uid *uid, uint8_t ret[KDF_LEN])
{
    return kdf_f(ret, part_secret(key), "factor", PARTS(PART_OF(uid->b)));
}

/* LP("satchel/1 factor row") || LP(uid) || LP(u64 number): a row fits one user and one writing. */
static int make_aad(const struct uid *uid, uint64_t number, struct buf *ret)
{
    buf_lp_str(ret, KDF_PREFIX "factor row");
    buf_lp(ret, uid->b, sizeof(uid->b));
    buf_lp_u64(ret, number);
    return buf_check(ret, NULL);
}

static void write_plain(const struct factor_row *r, uint8_t *p)
{
    *p++ = VERSION;
    *p++ = (uint8_t)r->state;
    memcpy(p, r->key.data, FACTOR_KEY_LEN);
    put_be64(p + FACTOR_KEY_LEN, r->since);
    put_be64(p + FACTOR_KEY_LEN + 8, r->last);
    put_be32(p + FACTOR_KEY_LEN + 16, r->n);
    p += FACTOR_KEY_LEN + 20;
    memcpy(p, r->codes, r->n * sizeof(r->codes[0]));
    p += r->n * sizeof(r->codes[0]);
    put_be32(p, r->failed);
    put_be64(p + 4, r->failed_at);
    put_be64(p + 12, r->enrolled);
    memcpy(p + 20, r->device.b, IDS_DEVICE_LEN);
    p += 20 + IDS_DEVICE_LEN;
    *p++ = r->next.len > 0;
    if (r->next.len > 0)
        memcpy(p, r->next.data, FACTOR_KEY_LEN);
}

int factor_row_seal(const struct factor_row *r, const struct secret *key, const struct uid *uid,
                    uint64_t number, struct buf *out)
{
    const size_t len = PLAIN_HEAD + r->n * sizeof(r->codes[0]) + PLAIN_TAIL + r->next.len;
    uint8_t *to = buf_reserve(out, GCM_NONCE_LEN + len + GCM_TAG_LEN), k[KDF_LEN];
    struct secret plain = {0};
    struct buf aad = {0};
    int rc = make_aad(uid, number, &aad);

    if (rc == ERR_OK && to == NULL)
        rc = ERR_NOMEM;
    if (rc == ERR_OK)
        rc = secret_new(&plain, len, NULL);
    if (rc == ERR_OK)
        rc = rng_bytes(to, GCM_NONCE_LEN);
    if (rc == ERR_OK)
        rc = seal_key(key, uid, k);
    if (rc == ERR_OK) {
        write_plain(r, plain.data);
        rc = gcm_seal_once(k, to, part(aad.data, aad.len), part_secret(&plain), to + GCM_NONCE_LEN);
    }
    if (rc == ERR_OK)
        out->len += GCM_NONCE_LEN + len + GCM_TAG_LEN;
    secret_wipe(k, sizeof(k));
    secret_free(&plain);
    buf_free(&aad);
    return rc;
}

static int read_plain(struct factor_row *r, const struct secret *plain)
{
    struct rd in = rd_make(plain->data, plain->len);
    uint8_t version = rd_u8(&in), state = rd_u8(&in);
    const uint8_t *key = rd_take(&in, FACTOR_KEY_LEN), *next = NULL;
    int rc;

    r->since = rd_u64(&in);
    r->last = rd_u64(&in);
    r->n = rd_u32(&in);
    if (in.bad || version < 1 || version > VERSION || r->n > FACTOR_CODES ||
        (state != FACTOR_PENDING && state != FACTOR_ACTIVE))
        return ERR_CORRUPT;
    r->state = (enum factor_state)state;
    rd_get(&in, r->codes, r->n * sizeof(r->codes[0]));
    if (version > 1) {
        r->failed = rd_u32(&in);
        r->failed_at = rd_u64(&in);
    }
    r->enrolled = version > 2 ? rd_u64(&in) : r->since;
    if (version > 2)
        rd_get(&in, r->device.b, sizeof(r->device.b));
    if (version > 2 && rd_u8(&in) != 0)
        next = rd_take(&in, FACTOR_KEY_LEN);
    if (!rd_done(&in))
        return ERR_CORRUPT;
    rc = secret_copy(&r->key, key, FACTOR_KEY_LEN, NULL);
    return rc == ERR_OK && next != NULL ? secret_copy(&r->next, next, FACTOR_KEY_LEN, NULL) : rc;
}

int factor_row_open(struct factor_row *ret, const struct secret *key, const struct uid *uid,
                    const struct store_factor *stored)
{
    const struct store_blob *b = &stored->bytes;
    struct factor_row r = {0};
    struct secret plain = {0};
    struct buf aad = {0};
    uint8_t k[KDF_LEN];
    int rc;

    if (b->len == 0) {
        factor_row_free(ret);
        return ERR_OK;
    }
    if (b->len <= GCM_NONCE_LEN + GCM_TAG_LEN)
        return ERR_CORRUPT;
    rc = make_aad(uid, stored->number, &aad);
    if (rc == ERR_OK)
        rc = secret_new(&plain, b->len - GCM_NONCE_LEN - GCM_TAG_LEN, NULL);
    if (rc == ERR_OK)
        rc = seal_key(key, uid, k);
    if (rc == ERR_OK)
        rc = gcm_open_once(k, b->data, part(aad.data, aad.len),
                           part(b->data + GCM_NONCE_LEN, b->len - GCM_NONCE_LEN), plain.data);
    if (rc == ERR_OK)
        rc = read_plain(&r, &plain);
    if (rc == ERR_OK) {
        factor_row_free(ret);
        *ret = r;
    } else {
        factor_row_free(&r);
    }
    secret_wipe(k, sizeof(k));
    secret_free(&plain);
    buf_free(&aad);
    return rc == ERR_INTEGRITY ? ERR_CORRUPT : rc;
}
