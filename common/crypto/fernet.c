/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/fernet.h"

#include <stdlib.h>

#include <openssl/evp.h>

#include "common/crypto/b64url.h"
#include "common/crypto/mac.h"
#include "common/crypto/rng.h"

/* version | u64 time | IV | ciphertext | tag */
enum {
    VERSION = 0x80,
    BLOCK = 16,
    AT_TIME = 1,
    AT_IV = 9,
    AT_TEXT = 25,
    TAG_LEN = 32,
    SHORTEST = AT_TEXT + BLOCK + TAG_LEN,
    HALF_KEY = FERNET_KEY_LEN / 2
};

/* Bytes of the token before it is text; a whole block of padding at least begins. */
static size_t raw_len(size_t len)
{
    return AT_TEXT + len / BLOCK * BLOCK + BLOCK + TAG_LEN;
}

static size_t text_len(size_t raw)
{
    return (raw + 2) / 3 * 4;
}

size_t fernet_token_len(size_t len)
{
    return text_len(raw_len(len));
}

/* base64url with its padding; ${ret_text} takes text_len(len) + 1. */
static void encode(char *ret_text, const void *data, size_t len)
{
    size_t used = b64url_len(len), all = text_len(len);

    b64url_encode(ret_text, data, len);
    memset(ret_text + used, '=', all - used);
    ret_text[all] = '\0';
}

/* ${out} takes text.len bytes. */
static int decode(uint8_t *out, size_t *ret_len, struct part text)
{
    const char *p = text.data;
    size_t len = text.len;

    if (len == 0 || len % 4 != 0)
        return ERR_INVALID;
    for (int i = 0; i < 2 && p[len - 1] == '='; i++)
        len--;
    return b64url_decode(out, ret_len, p, len);
}

int fernet_key_read(uint8_t ret_key[FERNET_KEY_LEN], struct part text)
{
    uint8_t raw[FERNET_KEY_TEXT];
    size_t len = 0;
    int rc = text.len == FERNET_KEY_TEXT ? decode(raw, &len, text) : ERR_INVALID;

    if (rc == ERR_OK && len != FERNET_KEY_LEN)
        rc = ERR_INVALID;
    if (rc == ERR_OK)
        memcpy(ret_key, raw, FERNET_KEY_LEN);
    secret_wipe(raw, sizeof(raw));
    return rc;
}

void fernet_key_write(char ret_text[FERNET_KEY_TEXT + 1], const uint8_t key[FERNET_KEY_LEN])
{
    encode(ret_text, key, FERNET_KEY_LEN);
}

/* AES-128-CBC with RFC 5652 padding, either way; ${out} takes in.len + BLOCK bytes. */
static int cbc(const uint8_t *key, const uint8_t *iv, bool sealing, struct part in, uint8_t *out,
               size_t *ret_len)
{
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "AES-128-CBC", NULL);
    EVP_CIPHER_CTX *ctx = cipher != NULL ? EVP_CIPHER_CTX_new() : NULL;
    int n = 0, rest = 0, rc = ERR_NOMEM;

    if (ctx == NULL)
        goto done;
    rc = ERR_INTERNAL;
    if (EVP_CipherInit_ex2(ctx, cipher, key, iv, sealing, NULL) != 1 ||
        EVP_CipherUpdate(ctx, out, &n, part_bytes(in), (int)in.len) != 1)
        goto done;
    /* What is left to fail when opening is the padding. */
    rc = sealing ? ERR_INTERNAL : ERR_INTEGRITY;
    if (EVP_CipherFinal_ex(ctx, out + n, &rest) != 1)
        goto done;
    *ret_len = (size_t)n + (size_t)rest;
    rc = ERR_OK;
done:
    EVP_CIPHER_CTX_free(ctx);
    EVP_CIPHER_free(cipher);
    return rc;
}

/* All of a token but its text form: ${raw} takes raw_len(message.len) bytes. */
static int seal_raw(const uint8_t *key, uint64_t now, const uint8_t *iv, struct part message,
                    uint8_t *raw)
{
    size_t len = 0;
    int rc = ERR_OK;

    raw[0] = VERSION;
    put_be64(raw + AT_TIME, now);
    if (iv != NULL)
        memcpy(raw + AT_IV, iv, FERNET_IV_LEN);
    else
        rc = rng_bytes(raw + AT_IV, FERNET_IV_LEN);
    if (rc == ERR_OK)
        rc = cbc(key + HALF_KEY, raw + AT_IV, true, message, raw + AT_TEXT, &len);
    if (rc != ERR_OK)
        return rc;
    return mac_parts(HASH_SHA256, raw + AT_TEXT + len, part(key, HALF_KEY),
                     PARTS(part(raw, AT_TEXT + len)));
}

int fernet_seal(struct part keys, uint64_t now, const uint8_t *iv, struct part message,
                struct buf *out)
{
    size_t raw, all;
    uint8_t *bytes;
    char *text;
    int rc;

    if (keys.len < FERNET_KEY_LEN || message.len > FERNET_MAX)
        return ERR_INVALID;
    raw = raw_len(message.len);
    all = text_len(raw);
    bytes = malloc(raw);
    text = (char *)buf_reserve(out, all + 1);
    rc = bytes != NULL && text != NULL ? ERR_OK : ERR_NOMEM;
    if (rc == ERR_OK)
        rc = seal_raw(keys.data, now, iv, message, bytes);
    if (rc == ERR_OK) {
        encode(text, bytes, raw);
        out->len += all;
    }
    free(bytes); /* ciphertext */
    return rc;
}

static int check_age(const struct fernet_age *age, uint64_t at)
{
    if (!age->limited)
        return ERR_OK;
    if (at > age->now && at - age->now > FERNET_SKEW)
        return ERR_INTEGRITY;
    return at < age->now && age->now - at > age->ttl ? ERR_EXPIRED : ERR_OK;
}

/* The number of the key whose tag is on ${raw}, in ${ret}. */
static int find_key(struct part keys, struct part raw, size_t *ret)
{
    const uint8_t *key = keys.data, *bytes = raw.data;
    uint8_t tag[HASH_MAX_LEN];

    for (size_t i = 0; i < keys.len / FERNET_KEY_LEN; i++) {
        int rc = mac_parts(HASH_SHA256, tag, part(key + i * FERNET_KEY_LEN, HALF_KEY),
                           PARTS(part(bytes, raw.len - TAG_LEN)));

        if (rc != ERR_OK)
            return rc;
        if (secret_equal(tag, bytes + raw.len - TAG_LEN, TAG_LEN)) {
            *ret = i;
            return ERR_OK;
        }
    }
    return ERR_INTEGRITY;
}

static int open_raw(struct part keys, const struct fernet_age *age, struct part raw, uint8_t *out,
                    struct fernet_opened *ret)
{
    const uint8_t *bytes = raw.data, *key = keys.data;
    struct fernet_opened o = {0};
    int rc;

    if (raw.len < SHORTEST || (raw.len - AT_TEXT - TAG_LEN) % BLOCK != 0 || bytes[0] != VERSION)
        return ERR_INTEGRITY;
    o.at = get_be64(bytes + AT_TIME);
    rc = find_key(keys, raw, &o.key);
    if (rc == ERR_OK) /* only of a token that is genuine is the age told */
        rc = check_age(age, o.at);
    if (rc == ERR_OK)
        rc = cbc(key + o.key * FERNET_KEY_LEN + HALF_KEY, bytes + AT_IV, false,
                 part(bytes + AT_TEXT, raw.len - AT_TEXT - TAG_LEN), out, &o.len);
    if (rc == ERR_OK)
        *ret = o;
    return rc;
}

int fernet_open(struct part keys, const struct fernet_age *age, struct part token, uint8_t *out,
                struct fernet_opened *ret)
{
    uint8_t *raw;
    size_t len = 0;
    int rc;

    if (keys.len < FERNET_KEY_LEN || keys.len % FERNET_KEY_LEN != 0)
        return ERR_INVALID;
    if (token.len == 0 || token.len > FERNET_TOKEN_MAX)
        return ERR_INTEGRITY;
    raw = malloc(token.len);
    if (raw == NULL)
        return ERR_NOMEM;
    rc = decode(raw, &len, token) == ERR_OK ? open_raw(keys, age, part(raw, len), out, ret)
                                            : ERR_INTEGRITY;
    /* Nobody may look at what did not verify, nor at what the padding leaves. */
    len = rc == ERR_OK ? ret->len : 0;
    secret_wipe(out + len, token.len - len);
    free(raw); /* ciphertext */
    return rc;
}

int fernet_rotate(struct part keys, struct part token, const uint8_t *iv, struct buf *out)
{
    struct fernet_opened o;
    uint8_t *plain = token.len <= FERNET_TOKEN_MAX ? malloc(token.len + 1) : NULL;
    int rc;

    if (plain == NULL)
        return token.len > FERNET_TOKEN_MAX ? ERR_INTEGRITY : ERR_NOMEM;
    rc = fernet_open(keys, &(struct fernet_age){0}, token, plain, &o);
    if (rc == ERR_OK) {
        rc = fernet_seal(keys, o.at, iv, part(plain, o.len), out);
        secret_wipe(plain, o.len);
    }
    free(plain); /* wiped */
    return rc;
}
